//! Words whose top bits are stored with the check bits of a SECDED(72,64) code.
//!
//! The coded bits of a data subset are one string: word by word, the lowest coded bit first. 64 of them are one block, the
//! last block filled up with zeros; 64 words hold as many blocks as each has coded bits, so that no block reaches beyond
//! them.

use super::map::MapBuffers;
use super::rest::{OpenRest, Rest};
use crate::memory::secded;
use crate::number::Narrowing;

/// Words that are looked at together.
pub(super) const UNIT: u64 = 64;

/// Blocks that hold the `coded_msbs` top bits of `words` words.
pub(super) fn blocks(words: u64, coded_msbs: u32) -> u64 {
    (u128::from(words) * u128::from(coded_msbs)).div_ceil(64) as u64
}

/// First word of the unit that holds block `block`.
pub(super) fn first_word(block: u64, coded_msbs: u32) -> u64 {
    block / u64::from(coded_msbs.max(1)) * UNIT
}

/// The words of one unit on their way.
pub(super) struct Block {
    first: u64,
    codes: [u32; UNIT as usize],
    count: usize,
    /// One bit per word.
    changed: u64,
}

impl Block {
    /// The `count` words from word `first` on, each stored as `code` says.
    pub fn new(first: u64, count: usize, code: impl Fn(usize) -> u32) -> Self {
        let mut codes = [0; UNIT as usize];
        for (index, slot) in codes[..count].iter_mut().enumerate() {
            *slot = code(first as usize + index);
        }
        Self { first, codes, count, changed: 0 }
    }

    /// Passes every word over the link.
    pub fn narrow(&mut self, narrowing: Narrowing) {
        self.codes[..self.count].iter_mut().for_each(|code| *code = narrowing.apply(*code));
    }

    /// Index and code of every word that a memory has changed.
    pub fn changed(&self) -> impl Iterator<Item = (usize, u32)> + '_ {
        let is_changed = |index: &usize| self.changed >> index & 1 == 1;
        (0..self.count).filter(is_changed).map(|index| (self.first as usize + index, self.codes[index]))
    }

    /// The coded bits as blocks.
    fn gather(&self, word_bits: u32, coded_msbs: u32) -> [u64; 32] {
        let mut data = [0; 32];
        for (index, &code) in self.codes[..self.count].iter().enumerate() {
            let field = u64::from(code) >> (word_bits - coded_msbs);
            let (block, at) = place(index, coded_msbs);
            data[block] |= field << at;
            if at + coded_msbs > 64 {
                data[block + 1] |= field >> (64 - at);
            }
        }
        data
    }

    /// Puts the coded bits of `data` back.
    fn scatter(&mut self, data: &[u64; 32], word_bits: u32, coded_msbs: u32) {
        let low = word_bits - coded_msbs;
        let mask = ((1u64 << coded_msbs) - 1) << low;
        for (index, code) in self.codes[..self.count].iter_mut().enumerate() {
            let (block, at) = place(index, coded_msbs);
            let mut field = data[block] >> at;
            if at + coded_msbs > 64 {
                field |= data[block + 1] << (64 - at);
            }
            *code = (u64::from(*code) & !mask | field << low & mask) as u32;
        }
    }
}

/// Block and bit of the lowest coded bit of word `index` of a unit.
fn place(index: usize, coded_msbs: u32) -> (usize, u32) {
    let bit = index as u32 * coded_msbs;
    ((bit / 64) as usize, bit % 64)
}

/// Stores `words` at `rest` and replaces them by what it delivers; yields the number of bits that are then wrong.
pub(super) fn deliver(
    rest: &Rest,
    faults: &mut OpenRest<'_>,
    words: &mut Block,
    buffers: &mut MapBuffers,
) -> u64 {
    let stored = words.codes;
    let end = words.first + UNIT;
    let mut struck = 0u64;
    faults.words_below(end, buffers, |faults| {
        let index = (faults.word - words.first) as usize;
        words.codes[index] = faults.apply(words.codes[index]);
        struck |= 1 << index;
    });
    if rest.coded_msbs > 0 {
        let (word_bits, coded) = (rest.word_bits, rest.coded_msbs);
        let mut before = Block { codes: stored, ..*words };
        before.changed = 0;
        let data = before.gather(word_bits, coded);
        let mut read = words.gather(word_bits, coded);
        let mut checks = data.map(secded::encode);
        let is_whole = checks;
        let first_block = words.first / UNIT * u64::from(coded);
        faults.checks_below(first_block + u64::from(coded), buffers, |faults| {
            let check = &mut checks[(faults.word - first_block) as usize];
            *check = faults.apply(u32::from(*check)) as u8;
        });
        for block in 0..coded as usize {
            if read[block] != data[block] || checks[block] != is_whole[block] {
                read[block] = secded::decode(read[block], checks[block]).data;
            }
        }
        words.scatter(&read, word_bits, coded);
    }
    let mut wrong = 0;
    for (index, (&before, &after)) in stored.iter().zip(&words.codes).enumerate().take(words.count) {
        if before != after {
            wrong += u64::from((before ^ after).count_ones());
            words.changed |= 1 << index;
        }
    }
    wrong
}
