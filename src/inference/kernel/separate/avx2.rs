//! AVX2 with FMA: a vector of sixteen output channels is two registers; six columns at a time.

use super::Tile;
use crate::inference::LANES;
use std::arch::x86_64::{
    __m256, _mm256_add_ps, _mm256_fmadd_ps, _mm256_i32gather_ps, _mm256_loadu_ps, _mm256_loadu_si256,
    _mm256_max_ps, _mm256_setzero_ps, _mm256_storeu_ps,
};

/// See [`super::Kernel`] for what the caller must guarantee.
#[target_feature(enable = "avx2,fma")]
pub unsafe fn tile<const GATHERED: bool>(tile: &Tile) {
    let mut column = 0;
    while column < tile.columns {
        // SAFETY: each call covers columns of the tile; the caller guarantees their addresses.
        unsafe {
            match tile.columns - column {
                1 => part::<1, GATHERED>(tile, column),
                2 => part::<2, GATHERED>(tile, column),
                3 => part::<3, GATHERED>(tile, column),
                4 => part::<4, GATHERED>(tile, column),
                5 => part::<5, GATHERED>(tile, column),
                _ => part::<6, GATHERED>(tile, column),
            }
        }
        column += 6;
    }
}

/// Columns `first..first + COLUMNS`. The caller guarantees that they are of the tile.
#[target_feature(enable = "avx2,fma")]
unsafe fn part<const COLUMNS: usize, const GATHERED: bool>(tile: &Tile, first: usize) {
    let mut sums = [[_mm256_setzero_ps(); 2]; COLUMNS];
    for k in 0..tile.depth {
        // SAFETY: k is below the depth, for which the caller guarantees offsets, inputs and weights of two halves.
        unsafe {
            let weights = tile.weights.add(k * LANES);
            let weights = [_mm256_loadu_ps(weights), _mm256_loadu_ps(weights.add(8))];
            for (column, sums) in sums.iter_mut().enumerate() {
                let input = tile.input.add((first + column) * tile.input_step);
                for (half, (sum, &weight)) in sums.iter_mut().zip(&weights).enumerate() {
                    let x = if GATHERED {
                        let offsets = tile.offsets.add(k * LANES + half * 8);
                        _mm256_i32gather_ps::<4>(input, _mm256_loadu_si256(offsets.cast()))
                    } else {
                        _mm256_loadu_ps(input.add(*tile.offsets.add(k) as usize + half * 8))
                    };
                    *sum = _mm256_fmadd_ps(weight, x, *sum);
                }
            }
        }
    }
    for (column, sums) in sums.iter().enumerate() {
        for (half, &sum) in sums.iter().enumerate() {
            // SAFETY: the tile's output vectors and biases, of two halves each, are guaranteed by the caller.
            unsafe { finish(tile, first + column, half, sum) }
        }
    }
}

/// Adds a chain's sum to half of an output vector. The caller guarantees that the column is of the tile.
#[target_feature(enable = "avx2,fma")]
unsafe fn finish(tile: &Tile, column: usize, half: usize, mut sum: __m256) {
    // SAFETY: the tile's output vectors and biases, of two halves each, are guaranteed by the caller.
    unsafe {
        let output = tile.output.add(column * LANES + half * 8);
        if !tile.first {
            sum = _mm256_add_ps(_mm256_loadu_ps(output), sum);
        }
        if tile.last {
            sum = _mm256_add_ps(sum, _mm256_loadu_ps(tile.bias.add(half * 8)));
            if tile.relu {
                // The second operand wins when it is NaN.
                sum = _mm256_max_ps(_mm256_setzero_ps(), sum);
            }
        }
        _mm256_storeu_ps(output, sum);
    }
}
