//! Damage by script: the fuzzing engine's bytes choose a seed and what is done to it, so that every input that it can make
//! is near a valid file, and an engine that watches coverage learns which edits lead on.

/// Numbers that readers of extents and lengths tend to get wrong.
pub const EXTREMES: [u64; 16] = [
    0,
    1,
    2,
    3,
    5,
    127,
    255,
    65_536,
    1 << 20,
    1 << 28,
    (1 << 31) - 1,
    1 << 31,
    1 << 32,
    1 << 62,
    1 << 63,
    u64::MAX,
];

/// Most edits of one script: after many, little is left of the seed.
const MOST_EDITS: u8 = 6;

/// The rest of a script; when it has ended, every choice is the first one.
pub struct Script<'a> {
    rest: &'a [u8],
    edits: u8,
}

impl<'a> Script<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        let mut script = Self { rest: bytes, edits: 0 };
        script.edits = script.byte() % (MOST_EDITS + 1);
        script
    }

    /// Whether another edit follows.
    pub fn goes_on(&mut self) -> bool {
        let goes_on = self.edits > 0 && !self.rest.is_empty();
        self.edits = self.edits.saturating_sub(1);
        goes_on
    }

    pub fn byte(&mut self) -> u8 {
        match self.rest.split_first() {
            Some((&byte, rest)) => {
                self.rest = rest;
                byte
            }
            None => 0,
        }
    }

    /// How often something of `bytes` bytes is repeated: 1, 2, 4, ... `most` times, as far as the largest input goes.
    pub fn times(&mut self, bytes: usize, most: usize) -> usize {
        (1 << self.below(most.ilog2() as usize + 1)).min(LARGEST / bytes.max(1)).max(1)
    }

    /// Whether the next byte chooses what one of `choices` does.
    pub fn one_in(&mut self, choices: u8) -> bool {
        self.byte().is_multiple_of(choices)
    }

    /// A number below `count`; 0 if that is 0.
    pub fn below(&mut self, count: usize) -> usize {
        let low = usize::from(self.byte());
        let number = if count > 256 { low | usize::from(self.byte()) << 8 } else { low };
        number.checked_rem(count).unwrap_or(0)
    }

    pub fn pick<'t, T>(&mut self, items: &'t [T]) -> &'t T {
        &items[self.below(items.len())]
    }

    pub fn extreme(&mut self) -> u64 {
        *self.pick(&EXTREMES)
    }

    /// A range of at most `longest` items out of `count`.
    pub fn range(&mut self, count: usize, longest: usize) -> std::ops::Range<usize> {
        let start = self.below(count);
        start..(start + 1 + self.below(longest)).min(count)
    }
}

/// Largest input, in bytes.
pub const LARGEST: usize = 1 << 17;

/// Damages `bytes` as one edit of the script says, whatever they mean.
pub fn damage_bytes(bytes: &mut Vec<u8>, script: &mut Script<'_>) {
    let count = bytes.len();
    match script.byte() % 8 {
        0 | 1 if count > 0 => {
            let at = script.below(count);
            bytes[at] ^= 1 << (script.byte() % 8);
        }
        2 => bytes.truncate(script.below(count)),
        3 => drop(bytes.drain(script.range(count, 32))),
        4 => {
            let piece = bytes[script.range(count, 256)].to_vec();
            let at = script.below(count);
            drop(bytes.splice(at..at, piece));
        }
        5 => {
            let at = script.below(count);
            drop(bytes.splice(at..at, varint(script.extreme())));
        }
        6 => {
            let number = script.extreme();
            let range = script.range(count, 8);
            let word = if script.one_in(2) { number.to_le_bytes() } else { number.to_be_bytes() };
            let end = if script.one_in(2) { &word[..range.len()] } else { &word[8 - range.len()..] };
            bytes[range].copy_from_slice(end);
        }
        _ => {
            let at = script.below(count + 1);
            bytes.insert(at, script.byte());
        }
    }
}

/// A number as protobuf writes it.
pub fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}
