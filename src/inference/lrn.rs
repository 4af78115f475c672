//! Local response normalisation: x / (k + alpha/n · Σ x²)^beta.

use super::dispatch::{Job, dispatch};
use super::elementary::power;
use super::kernel::InstructionSet;
use super::layout::Layout;
use super::{LANES, Lanes};
use crate::network::LocalResponse;
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
    pub input: &'a [Lanes],
    pub from: Layout,
    pub output: &'a mut [Lanes],
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
        let Self { normalisation, from, to, .. } = *self;
        let shape = from.shape;
        let base = from.at(0, 0, 0);
        let at = |channel: usize, row: usize| base + channel * from.channel_stride() + row * from.columns;
        for channel in 0..shape.channels {
            for row in 0..shape.height {
                let (channels, rows) = if normalisation.within_channel {
                    (channel..channel + 1, normalisation.summed(row, shape.height))
                } else {
                    (normalisation.summed(channel, shape.channels), row..row + 1)
                };
                let output = to.at(channel, row, 0);
                for column in 0..shape.width {
                    let columns = if normalisation.within_channel {
                        normalisation.summed(column, shape.width)
                    } else {
                        column..column + 1
                    };
                    let mut sum = [0.0_f32; LANES];
                    for channel in channels.clone() {
                        for row in rows.clone() {
                            let start = at(channel, row) + columns.start;
                            for x in &self.input[start..start + columns.len()] {
                                sum = std::array::from_fn(|lane| x.0[lane].mul_add(x.0[lane], sum[lane]));
                            }
                        }
                    }
                    let x = &self.input[at(channel, row) + column].0;
                    self.output[output + column].0 = std::array::from_fn(|lane| {
                        x[lane] / divisor(normalisation.alpha.mul_add(sum[lane], normalisation.k))
                    });
                }
            }
        }
    }
}
