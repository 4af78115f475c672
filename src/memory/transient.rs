//! Errors that are drawn anew for each residency, as the probability that a bit is delivered wrong.

/// Bits of a Mbit, the basis of soft-error rates.
const MBIT: f64 = 1_048_576.0;
/// Seconds of 1e9 hours.
const FIT_SECONDS: f64 = 3.6e12;

/// Probability that exactly one of two independent events that invert a bit takes place.
pub(super) fn either(a: f64, b: f64) -> f64 {
    a * (1.0 - b) + b * (1.0 - a)
}

/// Probability that an odd number of `reads` inverts a bit, each with probability `q` in 0..0.5: (1 - (1 - 2q)^n) / 2.
pub(super) fn upset_by_reads(q: f64, reads: f64) -> f64 {
    0.0 - 0.5 * libm::expm1(reads * libm::log1p(-2.0 * q))
}

/// Probability that a bit is wrong because the last of `writes` writes failed, each with probability `q`: the old bit survives,
/// which is the opposite of the new one in one case of two. Earlier writes leave no trace; less than one write on average is
/// that chance of one.
pub(super) fn old_value_kept(q: f64, writes: f64) -> f64 {
    0.5 * q * writes.min(1.0)
}

/// Probability that soft errors invert a bit within `seconds`, at a rate of `fit_per_mbit` failures per 1e9 hours and 2^20 bits:
/// (1 - exp(-2·rate·t)) / 2, the odd counts of a Poisson process.
pub(super) fn soft_error(fit_per_mbit: f64, seconds: f64) -> f64 {
    let per_bit_second = fit_per_mbit / (FIT_SECONDS * MBIT);
    0.0 - 0.5 * libm::expm1(-2.0 * per_bit_second * seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn relative(value: f64, expected: f64) -> f64 {
        ((value - expected) / expected).abs()
    }

    #[test]
    fn soft_errors_of_1000_fit_per_mbit() {
        // 1000 FIT/Mbit are 2.65e-16 per bit and second.
        assert!(relative(soft_error(1000.0, 1.0), 2.65e-16) < 1e-3);
        assert!(relative(soft_error(1000.0, 3600.0), 3600.0 * 2.65e-16) < 1e-3);
        assert_eq!((soft_error(0.0, 1e9), soft_error(1000.0, 0.0)), (0.0, 0.0));
        assert_eq!(soft_error(1e30, f64::INFINITY), 0.5);
    }

    #[test]
    fn failed_writes_keep_the_old_bit() {
        assert_eq!(old_value_kept(1e-3, 1.0), 5e-4);
        assert_eq!(old_value_kept(1e-3, 7.0), 5e-4);
        assert_eq!((old_value_kept(1e-3, 0.25), old_value_kept(1e-3, 0.0)), (1.25e-4, 0.0));
    }

    proptest! {
        /// Against the recursion over reads, one at a time.
        #[test]
        fn reads_fold(q in 0.0..0.01, reads in 0u32..300) {
            let one_by_one = (0..reads).fold(0.0, |p, _| either(p, q));
            let folded = upset_by_reads(q, f64::from(reads));
            prop_assert!((folded - one_by_one).abs() <= 1e-12 * one_by_one.max(1e-300), "{folded:e} {one_by_one:e}");
        }

        #[test]
        fn either_is_symmetric_and_a_probability(a in 0.0..=1.0, b in 0.0..=1.0) {
            prop_assert_eq!(either(a, b), either(b, a));
            prop_assert!((0.0..=1.0).contains(&either(a, b)));
            prop_assert_eq!(either(a, 0.0), a);
        }
    }
}
