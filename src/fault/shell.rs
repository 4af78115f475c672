//! Shells of cell values: the laws by which cells join them, and the part of them below a bit error rate.

use crate::random::{Geometric, Masks, Probability, Words};

/// The outer shell is `[2^-OUTER, 1)`. Every cell has a value in it, compared by dense masks.
///
/// A mask costs as much as the gaps of a shell of q = 0.022 or so (bench `crossover`, AVX-512), between the shells of 1/31
/// and 1/63. Part of the result format.
pub(super) const OUTER: usize = 6;

/// Shells `[2^-(j+1), 2^-j)` for j = `OUTER`..`CORE`; what lies below 2^-`CORE` is one more, the core.
///
/// Cutting here saves maps of few faults a look per chunk at each deeper shell, and costs a map at a bit error rate
/// below 2^-24 one draw too many per 16 chunks. Part of the result format.
pub(super) const CORE: usize = 24;

/// One shell whose members are drawn by gaps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shell {
    /// `j` of the shell `[2^-(j+1), 2^-j)`, or [`CORE`].
    pub index: usize,
    /// Probability with which a cell joins.
    pub q: f64,
    /// The gaps between its members.
    pub gaps: Geometric,
}

/// The shells below 2^-[`OUTER`], the core last.
pub(super) const SHELLS: [Shell; CORE - OUTER + 1] = {
    let mut shells = [Shell { index: 0, q: 0.0, gaps: Geometric::of(0.5) }; CORE - OUTER + 1];
    let mut index = OUTER;
    while index <= CORE {
        // q_j = 2^-(j+1) / (1 - 2^-(j+1)) = 1 / (2^(j+1) - 1); the core takes what is left, 2^-CORE.
        let odds = if index < CORE { (1u64 << (index + 1)) - 1 } else { 1u64 << CORE };
        let q = 1.0 / odds as f64;
        shells[index - OUTER] = Shell { index, q, gaps: Geometric::of(q) };
        index += 1;
    }
    shells
};

impl Shell {
    fn is_core(&self) -> bool {
        self.index == CORE
    }

    /// The value of a member of the shell from its random word: uniform over the doubles of the shell's binade; over
    /// multiples of 2^-(53 + CORE) in the core.
    pub fn value(&self, word: u64) -> f64 {
        if self.is_core() {
            (word >> 11) as f64 * power_of_two(-53 - CORE as i32)
        } else {
            f64::from_bits((1022 - self.index as u64) << 52 | word >> 12)
        }
    }
}

/// 2^`exponent` for -1022..=1023.
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((1023 + exponent) as u64) << 52)
}

/// Which members of a shell lie below the bit error rate: those whose random word, shifted right, is below a bound.
///
/// The same comparison as that of the values, in integers: P(value < p | shell) is exact for every double p.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Thinning {
    shift: u32,
    below: u64,
}

impl Thinning {
    /// Whether the member of a shell in `cell` of a chunk stays; `values` are the words of the shell's values.
    #[inline]
    pub fn keeps(self, values: Words, cell: u32) -> bool {
        values.at(u64::from(cell)) >> self.shift < self.below
    }
}

/// The part of the outer shell below a bit error rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OuterCut {
    /// None of it.
    Nothing,
    /// The cells of these masks.
    Some(Masks),
    /// Every cell.
    All,
}

/// 2^-[`OUTER`] in units of 2^-64.
const OUTER_START: u64 = 1 << (64 - OUTER);

/// The number u in `[2^-OUTER, 1)` of a cell of fraction v·2^-64: 2^-OUTER + v·(1 - 2^-OUTER), as the double for which
/// u < p holds exactly if the masks at p have the cell, for all doubles p.
pub(super) fn outer_value(fraction: u64) -> f64 {
    // The cell fails at P·2^-64 iff v < floor((P - start)·2^64 / (2^64 - start)), that is, from
    // P = start + ceil((v + 1)·(2^64 - start) / 2^64) on; the number just below is u.
    let width = (1u128 << 64) - u128::from(OUTER_START);
    let fails_from = u128::from(OUTER_START) + ((u128::from(fraction) + 1) * width).div_ceil(1 << 64);
    let number = (fails_from - 1) as u64;
    // Cut to 53 significant bits: no double lies between the cut number and the number.
    let surplus = 11u32.saturating_sub(number.leading_zeros());
    (number >> surplus << surplus) as f64 * power_of_two(-64)
}

/// The part of all shells below a bit error rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cut {
    /// The part of the outer shell.
    pub outer: OuterCut,
    /// Shells of this index and deeper lie below it as a whole.
    whole_from: usize,
    /// The shell in which it lies, unless none of the shell is below it.
    thinned: Option<(usize, Thinning)>,
}

impl Cut {
    /// The cut at bit error rate `p`.
    pub fn at(p: Probability) -> Self {
        let nothing = Self { outer: OuterCut::Nothing, whole_from: CORE + 1, thinned: None };
        let p = p.get();
        if p == 0.0 {
            return nothing;
        }
        if p == 1.0 {
            return Self { outer: OuterCut::All, whole_from: OUTER, thinned: None };
        }
        if p < power_of_two(-(CORE as i32)) {
            // Exact up to the ceiling: p·2^(53 + CORE) is below 2^53.
            let below = (p * power_of_two(53 + CORE as i32)).ceil() as u64;
            return Self { thinned: Some((CORE, Thinning { shift: 11, below })), ..nothing };
        }
        if p >= power_of_two(-(OUTER as i32)) {
            // Exact: p is a multiple of 2^-64.
            let beyond = (p * power_of_two(64)) as u64 - OUTER_START;
            let digits = (u128::from(beyond) << 64) / ((1 << 64) - u128::from(OUTER_START));
            let outer =
                if digits == 0 { OuterCut::Nothing } else { OuterCut::Some(Masks::of(digits as u64)) };
            return Self { outer, whole_from: OUTER, thinned: None };
        }
        let whole_from = 1023 - (p.to_bits() >> 52) as usize;
        let below = p.to_bits() & ((1 << 52) - 1);
        let thinned = (below != 0).then(|| (whole_from - 1, Thinning { shift: 12, below }));
        Self { whole_from, thinned, ..nothing }
    }

    /// The shells to draw by gaps, each with its thinning, the shallowest first.
    pub fn shells(&self) -> impl Iterator<Item = (&'static Shell, Option<Thinning>)> {
        const ALL: &[Shell; CORE - OUTER + 1] = &SHELLS;
        let thinned = self.thinned.map(|(index, thinning)| (&ALL[index - OUTER], Some(thinning)));
        thinned.into_iter().chain(ALL[self.whole_from - OUTER..].iter().map(|shell| (shell, None)))
    }

    /// Expected number of members per cell of all shells to draw by gaps.
    pub fn draws_per_cell(&self) -> f64 {
        self.shells().map(|(shell, _)| shell.q).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Key, Label};

    #[test]
    fn shells_telescope_to_the_uniform_law() {
        // P(u < 2^-j) = 1 - product over the shells at and below j of (1 - q).
        let mut outside = 1.0 - SHELLS[CORE - OUTER].q;
        assert_eq!(1.0 - outside, 2.0_f64.powi(-(CORE as i32)));
        for index in (OUTER..CORE).rev() {
            outside *= 1.0 - SHELLS[index - OUTER].q;
            let expected = 2.0_f64.powi(-(index as i32));
            assert!(((1.0 - outside) / expected - 1.0).abs() < 1e-9, "shell {index}");
        }
    }

    #[test]
    fn values_lie_in_their_shell() {
        for shell in &SHELLS {
            let index = shell.index;
            let (low, high) = (shell.value(0), shell.value(u64::MAX));
            assert_eq!(low, if index == CORE { 0.0 } else { 2.0_f64.powi(-(index as i32) - 1) });
            let end = 2.0_f64.powi(-(index as i32));
            assert!(high < end && high > end * (1.0 - 1e-15), "shell {index}: {high} against {end}");
        }
        assert_eq!(outer_value(0), 1.0 / 64.0);
        assert!(outer_value(u64::MAX) < 1.0 && outer_value(u64::MAX) > 1.0 - 1e-15);
        assert!((outer_value(1 << 63) - (0.5 + 0.5 / 64.0)).abs() < 1e-15);
    }

    #[test]
    fn a_cut_keeps_exactly_the_values_below_the_rate() {
        for p in [1e-12, 3e-8, 2.0_f64.powi(-24), 1e-6, 1e-3, 1.0 / 64.0, 0.1, 0.25] {
            let cut = Cut::at(Probability::new(p).unwrap());
            for shell in SHELLS.iter().filter(|shell| shell.index >= cut.whole_from) {
                assert!(shell.value(u64::MAX) < p);
            }
            let reached = cut.thinned.map_or(cut.whole_from, |(index, _)| index);
            for shell in SHELLS.iter().filter(|shell| shell.index < reached) {
                assert!(shell.value(0) >= p);
            }
            let Some((index, Thinning { shift, below })) = cut.thinned else { continue };
            for word in [below - 1, below].map(|number| number << shift) {
                let value = SHELLS[index - OUTER].value(word);
                assert_eq!(word >> shift < below, value < p, "p = {p}, value {value}");
            }
        }
    }

    #[test]
    fn the_outer_masks_keep_exactly_the_values_below_the_rate() {
        let start = 1.0 / 64.0;
        let rates =
            [start, start * (1.0 + f64::EPSILON), 0.02, 0.1, 0.3, 0.5, 0.75, 1.0 - f64::EPSILON / 2.0];
        let words = Key::new(Label::new("outer shell")).words();
        for p in rates {
            let exact = u128::from((p * 2.0_f64.powi(64)) as u64) - (1 << 58);
            let digits = (exact * 64 / 63) as u64;
            let expected = if digits == 0 { OuterCut::Nothing } else { OuterCut::Some(Masks::of(digits)) };
            assert_eq!(Cut::at(Probability::new(p).unwrap()).outer, expected);
            let around = (0..2000).map(|step| digits.saturating_sub(1000).saturating_add(step));
            let anywhere = (0..2000).map(|address| words.at(address));
            for fraction in around.chain(anywhere) {
                assert_eq!(fraction < digits, outer_value(fraction) < p, "p = {p}, fraction {fraction}");
            }
        }
    }

    #[test]
    fn the_ends_of_the_unit_interval() {
        let zero = Cut::at(Probability::ZERO);
        assert_eq!((zero.outer, zero.shells().count()), (OuterCut::Nothing, 0));
        let one = Cut::at(Probability::ONE);
        // Every cell fails, but the numbers of cells still come from all shells.
        assert_eq!((one.outer, one.shells().count()), (OuterCut::All, SHELLS.len()));
        let smallest = Cut::at(Probability::new(f64::from_bits(1)).unwrap());
        assert_eq!(smallest.thinned, Some((CORE, Thinning { shift: 11, below: 1 })));
    }
}
