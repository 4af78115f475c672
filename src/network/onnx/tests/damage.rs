//! Damaged files: never a panic, never values of the wrong number.

use super::super::assembly::Assembly;
use super::super::schema::StringStringEntryProto;
use super::super::schema::tensor_proto::DataLocation;
use super::super::tensor::Constant;
use super::*;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// A model with most operators, raw and typed tensors.
fn small() -> ModelProto {
    let nodes = vec![
        node("Conv", "conv", "x w b", "c", &[ints("pads", &[1, 1, 1, 1]), int("group", 1)]),
        node("BatchNormalization", "bn", "c s t m v", "n", &[float("epsilon", 0.1)]),
        node("Relu", "relu", "n", "r", &[]),
        node("LRN", "lrn", "r", "l", &[int("size", 3)]),
        node("Add", "add", "c l", "a", &[]),
        node("Concat", "cat", "a r", "k", &[int("axis", 1)]),
        node(
            "MaxPool",
            "pool",
            "k",
            "p",
            &[ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2]), int("ceil_mode", 1)],
        ),
        node(
            "AveragePool",
            "mean",
            "p",
            "e",
            &[ints("kernel_shape", &[2, 2]), text("auto_pad", "SAME_UPPER")],
        ),
        node("Clip", "clip", "e lo", "i", &[]),
        node("Shape", "shape", "i", "z", &[int("end", 1)]),
        node("Concat", "zs", "z rest", "zs", &[int("axis", 0)]),
        node("Reshape", "reshape", "i zs", "f", &[]),
        node("Constant", "fcw", "", "fw", &[tensor("value", counted("", &[8, 16]))]),
        node("MatMul", "fc", "f fw2", "g", &[]),
        node("Add", "fcb", "g fb", "h", &[]),
        node("Gemm", "fc2", "h fw b2", "o", &[float("alpha", 0.5)]),
        node("Dropout", "drop", "o", "d mask", &[]),
        node("Softmax", "prob", "d", "y", &[]),
    ];
    let typed = TensorProto { float_data: vec![0.5, 0.25], raw_data: None, ..counted("t", &[2]) };
    let tensors = vec![
        counted("w", &[2, 1, 3, 3]),
        counted("b", &[2]),
        counted("s", &[2]),
        typed,
        counted("m", &[2]),
        counted("v", &[2]),
        floats("lo", &[], &[0.0]),
        integers("rest", &[-1]),
        counted("fw2", &[16, 8]),
        counted("fb", &[8]),
        counted("b2", &[16]),
    ];
    model(13, &[1, 1, 4, 4], nodes, tensors)
}

/// Models of all kinds.
fn models() -> [ModelProto; 2] {
    [small(), quantised::convolution()]
}

fn check(network: &Network) {
    for parameter in network.layers.iter().flat_map(|layer| [&layer.weight, &layer.bias]).flatten() {
        let values = parameter.values.as_ref().unwrap();
        assert_eq!(values.len(), parameter.words());
        if let Some(quantisation) = &parameter.quantisation {
            let mut delivered = values.clone();
            quantisation.deliver(0, &mut delivered);
            assert_eq!(delivered, *values, "they are values of codes");
        }
    }
    for (id, layer) in network.layers_with_ids() {
        assert_eq!(network.blob(layer.output).producer, Some(id));
        assert!(
            layer.inputs.iter().all(|input| network.blob(*input).producer.is_none_or(|other| other < id))
        );
    }
    let names: std::collections::HashSet<_> = network.layers.iter().map(|layer| &layer.name).collect();
    assert_eq!(names.len(), network.layers.len());
    assert!(network.blobs.iter().all(|blob| (1..=1 << 31).contains(&blob.shape.elements())));
}

#[test]
fn a_model_cut_anywhere_is_refused() {
    for (model, count) in models().into_iter().zip([13, 4]) {
        let file = model.encode_to_vec();
        let whole = read(&model).unwrap();
        assert_eq!(whole.layers.len(), count, "{:?}", layers(&whole));
        check(&whole);
        for length in 0..file.len() {
            let outcome = read_bytes(file[..length].to_vec().into(), Path::new("net.onnx"));
            assert!(outcome.is_err(), "{length} of {} bytes", file.len());
        }
    }
}

#[test]
fn flipped_bits_do_no_harm() {
    let files = models().map(|model| model.encode_to_vec());
    let mut random = Pcg64Mcg::seed_from_u64(3);
    let (mut accepted, mut refused) = (0, 0);
    for iteration in 0..40_000 {
        let mut damaged = files[iteration % files.len()].clone();
        for _ in 0..random.random_range(1..4) {
            let bit = random.random_range(0..8 * damaged.len());
            damaged[bit / 8] ^= 1 << (bit % 8);
        }
        match read_bytes(damaged.into(), Path::new("net.onnx")) {
            Err(error) => {
                refused += 1;
                assert!(error.to_string().starts_with("net.onnx: "));
            }
            Ok(network) => {
                accepted += 1;
                check(&network);
            }
        }
    }
    assert!(accepted > 1_000 && refused > 1_000, "{accepted} accepted, {refused} refused");
}

/// `whole` with one number changed to an extreme value.
fn extremes(whole: &ModelProto) -> Vec<ModelProto> {
    const EXTREME: [i64; 9] = [i64::MIN, -1, 0, 1, 2, 3, 1 << 31, 1 << 62, i64::MAX];
    let graph = whole.graph.as_ref().unwrap();
    let mut variants: Vec<ModelProto> = Vec::new();
    for extreme in EXTREME {
        let mut vary = |change: &dyn Fn(&mut GraphProto)| {
            let mut model = whole.clone();
            change(model.graph.as_mut().unwrap());
            variants.push(model);
        };
        for (n, node) in graph.node.iter().enumerate() {
            for (a, attribute) in node.attribute.iter().enumerate() {
                vary(&|graph| graph.node[n].attribute[a].i = Some(extreme));
                for i in 0..attribute.ints.len() {
                    vary(&|graph| graph.node[n].attribute[a].ints[i] = extreme);
                }
            }
        }
        for (t, tensor) in graph.initializer.iter().enumerate() {
            vary(&|graph| graph.initializer[t].dims.push(extreme));
            for d in 0..tensor.dims.len() {
                vary(&|graph| graph.initializer[t].dims[d] = extreme);
            }
            vary(&|graph| graph.initializer[t].data_type = Some(extreme as i32));
            for i in 0..tensor.int64_data.len() {
                vary(&|graph| graph.initializer[t].int64_data[i] = extreme);
            }
        }
        for d in 0..4 {
            vary(&|graph| {
                let kind = graph.input[0].r#type.as_mut().unwrap().tensor_type.as_mut().unwrap();
                kind.shape.as_mut().unwrap().dim[d].dim_value = Some(extreme);
            });
        }
    }
    variants
}

/// Flips find few of the fields in the structure; here these are changed to extreme values one at a time.
#[test]
fn extreme_numbers_do_no_harm() {
    let variants: Vec<_> = models().iter().flat_map(extremes).collect();
    let mut refused = 0;
    for model in &variants {
        match read(model) {
            Ok(network) => check(&network),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > variants.len() / 3, "{refused} of {}", variants.len());
}

/// Nodes read from each other at random: cycles, values that nothing writes, values written twice.
#[test]
fn tangled_nodes_do_no_harm() {
    let wholes = models();
    let mut random = Pcg64Mcg::seed_from_u64(4);
    let (mut accepted, mut refused) = (0, 0);
    for iteration in 0..7_000 {
        let whole = &wholes[iteration % wholes.len()];
        let mut model = whole.clone();
        let nodes = &mut model.graph.as_mut().unwrap().node;
        for _ in 0..random.random_range(1..3) {
            let (from, to) = (random.random_range(0..nodes.len()), random.random_range(0..nodes.len()));
            match random.random_range(0..4) {
                0 => nodes.swap(from, to),
                1 => nodes[to].output = nodes[from].output.clone(),
                2 => nodes[to].name = nodes[from].name.clone(),
                _ => {
                    if let Some(input) = nodes[to].input.first_mut() {
                        input.clone_from(&whole.graph.as_ref().unwrap().node[from].output[0]);
                    }
                }
            }
        }
        match read(&model) {
            Ok(network) => {
                accepted += 1;
                check(&network);
            }
            Err(_) => refused += 1,
        }
    }
    assert!(accepted > 200 && refused > 200, "{accepted} accepted, {refused} refused");
}

/// Models of a kilobyte that ask for gigabytes.
#[test]
fn little_files_do_not_make_large_tensors() {
    // Each list is twice as long as the one before.
    let double = |index: usize| {
        let reads = format!("l{index} l{index}");
        node("Concat", "double", &reads, &format!("l{}", index + 1), &[int("axis", 0)])
    };
    let mut nodes: Vec<_> = (0..40).map(double).collect();
    nodes.push(node("Reshape", "reshape", "x l40", "y", &[]));
    let refused = read(&model(13, &[1, 1, 4, 4], nodes, vec![integers("l0", &[1])])).unwrap_err();
    assert!(refused.to_string().contains("more than 1024 integers"), "{refused}");
}

/// A tensor of 2^27 numbers in another file, which is not read here.
fn far_away(name: &str) -> Constant {
    let location = StringStringEntryProto { key: Some("location".into()), value: Some(name.into()) };
    let tensor = TensorProto {
        dims: vec![1 << 27],
        data_type: Some(DataType::Float as i32),
        external_data: vec![location],
        data_location: Some(DataLocation::External as i32),
        ..TensorProto::default()
    };
    Constant::new(tensor, Path::new(".")).unwrap()
}

#[test]
fn one_tensor_makes_few_large_parameters() {
    let assembly =
        || Assembly::new(String::new(), ".".into(), std::collections::HashMap::new(), std::iter::empty());
    let mut several = assembly();
    for index in 0..16 {
        assert!(several.charge(&far_away(&format!("w{index}"))).is_ok(), "{index} times 512 MiB of files");
    }
    assert!(several.charge(&far_away("w16")).is_err(), "more than 2^31 elements");
    let (mut again, tensor) = (assembly(), far_away("w"));
    for _ in 0..3 {
        assert!(again.charge(&tensor).is_ok(), "the tensor and two copies");
    }
    assert!(again.charge(&tensor.with_dims(vec![1 << 14, 1 << 13])).is_err());
}
