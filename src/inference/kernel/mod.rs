//! Micro-kernels of convolution and fully connected layers: the same bits from AVX-512, AVX2 and portable code.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use std::fmt;

/// Terms of one chain of fused multiply-adds: part of the definition of every result.
pub(super) const CHAIN: usize = 256;

/// Most output channels of a tile.
pub(super) const MOST_ROWS: usize = 12;

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

/// One tile of a product: `rows` output channels by `columns` output vectors, over one chain of terms.
///
/// Output vector (r, c) lies at `output + r * row_stride + output_columns[c]`, input vector (k, c) at
/// `input + offsets[k] + input_columns[c]`, weight (r, k) at `weights + k * rows + r`. Offsets count values.
pub(super) struct Tile {
    pub rows: usize,
    pub columns: usize,
    pub weights: *const f32,
    pub depth: usize,
    pub offsets: *const u32,
    pub input: *const f32,
    pub input_columns: *const u32,
    pub output: *mut f32,
    pub output_columns: *const u32,
    pub row_stride: usize,
    pub bias: *const f32,
    /// The chain is the first of its outputs: the output's former content is ignored.
    pub first: bool,
    /// The chain is the last of its outputs: the bias is added.
    pub last: bool,
    /// After the bias, negative outputs become 0.
    pub relu: bool,
}

/// Computes a tile.
///
/// # Safety
/// The processor has the kernel's instruction set, the tile's `rows` and `columns` are those that the kernel was chosen
/// for, and every address that [`Tile`] describes is valid: 16 values at each input vector for reading and at each
/// output vector for writing, `rows` biases, `rows * depth` weights. Outputs overlap neither inputs nor weights.
pub(super) type Kernel = unsafe fn(&Tile);

/// Output vectors that a tile of `rows` output channels may have at most: as many as the registers hold.
pub(super) fn widest(rows: usize) -> usize {
    match rows {
        ..=3 => 8,
        4..=6 => 4,
        _ => 2,
    }
}

/// The kernel for tiles of `rows` (1..=[`MOST_ROWS`]) by `columns` (1, 2, 4 or 8, at most [`widest`]).
pub(super) fn kernel(set: InstructionSet, rows: usize, columns: usize) -> Kernel {
    debug_assert!(rows <= MOST_ROWS && columns <= widest(rows));
    match set {
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512 => avx512::kernel(rows, columns),
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => avx2::tile,
        _ => portable::tile,
    }
}
