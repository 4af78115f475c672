//! Element-wise arithmetic and batch normalisation.

use super::assembly::{Assembly, Emission, parameter};
use super::error::Problem;
use super::node::Node;
use super::value::Value;
use crate::network::{Eltwise, LayerKind, Parameter};

/// The two operands of a commutative operation.
enum Operands {
    /// Both depend on the image.
    Activations,
    /// The activations at this index, and a constant at the other.
    Mixed { activations: usize, constant: usize },
}

fn operands(node: &Node<'_>) -> Result<Operands, Problem> {
    match (node.value(0)?, node.value(1)?) {
        (Value::Activation(_), Value::Activation(_)) => Ok(Operands::Activations),
        (Value::Activation(_), Value::Constant(_)) => Ok(Operands::Mixed { activations: 0, constant: 1 }),
        (Value::Constant(_), Value::Activation(_)) => Ok(Operands::Mixed { activations: 1, constant: 0 }),
        (Value::Constant(_), Value::Constant(_)) => {
            Err(Problem::unsupported("reads only constants, expected activations"))
        }
        (other @ (Value::Codes(..) | Value::Absent(_)), _) | (_, other) => {
            Err(Problem::value("operand", other.kind(), "activations or a constant"))
        }
    }
}

/// Applies `kind` to all inputs, which must be activations of one shape.
fn eltwise(node: &Node<'_>, assembly: &mut Assembly, kind: Eltwise) -> Result<Value, Problem> {
    let dims = node.view(0)?.dims.clone();
    let count = node.inputs()?.len();
    let mut inputs = Vec::with_capacity(count);
    for index in 0..count {
        let other = &node.view(index)?.dims;
        if *other != dims {
            let expected = format!("{} as the first has", super::error::extents(&dims));
            return Err(Problem::extent(format!("operand {}", index + 1), other, expected));
        }
        inputs.push(assembly.operand(node, index)?.0);
    }
    assembly.emit(node, Emission::new(LayerKind::Eltwise(kind), inputs, dims))
}

/// The sum of two operands. One number per channel becomes the bias of the layer that it is added to, where that has none.
pub fn add(node: &Node<'_>, assembly: &mut Assembly) -> Result<Value, Problem> {
    let (activations, constant) = match operands(node)? {
        Operands::Activations => return sum(node, assembly),
        Operands::Mixed { activations, constant } => (activations, constant),
    };
    let dims = node.view(activations)?.dims.clone();
    let term = assembly.per_channel(node, constant, &dims)?;
    if let Some(layer) = assembly.sole_producer(node, activations) {
        match (&layer.kind, &mut layer.bias) {
            (LayerKind::Convolution(_) | LayerKind::InnerProduct { .. } | LayerKind::Affine, bias @ None) => {
                *bias = Some(term);
                return assembly.absorbed(node, activations);
            }
            (LayerKind::Affine, Some(bias)) => {
                combine(bias, &term, |bias, value| bias + value);
                return assembly.absorbed(node, activations);
            }
            _ => {}
        }
    }
    let ones = parameter(term.dims.clone(), vec![1.0; term.words()]);
    affine(node, assembly, activations, ones, Some(term))
}

/// The product of two operands. A number per channel becomes part of an affine layer that it multiplies.
pub fn mul(node: &Node<'_>, assembly: &mut Assembly) -> Result<Value, Problem> {
    let (activations, constant) = match operands(node)? {
        Operands::Activations => return eltwise(node, assembly, Eltwise::Product),
        Operands::Mixed { activations, constant } => (activations, constant),
    };
    let dims = node.view(activations)?.dims.clone();
    let factor = assembly.per_channel(node, constant, &dims)?;
    if let Some(layer) = assembly.sole_producer(node, activations)
        && layer.kind == LayerKind::Affine
    {
        for parameter in [&mut layer.weight, &mut layer.bias].into_iter().flatten() {
            combine(parameter, &factor, |old, factor| old * factor);
        }
        return assembly.absorbed(node, activations);
    }
    affine(node, assembly, activations, factor, None)
}

/// Lets each value of `old` become what `operation` makes of it and of the one of `new`; no code stands for that.
fn combine(old: &mut Parameter, new: &Parameter, operation: fn(f32, f32) -> f32) {
    old.quantisation = None;
    for (old, &new) in old.values.iter_mut().flatten().zip(new.values.iter().flatten()) {
        *old = operation(*old, new);
    }
}

/// The sum of any number of activations.
pub fn sum(node: &Node<'_>, assembly: &mut Assembly) -> Result<Value, Problem> {
    match node.inputs()?.as_slice() {
        &[only] => Ok(only.clone()),
        [_, _] if !matches!(operands(node)?, Operands::Activations) => add(node, assembly),
        all => eltwise(node, assembly, Eltwise::Sum { coefficients: vec![1.0; all.len()] }),
    }
}

/// Emits weight·x + bias per channel over the activations that `node` reads at `index`.
fn affine(
    node: &Node<'_>,
    assembly: &mut Assembly,
    index: usize,
    weight: Parameter,
    bias: Option<Parameter>,
) -> Result<Value, Problem> {
    let dims = node.view(index)?.dims.clone();
    let (input, _) = assembly.operand(node, index)?;
    let emission =
        Emission { weight: Some(weight), bias, ..Emission::new(LayerKind::Affine, vec![input], dims) };
    assembly.emit(node, emission)
}

/// Batch normalisation with the trained mean and variance: scale·(x - mean)/√(variance + epsilon) + shift. Weight and bias
/// are computed in double precision and rounded once.
pub fn batch_normalization(node: &Node<'_>, assembly: &mut Assembly) -> Result<Value, Problem> {
    if node.flag("training_mode")? || (node.opset < 14 && node.other_outputs().next().is_some()) {
        let reason = "found training mode, expected inference: the mean and variance of training are given";
        return Err(Problem::unsupported(reason));
    }
    if node.opset < 9 && node.integer("spatial", 1)? != 1 {
        return Err(Problem::value("spatial", node.integer("spatial", 1)?, "1: one mean per channel"));
    }
    let epsilon = f64::from(node.finite("epsilon", 1e-5)?);
    let dims = &node.view(0)?.dims;
    let Some(&channels) = dims.get(1) else {
        return Err(Problem::extent("input", dims, "batch x channels and more"));
    };
    let mut read = |index: usize, name: &str| {
        let constant = node.constant(index)?;
        match constant.dims.as_slice() {
            &[extent] if extent == channels => assembly.floats(constant),
            other => Err(Problem::extent(name, other, format!("{channels}, one per channel"))),
        }
    };
    let (scale, shift) = (read(1, "scale")?, read(2, "shift")?);
    let (mean, variance) = (read(3, "mean")?, read(4, "variance")?);
    let (mut weight, mut bias) = (Vec::with_capacity(channels), Vec::with_capacity(channels));
    for channel in 0..channels {
        let spread = f64::from(variance[channel]) + epsilon;
        if spread <= 0.0 {
            let what = format!("variance of channel {channel}");
            return Err(Problem::value(what, variance[channel], format!("more than -{epsilon} (epsilon)")));
        }
        let factor = f64::from(scale[channel]) / spread.sqrt();
        weight.push(factor as f32);
        bias.push((f64::from(shift[channel]) - f64::from(mean[channel]) * factor) as f32);
    }
    let of = |values| parameter(vec![channels], values);
    affine(node, assembly, 0, of(weight), Some(of(bias)))
}
