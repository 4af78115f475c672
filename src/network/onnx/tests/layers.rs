//! What each operator becomes.

use super::*;
use crate::network::{Convolution, Eltwise, LayerKind, LocalResponse, PoolingMethod};

const IMAGE: [i64; 4] = [1, 3, 8, 8];

fn kind(opset: i64, input: &[i64], node: (&str, &str, &[AttributeProto])) -> LayerKind {
    let network = single(opset, input, node, &[]).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(network.layers.len(), 1);
    network.layers[0].kind.clone()
}

#[test]
fn convolutions_have_their_window_groups_and_values() {
    let attributes = [
        ints("kernel_shape", &[3, 2]),
        ints("strides", &[2, 1]),
        ints("pads", &[1, 0, 2, 3]),
        ints("dilations", &[1, 2]),
        int("group", 2),
        text("auto_pad", "NOTSET"),
    ];
    let tensors = [counted("w", &[4, 2, 3, 2]), counted("b", &[4])];
    let network = single(11, &[5, 4, 9, 7], ("Conv", "x w b", &attributes), &tensors).unwrap();
    let LayerKind::Convolution(Convolution { outputs: 4, window, groups: 2 }) = network.layers[0].kind else {
        panic!("{:?}", network.layers[0].kind);
    };
    assert_eq!((window.kernel, window.stride, window.dilation), ([3, 2], [2, 1], [1, 2]));
    assert_eq!((window.pad, window.pad_end), ([1, 0], [2, 3]));
    // Rows: (9 + 3 - 3) / 2 + 1; columns: 7 + 3 - 3 + 1.
    assert_eq!(layers(&network), ["l Convolution x -> y 4x5x8"]);
    let [weight, bias] = parameters(&network, 0);
    assert_eq!(network.layers[0].weight.as_ref().unwrap().dims, [4, 2, 3, 2]);
    assert_eq!(weight.unwrap(), (1..=48).map(|value| value as f32).collect::<Vec<_>>());
    assert_eq!(bias, Some([1.0, 2.0, 3.0, 4.0].as_slice()));
}

#[test]
fn a_convolution_needs_neither_kernel_shape_nor_bias() {
    let network = single(7, &IMAGE, ("Conv", "x w -", &[]), &[counted("w", &[2, 3, 5, 1])]).unwrap();
    assert_eq!(layers(&network), ["l Convolution x -> y 2x4x8"]);
    assert_eq!(network.layers[0].bias, None);
}

#[test]
fn products_store_one_row_per_output() {
    // W = [1 2; 3 4; 5 6] as inputs x outputs.
    let weight = counted("w", &[3, 2]);
    let columns = [1.0, 3.0, 5.0, 2.0, 4.0, 6.0];
    let network = single(13, &[1, 3], ("MatMul", "x w", &[]), std::slice::from_ref(&weight)).unwrap();
    assert_eq!(layers(&network), ["l InnerProduct x -> y 2x1x1"]);
    assert_eq!(network.layers[0].weight.as_ref().unwrap().dims, [2, 3]);
    assert_eq!(parameters(&network, 0), [Some(columns.as_slice()), None]);

    let attributes = [float("alpha", 2.0), float("beta", 0.5), int("transB", 0)];
    let tensors = [weight, floats("c", &[1, 2], &[7.0, 9.0])];
    let network = single(13, &[1, 3], ("Gemm", "x w c", &attributes), &tensors).unwrap();
    let doubled = columns.map(|value| 2.0 * value);
    assert_eq!(parameters(&network, 0), [Some(doubled.as_slice()), Some([3.5, 4.5].as_slice())]);

    let tensors = [counted("w", &[2, 3]), floats("c", &[], &[0.25])];
    let network = single(9, &[1, 3], ("Gemm", "x w c", &[int("transB", 1)]), &tensors).unwrap();
    let rows = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    assert_eq!(parameters(&network, 0), [Some(rows.as_slice()), Some([0.25, 0.25].as_slice())]);
}

#[test]
fn activation_functions_keep_their_parameters() {
    assert_eq!(kind(7, &IMAGE, ("Relu", "x", &[])), LayerKind::Relu { negative_slope: 0.0 });
    assert_eq!(kind(7, &IMAGE, ("LeakyRelu", "x", &[])), LayerKind::Relu { negative_slope: 0.01 });
    let slope = [float("alpha", 0.3)];
    assert_eq!(kind(7, &IMAGE, ("LeakyRelu", "x", &slope)), LayerKind::Relu { negative_slope: 0.3 });
    assert_eq!(kind(7, &IMAGE, ("Sigmoid", "x", &[])), LayerKind::Sigmoid);
    assert_eq!(kind(7, &IMAGE, ("Tanh", "x", &[])), LayerKind::Tanh);
    assert_eq!(kind(7, &IMAGE, ("Dropout", "x", &[float("ratio", 0.5)])), LayerKind::Dropout);
    let response = LocalResponse { size: 5, alpha: 2e-4, beta: 0.5, k: 2.0, within_channel: false };
    let attributes = [int("size", 5), float("alpha", 2e-4), float("beta", 0.5), float("bias", 2.0)];
    assert_eq!(kind(7, &IMAGE, ("LRN", "x", &attributes)), LayerKind::LocalResponse(response));
    let default = LocalResponse { size: 3, alpha: 1e-4, beta: 0.75, k: 1.0, within_channel: false };
    assert_eq!(kind(7, &IMAGE, ("LRN", "x", &[int("size", 3)])), LayerKind::LocalResponse(default));
    let even = LocalResponse { size: 4, ..default };
    assert_eq!(kind(7, &IMAGE, ("LRN", "x", &[int("size", 4)])), LayerKind::LocalResponse(even));
}

#[test]
fn clip_reads_attributes_before_version_11_and_inputs_since() {
    let both = [float("min", 0.0), float("max", 6.0)];
    let six = LayerKind::Clip { min: 0.0, max: 6.0 };
    assert_eq!(kind(10, &IMAGE, ("Clip", "x", &both)), six);
    assert_eq!(kind(7, &IMAGE, ("Clip", "x", &[])), LayerKind::Clip { min: f32::MIN, max: f32::MAX });
    let limits = [floats("lo", &[], &[0.0]), floats("hi", &[1], &[6.0])];
    let with = |inputs| single(11, &IMAGE, ("Clip", inputs, &[]), &limits).unwrap().layers[0].kind.clone();
    assert_eq!(with("x lo hi"), six);
    assert_eq!(with("x - hi"), LayerKind::Clip { min: f32::MIN, max: 6.0 });
    assert_eq!(with("x lo"), LayerKind::Clip { min: 0.0, max: f32::MAX });
    // min(max(x, 6), 0) is 0 for every x.
    assert_eq!(with("x hi lo"), LayerKind::Clip { min: 0.0, max: 0.0 });
    for (opset, inputs, attributes) in [(10, "x lo hi", &[][..]), (11, "x", &both)] {
        let refused = refusal(single(opset, &IMAGE, ("Clip", inputs, attributes), &limits));
        assert!(refused.contains("limits in the way of another version"), "{refused}");
    }
}

#[test]
fn pooling_methods() {
    let method = |operator, attributes: &[AttributeProto]| {
        let LayerKind::Pooling(pooling) = kind(13, &IMAGE, (operator, "x", attributes)) else {
            panic!("{operator} is pooling");
        };
        (pooling.method, pooling.window.kernel)
    };
    let two = ints("kernel_shape", &[2, 2]);
    let average = |count_padding| PoolingMethod::Average { count_padding };
    assert_eq!(method("MaxPool", std::slice::from_ref(&two)), (PoolingMethod::Max, [2, 2]));
    assert_eq!(method("AveragePool", std::slice::from_ref(&two)), (average(false), [2, 2]));
    assert_eq!(method("AveragePool", &[two, int("count_include_pad", 1)]), (average(true), [2, 2]));
    assert_eq!(method("GlobalAveragePool", &[]), (average(false), [8, 8]));
    assert_eq!(method("GlobalMaxPool", &[]), (PoolingMethod::Max, [8, 8]));
}

#[test]
fn batch_normalisation_is_folded_per_channel() {
    let tensors = [
        floats("scale", &[2], &[3.0, -1.0]),
        floats("shift", &[2], &[0.5, 0.25]),
        floats("mean", &[2], &[4.0, 8.0]),
        floats("variance", &[2], &[3.75, 0.0]),
    ];
    let normalise = (
        "BatchNormalization",
        "x scale shift mean variance",
        &[float("epsilon", 0.25), float("momentum", 0.9)][..],
    );
    for opset in [7, 9, 14, 15, 28] {
        let network = single(opset, &[1, 2, 4, 4], normalise, &tensors).unwrap();
        assert_eq!(layers(&network), ["l Affine x -> y 2x4x4"]);
        // Factors 3 / √4 and -1 / √0.25; terms 0.5 - 4 · 1.5 and 0.25 + 8 · 2.
        assert_eq!(parameters(&network, 0), [Some([1.5, -2.0].as_slice()), Some([-5.5, 16.25].as_slice())]);
    }
}

#[test]
fn sums_and_products_of_activations() {
    let branches = |last: NodeProto| {
        let nodes = vec![node("Relu", "a", "x", "a", &[]), node("Tanh", "b", "x", "b", &[]), last];
        network(&[1, 2, 4, 4], nodes, Vec::new())
    };
    let sum = branches(node("Add", "add", "a b", "y", &[]));
    assert_eq!(layers(&sum)[2], "add Eltwise a b -> y 2x4x4");
    assert_eq!(sum.layers[2].kind, LayerKind::Eltwise(Eltwise::Sum { coefficients: vec![1.0, 1.0] }));
    let three = branches(node("Sum", "sum", "a b x", "y", &[]));
    assert_eq!(three.layers[2].kind, LayerKind::Eltwise(Eltwise::Sum { coefficients: vec![1.0; 3] }));
    let twice = branches(node("Mul", "mul", "a a", "y", &[]));
    assert_eq!(twice.layers.last().unwrap().kind, LayerKind::Eltwise(Eltwise::Product));
    let channels = branches(node("Concat", "cat", "a b x", "y", &[int("axis", -3)]));
    assert_eq!(layers(&channels)[2], "cat Concat a b x -> y 6x4x4");
}

#[test]
fn constants_per_channel_are_affine_layers() {
    let factors = [floats("c", &[2, 1, 1], &[2.0, 3.0]), floats("one", &[1], &[5.0])];
    let network = single(13, &[1, 2, 4, 4], ("Mul", "c x", &[]), &factors).unwrap();
    assert_eq!(layers(&network), ["l Affine x -> y 2x4x4"]);
    assert_eq!(parameters(&network, 0), [Some([2.0, 3.0].as_slice()), None]);
    let network = single(13, &[1, 2, 4, 4], ("Add", "x one", &[]), &factors).unwrap();
    assert_eq!(parameters(&network, 0), [Some([1.0, 1.0].as_slice()), Some([5.0, 5.0].as_slice())]);
}

#[test]
fn softmax_runs_over_the_channels_only() {
    let softmax = |opset, input: &[i64], axis: Option<i64>| {
        let axis: Vec<_> = axis.map(|axis| int("axis", axis)).into_iter().collect();
        single(opset, input, ("Softmax", "x", &axis), &[]).map(|network| layers(&network))
    };
    let plain = ["l Softmax x -> y 10x1x1".to_owned()];
    for (opset, input, axis) in [
        (7, &[1, 10][..], None),
        (13, &[1, 10], None),
        (11, &[1, 10], Some(-1)),
        (9, &[4, 10, 1, 1], Some(1)),
        (13, &[4, 10, 1, 1], Some(1)),
    ] {
        assert_eq!(softmax(opset, input, axis).unwrap(), plain, "version {opset}, {input:?}, {axis:?}");
    }
    assert_eq!(softmax(13, &[1, 5, 2, 3], Some(-3)).unwrap(), ["l Softmax x -> y 5x2x3"]);
    // Before version 13 the axis and all behind it are one.
    assert_eq!(
        softmax(12, &[1, 5, 2, 3], None).unwrap(),
        [
            "l_flattened Reshape x -> y_flattened 30x1x1",
            "l Softmax y_flattened -> y 30x1x1",
            "l_restored Reshape y -> y_restored 5x2x3"
        ]
    );
    assert_eq!(
        softmax(13, &[1, 1, 2, 3], Some(2)).unwrap(),
        [
            "l_flattened Reshape x -> y_flattened 2x1x3",
            "l Softmax y_flattened -> y 2x1x3",
            "l_restored Reshape y -> y_restored 1x2x3"
        ]
    );
    for (opset, input, axis) in [
        (13, &[1, 5, 2, 3][..], None),
        (12, &[1, 5, 2, 3], Some(2)),
        (13, &[2, 5], Some(0)),
        (7, &[2, 5], Some(0)),
    ] {
        let error = softmax(opset, input, axis).unwrap_err().to_string();
        assert!(error.contains("expected the channels of"), "{error}");
    }
}
