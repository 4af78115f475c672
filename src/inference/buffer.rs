//! Storage of vectors, in huge pages where it is large.

use super::Lanes;
use memmap2::MmapMut;
use std::fmt;
use std::ops::{Deref, DerefMut};

/// From this size on storage is mapped apart: a page of the usual size would hold too little of it, and reading weights from
/// memory is up to half faster in huge ones.
const LEAST_MAPPED_BYTES: usize = 4 << 20;

/// A fixed number of vectors.
pub(super) struct Buffer(Storage);

enum Storage {
    Heap(Vec<Lanes>),
    /// Of exactly the size of the vectors.
    Mapped(MmapMut),
}

impl Buffer {
    /// `vectors` vectors of zeros.
    pub fn zeroed(vectors: usize) -> Self {
        let mapped = || {
            let bytes =
                vectors.checked_mul(size_of::<Lanes>()).filter(|&bytes| bytes >= LEAST_MAPPED_BYTES)?;
            let pages = MmapMut::map_anon(bytes).ok()?;
            // Without huge pages the same values are read a little slower.
            #[cfg(target_os = "linux")]
            let _ = pages.advise(memmap2::Advice::HugePage);
            Some(Storage::Mapped(pages))
        };
        Self(mapped().unwrap_or_else(|| Storage::Heap(vec![Lanes::ZERO; vectors])))
    }
}

impl Deref for Buffer {
    type Target = [Lanes];

    fn deref(&self) -> &[Lanes] {
        match &self.0 {
            Storage::Heap(vectors) => vectors,
            Storage::Mapped(pages) => bytemuck::cast_slice(pages),
        }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [Lanes] {
        match &mut self.0 {
            Storage::Heap(vectors) => vectors,
            Storage::Mapped(pages) => bytemuck::cast_slice_mut(pages),
        }
    }
}

impl Default for Buffer {
    fn default() -> Self {
        Self::zeroed(0)
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        let mut copy = Self::zeroed(self.len());
        copy.copy_from_slice(self);
        copy
    }
}

impl PartialEq for Buffer {
    fn eq(&self, other: &Self) -> bool {
        self[..] == other[..]
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_buffers_behave_alike() {
        for vectors in [0, 1, 1000, LEAST_MAPPED_BYTES / 64, LEAST_MAPPED_BYTES / 64 + 77] {
            let mut buffer = Buffer::zeroed(vectors);
            assert_eq!(buffer.len(), vectors);
            assert_eq!(matches!(buffer.0, Storage::Mapped(_)), vectors * 64 >= LEAST_MAPPED_BYTES);
            assert!(buffer.iter().all(|vector| *vector == Lanes::ZERO));
            let zeros = buffer.clone();
            if let Some(last) = buffer.last_mut() {
                last.0[15] = 1.0;
                assert_ne!(buffer, zeros);
                assert_eq!(buffer.clone()[vectors - 1].0[15], 1.0);
            }
            assert_eq!(buffer, buffer.clone());
        }
    }
}
