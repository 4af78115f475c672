//! What an experiment can ask for: kinds of words, roundings, binary-point policies.

use serde::Serialize;

/// How a value between two representable ones is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// To the nearest code, ties to the even one.
    #[default]
    NearestEven,
    /// Drop the low bits of the stored code: towards minus infinity in two's complement, towards zero in the
    /// sign-magnitude codes of floating point.
    Floor,
    /// Towards zero.
    Zero,
}

/// How the binary point of a fixed-point word is chosen; `I` is the number of integer bits (see [`Format::Fixed`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BinaryPoint {
    /// The smallest `I` with max|x| < 2^I over the data subset itself.
    #[default]
    Subset,
    /// The smallest `I` with max|x| < 2^I over all data subsets that ask for `network`.
    Network,
    /// This `I`, which may be negative; values outside its range saturate.
    At(i32),
}

/// Which words share one scale of an [`Format::Int8`] subset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Granularity {
    /// One scale for the whole data subset.
    #[default]
    Tensor,
    /// One scale per output channel (weights and biases only).
    Channel,
    /// Those that share one in the network definition, with its scales and zero points and its kind of codes (see
    /// [`super::Quantisation`]): the stored words are the codes of the quantised network itself.
    Model,
}

/// The stored word of a data subset, before its range is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Format {
    /// IEEE 754 binary32: the value itself.
    #[default]
    Fp32,
    /// IEEE 754 binary16.
    Fp16 {
        /// How binary32 values are rounded to it.
        rounding: Rounding,
    },
    /// The upper half of binary32.
    Bf16 {
        /// How binary32 values are rounded to it.
        rounding: Rounding,
    },
    /// Two's complement of `bits` bits, the sign bit counted: value = q·2^(I - (bits - 1)), saturated.
    Fixed {
        /// Word width, 1..=32.
        bits: u32,
        /// Where `I` comes from.
        binary_point: BinaryPoint,
        /// How values between two codes are stored.
        rounding: Rounding,
    },
    /// Two's complement of 8 bits: value = q·scale with scale = max|x| / 127, rounded to nearest even, saturated. With
    /// [`Granularity::Model`] scale, zero point and kind of codes are those of the network definition.
    Int8 {
        /// Which words share a scale.
        granularity: Granularity,
    },
}

impl Format {
    /// Width of the stored word in bits.
    pub fn bits(&self) -> u32 {
        match self {
            Self::Fp32 => 32,
            Self::Fp16 { .. } | Self::Bf16 { .. } => 16,
            Self::Fixed { bits, .. } => *bits,
            Self::Int8 { .. } => 8,
        }
    }

    /// Name of the kind, with the width where the kind leaves it open: `fp32`, `fixed16`, `int8`.
    pub fn name(&self) -> String {
        match self {
            Self::Fp32 => "fp32".into(),
            Self::Fp16 { .. } => "fp16".into(),
            Self::Bf16 { .. } => "bf16".into(),
            Self::Fixed { bits, .. } => format!("fixed{bits}"),
            Self::Int8 { .. } => "int8".into(),
        }
    }

    /// The fewest bits to which the link may narrow a word of this format: floating-point words keep sign, exponent
    /// and nothing less, two's-complement words keep their sign bit.
    pub fn least_bits(&self) -> u32 {
        match self {
            Self::Fp32 | Self::Bf16 { .. } => 9,
            Self::Fp16 { .. } => 6,
            Self::Fixed { .. } | Self::Int8 { .. } => 1,
        }
    }
}
