//! Classes, their ranking and their counts.

use crate::inference::{Activations, ClassCount, classify, rank};
use crate::network::Shape;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

fn activations(classes: usize, logits: &[f32]) -> Activations {
    Activations::from_images(Shape::new(classes, 1, 1), logits.len() / classes, logits).unwrap()
}

#[test]
fn classes_are_the_lowest_of_the_largest_and_nan_is_no_class() {
    let logits = [
        [1.0, 3.0, 3.0],
        [f32::NAN, 9.0, 1.0],
        [1.0, 2.0, f32::NAN],
        [f32::NEG_INFINITY; 3],
        [0.0, f32::INFINITY, f32::INFINITY],
    ];
    let logits = activations(3, logits.as_flattened());
    let classes = classify(&logits);
    assert_eq!(classes.top1, [Some(1), None, None, Some(0), Some(1)]);
    assert_eq!((classes.nan_images, classes.infinite_images), (2, 2));
    assert_eq!(classes.correct(&[1, 1, 1, 0, 2]), 2);
}

/// Few different values, so that most images have ties.
const VALUES: [f32; 8] = [f32::NEG_INFINITY, -1.0, -0.0, 0.0, 0.5, 1.0, 2.0, f32::INFINITY];

#[test]
fn rankings_are_those_of_a_stable_sort() {
    let mut random = Pcg64Mcg::seed_from_u64(1);
    for classes in [1, 2, 4, 5, 6, 10, 33] {
        let images = 50;
        let logits: Vec<f32> = (0..images * classes).map(|_| VALUES[random.random_range(0..8)]).collect();
        let labels: Vec<u16> = (0..images).map(|_| random.random_range(0..classes) as u16).collect();
        let activations = activations(classes, &logits);
        let (found, top1) = (rank(&activations), classify(&activations).top1);
        let mut correct = 0;
        for image in 0..images {
            let logits = &logits[image * classes..][..classes];
            let mut order: Vec<u32> = (0..classes as u32).collect();
            order.sort_by(|&a, &b| logits[b as usize].partial_cmp(&logits[a as usize]).unwrap());
            order.truncate(5);
            assert_eq!(found.top5(image), Some(&order[..]), "{logits:?}");
            assert_eq!(top1[image], Some(order[0] as usize));
            correct += usize::from(order.contains(&u32::from(labels[image])));
        }
        assert_eq!(found.top5_correct(&labels), correct, "{classes} classes");
    }
}

#[test]
fn an_image_with_nan_is_right_in_no_way() {
    let logits = activations(3, &[f32::NAN, 1.0, 2.0, 1.0, 2.0, 3.0]);
    let (classes, ranking) = (classify(&logits), rank(&logits));
    assert_eq!((ranking.top5(0), ranking.top5(1)), (None, Some(&[2, 1, 0][..])));
    assert_eq!(ranking.top5_correct(&[1, 1]), 1);
    assert_eq!(classes.agreeing(&classes), 1);
    let other = classify(&activations(3, &[0.0, 1.0, 2.0, 1.0, 5.0, 3.0]));
    assert_eq!((classes.agreeing(&other), other.agreeing(&classes), other.agreeing(&other)), (0, 0, 2));
}

#[test]
fn images_are_counted_by_label_and_by_class() {
    let one_hot = |class: usize| (0..3).map(move |c| if c == class { 1.0 } else { 0.0 });
    let logits: Vec<f32> = [0, 0, 1, 2, 1].into_iter().flat_map(one_hot).chain([f32::NAN; 3]).collect();
    let count = |images, correct, predicted| ClassCount { images, correct, predicted };
    let classes = classify(&activations(3, &logits));
    assert_eq!(classes.per_class(&[0, 1, 1, 1, 7, 2]), [count(1, 1, 2), count(3, 1, 2), count(1, 0, 1)]);
}
