//! Stored words of one data subset: encode, decode, narrow.

use super::{CodeKind, Format, Granularity, Quantisation, Range, Rounding};
use half::{bf16, f16};
use serde::Serialize;
use thiserror::Error;

/// Why a codec or quantiser cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum Error {
    /// A fixed-point width outside 1..=32.
    #[error("a fixed-point word has 1 to 32 bits, not {0}")]
    Width(u32),
    /// The link would cut into the sign or exponent, or widen the word.
    #[error("a word of {word} bits can be narrowed to {least}..={word} bits, not to {asked}")]
    Narrowing {
        /// Width in the home memory.
        word: u32,
        /// Fewest bits that keep sign and exponent.
        least: u32,
        /// Width asked for.
        asked: u32,
    },
    /// Scales of the network definition for a tensor that it does not quantise.
    #[error("an int8 word with the scale of the model is for tensors that the network definition quantises")]
    NotQuantised,
    /// A scale that is not positive or too large.
    #[error("a scale is a positive number, 255 of which are finite, not {0}")]
    Scale(f32),
    /// A zero point that is no code.
    #[error("the zero point {zero_point} is no code: {least} to {most}")]
    ZeroPoint {
        /// The zero point.
        zero_point: i32,
        /// The smallest code.
        least: i32,
        /// The largest code.
        most: i32,
    },
}

/// The word of one data subset with its binary point or scale, as stored at one stop of its path.
///
/// Special values: fixed-point and int8 words store NaN as 0 and saturate infinities. fp32, fp16 and bf16 words keep NaN
/// (as a NaN) and infinities; finite values beyond the largest fp16 or bf16 become infinite under nearest-even and the
/// largest finite number under the other roundings. Words with the quantisation of the network definition store NaN as the
/// code of 0 and saturate infinities.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Codec {
    kind: Kind,
    /// Low bits that the link has dropped: the stored code is the home code without them.
    dropped_bits: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Kind {
    Fp32,
    Fp16 { rounding: Rounding },
    Bf16 { rounding: Rounding },
    Fixed { bits: u32, integer_bits: i32, rounding: Rounding },
    Int8 { scales: Vec<f32>, words_per_scale: usize },
    Model(Quantisation),
}

/// What the bits of a code mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    TwosComplement,
    PlainBinary,
    Float { exponent_bits: u32 },
}

impl Codec {
    /// The codec of `format` for a data subset of the given ranges.
    ///
    /// `ranges` holds one range of the whole subset (or of all subsets that share a binary point), or, for
    /// [`Granularity::Channel`], one per output channel; each then covers `words / ranges.len()` consecutive words.
    ///
    /// # Errors
    /// [`Error::Width`] for a fixed-point width outside 1..=32; [`Error::NotQuantised`] for [`Granularity::Model`], whose
    /// codec is that of a [`Quantisation`].
    ///
    /// # Panics
    /// If `ranges` is empty or does not divide `words`.
    pub fn new(format: &Format, ranges: &[Range], words: usize) -> Result<Self, Error> {
        assert!(!ranges.is_empty(), "a codec needs the range of its data subset");
        assert!(words.is_multiple_of(ranges.len()), "channels divide the words of a data subset");
        let whole = ranges.iter().copied().fold(Range::default(), Range::union);
        let kind = match *format {
            Format::Fp32 => Kind::Fp32,
            Format::Fp16 { rounding } => Kind::Fp16 { rounding },
            Format::Bf16 { rounding } => Kind::Bf16 { rounding },
            Format::Fixed { bits, binary_point, rounding } => {
                if !(1..=32).contains(&bits) {
                    return Err(Error::Width(bits));
                }
                let integer_bits = match binary_point {
                    super::BinaryPoint::At(integer_bits) => integer_bits,
                    super::BinaryPoint::Subset | super::BinaryPoint::Network => whole.integer_bits(),
                };
                Kind::Fixed { bits, integer_bits, rounding }
            }
            Format::Int8 { granularity: Granularity::Tensor } => {
                // One scale serves whatever index is asked for.
                Kind::Int8 { scales: vec![int8_scale(whole)], words_per_scale: usize::MAX }
            }
            Format::Int8 { granularity: Granularity::Channel } => Kind::Int8 {
                scales: ranges.iter().copied().map(int8_scale).collect(),
                words_per_scale: (words / ranges.len()).max(1),
            },
            Format::Int8 { granularity: Granularity::Model } => return Err(Error::NotQuantised),
        };
        Ok(Self { kind, dropped_bits: 0 })
    }

    /// The codec of a data subset whose words are the codes of the network definition itself.
    pub fn of_model(quantisation: Quantisation) -> Self {
        Self { kind: Kind::Model(quantisation), dropped_bits: 0 }
    }

    /// Width of the stored word in bits.
    pub fn bits(&self) -> u32 {
        self.home_bits() - self.dropped_bits
    }

    /// Whether a stored word is the binary32 value itself.
    pub fn is_identity(&self) -> bool {
        self.kind == Kind::Fp32 && self.dropped_bits == 0
    }

    /// Number of integer bits `I` of a fixed-point word.
    pub fn integer_bits(&self) -> Option<i32> {
        match self.kind {
            Kind::Fixed { integer_bits, .. } => Some(integer_bits),
            _ => None,
        }
    }

    fn home_bits(&self) -> u32 {
        match self.kind {
            Kind::Fp32 => 32,
            Kind::Fp16 { .. } | Kind::Bf16 { .. } => 16,
            Kind::Fixed { bits, .. } => bits,
            Kind::Int8 { .. } | Kind::Model(_) => 8,
        }
    }

    fn layout(&self) -> Layout {
        match &self.kind {
            Kind::Fp32 | Kind::Bf16 { .. } => Layout::Float { exponent_bits: 8 },
            Kind::Fp16 { .. } => Layout::Float { exponent_bits: 5 },
            Kind::Fixed { .. } | Kind::Int8 { .. } => Layout::TwosComplement,
            Kind::Model(quantisation) => match quantisation.codes() {
                CodeKind::Int8 => Layout::TwosComplement,
                CodeKind::Uint8 => Layout::PlainBinary,
            },
        }
    }

    /// The home-memory code of `value`, word `index` of the data subset (the index selects the scale of a channel).
    ///
    /// # Panics
    /// On a narrowed codec: values are encoded in the home memory's word and narrowed with [`Narrowing::apply`].
    pub fn encode(&self, index: usize, value: f32) -> u32 {
        assert_eq!(self.dropped_bits, 0, "values are encoded in the home memory's word");
        match &self.kind {
            Kind::Fp32 => value.to_bits(),
            Kind::Fp16 { rounding: Rounding::NearestEven } => u32::from(f16::from_f32(value).to_bits()),
            Kind::Fp16 { .. } => u32::from(fp16_towards_zero(value).to_bits()),
            Kind::Bf16 { rounding: Rounding::NearestEven } => u32::from(bf16::from_f32(value).to_bits()),
            Kind::Bf16 { .. } => u32::from(bf16_towards_zero(value).to_bits()),
            Kind::Fixed { bits, integer_bits, rounding } => {
                // Exact: a binary32 times a power of two is a binary64, except far below half an LSB.
                let scaled = f64::from(value) * exp2(*bits as i32 - 1 - integer_bits);
                saturate(round(scaled, *rounding), *bits)
            }
            Kind::Int8 { scales, words_per_scale } => {
                let scale = f64::from(scales[index / words_per_scale]);
                saturate((f64::from(value) / scale).round_ties_even(), 8)
            }
            Kind::Model(quantisation) => quantisation.quantiser(index).encode(value),
        }
    }

    /// The value of a stored code, word `index` of the data subset. Bits above the word's width are ignored.
    pub fn decode(&self, index: usize, code: u32) -> f32 {
        let code = code << self.dropped_bits;
        match &self.kind {
            Kind::Fp32 => f32::from_bits(code),
            Kind::Fp16 { .. } => f16::from_bits(code as u16).to_f32(),
            Kind::Bf16 { .. } => f32::from_bits(code << 16),
            Kind::Fixed { bits, integer_bits, .. } => {
                (f64::from(signed(code, *bits)) * exp2(integer_bits - (*bits as i32 - 1))) as f32
            }
            Kind::Int8 { scales, words_per_scale } => {
                (f64::from(signed(code, 8)) * f64::from(scales[index / words_per_scale])) as f32
            }
            Kind::Model(quantisation) => quantisation.quantiser(index).decode(code),
        }
    }

    /// Replaces every value by the one that its word delivers, `decode(encode(value))`; `values` are the words from
    /// `first_index` on.
    ///
    /// # Panics
    /// On a narrowed codec, as [`Codec::encode`].
    pub fn quantise(&self, first_index: usize, values: &mut [f32]) {
        match &self.kind {
            Kind::Fp32 if self.dropped_bits == 0 => {}
            // Two's complement by vectors, without the codes in between.
            Kind::Fixed { bits, integer_bits, rounding } if self.dropped_bits == 0 => {
                let codes_per_unit = exp2(*bits as i32 - 1 - integer_bits);
                let grid = Grid::new(*bits, exp2(integer_bits - (*bits as i32 - 1)));
                let codes = |x: f64| x * codes_per_unit;
                match rounding {
                    Rounding::NearestEven => grid.deliver(values, codes, nearest),
                    Rounding::Floor => grid.deliver(values, codes, floor),
                    Rounding::Zero => {
                        grid.deliver(values, codes, |x| floor(x) + f64::from(x < 0.0 && floor(x) < x));
                    }
                }
            }
            Kind::Int8 { scales, .. } if self.dropped_bits == 0 && scales.len() == 1 => {
                let scale = f64::from(scales[0]);
                Grid::new(8, scale).deliver(values, |x| x / scale, nearest);
            }
            Kind::Model(quantisation) if self.dropped_bits == 0 => quantisation.deliver(first_index, values),
            _ => {
                for (index, value) in values.iter_mut().enumerate() {
                    *value = self.decode(first_index + index, self.encode(first_index + index, *value));
                }
            }
        }
    }

    /// The word behind a link of `bits` bits, and the step that makes it from a word of this codec.
    ///
    /// # Errors
    /// [`Error::Narrowing`] if `bits` exceeds the word, or cuts into a floating-point word's sign and exponent.
    pub fn narrowed(&self, bits: u32, rounding: Rounding) -> Result<(Self, Narrowing), Error> {
        let layout = self.layout();
        let least = match layout {
            Layout::Float { exponent_bits } => exponent_bits + 1,
            Layout::TwosComplement | Layout::PlainBinary => 1,
        };
        if !(least..=self.bits()).contains(&bits) {
            return Err(Error::Narrowing { word: self.bits(), least, asked: bits });
        }
        let dropped = self.bits() - bits;
        let narrowing = Narrowing { dropped, bits, rounding, layout };
        Ok((Self { kind: self.kind.clone(), dropped_bits: self.dropped_bits + dropped }, narrowing))
    }
}

/// Drops low bits of a stored word, as a narrower link does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Narrowing {
    dropped: u32,
    /// Width behind the link.
    bits: u32,
    rounding: Rounding,
    layout: Layout,
}

impl Narrowing {
    /// The code behind the link. A NaN stays a NaN; nearest-even saturates integers, and carries a floating-point word into
    /// the next binade (or to infinity).
    pub fn apply(self, code: u32) -> u32 {
        let mask = low_mask(self.bits);
        if self.dropped == 0 {
            return code & mask;
        }
        let word = self.bits + self.dropped;
        match self.layout {
            Layout::TwosComplement => {
                self.narrow_integer(i64::from(signed(code, word)), (1i64 << (self.bits - 1)) - 1) & mask
            }
            Layout::PlainBinary => {
                self.narrow_integer(i64::from(code & low_mask(word)), i64::from(mask)) & mask
            }
            Layout::Float { exponent_bits } => self.narrow_float(code, exponent_bits) & mask,
        }
    }

    /// Drops low bits of the integer `value`; of what is left, `most` is the largest that fits.
    fn narrow_integer(self, value: i64, most: i64) -> u32 {
        let step = 1i64 << self.dropped;
        let floor = value.div_euclid(step);
        let rest = value.rem_euclid(step);
        let rounded = match self.rounding {
            Rounding::Floor => floor,
            Rounding::Zero => floor + i64::from(value < 0 && rest != 0),
            Rounding::NearestEven => {
                floor + i64::from(rest * 2 > step || (rest * 2 == step && floor.rem_euclid(2) == 1))
            }
        };
        rounded.min(most) as u32
    }

    fn narrow_float(self, code: u32, exponent_bits: u32) -> u32 {
        let kept = code >> self.dropped;
        let mantissa_bits = self.bits - 1 - exponent_bits;
        let exponent_mask = low_mask(exponent_bits) << mantissa_bits;
        let is_special = kept & exponent_mask == exponent_mask;
        if is_special {
            let lost_payload = code & low_mask(self.dropped) != 0;
            // Without a mantissa bit a NaN cannot be told from an infinity: it becomes one.
            let becomes_infinite = kept & low_mask(mantissa_bits) == 0 && lost_payload && mantissa_bits > 0;
            return if becomes_infinite { kept | 1 } else { kept };
        }
        match self.rounding {
            Rounding::Floor | Rounding::Zero => kept,
            Rounding::NearestEven => {
                let rest = code & low_mask(self.dropped);
                let half = 1u32 << (self.dropped - 1);
                kept + u32::from(rest > half || (rest == half && kept & 1 == 1))
            }
        }
    }
}

/// The values that a two's-complement word can hold.
struct Grid {
    unit_per_code: f64,
    least: f64,
    most: f64,
}

impl Grid {
    fn new(bits: u32, unit_per_code: f64) -> Self {
        let limit = exp2(bits as i32 - 1);
        Self { unit_per_code, least: -limit, most: limit - 1.0 }
    }

    fn deliver(&self, values: &mut [f32], codes: impl Fn(f64) -> f64, round: impl Fn(f64) -> f64) {
        for value in values {
            let scaled = codes(f64::from(*value));
            // The limits are codes, so clamping before rounding gives what clamping after it does.
            let code = round(scaled.clamp(self.least, self.most));
            *value = if scaled.is_nan() { 0.0 } else { (code * self.unit_per_code) as f32 };
        }
    }
}

/// The nearest integer, ties to even, for |x| < 2^51: adding 1.5·2^52 leaves no bit for a fraction. Plain additions
/// vectorise where `round_ties_even` is a call.
fn nearest(x: f64) -> f64 {
    const SHIFT: f64 = 1.5 * (1u64 << 52) as f64;
    (x + SHIFT) - SHIFT
}

/// The largest integer not above x, for |x| < 2^51.
fn floor(x: f64) -> f64 {
    let nearest = nearest(x);
    nearest - f64::from(nearest > x)
}

/// Mask of the `bits` low bits, 0..=32.
fn low_mask(bits: u32) -> u32 {
    if bits >= 32 { u32::MAX } else { (1u32 << bits) - 1 }
}

/// The two's-complement value of the low `bits` bits of `code`, 1..=32.
fn signed(code: u32, bits: u32) -> i32 {
    ((code << (32 - bits)) as i32) >> (32 - bits)
}

/// Exactly 2^exponent for |exponent| <= 1022.
fn exp2(exponent: i32) -> f64 {
    f64::from_bits(((1023 + i64::from(exponent.clamp(-1022, 1023))) as u64) << 52)
}

fn round(scaled: f64, rounding: Rounding) -> f64 {
    match rounding {
        Rounding::NearestEven => scaled.round_ties_even(),
        Rounding::Floor => scaled.floor(),
        Rounding::Zero => scaled.trunc(),
    }
}

/// The code of an integral value saturated to `bits` bits; NaN becomes 0.
fn saturate(value: f64, bits: u32) -> u32 {
    let limit = exp2(bits as i32 - 1);
    // `as` maps NaN to 0, and the clamp bounds everything else.
    (value.clamp(-limit, limit - 1.0) as i64) as u32 & low_mask(bits)
}

/// max|x| / 127, or 1 for a set of zeros, so that decoding never divides by or yields NaN.
fn int8_scale(range: Range) -> f32 {
    let scale = range.max_abs / 127.0;
    if scale > 0.0 { scale } else { 1.0 }
}

fn fp16_towards_zero(value: f32) -> f16 {
    let nearest = f16::from_f32(value);
    if value.is_finite() && nearest.to_f32().abs() > value.abs() {
        f16::from_bits(nearest.to_bits() - 1)
    } else {
        nearest
    }
}

fn bf16_towards_zero(value: f32) -> bf16 {
    if value.is_nan() { bf16::from_f32(value) } else { bf16::from_bits((value.to_bits() >> 16) as u16) }
}
