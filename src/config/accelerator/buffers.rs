//! `[accelerator.buffers]`: the memories in which operands rest on chip.

use super::{count, memory_called};
use crate::accelerator::design::{Buffer, Buffers};
use crate::config::key::quoted;
use crate::config::memories::Declared;
use crate::config::problem::{Problem, Problems};
use crate::config::reader::{Section, text};
use crate::config::tree::Node;
use crate::memory::{Memory, Technology};

/// Name of the table.
pub(super) const TABLE: &str = "buffers";

/// The operands, each with what its buffer holds.
const OPERANDS: [(&str, &str); 3] =
    [("ifmap", "inputs"), ("filter", "weights and biases"), ("ofmap", "outputs and partial sums")];
const PORTS: &str = "ports";
const PORT_BITS: &str = "port_bits";
/// Most ports of a bank.
const MOST_PORTS: i64 = 1 << 10;
/// Widest port.
const MOST_PORT_BITS: i64 = 1 << 20;

/// Reads the table; `None` if something is wrong (noted).
pub(super) fn buffers(
    accelerator: &Section<'_>,
    memories: &[Declared<'_>],
    problems: &mut Problems,
) -> Option<Buffers> {
    let purpose = "it names the memories that hold `ifmap`, `filter` and `ofmap` on chip; one name may stand three times";
    let section = accelerator.required_section(TABLE, purpose, problems)?;
    let [ifmap, filter, ofmap] = OPERANDS.map(|(operand, _)| operand);
    section.check_keys(&[ifmap, filter, ofmap, PORTS, PORT_BITS], problems);
    let ports = count(&section, PORTS, MOST_PORTS, Some(1), problems);
    let port_bits = section.find(PORT_BITS).map(|_| section.integer(PORT_BITS, 1..=MOST_PORT_BITS, problems));
    let mut checked = Vec::new();
    let [ifmap, filter, ofmap] = OPERANDS.map(|(operand, contents)| {
        section.require(operand, &format!("the memory that holds {contents} on chip"), problems);
        let node = &section.find(operand)?.node;
        let key = section.key(operand);
        let name = text(&key, node, "the name of a memory", problems)?;
        let memory = memory_called(&key, name, &node.location, memories, problems)?;
        // A memory with a mistake of its own has been noted.
        let declared = memories[memory].memory.as_ref()?;
        let known = checked.iter().find(|(other, _)| *other == memory);
        let width =
            known.map_or_else(|| width(&key, node, declared, port_bits, problems), |(_, width)| *width);
        checked.push((memory, width));
        Some(Buffer { memory, port_bits: width? })
    });
    Some(Buffers { ifmap: ifmap?, filter: filter?, ofmap: ofmap?, ports: ports? })
}

/// The width of the ports of `memory`, named by `node`: `port_bits`, or else that of the memory's energy table. `None`: it is no
/// buffer, or its width is unknown (noted).
#[expect(clippy::option_option, reason = "left out, wrong and right are three things")]
fn width(
    key: &str,
    node: &Node,
    memory: &Memory,
    port_bits: Option<Option<i64>>,
    problems: &mut Problems,
) -> Option<u32> {
    let name = quoted(&memory.name);
    let is_finite = memory.geometry.rows.is_some();
    if !is_finite {
        let message = format!("`{key}`: memory `{name}` has no capacity: a buffer is of finite size");
        let help = format!("give `memories.{name}.capacity_bytes`");
        problems.push(Problem::new(&node.location, message, "of what size?").with_help(help));
    }
    let own_bits = match &memory.technology {
        Technology::Sram(sram) => sram.energy.as_ref().map(|energy| energy.word_bits),
        Technology::Uniform(_) | Technology::Dram(_) => None,
    };
    let Some(typed) = port_bits else {
        if own_bits.is_none() {
            let message =
                format!("`{key}`: how many bits a port of memory `{name}` moves per cycle is unknown");
            let table = match &memory.technology {
                Technology::Sram(_) => format!(", or [memories.{name}.energy] with `word_bits`"),
                Technology::Uniform(_) | Technology::Dram(_) => String::new(),
            };
            let help = format!("give `accelerator.{TABLE}.{PORT_BITS}`{table}");
            problems.push(Problem::new(&node.location, message, "of what bandwidth?").with_help(help));
        }
        return own_bits.filter(|_| is_finite);
    };
    typed.map(|bits| bits as u32).filter(|_| is_finite)
}
