//! The result of a sweep: one run per point of the grid.

use super::result::{RunResult, SCHEMA_VERSION};
use serde::Serialize;

/// One point of the grid.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Value of each axis, as applied to the configuration.
    pub values: Vec<String>,
    /// The run at this point.
    pub result: RunResult,
}

/// All points of a grid, the last axis running fastest.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SweepResult {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Version of the program.
    pub approxmem_version: &'static str,
    /// Keys of the configuration that are swept.
    pub axes: Vec<String>,
    /// The points.
    pub points: Vec<Point>,
}

impl SweepResult {
    /// A sweep over `axes`.
    pub fn new(axes: Vec<String>, points: Vec<Point>) -> Self {
        Self { schema_version: SCHEMA_VERSION, approxmem_version: env!("CARGO_PKG_VERSION"), axes, points }
    }
}
