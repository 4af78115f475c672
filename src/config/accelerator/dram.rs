//! `[accelerator.dram]`: the memory off chip.

use super::{count, memory_called};
use crate::accelerator::design::{Buffers, DramSystem};
use crate::accelerator::dram::{AddressMap, System};
use crate::config::key::quoted;
use crate::config::memories::Declared;
use crate::config::problem::{Location, Problem, Problems};
use crate::config::reader::{Section, text, unexpected};
use crate::config::tree::Value;
use crate::memory::Technology;
use crate::memory::energy::dram::Device;

/// Name of the table.
pub(super) const TABLE: &str = "dram";

const MEMORY: &str = "memory";
const ADDRESS_MAP: &str = "address_map";
const CHANNELS: &str = "channels";
const RANKS: &str = "ranks";
const QUEUE_DEPTH: &str = "queue_depth";
/// Most channels, ranks of a channel, and requests in the queue of one.
const MOST_CHANNELS: i64 = 64;
const MOST_RANKS: i64 = 16;
const MOST_REQUESTS: i64 = 1024;

/// Reads the table, or the word `none`; the outer `None`: something is wrong (noted).
#[expect(clippy::option_option, reason = "no DRAM and a wrong one are two things")]
pub(super) fn dram(
    accelerator: &Section<'_>,
    memories: &[Declared<'_>],
    buffers: Option<&Buffers>,
    problems: &mut Problems,
) -> Option<Option<DramSystem>> {
    let Some(entry) = accelerator.find(TABLE) else {
        let message = format!("missing table [{}]", accelerator.key(TABLE));
        let help =
            "it describes the memory off chip; `dram = \"none\"` in [accelerator] says that there is none";
        let label = format!("no [{}]", accelerator.key(TABLE));
        problems.push(Problem::new(accelerator.location(), message, label).with_help(help));
        return None;
    };
    match &entry.node.value {
        Value::Text(word) if word == "none" => Some(None),
        Value::Table(_) => {
            let section = accelerator.section(TABLE, problems)?;
            system(&section, memories, buffers, problems).map(Some)
        }
        _ => {
            let expected = "a table, or \"none\" where everything rests on chip";
            problems.push(unexpected(&accelerator.key(TABLE), &entry.node, expected));
            None
        }
    }
}

fn system(
    section: &Section<'_>,
    memories: &[Declared<'_>],
    buffers: Option<&Buffers>,
    problems: &mut Problems,
) -> Option<DramSystem> {
    section.check_keys(&[MEMORY, ADDRESS_MAP, CHANNELS, RANKS, QUEUE_DEPTH], problems);
    section.require(MEMORY, "the memory off chip, of technology `dram` with its data sheet", problems);
    let map_meaning =
        "which bits of an address choose row, bank and column: `rochrabacobg` interleaves bank groups";
    section.require(ADDRESS_MAP, map_meaning, problems);
    let memory = memory(section, memories, buffers, problems);
    let address_map = address_map(section, problems);
    let channels = power_of_two(section, CHANNELS, MOST_CHANNELS, problems);
    let ranks = power_of_two(section, RANKS, MOST_RANKS, problems);
    let queue_depth = count(section, QUEUE_DEPTH, MOST_REQUESTS, Some(32), problems);
    let (index, device) = memory?;
    let system = DramSystem {
        memory: index,
        address_map: address_map?,
        channels: channels? as u32,
        ranks: ranks? as u32,
        queue_depth: queue_depth? as u32,
    };
    let DramSystem { address_map, channels, ranks, queue_depth, .. } = system;
    match System::new(device.clone(), address_map, channels, ranks, queue_depth) {
        Ok(_) => Some(system),
        Err(error) => {
            let at = section.find(MEMORY).map_or(section.location(), |entry| &entry.node.location);
            problems.push(Problem::new(at, format!("[{}]: {error}", section.path()), "not possible"));
            None
        }
    }
}

/// Reads the address map.
fn address_map(section: &Section<'_>, problems: &mut Problems) -> Option<AddressMap> {
    let node = &section.find(ADDRESS_MAP)?.node;
    let key = section.key(ADDRESS_MAP);
    match text(&key, node, "a string such as \"rochrabacobg\"", problems)?.parse() {
        Ok(map) => Some(map),
        Err(error) => {
            let message = format!("[{}]: {error}", section.path());
            problems.push(Problem::new(&node.location, message, "no address map"));
            None
        }
    }
}

/// The memory off chip with its data sheet: a DRAM that is no buffer.
fn memory<'m>(
    section: &Section<'_>,
    memories: &'m [Declared<'_>],
    buffers: Option<&Buffers>,
    problems: &mut Problems,
) -> Option<(usize, &'m Device)> {
    let node = &section.find(MEMORY)?.node;
    let key = section.key(MEMORY);
    let name = text(&key, node, "the name of a memory", problems)?;
    let index = memory_called(&key, name, &node.location, memories, problems)?;
    if buffers.is_some_and(|buffers| buffers.memories().contains(&index)) {
        let message = format!("`{key}`: memory `{}` is a buffer: it cannot be off chip, too", quoted(name));
        problems.push(Problem::new(&node.location, message, "on chip"));
        return None;
    }
    let refuse = |message: String, label: &str, help: String, problems: &mut Problems| {
        problems.push(Problem::new(&node.location, message, label).with_help(help));
        None
    };
    let quoted = quoted(name);
    match &memories[index].memory.as_ref()?.technology {
        Technology::Dram(dram) => match &dram.energy {
            Some(device) => Some((index, device)),
            None => refuse(
                format!("`{key}`: memory `{quoted}` has no data sheet: its timing is unknown"),
                "no data sheet",
                format!("give [memories.{quoted}.energy], for example with preset = \"ddr4_2400_8gb_x8\""),
                problems,
            ),
        },
        Technology::Uniform(_) | Technology::Sram(_) => refuse(
            format!("`{key}`: memory `{quoted}` is no DRAM"),
            "not of technology `dram`",
            "name a memory with technology = \"dram\"; `dram = \"none\"` in [accelerator] says that there is none".into(),
            problems,
        ),
    }
}

/// The count `key`, which takes whole bits of an address, 1 if it is absent.
fn power_of_two(section: &Section<'_>, key: &str, most: i64, problems: &mut Problems) -> Option<u64> {
    let value = count(section, key, most, Some(1), problems)?;
    if value.is_power_of_two() {
        return Some(value);
    }
    let at: &Location = section.find(key).map_or(section.location(), |entry| &entry.node.location);
    let message = format!("`{}` must be a power of two, found {value}", section.key(key));
    problems.push(Problem::new(at, message, "expected 1, 2, 4, 8, …"));
    None
}
