//! Fully connected layers: Gemm, and `MatMul` with a constant.

use super::assembly::{Assembly, Emission};
use super::error::{Problem, shown};
use super::node::Node;
use super::tensor::Constant;
use super::value::Value;
use crate::network::{LayerKind, Parameter};

/// Checks that the activations that `node` multiplies are `batch x inputs`, and returns the number of inputs.
fn inputs(node: &Node<'_>) -> Result<usize, Problem> {
    if let Value::Constant(constant) = node.value(0)? {
        let name = format!("the constant '{}'", shown(node.input_name(0)));
        return Err(Problem::extent(
            name,
            &constant.dims,
            "activations on the left, the weight on the right",
        ));
    }
    match *node.view(0)?.dims {
        [_, inputs] => Ok(inputs),
        ref other => Err(Problem::extent("input", other, "batch x inputs")),
    }
}

/// alpha · x · W + beta · c. The factors become part of weight and bias.
pub fn gemm(node: &Node<'_>, assembly: &mut Assembly) -> Result<Value, Problem> {
    if node.flag("transA")? {
        return Err(Problem::value("transA", 1, "0: images are rows"));
    }
    let inputs = inputs(node)?;
    let (alpha, beta) = (node.finite("alpha", 1.0)?, node.finite("beta", 1.0)?);
    let mut weight = weight(node, assembly, inputs, node.flag("transB")?)?;
    scale(&mut weight, "alpha", alpha)?;
    let extents = [node.view(0)?.dims[0], weight.dims[0]];
    let mut bias = node.optional(2).map(|_| assembly.per_channel(node, 2, &extents)).transpose()?;
    if let Some(bias) = &mut bias {
        scale(bias, "beta", beta)?;
    }
    emit(node, assembly, weight, bias)
}

/// x · W.
pub fn mat_mul(node: &Node<'_>, assembly: &mut Assembly) -> Result<Value, Problem> {
    let inputs = inputs(node)?;
    let weight = weight(node, assembly, inputs, false)?;
    emit(node, assembly, weight, None)
}

/// Multiplies `parameter` by the attribute `name`.
fn scale(parameter: &mut Parameter, name: &str, factor: f32) -> Result<(), Problem> {
    if factor == 1.0 {
        return Ok(());
    }
    if parameter.quantisation.is_some() {
        return Err(Problem::value(name, factor, "1: the operand is stored as codes"));
    }
    parameter.values.iter_mut().flatten().for_each(|value| *value *= factor);
    Ok(())
}

/// The weight as `outputs x inputs`, from the second operand, which is stored that way if
/// `transposed`.
fn weight(
    node: &Node<'_>,
    assembly: &mut Assembly,
    inputs: usize,
    transposed: bool,
) -> Result<Parameter, Problem> {
    let constant: &Constant = node.constant(1)?;
    let outputs = match (constant.dims.as_slice(), transposed) {
        (&[outputs, columns], true) if columns == inputs && outputs > 0 => outputs,
        (&[rows, outputs], false) if rows == inputs && outputs > 0 => outputs,
        (other, _) => {
            let expected =
                if transposed { format!("outputs x {inputs}") } else { format!("{inputs} x outputs") };
            return Err(Problem::extent("weight", other, expected));
        }
    };
    let mut weight = assembly.trained(constant, vec![outputs, inputs])?;
    if !transposed {
        weight.values = weight.values.map(|values| transpose(&values, inputs, outputs));
        if let Some(quantisation) = &mut weight.quantisation {
            *quantisation = quantisation.transposed(inputs, outputs).ok_or_else(|| {
                Problem::unsupported(
                    "found scales that go neither by the rows nor by the columns of the weight",
                )
            })?;
        }
    }
    Ok(weight)
}

/// The `rows x columns` matrix `values` with rows and columns exchanged.
fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    /// Rows and columns of a tile: both its sides stay in the nearest cache.
    const TILE: usize = 32;
    let mut transposed = vec![0.0; values.len()];
    for top in (0..rows).step_by(TILE) {
        for left in (0..columns).step_by(TILE) {
            for column in left..(left + TILE).min(columns) {
                for row in top..(top + TILE).min(rows) {
                    transposed[column * rows + row] = values[row * columns + column];
                }
            }
        }
    }
    transposed
}

/// Emits the layer. It reads its input flattened, so that a reshaped one is read as it was written.
fn emit(
    node: &Node<'_>,
    assembly: &mut Assembly,
    weight: Parameter,
    bias: Option<Parameter>,
) -> Result<Value, Problem> {
    let view = node.view(0)?;
    let (outputs, dims) = (weight.dims[0], vec![view.dims[0], weight.dims[0]]);
    let emission = Emission {
        weight: Some(weight),
        bias,
        ..Emission::new(LayerKind::InnerProduct { outputs }, vec![view.blob], dims)
    };
    assembly.emit(node, emission)
}

#[cfg(test)]
mod tests {
    use super::transpose;

    #[test]
    fn transposing_exchanges_rows_and_columns() {
        for (rows, columns) in [(1, 1), (2, 3), (33, 70), (64, 32)] {
            let values: Vec<f32> = (0..rows * columns).map(|index| index as f32).collect();
            let transposed = transpose(&values, rows, columns);
            for row in 0..rows {
                for column in 0..columns {
                    assert_eq!(transposed[column * rows + row], (row * columns + column) as f32);
                }
            }
        }
    }
}
