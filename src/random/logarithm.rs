//! The natural logarithm from `+ - * /` only: equal bits on every IEEE 754 host, which libm's is not.

/// Bits of sqrt(1/2): mantissas are taken from [sqrt(1/2), sqrt(2)), where the series converges fastest.
const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
const ONE: u64 = 0x3ff0_0000_0000_0000;
const EXPONENT_FIELD: u64 = 0xfff0_0000_0000_0000;
/// Bits of 2^52: an integer below 2^52 put into its mantissa is that integer plus 2^52, without a conversion instruction
/// that narrow vector units lack.
const TWO_POW_52: u64 = 0x4330_0000_0000_0000;

/// The uniform number in (0, 1) of a random word: (k + 1/2)·2^-52 with k the upper 52 bits. Exact.
#[inline]
pub const fn open_unit(word: u64) -> f64 {
    // 1 - 2^-53; k·2^-52 + 1 lies in [1, 2), and the difference is a multiple of 2^-53 below 1.
    f64::from_bits((word >> 12) | ONE) - (1.0 - f64::EPSILON / 2.0)
}

/// The natural logarithm of a positive normal number; relative error below 2e-15.
///
/// x = m·2^e with m in [sqrt(1/2), sqrt(2)), ln x = 2·artanh(s) + e·ln 2 with s = (m - 1)/(m + 1). Zero, negative,
/// subnormal and non-finite arguments give a meaningless number.
#[inline]
pub const fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    // Exponent field and mantissa of x / sqrt(1/2), the exponent biased by 1023.
    let shifted = bits.wrapping_add(ONE - SQRT_HALF);
    let exponent = f64::from_bits((shifted >> 52) | TWO_POW_52) - (f64::from_bits(TWO_POW_52) + 1023.0);
    let mantissa = f64::from_bits(bits.wrapping_sub((shifted & EXPONENT_FIELD).wrapping_sub(ONE)));
    twice_artanh((mantissa - 1.0) / (mantissa + 1.0)) + exponent * std::f64::consts::LN_2
}

/// ln(1 - q) for q in [0, 1), as accurate for tiny q as for large.
#[inline]
pub const fn ln_one_minus(q: f64) -> f64 {
    if q < 0.25 { twice_artanh(-q / (2.0 - q)) } else { ln(1.0 - q) }
}

/// 2·artanh(s) = 2s·(1 + s²/3 + s⁴/5 + ...) for |s| <= 3 - 2·sqrt(2): the first term left out is below 2^-55 of the sum.
#[inline]
const fn twice_artanh(s: f64) -> f64 {
    let z = s * s;
    let mut tail = 1.0 / 19.0;
    tail = 1.0 / 17.0 + z * tail;
    tail = 1.0 / 15.0 + z * tail;
    tail = 1.0 / 13.0 + z * tail;
    tail = 1.0 / 11.0 + z * tail;
    tail = 1.0 / 9.0 + z * tail;
    tail = 1.0 / 7.0 + z * tail;
    tail = 1.0 / 5.0 + z * tail;
    tail = 1.0 / 3.0 + z * tail;
    let twice = s + s;
    twice + twice * (z * tail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Key, Label};

    fn relative_error(x: f64) -> f64 {
        if x == 1.0 { ln(x).abs() } else { ((ln(x) - x.ln()) / x.ln()).abs() }
    }

    #[test]
    fn logarithm_agrees_with_libm() {
        let words = Key::new(Label::new("logarithm test")).words();
        let mut worst: f64 = 0.0;
        for address in 0..1_000_000 {
            worst = worst.max(relative_error(open_unit(words.at(address))));
            // Uniform exponents, to reach small and large numbers as well.
            let anywhere = f64::from_bits((words.at(address) >> 2).max(1 << 52));
            if anywhere.is_normal() {
                worst = worst.max(relative_error(anywhere));
            }
        }
        // Around 1 and around the ends of the mantissa's interval.
        for edge in [1.0, std::f64::consts::FRAC_1_SQRT_2, std::f64::consts::SQRT_2, 0.5, 2.0_f64] {
            for step in 0..2000_u64 {
                worst = worst.max(relative_error(f64::from_bits(edge.to_bits() - 1000 + step)));
            }
        }
        assert!(worst < 2e-15, "worst relative error {worst:e}");
    }

    #[test]
    fn logarithm_of_one_minus_q_agrees_with_libm() {
        for step in 0..2000 {
            let q = 0.999_f64 * (0.98_f64).powi(step);
            let error = ((ln_one_minus(q) - (-q).ln_1p()) / (-q).ln_1p()).abs();
            assert!(error < 2e-15, "q = {q:e}: relative error {error:e}");
        }
    }

    #[test]
    fn the_unit_interval_is_open() {
        assert_eq!(open_unit(0), f64::EPSILON / 2.0);
        assert_eq!(open_unit(u64::MAX), 1.0 - f64::EPSILON / 2.0);
        assert_eq!(open_unit(1 << 63), 0.5 + f64::EPSILON / 2.0);
    }
}
