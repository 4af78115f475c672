//! A traced network: cycles, traffic and energy per layer, operand and memory, with their totals.

mod csv;
mod scalesim;
mod text;
mod tiles;

#[cfg(test)]
mod tests;

pub use csv::{
    trace_energy_csv, trace_layers_csv, trace_movements_csv, trace_roofline_csv, trace_scalesim_csv,
};
pub use scalesim::ScaleSimLayer;
pub use text::{trace_roofline_text, trace_scalesim_text, trace_text};
pub use tiles::TileFigures;

use super::result::SCHEMA_VERSION;
use crate::accelerator::design::Accelerator;
use crate::accelerator::operation::Kind;
use crate::accelerator::spending::{Component, Part, Spending};
use crate::accelerator::tiling::Traffic;
use crate::accelerator::trace::{Bound, Cycles, Fidelity, LayerTrace, Movement, Operand, Trace};
use serde::Serialize;

/// What the figures are made of.
pub struct TraceSource<'a> {
    /// Name of the network or of the file with the layers.
    pub name: String,
    /// The trace.
    pub trace: &'a Trace,
    /// What it costs.
    pub spending: &'a Spending,
    /// The accelerator; its memories are those of the trace.
    pub accelerator: &'a Accelerator,
    /// Words to and from DRAM if each moves once, by layer; empty: unknown, as of a trace from a file.
    pub compulsory: &'a [Traffic],
    /// Tiles by layer; empty: unknown, as of a trace from a file.
    pub tiles: Vec<TileFigures>,
    /// Bytes per cycle of the accelerator's clock that the DRAM sustains on a sequential stream; `None`: there is no DRAM.
    pub dram_bytes_per_cycle: Option<f64>,
    /// The layers in SCALE-Sim's terms; empty: not asked for.
    pub scalesim: Vec<ScaleSimLayer>,
}

/// Everything that `approxmem trace` tells, over one batch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TraceFigures {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Name of the network or of the file with the layers.
    pub source: String,
    /// How the trace was made.
    pub fidelity: Fidelity,
    /// The accelerator's clock.
    pub clock_mhz: f64,
    /// Images of a batch.
    pub batch_images: u64,
    /// Names of the memories, to which the indices of the accelerator point.
    pub memories: Vec<String>,
    /// The settings.
    pub accelerator: Accelerator,
    /// Layers in order.
    pub layers: Vec<LayerFigures>,
    /// Energy between the end of a batch and the start of the next.
    pub idle_energy: Vec<EnergyPart>,
    /// Sums over the layers; energies with what is drawn between batches.
    pub totals: Totals,
    /// The layers in SCALE-Sim's terms, if asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scalesim: Vec<ScaleSimLayer>,
}

/// One layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerFigures {
    /// Its name.
    pub layer: String,
    /// What it computes.
    pub kind: Kind,
    /// Multiply-accumulates.
    pub macs: u64,
    /// When it starts, cycles after the network's start.
    pub start_cycle: u64,
    /// How long it takes.
    #[serde(flatten)]
    pub cycles: CycleFigures,
    /// Multiply-accumulates over those of all processing elements in all its cycles; null without multiply-accumulates.
    pub utilisation: Option<f64>,
    /// What binds it: `array`, `dram` or the name of a buffer.
    pub bound: String,
    /// Where it stands under the roofs of array and DRAM.
    pub roofline: Roofline,
    /// Its tiles; null for a given trace.
    pub tiles: Option<TileFigures>,
    /// What it moves.
    pub movements: Vec<MovementFigures>,
    /// What it spends.
    pub energy: Vec<EnergyPart>,
    /// Sum of its energies, null if one is unknown.
    pub energy_pj: Option<f64>,
}

/// Cycles of the accelerator's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_field_names, reason = "the unit is part of the name of a column")]
pub struct CycleFigures {
    /// The array fills.
    pub fill_cycles: u128,
    /// The array computes.
    pub compute_cycles: u128,
    /// The array waits for a memory.
    pub stall_cycles: u128,
    /// The array drains.
    pub drain_cycles: u128,
    /// All of them.
    pub total_cycles: u128,
}

/// Where a layer stands under the roofs of array and DRAM.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Roofline {
    /// Bytes to and from DRAM.
    pub dram_bytes: u128,
    /// Multiply-accumulates per byte; null without traffic.
    pub macs_per_byte: Option<f64>,
    /// The lower of the roofs of array and DRAM; null without multiply-accumulates.
    pub attainable_macs_per_cycle: Option<f64>,
    /// Which roof that is: `array` or `dram`; null without multiply-accumulates.
    pub roof: Option<&'static str>,
    /// What the layer reaches; null without multiply-accumulates.
    pub achieved_macs_per_cycle: Option<f64>,
}

/// What moves between one operand and one memory.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MovementFigures {
    /// The operand.
    pub operand: Operand,
    /// Name of the memory.
    pub memory: String,
    /// Whether that is the DRAM.
    pub is_off_chip: bool,
    /// Bits of a word there.
    pub word_bits: u32,
    /// Words that move if each moves once, of DRAM; null where that is unknown.
    pub compulsory_words: Option<u64>,
    /// Words read and written over the compulsory ones; null where these are none or unknown.
    pub ratio: Option<f64>,
    /// What moves.
    #[serde(flatten)]
    pub moved: Moved,
    /// Cycle of the first use in this memory.
    pub first_use_cycle: u64,
    /// Cycle of the last use.
    pub last_use_cycle: u64,
    /// Cycles that a word stays in this memory, mean over its tiles.
    pub residency_cycles: u64,
}

/// Words, bytes and accesses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// Words read.
    pub read_words: u128,
    /// Words written.
    pub written_words: u128,
    /// Bytes read; of DRAM without the rest of bursts.
    pub read_bytes: u128,
    /// Bytes written, likewise.
    pub written_bytes: u128,
    /// DRAM bursts read, of a buffer accesses of its ports.
    pub read_bursts: u128,
    /// DRAM bursts written, of a buffer accesses of its ports.
    pub written_bursts: u128,
    /// DRAM rows opened.
    pub activations: u128,
}

/// One part of the energy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EnergyPart {
    /// `arithmetic`, `registers`, `elementwise`, `access`, `link`, `standby` or `refresh`.
    pub component: &'static str,
    /// The memory, of `access`, `standby` and `refresh`.
    pub memory: Option<String>,
    /// The operand, where it is for one.
    pub operand: Option<Operand>,
    /// Picojoules; null where no constant tells.
    pub energy_pj: Option<f64>,
}

/// Sums over the layers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Totals {
    /// Multiply-accumulates.
    pub macs: u128,
    /// How long all layers take.
    #[serde(flatten)]
    pub cycles: CycleFigures,
    /// The same in nanoseconds.
    pub time_ns: f64,
    /// Multiply-accumulates over those of all processing elements in all cycles.
    pub utilisation: Option<f64>,
    /// By operand and memory.
    pub movements: Vec<MovementTotal>,
    /// Words to and from DRAM.
    pub dram_words: u128,
    /// Bytes to and from DRAM.
    pub dram_bytes: u128,
    /// Words that would move if each moved once; null where that is unknown.
    pub compulsory_dram_words: Option<u128>,
    /// By component and memory.
    pub energy: Vec<EnergyPart>,
    /// Sum of all energies, null if one is unknown.
    pub energy_pj: Option<f64>,
}

/// What moves between one operand of all layers and one memory.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MovementTotal {
    /// The operand.
    pub operand: Operand,
    /// Name of the memory.
    pub memory: String,
    /// Whether that is the DRAM.
    pub is_off_chip: bool,
    /// Words that would move if each moved once, of DRAM; null where that is unknown.
    pub compulsory_words: Option<u128>,
    /// Words read and written over the compulsory ones; null where these are none or unknown.
    pub ratio: Option<f64>,
    /// What moves.
    #[serde(flatten)]
    pub moved: Moved,
}

impl TraceFigures {
    /// The figures of `source`.
    pub fn new(source: TraceSource<'_>) -> Self {
        let names =
            Names { memories: &source.trace.memories, dram: source.accelerator.dram.map(|dram| dram.memory) };
        let layers: Vec<_> =
            (0..source.trace.layers.len()).map(|index| layer(&source, &names, index)).collect();
        let idle_energy: Vec<_> = source.spending.idle.iter().map(|part| names.part(part)).collect();
        let totals = totals(&source, &names, &layers);
        Self {
            schema_version: SCHEMA_VERSION,
            source: source.name,
            fidelity: source.trace.fidelity,
            clock_mhz: source.trace.clock_mhz,
            batch_images: source.trace.batch,
            memories: source.trace.memories.clone(),
            accelerator: source.accelerator.clone(),
            layers,
            idle_energy,
            totals,
            scalesim: source.scalesim,
        }
    }
}

/// Names of memories, and which of them is the DRAM.
struct Names<'a> {
    memories: &'a [String],
    dram: Option<usize>,
}

impl Names<'_> {
    fn memory(&self, index: usize) -> String {
        self.memories[index].clone()
    }

    fn part(&self, part: &Part) -> EnergyPart {
        let (component, memory) = match part.component {
            Component::Arithmetic => ("arithmetic", None),
            Component::Registers => ("registers", None),
            Component::Elementwise => ("elementwise", None),
            Component::Access(memory) => ("access", Some(memory)),
            Component::Link => ("link", None),
            Component::Standby(memory) => ("standby", Some(memory)),
            Component::Refresh(memory) => ("refresh", Some(memory)),
        };
        EnergyPart {
            component,
            memory: memory.map(|memory| self.memory(memory)),
            operand: part.operand,
            energy_pj: part.pj,
        }
    }
}

fn layer(source: &TraceSource<'_>, names: &Names<'_>, index: usize) -> LayerFigures {
    let layer = &source.trace.layers[index];
    let compulsory = source.compulsory.get(index);
    let cycles = CycleFigures::of(&layer.cycles);
    let parts = &source.spending.layers[index];
    let movements = layer.movements.iter().map(|movement| {
        let is_off_chip = names.dram == Some(movement.memory);
        let compulsory_words =
            compulsory.filter(|_| is_off_chip).map(|traffic| compulsory_words(traffic, movement.operand));
        let moved = Moved::of(movement);
        MovementFigures {
            operand: movement.operand,
            memory: names.memory(movement.memory),
            is_off_chip,
            word_bits: movement.word_bits,
            compulsory_words,
            ratio: ratio(moved.words(), compulsory_words.map(u128::from)),
            moved,
            first_use_cycle: movement.first_use_cycle,
            last_use_cycle: movement.last_use_cycle,
            residency_cycles: movement.residency_cycles,
        }
    });
    LayerFigures {
        layer: layer.name.clone(),
        kind: layer.kind,
        macs: layer.macs,
        start_cycle: layer.start_cycle,
        cycles,
        utilisation: utilisation(source.accelerator, u128::from(layer.macs), cycles.total_cycles),
        bound: match layer.bound {
            Bound::Array => "array".to_owned(),
            Bound::Dram => "dram".to_owned(),
            Bound::Buffer(memory) => names.memory(memory),
        },
        roofline: roofline(source, names, layer),
        tiles: source.tiles.get(index).cloned(),
        movements: movements.collect(),
        energy: parts.iter().map(|part| names.part(part)).collect(),
        energy_pj: crate::accelerator::spending::sum(parts),
    }
}

/// Where `layer` stands: what the DRAM sustains bounds the multiply-accumulates of its bytes.
fn roofline(source: &TraceSource<'_>, names: &Names<'_>, layer: &LayerTrace) -> Roofline {
    let off_chip = layer.movements.iter().filter(|movement| names.dram == Some(movement.memory));
    let dram_bytes: u128 = off_chip.map(|movement| Moved::of(movement).bytes()).sum();
    let macs_per_byte = (dram_bytes > 0).then(|| layer.macs as f64 / dram_bytes as f64);
    let Accelerator { array, .. } = source.accelerator;
    let peak = array.rows as f64 * array.columns as f64;
    let roof = macs_per_byte.zip(source.dram_bytes_per_cycle).map(|(macs, bytes)| macs * bytes);
    let has_macs = layer.macs > 0;
    let total = CycleFigures::of(&layer.cycles).total_cycles;
    Roofline {
        dram_bytes,
        macs_per_byte,
        attainable_macs_per_cycle: has_macs.then(|| roof.map_or(peak, |roof| roof.min(peak))),
        roof: has_macs.then(|| if roof.is_some_and(|roof| roof < peak) { "dram" } else { "array" }),
        achieved_macs_per_cycle: (has_macs && total > 0).then(|| layer.macs as f64 / total as f64),
    }
}

fn totals(source: &TraceSource<'_>, names: &Names<'_>, layers: &[LayerFigures]) -> Totals {
    let mut movements: Vec<MovementTotal> = Vec::new();
    for movement in layers.iter().flat_map(|layer| &layer.movements) {
        let same =
            |total: &MovementTotal| total.operand == movement.operand && total.memory == movement.memory;
        let index = movements.iter().position(same).unwrap_or_else(|| {
            movements.push(MovementTotal {
                operand: movement.operand,
                memory: movement.memory.clone(),
                is_off_chip: movement.is_off_chip,
                compulsory_words: Some(0),
                ratio: None,
                moved: Moved::default(),
            });
            movements.len() - 1
        });
        let total = &mut movements[index];
        let compulsory = movement.compulsory_words.map(u128::from);
        total.compulsory_words = total.compulsory_words.zip(compulsory).map(|(sum, words)| sum + words);
        total.moved.add(&movement.moved);
    }
    movements.sort_by_key(|total| (!total.is_off_chip, total.operand));
    for total in &mut movements {
        total.ratio = ratio(total.moved.words(), total.compulsory_words);
    }
    let off_chip = || movements.iter().filter(|total| total.is_off_chip);
    let macs = layers.iter().map(|layer| u128::from(layer.macs)).sum();
    let mut cycles = CycleFigures::default();
    for layer in layers {
        cycles.add(&layer.cycles);
    }
    let energy = source.spending.components().into_iter().map(|component| {
        let energy_pj = source.spending.component_pj(component);
        names.part(&Part { component, operand: None, pj: energy_pj })
    });
    Totals {
        macs,
        cycles,
        time_ns: source.trace.seconds() * 1e9,
        utilisation: utilisation(source.accelerator, macs, cycles.total_cycles),
        dram_words: off_chip().map(|total| total.moved.words()).sum(),
        dram_bytes: off_chip().map(|total| total.moved.bytes()).sum(),
        compulsory_dram_words: compulsory_total(source.compulsory),
        energy: energy.collect(),
        energy_pj: source.spending.total_pj(),
        movements,
    }
}

/// All words that would move if each moved once; `None` where that is unknown.
fn compulsory_total(layers: &[Traffic]) -> Option<u128> {
    const OPERANDS: [Operand; 6] = [
        Operand::Ifmap,
        Operand::SecondIfmap,
        Operand::Filter,
        Operand::Bias,
        Operand::Ofmap,
        Operand::PartialSum,
    ];
    let words = |traffic: &Traffic| -> u128 {
        OPERANDS.iter().map(|&operand| u128::from(compulsory_words(traffic, operand))).sum()
    };
    (!layers.is_empty()).then(|| layers.iter().map(words).sum())
}

/// Words of `operand` in `traffic` in which each moves once: none is both read and written.
fn compulsory_words(traffic: &Traffic, operand: Operand) -> u64 {
    match operand {
        Operand::Ifmap => traffic.ifmap_reads,
        Operand::SecondIfmap => traffic.second_ifmap_reads,
        Operand::Filter => traffic.filter_reads,
        Operand::Bias => traffic.bias_reads,
        Operand::Ofmap => traffic.ofmap_writes,
        Operand::PartialSum => 0,
    }
}

fn ratio(words: u128, compulsory: Option<u128>) -> Option<f64> {
    compulsory.filter(|&compulsory| compulsory > 0).map(|compulsory| words as f64 / compulsory as f64)
}

fn utilisation(accelerator: &Accelerator, macs: u128, cycles: u128) -> Option<f64> {
    let elements = accelerator.array.rows as f64 * accelerator.array.columns as f64;
    (macs > 0 && cycles > 0).then(|| macs as f64 / (cycles as f64 * elements))
}

impl CycleFigures {
    fn of(cycles: &Cycles) -> Self {
        let [fill, compute, stall, drain] =
            [cycles.fill, cycles.compute, cycles.stall, cycles.drain].map(u128::from);
        Self {
            fill_cycles: fill,
            compute_cycles: compute,
            stall_cycles: stall,
            drain_cycles: drain,
            total_cycles: fill + compute + stall + drain,
        }
    }

    fn add(&mut self, other: &Self) {
        self.fill_cycles += other.fill_cycles;
        self.compute_cycles += other.compute_cycles;
        self.stall_cycles += other.stall_cycles;
        self.drain_cycles += other.drain_cycles;
        self.total_cycles += other.total_cycles;
    }
}

impl Moved {
    fn of(movement: &Movement) -> Self {
        Self {
            read_words: movement.words_read.into(),
            written_words: movement.words_written.into(),
            read_bytes: movement.bytes_read.into(),
            written_bytes: movement.bytes_written.into(),
            read_bursts: movement.bursts_read.into(),
            written_bursts: movement.bursts_written.into(),
            activations: movement.activations.into(),
        }
    }

    fn add(&mut self, other: &Self) {
        self.read_words += other.read_words;
        self.written_words += other.written_words;
        self.read_bytes += other.read_bytes;
        self.written_bytes += other.written_bytes;
        self.read_bursts += other.read_bursts;
        self.written_bursts += other.written_bursts;
        self.activations += other.activations;
    }

    /// Words read and written.
    pub fn words(&self) -> u128 {
        self.read_words + self.written_words
    }

    /// Bytes read and written.
    pub fn bytes(&self) -> u128 {
        self.read_bytes + self.written_bytes
    }
}
