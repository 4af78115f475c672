//! AVX2 with FMA: a vector of sixteen output channels is two registers; six columns of one vector at a time.

use super::Tile;
use crate::inference::LANES;
use std::arch::x86_64::{
    __m256, _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_max_ps, _mm256_set1_ps,
    _mm256_setzero_ps, _mm256_storeu_ps,
};

/// See [`super::Kernel`] for what the caller must guarantee.
#[target_feature(enable = "avx2,fma")]
pub unsafe fn tile(tile: &Tile) {
    for v in 0..tile.vectors {
        let mut column = 0;
        while column < tile.columns {
            // SAFETY: each call covers a vector and columns of the tile; the caller guarantees their addresses.
            unsafe {
                match tile.columns - column {
                    1 => part::<1>(tile, v, column),
                    2 => part::<2>(tile, v, column),
                    3 => part::<3>(tile, v, column),
                    4 => part::<4>(tile, v, column),
                    5 => part::<5>(tile, v, column),
                    _ => part::<6>(tile, v, column),
                }
            }
            column += 6;
        }
    }
}

/// Columns `first..first + COLUMNS` of one output vector. The caller guarantees that they are of the tile.
#[target_feature(enable = "avx2,fma")]
unsafe fn part<const COLUMNS: usize>(tile: &Tile, v: usize, first: usize) {
    let mut sums = [[_mm256_setzero_ps(); 2]; COLUMNS];
    for k in 0..tile.depth {
        // SAFETY: k is below the depth, for which the caller guarantees offsets, inputs and weight vectors of two halves.
        unsafe {
            let input = tile.input.add(*tile.offsets.add(k) as usize + first * tile.input_step);
            let weights = tile.weights.add((k * tile.vectors + v) * LANES);
            let weights = [_mm256_loadu_ps(weights), _mm256_loadu_ps(weights.add(8))];
            for (column, sums) in sums.iter_mut().enumerate() {
                let x = _mm256_set1_ps(*input.add(column * tile.input_step));
                for (sum, &weight) in sums.iter_mut().zip(&weights) {
                    *sum = _mm256_fmadd_ps(weight, x, *sum);
                }
            }
        }
    }
    for (column, sums) in sums.iter().enumerate() {
        for (half, &sum) in sums.iter().enumerate() {
            // SAFETY: the tile's output vectors and biases, of two halves each, are guaranteed by the caller.
            unsafe { finish(tile, v, first + column, half, sum) }
        }
    }
}

/// Adds a chain's sum to half of an output vector. The caller guarantees that vector and column are of the tile.
#[target_feature(enable = "avx2,fma")]
unsafe fn finish(tile: &Tile, v: usize, column: usize, half: usize, mut sum: __m256) {
    // SAFETY: the tile's output vectors and biases, of two halves each, are guaranteed by the caller.
    unsafe {
        let output = tile.output.add(column * tile.output_step + v * tile.plane_stride + half * 8);
        if !tile.first {
            sum = _mm256_add_ps(_mm256_loadu_ps(output), sum);
        }
        if tile.last {
            sum = _mm256_add_ps(sum, _mm256_loadu_ps(tile.bias.add(v * LANES + half * 8)));
            if tile.relu {
                // The second operand wins when it is NaN.
                sum = _mm256_max_ps(_mm256_setzero_ps(), sum);
            }
        }
        _mm256_storeu_ps(output, sum);
    }
}
