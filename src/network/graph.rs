//! The layer graph in static single assignment form: every blob is written once, in layer order.

use crate::number::{Quantisation, Quantiser};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// Index of a blob in [`Network::blobs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct BlobId(pub usize);

/// Index of a layer in [`Network::layers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct LayerId(pub usize);

/// Extent of one image's activations, in elements; the batch is not part of it. A flat vector is `n x 1 x 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Shape {
    /// Number of channels.
    pub channels: usize,
    /// Number of rows.
    pub height: usize,
    /// Number of columns.
    pub width: usize,
}

impl Shape {
    /// A `channels x height x width` extent.
    pub fn new(channels: usize, height: usize, width: usize) -> Self {
        Self { channels, height, width }
    }

    /// Number of elements of one image.
    pub fn elements(&self) -> usize {
        self.channels * self.height * self.width
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.channels, self.height, self.width)
    }
}

/// Activations of one image between two layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Blob {
    /// Name in the network definition. An in-place layer writes a new blob of the same name: of several blobs with one
    /// name, the last holds what the definition calls by it.
    pub name: String,
    /// Extent for one image.
    pub shape: Shape,
    /// The layer that writes it; `None` for the network's input.
    pub producer: Option<LayerId>,
}

/// A trained tensor of a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Extents, outermost first: `[outputs, channels / groups, kernel height, kernel width]`, `[outputs, inputs]` or
    /// `[outputs]`.
    pub dims: Vec<usize>,
    /// Values in row-major order; `None` when only the definition was read.
    pub values: Option<Vec<f32>>,
    /// The 8-bit codes that the definition stores in place of the values, which are then exactly those of codes.
    pub quantisation: Option<Quantisation>,
}

impl Parameter {
    /// Number of words.
    pub fn words(&self) -> usize {
        self.dims.iter().product()
    }
}

/// A sliding window over rows and columns; all pairs are `[vertical, horizontal]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Extent, >= 1.
    pub kernel: [usize; 2],
    /// Step, >= 1.
    pub stride: [usize; 2],
    /// Rows above and columns to the left that are padded.
    pub pad: [usize; 2],
    /// Rows below and columns to the right that are padded.
    pub pad_end: [usize; 2],
    /// Distance between two elements of the kernel, >= 1.
    pub dilation: [usize; 2],
}

/// Parameters of a convolution (cross-correlation, as in Caffe and ONNX).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convolution {
    /// Number of output channels.
    pub outputs: usize,
    /// The kernel; the padding holds zeros.
    pub window: Window,
    /// Input and output channels are split into this many independent groups.
    pub groups: usize,
}

/// What a pooling window yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolingMethod {
    /// The largest element; padding never wins, a NaN never wins.
    Max,
    /// The mean. `count_padding`: the divisor is the window clipped to the padded extent (Caffe), else the window clipped
    /// to the image.
    Average {
        /// Whether padded elements count in the divisor.
        count_padding: bool,
    },
}

/// Parameters of a pooling layer. The output extent is that of the output blob (Caffe rounds it up); windows are clipped
/// at the end of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pooling {
    /// What each window yields.
    pub method: PoolingMethod,
    /// The window.
    pub window: Window,
}

/// Local response normalisation: x · (k + alpha/n · Σ x²)^-beta, n the number of summed elements with those beyond the
/// border, which count as 0: `size`, or `size`² within a channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LocalResponse {
    /// Channels (or rows and columns) summed over: the element's own, and as many before as behind it; of an even number
    /// one more behind.
    pub size: usize,
    /// Scale of the sum of squares.
    pub alpha: f32,
    /// Exponent.
    pub beta: f32,
    /// Constant.
    pub k: f32,
    /// Sum over a `size x size` window of the same channel instead of over neighbouring channels.
    pub within_channel: bool,
}

/// What a layer computes.
#[derive(Clone, Debug, PartialEq)]
pub enum LayerKind {
    /// Convolution with a weight and an optional bias.
    Convolution(Convolution),
    /// Fully connected layer over the flattened input, with a weight and an optional bias.
    InnerProduct {
        /// Number of outputs.
        outputs: usize,
    },
    /// Pooling.
    Pooling(Pooling),
    /// max(x, 0), or `negative_slope`·x for x < 0.
    Relu {
        /// Slope for negative inputs.
        negative_slope: f32,
    },
    /// Local response normalisation.
    LocalResponse(LocalResponse),
    /// Softmax over the channels.
    Softmax,
    /// Identity at inference.
    Dropout,
    /// The inputs' channels one behind the other; rows and columns agree.
    Concat,
    /// Element by element over inputs of one shape.
    Eltwise(Eltwise),
    /// y = weight\[channel\]·x + bias\[channel\]: batch normalisation and scale at inference.
    Affine,
    /// 1 / (1 + e^-x).
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
    /// The nearest number in `min..=max`; NaN stays NaN.
    Clip {
        /// Lower limit.
        min: f32,
        /// Upper limit, not below `min`.
        max: f32,
    },
    /// The same elements in the same order (channel, row, column), counted by another shape.
    Reshape,
    /// Quantised and dequantised: the value of the code of each element.
    Quantise(Quantiser),
}

/// What an element-wise layer makes of its inputs.
#[derive(Clone, Debug, PartialEq)]
pub enum Eltwise {
    /// The sum, each input multiplied by its coefficient.
    Sum {
        /// One per input.
        coefficients: Vec<f32>,
    },
    /// The product.
    Product,
    /// The largest.
    Max,
}

impl LayerKind {
    /// Name of the kind, as in Caffe's prototxt where that has it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Convolution(_) => "Convolution",
            Self::InnerProduct { .. } => "InnerProduct",
            Self::Pooling(_) => "Pooling",
            Self::Relu { .. } => "ReLU",
            Self::LocalResponse(_) => "LRN",
            Self::Softmax => "Softmax",
            Self::Dropout => "Dropout",
            Self::Concat => "Concat",
            Self::Eltwise(_) => "Eltwise",
            Self::Affine => "Affine",
            Self::Sigmoid => "Sigmoid",
            Self::Tanh => "TanH",
            Self::Clip { .. } => "Clip",
            Self::Reshape => "Reshape",
            Self::Quantise(_) => "Quantise",
        }
    }
}

/// One layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Name in the network definition.
    pub name: String,
    /// What it computes.
    pub kind: LayerKind,
    /// Blobs that it reads.
    pub inputs: Vec<BlobId>,
    /// Blob that it writes.
    pub output: BlobId,
    /// Weight, of convolutions, fully connected and affine layers.
    pub weight: Option<Parameter>,
    /// Bias, where the layer has one.
    pub bias: Option<Parameter>,
}

/// A batch normalisation that an affine layer computes, for weight files that hold its statistics in place of weight and
/// bias: with mean m, variance v and factor f, the layer's weight is g / sqrt(v/f + epsilon) and its bias
/// b - weight·m/f, where the scale g is 1 and the shift b is 0 unless a scale layer is part of the layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalisation {
    /// Name, in the weight file, of the layer with mean, variance and factor.
    pub layer: String,
    /// Added to the variance.
    pub epsilon: f32,
    /// What the weight file holds under the affine layer's own name.
    pub scaling: Scaling,
}

/// The scale layer behind a batch normalisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scaling {
    /// There is none.
    None,
    /// It has a scale per channel.
    Scale,
    /// It has a scale and a shift per channel.
    ScaleAndShift,
}

/// A network for inference.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Name in the definition.
    pub name: String,
    /// All blobs; the input is the one without producer.
    pub blobs: Vec<Blob>,
    /// Layers in an order in which each reads only what an earlier one wrote.
    pub layers: Vec<Layer>,
    /// The affine layers whose weight files hold the statistics of a batch normalisation.
    pub normalisations: BTreeMap<LayerId, Normalisation>,
    /// What the importer left out and why (data layers, training-only layers), for the user.
    pub notes: Vec<String>,
}

impl Network {
    /// The layer with index `id`.
    pub fn layer(&self, id: LayerId) -> &Layer {
        &self.layers[id.0]
    }

    /// The blob with index `id`.
    pub fn blob(&self, id: BlobId) -> &Blob {
        &self.blobs[id.0]
    }

    /// Layers with their indices, in execution order.
    pub fn layers_with_ids(&self) -> impl Iterator<Item = (LayerId, &Layer)> {
        self.layers.iter().enumerate().map(|(index, layer)| (LayerId(index), layer))
    }

    /// The network's input blob.
    pub fn input(&self) -> BlobId {
        BlobId(self.blobs.iter().position(|blob| blob.producer.is_none()).unwrap_or(0))
    }

    /// The network's output: what the last layer writes.
    pub fn output(&self) -> BlobId {
        self.layers.last().map_or(self.input(), |layer| layer.output)
    }

    /// Layers that read blob `id`, in execution order.
    pub fn readers(&self, id: BlobId) -> impl Iterator<Item = LayerId> {
        self.layers_with_ids().filter(move |(_, layer)| layer.inputs.contains(&id)).map(|(layer, _)| layer)
    }

    /// Whether every weight and bias has its values.
    pub fn has_weights(&self) -> bool {
        self.layers
            .iter()
            .flat_map(|layer| [&layer.weight, &layer.bias])
            .flatten()
            .all(|p| p.values.is_some())
    }

    /// Multiply-accumulates of layer `id` for one image (convolutions and fully connected layers; 0 for others).
    pub fn macs(&self, id: LayerId) -> u64 {
        let layer = self.layer(id);
        let output = self.blob(layer.output).shape;
        match (&layer.kind, &layer.weight) {
            (LayerKind::Convolution(_), Some(weight)) => {
                weight.words() as u64 * (output.height * output.width) as u64
            }
            (LayerKind::InnerProduct { .. }, Some(weight)) => weight.words() as u64,
            _ => 0,
        }
    }
}
