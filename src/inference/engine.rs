//! Compilation of a network: every contradiction is found here, so that a pass cannot fail on the network.

use super::activation::Activation;
use super::eltwise::Combination;
use super::forward::Workspaces;
use super::kernel::InstructionSet;
use super::layout::{Border, Layout, Order};
use super::lrn::Normalisation;
use super::pooling::Pool;
use super::product::Product;
use super::weights::Packing;
use super::{Arrangement, Error, LANES, Weights};
use crate::network::{BlobId, Convolution, Eltwise, Layer, LayerKind, Network, Shape, Window};

/// What a layer does, compiled.
#[derive(Debug)]
pub(super) enum Operation {
    Product(Product),
    Pool(Pool),
    /// Element by element.
    Map(Activation),
    /// Element by element over several inputs; one per input.
    Combine(Vec<Combination>),
    Normalise(Normalisation),
    Softmax,
    /// The same elements in the same order.
    Rearrange,
    Concat,
}

impl Operation {
    /// How the trained values are packed, if there are any.
    pub fn packing(&self, channels: usize) -> Option<Packing> {
        match self {
            Self::Product(product) => Some(product.packing()),
            Self::Map(Activation::Affine) => Some(Packing::per_channel(channels)),
            _ => None,
        }
    }
}

/// One compiled layer.
#[derive(Debug)]
pub(super) struct Step {
    pub operation: Operation,
    /// At least one.
    pub inputs: Vec<BlobId>,
    pub output: BlobId,
    pub packing: Option<Packing>,
}

/// A network compiled for one instruction set.
#[derive(Debug)]
pub struct Engine {
    pub(super) set: InstructionSet,
    pub(super) arrangement: Arrangement,
    /// One per layer of the network.
    pub(super) steps: Vec<Step>,
    /// One per blob of the network.
    pub(super) layouts: Vec<Layout>,
    pub(super) names: Vec<String>,
    pub(super) workspaces: Workspaces,
    logits: BlobId,
}

impl Engine {
    /// Compiles `network` for the fastest instruction set of this processor, in the arrangement that suits it better.
    /// Weights are not needed.
    ///
    /// # Errors
    /// [`Error::Inconsistent`] and [`Error::Extent`] name the first layer or blob whose shapes do not fit or are too
    /// large, [`Error::Empty`] a network without layers.
    pub fn new(network: &Network) -> Result<Self, Error> {
        Self::with_instruction_set(network, InstructionSet::detect())
    }

    /// Compiles `network` for `set`.
    ///
    /// # Errors
    /// As [`Self::new`], and [`Error::InstructionSet`] if this processor lacks the set.
    pub fn with_instruction_set(network: &Network, set: InstructionSet) -> Result<Self, Error> {
        Self::arranged(network, set, Arrangement::of(network))
    }

    /// Compiles `network` for `set` in a given arrangement. It changes no bit of any result.
    ///
    /// # Errors
    /// As [`Self::with_instruction_set`].
    pub fn arranged(network: &Network, set: InstructionSet, arrangement: Arrangement) -> Result<Self, Error> {
        if !set.is_available() {
            return Err(Error::InstructionSet(set));
        }
        check_graph(network)?;
        let layouts = layouts(network, arrangement)?;
        let order = Order::from(arrangement);
        let compile = |layer| compile(layer, &layouts, order);
        let steps = network.layers.iter().map(compile).collect::<Result<_, _>>()?;
        let last = network.layers.last().ok_or(Error::Empty)?;
        let logits = if last.kind == LayerKind::Softmax { last.inputs[0] } else { last.output };
        let names = network.blobs.iter().map(|blob| blob.name.clone()).collect();
        Ok(Self { set, arrangement, steps, layouts, names, workspaces: Workspaces::default(), logits })
    }

    /// What the lanes of its vectors hold.
    pub fn arrangement(&self) -> Arrangement {
        self.arrangement
    }

    /// The instruction set in use.
    pub fn instruction_set(&self) -> InstructionSet {
        self.set
    }

    /// Whether a layer is a fully connected one.
    pub(super) fn is_flat(&self, layer: usize) -> bool {
        matches!(&self.steps[layer].operation, Operation::Product(product) if product.is_flat())
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
        let pack = |(layer, step): (&Layer, &Step)| {
            step.packing.map(|packing| Weights::pack_layer(layer, packing)).transpose()
        };
        Ok(Weights { layers: network.layers.iter().zip(&self.steps).map(pack).collect::<Result<_, _>>()? })
    }
}

fn inconsistent<T>(layer: &Layer, reason: String) -> Result<T, Error> {
    Err(Error::Inconsistent { layer: layer.name.clone(), reason })
}

/// Checks that layers read earlier blobs and write each blob once.
fn check_graph(network: &Network) -> Result<(), Error> {
    let mut written: Vec<bool> = network.blobs.iter().map(|blob| blob.producer.is_none()).collect();
    for layer in &network.layers {
        let several = matches!(layer.kind, LayerKind::Concat | LayerKind::Eltwise(_));
        if layer.inputs.is_empty() || (layer.inputs.len() > 1 && !several) {
            return inconsistent(layer, format!("it reads {} blobs instead of one", layer.inputs.len()));
        }
        if layer.inputs.iter().any(|input| written.get(input.0) != Some(&true)) {
            return inconsistent(layer, "it reads a blob that no earlier layer writes".into());
        }
        match written.get_mut(layer.output.0) {
            Some(written @ false) => *written = true,
            _ => return inconsistent(layer, "it writes a blob that exists already".into()),
        }
    }
    Ok(())
}

/// The inputs of `layer` that its output may share the storage of, so that they have one border.
fn alike(layer: &Layer) -> &[BlobId] {
    match layer.kind {
        LayerKind::Concat => &layer.inputs,
        LayerKind::Relu { .. }
        | LayerKind::Dropout
        | LayerKind::Affine
        | LayerKind::Sigmoid
        | LayerKind::Tanh
        | LayerKind::Clip { .. }
        | LayerKind::Quantise(_)
        | LayerKind::Eltwise(_) => &layer.inputs[..1],
        LayerKind::Convolution(_)
        | LayerKind::InnerProduct { .. }
        | LayerKind::Pooling(_)
        | LayerKind::LocalResponse(_)
        | LayerKind::Softmax
        | LayerKind::Reshape => &[],
    }
}

/// The blob that stands for all that are linked with `blob`.
fn first(alikes: &mut [usize], mut blob: usize) -> usize {
    while alikes[blob] != blob {
        alikes[blob] = alikes[alikes[blob]];
        blob = alikes[blob];
    }
    blob
}

/// The layout of each blob, with the largest border that a reader of it, or of one that shares its storage, needs.
fn layouts(network: &Network, arrangement: Arrangement) -> Result<Vec<Layout>, Error> {
    // Per blob another one with the same border; itself where it stands for all of them.
    let mut alikes: Vec<usize> = (0..network.blobs.len()).collect();
    for layer in &network.layers {
        for input in alike(layer) {
            let (one, other) = (first(&mut alikes, input.0), first(&mut alikes, layer.output.0));
            alikes[other] = one;
        }
    }
    let mut borders = vec![Border::default(); network.blobs.len()];
    for layer in &network.layers {
        if let LayerKind::Convolution(convolution) = &layer.kind {
            let input = layer.inputs[0];
            let (from, to) = (network.blob(input).shape, network.blob(layer.output).shape);
            let border = &mut borders[first(&mut alikes, input.0)];
            *border = border.union(check_convolution(layer, convolution, from, to)?);
        }
    }
    let layout = |(index, blob): (usize, &crate::network::Blob)| {
        let order = match arrangement {
            Arrangement::Channels if is_planar(network, BlobId(index)) => Order::Planar,
            _ => arrangement.into(),
        };
        Layout::new(blob.shape, borders[first(&mut alikes, index)], order)
            .ok_or_else(|| Error::Extent { blob: blob.name.clone(), shape: blob.shape })
    };
    network.blobs.iter().enumerate().map(layout).collect()
}

/// Whether single values of `blob`, an input, serve its readers better than vectors of channels that hold few.
fn is_planar(network: &Network, blob: BlobId) -> bool {
    let is_small = network.blob(blob).producer.is_none() && network.blob(blob).shape.channels < LANES;
    let mut readers = network.layers.iter().filter(|layer| layer.inputs.contains(&blob));
    is_small && readers.all(|reader| matches!(reader.kind, LayerKind::Convolution(_)))
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
fn compile(layer: &Layer, layouts: &[Layout], order: Order) -> Result<Step, Error> {
    let from = &layouts[layer.inputs[0].0];
    let to = &layouts[layer.output.0];
    let same_shape = || {
        if from.shape == to.shape {
            Ok(())
        } else {
            inconsistent(layer, format!("its input is {} and its output {}", from.shape, to.shape))
        }
    };
    let map = |activation| same_shape().map(|()| Operation::Map(activation));
    let operation = match &layer.kind {
        LayerKind::Convolution(convolution) => {
            Operation::Product(Product::convolution(convolution, from, to.shape, order))
        }
        LayerKind::InnerProduct { outputs } => {
            check_parameters(layer, &[*outputs, from.shape.elements()], *outputs)?;
            if to.shape != Shape::new(*outputs, 1, 1) {
                return inconsistent(
                    layer,
                    format!("its output is declared {} for {outputs} outputs", to.shape),
                );
            }
            Operation::Product(Product::inner_product(*outputs, from, order))
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
        LayerKind::Relu { negative_slope } => map(Activation::Relu(*negative_slope))?,
        LayerKind::Sigmoid => map(Activation::Sigmoid)?,
        LayerKind::Tanh => map(Activation::Tanh)?,
        LayerKind::Clip { min, max } => map(Activation::Clip { min: *min, max: *max })?,
        LayerKind::Quantise(quantiser) => map(Activation::Quantise(*quantiser))?,
        LayerKind::Affine => {
            check_parameters(layer, &[from.shape.channels], from.shape.channels)?;
            map(Activation::Affine)?
        }
        LayerKind::Dropout => same_shape().map(|()| Operation::Rearrange)?,
        LayerKind::Softmax => same_shape().map(|()| Operation::Softmax)?,
        LayerKind::LocalResponse(response) => {
            same_shape()?;
            match Normalisation::new(response) {
                Ok(normalisation) => Operation::Normalise(normalisation),
                Err(reason) => return inconsistent(layer, reason.into()),
            }
        }
        LayerKind::Eltwise(eltwise) => Operation::Combine(combinations(layer, eltwise, layouts)?),
        LayerKind::Concat => check_concat(layer, layouts).map(|()| Operation::Concat)?,
        LayerKind::Reshape => {
            if from.shape.elements() != to.shape.elements() {
                same_shape()?;
            }
            Operation::Rearrange
        }
    };
    let packing = operation.packing(from.shape.channels);
    Ok(Step { operation, inputs: layer.inputs.clone(), output: layer.output, packing })
}

/// How each input of an element-wise layer joins the others.
fn combinations(layer: &Layer, eltwise: &Eltwise, layouts: &[Layout]) -> Result<Vec<Combination>, Error> {
    let output = layouts[layer.output.0].shape;
    if let Some(input) =
        layer.inputs.iter().map(|input| layouts[input.0].shape).find(|&input| input != output)
    {
        return inconsistent(layer, format!("it reads a blob of {input} for an output of {output}"));
    }
    let inputs = layer.inputs.len();
    match eltwise {
        Eltwise::Sum { coefficients } if coefficients.len() != inputs => {
            inconsistent(layer, format!("it has {} coefficients for {inputs} inputs", coefficients.len()))
        }
        Eltwise::Sum { coefficients } => Ok(coefficients.iter().copied().map(Combination::Sum).collect()),
        Eltwise::Product => Ok(vec![Combination::Product; inputs]),
        Eltwise::Max => Ok(vec![Combination::Max; inputs]),
    }
}

fn check_concat(layer: &Layer, layouts: &[Layout]) -> Result<(), Error> {
    let shapes = || layer.inputs.iter().map(|input| layouts[input.0].shape);
    let output = layouts[layer.output.0].shape;
    let channels = shapes().try_fold(0_usize, |channels, shape| channels.checked_add(shape.channels));
    let fits = shapes().all(|shape| Shape { channels: output.channels, ..shape } == output);
    if channels == Some(output.channels) && fits {
        return Ok(());
    }
    let shapes = shapes().map(|shape| shape.to_string()).collect::<Vec<_>>().join(", ");
    inconsistent(layer, format!("it reads blobs of {shapes} for an output of {output}"))
}
