//! Portable code: fused multiply-adds as the compiler provides them.

use super::Tile;
use crate::inference::LANES;

/// See [`super::Kernel`] for what the caller must guarantee, instruction set apart.
pub unsafe fn tile<const GATHERED: bool>(tile: &Tile) {
    for column in 0..tile.columns {
        let mut sums = [0.0_f32; LANES];
        for k in 0..tile.depth {
            for (lane, sum) in sums.iter_mut().enumerate() {
                // SAFETY: k is below the depth and the column one of the tile, for which the caller guarantees offsets,
                // sixteen inputs and sixteen weights.
                let (weight, x) = unsafe {
                    let input = tile.input.add(column * tile.input_step);
                    let x = if GATHERED {
                        *input.add(*tile.offsets.add(k * LANES + lane) as usize)
                    } else {
                        *input.add(*tile.offsets.add(k) as usize + lane)
                    };
                    (*tile.weights.add(k * LANES + lane), x)
                };
                *sum = weight.mul_add(x, *sum);
            }
        }
        // SAFETY: the tile's output vectors and biases, of LANES values each, are guaranteed by the caller.
        let (output, bias) = unsafe {
            let output = tile.output.add(column * LANES);
            (&mut *output.cast::<[f32; LANES]>(), tile.bias.cast::<[f32; LANES]>().read())
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
}
