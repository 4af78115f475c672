//! What the memories and the link of an experiment cost per inference.
//!
//! Until a layer trace says more, every word passes each stop of its path once per inference and reader: weights and biases are
//! read from their home memory, everywhere else words are written and read. DRAM moves whole bursts, at the width that the
//! link fetches where it is next to one, and opens a row per page of each tensor. Leakage, background and refresh are charged
//! over the period of one inference, for the whole device; the allocated share beside it.

use super::{Experiment, RunningError, Stop, StoredSubset};
use crate::memory::cost::{self, Traffic, Word};
use crate::memory::{Memory, Technology, transfer};
use crate::network::{BlobId, Operand};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// Why a cost cannot be told.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Error {
    /// A memory.
    #[error(transparent)]
    Memory(#[from] cost::Error),
    /// The link.
    #[error("link: {0}")]
    Link(#[from] transfer::Error),
    /// The accelerator.
    #[error(transparent)]
    Running(#[from] RunningError),
}

/// One memory over one inference. Energies that no preset or key tells are null.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MemoryCost {
    /// Its name.
    pub memory: String,
    /// Bits of the data that rest in it, check bits included.
    pub bits_stored: f64,
    /// Bits read per inference: of DRAM in whole bursts.
    pub bits_read: f64,
    /// Bits written per inference.
    pub bits_written: f64,
    /// Energy of reads and writes, interface included, pJ.
    pub access_pj: Option<f64>,
    /// Leakage or background of the whole device over the period, pJ.
    pub standby_pj: Option<f64>,
    /// Refresh of the whole device over the period, pJ; of SRAM none.
    pub refresh_pj: Option<f64>,
    /// Sum of the three.
    pub total_pj: Option<f64>,
    /// The same with standby and refresh at the share of the device that the data occupy.
    pub allocated_pj: Option<f64>,
    /// Share of the device that the data occupy; above 1 where they pass through it in tiles.
    pub allocated_share: Option<f64>,
    /// Seconds in which the memory moves the data of one inference at its full rate.
    pub busy_s: Option<f64>,
}

/// The link over one inference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct LinkCost {
    /// Words that cross it.
    pub words: u64,
    /// Bytes of words and metadata.
    pub bytes: u64,
    /// Bursts that move them.
    pub bursts: u64,
    /// Energy on top of that of the memories' interfaces, pJ.
    pub energy_pj: f64,
}

/// All memories and the link over one inference.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// Seconds from one inference to the next; null where they run back to back and no memory says how fast it is.
    pub period_s: Option<f64>,
    /// Whether the period is the time that the memories need, and not asked for.
    pub is_back_to_back: bool,
    /// Memories in which data rest, in the order of the configuration.
    pub memories: Vec<MemoryCost>,
    /// The link.
    pub link: LinkCost,
    /// Sum over memories and link, pJ; null if one of them is.
    pub total_pj: Option<f64>,
}

impl Experiment {
    /// What this design costs per inference.
    ///
    /// # Errors
    /// [`enum@Error`] for energies that do not fit the operating point.
    pub fn cost(&self) -> Result<Cost, Error> {
        self.cost_beside(&BTreeSet::new())
    }

    /// The same if the words of some data subsets rest in the precise part of a memory of their path: at its nominal operating
    /// point, unprotected. `precise` holds pairs of a data subset and a memory. On an accelerator it does not matter: there the
    /// paths tell.
    ///
    /// # Errors
    /// As [`Self::cost`].
    pub fn cost_beside(&self, precise: &BTreeSet<(usize, usize)>) -> Result<Cost, Error> {
        let (traffic, link) = self.traffic(precise)?;
        let busy: Vec<_> =
            self.memories.iter().zip(&traffic).map(|(memory, traffic)| memory.busy_s(traffic)).collect();
        let slowest = busy.iter().flatten().copied().reduce(f64::max);
        let asked = self.workload.inferences_per_second.map(|rate| 1.0 / rate);
        let period_s = match &self.running {
            Some(running) => Some(self.workload.period_on(running)),
            None => asked.or(slowest),
        };
        let mut memories = Vec::new();
        for ((memory, traffic), busy_s) in self.memories.iter().zip(&traffic).zip(busy) {
            if traffic.bits_stored() > 0.0 {
                memories.push(memory_cost(memory, traffic, period_s, busy_s)?);
            }
        }
        let totals: Option<f64> = memories.iter().map(|memory| memory.total_pj).sum();
        Ok(Cost {
            period_s,
            is_back_to_back: asked.is_none(),
            memories,
            link,
            total_pj: totals.map(|total| total + link.energy_pj),
        })
    }

    /// The same words in the same memories without approximation: SRAM at its precise voltage, DRAM refreshed as the data
    /// sheet says, words at their full width on the link, no bit protected. A given layer trace stays as it is; a computed one is
    /// computed anew.
    ///
    /// # Errors
    /// [`Error::Running`].
    pub fn nominal(&self) -> Result<Self, Error> {
        let mut nominal = self.clone();
        for memory in &mut nominal.memories {
            *memory = memory.precise();
        }
        for stored in &mut nominal.subsets {
            stored.link_bits = stored.format.bits();
        }
        // Planes and containers are there to save bits; whole words need neither.
        nominal.link.transfer.layout = transfer::Layout::Packed;
        nominal.restart()?;
        Ok(nominal)
    }

    /// Runs a network whose trace was computed anew.
    fn restart(&mut self) -> Result<(), Error> {
        if let Some(running) = self.running.clone()
            && self.trace.is_none()
        {
            self.start(running.operations.clone(), None)?;
        }
        Ok(())
    }

    /// Seconds in which the slowest memory moves the data of one inference; `None` if no memory says how fast it is.
    pub(super) fn busy_s(&self) -> Option<f64> {
        let (traffic, _) = self.traffic(&BTreeSet::new()).ok()?;
        self.memories
            .iter()
            .zip(&traffic)
            .filter_map(|(memory, traffic)| memory.busy_s(traffic))
            .reduce(f64::max)
    }

    /// What passes every memory and the link in one inference.
    fn traffic(&self, precise: &BTreeSet<(usize, usize)>) -> Result<(Vec<Traffic>, LinkCost), Error> {
        if let (Some(running), Some(design)) = (&self.running, self.design()) {
            let mut traffic = running.traffic(design);
            for (traffic, stored) in traffic.iter_mut().zip(running.stored(design)) {
                (traffic.stored, traffic.check_bits) = (stored.stored, stored.check_bits);
            }
            return Ok((traffic, running.link_per_inference(design)?));
        }
        let mut readers: BTreeMap<BlobId, f64> = BTreeMap::new();
        for blob in self.subsets.iter().filter_map(|stored| stored.subset.blob) {
            *readers.entry(blob).or_default() += 1.0;
        }
        let mut traffic = vec![Traffic::default(); self.memories.len()];
        let mut link = LinkCost::default();
        let mut seen = BTreeSet::new();
        for (index, stored) in self.subsets.iter().enumerate() {
            if stored.subset.blob.is_some_and(|blob| !seen.insert(blob)) {
                continue;
            }
            let times = stored.subset.blob.map_or(1.0, |blob| readers[&blob]);
            let is_precise = |memory| precise.contains(&(index, memory));
            self.pass(stored, times, &is_precise, &mut traffic, &mut link)?;
        }
        Ok((traffic, link))
    }

    /// Adds what one data subset moves if it is read `times` times.
    fn pass(
        &self,
        stored: &StoredSubset,
        times: f64,
        is_precise: &dyn Fn(usize) -> bool,
        traffic: &mut [Traffic],
        link: &mut LinkCost,
    ) -> Result<(), Error> {
        let words = stored.subset.words;
        for (index, stop) in stored.path.iter().enumerate() {
            let bits = stored.bits_at(index);
            let moved = self.link.transfer.bursts(words, bits, stored.link_bits.min(bits), 0)?;
            let Stop::Memory(memory) = *stop else {
                let energy = self.link.transfer.energy_pj(words, bits, stored.link_bits.min(bits), 0)?;
                link.words += words * times as u64;
                link.bytes += moved.bytes * times as u64;
                link.bursts += moved.bursts * times as u64;
                link.energy_pj += energy * times;
                continue;
            };
            let is_home = index == 0;
            let writes = match (is_home, stored.subset.operand) {
                (true, Operand::Weight | Operand::Bias) => 0.0,
                (true, Operand::Neuron) => 1.0,
                (false, _) => times,
            };
            let is_first = !stored.path[..index].contains(stop);
            let next_to_link = stored.path.get(index + 1) == Some(&Stop::Link);
            let behind_link = index > 0 && stored.path[index - 1] == Stop::Link;
            let burst_bytes = (moved.bursts * self.link.transfer.granule_bytes) as f64;
            self.rest(
                memory,
                words,
                Word { bits, is_precise: is_precise(memory) },
                (times, next_to_link.then_some(burst_bytes)),
                (writes, behind_link.then_some(burst_bytes)),
                is_first,
                &mut traffic[memory],
            );
        }
        Ok(())
    }

    /// Adds `words` words of kind `word` that are read and written so many times, in so many bytes where the link decides.
    #[expect(
        clippy::too_many_arguments,
        reason = "one call site; the parts of a transfer do not form a thing"
    )]
    fn rest(
        &self,
        memory: usize,
        words: u64,
        word: Word,
        (reads, read_bytes): (f64, Option<f64>),
        (writes, written_bytes): (f64, Option<f64>),
        is_first: bool,
        traffic: &mut Traffic,
    ) {
        let Word { bits, is_precise } = word;
        let payload = words as f64 * f64::from(bits);
        let coded = if is_precise { 0 } else { self.memories[memory].protection.coded_msbs() };
        let checks = 8.0 * (words as f64 * f64::from(coded) / 64.0).ceil();
        if is_first {
            *traffic.stored.entry(word).or_default() += payload;
            traffic.check_bits += checks;
        }
        traffic.read_bits += reads * checks;
        traffic.written_bits += writes * checks;
        let mut add = |reads: f64, writes: f64, activations: f64| {
            *traffic.reads.entry(word).or_default() += reads;
            *traffic.writes.entry(word).or_default() += writes;
            *traffic.activations.entry(word).or_default() += activations;
        };
        let technology = &self.memories[memory].technology;
        if let Technology::Dram(crate::memory::dram::Parameters { energy: Some(device), .. }) = technology {
            let burst = device.burst_bytes();
            let bursts = |bytes: Option<f64>| (bytes.unwrap_or(payload / 8.0) / burst).ceil();
            let row = device.page_bytes as f64 * f64::from(device.devices);
            let (read, written) = (bursts(read_bytes), bursts(written_bytes));
            let rows = |bursts: f64| (bursts * burst / row).ceil();
            add(reads * read, writes * written, reads * rows(read) + writes * rows(written));
            traffic.read_bits += 8.0 * reads * read * burst;
            traffic.written_bits += 8.0 * writes * written * burst;
        } else {
            let port = self.memories[memory].access_bits().unwrap_or(f64::from(bits));
            let accesses = (payload / port).ceil();
            add(reads * accesses, writes * accesses, 0.0);
            traffic.read_bits += reads * payload;
            traffic.written_bits += writes * payload;
        }
    }
}

fn memory_cost(
    memory: &Memory,
    traffic: &Traffic,
    period_s: Option<f64>,
    busy_s: Option<f64>,
) -> Result<MemoryCost, Error> {
    let busy = busy_s.zip(period_s).map_or(0.0, |(busy, period)| (busy / period).min(1.0));
    let standing = memory.standing(traffic, busy)?;
    // mW over seconds in pJ.
    let over_period = |mw: f64| period_s.map(|period| mw * period * 1e9);
    let access_pj = memory.traffic_pj(traffic)?;
    let standby_pj = standing.and_then(|standing| over_period(standing.standby_mw?));
    let refresh_pj = standing.and_then(|standing| over_period(standing.refresh_mw));
    let share = standing.map(|standing| standing.allocated_share);
    Ok(MemoryCost {
        memory: memory.name.clone(),
        bits_stored: traffic.bits_stored(),
        bits_read: traffic.read_bits,
        bits_written: traffic.written_bits,
        access_pj,
        standby_pj,
        refresh_pj,
        total_pj: [access_pj, standby_pj, refresh_pj].into_iter().sum(),
        allocated_pj: share.and_then(|share| Some(access_pj? + (standby_pj? + refresh_pj?) * share.min(1.0))),
        allocated_share: share,
        busy_s,
    })
}

#[cfg(test)]
#[path = "cost_tests.rs"]
mod tests;
