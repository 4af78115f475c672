//! Faults: which cells are weak, which stored words they hit, and what the words then deliver.
//!
//! * [`map`]: the weak cells of a memory at a bit error rate, nested over bit error rates.
//! * [`image`]: weak cells as flips of the stored words of one data subset, its precise bits left out.
//! * [`path`]: the words of a data subset on their way through memories and the link.
//! * `array`, `lines`: the cells of memories whose rates differ by bit or by line, that are stuck, or that are reused.
//! * `rest`, `block`: the faults at one stop, and words protected by a code.
//! * [`journal`]: faults applied to stored words in place, and undone.

mod array;
#[cfg(test)]
mod array_tests;
mod block;
#[cfg(test)]
mod block_tests;
pub mod image;
pub mod journal;
mod lines;
pub mod map;
pub mod path;
mod rest;
mod shell;

pub use array::WordFaults;
pub use image::{StoredImage, WordFlips};
pub use journal::{Journal, StoredWords};
pub use map::{CHUNK_CELLS, FaultMap, MapBuffers, MapKey, WeakCell};
pub use path::{DeviceFaults, Draw, MemoryStop, Path, Redraw, Stop, StrikeBuffers};

pub use rest::{measured_bits, weak_cells};

use thiserror::Error;

/// Why words cannot rest where they are put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// A stored word wider than 32 bits or of no bits.
    #[error("a stored word has 1 to 32 bits, not {0}")]
    WordBits(u32),
    /// More cells than can be counted.
    #[error("{words} words of {word_bits} bits from cell {first_cell} on do not fit in 2^64 cells")]
    Cells {
        /// First cell of the residency.
        first_cell: u64,
        /// Number of words.
        words: u64,
        /// Bits per word.
        word_bits: u32,
    },
    /// More protected bits than the word has.
    #[error("{protected_msbs} protected MSBs in a word of {word_bits} bits")]
    ProtectedMsbs {
        /// Protected bits asked for.
        protected_msbs: u32,
        /// Bits per word.
        word_bits: u32,
    },
    /// Tiles that are none.
    #[error(transparent)]
    Tiles(#[from] crate::memory::passage::Error),
    /// Tiles that need more cells than the memory has.
    #[error("tiles up to cell {cells} do not fit a memory of {capacity} cells")]
    Passage {
        /// Cells needed.
        cells: u64,
        /// Cells of the memory.
        capacity: u64,
    },
    /// Not one error rate for each bit of the word.
    #[error("{rates} error rates for a word of {word_bits} bits")]
    Rates {
        /// Number of rates.
        rates: usize,
        /// Bits per word.
        word_bits: u32,
    },
    /// A stop of a path stores words of another width than reach it.
    #[error("stop {stop} stores words of {stored} bits, but words of {arriving} bits reach it")]
    PathWidth {
        /// Index of the stop.
        stop: usize,
        /// Width that the stop stores.
        stored: u32,
        /// Width of the words that reach it.
        arriving: u32,
    },
    /// The stops of a path hold different numbers of words.
    #[error("stop {stop} holds {words} words, but the stops before it hold {before}")]
    PathWords {
        /// Index of the stop.
        stop: usize,
        /// Words at the stop.
        words: u64,
        /// Words at the stops before.
        before: u64,
    },
    /// A path without a link delivers another word than its home memory stores.
    #[error("without a link, {home}-bit words cannot be delivered as another word of {delivered} bits")]
    PathCodec {
        /// Width in the home memory.
        home: u32,
        /// Width delivered.
        delivered: u32,
    },
}
