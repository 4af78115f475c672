//! The extent of the network's input, in each of the ways to state it.

use super::fault::{Fault, Section};
use super::schema::{BlobShape, LayerParameter, NetParameter, TransformationParameter};
use crate::network::Shape;

/// The network's input as the definition states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Number of images.
    pub batch: i64,
    /// Extent of one image.
    pub image: Shape,
}

/// The extent out of `dims`, batch first. `field` names what holds them.
fn extent(dims: &[i64], section: &Section, field: &'static str) -> Result<Extent, Fault> {
    let shown = || dims.iter().map(ToString::to_string).collect::<Vec<_>>().join("x");
    let image = match *dims {
        [batch, channels, height, width] => [batch, channels, height, width],
        [batch, channels] => [batch, channels, 1, 1],
        _ => {
            let expected = "batch x channels x rows x columns, or batch x channels";
            return Err(section.value(field, format!("{} extents", dims.len()), expected));
        }
    };
    if image.iter().any(|&dim| dim < 1) {
        return Err(section.value(field, shown(), "extents of at least 1"));
    }
    // An extent that does not fit is far beyond the limit on elements.
    let [_, channels, height, width] = image.map(|dim| usize::try_from(dim).unwrap_or(usize::MAX));
    section.check_elements(field, "its blob", &[channels, height, width])?;
    Ok(Extent { batch: image[0], image: Shape::new(channels, height, width) })
}

/// Names and extents of the inputs that are fields of the network.
pub fn of_network(net: &NetParameter) -> Result<Vec<(String, Extent)>, Fault> {
    let section = Section::network();
    let inputs = net.input.len();
    let field = if net.input_dim.is_empty() { "input_shape" } else { "input_dim" };
    let extents: Vec<Vec<i64>> = match (net.input_shape.as_slice(), net.input_dim.as_slice()) {
        (shapes, []) => shapes.iter().map(|shape| shape.dim.clone()).collect(),
        ([], dims) => {
            if !dims.len().is_multiple_of(4) {
                return Err(section.value(
                    "input_dim",
                    format!("{} values", dims.len()),
                    "four for each input",
                ));
            }
            dims.chunks_exact(4).map(|dims| dims.iter().map(|&dim| i64::from(dim)).collect()).collect()
        }
        _ => {
            let reason = "found both input_shape and input_dim, expected one of them";
            return Err(section.conflict("input_dim", reason));
        }
    };
    if extents.len() != inputs {
        if extents.is_empty() {
            return Err(section.missing("input_shape", "input_shape { dim: … } for each input"));
        }
        let found = format!("extents of {} inputs", extents.len());
        return Err(section.value(field, found, format!("as many as input names: {inputs}")));
    }
    net.input
        .iter()
        .zip(extents)
        .map(|(name, dims)| Ok((name.clone(), extent(&dims, &section, field)?)))
        .collect()
}

/// Extent of the first blob of a data layer.
pub fn of_layer(layer: &LayerParameter) -> Result<Extent, Fault> {
    if let Some(parameter) = &layer.input_param {
        return of_shapes(&parameter.shape, layer, "input_param");
    }
    if let Some(memory) = &layer.memory_data_param {
        let section = Section::parameter(layer, "memory_data_param");
        let dims =
            [Some(1), memory.channels, memory.height, memory.width].map(|dim| i64::from(dim.unwrap_or(0)));
        return extent(&dims, &section, "channels, height, width");
    }
    if let Some(dummy) = &layer.dummy_data_param {
        if !dummy.shape.is_empty() {
            return of_shapes(&dummy.shape, layer, "dummy_data_param");
        }
        let section = Section::parameter(layer, "dummy_data_param");
        let first = |dims: &[u32]| i64::from(dims.first().copied().unwrap_or(0));
        let dims = [&dummy.num, &dummy.channels, &dummy.height, &dummy.width].map(|dims| first(dims));
        return extent(&dims, &section, "num, channels, height, width");
    }
    let crop = match layer.transform_param.as_ref().map_or(0, TransformationParameter::crop_size) {
        0 => String::new(),
        crop => format!(" (crop_size = {crop} gives rows and columns, not channels)"),
    };
    Err(Section::layer(layer).missing(
        "input_param",
        format!(
            "input_param {{ shape {{ dim: 1 dim: CHANNELS dim: ROWS dim: COLUMNS }} }}{crop}: \
             a definition for deployment has it, one for training leaves it to the data"
        ),
    ))
}

fn of_shapes(shapes: &[BlobShape], layer: &LayerParameter, message: &'static str) -> Result<Extent, Fault> {
    let section = Section::parameter(layer, message);
    let Some(first) = shapes.first() else {
        return Err(section.missing("shape", "shape { dim: … }"));
    };
    if shapes.len() != 1 && shapes.len() != layer.top.len() {
        let expected = format!("one, or one for each of its {} blobs", layer.top.len());
        return Err(section.value("shape", format!("{} shapes", shapes.len()), expected));
    }
    extent(&first.dim, &section, "shape")
}
