//! Convolutions of groups that do not fill a vector, depthwise ones above all: each lane reads the inputs of its own group.

use super::{Weighted, first_input, largest, window_offsets};
use crate::inference::LANES;
use crate::inference::kernel::CHAIN;
use crate::inference::kernel::separate::{Kernel, MOST_COLUMNS, Tile, kernel};
use crate::inference::layout::{Layout, Order};
use crate::inference::weights::Packing;
use crate::network::{Convolution, Shape};
use std::ops::Range;

/// Inputs of a convolution.
#[derive(Debug)]
pub struct Addresses {
    /// Per vector of output channels and term the offsets of its sixteen inputs, from the first input of the pixel; those
    /// behind the last channel are the last channel's. Where `adjoin`, only the first of sixteen.
    offsets: Vec<u32>,
    largest_offset: usize,
    /// Whether the sixteen inputs of a term are those of one vector.
    adjoin: bool,
    /// Per output row the place of its first input.
    rows: Vec<u32>,
    width: usize,
    /// From the input of one output column to the next.
    step: usize,
}

impl Addresses {
    pub fn convolution(convolution: &Convolution, input: &Layout, output: Shape) -> Self {
        let Convolution { groups, outputs, window } = *convolution;
        let (group_channels, group_outputs) = (input.shape.channels / groups, outputs / groups);
        let adjoin = input.order == Order::Channels && group_channels == 1 && group_outputs == 1;
        let inputs = window_offsets(convolution, input, 0..input.shape.channels);
        let depth = group_channels * window.kernel[0] * window.kernel[1];
        let mut offsets = Vec::new();
        for first in (0..outputs).step_by(LANES) {
            for k in 0..depth {
                let channels = (first..first + LANES).map(|channel| channel.min(outputs - 1));
                let lanes = channels.map(|channel| inputs[channel / group_outputs * depth + k]);
                offsets.extend(lanes.take(if adjoin { 1 } else { LANES }));
            }
        }
        Self {
            largest_offset: largest(&offsets),
            offsets,
            adjoin,
            rows: (0..output.height).map(|row| first_input(convolution, input, row, 0)).collect(),
            width: output.width,
            step: window.stride[1] * input.step(),
        }
    }

    /// Offsets of one term of a vector.
    fn per_term(&self) -> usize {
        if self.adjoin { 1 } else { LANES }
    }

    /// Panics unless every input that an output row can touch lies inside the slice.
    fn check(&self, packing: &Packing, row: usize, input: &[f32]) {
        let read = if self.adjoin { LANES } else { 1 };
        let last = self.rows[row] as usize + (self.width - 1) * self.step + self.largest_offset + read;
        assert!(last <= input.len() && i32::try_from(last).is_ok(), "a product outside its buffers");
        assert_eq!(self.offsets.len(), packing.padded_outputs() / LANES * packing.depth * self.per_term());
    }
}

impl Weighted<'_> {
    pub fn separate_rows(
        &self,
        addresses: &Addresses,
        rows: Range<usize>,
        input: &[f32],
        (output, layout): (&mut [f32], &Layout),
    ) {
        let kernels = std::array::from_fn(|column| kernel(self.set, column + 1, !addresses.adjoin));
        for row in rows {
            addresses.check(&self.product.packing, row, input);
            for plane in 0..layout.planes() {
                self.separate_row(addresses, &kernels, (plane, row), input, (output, layout));
            }
        }
    }

    /// Computes a checked row of one vector of output channels.
    fn separate_row(
        &self,
        addresses: &Addresses,
        kernels: &[Kernel; MOST_COLUMNS],
        (plane, row): (usize, usize),
        input: &[f32],
        (output, layout): (&mut [f32], &Layout),
    ) {
        let packing = &self.product.packing;
        let per_term = addresses.per_term();
        let offsets = &addresses.offsets[plane * packing.depth * per_term..][..packing.depth * per_term];
        let bias = &self.weights.bias()[plane * LANES..][..LANES];
        for start in (0..packing.depth).step_by(CHAIN) {
            let depth = CHAIN.min(packing.depth - start);
            let weights = &self.weights.weight()[packing.chain(start, 0, (plane * LANES, LANES))];
            let mut column = 0;
            // Tiles of nearly equal width.
            let tiles = addresses.width.div_ceil(MOST_COLUMNS);
            for tile in 0..tiles {
                let columns = (addresses.width - column).div_ceil(tiles - tile);
                let tile = Tile {
                    columns,
                    weights: weights.as_ptr(),
                    depth,
                    offsets: offsets[start * per_term..][..depth * per_term].as_ptr(),
                    input: input[addresses.rows[row] as usize + column * addresses.step..].as_ptr(),
                    input_step: addresses.step,
                    output: output[layout.at(plane, row, column)..][..columns * LANES].as_mut_ptr(),
                    bias: bias.as_ptr(),
                    first: start == 0,
                    last: start + depth == packing.depth,
                    relu: self.relu,
                };
                // SAFETY: the kernel was chosen for these columns, and its set is available on this processor (the engine
                // refuses others). `Addresses::check` has found the largest input address of the row inside the slice,
                // whose places are below 2^31; weights, offsets, biases and outputs are slices of the tile's extents. Input
                // and output are distinct slices.
                unsafe { kernels[columns - 1](&tile) }
                column += columns;
            }
        }
    }
}
