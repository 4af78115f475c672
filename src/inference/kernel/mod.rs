//! Micro-kernels of convolution and fully connected layers: the same bits from AVX-512, AVX2 and portable code.

/// Repeats a statement for each of up to 14 columns that a tile has: loops of this length are not unrolled, and sums would be in
/// memory.
#[cfg(target_arch = "x86_64")]
macro_rules! for_each_column {
    ($count:expr, $column:ident => $statement:block) => {
        for_each_column!(@ $count, $column, $statement, 0 1 2 3 4 5 6 7 8 9 10 11 12 13)
    };
    (@ $count:expr, $column:ident, $statement:block, $($index:literal)*) => {
        $(
            if $index < $count {
                const { assert!($index < MOST_COLUMNS) }
                let $column: usize = $index;
                $statement
            }
        )*
    };
}

pub(super) mod channels;
pub(super) mod images;
pub(super) mod separate;

use std::fmt;

/// Terms of one chain of fused multiply-adds: part of the definition of every result.
pub(super) const CHAIN: usize = 256;

/// Instructions that the kernels are written for. All give the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InstructionSet {
    /// AVX-512 (foundation), x86-64.
    Avx512,
    /// AVX2 with FMA, x86-64.
    Avx2,
    /// Whatever the compiler makes of `f32::mul_add`: slow on x86-64 processors without FMA.
    Portable,
}

impl InstructionSet {
    /// All sets, the fastest first.
    pub const ALL: [Self; 3] = [Self::Avx512, Self::Avx2, Self::Portable];

    /// Whether this processor has it.
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => is_x86_feature_detected!("avx512f"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx512 | Self::Avx2 => false,
            Self::Portable => true,
        }
    }

    /// The fastest set that this processor has.
    pub fn detect() -> Self {
        Self::ALL.into_iter().find(|set| set.is_available()).unwrap_or(Self::Portable)
    }
}

impl fmt::Display for InstructionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Avx512 => "AVX-512",
            Self::Avx2 => "AVX2 with FMA",
            Self::Portable => "the portable instructions",
        })
    }
}
