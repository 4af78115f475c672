//! Tilings against published bounds, and against a replay that moves every word.

mod any;
mod bound;
mod invariants;
mod networks;
mod refusals;
mod replay;
mod residency;

use super::*;
use crate::accelerator::array::Gemm;
use crate::accelerator::operation::{Extent, Kind, Window};

/// Cycles of an output-stationary array of 32 rows and 32 columns.
pub(super) fn output_stationary(gemm: &Gemm) -> Option<u64> {
    let folds = gemm.pixels.div_ceil(32).checked_mul(gemm.filters.div_ceil(32))?;
    folds.checked_mul(gemm.window.checked_add(62)?)
}

/// All words of `bits`.
pub(super) fn widths(bits: u32) -> Widths {
    Widths { ifmap_bits: bits, filter_bits: bits, bias_bits: bits, ofmap_bits: bits, partial_sum_bits: bits }
}

/// Three buffers of their own.
pub(super) fn separate(capacity_bytes: [u64; 3], buffering: Buffering) -> Buffers {
    let buffers = capacity_bytes.map(|capacity_bytes| Buffer { capacity_bytes }).to_vec();
    Buffers { buffers, ifmap: 0, filter: 1, ofmap: 2, buffering }
}

/// One buffer for all.
pub(super) fn shared(capacity_bytes: u64, buffering: Buffering) -> Buffers {
    Buffers { buffers: vec![Buffer { capacity_bytes }], ifmap: 0, filter: 0, ofmap: 0, buffering }
}

/// A convolution that slides a square kernel.
pub(super) fn convolution(input: Extent, filters: u64, window: Window, groups: u64) -> Operation {
    let along = |extent: u64, axis: usize| {
        let reach = (window.kernel[axis] - 1) * window.dilation[axis] + 1;
        (extent + window.pad[axis] + window.pad_end[axis] - reach) / window.stride[axis] + 1
    };
    Operation {
        name: "layer".to_owned(),
        kind: Kind::Convolution,
        input,
        output: Extent::new(filters, along(input.height, 0), along(input.width, 1)),
        window,
        groups,
        has_bias: false,
        followers: Vec::new(),
        sources: Vec::new(),
        added: Vec::new(),
    }
}
