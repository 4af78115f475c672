//! What is asked for is what is delivered: counts, positions, independence and error moments of injected faults against
//! closed forms. Seeds are fixed, so every test passes or fails for good.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use approxmem::fault::{
    Draw, FaultMap, MapKey, MemoryStop, Path, Redraw, Stop, StoredImage, StrikeBuffers, WordFlips,
};
use approxmem::memory::Lifetime;
use approxmem::memory::residency::Residency;
use approxmem::number::{BinaryPoint, Codec, Format, Range, Rounding};
use approxmem::random::Probability;
use statrs::distribution::{Binomial, Discrete};

const SEED: u64 = 20_170_510;
const MEBI: u64 = 1 << 20;
/// Every rate of the ladder with as many cells as give it a good number of faults in little time.
const LADDER: [(f64, u64); 12] = [
    (1e-8, 8192 * MEBI),
    (1e-7, 2048 * MEBI),
    (1e-6, 1024 * MEBI),
    (1e-5, 256 * MEBI),
    (1e-4, 64 * MEBI),
    (1e-3, 16 * MEBI),
    (1e-2, 8 * MEBI),
    (0.1, 4 * MEBI),
    (0.3, 4 * MEBI),
    (0.5, 4 * MEBI),
    (0.75, 4 * MEBI),
    (1.0, 4 * MEBI),
];

fn probability(p: f64) -> Probability {
    Probability::new(p).unwrap()
}

fn map(p: f64, trial: u64) -> FaultMap {
    FaultMap::new(MapKey::permanent("dram", SEED, trial), probability(p))
}

fn residency(words: u64, word_bits: u32) -> Residency {
    Residency { memory: 0, first_cell: 0, word_bits, words }
}

fn word_flips(p: f64, words: u64, word_bits: u32, protected_msbs: u32, trial: u64) -> Vec<WordFlips> {
    StoredImage::new(residency(words, word_bits), protected_msbs).unwrap().word_flips(&map(p, trial))
}

fn flips(words: &[WordFlips]) -> u64 {
    words.iter().map(|word| u64::from(word.mask.count_ones())).sum()
}

/// Standard deviations between `count` successes and the mean of `trials` trials of probability `p`.
fn binomial_z(count: u64, trials: u64, p: f64) -> f64 {
    let (mean, variance) = (trials as f64 * p, trials as f64 * p * (1.0 - p));
    if variance == 0.0 {
        return if count as f64 == mean { 0.0 } else { f64::INFINITY };
    }
    (count as f64 - mean) / variance.sqrt()
}

/// Number of entries that two ascending lists share.
fn overlap(left: &[u64], right: &[u64]) -> u64 {
    left.iter().filter(|cell| right.binary_search(cell).is_ok()).count() as u64
}

#[test]
fn cf1_flips_are_binomial_at_every_rate() {
    for (p, cells) in LADDER {
        for (word_bits, protected_msbs) in [(32, 0), (16, 3), (7, 2)] {
            let words = cells / u64::from(word_bits);
            let found = word_flips(p, words, word_bits, protected_msbs, 1);
            let at_risk = words * u64::from(word_bits - protected_msbs);
            let z = binomial_z(flips(&found), at_risk, p);
            assert!(z.abs() < 5.0, "p = {p}, {word_bits} bits, k = {protected_msbs}: z = {z}");
        }
    }
}

#[test]
fn cf1_the_spread_over_trials_is_binomial_too() {
    for p in [1e-4, 3e-3, 0.05] {
        let trials = 200;
        let sum: f64 = (0..trials)
            .map(|trial| binomial_z(flips(&word_flips(p, 8192, 32, 0, trial)), 8192 * 32, p).powi(2))
            .sum();
        // Chi-square of 200 degrees of freedom: mean 200, sd 20.
        assert!((120.0..280.0).contains(&sum), "p = {p}: sum of z² over {trials} trials = {sum}");
    }
}

#[test]
fn no_fault_at_zero_and_all_at_one() {
    assert!(word_flips(0.0, MEBI, 32, 0, 0).is_empty());
    let all = word_flips(1.0, 100_000, 13, 2, 0);
    assert_eq!(all.len(), 100_000);
    assert!(
        all.iter().enumerate().all(|(index, word)| word.word == index as u64 && word.mask == (1 << 11) - 1)
    );
}

#[test]
fn every_bit_position_errs_alike() {
    for p in [1e-3, 0.0159, 0.1, 0.6] {
        for word_bits in [7, 16, 32] {
            let words = 4 * MEBI / u64::from(word_bits);
            let found = word_flips(p, words, word_bits, 0, 2);
            let chi_square: f64 = (0..word_bits)
                .map(|bit| found.iter().filter(|word| word.mask >> bit & 1 == 1).count() as u64)
                .map(|count| binomial_z(count, words, p).powi(2))
                .sum();
            let freedom = f64::from(word_bits);
            let limit = freedom + 5.0 * (2.0 * freedom).sqrt();
            assert!(chi_square < limit, "p = {p}, {word_bits} bits: chi-square {chi_square} over positions");
        }
    }
}

#[test]
fn faults_spread_evenly_over_a_chunk() {
    // 256 stretches of a chunk, summed over chunks: a sampler that loses cells at the ends of blocks shows here.
    for p in [1e-4, 1e-3, 0.01, 0.2] {
        let (chunks, stretches) = (64, 256);
        let mut counts = vec![0u64; stretches];
        for cell in map(p, 3).weak_cells(0..chunks * MEBI) {
            counts[(cell % MEBI) as usize / (MEBI as usize / stretches)] += 1;
        }
        let per_stretch = chunks * MEBI / stretches as u64;
        let chi_square: f64 = counts.iter().map(|&count| binomial_z(count, per_stretch, p).powi(2)).sum();
        // 256 degrees of freedom: sd 22.6.
        assert!((143.0..369.0).contains(&chi_square), "p = {p}: chi-square over stretches {chi_square}");
    }
}

#[test]
fn cf7_flips_per_word_are_binomial() {
    for p in [1e-3, 0.01, 0.1, 0.3] {
        // Pairs of 32-bit words: 64 cells.
        let pairs = 2 * MEBI / 64 * 8;
        let mut counts = [0u64; 65];
        for pair in word_flips(p, 2 * pairs, 32, 0, 4).chunk_by(|left, right| left.word / 2 == right.word / 2)
        {
            counts[flips(pair) as usize] += 1;
        }
        counts[0] = pairs - counts.iter().sum::<u64>();
        let law = Binomial::new(p, 64).unwrap();
        let (mut chi_square, mut freedom) = (0.0, 0.0);
        for (number, &count) in counts.iter().enumerate() {
            let probability = law.pmf(number as u64);
            if probability * pairs as f64 > 10.0 {
                chi_square +=
                    (count as f64 - pairs as f64 * probability).powi(2) / (pairs as f64 * probability);
                freedom += 1.0;
            }
        }
        assert!(
            chi_square < freedom + 5.0 * f64::sqrt(2.0 * freedom),
            "p = {p}: chi-square {chi_square}/{freedom}"
        );
        if p == 0.01 {
            let z = binomial_z(counts[2..].iter().sum(), pairs, 0.1346);
            assert!(z.abs() < 5.0, "P(>= 2 of 64) at 1 %: z = {z}");
        }
        let hit = pairs - counts[0];
        let z = binomial_z(hit, pairs, 1.0 - (1.0 - p).powi(64));
        assert!(z.abs() < 5.0, "p = {p}: words hit, z = {z}");
    }
}

#[test]
fn cf8_maps_are_nested_cell_for_cell() {
    let ladder =
        [1e-7, 1e-6, 1e-5, 6.1e-5, 1e-4, 3e-4, 1e-3, 0.002, 0.0078, 0.01, 0.0156, 0.016, 0.03, 0.1, 0.3];
    let cells = 8 * MEBI;
    let mut before: (f64, Vec<u64>) = (0.0, Vec::new());
    for p in ladder {
        let weak = map(p, 5).weak_cells(0..cells);
        assert!(weak.is_sorted_by(|left, right| left < right), "p = {p}: ascending, none twice");
        let (lower, inner) = &before;
        assert_eq!(overlap(inner, &weak), inner.len() as u64, "the map at {lower} lies in the map at {p}");
        // P(fails at p | fine at the rate before) = (p - lower) / (1 - lower).
        let fine = cells - inner.len() as u64;
        let z = binomial_z((weak.len() - inner.len()) as u64, fine, (p - lower) / (1.0 - lower));
        assert!(z.abs() < 5.0, "from {lower} to {p}: z = {z}");
        before = (p, weak);
    }
}

#[test]
fn cf8_a_map_is_the_set_of_cells_whose_number_is_below_the_rate() {
    let cells = 3 * MEBI / 2..2 * MEBI + 1000;
    for trial in 0..3 {
        let numbers = map(1.0, trial).weak_cells_with_numbers(cells.clone());
        assert_eq!(numbers.len() as u64, cells.end - cells.start);
        for p in [1e-6, 1e-5, 6.2e-5, 1e-4, 1e-3, 0.01, 0.0156, 0.02, 0.1, 0.25, 0.3, 0.5, 0.75, 1.0 - 1e-9] {
            let expected: Vec<_> = numbers.iter().filter(|weak| weak.u < p).map(|weak| weak.cell).collect();
            assert_eq!(map(p, trial).weak_cells(cells.clone()), expected, "p = {p}");
            let numbered = map(p, trial).weak_cells_with_numbers(cells.clone());
            assert!(numbered.iter().eq(numbers.iter().filter(|weak| weak.u < p)), "p = {p}: same numbers");
        }
    }
}

#[test]
fn cf8_numbers_of_cells_are_uniform() {
    let cells = 2 * MEBI;
    let numbers = map(1.0, 6).weak_cells_with_numbers(0..cells);
    let mut bins = [0u64; 200];
    for weak in &numbers {
        bins[(weak.u * 200.0) as usize] += 1;
    }
    let chi_square: f64 = bins
        .iter()
        .map(|&count| (count as f64 - cells as f64 / 200.0).powi(2) / (cells as f64 / 200.0))
        .sum();
    assert!(chi_square < 300.0, "199 degrees of freedom: chi-square {chi_square}");
    // Below 2^-6, where u comes from other shells: bins of equal width inside each binade.
    let deep = map(2.0_f64.powi(-6), 7).weak_cells_with_numbers(0..64 * MEBI);
    for binade in 7..16 {
        let (low, width) = (2.0_f64.powi(-binade), 2.0_f64.powi(-binade - 3));
        for bin in 0..8 {
            let start = low + f64::from(bin) * width;
            let count = deep.iter().filter(|weak| (start..start + width).contains(&weak.u)).count();
            let z = binomial_z(count as u64, 64 * MEBI, width);
            assert!(z.abs() < 5.0, "u in {start}..{}: z = {z}", start + width);
        }
    }
}

#[test]
fn cf9_maps_of_different_keys_are_independent() {
    let cells = 8 * MEBI;
    let keys = [
        ("trial", MapKey::permanent("dram", SEED, 11)),
        ("seed", MapKey::permanent("dram", SEED + 1, 10)),
        ("memory", MapKey::permanent("drbm", SEED, 10)),
        ("lifetime", MapKey::transient("dram", SEED, 10)),
        ("image", MapKey::transient("dram", SEED, 10).image(0)),
        ("next image", MapKey::transient("dram", SEED, 10).image(1)),
        ("blob", MapKey::transient("dram", SEED, 10).activation(0, 1)),
        ("next blob", MapKey::transient("dram", SEED, 10).activation(0, 2)),
        ("other image", MapKey::transient("dram", SEED, 10).activation(1, 1)),
    ];
    for p in [0.004, 0.05] {
        let maps: Vec<_> = std::iter::once(MapKey::permanent("dram", SEED, 10))
            .chain(keys.map(|(_, key)| key))
            .map(|key| FaultMap::new(key, probability(p)).weak_cells(0..cells))
            .collect();
        for (index, left) in maps.iter().enumerate() {
            for (other, right) in maps.iter().enumerate().skip(index + 1) {
                let z = binomial_z(overlap(left, right), cells, p * p);
                assert!(z.abs() < 5.0, "p = {p}: maps {index} and {other} overlap with z = {z}");
            }
        }
        let again = FaultMap::new(MapKey::permanent("dram", SEED, 10), probability(p)).weak_cells(0..cells);
        assert_eq!(again, maps[0], "same key, same map");
    }
}

#[test]
fn cf9_neighbouring_chunks_and_cells_are_independent() {
    let cells = 32 * MEBI;
    for p in [0.004, 0.02, 0.1] {
        let weak = map(p, 12).weak_cells(0..cells);
        for distance in [1, 2, 3, 32, 63, 64, 128, 1024, MEBI - 1, MEBI, 2 * MEBI] {
            let moved: Vec<_> = weak.iter().map(|cell| cell + distance).collect();
            let z = binomial_z(overlap(&moved, &weak), cells - distance, p * p);
            // Pairs share cells, which raises the variance of their number by a factor 1 + 2p.
            assert!(z.abs() < 5.0 * (1.0 + 2.0 * p).sqrt(), "p = {p}, distance {distance}: z = {z}");
        }
    }
}

#[test]
fn neighbouring_shells_join_independently() {
    // Cells of one shell, moved on or not, never tell of those of another: pairs of cells with u in two binades.
    let cells = 64 * MEBI;
    let deep = map(2.0_f64.powi(-6), 13).weak_cells_with_numbers(0..cells);
    let binade = |shell: i32, offset: u64| -> Vec<u64> {
        let range = 2.0_f64.powi(-shell - 1)..2.0_f64.powi(-shell);
        deep.iter().filter(|weak| range.contains(&weak.u)).map(|weak| weak.cell + offset).collect()
    };
    for shell in 6..10 {
        for offset in [1, 64, MEBI] {
            let z = binomial_z(
                overlap(&binade(shell + 1, offset), &binade(shell, 0)),
                cells - offset,
                2.0_f64.powi(-2 * shell - 3),
            );
            assert!(z.abs() < 5.0, "shells {shell} and {} at distance {offset}: z = {z}", shell + 1);
        }
    }
}

/// Error of every word in LSBs when `words` words of 8-bit codes pass one memory; `code` yields the stored codes.
fn fixed_errors(p: f64, words: u64, protected_msbs: u32, code: impl Fn(u64) -> u32) -> (f64, f64, f64) {
    let format = Format::Fixed { bits: 8, binary_point: BinaryPoint::At(0), rounding: Rounding::NearestEven };
    let codec = Codec::new(&format, &[Range { max_abs: 1.0 }], words as usize).unwrap();
    let lsb = 2.0_f64.powi(-7);
    let stop = Stop::Memory(MemoryStop::uniform(
        "dram",
        residency(words, 8),
        probability(p),
        protected_msbs,
        Lifetime::Permanent,
    ));
    let path = Path::new(codec.clone(), codec.clone(), &[stop]).unwrap();
    let golden = |word: usize| codec.decode(word, code(word as u64));
    let (mut sum, mut squares, mut fourth) = (0.0, 0.0, 0.0);
    let draw = Draw { seed: SEED, trial: 20, redraw: Redraw::Trial };
    path.strike(&draw, None, &mut StrikeBuffers::default(), &mut [0], golden, |word, value| {
        let error = f64::from(value - golden(word)) / lsb;
        sum += error;
        squares += error * error;
        fourth += error.powi(4);
    });
    let words = words as f64;
    (sum / words, squares / words, fourth / words)
}

/// Codes that take all 256 values equally often, in an order unrelated to the cells.
fn uniform_code(word: u64) -> u32 {
    (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u32
}

fn squares_of_bits(bits: u32) -> f64 {
    f64::from((4u32.pow(bits) - 1) / 3)
}

#[test]
fn cf2_mean_square_error_of_uniform_data() {
    let words = 4 * MEBI;
    for p in [1e-3, 0.01, 0.1] {
        for (protected_msbs, coefficient) in [(0, 21_845.0), (3, 341.0), (4, 85.0)] {
            assert_eq!(squares_of_bits(8 - protected_msbs), coefficient);
            let (_, mse, fourth) = fixed_errors(p, words, protected_msbs, uniform_code);
            let z = (mse - p * coefficient) / ((fourth - mse * mse) / words as f64).sqrt();
            assert!(z.abs() < 5.0, "p = {p}, k = {protected_msbs}: MSE {mse} LSB², z = {z}");
        }
    }
}

#[test]
fn cf3_error_moments_of_a_fixed_datum() {
    let words = 2 * MEBI;
    for code in [0b0110_0101_u32, 0b1000_0000, 0b1101_1010] {
        for protected_msbs in [0, 3, 4] {
            let bits = 8 - protected_msbs;
            let low_field = f64::from(code & ((1 << bits) - 1));
            // The MSB counts negative: for k = 0, B = -1 - 2x with x the signed value.
            let bias = if protected_msbs == 0 {
                -1.0 - 2.0 * f64::from(code as u8 as i8)
            } else {
                f64::from((1 << bits) - 1) - 2.0 * low_field
            };
            for p in [0.01, 0.2] {
                let (mean, mse, fourth) = fixed_errors(p, words, protected_msbs, |_| code);
                let expected = p * (1.0 - p) * squares_of_bits(bits) + p * p * bias * bias;
                let z = (mean - p * bias) / ((mse - mean * mean) / words as f64).sqrt();
                assert!(z.abs() < 5.0, "code {code:#010b}, k = {protected_msbs}, p = {p}: mean, z = {z}");
                let z = (mse - expected) / ((fourth - mse * mse) / words as f64).sqrt();
                assert!(z.abs() < 5.0, "code {code:#010b}, k = {protected_msbs}, p = {p}: MSE, z = {z}");
            }
        }
    }
}

#[test]
fn cf4_gain_of_three_protected_msbs() {
    let words = 16 * MEBI;
    let (_, protected, protected_fourth) = fixed_errors(1e-3, words, 3, uniform_code);
    let (_, plain, plain_fourth) = fixed_errors(1e-4, words, 0, uniform_code);
    let relative_variance =
        (protected_fourth / protected.powi(2) + plain_fourth / plain.powi(2)) / words as f64;
    let ratio = protected / plain;
    let z = (ratio / 0.156_1 - 1.0) / relative_variance.sqrt();
    assert!(z.abs() < 5.0, "MSE at 1e-3 with k = 3 over MSE at 1e-4 with k = 0: {ratio}, z = {z}");
}

#[test]
fn cf5_one_directional_errors() {
    // Cells that lose their charge read 0: of the flips drawn, only those of ones happen.
    let words = 4 * MEBI;
    for (protected_msbs, p) in [(0, 0.02), (3, 0.02), (4, 0.1)] {
        let bits = 8 - protected_msbs;
        let (mut count, mut sum, mut squares, mut fourth) = (0, 0.0, 0.0, 0.0);
        for hit in word_flips(p, words, 8, protected_msbs, 21) {
            let lost = hit.mask & uniform_code(hit.word);
            count += u64::from(lost.count_ones());
            // Unsigned data: a lost bit lowers the value by its weight.
            let error = -f64::from(lost);
            sum += error;
            squares += error * error;
            fourth += error.powi(4);
        }
        let n = words as f64;
        let (mean, mse) = (sum / n, squares / n);
        let top = f64::from((1 << bits) - 1);
        let z = binomial_z(count, words * u64::from(bits), p / 2.0);
        assert!(z.abs() < 5.0, "k = {protected_msbs}: number of lost bits, z = {z}");
        let z = (mean + p * top / 2.0) / ((mse - mean * mean) / n).sqrt();
        assert!(z.abs() < 5.0, "k = {protected_msbs}: mean, z = {z}");
        let expected = p * (1.0 - p) * squares_of_bits(bits) / 2.0 + p * p * (top * (2.0 * top + 1.0) / 6.0);
        let z = (mse - expected) / ((fourth / n - mse * mse) / n).sqrt();
        assert!(z.abs() < 5.0, "k = {protected_msbs}: MSE {mse} against {expected}, z = {z}");
    }
}

#[test]
fn cf6_floor_truncation_on_the_link() {
    let format = Format::Fixed { bits: 8, binary_point: BinaryPoint::At(0), rounding: Rounding::NearestEven };
    let home = Codec::new(&format, &[Range { max_abs: 1.0 }], 256).unwrap();
    let lsb = 2.0_f64.powi(-7);
    for dropped in 1..=5 {
        let (delivered, narrowing) = home.narrowed(8 - dropped, Rounding::Floor).unwrap();
        let path = Path::new(home.clone(), delivered, &[Stop::Link(narrowing)]).unwrap();
        let errors = (0..256).map(|code| {
            let value = home.decode(0, code);
            f64::from(path.deliver(0, value) - value) / lsb
        });
        let (sum, squares) = errors.fold((0.0, 0.0), |(sum, squares), e| (sum + e, squares + e * e));
        // All codes once: the moments are exact.
        let steps = 2.0_f64.powi(dropped as i32);
        assert_eq!(sum / 256.0, -(steps - 1.0) / 2.0);
        assert_eq!(squares / 256.0, (steps - 1.0) * (2.0 * steps - 1.0) / 6.0);
    }
}

#[test]
fn cf15_single_flips_of_binary32() {
    let words = 2 * MEBI;
    let codec = Codec::new(&Format::Fp32, &[Range { max_abs: 1.0 }], words as usize).unwrap();
    let stop = |protected_msbs| {
        let cells = residency(words, 32);
        Stop::Memory(MemoryStop::uniform(
            "dram",
            cells,
            probability(1e-4),
            protected_msbs,
            Lifetime::Permanent,
        ))
    };
    // A normal number in [1/4, 2) of either sign, so that no exponent flip makes a subnormal.
    let golden = |word: usize| {
        let bits = (word as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        f32::from_bits((125 + (bits as u32 >> 23) % 3) << 23 | bits as u32 & 0x807f_ffff)
    };
    let draw = Draw { seed: SEED, trial: 30, redraw: Redraw::Trial };
    let mut buffers = StrikeBuffers::default();
    let mut counts = [0u64; 33];
    Path::new(codec.clone(), codec.clone(), &[stop(0)]).unwrap().strike(
        &draw,
        None,
        &mut buffers,
        &mut [0],
        golden,
        |word, value| {
            let before = golden(word);
            let mask = before.to_bits() ^ value.to_bits();
            if mask.count_ones() != 1 {
                return;
            }
            let bit = mask.trailing_zeros();
            counts[bit as usize] += 1;
            let exponent = f64::from(before).abs().log2().floor();
            let error = (f64::from(value) - f64::from(before)).abs();
            match bit {
                31 => assert_eq!(error, 2.0 * f64::from(before).abs()),
                0..23 => assert_eq!(error, (exponent - 23.0 + f64::from(bit)).exp2()),
                _ if !value.is_finite() => {
                    // Exponent 127 with its top bit set: all ones.
                    assert_eq!((bit, exponent), (30, 0.0));
                    counts[32] += 1;
                }
                _ => {
                    let factor = f64::from(value) / f64::from(before);
                    assert_eq!(factor.log2().abs(), f64::from(1 << (bit - 23)));
                }
            }
        },
    );
    let single = 1e-4 * (1.0 - 1e-4_f64).powi(31);
    for (bit, &count) in counts[..32].iter().enumerate() {
        let z = binomial_z(count, words, single);
        assert!(z.abs() < 5.0, "single flips of bit {bit}: z = {z}");
    }
    // A third of the words has exponent 0, whose top exponent bit makes an infinity or NaN.
    let z = binomial_z(counts[32], words, single / 3.0);
    assert!(z.abs() < 5.0, "not finite: z = {z}");

    // Mantissa only: E[e²] = p·4^E/3 for one binade.
    let (mut squares, mut fourth) = (0.0, 0.0);
    let in_one_binade = |word: usize| f32::from_bits(golden(word).to_bits() & 0x807f_ffff | 127 << 23);
    Path::new(codec.clone(), codec, &[stop(9)]).unwrap().strike(
        &draw,
        None,
        &mut buffers,
        &mut [0],
        in_one_binade,
        |word, value| {
            let error = f64::from(value) - f64::from(in_one_binade(word));
            squares += error * error;
            fourth += error.powi(4);
        },
    );
    let n = words as f64;
    let z = (squares / n - 1e-4 / 3.0) / (fourth / n / n).sqrt();
    assert!(z.abs() < 5.0, "mean square error of mantissa flips: z = {z}");
}
