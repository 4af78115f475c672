//! Randomness by key: whoever names a draw gets the same bits, on any thread, in any order.
//!
//! A [`Key`] hashes the named parts of a draw (seed, trial, memory, chunk, ...) into 128 bits. From a key come
//! * [`Key::generator`], a PCG generator for draws in sequence, such as geometric gaps ([`Geometric`]), and
//! * [`Key::words`], random words by address, for draws that must be reachable without their predecessors, such as dense
//!   masks ([`Masks`]) and the value of a single cell.
//!
//! Floating point is used with `+ - * /` only, never contracted into a fused multiply-add, so that every IEEE 754 host
//! and every vector width yields the same bits; [`normal`] takes its functions from `libm`, which is built of these.

mod geometric;
mod key;
mod logarithm;
mod masks;
pub mod normal;
mod probability;

pub use geometric::Geometric;
pub use key::{Key, Label, Words};
pub use logarithm::{ln, ln_one_minus, open_unit};
pub use masks::Masks;
pub use probability::{Error, Probability};
