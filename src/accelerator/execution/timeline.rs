//! When tiles are loaded, computed and stored.

use super::movements::Tally;
use super::{Error, LayerExecution, Task, Tensors, Timing, Transfer};
use crate::accelerator::array::{Array, Counts, FoldOverlap, Gemm, Mapping, Phases};
use crate::accelerator::operation::Operation;
use crate::accelerator::tiling::{Buffering, Plan, Residents, Run, Step};
use crate::accelerator::trace::{Bound, Cycles, LayerTrace};
use std::collections::HashMap;

/// The accelerator's time, from layer to layer.
pub(super) struct Timeline<'a> {
    task: &'a Task<'a>,
    offchip: Option<(Tensors, Timing)>,
    burst_bytes: u64,
    visit: &'a mut dyn FnMut(f64, &Transfer),
    /// Cycles since the network's start.
    cycle: u64,
}

/// One tile between the loops that make it and those that time it.
struct Tile {
    /// Array, or streaming unit, or the ports of a buffer: whatever takes longest.
    busy: f64,
    loads: Vec<Run>,
    stores: Vec<Run>,
}

/// Sums over the tiles of a layer.
#[derive(Default)]
struct Sums {
    counts: Counts,
    /// Cycles of the array alone.
    array: f64,
    /// Cycles of the ports of each buffer alone.
    ports: Vec<f64>,
    dram: f64,
}

impl<'a> Timeline<'a> {
    pub fn new(
        task: &'a Task<'a>,
        offchip: Option<(Tensors, Timing)>,
        burst_bytes: u64,
        visit: &'a mut dyn FnMut(f64, &Transfer),
    ) -> Self {
        Self { task, offchip, burst_bytes, visit, cycle: 0 }
    }

    /// Runs operation `index`.
    pub fn layer(
        &mut self,
        index: usize,
        plan: Plan,
        residents: Residents,
        mapping: Option<Mapping>,
    ) -> Result<(LayerExecution, LayerTrace), Error> {
        let operation = &self.task.operations[index];
        let array = self.task.accelerator.array;
        let overflow = || Error::overflow(operation, "cycles");
        let mut tally = Tally::new(self.task, index, residents);
        let mut sums = Sums { ports: vec![0.0; self.task.memories.len()], ..Sums::default() };
        let start = self.cycle as f64;
        let end = self.tiles(index, &plan, mapping, start, &mut sums, &mut tally)?;
        let counts = match mapping {
            Some(mapping) => {
                array.layer(mapping, &sums.counts).map_err(|source| refused(operation, source))?
            }
            None => sums.counts,
        };
        let Phases { fill_cycles, compute_cycles, drain_cycles } = counts.phases;
        let busy = counts.phases.total().ok_or_else(overflow)?;
        // Where folds overlap, so do tiles: filled before the first and drained behind the last.
        let around = busy as f64 - sums.array;
        let elapsed = (end - start + around).max(busy as f64).ceil();
        if elapsed >= u64::MAX as f64 / 2.0 {
            return Err(overflow());
        }
        let cycles = Cycles {
            fill: fill_cycles,
            compute: compute_cycles,
            stall: elapsed as u64 - busy,
            drain: drain_cycles,
        };
        let total = cycles.total().ok_or_else(overflow)?;
        let bound = bound(busy as f64, &sums);
        let macs = multiplied(operation, operation.macs(), self.task.accelerator.batch)?;
        let results = multiplied(operation, operation.results(), self.task.accelerator.batch)?;
        let (register_bits_read, register_bits_written) = self.registers(index, mapping, &counts)?;
        let whole = whole(operation, mapping, array, self.task.accelerator.batch)?;
        let trace = LayerTrace {
            name: operation.name.clone(),
            kind: operation.kind,
            macs,
            results,
            register_bits_read,
            register_bits_written,
            start_cycle: self.cycle,
            cycles,
            bound,
            movements: tally.movements(&plan, &counts, self.cycle, total)?,
        };
        self.cycle = self.cycle.checked_add(total).ok_or_else(overflow)?;
        let dram_cycles = sums.dram;
        Ok((LayerExecution { plan, residents, mapping, counts, whole, dram_cycles }, trace))
    }

    fn registers(
        &self,
        index: usize,
        mapping: Option<Mapping>,
        counts: &Counts,
    ) -> Result<(u64, u64), Error> {
        let Some(mapping) = mapping else { return Ok((0, 0)) };
        let words = &self.task.words[index];
        let sum_bits = self.task.accelerator.partial_sum_bits;
        counts
            .register_bits(mapping, words.ifmap.bits, words.filter.bits, sum_bits)
            .map_err(|source| refused(&self.task.operations[index], source))
    }

    /// Runs the tiles of a layer from cycle `start` on; returns when the last is stored.
    fn tiles(
        &mut self,
        index: usize,
        plan: &Plan,
        mapping: Option<Mapping>,
        start: f64,
        sums: &mut Sums,
        tally: &mut Tally<'_>,
    ) -> Result<f64, Error> {
        let task = self.task;
        let mut known = HashMap::new();
        let mut tiles = plan.steps().map(|step| tile(task, index, &step, mapping, &mut known, sums));
        let mut now = start;
        if task.accelerator.buffering == Buffering::Single {
            for tile in tiles {
                let tile = tile?;
                now = self.pass(index, now, &[], &tile.loads, tally)?;
                now = self.pass(index, now + tile.busy, &tile.stores, &[], tally)?;
            }
            sums.dram = tally.dram_cycles;
            return Ok(now);
        }
        let Some(first) = tiles.next() else { return Ok(now) };
        let mut current = first?;
        let mut stores = Vec::new();
        now = self.pass(index, now, &[], &current.loads, tally)?;
        loop {
            let next = tiles.next().transpose()?;
            let loads = next.as_ref().map_or(&[][..], |next| &next.loads);
            let moved = self.pass(index, now, &stores, loads, tally)?;
            now = moved.max(now + current.busy);
            stores = current.stores;
            match next {
                Some(next) => current = next,
                None => break,
            }
        }
        drop(tiles);
        sums.dram = tally.dram_cycles;
        self.pass(index, now, &stores, &[], tally)
    }

    /// Stores and loads from cycle `start` on; returns when both are done.
    fn pass(
        &mut self,
        index: usize,
        start: f64,
        stores: &[Run],
        loads: &[Run],
        tally: &mut Tally<'_>,
    ) -> Result<f64, Error> {
        let Some((tensors, timing)) = &mut self.offchip else { return Ok(start) };
        let mut transfers = Vec::new();
        let mut bursts = Vec::with_capacity(stores.len() + loads.len());
        for (runs, is_write) in [(stores, true), (loads, false)] {
            for run in runs {
                let first = transfers.len();
                tensors.bursts(index, run, |bursts| transfers.push(Transfer { bursts, is_write }));
                let count: u64 = transfers[first..].iter().map(|t| t.bursts.end - t.bursts.start).sum();
                bursts.push((run.operand, is_write, run.words, count));
            }
        }
        for transfer in &transfers {
            (self.visit)(start, transfer);
        }
        let passed = timing.pass(start, &transfers, self.burst_bytes)?;
        tally.offchip(&bursts, passed.activations);
        tally.dram_cycles += passed.end - start;
        Ok(passed.end)
    }
}

fn refused(operation: &Operation, source: crate::accelerator::array::Error) -> Error {
    Error::Array { layer: operation.name.clone(), source }
}

fn multiplied(operation: &Operation, count: Option<u64>, batch: u64) -> Result<u64, Error> {
    count
        .and_then(|count| count.checked_mul(batch))
        .ok_or_else(|| Error::overflow(operation, "operations of a batch"))
}

/// The whole layer at the array's edge.
fn whole(operation: &Operation, mapping: Option<Mapping>, array: Array, batch: u64) -> Result<Counts, Error> {
    let Some(mapping) = mapping else { return Ok(Counts::default()) };
    let overflow = || Error::overflow(operation, "output pixels");
    let pixels = operation.output.height.checked_mul(operation.output.width).ok_or_else(overflow)?;
    let gemm = Gemm {
        pixels: pixels.checked_mul(batch).ok_or_else(overflow)?,
        filters: operation.output.channels / operation.groups,
        window: operation.window_elements().ok_or_else(overflow)?,
    };
    let group = array.count(mapping, &gemm).map_err(|source| refused(operation, source))?;
    let all = group.times(operation.groups).map_err(|source| refused(operation, source))?;
    array.layer(mapping, &all).map_err(|source| refused(operation, source))
}

/// One step as the timeline needs it; adds what the array does to `sums`.
fn tile(
    task: &Task<'_>,
    index: usize,
    step: &Step<'_>,
    mapping: Option<Mapping>,
    known: &mut HashMap<Gemm, Counts>,
    sums: &mut Sums,
) -> Result<Tile, Error> {
    let operation = &task.operations[index];
    let (loads, stores): (Vec<Run>, Vec<Run>) = (step.loads().collect(), step.stores().collect());
    let counts = match mapping {
        Some(_) if step.gemm.pixels == 0 => Counts::default(),
        Some(mapping) => {
            if let Some(counts) = known.get(&step.gemm) {
                *counts
            } else {
                let counts = (task.accelerator.array.count(mapping, &step.gemm))
                    .map_err(|source| refused(operation, source))?;
                known.insert(step.gemm, counts);
                counts
            }
        }
        None => streamed(task, operation, &step.gemm)?,
    };
    sums.counts = sums.counts.add(&counts).map_err(|source| refused(operation, source))?;
    // Where folds overlap, a layer is filled and drained once, around its tiles.
    let overlaps = task.accelerator.array.fold_overlap == FoldOverlap::Pipelined
        || matches!(mapping, Some(Mapping::Vector));
    let phases = counts.phases;
    let array = if overlaps { phases.compute_cycles } else { phases.total().unwrap_or(u64::MAX) } as f64;
    sums.array += array;
    let mut busy = array;
    for (memory, cycles) in super::movements::port_cycles(task, index, &counts, &loads, &stores) {
        sums.ports[memory] += cycles;
        busy = busy.max(cycles);
    }
    Ok(Tile { busy, loads, stores })
}

/// Pooling, normalisation and element-wise work: so many results per cycle.
fn streamed(task: &Task<'_>, operation: &Operation, results: &Gemm) -> Result<Counts, Error> {
    let overflow = || Error::overflow(operation, "results");
    let count = results.pixels.checked_mul(results.filters).ok_or_else(overflow)?;
    let mut counts = Counts::default();
    counts.phases.compute_cycles = count.div_ceil(task.accelerator.elementwise_lanes);
    counts.accesses.ifmap_reads = count.checked_mul(results.window).ok_or_else(overflow)?;
    counts.accesses.ofmap_writes = count;
    Ok(counts)
}

/// What takes longest were it alone.
fn bound(array: f64, sums: &Sums) -> Bound {
    let ports = sums.ports.iter().copied().enumerate();
    let slowest = ports.max_by(|one, other| one.1.total_cmp(&other.1));
    match slowest {
        _ if sums.dram > array && slowest.is_none_or(|(_, ports)| sums.dram >= ports) => Bound::Dram,
        Some((memory, ports)) if ports > array => Bound::Buffer(memory),
        _ => Bound::Array,
    }
}
