//! The way of a tensor through a buffer that is smaller than it: tile by tile, always through the same cells.

use serde::Serialize;
use std::ops::Range;
use thiserror::Error;

/// How the words of a tensor pass through a buffer.
///
/// In storage order the tensor is a row of units of `unit_words` words: filters of a weight, channel planes of activations. A
/// tile holds `part_words` consecutive words of each of `tile_units` consecutive units of one group, unit behind unit, without
/// gaps. Tiles follow each other through `slots` places of `slot_words` words. A word that is in several tiles (rows that
/// neighbouring tiles share) has the place of the first of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Passage {
    /// Words of one unit, >= 1.
    pub unit_words: u64,
    /// Units of one group, >= 1: no tile holds units of two groups.
    pub group_units: u64,
    /// Units of a full tile, 1..=`group_units`.
    pub tile_units: u64,
    /// Words of a unit in a full tile, 1..=`unit_words`.
    pub part_words: u64,
    /// Whether all parts of some units follow each other, or else all units of one part.
    pub parts_first: bool,
    /// Tiles that the buffer holds at a time, >= 1: 2 where one is fetched while the other is used.
    pub slots: u64,
    /// Words from one place to the next, at least those of a full tile.
    pub slot_words: u64,
}

/// A passage that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no way through a buffer: something is 0, or a tile larger than the tensor or its place")]
pub struct Error(pub Passage);

/// One tile: where its words come from and where they lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    /// First of its units, among all of the tensor.
    pub first_unit: u64,
    /// Its units.
    pub units: u64,
    /// First of its words of each unit.
    pub first_word: u64,
    /// Its words of each unit.
    pub words: u64,
    /// Place of its first word, counted from the first place of the tensor.
    pub place: u64,
}

impl Tile {
    /// Places of its words.
    pub fn places(&self) -> Range<u64> {
        self.place..self.place + self.units * self.words
    }
}

impl Passage {
    /// Checks every number.
    ///
    /// # Errors
    /// [`struct@Error`].
    pub fn check(&self) -> Result<(), Error> {
        let is_sound = (1..=self.unit_words).contains(&self.part_words)
            && (1..=self.group_units).contains(&self.tile_units)
            && self.slots >= 1
            && self.part_words.checked_mul(self.tile_units).is_some_and(|words| words <= self.slot_words)
            && self.slots.checked_mul(self.slot_words).is_some_and(|words| words < 1 << 58);
        if is_sound { Ok(()) } else { Err(Error(*self)) }
    }

    /// Words that have a place at a time.
    pub fn places(&self) -> u64 {
        self.slots * self.slot_words
    }

    fn parts(&self) -> u64 {
        self.unit_words.div_ceil(self.part_words)
    }

    /// Tiles in the direction of units, over all groups of a tensor of `words` words.
    pub fn blocks(&self, words: u64) -> u64 {
        let units = words.div_ceil(self.unit_words);
        let (groups, rest) = (units / self.group_units, units % self.group_units);
        groups * self.group_units.div_ceil(self.tile_units) + rest.div_ceil(self.tile_units)
    }

    /// The tiles of units that start in block `block` of a tensor of `words` words, in the order of their words in each unit.
    pub fn block(&self, block: u64, words: u64) -> impl Iterator<Item = Tile> + use<> {
        let this = *self;
        let per_group = this.group_units.div_ceil(this.tile_units);
        let first_unit = block / per_group * this.group_units + block % per_group * this.tile_units;
        let group_end = (block / per_group + 1) * this.group_units;
        let end = (first_unit + this.tile_units).min(group_end).min(words.div_ceil(this.unit_words));
        let blocks = this.blocks(words);
        (0..this.parts()).map(move |part| {
            let first_word = part * this.part_words;
            // A block of units after the other, within a group; groups follow each other.
            let blocks_of_group = per_group.min(blocks - block / per_group * per_group);
            let before = block / per_group * per_group * this.parts();
            let within = block % per_group;
            let turn =
                if this.parts_first { within * this.parts() + part } else { part * blocks_of_group + within };
            Tile {
                first_unit,
                units: end - first_unit,
                first_word,
                words: this.part_words.min(this.unit_words - first_word),
                place: (before + turn) % this.slots * this.slot_words,
            }
        })
    }

    /// The block of units in which `word` is.
    pub fn block_of(&self, word: u64) -> u64 {
        let unit = word / self.unit_words;
        let per_group = self.group_units.div_ceil(self.tile_units);
        unit / self.group_units * per_group + unit % self.group_units / self.tile_units
    }

    /// Place of `word` of a tensor of `words` words.
    ///
    /// # Panics
    /// If [`Passage::check`] refuses the passage.
    pub fn place(&self, word: u64, words: u64) -> u64 {
        let within = word % self.unit_words;
        let part = within / self.part_words;
        let tile = self.block(self.block_of(word), words).nth(part as usize);
        let tile = tile.expect("a unit has as many parts as it takes to hold its words");
        tile.place + (word / self.unit_words - tile.first_unit) * tile.words + (within - tile.first_word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn passages() -> impl Strategy<Value = (Passage, u64)> {
        (1u64..9, 1u64..7, 1u64..4, any::<bool>(), 1u64..4, 0u64..3).prop_flat_map(
            |(unit_words, group_units, groups, parts_first, slots, gap)| {
                (1..=unit_words, 1..=group_units).prop_map(move |(part_words, tile_units)| {
                    let slot_words = part_words * tile_units + gap;
                    let passage = Passage {
                        unit_words,
                        group_units,
                        tile_units,
                        part_words,
                        parts_first,
                        slots,
                        slot_words,
                    };
                    (passage, unit_words * group_units * groups)
                })
            },
        )
    }

    proptest! {
        #[test]
        fn tiles_hold_every_word_once_and_follow_each_other((passage, words) in passages()) {
            passage.check().unwrap();
            // Written down in the order of the loops, each tile with the words in it.
            let per_group = passage.group_units.div_ceil(passage.tile_units);
            let parts = passage.unit_words.div_ceil(passage.part_words);
            let groups = words / passage.unit_words / passage.group_units;
            let mut turns = Vec::new();
            for group in 0..groups {
                let (outer, inner) = if passage.parts_first { (per_group, parts) } else { (parts, per_group) };
                for first in 0..outer {
                    for second in 0..inner {
                        let (block, part) = if passage.parts_first { (first, second) } else { (second, first) };
                        turns.push((group, block, part));
                    }
                }
            }
            let mut places = BTreeMap::new();
            for (turn, (group, block, part)) in turns.into_iter().enumerate() {
                let mut place = turn as u64 % passage.slots * passage.slot_words;
                for unit in 0..passage.group_units {
                    if unit / passage.tile_units != block {
                        continue;
                    }
                    for within in 0..passage.unit_words {
                        if within / passage.part_words == part {
                            let word = (group * passage.group_units + unit) * passage.unit_words + within;
                            prop_assert_eq!(places.insert(word, place), None);
                            place += 1;
                        }
                    }
                }
            }
            prop_assert_eq!(places.len() as u64, words);
            for (word, place) in places {
                prop_assert_eq!(passage.place(word, words), place, "word {}", word);
                prop_assert!(place < passage.places());
            }
            let in_blocks: u64 = (0..passage.blocks(words))
                .flat_map(|block| passage.block(block, words))
                .map(|tile| tile.units * tile.words)
                .sum();
            prop_assert_eq!(in_blocks, words);
        }
    }

    #[test]
    fn impossible_passages_are_refused() {
        let sound = Passage {
            unit_words: 9,
            group_units: 4,
            tile_units: 2,
            part_words: 3,
            parts_first: true,
            slots: 2,
            slot_words: 6,
        };
        assert_eq!(sound.check(), Ok(()));
        for wrong in [
            Passage { part_words: 0, ..sound },
            Passage { part_words: 10, ..sound },
            Passage { tile_units: 0, ..sound },
            Passage { tile_units: 5, ..sound },
            Passage { slots: 0, ..sound },
            Passage { slot_words: 5, ..sound },
            Passage { slots: u64::MAX, ..sound },
        ] {
            assert_eq!(wrong.check(), Err(Error(wrong)));
        }
    }
}
