//! One memory of the hierarchy.

use super::uniform;
use serde::Serialize;

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
    /// Every approximate bit errs with the same probability.
    Uniform(uniform::Parameters),
}

/// A named memory in which data subsets rest.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Memory {
    /// Name in the configuration.
    pub name: String,
    /// Its cells.
    #[serde(flatten)]
    pub technology: Technology,
    /// The top bits of every word that sit in precise cells, 0 up to the word's width.
    pub protected_msbs: u32,
    /// Lifetime of its faults; `None`: permanent for weights and biases, transient for neurons.
    pub lifetime: Option<Lifetime>,
}

impl Memory {
    /// Probability that an approximate cell delivers the wrong bit.
    pub fn bit_error_rate(&self) -> f64 {
        match &self.technology {
            Technology::Uniform(parameters) => parameters.ber,
        }
    }
}
