//! The storage image of one data subset: weak cells as flips of stored words.

use super::map::{MapBuffers, chunks, within_chunk};
use super::{CHUNK_CELLS, Error, FaultMap, MapKey};
use crate::memory::residency::Residency;
use crate::random::Probability;
use rayon::prelude::*;
use std::ops::Range;

/// Chunks drawn by one parallel task: enough to make its list worth joining to the others.
const TASK_CHUNKS: u64 = 16;

/// The flips of one stored word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WordFlips {
    /// Index of the word in its data subset.
    pub word: u64,
    /// Bits that are delivered wrong; never 0.
    pub mask: u32,
}

/// Words at rest in a memory whose top bits of every word sit in precise cells.
///
/// Faults are drawn over all cells and those of precise bits dropped afterwards: the faults at `k` protected MSBs are a
/// subset of those at fewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredImage {
    residency: Residency,
    approximate_bits: u32,
    /// ceil(2^32 / word bits): the division of a cell's offset by the word width as one multiplication.
    reciprocal: u64,
}

impl StoredImage {
    /// The image of `residency` with the top `protected_msbs` bits of every word precise.
    ///
    /// # Errors
    /// [`Error::WordBits`], [`Error::Cells`] or [`Error::ProtectedMsbs`] for a residency that cannot be.
    pub fn new(residency: Residency, protected_msbs: u32) -> Result<Self, Error> {
        let Residency { first_cell, word_bits, words, .. } = residency;
        if !(1..=32).contains(&word_bits) {
            return Err(Error::WordBits(word_bits));
        }
        let end = words.checked_mul(u64::from(word_bits)).and_then(|cells| first_cell.checked_add(cells));
        if end.is_none() {
            return Err(Error::Cells { first_cell, words, word_bits });
        }
        if protected_msbs > word_bits {
            return Err(Error::ProtectedMsbs { protected_msbs, word_bits });
        }
        Ok(Self {
            residency,
            approximate_bits: word_bits - protected_msbs,
            reciprocal: (1u64 << 32).div_ceil(u64::from(word_bits)),
        })
    }

    /// Where the words rest.
    pub fn residency(&self) -> &Residency {
        &self.residency
    }

    /// The same words, their cells counted from the first of them.
    #[must_use]
    pub fn at_origin(self) -> Self {
        Self { residency: Residency { first_cell: 0, ..self.residency }, ..self }
    }

    /// Approximate bits: words·(bits - protected MSBs).
    pub fn bits_at_risk(&self) -> u64 {
        // No overflow: the cells have been counted in `new`.
        self.residency.words * u64::from(self.approximate_bits)
    }

    /// Expected number of flips at bit error rate `rate`.
    pub fn expected_flips(&self, rate: Probability) -> f64 {
        self.bits_at_risk() as f64 * rate.get()
    }

    /// The flips of all words, ascending by word. Chunks are drawn in parallel; the number of flips is that of the bits
    /// set in the masks.
    #[must_use]
    pub fn word_flips(&self, map: &FaultMap) -> Vec<WordFlips> {
        let all = chunks(&self.residency.cells());
        let tasks: Vec<Range<u64>> = (all.start..all.end)
            .step_by(TASK_CHUNKS as usize)
            .map(|start| start..(start + TASK_CHUNKS).min(all.end))
            .collect();
        let lists: Vec<Vec<WordFlips>> = tasks
            .into_par_iter()
            .map_init(MapBuffers::default, |buffers, task| {
                let mut flips = Vec::new();
                for chunk in task {
                    self.chunk_flips(map, chunk, buffers, &mut flips);
                }
                flips
            })
            .collect();
        let mut joined: Vec<WordFlips> = Vec::with_capacity(lists.iter().map(Vec::len).sum());
        for list in lists {
            let mut rest = list.as_slice();
            // A word may lie across the border of two tasks.
            if let (Some(last), Some(first)) = (joined.last_mut(), rest.first())
                && last.word == first.word
            {
                last.mask |= first.mask;
                rest = &rest[1..];
            }
            joined.extend_from_slice(rest);
        }
        joined
    }

    /// Appends the flips in chunk `chunk` to `flips`, joining them with the last word there.
    fn chunk_flips(&self, map: &FaultMap, chunk: u64, buffers: &mut MapBuffers, flips: &mut Vec<WordFlips>) {
        if self.approximate_bits == 0 {
            return;
        }
        let cells = self.residency.cells();
        let weak = map.chunk(chunk, within_chunk(chunk, &cells), buffers);
        if weak.is_empty() {
            return;
        }
        // Offsets are counted from the first word that touches the chunk, so that they fit the reciprocal.
        let word_bits = u64::from(self.residency.word_bits);
        let base = chunk * CHUNK_CELLS;
        let first_word = base.saturating_sub(cells.start) / word_bits;
        let first_cell = cells.start + first_word * word_bits;
        // Negative, modulo 2^64, when the residency begins inside the chunk.
        let shift = base.wrapping_sub(first_cell);
        // One entry is written per flip and left behind only when the next flip is of another word: two flips to a word
        // or one is what a processor cannot predict.
        let mut current = flips.pop().unwrap_or(WordFlips { word: u64::MAX, mask: 0 });
        let first = flips.len();
        flips.resize(first + weak.len() + 1, current);
        let slots = &mut flips[first..];
        let mut last = 0;
        for &cell in weak {
            let offset = u64::from(cell).wrapping_add(shift);
            // offset < 2^20 + 32 and the reciprocal errs by less than 1: the product errs by less than 2^-11 words.
            let index = (offset * self.reciprocal) >> 32;
            let bit = (offset - index * word_bits) as u32;
            if bit >= self.approximate_bits {
                continue;
            }
            let word = first_word + index;
            let is_new = word != current.word;
            last += usize::from(is_new && current.mask != 0);
            current = WordFlips { word, mask: if is_new { 0 } else { current.mask } | 1 << bit };
            slots[last] = current;
        }
        let count = last + usize::from(current.mask != 0);
        flips.truncate(first + count);
    }
}

/// The flips of a storage image in ascending order, drawn chunk by chunk as they are read.
///
/// Holds the flips of one chunk: reading all of a large image at a high rate takes no more memory than a small one.
#[derive(Clone, Debug)]
pub(super) struct FlipStream {
    image: StoredImage,
    map: FaultMap,
    flips: Vec<WordFlips>,
    position: usize,
    /// Words below this one are complete: no chunk still to be drawn holds a cell of them.
    complete: u64,
    chunks: Range<u64>,
}

impl FlipStream {
    /// The flips of `image` under `map`.
    pub fn new(image: StoredImage, map: FaultMap) -> Self {
        let chunks = chunks(&image.residency.cells());
        Self { image, map, flips: Vec::new(), position: 0, complete: 0, chunks }
    }

    /// A stream without flips.
    pub fn exhausted() -> Self {
        let residency = Residency { memory: 0, first_cell: 0, word_bits: 1, words: 0 };
        let image = StoredImage { residency, approximate_bits: 0, reciprocal: 1 << 32 };
        Self::new(image, FaultMap::new(MapKey::permanent_of(""), Probability::ZERO))
    }

    /// Ends the stream; what it holds is dropped.
    pub fn exhaust(&mut self) {
        self.flips.clear();
        (self.position, self.chunks) = (0, 0..0);
    }

    /// Starts over with other flips, in the memory already taken.
    pub fn reopen(&mut self, image: StoredImage, map: FaultMap) {
        let mut flips = std::mem::take(&mut self.flips);
        flips.clear();
        *self = Self { flips, ..Self::new(image, map) };
    }

    /// The word of the next flips, which stay the next until [`FlipStream::take`].
    #[inline]
    pub fn head(&mut self, buffers: &mut MapBuffers) -> Option<u64> {
        loop {
            if let Some(head) = self.flips.get(self.position)
                && head.word < self.complete
            {
                return Some(head.word);
            }
            let chunk = self.chunks.next()?;
            self.draw(chunk, buffers);
        }
    }

    fn draw(&mut self, chunk: u64, buffers: &mut MapBuffers) {
        self.flips.drain(..self.position);
        self.position = 0;
        self.image.chunk_flips(&self.map, chunk, buffers, &mut self.flips);
        let Residency { first_cell, word_bits, .. } = self.image.residency;
        self.complete = if self.chunks.is_empty() {
            u64::MAX
        } else {
            (self.chunks.start * CHUNK_CELLS).saturating_sub(first_cell) / u64::from(word_bits)
        };
    }

    /// The flips of `word` if it is the head, which then moves on.
    #[inline]
    pub fn take(&mut self, word: u64) -> Option<u32> {
        let head = self.flips.get(self.position).filter(|head| head.word == word)?;
        self.position += 1;
        Some(head.mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(p: f64) -> FaultMap {
        FaultMap::new(MapKey::permanent("dram", 8, 1), Probability::new(p).unwrap())
    }

    fn residency(first_cell: u64, word_bits: u32, words: u64) -> Residency {
        Residency { memory: 0, first_cell, word_bits, words }
    }

    /// The definition: locate every weak cell by itself.
    fn by_definition(image: &StoredImage, map: &FaultMap) -> Vec<WordFlips> {
        let mut flips: Vec<WordFlips> = Vec::new();
        for cell in map.weak_cells(image.residency().cells()) {
            let (word, bit) = image.residency().locate(cell);
            if bit >= image.approximate_bits {
                continue;
            }
            match flips.last_mut() {
                Some(last) if last.word == word => last.mask |= 1 << bit,
                _ => flips.push(WordFlips { word, mask: 1 << bit }),
            }
        }
        flips
    }

    #[test]
    fn flips_equal_their_definition_however_words_and_chunks_meet() {
        for word_bits in 1..=32 {
            for (first_cell, words) in [(0, 70_000), (CHUNK_CELLS - 5, 3), (12_345, 300_000)] {
                for (p, protected_msbs) in [(1e-4, 0), (0.01, word_bits / 3), (0.3, word_bits - 1), (0.3, 0)]
                {
                    let image =
                        StoredImage::new(residency(first_cell, word_bits, words), protected_msbs).unwrap();
                    let flips = image.word_flips(&map(p));
                    assert_eq!(flips, by_definition(&image, &map(p)), "{word_bits} bits from {first_cell}");
                    assert!(flips.is_sorted_by_key(|flips| flips.word));
                }
            }
        }
    }

    #[test]
    fn words_across_the_border_of_two_tasks_come_once() {
        // 17 chunks of 31-bit words: the border of chunk 16 cuts a word.
        let image = StoredImage::new(residency(0, 31, 17 * CHUNK_CELLS / 31), 0).unwrap();
        for p in [0.02, 1.0] {
            let flips = image.word_flips(&map(p));
            assert!(flips.is_sorted_by(|left, right| left.word < right.word));
            assert_eq!(flips, by_definition(&image, &map(p)));
        }
    }

    #[test]
    fn the_stream_yields_the_list() {
        for (first_cell, word_bits, p) in [(0, 32, 1e-4), (999, 13, 0.05), (1 << 20, 31, 1e-5), (7, 3, 1.0)] {
            let image = StoredImage::new(residency(first_cell, word_bits, 300_000), 1).unwrap();
            let mut stream = FlipStream::new(image, map(0.5));
            let mut buffers = MapBuffers::default();
            stream.head(&mut buffers);
            stream.reopen(image, map(p));
            let mut read = Vec::new();
            while let Some(word) = stream.head(&mut buffers) {
                assert_eq!(stream.take(word + 1), None);
                read.push(WordFlips { word, mask: stream.take(word).unwrap() });
            }
            assert_eq!(read, image.word_flips(&map(p)));
        }
    }

    #[test]
    fn protecting_more_bits_only_removes_flips() {
        let image = |k| StoredImage::new(residency(40, 16, 50_000), k).unwrap();
        let plain = image(0).word_flips(&map(0.02));
        for k in 0..=16 {
            let low = u32::MAX.checked_shr(32 - (16 - k)).unwrap_or(0);
            let kept: Vec<_> = plain
                .iter()
                .map(|flips| WordFlips { mask: flips.mask & low, ..*flips })
                .filter(|flips| flips.mask != 0)
                .collect();
            assert_eq!(image(k).word_flips(&map(0.02)), kept, "k = {k}");
            assert_eq!(image(k).bits_at_risk(), 50_000 * u64::from(16 - k));
            let expected = 50_000.0 * f64::from(16 - k) * 1e-3;
            assert_eq!(image(k).expected_flips(Probability::new(1e-3).unwrap()), expected);
        }
    }

    #[test]
    fn impossible_residencies_are_refused() {
        assert_eq!(StoredImage::new(residency(0, 0, 1), 0), Err(Error::WordBits(0)));
        assert_eq!(StoredImage::new(residency(0, 33, 1), 0), Err(Error::WordBits(33)));
        let error = StoredImage::new(residency(0, 8, 1), 9).unwrap_err();
        assert_eq!(error.to_string(), "9 protected MSBs in a word of 8 bits");
        for (first_cell, words) in [(u64::MAX, 1), (0, u64::MAX / 4)] {
            let error = StoredImage::new(residency(first_cell, 8, words), 0).unwrap_err();
            assert_eq!(error, Error::Cells { first_cell, words, word_bits: 8 });
        }
    }
}
