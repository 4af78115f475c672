//! Micro-kernels of vectors of sixteen output channels: an input is broadcast to all channels of a weight vector.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use super::InstructionSet;

/// Most vectors of output channels of a tile.
pub const MOST_VECTORS: usize = 2;

/// Most columns of a tile.
pub const MOST_COLUMNS: usize = 14;

/// One tile of a product: some vectors of output channels by `columns` output pixels (or images), over one chain of terms.
///
/// Output vector (v, c) lies at `output + v * plane_stride + c * output_step`, input (k, c) at
/// `input + offsets[k] + c * input_step`, weight vector (v, k) at `weights + (k * vectors + v) * 16`. All count values.
pub struct Tile {
    pub vectors: usize,
    pub columns: usize,
    pub weights: *const f32,
    pub depth: usize,
    pub offsets: *const u32,
    pub input: *const f32,
    pub input_step: usize,
    pub output: *mut f32,
    pub output_step: usize,
    pub plane_stride: usize,
    /// Of `vectors` vectors.
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
/// The processor has the kernel's instruction set, the tile's `vectors`, `columns` and `input_step` are those that the
/// kernel was chosen for, and every address that [`Tile`] describes is valid: a value at each input for reading, 16 values
/// at each output vector for writing, at each weight vector and at each of `vectors` biases. Outputs overlap neither
/// inputs nor weights.
pub type Kernel = unsafe fn(&Tile);

/// The kernel for tiles of `vectors` (1..=[`MOST_VECTORS`]) by `columns` (1..=[`MOST_COLUMNS`]) whose inputs lie
/// `input_step` values apart.
pub fn kernel(set: InstructionSet, vectors: usize, columns: usize, input_step: usize) -> Kernel {
    debug_assert!((1..=MOST_VECTORS).contains(&vectors) && (1..=MOST_COLUMNS).contains(&columns));
    match set {
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512 => avx512::kernel(vectors, columns, input_step),
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => avx2::tile,
        _ => portable::tile,
    }
}
