//! AVX-512: a vector of sixteen images is one register; up to 24 sums stay in registers.

use super::{Kernel, Tile};
use crate::inference::LANES;
use std::arch::x86_64::{
    _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_max_ps, _mm512_set1_ps, _mm512_setzero_ps,
    _mm512_storeu_ps,
};

/// The kernel for tiles of `rows` by `columns`.
pub fn kernel(rows: usize, columns: usize) -> Kernel {
    macro_rules! choose {
        ($($rows:literal: $($columns:literal)*;)*) => {
            match (rows, columns) {
                $($(($rows, $columns) => tile::<$rows, $columns> as Kernel,)*)*
                _ => unreachable!("no kernel has {rows} rows and {columns} columns"),
            }
        };
    }
    choose! {
        1: 8 4 2 1; 2: 8 4 2 1; 3: 8 4 2 1;
        4: 4 2 1; 5: 4 2 1; 6: 4 2 1;
        7: 2 1; 8: 2 1; 9: 2 1; 10: 2 1; 11: 2 1; 12: 2 1;
    }
}

/// See [`Kernel`] for what the caller must guarantee.
#[target_feature(enable = "avx512f")]
unsafe fn tile<const ROWS: usize, const COLUMNS: usize>(tile: &Tile) {
    debug_assert_eq!((ROWS, COLUMNS), (tile.rows, tile.columns));
    let zero = _mm512_setzero_ps();
    let mut sums = [[zero; COLUMNS]; ROWS];
    let mut inputs = [tile.input; COLUMNS];
    for (column, input) in inputs.iter_mut().enumerate() {
        // SAFETY: the caller guarantees COLUMNS column offsets inside the input.
        *input = unsafe { input.add(*tile.input_columns.add(column) as usize) };
    }
    for k in 0..tile.depth {
        // SAFETY: k is below the depth, for which the caller guarantees offsets, input vectors and weights.
        unsafe {
            let offset = *tile.offsets.add(k) as usize;
            let mut x = [zero; COLUMNS];
            for (x, input) in x.iter_mut().zip(&inputs) {
                *x = _mm512_loadu_ps(input.add(offset));
            }
            let weights = tile.weights.add(k * ROWS);
            for (row, sums) in sums.iter_mut().enumerate() {
                let weight = _mm512_set1_ps(*weights.add(row));
                for (sum, &x) in sums.iter_mut().zip(&x) {
                    *sum = _mm512_fmadd_ps(weight, x, *sum);
                }
            }
        }
    }
    for column in 0..COLUMNS {
        for (row, sums) in sums.iter().enumerate() {
            // SAFETY: row and column are below those of the tile, whose output vectors and biases the caller
            // guarantees; a vector holds LANES values.
            unsafe {
                const { assert!(LANES == 16) }
                let output =
                    tile.output.add(*tile.output_columns.add(column) as usize + row * tile.row_stride);
                let mut sum = sums[column];
                if !tile.first {
                    sum = _mm512_add_ps(_mm512_loadu_ps(output), sum);
                }
                if tile.last {
                    sum = _mm512_add_ps(sum, _mm512_set1_ps(*tile.bias.add(row)));
                    if tile.relu {
                        // The second operand wins when it is NaN.
                        sum = _mm512_max_ps(zero, sum);
                    }
                }
                _mm512_storeu_ps(output, sum);
            }
        }
    }
}
