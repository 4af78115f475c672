//! What the places of a nest take in the buffers.

use super::geometry::Geometry;
use super::nest::Nest;
use super::retention::Placed;
use super::{Buffering, Loop};

/// Bytes that `words` of `bits` take.
pub(super) fn bytes(words: u64, bits: u32) -> u64 {
    (words * u64::from(bits)).div_ceil(8)
}

impl Nest<'_> {
    /// Copies of a place: two if its contents are ever replaced and transfers run meanwhile.
    fn copies(&self, placed: Placed) -> u64 {
        let is_replaced = self.retention.replaces(&self.blocks.tiles, placed);
        if is_replaced && self.problem.buffers.buffering == Buffering::Double { 2 } else { 1 }
    }

    /// Bytes that the place of `placed` and all that goes with it take.
    pub fn place_bytes(&self, placed: Placed) -> u64 {
        match placed {
            Placed::Ifmap if self.problem.residents.ifmap => {
                let Geometry { batch, groups, channels, height, width, .. } = *self.geometry;
                bytes(batch * groups * channels * height * width, self.problem.widths.ifmap_bits)
            }
            Placed::Ifmap if self.geometry.streamed => self.window_bytes(),
            Placed::Ifmap => self.ifmap_bytes(),
            Placed::Filter => self.filter_bytes(),
            Placed::Ofmap => self.ofmap_bytes(),
        }
    }

    fn ifmap_bytes(&self) -> u64 {
        let Geometry { batch, channels, width, .. } = *self.geometry;
        let rows = if self.retention.covers(Placed::Ifmap, Loop::Row) {
            batch * self.blocks.rows.touched_rows
        } else {
            self.blocks.images * self.blocks.rows.input_rows
        };
        let channels =
            if self.retention.covers(Placed::Ifmap, Loop::Channel) { channels } else { self.blocks.channels };
        self.copies(Placed::Ifmap) * bytes(rows * width * channels, self.problem.widths.ifmap_bits)
    }

    /// Of a streamed operation: the rows of the windows of a tile, and beside them those that come next.
    fn window_bytes(&self) -> u64 {
        let is_replaced = self.blocks.tiles.of(Loop::Row) * self.blocks.tiles.filters > 1;
        let ahead = match self.problem.buffers.buffering {
            Buffering::Double if is_replaced => self.blocks.rows.fresh_rows,
            Buffering::Double | Buffering::Single => 0,
        };
        let plane = self.blocks.images * self.geometry.width * self.blocks.filters;
        bytes(self.blocks.rows.input_rows * plane, self.problem.widths.ifmap_bits)
            + bytes(ahead * plane, self.problem.widths.ifmap_bits)
    }

    fn filter_bytes(&self) -> u64 {
        let geometry = self.geometry;
        let widths = self.problem.widths;
        let [weights, biases] = geometry.parameters;
        let parameters = bytes(weights, widths.filter_bits) + bytes(biases, widths.bias_bits);
        if geometry.streamed {
            return parameters;
        }
        let filters = if self.retention.covers(Placed::Filter, Loop::Filter) {
            geometry.filters
        } else {
            self.blocks.filters
        };
        let channels = if self.retention.covers(Placed::Filter, Loop::Channel) {
            geometry.channels
        } else {
            self.blocks.channels
        };
        let bias = if geometry.has_bias { bytes(filters, widths.bias_bits) } else { 0 };
        let tile = bytes(filters * channels * geometry.taps, widths.filter_bits) + bias;
        parameters + self.copies(Placed::Filter) * tile
    }

    fn ofmap_bytes(&self) -> u64 {
        let geometry = self.geometry;
        let widths = self.problem.widths;
        let [computed_rows, stored_rows] = if self.retention.covers(Placed::Ofmap, Loop::Row) {
            [geometry.computed_rows, geometry.stored_rows].map(|rows| geometry.batch * rows)
        } else {
            [self.blocks.rows.computed_rows, self.blocks.rows.rows].map(|rows| self.blocks.images * rows)
        };
        let filters = if self.retention.covers(Placed::Ofmap, Loop::Filter) {
            geometry.filters
        } else {
            self.blocks.filters
        };
        let bits = if geometry.streamed {
            widths.ofmap_bits
        } else {
            widths.ofmap_bits.max(widths.partial_sum_bits)
        };
        let computed = bytes(computed_rows * geometry.computed_columns * filters, bits);
        // Pooled results take the place of those that they come from, unless padding makes them more.
        let sums = computed.max(bytes(stored_rows * geometry.stored_columns * filters, widths.ofmap_bits));
        let place = if self.problem.residents.ofmap {
            let Geometry { batch, groups, filters, stored_rows, stored_columns, .. } = *geometry;
            // Finished words go to their place on chip at once: none waits for a transfer.
            sums + bytes(batch * groups * filters * stored_rows * stored_columns, widths.ofmap_bits)
        } else {
            self.copies(Placed::Ofmap) * sums + self.leaving_bytes()
        };
        place + bytes(self.kept_words(), widths.ofmap_bits) + self.added_bytes()
    }

    /// Room of pooled or normalised results on their way to DRAM while those that they come from stay: with two copies of
    /// the place one of them is free.
    fn leaving_bytes(&self) -> u64 {
        let geometry = self.geometry;
        let tiles = &self.blocks.tiles;
        let leaves = self.problem.buffers.buffering == Buffering::Double
            && self.copies(Placed::Ofmap) == 1
            && tiles.of(Loop::Row) * tiles.filters > 1;
        if !leaves || (geometry.kept_rows() == 0 && geometry.neighbours == 0) {
            return 0;
        }
        let channels = (self.blocks.filters + geometry.behind).min(geometry.filters * geometry.groups);
        let rows = self.blocks.images * self.blocks.rows.rows;
        bytes(rows * geometry.stored_columns * channels, self.problem.widths.ofmap_bits)
    }

    /// Results that wait for the next rows of fused pooling, or for the next channels of fused normalisation.
    fn kept_words(&self) -> u64 {
        let geometry = self.geometry;
        let all = geometry.filters * geometry.groups;
        let filters_outside = self.retention.filters_outside();
        let columns = geometry.computed_columns;
        let mut kept = 0;
        if self.blocks.tiles.rows > 1 && !self.retention.covers(Placed::Ofmap, Loop::Row) {
            let filters = if filters_outside { self.blocks.filters } else { geometry.filters };
            let channels = (filters + geometry.neighbours).min(all);
            kept += geometry.kept_rows() * columns * self.blocks.images * channels;
        }
        let filters_stay =
            self.blocks.tiles.filters == 1 || self.retention.covers(Placed::Ofmap, Loop::Filter);
        if geometry.neighbours > 0 && !(filters_stay && self.blocks.tiles.groups == 1) {
            let rows = if filters_outside || self.blocks.tiles.groups > 1 {
                geometry.batch * geometry.computed_rows
            } else {
                self.blocks.images * self.blocks.rows.computed_rows
            };
            kept += geometry.neighbours.min(all) * rows * columns;
        }
        kept
    }

    fn added_bytes(&self) -> u64 {
        let geometry = self.geometry;
        let all = geometry.filters * geometry.groups;
        let channels = (self.blocks.filters + geometry.behind).min(all);
        let is_replaced =
            self.blocks.tiles.groups * self.blocks.tiles.of(Loop::Row) * self.blocks.tiles.filters > 1;
        let copies = match self.problem.buffers.buffering {
            Buffering::Double if is_replaced => 2,
            Buffering::Double | Buffering::Single => 1,
        };
        let tile = |before_pooling| {
            if before_pooling {
                self.blocks.rows.computed_rows * geometry.computed_columns
            } else {
                self.blocks.rows.rows * geometry.stored_columns
            }
        };
        let tiles = geometry.added.iter().map(|added| {
            let words = self.blocks.images * channels * tile(added.before_pooling);
            copies * bytes(words, self.problem.widths.ifmap_bits)
        });
        tiles.sum()
    }
}
