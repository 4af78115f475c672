//! From a decoded model to the graph.

use super::assembly::Assembly;
use super::error::{Error, Place, Problem, shown};
use super::node::{self, Node};
use super::operators::{self, Operator, is_standard, shown_operator};
use super::schema::tensor_proto::DataType;
use super::schema::{GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};
use super::tensor::{Constant, MAX_ELEMENTS};
use super::value::Value;
use crate::network::{Network, spelling};
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// The versions of the operator set whose operators are known.
const OPSETS: std::ops::RangeInclusive<i64> = 7..=28;

/// Names that a note lists.
const NAMES_SHOWN: usize = 8;

/// A problem and what it belongs to.
struct Fault(Place, Box<Problem>);

impl Fault {
    fn new(place: Place, problem: Problem) -> Self {
        Self(place, Box::new(problem))
    }
}

/// The graph of `model`, which was read from the file `path`.
pub fn assemble(model: ModelProto, path: &Path) -> Result<Network, Error> {
    network(model, path).map_err(|Fault(place, problem)| Error::Model {
        path: path.to_owned(),
        place,
        problem,
    })
}

fn model_fault(problem: Problem) -> Fault {
    Fault::new(Place::Model, problem)
}

fn node_fault(node: &NodeProto) -> impl Fn(Problem) -> Fault {
    move |problem| {
        Fault::new(Place::Node { name: node::name(node).to_owned(), operator: shown_operator(node) }, problem)
    }
}

fn network(model: ModelProto, path: &Path) -> Result<Network, Fault> {
    let opset = opset(&model).map_err(model_fault)?;
    check_functions(&model).map_err(model_fault)?;
    let training = !model.training_info.is_empty();
    let graph = model.graph.ok_or_else(|| model_fault(Problem::missing("graph", "one")))?;
    if !graph.sparse_initializer.is_empty() {
        let reason = "found sparse initialisers, expected dense ones";
        return Err(model_fault(Problem::unsupported(reason)));
    }
    let GraphProto { node: nodes, name, initializer, input, output, .. } = graph;
    let constants = constants(initializer, path)?;
    let inputs: Vec<_> = input.iter().filter(|input| !constants.contains_key(input.name())).collect();
    let operators = check_nodes(&nodes, &constants, &inputs)?;
    let output_name = output_name(&output)?;
    let live = live(&nodes, output_name);
    let known = live.contains(&true) || inputs.iter().any(|input| input.name() == output_name);
    if !known {
        let problem = Problem::missing("node that writes it", "one that reads activations");
        return Err(Fault::new(Place::Output(output_name.to_owned()), problem));
    }
    let uses = uses(&nodes, &live, output_name);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names = nodes.iter().map(node::name);
    let mut assembly = Assembly::new(name.unwrap_or_default(), folder.to_owned(), uses, names);
    note_left_out(&mut assembly, training, &nodes, &live, &output);
    define_input(&mut assembly, &inputs)?;
    for (name, constant) in constants {
        assembly.define(&name, Value::Constant(constant));
    }
    for ((node, operator), live) in nodes.iter().zip(operators).zip(live) {
        if live {
            lower(node, operator, opset, &mut assembly).map_err(node_fault(node))?;
        }
    }
    assembly.finish(output_name).map_err(|problem| Fault::new(Place::Output(output_name.to_owned()), problem))
}

/// The version of ONNX's own operator set.
fn opset(model: &ModelProto) -> Result<i64, Problem> {
    let expected = format!("{} to {}", OPSETS.start(), OPSETS.end());
    let mut versions = model.opset_import.iter().filter(|import| is_standard(import.domain()));
    let Some(version) = versions.next().map(|import| import.version.unwrap_or_default()) else {
        return Err(Problem::missing("operator set (opset_import) of ONNX", format!("version {expected}")));
    };
    if versions.any(|other| other.version != Some(version)) {
        return Err(Problem::unsupported("found two versions of ONNX's operator set, expected one"));
    }
    if OPSETS.contains(&version) {
        Ok(version)
    } else {
        Err(Problem::value("operator set", version, expected))
    }
}

/// Functions of the model's own go before operators of the same name.
fn check_functions(model: &ModelProto) -> Result<(), Problem> {
    match model.functions.iter().find(|function| is_standard(function.domain())) {
        None => Ok(()),
        Some(function) => {
            let name = shown(function.name());
            Err(Problem::unsupported(format!("found function '{name}' in ONNX's own domain, expected none")))
        }
    }
}

/// The initialisers by name.
fn constants(tensors: Vec<TensorProto>, path: &Path) -> Result<HashMap<String, Constant>, Fault> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut constants = HashMap::with_capacity(tensors.len());
    for mut tensor in tensors {
        let name = tensor.name.take().unwrap_or_default();
        let fault = |problem| Fault::new(Place::Tensor(name.clone()), problem);
        let constant = Constant::new(tensor, folder).map_err(fault)?;
        if constants.insert(name.clone(), constant).is_some() {
            return Err(fault(Problem::unsupported("found it twice, expected one initialiser of a name")));
        }
    }
    Ok(constants)
}

/// Checks that every node has a supported operator and reads only what was written before; returns the operators.
fn check_nodes(
    nodes: &[NodeProto],
    constants: &HashMap<String, Constant>,
    inputs: &[&ValueInfoProto],
) -> Result<Vec<&'static Operator>, Fault> {
    let mut written: HashSet<&str> = constants.keys().map(String::as_str).collect();
    for input in inputs {
        if !written.insert(input.name()) {
            let fault = Problem::unsupported("found it twice, expected one input of a name");
            return Err(Fault::new(Place::Input(input.name().to_owned()), fault));
        }
    }
    let mut operators = Vec::with_capacity(nodes.len());
    for (index, node) in nodes.iter().enumerate() {
        let fault = node_fault(node);
        operators.push(operators::of(node).map_err(&fault)?);
        for input in node.input.iter().filter(|input| !input.is_empty()) {
            if !written.contains(input.as_str()) {
                return Err(fault(unwritten(input, &nodes[index..], &written)));
            }
        }
        for output in node.output.iter().filter(|output| !output.is_empty()) {
            if !written.insert(output) {
                return Err(fault(Problem::WrittenTwice { value: output.clone() }));
            }
        }
    }
    Ok(operators)
}

/// Why `value` cannot be read: `following` are the reading node and those behind it.
fn unwritten(value: &str, following: &[NodeProto], written: &HashSet<&str>) -> Problem {
    let writer = following.iter().find(|node| node.output.iter().any(|output| output == value));
    if let Some(writer) = writer {
        return Problem::Order { value: value.to_owned(), writer: node::name(writer).to_owned() };
    }
    let mut names: Vec<_> = written.iter().copied().collect();
    names.sort_unstable();
    let nearest = spelling::nearest(value, names.into_iter()).map(str::to_owned);
    Problem::UnknownValue { value: value.to_owned(), nearest }
}

fn output_name(outputs: &[ValueInfoProto]) -> Result<&str, Fault> {
    match outputs.first() {
        Some(output) => Ok(output.name()),
        None => Err(model_fault(Problem::missing("output of the graph", "one"))),
    }
}

/// Which of `nodes`, each behind those that it reads from, `output` depends on.
fn live(nodes: &[NodeProto], output: &str) -> Vec<bool> {
    let mut needed = HashSet::from([output]);
    let mut live = vec![false; nodes.len()];
    for (node, live) in nodes.iter().zip(&mut live).rev() {
        *live = node.output.iter().any(|output| needed.contains(output.as_str()));
        if *live {
            needed.extend(node.input.iter().map(String::as_str));
        }
    }
    live
}

/// How often the live nodes and the graph's output read each value.
fn uses(nodes: &[NodeProto], live: &[bool], output: &str) -> HashMap<String, usize> {
    let mut uses = HashMap::from([(output.to_owned(), 1)]);
    let inputs = nodes.iter().zip(live).filter(|(_, live)| **live).flat_map(|(node, _)| &node.input);
    for input in inputs {
        *uses.entry(input.clone()).or_default() += 1;
    }
    uses
}

/// Says what does not become part of the graph.
fn note_left_out(
    assembly: &mut Assembly,
    training: bool,
    nodes: &[NodeProto],
    live: &[bool],
    outputs: &[ValueInfoProto],
) {
    if training {
        assembly.note("training information left out: inference does not need it".to_owned());
    }
    for output in outputs.iter().skip(1) {
        let (name, first) = (shown(output.name()), shown(outputs[0].name()));
        assembly.note(format!("output '{name}' left out: the network's output is the first, '{first}'"));
    }
    let dead: Vec<_> = nodes.iter().zip(live).filter(|(_, live)| !**live).map(|(node, _)| node).collect();
    if !dead.is_empty() {
        let mut names: Vec<_> =
            dead.iter().take(NAMES_SHOWN).map(|node| format!("'{}'", shown(node::name(node)))).collect();
        if dead.len() > NAMES_SHOWN {
            names.push(format!("{} more", dead.len() - NAMES_SHOWN));
        }
        assembly.note(format!("nodes left out: the output does not depend on {}", names.join(", ")));
    }
}

/// Creates the network's input: the only one that is read.
fn define_input(assembly: &mut Assembly, inputs: &[&ValueInfoProto]) -> Result<(), Fault> {
    let (read, unread): (Vec<_>, Vec<_>) =
        inputs.iter().copied().partition(|input| assembly.is_read(input.name()));
    for input in unread {
        assembly.note(format!("input '{}' left out: the output does not depend on it", shown(input.name())));
    }
    let input = match read.as_slice() {
        [input] => input,
        [] => return Err(model_fault(Problem::missing("input that the output depends on", "one"))),
        [_, second, ..] => {
            let reason = format!(
                "the network has {} inputs that are no initialisers, expected one: the images",
                read.len()
            );
            return Err(Fault::new(Place::Input(second.name().to_owned()), Problem::unsupported(reason)));
        }
    };
    let fault = |problem| Fault::new(Place::Input(input.name().to_owned()), problem);
    let (dims, element) = input_extents(input).map_err(fault)?;
    if element != DataType::Float {
        let (name, kind) = (shown(input.name()), element.as_str_name());
        assembly
            .note(format!("input '{name}' is of type {kind}: the network is computed in single precision"));
    }
    assembly.input(input.name(), dims).map_err(fault)
}

/// Extents of `input` with the batch first, which is 1 where the model leaves it open; and the type of its elements.
fn input_extents(input: &ValueInfoProto) -> Result<(Vec<usize>, DataType), Problem> {
    let tensor = input.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
    let tensor = tensor.ok_or_else(|| Problem::missing("tensor type", "a tensor with extents"))?;
    let code = tensor.elem_type.unwrap_or_default();
    let element = match DataType::try_from(code) {
        Ok(element @ (DataType::Float | DataType::Float16 | DataType::Double)) => element,
        Ok(other) => return Err(Problem::value("element type", other.as_str_name(), "FLOAT")),
        Err(_) => return Err(Problem::value("element type", code, "FLOAT")),
    };
    let shape = tensor.shape.as_ref().ok_or_else(|| Problem::missing("shape", "its extents"))?;
    let mut dims = Vec::with_capacity(shape.dim.len());
    for (axis, dim) in shape.dim.iter().enumerate() {
        let fixed = dim.dim_value.filter(|_| dim.dim_param.is_none());
        dims.push(match (axis, fixed) {
            // Some exporters write 0 or -1 for a batch of any size.
            (0, None | Some(-1 | 0)) => 1,
            (_, Some(extent)) if (1..=MAX_ELEMENTS as i64).contains(&extent) => extent as usize,
            (_, found) => {
                let found = found.map(|extent| extent.to_string()).or_else(|| dim.dim_param.clone());
                let expected = format!("1 to {MAX_ELEMENTS}: only the batch may be left open");
                return Err(Problem::value(
                    format!("extent {axis}"),
                    found.unwrap_or("nothing".to_owned()),
                    expected,
                ));
            }
        });
    }
    Ok((dims, element))
}

/// Adds what `node` computes to the graph.
fn lower(node: &NodeProto, operator: &Operator, opset: i64, assembly: &mut Assembly) -> Result<(), Problem> {
    let input = |name: &String| assembly.value(name).filter(|_| !name.is_empty()).cloned();
    let node = Node::new(node, opset, node.input.iter().map(input).collect());
    let value = (operator.lower)(&node, assembly)?;
    assembly.define(node.output(), value);
    for output in node.other_outputs() {
        let reason = format!("output '{}' of {}, which is not computed", shown(output), operator.name);
        assembly.define(output, Value::Absent(reason));
    }
    Ok(())
}
