//! Joint schemes of less volume than the greedy one, in three stages.
//!
//! First a balanced start: a path from 32 bits down along which the datum that saves most per expected loss is narrowed next; how far
//! the floor lets it go is found by bisection, and from there data are narrowed one by one while they can be.
//!
//! Then branch and bound. Widths are chosen for one datum after the other, largest first, the rest being unapproximated: a tree whose
//! leaves are schemes. From a node, the rest is completed as greedy does, each datum with the narrowest width that still meets the
//! floor. Every width chosen on the way leaves a sibling, one bit wider, as a node to continue from. Nodes are taken up in the order
//! of the least volume that their schemes can have, and dropped when that is no less than the smallest found so far. A scheme that
//! misses the floor rules out all that are narrower still, alone or with further data narrowed. This assumes that narrowing never
//! helps, which holds but for the noise of a few images.
//!
//! Last, with passes kept back for it, what was ruled out around the result is measured after all: one datum a bit narrower, also
//! below the width that it has alone, all others as they are; and one a bit narrower with all that this saves spent on the others, from
//! where they are narrowed again.

use super::balance;
use super::greedy::Conditions;
use super::measured::{Measurements, WIDEST_BITS, Widths};
use super::{Error, SingleDatum};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Stands for a datum that is not narrowed at all: wider than every width, with the volume of the widest.
const LEFT_OUT: u32 = WIDEST_BITS + 1;

/// Passes for each datum that are kept back for the neighbours of the result, at most half of all.
const KEPT_BACK: u64 = 3;

/// What the search found.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    /// The scheme.
    pub widths: Widths,
    /// Whether it ended because of the number of passes.
    pub exhausted: bool,
}

/// A choice of widths for the first data and what is left to try for the next one. Ordered by volume, so that equal ones are
/// taken up in an order of their own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Node {
    /// Least bits of the data volume of any scheme from here.
    volume_bits: u64,
    /// Widths of the first data.
    chosen: Vec<u32>,
    /// Least width of the next one.
    next: u32,
}

/// Which schemes a descent measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Descent {
    /// Those that no wider one rules out.
    Promising,
    Everything,
}

struct Search<'s, 'm> {
    measurements: &'s mut Measurements<'m>,
    /// Index and least width of each datum.
    data: Vec<(usize, u32)>,
    conditions: Conditions,
    /// Passes that may have been made when it ends.
    most_passes: u64,
    exhausted: bool,
    /// Schemes that miss the floor.
    too_narrow: Vec<Widths>,
    best: Widths,
    best_bits: u64,
    open: BinaryHeap<Reverse<Node>>,
}

/// Looks for a scheme of less volume than `greedy` over those of `data` that have a width, in at most `most_passes` forward
/// passes. What it finds meets the conditions, or is `greedy`.
///
/// # Errors
/// Those of measuring.
pub(super) fn search(
    measurements: &mut Measurements<'_>,
    data: &[SingleDatum],
    greedy: &Widths,
    conditions: Conditions,
    most_passes: u64,
) -> Result<Found, Error> {
    let narrows = |measured: &super::Measured| measured.rpa < conditions.floor;
    let known = measurements.known();
    let too_narrow = known.iter().filter(|(_, measured)| narrows(measured)).map(|(widths, _)| widths.clone());
    let mut search = Search {
        data: data.iter().filter_map(|datum| Some((datum.datum, datum.bits?))).collect(),
        conditions,
        most_passes: measurements.effort().passes + most_passes,
        exhausted: false,
        too_narrow: too_narrow.collect(),
        best: greedy.clone(),
        best_bits: measurements.volume_bits(greedy),
        open: BinaryHeap::new(),
        measurements,
    };
    let last = search.most_passes;
    search.most_passes -= (KEPT_BACK * search.data.len() as u64).min(most_passes / 2);
    search.balance(&balance::path(data))?;
    search.open(Vec::new(), 1);
    while let Some(Reverse(node)) = search.open.pop() {
        if search.exhausted || node.volume_bits >= search.best_bits {
            break;
        }
        // What was learnt since may have raised its bound: then others come first.
        let volume_bits = search.bound(&node.chosen, node.next);
        if volume_bits > node.volume_bits {
            search.open.push(Reverse(Node { volume_bits, ..node }));
        } else {
            search.dive(node.chosen, node.next)?;
        }
    }
    search.most_passes = last;
    search.exchange()?;
    Ok(Found { widths: search.best, exhausted: search.exhausted })
}

impl Search<'_, '_> {
    /// The scheme of `chosen` widths.
    fn widths(&self, chosen: &[u32]) -> Widths {
        let narrowed = self.data.iter().zip(chosen).filter(|(_, bits)| **bits < LEFT_OUT);
        narrowed.map(|(&(datum, _), &bits)| (datum, bits)).collect()
    }

    /// Whether `widths` must miss the floor because a wider scheme does.
    fn is_ruled_out(&self, widths: &[(usize, u32)]) -> bool {
        let narrower = |failed: &Widths| {
            failed.iter().all(|(datum, bits)| {
                let place = widths.binary_search_by_key(datum, |(other, _)| *other);
                place.is_ok_and(|place| widths[place].1 <= *bits)
            })
        };
        !self.measurements.known().contains_key(widths) && self.too_narrow.iter().any(narrower)
    }

    /// Least width of the datum behind `chosen`, at least `from`, that is not ruled out.
    fn least(&self, chosen: &[u32], datum: usize, from: u32) -> u32 {
        let mut widths = self.widths(chosen);
        widths.push((datum, from));
        let last = widths.len() - 1;
        for bits in from..=WIDEST_BITS {
            widths[last].1 = bits;
            if !self.is_ruled_out(&widths) {
                return bits;
            }
        }
        LEFT_OUT
    }

    /// Least bits of the data volume with `chosen` widths and at least `next` for the datum behind them.
    fn bound(&self, chosen: &[u32], next: u32) -> u64 {
        let mut widths = self.widths(chosen);
        for (level, &(datum, least)) in self.data.iter().enumerate().skip(chosen.len()) {
            let from = if level == chosen.len() { next.max(least) } else { least };
            let bits = self.least(chosen, datum, from);
            if bits < LEFT_OUT {
                widths.push((datum, bits));
            }
        }
        self.measurements.volume_bits(&widths)
    }

    /// Remembers a node, if it can lead to less volume than the best.
    fn open(&mut self, chosen: Vec<u32>, next: u32) {
        let volume_bits = self.bound(&chosen, next);
        if chosen.len() < self.data.len() && next <= LEFT_OUT && volume_bits < self.best_bits {
            self.open.push(Reverse(Node { volume_bits, chosen, next }));
        }
    }

    /// Completes `chosen` as greedy does, leaving siblings behind.
    fn dive(&mut self, mut chosen: Vec<u32>, mut next: u32) -> Result<(), Error> {
        while let Some(&(datum, least)) = self.data.get(chosen.len()) {
            let Some(bits) = self.narrowest(&chosen, datum, next.max(least))? else { return Ok(()) };
            self.open(chosen.clone(), bits + 1);
            chosen.push(bits);
            next = 1;
        }
        let widths = self.widths(&chosen);
        self.adopt(&widths)?;
        Ok(())
    }

    /// The narrowest width from `from` on that the datum behind `chosen` can have; `None` where all schemes from here have
    /// too much volume, or no pass is left.
    fn narrowest(&mut self, chosen: &[u32], datum: usize, from: u32) -> Result<Option<u32>, Error> {
        let mut bits = from;
        loop {
            bits = self.least(chosen, datum, bits);
            let least_volume = self.bound(chosen, bits);
            if least_volume >= self.best_bits {
                return Ok(None);
            }
            if bits >= LEFT_OUT {
                return Ok(Some(LEFT_OUT));
            }
            let mut widths = self.widths(chosen);
            widths.push((datum, bits));
            let Some(measured) = self.measure(&widths)? else { return Ok(None) };
            // The loss will not become less, nor the reduction more than with the least volume.
            if self.conditions.refuse(&measured, self.measurements.dvr(least_volume)).is_none() {
                return Ok(Some(bits));
            }
            bits += 1;
        }
    }

    /// Predictions of `widths`; `None` where no pass is left for them.
    fn measure(&mut self, widths: &[(usize, u32)]) -> Result<Option<super::Measured>, Error> {
        let is_known = self.measurements.known().contains_key(widths);
        if !is_known && self.measurements.effort().passes >= self.most_passes {
            self.exhausted = true;
            return Ok(None);
        }
        let measured = self.measurements.measure(widths)?;
        if !is_known && measured.rpa < self.conditions.floor {
            self.too_narrow.push(widths.to_vec());
        }
        Ok(Some(measured))
    }

    /// Takes `widths` for the best if they meet the conditions with less volume.
    fn adopt(&mut self, widths: &Widths) -> Result<bool, Error> {
        let volume_bits = self.measurements.volume_bits(widths);
        if volume_bits >= self.best_bits {
            return Ok(false);
        }
        let Some(measured) = self.measure(widths)? else { return Ok(false) };
        let meets = self.conditions.refuse(&measured, self.measurements.dvr(volume_bits)).is_none();
        if meets {
            (self.best, self.best_bits) = (widths.clone(), volume_bits);
        }
        Ok(meets)
    }

    /// Takes the last scheme of `path` that meets the conditions, as far as bisection tells, and descends from it.
    fn balance(&mut self, path: &[Widths]) -> Result<(), Error> {
        let (mut low, mut high) = (0, path.len());
        while low + 1 < high {
            let middle = usize::midpoint(low, high);
            let Some(measured) = self.measure(&path[middle])? else { return Ok(()) };
            let dvr = self.measurements.dvr(self.measurements.volume_bits(&path[middle]));
            if self.conditions.refuse(&measured, dvr).is_none() {
                low = middle;
            } else {
                high = middle;
            }
        }
        let greedy = (self.best.clone(), self.best_bits);
        (self.best, self.best_bits) = (path[low].clone(), u64::MAX);
        self.descend(Descent::Promising)?;
        self.best_bits = self.measurements.volume_bits(&self.best);
        if self.best_bits >= greedy.1 {
            (self.best, self.best_bits) = greedy;
        }
        Ok(())
    }

    /// Descends from the best, and from what comes of exchanges of width, until nothing has less volume.
    fn exchange(&mut self) -> Result<(), Error> {
        loop {
            self.descend(Descent::Promising)?;
            self.descend(Descent::Everything)?;
            let exchanges = (0..self.best.len()).filter_map(|place| self.exchanged(place));
            let mut candidates: Vec<Widths> = exchanges.collect();
            candidates.sort_by_key(|widths| self.measurements.volume_bits(widths));
            if !self.adopt_first(&candidates)? {
                return Ok(());
            }
        }
    }

    /// The best with its datum at `place` a bit narrower and the others wider in turn, a bit at a time, as long as the volume stays
    /// less. If that fails, so does whatever is narrower than it. `None` where nothing can be exchanged.
    fn exchanged(&self, place: usize) -> Option<Widths> {
        let mut widths = self.best.clone();
        widths[place].1 = widths[place].1.checked_sub(1).filter(|bits| *bits > 0)?;
        let narrower = widths.clone();
        loop {
            let before = widths.clone();
            for other in (0..widths.len()).filter(|other| *other != place) {
                let mut wider = widths.clone();
                wider[other].1 += 1;
                if wider[other].1 <= WIDEST_BITS && self.measurements.volume_bits(&wider) < self.best_bits {
                    widths = wider;
                }
            }
            if widths == before {
                return (widths != narrower).then_some(widths);
            }
        }
    }

    /// Adopts the first of `candidates` that meets the conditions; whether one does.
    fn adopt_first(&mut self, candidates: &[Widths]) -> Result<bool, Error> {
        for widths in candidates {
            if self.adopt(widths)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Narrows one datum of the best by a bit, the one that saves most first, until none can be.
    fn descend(&mut self, descent: Descent) -> Result<(), Error> {
        loop {
            let mut candidates: Vec<Widths> = Vec::new();
            for place in 0..self.best.len() {
                let mut narrower = self.best.clone();
                if narrower[place].1 > 1 {
                    narrower[place].1 -= 1;
                    candidates.push(narrower);
                }
            }
            if descent == Descent::Promising {
                candidates.retain(|widths| !self.is_ruled_out(widths));
            }
            candidates.sort_by_key(|widths| self.measurements.volume_bits(widths));
            if !self.adopt_first(&candidates)? {
                return Ok(());
            }
        }
    }
}
