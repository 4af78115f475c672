//! What definitions in today's format become.

use super::{LENET5, SMALL, output, read, single};
use crate::network::{
    BlobId, Convolution, LayerId, LayerKind, LocalResponse, Pooling, PoolingMethod, Shape, Window,
};

#[test]
fn lenet5_has_its_shapes_and_volume() {
    let network = read(LENET5).unwrap();
    let shapes: Vec<_> = network.blobs.iter().map(|blob| blob.shape.to_string()).collect();
    assert_eq!(
        shapes,
        [
            "1x28x28", "6x24x24", "6x12x12", "16x8x8", "16x4x4", "120x1x1", "120x1x1", "84x1x1", "84x1x1",
            "10x1x1", "10x1x1"
        ]
    );
    let weights: Vec<_> =
        network.layers.iter().filter_map(|layer| layer.weight.as_ref()).map(|w| w.dims.clone()).collect();
    assert_eq!(weights, [vec![6, 1, 5, 5], vec![16, 6, 5, 5], vec![120, 256], vec![84, 120], vec![10, 84]]);
    // Weights 150 + 2400 + 30720 + 10080 + 840, biases 236, inputs 784 + 864 + 256 + 120 + 84.
    assert_eq!(network.volume_words(), 46_534);
    assert_eq!(network.name, "LeNet-5");
    assert_eq!(network.macs(LayerId(2)), 16 * 150 * 64);
    assert!(!network.has_weights());
    assert_eq!(network.notes.len(), 1);
    assert!(network.notes[0].contains("'data' (Input) left out"), "{}", network.notes[0]);
}

#[test]
fn an_in_place_layer_writes_a_new_blob_of_the_same_name() {
    let network = read(SMALL).unwrap();
    let names: Vec<_> = network.blobs.iter().map(|blob| blob.name.as_str()).collect();
    assert_eq!(names, ["x", "y", "y", "z"]);
    let [convolution, relu, fc] = &network.layers[..] else { panic!("{:?}", network.layers) };
    assert_eq!((convolution.output, &relu.inputs[..]), (BlobId(1), &[BlobId(1)][..]));
    assert_eq!((relu.output, &fc.inputs[..]), (BlobId(2), &[BlobId(2)][..]));
    assert_eq!(network.blob(relu.output).producer, Some(LayerId(1)));
    assert_eq!((network.input(), network.output()), (BlobId(0), BlobId(3)));
}

#[test]
fn the_input_may_be_stated_in_every_form() {
    let layer = "layer { name: 'l' type: 'ReLU' bottom: 'x' top: 'y' }";
    let data = |fields: &str| format!("layer {{ name: 'd' top: 'x' {fields} }} {layer}");
    let cases = [
        (format!("input: 'x' input_dim: 9 input_dim: 3 input_dim: 5 input_dim: 7 {layer}"), "3x5x7"),
        (format!("input: 'x' input_dim: [9, 3, 5, 7] {layer}"), "3x5x7"),
        (format!("input: 'x' input_shape {{ dim: 9 dim: 3 dim: 5 dim: 7 }} {layer}"), "3x5x7"),
        (format!("input: 'x' input_shape {{ dim: 9 dim: 11 }} {layer}"), "11x1x1"),
        (data("type: 'Input' input_param { shape { dim: [9, 3, 5, 7] } }"), "3x5x7"),
        (data("type: 'Data' input_param { shape { dim: [9, 3, 5, 7] } } top: 'label'"), "3x5x7"),
        (
            data("type: 'MemoryData' memory_data_param { batch_size: 2 channels: 3 height: 5 width: 7 }"),
            "3x5x7",
        ),
        (data("type: 'DummyData' dummy_data_param { num: 2 channels: 3 height: 5 width: 7 }"), "3x5x7"),
        (data("type: 'DummyData' dummy_data_param { shape { dim: [1, 4] } }"), "4x1x1"),
    ];
    for (text, expected) in cases {
        let network = read(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(network.blob(network.input()).shape.to_string(), expected, "{text}");
        assert_eq!(network.blob(network.input()).name, "x");
        assert_eq!(network.layers.len(), 1);
    }
}

/// The usual training definition: data for both phases, label, loss, accuracy of the test phase only.
#[test]
fn a_training_definition_yields_the_network_of_the_test_phase() {
    let network = read(
        r#"
        name: "train_val" state { phase: TRAIN } force_backward: true
        layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
                transform_param { mirror: true crop_size: 5 mean_file: "m" }
                data_param { source: "lmdb" batch_size: 256 backend: LMDB } }
        layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TEST }
                transform_param { crop_size: 5 } data_param { source: "lmdb" batch_size: 50 backend: LMDB }
                input_param { shape { dim: [1, 3, 5, 5] } } }
        layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc" inner_product_param { num_output: 4 } }
        layer { name: "noise" type: "Dropout" bottom: "fc" top: "fc" exclude { phase: TEST } }
        layer { name: "drop" type: "Dropout" bottom: "fc" top: "fc" exclude { phase: TRAIN stage: "any" } }
        layer { name: "accuracy" type: "Accuracy" bottom: "fc" bottom: "label" top: "accuracy"
                include { phase: TEST } accuracy_param { top_k: 5 } }
        layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" loss_weight: 1 }
        "#,
    )
    .unwrap();
    let layers: Vec<_> = network.layers.iter().map(|layer| layer.name.as_str()).collect();
    assert_eq!(layers, ["fc", "drop"]);
    assert_eq!(output(&network), Shape::new(4, 1, 1));
    for expected in [
        "layer 'data' left out: its rules",
        "layer 'data' (Data) left out: its blob 'data' of 3x5x5 is the network's input, its transform_param",
        "layer 'noise' left out: its rules",
        "layer 'accuracy' (Accuracy) left out",
        "layer 'loss' (SoftmaxWithLoss) left out",
    ] {
        assert!(
            network.notes.iter().any(|note| note.starts_with(expected)),
            "{expected}: {:?}",
            network.notes
        );
    }
    assert_eq!(network.notes.len(), 5);
}

fn window(kernel: [usize; 2], stride: [usize; 2], pad: [usize; 2], dilation: [usize; 2]) -> Window {
    Window { kernel, stride, pad, pad_end: pad, dilation }
}

#[test]
fn convolutions_take_every_spelling_of_their_window() {
    let cases = [
        ("kernel_size: 3", window([3, 3], [1, 1], [0, 0], [1, 1]), "4x10x8"),
        ("kernel_size: 3 kernel_size: 2 stride: 2", window([3, 2], [2, 2], [0, 0], [1, 1]), "4x5x5"),
        ("kernel_h: 1 kernel_w: 4 pad_w: 2", window([1, 4], [1, 1], [0, 2], [1, 1]), "4x12x11"),
        ("kernel_size: 3 stride_h: 3 stride_w: 1 pad: 1", window([3, 3], [3, 1], [1, 1], [1, 1]), "4x4x10"),
        ("kernel_size: 3 dilation: 2 dilation: 4", window([3, 3], [1, 1], [0, 0], [2, 4]), "4x8x2"),
        ("kernel_size: 1 pad: [2, 5]", window([1, 1], [1, 1], [2, 5], [1, 1]), "4x16x20"),
    ];
    for (fields, expected, extent) in cases {
        let network =
            single(&format!("type: 'Convolution' convolution_param {{ num_output: 4 group: 2 {fields} }}"))
                .unwrap();
        let LayerKind::Convolution(found) = &network.layers[0].kind else { panic!("{fields}") };
        assert_eq!(found, &Convolution { outputs: 4, window: expected, groups: 2 }, "{fields}");
        assert_eq!(output(&network).to_string(), extent, "{fields}");
        let weight = network.layers[0].weight.as_ref().map(|weight| weight.dims.clone());
        assert_eq!(weight, Some(vec![4, 3, expected.kernel[0], expected.kernel[1]]));
        assert_eq!(network.layers[0].bias.as_ref().map(|bias| bias.dims.clone()), Some(vec![4]));
    }
    let network =
        single("type: 'Convolution' convolution_param { num_output: 1 kernel_size: 1 bias_term: false }")
            .unwrap();
    assert_eq!(network.layers[0].bias, None);
}

#[test]
fn pooling_takes_every_spelling_of_its_window() {
    let average = PoolingMethod::Average { count_padding: true };
    let cases = [
        ("kernel_size: 3 stride: 2", PoolingMethod::Max, window([3, 3], [2, 2], [0, 0], [1, 1]), "6x6x5"),
        (
            "kernel_size: 3 stride: 2 round_mode: FLOOR",
            PoolingMethod::Max,
            window([3, 3], [2, 2], [0, 0], [1, 1]),
            "6x5x4",
        ),
        (
            "pool: AVE kernel_h: 2 kernel_w: 5 stride_h: 2 stride_w: 5",
            average,
            window([2, 5], [2, 5], [0, 0], [1, 1]),
            "6x6x2",
        ),
        // 10 columns and 2 x 1 of padding: a sixth window would start at column 12 of 11.
        (
            "pool: AVE kernel_size: 2 stride: 2 pad: 1",
            average,
            window([2, 2], [2, 2], [1, 1], [1, 1]),
            "6x7x6",
        ),
        (
            "pool: AVE kernel_size: 2 stride: 3 pad_h: 0 pad_w: 1",
            average,
            window([2, 2], [3, 3], [0, 1], [1, 1]),
            "6x4x4",
        ),
        ("pool: AVE global_pooling: true", average, window([12, 10], [1, 1], [0, 0], [1, 1]), "6x1x1"),
    ];
    for (fields, method, window, extent) in cases {
        let network = single(&format!("type: 'Pooling' pooling_param {{ {fields} }}")).unwrap();
        assert_eq!(network.layers[0].kind, LayerKind::Pooling(Pooling { method, window }), "{fields}");
        assert_eq!(output(&network).to_string(), extent, "{fields}");
    }
}

#[test]
fn local_response_has_caffes_defaults_and_both_regions() {
    let kind = |fields: &str| single(&format!("type: 'LRN' {fields}")).unwrap().layers[0].kind.clone();
    let default = LocalResponse { size: 5, alpha: 1.0, beta: 0.75, k: 1.0, within_channel: false };
    assert_eq!(kind(""), LayerKind::LocalResponse(default));
    assert_eq!(
        kind("lrn_param { local_size: 3 alpha: 5e-05 beta: 0.5 k: 2 }"),
        LayerKind::LocalResponse(LocalResponse {
            size: 3,
            alpha: 5e-5,
            beta: 0.5,
            k: 2.0,
            within_channel: false
        })
    );
    assert_eq!(
        kind("lrn_param { norm_region: WITHIN_CHANNEL engine: CAFFE }"),
        LayerKind::LocalResponse(LocalResponse { within_channel: true, ..default })
    );
}

#[test]
fn layers_without_parameters_keep_the_extent() {
    let cases = [
        ("type: 'ReLU'", LayerKind::Relu { negative_slope: 0.0 }),
        ("type: 'ReLU' relu_param { negative_slope: 0.1 }", LayerKind::Relu { negative_slope: 0.1 }),
        ("type: 'Softmax' softmax_param { axis: 1 }", LayerKind::Softmax),
        ("type: 'Dropout' dropout_param { dropout_ratio: 0.3 } phase: TEST", LayerKind::Dropout),
    ];
    for (layer, kind) in cases {
        let network = single(layer).unwrap();
        assert_eq!(network.layers[0].kind, kind);
        assert_eq!(output(&network), Shape::new(6, 12, 10));
        assert_eq!(network.notes, Vec::<String>::new());
    }
}

#[test]
fn what_a_layer_type_does_not_read_is_noted() {
    let network =
        single("type: 'ReLU' pooling_param { kernel_size: 2 } relu_param { engine: CUDNN }").unwrap();
    assert_eq!(network.notes, ["layer 'l': pooling_param means nothing to type ReLU"]);
}

#[test]
fn outputs_beside_the_last_are_noted() {
    let network = read(
        "input: 'x' input_shape { dim: [1, 4] } input: 'extra' input_shape { dim: [1, 4] }
         layer { name: 'a' type: 'ReLU' bottom: 'x' top: 'a' }
         layer { name: 'b' type: 'Softmax' bottom: 'x' top: 'b' }",
    )
    .unwrap();
    assert_eq!(
        network.notes,
        [
            "input 'extra' left out: only the first input is fed",
            "no layer reads blob 'a'; the output is blob 'b'"
        ]
    );
}
