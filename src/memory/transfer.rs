//! The off-chip link: how many bytes and bursts words of reduced precision move, and what that costs.

use serde::Serialize;
use thiserror::Error;

/// How truncated words lie in off-chip memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// In containers of the untruncated width: no burst is saved, dropped bits only keep their wires quiet.
    Padded,
    /// Bit after bit, without gaps.
    Packed,
    /// One plane per bit position, each in granules of its own; only the upper planes are moved.
    Bitplane,
}

/// The link's transfer keys.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Transfer {
    /// Key `layout`: `padded` | `packed` | `bitplane`.
    pub layout: Layout,
    /// Key `granule_bytes`: bytes of one burst, >= 1; 64 for a 64-bit DDR4 channel, 32 for LPDDR4 x16 and HBM2 pseudo channels.
    pub granule_bytes: u64,
    /// Key `tag_bits`: metadata per block of words, bits.
    pub tag_bits: u32,
    /// Key `block_words`: words that share a tag, >= 1.
    pub block_words: u64,
    /// Key `io_pj_per_bit`: energy per bit moved over the wires, pJ, >= 0.
    pub io_pj_per_bit: f64,
    /// Key `pack_pj_per_word`: energy of the shifter that packs or unpacks a word, pJ, >= 0.
    pub pack_pj_per_word: f64,
}

/// Why a transfer cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum Error {
    /// A parameter lies outside its range.
    #[error("`{key}` = {value} is outside {range}")]
    Range {
        /// Key of the parameter.
        key: &'static str,
        /// What was given.
        value: f64,
        /// The valid range, in words.
        range: &'static str,
    },
    /// More bits on the link than a word has.
    #[error("{on_link} bits on the link of words of {before} bits")]
    Wider {
        /// Bits of a word before the link.
        before: u32,
        /// Bits that the link moves.
        on_link: u32,
    },
    /// More than 2^64 bytes.
    #[error("a transfer of {words} words has more than 2^64 bits")]
    TooLarge {
        /// Words of the transfer.
        words: u64,
    },
}

/// What one transfer moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Bytes that hold the words and their metadata.
    pub bytes: u64,
    /// Bursts that fetch them.
    pub bursts: u64,
}

impl Default for Transfer {
    /// Packed words in bursts of 64 bytes, as a 64-bit DDR4 channel moves them; no metadata, and no energy but that of the
    /// memories at its ends.
    fn default() -> Self {
        Self {
            layout: Layout::Packed,
            granule_bytes: 64,
            tag_bits: 0,
            block_words: 64,
            io_pj_per_bit: 0.0,
            pack_pj_per_word: 0.0,
        }
    }
}

impl Transfer {
    /// Checks every parameter.
    ///
    /// # Errors
    /// [`Error::Range`].
    pub fn check(&self) -> Result<(), Error> {
        let range = |key, value: f64, valid, range| {
            if value.is_finite() && valid { Ok(()) } else { Err(Error::Range { key, value, range }) }
        };
        range("granule_bytes", self.granule_bytes as f64, self.granule_bytes > 0, "1.. bytes")?;
        range("block_words", self.block_words as f64, self.block_words > 0, "1..")?;
        range("io_pj_per_bit", self.io_pj_per_bit, self.io_pj_per_bit >= 0.0, "[0, inf) pJ")?;
        range("pack_pj_per_word", self.pack_pj_per_word, self.pack_pj_per_word >= 0.0, "[0, inf) pJ")
    }

    /// What a run of `words` words of `bits_before` bits moves if `bits_on_link` bits of each cross the link and the run begins
    /// `offset` bytes behind a burst boundary.
    ///
    /// `bytes = ceil(words * bits / 8) + metadata`, `bursts = ceil((offset mod G + bytes) / G)`; the bits are `bits_before` where
    /// padded, `bits_on_link` where packed. Bit planes are runs of their own, each at this offset, as are their metadata.
    ///
    /// # Errors
    /// As [`Transfer::check`]; [`Error::Wider`] if `bits_on_link` exceeds `bits_before`; [`Error::TooLarge`].
    pub fn bursts(
        &self,
        words: u64,
        bits_before: u32,
        bits_on_link: u32,
        offset: u64,
    ) -> Result<Traffic, Error> {
        self.check()?;
        if bits_on_link > bits_before {
            return Err(Error::Wider { before: bits_before, on_link: bits_on_link });
        }
        let (metadata, granule) = (self.metadata_bytes(words), u128::from(self.granule_bytes));
        let run = |bytes: u128| match bytes {
            0 => 0,
            _ => (u128::from(offset) % granule + bytes).div_ceil(granule),
        };
        let words_of = |bits: u32| (u128::from(words) * u128::from(bits)).div_ceil(8);
        let (bytes, bursts) = match self.layout {
            Layout::Padded | Layout::Packed => {
                let bits = if self.layout == Layout::Padded { bits_before } else { bits_on_link };
                let bytes = words_of(bits) + metadata;
                (bytes, run(bytes))
            }
            Layout::Bitplane => {
                let (plane, planes) = (words_of(1), u128::from(bits_on_link));
                (plane * planes + metadata, run(plane) * planes + run(metadata))
            }
        };
        // Planes and blocks of one word each can need more bursts than bytes, of granules below 2^64 bytes: all fits 128 bits.
        let fits = |count: u128| u64::try_from(count).map_err(|_| Error::TooLarge { words });
        Ok(Traffic { bytes: fits(bytes)?, bursts: fits(bursts)? })
    }

    fn metadata_bytes(&self, words: u64) -> u128 {
        (u128::from(words.div_ceil(self.block_words)) * u128::from(self.tag_bits)).div_ceil(8)
    }

    /// Mean number of bursts that a run of `bits` bits (>= 1) touches if it begins at any bit alike:
    /// `1 + (bits - 1) / (8 G)`.
    pub fn mean_bursts(&self, bits: u64) -> f64 {
        1.0 + (bits as f64 - 1.0) / (8.0 * self.granule_bytes as f64)
    }

    /// Energy of moving a run, pJ: whole bursts cross the wires; the dropped bits of padded words keep theirs quiet. Words that
    /// are cut and packed, or split into planes, add the shifter.
    ///
    /// # Errors
    /// As [`Transfer::bursts`].
    pub fn energy_pj(
        &self,
        words: u64,
        bits_before: u32,
        bits_on_link: u32,
        offset: u64,
    ) -> Result<f64, Error> {
        let traffic = self.bursts(words, bits_before, bits_on_link, offset)?;
        let wires = traffic.bursts as f64 * self.granule_bytes as f64 * 8.0;
        let dropped = words as f64 * f64::from(bits_before - bits_on_link);
        let (quiet, shifted) = match self.layout {
            Layout::Padded => (dropped, 0),
            Layout::Packed if bits_on_link == bits_before => (0.0, 0),
            Layout::Packed | Layout::Bitplane => (0.0, words),
        };
        Ok((wires - quiet) * self.io_pj_per_bit + shifted as f64 * self.pack_pj_per_word)
    }
}

#[cfg(test)]
#[path = "transfer_tests.rs"]
mod tests;
