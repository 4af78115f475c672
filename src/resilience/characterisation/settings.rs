//! What the characterisation is asked for.

use serde::Serialize;
use std::fmt;

/// What a design is to have least of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// Energy of an inference.
    Energy,
    /// Bytes to and from DRAM; without an accelerator the volume moved once.
    Traffic,
    /// Cycles of the accelerator.
    Cycles,
}

impl fmt::Display for Objective {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Energy => "energy",
            Self::Traffic => "traffic",
            Self::Cycles => "cycles",
        })
    }
}

/// The designs among which the cheapest is searched, and how far.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SearchSettings {
    /// Operating points of each memory beside the precise one, >= 1.
    pub points_per_memory: usize,
    /// Most protected bits of a word.
    pub most_protected_msbs: u32,
    /// Bits by which all words of the joint scheme are widened, each a scheme of its own; 0 is the scheme itself.
    pub widened_by_bits: Vec<u32>,
    /// Widths at which all weights and neurons of the volume form a scheme, 1..=32.
    pub uniform_bits: Vec<u32>,
    /// Most designs that are listed: with more, memories get fewer operating points.
    pub most_designs: u64,
    /// Most designs that one search measures, probes of why one fails included.
    pub most_measured: u64,
    /// Most trials of one design in the search, >= 3.
    pub most_trials: u64,
    /// Most designs of one search that are measured on other devices, >= 1.
    pub most_confirmations: u64,
    /// Most trials of a confirmation, on other devices than those of the search, >= 3. Where errors are so rare that most devices have
    /// none of some kind, 250 and more are needed.
    pub confirmation_trials: u64,
}

impl Default for SearchSettings {
    fn default() -> Self {
        Self {
            points_per_memory: 6,
            most_protected_msbs: 4,
            widened_by_bits: vec![0, 1, 2, 4],
            uniform_bits: vec![8, 16],
            most_designs: 400_000,
            most_measured: 300,
            most_trials: 20,
            most_confirmations: 8,
            confirmation_trials: 300,
        }
    }
}

/// What the characterisation is asked for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CharacterisationSettings {
    /// Data that meet the floor alone at this width or fewer bits are resilient.
    pub resilient_bits: u32,
    /// Most trials that verify a scheme with its memories as tolerated, >= 3. A verdict that holds for any distribution takes 120 and more;
    /// with 16 and more there is one where every device has several flips of each kind.
    pub verification_trials: u64,
    /// Probability that a design is told to meet the floor and does not, in (0, 0.5).
    pub error_rate: f64,
    /// What the cheapest design has least of; `None`: it is not searched for.
    pub optimise: Option<Objective>,
    /// How it is searched for.
    pub search: SearchSettings,
}

impl Default for CharacterisationSettings {
    fn default() -> Self {
        Self {
            resilient_bits: 8,
            verification_trials: 40,
            error_rate: 0.05,
            optimise: None,
            search: SearchSettings::default(),
        }
    }
}
