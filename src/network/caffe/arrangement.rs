//! Layers that only arrange their inputs' elements.

use super::fault::{Fault, Section};
use super::layers::{Inputs, Lowered, check_axis};
use super::schema::{ConcatParameter, FlattenParameter, LayerParameter};
use crate::network::{LayerKind, Shape};

pub fn concat(layer: &LayerParameter, inputs: &Inputs<'_>) -> Result<Lowered, Fault> {
    let section = Section::parameter(layer, "concat_param");
    let parameter = layer.concat_param.unwrap_or_default();
    if parameter.axis.is_some() && parameter.concat_dim.is_some() {
        return Err(section.conflict("concat_dim", "concat_dim is set together with axis, its newer form"));
    }
    check_axis(parameter.axis(), &section)?;
    if ConcatParameter::concat_dim(&parameter) != 1 {
        return Err(section.value("concat_dim", parameter.concat_dim(), "1 (the channels)"));
    }
    let first = inputs.first(layer)?;
    inputs.check_all(layer, "as many rows and columns as the first blob", |input| {
        (input.height, input.width) == (first.height, first.width)
    })?;
    let channels =
        inputs.shapes.iter().fold(0_usize, |channels, input| channels.saturating_add(input.channels));
    Section::layer(layer).check_elements("bottom", "its output", &[channels, first.height, first.width])?;
    Ok(Lowered::without_parameters(LayerKind::Concat, Shape::new(channels, first.height, first.width)))
}

pub fn flatten(layer: &LayerParameter, inputs: &Inputs<'_>) -> Result<Lowered, Fault> {
    let input = inputs.only(layer)?;
    let section = Section::parameter(layer, "flatten_param");
    let parameter: FlattenParameter = layer.flatten_param.unwrap_or_default();
    check_axis(parameter.axis(), &section)?;
    if ![-1, 3].contains(&parameter.end_axis()) {
        return Err(section.value("end_axis", parameter.end_axis(), "-1 (the last)"));
    }
    Ok(Lowered::without_parameters(LayerKind::Reshape, Shape::new(input.elements(), 1, 1)))
}

pub fn reshape(layer: &LayerParameter, inputs: &Inputs<'_>) -> Result<Lowered, Fault> {
    let input = inputs.only(layer)?;
    let section = Section::parameter(layer, "reshape_param");
    let parameter = layer.reshape_param.clone().unwrap_or_default();
    let Some(shape) = &parameter.shape else {
        return Err(section.missing("shape", "shape { dim: … }, the new extents"));
    };
    if parameter.num_axes() != -1 {
        return Err(section.value("num_axes", parameter.num_axes(), "-1 (all axes that follow)"));
    }
    let shown = shape.dim.iter().map(ToString::to_string).collect::<Vec<_>>().join("x");
    let dims = match (parameter.axis(), shape.dim.as_slice()) {
        (1, dims) => dims,
        (0, [batch, dims @ ..]) => {
            // -1 takes what the image's extents leave: the batch, if they hold an image.
            let keeps = [0, inputs.batch].contains(batch) || (*batch == -1 && !dims.contains(&-1));
            if !keeps {
                let expected = format!("a first extent of 0 or {}: the batch is kept", inputs.batch);
                return Err(section.value("shape", shown, expected));
            }
            dims
        }
        (0, []) => return Err(section.value("shape", "no extent", "at least that of the batch")),
        (axis, _) => return Err(section.value("axis", axis, "0 or 1: the batch is kept")),
    };
    let Some(image) = image(dims, input) else {
        let expected = format!("up to three extents that hold the {} elements of {input}", input.elements());
        return Err(section.value("shape", shown, expected));
    };
    Ok(Lowered::without_parameters(LayerKind::Reshape, image))
}

/// The extent that `dims` make of `input`: 0 keeps the one at its place, one -1 takes what is left.
fn image(dims: &[i64], input: Shape) -> Option<Shape> {
    let old = [input.channels, input.height, input.width];
    let mut new = [1_usize; 3];
    let mut inferred = None;
    for (axis, &dim) in dims.iter().enumerate() {
        *new.get_mut(axis)? = match dim {
            0 => old[axis],
            -1 if inferred.is_none() => {
                inferred = Some(axis);
                1
            }
            dim => usize::try_from(dim).ok()?,
        };
    }
    let product = new.iter().try_fold(1_usize, |product, &dim| product.checked_mul(dim))?;
    if let Some(axis) = inferred {
        new[axis] = input.elements() / product;
        return (product * new[axis] == input.elements()).then(|| Shape::new(new[0], new[1], new[2]));
    }
    (product == input.elements()).then(|| Shape::new(new[0], new[1], new[2]))
}
