//! Networks that others published.

use super::output;
use crate::network::{Layer, LayerKind, Network, Operand, Parameter, Shape, load_weights, read_definition};
use std::path::PathBuf;

fn model(path: &str) -> PathBuf {
    let data = std::env::var_os("APPROXMEM_TEST_DATA")
        .expect("APPROXMEM_TEST_DATA names the folder of the test data");
    PathBuf::from(data).join("models").join(path)
}

fn definition(path: &str) -> Network {
    read_definition(&model(path)).unwrap_or_else(|error| panic!("{error}"))
}

fn shapes(network: &Network) -> Vec<String> {
    network
        .layers
        .iter()
        .map(|layer| format!("{} {}", layer.name, network.blob(layer.output).shape))
        .collect()
}

const LENET: [&str; 8] = [
    "conv1 20x24x24",
    "pool1 20x12x12",
    "conv2 50x8x8",
    "pool2 50x4x4",
    "ip1 500x1x1",
    "relu1 500x1x1",
    "ip2 10x1x1",
    "prob 10x1x1",
];

#[test]
#[ignore = "needs APPROXMEM_TEST_DATA"]
fn lenets_load_with_their_weights() {
    for (folder, prototxt, caffemodel) in [
        ("lenet_caffe", "lenet.prototxt", "lenet_iter_10000.caffemodel"),
        ("lenet_caffe_v1", "lenet.prototxt", "lenet_iter_10000.caffemodel"),
        ("lenet_untrained", "lenet.prototxt", "lenet.caffemodel"),
    ] {
        let mut network = definition(&format!("{folder}/{prototxt}"));
        assert_eq!(shapes(&network), LENET, "{folder}");
        assert_eq!(network.volume_words(), 431_080 + 784 + 20 * 144 + 50 * 16 + 500, "{folder}");
        let notes = load_weights(&mut network, &model(&format!("{folder}/{caffemodel}"))).unwrap();
        assert_eq!(notes, Vec::<String>::new(), "{folder}");
        assert!(network.has_weights());
    }
}

#[test]
#[ignore = "needs APPROXMEM_TEST_DATA"]
fn lenet5_loads_with_its_weights() {
    let mut network = definition("lenet5/deploy.prototxt");
    assert_eq!(network.volume_words(), 46_534);
    let notes = load_weights(&mut network, &model("lenet5/FYH620.caffemodel")).unwrap();
    assert_eq!(notes, Vec::<String>::new());
    // ONNX stores the same tensors as raw little-endian bytes: each must be found there, word for word.
    let onnx = std::fs::read(model("lenet5/FYH620.onnx")).unwrap();
    for layer in &network.layers {
        for values in [&layer.weight, &layer.bias].into_iter().flatten().map(|p| p.values.as_ref().unwrap()) {
            let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            assert!(
                onnx.windows(raw.len()).any(|window| window == raw),
                "{}: {} values",
                layer.name,
                values.len()
            );
        }
    }
}

#[test]
#[ignore = "needs APPROXMEM_TEST_DATA"]
fn alexnet_has_the_data_volume_of_the_paper() {
    let network = definition("bvlc_alexnet/deploy.prototxt");
    let volume = network.volume_words();
    assert_eq!(volume, 61_380_259);
    let largest: Vec<_> = network
        .dominant_subsets()
        .into_iter()
        .take(5)
        .map(|subset| format!("{} {:.2} %", subset.name, 100.0 * subset.words as f64 / volume as f64))
        .collect();
    assert_eq!(
        largest,
        [
            "weight_fc6 61.50 %",
            "weight_fc7 27.33 %",
            "weight_fc8 6.67 %",
            "weight_conv3 1.44 %",
            "weight_conv4 1.08 %"
        ]
    );
    let pooled: Vec<_> = shapes(&network).into_iter().filter(|shape| shape.starts_with("pool")).collect();
    assert_eq!(pooled, ["pool1 96x27x27", "pool2 256x13x13", "pool5 256x6x6"]);
    let norms = network.layers.iter().filter(|layer| matches!(layer.kind, LayerKind::LocalResponse(_)));
    assert_eq!(norms.count(), 2);
    // Inputs of pooling and normalisation are subsets outside the volume.
    let outside: Vec<_> = network.subsets().into_iter().filter(|subset| !subset.in_volume).collect();
    assert_eq!(outside.len(), 5);
    assert!(outside.iter().all(|subset| subset.operand == Operand::Neuron));
}

#[test]
#[ignore = "needs APPROXMEM_TEST_DATA"]
fn cifar10_full_loads_with_its_v1_weights() {
    let mut network = definition("cifar10_full/cifar10_full.prototxt");
    assert_eq!(network.volume_words(), 103_914);
    let pooled: Vec<_> = shapes(&network).into_iter().filter(|shape| shape.starts_with("pool")).collect();
    assert_eq!(pooled, ["pool1 32x16x16", "pool2 32x8x8", "pool3 64x4x4"]);
    load_weights(&mut network, &model("cifar10_full/cifar10_full_iter_70000.caffemodel")).unwrap();
    assert!(network.has_weights());
}

#[test]
#[ignore = "needs APPROXMEM_TEST_DATA"]
fn networks_with_branches_load_with_their_weights() {
    for (folder, caffemodel, layers, parameters) in [
        ("squeezenet_v1.1", "squeezenet_v1.1.caffemodel", 66, 1_235_496),
        ("bvlc_googlenet", "bvlc_googlenet.caffemodel", 142, 6_998_552),
    ] {
        let mut network = definition(&format!("{folder}/deploy.prototxt"));
        let notes = load_weights(&mut network, &model(&format!("{folder}/{caffemodel}"))).unwrap();
        assert_eq!(notes, Vec::<String>::new(), "{folder}");
        assert_eq!(network.layers.len(), layers, "{folder}");
        // The published numbers of parameters.
        let words =
            |layer: &Layer| [&layer.weight, &layer.bias].into_iter().flatten().map(Parameter::words).sum();
        let found: usize = network.layers.iter().map::<usize, _>(words).sum();
        assert_eq!(found, parameters, "{folder}");
        assert_eq!(output(&network), Shape::new(1000, 1, 1));
    }
}

#[test]
#[ignore = "needs APPROXMEM_TEST_DATA"]
fn weights_of_another_network_are_refused_by_layer() {
    let mut network = definition("lenet5/deploy.prototxt");
    let other = model("lenet_caffe/lenet_iter_10000.caffemodel");
    let error = load_weights(&mut network, &other).unwrap_err().to_string();
    assert!(error.starts_with(&other.display().to_string()), "{error}");
    assert!(error.contains("layer 'conv1': found a weight of 20x1x5x5, expected 6x1x5x5"), "{error}");
    let mut network = definition("bvlc_alexnet/deploy.prototxt");
    let error = load_weights(&mut network, &model("lenet5/FYH620.caffemodel")).unwrap_err().to_string();
    assert!(error.contains("layer 'conv1': found a weight of 6x1x5x5, expected 96x3x11x11"), "{error}");
}
