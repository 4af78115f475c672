//! What a campaign measured.

use crate::experiment::Site;

/// Predictions of one pass over the evaluation images. An image with a NaN among its logits has no class: it is neither
/// right nor agrees with anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// Number of images.
    pub images: u64,
    /// Images whose largest logit (the lowest class among equals) is that of their label.
    pub top1_correct: u64,
    /// Images whose label is among their five largest logits (of equal ones the lower classes first); `None` for networks
    /// of five classes or fewer, where it would say nothing.
    pub top5_correct: Option<u64>,
    /// Images that are classified as by the baseline.
    pub agreeing: u64,
    /// Images with a NaN among their logits.
    pub nan_images: u64,
    /// Images with an infinite logit and no NaN.
    pub infinite_images: u64,
    /// Per class of the network.
    pub classes: Vec<ClassScore>,
}

/// Predictions of one class in one pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassScore {
    /// Images with this label that are classified right.
    pub correct: u32,
    /// Images of any label that are taken for this class.
    pub predicted: u32,
}

impl Score {
    fn share(&self, images: u64) -> f64 {
        images as f64 / self.images.max(1) as f64
    }

    /// Share of the images predicted right, 0..=1.
    pub fn top1(&self) -> f64 {
        self.share(self.top1_correct)
    }

    /// Share of the images whose label is among their five largest logits, 0..=1; `None` as [`Self::top5_correct`].
    pub fn top5(&self) -> Option<f64> {
        self.top5_correct.map(|correct| self.share(correct))
    }

    /// Share of the images that are classified as by the baseline, 0..=1.
    pub fn agreement(&self) -> f64 {
        self.share(self.agreeing)
    }

    /// Relative prediction accuracy against `baseline`; `None` when the baseline predicts no image right.
    pub fn rpa(&self, baseline: &Self) -> Option<f64> {
        if self.images == baseline.images {
            // Of counts, so that an accuracy of exactly the floor is not one rounding error below it.
            return (baseline.top1_correct > 0)
                .then(|| self.top1_correct as f64 / baseline.top1_correct as f64);
        }
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
    /// Per class of the network, the images with this label.
    pub class_images: Vec<u64>,
    /// fp32, nothing approximated.
    pub baseline: Score,
    /// Formats and link applied, no faults.
    pub quantised: Score,
    /// Where faults may strike.
    pub sites: Vec<Site>,
    /// The trials in order.
    pub trials: Vec<Trial>,
}
