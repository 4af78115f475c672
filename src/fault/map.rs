//! The weak cells of a memory.
//!
//! Every cell has a number u, uniform in [0, 1); it fails at bit error rate p iff u < p. Cells that fail at one rate
//! therefore fail at every higher one, and experiments at different rates share their faults.
//!
//! # How u is drawn in time proportional to the faults
//!
//! The unit interval is cut into the outer shell [2^-6, 1), the shells `[2^-(j+1), 2^-j)` for j = 6..=23, and the core
//! `[0, 2^-24)`. A cell joins shell j, independently of the others, with probability `q_j` = 2^-(j+1) / (1 - 2^-(j+1)), the
//! core with probability 2^-24, and the outer shell always. A member of a shell has a value uniform in it, and u is the
//! smallest value that a cell has been given.
//!
//! *u is uniform.* A cell has u >= 2^-J, for J = 6..=24, iff it has joined neither the core nor any of the shells J..=23.
//! With 1 - `q_j` = (1 - 2^-j) / (1 - 2^-(j+1)) the product telescopes:
//!
//! P(u >= 2^-J) = (1 - 2^-24) · prod_{j=J}^{23} (1 - 2^-j) / (1 - 2^-(j+1)) = 1 - 2^-J.
//!
//! Hence P(u < 2^-J) = 2^-J, and u lies in each shell with the probability of its width. Given that it does, no deeper
//! shell has been joined, and u is the shell's own value, which is uniform there and independent of that event. So u is
//! uniform in [0, 1). (Six shells of widths 1/2 .. 1/64 in place of the outer one would obey the same law, at up to five
//! dense masks per map instead of one.)
//!
//! The map at rate p is the union of all shells wholly below p and of those members of the shell around p whose value is
//! below p; a cell in several of them counts once. It looks at no member of a shell above: below 2^-6, at most twice as
//! many cells are drawn as fail. In the outer shell the values of 64 cells are compared with p digit by digit, all at
//! once, and only as far as needed.
//!
//! # Result format
//!
//! Cells come in chunks of [`CHUNK_CELLS`]. The members of one shell in one chunk are a pure function of ([`MapKey`],
//! chunk, shell), their values of (the same, cell). Neither rate, tensor, word format, protected bits nor thread enters.
//! The shells inside the outer one are drawn by gaps from the start of the chunk, so that the map of part of a chunk is
//! that part of the chunk's map; the outer one by address.

use super::shell::{Cut, OUTER, OuterCut, Shell, Thinning, outer_value};
use crate::random::{Geometric, Key, Label, Masks, Probability, Words};
use rayon::prelude::*;
use std::ops::Range;

/// Cells that are drawn together. Part of the result format.
pub const CHUNK_CELLS: u64 = 1 << 20;

/// Bits of a mask.
const LANES: u32 = 64;
/// Masks made together.
const MASK_BLOCK: usize = 64;
/// Words of a chunk's bitmap.
const GROUPS: usize = (CHUNK_CELLS / LANES as u64) as usize;
/// Draws per cell below which most words of a bitmap stay zero and are passed over by a summary.
const SUMMARY_BELOW: f64 = 4e-3;
/// A chunk's members are sorted when fewer than this are expected, and put into a bitmap when more are.
const FEW: f64 = 24.0;

const LIFETIME: Label = Label::new("lifetime");
const MEMORY: Label = Label::new("memory");
const SEED: Label = Label::new("seed");
const TRIAL: Label = Label::new("trial");
const IMAGE: Label = Label::new("image");
const BLOB: Label = Label::new("blob");
const VISIT: Label = Label::new("visit");
const CHECK: Label = Label::new("check bits");
const CHUNK: Label = Label::new("chunk");
const SHELL: Label = Label::new("shell");
const VALUE: Label = Label::new("value");

/// What a fault map belongs to: every part that tells it from other maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MapKey(Key);

impl MapKey {
    /// Permanent faults of the memory named `memory`.
    #[must_use]
    pub fn permanent(memory: &str, seed: u64, trial: u64) -> Self {
        Self::permanent_of(memory).of_trial(seed, trial)
    }

    /// Transient faults of the memory named `memory`, drawn once per trial.
    #[must_use]
    pub fn transient(memory: &str, seed: u64, trial: u64) -> Self {
        Self::transient_of(memory).of_trial(seed, trial)
    }

    pub(super) fn permanent_of(memory: &str) -> Self {
        Self(Key::new(Label::new("fault map")).with(LIFETIME, 0).with_text(MEMORY, memory))
    }

    pub(super) fn transient_of(memory: &str) -> Self {
        Self(Key::new(Label::new("fault map")).with(LIFETIME, 1).with_text(MEMORY, memory))
    }

    pub(super) fn of_trial(self, seed: u64, trial: u64) -> Self {
        Self(self.0.with(SEED, seed).with(TRIAL, trial))
    }

    /// The cells of the check bits of a code, which lie in an array of their own.
    pub(super) fn of_check_bits(self) -> Self {
        Self(self.0.with(CHECK, 0))
    }

    /// Random words that belong to this map.
    pub(super) fn words(self, label: Label) -> Words {
        self.0.with(label, 0).words()
    }

    /// The `visit`-th time that the same words pass the same memory.
    pub(super) fn visit(self, visit: u64) -> Self {
        if visit == 0 { self } else { Self(self.0.with(VISIT, visit)) }
    }

    /// Transient faults drawn anew for image `image`.
    #[must_use]
    pub fn image(self, image: u64) -> Self {
        Self(self.0.with(IMAGE, image))
    }

    /// Transient faults drawn anew for image `image` and blob or layer `blob`.
    #[must_use]
    pub fn activation(self, image: u64, blob: u64) -> Self {
        Self(self.0.with(IMAGE, image).with(BLOB, blob))
    }
}

/// A cell and its number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WeakCell {
    /// Address of the cell.
    pub cell: u64,
    /// The smallest bit error rate that it survives, in [0, 1): it fails at p iff u < p.
    pub u: f64,
}

/// Scratch memory of a map: 130 KiB once a chunk has had many weak cells, 4 MiB once it has had most of them.
#[derive(Clone, Debug, Default)]
pub struct MapBuffers {
    /// Weak cells of the chunk last drawn, `count` of them; what follows is stale.
    cells: Vec<u32>,
    count: usize,
    /// One bit per cell of a chunk; all zero between calls. Empty before its first use.
    bitmap: Vec<u64>,
    /// One bit per word of the bitmap that may not be zero, if marked at all; all zero between calls.
    summary: Vec<u64>,
    /// Words of the bitmap that are not zero.
    groups: Vec<u32>,
}

impl MapBuffers {
    fn prepare_bitmap(&mut self) {
        self.bitmap.resize(GROUPS, 0);
        self.summary.resize(GROUPS / LANES as usize, 0);
    }

    /// Moves the bitmap's cells, all below `end`, into the list in ascending order and leaves the bitmap zero.
    fn drain_bitmap(&mut self, end: u32, is_summarised: bool) {
        let groups = end.div_ceil(LANES) as usize;
        self.count = 0;
        if is_summarised {
            let mut count = 0;
            for (word, index) in self.summary[..groups.div_ceil(LANES as usize)].iter_mut().zip(0..) {
                append_lanes(std::mem::take(word), index * LANES, &mut self.groups, &mut count);
            }
            for &group in &self.groups[..count] {
                let lanes = std::mem::take(&mut self.bitmap[group as usize]);
                append_lanes(lanes, group * LANES, &mut self.cells, &mut self.count);
            }
        } else {
            for (word, group) in self.bitmap[..groups].iter_mut().zip(0..) {
                append_lanes(std::mem::take(word), group * LANES, &mut self.cells, &mut self.count);
            }
        }
    }
}

/// Writes `base` plus the number of each set lane to `list[*count..]`, ascending, and counts them.
#[inline]
fn append_lanes(mut lanes: u64, base: u32, list: &mut Vec<u32>, count: &mut usize) {
    if list.len() < *count + LANES as usize {
        list.resize((2 * list.len()).max(1024), 0);
    }
    // Two entries are written whether there are so many or not: whether a word has none, one or two lanes is what a
    // processor cannot predict, and most words of a map have no more.
    let slots = &mut list[*count..*count + LANES as usize];
    slots[0] = base + lanes.trailing_zeros();
    let mut written = usize::from(lanes != 0);
    lanes &= lanes.wrapping_sub(1);
    slots[written] = base + lanes.trailing_zeros();
    written += usize::from(lanes != 0);
    lanes &= lanes.wrapping_sub(1);
    while lanes != 0 {
        slots[written] = base + lanes.trailing_zeros();
        written += 1;
        lanes &= lanes - 1;
    }
    *count += written;
}

/// The weak cells of a memory at one bit error rate.
#[derive(Clone, Copy, Debug)]
pub struct FaultMap {
    key: MapKey,
    rate: Probability,
    cut: Cut,
    draws_per_cell: f64,
}

impl FaultMap {
    /// The map of `key` at bit error rate `rate`.
    #[must_use]
    pub fn new(key: MapKey, rate: Probability) -> Self {
        let cut = Cut::at(rate);
        Self { key, rate, cut, draws_per_cell: cut.draws_per_cell() }
    }

    /// The map of another key at the same bit error rate.
    #[must_use]
    pub fn with_key(self, key: MapKey) -> Self {
        Self { key, ..self }
    }

    /// The weak cells among `cells`, ascending. Chunks are drawn in parallel.
    #[must_use]
    pub fn weak_cells(&self, cells: Range<u64>) -> Vec<u64> {
        let lists: Vec<Vec<u64>> = chunks(&cells)
            .into_par_iter()
            .map_init(MapBuffers::default, |buffers, chunk| {
                let base = chunk * CHUNK_CELLS;
                let within = within_chunk(chunk, &cells);
                self.chunk(chunk, within, buffers).iter().map(|&cell| base + u64::from(cell)).collect()
            })
            .collect();
        lists.concat()
    }

    /// The weak cells among `cells` with their numbers, ascending by cell: the map of every rate up to this one.
    #[must_use]
    pub fn weak_cells_with_numbers(&self, cells: Range<u64>) -> Vec<WeakCell> {
        let lists: Vec<Vec<WeakCell>> =
            chunks(&cells).into_par_iter().map(|chunk| self.numbered(chunk, &cells)).collect();
        lists.concat()
    }

    /// The weak cells `within` chunk `chunk`, ascending, counted from the start of the chunk; cells beyond its end are
    /// not looked at.
    #[inline]
    pub fn chunk<'a>(&self, chunk: u64, within: Range<u32>, buffers: &'a mut MapBuffers) -> &'a [u32] {
        let within = within.start..within.end.min(CHUNK_CELLS as u32);
        buffers.count = 0;
        if within.is_empty() {
            return &[];
        }
        let key = self.key.0.with(CHUNK, chunk);
        // Gaps are drawn from the start of the chunk, whatever the start of the range.
        let is_sparse = self.draws_per_cell * f64::from(within.end) < FEW;
        match self.cut.outer {
            OuterCut::All => list_all(&within, buffers),
            OuterCut::Nothing if is_sparse => self.list_members(key, &within, buffers),
            OuterCut::Nothing | OuterCut::Some(_) => self.mark_members(key, &within, buffers),
        }
        &buffers.cells[..buffers.count]
    }

    fn list_members(&self, key: Key, within: &Range<u32>, buffers: &mut MapBuffers) {
        let cells = &mut buffers.cells;
        cells.clear();
        self.for_each_member(key, within, |_, members| cells.extend_from_slice(members));
        if cells.len() > 1 {
            cells.sort_unstable();
            cells.dedup();
        }
        buffers.count = cells.len();
    }

    fn mark_members(&self, key: Key, within: &Range<u32>, buffers: &mut MapBuffers) {
        buffers.prepare_bitmap();
        // Keeping the summary costs a store per draw, going through the whole bitmap a load per 64 cells.
        let is_summarised = self.draws_per_cell < SUMMARY_BELOW && self.cut.outer == OuterCut::Nothing;
        let bitmap = buffers.bitmap.as_mut_slice();
        if is_summarised {
            let summary = buffers.summary.as_mut_slice();
            self.for_each_member(key, within, |_, members| {
                for &cell in members {
                    let group = cell / LANES;
                    bitmap[group as usize] |= 1 << (cell % LANES);
                    summary[(group / LANES) as usize] |= 1 << (group % LANES);
                }
            });
        } else {
            self.for_each_member(key, within, |_, members| {
                for &cell in members {
                    bitmap[(cell / LANES) as usize] |= 1 << (cell % LANES);
                }
            });
        }
        if let OuterCut::Some(masks) = self.cut.outer {
            mark_outer(masks, key, within, bitmap);
        }
        buffers.drain_bitmap(within.end, is_summarised);
    }

    /// The weak cells of chunk `chunk` among `cells` with their numbers, ascending.
    pub(super) fn numbered(&self, chunk: u64, cells: &Range<u64>) -> Vec<WeakCell> {
        let key = self.key.0.with(CHUNK, chunk);
        let within = within_chunk(chunk, cells);
        let base = chunk * CHUNK_CELLS;
        let mut found = Vec::new();
        self.for_each_member(key, &within, |shell, members| {
            let values = values_of(shell, key);
            found.extend(members.iter().map(|&cell| WeakCell {
                cell: base + u64::from(cell),
                u: shell.value(values.at(u64::from(cell))),
            }));
        });
        if self.cut.outer != OuterCut::Nothing {
            let words = outer_words(key);
            for group in within.start / LANES..within.end.div_ceil(LANES) {
                let numbers = Masks::fractions(words, u64::from(group)).map(outer_value);
                let cells = (group * LANES..).zip(numbers);
                found.extend(
                    cells
                        .filter(|(cell, u)| within.contains(cell) && *u < self.rate.get())
                        .map(|(cell, u)| WeakCell { cell: base + u64::from(cell), u }),
                );
            }
        }
        // The smallest number of a cell first: that is its u.
        found.sort_unstable_by(|left, right| left.cell.cmp(&right.cell).then(left.u.total_cmp(&right.u)));
        found.dedup_by_key(|weak| weak.cell);
        found
    }

    /// Calls `visit` with ascending blocks of the members `within` a chunk of each shell inside the outer one.
    #[inline]
    fn for_each_member(&self, key: Key, within: &Range<u32>, mut visit: impl FnMut(&Shell, &[u32])) {
        let first_gaps = key.words();
        for (shell, thinning) in self.cut.shells() {
            let index = shell.index as u64;
            let first = first_gaps.at(index);
            if shell.gaps.surely_none(first, within.end) {
                continue;
            }
            let mut generator = key.with(SHELL, index).generator();
            let thinning = thinning.map(|thinning| (thinning, values_of(shell, key)));
            shell.gaps.successes(first, &mut generator, within.end, |block| {
                let block = &block[block.partition_point(|&cell| cell < within.start)..];
                match thinning {
                    None => visit(shell, block),
                    Some((thinning, values)) => thinned(thinning, values, block, |kept| visit(shell, kept)),
                }
            });
        }
    }
}

/// Calls `visit` with the cells of `block` that thinning keeps.
#[inline]
fn thinned(thinning: Thinning, values: Words, block: &[u32], visit: impl FnOnce(&[u32])) {
    let mut kept = [0; Geometric::BLOCK];
    let mut count = 0;
    for &cell in block {
        kept[count] = cell;
        count += usize::from(thinning.keeps(values, cell));
    }
    visit(&kept[..count]);
}

fn list_all(within: &Range<u32>, buffers: &mut MapBuffers) {
    buffers.cells.clear();
    buffers.cells.extend(within.clone());
    buffers.count = buffers.cells.len();
}

fn mark_outer(masks: Masks, chunk_key: Key, within: &Range<u32>, bitmap: &mut [u64]) {
    let words = outer_words(chunk_key);
    let mut block = [0; MASK_BLOCK];
    let groups = within.start / LANES..within.end.div_ceil(LANES);
    for first in groups.clone().step_by(MASK_BLOCK) {
        let count = ((groups.end - first) as usize).min(MASK_BLOCK);
        masks.fill(words, u64::from(first), &mut block[..count]);
        for (group, &mask) in (first..).zip(&block[..count]) {
            bitmap[group as usize] |= mask & lanes_within(group, within);
        }
    }
}

fn values_of(shell: &Shell, chunk_key: Key) -> Words {
    chunk_key.with(VALUE, shell.index as u64).words()
}

fn outer_words(chunk_key: Key) -> Words {
    chunk_key.with(SHELL, OUTER as u64 - 1).words()
}

/// The lanes of `group` whose cells lie `within` the range.
fn lanes_within(group: u32, within: &Range<u32>) -> u64 {
    let lane = |cell: u32| cell.saturating_sub(group * LANES).min(LANES);
    let below = |lane: u32| if lane == LANES { u64::MAX } else { (1 << lane) - 1 };
    below(lane(within.end)) & !below(lane(within.start))
}

/// The chunks that hold `cells`.
pub(super) fn chunks(cells: &Range<u64>) -> Range<u64> {
    if cells.is_empty() { 0..0 } else { cells.start / CHUNK_CELLS..(cells.end - 1) / CHUNK_CELLS + 1 }
}

/// The chunk that holds `cell`.
pub(super) fn chunk_of(cell: u64) -> u64 {
    cell / CHUNK_CELLS
}

/// The part of `cells` in chunk `chunk`, counted from the start of the chunk.
pub(super) fn within_chunk(chunk: u64, cells: &Range<u64>) -> Range<u32> {
    let base = chunk * CHUNK_CELLS;
    let clip = |cell: u64| cell.saturating_sub(base).min(CHUNK_CELLS) as u32;
    clip(cells.start)..clip(cells.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(p: f64) -> FaultMap {
        FaultMap::new(MapKey::permanent("weight_buffer", 3, 4), Probability::new(p).unwrap())
    }

    #[test]
    fn part_of_a_chunk_is_that_part_of_the_whole() {
        let cells = 0..3 * CHUNK_CELLS;
        for p in [1e-6, 1e-5, 1e-3, 0.0156, 0.1, 0.7, 1.0] {
            let all = map(p).weak_cells(cells.clone());
            for part in [5..5, 0..1, 63..65, 1000..70_001, 1_048_575..1_048_577, 700_000..2_900_001] {
                let expected: Vec<_> = all.iter().copied().filter(|cell| part.contains(cell)).collect();
                assert_eq!(map(p).weak_cells(part.clone()), expected, "p = {p}, cells {part:?}");
            }
        }
    }

    #[test]
    fn buffers_carry_nothing_from_one_map_to_the_next() {
        let mut used = MapBuffers::default();
        for p in [0.3, 1e-6, 1.0, 1e-3, 0.0, 0.02, 1e-5, 0.9] {
            for (chunk, within) in [(1, 100..200_000), (2, 0..1 << 20), (0, 3..77)] {
                let fresh = map(p).chunk(chunk, within.clone(), &mut MapBuffers::default()).to_vec();
                assert_eq!(map(p).chunk(chunk, within, &mut used), fresh, "p = {p}, chunk {chunk}");
            }
        }
    }

    #[test]
    fn sorting_and_marking_give_the_same_cells() {
        for p in [1e-7, 1e-6, 1e-5, 1e-4, 5e-3] {
            for chunk in 0..20 {
                let (mut listed, mut marked) = (MapBuffers::default(), MapBuffers::default());
                let key = map(p).key.0.with(CHUNK, chunk);
                map(p).list_members(key, &(77..1 << 20), &mut listed);
                map(p).mark_members(key, &(77..1 << 20), &mut marked);
                assert_eq!(listed.cells, marked.cells[..marked.count], "p = {p}, chunk {chunk}");
            }
        }
    }

    #[test]
    fn ranges_beyond_a_chunk_or_at_the_end_of_the_cells_are_harmless() {
        let mut buffers = MapBuffers::default();
        assert_eq!(map(1.0).chunk(0, 0..u32::MAX, &mut buffers).len() as u64, CHUNK_CELLS);
        assert_eq!(map(1.0).weak_cells(u64::MAX - 3..u64::MAX), [u64::MAX - 3, u64::MAX - 2, u64::MAX - 1]);
    }

    #[test]
    fn any_number_of_threads_draws_the_same_map() {
        let draw = |threads, p| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| map(p).weak_cells(12_345..30 * CHUNK_CELLS))
        };
        for p in [1e-7, 1e-4, 0.02] {
            assert_eq!(draw(1, p), draw(3, p), "p = {p}");
        }
    }
}
