//! SRAM under voltage scaling.

mod error;

pub use error::{Curve, Direction, Errors, Spatial, VoltageUnit};

use crate::memory::energy::sram::Energy;
#[cfg(test)]
pub(super) use error::tests as error_tests;

use serde::Serialize;

/// An SRAM at its operating point.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Parameters {
    /// What its cells do wrong.
    pub error: Errors,
    /// What it costs; `None`: unknown, and not reported.
    pub energy: Option<Energy>,
}
