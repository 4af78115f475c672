//! What one memory costs for what passes through it: energy of accesses, standby and refresh, and the time to move it.

use super::energy::{self, dram, sram};
use super::protection_cost::{self, Relative};
use super::sram::VoltageUnit;
use super::{ByBit, Memory, Protection, Technology};
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
}

/// A kind of stored word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Word {
    /// Its bits.
    pub bits: u32,
    /// Whether it rests in a precise part of the memory: at nominal voltage or refresh, unprotected.
    pub is_precise: bool,
}

/// What passes one memory in some time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Traffic {
    /// Bits stored in words of each kind.
    pub stored: BTreeMap<Word, f64>,
    /// Check bits of codes.
    pub check_bits: f64,
    /// Bits read, of DRAM in whole bursts.
    pub read_bits: f64,
    /// Bits written, likewise.
    pub written_bits: f64,
    /// Accesses that read words of each kind: of SRAM those of its port, of DRAM bursts.
    pub reads: BTreeMap<Word, f64>,
    /// Accesses that write them.
    pub writes: BTreeMap<Word, f64>,
    /// Rows of a DRAM that are opened for them.
    pub activations: BTreeMap<Word, f64>,
    /// Ranks of a DRAM that there are, over all channels; 0: as many as the data need.
    pub ranks: u64,
}

impl Traffic {
    /// Bits of the words, without check bits.
    pub fn word_bits(&self) -> f64 {
        self.stored.values().sum()
    }

    /// Bits that occupy cells.
    pub fn bits_stored(&self) -> f64 {
        self.word_bits() + self.check_bits
    }
}

/// Accesses to words of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Accesses {
    /// Reads: of SRAM accesses of its port, of DRAM bursts.
    pub reads: f64,
    /// Writes.
    pub writes: f64,
    /// Rows of a DRAM that are opened for them.
    pub activations: f64,
}

/// What draws power whether or not words move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// Leakage or background of the whole device, mW; `None` where no constant tells.
    pub standby_mw: Option<f64>,
    /// Refresh of the whole device, mW; of SRAM none.
    pub refresh_mw: f64,
    /// Share of the device that the data occupy; above 1 where they pass through it in tiles.
    pub allocated_share: f64,
}

impl Memory {
    /// This memory without approximation: SRAM at its precise voltage, DRAM refreshed as the data sheet says, no bit protected.
    #[must_use]
    pub fn precise(&self) -> Self {
        let mut memory = self.clone();
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
        memory
    }

    /// Bits that one access of its port moves: of DRAM a burst of a rank; `None` where no constant tells.
    pub fn access_bits(&self) -> Option<f64> {
        match &self.technology {
            Technology::Uniform(_) => None,
            Technology::Sram(parameters) => Some(f64::from(parameters.energy.as_ref()?.word_bits)),
            Technology::Dram(parameters) => Some(8.0 * parameters.energy.as_ref()?.burst_bytes()),
        }
    }

    /// Energy of accesses to words of kind `word`, interface included, pJ; `None` where no constant tells.
    ///
    /// # Errors
    /// [`enum@Error`].
    pub fn access_pj(&self, word: Word, accesses: Accesses) -> Result<Option<f64>, Error> {
        match &self.technology {
            Technology::Uniform(_) => Ok(None),
            Technology::Sram(parameters) => match &parameters.energy {
                Some(energy) => self.sram_access_pj(parameters, energy, word, accesses),
                None => Ok(None),
            },
            Technology::Dram(parameters) => match &parameters.energy {
                Some(device) => {
                    let commands = device.commands_pj(accesses.activations, accesses.reads, accesses.writes);
                    let factor = self.word_cost(word, Relative { access: 1.0, leakage: 1.0 })?.access;
                    Ok(Some(commands * factor))
                }
                None => Ok(None),
            },
        }
    }

    fn sram_access_pj(
        &self,
        parameters: &super::sram::Parameters,
        energy: &sram::Energy,
        word: Word,
        accesses: Accesses,
    ) -> Result<Option<f64>, Error> {
        let (point, relative) = self.sram_point(parameters, energy)?;
        let factor = self.word_cost(word, relative)?.access;
        let mut sum = Some(0.0);
        for (count, pj) in [(accesses.reads, Some(point.read_pj)), (accesses.writes, point.write_pj)] {
            if count > 0.0 {
                sum = sum.zip(pj).map(|(sum, pj)| sum + count * pj * factor);
            }
        }
        Ok(sum)
    }

    /// The array at its precise voltage, and what an approximate access costs over that.
    fn sram_point(
        &self,
        parameters: &super::sram::Parameters,
        energy: &sram::Energy,
    ) -> Result<(sram::SramPoint, Relative), Error> {
        let refused = |source| Error::Energy { memory: self.name.clone(), source };
        let unit = parameters.error.v_unit;
        let at = |v| energy.ratio(voltage(unit, v)).map_err(refused);
        let (precise, ratio) = (at(precise_voltage(parameters))?, at(parameters.error.v)?);
        let point = energy.at(precise).map_err(refused)?;
        let relative = Relative {
            access: energy.access_factor(ratio) / energy.access_factor(precise),
            leakage: energy.leakage_factor(ratio) / energy.leakage_factor(precise),
        };
        Ok((point, relative))
    }

    /// Energy of all accesses of `traffic`, pJ; `None` where no constant tells.
    ///
    /// # Errors
    /// [`enum@Error`].
    pub fn traffic_pj(&self, traffic: &Traffic) -> Result<Option<f64>, Error> {
        let kinds: std::collections::BTreeSet<Word> = [&traffic.reads, &traffic.writes, &traffic.activations]
            .into_iter()
            .flat_map(BTreeMap::keys)
            .copied()
            .collect();
        let of = |counts: &BTreeMap<Word, f64>, word| counts.get(&word).copied().unwrap_or(0.0);
        // Where nothing passes nothing is spent, if the memory has energies at all.
        let mut sum = self.access_bits().map(|_| 0.0);
        for word in kinds {
            let accesses = Accesses {
                reads: of(&traffic.reads, word),
                writes: of(&traffic.writes, word),
                activations: of(&traffic.activations, word),
            };
            sum = sum.zip(self.access_pj(word, accesses)?).map(|(sum, pj)| sum + pj);
        }
        Ok(sum)
    }

    /// Seconds in which this memory moves `traffic` at its full rate; `None` where nothing passes, or the rate is not known.
    pub fn busy_s(&self, traffic: &Traffic) -> Option<f64> {
        if traffic.read_bits + traffic.written_bits == 0.0 {
            return None;
        }
        let accesses = || traffic.reads.values().chain(traffic.writes.values()).sum::<f64>();
        match &self.technology {
            Technology::Uniform(_) => None,
            Technology::Sram(parameters) => {
                let energy = parameters.energy.as_ref()?;
                let ratio = energy.ratio(voltage(parameters.error.v_unit, parameters.error.v)).ok()?;
                Some(accesses() * energy.at(ratio).ok()?.access_ns? * 1e-9)
            }
            Technology::Dram(parameters) => {
                let device = parameters.energy.as_ref()?;
                Some(accesses() * device.burst_bytes() / device.peak_bytes_per_second())
            }
        }
    }

    /// Power that the memory draws while it holds `traffic` and a share `busy` of the time moves data; `None` without energies.
    ///
    /// # Errors
    /// [`enum@Error`].
    pub fn standing(&self, traffic: &Traffic, busy: f64) -> Result<Option<Standing>, Error> {
        match &self.technology {
            Technology::Uniform(_) => Ok(None),
            Technology::Sram(parameters) => {
                let Some(energy) = &parameters.energy else { return Ok(None) };
                let (point, relative) = self.sram_point(parameters, energy)?;
                let mut leakage = 0.0;
                for (&word, &stored) in &traffic.stored {
                    leakage += self.word_cost(word, relative)?.leakage * stored / traffic.word_bits();
                }
                let banks = self.geometry.banks as f64;
                Ok(Some(Standing {
                    standby_mw: point.leakage_mw.map(|mw| mw * banks * leakage),
                    refresh_mw: 0.0,
                    allocated_share: traffic.bits_stored() / (8.0 * energy.size_bytes as f64 * banks),
                }))
            }
            Technology::Dram(parameters) => match &parameters.energy {
                Some(device) => self.dram_standing(parameters, device, traffic, busy).map(Some),
                None => Ok(None),
            },
        }
    }

    fn dram_standing(
        &self,
        parameters: &super::dram::Parameters,
        device: &dram::Device,
        traffic: &Traffic,
        busy: f64,
    ) -> Result<Standing, Error> {
        let refused = |source| Error::Energy { memory: self.name.clone(), source };
        let device = &device.at_temperature(parameters.error.temp_c);
        let nominal_ms = device.timing.refresh_window_ms;
        let used = (traffic.bits_stored() / 8.0).ceil() as u64;
        let power = |standby| device.power_of(used, standby, &[nominal_ms]).map_err(refused);
        let closed = power(dram::Standby::Closed)?;
        // A refresh closes every row: none is open but while data move.
        let open_share = if device.row_policy == dram::RowPolicy::Open { busy } else { 0.0 };
        let open = power(dram::Standby::Open)?.background_mw - closed.background_mw;
        let mut rate = 0.0;
        for (&word, &stored) in &traffic.stored {
            let share = stored / traffic.word_bits();
            rate += share
                * device.refresh_rate(&self.intervals_ms(word, nominal_ms, parameters)).map_err(refused)?;
        }
        // Ranks draw power whether or not data rest there.
        let times = traffic.ranks.max(closed.ranks) as f64 / closed.ranks as f64;
        Ok(Standing {
            standby_mw: Some(times * (closed.background_mw + open_share * open)),
            refresh_mw: times * closed.refresh_mw * rate,
            allocated_share: closed.allocated_share / times,
        })
    }

    /// Refresh interval of each bit of a word, from bit 0 up, ms.
    fn intervals_ms(&self, word: Word, nominal_ms: f64, parameters: &super::dram::Parameters) -> Vec<f64> {
        let precise = if word.is_precise { word.bits } else { self.protection.precise_msbs().min(word.bits) };
        let interval = |bit: u32| {
            if bit >= word.bits - precise {
                nominal_ms
            } else {
                parameters.error.refresh_interval_ms.at(bit, word.bits)
            }
        };
        (0..word.bits).map(interval).collect()
    }

    /// What words of kind `word` cost with the protection of this memory, over precise ones without.
    fn word_cost(&self, word: Word, relative: Relative) -> Result<protection_cost::Cost, Error> {
        let (protection, relative) = if word.is_precise {
            (Protection::dual_rail(0), Relative { access: 1.0, leakage: 1.0 })
        } else {
            (self.protection, relative)
        };
        protection_cost::cost(protection, word.bits, relative)
            .map_err(|source| Error::Protection { memory: self.name.clone(), source })
    }
}

/// The voltage at which no cell is approximate: Vmin, or the nominal one of the energy model, or else the largest of the
/// error model.
fn precise_voltage(parameters: &super::sram::Parameters) -> f64 {
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
