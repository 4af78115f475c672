//! Predicted classes.

use super::{Activations, LANES};

/// How many of the largest logits are ranked.
const RANKED: usize = 5;

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
    /// Number of logits of an image.
    logits: usize,
}

/// The classes of the largest logits of a set of images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranking {
    /// Per image the classes of the largest logits, as far as there are classes; `None` when one of its logits is NaN.
    ranked: Vec<Option<[u32; RANKED]>>,
    /// Number of logits of an image.
    logits: usize,
}

/// How the images of one label were classified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassCount {
    /// Images with this label.
    pub images: usize,
    /// Images with this label whose class it is.
    pub correct: usize,
    /// Images of any label whose class it is.
    pub predicted: usize,
}

impl Classes {
    /// Number of images whose class equals their label.
    pub fn correct(&self, labels: &[u16]) -> usize {
        self.top1.iter().zip(labels).filter(|(class, label)| **class == Some(usize::from(**label))).count()
    }

    /// Number of images that `self` and `other`, of the same images, classify alike. An image with a NaN logit in either
    /// is not.
    pub fn agreeing(&self, other: &Self) -> usize {
        self.top1.iter().zip(&other.top1).filter(|(one, other)| one.is_some() && one == other).count()
    }

    /// Per class how its images were classified, and how many images were taken for it. Labels beyond the network's
    /// classes are left out.
    pub fn per_class(&self, labels: &[u16]) -> Vec<ClassCount> {
        let mut counts = vec![ClassCount::default(); self.logits];
        for (class, &label) in self.top1.iter().zip(labels) {
            if let Some(count) = counts.get_mut(usize::from(label)) {
                count.images += 1;
                count.correct += usize::from(*class == Some(usize::from(label)));
            }
            if let Some(count) = class.and_then(|class| counts.get_mut(class)) {
                count.predicted += 1;
            }
        }
        counts
    }
}

impl Ranking {
    /// The classes of the five largest logits of image `image` (of all logits where there are fewer), the largest first,
    /// of equal ones the lowest index first; `None` when one of its logits is NaN.
    ///
    /// # Panics
    /// If there is no such image.
    pub fn top5(&self, image: usize) -> Option<&[u32]> {
        self.ranked[image].as_ref().map(|classes| &classes[..RANKED.min(self.logits)])
    }

    /// Number of images whose label is among the classes of their five largest logits.
    pub fn top5_correct(&self, labels: &[u16]) -> usize {
        let labels = labels.iter().take(self.ranked.len()).enumerate();
        labels
            .filter(|(image, label)| self.top5(*image).is_some_and(|top5| top5.contains(&u32::from(**label))))
            .count()
    }
}

/// The largest logits of sixteen images, and their classes.
struct Largest {
    logits: [[f32; LANES]; RANKED],
    classes: [[u32; LANES]; RANKED],
}

impl Largest {
    /// Ranks the logits of class `class`; classes come in ascending order.
    fn insert(&mut self, class: u32, logits: &[f32; LANES]) {
        let mut pairs = logits.iter().zip(&self.logits[RANKED - 1]);
        if class as usize >= RANKED && !pairs.any(|(logit, last)| logit > last) {
            return;
        }
        let (mut logits, mut classes) = (*logits, [class; LANES]);
        // Where one was placed, all behind it move down.
        let mut moves = [false; LANES];
        for rank in 0..RANKED {
            // Ranks from the number of classes so far on are empty.
            let is_empty = rank >= class as usize;
            for lane in 0..LANES {
                let (held, held_class) = (self.logits[rank][lane], self.classes[rank][lane]);
                moves[lane] |= is_empty || logits[lane] > held;
                if moves[lane] {
                    self.logits[rank][lane] = std::mem::replace(&mut logits[lane], held);
                    self.classes[rank][lane] = std::mem::replace(&mut classes[lane], held_class);
                }
            }
        }
    }
}

/// Ranks the classes of each image by their logits.
pub fn rank(logits: &Activations) -> Ranking {
    let mut ranking = Ranking { ranked: Vec::new(), logits: logits.shape().elements() };
    for first in (0..logits.images()).step_by(LANES) {
        let lanes = LANES.min(logits.images() - first);
        let mut largest = Largest { logits: [[0.0; LANES]; RANKED], classes: [[0; LANES]; RANKED] };
        let mut has_nan = [false; LANES];
        // Shapes hold fewer than 2^32 elements.
        for class in 0..ranking.logits {
            let vector = logits.vector(first, class);
            largest.insert(class as u32, &vector);
            for (has_nan, logit) in has_nan.iter_mut().zip(&vector) {
                *has_nan |= logit.is_nan();
            }
        }
        let ranked = |lane: usize| (!has_nan[lane]).then(|| largest.classes.map(|classes| classes[lane]));
        ranking.ranked.extend((0..lanes).map(ranked));
    }
    ranking
}

/// Classifies each image by its logits.
pub fn classify(logits: &Activations) -> Classes {
    let mut classes = Classes { logits: logits.shape().elements(), ..Classes::default() };
    for first in (0..logits.images()).step_by(LANES) {
        let lanes = LANES.min(logits.images() - first);
        let mut best = [f32::NEG_INFINITY; LANES];
        let mut top1 = [0; LANES];
        let mut has_nan = [false; LANES];
        let mut has_infinity = [false; LANES];
        for class in 0..classes.logits {
            for (lane, logit) in logits.vector(first, class).into_iter().enumerate() {
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
