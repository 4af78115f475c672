//! `QuantizeLinear` and `DequantizeLinear`: codes of 8 bits, and of 32 bits for biases.

use super::assembly::Assembly;
use super::error::Problem;
use super::node::Node;
use super::schema::tensor_proto::DataType;
use super::tensor::Constant;
use super::value::Value;
use crate::network::LayerKind;
use crate::number::{CodeKind, Quantisation, Quantiser};

/// The codes of activations or of a constant.
pub fn quantize_linear(node: &Node<'_>, assembly: &mut Assembly) -> Result<Value, Problem> {
    refuse_blocks(node)?;
    let precision = node.integer("precision", 0)?;
    if precision != 0 && precision != DataType::Float as i64 {
        return Err(Problem::value("precision", precision, "0 or 1 (FLOAT)"));
    }
    let kind = written(node)?;
    match node.value(0)? {
        Value::Activation(view) => {
            let quantiser = single(&quantisation(node, assembly, kind, &view.dims)?)?;
            let codes = assembly.emit_on(node, LayerKind::Quantise(quantiser), view)?;
            Ok(Value::Codes(codes, quantiser))
        }
        Value::Constant(constant) => {
            let quantisation = quantisation(node, assembly, kind, &constant.dims)?;
            let values = assembly.floats(constant)?;
            let encode = |(index, value): (usize, f32)| quantisation.quantiser(index).encode(value) as u8;
            let codes = values.into_iter().enumerate().map(encode).collect();
            Ok(Value::Constant(Constant::of_codes(constant.dims.clone(), kind, codes)))
        }
        other => Err(Problem::value("input 1", other.kind(), "activations or a constant")),
    }
}

/// The values of codes: of those of a `QuantizeLinear`, or of a constant.
pub fn dequantize_linear(node: &Node<'_>, assembly: &mut Assembly) -> Result<Value, Problem> {
    refuse_blocks(node)?;
    let element = node.integer("output_dtype", 0)?;
    if element != 0 && element != DataType::Float as i64 {
        return Err(Problem::value("output_dtype", element, "1 (FLOAT)"));
    }
    match node.value(0)? {
        Value::Codes(view, written) => {
            check_zero_point(node, data_type(written.codes()))?;
            let read = single(&quantisation(node, assembly, written.codes(), &view.dims)?)?;
            if read != *written {
                let shown =
                    |quantiser: Quantiser| format!("{} and {}", quantiser.scale(), quantiser.zero_point());
                let expected = format!("{} as in the QuantizeLinear before it", shown(*written));
                return Err(Problem::value("scale and zero point", shown(read), expected));
            }
            Ok(Value::Activation(view.clone()))
        }
        Value::Constant(constant) if constant.element() == DataType::Int32 => {
            wide(node, assembly, constant).map(Value::Constant)
        }
        Value::Constant(constant) => {
            let Some(kind) = code_kind(constant.element()) else {
                let found = constant.element().as_str_name();
                return Err(Problem::value("data type", found, "INT8, UINT8 or INT32"));
            };
            check_zero_point(node, constant.element())?;
            let quantisation = quantisation(node, assembly, kind, &constant.dims)?;
            Ok(Value::Constant(Constant::dequantised(constant.clone(), quantisation)))
        }
        other => {
            let expected = "codes: of a QuantizeLinear, or a constant";
            Err(Problem::value("input 1", other.kind(), expected))
        }
    }
}

/// Refuses scales by block of an axis.
fn refuse_blocks(node: &Node<'_>) -> Result<(), Problem> {
    match node.integer("block_size", 0)? {
        0 => Ok(()),
        other => Err(Problem::value("block_size", other, "0: one scale, or one per channel")),
    }
}

fn code_kind(element: DataType) -> Option<CodeKind> {
    match element {
        DataType::Int8 => Some(CodeKind::Int8),
        DataType::Uint8 => Some(CodeKind::Uint8),
        _ => None,
    }
}

fn data_type(kind: CodeKind) -> DataType {
    match kind {
        CodeKind::Int8 => DataType::Int8,
        CodeKind::Uint8 => DataType::Uint8,
    }
}

/// The kind of codes that a `QuantizeLinear` writes: the type of its zero point, or what `output_dtype` says, or uint8.
fn written(node: &Node<'_>) -> Result<CodeKind, Problem> {
    let named = match node.integer("output_dtype", 0)? {
        0 => None,
        code => {
            let element = i32::try_from(code).ok().and_then(|code| DataType::try_from(code).ok());
            Some(element.ok_or_else(|| Problem::value("output_dtype", code, "a known type"))?)
        }
    };
    let zero_point = node.optional_constant(2)?.map(Constant::element);
    if let (Some(named), Some(zero_point)) = (named, zero_point)
        && named != zero_point
    {
        let expected = format!("{} as the zero point", zero_point.as_str_name());
        return Err(Problem::value("output_dtype", named.as_str_name(), expected));
    }
    let element = zero_point.or(named).unwrap_or(DataType::Uint8);
    code_kind(element)
        .ok_or_else(|| Problem::value("type of the codes", element.as_str_name(), "INT8 or UINT8"))
}

/// Checks that the zero point, if there is one, is of the type of the codes.
fn check_zero_point(node: &Node<'_>, codes: DataType) -> Result<(), Problem> {
    match node.optional_constant(2)? {
        Some(zero_point) if zero_point.element() != codes => {
            let expected = format!("{} as the codes", codes.as_str_name());
            Err(Problem::value("type of the zero point", zero_point.element().as_str_name(), expected))
        }
        _ => Ok(()),
    }
}

/// The one quantiser of activations.
fn single(quantisation: &Quantisation) -> Result<Quantiser, Problem> {
    match *quantisation.quantisers() {
        [quantiser] => Ok(quantiser),
        ref all => Err(Problem::value("number of scales", all.len(), "1: activations have one scale")),
    }
}

/// How `node` quantises a tensor of extents `dims` to codes of kind `kind`.
fn quantisation(
    node: &Node<'_>,
    assembly: &mut Assembly,
    kind: CodeKind,
    dims: &[usize],
) -> Result<Quantisation, Problem> {
    let (scales, inner) = scales(node, assembly, dims)?;
    let zero_points = match node.optional_constant(2)? {
        None => vec![0; scales.len()],
        Some(constant) => {
            check_extents(node, constant)?;
            let codes = constant.codes()?;
            codes
                .iter()
                .map(|&code| if kind == CodeKind::Int8 { i32::from(code as i8) } else { i32::from(code) })
                .collect()
        }
    };
    let quantisers = scales
        .into_iter()
        .zip(zero_points)
        .map(|(scale, zero_point)| Quantiser::new(kind, scale, zero_point))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Problem::unsupported(error.to_string()))?;
    Ok(match quantisers.as_slice() {
        &[only] => Quantisation::per_tensor(only),
        _ => Quantisation::per_channel(quantisers, inner),
    })
}

/// Checks that the zero points are as many as the scales.
fn check_extents(node: &Node<'_>, zero_points: &Constant) -> Result<(), Problem> {
    let scales = node.constant(1)?.elements();
    if zero_points.elements() == scales {
        return Ok(());
    }
    Err(Problem::extent("zero points", &zero_points.dims, format!("as many as scales: {scales}")))
}

/// The scales for a tensor of extents `dims`: one, or one per index along the axis of the node; and the number of elements
/// for each such index.
fn scales(node: &Node<'_>, assembly: &mut Assembly, dims: &[usize]) -> Result<(Vec<f32>, usize), Problem> {
    let constant = node.constant(1)?;
    let inner = match constant.dims.as_slice() {
        [] | [1] => 1,
        &[count] if node.opset >= 13 => {
            let axis = node.axis(1, dims.len())?;
            if count != dims[axis] || count == 0 {
                let expected = format!("one, or one for each of the {} of axis {axis}", dims[axis]);
                return Err(Problem::extent("scales", &constant.dims, expected));
            }
            // A tensor without elements needs no scale, but one that is 1 for each.
            dims[axis + 1..].iter().product::<usize>().max(1)
        }
        other => {
            let expected = if node.opset >= 13 { "one, or one per channel" } else { "one" };
            return Err(Problem::extent("scales", other, expected));
        }
    };
    Ok((assembly.floats(constant)?, inner))
}

/// The values of 32-bit codes, which have no zero point: single-precision numbers, since these words stand for more values
/// than those can tell apart.
fn wide(node: &Node<'_>, assembly: &mut Assembly, codes: &Constant) -> Result<Constant, Problem> {
    check_zero_point(node, DataType::Int32)?;
    if let Some(zero_point) = node.optional_constant(2)? {
        check_extents(node, zero_point)?;
        if zero_point.integers()?.iter().any(|&zero_point| zero_point != 0) {
            return Err(Problem::unsupported("found a zero point of 32-bit codes that is not 0"));
        }
    }
    let (scales, inner) = scales(node, assembly, &codes.dims)?;
    assembly.charge(codes)?;
    let decode = |(index, code): (usize, i64)| code as f32 * scales[index / inner % scales.len()];
    let values = codes.integers()?.into_iter().enumerate().map(decode).collect();
    Ok(Constant::of_floats(values).with_dims(codes.dims.clone()))
}
