//! The graph of a trained network: layers, shapes, multiply-accumulates, data subsets; importers.

mod graph;
mod subset;

pub use graph::{
    Blob, BlobId, Convolution, Layer, LayerId, LayerKind, LocalResponse, Network, Parameter, Pooling,
    PoolingMethod, Shape, Window,
};
pub use subset::{Operand, Subset};
