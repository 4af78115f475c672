//! What is refused, with node, operator and file.

use super::*;

fn refused(input: &[i64], node: (&str, &str, &[AttributeProto]), tensors: &[TensorProto]) -> String {
    refusal(single(13, input, node, tensors))
}

#[test]
fn operators_that_are_not_supported_are_named() {
    let named = |operator, domain: &str| {
        let mut unknown = node(operator, "l", "x", "y", &[]);
        unknown.domain = Some(domain.into());
        refusal(read(&model(13, &[1, 4], vec![unknown], Vec::new())))
    };
    for operator in ["QLinearConv", "If", "Loop", "Scan", "Transpose"] {
        let found = named(operator, "");
        let expected =
            format!("node 'l' ({operator}): operator '{operator}' is not supported; supported are Add, ");
        assert!(found.starts_with(&expected), "{found}");
    }
    assert!(named("Sofmax", "ai.onnx").contains("(did you mean 'Softmax'?)"));
    let custom = named("Relu", "com.microsoft");
    assert!(
        custom.starts_with("node 'l' (com.microsoft.Relu): operator 'com.microsoft.Relu' is not"),
        "{custom}"
    );
    assert!(!custom.contains("did you mean"), "{custom}");
    // A node that the output does not depend on is no exception.
    let nodes = vec![node("Relu", "r", "x", "y", &[]), node("Foo", "l", "y", "z", &[])];
    let aside = refusal(read(&model(13, &[1, 4], nodes, Vec::new())));
    assert!(aside.starts_with("node 'l' (Foo): operator 'Foo'"), "{aside}");
}

#[test]
fn the_order_of_nodes_is_that_of_the_computation() {
    let relu = |name: &str, input: &str, output: &str| node("Relu", name, input, output, &[]);
    for (nodes, expected) in [
        (
            vec![relu("a", "h", "y"), relu("b", "x", "h")],
            "node 'a' (Relu): reads 'h', which node 'b' writes, expected to find that node further up",
        ),
        (
            vec![relu("a", "y", "h"), relu("b", "h", "y")],
            "node 'a' (Relu): reads 'y', which node 'b' writes, expected to find that node further up",
        ),
        (vec![relu("a", "y", "y")], "node 'a' (Relu): reads 'y', which node 'a' writes"),
        (
            vec![relu("conv", "x", "conv1"), relu("b", "convl", "y")],
            "node 'b' (Relu): reads 'convl', which no node writes and which is neither input nor initialiser; did you mean 'conv1'?",
        ),
        (vec![relu("a", "x", "y"), relu("b", "y", "y")], "node 'b' (Relu): writes 'y', which exists already"),
        (vec![relu("a", "x", "x")], "node 'a' (Relu): writes 'x', which exists already"),
        (vec![relu("a", "x", "h")], "output 'y': found no node that writes it"),
        (vec![], "output 'y': found no node that writes it"),
        (
            vec![node("Constant", "c", "", "y", &[int("value_int", 1)])],
            "model: found no input that the output depends on",
        ),
    ] {
        let found = refusal(read(&model(13, &[1, 4], nodes, Vec::new())));
        assert!(found.starts_with(expected), "{found}");
    }
}

#[test]
fn versions_and_kinds_of_models() {
    let relu = || vec![node("Relu", "l", "x", "y", &[])];
    let altered = |alter: fn(&mut ModelProto)| {
        let mut model = model(13, &[1, 4], relu(), vec![counted("c", &[1])]);
        alter(&mut model);
        refusal(read(&model))
    };
    let version = |version| refusal(read(&model(version, &[1, 4], relu(), Vec::new())));
    for wrong in [i64::MIN, 0, 6, 29, i64::MAX] {
        assert_eq!(version(wrong), format!("model: found operator set = {wrong}, expected 7 to 28"));
    }
    assert!(altered(|model| model.opset_import.clear()).starts_with("model: found no operator set"));
    assert!(
        altered(|model| model.opset_import[0].domain = Some("com.x".into()))
            .starts_with("model: found no operator set")
    );
    let twice = altered(|model| {
        model.opset_import.push(OperatorSetIdProto { domain: Some("ai.onnx".into()), version: Some(12) });
    });
    assert_eq!(twice, "model: found two versions of ONNX's operator set, expected one");
    assert_eq!(altered(|model| model.graph = None), "model: found no graph, expected one");
    assert_eq!(
        altered(|model| model.graph.as_mut().unwrap().sparse_initializer.push(vec![0].into())),
        "model: found sparse initialisers, expected dense ones"
    );
    assert_eq!(
        altered(|model| model.graph.as_mut().unwrap().output.clear()),
        "model: found no output of the graph, expected one"
    );
    assert_eq!(
        altered(|model| {
            let function = super::super::schema::FunctionProto { name: Some("Relu".into()), domain: None };
            model.functions.push(function);
        }),
        "model: found function 'Relu' in ONNX's own domain, expected none"
    );
    assert_eq!(
        altered(|model| {
            let graph = model.graph.as_mut().unwrap();
            graph.initializer.push(graph.initializer[0].clone());
        }),
        "tensor 'c': found it twice, expected one initialiser of a name"
    );
}

#[test]
fn inputs_that_are_no_images() {
    let with = |alter: &dyn Fn(&mut GraphProto)| {
        let nodes = vec![node("Sum", "l", "x z", "y", &[])];
        let mut model = model(13, &[1, 4], nodes, Vec::new());
        let graph = model.graph.as_mut().unwrap();
        graph.input.push(graph.input[0].clone());
        graph.input[1].name = Some("z".into());
        alter(graph);
        refusal(read(&model))
    };
    assert_eq!(
        with(&|_| {}),
        "input 'z': the network has 2 inputs that are no initialisers, expected one: the images"
    );
    assert_eq!(
        with(&|graph| graph.input[1].name = Some("x".into())),
        "input 'x': found it twice, expected one input of a name"
    );
    let only = |alter: &dyn Fn(&mut type_proto::Tensor)| {
        with(&|graph| {
            graph.input.truncate(1);
            graph.node[0].input.truncate(1);
            alter(graph.input[0].r#type.as_mut().unwrap().tensor_type.as_mut().unwrap());
        })
    };
    let dims = |dims: &'static [i64]| {
        only(&|tensor| {
            tensor.shape.as_mut().unwrap().dim =
                dims.iter().map(|&dim| Dimension { dim_value: Some(dim), dim_param: None }).collect();
        })
    };
    assert_eq!(only(&|tensor| tensor.shape = None), "input 'x': found no shape, expected its extents");
    assert_eq!(
        only(&|tensor| tensor.elem_type = Some(DataType::Uint8 as i32)),
        "input 'x': found element type = UINT8, expected FLOAT"
    );
    assert_eq!(
        dims(&[1, -1]),
        "input 'x': found extent 1 = -1, expected 1 to 2147483648: only the batch may be left open"
    );
    assert!(dims(&[1, i64::MAX]).starts_with("input 'x': found extent 1 = 9223372036854775807"));
    assert!(dims(&[i64::MAX, 1]).starts_with("input 'x': found extent 0 = 9223372036854775807"));
    assert!(
        dims(&[1, 1 << 31, 1 << 31])
            .starts_with("input 'x': one image of activations of 2147483648x2147483648 has more")
    );
    for rank in [&[][..], &[3], &[1, 2, 3, 4, 5]] {
        let found = dims(rank);
        assert!(found.starts_with("input 'x': found activations of"), "{found}");
    }
}

#[test]
fn operands_that_do_not_fit_are_named() {
    let two = || [counted("w", &[2, 3, 3, 3]), counted("b", &[3])];
    let image: &[i64] = &[1, 3, 8, 8];
    let conv = |attributes: &[AttributeProto]| refused(image, ("Conv", "x w b", attributes), &two());
    for (found, expected) in [
        (conv(&[]), "(Conv): found bias of 3, expected 2"),
        (
            conv(&[int("group", 3)]),
            "(Conv): found weight of 2x3x3x3, expected one for 3 channels in 3 groups",
        ),
        (conv(&[int("group", i64::MAX)]), "(Conv): found group = 9223372036854775807, expected 1 to 2^31"),
        (
            conv(&[ints("kernel_shape", &[3, 5])]),
            "(Conv): found kernel_shape = 3x5, expected 3x3 as the weight has",
        ),
        (conv(&[int("kernels", 3)]), "(Conv): found attribute = 'kernels', expected auto_pad, dilations"),
        (conv(&[int("group", 1), int("group", 1)]), "(Conv): found attribute group twice"),
        (refused(image, ("Conv", "x", &[]), &[]), "(Conv): found number of inputs = 1, expected 2 to 3"),
        (
            refused(image, ("Conv", "x x", &[]), &[]),
            "(Conv): found input 2 ('x') = activations, expected a constant",
        ),
        (
            refused(image, ("Conv", "w x", &[]), &two()),
            "(Conv): found input 1 ('w') = a constant, expected activations",
        ),
        (refused(image, ("Conv", "- w x", &[]), &two()), "(Conv): found no input 1, expected a value"),
        (
            refused(image, ("Conv", "x b", &[]), &two()),
            "(Conv): found weight of 3, expected outputs x channels",
        ),
        (
            refused(&[1, 3], ("Conv", "x w", &[]), &two()),
            "(Conv): found input of 1x3, expected batch x channels x rows",
        ),
        (
            refused(image, ("MaxPool", "x", &[int("kernel_shape", 1)]), &[]),
            "(MaxPool): found attribute kernel_shape of type = INT, expected INTS",
        ),
        (
            refused(image, ("MatMul", "x b", &[]), &two()),
            "(MatMul): found input of 1x3x8x8, expected batch x inputs",
        ),
    ] {
        assert!(found.starts_with(&format!("node 'l' {expected}")), "{found}");
    }
}

#[test]
fn operands_of_products_and_shapes_that_do_not_fit_are_named() {
    let two = || [counted("w", &[2, 3, 3, 3]), counted("b", &[3])];
    let image: &[i64] = &[1, 3, 8, 8];
    for (found, expected) in [
        (
            refused(&[1, 4], ("MatMul", "x w", &[]), &two()),
            "(MatMul): found weight of 2x3x3x3, expected 4 x outputs",
        ),
        (
            refused(&[1, 4], ("MatMul", "b x", &[]), &two()),
            "(MatMul): found the constant 'b' of 3, expected activations on the left",
        ),
        (
            refused(&[1, 4], ("Gemm", "x b", &[int("transA", 1)]), &two()),
            "(Gemm): found transA = 1, expected 0",
        ),
        (
            refused(&[1, 4], ("Gemm", "x b", &[float("alpha", f32::NAN)]), &two()),
            "(Gemm): found alpha = NaN, expected a finite number",
        ),
        (
            refused(&[2, 3], ("Gemm", "x m p", &[]), &[counted("m", &[3, 2]), counted("p", &[2, 2])]),
            "(Gemm): found the constant 'p' of 2x2, expected one number, or one per channel of 2x2",
        ),
        (
            refused(image, ("Add", "x w", &[]), &two()),
            "(Add): found the constant 'w' of 2x3x3x3, expected one number",
        ),
        (
            refused(image, ("Mul", "x b", &[]), &two()),
            "(Mul): found the constant 'b' of 3, expected one number",
        ),
        (
            refused(image, ("Concat", "x x", &[int("axis", 2)]), &[]),
            "(Concat): found axis = 2, expected 1, the channels",
        ),
        (refused(image, ("Concat", "x x", &[]), &[]), "(Concat): found no attribute axis"),
        (
            refused(image, ("Concat", "x b", &[int("axis", 1)]), &two()),
            "(Concat): found input 2 ('b') = a constant",
        ),
        (
            refused(image, ("Flatten", "x", &[int("axis", 9)]), &[]),
            "(Flatten): found axis = 9, expected an axis of 4-dim",
        ),
        (
            refused(image, ("Flatten", "x", &[int("axis", 2)]), &[]),
            "(Flatten): found activations of 3x64, expected the batch (1)",
        ),
        (refused(image, ("LRN", "x", &[]), &[]), "(LRN): found no attribute size"),
        (
            refused(image, ("Reshape", "x x", &[]), &[]),
            "(Reshape): found input 2 ('x') = activations, expected a constant",
        ),
        (
            refused(image, ("Reshape", "x b", &[]), &two()),
            "(Reshape): found data type = FLOAT, expected int64",
        ),
    ] {
        assert!(found.starts_with(&format!("node 'l' {expected}")), "{found}");
    }
}

#[test]
fn training_mode_and_other_outputs_are_refused() {
    let statistics: Vec<_> = ["s", "b", "m", "v"].map(|name| counted(name, &[3])).to_vec();
    let normalise = |opset, outputs, attributes: &[AttributeProto], tensors: &[TensorProto]| {
        let nodes = vec![node("BatchNormalization", "l", "x s b m v", outputs, attributes)];
        refusal(read(&model(opset, &[1, 3, 2, 2], nodes, tensors.to_vec())))
    };
    for refused in [
        normalise(15, "y", &[int("training_mode", 1)], &statistics),
        normalise(9, "y mean var", &[], &statistics),
    ] {
        assert_eq!(
            refused,
            "node 'l' (BatchNormalization): found training mode, expected inference: the mean and variance of training are given"
        );
    }
    assert!(normalise(7, "y", &[int("spatial", 0)], &statistics).contains("found spatial = 0, expected 1"));
    let mut negative = statistics.clone();
    negative[3] = floats("v", &[3], &[1.0, -1.0, 1.0]);
    assert!(
        normalise(9, "y", &[], &negative).contains("found variance of channel 1 = -1, expected more than")
    );
    negative[3] = counted("v", &[2]);
    assert!(normalise(9, "y", &[], &negative).contains("found variance of 2, expected 3, one per channel"));

    let flag = TensorProto {
        name: Some("t".into()),
        data_type: Some(DataType::Bool as i32),
        raw_data: Some(vec![1].into()),
        ..TensorProto::default()
    };
    let dropout = refusal(single(13, &[1, 4], ("Dropout", "x - t", &[]), &[flag]));
    assert_eq!(dropout, "node 'l' (Dropout): found training_mode = true, expected false: inference");
    let nodes = vec![node("Dropout", "d", "x", "h mask", &[]), node("Relu", "l", "mask", "y", &[])];
    let mask = refusal(read(&model(13, &[1, 4], nodes, Vec::new())));
    assert!(
        mask.starts_with(
            "node 'l' (Relu): found input 1 ('mask') = output 'mask' of Dropout, which is not computed"
        ),
        "{mask}"
    );
}

#[test]
fn names_in_messages_are_cut_and_harmless() {
    let name = format!("\u{1b}[31m{}", "n".repeat(100_000));
    let nodes = vec![node("Foo", &name, "x", "y", &[])];
    let found = refusal(read(&model(13, &[1, 4], nodes, Vec::new())));
    assert!(found.len() < 1000 && !found.contains('\u{1b}'), "{found}");
    assert!(found.starts_with("node '\u{fffd}[31mnnnn"), "{found}");
}
