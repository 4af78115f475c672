//! Element-wise layers of one input.

use super::LANES;
use super::dispatch::{Job, dispatch};
use super::elementary::{sigmoid, tanh};
use super::kernel::InstructionSet;
use super::layout::{Layout, Order};
use super::weights::LayerWeights;
use crate::number::Quantiser;
use std::ops::Range;

/// What is done to each element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Activation {
    /// Times the slope below 0.
    Relu(f32),
    Sigmoid,
    Tanh,
    Clip {
        min: f32,
        max: f32,
    },
    /// Times the channel's weight plus the channel's bias, fused.
    Affine,
    /// The value of the code.
    Quantise(Quantiser),
}

/// Values for which weight and bias of an affine layer are repeated: loops of sixteen would be unrolled, and vectorised across
/// their turns by gathers and scatters.
const REPEATED: usize = 16 * LANES;

/// An element-wise layer at work on one block.
pub(super) struct Map<'a> {
    pub activation: Activation,
    /// Weight and bias of an affine layer.
    pub weights: Option<&'a LayerWeights>,
    /// Whether negative results become 0.
    pub relu: bool,
    /// The input and its layout; none to work in place.
    pub input: Option<(&'a [f32], Layout)>,
    pub output: &'a mut [f32],
    pub layout: Layout,
}

impl Map<'_> {
    pub fn run(self, set: InstructionSet) {
        dispatch(set, self);
    }
}

/// Negative results become 0, not -0; NaN stays.
#[inline]
pub(super) fn rectified(x: f32) -> f32 {
    if x < 0.0 { 0.0 } else { x }
}

#[inline]
fn clipped(x: f32, min: f32, max: f32) -> f32 {
    let x = if x < min { min } else { x };
    if x > max { max } else { x }
}

/// The values of each row of a plane; one run where rows adjoin.
#[inline]
pub(super) fn runs(layout: &Layout, plane: usize, whole: bool) -> impl Iterator<Item = Range<usize>> + use<> {
    let layout = *layout;
    let (height, length) = (layout.shape.height, layout.row_values());
    let (count, length) = if whole { (1, height * length) } else { (height, length) };
    (0..count).map(move |row| {
        let start = layout.at(plane, row, 0);
        start..start + length
    })
}

/// The vectors of some values that fill whole ones.
#[inline]
pub(super) fn vectors(values: &[f32]) -> &[[f32; LANES]] {
    values.as_chunks().0
}

/// As [`vectors`], to be changed.
#[inline]
pub(super) fn vectors_mut(values: &mut [f32]) -> &mut [[f32; LANES]] {
    values.as_chunks_mut().0
}

#[allow(
    clippy::inline_always,
    reason = "the loops take the instruction set of the function that they are inlined into"
)]
impl Job for Map<'_> {
    #[inline(always)]
    fn run(mut self) {
        match (self.activation, self.relu) {
            // A fused ReLU yields 0, not -0, for negative inputs: so does this one.
            (Activation::Relu(0.0), _) => self.each(rectified),
            (Activation::Relu(slope), false) => self.each(|x| if x < 0.0 { slope * x } else { x }),
            (Activation::Relu(slope), true) => {
                self.each(|x| rectified(if x < 0.0 { slope * x } else { x }));
            }
            // It is positive.
            (Activation::Sigmoid, _) => self.each(sigmoid),
            (Activation::Tanh, false) => self.each(tanh),
            (Activation::Tanh, true) => self.each(|x| rectified(tanh(x))),
            (Activation::Clip { min, max }, false) => self.each(|x| clipped(x, min, max)),
            (Activation::Clip { min, max }, true) => self.each(|x| rectified(clipped(x, min, max))),
            (Activation::Affine, false) => self.affine(|x| x),
            (Activation::Affine, true) => self.affine(rectified),
            (Activation::Quantise(quantiser), false) => self.each(|x| quantiser.deliver(x)),
            (Activation::Quantise(quantiser), true) => self.each(|x| rectified(quantiser.deliver(x))),
        }
    }
}

#[allow(
    clippy::inline_always,
    reason = "the loops take the instruction set of the function that they are inlined into"
)]
impl Map<'_> {
    #[inline(always)]
    fn each(&mut self, change: impl Fn(f32) -> f32) {
        for plane in 0..self.layout.planes() {
            let Some((input, from)) = self.input else {
                for run in runs(&self.layout, plane, self.layout.is_plain()) {
                    self.output[run].iter_mut().for_each(|x| *x = change(*x));
                }
                continue;
            };
            let whole = from.is_plain() && self.layout.is_plain();
            for (to, from) in runs(&self.layout, plane, whole).zip(runs(&from, plane, whole)) {
                self.output[to].iter_mut().zip(&input[from]).for_each(|(to, &x)| *to = change(x));
            }
        }
    }

    #[inline(always)]
    fn affine(&mut self, last: impl Fn(f32) -> f32) {
        let weights = self.weights.expect("the engine packs the weights of affine layers");
        for plane in 0..self.layout.planes() {
            let repeated = |words: &[f32]| match self.layout.order {
                Order::Channels => {
                    let words = &words[plane * LANES..][..LANES];
                    std::array::from_fn::<_, REPEATED, _>(|value| words[value % LANES])
                }
                Order::Images | Order::Planar => [words[plane]; REPEATED],
            };
            let (weight, bias) = (repeated(weights.weight()), repeated(weights.bias()));
            self.affine_plane(plane, (&weight, &bias), &last);
        }
    }

    #[inline(always)]
    fn affine_plane(
        &mut self,
        plane: usize,
        (weight, bias): (&[f32; REPEATED], &[f32; REPEATED]),
        last: impl Fn(f32) -> f32,
    ) {
        let Some((input, from)) = self.input else {
            for run in runs(&self.layout, plane, self.layout.is_plain()) {
                for part in self.output[run].chunks_mut(REPEATED) {
                    for ((x, weight), bias) in part.iter_mut().zip(weight).zip(bias) {
                        *x = last(weight.mul_add(*x, *bias));
                    }
                }
            }
            return;
        };
        let whole = from.is_plain() && self.layout.is_plain();
        for (to, from) in runs(&self.layout, plane, whole).zip(runs(&from, plane, whole)) {
            for (to, x) in self.output[to].chunks_mut(REPEATED).zip(input[from].chunks(REPEATED)) {
                for (((to, x), weight), bias) in to.iter_mut().zip(x).zip(weight).zip(bias) {
                    *to = last(weight.mul_add(*x, *bias));
                }
            }
        }
    }
}
