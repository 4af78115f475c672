//! Element-wise layers of one input.

use super::dispatch::{Job, dispatch};
use super::elementary::{sigmoid, tanh};
use super::kernel::InstructionSet;
use super::layout::Layout;
use super::weights::LayerWeights;
use super::{LANES, Lanes};
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
}

/// An element-wise layer at work on one block.
pub(super) struct Map<'a> {
    pub activation: Activation,
    /// Weight and bias of an affine layer.
    pub weights: Option<&'a LayerWeights>,
    /// Whether negative results become 0.
    pub relu: bool,
    /// The input and its layout; none to work in place.
    pub input: Option<(&'a [Lanes], Layout)>,
    pub output: &'a mut [Lanes],
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

/// The vectors of each row of channel `channel`; one run where rows adjoin.
#[inline]
pub(super) fn runs(
    layout: &Layout,
    channel: usize,
    whole: bool,
) -> impl Iterator<Item = Range<usize>> + use<> {
    let layout = *layout;
    let shape = layout.shape;
    let (count, length) = if whole { (1, shape.height * shape.width) } else { (shape.height, shape.width) };
    (0..count).map(move |row| {
        let start = layout.at(channel, row, 0);
        start..start + length
    })
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
        for channel in 0..self.layout.shape.channels {
            self.channel(channel, &change);
        }
    }

    #[inline(always)]
    fn affine(&mut self, last: impl Fn(f32) -> f32) {
        let weights = self.weights.expect("the engine packs the weights of affine layers");
        for channel in 0..self.layout.shape.channels {
            let (weight, bias) = (weights.weight[channel], weights.bias[channel]);
            self.channel(channel, |x| last(weight.mul_add(x, bias)));
        }
    }

    #[inline(always)]
    fn channel(&mut self, channel: usize, change: impl Fn(f32) -> f32) {
        match self.input {
            None => {
                for run in runs(&self.layout, channel, self.layout.is_plain()) {
                    for vector in &mut self.output[run] {
                        let x = vector.0;
                        vector.0 = std::array::from_fn::<_, LANES, _>(|lane| change(x[lane]));
                    }
                }
            }
            Some((input, from)) => {
                let whole = from.is_plain() && self.layout.is_plain();
                for (to, from) in runs(&self.layout, channel, whole).zip(runs(&from, channel, whole)) {
                    for (to, from) in self.output[to].iter_mut().zip(&input[from]) {
                        to.0 = std::array::from_fn::<_, LANES, _>(|lane| change(from.0[lane]));
                    }
                }
            }
        }
    }
}
