//! Names, order, layers that become part of others, what is left out.

use super::*;
use crate::network::{LayerKind, load_weights};

fn dense(name: &str, inputs: &str, outputs: &str) -> NodeProto {
    node("Gemm", name, inputs, outputs, &[int("transB", 1)])
}

#[test]
fn layers_are_called_as_nodes_or_by_their_output() {
    let nodes = vec![
        node("Relu", "", "x", "first", &[]),
        node("Relu", "a", "first", "v1", &[]),
        node("Relu", "a", "v1", "v2", &[]),
        node("Relu", "a", "v2", "v3", &[]),
        node("Relu", "a_1", "v3", "y", &[]),
    ];
    let names: Vec<_> =
        network(&[1, 4], nodes, Vec::new()).layers.into_iter().map(|layer| layer.name).collect();
    // The suffix 1 would be the name of another node.
    assert_eq!(names, ["first", "a", "a_2", "a_3", "a_1"]);
}

#[test]
fn an_added_vector_is_the_bias_of_the_product_before_it() {
    let tensors = || vec![counted("w", &[3, 2]), floats("b", &[2], &[7.0, 8.0])];
    let nodes = vec![node("MatMul", "fc", "x w", "h", &[]), node("Add", "add", "b h", "y", &[])];
    let merged = network(&[1, 3], nodes.clone(), tensors());
    assert_eq!(layers(&merged), ["fc InnerProduct x -> y 2x1x1"]);
    assert_eq!(parameters(&merged, 0)[1], Some([7.0, 8.0].as_slice()));
    // Another reader of the product must not see the bias.
    let mut nodes = nodes;
    nodes[1].output = vec!["s".into()];
    nodes.push(node("Sum", "sum", "h s", "y", &[]));
    let apart = network(&[1, 3], nodes, tensors());
    assert_eq!(
        layers(&apart),
        ["fc InnerProduct x -> h 2x1x1", "add Affine h -> s 2x1x1", "sum Eltwise h s -> y 2x1x1"]
    );
    assert_eq!(apart.layers[0].bias, None);
}

#[test]
fn factors_and_terms_become_part_of_an_affine_layer() {
    let tensors = vec![
        floats("scale", &[2], &[2.0, 4.0]),
        floats("shift", &[2], &[1.0, 1.0]),
        floats("mean", &[2], &[0.0, 0.0]),
        floats("variance", &[2], &[1.0, 1.0]),
        floats("factor", &[1, 2, 1, 1], &[10.0, 100.0]),
        floats("term", &[2, 1, 1], &[0.5, 0.25]),
    ];
    let nodes = vec![
        node("BatchNormalization", "bn", "x scale shift mean variance", "n", &[float("epsilon", 0.0)]),
        node("Mul", "mul", "n factor", "m", &[]),
        node("Add", "add", "m term", "y", &[]),
    ];
    let network = network(&[1, 2, 3, 3], nodes, tensors);
    assert_eq!(layers(&network), ["bn Affine x -> y 2x3x3"]);
    assert_eq!(parameters(&network, 0), [Some([20.0, 400.0].as_slice()), Some([10.5, 100.25].as_slice())]);
}

#[test]
fn reshaping_before_a_product_leaves_no_layer() {
    let tensors = vec![counted("w", &[5, 32]), counted("b", &[5]), integers("shape", &[0, -1])];
    let flat = |node: NodeProto| {
        layers(&network(&[1, 2, 4, 4], vec![node, dense("fc", "f w b", "y")], tensors.clone()))
    };
    for reshaping in [
        node("Flatten", "flat", "x", "f", &[]),
        node("Reshape", "flat", "x shape", "f", &[int("allowzero", 0)]),
    ] {
        assert_eq!(flat(reshaping), ["fc InnerProduct x -> y 5x1x1"]);
    }
}

#[test]
fn reshaping_before_other_layers_is_a_layer_once() {
    let nodes = vec![
        node("Reshape", "r", "x shape", "f", &[]),
        node("Relu", "a", "f", "a", &[]),
        node("Tanh", "b", "f", "b", &[]),
        node("Add", "add", "a b", "y", &[]),
    ];
    let shaped = network(&[1, 2, 4, 4], nodes, vec![integers("shape", &[1, 8, 2, 2])]);
    assert_eq!(
        layers(&shaped),
        [
            "r Reshape x -> f 8x2x2",
            "a ReLU f -> a 8x2x2",
            "b TanH f -> b 8x2x2",
            "add Eltwise a b -> y 8x2x2"
        ]
    );
}

#[test]
fn a_network_that_only_passes_its_input_on_has_one_layer() {
    let passed = network(&[1, 2, 4, 4], vec![node("Identity", "id", "x", "y", &[])], Vec::new());
    assert_eq!(layers(&passed), ["y Reshape x -> y 2x4x4"]);
    let flat = network(&[1, 2, 4, 4], vec![node("Flatten", "flat", "x", "y", &[])], Vec::new());
    assert_eq!(layers(&flat), ["flat Reshape x -> y 32x1x1"]);
}

#[test]
fn images_do_not_mix() {
    let reshape =
        |shape: &[i64]| single(13, &[2, 3, 4], ("Reshape", "x shape", &[]), &[integers("shape", shape)]);
    assert_eq!(output(&reshape(&[2, 12]).unwrap()), Shape::new(12, 1, 1));
    assert_eq!(output(&reshape(&[0, 2, -1]).unwrap()), Shape::new(2, 1, 6));
    assert_eq!(
        refusal(reshape(&[4, 2, 3])),
        format!(
            "{}: found activations of 4x2x3, expected the batch (2) as first extent: images do not mix",
            place("Reshape")
        )
    );
    for shape in [&[2, 13][..], &[2, -1, -1], &[2, -2], &[0, 0, 0, 0, -1], &[-1, 5], &[2, i64::MAX, i64::MAX]]
    {
        let refused = refusal(reshape(shape));
        assert!(refused.starts_with("node 'l' (Reshape): "), "{refused}");
    }
}

/// What `PyTorch` writes for `x.view(x.size(0), -1)` with an open batch.
#[test]
fn arithmetic_on_extents_is_done_at_import() {
    let nodes = vec![
        node("Shape", "s", "x", "s", &[]),
        node(
            "Constant",
            "zero",
            "",
            "zero",
            &[tensor("value", TensorProto { dims: Vec::new(), ..integers("", &[0]) })],
        ),
        node("Gather", "g", "s zero", "g", &[int("axis", 0)]),
        node("Unsqueeze", "u", "g axes", "u", &[]),
        node("Concat", "c", "u rest", "c", &[int("axis", 0)]),
        node("Reshape", "r", "x c", "f", &[]),
        dense("fc", "f w b", "y"),
    ];
    let tensors =
        vec![integers("axes", &[0]), integers("rest", &[-1]), counted("w", &[3, 8]), counted("b", &[3])];
    let fixed = model(13, &[1, 2, 2, 2], nodes, tensors);
    for (dim_value, dim_param) in [(None, Some("N")), (None, None), (Some(-1), None), (Some(64), None)] {
        let mut open = fixed.clone();
        let input = &mut open.graph.as_mut().unwrap().input[0];
        let dims = [Some(2), Some(2), Some(2)].map(|dim_value| Dimension { dim_value, dim_param: None });
        let batch = Dimension { dim_value, dim_param: dim_param.map(Into::into) };
        *input = value_info("x", [batch].into_iter().chain(dims).collect());
        let network = read(&open).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(layers(&network), ["fc InnerProduct x -> y 3x1x1"], "{dim_value:?} {dim_param:?}");
    }
}

#[test]
fn squeezing_and_unsqueezing() {
    let attribute = [ints("axes", &[-1, -2])];
    let squeezed = single(11, &[1, 6, 1, 1], ("Squeeze", "x", &attribute), &[]).unwrap();
    assert_eq!(layers(&squeezed), ["y Reshape x -> y 6x1x1"]);
    let open = single(13, &[1, 6, 1, 4], ("Squeeze", "x", &[]), &[]).unwrap();
    assert_eq!(output(&open), Shape::new(6, 1, 4));
    let axes = [integers("axes", &[2, 3])];
    let unsqueezed = single(13, &[1, 6], ("Unsqueeze", "x axes", &[]), &axes).unwrap();
    assert_eq!(output(&unsqueezed), Shape::new(6, 1, 1));
    for (input, operator, expected) in [
        (
            &[1, 6, 2, 1][..],
            "Squeeze",
            "node 'l' (Squeeze): found input of 1x6x2x1, expected an extent of 1 at axis 2",
        ),
        (
            &[1, 6, 1, 1],
            "Unsqueeze",
            "output 'y': found activations of 1x6x1x1x1x1, expected batch x channels",
        ),
    ] {
        let refused = refusal(single(13, input, (operator, "x axes", &[]), &axes));
        assert!(refused.starts_with(expected), "{refused}");
    }
    let refused = refusal(single(13, &[1, 6, 1, 1], ("Squeeze", "x", &attribute), &[]));
    assert!(
        refused.contains("axes in the way of another version, expected an input in version 13"),
        "{refused}"
    );
}

#[test]
fn what_the_output_does_not_need_is_left_out_with_a_note() {
    let nodes = vec![
        node("Dropout", "drop", "x", "d mask", &[]),
        node("Relu", "relu", "d", "y", &[]),
        node("Tanh", "aside", "d", "z", &[]),
    ];
    let mut model = model(13, &[1, 4], nodes, Vec::new());
    model.training_info.push(vec![1].into());
    let graph = model.graph.as_mut().unwrap();
    graph.output.push(ValueInfoProto { name: Some("z".into()), r#type: None });
    graph.input.push(value_info("unused", Vec::new()));
    let network = read(&model).unwrap();
    assert_eq!(layers(&network), ["drop Dropout x -> d 4x1x1", "relu ReLU d -> y 4x1x1"]);
    assert_eq!(
        network.notes,
        [
            "training information left out: inference does not need it",
            "output 'z' left out: the network's output is the first, 'y'",
            "nodes left out: the output does not depend on 'aside'",
            "input 'unused' left out: the output does not depend on it",
        ]
    );
}

/// The form of IR versions below 4.
#[test]
fn initialisers_may_be_listed_as_inputs() {
    let nodes = vec![dense("fc", "x w b", "y")];
    let mut model = model(7, &[1, 2], nodes, vec![counted("w", &[2, 2]), counted("b", &[2])]);
    let graph = model.graph.as_mut().unwrap();
    graph.input.insert(0, value_info("w", Vec::new()));
    graph.input.push(value_info("b", Vec::new()));
    let network = read(&model).unwrap();
    assert_eq!(layers(&network), ["fc InnerProduct x -> y 2x1x1"]);
    assert_eq!(network.notes, Vec::<String>::new());
}

/// The shape of the operand of Reshape comes from a layer behind the one that is the output.
#[test]
fn the_output_is_what_the_last_layer_writes() {
    let nodes = vec![
        node("Relu", "relu", "x", "r", &[]),
        node("Tanh", "tanh", "r", "t", &[]),
        node("Shape", "shape", "t", "s", &[]),
        node("Reshape", "reshape", "r s", "y", &[]),
    ];
    let network = network(&[1, 4], nodes, Vec::new());
    assert_eq!(
        layers(&network),
        ["relu ReLU x -> r 4x1x1", "tanh TanH r -> t 4x1x1", "y Reshape r -> y 4x1x1"]
    );
    assert_eq!(network.blob(network.output()).name, "y");
}

#[test]
fn a_network_with_its_weights_takes_no_weight_file() {
    let mut network =
        network(&[1, 3], vec![dense("fc", "x w b", "y")], vec![counted("w", &[2, 3]), counted("b", &[2])]);
    assert!(network.has_weights());
    assert!(matches!(network.layers[0].kind, LayerKind::InnerProduct { outputs: 2 }));
    let error = load_weights(&mut network, Path::new("net.caffemodel")).unwrap_err().to_string();
    assert!(
        error.starts_with("net.caffemodel: found a weight file for a network whose definition holds"),
        "{error}"
    );
}
