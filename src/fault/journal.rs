//! Faults applied to stored words in place, and undone.

use super::{Draw, Path, StrikeBuffers};

/// Words that the arithmetic reads, wherever it keeps them: packed weights, a bias vector.
pub trait StoredWords {
    /// The value of word `index`.
    fn get(&self, index: usize) -> f32;
    /// Replaces the value of word `index`.
    fn set(&mut self, index: usize, value: f32);
}

impl StoredWords for [f32] {
    fn get(&self, index: usize) -> f32 {
        self[index]
    }

    fn set(&mut self, index: usize, value: f32) {
        self[index] = value;
    }
}

/// What the struck words held before: taking it back costs as much as the hits, not as the words.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    /// Index and former value.
    before: Vec<(usize, f32)>,
}

impl Journal {
    /// An empty journal.
    pub fn new() -> Self {
        Self::default()
    }

    /// Strikes `words` in place as `draw` says and notes what they held; adds the flips at each memory stop of `path` to
    /// `flips`. `golden` yields the value of a word before it was ever stored.
    ///
    /// # Panics
    /// If `flips` has not one count per memory stop of `path`, or if `words` or `golden` has fewer words than the path.
    pub fn apply(
        &mut self,
        words: &mut (impl StoredWords + ?Sized),
        path: &Path,
        draw: &Draw,
        buffers: &mut StrikeBuffers,
        flips: &mut [u64],
        golden: impl Fn(usize) -> f32,
    ) {
        path.strike(draw, None, buffers, flips, golden, |index, value| {
            self.before.push((index, words.get(index)));
            words.set(index, value);
        });
    }

    /// Number of words noted.
    pub fn len(&self) -> usize {
        self.before.len()
    }

    /// Whether no word has been struck.
    pub fn is_empty(&self) -> bool {
        self.before.is_empty()
    }

    /// Indices of the words struck, in the order in which they were struck.
    pub fn words(&self) -> impl Iterator<Item = usize> + '_ {
        self.before.iter().map(|&(index, _)| index)
    }

    /// Gives `words` back what they held, bit for bit, and empties the journal.
    pub fn undo(&mut self, words: &mut (impl StoredWords + ?Sized)) {
        // Backwards: a word struck twice ends with what it held first.
        for (index, value) in self.before.drain(..).rev() {
            words.set(index, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{MemoryStop, Redraw, Stop};
    use crate::memory::Lifetime;
    use crate::memory::residency::Residency;
    use crate::number::{Codec, Format, Range};
    use crate::random::Probability;

    const WORDS: usize = 40_000;

    fn path(p: f64) -> Path {
        let codec = Codec::new(&Format::Fp32, &[Range { max_abs: 1.0 }], WORDS).unwrap();
        let residency = Residency { memory: 0, first_cell: 0, word_bits: 32, words: WORDS as u64 };
        let rate = Probability::new(p).unwrap();
        let stop = Stop::Memory(MemoryStop::uniform("dram", residency, rate, 0, Lifetime::Permanent));
        Path::new(codec.clone(), codec, &[stop]).unwrap()
    }

    fn bits(words: &[f32]) -> Vec<u32> {
        words.iter().map(|word| word.to_bits()).collect()
    }

    #[test]
    fn undo_gives_every_bit_back() {
        // NaN payloads, signed zeros and subnormals included.
        let golden: Vec<f32> =
            (0..WORDS as u32).map(|word| f32::from_bits(word.wrapping_mul(0x9e37_79b9))).collect();
        let mut words = golden.clone();
        let mut buffers = StrikeBuffers::default();
        for p in [1e-5, 1e-3, 0.1, 1.0] {
            let mut journal = Journal::new();
            let mut flips = [0];
            for trial in 0..3 {
                // Applied one over the other, as nested experiments would.
                let draw = Draw { seed: 4, trial, redraw: Redraw::Trial };
                journal.apply(words.as_mut_slice(), &path(p), &draw, &mut buffers, &mut flips, |word| {
                    golden[word]
                });
            }
            assert_eq!(journal.is_empty(), flips[0] == 0);
            let struck: std::collections::HashSet<_> = journal.words().collect();
            let changed = (0..WORDS).filter(|&word| words[word].to_bits() != golden[word].to_bits());
            assert!(changed.clone().all(|word| struck.contains(&word)));
            assert!(p < 1e-4 || changed.count() > 0);
            journal.undo(words.as_mut_slice());
            assert_eq!(bits(&words), bits(&golden), "p = {p}");
            assert_eq!(journal.len(), 0);
        }
    }

    #[test]
    fn every_flip_counted_is_a_flip_of_the_stored_bits() {
        let golden = vec![0.75_f32; WORDS];
        let mut words = golden.clone();
        let (mut journal, mut flips) = (Journal::new(), [0]);
        let draw = Draw { seed: 4, trial: 1, redraw: Redraw::Trial };
        let mut buffers = StrikeBuffers::default();
        journal
            .apply(words.as_mut_slice(), &path(0.01), &draw, &mut buffers, &mut flips, |word| golden[word]);
        let differing: u32 = words
            .iter()
            .zip(&golden)
            .map(|(word, before)| (word.to_bits() ^ before.to_bits()).count_ones())
            .sum();
        assert_eq!(u64::from(differing), flips[0]);
        assert_eq!(journal.len(), words.iter().filter(|word| word.to_bits() != 0.75_f32.to_bits()).count());
    }
}
