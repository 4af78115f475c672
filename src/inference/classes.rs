//! Predicted classes.

use super::{Activations, LANES};

/// What a set of images was classified as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Classes {
    /// Per image the class of the largest logit, the lowest index among equals; `None` (wrong, whatever the label) when
    /// one of its logits is NaN.
    pub top1: Vec<Option<usize>>,
    /// Number of images with a NaN logit.
    pub nan_images: usize,
    /// Number of images with an infinite logit and no NaN.
    pub infinite_images: usize,
}

impl Classes {
    /// Number of images whose class equals their label.
    pub fn correct(&self, labels: &[u16]) -> usize {
        self.top1.iter().zip(labels).filter(|(class, label)| **class == Some(usize::from(**label))).count()
    }
}

/// Classifies each image by its logits.
pub fn classify(logits: &Activations) -> Classes {
    let mut classes = Classes::default();
    for index in 0..logits.blocks() {
        let lanes = LANES.min(logits.images() - index * LANES);
        let mut best = [f32::NEG_INFINITY; LANES];
        let mut top1 = [0; LANES];
        let mut has_nan = [false; LANES];
        let mut has_infinity = [false; LANES];
        for (class, vector) in logits.block(index).iter().enumerate() {
            for (lane, &logit) in vector.0.iter().enumerate() {
                if logit > best[lane] {
                    best[lane] = logit;
                    top1[lane] = class;
                }
                has_nan[lane] |= logit.is_nan();
                has_infinity[lane] |= logit.is_infinite();
            }
        }
        for lane in 0..lanes {
            classes.top1.push((!has_nan[lane]).then_some(top1[lane]));
            classes.nan_images += usize::from(has_nan[lane]);
            classes.infinite_images += usize::from(has_infinity[lane] && !has_nan[lane]);
        }
    }
    classes
}
