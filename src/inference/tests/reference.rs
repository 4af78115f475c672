//! A plain forward pass, image by image, written from the definitions: in binary32 in the canonical order, and in
//! binary64.

use crate::inference::elementary;
use crate::network::{
    Convolution, Eltwise, Layer, LayerKind, LocalResponse, Network, Pooling, PoolingMethod, Shape,
};
use crate::number::Quantiser;
use std::ops::{Add, Div, Mul, Sub};

/// In binary32 elementary functions are the engine's own, so that bits can be compared behind them; in binary64 they are
/// the system's.
pub trait Real:
    Copy
    + PartialOrd
    + From<f32>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
{
    fn fused(self, factor: Self, term: Self) -> Self;
    fn exponential(self) -> Self;
    fn sigmoid(self) -> Self;
    fn tanh(self) -> Self;
    fn power(self, exponent: f32) -> Self;
    /// The value of the code that `ONNX` gives to it: rounded in this precision.
    fn quantised(self, quantiser: Quantiser) -> Self;
}

impl Real for f32 {
    fn fused(self, factor: f32, term: f32) -> f32 {
        self.mul_add(factor, term)
    }
    fn exponential(self) -> f32 {
        elementary::exponential(self)
    }
    fn sigmoid(self) -> f32 {
        elementary::sigmoid(self)
    }
    fn tanh(self) -> f32 {
        elementary::tanh(self)
    }
    fn power(self, exponent: f32) -> f32 {
        match exponent {
            0.25 => self.sqrt().sqrt(),
            0.5 => self.sqrt(),
            0.75 => self.sqrt() * self.sqrt().sqrt(),
            1.0 => self,
            _ => elementary::power(self, exponent),
        }
    }
    fn quantised(self, quantiser: Quantiser) -> f32 {
        let zero_point = quantiser.zero_point() as f32;
        let [least, most] = quantiser.codes().range().map(|code| code as f32);
        let code = ((self / quantiser.scale()).round_ties_even() + zero_point).clamp(least, most);
        // A NaN has the code of 0; there is no -0.
        if code.is_nan() { 0.0 } else { (code - zero_point + 0.0) * quantiser.scale() }
    }
}

impl Real for f64 {
    fn fused(self, factor: f64, term: f64) -> f64 {
        self.mul_add(factor, term)
    }
    fn exponential(self) -> f64 {
        self.exp()
    }
    fn sigmoid(self) -> f64 {
        1.0 / (1.0 + (-self).exp())
    }
    fn tanh(self) -> f64 {
        f64::tanh(self)
    }
    fn power(self, exponent: f32) -> f64 {
        self.powf(f64::from(exponent))
    }
    fn quantised(self, quantiser: Quantiser) -> f64 {
        let zero_point = f64::from(quantiser.zero_point());
        let [least, most] = quantiser.codes().range().map(f64::from);
        let scale = f64::from(quantiser.scale());
        let code = ((self / scale).round_ties_even() + zero_point).clamp(least, most);
        if code.is_nan() { 0.0 } else { (code - zero_point) * scale }
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

fn local_response<R: Real>(l: &LocalResponse, shape: Shape, x: &[R]) -> Vec<R> {
    let at =
        |channel: usize, row: usize, column: usize| (channel * shape.height + row) * shape.width + column;
    let n = if l.within_channel { l.size * l.size } else { l.size };
    let alpha = R::from((f64::from(l.alpha) / n as f64) as f32);
    // Whether element b counts for element a, on an axis that is summed over.
    let near = |a: usize, b: usize| b + (l.size - 1) / 2 >= a && b <= a + l.size / 2;
    let mut y = Vec::new();
    for channel in 0..shape.channels {
        for row in 0..shape.height {
            for column in 0..shape.width {
                let mut sum = R::from(0.0);
                for c in 0..shape.channels {
                    for r in 0..shape.height {
                        for k in 0..shape.width {
                            let counts = if l.within_channel {
                                c == channel && near(row, r) && near(column, k)
                            } else {
                                (r, k) == (row, column) && near(channel, c)
                            };
                            if counts {
                                let x = x[at(c, r, k)];
                                sum = x.fused(x, sum);
                            }
                        }
                    }
                }
                y.push(x[at(channel, row, column)] / alpha.fused(sum, R::from(l.k)).power(l.beta));
            }
        }
    }
    y
}

fn softmax<R: Real>(shape: Shape, x: &[R]) -> Vec<R> {
    let pixels = shape.height * shape.width;
    let mut y = x.to_vec();
    for pixel in 0..pixels {
        let of = |x: &[R], channel: usize| x[channel * pixels + pixel];
        let logits = (0..shape.channels).map(|channel| of(x, channel));
        let most = logits.reduce(|most, x| if x > most { x } else { most }).unwrap();
        let mut sum = R::from(0.0);
        for channel in 0..shape.channels {
            let e = (of(x, channel) - most).exponential();
            sum = sum + e;
            y[channel * pixels + pixel] = e;
        }
        for channel in 0..shape.channels {
            y[channel * pixels + pixel] = of(&y, channel) / sum;
        }
    }
    y
}

fn eltwise<R: Real>(eltwise: &Eltwise, inputs: &[&[R]]) -> Vec<R> {
    let combine = |index: usize, before: R, x: R| match eltwise {
        Eltwise::Sum { coefficients } => R::from(coefficients[index]).fused(x, before),
        Eltwise::Product => before * x,
        Eltwise::Max => {
            if x > before {
                x
            } else {
                before
            }
        }
    };
    let first = |x: R| match eltwise {
        Eltwise::Sum { coefficients } => R::from(coefficients[0]) * x,
        _ => x,
    };
    let mut y: Vec<R> = inputs[0].iter().map(|&x| first(x)).collect();
    for (index, input) in inputs.iter().enumerate().skip(1) {
        for (y, &x) in y.iter_mut().zip(*input) {
            *y = combine(index, *y, x);
        }
    }
    y
}

fn inner_product<R: Real>(layer: &Layer, outputs: usize, x: &[R]) -> Vec<R> {
    let weight = layer.weight.as_ref().unwrap().values.as_ref().unwrap();
    let bias = layer.bias.as_ref().map(|bias| bias.values.as_ref().unwrap());
    (0..outputs)
        .map(|o| {
            let row = &weight[o * x.len()..][..x.len()];
            sum(row.iter().map(|&w| R::from(w)).zip(x.iter().copied()), bias.map(|bias| bias[o]))
        })
        .collect()
}

fn affine<R: Real>(layer: &Layer, shape: Shape, x: &[R]) -> Vec<R> {
    let weight = layer.weight.as_ref().unwrap().values.as_ref().unwrap();
    let bias = layer.bias.as_ref().map(|bias| bias.values.as_ref().unwrap());
    let of = |(index, &x): (usize, &R)| {
        let channel = index / (shape.height * shape.width);
        R::from(weight[channel]).fused(x, R::from(bias.map_or(0.0, |bias| bias[channel])))
    };
    x.iter().enumerate().map(of).collect()
}

/// All blobs of one image.
pub fn forward<R: Real>(network: &Network, image: &[f32]) -> Vec<Vec<R>> {
    forward_stored(network, image, |_, _| {})
}

/// All blobs of one image, each changed by `store` before anything reads it.
pub fn forward_stored<R: Real>(
    network: &Network,
    image: &[f32],
    store: impl Fn(usize, &mut [R]),
) -> Vec<Vec<R>> {
    let mut blobs: Vec<Vec<R>> = vec![vec![]; network.blobs.len()];
    blobs[0] = image.iter().map(|&x| R::from(x)).collect();
    store(0, &mut blobs[0]);
    for layer in &network.layers {
        let (input, output) = (network.blob(layer.inputs[0]).shape, network.blob(layer.output).shape);
        let x = &blobs[layer.inputs[0].0];
        let zero = R::from(0.0);
        let each = |change: &dyn Fn(R) -> R| x.iter().map(|&x| change(x)).collect();
        let mut y = match &layer.kind {
            LayerKind::Convolution(c) => convolution(c, layer, input, x, output),
            LayerKind::InnerProduct { outputs } => inner_product(layer, *outputs, x),
            LayerKind::Pooling(p) => pooling(p, input, x, output),
            LayerKind::Relu { negative_slope } => each(&|x| match x < zero {
                true if *negative_slope == 0.0 => zero,
                true => R::from(*negative_slope) * x,
                false => x,
            }),
            LayerKind::Softmax => softmax(input, x),
            LayerKind::Dropout | LayerKind::Reshape => x.clone(),
            LayerKind::LocalResponse(l) => local_response(l, input, x),
            LayerKind::Concat => layer.inputs.iter().flat_map(|input| blobs[input.0].clone()).collect(),
            LayerKind::Eltwise(kind) => {
                eltwise(kind, &layer.inputs.iter().map(|input| &blobs[input.0][..]).collect::<Vec<_>>())
            }
            LayerKind::Affine => affine(layer, input, x),
            LayerKind::Sigmoid => each(&R::sigmoid),
            LayerKind::Tanh => each(&R::tanh),
            LayerKind::Quantise(quantiser) => each(&|x| x.quantised(*quantiser)),
            LayerKind::Clip { min, max } => {
                let (min, max) = (R::from(*min), R::from(*max));
                each(&|x| {
                    if x < min {
                        min
                    } else if x > max {
                        max
                    } else {
                        x
                    }
                })
            }
        };
        store(layer.output.0, &mut y);
        blobs[layer.output.0] = y;
    }
    blobs
}
