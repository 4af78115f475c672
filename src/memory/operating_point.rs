//! One memory at one operating point, by itself: how often its cells err and what it costs.

use super::cells::{CellFaults, Failure};
use super::energy::dram::{Device, Standby};
use super::energy::sram::{Energy, Voltage};
use super::residency::Exposure;
use super::sram::VoltageUnit;
use super::{
    ByBit, Geometry, Lifetime, Protection, Technology, dram, energy, protection_cost, secded, sram, uniform,
};
use protection_cost::{Cost, Relative};
use thiserror::Error;

/// What is known of the cells.
#[derive(Clone, Debug, PartialEq)]
pub enum Cells {
    /// Rates.
    Uniform(uniform::Parameters),
    /// Errors of an SRAM, and maybe its energy.
    Sram(sram::Parameters),
    /// Errors of a DRAM, and maybe its energy.
    Dram(dram::Parameters),
    /// The energy of an SRAM at a voltage.
    SramEnergy {
        /// Its energy model.
        energy: Energy,
        /// Its supply.
        voltage: Voltage,
    },
    /// The energy of a DRAM at a refresh interval.
    DramEnergy {
        /// Its devices.
        device: Device,
        /// Milliseconds between two refreshes, by bit of the word.
        refresh_interval_ms: ByBit,
    },
}

/// A memory at its operating point.
#[derive(Clone, Debug, PartialEq)]
pub struct OperatingPoint {
    /// What its cells are.
    pub cells: Cells,
    /// Where they are.
    pub geometry: Geometry,
    /// How the top bits of words are protected.
    pub protection: Protection,
    /// Bits of a data word, 1..=32; `None`: all bits are alike.
    pub word_bits: Option<u32>,
}

/// One figure of an operating point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// What it is, with its unit.
    pub name: &'static str,
    /// Its value; `None`: unknown.
    pub value: Option<f64>,
}

/// Why an operating point has no figures.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Error {
    /// Its energy cannot be told.
    #[error(transparent)]
    Energy(#[from] energy::Error),
    /// What its protection costs cannot be told.
    #[error(transparent)]
    Protection(#[from] protection_cost::Error),
}

/// Figures in the order in which they are shown.
#[derive(Default)]
struct Figures(Vec<Figure>);

impl Figures {
    fn add(&mut self, name: &'static str, value: impl Into<Option<f64>>) {
        self.0.push(Figure { name, value: value.into() });
    }
}

impl OperatingPoint {
    /// Whether its figures depend on the width of words.
    pub fn needs_word_bits(&self) -> bool {
        let is_list = |list: &ByBit| list.from_msb().len() > 1;
        self.protection.msbs > 0
            || match &self.cells {
                Cells::Uniform(parameters) => is_list(&parameters.ber),
                Cells::Dram(parameters) => is_list(&parameters.error.refresh_interval_ms),
                Cells::DramEnergy { refresh_interval_ms, .. } => is_list(refresh_interval_ms),
                Cells::Sram(_) | Cells::SramEnergy { .. } => false,
            }
    }

    /// Everything that is known, always in the same order for the same kind of memory. Rates are for data of as many ones as
    /// zeros that are written once and read once; means over the unprotected bits of a word, and over devices.
    ///
    /// # Errors
    /// [`enum@Error`] where a model cannot tell its figure.
    pub fn figures(&self) -> Result<Vec<Figure>, Error> {
        let mut figures = Figures::default();
        match &self.cells {
            Cells::Uniform(parameters) => {
                self.add_rates(&Technology::Uniform(parameters.clone()), &mut figures);
            }
            Cells::Sram(parameters) => {
                let error = &parameters.error;
                let (name, voltage) = match error.v_unit {
                    VoltageUnit::Vmin => ("v_over_vmin", Voltage::OverVmin(error.v)),
                    VoltageUnit::Volt => ("v_volts", Voltage::Volts(error.v)),
                };
                figures.add(name, error.v);
                self.add_rates(&Technology::Sram(parameters.clone()), &mut figures);
                self.add_sram(parameters.energy.as_ref(), voltage, &mut figures)?;
            }
            Cells::SramEnergy { energy, voltage } => {
                if let Voltage::Volts(volts) = voltage {
                    figures.add("v_volts", *volts);
                }
                self.add_sram(Some(energy), *voltage, &mut figures)?;
            }
            Cells::Dram(parameters) => {
                let intervals = &parameters.error.refresh_interval_ms;
                figures.add("refresh_interval_ms", single(intervals));
                self.add_rates(&Technology::Dram(parameters.clone()), &mut figures);
                if let Some(device) = &parameters.energy {
                    self.add_dram(&device.at_temperature(parameters.error.temp_c), intervals, &mut figures)?;
                }
            }
            Cells::DramEnergy { device, refresh_interval_ms } => {
                figures.add("refresh_interval_ms", single(refresh_interval_ms));
                self.add_dram(device, refresh_interval_ms, &mut figures)?;
            }
        }
        Ok(figures.0)
    }

    /// The devices of a DRAM whose energy is known, at their temperature, with the refresh interval of each bit of a word in
    /// milliseconds; bits in precise cells keep the nominal one. `None`: another memory, or a DRAM of unknown devices.
    pub fn dram(&self) -> Option<(Device, Vec<f64>)> {
        let (device, intervals) = match &self.cells {
            Cells::Dram(parameters) => {
                let device = parameters.energy.as_ref()?.at_temperature(parameters.error.temp_c);
                (device, &parameters.error.refresh_interval_ms)
            }
            Cells::DramEnergy { device, refresh_interval_ms } => (device.clone(), refresh_interval_ms),
            Cells::Uniform(_) | Cells::Sram(_) | Cells::SramEnergy { .. } => return None,
        };
        let by_bit = self.by_bit(&device, intervals);
        Some((device, by_bit))
    }

    fn by_bit(&self, device: &Device, intervals: &ByBit) -> Vec<f64> {
        let bits = self.word_bits.unwrap_or(1);
        let approximate = bits - self.protection.precise_msbs().min(bits);
        let nominal = device.timing.refresh_window_ms;
        (0..bits).map(|bit| if bit < approximate { intervals.at(bit, bits) } else { nominal }).collect()
    }

    fn add_rates(&self, technology: &Technology, figures: &mut Figures) {
        let exposure = Exposure { reuse_interval_s: f64::INFINITY, ..Exposure::once(0.0) };
        let bits = self.word_bits.unwrap_or(1);
        let faults = technology.cell_faults(Lifetime::Permanent, &self.protection, &exposure, bits);
        let unprotected = bits - self.protection.msbs.min(bits);
        let mean = |rate: &dyn Fn(u32) -> f64, bits: std::ops::Range<u32>| {
            let count = f64::from(bits.end - bits.start);
            (count > 0.0).then(|| bits.map(rate).sum::<f64>() / count)
        };
        if !matches!(technology, Technology::Uniform(_)) {
            figures.add("weak_cell_share", mean(&|bit| weak(&faults, bit), 0..unprotected));
        }
        figures.add("bit_error_rate", mean(&|bit| delivered(&faults, bit), 0..unprotected));
        if self.protection.msbs > 0 {
            let coded = self.protection.coded_msbs() > 0;
            let rate = |bit| {
                let raw = delivered(&faults, bit);
                if coded { secded::residual_bit_error_rate(raw) } else { raw }
            };
            figures.add("protected_bit_error_rate", mean(&rate, unprotected..bits));
        }
    }

    /// What words with protected bits cost over unprotected ones at the precise operating point; `None` without protection.
    fn cost(&self, approximate: Relative) -> Result<Option<Cost>, protection_cost::Error> {
        let bits = self.word_bits.filter(|_| self.protection.msbs > 0);
        bits.map(|bits| protection_cost::cost(self.protection, bits, approximate)).transpose()
    }

    /// Figures of an SRAM. Without an energy model the access energy over that at Vmin is `v^2`, that of a macro whose whole
    /// supply is scaled, as the source of the only preset in this unit measured it.
    fn add_sram(
        &self,
        energy: Option<&Energy>,
        voltage: Voltage,
        figures: &mut Figures,
    ) -> Result<(), Error> {
        let over_vmin = match (voltage, energy) {
            (Voltage::OverVmin(v), Some(energy)) => Some(energy.relative_to_vmin(v)?),
            (Voltage::OverVmin(v), None) => Some(v * v),
            (Voltage::Volts(_), _) => None,
        };
        let Some(energy) = energy else {
            if let Some(access) = over_vmin {
                figures.add("access_energy_over_vmin", access);
                if let Some(cost) = self.cost(Relative { access, leakage: 1.0 })? {
                    figures.add("protected_energy_over_vmin", cost.access);
                    figures.add("protected_area_over_unprotected", cost.area);
                }
            }
            return Ok(());
        };
        let ratio = energy.ratio(voltage)?;
        let (precise, name, protected_name) = match voltage {
            Voltage::OverVmin(_) => {
                (Voltage::OverVmin(1.0), "access_energy_over_vmin", "protected_energy_over_vmin")
            }
            Voltage::Volts(_) => {
                (Voltage::Volts(energy.v_nom), "access_energy_over_nominal", "protected_energy_over_nominal")
            }
        };
        let precise_ratio = energy.ratio(precise)?;
        let access = over_vmin.unwrap_or_else(|| energy.access_factor(ratio));
        let leakage = energy.leakage_factor(ratio) / energy.leakage_factor(precise_ratio);
        let cost = self.cost(Relative { access, leakage })?;
        figures.add(name, access);
        if over_vmin.is_some() {
            figures.add("access_energy_over_nominal", energy.access_factor(ratio));
        }
        if let Some(cost) = cost {
            figures.add(protected_name, cost.access);
        }
        let banks = self.geometry.banks as f64;
        let (point, at_precise) = (energy.at(ratio)?, energy.at(precise_ratio)?);
        figures.add("read_pj", point.read_pj);
        figures.add("write_pj", point.write_pj);
        figures.add("leakage_mw", point.leakage_mw.map(|leakage| banks * leakage));
        figures.add("access_ns", point.access_ns);
        figures.add("area_mm2", point.area_mm2.map(|area| banks * area));
        if let Some(cost) = cost {
            let leakage = at_precise.leakage_mw.map(|leakage| banks * leakage * cost.leakage);
            figures.add("protected_read_pj", at_precise.read_pj * cost.access);
            figures.add("protected_write_pj", at_precise.write_pj.map(|write| write * cost.access));
            figures.add("protected_leakage_mw", leakage);
            figures.add("protected_area_over_unprotected", cost.area);
        }
        Ok(())
    }

    /// Figures of the ranks that hold the memory: one without a capacity. Bits in precise cells keep the nominal interval.
    fn add_dram(&self, device: &Device, intervals: &ByBit, figures: &mut Figures) -> Result<(), Error> {
        let by_bit = self.by_bit(device, intervals);
        let shortest = by_bit.iter().copied().fold(f64::INFINITY, f64::min);
        let used_bytes = self.geometry.capacity_bits().map_or(1, |bits| bits / 8);
        let power = device.power_of(used_bytes, Standby::Closed, &by_bit)?;
        let latency = device.latency();
        figures.add("read_pj_per_bit", device.read_pj_per_bit());
        figures.add("write_pj_per_bit", device.write_pj_per_bit());
        figures.add("io_pj_per_bit", device.io_pj_per_bit);
        figures.add("activate_precharge_pj", f64::from(device.devices) * device.act_pre_pj());
        figures.add("background_mw", power.background_mw);
        figures.add("refresh_mw", power.refresh_mw);
        let standby = power.background_mw + power.refresh_mw;
        figures.add("refresh_share_of_standby", (standby > 0.0).then(|| power.refresh_mw / standby));
        figures.add("refresh_time_share", device.time_lost_share(device.multiplier(shortest)?));
        figures.add("hit_ns", latency.hit_ns);
        figures.add("closed_ns", latency.closed_ns);
        figures.add("conflict_ns", latency.conflict_ns);
        Ok(())
    }
}

/// The one value of a list that has no other.
fn single(list: &ByBit) -> Option<f64> {
    match list.from_msb() {
        [value] => Some(*value),
        _ => None,
    }
}

/// Mean over devices of the probability that the cell of a bit is weak.
fn weak(faults: &CellFaults, bit: u32) -> f64 {
    super::cells::mean_over_devices(faults.weak[bit as usize], faults.device_sigma)
}

/// Probability that a bit of random data is delivered wrong.
fn delivered(faults: &CellFaults, bit: u32) -> f64 {
    let visible = match faults.failure {
        Failure::Inverted => 1.0,
        Failure::Stuck(_) => 0.5,
    };
    super::transient::either(weak(faults, bit) * visible, faults.upset[bit as usize])
}
