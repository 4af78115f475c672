//! How often an inference runs, and so how long data stay in the memories.

use super::{Experiment, Running};
use crate::memory::residency::Exposure;
use serde::Serialize;

/// How often inferences run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Workload {
    /// Inferences per second, > 0; `None`: back to back, one as soon as the memories have moved the data of the one before.
    pub inferences_per_second: Option<f64>,
}

impl Workload {
    /// Seconds between the starts of two inferences on an accelerator: as asked for, but not shorter than an inference takes.
    pub fn period_on(&self, running: &Running) -> f64 {
        let least = running.seconds_per_inference();
        self.inferences_per_second.map_or(least, |rate| (1.0 / rate).max(least))
    }
}

impl Experiment {
    /// Seconds between the starts of two inferences; `None` if they run back to back and nothing says how fast that is.
    pub fn period_s(&self) -> Option<f64> {
        if let Some(running) = &self.running {
            return Some(self.workload.period_on(running));
        }
        self.workload.inferences_per_second.map(|rate| 1.0 / rate).or_else(|| self.busy_s())
    }

    /// What the words of data subset `subset` go through in memory `memory`: as the layer trace says; without one written once
    /// and read once per inference, each access refreshing their row.
    pub fn exposure(&self, subset: usize, memory: usize) -> Exposure {
        let period = self.period_s();
        if let (Some(running), Some(period)) = (&self.running, period)
            && let Some(exposure) = running.exposure(subset, memory, period)
        {
            return exposure;
        }
        match period {
            Some(period) => Exposure::once(period),
            // The configuration refuses what depends on an unknown period.
            None => Exposure { reuse_interval_s: f64::INFINITY, ..Exposure::once(0.0) },
        }
    }
}
