//! The code against its definition, and its closed formulas against errors thrown at real code words.

use super::*;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Dxsm;

/// A code word with the bits at `positions` turned.
fn turned(data: u64, positions: &[u32]) -> (u64, u8) {
    positions.iter().fold((data, encode(data)), |(data, check), &position| match position {
        0..64 => (data ^ (1 << position), check),
        _ => (data, check ^ (1 << (position - 64))),
    })
}

#[test]
fn columns_are_distinct_and_load_the_check_bits_alike() {
    let mut columns = COLUMNS.to_vec();
    columns.extend((0..8).map(|check| 1 << check));
    assert!(columns.iter().all(|column: &u8| column.count_ones() % 2 == 1));
    columns.sort_unstable();
    columns.dedup();
    assert_eq!(columns.len(), 72);
    assert!(MASKS.iter().all(|mask| mask.count_ones() == 26));
}

#[test]
fn every_single_error_is_corrected_and_every_double_error_detected() {
    let mut generator = Pcg64Dxsm::seed_from_u64(1);
    let mut words = vec![0, u64::MAX];
    words.extend((0..30).map(|_| generator.random::<u64>()));
    for data in words {
        let check = encode(data);
        assert_eq!(decode(data, check), Decoded { data, check, verdict: Verdict::Clean });
        for first in 0..CODE_BITS {
            let (read, read_check) = turned(data, &[first]);
            let verdict = Verdict::Corrected(first);
            assert_eq!(decode(read, read_check), Decoded { data, check, verdict });
            for second in 0..first {
                let (data, check) = turned(data, &[first, second]);
                let delivered = Decoded { data, check, verdict: Verdict::Detected };
                assert_eq!(decode(data, check), delivered, "a detected word is delivered as it was read");
            }
        }
    }
}

/// Code words of weight 4 by the `MacWilliams` identity, from the weights of the dual code alone.
fn words_of_weight_4() -> i64 {
    let choose = |n: i64, k: i64| (0..k).fold(1, |product, i| product * (n - i) / (i + 1));
    let columns = || COLUMNS.iter().copied().chain((0..8).map(|check| 1 << check));
    let mut sum = 0;
    for combination in 0..=u8::MAX {
        let weight = columns().filter(|column| (column & combination).count_ones() % 2 == 1).count() as i64;
        // The Krawtchouk polynomial K_4(weight) for length 72.
        sum += (0..=4)
            .map(|j| if j % 2 == 0 { 1 } else { -1 } * choose(weight, j) * choose(72 - weight, 4 - j))
            .sum::<i64>();
    }
    assert_eq!(sum % 256, 0);
    sum / 256
}

#[test]
fn triple_errors_are_miscorrected_as_often_as_the_weights_of_the_code_say() {
    let mut miscorrected = 0;
    let mut triples = 0;
    for first in 0..CODE_BITS {
        for second in 0..first {
            for third in 0..second {
                let (data, check) = turned(0x0123_4567_89AB_CDEF, &[first, second, third]);
                let decoded = decode(data, check);
                triples += 1;
                match decoded.verdict {
                    Verdict::Clean => panic!("three errors cannot look like none in a code of distance 4"),
                    Verdict::Corrected(position) => {
                        assert!(![first, second, third].contains(&position));
                        miscorrected += 1;
                    }
                    Verdict::Detected => assert_eq!((decoded.data, decoded.check), (data, check)),
                }
            }
        }
    }
    assert_eq!(triples, 59_640);
    // Three of the four ones of a word of weight 4 look like the fourth.
    assert_eq!(miscorrected, 4 * words_of_weight_4());
    assert!((0.5..0.6).contains(&(miscorrected as f64 / 59_640.0)), "{miscorrected}");
}

/// What errors do to `words` random code words whose bits err with probability `q`.
struct Campaign {
    /// Words that were not restored, data and check bits.
    not_restored: u64,
    /// Wrong data bits if words with two or more errors were delivered as read.
    left: u64,
    /// Wrong data bits as delivered.
    delivered: u64,
}

fn campaign(words: u64, q: f64, seed: u64) -> Campaign {
    let mut generator = Pcg64Dxsm::seed_from_u64(seed);
    let mut result = Campaign { not_restored: 0, left: 0, delivered: 0 };
    let mut positions: Vec<u32> = Vec::new();
    let mut finish = |positions: &mut Vec<u32>, data: u64| {
        let (read, read_check) = turned(data, positions);
        let decoded = decode(read, read_check);
        let restored = (decoded.data, decoded.check) == (data, encode(data));
        result.not_restored += u64::from(!restored);
        result.delivered += u64::from((decoded.data ^ data).count_ones());
        if positions.len() > 1 {
            result.left += u64::from((read ^ data).count_ones());
        }
        positions.clear();
    };
    let (mut word, mut bit) = (0, 0.0);
    loop {
        let uniform: f64 = 1.0 - generator.random::<f64>();
        bit += 1.0 + (uniform.ln() / (-q).ln_1p()).floor();
        let next = (bit - 1.0) as u64 / 72;
        if next != word || next >= words {
            let data = generator.random();
            if !positions.is_empty() {
                finish(&mut positions, data);
            }
        }
        if next >= words {
            return result;
        }
        word = next;
        positions.push(((bit - 1.0) as u64 % 72) as u32);
    }
}

#[test]
fn cf11_closed_formulas_against_the_codec() {
    let published = [
        (1e-4, 40_000_000, 2.54e-5, 7.1e-7),
        (1e-3, 4_000_000, 2.44e-3, 6.9e-5),
        (1e-2, 400_000, 0.162, 5.1e-3),
    ];
    for (seed, (q, words, share, rate)) in published.into_iter().enumerate() {
        assert!((uncorrectable_share(q) / share - 1.0).abs() < 5e-3, "{q}: {}", uncorrectable_share(q));
        assert!(
            (residual_bit_error_rate(q) / rate - 1.0).abs() < 1e-2,
            "{q}: {}",
            residual_bit_error_rate(q)
        );
        let drawn = campaign(words, q, seed as u64);
        let expected = uncorrectable_share(q) * words as f64;
        let deviation = (drawn.not_restored as f64 - expected).abs();
        assert!(deviation < 5.0 * expected.sqrt(), "{q}: {} words, expected {expected}", drawn.not_restored);
        // Wrong bits come in twos and threes, of a word each: their variance is less than four times their number.
        let expected = residual_bit_error_rate(q) * (64 * words) as f64;
        let deviation = (drawn.left as f64 - expected).abs();
        assert!(deviation < 5.0 * (4.0 * expected).sqrt(), "{q}: {} bits, expected {expected}", drawn.left);
        // Miscorrection adds a bit to about half the words with three errors or more.
        let added = drawn.delivered as f64 / drawn.left as f64;
        assert!((1.0..1.06).contains(&added), "{q}: {added}");
    }
}

#[test]
fn v16_share_of_words_with_two_errors_at_1e3() {
    let words = 4_000_000;
    let share = campaign(words, 1e-3, 16).not_restored as f64 / words as f64;
    assert!((share / 2.44e-3 - 1.0).abs() < 0.05, "{share}");
}

#[test]
fn both_ways_of_summing_agree_and_the_ends_are_exact() {
    let tail = |q: f64| uncorrectable_share(q);
    assert!((tail(0.01) / tail(0.01 + 1e-12) - 1.0).abs() < 1e-9);
    assert_eq!((tail(0.0), residual_bit_error_rate(0.0)), (0.0, 0.0));
    assert_eq!((tail(1.0), residual_bit_error_rate(1.0)), (1.0, 1.0));
    // The first term is all that is left of small rates: C(72, 2) q^2.
    assert!((tail(1e-12) / 2556e-24 - 1.0).abs() < 1e-9);
}
