//! Products of vectors of sixteen output channels.

use super::{Weighted, first_input, largest, window_offsets};
use crate::inference::LANES;
use crate::inference::kernel::channels::{Kernel, MOST_COLUMNS, Tile, kernel};
use crate::inference::kernel::{CHAIN, InstructionSet};
use crate::inference::layout::Layout;
use crate::inference::together::{Columns, Part};
use crate::inference::weights::{LayerWeights, Packing};
use crate::network::{Convolution, Shape};
use std::ops::Range;

/// Outputs of one band of rows up to this size stay in the second-level cache from one chain to the next.
const BAND_BYTES: usize = 512 << 10;

/// Pixels that a band has at least, so that reading the weights anew for each band costs little.
const LEAST_BAND_PIXELS: usize = 256;

/// Inputs of a product.
#[derive(Debug)]
pub struct Addresses {
    /// Per group and term the offset of its input, from the first input of the output column.
    offsets: Vec<u32>,
    largest_offset: usize,
    /// Per output row the place of its first input; empty for fully connected layers.
    rows: Vec<u32>,
    /// Output columns of a row.
    width: usize,
    /// From the input of one output column to the next.
    step: usize,
}

/// Output columns whose inputs and outputs lie at constant distances.
#[derive(Clone, Copy, Debug)]
struct Run {
    input: usize,
    output: usize,
    columns: usize,
}

/// Distances from one column to the next, and from one vector of output channels to the next.
#[derive(Clone, Copy, Debug)]
struct Steps {
    input: usize,
    output: usize,
    plane: usize,
}

impl Addresses {
    pub fn convolution(convolution: &Convolution, input: &Layout, output: Shape) -> Self {
        let rows = (0..output.height).map(|row| first_input(convolution, input, row, 0)).collect();
        Self {
            rows,
            width: output.width,
            step: convolution.window.stride[1] * input.step(),
            ..Self::inner_product(window_offsets(convolution, input, 0..input.shape.channels))
        }
    }

    pub fn inner_product(offsets: Vec<u32>) -> Self {
        Self { largest_offset: largest(&offsets), offsets, rows: Vec::new(), width: 1, step: 0 }
    }

    /// The columns of some output rows; rows that continue one another are one run.
    fn runs(&self, rows: Range<usize>, layout: &Layout, runs: &mut Vec<Run>) {
        runs.clear();
        for row in rows {
            let (input, output) = (self.rows[row] as usize, layout.at(0, row, 0));
            match runs.last_mut() {
                Some(run)
                    if run.input + run.columns * self.step == input
                        && run.output + run.columns * layout.step() == output =>
                {
                    run.columns += self.width;
                }
                _ => runs.push(Run { input, output, columns: self.width }),
            }
        }
    }

    /// Panics unless every address that tiles of these runs, and of `planes` vectors of output channels, can touch lies
    /// inside the slices.
    fn check(
        &self,
        packing: &Packing,
        input: &[f32],
        (runs, steps): (&[Run], Steps),
        planes: usize,
        output: &[f32],
    ) {
        for run in runs {
            let last_input = self.largest_offset + run.input + (run.columns - 1) * steps.input + 1;
            let last_output =
                (planes - 1) * steps.plane + run.output + (run.columns - 1) * steps.output + LANES;
            assert!(
                last_input <= input.len() && last_output <= output.len(),
                "a product outside its buffers"
            );
        }
        assert_eq!(self.offsets.len(), packing.groups * packing.depth);
    }
}

impl Weighted<'_> {
    pub fn channel_rows(
        &self,
        addresses: &Addresses,
        rows: Range<usize>,
        input: &[f32],
        (output, layout): (&mut [f32], &Layout),
    ) {
        let packing = &self.product.packing;
        let steps = Steps { input: addresses.step, output: layout.step(), plane: layout.plane_stride() };
        let work = Work::new(self, addresses, steps);
        let pixels = (BAND_BYTES / (packing.panels.padded() * size_of::<f32>())).max(LEAST_BAND_PIXELS);
        let band_rows = (pixels / addresses.width).max(1);
        let mut runs = Vec::new();
        for start in rows.clone().step_by(band_rows) {
            addresses.runs(start..rows.end.min(start + band_rows), layout, &mut runs);
            addresses.check(packing, input, (&runs, steps), packing.padded_outputs() / LANES, output);
            for group in 0..packing.groups {
                for chain in 0..packing.depth.div_ceil(CHAIN) {
                    for panel in 0..packing.panels.count() {
                        work.panel(group, panel, chain, &runs, input, output);
                    }
                }
            }
        }
    }

    pub fn channel_blocks(
        &self,
        addresses: &Addresses,
        blocks: usize,
        (input, input_stride): (&[f32], usize),
        (output, layout): (&mut [f32], &Layout),
    ) {
        let packing = &self.product.packing;
        let steps = Steps { input: input_stride, output: layout.values(), plane: layout.plane_stride() };
        let work = Work::new(self, addresses, steps);
        let runs = [Run { input: 0, output: layout.at(0, 0, 0), columns: blocks }];
        addresses.check(packing, input, (&runs, steps), packing.padded_outputs() / LANES, output);
        for chain in 0..packing.depth.div_ceil(CHAIN) {
            for panel in 0..packing.panels.count() {
                work.panel(0, panel, chain, &runs, input, output);
            }
        }
    }
}

impl Weighted<'_> {
    pub fn channel_panels(
        &self,
        addresses: &Addresses,
        panels: Range<usize>,
        columns: &[Columns<'_>],
    ) -> Part {
        let packing = &self.product.packing;
        let heights = panels.clone().map(|panel| packing.panels.panel(panel).1);
        let stride = heights.sum::<usize>();
        let blocks = columns.iter().map(|columns| columns.blocks).sum::<usize>();
        let mut values = vec![0.0; blocks * stride];
        // The distance of the blocks is part of a kernel, but the same for all tasks of a pass.
        let input = columns.first().map_or(0, |columns| columns.stride);
        let mut work = Work::new(self, addresses, Steps { input, output: stride, plane: LANES });
        work.first_vector = packing.panels.panel(panels.start).0 / LANES;
        for chain in 0..packing.depth.div_ceil(CHAIN) {
            for panel in panels.clone() {
                let mut rest = &mut values[..];
                for columns in columns {
                    assert_eq!(columns.stride, input, "tasks of one pass lie alike");
                    let output =
                        rest.split_off_mut(..columns.blocks * stride).expect("a part for each block");
                    let runs = [Run { input: 0, output: 0, columns: columns.blocks }];
                    addresses.check(packing, columns.values, (&runs, work.steps), stride / LANES, output);
                    work.panel(0, panel, chain, &runs, columns.values, output);
                }
            }
        }
        Part { values, stride }
    }
}

/// Kernels by vectors and columns.
struct Kernels([[Kernel; MOST_COLUMNS]; 2]);

impl Kernels {
    fn new(set: InstructionSet, input_step: usize) -> Self {
        let of = |vectors| std::array::from_fn(|column| kernel(set, vectors, column + 1, input_step));
        Self([of(1), of(2)])
    }
}

/// A product at work.
struct Work<'a> {
    addresses: &'a Addresses,
    packing: &'a Packing,
    weights: &'a LayerWeights,
    relu: bool,
    steps: Steps,
    /// The vector of output channels that the first plane of the output holds.
    first_vector: usize,
    kernels: Kernels,
}

impl<'a> Work<'a> {
    fn new(weighted: &Weighted<'a>, addresses: &'a Addresses, steps: Steps) -> Self {
        let Weighted { product, weights, set, relu } = *weighted;
        let kernels = Kernels::new(set, steps.input);
        Self { addresses, packing: &product.packing, weights, relu, steps, first_vector: 0, kernels }
    }

    /// Computes one chain of the outputs of one panel for all columns of checked runs.
    fn panel(
        &self,
        group: usize,
        panel: usize,
        chain: usize,
        runs: &[Run],
        input: &[f32],
        output: &mut [f32],
    ) {
        let packing = self.packing;
        let start = chain * CHAIN;
        let depth = CHAIN.min(packing.depth - start);
        let (first, height) = packing.panels.panel(panel);
        let vectors = height / LANES;
        let channel = group * packing.panels.padded() + first;
        let weights = &self.weights.weight()[packing.chain(start, group, (first, height))];
        let offsets = &self.addresses.offsets[group * packing.depth + start..][..depth];
        let bias = &self.weights.bias()[channel..][..height];
        let plane = (channel / LANES - self.first_vector) * self.steps.plane;
        for run in runs {
            let mut column = 0;
            // Tiles of nearly equal width.
            let tiles = run.columns.div_ceil(MOST_COLUMNS);
            for tile in 0..tiles {
                let columns = (run.columns - column).div_ceil(tiles - tile);
                let tile = Tile {
                    vectors,
                    columns,
                    weights: weights.as_ptr(),
                    depth,
                    offsets: offsets.as_ptr(),
                    input: input[run.input + column * self.steps.input..].as_ptr(),
                    input_step: self.steps.input,
                    output: output[plane + run.output + column * self.steps.output..].as_mut_ptr(),
                    output_step: self.steps.output,
                    plane_stride: self.steps.plane,
                    bias: bias.as_ptr(),
                    first: start == 0,
                    last: start + depth == packing.depth,
                    relu: self.relu,
                };
                // SAFETY: the kernel was chosen for these vectors, columns and distances, and its set is available on
                // this processor (the engine refuses others). `Addresses::check` has found the largest input and output
                // address inside the slices; weights, offsets and biases are slices of the tile's extents. Input and
                // output are distinct slices.
                unsafe { self.kernels.0[vectors - 1][columns - 1](&tile) }
                column += columns;
            }
        }
    }
}
