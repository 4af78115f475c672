//! The ONNX project's own tests of operators (its "backend node tests"), for the operators that approxmem imports.
//!
//! `.ci/onnx-node-tests.sh FOLDER` fetches them; `APPROXMEM_ONNX_NODE_TESTS=FOLDER cargo test --test onnx_backend -- --ignored`
//! runs them. What is refused, and why, is listed in `tests/onnx_backend_refused.txt`; with
//! `APPROXMEM_ONNX_WRITE_REFUSED=1` set, the list is written anew instead of compared.
//!
//! A node test feeds every operand as an input of the graph. Here operands that are weights in a network become
//! initialisers, and where a node reads several activations they arrive as one input, from which fully connected layers of
//! zeros and ones pick each out exactly. The first axis is the batch. What is quantised is a weight: the values (of
//! `QuantizeLinear` the codes, dequantised with scale 1) are read through a fully connected layer whose one input is 1.

#![allow(clippy::unwrap_used, reason = "a test fails where its files are not as expected")]

use approxmem::inference::{Activations, Engine, NoHook, Start};
use approxmem::network::{Network, read_definition};
use half::f16;
use prost::Message;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// The operators under test.
const OPERATORS: [&str; 31] = [
    "Add",
    "AveragePool",
    "BatchNormalization",
    "Clip",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Conv",
    "DequantizeLinear",
    "Dropout",
    "Flatten",
    "Gather",
    "Gemm",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Identity",
    "LRN",
    "LeakyRelu",
    "MatMul",
    "MaxPool",
    "Mul",
    "QuantizeLinear",
    "Relu",
    "Reshape",
    "Shape",
    "Sigmoid",
    "Softmax",
    "Squeeze",
    "Sum",
    "Tanh",
    "Unsqueeze",
];

/// Those of them that quantise.
const QUANTISING: [&str; 2] = ["QuantizeLinear", "DequantizeLinear"];

/// What may differ: absolutely, and relative to the expected value.
const TOLERANCE: [f32; 2] = [1e-6, 1e-4];

/// Tests whose expected values are written with four decimals, and the limits of the ONNX project's own runner, which
/// these need (onnxruntime yields the same values as approxmem).
const ROUNDED: [&str; 1] = ["test_averagepool_2d_ceil_last_window_starts_on_pad"];
const ROUNDED_TOLERANCE: [f32; 2] = [1e-7, 1e-3];

/// Message and field numbers of `onnx.proto`, as far as the tests need them. What is only passed on stays encoded.
#[derive(Clone, PartialEq, Message)]
struct Model {
    #[prost(int64, optional, tag = "1")]
    ir_version: Option<i64>,
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
    #[prost(bytes = "vec", repeated, tag = "8")]
    opset_import: Vec<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "25")]
    functions: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct Graph {
    #[prost(message, repeated, tag = "1")]
    node: Vec<Node>,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<Tensor>,
    #[prost(message, repeated, tag = "11")]
    input: Vec<ValueInfo>,
    #[prost(message, repeated, tag = "12")]
    output: Vec<ValueInfo>,
    #[prost(bytes = "vec", repeated, tag = "15")]
    sparse_initializer: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct Node {
    #[prost(string, repeated, tag = "1")]
    input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    output: Vec<String>,
    #[prost(string, tag = "3")]
    name: String,
    #[prost(string, tag = "4")]
    op_type: String,
    #[prost(bytes = "vec", repeated, tag = "5")]
    attribute: Vec<Vec<u8>>,
    #[prost(string, tag = "7")]
    domain: String,
}

#[derive(Clone, PartialEq, Message)]
struct ValueInfo {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, Message)]
struct Kind {
    #[prost(message, optional, tag = "1")]
    tensor_type: Option<TensorKind>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorKind {
    #[prost(int32, tag = "1")]
    elem_type: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<Extents>,
}

#[derive(Clone, PartialEq, Message)]
struct Extents {
    #[prost(message, repeated, tag = "1")]
    dim: Vec<Extent>,
}

#[derive(Clone, PartialEq, Message)]
struct Extent {
    #[prost(int64, optional, tag = "1")]
    value: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct Tensor {
    #[prost(int64, repeated, packed = "false", tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    data_type: i32,
    #[prost(float, repeated, tag = "4")]
    float_data: Vec<f32>,
    #[prost(int32, repeated, tag = "5")]
    int32_data: Vec<i32>,
    #[prost(int64, repeated, tag = "7")]
    int64_data: Vec<i64>,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(bytes = "vec", optional, tag = "9")]
    raw_data: Option<Vec<u8>>,
    #[prost(double, repeated, tag = "10")]
    double_data: Vec<f64>,
}

/// Numbers of data types in [`Tensor::data_type`].
const FLOAT: i32 = 1;
const UINT8: i32 = 2;
const INT8: i32 = 3;
const INT64: i32 = 7;
const FLOAT16: i32 = 10;
const DOUBLE: i32 = 11;

impl Tensor {
    fn read(path: &Path) -> Self {
        Self::decode(fs::read(path).unwrap().as_slice())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    fn floats(name: String, dims: Vec<i64>, float_data: Vec<f32>) -> Self {
        Self { name, dims, data_type: FLOAT, float_data, ..Self::default() }
    }

    fn elements(&self) -> usize {
        self.dims.iter().product::<i64>() as usize
    }

    /// The values, if they are floating-point numbers.
    fn values(&self) -> Option<Vec<f32>> {
        let raw = self.raw_data.as_deref();
        let values: Vec<f32> = match (self.data_type, raw) {
            (FLOAT, None) => self.float_data.clone(),
            (FLOAT, Some(raw)) => raw.as_chunks().0.iter().map(|&word| f32::from_le_bytes(word)).collect(),
            (DOUBLE, Some(raw)) => {
                raw.as_chunks().0.iter().map(|&word| f64::from_le_bytes(word) as f32).collect()
            }
            (FLOAT16, Some(raw)) => {
                raw.as_chunks().0.iter().map(|&word| f16::from_le_bytes(word).to_f32()).collect()
            }
            _ => return None,
        };
        assert_eq!(values.len(), self.elements(), "{}", self.name);
        Some(values)
    }

    /// The values, if they are codes of 8 bits.
    fn codes(&self) -> Option<Vec<f32>> {
        let raw = self.raw_data.as_ref()?;
        match self.data_type {
            UINT8 => Some(raw.iter().map(|&code| f32::from(code)).collect()),
            INT8 => Some(raw.iter().map(|&code| f32::from(code as i8)).collect()),
            _ => None,
        }
    }
}

/// Whether the operand at `index` of `operator` is a weight or a parameter in a network.
fn is_weight(operator: &str, index: usize) -> bool {
    match operator {
        "Conv" | "Gemm" | "MatMul" | "BatchNormalization" | "Reshape" | "Clip" | "Dropout" | "Squeeze"
        | "Unsqueeze" => index > 0,
        "ConstantOfShape" | "Gather" | "QuantizeLinear" | "DequantizeLinear" => true,
        _ => false,
    }
}

/// How a test ended.
enum Outcome {
    Passed,
    Refused(String),
    Failed(String),
}

/// The inputs of one test: those that stay inputs, with their values.
struct Feed {
    activations: Vec<Tensor>,
}

/// Turns the weights among the inputs of `graph` into initialisers.
fn bind_weights(graph: &mut Graph, tensors: Vec<Tensor>) -> Feed {
    let mut activations: Vec<Tensor> = Vec::new();
    for (info, mut tensor) in graph.input.clone().into_iter().zip(tensors) {
        tensor.name.clone_from(&info.name);
        let weight = graph.node.iter().any(|node| {
            let mut operands = node.input.iter().enumerate();
            operands.any(|(index, input)| *input == info.name && is_weight(&node.op_type, index))
        });
        // What has no batch like the first operand is spread over it.
        let spread = activations
            .first()
            .is_some_and(|first| first.dims.len() != tensor.dims.len() || first.dims[0] != tensor.dims[0]);
        if weight || spread {
            graph.input.retain(|input| input.name != info.name);
            graph.initializer.push(tensor);
        } else {
            activations.push(tensor);
        }
    }
    Feed { activations }
}

/// Lets all activations arrive as one input of `graph`, image by image one behind the other.
fn join(graph: &mut Graph, feed: &Feed) -> Option<Tensor> {
    let batch = *feed.activations.first()?.dims.first()?;
    let images = usize::try_from(batch).ok()?;
    let widths: Vec<usize> = feed.activations.iter().map(|tensor| tensor.elements() / images).collect();
    let width: usize = widths.iter().sum();
    let mut values = vec![0.0; images * width];
    let mut first = 0;
    let mut nodes = Vec::new();
    for (tensor, &part) in feed.activations.iter().zip(&widths) {
        let operand = tensor.values()?;
        for (image, row) in operand.chunks_exact(part).enumerate() {
            values[image * width + first..][..part].copy_from_slice(row);
        }
        let mut pick = vec![0.0; width * part];
        for column in 0..part {
            pick[(first + column) * part + column] = 1.0;
        }
        let name = |what: &str| format!("{} {what}", tensor.name);
        graph.initializer.push(Tensor::floats(name("pick"), vec![width as i64, part as i64], pick));
        graph.initializer.push(Tensor {
            name: name("dims"),
            dims: vec![tensor.dims.len() as i64],
            data_type: INT64,
            int64_data: tensor.dims.clone(),
            ..Tensor::default()
        });
        let node = |op_type: &str, input: [String; 2], output: String| Node {
            op_type: op_type.to_owned(),
            input: input.to_vec(),
            output: vec![output],
            ..Node::default()
        };
        nodes.push(node("MatMul", ["joined".into(), name("pick")], name("flat")));
        nodes.push(node("Reshape", [name("flat"), name("dims")], tensor.name.clone()));
        first += part;
    }
    nodes.append(&mut graph.node);
    graph.node = nodes;
    let dims = vec![batch, width as i64];
    let shape = Extents { dim: dims.iter().map(|&value| Extent { value: Some(value) }).collect() };
    let kind = Kind { tensor_type: Some(TensorKind { elem_type: FLOAT, shape: Some(shape) }) };
    graph.input = vec![ValueInfo { name: "joined".into(), kind: Some(kind) }];
    Some(Tensor::floats("joined".into(), dims, values))
}

/// Lets a network of one input, which is 1, yield the constant that the nodes of `graph` compute; codes as numbers.
fn through_a_weight(graph: &mut Graph) -> Tensor {
    let writes_codes = graph.node.iter().any(|node| node.op_type == "QuantizeLinear");
    let mut values = graph.output[0].name.clone();
    let mut append = |op_type: &str, input: [&str; 2], output: &str| {
        graph.node.push(Node {
            input: input.map(str::to_owned).to_vec(),
            output: vec![output.to_owned()],
            op_type: op_type.to_owned(),
            ..Node::default()
        });
    };
    if writes_codes {
        append("DequantizeLinear", [&values, "scale 1"], "codes");
        values = "codes".into();
    }
    append("Reshape", [&values, "one row"], "weight");
    append("MatMul", ["unit", "weight"], "product");
    graph.initializer.push(Tensor::floats("scale 1".into(), vec![], vec![1.0]));
    graph.initializer.push(Tensor {
        name: "one row".into(),
        dims: vec![2],
        data_type: INT64,
        int64_data: vec![1, -1],
        ..Tensor::default()
    });
    let shape = Extents { dim: vec![Extent { value: Some(1) }; 2] };
    let kind = Kind { tensor_type: Some(TensorKind { elem_type: FLOAT, shape: Some(shape) }) };
    graph.input = vec![ValueInfo { name: "unit".into(), kind: Some(kind) }];
    graph.output[0].name = "product".into();
    Tensor::floats("unit".into(), vec![1, 1], vec![1.0])
}

/// The tensors `input_0.pb`, `input_1.pb`, … (or `output_…`) of a test.
fn tensors(folder: &Path, kind: &str) -> Vec<Tensor> {
    // No operator has as many operands.
    (0..1000)
        .map(|index| folder.join(format!("{kind}_{index}.pb")))
        .take_while(|path| path.is_file())
        .map(|path| Tensor::read(&path))
        .collect()
}

/// Runs the test in `folder`; its model is written to `scratch`.
fn run(folder: &Path, mut model: Model, scratch: &Path) -> Outcome {
    let graph = model.graph.as_mut().unwrap();
    if graph.output.len() > 1 {
        return Outcome::Refused(format!("it compares {} outputs, a network has one", graph.output.len()));
    }
    if graph.input.iter().any(|input| input.kind.as_ref().is_none_or(|kind| kind.tensor_type.is_none())) {
        return Outcome::Refused("an input is no tensor".to_owned());
    }
    let data = folder.join("test_data_set_0");
    let feed = bind_weights(graph, tensors(&data, "input"));
    let quantises = graph.node.iter().any(|node| QUANTISING.contains(&node.op_type.as_str()));
    let input = match feed.activations.as_slice() {
        [] if quantises => Some(through_a_weight(graph)),
        [] => None,
        [only] => Some(only.clone()),
        several => {
            let types: Vec<_> = several.iter().map(|tensor| tensor.data_type).collect();
            match join(graph, &feed) {
                Some(joined) => Some(joined),
                None => {
                    return Outcome::Refused(format!(
                        "its inputs are of data types {types:?}, not floating point"
                    ));
                }
            }
        }
    };
    let path = scratch.join("model.onnx");
    fs::write(&path, model.encode_to_vec()).unwrap();
    let network = match read_definition(&path) {
        Ok(network) => network,
        Err(error) => {
            return Outcome::Refused(error.to_string().replace(&format!("{}: ", path.display()), ""));
        }
    };
    let expected = &tensors(&data, "output")[0];
    match compute(&network, &input.expect("the network has an input")) {
        Ok(found) => compare(&found, expected, tolerance(folder)),
        Err(reason) => Outcome::Refused(reason),
    }
}

/// What the network makes of `input`, or why the engine refuses it.
fn compute(network: &Network, input: &Tensor) -> Result<Vec<f32>, String> {
    let engine = Engine::new(network).map_err(|error| format!("engine: {error}"))?;
    let weights = engine.pack(network).map_err(|error| format!("engine: {error}"))?;
    let values = input.values().expect("only floating-point inputs are imported");
    let shape = network.blob(network.input()).shape;
    let images = Activations::from_images(shape, input.dims[0] as usize, &values).unwrap();
    let start = Start::new(network.input(), &images);
    let outputs = engine.forward(&weights, &start, &[network.output()], &NoHook).unwrap();
    Ok(outputs[0].to_images())
}

/// What may differ in the test in `folder`.
fn tolerance(folder: &Path) -> [f32; 2] {
    if ROUNDED.iter().any(|test| folder.ends_with(test)) { ROUNDED_TOLERANCE } else { TOLERANCE }
}

fn compare(found: &[f32], expected: &Tensor, [absolute, relative]: [f32; 2]) -> Outcome {
    let expected = expected.values().or_else(|| expected.codes()).expect("outputs are numbers or codes");
    if found.len() != expected.len() {
        return Outcome::Failed(format!("{} values instead of {}", found.len(), expected.len()));
    }
    let differs = |(found, expected): &(&f32, &f32)| {
        let equal = found == expected || (found.is_nan() && expected.is_nan());
        !equal && (*found - *expected).abs().total_cmp(&(absolute + relative * expected.abs())).is_gt()
    };
    match found.iter().zip(&expected).enumerate().find(|(_, pair)| differs(pair)) {
        None => Outcome::Passed,
        Some((index, (found, expected))) => {
            Outcome::Failed(format!("value {index} is {found}, not {expected}"))
        }
    }
}

#[test]
#[ignore = "needs APPROXMEM_ONNX_NODE_TESTS"]
fn backend_node_tests() {
    let folder = std::env::var_os("APPROXMEM_ONNX_NODE_TESTS")
        .expect("APPROXMEM_ONNX_NODE_TESTS names the folder that .ci/onnx-node-tests.sh filled");
    let mut tests: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    tests.sort();
    let scratch = tempfile::tempdir().unwrap();
    let (mut passed, mut refused, mut failed) = (0, Vec::new(), Vec::new());
    for test in &tests {
        let Ok(bytes) = fs::read(test.join("model.onnx")) else { continue };
        let model = Model::decode(bytes.as_slice()).unwrap();
        let nodes = &model.graph.as_ref().unwrap().node;
        if !nodes.iter().all(|node| node.domain.is_empty() && OPERATORS.contains(&node.op_type.as_str())) {
            continue;
        }
        let name = test.file_name().unwrap().to_string_lossy();
        match run(test, model, scratch.path()) {
            Outcome::Passed => passed += 1,
            Outcome::Refused(reason) => refused.push(format!("{name}: {reason}")),
            Outcome::Failed(reason) => failed.push(format!("{name}: {reason}")),
        }
    }
    println!("{passed} passed, {} refused, {} failed", refused.len(), failed.len());
    assert!(failed.is_empty(), "failed:\n{}", failed.join("\n"));

    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/onnx_backend_refused.txt");
    let mut text = format!(
        "# Backend node tests of the ONNX project that approxmem refuses, with the reason.\n\
         # {passed} tests of the same operators pass. See tests/onnx_backend.rs.\n"
    );
    for line in &refused {
        writeln!(text, "{line}").unwrap();
    }
    if std::env::var_os("APPROXMEM_ONNX_WRITE_REFUSED").is_some() {
        fs::write(list, text).unwrap();
        return;
    }
    let known = fs::read_to_string(&list).unwrap();
    let changed: Vec<_> = (text.lines().filter(|line| !known.lines().any(|other| other == *line)))
        .map(|line| format!("+ {line}"))
        .chain(
            known
                .lines()
                .filter(|line| !text.lines().any(|other| other == *line))
                .map(|line| format!("- {line}")),
        )
        .collect();
    assert!(
        changed.is_empty(),
        "what is refused has changed; APPROXMEM_ONNX_WRITE_REFUSED=1 writes {} anew:\n{}",
        list.display(),
        changed.join("\n")
    );
}
