//! Where every data subset rests: the cells of each stop, and what may go wrong there.

use super::{Experiment, Stop};
use crate::accelerator::execution::Passing;
use crate::fault::{self, MemoryStop};
use crate::memory::cells::{CellFaults, Failure, Lines, mean_over_devices};
use crate::memory::measured::MeasuredMap;
use crate::memory::residency::Residency;
use crate::memory::{Lifetime, Memory, Passage, Technology};
use crate::network::Operand;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One data subset at one memory of its path.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// Index in [`Experiment::subsets`].
    pub subset: usize,
    /// Index in the path of the subset.
    pub stop: usize,
    /// Its cells.
    pub residency: Residency,
    /// How they pass through these cells, if tile by tile.
    pub passage: Option<Passage>,
    /// What may go wrong in them.
    pub faults: CellFaults,
    /// Top bits of each word that are protected.
    pub protected_msbs: u32,
    /// Of these, the ones in cells that never err.
    pub precise_msbs: u32,
    /// Of these, the ones with the check bits of a code.
    pub coded_msbs: u32,
    /// First cell of the check bits.
    pub first_check_cell: u64,
    /// Whether the words pass these cells for the first time: permanent faults strike once.
    pub is_first_visit: bool,
    /// The permanent faults, where they have been measured.
    pub measured: Option<Arc<MeasuredMap>>,
    /// Share of weak cells that deliver a wrong bit, for data of as many ones as zeros.
    pub visible: f64,
    /// How often the words are exposed in one trial: once for weights and biases, once per image for neurons.
    pub exposures: u64,
}

/// Probability that exactly one of two independent events happens.
fn either(one: f64, other: f64) -> f64 {
    one + other - 2.0 * one * other
}

impl Site {
    /// Bits that hold the subset in cells that may err.
    pub fn bits_at_risk(&self) -> u64 {
        self.residency.words * u64::from(self.residency.word_bits - self.precise_msbs)
    }

    /// Probability that a bit at risk is delivered wrong, mean over the bits of a word, for data of as many ones as zeros.
    pub fn bit_error_rate(&self) -> f64 {
        let bits = self.residency.word_bits - self.precise_msbs;
        // The mean of equal rates is that rate, without rounding.
        if (1..bits).all(|bit| self.delivered(bit) == self.delivered(0)) {
            return if bits == 0 { 0.0 } else { self.delivered(0) };
        }
        (0..bits).map(|bit| self.delivered(bit)).sum::<f64>() / f64::from(bits)
    }

    /// Share of weak cells under bit `bit`, mean over devices; none where the words have met these cells before.
    fn weak(&self, bit: u32) -> f64 {
        let weak = mean_over_devices(self.faults.weak[bit as usize], self.faults.device_sigma);
        if self.is_first_visit { weak } else { 0.0 }
    }

    /// Probability that bit `bit` is wrong before a code corrects it: by its cell or by an upset, not by both. (An upset of a
    /// stuck cell is hidden, which for data of as many ones as zeros comes to the same.)
    fn raw(&self, bit: u32) -> f64 {
        either(self.weak(bit) * self.visible, self.faults.upset[bit as usize])
    }

    /// Probability that bit `bit` is delivered wrong; of a coded bit, that another of the 72 bits of its block is wrong, too.
    fn delivered(&self, bit: u32) -> f64 {
        let uncoded = self.residency.word_bits - self.coded_msbs;
        let raw = self.raw(bit);
        if bit < uncoded {
            return raw;
        }
        // A block holds as many of each coded bit, and eight check bits.
        let share = 64.0 / f64::from(self.coded_msbs);
        let coded = (uncoded..self.residency.word_bits).map(|bit| libm::log1p(-self.raw(bit)));
        let check = self.faults.check;
        let check_weak = mean_over_devices(check.weak, self.faults.device_sigma);
        let check = either(check_weak * self.visible, check.upset);
        let all = share * coded.sum::<f64>() + 8.0 * libm::log1p(-check);
        let others_right = libm::exp(all - libm::log1p(-raw));
        raw * (1.0 - if others_right.is_nan() { 0.0 } else { others_right })
    }

    /// Whether a cell under the words may err.
    pub fn can_err(&self) -> bool {
        self.bits_at_risk() > 0 && (self.bit_error_rate() > 0.0 || self.measured.is_some())
    }

    /// Mean number of wrong bits delivered in one trial (CF1: N·m·p per exposure), for data of as many ones as zeros; of
    /// coded bits as if a code word with more than one error were delivered as it is.
    pub fn expected_flips(&self) -> f64 {
        self.bits_at_risk() as f64 * self.bit_error_rate() * self.exposures as f64
    }

    /// Variance of the number of wrong bits delivered in one trial, for cells that are independent and used once: binomial
    /// over cells and draws; a permanent fault is the same draw at every exposure. `None` where cells depend on each other,
    /// by lines or by the quality of the device.
    pub fn flip_variance(&self) -> Option<f64> {
        self.flip_variance_of(1.0)
    }

    /// The same where a cell is used `uses` times on average, weighted by its uses.
    fn flip_variance_of(&self, uses: f64) -> Option<f64> {
        let depends = self.faults.lines != Lines::Independent || self.faults.device_sigma > 0.0;
        let bits = 0..self.residency.word_bits - self.precise_msbs;
        if depends && bits.clone().any(|bit| self.weak(bit) > 0.0) {
            return None;
        }
        let (words, exposures) = (self.residency.words as f64, self.exposures as f64);
        let variance = |bit| {
            let (weak, upset) = (self.weak(bit), self.faults.upset[bit as usize]);
            // A measured chip is always the same: only what stuck cells hold is left to chance.
            let permanent = match &self.measured {
                Some(_) => weak * self.visible * (1.0 - self.visible),
                None => weak * self.visible * (1.0 - weak * self.visible),
            };
            // What a code corrects leaves as much of the spread as of the mean.
            let left = self.delivered(bit) / self.raw(bit).max(f64::MIN_POSITIVE);
            let transient = (1.0 - weak) * upset * (1.0 - upset);
            words * left * (permanent * exposures * exposures * uses + transient * exposures)
        };
        Some(bits.map(variance).fold(0.0, |sum, variance| sum + variance))
    }

    /// The stop of a path through memory `memory`, this site's.
    pub fn stop_at(&self, memory: &Memory) -> MemoryStop {
        MemoryStop {
            memory: memory.name.clone(),
            residency: self.residency,
            passage: self.passage,
            geometry: memory.geometry,
            faults: self.faults.clone(),
            precise_msbs: self.precise_msbs,
            coded_msbs: self.coded_msbs,
            first_check_cell: self.first_check_cell,
            measured: self.measured.clone(),
        }
    }
}

/// Standard deviation of the number of wrong bits delivered in one trial at all of `sites`; `None` where cells depend on each
/// other. In a memory through which more than its capacity passes, a cell strikes as often as it is used.
pub fn flip_std(sites: &[Site], memories: &[Memory]) -> Option<f64> {
    let mut uses = BTreeMap::new();
    let variance: Option<f64> = (sites.iter())
        .map(|site| {
            let memory = site.residency.memory;
            let uses = *uses.entry(memory).or_insert_with(|| mean_uses(sites, memory, &memories[memory]));
            site.flip_variance_of(uses)
        })
        .sum();
    variance.map(f64::sqrt)
}

/// How often a cell of memory `index` is used in one pass over all of `sites`, mean weighted by its uses.
fn mean_uses(sites: &[Site], index: usize, memory: &Memory) -> f64 {
    // Where the number of uses changes, and by how much.
    let mut changes: BTreeMap<u64, i64> = BTreeMap::new();
    let mut add = |cells: std::ops::Range<u64>, times: i64| {
        *changes.entry(cells.start).or_default() += times;
        *changes.entry(cells.end).or_default() -= times;
    };
    for site in sites.iter().filter(|site| site.residency.memory == index && site.is_first_visit) {
        let Residency { first_cell, word_bits, words, .. } = site.residency;
        let bits = u64::from(word_bits);
        match (&site.passage, memory.geometry.capacity_bits()) {
            (Some(passage), _) => {
                for tile in (0..passage.blocks(words)).flat_map(|block| passage.block(block, words)) {
                    let places = tile.places();
                    add(first_cell + places.start * bits..first_cell + places.end * bits, 1);
                }
            }
            (None, Some(capacity)) => {
                let (laps, rest) = (words * bits / capacity, words * bits % capacity);
                let start = first_cell % capacity;
                add(0..capacity, laps as i64);
                add(start..(start + rest).min(capacity), 1);
                add(0..(start + rest).saturating_sub(capacity), 1);
            }
            (None, None) => add(site.residency.cells(), 1),
        }
    }
    let (mut uses, mut last, mut sum, mut squares) = (0i64, 0u64, 0.0, 0.0);
    for (cell, change) in changes {
        let cells = (cell - last) as f64;
        sum += cells * uses as f64;
        squares += cells * (uses as f64).powi(2);
        (uses, last) = (uses + change, cell);
    }
    if sum > 0.0 { squares / sum } else { 1.0 }
}

impl Memory {
    /// Lifetime of the faults that strike `operand` here.
    pub fn lifetime_for(&self, operand: Operand) -> Lifetime {
        self.lifetime.unwrap_or(match (&self.technology, operand) {
            (Technology::Uniform(_), Operand::Neuron) => Lifetime::Transient,
            _ => Lifetime::Permanent,
        })
    }
}

/// How full the memories are while subsets are laid out.
struct Fill {
    cells: Vec<u64>,
    checks: Vec<u64>,
}

impl Experiment {
    /// Every data subset at every memory of its path, for `images` evaluation images. In each memory the subsets lie one
    /// behind the other in layer order, from the start again where it is full; a blob that several layers read is one site,
    /// that of its first reader. Words that pass a memory twice at the same width use the same cells.
    pub fn sites(&self, images: u64) -> Vec<Site> {
        let mut fill = Fill { cells: vec![0; self.memories.len()], checks: vec![0; self.memories.len()] };
        let mut stored_blobs = BTreeMap::new();
        let mut sites: Vec<Site> = Vec::new();
        for (index, stored) in self.subsets.iter().enumerate() {
            if let Some(blob) = stored.subset.blob
                && stored_blobs.insert(blob, index).is_some()
            {
                continue;
            }
            let first = sites.len();
            for (stop, memory) in stored.path.iter().enumerate() {
                let &Stop::Memory(memory) = memory else { continue };
                let word_bits = stored.bits_at(stop);
                let is_same =
                    |site: &&Site| site.residency.memory == memory && site.residency.word_bits == word_bits;
                let earlier = sites[first..].iter().find(is_same);
                let site = match earlier.cloned() {
                    Some(site) => Site { stop, is_first_visit: false, ..site },
                    None => self.site(index, stop, memory, images, &mut fill),
                };
                sites.push(site);
            }
        }
        sites
    }

    /// Indices of the memories in which a cell may err, ascending.
    pub fn erring_memories(&self) -> Vec<usize> {
        let sites = self.sites(1);
        let errs =
            |memory: &usize| sites.iter().any(|site| site.residency.memory == *memory && site.can_err());
        (0..self.memories.len()).filter(errs).collect()
    }

    /// Data subset `subset` in fresh cells of memory `index`.
    fn site(&self, subset: usize, stop: usize, index: usize, images: u64, fill: &mut Fill) -> Site {
        let (memory, stored) = (&self.memories[index], &self.subsets[subset]);
        let word_bits = stored.bits_at(stop);
        let words = stored.subset.words;
        let passing = match (&self.running, self.design()) {
            (Some(running), Some(design)) => running.passing(design, subset, index),
            _ => None,
        };
        // Words that are wider than those of the trace, on their way to the link, do not lie tile by tile.
        let fits = |passing: &Passing| {
            let degree = memory.geometry.interleave.max(1);
            let places = passing.passage.places().next_multiple_of(degree);
            let end = passing.first_cell + places * u64::from(word_bits);
            memory.geometry.capacity_bits().is_none_or(|capacity| end <= capacity)
        };
        let passing = passing.filter(|passing| passing.word_bits == word_bits && fits(passing));
        let passage = passing.map(|passing| passing.passage);
        let first_cell = passing.map_or(fill.cells[index], |passing| passing.first_cell);
        let residency = Residency { memory: index, first_cell, word_bits, words };
        if passing.is_none() {
            fill.cells[index] = residency.cells().end;
        }
        let coded_msbs = memory.protection.coded_msbs();
        let first_check_cell = fill.checks[index];
        fill.checks[index] += 8 * (u128::from(words) * u128::from(coded_msbs)).div_ceil(64) as u64;
        let errs = self.erring.is_none_or(|erring| erring == index);
        let lifetime = memory.lifetime_for(stored.subset.operand);
        let mut faults = if errs {
            memory.cell_faults(lifetime, &self.exposure(subset, index), word_bits)
        } else {
            CellFaults::uniform(word_bits, 0.0, 0.0)
        };
        let mut visible = match faults.failure {
            Failure::Inverted => 1.0,
            Failure::Stuck(_) => 0.5,
        };
        let measured = memory.measured.clone().filter(|_| errs);
        if let Some(measured) = &measured {
            let precise_msbs = memory.protection.precise_msbs();
            let [inverted, stuck] =
                fault::measured_bits(measured, &memory.geometry, &residency, passage, precise_msbs);
            let approximate = word_bits - precise_msbs;
            let bits = (words * u64::from(approximate)).max(1) as f64;
            faults.weak[..approximate as usize].fill((inverted + stuck) as f64 / bits);
            visible = (inverted as f64 + 0.5 * stuck as f64) / (inverted + stuck).max(1) as f64;
            (faults.lines, faults.device_sigma) = (Lines::Independent, 0.0);
        }
        Site {
            subset,
            stop,
            residency,
            passage,
            faults,
            protected_msbs: memory.protection.msbs,
            precise_msbs: memory.protection.precise_msbs(),
            coded_msbs,
            first_check_cell,
            is_first_visit: true,
            measured,
            visible,
            exposures: if stored.subset.operand == Operand::Neuron { images } else { 1 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::tests::{experiment, memory, neuron, stored};
    use crate::network::BlobId;
    use crate::number::Format;

    #[test]
    fn subsets_lie_one_behind_the_other_in_each_memory() {
        let both = vec![Stop::Memory(0), Stop::Link, Stop::Memory(1)];
        let subsets =
            vec![stored(10, Format::Fp32, 9, both), stored(5, Format::Fp32, 32, vec![Stop::Memory(1)])];
        let sites = experiment(subsets, vec![memory("dram", 1e-3, 2), memory("buffer", 0.0, 0)]).sites(7);
        let cells: Vec<_> =
            sites.iter().map(|site| (site.residency.memory, site.residency.cells())).collect();
        assert_eq!(cells, [(0, 0..320), (1, 0..90), (1, 90..250)]);
        assert_eq!(sites[0].bits_at_risk(), 300);
        assert!((sites[0].expected_flips() - 0.3).abs() < 1e-12);
        assert!((sites[0].flip_variance().unwrap() - 0.3 * 0.999).abs() < 1e-12);
    }

    #[test]
    fn a_shared_blob_is_stored_once_and_exposed_once_per_image() {
        let path = || vec![Stop::Memory(0)];
        let subsets = vec![neuron("a", BlobId(3), 4, path()), neuron("b", BlobId(3), 4, path())];
        let sites = experiment(subsets, vec![memory("sram", 0.5, 0)]).sites(10);
        assert_eq!(sites.len(), 1);
        assert_eq!((sites[0].faults.weak[0], sites[0].faults.upset[0], sites[0].exposures), (0.0, 0.5, 10));
        assert_eq!(sites[0].expected_flips(), 4.0 * 32.0 * 0.5 * 10.0);
    }

    #[test]
    fn a_cell_strikes_as_often_as_words_pass_it() {
        let mut small = memory("buffer", 0.01, 0);
        small.geometry = crate::memory::Geometry::new(512, 1, 8, 64).unwrap();
        let experiment = experiment(vec![stored(176, Format::Fp32, 32, vec![Stop::Memory(0)])], vec![small]);
        let sites = experiment.sites(1);
        // 5,632 bits through 512 cells: each is used eleven times.
        let binomial = 5632.0 * 0.01 * 0.99;
        assert!((sites[0].flip_variance().unwrap() - binomial).abs() < 1e-9);
        let std = flip_std(&sites, &experiment.memories).unwrap();
        assert!((std * std - 11.0 * binomial).abs() < 1e-9, "{std}");
    }

    #[test]
    fn weak_cells_and_upsets_cancel_each_other() {
        let stop = || vec![Stop::Memory(0)];
        let experiment = experiment(vec![stored(10, Format::Fp32, 32, stop())], vec![memory("sram", 0.0, 0)]);
        let mut site = experiment.sites(1).remove(0);
        (site.faults.weak, site.faults.upset) = (vec![0.3; 32], vec![0.1; 32]);
        assert!((site.bit_error_rate() - (0.3 * 0.9 + 0.7 * 0.1)).abs() < 1e-12);
        site.faults.lines = Lines::Bad { axis: crate::memory::cells::Axis::Row, share: 0.5 };
        assert_eq!(site.flip_variance(), None, "cells of a line depend on each other");
    }

    #[test]
    fn coded_bits_err_where_another_bit_of_their_block_does() {
        let stop = || vec![Stop::Memory(0)];
        let experiment = experiment(vec![stored(10, Format::Fp32, 32, stop())], vec![memory("dram", 0.0, 0)]);
        let mut site = experiment.sites(1).remove(0);
        (site.coded_msbs, site.faults.weak) = (2, vec![1e-3; 32]);
        (site.faults.weak[31], site.faults.check.weak) = (0.05, 0.0);
        // Of 64 bits half are wrong with probability 0.05, half with 1e-3.
        let right = |of_msb: i32, of_next: i32| 0.95f64.powi(of_msb) * 0.999f64.powi(of_next);
        let coded = 0.05 * (1.0 - right(31, 32)) + 1e-3 * (1.0 - right(32, 31));
        assert!((site.bit_error_rate() - (30.0 * 1e-3 + coded) / 32.0).abs() < 1e-12);
    }

    #[test]
    fn a_measured_map_says_exactly_what_it_strikes() {
        use crate::memory::measured::Direction;
        let mut chip = memory("sram", 0.2, 8);
        chip.geometry = crate::memory::Geometry::new(1024, 1, 2, 64).unwrap();
        // Cells 0 and 3 under approximate bits of two words each, 31 under a precise one, 40 stuck.
        let cells = vec![
            (0, Direction::Inverted),
            (3, Direction::Inverted),
            (31, Direction::Inverted),
            (40, Direction::StuckAtOne),
        ];
        chip.measured = Some(Arc::new(MeasuredMap::new(cells)));
        let experiment = experiment(vec![stored(64, Format::Fp32, 32, vec![Stop::Memory(0)])], vec![chip]);
        let site = experiment.sites(1).remove(0);
        assert!((site.expected_flips() - (4.0 + 0.5 * 2.0)).abs() < 1e-9, "{}", site.expected_flips());
    }
}
