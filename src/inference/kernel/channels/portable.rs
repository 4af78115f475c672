//! Portable code: fused multiply-adds as the compiler provides them.

use super::Tile;
use crate::inference::LANES;

/// See [`super::Kernel`] for what the caller must guarantee, instruction set apart.
pub unsafe fn tile(tile: &Tile) {
    for column in 0..tile.columns {
        for v in 0..tile.vectors {
            // SAFETY: each call covers a vector and a column of the tile; the caller guarantees their addresses.
            unsafe { part(tile, v, column) }
        }
    }
}

/// One output vector. The caller guarantees that it is of the tile.
unsafe fn part(tile: &Tile, v: usize, column: usize) {
    let mut sums = [0.0_f32; LANES];
    for k in 0..tile.depth {
        // SAFETY: k is below the depth, for which the caller guarantees offsets, inputs and weight vectors of LANES
        // values.
        let (x, weights) = unsafe {
            let x = *tile.input.add(*tile.offsets.add(k) as usize + column * tile.input_step);
            (x, tile.weights.add((k * tile.vectors + v) * LANES).cast::<[f32; LANES]>().read())
        };
        for (sum, weight) in sums.iter_mut().zip(weights) {
            *sum = weight.mul_add(x, *sum);
        }
    }
    // SAFETY: the tile's output vectors and biases, of LANES values each, are guaranteed by the caller.
    let (output, bias) = unsafe {
        let output = tile.output.add(column * tile.output_step + v * tile.plane_stride);
        (&mut *output.cast::<[f32; LANES]>(), tile.bias.add(v * LANES).cast::<[f32; LANES]>().read())
    };
    for ((output, sum), bias) in output.iter_mut().zip(sums).zip(bias) {
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
