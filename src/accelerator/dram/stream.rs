//! Streams of requests, one burst each.

use super::{Error, System};
use crate::random::{Key, Label};
use serde::Serialize;

/// One burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// An address within it.
    pub address: u64,
    /// Whether it is written.
    pub is_write: bool,
}

/// The order of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// One after the other from address 0.
    Sequential,
    /// Anywhere in the memory, each as likely.
    Random,
}

/// Which way the data go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Out of the memory.
    Read,
    /// Into the memory.
    Write,
    /// Two streams out and one in, a burst of each in turn: an element-wise layer of two inputs.
    Mixed,
}

/// A regular stream of bursts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Stream {
    /// The order of addresses.
    pub pattern: Pattern,
    /// Which way the data go.
    pub direction: Direction,
    /// Bytes; the last burst is moved as a whole.
    pub bytes: u64,
}

impl Stream {
    /// Bursts of `system` that it takes.
    pub fn bursts(&self, system: &System) -> u64 {
        self.bytes.div_ceil(system.burst_bytes().max(1))
    }

    /// Its bursts in order.
    ///
    /// # Errors
    /// Those of [`System::check`].
    pub fn requests(&self, system: &System) -> Result<impl Iterator<Item = Request> + use<>, Error> {
        const DRAWS: Key = Key::new(Label::new("dram stream"));
        let burst_bytes = system.burst_bytes();
        let capacity = system.capacity_bytes()? / burst_bytes;
        let Self { pattern, direction, .. } = *self;
        let words = DRAWS.words();
        Ok((0..self.bursts(system)).map(move |index| {
            let (offset, is_write) = match direction {
                Direction::Read => (index, false),
                Direction::Write => (index, true),
                // A quarter of the memory apart, as arrays at round addresses are: in the same banks at the same time.
                Direction::Mixed => (index / 3 + index % 3 * (capacity / 4), index % 3 == 2),
            };
            let burst = match pattern {
                Pattern::Sequential => offset,
                Pattern::Random => words.at(index),
            };
            Request { address: burst % capacity * burst_bytes, is_write }
        }))
    }
}
