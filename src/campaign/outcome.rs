//! What a campaign measured.

use crate::experiment::Site;
use serde::Serialize;

/// Predictions of one pass over the evaluation images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Score {
    /// Number of images.
    pub images: u64,
    /// Images whose largest logit (the lowest class among equals) is that of their label; none with a NaN logit.
    pub top1_correct: u64,
    /// Images with a NaN among their logits.
    pub nan_images: u64,
    /// Images with an infinite logit and no NaN.
    pub infinite_images: u64,
}

impl Score {
    /// Share of the images predicted right, 0..=1.
    pub fn top1(&self) -> f64 {
        self.top1_correct as f64 / self.images.max(1) as f64
    }

    /// Relative prediction accuracy against `baseline`; `None` when the baseline predicts no image right.
    pub fn rpa(&self, baseline: &Self) -> Option<f64> {
        (baseline.top1_correct > 0).then(|| self.top1() / baseline.top1())
    }
}

/// One device instance, evaluated on all images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Its number, from 0: part of the key of its draws.
    pub index: u64,
    /// Its predictions.
    pub score: Score,
    /// Wrong bits delivered at each site of [`Outcome::sites`].
    pub flips: Vec<u64>,
}

impl Trial {
    /// Wrong bits delivered in the whole trial.
    pub fn total_flips(&self) -> u64 {
        self.flips.iter().sum()
    }
}

/// Everything that a campaign measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Whether predictions were compared with labels; else with the baseline's own predictions.
    pub labelled: bool,
    /// fp32, nothing approximated.
    pub baseline: Score,
    /// Formats and link applied, no faults.
    pub quantised: Score,
    /// Where faults may strike.
    pub sites: Vec<Site>,
    /// The trials in order.
    pub trials: Vec<Trial>,
}
