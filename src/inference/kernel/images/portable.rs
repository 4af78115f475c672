//! Portable code: fused multiply-adds as the compiler provides them.

use super::Tile;
use crate::inference::LANES;

/// See [`super::Kernel`] for what the caller must guarantee, instruction set apart.
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
                    _ => part::<4>(tile, row, column),
                }
            }
            row += 4;
        }
    }
}

/// Output channels `first..first + ROWS` of one output vector. The caller guarantees that they are of the tile.
unsafe fn part<const ROWS: usize>(tile: &Tile, first: usize, column: usize) {
    let mut sums = [[0.0_f32; LANES]; ROWS];
    // SAFETY: `column` is a column of the tile.
    let input = unsafe { tile.input.add(*tile.input_columns.add(column) as usize) };
    for k in 0..tile.depth {
        // SAFETY: k is below the depth, for which the caller guarantees offsets, input vectors of LANES values and
        // weights.
        let (x, weights) = unsafe {
            let x = input.add(*tile.offsets.add(k) as usize).cast::<[f32; LANES]>().read();
            (x, tile.weights.add(k * tile.rows + first).cast::<[f32; ROWS]>().read())
        };
        for (sums, weight) in sums.iter_mut().zip(weights) {
            for (sum, x) in sums.iter_mut().zip(x) {
                *sum = weight.mul_add(x, *sum);
            }
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        let row = first + row;
        // SAFETY: the tile's output vectors, of LANES values each, and its biases are guaranteed by the caller.
        let (output, bias) = unsafe {
            let column = *tile.output_columns.add(column) as usize;
            let output = tile.output.add(column + row * tile.row_stride).cast::<[f32; LANES]>();
            (&mut *output, *tile.bias.add(row))
        };
        for (output, &sum) in output.iter_mut().zip(sums) {
            let mut sum = if tile.first { sum } else { *output + sum };
            if tile.last {
                sum += bias;
                if tile.relu && sum < 0.0 {
                    sum = 0.0;
                }
            }
            *output = sum;
        }
    }
}
