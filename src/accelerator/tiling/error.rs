//! Why an operation cannot be tiled.

use crate::accelerator::trace::Operand;
use thiserror::Error;

/// Why an operation cannot be tiled.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// A count beyond 2^64.
    #[error("layer `{layer}`: the number of {what} exceeds 2^64")]
    Overflow {
        /// Name of the layer.
        layer: String,
        /// What is counted.
        what: &'static str,
    },
    /// An extent, step, width or batch of 0.
    #[error("layer `{layer}`: {what} is 0, expected at least 1")]
    Zero {
        /// Name of the layer.
        layer: String,
        /// What is 0.
        what: &'static str,
    },
    /// The kernel does not fit what it slides over.
    #[error("layer `{layer}`: a kernel of {kernel} {axis} does not fit the padded input of {input}")]
    Kernel {
        /// Name of the layer.
        layer: String,
        /// `rows` or `columns`.
        axis: &'static str,
        /// Extent of the kernel, dilated.
        kernel: u64,
        /// Extent of the padded input.
        input: u64,
    },
    /// Two extents that do not belong together.
    #[error("layer `{layer}`: {what} is {found}, expected {expected}")]
    Extent {
        /// Name of the layer.
        layer: String,
        /// Which extent.
        what: &'static str,
        /// What was found.
        found: u64,
        /// What it should be.
        expected: String,
    },
    /// A buffer that is not there.
    #[error("buffer {index} for the {operand:?} does not exist: there are {count} buffers, numbered from 0")]
    NoBuffer {
        /// The operand.
        operand: Operand,
        /// Index asked for.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// Not even the smallest tile fits, or not the given one.
    #[error(
        "layer `{layer}`: buffer {buffer} of {capacity_bytes} bytes is too small: {tile} needs {needed_bytes} bytes there, \
         {operand_bytes} of them for the {operand:?}"
    )]
    TooSmall {
        /// Name of the layer.
        layer: String,
        /// `the smallest tile` or `the given tile`.
        tile: &'static str,
        /// The operand that takes most of it.
        operand: Operand,
        /// What that operand takes.
        operand_bytes: u64,
        /// What all operands of the buffer take.
        needed_bytes: u64,
        /// Index of the buffer.
        buffer: usize,
        /// What it holds.
        capacity_bytes: u64,
    },
    /// Data that must stay on chip do not fit.
    #[error(
        "layer `{layer}`: without DRAM the {operand:?} must stay on chip: buffer {buffer} of {capacity_bytes} bytes lacks \
         {missing_bytes} bytes"
    )]
    OffChip {
        /// Name of the layer at which the room ends.
        layer: String,
        /// What finds no room.
        operand: Operand,
        /// Index of the buffer.
        buffer: usize,
        /// What it holds.
        capacity_bytes: u64,
        /// What is missing.
        missing_bytes: u64,
    },
}
