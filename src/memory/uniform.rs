//! A memory whose approximate bits err with given probabilities, independently.

use super::ByBit;
use serde::Serialize;

/// Parameters of the uniform error model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Parameters {
    /// Name of the preset that the rate comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// Bit error rate: probability that a stored bit is read wrong, 0..=1.
    pub ber: ByBit,
    /// Soft errors in failures per 1e9 hours and Mbit (2^20 bits), >= 0; 0: none.
    #[serde(skip_serializing_if = "is_zero")]
    pub ser_fit_per_mbit: f64,
}

impl From<f64> for Parameters {
    /// One rate for every bit, no soft errors.
    fn from(ber: f64) -> Self {
        Self { preset: None, ber: ber.into(), ser_fit_per_mbit: 0.0 }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(value: &f64) -> bool {
    *value == 0.0
}
