//! Keys: named parts hashed in order into 128 bits.

use rand_pcg::Pcg64Dxsm;

/// The name of one part of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Label(u64);

impl Label {
    /// The label of `name`: its 64-bit FNV-1a hash, made at compile time.
    pub const fn new(name: &str) -> Self {
        let bytes = name.as_bytes();
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut index = 0;
        while index < bytes.len() {
            hash = (hash ^ bytes[index] as u64).wrapping_mul(0x0000_0100_0000_01b3);
            index += 1;
        }
        Self(hash)
    }
}

/// 2^64 divided by the golden ratio: the odd constant with the most even spread of its multiples.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Finaliser of `MurmurHash3` (Appleby): a bijection of 64 bits with full avalanche.
#[inline]
const fn murmur(mut z: u64) -> u64 {
    z = (z ^ (z >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    z = (z ^ (z >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    z ^ (z >> 33)
}

const STAFFORD_FIRST: u64 = 0xbf58_476d_1ce4_e5b9;
const STAFFORD_SECOND: u64 = 0x94d0_49bb_1331_11eb;

/// Finaliser of `SplitMix64` (Stafford's variant 13): a bijection of 64 bits with full avalanche.
#[inline]
const fn stafford(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(STAFFORD_FIRST);
    z = (z ^ (z >> 27)).wrapping_mul(STAFFORD_SECOND);
    z ^ (z >> 31)
}

/// The name of a draw: 128 hashed bits.
///
/// A part is absorbed by a map that is one-to-one in the state for a fixed part, and one-to-one in the value for a fixed
/// state: two keys that differ in one value only never collide, and keys of different histories collide as random
/// 128-bit numbers do. Every bit of a part flips every bit of the key with probability 1/2 (tested).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    high: u64,
    low: u64,
}

impl Key {
    /// The key from which all others of `domain` grow, for instance `"fault map"`.
    pub const fn new(domain: Label) -> Self {
        Self { high: GOLDEN, low: murmur(GOLDEN) }.with(domain, 0)
    }

    /// This key with one part more.
    #[inline]
    #[must_use]
    pub const fn with(self, label: Label, value: u64) -> Self {
        let part = stafford(value.wrapping_add(label.0));
        let mixed = murmur(self.high ^ part);
        let low = stafford(self.low.wrapping_add(mixed.wrapping_mul(GOLDEN)));
        Self { high: mixed.wrapping_add(low.rotate_left(32)), low }
    }

    /// This key with a text as one part more: its length and its bytes.
    #[must_use]
    pub fn with_text(self, label: Label, text: &str) -> Self {
        text.as_bytes().chunks(8).fold(self.with(label, text.len() as u64), |key, chunk| {
            let mut bytes = [0; 8];
            bytes[..chunk.len()].copy_from_slice(chunk);
            key.with(label, u64::from_le_bytes(bytes))
        })
    }

    /// The generator of this key, for draws in sequence.
    ///
    /// State and stream both come from hashed bits: generators of neighbouring chunks or trials that differed in a raw
    /// counter or in the stream number only would be correlated.
    #[inline]
    pub fn generator(self) -> Pcg64Dxsm {
        let join = |high: u64, low: u64| (u128::from(high) << 64) | u128::from(low);
        Pcg64Dxsm::new(
            join(self.high, self.low),
            join(stafford(self.low ^ GOLDEN), murmur(self.high.wrapping_add(GOLDEN))),
        )
    }

    /// The random words of this key, by address.
    #[inline]
    pub const fn words(self) -> Words {
        Words { base: self.high, twist: self.low }
    }
}

/// 2^64 independent-looking random words, each a pure function of its key and its address.
///
/// Word `a` is the `SplitMix64` output of counter `base + a·GOLDEN`, with the other half of the key mixed in between the two
/// multiplications: sequences whose counters happen to overlap still differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    base: u64,
    twist: u64,
}

impl Words {
    /// The word at `address`.
    #[inline]
    pub const fn at(self, address: u64) -> u64 {
        self.of_counter(self.counter(address))
    }

    /// The counter of the word at `address`; that of the next address is [`Words::STEP`] more.
    #[inline]
    pub(super) const fn counter(self, address: u64) -> u64 {
        self.base.wrapping_add(address.wrapping_mul(Self::STEP))
    }

    pub(super) const STEP: u64 = GOLDEN;

    #[inline]
    pub(super) const fn of_counter(self, counter: u64) -> u64 {
        let mut z = counter;
        z = (z ^ (z >> 30)).wrapping_mul(STAFFORD_FIRST) ^ self.twist;
        z = (z ^ (z >> 27)).wrapping_mul(STAFFORD_SECOND);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;
    use std::collections::HashSet;

    const SEED: Label = Label::new("seed");
    const CHUNK: Label = Label::new("chunk");

    fn root() -> Key {
        Key::new(Label::new("key test"))
    }

    fn bits(key: Key) -> u128 {
        (u128::from(key.high) << 64) | u128::from(key.low)
    }

    /// Largest |z| of the flip share of all (input bit, output bit) pairs against 1/2.
    fn worst_avalanche(outputs: usize, samples: u32, hash: impl Fn(u64) -> u128) -> f64 {
        let mut flips = vec![0u32; 64 * outputs];
        for sample in 0..samples {
            // Small counters, as real parts are.
            let value = u64::from(sample);
            let plain = hash(value);
            for input in 0..64 {
                let changed = plain ^ hash(value ^ (1 << input));
                for output in 0..outputs {
                    flips[input * outputs + output] += ((changed >> output) & 1) as u32;
                }
            }
        }
        let (mean, sd) = (f64::from(samples) / 2.0, f64::from(samples).sqrt() / 2.0);
        flips.iter().map(|&n| ((f64::from(n) - mean) / sd).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn every_bit_of_a_part_flips_every_bit_of_the_key_half_the_time() {
        // 8192 pairs: the largest of so many |z| stays below 5.5 but for 3e-4 of all hashes.
        let worst = worst_avalanche(128, 4096, |value| bits(root().with(SEED, value)));
        assert!(worst < 5.5, "part: |z| = {worst}");
        let worst = worst_avalanche(128, 4096, |value| bits(root().with(SEED, value).with(CHUNK, 7)));
        assert!(worst < 5.5, "earlier part: |z| = {worst}");
    }

    #[test]
    fn every_bit_of_an_address_flips_every_bit_of_its_word_half_the_time() {
        let words = root().words();
        let worst = worst_avalanche(64, 4096, |address| u128::from(words.at(address)));
        assert!(worst < 5.5, "|z| = {worst}");
    }

    #[test]
    fn keys_differ_by_value_label_order_and_text() {
        let mut keys = HashSet::new();
        let mut count = 0;
        for seed in 0..200 {
            for chunk in 0..200 {
                count += 2;
                keys.insert(root().with(SEED, seed).with(CHUNK, chunk));
                keys.insert(root().with(CHUNK, chunk).with(SEED, seed));
            }
        }
        for text in ["", "a", "b", "ab", "a\0", "weight_buffer", "weight_buffer2", "12345678", "123456789"] {
            count += 2;
            keys.insert(root().with_text(SEED, text));
            keys.insert(root().with_text(CHUNK, text));
        }
        assert_eq!(keys.len(), count);
        // 80,000 halves of 64 bits: a collision of either half has probability 2e-10.
        assert_eq!(keys.iter().map(|key| key.high).collect::<HashSet<_>>().len(), count);
        assert_eq!(keys.iter().map(|key| key.low).collect::<HashSet<_>>().len(), count);
    }

    /// z of the summed products of centred words of two streams.
    fn correlation(pairs: impl Iterator<Item = (u64, u64)>) -> f64 {
        let centred = |word: u64| (word >> 11) as f64 / (1u64 << 53) as f64 - 0.5;
        let (mut sum, mut count) = (0.0, 0.0);
        for (left, right) in pairs {
            sum += centred(left) * centred(right);
            count += 1.0;
        }
        sum / (f64::sqrt(count) / 12.0)
    }

    #[test]
    fn streams_of_neighbouring_keys_are_uncorrelated() {
        let chunk_pairs = || (0..40u64).flat_map(|seed| (0..500u64).map(move |chunk| (seed, chunk)));
        let key = |seed: u64, chunk: u64| root().with(SEED, seed).with(CHUNK, chunk);
        for (name, step) in [("chunk", (0, 1)), ("seed", (1, 0))] {
            let neighbours = || {
                chunk_pairs().map(move |(seed, chunk)| (key(seed, chunk), key(seed + step.0, chunk + step.1)))
            };
            let generators = correlation(neighbours().flat_map(|(left, right)| {
                let (mut left, mut right) = (left.generator(), right.generator());
                (0..16).map(move |_| (left.next_u64(), right.next_u64()))
            }));
            assert!(generators.abs() < 4.0, "generators of neighbouring {name}s: z = {generators}");
            let words = correlation(neighbours().flat_map(|(left, right)| {
                (0..16).map(move |address| (left.words().at(address), right.words().at(address)))
            }));
            assert!(words.abs() < 4.0, "words of neighbouring {name}s: z = {words}");
            // The first gap of a shell comes from the words, the others from the generator of a child key.
            let mixed = correlation(neighbours().flat_map(|(left, right)| {
                let mut generator = right.generator();
                (0..16).map(move |address| (left.words().at(address), generator.next_u64()))
            }));
            assert!(mixed.abs() < 4.0, "words against generators of neighbouring {name}s: z = {mixed}");
        }
    }

    #[test]
    fn words_are_equidistributed() {
        // Chi-square of every byte of 2^16 consecutive words: 255 degrees of freedom, sd 22.6.
        let words = root().with(SEED, 3).words();
        for byte in 0..8 {
            let mut counts = [0u32; 256];
            for address in 0..1 << 16 {
                counts[(words.at(address) >> (8 * byte)) as usize & 255] += 1;
            }
            let chi_square: f64 = counts.iter().map(|&n| (f64::from(n) - 256.0).powi(2) / 256.0).sum();
            assert!((142.0..368.0).contains(&chi_square), "byte {byte}: chi-square {chi_square}");
        }
    }

    #[test]
    fn the_hash_is_part_of_the_result_format() {
        // Results are reproducible across versions only as long as these numbers stand.
        let key = root().with(SEED, 1).with_text(CHUNK, "weight_buffer");
        assert_eq!((key.high, key.low, key.words().at(5), key.generator().next_u64()), FORMAT);
    }

    /// Computed by a second implementation of the hash and of PCG64DXSM, in Python.
    const FORMAT: (u64, u64, u64, u64) = (
        15_383_251_924_366_345_774,
        12_147_779_390_238_254_455,
        971_158_124_362_736_677,
        17_421_658_991_201_564_347,
    );
}
