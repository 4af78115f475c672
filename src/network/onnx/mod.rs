//! Import of ONNX models: graph and weights from one file, with external tensors from others beside it.
//!
//! Operators of versions 7 to 28 of ONNX's operator set are read as inference needs them. The graph has one input, the
//! images; its first output is the network's. The batch, fixed or open, is not part of the graph. What can be known at
//! import is computed: constants, extents, the arithmetic on extents that exporters write before a reshape. Anything else
//! that is not supported is refused with operator and node, because a node or attribute that is passed over would give
//! wrong figures silently.
//!
//! Quantised models in the form of `QuantizeLinear` and `DequantizeLinear` around the operators are computed as they are
//! written, in single precision. A weight or bias that is stored as 8-bit codes keeps them ([`super::Parameter`]), and so do
//! activations: what passes `QuantizeLinear` becomes a layer that yields the values of the codes. Biases of 32-bit codes
//! are dequantised, and so are constants that become part of another parameter. Operators on codes (`QLinearConv`,
//! `ConvInteger` and so on) are refused.
//!
//! Layers are called as the nodes: by name, or by the first output where a node has none; of several nodes with one name the
//! later ones get a suffix `_1`, `_2`, … Some nodes become part of an earlier layer: a constant vector added to a
//! fully connected layer or convolution without bias is its bias, factors and terms per channel behind batch normalisation
//! become part of that. Reshaping before a fully connected layer leaves no layer, since that reads its input flattened.

mod activations;
mod arithmetic;
mod assembly;
mod constants;
mod error;
mod external;
mod model;
mod node;
mod operators;
mod products;
mod quantisation;
mod schema;
mod shapes;
mod tensor;
mod value;
mod window;
mod windowed;

#[cfg(test)]
mod tests;

pub use error::{Error, Place, Problem};

use super::Network;
use prost::Message;
use prost::bytes::Bytes;
use std::path::Path;

/// Largest model file, in bytes: the limit of the protobuf format.
const MAX_BYTES: u64 = (1 << 31) - 1;

/// What a model file should hold.
const EXPECTED: &str = "an ONNX model (a larger one keeps its tensors in other files)";

/// Reads the model in the file `path`: the graph with all extents, weights and biases. [`Network::notes`] says what was
/// left out. Values are copied as they are, NaN and infinities included; doubles and half-precision numbers are converted to
/// the nearest single-precision number. A batch normalisation becomes a factor and a term per channel.
///
/// # Errors
///
/// A file that cannot be read or is no model; an operator, attribute, type or extent that is not supported; values that are
/// read before they are written; tensors that do not fit each other or have more than 2^31 elements; external tensors that
/// are missing, cut off or outside the model's folder.
pub fn read_definition(path: &Path) -> Result<Network, Error> {
    read_bytes(super::file::read(path, MAX_BYTES, EXPECTED)?, path)
}

/// Reads the model in `bytes`, the content of the file `path`.
fn read_bytes(bytes: Bytes, path: &Path) -> Result<Network, Error> {
    let model = schema::ModelProto::decode(bytes)
        .map_err(|error| Error::Damaged { path: path.to_owned(), reason: error.to_string() })?;
    model::assemble(model, path)
}
