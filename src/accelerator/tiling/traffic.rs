//! What a nest moves, in closed form.

use super::geometry::Geometry;
use super::nest::Nest;
use super::retention::Placed;
use super::{Loop, Traffic};

impl Nest<'_> {
    /// Input words read.
    fn ifmap_words(&self) -> u128 {
        let Geometry { batch, groups, channels, width, streamed, .. } = *self.geometry;
        if self.problem.residents.ifmap {
            return 0;
        }
        let (rows, repeats) = match streamed {
            true => (self.blocks.rows.touched_rows, 1),
            false if self.retention.covers(Placed::Ifmap, Loop::Row) => {
                (self.blocks.rows.touched_rows, self.retention.repeats(&self.blocks.tiles, Placed::Ifmap))
            }
            false => {
                (self.blocks.rows.fetched_rows, self.retention.repeats(&self.blocks.tiles, Placed::Ifmap))
            }
        };
        // A row is fetched by every block that it is the halo of.
        u128::from(rows) * u128::from(batch * groups * channels * width) * u128::from(repeats)
    }

    fn filter_words(&self) -> u128 {
        let Geometry { streamed, groups, channels, filters, taps, parameters: [weights, _], .. } =
            *self.geometry;
        let tensor = if streamed { 0 } else { u128::from(groups * channels * filters * taps) };
        tensor * u128::from(self.retention.repeats(&self.blocks.tiles, Placed::Filter)) + u128::from(weights)
    }

    fn bias_words(&self) -> u128 {
        let Geometry { groups, filters, has_bias, parameters: [_, biases], .. } = *self.geometry;
        let tensor = if has_bias { u128::from(groups * filters) } else { 0 };
        let repeats = self.retention.bias_repeats(&self.blocks.tiles);
        tensor * u128::from(repeats) + u128::from(biases)
    }

    /// Incomplete sums written, and as many read back.
    fn spilled_words(&self) -> u128 {
        let Geometry { streamed, batch, groups, filters, computed_rows, computed_columns, .. } =
            *self.geometry;
        let repeats = if streamed { 1 } else { self.retention.repeats(&self.blocks.tiles, Placed::Ofmap) };
        let sums = u128::from(batch * groups * filters * computed_rows * computed_columns);
        sums * u128::from(repeats - 1)
    }

    /// Words stored.
    fn stored_words(&self) -> u64 {
        let Geometry { batch, groups, filters, stored_rows, stored_columns, .. } = *self.geometry;
        batch * groups * filters * stored_rows * stored_columns
    }

    fn added_words(&self) -> u64 {
        let Geometry { batch, groups, filters, stored_rows, stored_columns, .. } = *self.geometry;
        let Geometry { computed_rows, computed_columns, .. } = *self.geometry;
        let words = self.geometry.added.iter().map(|added| {
            if added.before_pooling { computed_rows * computed_columns } else { stored_rows * stored_columns }
        });
        words.sum::<u64>() * batch * groups * filters
    }

    /// Bits that move in all, less those that move under any tiling.
    pub fn variable_bits(&self) -> u128 {
        let widths = self.problem.widths;
        self.ifmap_words() * u128::from(widths.ifmap_bits)
            + self.filter_words() * u128::from(widths.filter_bits)
            + self.bias_words() * u128::from(widths.bias_bits)
            + 2 * self.spilled_words() * u128::from(widths.partial_sum_bits)
    }

    /// What moves; `None` beyond 2^64 words.
    pub fn traffic(&self) -> Option<Traffic> {
        let spilled = u64::try_from(self.spilled_words()).ok()?;
        Some(Traffic {
            ifmap_reads: u64::try_from(self.ifmap_words()).ok()?,
            second_ifmap_reads: self.added_words(),
            filter_reads: u64::try_from(self.filter_words()).ok()?,
            bias_reads: u64::try_from(self.bias_words()).ok()?,
            ofmap_writes: if self.problem.residents.ofmap { 0 } else { self.stored_words() },
            partial_sum_writes: spilled,
            partial_sum_reads: spilled,
        })
    }

    /// What moves if every word moves once.
    pub fn compulsory(&self) -> Traffic {
        let Geometry { streamed, batch, groups, channels, filters, width, taps, .. } = *self.geometry;
        let Geometry { has_bias, parameters: [weights, biases], .. } = *self.geometry;
        let filter = if streamed { 0 } else { groups * channels * filters * taps };
        Traffic {
            ifmap_reads: batch * groups * channels * width * self.blocks.rows.touched_rows,
            second_ifmap_reads: self.added_words(),
            filter_reads: filter + weights,
            bias_reads: biases + if has_bias { groups * filters } else { 0 },
            ofmap_writes: self.stored_words(),
            partial_sum_writes: 0,
            partial_sum_reads: 0,
        }
    }
}
