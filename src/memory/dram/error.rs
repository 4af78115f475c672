//! Error model of DRAM: cells that lose their charge between two refreshes.

use crate::memory::ByBit;
use crate::memory::cells::{Failure, Polarity};
use crate::memory::points::Points;
use crate::random::normal;
use serde::Serialize;

/// F(t): share of cells that hold their charge for less than t seconds at the reference temperature; never falls with t.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "retention", rename_all = "snake_case")]
pub enum Retention {
    /// Phi((ln t - `mu_ln_s`) / `sigma_ln`).
    LogNormal {
        /// Mean of the natural logarithm of the retention time in seconds.
        mu_ln_s: f64,
        /// Its standard deviation, > 0.
        sigma_ln: f64,
    },
    /// b1·t^beta, at most 1.
    PowerLaw {
        /// Share of cells that fail after one second, 0..=1.
        b1: f64,
        /// Exponent, > 0.
        beta: f64,
    },
    /// Published points (s, bit error rate), exact there; between them the logarithm of the rate is linear in that of t, and
    /// outside them it continues the outermost line.
    Table {
        /// The points, at positive times; rates never fall with t.
        #[serde(rename = "table_points")]
        points: Points,
    },
}

/// Which value a cell holds as charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "cell_layout", rename_all = "snake_case")]
pub enum CellLayout {
    /// A one, everywhere: bits only fall.
    AllTrue,
    /// A zero, everywhere: bits only rise.
    AllAnti,
    /// Each cell either, with equal probability.
    Half,
    /// A one in the first block of rows, a zero in the second, and so on in turn.
    RowBlocks {
        /// Rows of a block, >= 1.
        row_block: u64,
    },
}

/// The error model at its operating point.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Errors {
    /// Name of the preset that the constants come from.
    pub preset: Option<String>,
    /// Retention of cells at the reference temperature.
    #[serde(flatten)]
    pub retention: Retention,
    /// Shortest and longest retention time that F was recorded for, in seconds at the reference temperature; outside it is
    /// extrapolated.
    pub t_range_s: [f64; 2],
    /// Largest F that the form of the curve is good for, in (0, 1]: beyond the tail that was recorded lies another population.
    pub supported_share: f64,
    /// Temperature that F was recorded at, in degrees Celsius.
    pub t_ref_c: f64,
    /// Operating temperature in degrees Celsius, 0..=95.
    pub temp_c: f64,
    /// Degrees that halve the retention time, 10..=50.
    pub temp_halving_c: f64,
    /// Milliseconds between two refreshes of a cell, > 0, by bit of the word.
    pub refresh_interval_ms: ByBit,
    /// Which value is charge.
    #[serde(flatten)]
    pub cell_layout: CellLayout,
    /// Factor on F, 0.1..=10.
    pub module_scale: f64,
    /// Standard deviation of the natural logarithm of a further factor that each device draws, >= 0; its median is 1. 0: all
    /// devices are alike.
    pub module_sigma: f64,
    /// Whether reading or writing a row refreshes it.
    pub access_refreshes: bool,
    /// Soft errors in failures per 1e9 hours and Mbit (2^20 bits), >= 0.
    pub ser_fit_per_mbit: f64,
}

impl Retention {
    /// F(t) for t >= 0 seconds at the reference temperature.
    fn share(&self, t: f64) -> f64 {
        match self {
            Self::LogNormal { mu_ln_s, sigma_ln } => normal::cumulative((libm::log(t) - mu_ln_s) / sigma_ln),
            Self::PowerLaw { b1, beta } => (b1 * libm::pow(t, *beta)).min(1.0),
            Self::Table { points } => {
                let [(t0, p0), (t1, p1)] = points.around(t);
                if t == t0 {
                    return p0;
                }
                if t == t1 {
                    return p1;
                }
                let slope = libm::log(p1 / p0) / libm::log(t1 / t0);
                (p0 * libm::pow(t / t0, slope)).min(1.0)
            }
        }
    }
}

impl Errors {
    /// Seconds at the reference temperature in which as many cells fail as in `interval_s` seconds at the operating one:
    /// t·2^((T - T0)/H).
    pub fn equivalent_s(&self, interval_s: f64) -> f64 {
        interval_s * libm::exp2((self.temp_c - self.t_ref_c) / self.temp_halving_c)
    }

    /// Share of weak cells of a device of median quality: those that lose their charge within `interval_s` seconds at the
    /// operating temperature. It never falls with the interval, nor with the temperature.
    ///
    /// A weak cell errs only while it holds charge: the bit error rate is this times the share of cells that do, a half in
    /// random data or with as many true cells as anti-cells.
    pub fn bit_error_rate(&self, interval_s: f64) -> f64 {
        (self.module_scale * self.retention.share(self.equivalent_s(interval_s))).min(1.0)
    }

    /// Seconds that a cell of `bit` (0 the least significant) in words of `word_bits` bits waits for its next refresh, where
    /// its row is accessed every `reuse_interval_s` seconds.
    pub fn interval_s(&self, bit: u32, word_bits: u32, reuse_interval_s: f64) -> f64 {
        self.effective_s(self.refresh_interval_ms.at(bit, word_bits), reuse_interval_s)
    }

    /// Seconds without refresh at a refresh interval of `refresh_ms` milliseconds: no more than until the next access, if
    /// accesses refresh.
    pub fn effective_s(&self, refresh_ms: f64, reuse_interval_s: f64) -> f64 {
        let refresh_s = refresh_ms / 1e3;
        if self.access_refreshes { refresh_s.min(reuse_interval_s) } else { refresh_s }
    }

    /// Whether F was recorded for `interval_s` seconds at the operating temperature.
    pub fn supports(&self, interval_s: f64) -> bool {
        (self.t_range_s[0]..=self.t_range_s[1]).contains(&self.equivalent_s(interval_s))
    }

    /// Whether more cells are weak after `interval_s` seconds than the form of the curve is good for.
    pub fn leaves_tail(&self, interval_s: f64) -> bool {
        self.retention.share(self.equivalent_s(interval_s)) > self.supported_share
    }

    /// What a weak cell delivers: what it is without charge.
    pub fn failure(&self) -> Failure {
        Failure::Stuck(match self.cell_layout {
            CellLayout::AllTrue => Polarity::Share(0.0),
            CellLayout::AllAnti => Polarity::Share(1.0),
            CellLayout::Half => Polarity::Share(0.5),
            CellLayout::RowBlocks { row_block } => Polarity::RowBlocks(row_block),
        })
    }
}

#[cfg(test)]
pub(in crate::memory) mod tests;
