//! Layers of several inputs, of several outputs, and those that only arrange elements.

use super::{output, read, single};
use crate::network::{BlobId, Eltwise, LayerKind, Network, Shape};

/// An input of 4 x 6 x 5, blob `a` of that extent, blob `b` of 2 x 6 x 5, then `layer`.
fn two(layer: &str) -> Result<Network, super::Error> {
    read(&format!(
        "input: 'x' input_dim: [3, 4, 6, 5]
         layer {{ name: 'a' type: 'ReLU' bottom: 'x' top: 'a' }}
         layer {{ name: 'b' type: 'Convolution' bottom: 'x' top: 'b'
                 convolution_param {{ num_output: 2 kernel_size: 1 }} }}
         layer {{ name: 'l' top: 'y' {layer} }}"
    ))
}

#[track_caller]
fn refused(network: Result<Network, super::Error>, place: &str, message: &str) {
    let error = network.expect_err(message);
    assert!(error.detail().contains(message), "{error}\nlacks: {message}");
    let (source, span) = error.source_span().unwrap();
    assert_eq!(&source[span], place, "{error}");
}

#[test]
fn concat_adds_channels() {
    let of = |fields: &str| two(&format!("type: 'Concat' {fields}"));
    for fields in ["", "concat_param { axis: 1 }", "concat_param { concat_dim: 1 }"] {
        let network = of(&format!("bottom: 'a' bottom: 'b' bottom: 'a' {fields}")).unwrap();
        let layer = &network.layers[2];
        assert_eq!((&layer.kind, output(&network)), (&LayerKind::Concat, Shape::new(10, 6, 5)));
        assert_eq!(layer.inputs, [BlobId(1), BlobId(2), BlobId(1)]);
    }
    assert_eq!(output(&of("bottom: 'b'").unwrap()), Shape::new(2, 6, 5));
    refused(of("bottom: 'a' concat_param { axis: 2 }"), "2", "found axis = 2, expected 1 (the channels)");
    refused(of("bottom: 'a' concat_param { concat_dim: 0 }"), "0", "found concat_dim = 0");
    refused(of("bottom: 'a' concat_param { axis: 1 concat_dim: 1 }"), "1", "set together with axis");
    refused(of(""), "layer", "found no bottom");
    let uneven = read(
        "input: 'x' input_dim: [1, 4, 6, 5]
         layer { name: 'p' type: 'Pooling' bottom: 'x' top: 'p' pooling_param { kernel_size: 2 } }
         layer { name: 'l' type: 'Concat' bottom: 'x' bottom: 'p' top: 'y' }",
    );
    refused(
        uneven,
        "'p'",
        "layer 'l': reads blob 'p' of 4x5x4, expected as many rows and columns as the first",
    );
    let bottoms = "bottom: 'x' ".repeat(600);
    let huge = read(&format!(
        "input: 'x' input_dim: [1, 1, 2048, 2048] layer {{ name: 'l' type: 'Concat' {bottoms} top: 'y' }}"
    ));
    refused(huge, "'x'", "its output of 600x2048x2048 has more than 2147483648 elements");
}

#[test]
fn eltwise_takes_its_three_operations() {
    let of = |fields: &str| two(&format!("type: 'Eltwise' bottom: 'a' bottom: 'x' {fields}"));
    let sum = |coefficients: &[f32]| Eltwise::Sum { coefficients: coefficients.to_vec() };
    let cases = [
        ("", sum(&[1.0, 1.0])),
        ("eltwise_param { operation: SUM }", sum(&[1.0, 1.0])),
        ("eltwise_param { coeff: 1 coeff: -0.25 }", sum(&[1.0, -0.25])),
        ("eltwise_param { operation: PROD stable_prod_grad: false }", Eltwise::Product),
        ("eltwise_param { operation: MAX }", Eltwise::Max),
    ];
    for (fields, expected) in cases {
        let network = of(fields).unwrap();
        assert_eq!(network.layers[2].kind, LayerKind::Eltwise(expected), "{fields}");
        assert_eq!(output(&network), Shape::new(4, 6, 5));
        let subsets: Vec<_> = network.subsets().into_iter().map(|subset| subset.name).collect();
        assert!(subsets.contains(&"neuron_l".to_owned()) && subsets.contains(&"neuron_l.1".to_owned()));
    }
    refused(of("eltwise_param { operation: 3 }"), "3", "found operation = 3, expected PROD, SUM or MAX");
    refused(of("eltwise_param { coeff: 2 }"), "2", "found coeff = 1 values, expected one for each of the 2");
    refused(of("eltwise_param { coeff: [2, inf] }"), "2", "found coeff = inf, expected a finite number");
    refused(of("eltwise_param { operation: MAX coeff: [1, 1] }"), "1", "which only operation: SUM reads");
    refused(of("bottom: 'b'"), "'b'", "reads blob 'b' of 2x6x5, expected the extent of the first blob");
    refused(two("type: 'Eltwise' bottom: 'a'"), "'a'", "found one blob to read, expected at least two");
    let over = "layer { name: 'e' type: 'Eltwise' bottom: 'y' bottom: 'y' top: 'y' }";
    refused(
        read(&format!("input: 'y' input_shape {{ dim: [1, 2] }} {over}")),
        "'y'",
        "a layer of type Eltwise cannot",
    );
}

#[test]
fn the_blobs_of_a_split_are_its_input() {
    let network = read(
        "input: 'x' input_dim: [1, 2, 3, 3]
         layer { name: 's' type: 'Split' bottom: 'x' top: 's0' top: 's1' }
         layer { name: 'r' type: 'ReLU' bottom: 's0' top: 's0' }
         layer { name: 'l' type: 'Concat' bottom: 's0' bottom: 's1' bottom: 'x' top: 'y' }",
    )
    .unwrap();
    let [relu, concat] = &network.layers[..] else { panic!("{:?}", network.layers) };
    assert_eq!(relu.inputs, [BlobId(0)]);
    // Only the name that the ReLU writes changes its meaning.
    assert_eq!(concat.inputs, [relu.output, BlobId(0), BlobId(0)]);
    assert_eq!(network.notes, ["layer 's' (Split) left out: its blobs are blob 'x' under other names"]);
    refused(single("type: 'Split' bottom: 'x'"), "'x'", "found 2 blobs to read, expected one");
    let none = "input: 'x' input_dim: [1, 2, 3, 3] layer { name: 's' type: 'Split' bottom: 'x' }";
    refused(read(none), "layer", "layer 's': found no top");
    refused(
        read("input: 'x' input_dim: [1, 2, 3, 3] layer { name: 's' type: 'Split' bottom: 'x' top: 'x' }"),
        "'x'",
        "layer 's': writes blob 'x', which already exists",
    );
}

#[test]
fn flatten_and_reshape_keep_the_elements() {
    // The input is 6 x 12 x 10, the batch 1.
    let cases = [
        ("type: 'Flatten'", Shape::new(720, 1, 1)),
        ("type: 'Flatten' flatten_param { axis: 1 end_axis: 3 }", Shape::new(720, 1, 1)),
        ("type: 'Reshape' reshape_param { shape { dim: 0 dim: -1 } }", Shape::new(720, 1, 1)),
        ("type: 'Reshape' reshape_param { shape { dim: 1 dim: -1 } }", Shape::new(720, 1, 1)),
        ("type: 'Reshape' reshape_param { shape { dim: [0, 0, -1] } }", Shape::new(6, 120, 1)),
        ("type: 'Reshape' reshape_param { shape { dim: [0, -1, 0, 5] } }", Shape::new(12, 12, 5)),
        ("type: 'Reshape' reshape_param { shape { dim: [-1, 2, 36, 10] } }", Shape::new(2, 36, 10)),
        ("type: 'Reshape' reshape_param { axis: 1 shape { dim: [3, 0, 20] } }", Shape::new(3, 12, 20)),
    ];
    for (layer, expected) in cases {
        let network = single(layer).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((&network.layers[0].kind, output(&network)), (&LayerKind::Reshape, expected), "{layer}");
    }
    let of = |fields: &str| single(&format!("type: 'Reshape' reshape_param {{ {fields} }}"));
    refused(of(""), "reshape_param", "found no shape");
    refused(of("shape { }"), "shape", "found shape = no extent");
    for (dims, message) in [
        ("2, -1", "expected a first extent of 0 or 1: the batch is kept"),
        ("-1, -1", "the batch is kept"),
        ("0, 7, -1", "expected up to three extents that hold the 720 elements of 6x12x10"),
        ("0, 719", "hold the 720 elements"),
        ("0, -1, -1", "hold the 720 elements"),
        ("0, -2", "hold the 720 elements"),
        ("0, 6, 12, 5, 2", "up to three extents"),
        ("0, 9223372036854775807, 9223372036854775807, 2", "hold the 720 elements"),
    ] {
        refused(of(&format!("shape {{ dim: [{dims}] }}")), "shape", message);
    }
    refused(of("axis: 2 shape { dim: [2, 60] }"), "2", "found axis = 2, expected 0 or 1");
    refused(of("num_axes: 1 shape { dim: 0 }"), "1", "found num_axes = 1, expected -1");
    refused(single("type: 'Flatten' flatten_param { axis: 2 }"), "2", "found axis = 2");
    refused(single("type: 'Flatten' flatten_param { end_axis: 2 }"), "2", "found end_axis = 2");
}

#[test]
fn activations_take_their_parameters() {
    let of = |layer: &str| single(layer).map(|network| network.layers[0].kind.clone());
    assert_eq!(of("type: 'Sigmoid'").unwrap(), LayerKind::Sigmoid);
    assert_eq!(of("type: 'TanH' tanh_param { engine: CAFFE }").unwrap(), LayerKind::Tanh);
    assert_eq!(
        of("type: 'Clip' clip_param { min: 0 max: 6 }").unwrap(),
        LayerKind::Clip { min: 0.0, max: 6.0 }
    );
    refused(
        single("type: 'Clip' clip_param { min: 1 max: 0.5 }"),
        "0.5",
        "found max = 0.5, expected at least",
    );
    refused(single("type: 'Clip' clip_param { min: nan max: 0.5 }"), "nan", "found min = NaN");
    refused(single("type: 'Clip' clip_param { max: 0.5 }"), "layer", "found no min, expected min and max");
}
