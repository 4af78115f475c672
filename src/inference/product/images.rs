//! Products of vectors of sixteen images.

use super::{Outputs, RESIDENT_WEIGHTS_BYTES, Weighted, first_input, largest, narrow, window_offsets};
use crate::inference::LANES;
use crate::inference::kernel::images::{Kernel, Tile, kernel, widest};
use crate::inference::kernel::{CHAIN, InstructionSet};
use crate::inference::layout::{Layout, Order};
use crate::inference::weights::{LayerWeights, Packing, Panels};
use crate::network::{Convolution, Shape};
use std::ops::Range;

/// Inputs of a product.
#[derive(Debug)]
pub struct Addresses {
    /// Per term the offset of its input, from the first input of the group and output column.
    offsets: Vec<u32>,
    largest_offset: usize,
    /// From one group's inputs to the next.
    group_stride: usize,
    /// Per output pixel the place of its first input; empty for fully connected layers.
    pixels: Vec<u32>,
    output_width: usize,
}

impl Addresses {
    pub fn convolution(convolution: &Convolution, input: &Layout, output: Shape) -> Self {
        let group_channels = input.shape.channels / convolution.groups;
        let pixels = (0..output.height)
            .flat_map(|row| (0..output.width).map(move |column| (row, column)))
            .map(|(row, column)| first_input(convolution, input, row, column))
            .collect();
        Self {
            group_stride: group_channels * input.plane_stride(),
            pixels,
            output_width: output.width,
            ..Self::inner_product(window_offsets(convolution, input, 0..group_channels))
        }
    }

    pub fn inner_product(offsets: Vec<u32>) -> Self {
        let largest_offset = largest(&offsets);
        Self { offsets, largest_offset, group_stride: 0, pixels: Vec::new(), output_width: 1 }
    }

    /// Panics unless every address that a tile of these columns can touch lies inside the slices.
    fn check(&self, packing: &Packing, input: &[f32], columns: &Columns<'_>, output: &[f32]) {
        let last_input =
            (packing.groups - 1) * self.group_stride + self.largest_offset + largest(columns.input) + LANES;
        let last_output = (packing.padded_outputs() - 1) * columns.stride + largest(columns.output) + LANES;
        assert!(last_input <= input.len() && last_output <= output.len(), "a product outside its buffers");
        assert_eq!(columns.input.len(), columns.output.len(), "each column has an input and an output");
        assert_eq!(self.offsets.len(), packing.depth);
    }
}

impl Weighted<'_> {
    pub fn image_rows(
        &self,
        addresses: &Addresses,
        rows: Range<usize>,
        input: &[f32],
        outputs: &Outputs,
        output: &mut [f32],
    ) {
        let width = addresses.output_width;
        let pixels = rows.start * width..rows.end * width;
        let columns = Columns {
            input: &addresses.pixels[pixels.clone()],
            output: &outputs.columns[pixels],
            stride: outputs.layout.plane_stride(),
        };
        self.image_columns(addresses, input, &columns, output);
    }

    pub fn image_blocks(
        &self,
        addresses: &Addresses,
        blocks: usize,
        (input, input_stride): (&[f32], usize),
        (output, layout): (&mut [f32], &Layout),
    ) {
        const MOST: usize = Order::Images.most_task_blocks();
        let input_starts: [u32; MOST] = std::array::from_fn(|block| narrow(block * input_stride));
        let first = layout.at(0, 0, 0);
        let output_starts: [u32; MOST] = std::array::from_fn(|block| narrow(block * layout.values() + first));
        let columns = Columns {
            input: &input_starts[..blocks],
            output: &output_starts[..blocks],
            stride: layout.plane_stride(),
        };
        self.image_columns(addresses, input, &columns, output);
    }

    /// Computes all output channels of some columns.
    fn image_columns(&self, addresses: &Addresses, input: &[f32], columns: &Columns<'_>, output: &mut [f32]) {
        let Self { product, weights, set, relu } = *self;
        let packing = &product.packing;
        addresses.check(packing, input, columns, output);
        let kernels = Kernels::new(set, packing.panels);
        for group in 0..packing.groups {
            for start in (0..packing.depth).step_by(CHAIN) {
                let work =
                    Work { addresses, packing, weights, relu, columns, group, start, kernels: &kernels };
                let tiles = || Tiles::new(columns.input.len(), widest(packing.panels.height()));
                let panels = 0..packing.panels.count();
                let chain = CHAIN.min(packing.depth - start);
                if packing.group_outputs * chain * size_of::<f32>() <= RESIDENT_WEIGHTS_BYTES {
                    for (column, width) in tiles() {
                        for panel in panels.clone() {
                            work.tile(panel, column, width, input, output);
                        }
                    }
                } else {
                    for panel in panels {
                        for (column, width) in tiles() {
                            work.tile(panel, column, width, input, output);
                        }
                    }
                }
            }
        }
    }
}

/// Columns of one call: offsets of their inputs and outputs in values, and from one output channel to the next.
struct Columns<'a> {
    input: &'a [u32],
    output: &'a [u32],
    stride: usize,
}

/// Cuts columns into tiles of `widest` columns, the rest into smaller powers of two.
struct Tiles {
    next: usize,
    end: usize,
    width: usize,
}

impl Tiles {
    fn new(columns: usize, widest: usize) -> Self {
        Self { next: 0, end: columns, width: widest }
    }
}

impl Iterator for Tiles {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<(usize, usize)> {
        let left = self.end - self.next;
        if left == 0 {
            return None;
        }
        while self.width > left {
            self.width /= 2;
        }
        let tile = (self.next, self.width);
        self.next += self.width;
        Some(tile)
    }
}

/// The kernels for the two heights of panels and the widths 1, 2, 4, 8.
struct Kernels([[Kernel; 4]; 2]);

impl Kernels {
    fn new(set: InstructionSet, panels: Panels) -> Self {
        let of = |rows: usize| {
            // A height of 0 has no panel; widths beyond the widest are never asked for.
            let rows = rows.max(1);
            [1, 2, 4, 8].map(|columns| kernel(set, rows, columns.min(widest(rows))))
        };
        Self([of(panels.height()), of(panels.height() - 1)])
    }
}

/// One group and one chain of terms.
struct Work<'a> {
    addresses: &'a Addresses,
    packing: &'a Packing,
    weights: &'a LayerWeights,
    relu: bool,
    columns: &'a Columns<'a>,
    group: usize,
    start: usize,
    kernels: &'a Kernels,
}

impl Work<'_> {
    #[inline]
    fn tile(&self, panel: usize, column: usize, width: usize, input: &[f32], output: &mut [f32]) {
        let (addresses, packing) = (self.addresses, self.packing);
        let (first, rows) = packing.panels.panel(panel);
        let row = self.group * packing.group_outputs + first;
        let depth = CHAIN.min(packing.depth - self.start);
        let panel = packing.chain(0, self.group, (first, rows));
        let weights = &self.weights.weight()[panel][self.start * rows..][..depth * rows];
        let tile = Tile {
            rows,
            columns: width,
            weights: weights.as_ptr(),
            depth,
            offsets: addresses.offsets[self.start..][..depth].as_ptr(),
            input: input[self.group * addresses.group_stride..].as_ptr(),
            input_columns: self.columns.input[column..][..width].as_ptr(),
            output: output[row * self.columns.stride..].as_mut_ptr(),
            output_columns: self.columns.output[column..][..width].as_ptr(),
            row_stride: self.columns.stride,
            bias: self.weights.bias()[row..][..rows].as_ptr(),
            first: self.start == 0,
            last: self.start + depth == packing.depth,
            relu: self.relu,
        };
        let kernel = self.kernels.0[packing.panels.height() - rows][width.trailing_zeros() as usize];
        // SAFETY: the kernel was chosen for these rows and columns, and its set is available on this processor (the
        // engine refuses others). `Addresses::check` has found the largest input and output address inside the slices;
        // offsets, columns, weights and biases are slices of the tile's extents. Input and output are distinct slices.
        unsafe { kernel(&tile) }
    }
}
