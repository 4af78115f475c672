//! A number for each bit of a word.

use serde::{Serialize, Serializer};
use thiserror::Error;

/// A list without an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a list by bit has at least one entry")]
pub struct Empty;

/// Numbers by bit of a word, from the most significant bit down; the last one holds for all lower bits, so that one list
/// suits words of any width. Serialised as a number where it is one, else as the list.
#[derive(Clone, Debug, PartialEq)]
pub struct ByBit(Vec<f64>);

impl ByBit {
    /// The list `from_msb`.
    ///
    /// # Errors
    /// [`Empty`] if it has no entry.
    pub fn new(from_msb: Vec<f64>) -> Result<Self, Empty> {
        if from_msb.is_empty() { Err(Empty) } else { Ok(Self(from_msb)) }
    }

    /// The value of bit `bit` (0 the least significant) of a word of `word_bits` bits; bits above the word have that of its
    /// most significant bit.
    pub fn at(&self, bit: u32, word_bits: u32) -> f64 {
        let from_msb = word_bits.saturating_sub(1).saturating_sub(bit) as usize;
        self.0[from_msb.min(self.0.len() - 1)]
    }

    /// The value of the most significant bit.
    pub fn msb(&self) -> f64 {
        self.0[0]
    }

    /// The list from the most significant bit down, at least one entry.
    pub fn from_msb(&self) -> &[f64] {
        &self.0
    }
}

impl From<f64> for ByBit {
    /// The same for every bit.
    fn from(value: f64) -> Self {
        Self(vec![value])
    }
}

impl Serialize for ByBit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [value] => value.serialize(serializer),
            list => list.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_entry_holds_for_all_lower_bits() {
        let list = ByBit::new(vec![1.0, 2.0, 3.0]).unwrap();
        let values: Vec<_> = (0..5).map(|bit| list.at(bit, 5)).collect();
        assert_eq!(values, [3.0, 3.0, 3.0, 2.0, 1.0]);
        assert_eq!((list.at(0, 1), list.at(0, 2), list.at(7, 2), list.msb()), (1.0, 2.0, 1.0, 1.0));
        assert_eq!(ByBit::new(Vec::new()), Err(Empty));
    }

    #[test]
    fn one_value_is_serialised_as_a_number() {
        assert_eq!(serde_json::to_string(&ByBit::from(1e-3)).unwrap(), "0.001");
        assert_eq!(serde_json::to_string(&ByBit::new(vec![0.0, 0.5]).unwrap()).unwrap(), "[0.0,0.5]");
    }
}
