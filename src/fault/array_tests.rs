//! Faults of arrays against their definition, cell by cell.

use super::array::{CellArray, Device, FaultStream, WordFaults, standard_normal};
use super::map::MapBuffers;
use super::{FaultMap, MapKey};
use crate::memory::cells::{Axis, Failure, Lines, Polarity};
use crate::memory::measured::{Direction, MeasuredMap};
use crate::memory::residency::Residency;
use crate::memory::{Geometry, Passage};
use crate::random::{Label, Probability, normal};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

fn key() -> MapKey {
    MapKey::permanent("sram", 7, 3)
}

fn array(first_cell: u64, word_bits: u32, words: u64, weak: f64) -> CellArray {
    CellArray {
        residency: Residency { memory: 0, first_cell, word_bits, words },
        geometry: Geometry::default(),
        passage: None,
        weak: vec![weak; word_bits as usize],
        failure: Failure::Inverted,
        lines: Lines::Independent,
        device_sigma: 0.0,
        approximate_bits: word_bits,
        measured: None,
    }
}

fn stream(array: &CellArray) -> Vec<WordFaults> {
    let device = Device::new(array, key());
    let (mut stream, mut buffers) = (FaultStream::default(), MapBuffers::default());
    stream.reopen(false);
    let mut all = Vec::new();
    while let Some(word) = stream.head(&device, &mut buffers) {
        assert_eq!(stream.take(word + 1), None);
        all.push(stream.take(word).unwrap());
    }
    all
}

/// The cell of bit `bit` of word `word`, interleaved as a picture of the row would show it.
fn cell_of(array: &CellArray, word: u64, bit: u32) -> u64 {
    let degree = array.geometry.interleave;
    if let Some(passage) = &array.passage {
        let place = passage.place(word, array.residency.words);
        let group = place / degree * degree * u64::from(array.residency.word_bits);
        return array.residency.first_cell + group + u64::from(bit) * degree + place % degree;
    }
    let bits = u64::from(array.residency.word_bits);
    let group = word / degree;
    let in_group = degree.min(array.residency.words - group * degree);
    let offset = group * degree * bits + u64::from(bit) * in_group + word % degree;
    let cell = array.residency.first_cell + offset;
    array.geometry.capacity_bits().map_or(cell, |capacity| cell % capacity)
}

fn line_rate(array: &CellArray, cell: u64, p: f64) -> f64 {
    let words = key().words(Label::new("line"));
    let line = |axis| match axis {
        Axis::Column => array.geometry.bitline(cell),
        Axis::Row => array.geometry.wordline(cell),
    };
    match array.lines {
        Lines::Independent => p,
        Lines::Shifted { axis, ratio } => {
            let z = standard_normal(words.at(line(axis)));
            normal::cumulative((normal::quantile(p) + ratio * z) / (1.0 - ratio * ratio).sqrt())
        }
        Lines::Bad { axis, share } => {
            let is_bad = (words.at(line(axis)) >> 11) as f64 / 2f64.powi(53) < share;
            if is_bad { (p / share).min(1.0) } else { ((p - share) / (1.0 - share)).max(0.0) }
        }
    }
}

/// Every bit of every word by itself, from the numbers of all cells.
fn by_definition(array: &CellArray) -> Vec<WordFaults> {
    let cells = array.geometry.capacity_bits().map_or(array.residency.cells(), |capacity| 0..capacity);
    let all = FaultMap::new(key(), Probability::ONE).weak_cells_with_numbers(cells);
    let numbers: BTreeMap<u64, f64> = all.into_iter().map(|weak| (weak.cell, weak.u)).collect();
    let polarity = key().words(Label::new("polarity"));
    let mut faults = Vec::new();
    for word in 0..array.residency.words {
        let mut fault = WordFaults { word, ..WordFaults::default() };
        for bit in 0..array.approximate_bits {
            let cell = cell_of(array, word, bit);
            if numbers[&cell] >= line_rate(array, cell, array.weak[bit as usize]) {
                continue;
            }
            let is_one = match array.failure {
                Failure::Inverted => {
                    fault.inverted |= 1 << bit;
                    continue;
                }
                Failure::Stuck(Polarity::Share(share)) => {
                    ((polarity.at(cell) >> 11) as f64 / 2f64.powi(53)) < share
                }
                Failure::Stuck(Polarity::RowBlocks(rows)) => array.geometry.locate(cell).row / rows % 2 == 1,
            };
            fault.stuck |= 1 << bit;
            fault.ones |= u32::from(is_one) << bit;
        }
        if fault.inverted | fault.stuck != 0 {
            faults.push(fault);
        }
    }
    faults
}

fn failures() -> impl Strategy<Value = Failure> {
    prop_oneof![
        Just(Failure::Inverted),
        (0.0..=1.0).prop_map(|share| Failure::Stuck(Polarity::Share(share))),
        (1u64..9).prop_map(|rows| Failure::Stuck(Polarity::RowBlocks(rows))),
    ]
}

fn lines() -> impl Strategy<Value = Lines> {
    let axis = || prop_oneof![Just(Axis::Column), Just(Axis::Row)];
    prop_oneof![
        Just(Lines::Independent),
        (axis(), 0.05..0.95).prop_map(|(axis, ratio)| Lines::Shifted { axis, ratio }),
        (axis(), 0.01..0.9).prop_map(|(axis, share)| Lines::Bad { axis, share }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn streams_are_as_defined(
        failure in failures(),
        lines in lines(),
        (word_bits, words, first_cell) in (1u32..=32, 1u64..300, 0u64..5000),
        (interleave, rows, banks) in (1u64..9, 1u64..12, 1u64..4),
        is_bounded: bool,
        rates in prop::collection::vec(0.0f64..0.4, 32),
        protected in 0u32..8,
    ) {
        let mut array = array(first_cell, word_bits, words, 0.0);
        array.weak = rates[..word_bits as usize].to_vec();
        array.approximate_bits = word_bits - protected.min(word_bits);
        array.weak[array.approximate_bits as usize..].fill(0.0);
        (array.failure, array.lines) = (failure, lines);
        let geometry = Geometry::new(banks * rows * 4 * 16, banks, 4, 16).unwrap();
        array.geometry = Geometry { rows: geometry.rows.filter(|_| is_bounded), interleave, ..geometry };
        if !is_bounded {
            array.geometry.banks = 1;
        }
        let faults = by_definition(&array);
        prop_assert_eq!(&stream(&array), &faults);
        let bits = |fault: &WordFaults| (0..32).filter(|bit| (fault.inverted | fault.stuck) >> bit & 1 == 1).collect();
        let cells: BTreeSet<u64> = faults
            .iter()
            .flat_map(|fault| { let bits: Vec<u32> = bits(fault); bits.into_iter().map(|bit| cell_of(&array, fault.word, bit)) })
            .collect();
        prop_assert!(array.weak_cells(key()).iter().map(|weak| weak.0).eq(cells));
    }

    #[test]
    fn words_that_pass_in_tiles_meet_the_cells_of_their_places(
        (failure, lines) in (failures(), lines()),
        (word_bits, first_cell, interleave) in (1u32..=32, 0u64..500, 1u64..6),
        (unit_words, group_units, groups) in (1u64..12, 1u64..6, 1u64..3),
        (part_words, tile_units, slots) in (1u64..12, 1u64..6, 1u64..3),
        parts_first: bool,
        rates in prop::collection::vec(0.0f64..0.4, 32),
    ) {
        let (part_words, tile_units) = (part_words.min(unit_words), tile_units.min(group_units));
        let slot_words = part_words * tile_units;
        let passage = Passage { unit_words, group_units, tile_units, part_words, parts_first, slots, slot_words };
        let mut array = array(first_cell, word_bits, unit_words * group_units * groups, 0.0);
        array.weak = rates[..word_bits as usize].to_vec();
        (array.failure, array.lines, array.passage) = (failure, lines, Some(passage));
        array.geometry = Geometry { interleave, ..Geometry::new(40 * 8 * 64, 2, 8, 64).unwrap() };
        prop_assert!(array.passage_cells(&passage).end <= 40 * 8 * 64);
        prop_assert_eq!(stream(&array), by_definition(&array));
    }

    #[test]
    fn faults_at_smaller_rates_are_among_those_at_larger_ones(
        failure in failures(), lines in lines(), p in 0.0f64..0.3, factor in 0.0f64..1.0
    ) {
        let at = |weak| {
            let mut array = array(17, 13, 400, weak);
            (array.failure, array.lines) = (failure, lines);
            array.geometry = Geometry { interleave: 3, ..Geometry::new(4096, 1, 4, 16).unwrap() };
            stream(&array)
        };
        let large: BTreeMap<u64, WordFaults> = at(p).into_iter().map(|fault| (fault.word, fault)).collect();
        for small in at(p * factor) {
            let wide = large[&small.word];
            prop_assert_eq!(small.inverted & !wide.inverted, 0);
            prop_assert_eq!(small.stuck & !wide.stuck, 0);
            prop_assert_eq!(small.ones, wide.ones & small.stuck);
        }
    }
}

#[test]
fn a_large_residency_crosses_chunks_and_wraps() {
    // 3 Mbit through 1.5 Mbit of cells in chunks of 1 Mbit.
    let mut wrapped = array(1_000_000, 12, 262_144, 0.004);
    wrapped.geometry = Geometry::new(1_572_864, 1, 8, 64).unwrap();
    wrapped.failure = Failure::Stuck(Polarity::Share(0.3));
    assert_eq!(stream(&wrapped), by_definition(&wrapped));
    let mut whole = wrapped.clone();
    whole.geometry = Geometry::default();
    assert_eq!(stream(&whole), by_definition(&whole));
}

#[test]
fn a_weak_cell_strikes_every_tile_that_passes_through_it() {
    let mut buffer = array(0, 8, 64 * 50, 0.02);
    buffer.geometry = Geometry::new(512, 1, 8, 64).unwrap();
    let tiles = |faults: Vec<WordFaults>| -> Vec<Vec<(u64, u32)>> {
        let tile = |index| faults.iter().filter(move |fault| fault.word / 64 == index);
        (0..50).map(|index| tile(index).map(|fault| (fault.word % 64, fault.inverted)).collect()).collect()
    };
    let tiles = tiles(stream(&buffer));
    assert!(!tiles[0].is_empty() && tiles.iter().all(|tile| *tile == tiles[0]));
}

#[test]
fn devices_differ_by_a_log_normal_factor() {
    let (sigma, cells) = (0.8, 64 * 20_000u64);
    let mut one = array(0, 32, cells / 32, 2e-3);
    one.device_sigma = sigma;
    let logs: Vec<f64> = (0..200)
        .map(|trial| {
            let device = Device::new(&one, MapKey::permanent("dram", 1, trial));
            let (mut stream, mut buffers) = (FaultStream::default(), MapBuffers::default());
            let mut weak = 0;
            while let Some(word) = stream.head(&device, &mut buffers) {
                weak += stream.take(word).unwrap().inverted.count_ones();
            }
            (f64::from(weak) / (cells as f64 * 2e-3)).ln()
        })
        .collect();
    let mean = logs.iter().sum::<f64>() / 200.0;
    let variance = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / 199.0;
    // 200 devices: five standard errors of mean and deviation of a normal sample.
    assert!(mean.abs() < 5.0 * sigma / 200f64.sqrt(), "{mean}");
    assert!((variance.sqrt() / sigma - 1.0).abs() < 5.0 / 400f64.sqrt(), "{}", variance.sqrt());
}

#[test]
fn a_measured_map_strikes_exactly_its_cells() {
    let cells = vec![(3, Direction::StuckAtOne), (70, Direction::Inverted), (127, Direction::StuckAtZero)];
    let mut chip = array(64, 16, 12, 0.0);
    chip.geometry = Geometry::new(128, 1, 2, 64).unwrap();
    chip.measured = Some(Arc::new(MeasuredMap::new(cells)));
    chip.approximate_bits = 15;
    let stuck = |word, stuck, ones| WordFaults { word, stuck, ones, inverted: 0 };
    let inverted = |word| WordFaults { word, inverted: 1 << 6, ..WordFaults::default() };
    // Words 0..4 lie in cells 64..128, words 4..12 in 0..128; bit 15 of a word is precise.
    assert_eq!(stream(&chip), [inverted(0), stuck(4, 8, 8), inverted(8)]);
}
