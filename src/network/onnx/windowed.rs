//! Convolution and pooling.

use super::assembly::{Assembly, Emission};
use super::error::Problem;
use super::node::{Node, bounded};
use super::value::Value;
use super::window;
use crate::network::{Convolution, LayerKind, Pooling, PoolingMethod, Window};

/// Checks that `dims` have rows and columns.
fn check_planes(dims: &[usize]) -> Result<(), Problem> {
    match dims.len() {
        4 => Ok(()),
        _ => Err(Problem::extent("input", dims, "batch x channels x rows x columns")),
    }
}

/// Convolution with a constant weight and bias.
pub fn conv(node: &Node<'_>, assembly: &mut Assembly) -> Result<Value, Problem> {
    let batch_dims = node.view(0)?.dims.clone();
    check_planes(&batch_dims)?;
    let weight = node.constant(1)?;
    let groups = bounded("group", node.integer("group", 1)?, 1)?;
    let &[outputs, group_channels, rows, columns] = weight.dims.as_slice() else {
        return Err(Problem::extent("weight", &weight.dims, "outputs x channels per group x rows x columns"));
    };
    let channels = batch_dims[1];
    if weight.elements() == 0
        || Some(channels) != group_channels.checked_mul(groups)
        || !outputs.is_multiple_of(groups)
    {
        let expected = format!("one for {channels} channels in {groups} groups, not empty");
        return Err(Problem::extent("weight", &weight.dims, expected));
    }
    let kernel = window::kernel(node)?.unwrap_or([rows, columns]);
    if kernel != [rows, columns] {
        let expected = format!("{rows}x{columns} as the weight has");
        return Err(Problem::value("kernel_shape", format!("{}x{}", kernel[0], kernel[1]), expected));
    }
    let (input, shape) = assembly.operand(node, 0)?;
    let (window, [height, width]) = window::of(node, kernel, shape, false)?;
    let bias = match node.optional_constant(2)? {
        Some(bias) if bias.dims != [outputs] => {
            return Err(Problem::extent("bias", &bias.dims, format!("{outputs}")));
        }
        bias => bias.map(|bias| assembly.trained(bias, vec![outputs])).transpose()?,
    };
    let kind = LayerKind::Convolution(Convolution { outputs, window, groups });
    let emission = Emission {
        weight: Some(assembly.trained(weight, weight.dims.clone())?),
        bias,
        ..Emission::new(kind, vec![input], vec![batch_dims[0], outputs, height, width])
    };
    assembly.emit(node, emission)
}

/// The largest element of each window.
pub fn max_pool(node: &Node<'_>, assembly: &mut Assembly) -> Result<Value, Problem> {
    // Bears on the indices only, which nothing reads; an invalid value is still a mistake.
    node.flag("storage_order")?;
    pool(node, assembly, PoolingMethod::Max)
}

/// The mean of each window.
pub fn average_pool(node: &Node<'_>, assembly: &mut Assembly) -> Result<Value, Problem> {
    pool(node, assembly, PoolingMethod::Average { count_padding: node.flag("count_include_pad")? })
}

fn pool(node: &Node<'_>, assembly: &mut Assembly, method: PoolingMethod) -> Result<Value, Problem> {
    let dims = node.view(0)?.dims.clone();
    check_planes(&dims)?;
    let kernel = window::kernel(node)?
        .ok_or_else(|| Problem::missing("attribute kernel_shape", "rows and columns of the window"))?;
    let (input, shape) = assembly.operand(node, 0)?;
    let (window, [height, width]) = window::of(node, kernel, shape, node.flag("ceil_mode")?)?;
    window::check_pooling(node, &window)?;
    let kind = LayerKind::Pooling(Pooling { method, window });
    assembly.emit(node, Emission::new(kind, vec![input], vec![dims[0], dims[1], height, width]))
}

/// The mean of each channel.
pub fn global_average_pool(node: &Node<'_>, assembly: &mut Assembly) -> Result<Value, Problem> {
    global_pool(node, assembly, PoolingMethod::Average { count_padding: false })
}

/// The largest element of each channel.
pub fn global_max_pool(node: &Node<'_>, assembly: &mut Assembly) -> Result<Value, Problem> {
    global_pool(node, assembly, PoolingMethod::Max)
}

fn global_pool(node: &Node<'_>, assembly: &mut Assembly, method: PoolingMethod) -> Result<Value, Problem> {
    let dims = node.view(0)?.dims.clone();
    check_planes(&dims)?;
    let (input, shape) = assembly.operand(node, 0)?;
    let window = Window {
        kernel: [shape.height, shape.width],
        stride: [1; 2],
        pad: [0; 2],
        pad_end: [0; 2],
        dilation: [1; 2],
    };
    let kind = LayerKind::Pooling(Pooling { method, window });
    assembly.emit(node, Emission::new(kind, vec![input], vec![dims[0], dims[1], 1, 1]))
}
