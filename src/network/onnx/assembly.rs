//! The graph under construction: values, layers, their names and extents.

use super::error::{Problem, extents, shown};
use super::node::Node;
use super::tensor::{Constant, MAX_ELEMENTS};
use super::value::{Value, View};
use crate::network::{Blob, BlobId, Layer, LayerId, LayerKind, Network, Parameter, Shape};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

/// Most elements over the whole model that are computed from a few bytes of the file (`ConstantOfShape`), or copied from
/// tensors that another layer has read before.
const MAX_REPEATED: u64 = 1 << 28;

/// Most channels over which a single number is spread.
const MAX_SPREAD: usize = 1 << 20;

/// A layer to be.
pub struct Emission {
    /// What it computes.
    pub kind: LayerKind,
    /// Blobs that it reads.
    pub inputs: Vec<BlobId>,
    /// Extents of its output, the batch first.
    pub dims: Vec<usize>,
    /// Its weight.
    pub weight: Option<Parameter>,
    /// Its bias.
    pub bias: Option<Parameter>,
}

impl Emission {
    /// A layer without weight and bias that yields `dims`.
    pub fn new(kind: LayerKind, inputs: Vec<BlobId>, dims: Vec<usize>) -> Self {
        Self { kind, inputs, dims, weight: None, bias: None }
    }
}

/// A trained tensor with its values, which are no codes.
pub fn parameter(dims: Vec<usize>, values: Vec<f32>) -> Parameter {
    Parameter { dims, values: Some(values), quantisation: None }
}

/// The graph as far as it is built.
pub struct Assembly {
    network: Network,
    /// The model's folder, where external tensors are.
    folder: PathBuf,
    /// Images in the batch that the model's extents count; 1 where it leaves that open.
    batch: usize,
    values: HashMap<String, Value>,
    /// How often the model reads each value.
    uses: HashMap<String, usize>,
    names: LayerNames,
    /// Blobs by the one that they reshape and their shape.
    reshaped: HashMap<(BlobId, Shape), BlobId>,
    /// Elements of parameters that may still be read.
    elements_left: u64,
    repeated_left: u64,
    /// The tensors that have been read, by identity, which is theirs as long as they are held.
    read: HashMap<usize, Constant>,
}

impl Assembly {
    /// An empty graph called `name` of a model in `folder`. `uses` counts how often each value is read, `names` lists those
    /// of all nodes.
    pub fn new<'a>(
        name: String,
        folder: PathBuf,
        uses: HashMap<String, usize>,
        names: impl Iterator<Item = &'a str>,
    ) -> Self {
        Self {
            folder,
            network: Network {
                name,
                blobs: Vec::new(),
                layers: Vec::new(),
                notes: Vec::new(),
                normalisations: BTreeMap::new(),
            },
            batch: 1,
            values: HashMap::new(),
            uses,
            names: LayerNames::new(names),
            reshaped: HashMap::new(),
            elements_left: MAX_ELEMENTS,
            repeated_left: MAX_REPEATED,
            read: HashMap::new(),
        }
    }

    /// The model's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Adds a note for the user.
    pub fn note(&mut self, note: String) {
        self.network.notes.push(note);
    }

    /// What `name` stands for.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// Whether a node that counts, or the graph's output, reads `name`.
    pub fn is_read(&self, name: &str) -> bool {
        self.uses.contains_key(name)
    }

    /// Lets `name` stand for `value`.
    pub fn define(&mut self, name: &str, value: Value) {
        self.values.insert(name.to_owned(), value);
    }

    /// Creates the network's input of extents `dims`, the batch first.
    pub fn input(&mut self, name: &str, dims: Vec<usize>) -> Result<(), Problem> {
        self.batch = dims.first().copied().unwrap_or(1);
        let shape = self.shape(&dims)?;
        let blob = self.blob(name.to_owned(), shape, None);
        self.define(name, Value::Activation(View { blob, dims, reshaped_by: None }));
        Ok(())
    }

    fn blob(&mut self, name: String, shape: Shape, producer: Option<LayerId>) -> BlobId {
        self.network.blobs.push(Blob { name, shape, producer });
        BlobId(self.network.blobs.len() - 1)
    }

    /// One image's extent of activations that the model counts by `dims`.
    fn shape(&self, dims: &[usize]) -> Result<Shape, Problem> {
        self.check_batch(dims)?;
        let shape = match *dims {
            [_, channels] => Shape::new(channels, 1, 1),
            [_, channels, width] => Shape::new(channels, 1, width),
            [_, channels, height, width] => Shape::new(channels, height, width),
            _ => {
                let expected = "batch x channels, with or without one or two spatial axes";
                return Err(Problem::extent("activations", dims, expected));
            }
        };
        Ok(shape)
    }

    /// Checks that `dims` keep images apart and that one image is neither empty nor too large.
    fn check_batch(&self, dims: &[usize]) -> Result<(), Problem> {
        let Some((&batch, image)) = dims.split_first() else {
            return Err(Problem::extent("activations", dims, "the batch as first extent"));
        };
        if batch != self.batch {
            let expected = format!("the batch ({}) as first extent: images do not mix", self.batch);
            return Err(Problem::extent("activations", dims, expected));
        }
        let elements = image.iter().try_fold(1_u64, |product, &dim| product.checked_mul(dim as u64));
        match elements {
            Some(0) => Err(Problem::extent("activations", dims, "extents of at least 1")),
            Some(elements) if elements <= MAX_ELEMENTS => Ok(()),
            _ => Err(Problem::TooManyElements {
                tensor: "one image of activations".to_owned(),
                dims: extents(image),
                limit: MAX_ELEMENTS,
            }),
        }
    }

    /// Adds a layer for `node`.
    pub fn emit(&mut self, node: &Node<'_>, emission: Emission) -> Result<Value, Problem> {
        let dims = emission.dims.clone();
        let blob = self.layer(node.name(), node.output(), emission)?;
        Ok(Value::Activation(View { blob, dims, reshaped_by: None }))
    }

    /// Adds a layer for `node` that changes each element of `view` alone: a reshaped blob stays to be read as it was written.
    pub fn emit_on(&mut self, node: &Node<'_>, kind: LayerKind, view: &View) -> Result<View, Problem> {
        self.check_batch(&view.dims)?;
        let Shape { channels, height, width } = self.network.blob(view.blob).shape;
        let dims = vec![self.batch, channels, height, width];
        let blob = self.layer(node.name(), node.output(), Emission::new(kind, vec![view.blob], dims))?;
        Ok(View { blob, ..view.clone() })
    }

    /// Adds a layer that would like to be called `name` and writes blob `output`.
    fn layer(&mut self, name: &str, output: &str, emission: Emission) -> Result<BlobId, Problem> {
        let shape = self.shape(&emission.dims)?;
        let id = LayerId(self.network.layers.len());
        let output = self.blob(output.to_owned(), shape, Some(id));
        let Emission { kind, inputs, weight, bias, .. } = emission;
        let name = self.names.claim(name);
        self.network.layers.push(Layer { name, kind, inputs, output, weight, bias });
        Ok(output)
    }

    /// The blob of `view` in the shape that its extents say.
    pub fn materialised(&mut self, view: &View) -> Result<BlobId, Problem> {
        let shape = self.shape(&view.dims)?;
        if self.network.blob(view.blob).shape == shape {
            return Ok(view.blob);
        }
        if let Some(&blob) = self.reshaped.get(&(view.blob, shape)) {
            return Ok(blob);
        }
        let blob = self.reshape(view)?;
        self.reshaped.insert((view.blob, shape), blob);
        Ok(blob)
    }

    fn reshape(&mut self, view: &View) -> Result<BlobId, Problem> {
        let first = &self.network.blob(view.blob).name;
        let [name, output] = view.reshaped_by.clone().unwrap_or_else(|| [first.clone(), first.clone()]);
        let emission = Emission::new(LayerKind::Reshape, vec![view.blob], view.dims.clone());
        self.layer(&name, &output, emission)
    }

    /// `view` with the extents `dims`, of as many elements per image.
    pub fn recounted(&self, view: &View, dims: Vec<usize>, names: [String; 2]) -> Result<View, Problem> {
        self.check_batch(&dims)?;
        Ok(View { blob: view.blob, dims, reshaped_by: Some(names) })
    }

    /// The blob and the shape of the activations that `node` reads at `index`.
    pub fn operand(&mut self, node: &Node<'_>, index: usize) -> Result<(BlobId, Shape), Problem> {
        let blob = self.materialised(node.view(index)?)?;
        Ok((blob, self.network.blob(blob).shape))
    }

    /// The values of `constant`, for a parameter.
    pub fn floats(&mut self, constant: &Constant) -> Result<Vec<f32>, Problem> {
        self.charge(constant)?;
        constant.floats()
    }

    /// Counts the elements of `constant` among those that may be read: one tensor of the file may be read any number of times.
    pub fn charge(&mut self, constant: &Constant) -> Result<(), Problem> {
        let elements = constant.elements() as u64;
        let before = self.read.insert(constant.identity(), constant.clone());
        let is_repeated = before.is_some() || constant.is_filled();
        let budgets = [
            (&mut self.elements_left, MAX_ELEMENTS, true),
            (&mut self.repeated_left, MAX_REPEATED, is_repeated),
        ];
        for (left, limit, charged) in budgets {
            if charged {
                *left = left.checked_sub(elements).ok_or_else(|| Problem::TooManyElements {
                    tensor: "the model with another parameter".to_owned(),
                    dims: extents(&constant.dims),
                    limit,
                })?;
            }
        }
        Ok(())
    }

    /// The trained tensor `constant` of extents `dims`, of as many elements.
    pub fn trained(&mut self, constant: &Constant, dims: Vec<usize>) -> Result<Parameter, Problem> {
        let values = Some(self.floats(constant)?);
        Ok(Parameter { dims, values, quantisation: constant.quantisation().cloned() })
    }

    /// One number per channel of activations `dims`, from the constant at `index` that the node spreads over them.
    pub fn per_channel(
        &mut self,
        node: &Node<'_>,
        index: usize,
        dims: &[usize],
    ) -> Result<Parameter, Problem> {
        let constant = node.constant(index)?;
        let channels = dims.get(1).copied().unwrap_or_default();
        let fits = constant.dims.len() <= dims.len()
            && constant
                .dims
                .iter()
                .rev()
                .zip((0..dims.len()).rev())
                .all(|(&extent, axis)| extent == 1 || (axis == 1 && extent == channels));
        let single = constant.elements() == 1;
        if !fits || (single && channels > MAX_SPREAD) {
            let name = format!("the constant '{}'", shown(node.input_name(index)));
            let expected = format!("one number, or one per channel of {}", extents(dims));
            return Err(Problem::extent(name, &constant.dims, expected));
        }
        let mut term = self.trained(constant, vec![channels])?;
        if let (true, Some(values)) = (single, &mut term.values) {
            // Of one element there is one quantiser, too.
            *values = vec![values[0]; channels];
        }
        Ok(term)
    }

    /// The layer whose output `node` alone reads at `index`, as it was written: what the node does to each channel can
    /// become part of that layer.
    pub fn sole_producer(&mut self, node: &Node<'_>, index: usize) -> Option<&mut Layer> {
        let Ok(view) = node.view(index) else { return None };
        let blob = self.network.blob(view.blob);
        let name = node.input_name(index);
        let untouched = view.reshaped_by.is_none() && blob.name == name && self.uses.get(name) == Some(&1);
        let producer = blob.producer.filter(|_| untouched)?;
        self.network.layers.get_mut(producer.0)
    }

    /// Lets the layer that wrote what `node` reads at `index` write the output of `node` instead.
    pub fn absorbed(&mut self, node: &Node<'_>, index: usize) -> Result<Value, Problem> {
        let view = node.view(index)?.clone();
        node.output().clone_into(&mut self.network.blobs[view.blob.0].name);
        Ok(Value::Activation(view))
    }

    /// The network, whose output is the value `output`.
    pub fn finish(mut self, output: &str) -> Result<Network, Problem> {
        let view = match self.values.get(output) {
            Some(Value::Activation(view)) => view.clone(),
            Some(other) => return Err(Problem::value("it", other.kind(), "activations")),
            None => return Err(Problem::missing("value of that name", "activations")),
        };
        let blob = self.materialised(&view)?;
        // The last layer's blob counts as the output; a node that passes its input on wrote none.
        if self.network.layers.is_empty() || self.network.output() != blob {
            self.reshape(&View { reshaped_by: Some([output.to_owned(), output.to_owned()]), ..view })?;
        }
        Ok(self.network)
    }
}

/// Names of layers: data subsets are called by them, so each is given once.
struct LayerNames {
    /// Names of nodes, which no suffix may produce.
    of_nodes: HashSet<String>,
    given: HashSet<String>,
    /// The next suffix for each name that was asked for twice.
    suffixes: HashMap<String, usize>,
}

impl LayerNames {
    fn new<'a>(of_nodes: impl Iterator<Item = &'a str>) -> Self {
        let of_nodes = of_nodes.map(str::to_owned).collect();
        Self { of_nodes, given: HashSet::new(), suffixes: HashMap::new() }
    }

    /// `name`, or where it was given before, `name_1`, `name_2` and so on.
    fn claim(&mut self, name: &str) -> String {
        if self.given.insert(name.to_owned()) {
            return name.to_owned();
        }
        let suffix = self.suffixes.entry(name.to_owned()).or_insert(1);
        loop {
            let candidate = format!("{name}_{suffix}");
            *suffix += 1;
            if !self.of_nodes.contains(&candidate) && self.given.insert(candidate.clone()) {
                return candidate;
            }
        }
    }
}
