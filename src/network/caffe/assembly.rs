//! From a parsed definition to the graph.

use super::definition::{self, Source};
use super::error::Error;
use super::fault::{Fault, Section};
use super::folding;
use super::layers::{Inputs, Lowered, Role};
use super::schema::{LayerParameter, NetParameter, NetStateRule, Phase};
use super::{input, parameters};
use crate::network::{
    Blob, BlobId, Layer, LayerId, Network, Normalisation, Parameter, Scaling, Shape, spelling,
};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The graph of the definition `source`, without values of weights and biases.
pub fn assemble(source: &mut Source) -> Result<Network, Error> {
    let net = source.parse()?;
    let mut assembly = Assembly::new(&net);
    assembly.network_inputs(&net).map_err(|fault| source.error(None, fault))?;
    for (index, layer) in net.layer.iter().enumerate() {
        assembly.layer(layer).map_err(|fault| source.error(Some(index), fault))?;
    }
    assembly.finish().map_err(|fault| source.error(None, fault))
}

/// What a blob name stands for at one point of the definition.
enum Binding {
    /// A blob of the graph.
    Live(BlobId),
    /// A blob that is left out with the layer (or input) of this name.
    LeftOut(String),
}

struct Assembly {
    network: Network,
    /// Images of the definition.
    batch: i64,
    bindings: HashMap<String, Binding>,
    layer_names: HashSet<String>,
    /// Name of a set of shared parameters, and the layer that has it.
    shared: HashMap<String, String>,
}

impl Assembly {
    fn new(net: &NetParameter) -> Self {
        let name = net.name().to_owned();
        Self {
            network: Network {
                name,
                blobs: Vec::new(),
                layers: Vec::new(),
                normalisations: BTreeMap::new(),
                notes: Vec::new(),
            },
            batch: 1,
            bindings: HashMap::new(),
            layer_names: HashSet::new(),
            shared: HashMap::new(),
        }
    }

    /// Inputs in the older form, as fields of the network.
    fn network_inputs(&mut self, net: &NetParameter) -> Result<(), Fault> {
        for (index, (name, extent)) in input::of_network(net)?.into_iter().enumerate() {
            if self.bindings.contains_key(&name) {
                let reason = format!("input '{name}' is there twice");
                return Err(Section::network().conflict_at(("input", index), reason));
            }
            if index == 0 {
                self.batch = extent.batch;
                self.write(&name, extent.image, None);
            } else {
                let owner = format!("input '{name}'");
                self.network.notes.push(format!("{owner} left out: only the first input is fed"));
                self.bindings.insert(name, Binding::LeftOut(owner));
            }
        }
        Ok(())
    }

    fn layer(&mut self, layer: &LayerParameter) -> Result<(), Fault> {
        let name = layer.name();
        if !in_test_phase(layer)? {
            self.network
                .notes
                .push(format!("layer '{name}' left out: its rules keep it from the test phase"));
            return Ok(());
        }
        let kind = definition::kind(layer)?;
        match kind.role {
            Role::Data => self.data(layer),
            Role::Training => self.training(layer),
            Role::Split => self.split(layer),
            Role::Compute { lower, parameter, in_place } => {
                self.check_name(layer)?;
                self.check_sharing(layer)?;
                let inputs = self.inputs(layer)?;
                let shapes: Vec<_> = inputs.iter().map(|&blob| self.network.blob(blob).shape).collect();
                let lowered = lower(layer, &Inputs { shapes: &shapes, batch: self.batch })?;
                let top = self.top(layer, in_place)?;
                for ignored in parameters::set(layer).filter(|&set| set != parameter) {
                    let kind = layer.r#type();
                    self.network
                        .notes
                        .push(format!("layer '{name}': {ignored} means nothing to type {kind}"));
                }
                self.compute(name, lowered, inputs, &top);
                Ok(())
            }
        }
    }

    /// Adds a layer that computes.
    fn compute(&mut self, name: &str, lowered: Lowered, inputs: Vec<BlobId>, top: &str) {
        let id = LayerId(self.network.layers.len());
        let output = self.write(top, lowered.output, Some(id));
        if let Some(epsilon) = lowered.epsilon {
            let normalisation = Normalisation { layer: name.to_owned(), epsilon, scaling: Scaling::None };
            self.network.normalisations.insert(id, normalisation);
        }
        let empty = |dims| Parameter { dims, values: None, quantisation: None };
        self.network.layers.push(Layer {
            name: name.to_owned(),
            kind: lowered.kind,
            inputs,
            output,
            weight: lowered.weight.map(empty),
            bias: lowered.bias.map(empty),
        });
    }

    /// A layer whose outputs are its input under other names: the graph lets a blob have several readers.
    fn split(&mut self, layer: &LayerParameter) -> Result<(), Fault> {
        let inputs = self.inputs(layer)?;
        let shapes: Vec<_> = inputs.iter().map(|&blob| self.network.blob(blob).shape).collect();
        Inputs { shapes: &shapes, batch: self.batch }.only(layer)?;
        if layer.top.is_empty() {
            return Err(Section::layer(layer).missing("top", "the blobs that it writes"));
        }
        for (index, top) in layer.top.iter().enumerate() {
            if self.bindings.contains_key(top) {
                return Err(written_twice(layer, index));
            }
            self.bindings.insert(top.clone(), Binding::Live(inputs[0]));
        }
        let (name, read) = (layer.name(), &layer.bottom[0]);
        self.network
            .notes
            .push(format!("layer '{name}' (Split) left out: its blobs are blob '{read}' under other names"));
        Ok(())
    }

    /// Data subsets are called by layer names.
    fn check_name(&mut self, layer: &LayerParameter) -> Result<(), Fault> {
        if layer.name().is_empty() {
            return Err(Section::layer(layer).missing("name", "a name"));
        }
        if !self.layer_names.insert(layer.name().to_owned()) {
            let reason = "an earlier layer has the same name, expected a name of its own";
            return Err(Section::layer(layer).conflict("name", reason));
        }
        Ok(())
    }

    /// A layer that provides data: its first blob is the network's input, unless that exists already.
    fn data(&mut self, layer: &LayerParameter) -> Result<(), Fault> {
        let (name, kind) = (layer.name(), layer.r#type());
        let mut tops = layer.top.iter().enumerate();
        if self.network.blobs.is_empty() {
            let Some((_, top)) = tops.next() else {
                return Err(Section::layer(layer).missing("top", "the blob that it writes"));
            };
            let input::Extent { batch, image: shape } = input::of_layer(layer)?;
            self.batch = batch;
            self.write(top, shape, None);
            let preprocessing = if layer.transform_param.is_some() {
                ", its transform_param to the data set's preprocessing"
            } else {
                ""
            };
            self.network.notes.push(format!(
                "layer '{name}' ({kind}) left out: its blob '{top}' of {shape} is the network's input{preprocessing}"
            ));
        } else {
            self.network
                .notes
                .push(format!("layer '{name}' ({kind}) left out: the network has its input already"));
        }
        for (index, top) in tops {
            self.leave_out(layer, index, top)?;
        }
        Ok(())
    }

    /// A layer that plays no part in inference.
    fn training(&mut self, layer: &LayerParameter) -> Result<(), Fault> {
        for (index, bottom) in layer.bottom.iter().enumerate() {
            if !self.bindings.contains_key(bottom) {
                return Err(self.unknown_blob(layer, index));
            }
        }
        for (index, top) in layer.top.iter().enumerate() {
            self.leave_out(layer, index, top)?;
        }
        let (name, kind) = (layer.name(), layer.r#type());
        self.network.notes.push(format!("layer '{name}' ({kind}) left out: inference does not need it"));
        Ok(())
    }

    fn leave_out(&mut self, layer: &LayerParameter, index: usize, top: &str) -> Result<(), Fault> {
        if self.bindings.contains_key(top) {
            return Err(written_twice(layer, index));
        }
        self.bindings.insert(top.to_owned(), Binding::LeftOut(format!("layer '{}'", layer.name())));
        Ok(())
    }

    /// The blobs that `layer` reads.
    fn inputs(&self, layer: &LayerParameter) -> Result<Vec<BlobId>, Fault> {
        let input = |(index, bottom): (usize, &String)| match self.bindings.get(bottom) {
            Some(&Binding::Live(blob)) => Ok(blob),
            Some(Binding::LeftOut(owner)) => {
                let reason = format!("reads blob '{bottom}', which is left out with {owner}");
                Err(Section::layer(layer).conflict_at(("bottom", index), reason))
            }
            None => Err(self.unknown_blob(layer, index)),
        };
        layer.bottom.iter().enumerate().map(input).collect()
    }

    fn unknown_blob(&self, layer: &LayerParameter, index: usize) -> Fault {
        let blob = &layer.bottom[index];
        let known = self.network.blobs.iter().map(|blob| blob.name.as_str());
        let nearest = spelling::nearest(blob, known).map(str::to_owned);
        Section::layer(layer).unknown_blob(index, blob, nearest)
    }

    /// The blob that `layer` writes: a new one, or its input's name where it may work in place.
    fn top(&self, layer: &LayerParameter, in_place: bool) -> Result<String, Fault> {
        let section = Section::layer(layer);
        let top = match layer.top.as_slice() {
            [top] => top,
            [] => return Err(section.missing("top", "the blob that it writes")),
            more => {
                let reason = format!("found {} blobs to write, expected one", more.len());
                return Err(section.conflict_at(("top", 1), reason));
            }
        };
        if layer.bottom.first() == Some(top) {
            if !in_place {
                let kind = layer.r#type();
                let reason = format!("writes over its input '{top}', which a layer of type {kind} cannot");
                return Err(section.conflict("top", reason));
            }
        } else if self.bindings.contains_key(top) {
            return Err(written_twice(layer, 0));
        }
        Ok(top.clone())
    }

    fn write(&mut self, name: &str, shape: Shape, producer: Option<LayerId>) -> BlobId {
        let blob = BlobId(self.network.blobs.len());
        self.network.blobs.push(Blob { name: name.to_owned(), shape, producer });
        self.bindings.insert(name.to_owned(), Binding::Live(blob));
        blob
    }

    /// Parameters that two layers share would be stored once; the graph holds them per layer.
    fn check_sharing(&mut self, layer: &LayerParameter) -> Result<(), Fault> {
        for (index, parameter) in layer.param.iter().enumerate() {
            if parameter.name().is_empty() {
                continue;
            }
            let owner =
                self.shared.entry(parameter.name().to_owned()).or_insert_with(|| layer.name().to_owned());
            if owner != layer.name() {
                let reason = format!(
                    "shares parameter '{}' with layer '{owner}', which is not supported",
                    parameter.name()
                );
                return Err(Section::layer(layer).conflict_at(("param", index), reason));
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Network, Fault> {
        if self.network.layers.is_empty() {
            return Err(Section::network().missing("layer", "at least one layer that computes"));
        }
        folding::fold(&mut self.network);
        let output = self.network.output();
        let mut read = vec![false; self.network.blobs.len()];
        for blob in self.network.layers.iter().flat_map(|layer| &layer.inputs) {
            read[blob.0] = true;
        }
        for (index, blob) in self.network.blobs.iter().enumerate() {
            if !read[index] && BlobId(index) != output {
                let used = &self.network.blob(output).name;
                self.network
                    .notes
                    .push(format!("no layer reads blob '{}'; the output is blob '{used}'", blob.name));
            }
        }
        Ok(self.network)
    }
}

fn written_twice(layer: &LayerParameter, index: usize) -> Fault {
    let reason = format!(
        "writes blob '{}', which already exists and is not what it reads first: expected a new name",
        layer.top[index]
    );
    Section::layer(layer).conflict_at(("top", index), reason)
}

/// Whether the rules of `layer` put it into the network of the test phase.
fn in_test_phase(layer: &LayerParameter) -> Result<bool, Fault> {
    let section = Section::layer(layer);
    if layer.phase.is_some_and(|phase| phase != Phase::Test as i32) {
        return Err(section.value("phase", "TRAIN", "TEST, or include { phase: TRAIN }"));
    }
    let any = |rules: &[NetStateRule], field: &'static str| {
        for (index, rule) in rules.iter().enumerate() {
            if meets(rule, layer, (field, index))? {
                return Ok(true);
            }
        }
        Ok(false)
    };
    match (layer.include.as_slice(), layer.exclude.as_slice()) {
        ([], exclude) => Ok(!any(exclude, "exclude")?),
        (include, []) => any(include, "include"),
        _ => Err(section.conflict("exclude", "found both include and exclude rules, expected one of them")),
    }
}

/// Whether a network in the test phase meets `rule`.
fn meets(rule: &NetStateRule, layer: &LayerParameter, field: (&'static str, usize)) -> Result<bool, Fault> {
    if rule.phase.is_some_and(|phase| phase != Phase::Test as i32) {
        return Ok(false);
    }
    let others = [
        ("min_level", rule.min_level.is_some()),
        ("max_level", rule.max_level.is_some()),
        ("stage", !rule.stage.is_empty()),
        ("not_stage", !rule.not_stage.is_empty()),
    ];
    match others.iter().find(|(_, set)| *set) {
        Some((name, _)) => {
            let reason = format!("found a rule on {name}, expected rules on the phase only");
            Err(Section::layer(layer).conflict_at(field, reason))
        }
        None => Ok(true),
    }
}
