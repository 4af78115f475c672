//! Compilation of a network: every contradiction is found here, so that a pass cannot fail on the network.

use super::forward::Workspaces;
use super::kernel::InstructionSet;
use super::layout::{Border, Layout};
use super::pooling::Pool;
use super::product::Product;
use super::{Error, Weights};
use crate::network::{BlobId, Convolution, Layer, LayerKind, Network, Shape, Window};

/// What a layer does, compiled.
#[derive(Debug)]
pub(super) enum Operation {
    Product(Product),
    Pool(Pool),
    Relu(f32),
    Softmax,
    Identity,
}

/// One compiled layer.
#[derive(Debug)]
pub(super) struct Step {
    pub operation: Operation,
    pub input: BlobId,
    pub output: BlobId,
}

/// A network compiled for one instruction set.
#[derive(Debug)]
pub struct Engine {
    pub(super) set: InstructionSet,
    /// One per layer of the network.
    pub(super) steps: Vec<Step>,
    /// One per blob of the network.
    pub(super) layouts: Vec<Layout>,
    pub(super) names: Vec<String>,
    pub(super) workspaces: Workspaces,
    logits: BlobId,
}

impl Engine {
    /// Compiles `network` for the fastest instruction set of this processor. Weights are not needed.
    ///
    /// # Errors
    /// [`Error::Unsupported`] names the first layer that cannot be computed; [`Error::Inconsistent`] and
    /// [`Error::Extent`] one whose shapes do not fit; [`Error::Empty`] a network without layers.
    pub fn new(network: &Network) -> Result<Self, Error> {
        Self::with_instruction_set(network, InstructionSet::detect())
    }

    /// Compiles `network` for `set`.
    ///
    /// # Errors
    /// As [`Self::new`], and [`Error::InstructionSet`] if this processor lacks the set.
    pub fn with_instruction_set(network: &Network, set: InstructionSet) -> Result<Self, Error> {
        if !set.is_available() {
            return Err(Error::InstructionSet(set));
        }
        check_graph(network)?;
        let layouts = layouts(network)?;
        let steps =
            network.layers.iter().map(|layer| compile(network, layer, &layouts)).collect::<Result<_, _>>()?;
        let last = network.layers.last().ok_or(Error::Empty)?;
        let logits = if last.kind == LayerKind::Softmax { last.inputs[0] } else { last.output };
        let names = network.blobs.iter().map(|blob| blob.name.clone()).collect();
        Ok(Self { set, steps, layouts, names, workspaces: Workspaces::default(), logits })
    }

    /// The instruction set in use.
    pub fn instruction_set(&self) -> InstructionSet {
        self.set
    }

    /// The blob whose largest element is the prediction: the input of a final softmax, else the network's output.
    pub fn logits(&self) -> BlobId {
        self.logits
    }

    /// Packs the weights and biases of `network`, which must be the one that was compiled.
    ///
    /// # Errors
    /// [`Error::MissingValues`] where only the definition was read; [`Error::Inconsistent`] where a tensor has not the
    /// number of values that its extents announce; [`Error::ForeignWeights`] for another network.
    pub fn pack(&self, network: &Network) -> Result<Weights, Error> {
        if network.layers.len() != self.steps.len() {
            return Err(Error::ForeignWeights);
        }
        let pack = |(layer, step): (&Layer, &Step)| match &step.operation {
            Operation::Product(product) => {
                let packed = Weights::pack_layer(layer, product)?;
                if packed.fits(product) { Ok(Some(packed)) } else { Err(Error::ForeignWeights) }
            }
            _ => Ok(None),
        };
        Ok(Weights { layers: network.layers.iter().zip(&self.steps).map(pack).collect::<Result<_, _>>()? })
    }
}

fn inconsistent<T>(layer: &Layer, reason: String) -> Result<T, Error> {
    Err(Error::Inconsistent { layer: layer.name.clone(), reason })
}

/// Whether the engine computes layers of this kind.
fn is_computed(kind: &LayerKind) -> bool {
    matches!(
        kind,
        LayerKind::Convolution(_)
            | LayerKind::InnerProduct { .. }
            | LayerKind::Pooling(_)
            | LayerKind::Relu { .. }
            | LayerKind::Softmax
            | LayerKind::Dropout
    )
}

/// Checks that layers read one earlier blob, write each blob once, and are of computable kinds.
fn check_graph(network: &Network) -> Result<(), Error> {
    let mut written: Vec<bool> = network.blobs.iter().map(|blob| blob.producer.is_none()).collect();
    for layer in &network.layers {
        if !is_computed(&layer.kind) {
            return Err(Error::Unsupported { layer: layer.name.clone(), kind: layer.kind.name() });
        }
        let [input] = layer.inputs[..] else {
            return inconsistent(layer, format!("it reads {} blobs instead of one", layer.inputs.len()));
        };
        if written.get(input.0) != Some(&true) {
            return inconsistent(layer, "it reads a blob that no earlier layer writes".into());
        }
        match written.get_mut(layer.output.0) {
            Some(written @ false) => *written = true,
            _ => return inconsistent(layer, "it writes a blob that exists already".into()),
        }
    }
    Ok(())
}

/// The layout of each blob, with the largest border that a reader needs. An element-wise layer may work in place, so
/// its input and output share one border.
fn layouts(network: &Network) -> Result<Vec<Layout>, Error> {
    let mut borders = vec![Border::default(); network.blobs.len()];
    for layer in network.layers.iter().rev() {
        let input = layer.inputs[0].0;
        let border = match &layer.kind {
            LayerKind::Convolution(convolution) => {
                let shape = network.blobs[input].shape;
                check_convolution(layer, convolution, shape, network.blob(layer.output).shape)?
            }
            LayerKind::Relu { .. } | LayerKind::Dropout => borders[layer.output.0],
            _ => Border::default(),
        };
        borders[input] = borders[input].union(border);
    }
    for layer in &network.layers {
        if matches!(layer.kind, LayerKind::Relu { .. } | LayerKind::Dropout) {
            borders[layer.output.0] = borders[layer.inputs[0].0];
        }
    }
    let layout = |(blob, border): (&crate::network::Blob, Border)| {
        Layout::new(blob.shape, border)
            .ok_or_else(|| Error::Extent { blob: blob.name.clone(), shape: blob.shape })
    };
    network.blobs.iter().zip(borders).map(layout).collect()
}

/// Checks a convolution and yields the border that it needs around its input.
fn check_convolution(
    layer: &Layer,
    convolution: &Convolution,
    input: Shape,
    output: Shape,
) -> Result<Border, Error> {
    let Convolution { outputs, window, groups } = *convolution;
    check_window(layer, &window)?;
    if groups == 0
        || outputs == 0
        || !outputs.is_multiple_of(groups)
        || !input.channels.is_multiple_of(groups)
    {
        let channels = input.channels;
        return inconsistent(layer, format!("{channels} inputs and {outputs} outputs in {groups} groups"));
    }
    let dims = [outputs, input.channels / groups, window.kernel[0], window.kernel[1]];
    check_parameters(layer, &dims, outputs)?;
    // Per axis: the number of outputs, and the rows needed behind the image's last.
    let axis = |axis: usize, extent: usize| {
        let reach = window.kernel[axis].checked_sub(1)?.checked_mul(window.dilation[axis])?;
        let padded = extent.checked_add(window.pad[axis])?.checked_add(window.pad_end[axis])?;
        let count = padded.checked_sub(reach)?.checked_sub(1)? / window.stride[axis] + 1;
        let last = (count - 1) * window.stride[axis] + reach;
        Some((count, last.saturating_sub(window.pad[axis] + extent - 1)))
    };
    let (Some((height, bottom)), Some((width, right))) = (axis(0, input.height), axis(1, input.width)) else {
        return inconsistent(layer, format!("its kernel is larger than the padded {input} input"));
    };
    if output != Shape::new(outputs, height, width) {
        let computed = Shape::new(outputs, height, width);
        return inconsistent(layer, format!("its output is declared {output} but computed {computed}"));
    }
    Ok(Border { top: window.pad[0], left: window.pad[1], bottom, right })
}

fn check_window(layer: &Layer, window: &Window) -> Result<(), Error> {
    let least = [window.kernel, window.stride, window.dilation].into_iter().flatten().min();
    if least == Some(0) {
        return inconsistent(layer, "a kernel, stride or dilation is 0".into());
    }
    Ok(())
}

/// Checks the extents of weight and bias.
fn check_parameters(layer: &Layer, dims: &[usize], outputs: usize) -> Result<(), Error> {
    match &layer.weight {
        None => inconsistent(layer, "it has no weight".into()),
        Some(weight) if weight.dims != dims => {
            inconsistent(layer, format!("its weight is {:?} instead of {dims:?}", weight.dims))
        }
        Some(_) => match &layer.bias {
            Some(bias) if bias.dims.iter().try_fold(1, |n: usize, &d| n.checked_mul(d)) != Some(outputs) => {
                inconsistent(layer, format!("its bias is {:?} for {outputs} outputs", bias.dims))
            }
            _ => Ok(()),
        },
    }
}

/// Compiles one layer whose graph and convolution have been checked.
fn compile(network: &Network, layer: &Layer, layouts: &[Layout]) -> Result<Step, Error> {
    let from = &layouts[layer.inputs[0].0];
    let to = &layouts[layer.output.0];
    let same_shape = || {
        if from.shape == to.shape {
            Ok(())
        } else {
            inconsistent(layer, format!("its input is {} and its output {}", from.shape, to.shape))
        }
    };
    let operation = match &layer.kind {
        LayerKind::Convolution(convolution) => {
            Operation::Product(Product::convolution(convolution, from, to.shape))
        }
        LayerKind::InnerProduct { outputs } => {
            check_parameters(layer, &[*outputs, from.shape.elements()], *outputs)?;
            if to.shape != Shape::new(*outputs, 1, 1) {
                return inconsistent(
                    layer,
                    format!("its output is declared {} for {outputs} outputs", to.shape),
                );
            }
            Operation::Product(Product::inner_product(*outputs, from))
        }
        LayerKind::Pooling(pooling) => {
            check_window(layer, &pooling.window)?;
            if from.shape.channels != to.shape.channels {
                same_shape()?;
            }
            match Pool::new(pooling, from.shape, to.shape) {
                Some(pool) => Operation::Pool(pool),
                None => return inconsistent(layer, "a window holds no element of the image".into()),
            }
        }
        LayerKind::Relu { negative_slope } => same_shape().map(|()| Operation::Relu(*negative_slope))?,
        LayerKind::Dropout => same_shape().map(|()| Operation::Identity)?,
        LayerKind::Softmax => same_shape().map(|()| Operation::Softmax)?,
        _ => {
            return Err(Error::Unsupported { layer: layer.name.clone(), kind: layer.kind.name() });
        }
    };
    debug_assert!(layer.output.0 < network.blobs.len());
    Ok(Step { operation, input: layer.inputs[0], output: layer.output })
}
