//! A plain forward pass, image by image, written from the definitions: in binary32 in the canonical order, and in
//! binary64.

use crate::network::{Convolution, Layer, LayerKind, Network, Pooling, PoolingMethod, Shape};
use std::ops::{Add, Div, Mul};

pub trait Real:
    Copy + PartialOrd + From<f32> + Add<Output = Self> + Mul<Output = Self> + Div<Output = Self>
{
    fn fused(self, factor: Self, term: Self) -> Self;
    fn exponential(self) -> Self;
}

impl Real for f32 {
    fn fused(self, factor: f32, term: f32) -> f32 {
        self.mul_add(factor, term)
    }
    fn exponential(self) -> f32 {
        self.exp()
    }
}

impl Real for f64 {
    fn fused(self, factor: f64, term: f64) -> f64 {
        self.mul_add(factor, term)
    }
    fn exponential(self) -> f64 {
        self.exp()
    }
}

/// Products summed in chains of 256, then the bias.
fn sum<R: Real>(terms: impl Iterator<Item = (R, R)>, bias: Option<f32>) -> R {
    let terms: Vec<_> = terms.collect();
    let chains =
        terms.chunks(256).map(|chain| chain.iter().fold(R::from(0.0), |sum, &(w, x)| w.fused(x, sum)));
    let total = chains.reduce(|total, chain| total + chain).unwrap();
    total + R::from(bias.unwrap_or(0.0))
}

fn convolution<R: Real>(c: &Convolution, layer: &Layer, input: Shape, x: &[R], output: Shape) -> Vec<R> {
    let weight = layer.weight.as_ref().unwrap().values.as_ref().unwrap();
    let bias = layer.bias.as_ref().map(|bias| bias.values.as_ref().unwrap());
    let channels = input.channels / c.groups;
    let [kh, kw] = c.window.kernel;
    let at = |position: usize, index: usize, axis: usize, extent: usize| {
        (position * c.window.stride[axis] + index * c.window.dilation[axis])
            .checked_sub(c.window.pad[axis])
            .filter(|&p| p < extent)
    };
    let mut y = Vec::new();
    for o in 0..output.channels {
        let group = o / (c.outputs / c.groups);
        for row in 0..output.height {
            for column in 0..output.width {
                let terms = (0..channels * kh * kw).map(|k| {
                    let (channel, i, j) = (group * channels + k / (kh * kw), k / kw % kh, k % kw);
                    let x = match (at(row, i, 0, input.height), at(column, j, 1, input.width)) {
                        (Some(r), Some(c)) => x[(channel * input.height + r) * input.width + c],
                        _ => R::from(0.0),
                    };
                    (R::from(weight[o * channels * kh * kw + k]), x)
                });
                y.push(sum(terms, bias.map(|bias| bias[o])));
            }
        }
    }
    y
}

fn pooling<R: Real>(p: &Pooling, input: Shape, x: &[R], output: Shape) -> Vec<R> {
    let w = p.window;
    let mut y = Vec::new();
    for channel in 0..output.channels {
        for row in 0..output.height {
            for column in 0..output.width {
                let (mut most, mut total, mut inside, mut padded) = (R::from(f32::MIN), R::from(0.0), 0, 0);
                for i in 0..w.kernel[0] {
                    for j in 0..w.kernel[1] {
                        let r = (row * w.stride[0] + i * w.dilation[0]) as isize - w.pad[0] as isize;
                        let c = (column * w.stride[1] + j * w.dilation[1]) as isize - w.pad[1] as isize;
                        let within = |position: isize, extent: usize| position < extent as isize;
                        if within(r, input.height + w.pad_end[0]) && within(c, input.width + w.pad_end[1]) {
                            padded += 1;
                        }
                        if r >= 0 && c >= 0 && within(r, input.height) && within(c, input.width) {
                            let x = x[(channel * input.height + r as usize) * input.width + c as usize];
                            most = if x > most { x } else { most };
                            total = total + x;
                            inside += 1;
                        }
                    }
                }
                y.push(match p.method {
                    PoolingMethod::Max => most,
                    PoolingMethod::Average { count_padding } => {
                        total / R::from((if count_padding { padded } else { inside }) as f32)
                    }
                });
            }
        }
    }
    y
}

/// All blobs of one image.
pub fn forward<R: Real>(network: &Network, image: &[f32]) -> Vec<Vec<R>> {
    let mut blobs: Vec<Vec<R>> = vec![vec![]; network.blobs.len()];
    blobs[0] = image.iter().map(|&x| R::from(x)).collect();
    for layer in &network.layers {
        let (input, output) = (network.blob(layer.inputs[0]).shape, network.blob(layer.output).shape);
        let x = &blobs[layer.inputs[0].0];
        let zero = R::from(0.0);
        blobs[layer.output.0] = match &layer.kind {
            LayerKind::Convolution(c) => convolution(c, layer, input, x, output),
            LayerKind::InnerProduct { outputs } => {
                let weight = layer.weight.as_ref().unwrap().values.as_ref().unwrap();
                let bias = layer.bias.as_ref().map(|bias| bias.values.as_ref().unwrap());
                (0..*outputs)
                    .map(|o| {
                        let row = &weight[o * x.len()..][..x.len()];
                        sum(row.iter().map(|&w| R::from(w)).zip(x.iter().copied()), bias.map(|bias| bias[o]))
                    })
                    .collect()
            }
            LayerKind::Pooling(p) => pooling(p, input, x, output),
            LayerKind::Relu { negative_slope } => x
                .iter()
                .map(|&x| match x < zero {
                    true if *negative_slope == 0.0 => zero,
                    true => R::from(*negative_slope) * x,
                    false => x,
                })
                .collect(),
            LayerKind::Softmax => {
                let e: Vec<R> = x.iter().map(|x| x.exponential()).collect();
                let total = e.iter().fold(zero, |total, &e| total + e);
                e.iter().map(|&e| e / total).collect()
            }
            LayerKind::Dropout => x.clone(),
            kind => panic!("the engine refuses {}", kind.name()),
        };
    }
    blobs
}
