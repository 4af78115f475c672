//! Element-wise layers of several inputs, one input after the other in their order.

use super::activation::{rectified, runs};
use super::dispatch::{Job, dispatch};
use super::kernel::InstructionSet;
use super::layout::Layout;

/// How an input joins what the inputs before it gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Combination {
    /// The coefficient times the input, added by a fused multiply-add.
    Sum(f32),
    Product,
    /// A NaN never wins against a number.
    Max,
}

impl Combination {
    /// Whether the first input stays as it is.
    pub fn keeps_first(self) -> bool {
        !matches!(self, Self::Sum(coefficient) if coefficient != 1.0)
    }
}

/// One input of a layer at work on one block.
pub(super) struct Combine<'a> {
    pub combination: Combination,
    /// Nothing was combined yet.
    pub first: bool,
    /// Whether negative results become 0.
    pub relu: bool,
    /// The input and its layout; none for the output itself, of a first input in place.
    pub input: Option<(&'a [f32], Layout)>,
    pub output: &'a mut [f32],
    pub layout: Layout,
}

impl Combine<'_> {
    pub fn run(self, set: InstructionSet) {
        dispatch(set, self);
    }
}

#[inline]
fn larger(most: f32, x: f32) -> f32 {
    if x > most || most.is_nan() { x } else { most }
}

#[allow(
    clippy::inline_always,
    reason = "the loops take the instruction set of the function that they are inlined into"
)]
impl Job for Combine<'_> {
    #[inline(always)]
    fn run(mut self) {
        match (self.combination, self.first) {
            (Combination::Sum(coefficient), true) => self.each(|_, x| coefficient * x),
            (Combination::Sum(coefficient), false) => self.each(|sum, x| coefficient.mul_add(x, sum)),
            (_, true) => self.each(|_, x| x),
            (Combination::Product, false) => self.each(|product, x| product * x),
            (Combination::Max, false) => self.each(larger),
        }
    }
}

#[allow(
    clippy::inline_always,
    reason = "the loops take the instruction set of the function that they are inlined into"
)]
impl Combine<'_> {
    #[inline(always)]
    fn each(&mut self, combine: impl Fn(f32, f32) -> f32) {
        if self.relu {
            self.planes(|before, x| rectified(combine(before, x)));
        } else {
            self.planes(combine);
        }
    }

    #[inline(always)]
    fn planes(&mut self, combine: impl Fn(f32, f32) -> f32) {
        for plane in 0..self.layout.planes() {
            let Some((input, from)) = self.input else {
                for run in runs(&self.layout, plane, self.layout.is_plain()) {
                    self.output[run].iter_mut().for_each(|x| *x = combine(*x, *x));
                }
                continue;
            };
            let whole = from.is_plain() && self.layout.is_plain();
            for (to, from) in runs(&self.layout, plane, whole).zip(runs(&from, plane, whole)) {
                self.output[to].iter_mut().zip(&input[from]).for_each(|(to, &x)| *to = combine(*to, x));
            }
        }
    }
}
