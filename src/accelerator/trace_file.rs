//! Layer traces as files: TOML with one table per layer and movement, or comma-separated text with one row per movement. What
//! is written reads back as the same trace; the format is described in `docs/accelerator-traces.md`.

mod fields;
mod record;
mod table;
#[cfg(test)]
mod tests;
mod tree;

use super::Trace;
use super::problem::Problems;
use thiserror::Error;

/// How a trace is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One row per layer and movement.
    Csv,
    /// `[[layer]]` and `[[layer.movement]]`.
    Toml,
}

/// Why a trace cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unwritable {
    /// A memory that the trace has no name for.
    #[error("layer `{layer}` refers to memory {index} of {memories}")]
    Memory {
        /// The layer.
        layer: String,
        /// Index of the memory.
        index: usize,
        /// How many there are.
        memories: usize,
    },
    /// The text would not be read again: the trace breaks a rule of [`read`]. Places are those in the text.
    #[error("the trace is inconsistent: {0}")]
    Inconsistent(Problems),
}

impl Format {
    /// The format of a file with this extension, without the dot, in any case.
    pub fn of_extension(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "toml" => Some(Self::Toml),
            _ => None,
        }
    }
}

/// The trace in `text`, with [`Fidelity::Given`](super::trace::Fidelity::Given).
///
/// # Errors
///
/// Every mistake with its place: text that is no CSV or TOML, keys or columns that are unknown, missing or there twice, values
/// that are negative, not whole, of another type or beyond 2^64 - 1, names that are empty, unknown or there twice, words of
/// other than 1 to 64 bits, a clock that is not positive and finite, a batch of no images, cycles that add up to more than
/// 2^64 - 1, a last use before the first, and a file without layers.
pub fn read(text: &str, format: Format) -> Result<Trace, Problems> {
    match format {
        Format::Csv => table::read(text),
        Format::Toml => tree::read(text),
    }
}

/// `trace` as a file; its fidelity is not in it.
///
/// # Errors
///
/// [`Unwritable`] if [`read`] would refuse it.
pub fn write(trace: &Trace, format: Format) -> Result<String, Unwritable> {
    for layer in &trace.layers {
        for index in layer.movements.iter().map(|movement| movement.memory).chain(fields::bound_buffer(layer))
        {
            if index >= trace.memories.len() {
                let (layer, memories) = (layer.name.clone(), trace.memories.len());
                return Err(Unwritable::Memory { layer, index, memories });
            }
        }
    }
    let text = match format {
        Format::Csv => table::written(trace),
        Format::Toml => tree::written(trace),
    };
    read(&text, format).map_err(Unwritable::Inconsistent)?;
    Ok(text)
}
