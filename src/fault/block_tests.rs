//! Coded words against one long code string, decoded block by block.

use super::{DeviceFaults, Draw, MemoryStop, Path, Redraw, Stop, StrikeBuffers};
use crate::memory::Lifetime;
use crate::memory::cells::{Failure, Polarity};
use crate::memory::residency::Residency;
use crate::memory::secded;
use crate::number::{BinaryPoint, Codec, Format, Range, Rounding};
use crate::random::Probability;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn codec(bits: u32, words: usize) -> Codec {
    let format = Format::Fixed { bits, binary_point: BinaryPoint::At(1), rounding: Rounding::NearestEven };
    Codec::new(&format, &[Range { max_abs: 1.0 }], words).unwrap()
}

fn golden(word: usize) -> f32 {
    (word as f32 * 0.618_034).fract() * 2.0 - 1.0
}

const DRAW: Draw = Draw { seed: 5, trial: 2, redraw: Redraw::Trial };

fn coded(words: usize, bits: u32, coded_msbs: u32, rate: f64) -> MemoryStop {
    let residency = Residency { memory: 0, first_cell: 70, word_bits: bits, words: words as u64 };
    let rate = Probability::new(rate).unwrap();
    MemoryStop {
        coded_msbs,
        first_check_cell: 40,
        ..MemoryStop::uniform("dram", residency, rate, 0, Lifetime::Permanent)
    }
}

fn path(stop: &MemoryStop) -> Path {
    let codec = codec(stop.residency.word_bits, stop.residency.words as usize);
    Path::new(codec.clone(), codec, &[Stop::Memory(stop.clone())]).unwrap()
}

fn strike(path: &Path, device: Option<&DeviceFaults>) -> (u64, Vec<(usize, f32)>) {
    let (mut flips, mut hits) = ([0], Vec::new());
    path.strike(&DRAW, device, &mut StrikeBuffers::default(), &mut flips, golden, |word, value| {
        hits.push((word, value));
    });
    (flips[0], hits)
}

/// The code string of the whole image, bit by bit.
fn by_definition(stop: &MemoryStop) -> (u64, Vec<(usize, f32)>) {
    let (bits, coded) = (stop.residency.word_bits, stop.coded_msbs);
    let words = stop.residency.words as usize;
    let codec = codec(bits, words);
    let device = path(stop).device(DRAW.seed, DRAW.trial, &mut StrikeBuffers::default());
    let [of_words, of_checks] = device.lists(0);
    let stored: Vec<u32> = (0..words).map(|word| codec.encode(word, golden(word))).collect();
    let mut read = stored.clone();
    for faults in of_words {
        read[faults.word as usize] = faults.apply(read[faults.word as usize]);
    }
    let string = |codes: &[u32]| -> Vec<bool> {
        codes.iter().flat_map(|code| (bits - coded..bits).map(move |bit| code >> bit & 1 == 1)).collect()
    };
    let block =
        |string: &[bool]| string.iter().enumerate().map(|(bit, &one)| u64::from(one) << bit).sum::<u64>();
    let check_faults: BTreeMap<u64, _> = of_checks.iter().map(|faults| (faults.word, faults)).collect();
    let mut decoded = Vec::new();
    for (index, (stored, read)) in (0u64..).zip(string(&stored).chunks(64).zip(string(&read).chunks(64))) {
        let check = secded::encode(block(stored));
        let check = check_faults.get(&index).map_or(check, |faults| faults.apply(u32::from(check)) as u8);
        let data = secded::decode(block(read), check).data;
        decoded.extend((0..read.len()).map(|bit| data >> bit & 1));
    }
    let mut flips = 0;
    let mut hits = Vec::new();
    for word in 0..words {
        let low = read[word] & ((1u64 << (bits - coded)) - 1) as u32;
        let high = decoded[word * coded as usize..][..coded as usize]
            .iter()
            .rev()
            .fold(0, |code, bit| code << 1 | bit);
        let code = (u64::from(low) | high << (bits - coded)) as u32;
        flips += u64::from((code ^ stored[word]).count_ones());
        if code != stored[word] {
            hits.push((word, codec.decode(word, code)));
        }
    }
    (flips, hits)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn coded_words_are_decoded_as_one_string(
        bits in 1u32..=32, part in 0.0f64..=1.0, words in 1usize..500,
        rate in prop_oneof![1e-4..2e-3f64, 2e-3..0.1f64], share in prop::option::of(0.0..=1.0f64),
    ) {
        let coded_msbs = ((f64::from(bits) * part) as u32).max(1);
        let mut stop = coded(words, bits, coded_msbs, rate);
        if let Some(share) = share {
            stop.faults.failure = Failure::Stuck(Polarity::Share(share));
        }
        let struck = strike(&path(&stop), None);
        prop_assert_eq!(&struck, &by_definition(&stop));
        let device = path(&stop).device(DRAW.seed, DRAW.trial, &mut StrikeBuffers::default());
        prop_assert_eq!(&struck, &strike(&path(&stop), Some(&device)));
    }
}

#[test]
fn cf11_a_code_leaves_what_its_formula_says() {
    // All bits of 8-bit words: eight words to a block.
    let words = 1 << 21;
    for rate in [1e-4, 1e-3, 1e-2] {
        let (flips, _) = strike(&path(&coded(words, 8, 8, rate)), None);
        let expected = (words * 8) as f64 * rate * (1.0 - (1.0 - rate).powi(71));
        // Errors that are left come in pairs: twice the variance of single ones. The formula leaves out miscorrections,
        // one wrong bit more in the code words of three errors.
        let bound = 5.0 * (2.0 * expected).sqrt() + 12.0 * rate * expected;
        assert!((flips as f64 - expected).abs() < bound, "{rate}: {flips} of {expected}");
    }
}

#[test]
fn single_errors_are_corrected() {
    let plain = coded(4096, 8, 0, 1e-4);
    let (flips, _) = strike(&path(&plain), None);
    let (left, _) = strike(&path(&coded(4096, 8, 8, 1e-4)), None);
    assert!(flips > 0 && left == 0, "{flips}, {left}");
}
