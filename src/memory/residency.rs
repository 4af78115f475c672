//! Where a data subset rests, and for how long: plain data between the placement of tensors and the faults that strike them.

/// What the words of one tensor go through while they stay in one memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exposure {
    /// Seconds between two accesses of the same row, each of which refreshes it: the period of one inference.
    pub reuse_interval_s: f64,
    /// Seconds that a word stays.
    pub seconds: f64,
    /// Times that a word is read while it stays.
    pub reads: f64,
    /// Times that a word is written.
    pub writes: f64,
}

impl Exposure {
    /// Written once and read once, `seconds` later: what each residency is until a layer trace says more.
    pub fn once(seconds: f64) -> Self {
        Self { reuse_interval_s: seconds, seconds, reads: 1.0, writes: 1.0 }
    }
}

/// Words of one tensor in consecutive cells of one memory, in storage order, without padding between words.
///
/// Bit `b` of word `w` sits in cell `first_cell + w * word_bits + b`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Residency {
    /// Index of the memory in the experiment.
    pub memory: usize,
    /// Cell of bit 0 of word 0.
    pub first_cell: u64,
    /// Stored bits per word, 1..=32.
    pub word_bits: u32,
    /// Number of words.
    pub words: u64,
}

impl Residency {
    /// The cells that the tensor occupies.
    pub fn cells(&self) -> std::ops::Range<u64> {
        self.first_cell..self.first_cell + self.words * u64::from(self.word_bits)
    }

    /// Word and bit position that rest in `cell`.
    ///
    /// # Panics
    /// If `cell` lies before the tensor's first cell.
    pub fn locate(&self, cell: u64) -> (u64, u32) {
        let offset = cell.checked_sub(self.first_cell).expect("the cell lies in the residency");
        (offset / u64::from(self.word_bits), (offset % u64::from(self.word_bits)) as u32)
    }
}
