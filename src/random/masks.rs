//! Successes of independent trials as masks of 64 lanes: time per trial, little of it.

use super::{Probability, Words};

/// Masks made at once: two vectors of the widest unit, so that one works while the other waits.
const BLOCK: usize = 16;
/// Digits compared between two looks at whether all trials are decided: a look costs as much as a digit, and its
/// mispredicted end several.
const ROUND: usize = 4;

/// Independent trials that each succeed with a probability below 1, exact to 2^-64.
///
/// Every trial compares a random binary fraction with the probability, digit by digit from the first: a trial is decided
/// at the first digit that differs. 64 trials share the words of their digits, and drawing stops once all are decided,
/// after about eight words. Digit `i` of the trials `64·g .. 64·g + 64` is the word at address `64·g + i` of the key: a
/// mask is a pure function of key, probability and `g`, whichever masks were made before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Masks {
    /// Binary digits of the probability, the first one in bit 63.
    digits: u64,
}

impl Masks {
    /// The masks of trials that succeed with probability `q`, rounded down to a multiple of 2^-64; `None` if `q` is 1.
    pub fn new(q: Probability) -> Option<Self> {
        // The product with a power of two is exact, the cast rounds down.
        (q < Probability::ONE).then(|| Self::of((q.get() * 2.0_f64.powi(64)) as u64))
    }

    /// The masks of trials that succeed with probability `digits`·2^-64.
    pub const fn of(digits: u64) -> Self {
        Self { digits }
    }

    /// Writes the masks of the groups `first..`, one of 64 trials each; trial `t` is bit `t % 64` of group `t / 64`.
    pub fn fill(&self, words: Words, first: u64, masks: &mut [u64]) {
        let mut block = [0; BLOCK];
        for (index, part) in masks.chunks_mut(BLOCK).enumerate() {
            self.block(words, first + (index * BLOCK) as u64, &mut block);
            part.copy_from_slice(&block[..part.len()]);
        }
    }

    /// The fractions, in units of 2^-64, that the 64 trials of `group` compare with the probability: a trial succeeds at
    /// every probability above its fraction.
    pub fn fractions(words: Words, group: u64) -> [u64; 64] {
        let mut matrix = [0; 64];
        for (digit, word) in matrix.iter_mut().enumerate() {
            *word = words.at(group * 64 + digit as u64);
        }
        transpose(&mut matrix);
        matrix.reverse();
        matrix
    }

    #[allow(clippy::inline_always, reason = "compiled once per vector unit by the functions below")]
    #[inline(always)]
    fn block_portable(self, words: Words, first: u64, masks: &mut [u64; BLOCK]) {
        let mut counters = [0; BLOCK];
        for (lane, counter) in counters.iter_mut().enumerate() {
            *counter = words.counter((first + lane as u64) * 64);
        }
        let mut hits = [0; BLOCK];
        let mut undecided = [u64::MAX; BLOCK];
        let mut digits = self.digits;
        // Trials that still tie when only zeros are left are not below the probability.
        while digits != 0 && undecided.iter().fold(0, |any, &lanes| any | lanes) != 0 {
            for _ in 0..ROUND {
                let is_one = 0u64.wrapping_sub(digits >> 63);
                for lane in 0..BLOCK {
                    let word = words.of_counter(counters[lane]);
                    counters[lane] = counters[lane].wrapping_add(Words::STEP);
                    hits[lane] |= undecided[lane] & !word & is_one;
                    undecided[lane] &= !(word ^ is_one);
                }
                digits <<= 1;
            }
        }
        *masks = hits;
    }

    fn block(self, words: Words, first: u64, masks: &mut [u64; BLOCK]) {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
                // SAFETY: the processor has been found to have both features.
                return unsafe { self.block_avx512(words, first, masks) };
            }
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the processor has been found to have the feature.
                return unsafe { self.block_avx2(words, first, masks) };
            }
        }
        self.block_portable(words, first, masks);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512dq")]
    fn block_avx512(self, words: Words, first: u64, masks: &mut [u64; BLOCK]) {
        self.block_portable(words, first, masks);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn block_avx2(self, words: Words, first: u64, masks: &mut [u64; BLOCK]) {
        self.block_portable(words, first, masks);
    }
}

/// Transposes a 64 x 64 bit matrix whose column 0 is bit 63, by swapping ever smaller quadrants.
fn transpose(matrix: &mut [u64; 64]) {
    let mut size = 32;
    let mut low_half = u64::MAX >> 32;
    while size != 0 {
        for row in (0..64).filter(|row| row & size == 0) {
            let changed = ((matrix[row + size] >> size) ^ matrix[row]) & low_half;
            matrix[row] ^= changed;
            matrix[row + size] ^= changed << size;
        }
        size /= 2;
        low_half ^= low_half << size;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Key, Label};

    const RUN: Label = Label::new("run");

    fn words(run: u64) -> Words {
        Key::new(Label::new("masks test")).with(RUN, run).words()
    }

    fn masks(q: f64) -> Masks {
        Masks::new(Probability::new(q).unwrap()).unwrap()
    }

    /// The definition: gather the 64 digits of each trial's fraction and compare numbers.
    fn fraction(words: Words, group: u64, lane: u64) -> u64 {
        (0..64).fold(0, |sum, digit| (sum << 1) | ((words.at(group * 64 + digit) >> lane) & 1))
    }

    fn by_definition(digits: u64, words: Words, group: u64) -> u64 {
        (0..64)
            .filter(|&lane| fraction(words, group, lane) < digits)
            .fold(0, |mask, lane| mask | (1u64 << lane))
    }

    #[test]
    fn fractions_equal_their_definition() {
        for group in [0, 1, 77] {
            let expected: Vec<_> = (0..64).map(|lane| fraction(words(3), group, lane)).collect();
            assert_eq!(Masks::fractions(words(3), group).as_slice(), expected);
        }
    }

    #[test]
    fn masks_equal_their_definition_on_every_code_path() {
        for digits in [0, 1, 1 << 63, u64::MAX, 0x5555_5555_5555_5555, 0x0410_4104_1041_0410, 3 << 40] {
            for run in 0..8 {
                let mut filled = [0; 21];
                Masks::of(digits).fill(words(run), 5, &mut filled);
                for (index, &mask) in filled.iter().enumerate() {
                    assert_eq!(mask, by_definition(digits, words(run), 5 + index as u64), "{digits:#x}");
                }
                let mut block = [0; BLOCK];
                Masks::of(digits).block_portable(words(run), 5, &mut block);
                assert_eq!(block, filled[..BLOCK]);
                #[cfg(target_arch = "x86_64")]
                if is_x86_feature_detected!("avx2") {
                    // SAFETY: the processor has been found to have the feature.
                    unsafe { Masks::of(digits).block_avx2(words(run), 5, &mut block) };
                    assert_eq!(block, filled[..BLOCK]);
                }
            }
        }
    }

    #[test]
    fn a_mask_does_not_depend_on_the_masks_before_it() {
        let mut all = [0; 64];
        masks(0.03).fill(words(1), 0, &mut all);
        for first in [0, 1, 7, 8, 33, 63] {
            let mut tail = vec![0; 64 - first];
            masks(0.03).fill(words(1), first as u64, &mut tail);
            assert_eq!(tail, all[first..]);
        }
    }

    #[test]
    fn every_lane_succeeds_with_the_probability_asked_for() {
        assert!(Masks::new(Probability::ONE).is_none());
        let groups = 1 << 14;
        for q in [0.0159, 1.0 / 31.0, 0.1, 1.0 / 3.0, 0.5, 0.75, 1.0 - 1e-3] {
            let mut filled = vec![0; groups];
            masks(q).fill(words(7), 0, &mut filled);
            let (n, variance) = (groups as f64, groups as f64 * q * (1.0 - q));
            let mut chi_square = 0.0;
            for lane in 0..64 {
                let count = filled.iter().filter(|&mask| mask >> lane & 1 == 1).count() as f64;
                chi_square += (count - n * q).powi(2) / variance;
            }
            // 64 degrees of freedom: mean 64, sd 11.3.
            assert!((20.0..120.0).contains(&chi_square), "q = {q}: chi-square over lanes {chi_square}");
        }
    }
}
