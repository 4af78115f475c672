//! Lines of cells that share variation: how likely the cells of each fail.

use super::MapKey;
use super::array::{standard_normal, unit};
use crate::memory::Geometry;
use crate::memory::cells::{Axis, Lines};
use crate::random::{Label, Words, normal};

const LINE: Label = Label::new("line");

/// Largest number of lines whose deviates are looked at beforehand.
const MOST_LISTED: u64 = 1 << 20;
/// Deviates beyond this are cut: one line in 10^9 has a larger one.
const LARGEST_DEVIATE: f64 = 6.0;

/// The lines of one device.
#[derive(Clone, Debug)]
pub(super) enum LineRates {
    Independent,
    Shifted {
        axis: Axis,
        words: Words,
        ratio: f64,
        /// sqrt(1 - r^2).
        root: f64,
        /// Standard normal quantile of the rate of each bit.
        quantiles: Vec<f64>,
        /// The largest deviate of any line.
        largest: f64,
    },
    Bad {
        axis: Axis,
        words: Words,
        share: f64,
    },
}

impl LineRates {
    /// The lines of the device of `key`, whose cells fail with the mean rates `rates` by bit.
    pub fn new(lines: &Lines, geometry: &Geometry, rates: &[f64], key: MapKey) -> Self {
        match *lines {
            Lines::Independent | Lines::Shifted { ratio: 0.0, .. } => Self::Independent,
            Lines::Shifted { axis, ratio } => {
                let words = key.words(LINE);
                let listed = line_count(axis, geometry).filter(|&count| count <= MOST_LISTED);
                let largest = listed.map_or(LARGEST_DEVIATE, |count| {
                    (0..count).map(|line| deviate(words, line)).fold(-LARGEST_DEVIATE, f64::max)
                });
                Self::Shifted {
                    axis,
                    words,
                    ratio,
                    root: (1.0 - ratio * ratio).sqrt(),
                    quantiles: rates.iter().map(|&rate| normal::quantile(rate)).collect(),
                    largest,
                }
            }
            Lines::Bad { axis, share } => Self::Bad { axis, words: key.words(LINE), share },
        }
    }

    pub fn is_independent(&self) -> bool {
        matches!(self, Self::Independent)
    }

    /// The largest rate of a cell on any line, where the mean rate is `rate`.
    pub fn largest(&self, rate: f64) -> f64 {
        match *self {
            Self::Independent => rate,
            Self::Shifted { ratio, root, largest, .. } => {
                shifted(normal::quantile(rate), ratio, root, largest)
            }
            Self::Bad { share, .. } => (rate / share).min(1.0),
        }
    }

    /// Whether the cell `cell` of number `u` fails where it holds bit `bit`, of mean rate `rate`.
    pub fn fails(&self, geometry: &Geometry, cell: u64, u: f64, rate: f64, bit: u32) -> bool {
        match *self {
            Self::Independent => u < rate,
            Self::Shifted { axis, words, ratio, root, ref quantiles, .. } => {
                let z = deviate(words, line_of(axis, geometry, cell));
                u < shifted(quantiles[bit as usize], ratio, root, z)
            }
            Self::Bad { axis, words, share } => {
                let line = words.at(line_of(axis, geometry, cell));
                let is_bad = unit(line) < share;
                u < if is_bad { (rate / share).min(1.0) } else { ((rate - share) / (1.0 - share)).max(0.0) }
            }
        }
    }
}

/// Rate of the cells on a line of deviate `z`: Phi((Phi^-1(p) + r z) / sqrt(1 - r^2)).
fn shifted(quantile: f64, ratio: f64, root: f64, z: f64) -> f64 {
    normal::cumulative((quantile + ratio * z) / root)
}

fn deviate(words: Words, line: u64) -> f64 {
    standard_normal(words.at(line)).clamp(-LARGEST_DEVIATE, LARGEST_DEVIATE)
}

fn line_of(axis: Axis, geometry: &Geometry, cell: u64) -> u64 {
    match axis {
        Axis::Column => geometry.bitline(cell),
        Axis::Row => geometry.wordline(cell),
    }
}

fn line_count(axis: Axis, geometry: &Geometry) -> Option<u64> {
    match axis {
        Axis::Column => Some(geometry.banks * geometry.row_bits()),
        Axis::Row => geometry.rows.map(|rows| rows * geometry.banks),
    }
}
