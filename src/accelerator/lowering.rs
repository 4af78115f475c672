//! From the layers of a network to the operations of an accelerator: what is fused with its producer, what only arranges data.

use super::operation::{Added, Extent, Follower, Kind, Operation, Source, Window};
use crate::network::{self, BlobId, Layer, LayerId, LayerKind, Network, Operand, Shape};
use std::collections::BTreeSet;
use thiserror::Error;

/// Why a network cannot be lowered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// The kernel is larger than what it slides over.
    #[error("layer `{layer}`: a kernel of {kernel} {axis} does not fit the padded input of {input}")]
    Kernel {
        /// Name of the layer.
        layer: String,
        /// `rows` or `columns`.
        axis: &'static str,
        /// Extent of the kernel, dilated.
        kernel: u64,
        /// Extent of the padded input.
        input: u64,
    },
    /// An extent of 0.
    #[error("layer `{layer}`: its {what} is empty")]
    Empty {
        /// Name of the layer.
        layer: String,
        /// What is empty.
        what: &'static str,
    },
}

/// Which pooling, normalisation and element-wise layers work on their producer's results before these are stored.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fuse {
    /// None.
    None,
    /// All that can be: their producer is an operation, and nothing else reads its results.
    All,
    /// Those of these names, where they can be.
    Layers(BTreeSet<String>),
}

impl Fuse {
    fn wants(&self, layer: &str) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Layers(names) => names.contains(layer),
        }
    }
}

/// Where a blob comes from.
#[derive(Clone, Debug)]
struct Origin {
    sources: Vec<Source>,
    /// The operation whose stored result the blob is, if nothing else reads it on the way.
    tail: Option<usize>,
}

/// The operations of a network, in its order.
struct Lowering<'n> {
    network: &'n Network,
    fuse: &'n Fuse,
    origins: Vec<Option<Origin>>,
    operations: Vec<Operation>,
}

/// The operations of `network`. Activations, dropout, batch normalisation, softmax and reshaping always work on results as
/// they are formed; concatenations only place them. `fuse` decides for pooling, normalisation and element-wise layers: of the
/// last, the producer computed last takes them in and the other inputs are read back. A second pooling layer is not fused
/// behind a first one.
///
/// # Errors
/// [`enum@Error`].
pub fn operations(network: &Network, fuse: &Fuse) -> Result<Vec<Operation>, Error> {
    let mut lowering =
        Lowering { network, fuse, origins: vec![None; network.blobs.len()], operations: Vec::new() };
    lowering.origins[network.input().0] = Some(Origin { sources: vec![Source::Input], tail: None });
    for (id, layer) in network.layers_with_ids() {
        lowering.layer(id, layer)?;
    }
    Ok(lowering.operations)
}

impl Lowering<'_> {
    fn layer(&mut self, id: LayerId, layer: &Layer) -> Result<(), Error> {
        let origin = match &layer.kind {
            LayerKind::Convolution(_)
            | LayerKind::InnerProduct { .. }
            | LayerKind::Pooling(_)
            | LayerKind::LocalResponse(_)
            | LayerKind::Eltwise(_) => self.compute(id, layer)?,
            LayerKind::Concat => self.concatenation(layer),
            LayerKind::Affine
            | LayerKind::Relu { .. }
            | LayerKind::Softmax
            | LayerKind::Dropout
            | LayerKind::Sigmoid
            | LayerKind::Tanh
            | LayerKind::Clip { .. }
            | LayerKind::Reshape
            | LayerKind::Quantise(_) => self.pass_on(layer),
        };
        self.origins[layer.output.0] = Some(origin);
        Ok(())
    }

    fn origin(&self, blob: BlobId) -> &Origin {
        self.origins[blob.0].as_ref().expect("a layer reads only what an earlier one wrote")
    }

    /// The operation that `blob` is the result of, if only one layer reads it.
    fn producer(&self, blob: BlobId) -> Option<usize> {
        self.origin(blob).tail.filter(|_| self.network.readers(blob).count() == 1)
    }

    fn extent(&self, blob: BlobId) -> Extent {
        extent(self.network.blob(blob).shape)
    }

    /// What works on results as they are formed.
    fn pass_on(&mut self, layer: &Layer) -> Origin {
        let input = layer.inputs[0];
        let sources = self.origin(input).sources.clone();
        let tail = self.producer(input);
        let parameters = [&layer.weight, &layer.bias].map(|p| p.as_ref().map_or(0, |p| p.words() as u64));
        let producer = tail.or_else(|| sources.iter().rev().find_map(Source::operation));
        if parameters != [0, 0]
            && let Some(producer) = producer
        {
            let output = self.operations[producer].stored();
            self.operations[producer].followers.push(Follower {
                name: layer.name.clone(),
                kind: Kind::Elementwise,
                window: None,
                span: 1,
                output,
                parameters,
            });
        }
        Origin { sources, tail }
    }

    fn concatenation(&self, layer: &Layer) -> Origin {
        let mut sources: Vec<Source> = Vec::new();
        for &input in &layer.inputs {
            for source in &self.origin(input).sources {
                if !sources.contains(source) {
                    sources.push(*source);
                }
            }
        }
        Origin { sources, tail: None }
    }

    /// Layers with work of their own: fused, or an operation.
    fn compute(&mut self, id: LayerId, layer: &Layer) -> Result<Origin, Error> {
        let index = if let Some((host, through)) = self.host(layer) {
            self.fuse_into(host, through, layer)?;
            host
        } else {
            let operation = self.operation(layer)?;
            self.operations.push(operation);
            self.operations.len() - 1
        };
        debug_assert_eq!(self.network.layer(id).output, layer.output);
        Ok(Origin { sources: vec![Source::Operation(index)], tail: Some(index) })
    }

    /// The operation that takes `layer` in, and the input of `layer` that it forms.
    fn host(&self, layer: &Layer) -> Option<(usize, usize)> {
        let is_product = matches!(layer.kind, LayerKind::Convolution(_) | LayerKind::InnerProduct { .. });
        if is_product || !self.fuse.wants(&layer.name) {
            return None;
        }
        let hosts = layer.inputs.iter().enumerate();
        let (through, host) = hosts
            .filter_map(|(through, &input)| Some((through, self.producer(input)?)))
            .max_by_key(|&(_, host)| host)?;
        let has_window = matches!(layer.kind, LayerKind::Pooling(_))
            || matches!(&layer.kind, LayerKind::LocalResponse(response) if response.within_channel);
        let operation = &self.operations[host];
        let is_taken = operation.pooled().is_some() || operation.kind == Kind::Pooling;
        let comes_later = layer.inputs.iter().enumerate().any(|(other, &input)| {
            other != through && self.origin(input).sources.contains(&Source::Operation(host))
        });
        (!(comes_later || has_window && is_taken)).then_some((host, through))
    }

    fn fuse_into(&mut self, host: usize, through: usize, layer: &Layer) -> Result<(), Error> {
        let follower = Follower {
            name: layer.name.clone(),
            kind: kind(&layer.kind),
            window: has_window(layer).then(|| window(layer)),
            span: span(&layer.kind),
            output: self.extent(layer.output),
            parameters: [0, 0],
        };
        check(layer, self.extent(layer.inputs[through]), &window(layer))?;
        let added = self.added(layer, |index| index != through);
        self.operations[host].followers.push(follower);
        self.operations[host].added.extend(added);
        Ok(())
    }

    /// The inputs of `layer` at these indices.
    fn added(&self, layer: &Layer, is_added: impl Fn(usize) -> bool) -> Vec<Added> {
        let name = |index| match index {
            0 => format!("{}_{}", Operand::Neuron.prefix(), layer.name),
            _ => format!("{}_{}.{index}", Operand::Neuron.prefix(), layer.name),
        };
        (layer.inputs.iter().enumerate())
            .filter(|&(index, _)| is_added(index))
            .map(|(index, &input)| Added {
                subset: name(index),
                words: self.network.blob(input).shape.elements() as u64,
                sources: self.origin(input).sources.clone(),
            })
            .collect()
    }

    fn operation(&self, layer: &Layer) -> Result<Operation, Error> {
        let mut input = self.extent(layer.inputs[0]);
        if matches!(layer.kind, LayerKind::InnerProduct { .. }) {
            let words = self.network.blob(layer.inputs[0]).shape.elements() as u64;
            input = Extent::new(words, 1, 1);
        }
        let window = window(layer);
        check(layer, input, &window)?;
        Ok(Operation {
            name: layer.name.clone(),
            kind: kind(&layer.kind),
            input,
            output: self.extent(layer.output),
            window,
            groups: match &layer.kind {
                LayerKind::Convolution(convolution) => convolution.groups as u64,
                _ => 1,
            },
            has_bias: layer.bias.is_some(),
            followers: Vec::new(),
            sources: self.origin(layer.inputs[0]).sources.clone(),
            added: self.added(layer, |index| index > 0),
        })
    }
}

impl Source {
    /// The operation, unless it is the network's input.
    pub fn operation(&self) -> Option<usize> {
        match *self {
            Self::Input => None,
            Self::Operation(index) => Some(index),
        }
    }
}

fn extent(shape: Shape) -> Extent {
    Extent::new(shape.channels as u64, shape.height as u64, shape.width as u64)
}

fn kind(kind: &LayerKind) -> Kind {
    match kind {
        LayerKind::Convolution(_) => Kind::Convolution,
        LayerKind::InnerProduct { .. } => Kind::FullyConnected,
        LayerKind::Pooling(_) => Kind::Pooling,
        LayerKind::LocalResponse(_) => Kind::Normalisation,
        _ => Kind::Elementwise,
    }
}

/// Channels that a result depends on.
fn span(kind: &LayerKind) -> u64 {
    match kind {
        LayerKind::LocalResponse(response) if !response.within_channel => response.size as u64,
        _ => 1,
    }
}

fn has_window(layer: &Layer) -> bool {
    window(layer) != Window::POINT
}

/// The window of `layer` over rows and columns.
fn window(layer: &Layer) -> Window {
    let of = |window: &network::Window| {
        let pair = |[rows, columns]: [usize; 2]| [rows as u64, columns as u64];
        Window {
            kernel: pair(window.kernel),
            stride: pair(window.stride),
            pad: pair(window.pad),
            pad_end: pair(window.pad_end),
            dilation: pair(window.dilation),
        }
    };
    match &layer.kind {
        LayerKind::Convolution(convolution) => of(&convolution.window),
        LayerKind::Pooling(pooling) => of(&pooling.window),
        LayerKind::LocalResponse(response) if response.within_channel => {
            let (size, before) = (response.size as u64, (response.size as u64).saturating_sub(1) / 2);
            let behind = size.saturating_sub(1) - before;
            Window { kernel: [size; 2], pad: [before; 2], pad_end: [behind; 2], ..Window::POINT }
        }
        _ => Window::POINT,
    }
}

/// Refuses what no array can compute.
fn check(layer: &Layer, input: Extent, window: &Window) -> Result<(), Error> {
    let name = || layer.name.clone();
    if input.words() == Some(0) {
        return Err(Error::Empty { layer: name(), what: "input" });
    }
    let parts = [window.kernel, window.stride, window.dilation].concat();
    if parts.contains(&0) {
        return Err(Error::Empty { layer: name(), what: "window" });
    }
    // Pooling windows may reach beyond the input: they are clipped there.
    if !matches!(layer.kind, LayerKind::Convolution(_)) {
        return Ok(());
    }
    for (axis, what) in ["rows", "columns"].into_iter().enumerate() {
        let kernel = (window.kernel[axis] - 1) * window.dilation[axis] + 1;
        let extent = if axis == 0 { input.height } else { input.width };
        let padded = extent + window.pad[axis] + window.pad_end[axis];
        if kernel > padded {
            return Err(Error::Kernel { layer: name(), axis: what, kernel, input: padded });
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "lowering_tests.rs"]
mod tests;
