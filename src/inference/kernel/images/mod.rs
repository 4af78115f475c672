//! Micro-kernels of vectors of sixteen images: a weight is broadcast to all images of an input vector.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use super::InstructionSet;

/// Most output channels of a tile.
pub const MOST_ROWS: usize = 12;

/// One tile of a product: `rows` output channels by `columns` output vectors, over one chain of terms.
///
/// Output vector (r, c) lies at `output + r * row_stride + output_columns[c]`, input vector (k, c) at
/// `input + offsets[k] + input_columns[c]`, weight (r, k) at `weights + k * rows + r`. Offsets count values.
pub struct Tile {
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
pub type Kernel = unsafe fn(&Tile);

/// Output vectors that a tile of `rows` output channels may have at most: as many as the registers hold.
pub fn widest(rows: usize) -> usize {
    match rows {
        ..=3 => 8,
        4..=6 => 4,
        _ => 2,
    }
}

/// The kernel for tiles of `rows` (1..=[`MOST_ROWS`]) by `columns` (1, 2, 4 or 8, at most [`widest`]).
pub fn kernel(set: InstructionSet, rows: usize, columns: usize) -> Kernel {
    debug_assert!(rows <= MOST_ROWS && columns <= widest(rows));
    match set {
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512 => avx512::kernel(rows, columns),
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => avx2::tile,
        _ => portable::tile,
    }
}
