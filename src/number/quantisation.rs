//! Quantisation that a network brings along: 8-bit codes with scale and zero point.

use super::Error;
use serde::Serialize;

/// The integers that 8-bit codes stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeKind {
    /// Two's complement, -128 to 127.
    Int8,
    /// Plain binary, 0 to 255.
    Uint8,
}

impl CodeKind {
    /// The smallest and the largest code.
    pub fn range(self) -> [i32; 2] {
        match self {
            Self::Int8 => [-128, 127],
            Self::Uint8 => [0, 255],
        }
    }
}

/// A uniform quantiser to 8-bit codes: value = (code - zero point) · scale, in single precision as ONNX's
/// `QuantizeLinear` and `DequantizeLinear` define it: value / scale, rounded to the nearest integer, ties to even, plus the
/// zero point, saturated. NaN gets the zero point as code, the value 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quantiser {
    codes: CodeKind,
    scale: f32,
    zero_point: i32,
}

impl Quantiser {
    /// The quantiser to codes of kind `codes`.
    ///
    /// # Errors
    /// [`Error::Scale`] unless `scale` is positive and 255 scales are a finite number; [`Error::ZeroPoint`] if `zero_point`
    /// is no code.
    pub fn new(codes: CodeKind, scale: f32, zero_point: i32) -> Result<Self, Error> {
        let [least, most] = codes.range();
        if !(scale > 0.0 && (scale * 255.0).is_finite()) {
            return Err(Error::Scale(scale));
        }
        if !(least..=most).contains(&zero_point) {
            return Err(Error::ZeroPoint { zero_point, least, most });
        }
        Ok(Self { codes, scale, zero_point })
    }

    /// The kind of codes.
    pub fn codes(self) -> CodeKind {
        self.codes
    }

    /// Distance between the values of two neighbouring codes, > 0.
    pub fn scale(self) -> f32 {
        self.scale
    }

    /// The code of 0.
    pub fn zero_point(self) -> i32 {
        self.zero_point
    }

    /// The smallest and the largest value in scales: whole numbers.
    #[inline]
    fn limits(self) -> [f32; 2] {
        self.codes.range().map(|code| (code - self.zero_point) as f32)
    }

    /// The code of `value`, in the low 8 bits.
    pub fn encode(self, value: f32) -> u32 {
        let [least, most] = self.limits();
        // `as` maps NaN to 0. The limits are whole, so clamping before rounding gives what clamping after it does.
        let steps = (value / self.scale).clamp(least, most).round_ties_even() as i32;
        (steps + self.zero_point) as u32 & 0xff
    }

    /// The value of `code`; bits above the low 8 are ignored.
    pub fn decode(self, code: u32) -> f32 {
        let code = match self.codes {
            CodeKind::Int8 => i32::from(code as u8 as i8),
            CodeKind::Uint8 => i32::from(code as u8),
        };
        (code - self.zero_point) as f32 * self.scale
    }

    /// The value of the code of `value`: `decode(encode(value))` without the code in between, for loops that vectorise.
    #[inline]
    pub fn deliver(self, value: f32) -> f32 {
        /// Adding it leaves no bit for a fraction: the nearest integer, ties to even, for |x| < 2^22.
        const SHIFT: f32 = 1.5 * (1 << 23) as f32;
        let [least, most] = self.limits();
        let steps = value / self.scale;
        let clamped = if steps < least { least } else { steps };
        let clamped = if clamped > most { most } else { clamped };
        let nearest = (clamped + SHIFT) - SHIFT;
        if steps.is_nan() { 0.0 } else { nearest * self.scale }
    }
}

/// How the words of one tensor are quantised: all alike, or by channel.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Quantisation {
    quantisers: Vec<Quantiser>,
    /// Consecutive words of one quantiser; behind the last quantiser comes the first again.
    words_per_quantiser: usize,
}

impl Quantisation {
    /// One quantiser for all words.
    pub fn per_tensor(quantiser: Quantiser) -> Self {
        Self { quantisers: vec![quantiser], words_per_quantiser: 1 }
    }

    /// One quantiser per index along one axis, behind which the tensor has `inner_words` words.
    ///
    /// # Panics
    /// If there is no quantiser, their kinds of codes differ, or `inner_words` is 0.
    pub fn per_channel(quantisers: Vec<Quantiser>, inner_words: usize) -> Self {
        assert!(!quantisers.is_empty() && inner_words > 0, "every word has a quantiser");
        assert!(
            quantisers.iter().all(|other| other.codes == quantisers[0].codes),
            "a tensor has one kind of codes"
        );
        Self { quantisers, words_per_quantiser: inner_words }
    }

    /// The quantisers: one, or one per channel.
    pub fn quantisers(&self) -> &[Quantiser] {
        &self.quantisers
    }

    /// The kind of codes, one for all words.
    pub fn codes(&self) -> CodeKind {
        self.quantisers[0].codes
    }

    /// The quantiser of word `index`.
    pub fn quantiser(&self, index: usize) -> Quantiser {
        self.quantisers[index / self.words_per_quantiser % self.quantisers.len()]
    }

    /// Replaces every value by that of its code; `values` are the words from `first_index` on.
    pub fn deliver(&self, first_index: usize, values: &mut [f32]) {
        if let [quantiser] = *self.quantisers {
            return values.iter_mut().for_each(|value| *value = quantiser.deliver(*value));
        }
        for (index, value) in values.iter_mut().enumerate() {
            *value = self.quantiser(first_index + index).deliver(*value);
        }
    }

    /// The quantisation of the transposed matrix, if this is one of a `rows x columns` matrix.
    #[must_use]
    pub fn transposed(&self, rows: usize, columns: usize) -> Option<Self> {
        let words_per_quantiser = match (self.quantisers.len(), self.words_per_quantiser) {
            // The words keep their order.
            (_, inner) if rows == 1 || columns == 1 => inner,
            (1, _) => 1,
            (count, 1) if count == columns => rows,
            (count, inner) if count == rows && inner == columns => 1,
            _ => return None,
        };
        Some(Self { quantisers: self.quantisers.clone(), words_per_quantiser })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KINDS: [CodeKind; 2] = [CodeKind::Int8, CodeKind::Uint8];

    fn quantisers() -> impl Strategy<Value = Quantiser> {
        let kinds = prop::sample::select(KINDS.to_vec());
        let scales = prop_oneof![
            1e-6..1e3_f32,
            (1_u32..0x7e80_0000).prop_map(f32::from_bits),
            Just(f32::from_bits(1)),
            Just(f32::MAX / 256.0),
        ];
        (kinds, scales, 0..=255).prop_filter_map("overflows", |(codes, scale, offset)| {
            Quantiser::new(codes, scale, codes.range()[0] + offset).ok()
        })
    }

    #[test]
    fn codes_are_as_onnx_says() {
        // y = saturate(round(x / scale) + zero point), the figures of the specification's example for uint8.
        let quantiser = Quantiser::new(CodeKind::Uint8, 2.0, 128).unwrap();
        let codes = [0.0, 2.0, 3.0, 1000.0, -254.0, -1000.0].map(|value| quantiser.encode(value));
        assert_eq!(codes, [128, 129, 130, 255, 1, 0]);
        // Ties to even before the zero point is added.
        let quantiser = Quantiser::new(CodeKind::Int8, 1.0, 1).unwrap();
        let codes = [0.5, 1.5, 2.5, -0.5, -1.5, f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
        assert_eq!(codes.map(|value| quantiser.encode(value) as u8 as i8), [1, 3, 3, 1, -1, 1, 127, -128]);
        assert_eq!([0x00, 0x7f, 0x80, 0xff].map(|code| quantiser.decode(code)), [-1.0, 126.0, -129.0, -2.0]);
    }

    #[test]
    fn scales_and_zero_points_out_of_range_are_refused() {
        for scale in [0.0, -1.0, f32::NAN, f32::INFINITY, f32::MAX / 200.0] {
            assert!(matches!(Quantiser::new(CodeKind::Int8, scale, 0), Err(Error::Scale(_))), "{scale}");
        }
        for (codes, zero_point) in KINDS.iter().flat_map(|&codes| {
            let [least, most] = codes.range();
            [(codes, least - 1), (codes, most + 1), (codes, i32::MIN), (codes, i32::MAX)]
        }) {
            let error = Quantiser::new(codes, 1.0, zero_point).unwrap_err();
            assert!(matches!(error, Error::ZeroPoint { .. }), "{codes:?} {zero_point}");
        }
    }

    #[test]
    fn quantisers_follow_the_axis() {
        let of = |zero_point| Quantiser::new(CodeKind::Int8, 1.0, zero_point).unwrap();
        let channels: Vec<_> = (0..3).map(of).collect();
        let points = |quantisation: &Quantisation| {
            (0..6).map(|index| quantisation.quantiser(index).zero_point()).collect::<Vec<_>>()
        };
        let rows = Quantisation::per_channel(channels.clone(), 2);
        assert_eq!(points(&rows), [0, 0, 1, 1, 2, 2]);
        let columns = Quantisation::per_channel(channels, 1);
        assert_eq!(points(&columns), [0, 1, 2, 0, 1, 2]);
        assert_eq!(rows.transposed(3, 2), Some(columns.clone()));
        assert_eq!(columns.transposed(2, 3), Some(rows.clone()));
        assert_eq!(rows.transposed(2, 3), None);
        assert_eq!(rows.transposed(6, 1), Some(rows.clone()));
        assert_eq!(rows.transposed(1, 6), Some(rows.clone()));
        let tensor = Quantisation::per_tensor(of(5));
        assert_eq!(tensor.transposed(2, 3), Some(tensor.clone()));
        let mut values = [0.4, 0.6, 1.5, -130.0, 2.5, 200.0];
        rows.deliver(0, &mut values);
        assert_eq!(values, [0.0, 1.0, 2.0, -129.0, 2.0, 125.0]);
    }

    proptest! {
        #[test]
        fn every_code_comes_back(quantiser in quantisers()) {
            for code in 0..256 {
                let value = quantiser.decode(code);
                prop_assert!(value.is_finite());
                prop_assert_eq!(quantiser.encode(value), code, "value {}", value);
                prop_assert_eq!(quantiser.deliver(value).to_bits(), value.to_bits());
            }
        }

        #[test]
        fn delivering_is_coding_and_decoding(quantiser in quantisers(), value in proptest::num::f32::ANY) {
            let scaled = value * quantiser.scale();
            for value in [value, scaled] {
                let expected = quantiser.decode(quantiser.encode(value));
                prop_assert_eq!(quantiser.deliver(value).to_bits(), expected.to_bits(), "{}", value);
            }
        }

        #[test]
        fn the_nearest_value_is_delivered(quantiser in quantisers(), steps in -300.0..300.0_f32) {
            let value = steps * quantiser.scale();
            let distance = |other: f32| (f64::from(value) - f64::from(other)).abs();
            let nearest = (0..256).map(|code| distance(quantiser.decode(code))).fold(f64::INFINITY, f64::min);
            // Dividing and multiplying round once each.
            let slack = 256.0 * f64::from(quantiser.scale()) * 2.0_f64.powi(-23);
            prop_assert!(distance(quantiser.deliver(value)) <= nearest + slack);
        }
    }
}
