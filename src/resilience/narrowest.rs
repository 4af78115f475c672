//! The narrowest word that meets the floor, when widening helps or mostly does.

use super::Error;
use super::measured::{Measured, WIDEST_BITS};
use serde::Serialize;
use std::collections::BTreeMap;

/// One point of a curve of accuracy over width.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Width of the words in fixed point, 1..=32.
    pub bits: u32,
    /// Predictions with them.
    #[serde(flatten)]
    pub measured: Measured,
}

/// Widths of one datum against the floor.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Narrowest {
    /// The last width that meets the floor on the way down from 32; `None`: 32 does not.
    pub bits: Option<u32>,
    /// The narrowest of all measured widths that meets it.
    pub smallest_passing: Option<u32>,
    /// Widths that meet it although a wider one does not, the widest first: the curve is not monotone.
    pub contradicting: Vec<u32>,
    /// Every width measured, the widest first.
    pub points: Vec<Point>,
}

/// Widths measured against a floor.
struct Curve<'c> {
    floor: f64,
    measure: &'c mut dyn FnMut(u32) -> Result<Measured, Error>,
    points: BTreeMap<u32, Measured>,
}

impl Curve<'_> {
    fn passes(&mut self, bits: u32) -> Result<bool, Error> {
        let measured = match self.points.get(&bits) {
            Some(known) => *known,
            None => (self.measure)(bits)?,
        };
        self.points.insert(bits, measured);
        Ok(measured.rpa >= self.floor)
    }

    /// What the measured widths say. Down from 32, the widest failure is where the published flow stops.
    fn judged(self) -> Narrowest {
        let passes = |measured: &Measured| measured.rpa >= self.floor;
        let widest_failure = self.points.iter().rfind(|(_, measured)| !passes(measured));
        let answer = widest_failure.map_or(1, |(bits, _)| bits + 1);
        let passing: Vec<u32> =
            self.points.iter().filter(|(_, measured)| passes(measured)).map(|(bits, _)| *bits).collect();
        Narrowest {
            bits: (answer <= WIDEST_BITS).then_some(answer),
            smallest_passing: passing.first().copied(),
            contradicting: passing.iter().rev().copied().filter(|bits| *bits < answer).collect(),
            points: self.points.iter().rev().map(|(&bits, &measured)| Point { bits, measured }).collect(),
        }
    }
}

/// Bisects 1..=32 and then measures the two widths on either side of the answer. Where a wider one fails, the answer moves above it,
/// as the flow that comes down from 32 would have stopped there.
///
/// # Errors
/// Those of `measure`.
pub(super) fn bisected(
    floor: f64,
    measure: &mut dyn FnMut(u32) -> Result<Measured, Error>,
) -> Result<Narrowest, Error> {
    let mut curve = Curve { floor, measure, points: BTreeMap::new() };
    let (mut low, mut high) = (1, WIDEST_BITS + 1);
    while low < high {
        let middle = u32::midpoint(low, high);
        if curve.passes(middle)? {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    let mut answer = low;
    loop {
        let mut failing = None;
        for bits in answer..=WIDEST_BITS.min(answer + 2) {
            if !curve.passes(bits)? {
                failing = Some(bits);
            }
        }
        match failing {
            Some(bits) => answer = bits + 1,
            None => break,
        }
    }
    for bits in answer.saturating_sub(2).max(1)..answer {
        curve.passes(bits)?;
    }
    Ok(curve.judged())
}

/// Measures all widths from 32 to 1.
///
/// # Errors
/// Those of `measure`.
pub(super) fn whole(
    floor: f64,
    measure: &mut dyn FnMut(u32) -> Result<Measured, Error>,
) -> Result<Narrowest, Error> {
    let mut curve = Curve { floor, measure, points: BTreeMap::new() };
    for bits in (1..=WIDEST_BITS).rev() {
        curve.passes(bits)?;
    }
    Ok(curve.judged())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const IMAGES: u64 = 100;

    fn measured(passes: bool) -> Measured {
        let top1_correct = if passes { 98 } else { 50 };
        Measured { images: IMAGES, top1_correct, agreeing: top1_correct, rpa: top1_correct as f64 / 100.0 }
    }

    /// Both searches over a curve of verdicts, and the number of passes of the first.
    fn search(passes: impl Fn(u32) -> bool) -> (Narrowest, Narrowest, usize) {
        let mut made = 0;
        let bisected = bisected(0.97, &mut |bits| {
            made += 1;
            Ok(measured(passes(bits)))
        });
        let whole = whole(0.97, &mut |bits| Ok(measured(passes(bits))));
        (bisected.unwrap(), whole.unwrap(), made)
    }

    #[test]
    fn monotone_curves_have_one_answer_and_few_passes() {
        for least in 1..=33 {
            let (bisected, whole, made) = search(|bits| bits >= least);
            let answer = (least <= 32).then_some(least);
            for found in [&bisected, &whole] {
                assert_eq!((found.bits, found.smallest_passing), (answer, answer), "{least}");
                assert!(found.contradicting.is_empty(), "{least}");
            }
            assert!(made <= 9, "{made} passes for {least}");
            assert_eq!((bisected.points.len(), whole.points.len()), (made, 32));
            let near = least.saturating_sub(2).max(1)..=32.min(least + 2);
            for bits in near {
                assert!(bisected.points.iter().any(|point| point.bits == bits), "{bits} near {least}");
            }
        }
    }

    #[test]
    fn a_failure_above_moves_the_answer_up() {
        // 17, 9, 5 pass, 3 fails, 4 passes; 6 fails: from above, the flow stops at 7.
        let (bisected, whole, _) = search(|bits| bits >= 4 && bits != 6);
        for found in [bisected, whole] {
            assert_eq!((found.bits, found.smallest_passing), (Some(7), Some(4)));
            assert_eq!(found.contradicting, [5, 4]);
        }
        // Two failures, the second seen only from the first one's answer.
        let (found, _, _) = search(|bits| bits >= 4 && bits != 6 && bits != 8);
        assert_eq!((found.bits, found.smallest_passing), (Some(9), Some(4)));
        assert_eq!(found.contradicting, [7, 5, 4]);
    }

    #[test]
    fn a_pass_below_the_answer_is_told() {
        let (bisected, whole, _) = search(|bits| bits >= 6 || bits == 4);
        for found in [bisected, whole] {
            assert_eq!((found.bits, found.smallest_passing), (Some(6), Some(4)));
            assert_eq!(found.contradicting, [4]);
        }
    }

    #[test]
    fn no_width_is_none_and_not_zero() {
        let (bisected, whole, made) = search(|_| false);
        assert_eq!((bisected.bits, bisected.smallest_passing, made), (None, None, 5));
        assert_eq!((whole.bits, whole.smallest_passing), (None, None));
        // The widest fails, a narrower one passes.
        let (bisected, whole, _) = search(|bits| (20..32).contains(&bits));
        assert_eq!((bisected.bits, whole.bits), (Some(20), None));
        assert_eq!(whole.contradicting.len(), 12);
        let (found, _, _) = search(|bits| bits == 31);
        assert_eq!((found.bits, found.contradicting), (None, vec![31]));
    }

    proptest! {
        #[test]
        fn the_answer_is_that_of_the_measured_widths(verdicts in proptest::collection::vec(any::<bool>(), 32)) {
            let (bisected, whole, _) = search(|bits| verdicts[bits as usize - 1]);
            // The published flow, step by step.
            let stopped = (1..=32u32).rev().take_while(|bits| verdicts[*bits as usize - 1]).last();
            prop_assert_eq!(whole.bits, stopped);
            let monotone = whole.contradicting.is_empty();
            prop_assert_eq!(monotone, whole.smallest_passing == stopped);
            if let Some(bits) = bisected.bits {
                let passes = |bits: u32| !(1..=32).contains(&bits) || verdicts[bits as usize - 1];
                prop_assert!(passes(bits) && passes(bits + 1) && passes(bits + 2));
                prop_assert!(bits == 1 || !passes(bits - 1));
                prop_assert_eq!(bits > 2 && passes(bits - 2), bisected.contradicting.contains(&(bits.saturating_sub(2))));
            }
            if monotone {
                prop_assert_eq!(bisected.bits, whole.bits);
            }
        }
    }
}
