//! Import of Caffe networks: the definition (prototxt, protobuf text format) and the weights (caffemodel, protobuf).
//!
//! Definitions may be in today's `layer` format or in the V1 `layers` format of 2014, with the input as a layer or as
//! `input:` fields. The network is that of the test phase. Data layers and layers that only training needs are left out
//! with a note; anything else that is not supported is refused with its name and place, because a layer or field that is
//! passed over would give wrong figures silently.
//!
//! Batch normalisation, which at inference uses the moving averages, becomes an affine layer; where the only reader of its
//! output is a scale layer, the two become one affine layer with the name of the scale layer.
//!
//! Weight files hold blobs by layer name, in either layer format; extents must be those of the definition.

mod arrangement;
mod assembly;
mod blob;
mod definition;
mod elementwise;
mod error;
mod fault;
mod folding;
mod input;
mod layers;
mod legacy;
mod normalisation;
mod parameters;
mod schema;
mod text;
mod weights;
mod window;

#[cfg(test)]
mod tests;

pub use blob::{BlobError, read_blob};
pub use error::{DefinitionError, Error, Owner, Problem, WeightsProblem};

use super::Network;
use definition::Source;
use std::path::Path;

/// Reads the network definition (prototxt) in the file `path`: the graph with all extents, without values of weights and
/// biases. [`Network::notes`] says what was left out.
///
/// # Errors
///
/// A file that cannot be read or is no such text, an unknown field, a layer type or a value that is not supported, blobs
/// that do not fit each other, more than 2^31 elements in a blob or parameter.
pub fn read_definition(path: &Path) -> Result<Network, Error> {
    assembly::assemble(&mut Source::open(path)?)
}

/// Loads weights and biases into `network` from the weight file (caffemodel) `path`, and returns what was left out, as
/// notes for the user. Values are copied as they are, NaN and infinities included; doubles and half-precision numbers
/// are converted to the nearest single-precision number.
///
/// # Errors
///
/// A file that cannot be read, is damaged or of another format; parameters that are missing or of another shape than the
/// definition says. The network is then unchanged.
pub fn load_weights(network: &mut Network, path: &Path) -> Result<Vec<String>, Error> {
    weights::load(network, path)
}
