//! The supported operators: how many inputs each has, which attributes, and what it becomes.

use super::assembly::Assembly;
use super::error::Problem;
use super::node::Node;
use super::schema::NodeProto;
use super::value::Value;
use super::{activations, arithmetic, constants, products, quantisation, shapes, windowed};
use crate::network::spelling;
use std::collections::HashSet;

/// Derives what a node writes first from what it reads.
type Lowering = fn(&Node<'_>, &mut Assembly) -> Result<Value, Problem>;

/// A supported operator.
pub struct Operator {
    /// Its name.
    pub name: &'static str,
    /// Fewest and most inputs.
    inputs: [usize; 2],
    /// Most outputs.
    outputs: usize,
    /// Attributes, of all versions.
    attributes: &'static [&'static str],
    /// What becomes of it.
    pub lower: Lowering,
}

const fn operator(
    name: &'static str,
    inputs: [usize; 2],
    attributes: &'static [&'static str],
    lower: Lowering,
) -> Operator {
    Operator { name, inputs, outputs: 1, attributes, lower }
}

const ANY: usize = usize::MAX;
const CONVOLVED: &[&str] = &["auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"];
const MAX_POOLED: &[&str] =
    &["auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "storage_order", "strides"];
const AVERAGE_POOLED: &[&str] =
    &["auto_pad", "ceil_mode", "count_include_pad", "dilations", "kernel_shape", "pads", "strides"];
const NORMALISED: &[&str] = &["epsilon", "momentum", "spatial", "training_mode"];
const QUANTISED: &[&str] = &["axis", "block_size", "output_dtype", "precision", "saturate"];
const DEQUANTISED: &[&str] = &["axis", "block_size", "output_dtype"];
const CONSTANT: &[&str] = &[
    "sparse_value",
    "value",
    "value_float",
    "value_floats",
    "value_int",
    "value_ints",
    "value_string",
    "value_strings",
];

/// All supported operators.
pub const OPERATORS: &[Operator] = &[
    operator("Add", [2, 2], &[], arithmetic::add),
    operator("AveragePool", [1, 1], AVERAGE_POOLED, windowed::average_pool),
    Operator {
        outputs: 5,
        ..operator("BatchNormalization", [5, 5], NORMALISED, arithmetic::batch_normalization)
    },
    operator("Clip", [1, 3], &["max", "min"], activations::clip),
    operator("Concat", [1, ANY], &["axis"], shapes::concat),
    operator("Constant", [0, 0], CONSTANT, constants::constant),
    operator("ConstantOfShape", [1, 1], &["value"], constants::constant_of_shape),
    operator("Conv", [2, 3], CONVOLVED, windowed::conv),
    operator("DequantizeLinear", [2, 3], DEQUANTISED, quantisation::dequantize_linear),
    Operator { outputs: 2, ..operator("Dropout", [1, 3], &["ratio", "seed"], activations::dropout) },
    operator("Flatten", [1, 1], &["axis"], shapes::flatten),
    operator("Gather", [2, 2], &["axis"], constants::gather),
    operator("Gemm", [2, 3], &["alpha", "beta", "transA", "transB"], products::gemm),
    operator("GlobalAveragePool", [1, 1], &[], windowed::global_average_pool),
    operator("GlobalMaxPool", [1, 1], &[], windowed::global_max_pool),
    operator("Identity", [1, 1], &[], shapes::identity),
    operator("LRN", [1, 1], &["alpha", "beta", "bias", "size"], activations::local_response),
    operator("LeakyRelu", [1, 1], &["alpha"], activations::leaky_relu),
    operator("MatMul", [2, 2], &[], products::mat_mul),
    Operator { outputs: 2, ..operator("MaxPool", [1, 1], MAX_POOLED, windowed::max_pool) },
    operator("Mul", [2, 2], &[], arithmetic::mul),
    operator("QuantizeLinear", [2, 3], QUANTISED, quantisation::quantize_linear),
    operator("Relu", [1, 1], &[], activations::relu),
    operator("Reshape", [2, 2], &["allowzero"], shapes::reshape),
    operator("Shape", [1, 1], &["end", "start"], constants::shape),
    operator("Sigmoid", [1, 1], &[], activations::sigmoid),
    operator("Softmax", [1, 1], &["axis"], activations::softmax),
    operator("Squeeze", [1, 2], &["axes"], shapes::squeeze),
    operator("Sum", [1, ANY], &[], arithmetic::sum),
    operator("Tanh", [1, 1], &[], activations::tanh),
    operator("Unsqueeze", [1, 2], &["axes"], shapes::unsqueeze),
];

/// ONNX's own domain, in both spellings.
pub fn is_standard(domain: &str) -> bool {
    matches!(domain, "" | "ai.onnx")
}

/// The operator of `node` as messages name it.
pub fn shown_operator(node: &NodeProto) -> String {
    match node.domain() {
        domain if is_standard(domain) => node.op_type().to_owned(),
        domain => format!("{domain}.{}", node.op_type()),
    }
}

/// The operator of `node`, whose attributes are known and whose inputs and outputs are as many as it has.
pub fn of(node: &NodeProto) -> Result<&'static Operator, Problem> {
    let name = node.op_type();
    let known = OPERATORS.iter().find(|operator| is_standard(node.domain()) && operator.name == name);
    let Some(operator) = known else {
        let names = || OPERATORS.iter().map(|operator| operator.name);
        return Err(Problem::Operator {
            operator: shown_operator(node),
            nearest: spelling::nearest(name, names()).filter(|&nearest| nearest != name),
            supported: names().collect::<Vec<_>>().join(", "),
        });
    };
    let [fewest, most] = operator.inputs;
    let present = node.input.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1);
    if present < fewest || present > most {
        let expected = if fewest == most { format!("{most}") } else { format!("{fewest} to {most}") };
        return Err(Problem::value("number of inputs", present, expected.replace(&ANY.to_string(), "any")));
    }
    if node.output.first().is_none_or(String::is_empty) || node.output.len() > operator.outputs {
        let expected = format!("1 to {}, the first with a name", operator.outputs);
        return Err(Problem::value("number of outputs", node.output.len(), expected));
    }
    check_attributes(node, operator)?;
    Ok(operator)
}

fn check_attributes(node: &NodeProto, operator: &Operator) -> Result<(), Problem> {
    let mut seen = HashSet::new();
    for attribute in &node.attribute {
        let name = attribute.name();
        if !operator.attributes.contains(&name) {
            let expected = match operator.attributes {
                [] => "none".to_owned(),
                known => known.join(", "),
            };
            return Err(Problem::value("attribute", format!("'{name}'"), expected));
        }
        if !seen.insert(name) {
            return Err(Problem::unsupported(format!("found attribute {name} twice")));
        }
        if !attribute.ref_attr_name().is_empty() {
            let reason = format!("found attribute {name} that refers to an attribute of a function");
            return Err(Problem::unsupported(reason));
        }
        if attribute.g.is_some() || !attribute.graphs.is_empty() {
            return Err(Problem::unsupported(format!("found a subgraph in attribute {name}")));
        }
    }
    Ok(())
}
