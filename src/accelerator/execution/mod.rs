//! Operations run on an accelerator: array, tiling and DRAM put together into a layer trace.
//!
//! Layers follow each other without overlap. Inside a layer tiles do: with double buffers the results of tile i-1 are stored
//! and the operands of tile i+1 loaded over one DRAM interface while tile i is computed; with single buffers all of it is done
//! in turn. A layer stalls for whatever time that takes beyond the array's own fill, compute and drain cycles.
//!
//! The array runs tile by tile: a tile that is smaller than a fold leaves processing elements idle, and the trace shows it.

mod movements;
mod offchip;
mod passage;
mod timeline;
mod timing;
mod words;

#[cfg(test)]
mod tests;

pub use offchip::Tensors;
pub use passage::Passing;
pub use timing::{Timing, Transfer};
pub use words::{ReadWords, StoredWord, Words};

use super::array::{self, Counts, FullyConnected, Gemm, Mapping};
use super::design::Accelerator;
use super::dram::{self, System};
use super::operation::{Kind, Operation, Source};
use super::tiling::{self, Buffers, Plan, Problem, Residents};
use super::trace::{Fidelity, LayerTrace, Trace};
use crate::memory::transfer::Transfer as LinkTransfer;
use crate::memory::{Memory, Technology};
use thiserror::Error;
use timeline::Timeline;

/// Why operations cannot run on an accelerator.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum Error {
    /// A count beyond 2^64.
    #[error("layer `{layer}`: the number of {what} is beyond 2^64")]
    Overflow {
        /// Name of the layer.
        layer: String,
        /// What is counted.
        what: &'static str,
    },
    /// The array.
    #[error("layer `{layer}`: {source}")]
    Array {
        /// Name of the layer.
        layer: String,
        /// What is wrong.
        source: array::Error,
    },
    /// The tiles.
    #[error(transparent)]
    Tiling(#[from] tiling::Error),
    /// The DRAM.
    #[error("DRAM: {0}")]
    Dram(#[from] dram::Error),
    /// A buffer without end.
    #[error("memory `{0}` is a buffer of the accelerator: it needs a capacity")]
    NoCapacity(String),
    /// A memory that is no DRAM with a data sheet.
    #[error(
        "memory `{0}` is the accelerator's DRAM: it needs the energy table of a DRAM, which holds its timing"
    )]
    NoDataSheet(String),
    /// More data than the DRAM holds.
    #[error("the network's tensors take {needed_bytes} bytes of a DRAM of {capacity_bytes} bytes")]
    DramTooSmall {
        /// Bytes needed.
        needed_bytes: u64,
        /// What it holds.
        capacity_bytes: u64,
    },
}

impl Error {
    pub(super) fn overflow(operation: &Operation, what: &'static str) -> Self {
        Self::Overflow { layer: operation.name.clone(), what }
    }
}

/// What runs, and how its words are stored.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    /// The operations in order.
    pub operations: &'a [Operation],
    /// The words of each.
    pub words: &'a [Words],
    /// The accelerator.
    pub accelerator: &'a Accelerator,
    /// Memories that it names by index.
    pub memories: &'a [Memory],
    /// How words lie in DRAM and cross the link.
    pub transfer: LinkTransfer,
}

/// One operation as it ran.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerExecution {
    /// Its tiles.
    pub plan: Plan,
    /// What stayed on chip.
    pub residents: Residents,
    /// How it lies on the array; `None`: not a matrix product.
    pub mapping: Option<Mapping>,
    /// What the array did, tile by tile.
    pub counts: Counts,
    /// What the array would do with the whole layer at its edge: without tiles and without waiting, as SCALE-Sim counts.
    pub whole: Counts,
    /// Cycles in which the DRAM moved its data, were there nothing else to wait for.
    pub dram_cycles: f64,
}

/// A network as it ran.
#[derive(Clone, Debug, PartialEq)]
pub struct Execution {
    /// What moved, per layer.
    pub trace: Trace,
    /// How it came to that, in the order of [`Trace::layers`].
    pub layers: Vec<LayerExecution>,
}

/// Runs a network.
///
/// # Errors
/// [`enum@Error`].
pub fn run(task: &Task<'_>) -> Result<Execution, Error> {
    run_with(task, &mut |_, _| {})
}

/// Runs a network and shows every transfer to or from DRAM, in order, with the cycle of the accelerator's clock from which on it
/// may move.
///
/// # Errors
/// [`enum@Error`].
pub fn run_with(task: &Task<'_>, visit: &mut dyn FnMut(f64, &Transfer)) -> Result<Execution, Error> {
    let Task { operations, words, accelerator, memories, .. } = *task;
    let buffers = buffers(accelerator, memories)?;
    let residents = residents(task, &buffers)?;
    let system = system(accelerator, memories)?;
    let offchip = match &system {
        Some(system) => Some((tensors(task, system)?, timing(accelerator, system)?)),
        None => None,
    };
    let mut timeline = Timeline::new(task, offchip, system.as_ref().map_or(0, System::burst_bytes), visit);
    let mut layers = Vec::with_capacity(operations.len());
    for (index, operation) in operations.iter().enumerate() {
        let mapping = mapping(operation, accelerator);
        let problem = Problem {
            operation,
            widths: words[index].widths(accelerator.partial_sum_bits),
            buffers: &buffers,
            residents: residents[index],
            batch: accelerator.batch,
        };
        let plan = plan(&problem, accelerator, mapping)?;
        layers.push(timeline.layer(index, plan, residents[index], mapping)?);
    }
    let (executions, layers): (Vec<LayerExecution>, Vec<LayerTrace>) = layers.into_iter().unzip();
    let trace = Trace {
        fidelity: accelerator.fidelity,
        clock_mhz: accelerator.clock_mhz,
        batch: accelerator.batch,
        memories: memories.iter().map(|memory| memory.name.clone()).collect(),
        layers,
    };
    Ok(Execution { trace, layers: executions })
}

/// The DRAM of `accelerator` at the operating point of its memory; `None` if it has none.
///
/// # Errors
/// [`Error::NoDataSheet`], [`Error::Dram`].
pub fn system(accelerator: &Accelerator, memories: &[Memory]) -> Result<Option<System>, Error> {
    let Some(design) = &accelerator.dram else { return Ok(None) };
    let memory = &memories[design.memory];
    let Technology::Dram(parameters) = &memory.technology else {
        return Err(Error::NoDataSheet(memory.name.clone()));
    };
    let Some(device) = &parameters.energy else { return Err(Error::NoDataSheet(memory.name.clone())) };
    let device = device.at_temperature(parameters.error.temp_c);
    let nominal_ms = device.timing.refresh_window_ms;
    let intervals = parameters.error.refresh_interval_ms.from_msb().iter().copied();
    // Devices are refreshed together: the shortest interval decides over the time. Precise bits keep the nominal one.
    let shortest = intervals.fold(f64::INFINITY, f64::min);
    let shortest = if memory.protection.precise_msbs() > 0 { nominal_ms } else { shortest };
    let mut system =
        System::new(device, design.address_map, design.channels, design.ranks, design.queue_depth)?;
    system.refresh_multiplier = (shortest / nominal_ms).max(1.0);
    system.check()?;
    Ok(Some(system))
}

fn tensors(task: &Task<'_>, system: &System) -> Result<Tensors, Error> {
    let Task { operations, words, accelerator, transfer, .. } = *task;
    let sum_bits = accelerator.partial_sum_bits;
    let tensors =
        Tensors::new(operations, words, sum_bits, accelerator.batch, transfer, system.burst_bytes())?;
    let capacity_bytes = system.capacity_bytes()?;
    let needed_bytes = tensors.bursts.saturating_mul(system.burst_bytes());
    if needed_bytes > capacity_bytes {
        return Err(Error::DramTooSmall { needed_bytes, capacity_bytes });
    }
    Ok(tensors)
}

fn timing(accelerator: &Accelerator, system: &System) -> Result<Timing, Error> {
    match accelerator.fidelity {
        Fidelity::Replay => Timing::replay(system, accelerator.clock_mhz),
        Fidelity::Analytic | Fidelity::Given => Timing::analytic(system, accelerator.clock_mhz),
    }
}

/// The buffers as the tiling sees them: each memory once.
fn buffers(accelerator: &Accelerator, memories: &[Memory]) -> Result<Buffers, Error> {
    let used = accelerator.buffers.memories();
    let mut buffers = Vec::new();
    for &memory in &used {
        let memory = &memories[memory];
        let bits = memory.geometry.capacity_bits().ok_or_else(|| Error::NoCapacity(memory.name.clone()))?;
        buffers.push(tiling::Buffer { capacity_bytes: bits / 8 });
    }
    let index = |memory| used.iter().position(|&used| used == memory).unwrap_or(0);
    let design = &accelerator.buffers;
    Ok(Buffers {
        buffers,
        ifmap: index(design.ifmap.memory),
        filter: index(design.filter.memory),
        ofmap: index(design.ofmap.memory),
        buffering: accelerator.buffering,
    })
}

/// What stays on chip at each operation; everything without DRAM.
fn residents(task: &Task<'_>, buffers: &Buffers) -> Result<Vec<Residents>, Error> {
    let Task { operations, words, accelerator, .. } = *task;
    let widths: Vec<_> = words.iter().map(|words| words.widths(accelerator.partial_sum_bits)).collect();
    if accelerator.dram.is_none() {
        tiling::fits_on_chip(operations, &widths, buffers, accelerator.batch)?;
        return Ok(all_on_chip(operations));
    }
    if accelerator.keep_on_chip {
        return Ok(tiling::residency(operations, &widths, buffers, accelerator.batch)?);
    }
    Ok(vec![Residents::default(); operations.len()])
}

/// Without DRAM: the network's input lies in the buffer of the ifmap, and each operation writes to the buffer that its input does
/// not lie in.
fn all_on_chip(operations: &[Operation]) -> Vec<Residents> {
    let mut residents: Vec<Residents> = Vec::with_capacity(operations.len());
    for operation in operations {
        let producer = operation.sources.iter().find_map(Source::operation);
        let swapped = producer.is_some_and(|producer| !residents[producer].swapped);
        residents.push(Residents { ifmap: true, ofmap: true, swapped });
    }
    residents
}

fn mapping(operation: &Operation, accelerator: &Accelerator) -> Option<Mapping> {
    let is_vector = operation.kind == Kind::FullyConnected
        && accelerator.array.fully_connected == FullyConnected::Vector
        && accelerator.batch == 1;
    match operation.kind {
        Kind::Convolution | Kind::FullyConnected if is_vector => Some(Mapping::Vector),
        Kind::Convolution | Kind::FullyConnected => Some(Mapping::Stationary(accelerator.array.dataflow)),
        Kind::Pooling | Kind::Normalisation | Kind::Elementwise => None,
    }
}

fn plan(problem: &Problem<'_>, accelerator: &Accelerator, mapping: Option<Mapping>) -> Result<Plan, Error> {
    let cycles = |gemm: &Gemm| match mapping {
        Some(mapping) => accelerator.array.count(mapping, gemm).ok()?.phases.total(),
        None => Some(0),
    };
    Ok(match accelerator.tilings.get(&problem.operation.name) {
        Some(tiling) => problem.given(*tiling, &cycles)?,
        None => problem.search(accelerator.objective, &cycles)?,
    })
}
