//! Elementary functions that give the same bits on every machine: additions, multiplications, divisions, square roots and
//! fused multiply-adds only, no system library.

#![allow(
    clippy::inline_always,
    reason = "the loops that use them take the instruction set of the function that they are inlined into"
)]

use crate::random::ln;

/// ln 2 in two parts: the first has few enough bits for small integers times it to be exact.
const LN_2: [f32; 2] = [0.693_145_75, 1.428_606_8e-6];

/// The integer n nearest to x/ln 2, and x - n·ln 2.
#[inline(always)]
fn reduced(x: f32) -> (f32, f32) {
    let n = (x * std::f32::consts::LOG2_E).round_ties_even();
    (n, (-n).mul_add(LN_2[1], (-n).mul_add(LN_2[0], x)))
}

/// 2^n for -126 <= n <= 127.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits(((n + 127) as u32) << 23)
}

/// e^x by argument reduction and a polynomial of degree 7. Relative error below 1.2e-7 where the result is a normal
/// number; below that it is rounded to the grid of subnormal numbers, and 0 for x < -104. Infinite for x > 88.73.
#[inline(always)]
pub(super) fn exponential(x: f32) -> f32 {
    let (n, r) = reduced(x.clamp(-110.0, 90.0));
    let coefficients = [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    let p = coefficients.iter().fold(1.0 / 5040.0_f32, |p, &c| p.mul_add(r, c));
    // 2^n in two factors: n reaches beyond the exponents of normal numbers on both sides.
    let n = n as i32;
    p * power_of_two(n / 2) * power_of_two(n - n / 2)
}

/// 1 / (1 + e^-x). Relative error below 2.5e-7 for x >= -87; below -88.73 the result is 0.
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exponential(-x))
}

/// The hyperbolic tangent, (e^2x - 1) / (e^2x + 1) with e^2x - 1 free of cancellation. Relative error below 4e-7.
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    // Beyond 9.02 the result is ±1.
    let x = x.clamp(-10.0, 10.0);
    let (n, r) = reduced(2.0 * x.abs());
    let coefficients = [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5];
    let p = coefficients.iter().fold(1.0 / 5040.0_f32, |p, &c| p.mul_add(r, c));
    let p = p.mul_add(r * r, r);
    let power = power_of_two(n as i32);
    let e = power.mul_add(p, power - 1.0);
    (e / (e + 2.0)).copysign(x)
}

/// base^exponent, computed in binary64 and rounded once: relative error below 6.1e-8 where the result is a normal number.
/// NaN for a negative base.
pub(super) fn power(base: f32, exponent: f32) -> f32 {
    let (base, exponent) = (f64::from(base), f64::from(exponent));
    if exponent == 0.0 {
        return 1.0;
    }
    if base.is_nan() || base < 0.0 {
        return f32::NAN;
    }
    if base == 0.0 || base == f64::INFINITY {
        let large = (base > 0.0) == (exponent > 0.0);
        return if large { f32::INFINITY } else { 0.0 };
    }
    // Beyond ±200 the result is 0 or infinite in binary32.
    let x = (exponent * ln(base)).clamp(-200.0, 200.0);
    let n = (x * std::f64::consts::LOG2_E).round_ties_even();
    // ln 2 in two parts, the first with 32 bits.
    let r = (-n).mul_add(1.908_214_929_270_587_7e-10, (-n).mul_add(0.693_147_180_369_123_8, x));
    let p = (1..=14).rev().fold(1.0, |p: f64, k| (p * r / f64::from(k)) + 1.0);
    let two_to_n = f64::from_bits(((n as i64 + 1023) as u64) << 52);
    // One rounding to the nearest number; overflow gives infinity.
    (p * two_to_n) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Largest relative difference between `ours` and `exact` over `steps` equal steps.
    fn worst(range: [f64; 2], steps: u32, ours: fn(f32) -> f32, exact: fn(f64) -> f64) -> f64 {
        let [first, last] = range;
        let mut worst = 0.0_f64;
        for step in 0..=steps {
            let x = (first + (last - first) * f64::from(step) / f64::from(steps)) as f32;
            let exact = exact(f64::from(x));
            let error = if exact == 0.0 { f64::from(ours(x)) } else { f64::from(ours(x)) / exact - 1.0 };
            worst = worst.max(error.abs());
        }
        worst
    }

    #[test]
    fn functions_agree_with_the_system_library() {
        let error = worst([-87.0, 88.0], 2_000_000, exponential, f64::exp);
        assert!(error < 1.2e-7, "exponential {error:e}");
        let error = worst([-87.0, 40.0], 2_000_000, sigmoid, |x| 1.0 / (1.0 + (-x).exp()));
        assert!(error < 2.5e-7, "sigmoid {error:e}");
        for range in [[-12.0, 12.0], [-1.0, 1.0], [-1e-3, 1e-3], [-1e-37, 1e-37]] {
            let error = worst(range, 1_000_000, tanh, f64::tanh);
            assert!(error < 4e-7, "hyperbolic tangent over {range:?} {error:e}");
        }
    }

    #[test]
    fn exponential_at_its_ends() {
        assert_eq!(exponential(0.0), 1.0);
        assert_eq!(exponential(f32::NEG_INFINITY), 0.0);
        assert_eq!(exponential(f32::INFINITY), f32::INFINITY);
        assert_eq!(exponential(89.0), f32::INFINITY);
        assert!(exponential(f32::NAN).is_nan());
        for step in 0..17_000 {
            let x = -104.0 + step as f32 * 1e-3;
            let error = (f64::from(exponential(x)) - f64::from(x).exp()).abs();
            assert!(error <= 2.0_f64.powi(-149), "e^{x} is off by {error:e}");
        }
    }

    #[test]
    fn activations_at_their_ends() {
        assert_eq!(
            [f32::NEG_INFINITY, -100.0, 0.0, 100.0, f32::INFINITY].map(sigmoid),
            [0.0, 0.0, 0.5, 1.0, 1.0]
        );
        assert_eq!([f32::NEG_INFINITY, -9.1, 9.1, f32::INFINITY].map(tanh), [-1.0, -1.0, 1.0, 1.0]);
        assert_eq!(
            [0.0, -0.0, 1e-45, -1e-45].map(tanh).map(f32::to_bits),
            [0.0, -0.0, 1e-45, -1e-45_f32].map(f32::to_bits)
        );
        assert!(sigmoid(f32::NAN).is_nan() && tanh(f32::NAN).is_nan());
    }

    #[test]
    fn powers_are_rounded_once() {
        let mut largest = 0.0_f64;
        for step in 0..300_000 {
            // All exponents of binary32, subnormal ones included.
            let base = f32::from_bits(1 + step * 7100);
            for exponent in [-1.75, -0.75, -0.3, 0.1, 0.6, 0.75, 1.3, 2.0_f32] {
                let exact = f64::from(base).powf(f64::from(exponent));
                let found = f64::from(power(base, exponent));
                if exact > 3.402_823_5e38 {
                    assert_eq!(found, f64::INFINITY, "{base}^{exponent}");
                } else if exact > 1.18e-38 {
                    largest = largest.max((found / exact - 1.0).abs());
                } else {
                    assert!((found - exact).abs() <= 2.0_f64.powi(-149), "{base}^{exponent}");
                }
            }
        }
        assert!(largest < 6.1e-8, "{largest:e}");
        assert_eq!([0.0, f32::INFINITY].map(|base| power(base, 0.6)), [0.0, f32::INFINITY]);
        assert_eq!([0.0, f32::INFINITY].map(|base| power(base, -0.6)), [f32::INFINITY, 0.0]);
        assert_eq!(power(-3.0, 0.0), 1.0);
        assert!(power(-3.0, 2.0).is_nan() && power(f32::NAN, 2.0).is_nan());
    }
}
