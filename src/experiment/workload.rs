//! How often an inference runs, and so how long data stay in the memories.

use super::Experiment;
use crate::memory::residency::Exposure;
use serde::Serialize;

/// How often inferences run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Workload {
    /// Inferences per second, > 0; `None`: back to back, one as soon as the memories have moved the data of the one before.
    pub inferences_per_second: Option<f64>,
}

impl Experiment {
    /// Seconds between the starts of two inferences; `None` if they run back to back and no memory says how fast it is.
    pub fn period_s(&self) -> Option<f64> {
        self.workload.inferences_per_second.map(|rate| 1.0 / rate).or_else(|| self.busy_s())
    }

    /// What words go through in a memory: written once, read once per inference, each access refreshing their row.
    pub fn exposure(&self) -> Exposure {
        match self.period_s() {
            Some(period) => Exposure::once(period),
            // The configuration refuses what depends on an unknown period.
            None => Exposure { reuse_interval_s: f64::INFINITY, ..Exposure::once(0.0) },
        }
    }
}
