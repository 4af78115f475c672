//! Models, small ones written here and real ones from the test data.

mod constants;
mod damage;
mod graphs;
mod layers;
mod published;
mod quantised;
mod refusals;
mod tensors;
mod windows;

use super::schema::attribute_proto::AttributeType;
use super::schema::tensor_proto::DataType;
use super::schema::tensor_shape_proto::Dimension;
use super::schema::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto,
    TypeProto, ValueInfoProto, type_proto,
};
use super::{Error, Place, read_bytes};
use crate::network::{Layer, Network, Shape};
use prost::Message;
use std::path::Path;

/// Input `x` of the extents given, output `y`.
fn model(opset: i64, input: &[i64], nodes: Vec<NodeProto>, initializer: Vec<TensorProto>) -> ModelProto {
    let fixed = |&dim: &i64| Dimension { dim_value: Some(dim), dim_param: None };
    let graph = GraphProto {
        node: nodes,
        name: Some("net".into()),
        initializer,
        input: vec![value_info("x", input.iter().map(fixed).collect())],
        output: vec![ValueInfoProto { name: Some("y".into()), r#type: None }],
        sparse_initializer: Vec::new(),
    };
    ModelProto {
        ir_version: Some(8),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: None, version: Some(opset) }],
        training_info: Vec::new(),
        functions: Vec::new(),
    }
}

fn value_info(name: &str, dim: Vec<Dimension>) -> ValueInfoProto {
    let tensor =
        type_proto::Tensor { elem_type: Some(DataType::Float as i32), shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto { name: Some(name.into()), r#type: Some(TypeProto { tensor_type: Some(tensor) }) }
}

/// A node called `name`, that reads and writes the values listed with spaces between them (`-` for one left out).
fn node(operator: &str, name: &str, inputs: &str, outputs: &str, attribute: &[AttributeProto]) -> NodeProto {
    let names = |list: &str| list.split_whitespace().map(|name| name.replace('-', "")).collect();
    NodeProto {
        input: names(inputs),
        output: names(outputs),
        name: Some(name.into()),
        op_type: Some(operator.into()),
        attribute: attribute.to_vec(),
        domain: None,
    }
}

fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto { name: Some(name.into()), r#type: Some(kind as i32), ..AttributeProto::default() }
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { i: Some(value), ..attribute(name, AttributeType::Int) }
}

fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto { ints: values.to_vec(), ..attribute(name, AttributeType::Ints) }
}

fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto { f: Some(value), ..attribute(name, AttributeType::Float) }
}

fn text(name: &str, value: &'static str) -> AttributeProto {
    AttributeProto { s: Some(value.into()), ..attribute(name, AttributeType::String) }
}

fn tensor(name: &str, value: TensorProto) -> AttributeProto {
    AttributeProto { t: Some(value), ..attribute(name, AttributeType::Tensor) }
}

fn floats(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        dims: dims.to_vec(),
        data_type: Some(DataType::Float as i32),
        raw_data: Some(values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>().into()),
        ..TensorProto::default()
    }
}

/// Values 1, 2, 3 and so on.
fn counted(name: &str, dims: &[i64]) -> TensorProto {
    let values: Vec<f32> = (1..=dims.iter().product()).map(|value: i64| value as f32).collect();
    floats(name, dims, &values)
}

fn integers(name: &str, values: &[i64]) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        dims: vec![values.len() as i64],
        data_type: Some(DataType::Int64 as i32),
        int64_data: values.to_vec(),
        ..TensorProto::default()
    }
}

fn read(model: &ModelProto) -> Result<Network, Error> {
    read_bytes(model.encode_to_vec().into(), Path::new("net.onnx"))
}

/// The network of `nodes` in version 13.
fn network(input: &[i64], nodes: Vec<NodeProto>, initializer: Vec<TensorProto>) -> Network {
    read(&model(13, input, nodes, initializer)).unwrap_or_else(|error| panic!("{error}"))
}

/// The network of one node `l` that reads `inputs` in version `opset`.
fn single(
    opset: i64,
    input: &[i64],
    (operator, inputs, attributes): (&str, &str, &[AttributeProto]),
    initializer: &[TensorProto],
) -> Result<Network, Error> {
    read(&model(opset, input, vec![node(operator, "l", inputs, "y", attributes)], initializer.to_vec()))
}

fn layers(network: &Network) -> Vec<String> {
    let shown = |layer: &Layer| {
        let input = |id: &crate::network::BlobId| network.blob(*id).name.as_str();
        let inputs: Vec<_> = layer.inputs.iter().map(input).collect();
        let output = network.blob(layer.output);
        let (name, kind) = (&layer.name, layer.kind.name());
        format!("{name} {kind} {} -> {} {}", inputs.join(" "), output.name, output.shape)
    };
    network.layers.iter().map(shown).collect()
}

fn output(network: &Network) -> Shape {
    network.blob(network.output()).shape
}

/// Values of the weight and the bias of layer `index`.
fn parameters(network: &Network, index: usize) -> [Option<&[f32]>; 2] {
    let layer = &network.layers[index];
    [&layer.weight, &layer.bias].map(|p| p.as_ref().and_then(|p| p.values.as_deref()))
}

/// What `outcome` is refused for, without the file name.
fn refusal(outcome: Result<Network, Error>) -> String {
    let message = outcome.map(|network| layers(&network)).expect_err("it is refused").to_string();
    message.strip_prefix("net.onnx: ").expect("the message starts with the file").to_owned()
}

/// A node `l` in a message.
fn place(operator: &str) -> Place {
    Place::Node { name: "l".into(), operator: operator.into() }
}
