//! A joint scheme from the losses of single data, taken to add up.

use super::SingleDatum;
use super::measured::{WIDEST_BITS, Widths};

/// Expected losses of accuracy of one datum by its width; the first is of its least width.
struct Losses {
    datum: usize,
    words: u64,
    least: u32,
    by_width: Vec<f64>,
}

impl Losses {
    /// Of a datum that has a width. Widths that were not measured lose half of what a bit less does, but no less than the
    /// next wider one that was: each bit halves the quantisation error.
    fn of(single: &SingleDatum) -> Option<Self> {
        let least = single.bits?;
        let measured = |bits: u32| single.points.iter().find(|point| point.bits == bits);
        let mut by_width: Vec<f64> = Vec::new();
        for bits in least..=WIDEST_BITS {
            let halved = by_width.last().map_or(0.0, |loss| loss / 2.0);
            by_width.push(measured(bits).map_or(halved, |point| (1.0 - point.measured.rpa).max(0.0)));
        }
        // Narrower words lose no less.
        for place in (1..by_width.len()).rev() {
            by_width[place - 1] = by_width[place - 1].max(by_width[place]);
        }
        Some(Self { datum: single.datum, words: single.words, least, by_width })
    }

    /// The loss that narrowing from `bits` by one adds; `None` where that is too narrow even alone.
    fn added(&self, bits: u32) -> Option<f64> {
        let place = bits.checked_sub(self.least + 1)? as usize;
        Some(self.by_width[place] - self.by_width[place + 1])
    }
}

/// Schemes from 32 bits down to the widths of `data` alone. Each narrows one datum by a bit: the one that saves most volume per
/// expected loss.
pub(super) fn path(data: &[SingleDatum]) -> Vec<Widths> {
    let losses: Vec<Losses> = data.iter().filter_map(Losses::of).collect();
    let mut widths: Widths = losses.iter().map(|losses| (losses.datum, WIDEST_BITS)).collect();
    let mut path = vec![widths.clone()];
    loop {
        let candidates = losses.iter().zip(&widths).enumerate().filter_map(|(place, (losses, width))| {
            Some((place, losses.added(width.1)? / losses.words.max(1) as f64, losses.words))
        });
        // Of equal ones the larger datum, which comes first.
        let cheapest = candidates.min_by(|one, other| one.1.total_cmp(&other.1).then(other.2.cmp(&one.2)));
        let Some((place, ..)) = cheapest else { return path };
        widths[place].1 -= 1;
        path.push(widths.clone());
    }
}
