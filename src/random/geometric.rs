//! Successes of independent trials, found by the gaps between them: time per success, not per trial.

use super::{Probability, ln, ln_one_minus, open_unit};
use rand::Rng;

const BLOCK: usize = Geometric::BLOCK;
/// Gaps are cut here, which is far beyond the trials of one call.
const LONGEST_GAP: f64 = (1u64 << 31) as f64;

/// Independent trials that each succeed with probability `q`, for q in (0, 1).
///
/// The gap before the next success is floor(ln U / ln(1 - q)) with U uniform in (0, 1). (When the quotient comes out as
/// an exact integer, the floor may be one less: an event of probability 2^-50 or so.) Words beyond the last success are
/// thrown away, so the successes among the first n trials do not depend on n.
#[derive(Clone, Copy, Debug)]
pub struct Geometric {
    q: f64,
    /// 1 / ln(1 - q).
    scale: f64,
}

impl Geometric {
    /// Most successes of one block: gaps are made so many at once, enough to keep the widest vector unit busy through a
    /// division.
    pub const BLOCK: usize = 32;
    /// Most trials of one call.
    pub const MOST_TRIALS: u32 = 1 << 30;

    /// The law of trials that succeed with probability `q`; `None` if `q` is 0 or 1, where there is nothing to draw.
    pub fn new(q: Probability) -> Option<Self> {
        let q = q.get();
        (q > 0.0 && q < 1.0).then(|| Self::of(q))
    }

    /// The law of `q`, which must lie in (0, 1).
    pub(crate) const fn of(q: f64) -> Self {
        Self { q, scale: 1.0 / ln_one_minus(q) }
    }

    /// Whether `first`, the word of the first gap, leaves no success among `trials` trials. It answers without a
    /// logarithm, and may say `false` where [`Geometric::successes`] then finds none.
    ///
    /// (1 - q)^n >= 1 - nq, hence U <= 1 - nq implies a gap of at least n. The slack is a million times the relative
    /// error of the logarithm.
    #[inline]
    pub fn surely_none(&self, first: u64, trials: u32) -> bool {
        open_unit(first) < 1.0 - f64::from(trials) * self.q * (1.0 + 1e-9)
    }

    /// Calls `visit` with ascending blocks of the trials, out of `0..trials`, that succeed. `first` is the word of the
    /// first gap, `generator` yields the words of all others.
    ///
    /// # Panics
    /// If `trials` exceeds [`Geometric::MOST_TRIALS`].
    #[inline]
    pub fn successes(
        &self,
        first: u64,
        generator: &mut impl Rng,
        trials: u32,
        mut visit: impl FnMut(&[u32]),
    ) {
        assert!(trials <= Self::MOST_TRIALS, "at most 2^30 trials at once");
        // Few successes are found faster one by one than by a block of which most is thrown away.
        let is_sparse = f64::from(trials) * self.q < 4.0;
        let mut words = [first; BLOCK];
        let mut found = [0; BLOCK];
        let mut next = 0;
        if is_sparse {
            let mut word = first;
            loop {
                next += self.gap(word);
                if next >= trials {
                    return;
                }
                visit(&[next]);
                next += 1;
                word = generator.next_u64();
            }
        }
        words[1..].fill_with(|| generator.next_u64());
        loop {
            self.gaps(&words, &mut found);
            for index in 0..BLOCK {
                next += found[index];
                if next >= trials {
                    visit(&found[..index]);
                    return;
                }
                found[index] = next;
                next += 1;
            }
            visit(&found);
            words.fill_with(|| generator.next_u64());
        }
    }

    #[allow(clippy::inline_always, reason = "the loop over a block must see it to become vector code")]
    #[inline(always)]
    fn gap(&self, word: u64) -> u32 {
        let quotient = ln(open_unit(word)) * self.scale;
        let capped = if quotient < LONGEST_GAP { quotient } else { LONGEST_GAP };
        // Adding 1.5·2^52 rounds to an integer and leaves it in the low bits of the mantissa: unlike a cast, this is
        // one vector instruction everywhere. The half makes it a floor.
        ((capped - 0.5) + 1.5 * (1u64 << 52) as f64).to_bits() as u32
    }

    #[allow(clippy::inline_always, reason = "compiled once per vector unit by the functions below")]
    #[inline(always)]
    fn gaps_portable(&self, words: &[u64; BLOCK], gaps: &mut [u32; BLOCK]) {
        for (gap, &word) in gaps.iter_mut().zip(words) {
            *gap = self.gap(word);
        }
    }

    fn gaps(&self, words: &[u64; BLOCK], gaps: &mut [u32; BLOCK]) {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
                // SAFETY: the processor has been found to have both features.
                return unsafe { self.gaps_avx512(words, gaps) };
            }
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the processor has been found to have the feature.
                return unsafe { self.gaps_avx2(words, gaps) };
            }
        }
        self.gaps_portable(words, gaps);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512dq")]
    fn gaps_avx512(&self, words: &[u64; BLOCK], gaps: &mut [u32; BLOCK]) {
        self.gaps_portable(words, gaps);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn gaps_avx2(&self, words: &[u64; BLOCK], gaps: &mut [u32; BLOCK]) {
        self.gaps_portable(words, gaps);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Key, Label};
    use rand_distr::{Distribution, Geometric as Oracle};

    const RUN: Label = Label::new("run");

    fn key(run: u64) -> Key {
        Key::new(Label::new("geometric test")).with(RUN, run)
    }

    fn law(q: f64) -> Geometric {
        Geometric::new(Probability::new(q).unwrap()).unwrap()
    }

    fn successes(q: f64, run: u64, trials: u32) -> Vec<u32> {
        let mut found = Vec::new();
        let first = key(run).words().at(0);
        law(q).successes(first, &mut key(run).generator(), trials, |block| found.extend_from_slice(block));
        found
    }

    #[test]
    fn certain_and_impossible_trials_have_no_gaps_to_draw() {
        assert!(Geometric::new(Probability::ZERO).is_none());
        assert!(Geometric::new(Probability::ONE).is_none());
    }

    #[test]
    fn vector_code_and_scalar_code_give_the_same_gaps() {
        for q in [1e-9, 6e-8, 1e-4, 0.0159, 0.3] {
            let law = law(q);
            for run in 0..200 {
                let mut words = [0; BLOCK];
                let mut generator = key(run).generator();
                words.fill_with(|| generator.next_u64());
                words[0] = if run == 0 { 0 } else { words[0] };
                words[1] = if run == 0 { u64::MAX } else { words[1] };
                let one_by_one = words.map(|word| std::hint::black_box(law).gap(word));
                let mut gaps = [0; BLOCK];
                law.gaps(&words, &mut gaps);
                assert_eq!(gaps, one_by_one);
                law.gaps_portable(&words, &mut gaps);
                assert_eq!(gaps, one_by_one);
                #[cfg(target_arch = "x86_64")]
                if is_x86_feature_detected!("avx2") {
                    // SAFETY: the processor has been found to have the feature.
                    unsafe { law.gaps_avx2(&words, &mut gaps) };
                    assert_eq!(gaps, one_by_one);
                }
            }
        }
    }

    #[test]
    fn a_gap_is_the_floor_of_the_quotient() {
        for q in [1e-6_f64, 0.01, 0.25] {
            for run in 0..10_000 {
                let word = key(run).words().at(1);
                let quotient = open_unit(word).ln() / (-q).ln_1p();
                // libm and the own logarithm may fall on different sides of an integer.
                if (quotient - quotient.round()).abs() > 1e-6 {
                    assert_eq!(f64::from(law(q).gap(word)), quotient.floor(), "q = {q}, word {word}");
                }
            }
        }
    }

    #[test]
    fn fewer_trials_are_a_prefix_of_more() {
        for q in [1e-6, 1e-5, 1e-3, 0.1] {
            for run in 0..50 {
                let all = successes(q, run, 1 << 20);
                assert!(all.is_sorted_by(|left, right| left < right));
                for trials in [0, 1, 1000, 65_537, 1 << 19] {
                    let expected: Vec<_> = all.iter().copied().filter(|&cell| cell < trials).collect();
                    assert_eq!(successes(q, run, trials), expected, "q = {q}, {trials} trials");
                }
            }
        }
    }

    #[test]
    fn surely_none_is_sure_and_nearly_tight() {
        for (q, trials) in [(6e-8, 1 << 20), (1e-6, 8192), (1e-4, 1000), (1e-4, 1 << 20)] {
            let (mut silent, mut unsaid) = (0, 0);
            for run in 0..20_000 {
                let found = !successes(q, run, trials).is_empty();
                let none = law(q).surely_none(key(run).words().at(0), trials);
                assert!(!(found && none), "q = {q}: a success where there surely is none");
                silent += i32::from(none);
                unsaid += i32::from(!found && !none);
            }
            if f64::from(trials) * q < 0.1 {
                // (1 - q)^n - (1 - nq) <= (nq)^2 / 2.
                assert!(silent > 17_500 && unsaid < 150, "q = {q}: {silent} silent, {unsaid} unsaid");
            }
        }
    }

    #[test]
    fn counts_follow_the_binomial_and_gaps_the_oracle() {
        for q in [1e-4, 3e-3, 0.0159, 0.2] {
            let trials = 1 << 20;
            let found: Vec<_> = (0..8).map(|run| successes(q, run, trials)).collect();
            let count = found.iter().map(Vec::len).sum::<usize>() as f64;
            let n = 8.0 * f64::from(trials);
            let z = (count - n * q) / (n * q * (1.0 - q)).sqrt();
            assert!(z.abs() < 4.0, "q = {q}: z = {z}");

            // Share of gaps below the mean, against the same share of an independent sampler.
            let mut generator = key(99).generator();
            let oracle = Oracle::new(q).unwrap();
            let (mut ours, mut theirs, mut total) = (0.0, 0.0, 0.0);
            for gap in found.iter().flat_map(|list| list.windows(2)).map(|pair| pair[1] - pair[0] - 1) {
                ours += f64::from(u8::from(f64::from(gap) < 1.0 / q));
                theirs += f64::from(u8::from((oracle.sample(&mut generator) as f64) < 1.0 / q));
                total += 1.0;
            }
            let share = theirs / total;
            let z = (ours - theirs) / (2.0 * total * share * (1.0 - share)).sqrt();
            assert!(z.abs() < 4.0, "q = {q}: z of gaps against rand_distr = {z}");
        }
    }
}
