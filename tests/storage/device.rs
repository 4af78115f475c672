//! A device has one map of weak cells: for all its tensors, on any number of threads, and written to a file.

use super::preset::{FLIKKER, STUTZ, dram_on, of_dram, of_sram, sram};
use super::{Change, SEED, any_code, memory, path, residency, resting, strike};
use approxmem::fault::{Draw, MemoryStop, Redraw, StrikeBuffers, weak_cells};
use approxmem::memory::cells::{CellFaults, Failure, Lines};
use approxmem::memory::measured::{Direction, MeasuredMap};
use approxmem::memory::sram::{self, Spatial};
use approxmem::memory::{ByBit, Geometry, Memory, Protection};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

const CAPACITY: u64 = 1 << 17;
/// Bits that never change under words that are all ones or all zeros.
const ALL_ZEROS: u32 = 0;

fn small() -> Geometry {
    Geometry::new(CAPACITY, 2, 8, 64).unwrap()
}

fn sram_memory(spatial: Spatial, direction: sram::Direction, geometry: Geometry) -> Memory {
    let mut error = sram(STUTZ, 0.8);
    (error.spatial, error.direction, error.p01_share) = (spatial, direction, 0.45);
    memory(of_sram(&error), geometry)
}

/// Every kind of map in a memory that words pass more than once, and DRAM with an interval for each bit.
fn memories() -> Vec<Memory> {
    let interleaved = Geometry { interleave: 4, ..small() };
    let mut guarded = sram_memory(Spatial::Column { column_ratio: 0.6 }, sram::Direction::Stuck, interleaved);
    guarded.protection = Protection::dual_rail(2);
    let mut retention = dram_on(FLIKKER, "log_normal", 600.0);
    retention.refresh_interval_ms = ByBit::new(vec![64.0, 60e3, 600e3]).unwrap();
    vec![
        sram_memory(Spatial::Iid, sram::Direction::Flip, small()),
        sram_memory(Spatial::Iid, sram::Direction::Flip, Geometry::default()),
        sram_memory(Spatial::BadColumns { bad_share: 0.1 }, sram::Direction::Stuck, small()),
        sram_memory(Spatial::BadRows { bad_share: 0.1 }, sram::Direction::Flip, interleaved),
        guarded,
        memory(of_dram(&retention), small()),
    ]
}

/// 2.3 times through a small memory, beginning inside a row.
fn passing(memory: &Memory) -> MemoryStop {
    resting(memory, residency(96, 8, 23 * CAPACITY / 80 / 8 * 8))
}

#[test]
fn a_written_map_read_back_delivers_the_same_words() {
    for memory in memories() {
        let model = passing(&memory);
        let map = weak_cells(std::slice::from_ref(&model), SEED, 3).unwrap();
        let mut file = Vec::new();
        map.write(&mut file, "buffer", &memory.geometry).unwrap();
        let read = MeasuredMap::read(file.as_slice(), "buffer", &memory.geometry).unwrap();
        assert_eq!(read, map);
        let faults = CellFaults {
            weak: vec![0.0; 8],
            failure: Failure::Inverted,
            lines: Lines::Independent,
            ..model.faults.clone()
        };
        let measured = MemoryStop { faults, measured: Some(Arc::new(read)), ..model.clone() };
        for code in [any_code, |_| 0xff, |_| ALL_ZEROS] {
            let expected = strike(&model, 3, Redraw::Trial, code);
            assert!(!expected.is_empty());
            // The chip is the same in every trial.
            assert_eq!(strike(&measured, 12, Redraw::Trial, code), expected, "{memory:?}");
        }
    }
}

/// The cells behind the changed bits of words whose cells follow one another and wrap around, with what they deliver.
fn physical(stop: &MemoryStop, changes: &[Change]) -> BTreeMap<u64, u32> {
    let cells = super::cells_changed(stop, changes).into_iter();
    let read = changes.iter().flat_map(|change| {
        let bits = (0..8).filter(|bit| (change.stored ^ change.read) >> bit & 1 == 1);
        bits.map(|bit| change.read >> bit & 1)
    });
    cells.map(|cell| cell % CAPACITY).zip(read).collect()
}

#[test]
fn tensors_of_one_memory_meet_the_same_cells() {
    for memory in [
        sram_memory(Spatial::Iid, sram::Direction::Flip, small()),
        sram_memory(Spatial::Iid, sram::Direction::Stuck, small()),
        sram_memory(Spatial::BadColumns { bad_share: 0.1 }, sram::Direction::Stuck, small()),
        sram_memory(Spatial::Column { column_ratio: 0.6 }, sram::Direction::Flip, small()),
        memory(of_dram(&dram_on(FLIKKER, "log_normal", 600.0)), small()),
    ] {
        // One that fits, one that lies wholly behind the end of the memory, one across its end.
        let tensors = [(0, 12_000), (5 * CAPACITY + 64, 12_000), (CAPACITY - 8000, 4000)];
        let stops = tensors.map(|(first, words)| resting(&memory, residency(first, 8, words)));
        for code in [0, 0xff] {
            let struck =
                stops.each_ref().map(|stop| physical(stop, &strike(stop, 6, Redraw::Trial, |_| code)));
            for (left, right, shared) in [(0, 1, 64..96_000), (0, 2, 0..24_000), (1, 2, 64..24_000)] {
                let within = |map: &BTreeMap<u64, u32>| -> Vec<_> {
                    map.range(shared.clone()).map(|(&cell, &read)| (cell, read)).collect()
                };
                let expected = within(&struck[left]);
                assert!(!expected.is_empty());
                assert_eq!(within(&struck[right]), expected, "{memory:?}: tensors {left} and {right}");
            }
        }
        // The map of all of them is the union.
        let all = weak_cells(&stops, SEED, 6).unwrap();
        let mut union: Vec<(u64, Direction)> = stops.iter().flat_map(|stop| super::weak(stop, 6)).collect();
        union.sort_unstable();
        union.dedup();
        assert_eq!(all.cells(), union);
        assert!(all.cells().windows(2).all(|pair| pair[0].0 < pair[1].0), "one direction for each cell");
    }
}

#[test]
fn any_number_of_threads_meets_the_same_device() {
    for memory in memories() {
        let stop = passing(&memory);
        let (codec, path) = path(&stop);
        let golden = |word: usize| codec.decode(word, any_code(word as u64));
        let session = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let device = path.device(SEED, 2, &mut StrikeBuffers::default());
                let cells = weak_cells(std::slice::from_ref(&stop), SEED, 2).unwrap();
                let strikes: Vec<_> = (0..6u64)
                    .into_par_iter()
                    .map_init(StrikeBuffers::default, |buffers, image| {
                        let (mut flips, mut hits) = ([0], Vec::new());
                        let draw =
                            Draw { seed: SEED, trial: 2, redraw: Redraw::Activation { image, blob: 0 } };
                        let device = (image % 2 == 0).then_some(&device);
                        path.strike(&draw, device, buffers, &mut flips, golden, |word, value| {
                            hits.push((word, value.to_bits()));
                        });
                        (flips, hits)
                    })
                    .collect();
                (cells, strikes)
            })
        };
        let alone = session(1);
        assert!(alone.1.iter().all(|strike| *strike == alone.1[0]), "no transient fault, no difference");
        assert_eq!(alone, session(3), "{memory:?}");
    }
}
