//! The graph of a trained network: layers, shapes, multiply-accumulates, data subsets; importers.

pub mod caffe;
mod file;
mod graph;
mod import;
pub mod onnx;
pub(crate) mod spelling;
mod subset;

pub use file::FileError;
pub use graph::{
    Blob, BlobId, Convolution, Eltwise, Layer, LayerId, LayerKind, LocalResponse, Network, Normalisation,
    Parameter, Pooling, PoolingMethod, Scaling, Shape, Window,
};
pub use import::{Error, load_weights, read_definition};
pub use subset::{Operand, Subset};
