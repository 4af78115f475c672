//! DRAM that is refreshed less often than it should be.

mod error;

pub use error::{CellLayout, Errors, Retention};

use crate::memory::energy::dram::Device;
#[cfg(test)]
pub(super) use error::tests as error_tests;

use serde::Serialize;

/// A DRAM at its operating point.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Parameters {
    /// What its cells do wrong.
    pub error: Errors,
    /// What it costs; `None`: unknown, and not reported.
    pub energy: Option<Device>,
}

impl Parameters {
    /// Milliseconds between two refreshes of a cell at which nothing is supposed to fail.
    pub fn nominal_interval_ms(&self) -> f64 {
        nominal_interval_ms(self.energy.as_ref(), Some(self.error.temp_c))
    }
}

/// The interval, in milliseconds, at which nothing is supposed to fail: that of the device, or else the 64 ms of JEDEC, both
/// halved above 85 degrees Celsius.
pub fn nominal_interval_ms(device: Option<&Device>, temp_c: Option<f64>) -> f64 {
    match (device, temp_c) {
        (Some(device), Some(celsius)) => device.at_temperature(celsius).timing.refresh_window_ms,
        (Some(device), None) => device.timing.refresh_window_ms,
        (None, Some(celsius)) if celsius > 85.0 => 32.0,
        (None, _) => 64.0,
    }
}
