//! A memory whose approximate bits all err with one probability, independently.

use serde::{Deserialize, Serialize};

/// Parameters of the uniform error model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Bit error rate: probability that a stored bit is read wrong, 0..=1.
    pub ber: f64,
}
