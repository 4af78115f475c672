//! What predictions are compared with.

use super::outcome::{ClassScore, Score};
use crate::inference::{Activations, ClassCount, Classes, classify};

/// Length of a ranking in which a label counts as found. Networks of no more classes would find every label.
const RANKED: usize = 5;

/// The labels of the evaluation images, and what the baseline predicts for them.
#[derive(Debug)]
pub(super) struct Reference<'a> {
    labels: &'a [u16],
    baseline: Classes,
    classes: usize,
}

impl<'a> Reference<'a> {
    pub fn new(labels: &'a [u16], baseline_logits: &Activations) -> Self {
        let classes = baseline_logits.shape().elements();
        Self { labels, baseline: classify(baseline_logits), classes }
    }

    /// Per class, the images with this label.
    pub fn class_images(&self) -> Vec<u64> {
        self.baseline.per_class(self.labels).iter().map(|class| class.images as u64).collect()
    }

    /// Compares the predictions that `logits`, of the same images, give.
    pub fn score(&self, logits: &Activations) -> Score {
        let classes = classify(logits);
        let per_class = classes.per_class(self.labels);
        // No more images than labels, which are counted in 32 bits wherever they fit into memory as activations.
        let count = |class: &ClassCount| ClassScore {
            correct: class.correct as u32,
            predicted: class.predicted as u32,
        };
        Score {
            images: self.labels.len() as u64,
            top1_correct: classes.correct(self.labels) as u64,
            top5_correct: (self.classes > RANKED).then(|| self.top5_correct(logits, &classes)),
            agreeing: classes.agreeing(&self.baseline) as u64,
            nan_images: classes.nan_images as u64,
            infinite_images: classes.infinite_images as u64,
            classes: per_class.iter().map(count).collect(),
        }
    }

    /// Number of images whose label is among their five largest logits. Only images that are classified wrong, mostly few,
    /// are looked at: a trial must not take longer for it.
    fn top5_correct(&self, logits: &Activations, classes: &Classes) -> u64 {
        let pairs = classes.top1.iter().zip(self.labels).enumerate();
        let right = pairs.filter(|(image, (class, label))| {
            let label = usize::from(**label);
            class.is_some_and(|class| class == label || is_ranked(logits, *image, label))
        });
        right.count() as u64
    }
}

/// Whether fewer than five classes go before `label` in `image`, which has no NaN: those of larger logits, and of equal ones
/// the lower classes.
fn is_ranked(logits: &Activations, image: usize, label: usize) -> bool {
    let Some(own) = logits.image(image).nth(label) else { return false };
    let before = |(class, logit): &(usize, f32)| *logit > own || (*logit == own && *class < label);
    logits.image(image).enumerate().filter(before).take(RANKED).count() < RANKED
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::rank;
    use crate::network::Shape;
    use rand::{RngExt, SeedableRng};
    use rand_pcg::Pcg64Mcg;

    /// Few different values, so that most images have ties.
    const VALUES: [f32; 6] = [f32::NEG_INFINITY, -1.0, 0.0, 0.5, 1.0, f32::INFINITY];

    #[test]
    fn top5_is_that_of_the_ranking() {
        let mut random = Pcg64Mcg::seed_from_u64(1);
        for classes in [3, 5, 6, 10, 40] {
            let images = 200;
            let mut logits: Vec<f32> =
                (0..images * classes).map(|_| VALUES[random.random_range(0..6)]).collect();
            logits[7] = f32::NAN;
            let labels: Vec<u16> = (0..images).map(|_| random.random_range(0..classes) as u16).collect();
            let logits = Activations::from_images(Shape::new(classes, 1, 1), images, &logits).unwrap();
            let score = Reference::new(&labels, &logits).score(&logits);
            let ranked = rank(&logits).top5_correct(&labels) as u64;
            assert_eq!(score.top5_correct, (classes > 5).then_some(ranked), "{classes} classes");
            assert_eq!((score.agreeing, score.nan_images), (199, 1));
        }
    }

    #[test]
    fn labels_that_are_no_class_are_never_right() {
        let logits = Activations::from_images(Shape::new(6, 1, 1), 2, &[0.0; 12]).unwrap();
        let score = Reference::new(&[u16::MAX, 0], &logits).score(&logits);
        assert_eq!((score.top1_correct, score.top5_correct), (1, Some(1)));
    }
}
