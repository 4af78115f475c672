//! `[accelerator]`: array, buffers, off-chip memory and energies of operations.

mod buffers;
mod dram;
mod energy;
mod fuse;
mod layers;
mod tilings;

#[cfg(test)]
mod message_tests;
#[cfg(test)]
mod tests;

pub(super) use layers::Layers;

use super::memories::Declared;
use super::problem::{Problem, Problems};
use super::reader::{Section, unexpected};
use super::tree::Value;
use crate::accelerator::array::{Array, Dataflow, FoldOverlap, FullyConnected};
use crate::accelerator::design::{Accelerator, Buffers, DramSystem};
use crate::accelerator::energy::OperationEnergy;
use crate::accelerator::tiling::{Buffering, Objective};
use crate::accelerator::trace::Fidelity;
use fuse::FuseTable;
use tilings::Tilings;

/// Name of the table.
pub(super) const TABLE: &str = "accelerator";

const KEYS: [&str; 17] = [
    "clock_mhz",
    "rows",
    "columns",
    "dataflow",
    "fold_overlap",
    "fully_connected",
    "elementwise_lanes",
    "batch",
    "partial_sum_bits",
    "buffering",
    "fuse",
    "keep_on_chip",
    "tiling",
    "fidelity",
    tilings::TABLE,
    buffers::TABLE,
    dram::TABLE,
];

const DATAFLOWS: [(&str, Dataflow); 3] = [
    ("output_stationary", Dataflow::OutputStationary),
    ("weight_stationary", Dataflow::WeightStationary),
    ("input_stationary", Dataflow::InputStationary),
];

/// Most rows, columns and lanes: far above any, far below an overflow.
const MOST: i64 = 1 << 20;
/// Most images of a batch: a trace goes through the tiles of all of them.
const MOST_IMAGES: i64 = 4096;
/// Fastest clock.
const MOST_MHZ: f64 = 1e6;
/// Widest partial sum.
const MOST_SUM_BITS: i64 = 64;

/// The table as read without the layers that its names and patterns mean; `None` in it stands for something wrong (noted).
#[expect(clippy::option_option, reason = "left out, wrong and right are three things")]
pub(super) struct AcceleratorTable<'d> {
    settings: Option<Settings>,
    fuse: Option<FuseTable<'d>>,
    tilings: Tilings<'d>,
    buffers: Option<Buffers>,
    dram: Option<Option<DramSystem>>,
    energy: Option<Option<OperationEnergy>>,
}

/// The keys with plain values.
struct Settings {
    clock_mhz: f64,
    array: Array,
    elementwise_lanes: u64,
    batch: u64,
    partial_sum_bits: u32,
    buffering: Buffering,
    keep_on_chip: bool,
    objective: Objective,
    fidelity: Fidelity,
}

impl<'d> AcceleratorTable<'d> {
    /// Reads `[accelerator]`, whose buffers and DRAM are among `memories`; `None` if there is none, or if it is no table (noted).
    pub fn read(root: &Section<'d>, memories: &[Declared<'_>], problems: &mut Problems) -> Option<Self> {
        let section = root.section(TABLE, problems)?;
        let keys: Vec<_> = KEYS.into_iter().chain([energy::TABLE]).collect();
        section.check_keys(&keys, problems);
        let settings = Settings::read(&section, problems);
        let buffers = buffers::buffers(&section, memories, problems);
        Some(Self {
            settings,
            fuse: fuse::fuse(&section, problems),
            tilings: tilings::tilings(&section, problems),
            dram: dram::dram(&section, memories, buffers.as_ref(), problems),
            buffers,
            energy: energy::energy(&section, problems),
        })
    }

    /// Whether memory `index` is a buffer of the accelerator or its DRAM.
    pub fn uses(&self, index: usize) -> bool {
        let is_buffer = self.buffers.is_some_and(|buffers| buffers.memories().contains(&index));
        is_buffer || self.dram.flatten().is_some_and(|dram| dram.memory == index)
    }

    /// The accelerator on `layers`; `None` if something is wrong (noted).
    pub fn accelerator(
        &self,
        layers: &Layers<'_>,
        problems: &mut Problems,
        warnings: &mut Problems,
    ) -> Option<Accelerator> {
        let fuse = self.fuse.as_ref().map(|fuse| fuse.resolved(layers, problems, warnings));
        let tilings = self.tilings.resolved(layers, problems, warnings);
        let settings = self.settings.as_ref()?;
        Some(Accelerator {
            clock_mhz: settings.clock_mhz,
            array: settings.array,
            elementwise_lanes: settings.elementwise_lanes,
            batch: settings.batch,
            partial_sum_bits: settings.partial_sum_bits,
            buffering: settings.buffering,
            fuse: fuse?,
            keep_on_chip: settings.keep_on_chip,
            objective: settings.objective,
            fidelity: settings.fidelity,
            tilings: tilings?,
            buffers: self.buffers?,
            dram: self.dram?,
            energy: self.energy.clone()?,
        })
    }
}

impl Settings {
    fn read(section: &Section<'_>, problems: &mut Problems) -> Option<Self> {
        for (key, meaning) in [
            (
                "clock_mhz",
                "the clock of array and buffers in MHz: without it DRAM time is no number of cycles",
            ),
            ("rows", "the rows of the array of processing elements"),
            ("columns", "the columns of the array of processing elements"),
            (
                "dataflow",
                "`output_stationary`, `weight_stationary` or `input_stationary`: which operand stays in place",
            ),
        ] {
            section.require(key, meaning, problems);
        }
        let is_clock = |mhz: f64| mhz > 0.0 && mhz <= MOST_MHZ;
        let clock_mhz =
            section.number("clock_mhz", "a number above 0, at most 1000000 (MHz)", is_clock, problems);
        let rows = count(section, "rows", MOST, None, problems);
        let columns = count(section, "columns", MOST, None, problems);
        let dataflow = section.choice("dataflow", &DATAFLOWS, problems);
        let overlaps = [("none", FoldOverlap::None), ("pipelined", FoldOverlap::Pipelined)];
        let fold_overlap = choice_or(section, "fold_overlap", &overlaps, FoldOverlap::None, problems);
        let mappings = [("array", FullyConnected::Array), ("vector", FullyConnected::Vector)];
        let fully_connected =
            choice_or(section, "fully_connected", &mappings, FullyConnected::Array, problems);
        let lanes = count(section, "elementwise_lanes", MOST, columns, problems);
        let batch = count(section, "batch", MOST_IMAGES, Some(1), problems);
        let partial_sum_bits = count(section, "partial_sum_bits", MOST_SUM_BITS, Some(32), problems);
        let bufferings = [("double", Buffering::Double), ("single", Buffering::Single)];
        let buffering = choice_or(section, "buffering", &bufferings, Buffering::Double, problems);
        let keep_on_chip = boolean_or(section, "keep_on_chip", false, problems);
        let objectives =
            [("least_traffic", Objective::LeastTraffic), ("least_cycles", Objective::LeastCycles)];
        let objective = choice_or(section, "tiling", &objectives, Objective::LeastTraffic, problems);
        let fidelities = [("analytic", Fidelity::Analytic), ("replay", Fidelity::Replay)];
        let fidelity = choice_or(section, "fidelity", &fidelities, Fidelity::Analytic, problems);
        Some(Self {
            clock_mhz: clock_mhz?,
            array: Array {
                rows: rows?,
                columns: columns?,
                dataflow: dataflow?,
                fold_overlap: fold_overlap?,
                fully_connected: fully_connected?,
            },
            elementwise_lanes: lanes?,
            batch: batch?,
            partial_sum_bits: partial_sum_bits? as u32,
            buffering: buffering?,
            keep_on_chip: keep_on_chip?,
            objective: objective?,
            fidelity: fidelity?,
        })
    }
}

/// The integer `key` from 1 to `most`, or `default` if it is absent; `None` if it is wrong (noted).
fn count(
    section: &Section<'_>,
    key: &str,
    most: i64,
    default: Option<u64>,
    problems: &mut Problems,
) -> Option<u64> {
    match section.find(key) {
        None => default,
        Some(_) => section.integer(key, 1..=most, problems).map(|count| count as u64),
    }
}

/// The choice `key`, or `default` if it is absent; `None` if it is wrong (noted).
fn choice_or<T: Copy>(
    section: &Section<'_>,
    key: &str,
    choices: &[(&str, T)],
    default: T,
    problems: &mut Problems,
) -> Option<T> {
    match section.find(key) {
        None => Some(default),
        Some(_) => section.choice(key, choices, problems),
    }
}

/// The boolean `key`, or `default` if it is absent; `None` if it is wrong (noted).
fn boolean_or(section: &Section<'_>, key: &str, default: bool, problems: &mut Problems) -> Option<bool> {
    let Some(entry) = section.find(key) else { return Some(default) };
    if let Value::Boolean(value) = entry.node.value {
        return Some(value);
    }
    problems.push(unexpected(&section.key(key), &entry.node, "`true` or `false`"));
    None
}

/// The index of the memory called `name`; an unknown one is noted at `at`.
fn memory_called(
    key: &str,
    name: &str,
    at: &super::problem::Location,
    memories: &[Declared<'_>],
    problems: &mut Problems,
) -> Option<usize> {
    let found = memories.iter().position(|declared| declared.entry.key == name);
    if found.is_none() {
        let names: Vec<_> = memories.iter().map(|declared| declared.entry.key.as_str()).collect();
        let message = format!("`{key}` names the unknown memory {:?}", super::tree::shortened(name));
        let nearest = super::reader::suggestion(name, &names)
            .map_or(String::new(), |nearest| format!("did you mean `{nearest}`? "));
        let help = if names.is_empty() {
            "there is no table [memories.NAME]".to_owned()
        } else {
            format!("{nearest}memories: {}", super::reader::listed(&names))
        };
        problems.push(Problem::new(at, message, "no such memory").with_help(help));
    }
    found
}
