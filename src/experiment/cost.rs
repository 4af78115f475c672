//! What the memories and the link of an experiment cost per inference.
//!
//! Until a layer trace says more, every word passes each stop of its path once per inference and reader: weights and biases are
//! read from their home memory, everywhere else words are written and read. DRAM moves whole bursts, at the width that the
//! link fetches where it is next to one, and opens a row per page of each tensor. Leakage, background and refresh are charged
//! over the period of one inference, for the whole device; the allocated share beside it.

use super::{Experiment, Stop, StoredSubset};
use crate::memory::energy::{self, dram, sram};
use crate::memory::protection_cost::{self, Relative};
use crate::memory::sram::VoltageUnit;
use crate::memory::{ByBit, Memory, Protection, Technology, transfer};
use crate::network::{BlobId, Operand};
use serde::Serialize;
use std::collections::BTreeMap;
use thiserror::Error;

/// Why a cost cannot be told.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Error {
    /// The energy of a memory.
    #[error("memory `{memory}`: {source}")]
    Energy {
        /// Name of the memory.
        memory: String,
        /// What is wrong.
        source: energy::Error,
    },
    /// The cost of a protection.
    #[error("memory `{memory}`: {source}")]
    Protection {
        /// Name of the memory.
        memory: String,
        /// What is wrong.
        source: protection_cost::Error,
    },
    /// The link.
    #[error("link: {0}")]
    Link(#[from] transfer::Error),
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

/// What passes one memory in one inference.
#[derive(Clone, Debug, Default)]
struct Traffic {
    /// Bits stored, and how many of them have each word width.
    stored: BTreeMap<u32, f64>,
    /// Check bits of codes.
    check_bits: f64,
    read_bits: f64,
    written_bits: f64,
    read_bytes: f64,
    written_bytes: f64,
    /// Accesses of an SRAM port, by word width.
    reads: BTreeMap<u32, f64>,
    writes: BTreeMap<u32, f64>,
    /// Rows of a DRAM that are opened.
    activations: f64,
}

impl Traffic {
    /// Bits of the words, without check bits.
    fn word_bits(&self) -> f64 {
        self.stored.values().sum()
    }

    /// Bits that occupy cells.
    fn bits_stored(&self) -> f64 {
        self.word_bits() + self.check_bits
    }
}

impl Experiment {
    /// What this design costs per inference.
    ///
    /// # Errors
    /// [`enum@Error`] for energies that do not fit the operating point.
    pub fn cost(&self) -> Result<Cost, Error> {
        let (traffic, link) = self.traffic()?;
        let busy: Vec<_> =
            self.memories.iter().zip(&traffic).map(|(memory, traffic)| busy_s(memory, traffic)).collect();
        let slowest = busy.iter().flatten().copied().reduce(f64::max);
        let asked = self.workload.inferences_per_second.map(|rate| 1.0 / rate);
        let period_s = asked.or(slowest);
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
    /// sheet says, words at their full width on the link, no bit protected.
    #[must_use]
    pub fn nominal(&self) -> Self {
        let mut nominal = self.clone();
        for memory in &mut nominal.memories {
            memory.protection = Protection::dual_rail(0);
            match &mut memory.technology {
                Technology::Uniform(_) => {}
                Technology::Sram(parameters) => parameters.error.v = precise_voltage(parameters),
                Technology::Dram(parameters) => {
                    if let Some(device) = &parameters.energy {
                        let device = device.at_temperature(parameters.error.temp_c);
                        parameters.error.refresh_interval_ms = ByBit::from(device.timing.refresh_window_ms);
                    }
                }
            }
        }
        for stored in &mut nominal.subsets {
            stored.link_bits = stored.format.bits();
        }
        // Planes and containers are there to save bits; whole words need neither.
        nominal.link.transfer.layout = transfer::Layout::Packed;
        nominal
    }

    /// Seconds in which the slowest memory moves the data of one inference; `None` if no memory says how fast it is.
    pub(super) fn busy_s(&self) -> Option<f64> {
        let (traffic, _) = self.traffic().ok()?;
        self.memories
            .iter()
            .zip(&traffic)
            .filter_map(|(memory, traffic)| busy_s(memory, traffic))
            .reduce(f64::max)
    }

    /// What passes every memory and the link in one inference.
    fn traffic(&self) -> Result<(Vec<Traffic>, LinkCost), Error> {
        let mut readers: BTreeMap<BlobId, f64> = BTreeMap::new();
        for blob in self.subsets.iter().filter_map(|stored| stored.subset.blob) {
            *readers.entry(blob).or_default() += 1.0;
        }
        let mut traffic = vec![Traffic::default(); self.memories.len()];
        let mut link = LinkCost::default();
        let mut seen = std::collections::BTreeSet::new();
        for stored in &self.subsets {
            if stored.subset.blob.is_some_and(|blob| !seen.insert(blob)) {
                continue;
            }
            let times = stored.subset.blob.map_or(1.0, |blob| readers[&blob]);
            self.pass(stored, times, &mut traffic, &mut link)?;
        }
        Ok((traffic, link))
    }

    /// Adds what one data subset moves if it is read `times` times.
    fn pass(
        &self,
        stored: &StoredSubset,
        times: f64,
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
                bits,
                (times, next_to_link.then_some(burst_bytes)),
                (writes, behind_link.then_some(burst_bytes)),
                is_first,
                &mut traffic[memory],
            );
        }
        Ok(())
    }

    /// Adds `words` words of `bits` bits that are read and written so many times, in so many bytes where the link decides.
    #[expect(
        clippy::too_many_arguments,
        reason = "one call site; the parts of a transfer do not form a thing"
    )]
    fn rest(
        &self,
        memory: usize,
        words: u64,
        bits: u32,
        (reads, read_bytes): (f64, Option<f64>),
        (writes, written_bytes): (f64, Option<f64>),
        is_first: bool,
        traffic: &mut Traffic,
    ) {
        let payload = words as f64 * f64::from(bits);
        let coded = self.memories[memory].protection.coded_msbs();
        let checks = 8.0 * (words as f64 * f64::from(coded) / 64.0).ceil();
        if is_first {
            *traffic.stored.entry(bits).or_default() += payload;
            traffic.check_bits += checks;
        }
        traffic.read_bits += reads * checks;
        traffic.written_bits += writes * checks;
        match &self.memories[memory].technology {
            Technology::Dram(parameters) if parameters.energy.is_some() => {
                let device = parameters.energy.as_ref().expect("just asked for");
                let burst = device.burst_bytes();
                let whole = |bytes: Option<f64>| (bytes.unwrap_or(payload / 8.0) / burst).ceil() * burst;
                let row = device.page_bytes as f64 * f64::from(device.devices);
                let (read, written) = (whole(read_bytes), whole(written_bytes));
                traffic.read_bytes += reads * read;
                traffic.written_bytes += writes * written;
                traffic.activations += reads * (read / row).ceil() + writes * (written / row).ceil();
                traffic.read_bits += 8.0 * reads * read;
                traffic.written_bits += 8.0 * writes * written;
            }
            technology => {
                let port = match technology {
                    Technology::Sram(parameters) => {
                        parameters.energy.as_ref().map_or(bits, |energy| energy.word_bits)
                    }
                    Technology::Uniform(_) | Technology::Dram(_) => bits,
                };
                let accesses = (payload / f64::from(port)).ceil();
                *traffic.reads.entry(bits).or_default() += reads * accesses;
                *traffic.writes.entry(bits).or_default() += writes * accesses;
                traffic.read_bits += reads * payload;
                traffic.written_bits += writes * payload;
            }
        }
    }
}

/// The voltage at which no cell is approximate: Vmin, or the nominal one of the energy model, or else the largest of the
/// error model.
fn precise_voltage(parameters: &crate::memory::sram::Parameters) -> f64 {
    match (parameters.error.v_unit, &parameters.energy) {
        (VoltageUnit::Vmin, _) => 1.0,
        (VoltageUnit::Volt, Some(energy)) => energy.v_nom,
        (VoltageUnit::Volt, None) => parameters.error.v_range[1],
    }
}

fn voltage(unit: VoltageUnit, v: f64) -> sram::Voltage {
    match unit {
        VoltageUnit::Vmin => sram::Voltage::OverVmin(v),
        VoltageUnit::Volt => sram::Voltage::Volts(v),
    }
}

/// Seconds in which `memory` moves `traffic` at its full rate; `None` where nothing passes, or the rate is not known.
fn busy_s(memory: &Memory, traffic: &Traffic) -> Option<f64> {
    if traffic.read_bits + traffic.written_bits == 0.0 {
        return None;
    }
    match &memory.technology {
        Technology::Uniform(_) => None,
        Technology::Sram(parameters) => {
            let energy = parameters.energy.as_ref()?;
            let ratio = energy.ratio(voltage(parameters.error.v_unit, parameters.error.v)).ok()?;
            let access_ns = energy.at(ratio).ok()?.access_ns?;
            let accesses: f64 = traffic.reads.values().chain(traffic.writes.values()).sum();
            Some(accesses * access_ns * 1e-9)
        }
        Technology::Dram(parameters) => {
            let rate = parameters.energy.as_ref()?.peak_bytes_per_second();
            Some((traffic.read_bytes + traffic.written_bytes) / rate)
        }
    }
}

/// Energies of one memory, pJ, and the share of it that the data occupy.
struct Energies {
    access: Option<f64>,
    standby_mw: Option<f64>,
    refresh_mw: f64,
    allocated_share: f64,
}

fn memory_cost(
    memory: &Memory,
    traffic: &Traffic,
    period_s: Option<f64>,
    busy_s: Option<f64>,
) -> Result<MemoryCost, Error> {
    let energies = match &memory.technology {
        Technology::Uniform(_) => None,
        Technology::Sram(parameters) => match &parameters.energy {
            Some(energy) => Some(sram_energies(memory, parameters, energy, traffic)?),
            None => None,
        },
        Technology::Dram(parameters) => match &parameters.energy {
            Some(device) => {
                let busy = busy_s.zip(period_s).map_or(0.0, |(busy, period)| (busy / period).min(1.0));
                Some(dram_energies(memory, parameters, device, traffic, busy)?)
            }
            None => None,
        },
    };
    // mW over seconds in pJ.
    let over_period = |mw: f64| period_s.map(|period| mw * period * 1e9);
    let access_pj = energies.as_ref().and_then(|energies| energies.access);
    let standby_pj = energies.as_ref().and_then(|energies| over_period(energies.standby_mw?));
    let refresh_pj = energies.as_ref().and_then(|energies| over_period(energies.refresh_mw));
    let share = energies.as_ref().map(|energies| energies.allocated_share);
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

fn sram_energies(
    memory: &Memory,
    parameters: &crate::memory::sram::Parameters,
    energy: &sram::Energy,
    traffic: &Traffic,
) -> Result<Energies, Error> {
    let refused = |source| Error::Energy { memory: memory.name.clone(), source };
    let unit = parameters.error.v_unit;
    let at = |v| energy.ratio(voltage(unit, v)).map_err(refused);
    let (precise, ratio) = (at(precise_voltage(parameters))?, at(parameters.error.v)?);
    let point = energy.at(precise).map_err(refused)?;
    let relative = Relative {
        access: energy.access_factor(ratio) / energy.access_factor(precise),
        leakage: energy.leakage_factor(ratio) / energy.leakage_factor(precise),
    };
    let factor = |bits| word_cost(memory, bits, relative);
    let mut access = Some(0.0);
    for (count, pj) in [(&traffic.reads, Some(point.read_pj)), (&traffic.writes, point.write_pj)] {
        for (&bits, &count) in count {
            let cost = factor(bits)?;
            if count > 0.0 {
                access = access.zip(pj).map(|(sum, pj)| sum + count * pj * cost.access);
            }
        }
    }
    let mut leakage = 0.0;
    for (&bits, &stored) in &traffic.stored {
        leakage += factor(bits)?.leakage * stored / traffic.word_bits();
    }
    let banks = memory.geometry.banks as f64;
    Ok(Energies {
        access,
        standby_mw: point.leakage_mw.map(|mw| mw * banks * leakage),
        refresh_mw: 0.0,
        allocated_share: traffic.bits_stored() / (8.0 * energy.size_bytes as f64 * banks),
    })
}

fn dram_energies(
    memory: &Memory,
    parameters: &crate::memory::dram::Parameters,
    device: &dram::Device,
    traffic: &Traffic,
    busy: f64,
) -> Result<Energies, Error> {
    let refused = |source| Error::Energy { memory: memory.name.clone(), source };
    let device = &device.at_temperature(parameters.error.temp_c);
    let nominal_ms = device.timing.refresh_window_ms;
    let used = (traffic.bits_stored() / 8.0).ceil() as u64;
    let power = |standby| device.power_of(used, standby, &[nominal_ms]).map_err(refused);
    let closed = power(dram::Standby::Closed)?;
    // A refresh closes every row: none is open but while data move.
    let open_share = if device.row_policy == dram::RowPolicy::Open { busy } else { 0.0 };
    let background = closed.background_mw
        + open_share * (power(dram::Standby::Open)?.background_mw - closed.background_mw);
    let power = closed;
    let (mut rate, mut access) = (0.0, 0.0);
    for (&bits, &stored) in &traffic.stored {
        let precise = memory.protection.precise_msbs();
        let interval = |bit: u32| {
            if bit >= bits - precise.min(bits) {
                nominal_ms
            } else {
                parameters.error.refresh_interval_ms.at(bit, bits)
            }
        };
        let intervals: Vec<f64> = (0..bits).map(interval).collect();
        let share = stored / traffic.word_bits();
        rate += share * device.refresh_rate(&intervals).map_err(refused)?;
        access += share * word_cost(memory, bits, Relative { access: 1.0, leakage: 1.0 })?.access;
    }
    let burst = device.burst_bytes();
    let commands =
        device.commands_pj(traffic.activations, traffic.read_bytes / burst, traffic.written_bytes / burst);
    Ok(Energies {
        access: Some(commands * access),
        standby_mw: Some(background),
        refresh_mw: power.refresh_mw * rate,
        allocated_share: power.allocated_share,
    })
}

/// What words of `bits` bits cost in `memory` with its protection, over precise ones without.
fn word_cost(memory: &Memory, bits: u32, relative: Relative) -> Result<protection_cost::Cost, Error> {
    protection_cost::cost(memory.protection, bits, relative)
        .map_err(|source| Error::Protection { memory: memory.name.clone(), source })
}

#[cfg(test)]
#[path = "cost_tests.rs"]
mod tests;
