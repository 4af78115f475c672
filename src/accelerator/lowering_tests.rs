//! Operations of published networks, and of graphs in which not everything can be fused.

use super::*;
use std::io::Write;
use std::path::Path;

fn lowered(path: &str, fuse: &Fuse) -> Vec<Operation> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    operations(&network::read_definition(&root.join(path)).unwrap(), fuse).unwrap()
}

fn of_text(text: &str, fuse: &Fuse) -> Vec<Operation> {
    let mut file = tempfile::Builder::new().suffix(".prototxt").tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    operations(&network::read_definition(file.path()).unwrap(), fuse).unwrap()
}

fn names(operations: &[Operation]) -> Vec<&str> {
    operations.iter().map(|operation| operation.name.as_str()).collect()
}

const ALEXNET: &str = "models/alexnet/alexnet.prototxt";

#[test]
fn alexnet_fused_is_its_eight_products() {
    let operations = lowered(ALEXNET, &Fuse::All);
    assert_eq!(names(&operations), ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8"]);
    let stored: Vec<u64> = operations.iter().map(|o| o.stored().words().unwrap()).collect();
    assert_eq!(stored, [69_984, 43_264, 64_896, 64_896, 9_216, 4_096, 4_096, 1_000]);
    let macs: u64 = operations.iter().map(|operation| operation.macs().unwrap()).sum();
    // Krizhevsky's network with its two groups.
    assert_eq!(macs, 724_406_816);
    let conv2 = &operations[1];
    assert_eq!((conv2.groups, conv2.input, conv2.window.pad), (2, Extent::new(96, 27, 27), [2, 2]));
    assert_eq!(conv2.pooled().unwrap().kernel, [3, 3]);
    assert_eq!(operations[5].input, Extent::new(9_216, 1, 1));
    let sources: Vec<_> = operations.iter().map(|operation| operation.sources.clone()).collect();
    assert_eq!(sources[0], [Source::Input]);
    assert!((1..8).all(|index| sources[index] == [Source::Operation(index - 1)]));
}

#[test]
fn unfused_layers_are_operations_of_their_own() {
    let operations = lowered(ALEXNET, &Fuse::None);
    let expected = ["conv1", "norm1", "pool1", "conv2", "norm2", "pool2", "conv3", "conv4", "conv5", "pool5"];
    assert_eq!(names(&operations)[..10], expected);
    assert_eq!(operations[1].kind, Kind::Normalisation);
    assert_eq!(operations[2].stored(), Extent::new(96, 27, 27));
    let norms = Fuse::Layers(["norm1".to_owned(), "norm2".to_owned()].into());
    assert_eq!(names(&lowered(ALEXNET, &norms))[..3], ["conv1", "pool1", "conv2"]);
}

#[test]
fn macs_agree_with_the_network() {
    for path in [ALEXNET, "models/vgg16/vgg16.prototxt", "models/lenet5/lenet5.prototxt"] {
        let network = network::read_definition(&Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        let expected: u64 = network.layers_with_ids().map(|(id, _)| network.macs(id)).sum();
        for fuse in [Fuse::None, Fuse::All] {
            let operations = operations(&network, &fuse).unwrap();
            assert_eq!(operations.iter().map(|o| o.macs().unwrap()).sum::<u64>(), expected, "{path}");
        }
    }
}

/// `x` -> a -> (b, sum with b) -> pool.
const RESIDUAL: &str = "
    input: 'x' input_dim: [1, 4, 6, 6]
    layer { name: 'a' type: 'Convolution' bottom: 'x' top: 'a'
            convolution_param { num_output: 4 kernel_size: 1 } }
    layer { name: 'relu' type: 'ReLU' bottom: 'a' top: 'r' }
    layer { name: 'b' type: 'Convolution' bottom: 'r' top: 'b'
            convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }
    layer { name: 'sum' type: 'Eltwise' bottom: 'r' bottom: 'b' top: 's' }
    layer { name: 'p' type: 'Pooling' bottom: 's' top: 'p' pooling_param { kernel_size: 2 stride: 2 } }";

#[test]
fn a_shortcut_is_read_back_by_the_operation_that_adds_it() {
    let operations = of_text(RESIDUAL, &Fuse::All);
    assert_eq!(names(&operations), ["a", "b"]);
    let b = &operations[1];
    let followers: Vec<_> = b.followers.iter().map(|follower| follower.name.as_str()).collect();
    assert_eq!((followers, b.stored()), (vec!["sum", "p"], Extent::new(4, 3, 3)));
    let added = Added { subset: "neuron_sum".into(), words: 144, sources: vec![Source::Operation(0)] };
    assert_eq!(b.added, [added]);
    assert!(operations[0].followers.is_empty(), "what two layers read is stored as it is");
    let apart = of_text(RESIDUAL, &Fuse::None);
    assert_eq!(names(&apart), ["a", "b", "sum", "p"]);
    assert_eq!(apart[2].added[0].subset, "neuron_sum.1");
    assert_eq!(apart[2].sources, [Source::Operation(0)]);
}

#[test]
fn a_concatenation_is_read_from_all_its_parts() {
    let operations = of_text(
        "input: 'x' input_dim: [1, 4, 6, 6]
         layer { name: 'a' type: 'Convolution' bottom: 'x' top: 'a'
                 convolution_param { num_output: 4 kernel_size: 1 } }
         layer { name: 'b' type: 'Convolution' bottom: 'x' top: 'b'
                 convolution_param { num_output: 2 kernel_size: 1 } }
         layer { name: 'c' type: 'Concat' bottom: 'a' bottom: 'b' top: 'c' }
         layer { name: 'p' type: 'Pooling' bottom: 'c' top: 'p' pooling_param { kernel_size: 2 stride: 2 } }
         layer { name: 'f' type: 'InnerProduct' bottom: 'p' top: 'f' inner_product_param { num_output: 3 } }",
        &Fuse::All,
    );
    assert_eq!(names(&operations), ["a", "b", "p", "f"], "nothing is fused behind a concatenation");
    assert_eq!(operations[2].sources, [Source::Operation(0), Source::Operation(1)]);
    assert_eq!(operations[3].input, Extent::new(54, 1, 1));
}

#[test]
fn a_batch_normalisation_brings_its_words() {
    let operations = of_text(
        "input: 'x' input_dim: [1, 4, 6, 6]
         layer { name: 'a' type: 'Convolution' bottom: 'x' top: 'a'
                 convolution_param { num_output: 5 kernel_size: 1 } }
         layer { name: 's' type: 'Scale' bottom: 'a' top: 's' scale_param { bias_term: true } }
         layer { name: 'p' type: 'Pooling' bottom: 's' top: 'p' pooling_param { kernel_size: 2 stride: 2 } }",
        &Fuse::All,
    );
    assert_eq!(operations.len(), 1);
    assert_eq!(operations[0].followers[0].parameters, [5, 5]);
    assert_eq!(operations[0].stored(), Extent::new(5, 3, 3));
}
