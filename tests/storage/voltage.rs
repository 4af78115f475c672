//! Voltage-scaled SRAM: how many cells fail, what they deliver, and for how long.

use super::preset::{CHIP_2, DPCS, STUTZ, number, of_sram, sram, sram_on};
use super::{
    MEBI, SEED, any_code, binomial_z, bits_changed, cells_changed, exposed, memory, ones_in_eight, overlap,
    residency, resting, strike, upper_tail, weak,
};
use approxmem::fault::{MemoryStop, Redraw, weak_cells};
use approxmem::memory::Geometry;
use approxmem::memory::residency::Exposure;
use approxmem::memory::sram::{Direction, Errors, Spatial};
use statrs::distribution::{ContinuousCDF, Normal};

/// `cells` cells of an SRAM as words of 8 bits.
fn stop(error: &Errors, cells: u64) -> MemoryStop {
    resting(&memory(of_sram(error), Geometry::default()), residency(0, 8, cells / 8))
}

/// The rate of the probit curve of the 14 nm preset: Q((v - mu) / sigma).
fn rate_at(v: f64) -> f64 {
    number(STUTZ, "scale") * upper_tail((v - number(STUTZ, "mu")) / number(STUTZ, "sigma"))
}

#[test]
fn v2_a_mebibit_at_vmin_has_no_failing_cell_but_rarely() {
    let stop = stop(&sram(STUTZ, 1.0), MEBI);
    let chips = 4000;
    let counts: Vec<u64> = (0..chips).map(|trial| weak(&stop, trial).len() as u64).collect();
    let at_most_one = counts.iter().filter(|&&count| count <= 1).count();
    assert!(at_most_one as f64 >= 0.95 * chips as f64, "{at_most_one} of {chips} chips");
    // Poisson: 0.05 cells per chip, as expected of a chip on which none failed.
    let (found, mean) = (counts.iter().sum::<u64>() as f64, 0.05 * chips as f64);
    assert!((found - mean).abs() < 5.0 * mean.sqrt(), "{found} failing cells, not {mean}");
    let z = binomial_z(counts.iter().sum(), chips * MEBI, rate_at(1.0));
    assert!(z.abs() < 5.0, "z = {z}");
}

/// Lines of 512 cells by their number of weak cells: none, one, more.
fn lines_by_faults(error: &Errors, lines: u64) -> [u64; 3] {
    let mut counts = [0; 3];
    let weak = weak(&stop(error, 512 * lines), 1);
    for line in weak.chunk_by(|left, right| left.0 / 512 == right.0 / 512) {
        counts[line.len().min(2)] += 1;
    }
    counts[0] = lines - counts[1] - counts[2];
    counts
}

#[test]
fn v6_share_of_faulty_64_byte_blocks() {
    let blocks = 1 << 19;
    let [whole, ..] = lines_by_faults(&sram(DPCS, 0.6), blocks);
    // Sampling error of the share: 0.5 %.
    let faulty = 1.0 - whole as f64 / blocks as f64;
    assert!((faulty / 0.0668 - 1.0).abs() < 0.03, "{faulty}");
    let z = number(DPCS, "z0") + 0.6 * number(DPCS, "z1") + 0.36 * number(DPCS, "z2");
    let of_cell = number(DPCS, "scale") * upper_tail(z);
    let z = binomial_z(blocks - whole, blocks, 1.0 - (1.0 - of_cell).powi(512));
    assert!(z.abs() < 5.0, "z = {z}");
}

#[test]
fn v7_share_of_lines_with_at_most_one_fault() {
    let rate = 6.9e-4;
    let v = number(STUTZ, "mu") + number(STUTZ, "sigma") * Normal::standard().inverse_cdf(1.0 - rate);
    let lines = 1 << 17;
    let [_, _, more] = lines_by_faults(&sram(STUTZ, v), lines);
    // Sampling error: 0.0006.
    let share = 1.0 - more as f64 / lines as f64;
    assert!((share - 0.95).abs() < 0.005, "{share}");
    let whole = (1.0 - rate).powi(512);
    let z = binomial_z(more, lines, 1.0 - whole - 512.0 * rate * (1.0 - rate).powi(511));
    assert!(z.abs() < 5.0, "z = {z}");
}

#[test]
fn cf9_devices_are_independent_and_reproducible() {
    let cells = 4 * MEBI;
    let stop = stop(&sram(STUTZ, 0.82), cells);
    let p = rate_at(0.82);
    let mut devices: Vec<_> = (0..4).map(|trial| weak(&stop, trial)).collect();
    assert_eq!(weak(&stop, 2), devices[2]);
    devices.push(weak_cells(std::slice::from_ref(&stop), SEED + 1, 0).unwrap().cells().to_vec());
    for (index, left) in devices.iter().enumerate() {
        let z = binomial_z(left.len() as u64, cells, p);
        assert!(z.abs() < 5.0, "device {index}: z = {z}");
        for (other, right) in devices.iter().enumerate().skip(index + 1) {
            let z = binomial_z(overlap(left, right), cells, p * p);
            assert!(z.abs() < 5.0, "devices {index} and {other}: z = {z}");
        }
    }
}

#[test]
fn cf10_stuck_cells_deliver_wrong_bits_by_data() {
    let (cells, v) = (2 * MEBI, 19.0 / 24.0);
    let mut error = sram(STUTZ, v);
    error.direction = Direction::Stuck;
    for s01 in [0.0, 0.001, 0.2, 0.45, 0.8, 1.0] {
        error.p01_share = s01;
        let stop = stop(&error, cells);
        for ones in [0, 2, 4, 7, 8] {
            let f0 = 1.0 - f64::from(ones) / 8.0;
            let wrong = bits_changed(&strike(&stop, 3, Redraw::Trial, ones_in_eight(ones)));
            let expected = rate_at(v) * (s01 * f0 + (1.0 - s01) * (1.0 - f0));
            let z = binomial_z(wrong, cells, expected);
            assert!(z.abs() < 5.0, "s01 = {s01}, f0 = {f0}: {wrong} wrong bits, z = {z}");
        }
    }
}

#[test]
fn v19_flips_of_chip_2_mostly_rise() {
    for (v, spatial) in [
        (0.8, Spatial::Iid),
        // The strength of the alignment is not published: a quarter of the variance here.
        (0.8, Spatial::Column { column_ratio: 0.5 }),
        (0.85, Spatial::Column { column_ratio: 0.5 }),
    ] {
        let mut error = sram(CHIP_2, v);
        (error.direction, error.p01_share) = (Direction::Stuck, number(CHIP_2, "p01_share"));
        error.spatial = spatial;
        // Half zeros, unrelated to the columns.
        let changes = strike(&stop(&error, 8 * MEBI), 5, Redraw::Trial, any_code);
        let rises = changes.iter().map(|change| u64::from((!change.stored & change.read).count_ones())).sum();
        let all = bits_changed(&changes);
        let share = rises as f64 / all as f64;
        assert!((0.73..=0.85).contains(&share), "{share} at {v}");
        let z = binomial_z(rises, all, 0.8);
        assert!(z.abs() < 5.0, "{spatial:?}: z = {z}");
    }
}

#[test]
fn cf1_a_persistent_fraction_leaves_the_rate_as_it_is() {
    let (cells, v, images) = (2 * MEBI, 18.0 / 24.0, 6);
    let p = rate_at(v);
    for fraction in [0.0, 0.07, 0.45, 1.0] {
        let mut error = sram(STUTZ, v);
        error.persistent_fraction = fraction;
        let stop = stop(&error, cells);
        let persistent: Vec<u64> = weak(&stop, 7).iter().map(|weak| weak.0).collect();
        let z = binomial_z(persistent.len() as u64, cells, fraction * p);
        assert!(z.abs() < 5.0, "fraction {fraction}: persistent cells, z = {z}");
        // Two inversions cancel: u with fraction·p·(1 - u) + (1 - fraction·p)·u = p.
        let u = (p - fraction * p) / (1.0 - 2.0 * fraction * p);
        let mut redrawn: Vec<Vec<u64>> = Vec::new();
        for image in 0..images {
            let changes = strike(&stop, 7, Redraw::Activation { image, blob: 1 }, any_code);
            let wrong = cells_changed(&stop, &changes);
            let z = binomial_z(wrong.len() as u64, cells, p);
            assert!(z.abs() < 5.0, "fraction {fraction}, image {image}: delivered, z = {z}");
            // A persistent cell errs in every image in which no other error hides it.
            let missed = persistent.len() as u64 - overlap(&persistent, &wrong);
            let z = binomial_z(missed, persistent.len() as u64, u);
            assert!(z.abs() < 5.0, "fraction {fraction}, image {image}: {missed} missed, z = {z}");
            redrawn.push(wrong.into_iter().filter(|cell| persistent.binary_search(cell).is_err()).collect());
        }
        let others = cells - persistent.len() as u64;
        for (image, left) in redrawn.iter().enumerate() {
            for right in &redrawn[image + 1..] {
                let z = binomial_z(overlap(left, right), others, u * u);
                assert!(z.abs() < 5.0, "fraction {fraction}: the rest is drawn anew, z = {z}");
            }
        }
    }
}

#[test]
fn errors_of_single_accesses_add_to_the_delivered_rate() {
    let cells = 8 * MEBI;
    // Soft errors of 1e12 FIT per Mbit: per hour, 3600 s · 1e12 / (3.6e12 s · 2^20) per cell.
    let soft_per_hour = 1e-3 * 1e6 / 1_048_576.0;
    for (v, read_upset, reads, write_fail, writes, hours) in [
        (1.0, 5e-3, 1.0, 0.0, 1.0, 0.0),
        (1.0, 5e-3, 9.0, 0.0, 1.0, 0.0),
        (1.0, 0.0, 9.0, 1e-2, 1.0, 0.0),
        (1.0, 0.0, 1.0, 1e-2, 4.0, 0.0),
        (1.0, 0.0, 1.0, 1e-2, 0.25, 0.0),
        (1.0, 0.0, 1.0, 0.0, 1.0, 3.0),
        (1.0, 0.0, 1.0, 0.0, 1.0, 400.0),
        (0.8, 4e-3, 3.0, 8e-3, 1.0, 5.0),
    ] {
        let mut error = sram_on(STUTZ, "probit", v);
        (error.read_upset, error.write_fail, error.ser_fit_per_mbit) = (read_upset, write_fail, 1e12);
        let exposure = Exposure { reads, writes, ..Exposure::once(3600.0 * hours) };
        let memory = memory(of_sram(&error), Geometry::default());
        let stop = exposed(&memory, residency(0, 8, cells / 8), &exposure);
        // A bit is wrong after an odd number of inversions: 1 - 2P is the product of 1 - 2p over all that may invert.
        let product = (1.0 - 2.0 * rate_at(v))
            * (1.0 - 2.0 * read_upset).powf(reads)
            * (1.0 - write_fail * writes.min(1.0))
            * (-2.0 * soft_per_hour * hours).exp();
        for redraw in [Redraw::Image(4), Redraw::Activation { image: 4, blob: 2 }] {
            let wrong = bits_changed(&strike(&stop, 8, redraw, any_code));
            let z = binomial_z(wrong, cells, (1.0 - product) / 2.0);
            assert!(z.abs() < 5.0, "{error:?}, {exposure:?}: {wrong} wrong bits, z = {z}");
        }
    }
}
