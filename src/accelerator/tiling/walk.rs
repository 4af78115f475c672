//! The steps of a plan in execution order, and the runs of words that they move.

use super::geometry::{Added, Geometry, RowTile};
use super::retention::Placed;
use super::{Loop, Plan};
use crate::accelerator::array::Gemm;
use crate::accelerator::trace::Operand;
use serde::Serialize;
use std::iter;
use std::ops::Range;

/// Words that lie one behind another in DRAM. Inputs, further inputs, outputs and sums lie by images, channels, rows and
/// columns; further inputs one tensor behind the other. Weights lie in the order in which the tiling uses them first, the
/// parameters of followers behind them, and likewise the biases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Run {
    /// The operand.
    pub operand: Operand,
    /// Distance of the first word from the operand's first, in words.
    pub first_word: u64,
    /// Number of words, >= 1.
    pub words: u64,
}

/// A run that is moved several times during an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct RepeatedRun {
    /// The run.
    pub run: Run,
    /// How often, >= 1; of partial sums how often it is written, and as often read back.
    pub times: u64,
}

/// One tile: what it loads before it computes, and what it stores behind that.
#[derive(Clone, Debug)]
pub struct Step<'a> {
    /// The product that the array computes; of streamed operations the results as pixels and filters, the window's
    /// elements in one channel as window. A tile that only pools what others have computed has 0 pixels.
    pub gemm: Gemm,
    /// Group of channels.
    pub group: u64,
    /// Images of the batch.
    pub images: Range<u64>,
    /// Rows of the product that are computed, before fused pooling.
    pub computed_rows: Range<u64>,
    /// Rows that are complete with it, after fused pooling.
    pub stored_rows: Range<u64>,
    /// Filters of the group; of streamed operations channels.
    pub filters: Range<u64>,
    /// Input channels of the group.
    pub channels: Range<u64>,
    /// Whether sums are complete with it.
    pub is_last: bool,
    plan: &'a Plan,
    index: Index,
}

/// Indices of the blocks of one tile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Index {
    group: u64,
    row: u64,
    filter: u64,
    channel: u64,
}

impl Index {
    fn of(&self, which: Loop) -> u64 {
        match which {
            Loop::Row => self.row,
            Loop::Filter => self.filter,
            Loop::Channel => self.channel,
        }
    }
}

/// Rectangles of words in a tensor of images, channels, rows.
#[derive(Clone, Debug)]
struct Planes {
    operand: Operand,
    first_word: u64,
    images: Range<u64>,
    channels: Range<u64>,
    /// Channels of the tensor, and words of a row and of a channel.
    all_channels: u64,
    row: u64,
    plane: u64,
}

impl Planes {
    /// One run for every stretch of `rows`; planes that are taken whole join.
    fn runs(self, rows: impl Iterator<Item = Range<u64>> + Clone) -> impl Iterator<Item = Run> {
        let mut first = rows.clone().filter(|rows| !rows.is_empty());
        let is_whole = first.next().is_some_and(|rows| (rows.end - rows.start) * self.row == self.plane);
        let channels = self.channels.end - self.channels.start;
        // (images, channels) of one run.
        let joined = match (is_whole, channels == self.all_channels) {
            (true, true) => (self.images.end - self.images.start, channels),
            (true, false) => (1, channels),
            (false, _) => (1, 1),
        };
        let images = self.images.step_by(joined.0.max(1) as usize);
        images.flat_map(move |image| {
            let rows = rows.clone();
            let channels = self.channels.clone().step_by(joined.1.max(1) as usize);
            channels.flat_map(move |channel| {
                let plane = self.first_word + (image * self.all_channels + channel) * self.plane;
                rows.clone().filter(|rows| !rows.is_empty()).map(move |rows| Run {
                    operand: self.operand,
                    first_word: plane + rows.start * self.row,
                    words: (rows.end - rows.start) * self.row * joined.0 * joined.1,
                })
            })
        })
    }
}

impl Plan {
    /// All tiles in execution order, one at a time.
    pub fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        let loops = self.tiling.order.loops();
        let [outer, middle, inner] = loops.map(|which| self.tiles.of(which));
        let indices = (0..self.tiles.groups).flat_map(move |group| {
            (0..outer).flat_map(move |first| {
                (0..middle)
                    .flat_map(move |second| (0..inner).map(move |third| (group, [first, second, third])))
            })
        });
        indices.map(move |(group, positions)| {
            let at = |which| positions[self.tiling.order.position(which)];
            self.step(Index {
                group,
                row: at(Loop::Row),
                filter: at(Loop::Filter),
                channel: at(Loop::Channel),
            })
        })
    }

    fn step(&self, index: Index) -> Step<'_> {
        let geometry = &self.geometry;
        let (images, rows) = self.rows(index.row);
        let filters = block(index.filter, self.tiling.filters, geometry.filters);
        let channels = self.channels(index);
        let length = |range: &Range<u64>| range.end - range.start;
        let window = if geometry.streamed { 1 } else { length(&channels) };
        Step {
            gemm: Gemm {
                pixels: length(&images) * length(&rows.computed) * geometry.computed_columns,
                filters: length(&filters),
                window: window * geometry.taps,
            },
            group: index.group,
            images,
            computed_rows: rows.computed,
            stored_rows: rows.stored,
            filters,
            channels,
            is_last: index.channel + 1 == self.tiles.channels,
            plan: self,
            index,
        }
    }

    /// Images and rows of a block of the row loop.
    fn rows(&self, row: u64) -> (Range<u64>, RowTile) {
        let images = block(row / self.tiles.rows, self.tiling.images, self.geometry.batch);
        (images, self.geometry.row_tile(row % self.tiles.rows, self.tiling.rows))
    }

    /// Input channels of a tile, in its group.
    fn channels(&self, index: Index) -> Range<u64> {
        if self.geometry.streamed {
            block(index.filter, self.tiling.filters, self.geometry.filters)
        } else {
            block(index.channel, self.tiling.channels, self.geometry.channels)
        }
    }

    /// How often what `placed` depends on is fetched.
    fn repeats(&self, placed: Placed) -> u64 {
        if self.geometry.streamed { 1 } else { self.retention.repeats(&self.tiles, placed) }
    }

    /// Whether the tile at `index` is not in the place of `placed` yet.
    fn is_fetched(&self, index: Index, placed: Placed) -> bool {
        // The channels of streamed operations go along with the loop of filters.
        self.geometry.streamed || self.repeats(placed) > 1 || index.of(placed.free()) == 0
    }

    fn is_bias_fetched(&self, index: Index) -> bool {
        let repeats = self.retention.bias_repeats(&self.tiles);
        self.geometry.has_bias && index.channel == 0 && (repeats > 1 || index.row == 0)
    }

    /// The input rows of a tile that are not in its place yet.
    fn fetched_rows(&self, row: u64) -> impl Iterator<Item = Range<u64>> + Clone + use<> {
        let geometry = &self.geometry;
        let (_, tile) = self.rows(row);
        let keeps_rows = geometry.streamed || self.retention.covers(Placed::Ifmap, Loop::Row);
        let held = if keeps_rows { geometry.reach(&(0..tile.computed.start)).end } else { 0 };
        let (whole, single) = if geometry.has_gaps() {
            (None, tile.computed)
        } else {
            (Some(geometry.reach(&tile.computed)), 0..0)
        };
        let (window, height) = (geometry.window, geometry.height);
        let single = single.map(move |row| window.rows(row, height));
        whole.into_iter().chain(single).map(move |rows| rows.start.max(held).min(rows.end)..rows.end)
    }

    fn ifmap_runs(&self, index: Index) -> impl Iterator<Item = Run> + use<> {
        let Geometry { channels, groups, height, width, .. } = self.geometry;
        let block = self.channels(index);
        let base = index.group * channels;
        let planes = Planes {
            operand: Operand::Ifmap,
            first_word: 0,
            images: self.rows(index.row).0,
            channels: base + block.start..base + block.end,
            all_channels: groups * channels,
            row: width,
            plane: height * width,
        };
        planes.runs(self.fetched_rows(index.row))
    }

    fn filter_run(&self, index: Index) -> Run {
        let Geometry { channels, filters, taps, .. } = self.geometry;
        let of_filters = block(index.filter, self.tiling.filters, filters);
        let of_channels = block(index.channel, self.tiling.channels, channels);
        let height = of_filters.end - of_filters.start;
        let width = of_channels.end - of_channels.start;
        let order = self.tiling.order;
        let before = if order.position(Loop::Filter) < order.position(Loop::Channel) {
            of_filters.start * channels + height * of_channels.start
        } else {
            of_channels.start * filters + width * of_filters.start
        };
        Run {
            operand: Operand::Filter,
            first_word: (index.group * channels * filters + before) * taps,
            words: height * width * taps,
        }
    }

    fn bias_run(&self, index: Index) -> Run {
        let filters = block(index.filter, self.tiling.filters, self.geometry.filters);
        Run {
            operand: Operand::Bias,
            first_word: index.group * self.geometry.filters + filters.start,
            words: filters.end - filters.start,
        }
    }

    /// Weights and biases of followers, behind those of the operation.
    fn parameter_runs(&self) -> impl Iterator<Item = Run> + use<> {
        let Geometry { streamed, groups, channels, filters, taps, .. } = self.geometry;
        let Geometry { has_bias, parameters: [weights, biases], .. } = self.geometry;
        let weight_base = if streamed { 0 } else { groups * channels * filters * taps };
        let bias_base = if has_bias { groups * filters } else { 0 };
        [(Operand::Filter, weight_base, weights), (Operand::Bias, bias_base, biases)]
            .into_iter()
            .filter(|&(.., words)| words > 0)
            .map(|(operand, first_word, words)| Run { operand, first_word, words })
    }

    /// Channels that are stored with a tile.
    fn stored_channels(&self, index: Index) -> Range<u64> {
        let filters = block(index.filter, self.tiling.filters, self.geometry.filters);
        let base = index.group * self.geometry.filters;
        self.geometry.stored_channels(&(base + filters.start..base + filters.end))
    }

    fn ofmap_runs(&self, index: Index) -> impl Iterator<Item = Run> + use<> {
        let Geometry { groups, filters, stored_rows, stored_columns, .. } = self.geometry;
        let (images, rows) = self.rows(index.row);
        let planes = Planes {
            operand: Operand::Ofmap,
            first_word: 0,
            images,
            channels: self.stored_channels(index),
            all_channels: groups * filters,
            row: stored_columns,
            plane: stored_rows * stored_columns,
        };
        planes.runs(iter::once(rows.stored))
    }

    fn added_runs(&self, index: Index) -> impl Iterator<Item = Run> + '_ {
        let Geometry { groups, filters, stored_rows, stored_columns, .. } = self.geometry;
        let Geometry { computed_rows, computed_columns, .. } = self.geometry;
        let (images, rows) = self.rows(index.row);
        self.geometry.added.iter().flat_map(move |&Added { first_word, before_pooling }| {
            let (all_rows, row, taken) = if before_pooling {
                (computed_rows, computed_columns, rows.computed.clone())
            } else {
                (stored_rows, stored_columns, rows.stored.clone())
            };
            let planes = Planes {
                operand: Operand::SecondIfmap,
                first_word,
                images: images.clone(),
                channels: self.stored_channels(index),
                all_channels: groups * filters,
                row,
                plane: all_rows * row,
            };
            planes.runs(iter::once(taken))
        })
    }

    fn partial_sum_runs(&self, index: Index) -> impl Iterator<Item = Run> + use<> {
        let Geometry { groups, filters, computed_rows, computed_columns, .. } = self.geometry;
        let (images, rows) = self.rows(index.row);
        let block = block(index.filter, self.tiling.filters, filters);
        let base = index.group * filters;
        let planes = Planes {
            operand: Operand::PartialSum,
            first_word: 0,
            images,
            channels: base + block.start..base + block.end,
            all_channels: groups * filters,
            row: computed_columns,
            plane: computed_rows * computed_columns,
        };
        planes.runs(iter::once(rows.computed))
    }

    /// The distinct runs of an operand and how often each is moved, without a walk over the steps: as many as there are
    /// distinct pieces of the operand. Weights and biases of followers come last.
    pub fn runs(&self, operand: Operand) -> Box<dyn Iterator<Item = RepeatedRun> + '_> {
        let repeated = |times: u64| move |run| RepeatedRun { run, times };
        match operand {
            Operand::Ifmap if self.residents.ifmap => Box::new(iter::empty()),
            Operand::Ifmap => {
                let channels = if self.geometry.streamed { Loop::Filter } else { Loop::Channel };
                let times = self.repeats(Placed::Ifmap);
                let pieces = self.pieces(Loop::Row, channels);
                Box::new(pieces.flat_map(|index| self.ifmap_runs(index)).map(repeated(times)))
            }
            Operand::SecondIfmap => {
                let pieces = self.pieces(Loop::Row, Loop::Filter);
                Box::new(pieces.flat_map(|index| self.added_runs(index)).map(repeated(1)))
            }
            Operand::Filter => {
                let times = self.repeats(Placed::Filter);
                let pieces = self.pieces(Loop::Filter, Loop::Channel).filter(|_| !self.geometry.streamed);
                let tensor = pieces.map(|index| self.filter_run(index)).map(repeated(times));
                let parameters = self.parameter_runs().filter(|run| run.operand == Operand::Filter);
                Box::new(tensor.chain(parameters.map(repeated(1))))
            }
            Operand::Bias => {
                let times = self.retention.bias_repeats(&self.tiles);
                let pieces = self.pieces(Loop::Filter, Loop::Filter).filter(|_| self.geometry.has_bias);
                let tensor = pieces.map(|index| self.bias_run(index)).map(repeated(times));
                let parameters = self.parameter_runs().filter(|run| run.operand == Operand::Bias);
                Box::new(tensor.chain(parameters.map(repeated(1))))
            }
            Operand::Ofmap if self.residents.ofmap => Box::new(iter::empty()),
            Operand::Ofmap => {
                let pieces = self.pieces(Loop::Row, Loop::Filter);
                Box::new(pieces.flat_map(|index| self.ofmap_runs(index)).map(repeated(1)))
            }
            Operand::PartialSum => {
                let times = self.repeats(Placed::Ofmap) - 1;
                let pieces = self.pieces(Loop::Row, Loop::Filter).filter(move |_| times > 0);
                Box::new(pieces.flat_map(|index| self.partial_sum_runs(index)).map(repeated(times)))
            }
        }
    }

    /// The pieces of an operand that depends on the loops `first` and `second`.
    fn pieces(&self, first: Loop, second: Loop) -> impl Iterator<Item = Index> + use<> {
        let tiles = self.tiles;
        let counts = [tiles.of(first), if first == second { 1 } else { tiles.of(second) }];
        let index = move |group, [one, two]: [u64; 2]| {
            let at = |which| match which {
                _ if which == first => one,
                _ if which == second => two,
                _ => 0,
            };
            Index { group, row: at(Loop::Row), filter: at(Loop::Filter), channel: at(Loop::Channel) }
        };
        (0..tiles.groups).flat_map(move |group| {
            (0..counts[0]).flat_map(move |one| (0..counts[1]).map(move |two| index(group, [one, two])))
        })
    }

    /// The distinct products of all steps and how often each is computed; tiles that only pool are not among them.
    /// Of streamed operations likewise the results of tiles.
    pub fn shapes(&self) -> Vec<(Gemm, u64)> {
        let geometry = &self.geometry;
        let images = lengths(geometry.batch, self.tiling.images);
        let filters = lengths(geometry.filters, self.tiling.filters);
        // The window of a streamed operation has one channel.
        let (all_channels, channels) =
            if geometry.streamed { (1, 1) } else { (geometry.channels, self.tiling.channels) };
        let channels = lengths(all_channels, channels);
        let mut shapes = Vec::new();
        for (image, image_times) in images {
            for &(rows, row_times) in self.computed.iter().filter(|&&(rows, _)| rows > 0) {
                for (filter, filter_times) in filters.clone() {
                    for (channel, channel_times) in channels.clone() {
                        let gemm = Gemm {
                            pixels: image * rows * geometry.computed_columns,
                            filters: filter,
                            window: channel * geometry.taps,
                        };
                        let times = image_times * row_times * filter_times * channel_times;
                        shapes.push((gemm, times * geometry.groups));
                    }
                }
            }
        }
        shapes
    }
}

impl Step<'_> {
    /// What is fetched for this tile: of what it needs all that the buffers do not hold yet.
    pub fn loads(&self) -> impl Iterator<Item = Run> + '_ {
        let (plan, index) = (self.plan, self.index);
        let ifmap = !plan.residents.ifmap && plan.is_fetched(index, Placed::Ifmap);
        let filter = !plan.geometry.streamed && plan.is_fetched(index, Placed::Filter);
        let is_first = index == Index::default();
        let spilled = index.channel > 0 && plan.repeats(Placed::Ofmap) > 1;
        let first = is_first.then(|| plan.parameter_runs()).into_iter().flatten();
        let filter = filter.then(|| plan.filter_run(index)).into_iter();
        let bias = plan.is_bias_fetched(index).then(|| plan.bias_run(index)).into_iter();
        let ifmap = ifmap.then(|| plan.ifmap_runs(index)).into_iter().flatten();
        let sums = spilled.then(|| plan.partial_sum_runs(index)).into_iter().flatten();
        let added = self.is_last.then(|| plan.added_runs(index)).into_iter().flatten();
        first.chain(filter).chain(bias).chain(ifmap).chain(sums).chain(added)
    }

    /// What is written once this tile is computed: complete results, or sums that do not stay.
    pub fn stores(&self) -> impl Iterator<Item = Run> + '_ {
        let (plan, index) = (self.plan, self.index);
        let spilled = !self.is_last && plan.repeats(Placed::Ofmap) > 1;
        let stored = self.is_last && !plan.residents.ofmap;
        let sums = spilled.then(|| plan.partial_sum_runs(index)).into_iter().flatten();
        let ofmap = stored.then(|| plan.ofmap_runs(index)).into_iter().flatten();
        sums.chain(ofmap)
    }
}

/// Block number `index` of blocks of `size` in `0..all`.
fn block(index: u64, size: u64, all: u64) -> Range<u64> {
    let first = (index * size).min(all);
    first..first.saturating_add(size).min(all)
}

/// The lengths of blocks of `size` in `0..all`, and how many there are: the last may be shorter.
pub(super) fn lengths(all: u64, size: u64) -> impl Iterator<Item = (u64, u64)> + Clone {
    [(size, all / size), (all % size, 1)].into_iter().filter(|&(length, times)| length > 0 && times > 0)
}
