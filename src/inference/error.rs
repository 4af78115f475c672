//! Why the engine refuses.

use super::InstructionSet;
use crate::network::Shape;
use thiserror::Error;

/// Why a network cannot be compiled, packed or run.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// Shapes, parameters or connections that contradict each other.
    #[error("layer `{layer}`: {reason}")]
    Inconsistent {
        /// Name of the layer.
        layer: String,
        /// What does not fit.
        reason: String,
    },
    /// A blob that holds nothing, or whose images exceed 2^25 values each, padding included.
    #[error("blob `{blob}` of {shape} values per image is empty or too large")]
    Extent {
        /// Name of the blob.
        blob: String,
        /// Its shape.
        shape: Shape,
    },
    /// The network has no layer.
    #[error("the network has no layer")]
    Empty,
    /// The values of a trained tensor were not read.
    #[error("layer `{layer}` has no values for its {operand}")]
    MissingValues {
        /// Name of the layer.
        layer: String,
        /// `weight` or `bias`.
        operand: &'static str,
    },
    /// The processor lacks the instruction set asked for.
    #[error("this processor does not have {0}")]
    InstructionSet(InstructionSet),
    /// The number of values is not that of the images.
    #[error("{images} images of {shape} do not make {found} values")]
    Length {
        /// Images announced.
        images: usize,
        /// Shape of one image.
        shape: Shape,
        /// Number of values given.
        found: usize,
    },
    /// The blob that a pass starts from has another shape in the network.
    #[error("blob `{blob}` is {expected}, the given activations are {found}")]
    StartShape {
        /// Name of the blob.
        blob: String,
        /// Shape in the network.
        expected: Shape,
        /// Shape given.
        found: Shape,
    },
    /// The blobs that a pass starts from hold different numbers of images.
    #[error("a pass cannot start from blobs of {0} and {1} images")]
    StartImages(usize, usize),
    /// A blob that is needed neither was given nor can be computed.
    #[error("the pass needs blob `{0}`, which was not given")]
    Unreachable(String),
    /// A blob index that the network does not have.
    #[error("the network has no blob number {0}")]
    UnknownBlob(usize),
    /// The weights were packed for another network or instruction set.
    #[error("the weights were packed by another engine")]
    ForeignWeights,
}
