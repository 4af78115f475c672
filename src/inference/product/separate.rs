//! Convolutions of groups that do not fill a vector, depthwise ones above all: each lane reads the inputs of its own group.

use super::{Weighted, first_input, window_offsets};
use crate::inference::LANES;
use crate::inference::dispatch::{Job, dispatch};
use crate::inference::kernel::CHAIN;
use crate::inference::layout::{Layout, Order};
use crate::network::{Convolution, Shape};
use std::ops::Range;

/// Inputs of a convolution.
#[derive(Debug)]
pub struct Addresses {
    /// Per vector of output channels and term the offsets of its sixteen inputs, from the first input of the pixel; those
    /// behind the last channel are the last channel's. Where `adjoin`, only the first of sixteen.
    offsets: Vec<u32>,
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
}

impl Weighted<'_> {
    pub fn separate_rows(
        &self,
        addresses: &Addresses,
        rows: Range<usize>,
        input: &[f32],
        (output, layout): (&mut [f32], &Layout),
    ) {
        for row in rows {
            let job =
                OutputRow { weighted: self, addresses, index: row, input, output: &mut *output, layout };
            dispatch(self.set, job);
        }
    }
}

/// One output row.
struct OutputRow<'a> {
    weighted: &'a Weighted<'a>,
    addresses: &'a Addresses,
    index: usize,
    input: &'a [f32],
    output: &'a mut [f32],
    layout: &'a Layout,
}

#[allow(
    clippy::inline_always,
    reason = "the loops take the instruction set of the function that they are inlined into"
)]
impl Job for OutputRow<'_> {
    #[inline(always)]
    fn run(self) {
        let input = self.input;
        if self.addresses.adjoin {
            self.each(|start, k, offsets| {
                let vector = &input[start + offsets[k] as usize..][..LANES];
                std::array::from_fn(|lane| vector[lane])
            });
        } else {
            self.each(|start, k, offsets| {
                let lanes = &offsets[k * LANES..][..LANES];
                std::array::from_fn(|lane| input[start + lanes[lane] as usize])
            });
        }
    }
}

#[allow(
    clippy::inline_always,
    reason = "the loops take the instruction set of the function that they are inlined into"
)]
impl OutputRow<'_> {
    /// Computes all outputs; `x` yields the inputs of a term from the place of the pixel and a vector's offsets.
    #[inline(always)]
    fn each(self, x: impl Fn(usize, usize, &[u32]) -> [f32; LANES]) {
        let Self { weighted, addresses, index: row, output, layout, .. } = self;
        let packing = &weighted.product.packing;
        let depth = packing.depth;
        let biases: &[[f32; LANES]] = bytemuck::cast_slice(weighted.weights.bias());
        let offsets = addresses.offsets.chunks_exact(depth * addresses.per_term());
        for (plane, (offsets, bias)) in offsets.zip(biases).enumerate() {
            let to = layout.at(plane, row, 0);
            for column in 0..addresses.width {
                let start = addresses.rows[row] as usize + column * addresses.step;
                let mut total = [0.0_f32; LANES];
                for chain in (0..depth).step_by(CHAIN) {
                    let weights = packing.chain(chain, 0, (plane * LANES, LANES));
                    let weights: &[[f32; LANES]] = bytemuck::cast_slice(&weighted.weights.weight()[weights]);
                    let mut sum = [0.0_f32; LANES];
                    for (k, weight) in (chain..).zip(weights) {
                        let x = x(start, k, offsets);
                        sum = std::array::from_fn(|lane| weight[lane].mul_add(x[lane], sum[lane]));
                    }
                    total =
                        if chain == 0 { sum } else { std::array::from_fn(|lane| total[lane] + sum[lane]) };
                }
                let output = &mut output[to + column * LANES..][..LANES];
                for ((output, total), bias) in output.iter_mut().zip(total).zip(bias) {
                    let total = total + bias;
                    *output = if weighted.relu && total < 0.0 { 0.0 } else { total };
                }
            }
        }
    }
}
