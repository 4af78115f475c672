//! What may go wrong in the cells of a memory: all that fault maps need to know of a technology.

use crate::random::normal;
use serde::Serialize;

/// Rates and mechanisms of the cells that hold words of one width in one memory, at its operating point.
#[derive(Clone, Debug, PartialEq)]
pub struct CellFaults {
    /// By bit of the word, bit 0 the least significant: probability that its cell is weak for the life of the device.
    pub weak: Vec<f64>,
    /// By bit: probability that its cell delivers the inverse of what it holds, drawn anew for each residency.
    pub upset: Vec<f64>,
    /// The same two for the check bits of a code.
    pub check: CheckRates,
    /// What a weak cell delivers.
    pub failure: Failure,
    /// How weak cells gather on lines.
    pub lines: Lines,
    /// Standard deviation of the natural logarithm of a factor on `weak` that is drawn once per device; its median is 1.
    pub device_sigma: f64,
}

/// Rates of check bits.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CheckRates {
    /// As [`CellFaults::weak`].
    pub weak: f64,
    /// As [`CellFaults::upset`].
    pub upset: f64,
}

/// What a weak cell delivers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The inverse of what was stored.
    Inverted,
    /// Always the same, by the polarity of the cell: wrong only where something else was stored.
    Stuck(Polarity),
}

/// Which weak cells deliver a one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Polarity {
    /// Each with this probability, 0..=1; the others deliver a zero.
    Share(f64),
    /// Those in every second block of so many rows (>= 1); the first block delivers zeros.
    RowBlocks(u64),
}

/// A direction of the cell array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// Cells of one bank that share a bitline.
    Column,
    /// Cells of one bank that share a wordline.
    Row,
}

/// How weak cells gather on lines. The mean rate over lines is the rate of the cell in every case.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lines {
    /// Not at all: cells fail independently.
    Independent,
    /// Cells of a line share a part of their variation: a cell of rate p on a line of standard normal deviate z is weak with
    /// probability Phi((Phi^-1(p) + r z) / sqrt(1 - r^2)).
    Shifted {
        /// Which lines.
        axis: Axis,
        /// Standard deviation of the lines over the total one, r in 0..1.
        ratio: f64,
    },
    /// A line is bad with probability P; its cells are weak with probability min(1, p / P), those of the other lines with what
    /// is left, max(0, p - P) / (1 - P).
    Bad {
        /// Which lines.
        axis: Axis,
        /// P, in (0, 1).
        share: f64,
    },
}

/// Mean over devices of min(1, rate·e^(sigma·x)) with x standard normal: the share of weak cells where a device of median
/// quality has `rate`. Closed form: rate·e^(s²/2)·Phi(c - s) + Q(c) with c = -ln(rate) / s.
pub fn mean_over_devices(rate: f64, sigma: f64) -> f64 {
    if sigma == 0.0 || rate == 0.0 {
        return rate.min(1.0);
    }
    let cut = -libm::log(rate) / sigma;
    rate * libm::exp(sigma * sigma / 2.0) * normal::cumulative(cut - sigma) + normal::upper_tail(cut)
}

impl CellFaults {
    /// Cells of words of `word_bits` bits that are all alike: independent, inverting, weak with probability `weak`, upset with
    /// probability `upset` per residency.
    pub fn uniform(word_bits: u32, weak: f64, upset: f64) -> Self {
        Self {
            weak: vec![weak; word_bits as usize],
            upset: vec![upset; word_bits as usize],
            check: CheckRates { weak, upset },
            failure: Failure::Inverted,
            lines: Lines::Independent,
            device_sigma: 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_over_devices_is_that_of_the_clipped_log_normal() {
        for (rate, sigma) in [(1e-4, 1.0), (1e-3, 3.0), (0.3, 0.5), (0.9, 3.0)] {
            // Midpoint rule over the deviate.
            let (steps, width) = (200_000, 20.0);
            let sum: f64 = (0..steps)
                .map(|step| {
                    let x = (f64::from(step) + 0.5) / f64::from(steps) * width - width / 2.0;
                    (-x * x / 2.0).exp() * (rate * (sigma * x).exp()).min(1.0)
                })
                .sum();
            let expected = sum * width / f64::from(steps) / (2.0 * std::f64::consts::PI).sqrt();
            let found = mean_over_devices(rate, sigma);
            assert!((found / expected - 1.0).abs() < 1e-6, "{rate}, {sigma}: {found}, expected {expected}");
        }
        assert_eq!((mean_over_devices(0.2, 0.0), mean_over_devices(0.0, 1.0)), (0.2, 0.0));
    }
}
