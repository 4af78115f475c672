//! A tiling with everything that follows from it.

use super::geometry::Geometry;
use super::retention::Retention;
use super::{Residents, Tiling};
use serde::Serialize;

/// How much of an operand its place in a buffer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// One tile.
    Tile,
    /// All tiles of the inner of the two loops that the operand depends on.
    Inner,
    /// All of a group.
    Whole,
}

/// What the places of the operands hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Places {
    /// Inputs: depend on rows and channels.
    pub ifmap: Held,
    /// Weights: depend on filters and channels.
    pub filter: Held,
    /// Sums and outputs: depend on rows and filters.
    pub ofmap: Held,
}

/// Numbers of blocks per loop, each >= 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Tiles {
    /// Groups; 1 for streamed operations.
    pub groups: u64,
    /// Blocks of images.
    pub images: u64,
    /// Blocks of rows of an image.
    pub rows: u64,
    /// Blocks of filters; of streamed operations blocks of channels.
    pub filters: u64,
    /// Blocks of channels; 1 for streamed operations.
    pub channels: u64,
}

/// Words to and from DRAM over a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Inputs read.
    pub ifmap_reads: u64,
    /// Further inputs read, of element-wise layers.
    pub second_ifmap_reads: u64,
    /// Weights read, those of followers included.
    pub filter_reads: u64,
    /// Biases read, those of followers included.
    pub bias_reads: u64,
    /// Outputs written.
    pub ofmap_writes: u64,
    /// Incomplete sums written.
    pub partial_sum_writes: u64,
    /// Incomplete sums read back.
    pub partial_sum_reads: u64,
}

/// A tiling with everything that follows from it, over one batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The tile.
    pub tiling: Tiling,
    /// How many.
    pub tiles: Tiles,
    /// What the buffers hold.
    pub places: Places,
    /// What moves.
    pub traffic: Traffic,
    /// What moves if every word moves once: nothing on chip beforehand, nothing twice.
    pub compulsory: Traffic,
    /// Bytes that are occupied at most, per buffer.
    pub occupied_bytes: Vec<u64>,
    /// Sum of the compute cycles of all tiles, as the function given to the search counts them; 0 for streamed operations.
    pub compute_cycles: u64,
    /// What was on chip.
    pub residents: Residents,
    #[serde(skip)]
    pub(super) geometry: Geometry,
    #[serde(skip)]
    pub(super) retention: Retention,
    /// How many blocks of rows of an image compute how many rows.
    #[serde(skip)]
    pub(super) computed: Vec<(u64, u64)>,
}

impl Traffic {
    /// Words read; `None` beyond 2^64.
    pub fn reads(&self) -> Option<u64> {
        let Self { ifmap_reads, second_ifmap_reads, filter_reads, bias_reads, partial_sum_reads, .. } = *self;
        let words = [second_ifmap_reads, filter_reads, bias_reads, partial_sum_reads];
        words.into_iter().try_fold(ifmap_reads, u64::checked_add)
    }

    /// Words written; `None` beyond 2^64.
    pub fn writes(&self) -> Option<u64> {
        self.ofmap_writes.checked_add(self.partial_sum_writes)
    }

    /// Words read and written; `None` beyond 2^64.
    pub fn words(&self) -> Option<u64> {
        self.reads()?.checked_add(self.writes()?)
    }
}
