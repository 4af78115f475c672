//! Networks with seeded random parameters, built layer by layer.

use crate::network::{
    Blob, BlobId, Convolution, Eltwise, Layer, LayerId, LayerKind, Network, Parameter, Pooling,
    PoolingMethod, Shape, Window,
};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Dxsm;
use std::collections::BTreeMap;

/// Uniform values in -1..1.
pub fn values(seed: u64, count: usize) -> Vec<f32> {
    let mut random = Pcg64Dxsm::seed_from_u64(seed);
    (0..count).map(|_| (random.next_u32() as f32 / 2.0_f32.powi(31)) - 1.0).collect()
}

/// A window with kernel and stride 1 and no padding.
pub fn window(kernel: usize, stride: usize) -> Window {
    Window { kernel: [kernel; 2], stride: [stride; 2], pad: [0; 2], pad_end: [0; 2], dilation: [1; 2] }
}

pub struct Builder {
    pub network: Network,
    /// The blob that the next layer reads.
    pub last: BlobId,
    seed: u64,
}

impl Builder {
    pub fn new(channels: usize, height: usize, width: usize) -> Self {
        let shape = Shape::new(channels, height, width);
        let data = Blob { name: "data".into(), shape, producer: None };
        let network = Network {
            name: "test".into(),
            blobs: vec![data],
            layers: vec![],
            normalisations: BTreeMap::new(),
            notes: vec![],
        };
        Self { network, last: BlobId(0), seed: 1 }
    }

    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed << 8;
        self
    }

    pub fn shape(&self) -> Shape {
        self.network.blob(self.last).shape
    }

    /// Lets the next layer read an earlier blob.
    pub fn from(mut self, blob: BlobId) -> Self {
        self.last = blob;
        self
    }

    fn parameter(&mut self, dims: Vec<usize>) -> Parameter {
        self.seed += 1;
        let words: usize = dims.iter().product();
        Parameter { values: Some(values(self.seed, words)), dims, quantisation: None }
    }

    pub fn layer(self, kind: LayerKind, shape: Shape, weight: Option<Vec<usize>>, bias: bool) -> Self {
        let inputs = vec![self.last];
        self.join(kind, inputs, shape, weight, bias)
    }

    /// Adds a layer that reads `inputs`.
    pub fn join(
        mut self,
        kind: LayerKind,
        inputs: Vec<BlobId>,
        shape: Shape,
        weight: Option<Vec<usize>>,
        bias: bool,
    ) -> Self {
        let id = self.network.layers.len();
        let name = format!("layer{id}");
        let output = BlobId(self.network.blobs.len());
        let bias = bias.then(|| self.parameter(vec![shape.channels]));
        let weight = weight.map(|dims| self.parameter(dims));
        self.network.blobs.push(Blob { name: name.clone(), shape, producer: Some(LayerId(id)) });
        self.network.layers.push(Layer { name, kind, inputs, output, weight, bias });
        self.last = output;
        self
    }

    pub fn convolution(self, outputs: usize, groups: usize, window: Window) -> Self {
        let input = self.shape();
        let extent = |axis: usize, extent: usize| {
            let reach = window.dilation[axis] * (window.kernel[axis] - 1) + 1;
            (extent + window.pad[axis] + window.pad_end[axis] - reach) / window.stride[axis] + 1
        };
        let shape = Shape::new(outputs, extent(0, input.height), extent(1, input.width));
        let dims = vec![outputs, input.channels / groups, window.kernel[0], window.kernel[1]];
        self.layer(LayerKind::Convolution(Convolution { outputs, window, groups }), shape, Some(dims), true)
    }

    /// Pooling with Caffe's extent: rounded up, and the last window starts inside the image or its leading padding.
    pub fn pool(self, method: PoolingMethod, window: Window) -> Self {
        let input = self.shape();
        let extent = |axis: usize, extent: usize| {
            let padded = extent + 2 * window.pad[axis];
            let outputs = padded.saturating_sub(window.kernel[axis]).div_ceil(window.stride[axis]) + 1;
            let outside = (outputs - 1) * window.stride[axis] >= extent + window.pad[axis];
            if outside { outputs - 1 } else { outputs }
        };
        let shape = Shape::new(input.channels, extent(0, input.height), extent(1, input.width));
        self.layer(LayerKind::Pooling(Pooling { method, window }), shape, None, false)
    }

    pub fn max_pool(self, kernel: usize, stride: usize) -> Self {
        self.pool(PoolingMethod::Max, window(kernel, stride))
    }

    pub fn inner_product(self, outputs: usize) -> Self {
        let dims = vec![outputs, self.shape().elements()];
        self.layer(LayerKind::InnerProduct { outputs }, Shape::new(outputs, 1, 1), Some(dims), true)
    }

    pub fn relu(self) -> Self {
        self.leaky_relu(0.0)
    }

    pub fn leaky_relu(self, negative_slope: f32) -> Self {
        let shape = self.shape();
        self.layer(LayerKind::Relu { negative_slope }, shape, None, false)
    }

    pub fn dropout(self) -> Self {
        let shape = self.shape();
        self.layer(LayerKind::Dropout, shape, None, false)
    }

    pub fn softmax(self) -> Self {
        self.plain(LayerKind::Softmax)
    }

    /// A layer without parameters that keeps the shape.
    pub fn plain(self, kind: LayerKind) -> Self {
        let shape = self.shape();
        self.layer(kind, shape, None, false)
    }

    pub fn affine(self, bias: bool) -> Self {
        let shape = self.shape();
        self.layer(LayerKind::Affine, shape, Some(vec![shape.channels]), bias)
    }

    pub fn eltwise(self, eltwise: Eltwise, inputs: Vec<BlobId>) -> Self {
        let shape = self.network.blob(inputs[0]).shape;
        self.join(LayerKind::Eltwise(eltwise), inputs, shape, None, false)
    }

    pub fn sum(self, inputs: Vec<BlobId>) -> Self {
        let coefficients = vec![1.0; inputs.len()];
        self.eltwise(Eltwise::Sum { coefficients }, inputs)
    }

    pub fn concat(self, inputs: Vec<BlobId>) -> Self {
        let channels = inputs.iter().map(|&input| self.network.blob(input).shape.channels).sum();
        let shape = Shape { channels, ..self.network.blob(inputs[0]).shape };
        self.join(LayerKind::Concat, inputs, shape, None, false)
    }

    pub fn reshape(self, shape: Shape) -> Self {
        self.layer(LayerKind::Reshape, shape, None, false)
    }

    pub fn build(self) -> Network {
        self.network
    }
}

/// The LeNet-5 of the paper on smaller images, with every kind of layer.
pub fn small_lenet() -> Network {
    let average = PoolingMethod::Average { count_padding: true };
    let padded = Window { pad: [1; 2], pad_end: [1; 2], ..window(3, 1) };
    Builder::new(1, 14, 13)
        .convolution(6, 1, window(5, 1))
        .relu()
        .max_pool(2, 2)
        .convolution(16, 2, padded)
        .pool(average, window(3, 2))
        .relu()
        .inner_product(37)
        .leaky_relu(0.125)
        .dropout()
        .inner_product(10)
        .softmax()
        .build()
}
