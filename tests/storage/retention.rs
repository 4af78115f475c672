//! DRAM refreshed less often: cells lose charge, and only charge.

use super::preset::{FLIKKER, dram_on, number, of_dram};
use super::{
    Change, any_code, binomial_z, cells_changed, exposed, memory, ones_in_eight, residency, strike,
    upper_tail, weak,
};
use approxmem::fault::{MemoryStop, Redraw};
use approxmem::memory::Geometry;
use approxmem::memory::dram::{CellLayout, Errors};
use approxmem::memory::measured::Direction;
use approxmem::memory::residency::Exposure;

/// Rows of 512 cells in three blocks, the second of which holds zeros as charge.
const ROW_BLOCK: u64 = 2048;
const CELLS: u64 = 3 * ROW_BLOCK * 512;
const LAYOUTS: [CellLayout; 4] = [
    CellLayout::AllTrue,
    CellLayout::AllAnti,
    CellLayout::Half,
    CellLayout::RowBlocks { row_block: ROW_BLOCK },
];

/// Share of cells that lose their charge within `seconds` at the reference temperature.
fn share_weak(seconds: f64) -> f64 {
    upper_tail((number(FLIKKER, "mu_ln_s") - seconds.ln()) / number(FLIKKER, "sigma_ln"))
}

/// All cells of a memory of one bank, read every `reuse_s` seconds.
fn stop(error: &Errors, reuse_s: f64) -> MemoryStop {
    let memory = memory(of_dram(error), Geometry::new(CELLS, 1, 8, 64).unwrap());
    exposed(&memory, residency(0, 8, CELLS / 8), &Exposure::once(reuse_s))
}

/// Share of charged cells where the share `ones` of the data, alike everywhere, is ones.
fn share_charged(layout: CellLayout, ones: f64) -> f64 {
    match layout {
        CellLayout::AllTrue => ones,
        CellLayout::AllAnti => 1.0 - ones,
        CellLayout::Half => 0.5,
        CellLayout::RowBlocks { .. } => (2.0 * ones + (1.0 - ones)) / 3.0,
    }
}

/// Whether `cell` holds a one as charge; `None` where that is drawn.
fn is_true_cell(layout: CellLayout, cell: u64) -> Option<bool> {
    match layout {
        CellLayout::AllTrue => Some(true),
        CellLayout::AllAnti => Some(false),
        CellLayout::Half => None,
        CellLayout::RowBlocks { row_block } => Some(cell / 512 / row_block != 1),
    }
}

fn stored_bit(code: &dyn Fn(u64) -> u32, cell: u64) -> u32 {
    code(cell / 8) >> (cell % 8) & 1
}

/// A weak cell errs iff it holds charge: the changed bits are exactly those of charged weak cells.
fn check_charge(
    layout: CellLayout,
    weak: &[(u64, Direction)],
    stop: &MemoryStop,
    changes: &[Change],
    code: &dyn Fn(u64) -> u32,
) {
    for &(cell, direction) in weak {
        assert_ne!(direction, Direction::Inverted, "cell {cell}");
        if let Some(is_true) = is_true_cell(layout, cell) {
            assert_eq!(direction == Direction::StuckAtZero, is_true, "{layout:?}, cell {cell}");
        }
    }
    let charge = |direction| u32::from(direction == Direction::StuckAtZero);
    let charged: Vec<u64> = weak
        .iter()
        .filter(|&&(cell, direction)| stored_bit(code, cell) == charge(direction))
        .map(|weak| weak.0)
        .collect();
    assert_eq!(cells_changed(stop, changes), charged, "{layout:?}");
}

#[test]
fn cf5_cf13_only_charged_cells_err() {
    let mut error = dram_on(FLIKKER, "log_normal", 240.0);
    for layout in LAYOUTS {
        error.cell_layout = layout;
        let stop = stop(&error, 1e9);
        let weak = weak(&stop, 1);
        let z = binomial_z(weak.len() as u64, CELLS, share_weak(240.0));
        assert!(z.abs() < 5.0, "{layout:?}: weak cells, z = {z}");
        let true_cells = weak.iter().filter(|weak| weak.1 == Direction::StuckAtZero).count() as u64;
        let z = binomial_z(true_cells, weak.len() as u64, share_charged(layout, 1.0));
        assert!(z.abs() < 5.0, "{layout:?}: true cells, z = {z}");
        for ones in [0, 1, 4, 6, 8] {
            let code = ones_in_eight(ones);
            let changes = strike(&stop, 1, Redraw::Trial, code);
            check_charge(layout, &weak, &stop, &changes, &code);
            let wrong = cells_changed(&stop, &changes).len() as u64;
            let charged = share_charged(layout, f64::from(ones) / 8.0);
            let z = binomial_z(wrong, CELLS, charged * share_weak(240.0));
            assert!(z.abs() < 5.0, "{layout:?}, {ones} ones in 8: {wrong} wrong bits, z = {z}");
        }
        let changes = strike(&stop, 1, Redraw::Trial, any_code);
        check_charge(layout, &weak, &stop, &changes, &any_code);
        let z = binomial_z(cells_changed(&stop, &changes).len() as u64, CELLS, share_weak(240.0) / 2.0);
        assert!(z.abs() < 5.0, "{layout:?}, random data: z = {z}");
    }
}

#[test]
fn cf5_error_moments_of_true_cells() {
    // All codes equally often in unsigned order: E[e] = -p(2^m - 1)/2, E[e²] = p(1-p)S/2 + p²(2^m-1)(2^{m+1}-1)/6.
    let mut error = dram_on(FLIKKER, "log_normal", 240.0);
    error.cell_layout = CellLayout::AllTrue;
    let changes = strike(&stop(&error, 1e9), 2, Redraw::Trial, any_code);
    let errors = changes.iter().map(|change| f64::from(change.read) - f64::from(change.stored));
    let [sum, squares, fourth] = errors.fold([0.0; 3], |[sum, squares, fourth], error| {
        assert!(error < 0.0, "a true cell loses ones only");
        [sum + error, squares + error * error, fourth + error.powi(4)]
    });
    let (p, words) = (share_weak(240.0), (CELLS / 8) as f64);
    let (mean, mse) = (sum / words, squares / words);
    let z = (mean + p * 255.0 / 2.0) / ((mse - mean * mean) / words).sqrt();
    assert!(z.abs() < 5.0, "mean {mean}, z = {z}");
    let expected = p * (1.0 - p) * 21_845.0 / 2.0 + p * p * (255.0 * 511.0 / 6.0);
    let z = (mse - expected) / ((fourth / words - mse * mse) / words).sqrt();
    assert!(z.abs() < 5.0, "MSE {mse} against {expected}, z = {z}");
}

#[test]
fn cf13_delivered_rate_over_interval_temperature_and_module() {
    for (interval, celsius, halving, reuse, scale) in [
        (60.0, 48.0, 10.0, 1e9, 1.0),
        (60.0, 78.0, 10.0, 1e9, 1.0),
        (60.0, 78.0, 50.0, 1e9, 1.0),
        (600.0, 38.0, 10.0, 1e9, 1.0),
        (60.0, 78.0, 10.0, 1e9, 2.5),
        // Accesses refresh: the shorter interval counts.
        (60.0, 78.0, 10.0, 20.0, 1.0),
        (20.0, 78.0, 10.0, 60.0, 1.0),
    ] {
        let mut error = dram_on(FLIKKER, "log_normal", interval);
        (error.temp_c, error.temp_halving_c, error.module_scale) = (celsius, halving, scale);
        let effective = f64::min(interval, reuse) * ((celsius - 48.0) / halving).exp2();
        for layout in LAYOUTS {
            error.cell_layout = layout;
            let stop = stop(&error, reuse);
            let changes = strike(&stop, 4, Redraw::Trial, ones_in_eight(2));
            let wrong = cells_changed(&stop, &changes).len() as u64;
            let expected = scale * share_weak(effective) * share_charged(layout, 0.25);
            let z = binomial_z(wrong, CELLS, expected);
            assert!(z.abs() < 5.0, "{error:?}: {wrong} wrong bits, z = {z}");
        }
    }
}
