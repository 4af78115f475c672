//! `QuantizeLinear` and `DequantizeLinear`: weights and activations of 8-bit codes, biases of 32-bit codes.

use super::*;
use crate::network::{LayerKind, Operand, Parameter};
use crate::number::{CodeKind, Codec, Quantisation, Quantiser};

fn codes(name: &str, dims: &[i64], kind: DataType, values: &[i32]) -> TensorProto {
    let bytes = values.iter().map(|&value| value as u8).collect::<Vec<_>>();
    TensorProto {
        name: Some(name.into()),
        dims: dims.to_vec(),
        data_type: Some(kind as i32),
        raw_data: Some(bytes.into()),
        ..TensorProto::default()
    }
}

fn wide(name: &str, values: &[i32]) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        dims: vec![values.len() as i64],
        data_type: Some(DataType::Int32 as i32),
        int32_data: values.to_vec(),
        ..TensorProto::default()
    }
}

fn dequantise(inputs: &str, output: &str, attributes: &[AttributeProto]) -> NodeProto {
    node("DequantizeLinear", &format!("{output}_dq"), inputs, output, attributes)
}

fn quantiser(kind: CodeKind, scale: f32, zero_point: i32) -> Quantiser {
    Quantiser::new(kind, scale, zero_point).unwrap()
}

/// The codes that an experiment stores in place of `parameter`.
fn stored(parameter: &Parameter) -> Vec<u32> {
    let codec = Codec::of_model(parameter.quantisation.clone().expect("it is stored as codes"));
    let values = parameter.values.as_ref().unwrap().iter().enumerate();
    values.map(|(index, &value)| codec.encode(index, value)).collect()
}

/// Codes of the weight of [`convolution`]: the smallest, the largest, and some between them.
const WEIGHT: [i32; 18] = [127, -128, 3, -1, 0, 1, 2, 64, -64, -127, 100, -100, 5, 6, 7, 8, 9, 10];

/// A convolution as `onnxruntime.quantization` writes it: activations of uint8, weight of int8 by channel, bias of int32.
pub(super) fn convolution() -> ModelProto {
    let nodes = vec![
        node("QuantizeLinear", "x_q", "x xs xz", "xc", &[]),
        dequantise("xc xs xz", "xv", &[]),
        dequantise("wc ws wz", "w", &[int("axis", 0)]),
        dequantise("bc bs bz", "b", &[int("axis", 0)]),
        node("Conv", "conv", "xv w b", "c", &[]),
        node("Relu", "relu", "c", "r", &[]),
        node("QuantizeLinear", "r_q", "r rs rz", "rc", &[]),
        dequantise("rc rs rz", "y", &[]),
    ];
    let tensors = vec![
        floats("xs", &[], &[0.25]),
        codes("xz", &[], DataType::Uint8, &[3]),
        codes("wc", &[2, 1, 3, 3], DataType::Int8, &WEIGHT),
        floats("ws", &[2], &[0.5, 0.125]),
        codes("wz", &[2], DataType::Int8, &[0, 0]),
        wide("bc", &[7, -9]),
        floats("bs", &[2], &[0.125, 0.03125]),
        wide("bz", &[0, 0]),
        floats("rs", &[], &[2.0]),
        codes("rz", &[], DataType::Int8, &[-128]),
    ];
    model(13, &[1, 1, 4, 4], nodes, tensors)
}

#[test]
fn a_quantised_convolution_keeps_its_codes() {
    let network = read(&convolution()).unwrap();
    assert_eq!(
        layers(&network),
        [
            "x_q Quantise x -> xc 1x4x4",
            "conv Convolution xc -> c 2x2x2",
            "relu ReLU c -> r 2x2x2",
            "r_q Quantise r -> rc 2x2x2",
        ]
    );
    let [x, r] = [quantiser(CodeKind::Uint8, 0.25, 3), quantiser(CodeKind::Int8, 2.0, -128)];
    assert_eq!(network.layers[0].kind, LayerKind::Quantise(x));
    assert_eq!(network.layers[3].kind, LayerKind::Quantise(r));
    let weight = network.layers[1].weight.as_ref().unwrap();
    let scales = [0.5, 0.125].map(|scale| quantiser(CodeKind::Int8, scale, 0));
    assert_eq!(weight.quantisation, Some(Quantisation::per_channel(scales.to_vec(), 9)));
    assert_eq!(stored(weight), WEIGHT.map(|code| code as u32 & 0xff));
    let values = weight.values.as_ref().unwrap();
    assert_eq!((values[0], values[1], values[7], values[9]), (63.5, -64.0, 32.0, -15.875));
    let bias = network.layers[1].bias.as_ref().unwrap();
    assert_eq!((bias.values.as_deref(), &bias.quantisation), (Some(&[0.875, -0.28125][..]), &None));
}

#[test]
fn subsets_of_a_quantised_network_are_quantised() {
    let network = read(&convolution()).unwrap();
    let quantised: Vec<_> = network
        .subsets()
        .iter()
        .map(|subset| (subset.name.clone(), subset.operand, network.quantisation(subset)))
        .collect();
    let x = Quantisation::per_tensor(quantiser(CodeKind::Uint8, 0.25, 3));
    let weight = network.layers[1].weight.as_ref().unwrap().quantisation.clone();
    assert_eq!(
        quantised,
        [
            ("neuron_conv".to_owned(), Operand::Neuron, Some(x)),
            ("weight_conv".to_owned(), Operand::Weight, weight),
            ("bias_conv".to_owned(), Operand::Bias, None),
        ]
    );
}

/// Nodes that quantise and dequantise `x`, and one `l` behind them.
fn behind(quantised: &[NodeProto], inputs: &[i64], tensors: &[TensorProto]) -> Network {
    let mut nodes = vec![
        node("QuantizeLinear", "q", "x s z", "c", &[]),
        node("DequantizeLinear", "d", "c s z", "v", &[]),
    ];
    nodes.extend_from_slice(quantised);
    let mut all = vec![floats("s", &[], &[0.5]), codes("z", &[], DataType::Uint8, &[9])];
    all.extend_from_slice(tensors);
    network(inputs, nodes, all)
}

#[test]
fn layers_that_pass_values_on_keep_the_codes() {
    let pool = [ints("kernel_shape", &[2, 2])];
    let of = |nodes: &[NodeProto]| {
        let network = behind(nodes, &[1, 2, 3, 3], &[counted("w", &[8, 3]), counted("k", &[1, 2, 1, 1])]);
        network
            .subsets()
            .iter()
            .filter_map(|subset| Some((subset.name.clone(), network.quantisation(subset)?)))
            .collect::<Vec<_>>()
    };
    let x = Quantisation::per_tensor(quantiser(CodeKind::Uint8, 0.5, 9));
    let dense = [node("Flatten", "f", "p", "g", &[]), node("MatMul", "fc", "g w", "y", &[])];
    let with = |first: NodeProto| [&[first][..], &dense].concat();
    assert_eq!(
        of(&with(node("MaxPool", "pool", "v", "p", &pool))),
        [("neuron_pool".to_owned(), x.clone()), ("neuron_fc".to_owned(), x.clone())]
    );
    assert_eq!(
        of(&with(node("AveragePool", "pool", "v", "p", &pool))),
        [("neuron_pool".to_owned(), x.clone())]
    );
    assert_eq!(of(&[node("Conv", "l", "v k", "y", &[])]), [("neuron_l".to_owned(), x.clone())]);
    assert_eq!(
        of(&[node("Dropout", "drop", "v", "p", &[]), node("Conv", "l", "p k", "y", &[])]),
        [("neuron_l".to_owned(), x)]
    );
}

#[test]
fn what_was_reshaped_is_quantised_as_it_was_written() {
    // No layer counts the elements anew, neither before nor behind quantising.
    let nodes = vec![
        node("Flatten", "f", "x", "g", &[]),
        node("QuantizeLinear", "q", "g s", "c", &[]),
        node("DequantizeLinear", "d", "c s", "v", &[]),
        node("MatMul", "fc", "v w", "y", &[]),
    ];
    let network = network(&[1, 2, 2, 2], nodes, vec![floats("s", &[1], &[0.5]), counted("w", &[8, 3])]);
    assert_eq!(layers(&network), ["q Quantise x -> c 2x2x2", "fc InnerProduct c -> y 3x1x1"]);
    // Without a zero point codes are of uint8, and 0 is 0.
    assert_eq!(network.layers[0].kind, LayerKind::Quantise(quantiser(CodeKind::Uint8, 0.5, 0)));
}

/// The weight of a fully connected layer of 3 inputs and 2 outputs; `scales` along `axis` of what `node` reads.
fn fully_connected(transposed: bool, scales: &[f32], axis: i64) -> Parameter {
    let dims: &[i64] = if transposed { &[2, 3] } else { &[3, 2] };
    let points: Vec<i32> = (0..scales.len() as i32).map(|index| 100 + index).collect();
    let extents: &[i64] = if scales.len() == 1 { &[] } else { &[scales.len() as i64] };
    let tensors = vec![
        codes("c", dims, DataType::Uint8, &[0, 50, 100, 101, 200, 255]),
        floats("s", extents, scales),
        codes("z", extents, DataType::Uint8, &points),
    ];
    let nodes = vec![
        dequantise("c s z", "w", &[int("axis", axis)]),
        node("Gemm", "l", "x w", "y", &[int("transB", i64::from(transposed))]),
    ];
    network(&[1, 3], nodes, tensors).layers[0].weight.clone().unwrap()
}

#[test]
fn matrices_are_quantised_by_row_or_column() {
    let straight = [0, 50, 100, 101, 200, 255];
    let turned = [0, 100, 200, 50, 101, 255];
    for (transposed, scales, axis, expected, values) in [
        (true, &[2.0][..], 0, straight, [-200.0, -100.0, 0.0, 2.0, 200.0, 310.0]),
        (false, &[2.0], 0, turned, [-200.0, 0.0, 200.0, -100.0, 2.0, 310.0]),
        (true, &[2.0, 1.0], 0, straight, [-200.0, -100.0, 0.0, 0.0, 99.0, 154.0]),
        (false, &[2.0, 1.0], 1, turned, [-200.0, 0.0, 200.0, -51.0, 0.0, 154.0]),
        (false, &[2.0, 1.0], -1, turned, [-200.0, 0.0, 200.0, -51.0, 0.0, 154.0]),
        (true, &[1.0, 2.0, 4.0], 1, straight, [-100.0, -102.0, -8.0, 1.0, 198.0, 612.0]),
        (false, &[1.0, 2.0, 4.0], 0, turned, [-100.0, -2.0, 392.0, -50.0, 0.0, 612.0]),
    ] {
        let weight = fully_connected(transposed, scales, axis);
        let case = format!("{scales:?} along {axis}, transposed {transposed}");
        assert_eq!(weight.dims, [2, 3], "{case}");
        assert_eq!(weight.values.as_deref(), Some(&values[..]), "{case}");
        assert_eq!(stored(&weight), expected, "{case}");
    }
}

#[test]
fn weights_may_be_quantised_in_the_graph_and_biases_of_8_bits() {
    let nodes = vec![
        node("QuantizeLinear", "wq", "f s z", "c", &[int("axis", 0)]),
        dequantise("c s z", "w", &[int("axis", 0)]),
        dequantise("bc bs", "b", &[]),
        node("Gemm", "l", "x w b", "y", &[int("transB", 1)]),
    ];
    let tensors = vec![
        floats("f", &[2, 3], &[0.26, -0.24, 1000.0, 0.5, 1.5, -1000.0]),
        floats("s", &[2], &[0.5, 1.0]),
        codes("z", &[2], DataType::Int8, &[0, 1]),
        codes("bc", &[2], DataType::Int8, &[5, -5]),
        floats("bs", &[1], &[0.1]),
    ];
    let network = network(&[1, 3], nodes, tensors);
    let weight = network.layers[0].weight.as_ref().unwrap();
    assert_eq!(stored(weight), [1, 0, 127, 1, 3, 128]);
    assert_eq!(weight.values.as_deref(), Some(&[0.5, 0.0, 63.5, 0.0, 2.0, -129.0][..]));
    let bias = network.layers[0].bias.as_ref().unwrap();
    assert_eq!((bias.values.as_deref(), stored(bias)), (Some(&[0.5, -0.5][..]), vec![5, 0xfb]));
}

#[test]
fn typed_codes_and_constants_that_become_part_of_others() {
    let typed =
        TensorProto { raw_data: None, int32_data: vec![-1, 2], ..codes("c", &[2], DataType::Int8, &[]) };
    let of = |nodes: Vec<NodeProto>| {
        let tensors = vec![typed.clone(), floats("s", &[], &[2.0]), counted("w", &[2, 2])];
        network(&[1, 2], nodes, tensors).layers.clone()
    };
    // A term that is the bias stays as it is stored; what is computed from two is none of the codes.
    let term = dequantise("c s", "t", &[]);
    let dense = node("MatMul", "l", "x w", "m", &[]);
    let layers = of(vec![term.clone(), dense, node("Add", "a", "m t", "y", &[])]);
    assert_eq!(stored(layers[0].bias.as_ref().unwrap()), [255, 2]);
    let layers = of(vec![term, node("Mul", "l", "x t", "m", &[]), node("Mul", "a", "m t", "y", &[])]);
    let weight = layers[0].weight.as_ref().unwrap();
    assert_eq!((weight.values.as_deref(), &weight.quantisation), (Some(&[4.0, 16.0][..]), &None));
}

#[test]
fn codes_of_activations_can_be_reshaped() {
    let nodes = vec![
        node("QuantizeLinear", "q", "x s", "c", &[]),
        node("Flatten", "f", "c", "g", &[]),
        node("DequantizeLinear", "d", "g s", "v", &[]),
        node("MatMul", "fc", "v w", "y", &[]),
    ];
    let network = network(&[1, 2, 2, 2], nodes, vec![floats("s", &[1], &[0.5]), counted("w", &[8, 3])]);
    assert_eq!(layers(&network), ["q Quantise x -> c 2x2x2", "fc InnerProduct c -> y 3x1x1"]);
}

/// What one node `l` on `x` and the tensors `s` and `z` is refused for; a `DequantizeLinear` reads the constant `c`.
fn refused(operator: &str, attributes: &[AttributeProto], tensors: &[TensorProto]) -> String {
    let reads = if operator == "QuantizeLinear" { "x s z" } else { "c s z" };
    let present = |name: &str| tensors.iter().any(|tensor| tensor.name() == name);
    let inputs: Vec<_> = reads.split(' ').filter(|name| *name == "x" || present(name)).collect();
    let nodes =
        vec![node(operator, "l", &inputs.join(" "), "v", attributes), node("Add", "add", "x v", "y", &[])];
    refusal(read(&model(23, &[1, 3], nodes, tensors.to_vec())))
}

#[test]
fn quantisation_that_is_not_supported_is_refused() {
    let scale = || floats("s", &[], &[0.5]);
    let three = || floats("s", &[3], &[0.5, 0.25, 1.0]);
    let point = |kind| codes("z", &[], kind, &[0]);
    let constant = || codes("c", &[3], DataType::Int8, &[1, 2, 3]);
    let quantise = |attributes: &[AttributeProto], tensors: &[TensorProto]| {
        refused("QuantizeLinear", attributes, tensors)
    };
    let dequantise = |attributes: &[AttributeProto], tensors: &[TensorProto]| {
        refused("DequantizeLinear", attributes, tensors)
    };
    let half = TensorProto { data_type: Some(DataType::Uint16 as i32), ..counted("z", &[]) };
    for (found, expected) in [
        (quantise(&[], &[floats("s", &[], &[0.0])]), "a scale is a positive number"),
        (quantise(&[], &[floats("s", &[], &[f32::NAN])]), "a scale is a positive number"),
        (quantise(&[], &[three()]), "found number of scales = 3, expected 1: activations"),
        (
            quantise(&[], &[floats("s", &[2], &[1.0, 2.0])]),
            "found scales of 2, expected one, or one for each of the 3",
        ),
        (quantise(&[int("axis", 2)], &[three()]), "found axis = 2, expected an axis of 2-dim"),
        (
            quantise(&[], &[floats("s", &[1, 1], &[1.0])]),
            "found scales of 1x1, expected one, or one per channel",
        ),
        (quantise(&[], &[scale(), half.clone()]), "found type of the codes = UINT16, expected INT8 or UINT8"),
        (
            quantise(&[], &[scale(), codes("z", &[2], DataType::Int8, &[0, 0])]),
            "found zero points of 2, expected as many as scales: 1",
        ),
        (quantise(&[int("output_dtype", 4)], &[scale()]), "found type of the codes = UINT16"),
        (quantise(&[int("output_dtype", 99)], &[scale()]), "found output_dtype = 99, expected a known type"),
        (
            quantise(&[int("output_dtype", 3)], &[scale(), point(DataType::Uint8)]),
            "found output_dtype = INT8, expected UINT8 as the zero point",
        ),
        (quantise(&[int("block_size", 2)], &[scale()]), "found block_size = 2, expected 0"),
        (quantise(&[int("precision", 10)], &[scale()]), "found precision = 10, expected 0 or 1"),
        (
            dequantise(&[], &[counted("c", &[3]), scale()]),
            "found data type = FLOAT, expected INT8, UINT8 or INT32",
        ),
        (
            dequantise(&[], &[constant(), scale(), point(DataType::Uint8)]),
            "found type of the zero point = UINT8, expected INT8 as the codes",
        ),
        (
            dequantise(&[int("output_dtype", 10)], &[constant(), scale()]),
            "found output_dtype = 10, expected 1 (FLOAT)",
        ),
        (dequantise(&[int("block_size", 1)], &[constant(), scale()]), "found block_size = 1, expected 0"),
        (
            dequantise(&[], &[wide("c", &[1, 2, 3]), scale(), wide("z", &[1])]),
            "found a zero point of 32-bit codes that is not 0",
        ),
    ] {
        let expected = format!("node 'l' (QuantizeLinear): {expected}");
        let expected = if found.contains("(Deq") { expected.replace("(Quan", "(Dequan") } else { expected };
        assert!(found.starts_with(&expected), "{found}\n{expected}");
    }
    let narrow = TensorProto { int32_data: vec![1, 300, 3], raw_data: None, ..constant() };
    let found = dequantise(&[], &[narrow, scale()]);
    assert_eq!(found, "node 'add' (Add): found integers wider than 8 bits among those of 8 bits");
    // Before version 13 there is one scale.
    let nodes = vec![node("QuantizeLinear", "l", "x s", "y", &[])];
    let found = refusal(read(&model(12, &[1, 3], nodes, vec![three()])));
    assert_eq!(found, "node 'l' (QuantizeLinear): found scales of 3, expected one");
}

#[test]
fn codes_that_nothing_dequantises_are_refused() {
    let of = |nodes: Vec<NodeProto>| {
        let tensors = vec![
            floats("s", &[], &[0.5]),
            floats("t", &[], &[0.25]),
            codes("z", &[], DataType::Uint8, &[0]),
            codes("i", &[], DataType::Int8, &[0]),
            counted("w", &[3, 3]),
        ];
        refusal(read(&model(13, &[1, 3], nodes, tensors)))
    };
    let quantise = |output| node("QuantizeLinear", "q", "x s z", output, &[]);
    for (nodes, expected) in [
        (vec![quantise("y")], "output 'y': found it = codes of activations, expected activations"),
        (
            vec![quantise("c"), node("Relu", "l", "c", "y", &[])],
            "node 'l' (Relu): found input 1 ('c') = codes of activations, expected activations",
        ),
        (
            vec![quantise("c"), node("Add", "l", "x c", "y", &[])],
            "node 'l' (Add): found operand = codes of activations, expected activations or a constant",
        ),
        (
            vec![quantise("c"), node("MatMul", "l", "c w", "y", &[])],
            "node 'l' (MatMul): found input 1 ('c') = codes of activations",
        ),
        (
            vec![quantise("c"), dequantise("c t z", "y", &[])],
            "node 'y_dq' (DequantizeLinear): found scale and zero point = 0.25 and 0, expected 0.5 and 0",
        ),
        (
            vec![quantise("c"), dequantise("c s i", "y", &[])],
            "node 'y_dq' (DequantizeLinear): found type of the zero point = INT8, expected UINT8",
        ),
        (
            vec![quantise("c"), node("QuantizeLinear", "l", "c s z", "y", &[])],
            "node 'l' (QuantizeLinear): found input 1 = codes of activations",
        ),
        (
            vec![dequantise("x s z", "y", &[])],
            "node 'y_dq' (DequantizeLinear): found input 1 = activations, expected codes",
        ),
    ] {
        let found = of(nodes);
        assert!(found.starts_with(expected), "{found}");
    }
    let gemm = |attribute| {
        let nodes = vec![
            dequantise("c s", "w", &[]),
            dequantise("b s", "t", &[]),
            node("Gemm", "l", "x w t", "y", &[attribute]),
        ];
        let tensors = vec![
            codes("c", &[3, 1], DataType::Int8, &[1, 2, 3]),
            codes("b", &[1], DataType::Int8, &[1]),
            floats("s", &[], &[0.5]),
        ];
        refusal(read(&model(13, &[1, 3], nodes, tensors)))
    };
    assert_eq!(
        gemm(float("alpha", 0.5)),
        "node 'l' (Gemm): found alpha = 0.5, expected 1: the operand is stored as codes"
    );
    assert_eq!(
        gemm(float("beta", 2.0)),
        "node 'l' (Gemm): found beta = 2, expected 1: the operand is stored as codes"
    );
}

#[test]
fn operators_on_codes_are_refused_by_name() {
    for operator in ["QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "DynamicQuantizeLinear"]
    {
        let found = refusal(single(13, &[1, 3], (operator, "x", &[]), &[]));
        assert!(
            found.starts_with(&format!("node 'l' ({operator}): operator '{operator}' is not supported")),
            "{found}"
        );
    }
}
