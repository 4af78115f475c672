//! Word formats: how one value is stored as bits.
//!
//! A [`Format`] is what an experiment asks for; a [`Codec`] is a format whose binary point or scale has been fixed for
//! one data subset. A *code* is the stored word, right-aligned in a `u32`; bit `bits - 1` is its most significant bit.

mod codec;
mod format;
mod quantisation;
mod range;

pub use codec::{Codec, Error, Narrowing};
pub use format::{BinaryPoint, Format, Granularity, Rounding};
pub use quantisation::{CodeKind, Quantisation, Quantiser};
pub use range::Range;
