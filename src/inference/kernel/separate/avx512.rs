//! AVX-512: a vector of sixteen output channels is one register; up to 14 sums stay in registers.

use super::{Kernel, MOST_COLUMNS, Tile};
use crate::inference::LANES;
use std::arch::x86_64::{
    _mm512_add_ps, _mm512_fmadd_ps, _mm512_i32gather_ps, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_max_ps,
    _mm512_setzero_ps, _mm512_setzero_si512, _mm512_storeu_ps,
};

/// The kernel for tiles of `columns`.
pub fn kernel(columns: usize, gathered: bool) -> Kernel {
    macro_rules! choose {
        ($($columns:literal)*) => {
            match (columns, gathered) {
                $(
                    ($columns, false) => tile::<$columns, false> as Kernel,
                    ($columns, true) => tile::<$columns, true> as Kernel,
                )*
                _ => unreachable!("no kernel has {columns} columns"),
            }
        };
    }
    choose! { 1 2 3 4 5 6 7 8 9 10 11 12 13 14 }
}

/// See [`Kernel`] for what the caller must guarantee.
#[target_feature(enable = "avx512f")]
unsafe fn tile<const COLUMNS: usize, const GATHERED: bool>(tile: &Tile) {
    const { assert!(LANES == 16) }
    debug_assert_eq!(COLUMNS, tile.columns);
    let (zero, step) = (_mm512_setzero_ps(), tile.input_step);
    let mut sums = [zero; MOST_COLUMNS];
    for k in 0..tile.depth {
        // SAFETY: k is below the depth, for which the caller guarantees the weight vector, and offsets and inputs of COLUMNS
        // columns, sixteen of each where they are gathered.
        unsafe {
            let weight = _mm512_loadu_ps(tile.weights.add(k * LANES));
            let (input, offsets) = if GATHERED {
                (tile.input, _mm512_loadu_si512(tile.offsets.add(k * LANES).cast()))
            } else {
                (tile.input.add(*tile.offsets.add(k) as usize), _mm512_setzero_si512())
            };
            for_each_column!(COLUMNS, column => {
                let input = input.add(column * step);
                let x = if GATHERED {
                    _mm512_i32gather_ps::<4>(offsets, input)
                } else {
                    _mm512_loadu_ps(input)
                };
                sums[column] = _mm512_fmadd_ps(weight, x, sums[column]);
            });
        }
    }
    for_each_column!(COLUMNS, column => {
        // SAFETY: the column is one of the tile, whose output vectors and biases the caller guarantees.
        unsafe {
            let output = tile.output.add(column * LANES);
            let mut sum = sums[column];
            if !tile.first {
                sum = _mm512_add_ps(_mm512_loadu_ps(output), sum);
            }
            if tile.last {
                sum = _mm512_add_ps(sum, _mm512_loadu_ps(tile.bias));
                if tile.relu {
                    // The second operand wins when it is NaN.
                    sum = _mm512_max_ps(zero, sum);
                }
            }
            _mm512_storeu_ps(output, sum);
        }
    });
}
