//! Cycles and buffer accesses of an array of multiply-accumulate units under each dataflow.
//!
//! A layer is a matrix product of M output pixels, N filters and K elements of the window. The array of R rows and C columns
//! takes it in F folds, each of which occupies at most R x C processing elements:
//!
//! | dataflow | rows carry | columns carry | streams | folds F | cycles of a fold: fill + compute + drain |
//! |---|---|---|---|---|---|
//! | output stationary | M | N | K | ceil(M/R) ceil(N/C) | (R + C - 2) + K + 0 |
//! | weight stationary | K | N | M | ceil(K/R) ceil(N/C) | R + M + (R + C - 2) |
//! | input stationary | K | M | N | ceil(K/R) ceil(M/C) | R + N + (R + C - 2) |
//! | vector | K | N | - | ceil(K/R) ceil(N/C) M | 0 + 1 + 0, and R - 1 once to drain |
//!
//! An output-stationary array drains while the next fold fills, so its drain costs nothing. The cycles are those of SCALE-Sim
//! 3.0.0 (A. Samajdar et al., ISPASS 2020), which prints the index of the last one: one less. With
//! [`FoldOverlap::Pipelined`] the F folds follow each other without a gap and the fill and the drain are paid once.
//!
//! Accesses to the buffers, in words:
//!
//! | dataflow | ifmap reads | filter reads | ofmap writes | partial sums read back |
//! |---|---|---|---|---|
//! | output stationary | M K ceil(N/C) | K N ceil(M/R) | M N | 0 |
//! | weight stationary | M K ceil(N/C) | K N | M N ceil(K/R) | M N (ceil(K/R) - 1) |
//! | input stationary | M K | K N ceil(M/C) | M N ceil(K/R) | M N (ceil(K/R) - 1) |
//! | vector | M K ceil(N/C) | M K N | M N | 0 |
//!
//! Where the rows carry the window, a sum over more elements than rows leaves the array at the foot of its column after every
//! fold, is written to the buffer, and read back to be added to in the next. The vector mapping takes the folds of one output
//! one after the other and adds at the foot: nothing of it is read back.

mod counts;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod walk;

pub use counts::Counts;

use serde::Serialize;
use thiserror::Error;

/// Which operand a processing element keeps while the others stream past it, in terms of the matrix product of a layer:
/// M output pixels, N filters, K elements of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dataflow {
    /// Rows carry output pixels, columns filters; the window streams.
    OutputStationary,
    /// Rows carry the window, columns filters; output pixels stream.
    WeightStationary,
    /// Rows carry the window, columns output pixels; filters stream.
    InputStationary,
}

/// Whether a fold waits for the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FoldOverlap {
    /// Each fold fills and drains the array alone, as in SCALE-Sim.
    None,
    /// The next fold fills while this one computes: filled and drained once. What stays in place is loaded into a second
    /// register beside the one in use, in time even when a fold is shorter than the array has rows.
    Pipelined,
}

/// How fully connected layers at batch 1 are spread over the array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FullyConnected {
    /// As a convolution of one output pixel, under the array's dataflow.
    Array,
    /// A new weight in every processing element each cycle, rows carrying inputs and columns outputs.
    Vector,
}

/// The array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Array {
    /// Rows of processing elements, >= 1.
    pub rows: u64,
    /// Columns of processing elements, >= 1.
    pub columns: u64,
    /// What stays in place.
    pub dataflow: Dataflow,
    /// Whether folds overlap.
    pub fold_overlap: FoldOverlap,
    /// How fully connected layers are mapped.
    pub fully_connected: FullyConnected,
}

/// The matrix product that a layer, or a tile of it, is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Gemm {
    /// M: output pixels, of all images of a batch.
    pub pixels: u64,
    /// N: filters.
    pub filters: u64,
    /// K: elements of the window over all its channels.
    pub window: u64,
}

/// How a layer lies on the array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mapping {
    /// One operand stays, the others stream.
    Stationary(Dataflow),
    /// [`FullyConnected::Vector`].
    Vector,
}

/// Why an array, or a product on it, has no counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// No processing elements.
    #[error("an array has at least 1 row and 1 column, found {rows} rows and {columns} columns")]
    NoElements {
        /// Rows asked for.
        rows: u64,
        /// Columns asked for.
        columns: u64,
    },
    /// Nothing to multiply.
    #[error(
        "a matrix product has at least 1 output pixel, 1 filter and 1 element of the window, found {pixels} x {filters} x {window}"
    )]
    NoWork {
        /// M.
        pixels: u64,
        /// N.
        filters: u64,
        /// K.
        window: u64,
    },
    /// A count is beyond 2^64 - 1.
    #[error("the number of {count} is beyond 2^64 - 1")]
    Overflow {
        /// What was counted.
        count: &'static str,
    },
}

/// Cycles of one piece of work without waiting for data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Phases {
    /// Before the first multiply-accumulate of a fold can begin everywhere.
    pub fill_cycles: u64,
    /// While operands stream.
    pub compute_cycles: u64,
    /// Until the last result has left.
    pub drain_cycles: u64,
}

/// Accesses of the array to its buffers, in words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Accesses {
    /// Inputs read.
    pub ifmap_reads: u64,
    /// Weights read.
    pub filter_reads: u64,
    /// Outputs and partial sums written.
    pub ofmap_writes: u64,
    /// Partial sums read back.
    pub partial_sum_reads: u64,
}

impl Phases {
    /// Fill, compute and drain together; `None` beyond 2^64 - 1.
    pub fn total(&self) -> Option<u64> {
        self.fill_cycles.checked_add(self.compute_cycles)?.checked_add(self.drain_cycles)
    }
}

impl Gemm {
    /// Multiply-accumulates, M N K.
    ///
    /// # Errors
    ///
    /// [`Error::Overflow`] beyond 2^64 - 1.
    pub fn macs(&self) -> Result<u64, Error> {
        product("multiply-accumulates", [self.pixels, self.filters, self.window])
    }
}

impl Array {
    /// Whether it has processing elements.
    ///
    /// # Errors
    ///
    /// [`Error::NoElements`] without rows or columns, [`Error::Overflow`] where R + C is beyond 2^64 - 1.
    pub fn check(&self) -> Result<(), Error> {
        let Self { rows, columns, .. } = *self;
        if rows == 0 || columns == 0 {
            return Err(Error::NoElements { rows, columns });
        }
        rows.checked_add(columns).map(drop).ok_or(Error::Overflow { count: "cycles to fill the array" })
    }

    /// Counts of `gemm` under the array's dataflow, as a layer of its own.
    ///
    /// # Errors
    ///
    /// Those of [`check`](Self::check), [`Error::NoWork`], and [`Error::Overflow`] for a count beyond 2^64 - 1.
    pub fn run(&self, gemm: &Gemm) -> Result<Counts, Error> {
        self.count(Mapping::Stationary(self.dataflow), gemm)
    }

    /// Counts of `gemm` with a new weight in every processing element each cycle, as a layer of its own: every weight is read
    /// once per output pixel, an input is broadcast along its row, and products are added down the column, at whose foot the
    /// sum stays until it is complete.
    ///
    /// # Errors
    ///
    /// As of [`run`](Self::run).
    pub fn vector(&self, gemm: &Gemm) -> Result<Counts, Error> {
        self.count(Mapping::Vector, gemm)
    }

    /// Counts of `gemm` under `mapping`, as a layer of its own.
    ///
    /// # Errors
    ///
    /// As of [`run`](Self::run).
    pub fn count(&self, mapping: Mapping, gemm: &Gemm) -> Result<Counts, Error> {
        self.check()?;
        let Gemm { pixels, filters, window } = *gemm;
        if pixels == 0 || filters == 0 || window == 0 {
            return Err(Error::NoWork { pixels, filters, window });
        }
        let by_rows = |extent: u64| extent.div_ceil(self.rows);
        let by_columns = |extent: u64| extent.div_ceil(self.columns);
        let (fold_grid, streamed, occupied) = match mapping {
            Mapping::Stationary(Dataflow::OutputStationary) => {
                ([by_rows(pixels), by_columns(filters), 1], window, [pixels, filters, 1])
            }
            Mapping::Stationary(Dataflow::WeightStationary) => {
                ([by_rows(window), by_columns(filters), 1], pixels, [window, filters, 1])
            }
            Mapping::Stationary(Dataflow::InputStationary) => {
                ([by_rows(window), by_columns(pixels), 1], filters, [window, pixels, 1])
            }
            Mapping::Vector => ([by_rows(window), by_columns(filters), pixels], 1, [window, filters, pixels]),
        };
        let folds = product("folds", fold_grid)?;
        let phases =
            Phases { compute_cycles: product("compute cycles", [folds, streamed, 1])?, ..Phases::default() };
        let counts = Counts {
            folds,
            phases,
            accesses: self.accesses(mapping, gemm)?,
            macs: gemm.macs()?,
            occupied_elements: product("occupied elements", occupied)?,
        };
        self.filled_and_drained(mapping, counts)
    }

    /// What the tiles of a layer come to, from the sum of their counts: where folds overlap, so do tiles, and the layer fills and
    /// drains once. Without overlap the sum is returned as it is.
    ///
    /// # Errors
    ///
    /// Those of [`check`](Self::check), and [`Error::Overflow`].
    pub fn layer(&self, mapping: Mapping, tiles: &Counts) -> Result<Counts, Error> {
        self.check()?;
        self.filled_and_drained(mapping, *tiles)
    }

    /// `counts` with the fill and drain cycles of its folds.
    fn filled_and_drained(&self, mapping: Mapping, mut counts: Counts) -> Result<Counts, Error> {
        let across = self.rows - 1 + (self.columns - 1);
        let (fill, drain) = match mapping {
            Mapping::Stationary(Dataflow::OutputStationary) => (across, 0),
            Mapping::Stationary(_) => (self.rows, across),
            Mapping::Vector => (0, self.rows - 1),
        };
        let times = match (mapping, self.fold_overlap) {
            (Mapping::Stationary(_), FoldOverlap::None) => counts.folds,
            (Mapping::Stationary(_), FoldOverlap::Pipelined) | (Mapping::Vector, _) => counts.folds.min(1),
        };
        counts.phases.fill_cycles = product("fill cycles", [fill, times, 1])?;
        counts.phases.drain_cycles = product("drain cycles", [drain, times, 1])?;
        counts.phases.total().ok_or(Error::Overflow { count: "cycles" })?;
        Ok(counts)
    }

    fn accesses(&self, mapping: Mapping, gemm: &Gemm) -> Result<Accesses, Error> {
        let Gemm { pixels, filters, window } = *gemm;
        let window_folds = window.div_ceil(self.rows);
        let (ifmap_times, filter_times, sums) = match mapping {
            Mapping::Stationary(Dataflow::OutputStationary) => {
                (filters.div_ceil(self.columns), pixels.div_ceil(self.rows), 1)
            }
            Mapping::Stationary(Dataflow::WeightStationary) => {
                (filters.div_ceil(self.columns), 1, window_folds)
            }
            Mapping::Stationary(Dataflow::InputStationary) => {
                (1, pixels.div_ceil(self.columns), window_folds)
            }
            Mapping::Vector => (filters.div_ceil(self.columns), pixels, 1),
        };
        Ok(Accesses {
            ifmap_reads: product("ifmap reads", [pixels, window, ifmap_times])?,
            filter_reads: product("filter reads", [window, filters, filter_times])?,
            ofmap_writes: product("ofmap writes", [pixels, filters, sums])?,
            partial_sum_reads: product("partial sum reads", [pixels, filters, sums - 1])?,
        })
    }
}

fn product(count: &'static str, [a, b, c]: [u64; 3]) -> Result<u64, Error> {
    a.checked_mul(b).and_then(|ab| ab.checked_mul(c)).ok_or(Error::Overflow { count })
}
