//! What an evaluation is asked for.

use crate::memory::Lifetime;
use crate::number::{BinaryPoint, Format, Rounding};
use serde::Serialize;

/// Which data are evaluated, of those in the data volume.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// This many, the largest ones, >= 1.
    Largest(usize),
    /// The fewest, largest first, that together are at least this share of the data volume, above 0 up to 1.
    Cover(f64),
    /// All.
    All,
}

/// How words of fixed point are narrowed: the paper states neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Policy {
    /// How a word loses its low bits.
    pub rounding: Rounding,
    /// Where the number of integer bits comes from. With [`BinaryPoint::Network`] it is that of all data of the volume together.
    pub binary_point: BinaryPoint,
}

/// Data that random errors strike together, all others being precise fp32.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The weights of all layers; biases are precise.
    Weights,
    /// The inputs of all convolutions and fully connected layers.
    Neurons,
    /// One of [`Subject::data`](super::Subject::data), by its index.
    Datum(usize),
}

/// How surely the mean relative prediction accuracy over devices is told to be above or below the floor.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct VerdictSettings {
    /// Probability of a wrong verdict, in (0, 0.5].
    pub error_rate: f64,
    /// Trials after which a point is left undecided, >= 3.
    pub most_trials: u64,
}

impl Default for VerdictSettings {
    fn default() -> Self {
        Self { error_rate: 0.05, most_trials: 100 }
    }
}

/// Module 3: random errors.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RandomSettings {
    /// Stored words that are evaluated; the first is that of the report.
    pub formats: Vec<Format>,
    /// What is struck.
    pub targets: Vec<Target>,
    /// Bit error rate at which the protected most significant bits are counted, in (0, 1].
    pub ber: f64,
    /// Exponents of the smallest and the largest decade of bit error rates.
    pub decades: [i32; 2],
    /// Lifetime of errors in neurons; those of weights are permanent.
    pub neuron_lifetime: Lifetime,
    /// When enough trials were made.
    pub verdict: VerdictSettings,
    /// Whether the decade's edge is refined.
    pub refine: bool,
    /// Whether every rate and every number of protected bits is measured.
    pub map: bool,
}

/// Module 2: how long better schemes than the greedy one are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SearchSettings {
    /// Forward passes after which the search ends with what it has found; 0: none but greedy.
    pub most_passes: u64,
    /// Forward passes for further points of the Pareto front; 0: the front of what was measured anyway.
    pub front_passes: u64,
}

impl Default for SearchSettings {
    fn default() -> Self {
        Self { most_passes: 60, front_passes: 0 }
    }
}

/// What an evaluation is asked for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Settings {
    /// Relative prediction accuracy below which a design is not acceptable, 0..=1.
    pub floor: f64,
    /// Which data are narrowed.
    pub selection: Selection,
    /// How they are narrowed; the first policy is that of the joint schemes and of the report. Not empty.
    pub policies: Vec<Policy>,
    /// Whether module 1 measures every width from 32 to 1.
    pub curves: bool,
    /// Reduction of data volume per loss of relative prediction accuracy below which a step of the joint scheme is not taken, >= 0.
    pub gain_loss_floor: f64,
    /// How long better joint schemes are looked for.
    pub search: SearchSettings,
    /// Random errors.
    pub random: RandomSettings,
}
