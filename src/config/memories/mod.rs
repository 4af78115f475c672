//! `[memories.NAME]`: the memories in which data subsets rest.

mod alone;
mod dram;
mod energy;
mod geometry;
mod protection;
mod sram;
mod uniform;

#[cfg(test)]
mod message_tests;
#[cfg(test)]
mod tests;

pub use alone::nearest_preset;

use super::constants::{Constants, Key, no_effect, plain_number, presets};
use super::document::open_regular;
use super::files;
use super::problem::{Location, Problem, Problems};
use super::reader::{Section, number, unexpected};
use super::tree::{Entry, Node, Value};
use crate::memory::energy::sram::Voltage;
use crate::memory::measured::MeasuredMap;
use crate::memory::preset::Table;
use crate::memory::sram::VoltageUnit;
use crate::memory::{ByBit, Geometry, Lifetime, Memory, Protection, Technology};
use std::io::BufReader;
use std::sync::Arc;

/// Name of the off-chip link in a path; no memory can have it.
pub(super) const LINK: &str = "link";
/// Tables of a memory.
const ERROR: &str = "error";
const ENERGY: &str = "energy";
/// Key of the file that lists the weak cells of a measured chip.
const MAP: &str = "map";
/// Instead of the operating point: the rate that it is to have. Of a memory alone.
const TARGET: Key = Key { name: "bit_error_rate", meaning: "the rate of wrong bits of random data" };

/// A memory of the configuration.
pub(super) struct Declared<'d> {
    pub entry: &'d Entry,
    /// `None` if something is wrong with it (noted); it can still be named in a path.
    pub memory: Option<Memory>,
    /// Where its number of protected bits was typed.
    pub protected_at: &'d Location,
    /// What it has by bit of a word: `ber` or the intervals.
    pub by_bit: Option<&'d Entry>,
    /// Its energy table.
    pub energy: Option<&'d Entry>,
}

/// Technologies by name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Uniform,
    Sram,
    Dram,
}

const KINDS: [(&str, Kind); 3] = [("uniform", Kind::Uniform), ("sram", Kind::Sram), ("dram", Kind::Dram)];

/// Who asks for a memory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// An experiment.
    Experiment,
    /// A look at the memory alone: its operating point may be given by its rate.
    Alone,
}

/// Reads `[memories]`, in the order of the text.
pub(super) fn memories<'d>(
    root: &Section<'d>,
    problems: &mut Problems,
    warnings: &mut Problems,
) -> Vec<Declared<'d>> {
    let Some(section) = root.section("memories", problems) else {
        return Vec::new();
    };
    section
        .entries()
        .iter()
        .map(|entry| {
            if problems.is_full() {
                return Declared {
                    entry,
                    memory: None,
                    protected_at: &entry.key_location,
                    by_bit: None,
                    energy: None,
                };
            }
            if entry.key == LINK {
                let message = "a memory cannot be called `link`: in a path that is the off-chip link";
                problems.push(
                    Problem::new(&entry.key_location, message, "reserved")
                        .with_help("choose another name; the link's own settings stand in [link]"),
                );
            }
            let inner = Section::of_entry(section.key(&entry.key), entry, problems);
            let protected = inner.as_ref().and_then(|inner| inner.find("protected_msbs"));
            let energy = inner.as_ref().and_then(|inner| inner.find(ENERGY));
            Declared {
                entry,
                by_bit: inner.as_ref().and_then(by_bit_entry),
                energy,
                protected_at: protected.map_or(&entry.key_location, |entry| &entry.node.location),
                memory: inner.and_then(|inner| memory(&entry.key, &inner, problems, warnings)),
            }
        })
        .collect()
}

/// What is typed in a memory by bit of a word.
fn by_bit_entry<'d>(memory: &Section<'d>) -> Option<&'d Entry> {
    let intervals = memory.find(ERROR).and_then(|error| match &error.node.value {
        Value::Table(table) => table.find("refresh_interval_ms"),
        _ => None,
    });
    memory.find("ber").or(intervals)
}

/// What all technologies have in common.
struct Common {
    kind: Option<Kind>,
    geometry: Option<Geometry>,
    protection: Option<Protection>,
    lifetime: Option<Lifetime>,
}

impl Common {
    fn read(
        section: &Section<'_>,
        purpose: Purpose,
        problems: &mut Problems,
        warnings: &mut Problems,
    ) -> Self {
        section.require("technology", "`uniform`, `sram` or `dram`: what its cells are", problems);
        let kind = section.choice("technology", &KINDS, problems);
        // Which further keys are valid depends on the technology: without one, none is called unknown.
        if let Some(kind) = kind {
            check_keys(section, kind, purpose, problems);
        }
        let lifetimes = [("permanent", Lifetime::Permanent), ("transient", Lifetime::Transient)];
        Self {
            kind,
            geometry: geometry::geometry(section, problems),
            protection: protection::protection(section, kind, problems, warnings),
            lifetime: section.choice("lifetime", &lifetimes, problems),
        }
    }
}

/// Notes keys that a memory of this technology does not have.
fn check_keys(section: &Section<'_>, kind: Kind, purpose: Purpose, problems: &mut Problems) {
    let own: &[&str] = match kind {
        Kind::Uniform => &uniform::KEYS,
        Kind::Sram | Kind::Dram => &[ERROR, ENERGY],
    };
    let alone: &[&str] = if purpose == Purpose::Alone { &[alone::WORD_BITS] } else { &[] };
    let common = ["technology", "protected_msbs", protection::TABLE];
    let valid: Vec<_> = common[..2]
        .iter()
        .chain(own)
        .chain(&common[2..])
        .chain(&geometry::KEYS)
        .chain(alone)
        .copied()
        .collect();
    for entry in section.entries().iter().filter(|entry| !valid.contains(&entry.key.as_str())) {
        if problems.is_full() {
            return;
        }
        problems.push(if entry.key == "lifetime" {
            let problem =
                no_effect(section, entry, "technology `sram` and `dram`: their weak cells are permanent");
            problem.with_help(
                "`error.persistent_fraction` of an SRAM is the share of the rate that weak cells have",
            )
        } else {
            section.unknown(entry, &valid)
        });
    }
}

fn memory(
    name: &str,
    section: &Section<'_>,
    problems: &mut Problems,
    warnings: &mut Problems,
) -> Option<Memory> {
    let common = Common::read(section, Purpose::Experiment, problems, warnings);
    let mut measured = None;
    let technology = match common.kind? {
        Kind::Uniform => uniform::parameters(section, Purpose::Experiment, problems).map(Technology::Uniform),
        kind => {
            let error = error_section(section, kind, problems);
            measured = error.as_ref().and_then(|error| map(error, name, common.geometry, problems));
            match kind {
                Kind::Dram => dram_parameters(section, error, Purpose::Experiment, problems, warnings)
                    .map(Technology::Dram),
                _ => sram_parameters(section, error, common.geometry, Purpose::Experiment, problems)
                    .map(Technology::Sram),
            }
        }
    };
    Some(Memory {
        name: name.to_owned(),
        technology: technology?,
        geometry: common.geometry?,
        protection: common.protection?,
        lifetime: common.lifetime,
        measured,
    })
}

/// The table of the error model, noted if there is none.
fn error_section<'d>(section: &Section<'d>, kind: Kind, problems: &mut Problems) -> Option<Section<'d>> {
    let names: Vec<_> = presets(error_table(kind)).map(|preset| format!("{:?}", preset.name)).collect();
    let help = format!("it says what the cells do wrong: preset = {}", names.join(" or "));
    section.required_section(ERROR, &help, problems)
}

fn error_table(kind: Kind) -> Table {
    if kind == Kind::Dram { Table::DramError } else { Table::SramError }
}

fn sram_parameters(
    section: &Section<'_>,
    error: Option<Section<'_>>,
    geometry: Option<Geometry>,
    purpose: Purpose,
    problems: &mut Problems,
) -> Option<crate::memory::sram::Parameters> {
    let error = error.and_then(|error| {
        sram::errors(&Constants::open(error, Table::SramError, problems), purpose, problems)
    });
    let voltage = error.as_ref().map(|error| match error.v_unit {
        VoltageUnit::Vmin => Voltage::OverVmin(error.v),
        VoltageUnit::Volt => Voltage::Volts(error.v),
    });
    let energy = section.find(ENERGY).map(|_| {
        let constants = Constants::open(section.section(ENERGY, problems)?, Table::SramEnergy, problems);
        let is_over_vmin = matches!(voltage, Some(Voltage::OverVmin(_)));
        let energy = energy::sram(&constants, geometry, is_over_vmin, problems)?;
        energy::check_voltage(&constants, &energy, voltage?, problems).then_some(energy)
    });
    Some(crate::memory::sram::Parameters { error: error?, energy: present(energy)? })
}

fn dram_parameters(
    section: &Section<'_>,
    error: Option<Section<'_>>,
    purpose: Purpose,
    problems: &mut Problems,
    warnings: &mut Problems,
) -> Option<crate::memory::dram::Parameters> {
    let energy = section.find(ENERGY).map(|_| {
        let constants = Constants::open(section.section(ENERGY, problems)?, Table::DramEnergy, problems);
        energy::dram(&constants, problems)
    });
    let device = energy.as_ref().and_then(Option::as_ref);
    let error = error.and_then(|error| {
        let constants = Constants::open(error, Table::DramError, problems);
        dram::errors(&constants, device, purpose, problems, warnings)
    });
    Some(crate::memory::dram::Parameters { error: error?, energy: present(energy)? })
}

/// What may be left out: `None` if it is there and wrong.
#[expect(clippy::option_option, reason = "left out, wrong and right are three things")]
fn present<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    read.map_or(Some(None), |value| value.map(Some))
}

/// Reads the weak cells of a measured chip, which `error` names.
fn map(
    error: &Section<'_>,
    memory: &str,
    geometry: Option<Geometry>,
    problems: &mut Problems,
) -> Option<Arc<MeasuredMap>> {
    let at = &error.find(MAP)?.node.location;
    let path = files::file(error, MAP, problems)?.path;
    let geometry = geometry?;
    let read = open_regular(&path).and_then(|file| {
        MeasuredMap::read(BufReader::new(file), memory, &geometry).map_err(|error| error.to_string())
    });
    match read {
        Ok(map) => Some(Arc::new(map)),
        Err(reason) => {
            let message = format!("`{}`: {}: {reason}", error.key(MAP), path.display());
            problems.push(Problem::new(at, message, "no map of this memory"));
            None
        }
    }
}

/// The rate that the operating point is to have; `None` if it is given as usual, or wrong (noted).
fn target(constants: &Constants<'_>, purpose: Purpose, problems: &mut Problems) -> Option<f64> {
    if purpose == Purpose::Experiment {
        return None;
    }
    let point = ["v", "refresh_interval_ms"].into_iter().find_map(|key| constants.section.find(key));
    let entry = constants.section.find(TARGET.name)?;
    if let Some(point) = point {
        let message = format!("`{}` and `{}` exclude each other", point.key, TARGET.name);
        problems.push(
            Problem::new(&entry.key_location, message, "a second operating point")
                .with_related(&point.key_location, "the first one"),
        );
    }
    let is_rate = |rate: f64| rate > 0.0 && rate <= 0.5;
    let key = constants.section.key(TARGET.name);
    number(&key, &entry.node, "a number above 0, at most 0.5", is_rate, problems)
}

/// Notes a rate that the memory does not have at any of its `points`.
fn refuse_target(
    constants: &Constants<'_>,
    rate: f64,
    [least, most]: [f64; 2],
    points: &str,
    problems: &mut Problems,
) {
    let key = constants.section.key(TARGET.name);
    let message = format!(
        "`{key}`: {rate:e} is not the rate at any of the {points}, which is {least:.3e} to {most:.3e}"
    );
    let label = format!("expected {least:.3e} to {most:.3e}");
    problems.push(Problem::new(constants.place(TARGET.name), message, label));
}

/// A number, or a list of at most 32 by bit from the most significant down, each as `is_valid` says; `None` if it is something else
/// (noted as not `expected`).
fn by_bit(
    key: &str,
    node: &Node,
    expected: &str,
    is_valid: impl Fn(f64) -> bool,
    problems: &mut Problems,
) -> Option<ByBit> {
    let items = match &node.value {
        Value::List(items) if (1..=32).contains(&items.len()) => items.as_slice(),
        Value::List(_) => {
            let expected = "a number, or a list of 1 to 32 of them by bit from the most significant down";
            problems.push(unexpected(key, node, expected));
            return None;
        }
        _ => std::slice::from_ref(node),
    };
    let read = |item: &Node| {
        let value = plain_number(item).filter(|&value| is_valid(value));
        if value.is_none() {
            problems.push(unexpected(key, item, expected));
        }
        value
    };
    let numbers: Vec<_> = items.iter().map(read).collect();
    ByBit::new(numbers.into_iter().collect::<Option<_>>()?).ok()
}
