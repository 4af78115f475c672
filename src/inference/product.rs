//! Convolution and fully connected layers as products of packed weights and vectors addressed through offset tables.

use super::kernel::{CHAIN, InstructionSet, Kernel, MOST_ROWS, Tile, kernel, widest};
use super::layout::{Layout, MOST_TASK_BLOCKS};
use super::weights::{LayerWeights, Packing, Panels};
use super::{LANES, Lanes};
use crate::network::{Convolution, Shape};
use std::array;
use std::ops::Range;

/// Packed weights of one chain up to this size stay in the second-level cache while the columns pass by.
const RESIDENT_WEIGHTS_BYTES: usize = 512 << 10;

/// One convolution or fully connected layer.
#[derive(Debug)]
pub(super) struct Product {
    /// Terms of each output.
    pub depth: usize,
    pub groups: usize,
    /// Output channels of a group.
    pub group_outputs: usize,
    pub panels: Panels,
    /// Per term the offset of its input, from the first input of the group and output column, in values.
    offsets: Vec<u32>,
    largest_offset: usize,
    /// From one group's inputs to the next, in values.
    group_stride: usize,
    /// Per output pixel the offset of its first input, in values; empty for fully connected layers, whose columns are
    /// blocks.
    pixels: Vec<u32>,
    output_width: usize,
}

/// Where the output vectors of a product lie, in values: of output channel r and column c at `columns[c] + r * stride`.
#[derive(Clone, Debug)]
pub(super) struct Outputs {
    pub columns: Vec<u32>,
    pub stride: usize,
}

impl Outputs {
    /// The pixels of a blob.
    pub fn pixels(layout: &Layout) -> Self {
        let shape = layout.shape;
        let columns = (0..shape.height)
            .flat_map(|row| (0..shape.width).map(move |column| values(layout.at(0, row, column))))
            .collect();
        Self { columns, stride: layout.channel_stride() * LANES }
    }
}

/// Offset in values of a vector, at most the last of a task.
fn values(vectors: usize) -> u32 {
    u32::try_from(vectors * LANES)
        .expect("layouts are limited so that the blocks of a task hold fewer than 2^32 values")
}

impl Product {
    /// A convolution from `input` (whose border holds the padding) to a blob of shape `output`.
    pub fn convolution(convolution: &Convolution, input: &Layout, output: Shape) -> Self {
        let window = convolution.window;
        let group_channels = input.shape.channels / convolution.groups;
        let (top, left) = (input.top - window.pad[0], input.left - window.pad[1]);
        let at = |channel: usize, row: usize, column: usize| {
            values((channel * input.rows + row) * input.columns + column)
        };
        let mut offsets = Vec::new();
        for channel in 0..group_channels {
            for row in 0..window.kernel[0] {
                for column in 0..window.kernel[1] {
                    offsets.push(at(channel, row * window.dilation[0], column * window.dilation[1]));
                }
            }
        }
        let pixels = (0..output.height)
            .flat_map(|row| (0..output.width).map(move |column| (row, column)))
            .map(|(row, column)| at(0, top + row * window.stride[0], left + column * window.stride[1]))
            .collect::<Vec<_>>();
        let group_outputs = convolution.outputs / convolution.groups;
        let most = if pixels.len() < 4 { MOST_ROWS } else { 6 };
        Self {
            groups: convolution.groups,
            group_stride: group_channels * input.channel_stride() * LANES,
            pixels,
            output_width: output.width,
            ..Self::new(offsets, group_outputs, most)
        }
    }

    /// A fully connected layer of `outputs` outputs.
    pub fn inner_product(outputs: usize, input: &Layout) -> Self {
        let width = input.shape.width;
        let offsets = input
            .row_starts()
            .flat_map(|start| (0..width).map(move |column| values(start + column)))
            .collect();
        Self::new(offsets, outputs, MOST_ROWS)
    }

    fn new(offsets: Vec<u32>, group_outputs: usize, most_rows: usize) -> Self {
        Self {
            depth: offsets.len(),
            groups: 1,
            group_outputs,
            panels: Panels::new(group_outputs, most_rows),
            largest_offset: offsets.iter().copied().max().unwrap_or(0) as usize,
            offsets,
            group_stride: 0,
            pixels: Vec::new(),
            output_width: 1,
        }
    }

    /// Whether the columns are blocks of images instead of pixels.
    pub fn is_flat(&self) -> bool {
        self.pixels.is_empty()
    }

    /// Output channels of all groups.
    pub fn outputs(&self) -> usize {
        self.groups * self.group_outputs
    }

    /// How its weight is packed.
    pub fn packing(&self) -> Packing {
        let Self { depth, groups, group_outputs, panels, .. } = *self;
        Packing { depth, groups, group_outputs, panels }
    }

    /// Words of the weight.
    pub fn words(&self) -> usize {
        self.outputs() * self.depth
    }

    /// Panics unless every address that a tile of these columns can touch lies inside the slices.
    fn check(&self, weights: &LayerWeights, input: &[f32], columns: &Columns<'_>, output: &[f32]) {
        let largest = |offsets: &[u32]| offsets.iter().copied().max().unwrap_or(0) as usize;
        let last_input =
            (self.groups - 1) * self.group_stride + self.largest_offset + largest(columns.input) + LANES;
        let last_output = (self.outputs() - 1) * columns.stride + largest(columns.output) + LANES;
        assert!(last_input <= input.len() && last_output <= output.len(), "a product outside its buffers");
        assert_eq!(columns.input.len(), columns.output.len(), "each column has an input and an output");
        assert!(weights.weight.len() == self.words() && weights.bias.len() == self.outputs());
    }
}

/// A product with the weights that it is computed with.
pub(super) struct Weighted<'a> {
    pub product: &'a Product,
    pub weights: &'a LayerWeights,
    pub set: InstructionSet,
    /// Whether negative outputs become 0.
    pub relu: bool,
}

impl Weighted<'_> {
    /// Computes output rows `rows` of one block of a convolution.
    pub fn rows(&self, rows: Range<usize>, input: &[Lanes], outputs: &Outputs, output: &mut [Lanes]) {
        let width = self.product.output_width;
        let pixels = rows.start * width..rows.end * width;
        let columns = Columns {
            input: &self.product.pixels[pixels.clone()],
            output: &outputs.columns[pixels],
            stride: outputs.stride,
        };
        self.columns(input, &columns, output);
    }

    /// Computes `blocks` blocks of a fully connected layer; those of the input lie `input_stride` vectors apart.
    pub fn blocks(
        &self,
        blocks: usize,
        (input, input_stride): (&[Lanes], usize),
        (output, layout): (&mut [Lanes], &Layout),
    ) {
        let input_starts: [u32; MOST_TASK_BLOCKS] = array::from_fn(|block| values(block * input_stride));
        let first = layout.at(0, 0, 0);
        let output_starts: [u32; MOST_TASK_BLOCKS] =
            array::from_fn(|block| values(block * layout.vectors() + first));
        let columns = Columns {
            input: &input_starts[..blocks],
            output: &output_starts[..blocks],
            stride: layout.channel_stride() * LANES,
        };
        self.columns(input, &columns, output);
    }

    /// Computes all output channels of some columns.
    fn columns(&self, input: &[Lanes], columns: &Columns<'_>, output: &mut [Lanes]) {
        let (input, output) = (bytemuck::cast_slice(input), bytemuck::cast_slice_mut(output));
        let Self { product, weights, set, relu } = *self;
        product.check(weights, input, columns, output);
        let kernels = Kernels::new(set, product.panels);
        for group in 0..product.groups {
            for start in (0..product.depth).step_by(CHAIN) {
                let work = Work { product, weights, relu, columns, group, start, kernels: &kernels };
                let tiles = || Tiles::new(columns.input.len(), widest(product.panels.height));
                let panels = 0..product.panels.count;
                let chain = CHAIN.min(product.depth - start);
                if product.group_outputs * chain * size_of::<f32>() <= RESIDENT_WEIGHTS_BYTES {
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
        Self([of(panels.height), of(panels.height - 1)])
    }
}

/// One group and one chain of terms.
struct Work<'a> {
    product: &'a Product,
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
        let product = self.product;
        let (first, rows) = product.panels.panel(panel);
        let row = self.group * product.group_outputs + first;
        let depth = CHAIN.min(product.depth - self.start);
        let weights = &self.weights.weight[row * product.depth + self.start * rows..][..depth * rows];
        let tile = Tile {
            rows,
            columns: width,
            weights: weights.as_ptr(),
            depth,
            offsets: product.offsets[self.start..][..depth].as_ptr(),
            input: input[self.group * product.group_stride..].as_ptr(),
            input_columns: self.columns.input[column..][..width].as_ptr(),
            output: output[row * self.columns.stride..].as_mut_ptr(),
            output_columns: self.columns.output[column..][..width].as_ptr(),
            row_stride: self.columns.stride,
            bias: self.weights.bias[row..][..rows].as_ptr(),
            first: self.start == 0,
            last: self.start + depth == product.depth,
            relu: self.relu,
        };
        let kernel = self.kernels.0[product.panels.height - rows][width.trailing_zeros() as usize];
        // SAFETY: the kernel was chosen for these rows and columns, and its set is available on this processor (the
        // engine refuses others). `Product::check` has found the largest input and output address inside the slices;
        // offsets, columns, weights and biases are slices of the tile's extents. Input and output are distinct slices.
        unsafe { kernel(&tile) }
    }
}
