//! Stored words: every code of small widths, the roundings, special values, narrowing.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use approxmem::number::{
    BinaryPoint, CodeKind, Codec, Error, Format, Granularity, Quantisation, Quantiser, Range, Rounding,
};
use proptest::prelude::*;

const ROUNDINGS: [Rounding; 3] = [Rounding::NearestEven, Rounding::Floor, Rounding::Zero];

fn codec(format: Format, max_abs: f32) -> Codec {
    Codec::new(&format, &[Range { max_abs }], 1).unwrap()
}

fn fixed(bits: u32, integer_bits: i32, rounding: Rounding) -> Codec {
    codec(Format::Fixed { bits, binary_point: BinaryPoint::At(integer_bits), rounding }, 1.0)
}

/// Two's complement by its definition: the top bit weighs -2^(bits-1).
fn weight_sum(code: u32, bits: u32) -> i64 {
    (0..bits)
        .filter(|bit| code >> bit & 1 == 1)
        .map(|bit| if bit == bits - 1 { -(1i64 << bit) } else { 1 << bit })
        .sum()
}

#[test]
fn every_fixed_code_decodes_to_its_weight_sum_and_back() {
    for bits in 1..=12 {
        for integer_bits in [-7, -1, 0, 1, 5] {
            for rounding in ROUNDINGS {
                let codec = fixed(bits, integer_bits, rounding);
                for code in 0..1u32 << bits {
                    let expected =
                        weight_sum(code, bits) as f64 * 2f64.powi(integer_bits - (bits as i32 - 1));
                    assert_eq!(f64::from(codec.decode(0, code)), expected);
                    assert_eq!(codec.encode(0, expected as f32), code, "{bits} bits, I = {integer_bits}");
                }
            }
        }
    }
}

#[test]
fn every_half_precision_code_survives_a_round_trip() {
    for format in
        [Format::Fp16 { rounding: Rounding::NearestEven }, Format::Fp16 { rounding: Rounding::Zero }]
    {
        let codec = codec(format, 1.0);
        for code in 0..=0xffffu32 {
            let value = codec.decode(0, code);
            if value.is_nan() {
                assert!(codec.decode(0, codec.encode(0, value)).is_nan());
            } else {
                assert_eq!(codec.encode(0, value), code);
            }
        }
    }
    let codec = codec(Format::Bf16 { rounding: Rounding::Zero }, 1.0);
    for code in 0..=0xffffu32 {
        let value = codec.decode(0, code);
        assert_eq!(value.to_bits(), code << 16);
        assert!(value.is_nan() || codec.encode(0, value) == code);
    }
}

#[test]
fn int8_scales_by_tensor_and_by_channel() {
    let tensor = codec(Format::Int8 { granularity: Granularity::Tensor }, 2.54);
    assert_eq!(tensor.encode(0, 2.54), 127);
    assert_eq!(tensor.encode(0, -2.54), 129);
    assert_eq!(tensor.encode(0, -9.0), 128, "saturates at -128");
    assert!((tensor.decode(0, 1) - 0.02).abs() < 1e-8);
    let ranges = [Range { max_abs: 1.27 }, Range { max_abs: 12.7 }];
    let channel = Codec::new(&Format::Int8 { granularity: Granularity::Channel }, &ranges, 6).unwrap();
    assert_eq!((channel.encode(2, 0.5), channel.encode(3, 0.5)), (50, 5));
    assert!((channel.decode(2, 50) - 0.5).abs() < 1e-6 && (channel.decode(3, 50) - 5.0).abs() < 1e-5);
    let zeros = codec(Format::Int8 { granularity: Granularity::Tensor }, 0.0);
    assert_eq!((zeros.encode(0, 0.0), zeros.decode(0, 1)), (0, 1.0));
}

/// One quantiser per zero point, `inner_words` words each.
fn model(codes: CodeKind, scale: f32, zero_points: &[i32], inner_words: usize) -> Codec {
    let quantiser = |&zero_point| Quantiser::new(codes, scale, zero_point).unwrap();
    let quantisers = zero_points.iter().map(quantiser).collect();
    Codec::of_model(Quantisation::per_channel(quantisers, inner_words))
}

#[test]
fn codes_of_the_model_survive_a_round_trip() {
    for (codes, zero_points) in [(CodeKind::Int8, [-128, 0, 127]), (CodeKind::Uint8, [0, 77, 255])] {
        for scale in [0.1, 1.0, 3.7e-5, 1e30, 1e-42] {
            let codec = model(codes, scale, &zero_points, 2);
            assert_eq!((codec.bits(), codec.is_identity(), codec.integer_bits()), (8, false, None));
            for word in 0..6 {
                for code in 0..256 {
                    let value = codec.decode(word, code);
                    let integer = match codes {
                        CodeKind::Int8 => weight_sum(code, 8),
                        CodeKind::Uint8 => i64::from(code),
                    };
                    let exact = (integer - i64::from(zero_points[word / 2])) as f64 * f64::from(scale);
                    assert_eq!(value, exact as f32, "code {code} of word {word}");
                    assert_eq!(codec.encode(word, value), code, "scale {scale}, word {word}");
                }
            }
        }
    }
}

#[test]
fn the_scale_of_the_model_needs_a_model() {
    let format = Format::Int8 { granularity: Granularity::Model };
    assert_eq!((format.bits(), format.name(), format.least_bits()), (8, "int8".to_owned(), 1));
    assert_eq!(Codec::new(&format, &[Range { max_abs: 1.0 }], 1), Err(Error::NotQuantised));
}

#[test]
fn narrowing_codes_of_the_model_rounds_the_code() {
    for (codes, limits) in [(CodeKind::Int8, [-128, 127]), (CodeKind::Uint8, [0, 255])] {
        let codec = model(codes, 0.5, &[5], 1);
        for bits in 1..=8 {
            let step = 1 << (8 - bits);
            for rounding in ROUNDINGS {
                let (behind, narrowing) = codec.narrowed(bits, rounding).unwrap();
                assert_eq!(behind.bits(), bits);
                for code in limits[0]..=limits[1] {
                    let exact = f64::from(code) / f64::from(step);
                    let rounded = match rounding {
                        Rounding::NearestEven => exact.round_ties_even(),
                        Rounding::Floor => exact.floor(),
                        Rounding::Zero => exact.trunc(),
                    };
                    let most = ((limits[1] + 1) / step - 1).max(0);
                    let expected = rounded.min(f64::from(most)) as i32;
                    let narrowed = narrowing.apply(code as u32 & 0xff);
                    assert_eq!(
                        narrowed,
                        expected as u32 & ((1 << bits) - 1),
                        "{code} to {bits} {rounding:?}"
                    );
                    assert_eq!(behind.decode(0, narrowed), (expected * step - 5) as f32 * 0.5);
                }
            }
        }
        assert!(codec.narrowed(0, Rounding::Floor).is_err() && codec.narrowed(9, Rounding::Floor).is_err());
    }
}

#[test]
fn special_values_are_stored_as_documented() {
    let word = fixed(8, 0, Rounding::NearestEven);
    assert_eq!(word.encode(0, f32::NAN), 0);
    assert_eq!((word.encode(0, f32::INFINITY), word.encode(0, f32::NEG_INFINITY)), (0x7f, 0x80));
    for rounding in ROUNDINGS {
        for format in [Format::Fp16 { rounding }, Format::Bf16 { rounding }] {
            let word = codec(format, 1.0);
            let through = |value| word.decode(0, word.encode(0, value));
            assert!(through(f32::NAN).is_nan());
            assert_eq!(through(f32::INFINITY), f32::INFINITY);
            assert_eq!(through(-0.0f32).to_bits(), (-0.0f32).to_bits());
            assert_eq!(through(f32::MAX).is_infinite(), rounding == Rounding::NearestEven);
        }
    }
}

#[test]
fn a_width_outside_1_to_32_is_refused() {
    for bits in [0, 33] {
        let format = Format::Fixed { bits, binary_point: BinaryPoint::Subset, rounding: Rounding::Floor };
        assert!(Codec::new(&format, &[Range::default()], 1).is_err());
    }
}

#[test]
fn narrowing_every_code_of_a_fixed_word_rounds_its_value() {
    for bits in 2..=9 {
        let word = fixed(bits, 0, Rounding::NearestEven);
        for narrow in 1..=bits {
            for rounding in ROUNDINGS {
                let (behind, narrowing) = word.narrowed(narrow, rounding).unwrap();
                let direct = fixed(narrow, 0, rounding);
                for code in 0..1u32 << bits {
                    let narrowed = narrowing.apply(code);
                    assert_eq!(
                        narrowed,
                        direct.encode(0, word.decode(0, code)),
                        "{bits} to {narrow} {rounding:?}"
                    );
                    assert_eq!(behind.decode(0, narrowed), direct.decode(0, narrowed));
                }
            }
        }
    }
}

#[test]
fn narrowing_binary32_to_16_bits_is_bfloat16() {
    let word = codec(Format::Fp32, 1.0);
    let special = [0x7f80_0001, 0x7f80_0000, 0x7f7f_ffff, 0x8000_0001];
    for rounding in [Rounding::NearestEven, Rounding::Floor] {
        let (behind, narrowing) = word.narrowed(16, rounding).unwrap();
        let direct = codec(Format::Bf16 { rounding }, 1.0);
        for code in (0..=u32::MAX).step_by(65_521).chain(special) {
            let value = f32::from_bits(code);
            let narrowed = behind.decode(0, narrowing.apply(code));
            assert!(narrowed.is_nan() == value.is_nan());
            assert!(
                value.is_nan() || narrowed == direct.decode(0, direct.encode(0, value)),
                "{code:#x} {rounding:?}"
            );
        }
    }
}

#[test]
fn narrowing_keeps_sign_and_exponent() {
    for (format, least) in [
        (Format::Fp32, 9),
        (Format::Bf16 { rounding: Rounding::Zero }, 9),
        (Format::Fp16 { rounding: Rounding::Zero }, 6),
        (Format::Int8 { granularity: Granularity::Tensor }, 1),
    ] {
        assert_eq!(format.least_bits(), least);
        let word = codec(format, 1.0);
        assert!(word.narrowed(least - 1, Rounding::Zero).is_err());
        assert!(word.narrowed(least, Rounding::Zero).is_ok());
        assert!(word.narrowed(format.bits() + 1, Rounding::Zero).is_err());
    }
}

#[test]
fn cf6_truncation_error_of_uniform_low_bits() {
    // 12 -> 8 bits: exact moments over all codes, in units of the 12-bit LSB.
    let (bits, dropped) = (12u32, 4u32);
    let word = fixed(bits, bits as i32 - 1, Rounding::NearestEven);
    let moments = |rounding| {
        let (behind, narrowing) = word.narrowed(bits - dropped, rounding).unwrap();
        // Codes at the top saturate under rounding; CF6 is about the others.
        let codes =
            (0..1u32 << bits).filter(|code| weight_sum(*code, bits) < (1 << (bits - 1)) - (1 << dropped));
        let errors: Vec<f64> = codes
            .map(|code| f64::from(behind.decode(0, narrowing.apply(code))) - f64::from(word.decode(0, code)))
            .collect();
        let count = errors.len() as f64;
        (errors.iter().sum::<f64>() / count, errors.iter().map(|e| e * e).sum::<f64>() / count)
    };
    let (d, four_d) = (f64::from(1 << dropped), f64::from(1 << (2 * dropped)));
    let (mean, square) = moments(Rounding::Floor);
    assert_eq!(mean, -(d - 1.0) / 2.0);
    assert!((square - (d - 1.0) * (2.0 * d - 1.0) / 6.0).abs() < 1e-9);
    let (mean, square) = moments(Rounding::NearestEven);
    assert!(mean.abs() < 0.02, "ties to even have no bias, found {mean}");
    assert!((square - (four_d + 2.0) / 12.0).abs() < 1e-9);
}

#[test]
fn cf15_single_flips_of_binary32() {
    let word = codec(Format::Fp32, 1.0);
    for value in [1.5f32, -0.375, 3.0e-3, 200.0] {
        let code = word.encode(0, value);
        let exponent = ((code >> 23) & 0xff) as i32 - 127;
        let after = |bit: u32| f64::from(word.decode(0, code ^ (1 << bit)));
        assert_eq!((after(31) - f64::from(value)).abs(), 2.0 * f64::from(value.abs()));
        for bit in 0..23 {
            assert_eq!((after(bit) - f64::from(value)).abs(), 2f64.powi(exponent - 23 + bit as i32));
        }
        for bit in 0..8 {
            let ratio = (after(23 + bit) / f64::from(value)).abs();
            let raised = code >> (23 + bit) & 1 == 0;
            let expected = 2f64.powi(if raised { 1 << bit } else { -(1 << bit) });
            assert!(
                ratio == expected || !after(23 + bit).is_finite() || ratio < f64::from(f32::MIN_POSITIVE)
            );
        }
    }
}

#[test]
fn quantising_many_is_quantising_each() {
    let special =
        [0.0, -0.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN_POSITIVE, -1e-40];
    let halves = (-600..600).map(|step| step as f32 / 16.0);
    let fine = (0..=u32::MAX).step_by(1_000_003).map(f32::from_bits);
    let values: Vec<f32> = special.into_iter().chain(halves).chain(fine).collect();
    let mut codecs =
        vec![codec(Format::Fp32, 1.0), codec(Format::Int8 { granularity: Granularity::Tensor }, 3.0)];
    for rounding in ROUNDINGS {
        codecs.extend([1, 2, 5, 16, 31, 32].map(|bits| fixed(bits, 3, rounding)));
        codecs.extend([-20, 0, 40].map(|integer_bits| fixed(12, integer_bits, rounding)));
        codecs.extend([codec(Format::Fp16 { rounding }, 1.0), codec(Format::Bf16 { rounding }, 1.0)]);
    }
    codecs.extend([model(CodeKind::Int8, 0.3, &[-5], 1), model(CodeKind::Uint8, 0.07, &[9, 0, 255], 1)]);
    for codec in codecs {
        let mut many = values.clone();
        codec.quantise(0, &mut many);
        for (index, (&value, many)) in values.iter().zip(many).enumerate() {
            // Of these only words of the model differ by their index.
            let each = codec.decode(index, codec.encode(index, value));
            assert!(
                each.to_bits() == many.to_bits() || each.is_nan() && many.is_nan(),
                "{value:e} {codec:?}"
            );
        }
    }
}

proptest! {
    #[test]
    fn a_subset_binary_point_errs_by_at_most_a_step(
        values in prop::collection::vec(-1e6f32..1e6, 1..20), bits in 2u32..=32,
    ) {
        let range = Range::of(&values);
        for rounding in ROUNDINGS {
            let format = Format::Fixed { bits, binary_point: BinaryPoint::Subset, rounding };
            let codec = Codec::new(&format, &[range], values.len()).unwrap();
            let step = 2f64.powi(codec.integer_bits().unwrap() - (bits as i32 - 1));
            for (index, &value) in values.iter().enumerate() {
                let error = f64::from(codec.decode(index, codec.encode(index, value))) - f64::from(value);
                // A 32-bit code is decoded to the nearest binary32.
                prop_assert!(error.abs() <= step + f64::from(value.abs()) * 2f64.powi(-24), "{value} off by {error}");
            }
        }
    }

    #[test]
    fn nearest_is_never_farther_than_the_other_roundings(value in -0.99f32..0.99, bits in 2u32..=24) {
        let error = |rounding| {
            let codec = fixed(bits, 0, rounding);
            (f64::from(codec.decode(0, codec.encode(0, value))) - f64::from(value)).abs()
        };
        // Above the largest code nearest saturates as the others do.
        prop_assert!(error(Rounding::NearestEven) <= error(Rounding::Floor));
        prop_assert!(error(Rounding::NearestEven) <= error(Rounding::Zero));
    }

    #[test]
    fn floor_is_not_above_and_zero_is_not_beyond_the_value(value in -0.99f32..0.99, bits in 1u32..=24) {
        let through = |rounding| {
            let codec = fixed(bits, 0, rounding);
            codec.decode(0, codec.encode(0, value))
        };
        prop_assert!(through(Rounding::Floor) <= value);
        prop_assert!(through(Rounding::Zero).abs() <= value.abs());
    }

    #[test]
    fn fp16_towards_zero_is_the_largest_not_beyond(value in any::<f32>()) {
        prop_assume!(value.is_finite());
        let codec = codec(Format::Fp16 { rounding: Rounding::Zero }, 1.0);
        let code = codec.encode(0, value);
        let stored = codec.decode(0, code).abs();
        prop_assert!(stored <= value.abs());
        prop_assert!(codec.decode(0, code + 1).abs() > value.abs());
    }
}
