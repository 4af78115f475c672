//! What a layer moves, per operand and memory.

use super::{Error, Task, passage};
use crate::accelerator::array::Counts;
use crate::accelerator::operation::Operation;
use crate::accelerator::tiling::{Buffering, Plan, Residents, Run};
use crate::accelerator::trace::{Movement, Operand};

const OPERANDS: [Operand; 6] = [
    Operand::Ifmap,
    Operand::SecondIfmap,
    Operand::Filter,
    Operand::Bias,
    Operand::Ofmap,
    Operand::PartialSum,
];

/// Words and bursts of one operand, over the interface of the DRAM.
#[derive(Clone, Copy, Debug, Default)]
struct OffChip {
    words: [u64; 2],
    bursts: [u64; 2],
    activations: u64,
}

/// What has moved so far in one layer.
pub(super) struct Tally<'a> {
    task: &'a Task<'a>,
    index: usize,
    residents: Residents,
    offchip: [OffChip; 6],
    /// Cycles in which the DRAM was busy.
    pub dram_cycles: f64,
}

/// The memory that holds `operand` on chip.
fn buffer_of(task: &Task<'_>, residents: Residents, operand: Operand) -> crate::accelerator::design::Buffer {
    let buffers = &task.accelerator.buffers;
    match operand {
        Operand::Filter | Operand::Bias => buffers.filter,
        Operand::Ifmap if residents.swapped => buffers.ofmap,
        Operand::Ofmap | Operand::PartialSum | Operand::SecondIfmap if residents.swapped => buffers.ifmap,
        Operand::Ifmap => buffers.ifmap,
        Operand::Ofmap | Operand::PartialSum | Operand::SecondIfmap => buffers.ofmap,
    }
}

/// Bits of a word of `operand` in its buffer.
fn bits_of(task: &Task<'_>, index: usize, operand: Operand) -> u32 {
    task.words[index].bits(operand, task.accelerator.partial_sum_bits)
}

/// Cycles in which the ports of each buffer move what one tile needs.
pub(super) fn port_cycles(
    task: &Task<'_>,
    index: usize,
    counts: &Counts,
    loads: &[Run],
    stores: &[Run],
) -> impl Iterator<Item = (usize, f64)> {
    let design = &task.accelerator.buffers;
    let mut bits = vec![0.0; task.memories.len()];
    let mut add = |operand, words: u64| {
        let buffer = buffer_of(task, Residents::default(), operand);
        bits[buffer.memory] += words as f64 * f64::from(bits_of(task, index, operand));
    };
    for run in loads.iter().chain(stores) {
        add(run.operand, run.words);
    }
    add(Operand::Ifmap, counts.accesses.ifmap_reads);
    add(Operand::Filter, counts.accesses.filter_reads);
    add(Operand::PartialSum, counts.accesses.ofmap_writes);
    add(Operand::PartialSum, counts.accesses.partial_sum_reads);
    let mut cycles = Vec::new();
    for memory in design.memories() {
        let port_bits = [design.ifmap, design.filter, design.ofmap]
            .into_iter()
            .filter(|buffer| buffer.memory == memory)
            .map(|buffer| buffer.port_bits)
            .max();
        let per_cycle = f64::from(port_bits.unwrap_or(1))
            * design.ports as f64
            * task.memories[memory].geometry.banks as f64;
        cycles.push((memory, (bits[memory] / per_cycle).ceil()));
    }
    cycles.into_iter()
}

impl<'a> Tally<'a> {
    pub fn new(task: &'a Task<'a>, index: usize, residents: Residents) -> Self {
        Self { task, index, residents, offchip: [OffChip::default(); 6], dram_cycles: 0.0 }
    }

    /// Adds transfers (operand, whether written, words, bursts) for which `activations` rows were opened.
    pub fn offchip(&mut self, runs: &[(Operand, bool, u64, u64)], activations: u64) {
        let total: u64 = runs.iter().map(|run| run.3).sum();
        let (mut seen, mut given) = (0u64, 0u64);
        for &(operand, is_write, words, bursts) in runs {
            let sum = &mut self.offchip[operand as usize];
            sum.words[usize::from(is_write)] += words;
            sum.bursts[usize::from(is_write)] += bursts;
            // Rows are shared out by bursts, without losing one to rounding.
            seen += bursts;
            let until = (u128::from(activations) * u128::from(seen) / u128::from(total.max(1))) as u64;
            sum.activations += until - given;
            given = until;
        }
    }

    /// All movements of the layer, which runs for `total` cycles from `start` on.
    pub fn movements(
        &self,
        plan: &Plan,
        counts: &Counts,
        start: u64,
        total: u64,
    ) -> Result<Vec<Movement>, Error> {
        let mut movements = Vec::new();
        for operand in OPERANDS {
            movements.extend(self.dram(operand, start, total)?);
        }
        for operand in OPERANDS {
            movements.extend(self.buffer(operand, plan, counts, start, total)?);
        }
        Ok(movements)
    }

    fn operation(&self) -> &Operation {
        &self.task.operations[self.index]
    }

    fn bytes(&self, words: u64, bits: u32) -> Result<u64, Error> {
        let bits = words.checked_mul(u64::from(bits));
        Ok(bits.ok_or_else(|| Error::overflow(self.operation(), "bits moved"))?.div_ceil(8))
    }

    fn dram(&self, operand: Operand, start: u64, total: u64) -> Result<Option<Movement>, Error> {
        let Some(dram) = &self.task.accelerator.dram else { return Ok(None) };
        let moved = self.offchip[operand as usize];
        if moved.words == [0; 2] {
            return Ok(None);
        }
        let word_bits = bits_of(self.task, self.index, operand);
        Ok(Some(Movement {
            words_read: moved.words[0],
            words_written: moved.words[1],
            bytes_read: self.bytes(moved.words[0], word_bits)?,
            bytes_written: self.bytes(moved.words[1], word_bits)?,
            bursts_read: moved.bursts[0],
            bursts_written: moved.bursts[1],
            activations: moved.activations,
            first_use_cycle: start,
            last_use_cycle: start + total,
            residency_cycles: total,
            ..Movement::of(operand, dram.memory, word_bits)
        }))
    }

    /// Words read from and written to the buffer of `operand`.
    fn buffered(&self, operand: Operand, counts: &Counts) -> Result<[u64; 2], Error> {
        let overflow = || Error::overflow(self.operation(), "buffer accesses");
        let [loaded, stored] = self.offchip[operand as usize].words;
        let batch = self.task.accelerator.batch;
        let of = |words: Option<u64>| words.and_then(|words| words.checked_mul(batch)).ok_or_else(overflow);
        let (computed, kept) = (of(self.operation().output.words())?, of(self.operation().stored().words())?);
        let sums = counts.accesses.ofmap_writes.saturating_sub(computed);
        let pooled = computed != kept;
        let [reads, writes] = match operand {
            Operand::Ifmap => [Some(counts.accesses.ifmap_reads), Some(loaded)],
            Operand::Filter => [Some(counts.accesses.filter_reads), Some(loaded)],
            Operand::SecondIfmap | Operand::Bias => [Some(loaded), Some(loaded)],
            // Whatever is written before a sum is complete is read back once, here or after its way to DRAM and back.
            Operand::PartialSum => [sums.checked_add(stored), sums.checked_add(loaded)],
            // Complete results; fused pooling reads them and writes its own.
            Operand::Ofmap if pooled => [computed.checked_add(stored), computed.checked_add(kept)],
            Operand::Ofmap => [Some(stored), Some(computed)],
        };
        Ok([reads.ok_or_else(overflow)?, writes.ok_or_else(overflow)?])
    }

    fn buffer(
        &self,
        operand: Operand,
        plan: &Plan,
        counts: &Counts,
        start: u64,
        total: u64,
    ) -> Result<Option<Movement>, Error> {
        let [reads, writes] = self.buffered(operand, counts)?;
        if reads == 0 && writes == 0 {
            return Ok(None);
        }
        let buffer = buffer_of(self.task, self.residents, operand);
        let word_bits = bits_of(self.task, self.index, operand);
        let accesses = |words: u64| -> Result<u64, Error> {
            let bits = words.checked_mul(u64::from(word_bits));
            let bits = bits.ok_or_else(|| Error::overflow(self.operation(), "bits moved"))?;
            Ok(bits.div_ceil(u64::from(buffer.port_bits)))
        };
        Ok(Some(Movement {
            words_read: reads,
            words_written: writes,
            bytes_read: self.bytes(reads, word_bits)?,
            bytes_written: self.bytes(writes, word_bits)?,
            bursts_read: accesses(reads)?,
            bursts_written: accesses(writes)?,
            first_use_cycle: start,
            last_use_cycle: start + total,
            residency_cycles: self.residency(operand, plan, total),
            ..Movement::of(operand, buffer.memory, word_bits)
        }))
    }

    /// Cycles that a word of `operand` stays in its buffer: the layer's, by the share of its words that are there at a time.
    fn residency(&self, operand: Operand, plan: &Plan, total: u64) -> u64 {
        let [loaded, stored] = self.offchip[operand as usize].words;
        let moved = loaded.max(stored);
        let double = self.task.accelerator.buffering == Buffering::Double;
        let Some(held) = passage::held_words(plan, self.operation(), self.residents, double, operand) else {
            // Results and sums: one tile of them after the other.
            let tiles = &plan.tiles;
            return total / (tiles.groups * tiles.images * tiles.rows * tiles.filters).max(1);
        };
        if moved <= held {
            return total;
        }
        (u128::from(total) * u128::from(held) / u128::from(moved)) as u64
    }
}
