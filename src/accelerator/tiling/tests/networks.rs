//! Whole networks against `nn_dataflow` 2.1: AlexNet with pooling on one buffer of 108 KiB, 16-bit words: 62,992,120 words.

use super::*;
use crate::accelerator::lowering::{Fuse, operations};
use crate::network::read_definition;
use std::path::Path;

pub(super) fn network(path: &str, fuse: &Fuse) -> Vec<Operation> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    operations(&read_definition(&path).unwrap(), fuse).unwrap()
}

/// Words of all layers.
fn total(operations: &[Operation], widths: Widths, buffers: &Buffers) -> Result<u64, Error> {
    let residents = Residents::default();
    let words = operations.iter().map(|operation| {
        let problem = Problem { operation, widths, buffers, residents, batch: 1 };
        let plan = problem.search(Objective::LeastTraffic, &output_stationary)?;
        Ok(plan.traffic.words().unwrap())
    });
    words.sum()
}

#[test]
fn alexnet_with_fused_pooling_beats_nn_dataflow() {
    let operations = network("models/alexnet/alexnet.prototxt", &Fuse::All);
    let words = total(&operations, widths(16), &shared(108 << 10, Buffering::Double)).unwrap();
    assert!(words <= 62_830_000, "{words}");
}

#[test]
fn alexnet_with_pooling_of_its_own_beats_nn_dataflow() {
    let norms = Fuse::Layers(["norm1".to_owned(), "norm2".to_owned()].into());
    let operations = network("models/alexnet/alexnet.prototxt", &norms);
    let words = total(&operations, widths(16), &shared(108 << 10, Buffering::Single)).unwrap();
    assert!(words <= 62_930_000, "{words}");
}

/// Sums of 32 bits and no room for more than a few rows: exact numbers or a refusal.
#[test]
fn vgg16_moves_less_the_larger_its_buffers_are() {
    let operations = network("models/vgg16/vgg16.prototxt", &Fuse::All);
    let widths = Widths { partial_sum_bits: 32, ..widths(16) };
    let with = |capacity| total(&operations, widths, &separate([capacity; 3], Buffering::Double));
    // Two copies of four rows of 224 words of 2 bytes: the windows of the first two rows, which are pooled together.
    assert!(matches!(with(3583), Err(Error::TooSmall { needed_bytes: 3584, buffer: 0, .. })));
    let words = [8 << 10, 36 << 10, 64 << 10, 1 << 20, 1 << 30].map(|capacity| with(capacity).unwrap());
    assert!(words.is_sorted_by(|less, more| less > more), "{words:?}");
    // Each word once: 138,357,544 parameters, the picture, and every stored map written once and read once but the last.
    let stored: u64 = operations.iter().map(|operation| operation.stored().words().unwrap()).sum();
    assert_eq!(words[4], 138_357_544 + 3 * 224 * 224 + 2 * stored - 1000);
}
