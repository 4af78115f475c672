//! Valid ONNX models and Caffe weight files, small ones, from which damage starts.

use crate::wire::{number, prefixed};

fn floats(values: usize) -> Vec<u8> {
    (1..=values).flat_map(|value| (0.25 * value as f32).to_le_bytes()).collect()
}

fn text(field: u64, text: &str) -> Vec<u8> {
    prefixed(field, text.as_bytes())
}

/// An ONNX tensor of `float`, in raw form or as typed values.
fn tensor(name: &str, dims: &[u64], is_raw: bool) -> Vec<u8> {
    let values = floats(dims.iter().product::<u64>() as usize);
    let dims: Vec<u8> = dims.iter().flat_map(|&dim| number(1, dim)).collect();
    [dims, number(2, 1), text(8, name), prefixed(if is_raw { 9 } else { 4 }, &values)].concat()
}

/// An ONNX tensor of `int64`, as typed values.
fn integers(name: &str, values: &[i64]) -> Vec<u8> {
    let packed: Vec<u8> =
        values.iter().flat_map(|&value| crate::script::varint(value.cast_unsigned())).collect();
    [number(1, values.len() as u64), number(2, 7), text(8, name), prefixed(7, &packed)].concat()
}

/// An ONNX tensor of bytes, `uint8` (2) or `int8` (3).
fn bytes(name: &str, dims: &[u64], kind: u64) -> Vec<u8> {
    let values = vec![0; dims.iter().product::<u64>() as usize];
    let dims: Vec<u8> = dims.iter().flat_map(|&dim| number(1, dim)).collect();
    [dims, number(2, kind), text(8, name), prefixed(9, &values)].concat()
}

/// An attribute that holds integers.
fn ints(name: &str, values: &[u64]) -> Vec<u8> {
    let values: Vec<u8> = values.iter().flat_map(|&value| number(8, value)).collect();
    [text(1, name), values, number(20, 7)].concat()
}

/// An attribute that holds one integer.
fn int(name: &str, value: u64) -> Vec<u8> {
    [text(1, name), number(3, value), number(20, 2)].concat()
}

/// An attribute that holds a tensor.
fn tensor_attribute(name: &str, value: &[u8]) -> Vec<u8> {
    [text(1, name), prefixed(5, value), number(20, 4)].concat()
}

/// A node of the graph, `reads` and `writes` separated by spaces.
fn node(operator: &str, reads: &str, writes: &str, attributes: &[Vec<u8>]) -> Vec<u8> {
    let reads = reads.split_whitespace().flat_map(|name| text(1, name));
    let mut node: Vec<u8> = reads.collect();
    node.extend(writes.split_whitespace().flat_map(|name| text(2, name)));
    node.extend([text(3, &format!("n_{writes}")), text(4, operator)].concat());
    node.extend(attributes.iter().flat_map(|attribute| prefixed(5, attribute)));
    prefixed(1, &node)
}

/// A value of the graph with its extents; an empty list leaves the type out.
fn value(field: u64, name: &str, dims: &[u64]) -> Vec<u8> {
    let dims: Vec<u8> = dims.iter().flat_map(|&dim| prefixed(1, &number(1, dim))).collect();
    let kind = prefixed(1, &[number(1, 1), prefixed(2, &dims)].concat());
    prefixed(field, &[text(1, name), if dims.is_empty() { Vec::new() } else { prefixed(2, &kind) }].concat())
}

fn model(opset: u64, nodes: &[Vec<u8>], tensors: &[Vec<u8>], input: &[u64], output: &str) -> Vec<u8> {
    let tensors = tensors.iter().flat_map(|tensor| prefixed(5, tensor));
    let graph: Vec<u8> = nodes.concat().into_iter().chain(text(2, "g")).chain(tensors).collect();
    let graph = [graph, value(11, "x", input), value(12, output, &[])].concat();
    let opset = [text(1, ""), number(2, opset)].concat();
    [number(1, 8), prefixed(7, &graph), prefixed(8, &opset)].concat()
}

/// ONNX models that between them use most operators.
pub fn onnx() -> Vec<Vec<u8>> {
    let pool = [ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])];
    let convolutional = [
        node(
            "Conv",
            "x w b",
            "c",
            &[ints("pads", &[1, 1, 1, 1]), int("group", 1), ints("dilations", &[1, 1])],
        ),
        node("BatchNormalization", "c s t m v", "n", &[]),
        node("Relu", "n", "r", &[]),
        node("LRN", "r", "l", &[int("size", 3)]),
        node("Add", "c l", "a", &[]),
        node("Concat", "a r", "k", &[int("axis", 1)]),
        node("MaxPool", "k", "p", &[&pool[..], &[int("ceil_mode", 1)]].concat()),
        node("Clip", "p lo", "i", &[]),
        node("Shape", "i", "z", &[int("end", 1)]),
        node("Concat", "z rest", "zs", &[int("axis", 0)]),
        node("Reshape", "i zs", "f", &[]),
        node("MatMul", "f fw", "g", &[]),
        node("Add", "g fb", "h", &[]),
        node("Gemm", "h gw gb", "o", &[int("transB", 1)]),
        node("Dropout", "o", "d mask", &[]),
        node("Softmax", "d", "y", &[int("axis", 1)]),
    ];
    let weights = [
        tensor("w", &[2, 1, 3, 3], true),
        tensor("b", &[2], true),
        tensor("s", &[2], false),
        tensor("t", &[2], true),
        tensor("m", &[2], true),
        tensor("v", &[2], false),
        tensor("lo", &[], true),
        integers("rest", &[-1]),
        tensor("fw", &[16, 4], true),
        tensor("fb", &[4], true),
        tensor("gw", &[3, 4], false),
        tensor("gb", &[3], true),
    ];
    let branched = [
        node("Constant", "", "half", &[tensor_attribute("value", &tensor("", &[1], true))]),
        node("Mul", "x half", "m", &[]),
        node("Sigmoid", "m", "s", &[]),
        node("Tanh", "m", "t", &[]),
        node("LeakyRelu", "s", "e", &[]),
        node("Sum", "e t m", "u", &[]),
        node("AveragePool", "u", "a", &pool),
        node("GlobalAveragePool", "a", "q", &[]),
        node("Flatten", "q", "f", &[int("axis", 1)]),
        node("Unsqueeze", "f axes", "w", &[]),
        node("Squeeze", "w axes", "v", &[]),
        node("ConstantOfShape", "extents", "one", &[tensor_attribute("value", &tensor("", &[1], true))]),
        node("Gather", "extents axes", "count", &[]),
        node("Gemm", "v one", "i", &[]),
        node("Identity", "i", "y", &[]),
    ];
    let shapes = [integers("axes", &[1]), integers("extents", &[2, 3])];
    let quantised = [
        node("QuantizeLinear", "x s z", "q", &[]),
        node("DequantizeLinear", "q s z", "d", &[]),
        node("DequantizeLinear", "wq ws wz", "w", &[int("axis", 0)]),
        node("Conv", "d w", "c", &[]),
        node("QuantizeLinear", "c s z", "e", &[]),
        node("DequantizeLinear", "e s z", "y", &[]),
    ];
    let codes = [
        tensor("s", &[], true),
        bytes("z", &[], 2),
        bytes("wq", &[2, 2, 1, 1], 3),
        tensor("ws", &[2], true),
        bytes("wz", &[2], 3),
    ];
    let small =
        [node("Conv", "x w", "c", &[ints("kernel_shape", &[2, 2])]), node("GlobalMaxPool", "c", "y", &[])];
    vec![
        model(13, &convolutional, &weights, &[1, 1, 4, 4], "y"),
        model(13, &branched, &shapes, &[2, 2, 4, 4], "y"),
        model(13, &quantised, &codes, &[1, 2, 3, 3], "y"),
        model(7, &small, &[tensor("w", &[1, 2, 2, 2], true)], &[1, 2, 3, 3], "y"),
    ]
}

/// A Caffe blob: values in one of the forms, extents in today's or in the older form.
fn blob(dims: &[u64], form: u64) -> Vec<u8> {
    let count = dims.iter().product::<u64>() as usize;
    let values = match form {
        8 => (0..count).flat_map(|value| (value as f64).to_le_bytes()).collect(),
        10 => vec![0x3c; count],
        _ => floats(count),
    };
    let extents = if let (&[n, c, h, w], 5) = (dims, form) {
        [number(1, n), number(2, c), number(3, h), number(4, w)].concat()
    } else {
        prefixed(
            7,
            &prefixed(1, &dims.iter().flat_map(|&dim| crate::script::varint(dim)).collect::<Vec<_>>()),
        )
    };
    [extents, prefixed(form, &values)].concat()
}

/// Files of one blob.
pub fn blobs() -> Vec<Vec<u8>> {
    vec![blob(&[1, 3, 2, 2], 5), blob(&[3, 2, 2], 8), blob(&[12], 10)]
}

/// Weight files for `seeds/small.prototxt`, in today's format and in that of 2014.
pub fn caffemodels() -> Vec<Vec<u8>> {
    let layers = [
        ("conv", vec![blob(&[2, 1, 2, 2], 5), blob(&[2], 8)]),
        ("bn", vec![blob(&[2], 5), blob(&[2], 5), blob(&[1], 5)]),
        ("scale", vec![blob(&[2], 5), blob(&[2], 10)]),
        ("fc", vec![blob(&[1, 1, 1, 18], 5), blob(&[1], 5)]),
    ];
    // Fields of the layers in the file, and in a layer of its name and its blobs.
    let file = |[layer_field, name_field, blob_field]: [u64; 3]| {
        let layer = |(name, blobs): &(&str, Vec<Vec<u8>>)| {
            let blobs = blobs.iter().flat_map(|blob| prefixed(blob_field, blob));
            prefixed(layer_field, &text(name_field, name).into_iter().chain(blobs).collect::<Vec<_>>())
        };
        text(1, "net").into_iter().chain(layers.iter().flat_map(layer)).collect()
    };
    vec![file([100, 1, 7]), file([2, 4, 6])]
}
