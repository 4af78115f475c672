//! Operators whose result is known at import.

use super::assembly::Assembly;
use super::error::{Problem, extents};
use super::node::{self, Node};
use super::tensor::{Constant, MAX_LISTED, checked_dims};
use super::value::Value;

/// A constant tensor, in one of its attributes.
pub fn constant(node: &Node<'_>, assembly: &mut Assembly) -> Result<Value, Problem> {
    let scalar = |constant: Constant| constant.with_dims(Vec::new());
    let constant = if let Some(tensor) = node.tensor("value")? {
        Constant::new(tensor.clone(), assembly.folder())?
    } else if let Some(value) = node.number("value_float")? {
        scalar(Constant::of_floats(vec![value]))
    } else if let Some(values) = node.floats("value_floats")? {
        Constant::of_floats(values)
    } else if node.has("value_int") {
        scalar(Constant::of_integers(vec![node.integer("value_int", 0)?]))
    } else if let Some(values) = node.list("value_ints")? {
        Constant::of_integers(values.to_vec())
    } else {
        return Err(Problem::missing("value", "a tensor, numbers or integers (no texts, no sparse tensor)"));
    };
    Ok(Value::Constant(constant))
}

/// One number everywhere.
pub fn constant_of_shape(node: &Node<'_>, assembly: &mut Assembly) -> Result<Value, Problem> {
    let dims = checked_dims(&node.integers(0)?)?;
    let value = match node.tensor("value")? {
        None => 0.0,
        Some(tensor) => match Constant::new(tensor.clone(), assembly.folder())? {
            constant if constant.elements() == 1 => constant.floats()?[0],
            constant => return Err(Problem::extent("value", &constant.dims, "one number")),
        },
    };
    Ok(Value::Constant(Constant::filled(dims, value)))
}

/// The extents of a value; a batch that the model leaves open counts 1.
pub fn shape(node: &Node<'_>, _: &mut Assembly) -> Result<Value, Problem> {
    let dims = match node.value(0)? {
        Value::Constant(constant) => &constant.dims,
        Value::Activation(view) | Value::Codes(view, _) => &view.dims,
        Value::Absent(reason) => return Err(Problem::value("input 1", reason, "activations or a constant")),
    };
    let rank = dims.len() as i64;
    let place = |name: &str, default: i64| {
        let value = node.integer(name, default)?;
        Ok(if value < 0 { value.saturating_add(rank) } else { value }.clamp(0, rank) as usize)
    };
    let (start, end) = (place("start", 0)?, place("end", rank)?);
    let extents = dims.get(start..end).unwrap_or_default();
    Ok(Value::Constant(Constant::of_integers(extents.iter().map(|&dim| dim as i64).collect())))
}

/// Entries of a list of integers: of a shape, for a Reshape.
pub fn gather(node: &Node<'_>, _: &mut Assembly) -> Result<Value, Problem> {
    let (list, indices) = (node.constant(0)?, node.constant(1)?);
    if list.dims.len() != 1 || !list.is_integer() {
        return Err(Problem::extent("data", &list.dims, "a list of integers"));
    }
    if indices.elements() > MAX_LISTED {
        return Err(Problem::unsupported(format!("yields a list of more than {MAX_LISTED} integers")));
    }
    node.axis(0, 1)?;
    let values = list.integers()?;
    let entry = |index| node::axis("index", index, values.len()).map(|index| values[index]);
    let entries = indices.integers()?.into_iter().map(entry).collect::<Result<Vec<_>, _>>()?;
    if entries.len() != indices.elements() {
        return Err(Problem::value("indices", extents(&indices.dims), "one value each"));
    }
    Ok(Value::Constant(Constant::of_integers(entries).with_dims(indices.dims.clone())))
}
