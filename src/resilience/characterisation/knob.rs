//! What is turned to make a memory err: the supply voltage of SRAM, the refresh interval of DRAM.

use crate::memory::cells::{Failure, mean_over_devices};
use crate::memory::residency::Exposure;
use crate::memory::sram::VoltageUnit;
use crate::memory::{ByBit, Lifetime, Memory, Protection, Technology};
use serde::Serialize;

/// What an operating point is told in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Supply voltage over the lowest one without a failing cell.
    VOverVmin,
    /// Supply voltage in volts.
    VVolts,
    /// Milliseconds between two refreshes.
    RefreshIntervalMs,
}

/// How far a memory can go before it errs more often than is tolerated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// To a point within the range for which its source gives rates.
    Inside,
    /// To the end of that range: what lies beyond may be tolerated, but no source tells.
    Edge,
    /// Nowhere: the whole range errs too often.
    Nowhere,
    /// It has one rate and no operating points, and the rate is tolerated.
    OneRateTolerated,
    /// It has one rate, which is not tolerated.
    OneRateExceeds,
}

/// The operating points of a memory for which its source gives rates.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Knob<'t> {
    technology: &'t Technology,
    pub unit: Unit,
    /// The end at which it errs least.
    pub careful: f64,
    /// The end at which it errs most.
    pub careless: f64,
}

/// Rate at which `technology` delivers wrong bits of data with as many ones as zeros, written once and read once; mean over
/// devices.
pub(super) fn bit_error_rate(technology: &Technology) -> f64 {
    let exposure = Exposure { reuse_interval_s: f64::INFINITY, ..Exposure::once(0.0) };
    let faults = technology.cell_faults(Lifetime::Permanent, &Protection::dual_rail(0), &exposure, 32);
    let visible = match faults.failure {
        Failure::Inverted => 1.0,
        Failure::Stuck(_) => 0.5,
    };
    let rate = |(&weak, &upset): (&f64, &f64)| {
        let weak = visible * mean_over_devices(weak, faults.device_sigma);
        weak + upset - 2.0 * weak * upset
    };
    faults.weak.iter().zip(&faults.upset).map(rate).fold(0.0, f64::max)
}

impl<'t> Knob<'t> {
    /// The knob of `memory`; `None` where it has one rate, or its source gives none for a longer refresh interval than the
    /// nominal one.
    pub fn of(memory: &'t Memory) -> Option<Self> {
        let technology = &memory.technology;
        match technology {
            Technology::Uniform(_) => None,
            Technology::Sram(parameters) => {
                let error = &parameters.error;
                let unit = match error.v_unit {
                    VoltageUnit::Vmin => Unit::VOverVmin,
                    VoltageUnit::Volt => Unit::VVolts,
                };
                let Technology::Sram(precise) = memory.precise().technology else { return None };
                let [careless, high] = error.v_range;
                let careful = high.min(precise.error.v);
                (careless < careful).then_some(Self { technology, unit, careful, careless })
            }
            Technology::Dram(parameters) => {
                let error = &parameters.error;
                // Seconds at the temperature of the record over those at the operating one.
                let stretch = error.equivalent_s(1.0);
                let [first, last] = error.t_range_s.map(|seconds| 1e3 * seconds / stretch);
                let careful = first.max(parameters.nominal_interval_ms());
                let unit = Unit::RefreshIntervalMs;
                (careful < last).then_some(Self { technology, unit, careful, careless: last })
            }
        }
    }

    /// The technology at `setting`.
    pub fn at(&self, setting: f64) -> Technology {
        set(self.technology.clone(), setting)
    }

    /// Its bit error rate there.
    pub fn rate(&self, setting: f64) -> f64 {
        bit_error_rate(&self.at(setting))
    }

    /// Whether the curve of the source is known there, and its rate is at most `tolerated`.
    fn accepts(&self, setting: f64, tolerated: f64) -> bool {
        let is_known = match self.technology {
            Technology::Dram(parameters) => !parameters.error.leaves_tail(setting / 1e3),
            Technology::Sram(_) | Technology::Uniform(_) => true,
        };
        is_known && self.rate(setting) <= tolerated
    }

    /// The lowest voltage or the longest refresh interval at which no more than a share `tolerated` of the bits errs.
    pub fn furthest(&self, tolerated: f64) -> (Reach, Option<f64>) {
        if !self.accepts(self.careful, tolerated) {
            return (Reach::Nowhere, None);
        }
        if self.accepts(self.careless, tolerated) {
            return (Reach::Edge, Some(self.careless));
        }
        let (mut accepted, mut refused) = (self.careful, self.careless);
        loop {
            let middle = accepted.midpoint(refused);
            if middle == accepted || middle == refused {
                return (Reach::Inside, Some(accepted));
            }
            if self.accepts(middle, tolerated) {
                accepted = middle;
            } else {
                refused = middle;
            }
        }
    }

    /// `count` settings from the careless end on, the careful end left out: evenly spaced voltages, or intervals whose ratios
    /// are equal.
    pub fn grid(&self, count: usize) -> Vec<f64> {
        let share = |index: usize| index as f64 / count as f64;
        let at = |share: f64| match self.unit {
            Unit::VOverVmin | Unit::VVolts => self.careless + (self.careful - self.careless) * share,
            Unit::RefreshIntervalMs => self.careless * libm::pow(self.careful / self.careless, share),
        };
        let grid = (0..count).map(|index| at(share(index)));
        grid.filter(|&setting| self.accepts(setting, 1.0)).collect()
    }
}

/// `technology` with its voltage, or the refresh interval of every bit, at `setting`.
pub(super) fn set(mut technology: Technology, setting: f64) -> Technology {
    match &mut technology {
        Technology::Uniform(_) => {}
        Technology::Sram(parameters) => parameters.error.v = setting,
        Technology::Dram(parameters) => parameters.error.refresh_interval_ms = ByBit::from(setting),
    }
    technology
}
