//! Operators that count or arrange the same elements in another way.

use super::assembly::{Assembly, Emission};
use super::error::{Problem, extents};
use super::node::{self, Node};
use super::tensor::{Constant, MAX_ELEMENTS, MAX_LISTED};
use super::value::Value;
use crate::network::LayerKind;

/// The value that `node` reads first, counted by `dims`.
fn recounted(node: &Node<'_>, assembly: &Assembly, dims: Vec<usize>) -> Result<Value, Problem> {
    match node.value(0)? {
        Value::Constant(constant) => Ok(Value::Constant(constant.with_dims(dims))),
        Value::Activation(view) => {
            let names = [node.name().to_owned(), node.output().to_owned()];
            assembly.recounted(view, dims, names).map(Value::Activation)
        }
        Value::Codes(view, quantiser) => {
            let names = [node.name().to_owned(), node.output().to_owned()];
            Ok(Value::Codes(assembly.recounted(view, dims, names)?, *quantiser))
        }
        Value::Absent(reason) => Err(Problem::value("input 1", reason, "activations or a constant")),
    }
}

/// Extents of the value that `node` reads first.
fn dims(node: &Node<'_>) -> Result<Vec<usize>, Problem> {
    match node.value(0)? {
        Value::Constant(constant) => Ok(constant.dims.clone()),
        Value::Activation(view) | Value::Codes(view, _) => Ok(view.dims.clone()),
        Value::Absent(reason) => Err(Problem::value("input 1", reason, "activations or a constant")),
    }
}

/// The input itself.
pub fn identity(node: &Node<'_>, _: &mut Assembly) -> Result<Value, Problem> {
    node.value(0).cloned()
}

/// The product of `dims`, which is bounded wherever the extents are.
fn product(dims: &[usize]) -> Result<u64, Problem> {
    dims.iter().try_fold(1_u64, |product, &dim| product.checked_mul(dim as u64)).ok_or_else(|| {
        Problem::TooManyElements { tensor: "a tensor".to_owned(), dims: extents(dims), limit: MAX_ELEMENTS }
    })
}

/// The constant shape given as second input: 0 keeps the extent there (unless `allowzero`), one -1 is what remains.
pub fn reshape(node: &Node<'_>, assembly: &mut Assembly) -> Result<Value, Problem> {
    let old = dims(node)?;
    let elements = product(&old)?;
    let target = node.integers(1)?;
    let keep = !node.flag("allowzero")?;
    let refused = || Problem::value("shape", extents(&target), format!("one that {} fills", extents(&old)));
    let mut new = Vec::with_capacity(target.len());
    let mut open = None;
    for (axis, &dim) in target.iter().enumerate() {
        new.push(match dim {
            -1 if open.is_none() => {
                open = Some(axis);
                1
            }
            0 if keep => *old.get(axis).ok_or_else(refused)?,
            dim => usize::try_from(dim).map_err(|_| refused())?,
        });
    }
    let given = product(&new)?;
    if let Some(axis) = open {
        let rest = elements.checked_div(given).filter(|rest| rest * given == elements).ok_or_else(refused)?;
        new[axis] = rest as usize;
    } else if given != elements {
        return Err(refused());
    }
    recounted(node, assembly, new)
}

/// Two extents: the product of those before `axis` and of the others.
pub fn flatten(node: &Node<'_>, assembly: &mut Assembly) -> Result<Value, Problem> {
    let old = dims(node)?;
    // The axis may be one behind the last.
    let axis = match node.integer("axis", 1)? {
        axis if axis == old.len() as i64 => old.len(),
        axis => node::axis("axis", axis, old.len())?,
    };
    let (before, after) = old.split_at(axis);
    let new = vec![product(before)? as usize, product(after)? as usize];
    recounted(node, assembly, new)
}

/// The axes of Squeeze and Unsqueeze: an attribute before version 13, an input from then on.
fn axes(node: &Node<'_>) -> Result<Option<Vec<i64>>, Problem> {
    match (node.opset < 13, node.list("axes")?, node.optional(1)) {
        (true, axes, None) => Ok(axes.map(<[i64]>::to_vec)),
        (false, None, Some(_)) => node.integers(1).map(Some),
        (false, None, None) => Ok(None),
        (old, ..) => {
            let expected = if old { "attribute" } else { "input" };
            Err(Problem::unsupported(format!(
                "found axes in the way of another version, expected an {expected} in version {}",
                node.opset
            )))
        }
    }
}

/// `axes` as distinct indices below `rank`.
fn marked(axes: &[i64], rank: usize) -> Result<Vec<bool>, Problem> {
    let mut marked = vec![false; rank];
    for &value in axes {
        let axis = node::axis("axes", value, rank)?;
        if std::mem::replace(&mut marked[axis], true) {
            return Err(Problem::value("axes", value, "each axis once"));
        }
    }
    Ok(marked)
}

/// Leaves out extents of 1.
pub fn squeeze(node: &Node<'_>, assembly: &mut Assembly) -> Result<Value, Problem> {
    let old = dims(node)?;
    let removed = match axes(node)? {
        Some(axes) => marked(&axes, old.len())?,
        // A batch of one image stays: which images there are is not the network's to say.
        None => (0..old.len())
            .map(|axis| old[axis] == 1 && (axis > 0 || matches!(node.value(0), Ok(Value::Constant(_)))))
            .collect(),
    };
    if let Some(axis) = (0..old.len()).find(|&axis| removed[axis] && old[axis] != 1) {
        return Err(Problem::extent("input", &old, format!("an extent of 1 at axis {axis}")));
    }
    let new = old.iter().zip(&removed).filter(|(_, removed)| !**removed).map(|(&dim, _)| dim).collect();
    recounted(node, assembly, new)
}

/// Inserts extents of 1.
pub fn unsqueeze(node: &Node<'_>, assembly: &mut Assembly) -> Result<Value, Problem> {
    let old = dims(node)?;
    let axes = axes(node)?.ok_or_else(|| Problem::missing("axes", "where to insert extents of 1"))?;
    let inserted = marked(&axes, old.len() + axes.len())?;
    let mut remaining = old.into_iter();
    let new =
        inserted.iter().map(|&inserted| if inserted { 1 } else { remaining.next().unwrap_or(1) }).collect();
    recounted(node, assembly, new)
}

/// The inputs' channels one behind the other; lists of integers, too.
pub fn concat(node: &Node<'_>, assembly: &mut Assembly) -> Result<Value, Problem> {
    if !node.has("axis") {
        return Err(Problem::missing("attribute axis", "1, the channels"));
    }
    let inputs = node.inputs()?;
    if inputs.iter().all(|value| matches!(value, Value::Constant(_))) {
        return concat_lists(node, inputs.len());
    }
    let mut dims = node.view(0)?.dims.clone();
    let axis = node.axis(1, dims.len())?;
    if axis != 1 {
        return Err(Problem::value("axis", axis, "1, the channels"));
    }
    let mut blobs = Vec::with_capacity(inputs.len());
    for index in 0..inputs.len() {
        let other = &node.view(index)?.dims;
        let fits =
            other.len() == dims.len() && (0..dims.len()).all(|axis| axis == 1 || other[axis] == dims[axis]);
        if !fits {
            let expected = format!("{} but for the channels", extents(&dims));
            return Err(Problem::extent(format!("input {}", index + 1), other, expected));
        }
        if index > 0 {
            dims[1] = dims[1].saturating_add(other[1]);
        }
        blobs.push(assembly.operand(node, index)?.0);
    }
    if blobs.len() == 1 {
        return node.value(0).cloned();
    }
    assembly.emit(node, Emission::new(LayerKind::Concat, blobs, dims))
}

/// Lists of integers one behind the other: the shape of a Reshape, put together.
fn concat_lists(node: &Node<'_>, count: usize) -> Result<Value, Problem> {
    let mut list = Vec::new();
    for index in 0..count {
        let constant = node.constant(index)?;
        if constant.dims.len() != 1 || !constant.is_integer() {
            return Err(Problem::unsupported("reads only constants that are no lists of integers"));
        }
        node.axis(0, 1)?;
        if list.len() + constant.elements() > MAX_LISTED {
            return Err(Problem::unsupported(format!("yields a list of more than {MAX_LISTED} integers")));
        }
        list.extend(constant.integers()?);
    }
    Ok(Value::Constant(Constant::of_integers(list)))
}
