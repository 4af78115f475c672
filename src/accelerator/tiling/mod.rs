//! Which part of each operand a buffer holds at a time, and what is therefore fetched again.
//!
//! An operation that is a matrix product runs as a loop nest: groups outermost, then blocks of rows (of images), of filters
//! and of channels in one of six [`Order`]s. Each step of the nest is one tile, computed from what the buffers hold. An operand
//! depends on two of the three loops. Its place in a buffer holds one tile of it, or all tiles of the inner of its two
//! loops, or all of it ([`Held`]); what the place still holds is not fetched again. [`Problem::search`] chooses
//! order, tile and places together; [`Problem::given`] only the places.
//!
//! * Zero padding is never fetched, nor are rows that no window touches. Whole rows are fetched.
//! * Row tiles overlap in the input where the kernel is larger than its step: these halo rows are fetched again, unless the
//!   place holds all rows.
//! * A sum that leaves its place before it is complete is written to DRAM and read back (a spill).
//! * With double buffering a place whose contents are replaced during the layer counts twice.
//! * Pooling, normalisation and element-wise operations are streamed: each input is read once, each output written once.
//!
//! **Fused pooling.** Row tiles are counted in rows of what is *stored*. A tile computes the rows of the product that its
//! pooling windows need and that no tile before it has computed; those that later windows need as well (`kernel - step` rows)
//! stay in the ofmap's buffer, where they take room. Nothing is computed twice and the halo does not grow.
//! **Fused normalisation over channels** likewise: a block of filters stores its results `span / 2` channels behind
//! what it computes, and the last `span - 1` channels stay.

mod error;
mod geometry;
mod nest;
mod plan;
mod residency;
mod retention;
mod room;
mod search;
mod traffic;
mod walk;

pub use error::Error;
pub use plan::{Held, Places, Plan, Tiles, Traffic};
pub use residency::{fits_on_chip, residency};
pub use search::ComputeCycles;
pub use walk::{RepeatedRun, Run, Step};

use super::operation::Operation;
use serde::Serialize;

/// One on-chip buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Buffer {
    /// What it holds, in bytes.
    pub capacity_bytes: u64,
}

/// Whether transfers run while the array computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Buffering {
    /// Load, compute, store, one after the other.
    Single,
    /// The next tile is loaded and the last one stored while this one is computed.
    Double,
}

/// The buffers of an accelerator. One index twice or thrice is a shared buffer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Buffers {
    /// All of them.
    pub buffers: Vec<Buffer>,
    /// Index of the one that holds inputs.
    pub ifmap: usize,
    /// Index of the one that holds weights, biases and the parameters of followers.
    pub filter: usize,
    /// Index of the one that holds sums, outputs, what pooling keeps, and further inputs.
    pub ofmap: usize,
    /// Whether transfers run while the array computes.
    pub buffering: Buffering,
}

/// Bits of a stored word, per operand, each >= 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Widths {
    /// Inputs, further inputs included.
    pub ifmap_bits: u32,
    /// Weights.
    pub filter_bits: u32,
    /// Biases.
    pub bias_bits: u32,
    /// Outputs.
    pub ofmap_bits: u32,
    /// Sums that are not complete yet, in a buffer or spilled. A sum's place is as wide as the wider of it and the output.
    pub partial_sum_bits: u32,
}

/// A loop of the nest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Loop {
    /// Blocks of rows of what is stored, of blocks of images.
    Row,
    /// Blocks of filters of a group.
    Filter,
    /// Blocks of input channels of a group.
    Channel,
}

/// Order of the loops, outermost first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Rows, filters, channels.
    RowFilterChannel,
    /// Filters, rows, channels.
    FilterRowChannel,
    /// Rows, channels, filters.
    RowChannelFilter,
    /// Filters, channels, rows.
    FilterChannelRow,
    /// Channels, rows, filters.
    ChannelRowFilter,
    /// Channels, filters, rows.
    ChannelFilterRow,
}

impl Order {
    /// All orders.
    pub const ALL: [Self; 6] = [
        Self::RowFilterChannel,
        Self::FilterRowChannel,
        Self::RowChannelFilter,
        Self::FilterChannelRow,
        Self::ChannelRowFilter,
        Self::ChannelFilterRow,
    ];

    /// The loops, outermost first.
    pub fn loops(self) -> [Loop; 3] {
        use Loop::{Channel, Filter, Row};
        match self {
            Self::RowFilterChannel => [Row, Filter, Channel],
            Self::FilterRowChannel => [Filter, Row, Channel],
            Self::RowChannelFilter => [Row, Channel, Filter],
            Self::FilterChannelRow => [Filter, Channel, Row],
            Self::ChannelRowFilter => [Channel, Row, Filter],
            Self::ChannelFilterRow => [Channel, Filter, Row],
        }
    }

    /// Position of a loop, 0 outermost.
    pub(crate) fn position(self, which: Loop) -> usize {
        let loops = self.loops();
        usize::from(loops[0] != which) + usize::from(loops[2] == which)
    }
}

/// Extent of a tile, each >= 1 and at most that of the operation, and the order of the tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Tiling {
    /// Images of the batch.
    pub images: u64,
    /// Rows of what is stored: of a fused pooling layer, rows after pooling.
    pub rows: u64,
    /// Filters of a group; of streamed operations the channels.
    pub filters: u64,
    /// Input channels of a group; of streamed operations the channels.
    pub channels: u64,
    /// Order of the loops. Streamed operations go by images, channels, rows, whatever it says.
    pub order: Order,
}

/// Operands that are on chip as a whole for the whole operation: they take their place in the buffer and cause no DRAM
/// traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Residents {
    /// The input, left there by the operation before.
    pub ifmap: bool,
    /// The output, for the next operation. Sums may not be spilled.
    pub ofmap: bool,
    /// The ifmap is in the buffer of the ofmap and the other way round: with separate buffers two layers that hand on
    /// their data in place use them in turn.
    pub swapped: bool,
}

/// What the search minimises first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// Bits moved to and from DRAM, then compute cycles, then the number of tiles.
    LeastTraffic,
    /// Compute cycles (without stalls), then bits moved, then the number of tiles.
    LeastCycles,
}

/// What is to be tiled.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a> {
    /// The operation.
    pub operation: &'a Operation,
    /// Bits of its words.
    pub widths: Widths,
    /// The buffers.
    pub buffers: &'a Buffers,
    /// What is on chip.
    pub residents: Residents,
    /// Images, >= 1.
    pub batch: u64,
}

#[cfg(test)]
mod tests;
