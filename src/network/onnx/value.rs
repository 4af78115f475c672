//! What the name of a value stands for.

use super::tensor::Constant;
use crate::network::BlobId;
use crate::number::Quantiser;

/// What a node or the graph wrote.
#[derive(Clone, Debug)]
pub enum Value {
    /// Known at import.
    Constant(Constant),
    /// Depends on the image.
    Activation(View),
    /// The 8-bit codes of activations, as `QuantizeLinear` writes them: the blob holds the values of the codes.
    Codes(View, Quantiser),
    /// An output that inference does not compute, such as the mask of Dropout: why.
    Absent(String),
}

impl Value {
    /// What it is, for messages.
    pub fn kind(&self) -> &str {
        match self {
            Self::Constant(_) => "a constant",
            Self::Activation(_) => "activations",
            Self::Codes(..) => "codes of activations",
            Self::Absent(reason) => reason,
        }
    }
}

/// A blob, counted by the extents that the model gives it. Reshaping changes only these; a layer that reads the blob by
/// another shape than it was written needs a reshaping layer, a fully connected one does not.
#[derive(Clone, Debug)]
pub struct View {
    /// The blob.
    pub blob: BlobId,
    /// Extents in the model, the batch first.
    pub dims: Vec<usize>,
    /// Names for the layer that reshapes, and for its blob; `None` while the blob has its first shape.
    pub reshaped_by: Option<[String; 2]>,
}
