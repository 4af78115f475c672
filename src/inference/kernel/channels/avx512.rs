//! AVX-512: a vector of sixteen output channels is one register; up to 28 sums stay in registers.

use super::{Kernel, MOST_COLUMNS, Tile};
use crate::inference::LANES;
use std::arch::x86_64::{
    _MM_HINT_T1, _mm_prefetch, _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_max_ps,
    _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
};

/// How far ahead weights are fetched into the second-level cache, in values. From 256 to 2,048 values, and in the first-level
/// cache, fully connected layers are equally fast; a plain read of memory is a tenth faster than without.
const PREFETCH: usize = 1024;

/// The kernel for tiles of `vectors` by `columns`. Where adjacent inputs lie one vector apart, as in a convolution of
/// stride 1, a kernel of its own has their distances in its instructions.
pub fn kernel(vectors: usize, columns: usize, input_step: usize) -> Kernel {
    macro_rules! choose {
        ($($columns:literal)*) => {
            match (vectors, columns, input_step) {
                $(
                    (1, $columns, LANES) => tile::<1, $columns, LANES> as Kernel,
                    (2, $columns, LANES) => tile::<2, $columns, LANES> as Kernel,
                    (1, $columns, _) => tile::<1, $columns, 0> as Kernel,
                    (2, $columns, _) => tile::<2, $columns, 0> as Kernel,
                )*
                _ => unreachable!("no kernel has {vectors} vectors and {columns} columns"),
            }
        };
    }
    choose! { 1 2 3 4 5 6 7 8 9 10 11 12 13 14 }
}

/// See [`Kernel`] for what the caller must guarantee. A `STEP` of 0 stands for any distance of adjacent inputs.
#[target_feature(enable = "avx512f")]
unsafe fn tile<const VECTORS: usize, const COLUMNS: usize, const STEP: usize>(tile: &Tile) {
    debug_assert_eq!((VECTORS, COLUMNS), (tile.vectors, tile.columns));
    let step = if STEP == 0 { tile.input_step } else { STEP };
    debug_assert_eq!(step, tile.input_step);
    let zero = _mm512_setzero_ps();
    let mut sums = [[zero; VECTORS]; MOST_COLUMNS];
    // Adds the terms of one k: to be repeated, not looped over, because the additions that count k take the ports of
    // multiplications.
    macro_rules! add_terms {
        ($offset:expr, $weights:expr) => {
            // SAFETY: k is below the depth, for which the caller guarantees offsets, inputs of COLUMNS columns and
            // VECTORS weight vectors. A prefetch may name any address.
            unsafe {
                let input = tile.input.add(*$offset as usize);
                // Three addresses serve all columns: the others are at one, two, three or four steps from them.
                let inputs = [input, input.wrapping_add(5 * step), input.wrapping_add(10 * step)];
                let mut weights = [zero; VECTORS];
                for (v, weight) in weights.iter_mut().enumerate() {
                    let address = $weights.add(v * LANES);
                    *weight = _mm512_loadu_ps(address);
                    _mm_prefetch::<_MM_HINT_T1>(address.wrapping_add(PREFETCH).cast());
                }
                for_each_column!(COLUMNS, column => {
                    let x = _mm512_set1_ps(*inputs[column / 5].add(column % 5 * step));
                    for (sum, &weight) in sums[column].iter_mut().zip(&weights) {
                        *sum = _mm512_fmadd_ps(weight, x, *sum);
                    }
                });
            }
        };
    }
    let (mut offsets, mut weights) = (tile.offsets, tile.weights);
    for _ in 0..tile.depth / 4 {
        add_terms!(offsets, weights);
        add_terms!(offsets.add(1), weights.add(VECTORS * LANES));
        add_terms!(offsets.add(2), weights.add(2 * VECTORS * LANES));
        add_terms!(offsets.add(3), weights.add(3 * VECTORS * LANES));
        // SAFETY: these four are below the depth: the next address is at most past the end.
        unsafe { (offsets, weights) = (offsets.add(4), weights.add(4 * VECTORS * LANES)) };
    }
    for _ in 0..tile.depth % 4 {
        add_terms!(offsets, weights);
        // SAFETY: as above.
        unsafe { (offsets, weights) = (offsets.add(1), weights.add(VECTORS * LANES)) };
    }
    for_each_column!(COLUMNS, column => {
        for (v, &sum) in sums[column].iter().enumerate() {
            // SAFETY: column and v are below those of the tile, whose output vectors and biases the caller guarantees; a
            // vector holds LANES values.
            unsafe {
                const { assert!(LANES == 16) }
                let output = tile.output.add(column * tile.output_step + v * tile.plane_stride);
                let mut sum = sum;
                if !tile.first {
                    sum = _mm512_add_ps(_mm512_loadu_ps(output), sum);
                }
                if tile.last {
                    sum = _mm512_add_ps(sum, _mm512_loadu_ps(tile.bias.add(v * LANES)));
                    if tile.relu {
                        // The second operand wins when it is NaN.
                        sum = _mm512_max_ps(zero, sum);
                    }
                }
                _mm512_storeu_ps(output, sum);
            }
        }
    });
}
