//! The inference engine: blocked activations, kernels, forward passes that restart at any layer, an operand hook.
//!
//! **Arrangement.** The lanes of a vector hold sixteen images ([`LANES`]) of one element, which fills the vector registers
//! for any number of channels, or sixteen channels of one pixel, which needs one image only ([`Arrangement`]).
//!
//! **Canonical order.** Each output of a convolution or fully connected layer is a chain of fused multiply-adds in the
//! order of the weight tensor (input channel of the group, kernel row, kernel column), started from 0.0 anew for every
//! 256 terms; the block sums are added in order, then the bias (0.0 where the layer has none). Padding is multiplied
//! like any input. The bits of a result therefore depend neither on the batch nor on the arrangement, the lane, the number of
//! threads, the instruction set or the layer at which the pass started.
//!
//! Sums of squares and of several inputs are chains of fused multiply-adds in the order of their terms. Exponentials, powers
//! and hyperbolic tangents are made of IEEE 754 operations only, without a system library. Sharing of storage (layers in
//! place, branches that write into their concatenation) and fusion change no bit.
//!
//! **NaN.** Which payload a NaN carries differs between instruction sets, so every NaN that leaves the engine, through
//! the operand hook or as an output, is the canonical quiet NaN.

mod activation;
mod activations;
mod arrangement;
mod buffer;
mod classes;
mod dispatch;
mod elementary;
mod eltwise;
mod engine;
mod error;
mod forward;
mod hook;
mod kernel;
mod layout;
mod lrn;
mod pass;
mod pooling;
mod product;
mod softmax;
mod storage;
#[cfg(test)]
mod tests;
mod together;
mod transfer;
mod weights;

pub use activations::{Activations, LANES, Lanes};
pub use arrangement::Arrangement;
pub use classes::{ClassCount, Classes, Ranking, classify, rank};
pub use engine::Engine;
pub use error::Error;
pub use forward::Start;
pub use hook::{NoHook, OperandBlock, OperandHook};
pub use kernel::InstructionSet;
pub use weights::Weights;
