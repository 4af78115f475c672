//! Local response normalisation: x / (k + alpha/n · Σ x²)^beta.

use super::LANES;
use super::activation::{vectors, vectors_mut};
use super::dispatch::{Job, dispatch};
use super::elementary::power;
use super::kernel::InstructionSet;
use super::layout::{Layout, Order};
use crate::network::{LocalResponse, Shape};
use std::ops::Range;

/// A compiled normalisation.
#[derive(Debug)]
pub(super) struct Normalisation {
    /// Elements summed before and behind an element.
    before: usize,
    behind: usize,
    within_channel: bool,
    /// alpha / n.
    alpha: f32,
    k: f32,
    beta: f32,
}

impl Normalisation {
    /// Compiles `response`; an error says what cannot be.
    pub fn new(response: &LocalResponse) -> Result<Self, &'static str> {
        let LocalResponse { size, alpha, beta, k, within_channel } = *response;
        if size == 0 {
            return Err("it sums over 0 elements");
        }
        let n = size as f64 * if within_channel { size as f64 } else { 1.0 };
        // The quotient is rounded to the nearest number.
        let alpha = (f64::from(alpha) / n) as f32;
        Ok(Self { before: (size - 1) / 2, behind: size / 2, within_channel, alpha, k, beta })
    }

    /// The elements of an axis of `extent` that are summed for element `index`.
    fn summed(&self, index: usize, extent: usize) -> Range<usize> {
        index.saturating_sub(self.before)..index.saturating_add(self.behind).saturating_add(1).min(extent)
    }
}

/// A normalisation at work on one block. The squares are summed by fused multiply-adds in the order channel, row,
/// column; sums are scaled by a fused multiply-add. For beta of 1/4, 1/2, 3/4 and 1 the power is made of square roots
/// and the result deviates by at most 2.7e-7 of its value from the exact quotient, for others by 1.2e-7, the error of the
/// sum apart.
pub(super) struct Normalise<'a> {
    pub normalisation: &'a Normalisation,
    pub input: &'a [f32],
    pub from: Layout,
    pub output: &'a mut [f32],
    pub to: Layout,
}

impl Normalise<'_> {
    pub fn run(self, set: InstructionSet) {
        dispatch(set, self);
    }
}

#[allow(
    clippy::inline_always,
    reason = "the loops take the instruction set of the function that they are inlined into"
)]
impl Job for Normalise<'_> {
    #[inline(always)]
    fn run(mut self) {
        let beta = self.normalisation.beta;
        match beta {
            0.25 => self.rows(|scale| scale.sqrt().sqrt()),
            0.5 => self.rows(f32::sqrt),
            0.75 => self.rows(|scale| scale.sqrt() * scale.sqrt().sqrt()),
            1.0 => self.rows(|scale| scale),
            _ => self.rows(|scale| power(scale, beta)),
        }
    }
}

#[allow(
    clippy::inline_always,
    reason = "the loops take the instruction set of the function that they are inlined into"
)]
impl Normalise<'_> {
    #[inline(always)]
    fn rows(&mut self, divisor: impl Fn(f32) -> f32) {
        if self.from.order == Order::Channels && !self.normalisation.within_channel {
            self.across_lanes(divisor);
        } else {
            self.across_planes(divisor);
        }
    }

    /// What is summed lies in the same lane of other vectors.
    #[inline(always)]
    fn across_planes(&mut self, divisor: impl Fn(f32) -> f32) {
        let Self { normalisation, from, to, .. } = *self;
        let shape = from.shape;
        for plane in 0..from.planes() {
            for row in 0..shape.height {
                let (planes, rows) = if normalisation.within_channel {
                    (plane..plane + 1, normalisation.summed(row, shape.height))
                } else {
                    (normalisation.summed(plane, shape.channels), row..row + 1)
                };
                let xs = vectors(&self.input[from.at(plane, row, 0)..][..from.row_values()]);
                let output = &mut self.output[to.at(plane, row, 0)..][..to.row_values()];
                for (column, (x, output)) in xs.iter().zip(vectors_mut(output)).enumerate() {
                    let columns = if normalisation.within_channel {
                        normalisation.summed(column, shape.width)
                    } else {
                        column..column + 1
                    };
                    let mut sum = [0.0_f32; LANES];
                    for plane in planes.clone() {
                        for row in rows.clone() {
                            let row = &self.input[from.at(plane, row, 0)..][..from.row_values()];
                            for x in &vectors(row)[columns.clone()] {
                                sum = std::array::from_fn(|lane| x[lane].mul_add(x[lane], sum[lane]));
                            }
                        }
                    }
                    *output = std::array::from_fn(|lane| {
                        x[lane] / divisor(normalisation.alpha.mul_add(sum[lane], normalisation.k))
                    });
                }
            }
        }
    }

    /// What is summed lies in other lanes, and in the planes before and behind: the channels of a pixel are put in a row
    /// between zeros, whose squares change no sum.
    #[inline(always)]
    fn across_lanes(&mut self, divisor: impl Fn(f32) -> f32) {
        let Self { normalisation, from, to, .. } = *self;
        let Shape { channels, height, width } = from.shape;
        let (before, behind) = (normalisation.before.min(channels), normalisation.behind.min(channels));
        let planes = from.planes();
        let mut pixel = vec![0.0_f32; before + planes * LANES + behind];
        for row in 0..height {
            for column in 0..width {
                for plane in 0..planes {
                    let x = &self.input[from.at(plane, row, column)..][..LANES];
                    pixel[before + plane * LANES..][..LANES].copy_from_slice(x);
                }
                pixel[before + channels..].fill(0.0);
                for plane in 0..planes {
                    let mut sum = [0.0_f32; LANES];
                    for x in pixel[plane * LANES..][..before + behind + LANES].array_windows::<LANES>() {
                        sum = std::array::from_fn(|lane| x[lane].mul_add(x[lane], sum[lane]));
                    }
                    let x = &pixel[before + plane * LANES..][..LANES];
                    let output = &mut self.output[to.at(plane, row, column)..][..LANES];
                    for ((output, x), sum) in output.iter_mut().zip(x).zip(sum) {
                        *output = x / divisor(normalisation.alpha.mul_add(sum, normalisation.k));
                    }
                }
            }
        }
    }
}
