//! A network that others published, in both formats.

use crate::inference::{Activations, Engine, NoHook, Start};
use crate::network::{LayerKind, Network, load_weights, read_definition};
use ndarray::{Array2, Array4};
use std::path::PathBuf;

fn model(path: &str) -> PathBuf {
    let data = std::env::var_os("APPROXMEM_TEST_DATA")
        .expect("APPROXMEM_TEST_DATA names the folder of the test data");
    PathBuf::from(data).join("models/lenet5").join(path)
}

fn onnx() -> Network {
    read_definition(&model("FYH620.onnx")).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
#[ignore = "needs APPROXMEM_TEST_DATA"]
fn the_graph_is_that_of_the_caffemodel() {
    let onnx = onnx();
    let mut caffe = read_definition(&model("deploy.prototxt")).unwrap();
    load_weights(&mut caffe, &model("FYH620.caffemodel")).unwrap();
    assert_eq!(onnx.notes, Vec::<String>::new());
    assert_eq!(onnx.blob(onnx.input()).shape, caffe.blob(caffe.input()).shape);
    assert_eq!(onnx.volume_words(), 46_534);
    let computing = |network: &Network| -> Vec<_> {
        let layers = network.layers.iter();
        layers
            .map(|layer| {
                let inputs: Vec<_> = layer.inputs.iter().map(|&blob| network.blob(blob).shape).collect();
                let output = network.blob(layer.output).shape;
                (layer.kind.clone(), inputs, output, layer.weight.clone(), layer.bias.clone())
            })
            .collect()
    };
    let (found, expected) = (computing(&onnx), computing(&caffe));
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        // Values too: both formats hold the same words.
        assert_eq!(found, expected);
    }
    let valued = |network: &Network| network.layers.iter().filter(|layer| layer.weight.is_some()).count();
    assert_eq!((valued(&onnx), onnx.has_weights()), (5, true));
    assert_eq!(onnx.layers.last().unwrap().kind, LayerKind::Softmax);
}

#[test]
#[ignore = "needs APPROXMEM_TEST_DATA"]
fn outputs_are_those_of_the_oracle() {
    let network = onnx();
    let input: Array4<f32> = ndarray_npy::read_npy(model("oracle/input.npy")).unwrap();
    let expected: Array2<f32> = ndarray_npy::read_npy(model("oracle/output.npy")).unwrap();
    let engine = Engine::new(&network).unwrap();
    let weights = engine.pack(&network).unwrap();
    let images = Activations::from_array(&input.view());
    let start = Start::new(network.input(), &images);
    let found = engine.forward(&weights, &start, &[network.output()], &NoHook).unwrap();
    let found = found[0].to_images();
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found - expected).abs() < 1e-4, "{found} instead of {expected}");
    }
}
