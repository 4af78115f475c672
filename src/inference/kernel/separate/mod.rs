//! Micro-kernels of vectors of sixteen output channels, each of which has inputs of its own.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use super::InstructionSet;

/// Most columns of a tile: rows of 7, 14, 28, 56 and 112 columns, which depthwise networks have, leave no rest.
pub const MOST_COLUMNS: usize = 14;

/// One tile of a product: one vector of output channels by `columns` output pixels, over one chain of terms.
///
/// Output vector c lies at `output + c * 16`, weight vector k at `weights + k * 16`. The sixteen inputs (k, c) are the
/// vector at `input + offsets[k] + c * input_step` or, gathered, lie at `input + offsets[k * 16 + lane] + c * input_step`.
/// All count values.
pub struct Tile {
    pub columns: usize,
    pub weights: *const f32,
    pub depth: usize,
    pub offsets: *const u32,
    pub input: *const f32,
    pub input_step: usize,
    pub output: *mut f32,
    /// Of one vector.
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
/// The processor has the kernel's instruction set, the tile's `columns` are those that the kernel was chosen for, every
/// address that [`Tile`] describes is valid (inputs for reading, outputs for writing), and gathered offsets are below 2^31.
/// Outputs overlap neither inputs nor weights.
pub type Kernel = unsafe fn(&Tile);

/// The kernel for tiles of `columns` (1..=[`MOST_COLUMNS`]).
pub fn kernel(set: InstructionSet, columns: usize, gathered: bool) -> Kernel {
    debug_assert!((1..=MOST_COLUMNS).contains(&columns));
    match (set, gathered) {
        #[cfg(target_arch = "x86_64")]
        (InstructionSet::Avx512, _) => avx512::kernel(columns, gathered),
        #[cfg(target_arch = "x86_64")]
        (InstructionSet::Avx2, false) => avx2::tile::<false>,
        #[cfg(target_arch = "x86_64")]
        (InstructionSet::Avx2, true) => avx2::tile::<true>,
        (_, false) => portable::tile::<false>,
        (_, true) => portable::tile::<true>,
    }
}
