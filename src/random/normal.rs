//! The normal distribution: tails that hold at 1e-15 and below, and their inverse. The same bits on every machine, by `libm`.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// Q(z) = P(Z > z) of a standard normal Z.
pub fn upper_tail(z: f64) -> f64 {
    0.5 * libm::erfc(z * FRAC_1_SQRT_2)
}

/// Phi(z) = P(Z <= z) of a standard normal Z.
pub fn cumulative(z: f64) -> f64 {
    upper_tail(-z)
}

/// Phi^-1(p): the z with P(Z <= z) = p; -infinity at 0, infinity at 1, NaN outside 0..=1.
///
/// Rational approximations of Wichura (algorithm AS 241, Applied Statistics 37, 1988), followed by one Newton step, which
/// makes it the inverse of [`cumulative`] to rounding in the lower half.
pub fn quantile(p: f64) -> f64 {
    if p > 0.5 {
        // 1 - p is exact here.
        return -quantile(1.0 - p);
    }
    if p == 0.0 {
        return f64::NEG_INFINITY;
    }
    let start = as241(p);
    let density = libm::exp(-0.5 * start * start) / (2.0 * PI).sqrt();
    // Where the density is subnormal the quotient means nothing.
    if density < f64::MIN_POSITIVE { start } else { start - (cumulative(start) - p) / density }
}

/// Phi^-1(p) for 0 < p <= 0.5, relative error about 1e-16 before rounding.
fn as241(p: f64) -> f64 {
    let q = p - 0.5;
    if q >= -0.425 {
        let r = 0.180_625 - q * q;
        return q * polynomial(&CENTRE.0, r) / polynomial(&CENTRE.1, r);
    }
    let r = (-libm::log(p)).sqrt();
    let (shifted, (numerator, denominator)) = if r <= 5.0 { (r - 1.6, MIDDLE) } else { (r - 5.0, TAIL) };
    -polynomial(&numerator, shifted) / polynomial(&denominator, shifted)
}

fn polynomial(coefficients: &[f64; 8], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, coefficient| sum * x + coefficient)
}

/// Numerator and denominator, lowest power first.
type Ratio = ([f64; 8], [f64; 8]);

#[expect(clippy::excessive_precision, reason = "as published")]
const CENTRE: Ratio = (
    [
        3.387_132_872_796_366_608,
        133.141_667_891_784_377_45,
        1_971.590_950_306_551_442_7,
        13_731.693_765_509_461_125,
        45_921.953_931_549_871_457,
        67_265.770_927_008_700_853,
        33_430.575_583_588_128_105,
        2_509.080_928_730_122_672_7,
    ],
    [
        1.0,
        42.313_330_701_600_911_252,
        687.187_007_492_057_908_3,
        5_394.196_021_424_751_107_7,
        21_213.794_301_586_595_867,
        39_307.895_800_092_710_61,
        28_729.085_735_721_942_674,
        5_226.495_278_852_854_561,
    ],
);
#[expect(clippy::excessive_precision, reason = "as published")]
const MIDDLE: Ratio = (
    [
        1.423_437_110_749_683_577_34,
        4.630_337_846_156_545_295_9,
        5.769_497_221_460_691_405_5,
        3.647_848_324_763_204_605_04,
        1.270_458_252_452_368_382_58,
        0.241_780_725_177_450_611_77,
        0.022_723_844_989_269_184_583_3,
        7.745_450_142_783_414_076_4e-4,
    ],
    [
        1.0,
        2.053_191_626_637_758_821_87,
        1.676_384_830_183_803_849_4,
        0.689_767_334_985_100_004_55,
        0.148_103_976_427_480_074_59,
        0.015_198_666_563_616_457_196_6,
        5.475_938_084_995_344_946e-4,
        1.050_750_071_644_416_843_24e-9,
    ],
);
#[expect(clippy::excessive_precision, reason = "as published")]
const TAIL: Ratio = (
    [
        6.657_904_643_501_103_777_2,
        5.463_784_911_164_114_369_9,
        1.784_826_539_917_291_335_8,
        0.296_560_571_828_504_891_23,
        0.026_532_189_526_576_123_093,
        0.001_242_660_947_388_078_438_6,
        2.711_555_568_743_487_578_15e-5,
        2.010_334_399_292_288_132_65e-7,
    ],
    [
        1.0,
        0.599_832_206_555_887_937_69,
        0.136_929_880_922_735_805_31,
        0.014_875_361_290_850_614_852_5,
        7.868_691_311_456_132_591e-4,
        1.846_318_317_510_054_681_8e-5,
        1.421_511_758_316_445_888_7e-7,
        2.044_263_103_389_939_785_64e-15,
    ],
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn relative(value: f64, expected: f64) -> f64 {
        ((value - expected) / expected).abs()
    }

    /// Upper tails to twenty digits, by a 50-digit evaluation of erfc.
    #[expect(clippy::excessive_precision, reason = "two digits more than the nearest number needs")]
    const TAILS: [(f64, f64); 9] = [
        (0.5, 3.085_375_387_259_868_96e-1),
        (1.0, 1.586_552_539_314_570_51e-1),
        (2.0, 2.275_013_194_817_920_72e-2),
        (3.0, 1.349_898_031_630_094_53e-3),
        (4.0, 3.167_124_183_311_992_13e-5),
        (5.0, 2.866_515_718_791_939_12e-7),
        (6.0, 9.865_876_450_376_981_41e-10),
        (7.0, 1.279_812_543_885_835_00e-12),
        (7.9, 1.394_517_146_659_268_25e-15),
    ];

    #[test]
    fn tails_agree_with_published_values() {
        for (z, tail) in TAILS {
            assert!(relative(upper_tail(z), tail) < 1e-12, "Q({z}) = {:e}", upper_tail(z));
            assert!(relative(cumulative(-z), tail) < 1e-12);
        }
        assert_eq!((upper_tail(0.0), cumulative(0.0)), (0.5, 0.5));
        assert_eq!((upper_tail(f64::INFINITY), cumulative(f64::NEG_INFINITY)), (0.0, 0.0));
    }

    #[test]
    fn quantiles_agree_with_published_values() {
        // The two check values that AS 241 publishes.
        assert!(relative(quantile(0.25), -0.674_489_750_196_081_7) < 1e-15);
        assert!(relative(quantile(0.001), -3.090_232_306_167_813_5) < 1e-15);
        assert!(relative(quantile(1e-20), -9.262_340_089_798_408) < 1e-15);
        // The usual quantile of two-sided 95 % intervals.
        assert!(relative(quantile(0.975), 1.959_963_984_540_054) < 1e-15);
        for (z, tail) in TAILS {
            assert!((quantile(tail) + z).abs() < 1e-12, "{} for {z}", quantile(tail));
        }
        assert_eq!((quantile(0.0), quantile(0.5), quantile(1.0)), (f64::NEG_INFINITY, 0.0, f64::INFINITY));
        assert!(quantile(-1e-9).is_nan() && quantile(1.5).is_nan() && quantile(f64::NAN).is_nan());
    }

    proptest! {
        #[test]
        fn quantiles_invert_tails(exponent in -300.0..-0.302) {
            let p = 10f64.powf(exponent);
            prop_assert!(relative(cumulative(quantile(p)), p) < 1e-11);
        }
    }
}
