//! Error model of SRAM: the share of cells whose minimum voltage lies above the supply, and errors of single accesses.

use crate::memory::cells::{Axis, Failure, Lines, Polarity};
use crate::memory::points::Points;
use crate::random::normal;
use serde::Serialize;

/// Share of faulty cells as a function of the supply voltage v; each falls as v rises.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "curve", rename_all = "snake_case")]
pub enum Curve {
    /// scale·Q((v - mu)/sigma): minimum voltages of cells are normally distributed.
    Probit {
        /// Mean minimum voltage of a cell, in the unit of v.
        mu: f64,
        /// Standard deviation of the minimum voltage, in the unit of v, > 0.
        sigma: f64,
        /// Factor on the tail, > 0: 1, or more where a cell has several ways to fail.
        scale: f64,
    },
    /// scale·Q(z0 + z1·v + z2·v²). Rising z, z1 + 2·z2·v > 0, is required throughout the valid range.
    Probit2 {
        /// Constant term of z.
        z0: f64,
        /// Linear term, per unit of v.
        z1: f64,
        /// Quadratic term, per unit of v squared.
        z2: f64,
        /// Factor on the tail, > 0.
        scale: f64,
    },
    /// Published points (v, bit error rate), exact there; between them Phi^-1 of the rate is linear in v, and outside them it
    /// continues the outermost line.
    Table {
        /// The points; rates never rise with v.
        #[serde(rename = "table_points")]
        points: Points,
    },
}

/// Unit of voltages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VoltageUnit {
    /// Multiples of the lowest voltage at which no cell of the measured arrays failed.
    Vmin,
    /// Volt.
    Volt,
}

/// What a faulty cell delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The inverse of what was stored, whatever it was: the rate of the curve is that of wrong bits.
    Flip,
    /// Always the same; a one with probability `p01_share`. The rate of the curve is that of faulty cells: of the bits that
    /// they hold only those err that differ, half of them in random data.
    Stuck,
}

/// Where faulty cells lie. The mean rate is that of the curve in every case.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "spatial", rename_all = "snake_case")]
pub enum Spatial {
    /// Anywhere, independently.
    Iid,
    /// Cells of a column share a part of their minimum voltage.
    Column {
        /// Standard deviation of the shared part over that of shared and own part together, 0 up to (without) 1: of a
        /// [`Curve::Probit`] `column_sigma` / `sigma`.
        column_ratio: f64,
    },
    /// Faulty cells gather in bad columns.
    BadColumns {
        /// Probability that a column is bad, in (0, 1).
        bad_share: f64,
    },
    /// Faulty cells gather in bad rows.
    BadRows {
        /// Probability that a row is bad, in (0, 1).
        bad_share: f64,
    },
}

/// The error model at its operating point.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Errors {
    /// Name of the preset that the constants come from.
    pub preset: Option<String>,
    /// Share of faulty cells over voltage.
    #[serde(flatten)]
    pub curve: Curve,
    /// Supply voltage, > 0.
    pub v: f64,
    /// Unit of `v` and of every other voltage here.
    pub v_unit: VoltageUnit,
    /// Smallest and largest voltage that the curve is known for; outside it is extrapolated.
    pub v_range: [f64; 2],
    /// Largest rate that the curve gives, in (0, 0.5].
    pub ber_clip: f64,
    /// What a faulty cell delivers.
    pub direction: Direction,
    /// Share of faulty cells that turn a stored 0 into a 1, 0..=1; only [`Direction::Stuck`] uses it.
    pub p01_share: f64,
    /// Share of the rate that sits in cells that are faulty for the life of the device, 0..=1; the rest is drawn anew for each
    /// residency.
    pub persistent_fraction: f64,
    /// Where faulty cells lie.
    #[serde(flatten)]
    pub spatial: Spatial,
    /// Probability that a read inverts the bit that it reads, in the array: it stays wrong until it is written again, 0..=0.01.
    pub read_upset: f64,
    /// Probability that a write leaves the old bit in place, 0..=0.01.
    pub write_fail: f64,
    /// Soft errors in failures per 1e9 hours and Mbit (2^20 bits), >= 0.
    pub ser_fit_per_mbit: f64,
}

impl Curve {
    /// Share of faulty cells at voltage `v`, not clipped.
    fn share(&self, v: f64) -> f64 {
        match self {
            Self::Probit { mu, sigma, scale } => scale * normal::upper_tail((v - mu) / sigma),
            Self::Probit2 { z0, z1, z2, scale } => scale * normal::upper_tail(z0 + v * (z1 + v * z2)),
            Self::Table { points } => {
                let [(v0, p0), (v1, p1)] = points.around(v);
                if v == v0 {
                    return p0;
                }
                if v == v1 {
                    return p1;
                }
                let (z0, z1) = (normal::quantile(p0), normal::quantile(p1));
                normal::cumulative(z0 + (z1 - z0) * ((v - v0) / (v1 - v0)))
            }
        }
    }

    /// Whether the rate falls, or at least never rises, from `v_range[0]` to `v_range[1]`: without that, cells that fail at a
    /// voltage could hold at a lower one.
    pub fn falls_within(&self, v_range: [f64; 2]) -> bool {
        match self {
            Self::Probit { sigma, .. } => *sigma > 0.0,
            Self::Probit2 { z1, z2, .. } => v_range.iter().all(|v| z1 + 2.0 * z2 * v >= 0.0),
            Self::Table { .. } => true,
        }
    }
}

impl Errors {
    /// Bit error rate at the operating voltage: the share of faulty cells, clipped.
    pub fn bit_error_rate(&self) -> f64 {
        self.bit_error_rate_at(self.v)
    }

    /// Bit error rate at voltage `v`, in the unit of the model. It never rises with `v` within the valid range.
    pub fn bit_error_rate_at(&self, v: f64) -> f64 {
        self.curve.share(v).min(self.ber_clip)
    }

    /// Whether `v` lies in the range that the curve is known for.
    pub fn supports(&self, v: f64) -> bool {
        (self.v_range[0]..=self.v_range[1]).contains(&v)
    }

    /// How faulty cells gather on lines.
    pub fn lines(&self) -> Lines {
        match self.spatial {
            Spatial::Iid => Lines::Independent,
            Spatial::Column { column_ratio } => Lines::Shifted { axis: Axis::Column, ratio: column_ratio },
            Spatial::BadColumns { bad_share } => Lines::Bad { axis: Axis::Column, share: bad_share },
            Spatial::BadRows { bad_share } => Lines::Bad { axis: Axis::Row, share: bad_share },
        }
    }

    /// What a faulty cell delivers.
    pub fn failure(&self) -> Failure {
        match self.direction {
            Direction::Flip => Failure::Inverted,
            Direction::Stuck => Failure::Stuck(Polarity::Share(self.p01_share)),
        }
    }
}

#[cfg(test)]
pub(in crate::memory) mod tests;
