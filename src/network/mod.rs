//! The graph of a trained network: layers, shapes, multiply-accumulates, data subsets; importers.

pub mod caffe;
mod graph;
mod import;
mod spelling;
mod subset;

pub use graph::{
    Blob, BlobId, Convolution, Eltwise, Layer, LayerId, LayerKind, LocalResponse, Network, Parameter,
    Pooling, PoolingMethod, Shape, Window,
};
pub use import::{Error, load_weights, read_definition};
pub use subset::{Operand, Subset};
