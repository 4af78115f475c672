//! AVX2 with FMA: a vector of sixteen images is two registers; six output channels of one output vector at a time.

use super::Tile;
use std::arch::x86_64::{
    __m256, _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_max_ps, _mm256_set1_ps,
    _mm256_setzero_ps, _mm256_storeu_ps,
};

/// See [`super::Kernel`] for what the caller must guarantee.
#[target_feature(enable = "avx2,fma")]
pub unsafe fn tile(tile: &Tile) {
    for column in 0..tile.columns {
        let mut row = 0;
        while row < tile.rows {
            // SAFETY: each call covers rows and a column of the tile; the caller guarantees their addresses.
            unsafe {
                match tile.rows - row {
                    1 => part::<1>(tile, row, column),
                    2 => part::<2>(tile, row, column),
                    3 => part::<3>(tile, row, column),
                    4 => part::<4>(tile, row, column),
                    5 => part::<5>(tile, row, column),
                    _ => part::<6>(tile, row, column),
                }
            }
            row += 6;
        }
    }
}

/// Output channels `first..first + ROWS` of one output vector. The caller guarantees that they are of the tile.
#[target_feature(enable = "avx2,fma")]
unsafe fn part<const ROWS: usize>(tile: &Tile, first: usize, column: usize) {
    let zero = _mm256_setzero_ps();
    let mut sums = [[zero; 2]; ROWS];
    // SAFETY: `column` is a column of the tile.
    let input = unsafe { tile.input.add(*tile.input_columns.add(column) as usize) };
    for k in 0..tile.depth {
        // SAFETY: k is below the depth, for which the caller guarantees offsets, input vectors and weights.
        unsafe {
            let x = input.add(*tile.offsets.add(k) as usize);
            let x = [_mm256_loadu_ps(x), _mm256_loadu_ps(x.add(8))];
            let weights = tile.weights.add(k * tile.rows + first);
            for (row, sums) in sums.iter_mut().enumerate() {
                let weight = _mm256_set1_ps(*weights.add(row));
                for (sum, &x) in sums.iter_mut().zip(&x) {
                    *sum = _mm256_fmadd_ps(weight, x, *sum);
                }
            }
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        for (half, &sum) in sums.iter().enumerate() {
            // SAFETY: the tile's output vectors, of two halves each, and its biases are guaranteed by the caller.
            unsafe { finish(tile, first + row, column, half, sum) }
        }
    }
}

/// Adds a chain's sum to half of an output vector. The caller guarantees that row and column are of the tile.
#[target_feature(enable = "avx2,fma")]
unsafe fn finish(tile: &Tile, row: usize, column: usize, half: usize, mut sum: __m256) {
    // SAFETY: the tile's output vectors, of two halves each, and its biases are guaranteed by the caller.
    unsafe {
        let column = *tile.output_columns.add(column) as usize;
        let output = tile.output.add(column + row * tile.row_stride + half * 8);
        if !tile.first {
            sum = _mm256_add_ps(_mm256_loadu_ps(output), sum);
        }
        if tile.last {
            sum = _mm256_add_ps(sum, _mm256_set1_ps(*tile.bias.add(row)));
            if tile.relu {
                // The second operand wins when it is NaN.
                sum = _mm256_max_ps(_mm256_setzero_ps(), sum);
            }
        }
        _mm256_storeu_ps(output, sum);
    }
}
