//! Layers without parameters that keep the extents: activation functions, normalisation, Dropout, Softmax.

use super::assembly::{Assembly, Emission};
use super::error::Problem;
use super::node::{Node, bounded};
use super::value::Value;
use crate::network::{LayerKind, LocalResponse};

/// Applies `kind` to the activations that `node` reads first.
fn unary(node: &Node<'_>, assembly: &mut Assembly, kind: LayerKind) -> Result<Value, Problem> {
    let dims = node.view(0)?.dims.clone();
    let (input, _) = assembly.operand(node, 0)?;
    assembly.emit(node, Emission::new(kind, vec![input], dims))
}

/// max(x, 0).
pub fn relu(node: &Node<'_>, assembly: &mut Assembly) -> Result<Value, Problem> {
    unary(node, assembly, LayerKind::Relu { negative_slope: 0.0 })
}

/// max(x, 0), or alpha·x below 0.
pub fn leaky_relu(node: &Node<'_>, assembly: &mut Assembly) -> Result<Value, Problem> {
    let negative_slope = node.finite("alpha", 0.01)?;
    unary(node, assembly, LayerKind::Relu { negative_slope })
}

/// 1 / (1 + e^-x).
pub fn sigmoid(node: &Node<'_>, assembly: &mut Assembly) -> Result<Value, Problem> {
    unary(node, assembly, LayerKind::Sigmoid)
}

/// Hyperbolic tangent.
pub fn tanh(node: &Node<'_>, assembly: &mut Assembly) -> Result<Value, Problem> {
    unary(node, assembly, LayerKind::Tanh)
}

/// min(max(x, lower), upper); the limits are attributes before version 11, inputs from then on.
pub fn clip(node: &Node<'_>, assembly: &mut Assembly) -> Result<Value, Problem> {
    let inputs = node.opset >= 11;
    if inputs && (node.has("min") || node.has("max"))
        || !inputs && node.optional(1).or(node.optional(2)).is_some()
    {
        let expected = if inputs { "inputs" } else { "attributes" };
        return Err(Problem::unsupported(format!(
            "found limits in the way of another version, expected them as {expected} in version {}",
            node.opset
        )));
    }
    let mut limit = |index: usize, name: &str, default: f32| {
        let given = match (inputs, node.optional_constant(index)?) {
            (true, Some(constant)) if constant.elements() != 1 => {
                return Err(Problem::extent(name, &constant.dims, "a scalar"));
            }
            (true, constant) => {
                constant.map(|constant| assembly.floats(constant)).transpose()?.map(|list| list[0])
            }
            (false, _) => node.number(name)?,
        };
        match given.unwrap_or(default) {
            value if value.is_nan() => Err(Problem::value(name, value, "a number")),
            value => Ok(value),
        }
    };
    let (min, max) = (limit(1, "min", f32::MIN)?, limit(2, "max", f32::MAX)?);
    // With the limits crossed every result is the upper one.
    unary(node, assembly, LayerKind::Clip { min: min.min(max), max })
}

/// Local response normalisation across channels; of an even size one more channel behind the element's own counts.
pub fn local_response(node: &Node<'_>, assembly: &mut Assembly) -> Result<Value, Problem> {
    if !node.has("size") {
        return Err(Problem::missing("attribute size", "the number of channels to sum over"));
    }
    let size = bounded("size", node.integer("size", 0)?, 1)?;
    let kind = LayerKind::LocalResponse(LocalResponse {
        size,
        alpha: node.finite("alpha", 1e-4)?,
        beta: node.finite("beta", 0.75)?,
        k: node.finite("bias", 1.0)?,
        within_channel: false,
    });
    unary(node, assembly, kind)
}

/// Dropout, which passes its input on at inference.
pub fn dropout(node: &Node<'_>, assembly: &mut Assembly) -> Result<Value, Problem> {
    if let Some(training) = node.optional_constant(2)?
        && training.integers()?.iter().any(|&flag| flag != 0)
    {
        return Err(Problem::value("training_mode", "true", "false: inference"));
    }
    unary(node, assembly, LayerKind::Dropout)
}

/// Softmax along one axis; before version 13 over that axis and all behind it together.
pub fn softmax(node: &Node<'_>, assembly: &mut Assembly) -> Result<Value, Problem> {
    let view = node.view(0)?;
    let dims = view.dims.clone();
    let joint = node.opset < 13;
    let axis = node.axis(if joint { 1 } else { -1 }, dims.len())?;
    // The graph's softmax runs over the channels: nothing may lie between them and the batch.
    if axis == 0 || dims[1..axis].iter().any(|&extent| extent != 1) {
        let expected = format!("the channels of {} as the axis", super::error::extents(&dims));
        return Err(Problem::value("axis", axis, expected));
    }
    let (along, behind) = if joint { (dims.len(), 1) } else { (axis + 1, dims[axis + 1..].iter().product()) };
    let channels = dims[axis..along].iter().product();
    let names = |what: &str| [format!("{}_{what}", node.name()), format!("{}_{what}", node.output())];
    let counted = match (channels == dims[1], behind) {
        (true, _) if axis == 1 && !joint => dims.clone(),
        (_, 1) => vec![dims[0], channels],
        _ => vec![dims[0], channels, behind],
    };
    let flat = assembly.recounted(view, counted.clone(), names("flattened"))?;
    let input = assembly.materialised(&flat)?;
    match assembly.emit(node, Emission::new(LayerKind::Softmax, vec![input], counted))? {
        Value::Activation(output) if output.dims != dims => {
            assembly.recounted(&output, dims, names("restored")).map(Value::Activation)
        }
        value => Ok(value),
    }
}
