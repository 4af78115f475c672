//! Weak cells that gather on bitlines and wordlines, and words whose bits are interleaved.

use super::preset::{STUTZ, number, of_sram, sram};
use super::{SEED, memory, path, residency, resting, upper_tail, weak};
use approxmem::fault::{DeviceFaults, Draw, MemoryStop, Redraw, StrikeBuffers};
use approxmem::memory::cells::CellFaults;
use approxmem::memory::measured::{Direction, MeasuredMap};
use approxmem::memory::sram::Spatial;
use approxmem::memory::{Geometry, Memory};
use std::collections::BTreeSet;
use std::sync::Arc;

const V: f64 = 20.0 / 24.0;

fn rate() -> f64 {
    upper_tail((V - number(STUTZ, "mu")) / number(STUTZ, "sigma"))
}

/// Four banks of 128 rows of 512 cells: 2048 bitlines of 128 cells, 512 wordlines of 512 cells.
fn geometry() -> Geometry {
    Geometry::new(4 * 128 * 512, 4, 8, 64).unwrap()
}

fn clustered(spatial: Spatial) -> Memory {
    let mut error = sram(STUTZ, V);
    error.spatial = spatial;
    memory(of_sram(&error), geometry())
}

/// Weak cells on every line of `devices` devices.
fn counts_by_line(memory: &Memory, devices: u64, lines: usize, line: impl Fn(u64) -> u64) -> Vec<f64> {
    let cells = memory.geometry.capacity_bits().unwrap();
    let stop = resting(memory, residency(0, 8, cells / 8));
    let mut counts = Vec::new();
    for trial in 0..devices {
        let first = counts.len();
        counts.resize(first + lines, 0.0);
        for (cell, _) in weak(&stop, trial) {
            counts[first + line(cell) as usize] += 1.0;
        }
    }
    counts
}

fn bitline(cell: u64) -> u64 {
    cell / (128 * 512) * 512 + cell % 512
}

fn wordline(cell: u64) -> u64 {
    cell / 512
}

/// Checks mean and variance of the numbers of weak cells on lines, within five standard errors of the sample.
fn check_moments(counts: &[f64], mean: f64, variance: f64) {
    let n = counts.len() as f64;
    let moment = |power| counts.iter().map(|count| (count - mean).powi(power)).sum::<f64>() / n;
    let z = (counts.iter().sum::<f64>() / n - mean) / (variance / n).sqrt();
    assert!(z.abs() < 5.0, "mean over lines, not {mean}: z = {z}");
    let (found, fourth) = (moment(2), moment(4));
    let z = (found - variance) / ((fourth - found * found) / n).sqrt();
    assert!(z.abs() < 5.0, "variance over lines {found}, not {variance}: z = {z}");
}

#[test]
fn cf17_weak_cells_on_bad_columns_and_rows() {
    for share in [0.02, 0.05, 0.3] {
        let in_line = rate() / share;
        let over_binomial =
            |cells: f64| ((1.0 - in_line) + cells * in_line * (1.0 - share)) / (1.0 - share * in_line);
        let columns = clustered(Spatial::BadColumns { bad_share: share });
        let rows = clustered(Spatial::BadRows { bad_share: share });
        for (memory, lines, cells, line) in
            [(&columns, 2048, 128.0, bitline as fn(u64) -> u64), (&rows, 512, 512.0, wordline)]
        {
            let counts = counts_by_line(memory, 40, lines, line);
            let binomial = cells * rate() * (1.0 - rate());
            check_moments(&counts, cells * rate(), binomial * over_binomial(cells));
            let struck = counts.iter().filter(|&&count| count > 0.0).count() as f64;
            // Good lines have no weak cell; nearly all bad ones do.
            let expected = share * (1.0 - (1.0 - in_line).powf(cells));
            let n = counts.len() as f64;
            let z = (struck - n * expected) / (n * expected * (1.0 - expected)).sqrt();
            assert!(z.abs() < 5.0, "share {share}: lines struck, z = {z}");
        }
    }
}

/// P(two cells of a line are weak): the mean over standard normal z of Phi((q + r z) / sqrt(1 - r²))², q = Phi^-1(p).
fn both_weak(ratio: f64) -> f64 {
    let quantile = -(V - number(STUTZ, "mu")) / number(STUTZ, "sigma");
    let step = 1e-3;
    (-8000..=8000)
        .map(|index| f64::from(index) * step)
        .map(|z| {
            let density = (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt();
            density * step * upper_tail(-(quantile + ratio * z) / (1.0 - ratio * ratio).sqrt()).powi(2)
        })
        .sum()
}

#[test]
fn columns_that_share_variation_keep_the_mean_rate() {
    for ratio in [0.3, 0.6, 0.9] {
        let counts = counts_by_line(&clustered(Spatial::Column { column_ratio: ratio }), 40, 2048, bitline);
        let (p, cells) = (rate(), 128.0);
        let variance = cells * p * (1.0 - p) + cells * (cells - 1.0) * (both_weak(ratio) - p * p);
        check_moments(&counts, cells * p, variance);
    }
}

/// Words of 8 bits over 16 rows of 512 cells whose bitlines `bad` invert.
fn with_bad_bitlines(bad: &[u64], word_bits: u32, interleave: u64) -> MemoryStop {
    let geometry = Geometry { interleave, ..Geometry::new(16 * 512, 1, 8, 64).unwrap() };
    let cells = (0..16).flat_map(|row| bad.iter().map(move |line| (512 * row + line, Direction::Inverted)));
    MemoryStop {
        passage: None,
        memory: "buffer".into(),
        residency: residency(0, word_bits, 16 * 512 / u64::from(word_bits)),
        geometry,
        faults: CellFaults::uniform(word_bits, 0.0, 0.0),
        precise_msbs: 0,
        coded_msbs: 0,
        first_check_cell: 0,
        measured: Some(Arc::new(MeasuredMap::new(cells.collect()))),
    }
}

/// Words changed, each with its wrong bits.
fn wrong_bits(stop: &MemoryStop) -> Vec<(u64, u32)> {
    let changes = super::strike(stop, 0, Redraw::Trial, |_| 0);
    changes.iter().map(|change| (change.word, change.stored ^ change.read)).collect()
}

#[test]
fn a_bad_bitline_has_one_significance_where_rows_hold_whole_groups_of_words() {
    for (interleave, word_bits) in [(1, 8), (1, 16), (4, 8), (8, 8), (64, 8), (4, 16)] {
        for line in [0, 3, 77, 200, 511] {
            let wrong = wrong_bits(&with_bad_bitlines(&[line], word_bits, interleave));
            let significances: BTreeSet<u32> = wrong.iter().map(|word| word.1).collect();
            assert_eq!((wrong.len(), significances.len()), (16, 1), "degree {interleave}, bitline {line}");
            assert!(wrong.iter().all(|word| word.1.is_power_of_two()));
        }
    }
    // Rows of 42 words and a part of one: the next row begins eight bits later in a word.
    let wrong = wrong_bits(&with_bad_bitlines(&[3], 12, 1));
    let significances: BTreeSet<u32> = wrong.iter().map(|word| word.1).collect();
    assert_eq!(significances, BTreeSet::from([1 << 3, 1 << 7, 1 << 11]));
}

#[test]
fn interleaving_spreads_neighbouring_bad_bitlines_over_words() {
    for degree in [2u64, 4, 8] {
        for (first, bit) in [(0, 0), (3 * degree, 3), (16 * 8 + 5 * degree, 5)] {
            let bad: Vec<u64> = (first..first + degree).collect();
            // One bit position of as many neighbouring words per row.
            let spread = wrong_bits(&with_bad_bitlines(&bad, 8, degree));
            let first_word = first / (8 * degree) * degree;
            let expected: Vec<_> = (0..16)
                .flat_map(|row| (0..degree).map(move |word| (64 * row + first_word + word, 1 << bit)))
                .collect();
            assert_eq!(spread, expected, "degree {degree}, bitlines {bad:?}");
            // Without, so many positions of the word or the two words that they cross.
            let gathered = wrong_bits(&with_bad_bitlines(&bad, 8, 1));
            let words: BTreeSet<u64> = bad.iter().map(|line| line / 8).collect();
            assert_eq!(gathered.len(), 16 * words.len());
            let bits: u32 = gathered.iter().map(|word| word.1.count_ones()).sum();
            assert_eq!(u64::from(bits), 16 * degree);
        }
    }
}

#[test]
fn interleaved_words_are_struck_alike_with_and_without_a_list_of_the_device() {
    let mut memory = clustered(Spatial::BadColumns { bad_share: 0.05 });
    for interleave in [1, 3, 4, 8] {
        memory.geometry.interleave = interleave;
        let stop = resting(&memory, residency(40, 8, 50_001));
        let (codec, path) = path(&stop);
        let struck = |device: Option<&DeviceFaults>| {
            let (mut flips, mut hits) = ([0], Vec::new());
            let draw = Draw { seed: SEED, trial: 9, redraw: Redraw::Trial };
            let golden = |word: usize| codec.decode(word, super::any_code(word as u64));
            path.strike(&draw, device, &mut StrikeBuffers::default(), &mut flips, golden, |word, value| {
                hits.push((word, value.to_bits()));
            });
            (flips, hits)
        };
        let device = path.device(SEED, 9, &mut StrikeBuffers::default());
        assert!(!device.is_empty());
        assert_eq!(struck(None), struck(Some(&device)), "degree {interleave}");
    }
}
