//! The best tiling, or a given one.

use super::geometry::Geometry;
use super::nest::{Blocks, Nest, RowBlocks};
use super::retention::{Placed, Retention};
use super::walk::lengths;
use super::{Error, Held, Loop, Objective, Order, Places, Plan, Problem, Tiles, Tiling};
use crate::accelerator::array::Gemm;
use crate::accelerator::operation::Kind;
use std::ops::Range;

/// Cycles of a product without stalls; `None` beyond 2^64.
pub type ComputeCycles<'c> = dyn Fn(&Gemm) -> Option<u64> + 'c;

/// Which buffer holds which operand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Roles {
    pub ifmap: usize,
    pub filter: usize,
    pub ofmap: usize,
}

impl Roles {
    pub fn of(&self, placed: Placed) -> usize {
        match placed {
            Placed::Ifmap => self.ifmap,
            Placed::Filter => self.filter,
            Placed::Ofmap => self.ofmap,
        }
    }
}

/// Indices of extents that fit.
#[derive(Clone, Copy, Debug)]
struct Fitting {
    /// Whether the first does, a single block.
    all: bool,
    /// Of the others the first that does, and with it those behind.
    from: usize,
}

impl Fitting {
    fn contains(self, index: usize) -> bool {
        if index == 0 { self.all } else { index >= self.from }
    }
}

/// The best so far: what decides, and the indices of its extents.
#[derive(Clone, Copy, Debug)]
struct Best {
    /// Bits, cycles, or cycles, bits; then the number of tiles.
    key: (u128, u128, u128),
    extents: [usize; 4],
    retention: Retention,
    cycles: u64,
}

/// The extents that tiles may have: of all that give the same number of blocks the smallest.
struct Candidates<'a> {
    problem: &'a Problem<'a>,
    geometry: &'a Geometry,
    images: Vec<Extents>,
    rows: Vec<RowBlocks>,
    filters: Vec<Extents>,
    /// Of streamed operations one for each extent of filters.
    channels: Vec<Extents>,
    retentions: Vec<Retention>,
    /// Whether all orders are tried, and so those that differ in nothing but a loop of one block need to be once only.
    all_orders: bool,
}

/// Blocks of this extent, and how many there are.
#[derive(Clone, Copy, Debug)]
struct Extents {
    extent: u64,
    count: u64,
}

impl Extents {
    fn new(all: u64, extent: u64) -> Self {
        Self { extent, count: all.div_ceil(extent) }
    }

    /// Those of all numbers of blocks.
    fn all(all: u64) -> Vec<Self> {
        extents(all).into_iter().map(|extent| Self::new(all, extent)).collect()
    }
}

/// How many of the numbers from 0 to `count` satisfy `holds`, which the first of them do.
fn partition(count: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low.midpoint(high);
        if holds(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

/// The smallest extents that divide `all` into every possible number of blocks, the largest first.
pub(super) fn extents(all: u64) -> Vec<u64> {
    let mut extents = vec![all];
    let mut extent = all;
    while extent > 1 {
        // The next number of blocks is the least that a smaller extent needs.
        let blocks = all.div_ceil(extent - 1);
        extent = all.div_ceil(blocks);
        extents.push(extent);
    }
    extents
}

impl Problem<'_> {
    pub(super) fn roles(&self) -> Roles {
        let (ifmap, ofmap) = if self.residents.swapped {
            (self.buffers.ofmap, self.buffers.ifmap)
        } else {
            (self.buffers.ifmap, self.buffers.ofmap)
        };
        Roles { ifmap, filter: self.buffers.filter, ofmap }
    }

    fn geometry(&self) -> Result<Geometry, Error> {
        let count = self.buffers.buffers.len();
        for placed in Placed::ALL {
            let index = self.roles().of(placed);
            if index >= count {
                return Err(Error::NoBuffer { operand: placed.operand(), index, count });
            }
        }
        Geometry::new(self)
    }

    /// The best tiling under `objective`, of all orders, tiles and places. Tiles are tried in every number of blocks per loop,
    /// each with the smallest extent that gives it. `cycles` counts the cycles of a product.
    ///
    /// Between tilings that are equal in the objective and in the number of tiles, more images, rows and filters of a tile
    /// win, in this order, then the order named first in [`Order::ALL`], then the smaller places.
    ///
    /// # Errors
    /// Contradicting extents, counts beyond 2^64, or a buffer too small for the smallest tile.
    pub fn search(&self, objective: Objective, cycles: &ComputeCycles<'_>) -> Result<Plan, Error> {
        let geometry = self.geometry()?;
        let candidates = Candidates::new(self, &geometry);
        let best = match objective {
            Objective::LeastTraffic => candidates.least_traffic(cycles),
            Objective::LeastCycles => candidates.least_cycles(cycles),
        };
        candidates.plan(best, "the smallest tile")
    }

    /// The given tiling, with the places that cause the least traffic.
    ///
    /// # Errors
    /// As [`Self::search`]; and if an extent of the tile is 0 or larger than the operation's.
    pub fn given(&self, tiling: Tiling, cycles: &ComputeCycles<'_>) -> Result<Plan, Error> {
        let geometry = self.geometry()?;
        check_tiling(&geometry, self, &tiling)?;
        let candidates = Candidates {
            images: vec![Extents::new(geometry.batch, tiling.images)],
            rows: vec![RowBlocks::new(&geometry, tiling.rows)],
            filters: vec![Extents::new(geometry.filters, tiling.filters)],
            channels: vec![Extents::new(geometry.channels, tiling.channels)],
            retentions: retentions(&geometry, &[tiling.order]),
            all_orders: false,
            problem: self,
            geometry: &geometry,
        };
        candidates.plan(candidates.least_traffic(cycles), "the given tile")
    }

    /// Whether any tiling fits the buffers.
    ///
    /// # Errors
    /// As [`Self::search`].
    pub(super) fn fits(&self) -> Result<bool, Error> {
        let geometry = self.geometry()?;
        Ok(Candidates::new(self, &geometry).any_fits())
    }
}

/// Orders and places to be tried.
fn retentions(geometry: &Geometry, orders: &[Order]) -> Vec<Retention> {
    if geometry.streamed {
        let tile = Places { ifmap: Held::Tile, filter: Held::Tile, ofmap: Held::Tile };
        return vec![Retention::new(Order::FilterRowChannel, tile)];
    }
    Retention::all(orders)
}

/// Whether a streamed operation forms each result from all channels.
fn needs_all_channels(geometry: &Geometry, problem: &Problem<'_>) -> bool {
    let operation = problem.operation;
    let over_channels = operation.kind == Kind::Normalisation && operation.window.kernel == [1; 2];
    geometry.streamed && (over_channels || geometry.neighbours > 0)
}

fn check_tiling(geometry: &Geometry, problem: &Problem<'_>, tiling: &Tiling) -> Result<(), Error> {
    let Geometry { batch, stored_rows, filters, channels, streamed, .. } = *geometry;
    let extents = [
        ("images of a tile", tiling.images, batch),
        ("rows of a tile", tiling.rows, stored_rows),
        ("filters of a tile", tiling.filters, filters),
        ("channels of a tile", tiling.channels, channels),
    ];
    let least = |all: u64| if needs_all_channels(geometry, problem) { all } else { 1 };
    for (index, (what, found, all)) in extents.into_iter().enumerate() {
        let from = if index >= 2 { least(all) } else { 1 };
        if !(from..=all).contains(&found) {
            let expected = format!("{from}..{all}");
            return Err(Error::Extent { layer: geometry.layer.clone(), what, found, expected });
        }
    }
    if streamed && tiling.filters != tiling.channels {
        let (layer, expected) = (geometry.layer.clone(), format!("{}, as its filters", tiling.filters));
        return Err(Error::Extent { layer, what: "channels of a tile", found: tiling.channels, expected });
    }
    Ok(())
}

impl<'a> Candidates<'a> {
    fn new(problem: &'a Problem<'a>, geometry: &'a Geometry) -> Self {
        let rows = extents(geometry.stored_rows);
        let filters = if needs_all_channels(geometry, problem) {
            vec![Extents::new(geometry.filters, geometry.filters)]
        } else {
            Extents::all(geometry.filters)
        };
        let channels = if geometry.streamed {
            vec![Extents { extent: 1, count: 1 }]
        } else {
            Extents::all(geometry.channels)
        };
        Self {
            problem,
            geometry,
            images: Extents::all(geometry.batch),
            rows: rows.into_iter().map(|rows| RowBlocks::new(geometry, rows)).collect(),
            filters,
            channels,
            retentions: retentions(geometry, &Order::ALL),
            all_orders: !geometry.streamed,
        }
    }

    fn nest(&self, [images, rows, filters, channels]: [usize; 4], retention: Retention) -> Nest<'_> {
        let (images, rows) = (self.images[images], &self.rows[rows]);
        let (filters, channels) = (self.filters[filters], self.channels[channels]);
        let (tile_channels, channel_count) =
            if self.geometry.streamed { (filters.extent, 1) } else { (channels.extent, channels.count) };
        let tiles = Tiles {
            groups: self.geometry.groups,
            images: images.count,
            rows: rows.count,
            filters: filters.count,
            channels: channel_count,
        };
        let blocks =
            Blocks { images: images.extent, rows, filters: filters.extent, channels: tile_channels, tiles };
        Nest { problem: self.problem, geometry: self.geometry, blocks, retention }
    }

    /// Indices of all extents of images and rows.
    fn outer(&self) -> impl Iterator<Item = [usize; 2]> + use<> {
        let rows = self.rows.len();
        (0..self.images.len()).flat_map(move |image| (0..rows).map(move |row| [image, row]))
    }

    /// Whether `retention` differs from those before it for blocks of these extents.
    fn differs(&self, [images, rows]: [usize; 2], filters: usize, retention: &Retention) -> bool {
        let Retention { order, places, .. } = *retention;
        if !self.all_orders {
            return true;
        }
        let rows = &self.rows[rows];
        let single_row = self.images[images].count * rows.count == 1;
        let single_filter = self.filters[filters].count == 1;
        let order_differs = match (single_row, single_filter) {
            (true, true) => order == Order::RowFilterChannel,
            (true, false) => order.position(Loop::Row) == 0,
            (false, true) => order.position(Loop::Filter) == 0,
            (false, false) => true,
        };
        let has_halo = rows.fetched_rows > rows.touched_rows;
        // A place of all rows or filters has what pooling or normalisation would keep beside it.
        let keeps_results = self.geometry.kept_rows() > 0 || self.geometry.neighbours > 0;
        order_differs
            && (places.ifmap == Held::Tile || has_halo || !single_filter)
            && (places.filter == Held::Tile || !single_row)
            && (places.ofmap == Held::Tile || self.channels.len() > 1 || keeps_results)
    }

    /// Whether any tiling fits. Smaller extents need no more room, but for a single block, which needs no second copy and
    /// keeps nothing for the next: images, filters and channels need be tried at both ends only.
    fn any_fits(&self) -> bool {
        let ends = |length: usize| [0, length - 1];
        let mut images = ends(self.images.len()).into_iter();
        images.any(|image| {
            (0..self.rows.len()).any(|row| {
                ends(self.filters.len()).into_iter().any(|filter| {
                    ends(self.channels.len()).into_iter().any(|channel| {
                        let fits = |&retention: &Retention| {
                            self.nest([image, row, filter, channel], retention).fits()
                        };
                        self.retentions.iter().any(fits)
                    })
                })
            })
        })
    }

    /// The tilings of least traffic, and of these the one of fewest cycles.
    fn least_traffic(&self, cycles: &ComputeCycles<'_>) -> Option<Best> {
        let least = self.least_bits()?;
        let mut best: Option<Best> = None;
        for outer @ [images, rows] in self.outer() {
            let bits = |filters, retention| self.nest([images, rows, filters, 0], retention).variable_bits();
            // Fewer filters at a time never move less.
            let ties = self.retentions.iter().copied().filter(|&retention| bits(0, retention) <= least);
            let mut retentions: Vec<(Retention, Fitting)> =
                ties.map(|retention| (retention, self.fitting_filters(outer, retention))).collect();
            for filters in 0..self.filters.len() {
                retentions.retain(|&(retention, _)| bits(filters, retention) <= least);
                if retentions.is_empty() {
                    break;
                }
                let of_interest = retentions.iter().filter(|&&(retention, fitting)| {
                    fitting.contains(filters) && self.differs(outer, filters, &retention)
                });
                let mut ties: Vec<(Range<usize>, Retention)> = Vec::new();
                for &(retention, _) in of_interest {
                    let channels = self.tied_channels([images, rows, filters], retention, least);
                    ties.push((channels, retention));
                }
                for channel in 0..self.channels.len() {
                    // Whatever else ties has the same traffic, cycles and number of tiles.
                    let Some((_, retention)) = ties.iter().find(|(channels, _)| channels.contains(&channel))
                    else {
                        continue;
                    };
                    let extents = [images, rows, filters, channel];
                    let nest = self.nest(extents, *retention);
                    let most = best.map_or(u64::MAX, |best| best.cycles);
                    let Some(taken) = self.cycles(&nest, most, cycles) else { continue };
                    let key = (least, u128::from(taken), steps(&nest.blocks.tiles));
                    if best.is_none_or(|best| key < best.key) {
                        best = Some(Best { key, extents, retention: *retention, cycles: taken });
                    }
                }
            }
        }
        best
    }

    /// Indices of the channels that fit and move no more than `least` bits.
    fn tied_channels(
        &self,
        [images, rows, filters]: [usize; 3],
        retention: Retention,
        least: u128,
    ) -> Range<usize> {
        let at = |channel| self.nest([images, rows, filters, channel], retention);
        let Some(first) = self.most_channels(|channel| at(channel).fits()) else { return 0..0 };
        // Fewer channels at a time never move less.
        let extents = first..self.channels.len();
        first..extents.start + partition(extents.len(), |offset| at(first + offset).variable_bits() <= least)
    }

    /// The fewest bits that vary with the tiling.
    fn least_bits(&self) -> Option<u128> {
        let mut least: Option<u128> = None;
        for outer @ [images, rows] in self.outer() {
            for &retention in &self.retentions {
                let bits = |filters| self.nest([images, rows, filters, 0], retention).variable_bits();
                if least.is_some_and(|least| bits(0) >= least) {
                    continue;
                }
                let fitting = self.fitting_filters(outer, retention);
                for filters in (0..self.filters.len()).filter(|&filters| fitting.contains(filters)) {
                    // Fewer filters at a time never move less.
                    if least.is_some_and(|least| bits(filters) >= least) {
                        break;
                    }
                    if !self.differs(outer, filters, &retention) {
                        continue;
                    }
                    let at = |channel| self.nest([images, rows, filters, channel], retention);
                    if let Some(channel) = self.most_channels(|channel| at(channel).fits()) {
                        let bits = at(channel).variable_bits();
                        least = Some(least.map_or(bits, |least| least.min(bits)));
                    }
                }
            }
        }
        least
    }

    /// Indices of the filters that fit with any number of channels: fewer need no more room, but for all of them, which need
    /// no second copy and keep nothing for the next.
    fn fitting_filters(&self, [images, rows]: [usize; 2], retention: Retention) -> Fitting {
        let ends = [self.channels.len() - 1, 0];
        let fits = |filters: usize| {
            ends.into_iter().any(|channel| self.nest([images, rows, filters, channel], retention).fits())
        };
        let some = self.filters.len() - 1;
        Fitting { all: fits(0), from: 1 + partition(some, |index| !fits(1 + index)) }
    }

    /// Index of the most channels that fit: fewer need no more room, but for all of them, which need no second copy.
    fn most_channels(&self, fits: impl Fn(usize) -> bool) -> Option<usize> {
        let all = self.channels.len();
        if fits(0) {
            return Some(0);
        }
        let (mut too_many, mut few) = (0, all - 1);
        if all == 1 || !fits(few) {
            return None;
        }
        while few - too_many > 1 {
            let middle = too_many.midpoint(few);
            if fits(middle) { few = middle } else { too_many = middle }
        }
        Some(few)
    }

    /// The tilings of fewest cycles, and of these the one of least traffic.
    fn least_cycles(&self, cycles: &ComputeCycles<'_>) -> Option<Best> {
        let mut best: Option<Best> = None;
        for outer @ [images, rows] in self.outer() {
            for (filters, channel) in (0..self.filters.len())
                .flat_map(|filter| (0..self.channels.len()).map(move |channel| (filter, channel)))
            {
                let extents = [images, rows, filters, channel];
                let most = best.map_or(u64::MAX, |best| best.cycles);
                let nest = self.nest(extents, self.retentions[0]);
                let Some(taken) = self.cycles(&nest, most, cycles) else { continue };
                for &retention in &self.retentions {
                    let nest = self.nest(extents, retention);
                    let key = (u128::from(taken), nest.variable_bits(), steps(&nest.blocks.tiles));
                    let is_better = best.is_none_or(|best| key < best.key);
                    if is_better && self.differs(outer, filters, &retention) && nest.fits() {
                        best = Some(Best { key, extents, retention, cycles: taken });
                    }
                }
            }
        }
        best
    }

    /// Compute cycles of all tiles, unless they exceed `most`.
    fn cycles(&self, nest: &Nest<'_>, most: u64, cycles: &ComputeCycles<'_>) -> Option<u64> {
        let geometry = self.geometry;
        if geometry.streamed {
            return Some(0);
        }
        let blocks = nest.blocks;
        let mut total = 0u64;
        for (images, image_times) in lengths(geometry.batch, blocks.images) {
            for &(rows, row_times) in blocks.rows.computed.iter().filter(|&&(rows, _)| rows > 0) {
                for (filters, filter_times) in lengths(geometry.filters, blocks.filters) {
                    for (channels, channel_times) in lengths(geometry.channels, blocks.channels) {
                        let pixels = images * rows * geometry.computed_columns;
                        let gemm = Gemm { pixels, filters, window: channels * geometry.taps };
                        let times = image_times * row_times * filter_times * channel_times * geometry.groups;
                        total = total.checked_add(cycles(&gemm)?.checked_mul(times)?)?;
                        if total > most {
                            return None;
                        }
                    }
                }
            }
        }
        Some(total)
    }

    /// The plan of the best tiling, or why there is none; `tile` is what was tried.
    fn plan(&self, best: Option<Best>, tile: &'static str) -> Result<Plan, Error> {
        match best {
            Some(best) => self.nest(best.extents, best.retention).plan(best.cycles),
            None if self.any_fits() => {
                Err(Error::Overflow { layer: self.geometry.layer.clone(), what: "compute cycles" })
            }
            None => Err(self.too_small(tile)),
        }
    }

    /// Why nothing fits: where the smallest tile lacks the least.
    fn too_small(&self, tile: &'static str) -> Error {
        let lengths = [self.images.len(), self.rows.len(), self.filters.len(), self.channels.len()];
        let smallest = lengths.map(|length| length - 1);
        let lacks = self.retentions.iter().map(|&retention| self.nest(smallest, retention).lack());
        let lack = lacks.min_by_key(|lack| lack.missing_bytes).expect("there is always an order");
        Error::TooSmall {
            layer: self.geometry.layer.clone(),
            tile,
            operand: lack.operand,
            operand_bytes: lack.operand_bytes,
            needed_bytes: lack.needed_bytes,
            buffer: lack.buffer,
            capacity_bytes: self.problem.buffers.buffers[lack.buffer].capacity_bytes,
        }
    }
}

fn steps(tiles: &Tiles) -> u128 {
    let Tiles { groups, images, rows, filters, channels } = *tiles;
    [groups, images, rows, filters, channels].into_iter().map(u128::from).product()
}
