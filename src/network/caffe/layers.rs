//! Layer types: what each becomes in the graph, and which shapes follow from its parameters.

use super::fault::{Fault, Section};
use super::schema::v1_layer_parameter::LayerType as V1;
use super::schema::{LayerParameter, lrn_parameter::NormRegion};
use super::schema::{pooling_parameter::PoolMethod, pooling_parameter::RoundMode};
use super::{arrangement, elementwise, window};
use crate::network::{Convolution, LayerKind, LocalResponse, Pooling, PoolingMethod, Shape};

/// What a layer becomes.
pub struct Lowered {
    /// What it computes.
    pub kind: LayerKind,
    /// Extent of its output.
    pub output: Shape,
    /// Extents of its weight.
    pub weight: Option<Vec<usize>>,
    /// Extents of its bias.
    pub bias: Option<Vec<usize>>,
    /// Of a batch normalisation what is added to the variance.
    pub epsilon: Option<f32>,
}

impl Lowered {
    pub fn without_parameters(kind: LayerKind, output: Shape) -> Self {
        Self { kind, output, weight: None, bias: None, epsilon: None }
    }
}

/// The blobs that a layer reads.
pub struct Inputs<'a> {
    /// Extents of one image.
    pub shapes: &'a [Shape],
    /// Images of the definition.
    pub batch: i64,
}

impl Inputs<'_> {
    /// The extent of the only blob.
    pub fn only(&self, layer: &LayerParameter) -> Result<Shape, Fault> {
        match self.shapes {
            [_, _, ..] => Err(Section::layer(layer).conflict_at(
                ("bottom", 1),
                format!(
                    "found {} blobs to read, expected one for a layer of type {}",
                    self.shapes.len(),
                    layer.r#type()
                ),
            )),
            _ => self.first(layer),
        }
    }

    /// The extent of the first of one or more blobs.
    pub fn first(&self, layer: &LayerParameter) -> Result<Shape, Fault> {
        self.shapes
            .first()
            .copied()
            .ok_or_else(|| Section::layer(layer).missing("bottom", "the blob that it reads"))
    }

    /// Refuses the first blob whose extent does not fit.
    pub fn check_all(
        &self,
        layer: &LayerParameter,
        expected: &str,
        fits: impl Fn(Shape) -> bool,
    ) -> Result<(), Fault> {
        match self.shapes.iter().position(|&shape| !fits(shape)) {
            None => Ok(()),
            Some(index) => {
                let (blob, shape) = (&layer.bottom[index], self.shapes[index]);
                let reason = format!("reads blob '{blob}' of {shape}, expected {expected}");
                Err(Section::layer(layer).conflict_at(("bottom", index), reason))
            }
        }
    }
}

/// Derives a layer from its definition and the blobs that it reads.
type Lowering = fn(&LayerParameter, &Inputs<'_>) -> Result<Lowered, Fault>;

/// What the importer does with a layer.
#[derive(Clone, Copy)]
pub enum Role {
    /// Provides the network's input.
    Data,
    /// Plays no part in inference.
    Training,
    /// Gives its input further names.
    Split,
    /// Becomes a layer of the graph.
    Compute {
        /// How.
        lower: Lowering,
        /// The message with its parameters.
        parameter: &'static str,
        /// Whether it may write to the blob that it reads.
        in_place: bool,
    },
}

/// A supported layer type.
pub struct Kind {
    /// Name of the type.
    pub name: &'static str,
    /// The type in V1 definitions.
    pub v1: Option<V1>,
    /// What becomes of it.
    pub role: Role,
}

const fn data(name: &'static str, v1: Option<V1>) -> Kind {
    Kind { name, v1, role: Role::Data }
}

const fn training(name: &'static str, v1: Option<V1>) -> Kind {
    Kind { name, v1, role: Role::Training }
}

const fn compute(name: &'static str, v1: Option<V1>, parameter: &'static str, lower: Lowering) -> Kind {
    Kind { name, v1, role: Role::Compute { lower, parameter, in_place: false } }
}

const fn in_place(name: &'static str, v1: Option<V1>, parameter: &'static str, lower: Lowering) -> Kind {
    Kind { name, v1, role: Role::Compute { lower, parameter, in_place: true } }
}

/// All supported types. Caffe's other layers compute wrong values when they write in place.
pub const KINDS: &[Kind] = &[
    compute("Convolution", Some(V1::Convolution), "convolution_param", convolution),
    compute("Pooling", Some(V1::Pooling), "pooling_param", pooling),
    compute("InnerProduct", Some(V1::InnerProduct), "inner_product_param", inner_product),
    in_place("ReLU", Some(V1::Relu), "relu_param", elementwise::relu),
    compute("LRN", Some(V1::Lrn), "lrn_param", local_response),
    in_place("BatchNorm", None, "batch_norm_param", elementwise::batch_norm),
    in_place("Scale", None, "scale_param", elementwise::scale),
    compute("Concat", Some(V1::Concat), "concat_param", arrangement::concat),
    compute("Eltwise", Some(V1::Eltwise), "eltwise_param", elementwise::eltwise),
    in_place("Sigmoid", Some(V1::Sigmoid), "sigmoid_param", elementwise::sigmoid),
    in_place("TanH", Some(V1::Tanh), "tanh_param", elementwise::tanh),
    in_place("Clip", None, "clip_param", elementwise::clip),
    compute("Flatten", Some(V1::Flatten), "flatten_param", arrangement::flatten),
    compute("Reshape", None, "reshape_param", arrangement::reshape),
    Kind { name: "Split", v1: Some(V1::Split), role: Role::Split },
    in_place("Softmax", Some(V1::Softmax), "softmax_param", softmax),
    in_place("Dropout", Some(V1::Dropout), "dropout_param", elementwise::dropout),
    data("Input", None),
    data("Data", Some(V1::Data)),
    data("DummyData", Some(V1::DummyData)),
    data("HDF5Data", Some(V1::Hdf5Data)),
    data("ImageData", Some(V1::ImageData)),
    data("MemoryData", Some(V1::MemoryData)),
    training("Accuracy", Some(V1::Accuracy)),
    training("EuclideanLoss", Some(V1::EuclideanLoss)),
    training("HingeLoss", Some(V1::HingeLoss)),
    training("MultinomialLogisticLoss", Some(V1::MultinomialLogisticLoss)),
    training("SigmoidCrossEntropyLoss", Some(V1::SigmoidCrossEntropyLoss)),
    training("Silence", Some(V1::Silence)),
    training("SoftmaxWithLoss", Some(V1::SoftmaxLoss)),
];

/// The supported type called `name`.
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// The number of outputs of `section`, at least 1.
fn outputs(num_output: Option<u32>, section: &Section) -> Result<usize, Fault> {
    match num_output {
        None => Err(section.missing("num_output", "the number of outputs")),
        Some(0) => Err(section.value("num_output", 0, "at least 1")),
        Some(outputs) => Ok(outputs as usize),
    }
}

pub fn check_axis(axis: i32, section: &Section) -> Result<(), Fault> {
    if axis == 1 { Ok(()) } else { Err(section.value("axis", axis, "1 (the channels)")) }
}

pub fn check_finite(field: &'static str, value: f32, section: &Section) -> Result<(), Fault> {
    if value.is_finite() { Ok(()) } else { Err(section.value(field, value, "a finite number")) }
}

fn convolution(layer: &LayerParameter, inputs: &Inputs<'_>) -> Result<Lowered, Fault> {
    let input = inputs.only(layer)?;
    let section = Section::parameter(layer, "convolution_param");
    let parameter = layer.convolution_param.as_ref().ok_or_else(|| {
        Section::layer(layer).missing("convolution_param", "num_output and kernel_size of the convolution")
    })?;
    check_axis(parameter.axis(), &section)?;
    let outputs = outputs(parameter.num_output, &section)?;
    let groups = parameter.group() as usize;
    if groups == 0 {
        return Err(section.value("group", 0, "at least 1"));
    }
    if !input.channels.is_multiple_of(groups) {
        return Err(section.extent(
            "group",
            input,
            format!("expected a multiple of {groups} channels (group)"),
        ));
    }
    if !outputs.is_multiple_of(groups) {
        return Err(section.value("num_output", outputs, format!("a multiple of group = {groups}")));
    }
    let window = window::of_convolution(parameter, &section)?;
    let [height, width] = window::convolved(&window, input, &section)?;
    section.check_elements("num_output", "its output", &[outputs, height, width])?;
    let weight = vec![outputs, input.channels / groups, window.kernel[0], window.kernel[1]];
    section.check_elements("num_output", "its weight", &weight)?;
    Ok(Lowered {
        kind: LayerKind::Convolution(Convolution { outputs, window, groups }),
        output: Shape::new(outputs, height, width),
        weight: Some(weight),
        bias: parameter.bias_term().then(|| vec![outputs]),
        epsilon: None,
    })
}

fn inner_product(layer: &LayerParameter, inputs: &Inputs<'_>) -> Result<Lowered, Fault> {
    let input = inputs.only(layer)?;
    let section = Section::parameter(layer, "inner_product_param");
    let parameter = layer
        .inner_product_param
        .as_ref()
        .ok_or_else(|| Section::layer(layer).missing("inner_product_param", "num_output of the layer"))?;
    check_axis(parameter.axis(), &section)?;
    if parameter.transpose() {
        return Err(section.value("transpose", true, "false"));
    }
    let outputs = outputs(parameter.num_output, &section)?;
    let weight = vec![outputs, input.elements()];
    section.check_elements("num_output", "its weight", &weight)?;
    Ok(Lowered {
        kind: LayerKind::InnerProduct { outputs },
        output: Shape::new(outputs, 1, 1),
        weight: Some(weight),
        bias: parameter.bias_term().then(|| vec![outputs]),
        epsilon: None,
    })
}

fn pooling(layer: &LayerParameter, inputs: &Inputs<'_>) -> Result<Lowered, Fault> {
    let input = inputs.only(layer)?;
    let section = Section::parameter(layer, "pooling_param");
    let parameter = layer
        .pooling_param
        .as_ref()
        .ok_or_else(|| Section::layer(layer).missing("pooling_param", "kernel_size of the pooling"))?;
    // The generated accessors replace an unknown number by the default.
    let method = match PoolMethod::try_from(parameter.pool.unwrap_or_default()) {
        Ok(PoolMethod::Max) => PoolingMethod::Max,
        Ok(PoolMethod::Ave) => PoolingMethod::Average { count_padding: true },
        Ok(PoolMethod::Stochastic) => return Err(section.value("pool", "STOCHASTIC", "MAX or AVE")),
        Err(unknown) => return Err(section.value("pool", unknown.0, "MAX or AVE")),
    };
    let rounding = RoundMode::try_from(parameter.round_mode.unwrap_or_default())
        .map_err(|unknown| section.value("round_mode", unknown.0, "CEIL or FLOOR"))?;
    let window = window::of_pooling(parameter, &section, input)?;
    let [height, width] = window::pooled(&window, input, rounding, &section)?;
    section.check_elements("pad", "its output", &[input.channels, height, width])?;
    let kind = LayerKind::Pooling(Pooling { method, window });
    Ok(Lowered::without_parameters(kind, Shape::new(input.channels, height, width)))
}

fn local_response(layer: &LayerParameter, inputs: &Inputs<'_>) -> Result<Lowered, Fault> {
    let input = inputs.only(layer)?;
    let section = Section::parameter(layer, "lrn_param");
    let parameter = layer.lrn_param.unwrap_or_default();
    let size = parameter.local_size();
    if size.is_multiple_of(2) {
        return Err(section.value("local_size", size, "an odd number"));
    }
    let (alpha, beta, k) = (parameter.alpha(), parameter.beta(), parameter.k());
    for (field, value) in [("alpha", alpha), ("beta", beta), ("k", k)] {
        check_finite(field, value, &section)?;
    }
    let within_channel = match NormRegion::try_from(parameter.norm_region.unwrap_or_default()) {
        Ok(NormRegion::AcrossChannels) => false,
        Ok(NormRegion::WithinChannel) => true,
        Err(unknown) => {
            return Err(section.value("norm_region", unknown.0, "ACROSS_CHANNELS or WITHIN_CHANNEL"));
        }
    };
    // Caffe does not read k there.
    if within_channel && k != 1.0 {
        return Err(section.value("k", k, "1 with norm_region: WITHIN_CHANNEL"));
    }
    let kind =
        LayerKind::LocalResponse(LocalResponse { size: size as usize, alpha, beta, k, within_channel });
    Ok(Lowered::without_parameters(kind, input))
}

fn softmax(layer: &LayerParameter, inputs: &Inputs<'_>) -> Result<Lowered, Fault> {
    let input = inputs.only(layer)?;
    if let Some(parameter) = &layer.softmax_param {
        check_axis(parameter.axis(), &Section::parameter(layer, "softmax_param"))?;
    }
    Ok(Lowered::without_parameters(LayerKind::Softmax, input))
}
