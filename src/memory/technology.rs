//! One memory of the hierarchy.

use super::Geometry;
use super::cells::{CellFaults, CheckRates, Failure, Lines};
use super::measured::MeasuredMap;
use super::protection::How;
use super::residency::Exposure;
use super::{ByBit, Protection, dram, sram, transient, uniform};
use serde::Serialize;
use std::sync::Arc;

/// How long a fault lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifetime {
    /// Tied to a physical cell of one device instance: the same cell errs for a whole trial.
    Permanent,
    /// Drawn anew for each residency: per image for neurons, per trial for weights and biases.
    Transient,
}

/// What the cells of a memory are, and at which operating point.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "technology", rename_all = "snake_case")]
pub enum Technology {
    /// Approximate bits err with given probabilities.
    Uniform(uniform::Parameters),
    /// SRAM under voltage scaling.
    Sram(sram::Parameters),
    /// DRAM that is refreshed less often.
    Dram(dram::Parameters),
}

/// A named memory in which data subsets rest.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Memory {
    /// Name in the configuration.
    pub name: String,
    /// Its cells.
    #[serde(flatten)]
    pub technology: Technology,
    /// Where its cells are.
    pub geometry: Geometry,
    /// The top bits of every word that are protected, and how.
    #[serde(flatten)]
    pub protection: Protection,
    /// Lifetime of the faults of a uniform memory; `None`: permanent for weights and biases, transient for neurons. Weak
    /// cells of SRAM and DRAM are permanent.
    pub lifetime: Option<Lifetime>,
    /// The weak cells of a measured chip: they take the place of the error model's permanent faults.
    #[serde(skip)]
    pub measured: Option<Arc<MeasuredMap>>,
}

/// Probabilities of one cell: weak for the life of the device, and upset in one residency.
#[derive(Clone, Copy)]
struct Rates {
    weak: f64,
    upset: f64,
}

impl Rates {
    const PRECISE: Self = Self { weak: 0.0, upset: 0.0 };
}

impl Technology {
    /// What may go wrong in the cells of words of `word_bits` bits that go through `exposure`, under `protection`.
    ///
    /// `lifetime` decides for [`Technology::Uniform`] whether its rate is that of weak cells or of upsets; the cells of the other
    /// technologies are what they are. Check bits of a code have the rates of an unprotected most significant bit.
    pub fn cell_faults(
        &self,
        lifetime: Lifetime,
        protection: &Protection,
        exposure: &Exposure,
        word_bits: u32,
    ) -> CellFaults {
        let unprotected = word_bits.saturating_sub(protection.msbs);
        let (weak, upset) = (0..word_bits)
            .map(|bit| {
                let plain = self.rates(lifetime, exposure, bit, word_bits);
                let rates =
                    if bit < unprotected { plain } else { self.guarded(plain, protection.how, exposure) };
                (rates.weak, rates.upset)
            })
            .unzip();
        let check = self.rates(lifetime, exposure, word_bits.saturating_sub(1), word_bits);
        let (failure, lines, device_sigma) = match self {
            Self::Uniform(_) => (Failure::Inverted, Lines::Independent, 0.0),
            Self::Sram(sram::Parameters { error, .. }) => (error.failure(), error.lines(), 0.0),
            Self::Dram(dram::Parameters { error, .. }) => {
                (error.failure(), Lines::Independent, error.module_sigma)
            }
        };
        let check = CheckRates { weak: check.weak, upset: check.upset };
        CellFaults { weak, upset, check, failure, lines, device_sigma }
    }

    /// Rates of the cell of bit `bit` without protection.
    fn rates(&self, lifetime: Lifetime, exposure: &Exposure, bit: u32, word_bits: u32) -> Rates {
        match self {
            Self::Uniform(parameters) => {
                let rate = parameters.ber.at(bit, word_bits);
                let soft = transient::soft_error(parameters.ser_fit_per_mbit, exposure.seconds);
                match lifetime {
                    Lifetime::Permanent => Rates { weak: rate, upset: soft },
                    Lifetime::Transient => Rates { weak: 0.0, upset: transient::either(rate, soft) },
                }
            }
            Self::Sram(sram::Parameters { error, .. }) => {
                sram_rates(error, error.v, error.read_upset, exposure)
            }
            Self::Dram(dram::Parameters { error, .. }) => {
                let interval = error.interval_s(bit, word_bits, exposure.reuse_interval_s);
                let upset = transient::soft_error(error.ser_fit_per_mbit, exposure.seconds);
                Rates { weak: error.bit_error_rate(interval), upset }
            }
        }
    }

    /// Rates of a protected cell that would have rates `plain`.
    fn guarded(&self, plain: Rates, how: How, exposure: &Exposure) -> Rates {
        match (how, self) {
            (How::DualRail | How::PreciseBank, _) => Rates::PRECISE,
            (How::EightTransistor { delta_v, .. }, Self::Sram(sram::Parameters { error, .. })) => {
                sram_rates(error, error.v + delta_v, 0.0, exposure)
            }
            // The code corrects what the cells deliver. Cells that are not of SRAM have no eight-transistor form.
            (How::Secded, _) | (How::EightTransistor { .. }, Self::Uniform(_) | Self::Dram(_)) => plain,
        }
    }
}

/// Rates of an SRAM cell at voltage `v`, each read of which upsets it with probability `read_upset`.
fn sram_rates(error: &sram::Errors, v: f64, read_upset: f64, exposure: &Exposure) -> Rates {
    let rate = error.bit_error_rate_at(v);
    let weak = error.persistent_fraction * rate;
    // A cell that is wrong for good or, independently, in this residency, but not both, delivers a wrong bit at the full rate.
    let redrawn = if weak < rate { (rate - weak) / (1.0 - 2.0 * weak) } else { 0.0 };
    let single = [
        transient::upset_by_reads(read_upset, exposure.reads),
        transient::old_value_kept(error.write_fail, exposure.writes),
        transient::soft_error(error.ser_fit_per_mbit, exposure.seconds),
    ];
    Rates { weak, upset: single.into_iter().fold(redrawn, transient::either) }
}

impl Memory {
    /// What may go wrong in the cells of words of `word_bits` bits that go through `exposure`; `lifetime` is that of the operand
    /// in this memory, see [`Technology::cell_faults`].
    pub fn cell_faults(&self, lifetime: Lifetime, exposure: &Exposure, word_bits: u32) -> CellFaults {
        self.technology.cell_faults(lifetime, &self.protection, exposure, word_bits)
    }

    /// Largest probability, over the bits of a word, that an approximate cell is faulty at the operating point, before
    /// accesses refresh it and before soft errors and errors of single accesses.
    pub fn bit_error_rate(&self) -> f64 {
        let largest = |list: &ByBit| list.from_msb().iter().copied().fold(0.0, f64::max);
        match &self.technology {
            Technology::Uniform(parameters) => largest(&parameters.ber),
            Technology::Sram(parameters) => parameters.error.bit_error_rate(),
            Technology::Dram(dram::Parameters { error, .. }) => {
                error.bit_error_rate(largest(&error.refresh_interval_ms) / 1e3)
            }
        }
    }
}

#[cfg(test)]
mod tests;
