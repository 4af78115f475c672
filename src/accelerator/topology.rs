//! Topologies of SCALE-Sim (comma-separated text) read and written.
//!
//! A convolution topology has the columns `Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num
//! Filter, Strides` and perhaps `Sparsity`; a product topology `Layer, M, N, K` and perhaps `Sparsity`. Every line ends with a
//! comma, without which SCALE-Sim drops the last column; here the comma may be left out. The header tells which of the two it
//! is. `Stride height, Stride width` in the place of `Strides`, as SCALE-Sim itself writes but cannot read, is understood.
//!
//! What the format means:
//!
//! * Inputs are padded already and there is no batch. The output has `ceil((H - R + s) / s)` rows. Where the stride does not
//!   divide `H - R` the last window hangs over the edge of the input; Caffe would leave that row of outputs out. The rows that
//!   it hangs over become padding below (and to the right), so that the operation has the extent that SCALE-Sim gives it.
//! * A row with one output pixel is a fully connected layer, whatever its filter: SCALE-Sim has no other way to write one.
//! * Nothing says where an input comes from: every layer reads the one before it, even where pooling between them is missing.
//! * There are no biases, and no layers but convolutions and products: what is fused into one is left out and named.
//! * There are no groups. A grouped layer is written as one row per group, named `NAME_g1` to `NAME_gN`; such rows are not put
//!   together again when read.
//! * A layer whose name contains `DP` is expanded by SCALE-Sim into one layer per channel, whatever was meant. Such a row is
//!   refused when read, and the letters are changed to `Dp` when written.
//! * Only dense weights are counted: a sparsity other than `1:1` (or `N:N`) is refused.

mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::read;
pub use write::{Export, Note, Omission, convolutions, products};
