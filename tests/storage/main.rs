//! Faults of voltage-scaled SRAM and of DRAM refreshed less often, from the constants of a preset to the words that are
//! delivered, against closed forms. Seeds are fixed, so every test passes or fails for good.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod device;
mod lines;
mod nesting;
mod preset;
mod retention;
mod voltage;

use approxmem::fault::{Draw, MemoryStop, Path, Redraw, Stop, StrikeBuffers, weak_cells};
use approxmem::memory::measured::Direction;
use approxmem::memory::residency::{Exposure, Residency};
use approxmem::memory::{Geometry, Lifetime, Memory, Protection, Technology};
use approxmem::number::{BinaryPoint, Codec, Format, Range, Rounding};
use statrs::distribution::{ContinuousCDF, Normal};

const SEED: u64 = 20_170_510;
const MEBI: u64 = 1 << 20;

/// A word that is not read as it was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Change {
    word: u64,
    stored: u32,
    read: u32,
}

fn memory(technology: Technology, geometry: Geometry) -> Memory {
    Memory {
        name: "buffer".into(),
        technology,
        geometry,
        protection: Protection::dual_rail(0),
        lifetime: None,
        measured: None,
    }
}

fn residency(first_cell: u64, word_bits: u32, words: u64) -> Residency {
    Residency { memory: 0, first_cell, word_bits, words }
}

/// The words of `residency` in `memory`, where they go through `exposure`.
fn exposed(memory: &Memory, residency: Residency, exposure: &Exposure) -> MemoryStop {
    MemoryStop {
        passage: None,
        memory: memory.name.clone(),
        residency,
        geometry: memory.geometry,
        faults: memory.cell_faults(Lifetime::Permanent, exposure, residency.word_bits),
        precise_msbs: memory.protection.precise_msbs(),
        coded_msbs: memory.protection.coded_msbs(),
        first_check_cell: 0,
        measured: memory.measured.clone(),
    }
}

/// The words of `residency` in `memory` for so long that no access refreshes them.
fn resting(memory: &Memory, residency: Residency) -> MemoryStop {
    exposed(memory, residency, &Exposure::once(1e9))
}

fn weak(stop: &MemoryStop, trial: u64) -> Vec<(u64, Direction)> {
    weak_cells(std::slice::from_ref(stop), SEED, trial).unwrap().cells().to_vec()
}

fn path(stop: &MemoryStop) -> (Codec, Path) {
    let Residency { word_bits: bits, words, .. } = stop.residency;
    let format = Format::Fixed { bits, binary_point: BinaryPoint::At(0), rounding: Rounding::NearestEven };
    let codec = Codec::new(&format, &[Range { max_abs: 1.0 }], words as usize).unwrap();
    let path = Path::new(codec.clone(), codec.clone(), &[Stop::Memory(stop.clone())]).unwrap();
    (codec, path)
}

/// The fixed-point words `code` after their rest at `stop` in device `trial`: those that are changed.
fn strike(stop: &MemoryStop, trial: u64, redraw: Redraw, code: impl Fn(u64) -> u32) -> Vec<Change> {
    let (codec, path) = path(stop);
    let (mut flips, mut changes) = ([0], Vec::new());
    let golden = |word: usize| codec.decode(word, code(word as u64));
    let draw = Draw { seed: SEED, trial, redraw };
    path.strike(&draw, None, &mut StrikeBuffers::default(), &mut flips, golden, |word, value| {
        let read = codec.encode(word, value);
        changes.push(Change { word: word as u64, stored: code(word as u64), read });
    });
    assert_eq!(flips[0], bits_changed(&changes), "flips are counted where words change");
    changes
}

fn bits_changed(changes: &[Change]) -> u64 {
    changes.iter().map(|change| u64::from((change.stored ^ change.read).count_ones())).sum()
}

/// Cells of the bits that are changed, where one word lies behind the other, ascending.
fn cells_changed(stop: &MemoryStop, changes: &[Change]) -> Vec<u64> {
    let Residency { first_cell, word_bits, .. } = stop.residency;
    let cells = changes.iter().flat_map(|change| {
        let wrong = change.stored ^ change.read;
        let bits = (0..word_bits).filter(move |bit| wrong >> bit & 1 == 1);
        bits.map(move |bit| first_cell + change.word * u64::from(word_bits) + u64::from(bit))
    });
    cells.collect()
}

/// Codes of 8 bits of which exactly `ones` in eight are ones at every position.
fn ones_in_eight(ones: u32) -> impl Fn(u64) -> u32 + Copy {
    let pattern = ((1u32 << ones) - 1) as u8;
    move |word| u32::from(pattern.rotate_left((word % 8) as u32))
}

/// Codes of 8 bits in an order unrelated to the cells.
fn any_code(word: u64) -> u32 {
    (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u32
}

/// Standard deviations between `count` successes and the mean of `trials` trials of probability `p`.
fn binomial_z(count: u64, trials: u64, p: f64) -> f64 {
    let (mean, variance) = (trials as f64 * p, trials as f64 * p * (1.0 - p));
    if variance == 0.0 {
        return if count as f64 == mean { 0.0 } else { f64::INFINITY };
    }
    (count as f64 - mean) / variance.sqrt()
}

/// Q(z): probability of a standard normal deviate above `z`.
fn upper_tail(z: f64) -> f64 {
    Normal::standard().sf(z)
}

/// Number of entries that two ascending lists share.
fn overlap<T: Ord>(left: &[T], right: &[T]) -> u64 {
    left.iter().filter(|cell| right.binary_search(cell).is_ok()).count() as u64
}
