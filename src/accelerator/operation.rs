//! The layers of a network as an accelerator sees them.

use serde::Serialize;

/// What an operation computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Convolution.
    Convolution,
    /// Fully connected.
    FullyConnected,
    /// Pooling.
    Pooling,
    /// Local response normalisation.
    Normalisation,
    /// Element by element over one or more inputs of one extent.
    Elementwise,
}

/// Extent of the activations of one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Extent {
    /// Channels, >= 1.
    pub channels: u64,
    /// Rows, >= 1.
    pub height: u64,
    /// Columns, >= 1.
    pub width: u64,
}

/// A window that slides over rows and columns: pairs are `[vertical, horizontal]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Window {
    /// Extent, >= 1.
    pub kernel: [u64; 2],
    /// Step, >= 1.
    pub stride: [u64; 2],
    /// Rows above and columns to the left that are padded.
    pub pad: [u64; 2],
    /// Rows below and columns to the right that are padded.
    pub pad_end: [u64; 2],
    /// Distance between two elements of the kernel, >= 1.
    pub dilation: [u64; 2],
}

/// Where an operation's input comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The network's input.
    Input,
    /// The output of the operation with this index.
    Operation(usize),
}

/// A layer that works on the results of an operation before they are stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Follower {
    /// Name in the network definition.
    pub name: String,
    /// What it computes.
    pub kind: Kind,
    /// The window of pooling; `None`: element by element, or over channels.
    pub window: Option<Window>,
    /// Channels that a result depends on, >= 1: more than one for normalisation over channels.
    pub span: u64,
    /// What it yields.
    pub output: Extent,
    /// Words of its own weight and bias, of batch normalisation and scale layers; read once per batch.
    pub parameters: [u64; 2],
}

/// A further input of an element-wise layer: read once, as outputs are formed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Added {
    /// Name of the data subset.
    pub subset: String,
    /// Words per image.
    pub words: u64,
    /// Where it comes from.
    pub sources: Vec<Source>,
}

/// One layer, its fused followers included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Operation {
    /// Name in the network definition.
    pub name: String,
    /// What it computes.
    pub kind: Kind,
    /// Its input without padding, over all groups. A fully connected layer reads `inputs x 1 x 1`.
    pub input: Extent,
    /// What it computes itself, before followers are fused.
    pub output: Extent,
    /// The window; `1x1` without padding for fully connected and element-wise layers, and for normalisation over channels.
    pub window: Window,
    /// Groups of channels, >= 1.
    pub groups: u64,
    /// Whether it has a bias, one word per output channel.
    pub has_bias: bool,
    /// Layers fused into it, in order.
    pub followers: Vec<Follower>,
    /// Where its input comes from; more than one where it reads a concatenation.
    pub sources: Vec<Source>,
    /// Further inputs, its own if it is element-wise and those of followers.
    pub added: Vec<Added>,
}

impl Extent {
    /// `channels x height x width`.
    pub fn new(channels: u64, height: u64, width: u64) -> Self {
        Self { channels, height, width }
    }

    /// Number of words; `None` beyond 2^64.
    pub fn words(&self) -> Option<u64> {
        self.channels.checked_mul(self.height)?.checked_mul(self.width)
    }
}

impl Window {
    /// One element.
    pub const POINT: Self =
        Self { kernel: [1; 2], stride: [1; 2], pad: [0; 2], pad_end: [0; 2], dilation: [1; 2] };
}

impl Operation {
    /// What is stored of it: the output of the last follower.
    pub fn stored(&self) -> Extent {
        self.followers.last().map_or(self.output, |follower| follower.output)
    }

    /// Words of all further inputs, per image; `None` beyond 2^64.
    pub fn added_words(&self) -> Option<u64> {
        self.added.iter().try_fold(0u64, |sum, added| sum.checked_add(added.words))
    }

    /// Whether it is a matrix product, of inputs and weights.
    pub fn is_product(&self) -> bool {
        matches!(self.kind, Kind::Convolution | Kind::FullyConnected)
    }

    /// Elements of the window over the channels of one group; `None` beyond 2^64.
    pub fn window_elements(&self) -> Option<u64> {
        let [rows, columns] = self.window.kernel;
        (self.input.channels / self.groups).checked_mul(rows)?.checked_mul(columns)
    }

    /// Words of its own weight; `None` beyond 2^64.
    pub fn weight_words(&self) -> Option<u64> {
        if self.is_product() { self.output.channels.checked_mul(self.window_elements()?) } else { Some(0) }
    }

    /// Multiply-accumulates of one image; `None` beyond 2^64.
    pub fn macs(&self) -> Option<u64> {
        if self.is_product() { self.output.words()?.checked_mul(self.window_elements()?) } else { Some(0) }
    }

    /// Results of pooling, normalisation and element-wise work of one image, that of followers included; `None` beyond 2^64.
    pub fn results(&self) -> Option<u64> {
        let own = if self.is_product() { 0 } else { self.output.words()? };
        self.followers.iter().try_fold(own, |sum, follower| sum.checked_add(follower.output.words()?))
    }

    /// The window of the pooling layer fused into it.
    pub fn pooled(&self) -> Option<Window> {
        self.followers.iter().find_map(|follower| follower.window)
    }
}
