//! Maps at a milder operating point lie in those at a harsher one.

use super::preset::{DPCS, FLIKKER, STUTZ, dram_on, number, of_dram, of_sram, points, sram_on};
use super::{MEBI, binomial_z, memory, overlap, residency, resting, upper_tail, weak};
use approxmem::fault::MemoryStop;
use approxmem::memory::sram::{Direction, Spatial};
use approxmem::memory::{ByBit, Geometry, dram};

/// Checks maps of words that begin at cell 0, from the mildest point to the harshest, cell for cell and direction for
/// direction. Yields their sizes.
fn check_nested(ladder: &[MemoryStop], trial: u64) -> Vec<u64> {
    let maps: Vec<_> = ladder.iter().map(|stop| weak(stop, trial)).collect();
    for (step, pair) in maps.windows(2).enumerate() {
        let common = overlap(&pair[0], &pair[1]);
        assert_eq!(common, pair[0].len() as u64, "step {step}: {:?}", ladder[step].faults);
    }
    maps.iter().map(|map| map.len() as u64).collect()
}

/// Checks the numbers of weak cells, independent ones, against the rates by bit of each point, and the numbers that join
/// from point to point: P(fails at the second | fine at the first) = (p2 - p1) / (1 - p1).
fn check_numbers(ladder: &[(MemoryStop, Vec<f64>)], trial: u64) {
    let mut before: Vec<(u64, f64)> = Vec::new();
    for (stop, rates) in ladder {
        let word_bits = u64::from(stop.residency.word_bits);
        let mut counts = vec![0u64; word_bits as usize];
        for (cell, _) in weak(stop, trial) {
            counts[(cell % word_bits) as usize] += 1;
        }
        for (bit, (&count, &rate)) in counts.iter().zip(rates).enumerate() {
            let z = binomial_z(count, stop.residency.words, rate);
            assert!(z.abs() < 5.0, "bit {bit} at {rate}: {count} weak cells, z = {z}");
            if let Some(&(inner, lower)) = before.get(bit) {
                let fine = stop.residency.words - inner;
                let z = binomial_z(count - inner, fine, (rate - lower) / (1.0 - lower));
                assert!(z.abs() < 5.0, "bit {bit} from {lower} to {rate}: z = {z}");
            }
        }
        before = counts.into_iter().zip(rates.iter().copied()).collect();
    }
}

/// Voltages from the mildest on, with the rate of the curve `form` of `preset`.
fn voltages(preset: &str, form: &str) -> Vec<(f64, f64)> {
    let number = |key| number(preset, key);
    let published = points(preset).into_iter().rev();
    let v = published.clone().map(|point| point.0);
    match form {
        "table" => published.collect(),
        "probit" => {
            v.map(|v| (v, number("scale") * upper_tail((v - number("mu")) / number("sigma")))).collect()
        }
        _ => v
            .map(|v| (v, upper_tail(number("z0") + number("z1") * v + number("z2") * v * v)))
            .map(|(v, tail)| (v, number("scale") * tail))
            .collect(),
    }
}

const CURVES: [(&str, &str); 5] =
    [(STUTZ, "probit"), (STUTZ, "table"), (DPCS, "probit"), (DPCS, "probit2"), (DPCS, "table")];

#[test]
fn cf8_nested_maps_over_voltage() {
    let words = MEBI;
    for (preset, form) in CURVES {
        for direction in [Direction::Flip, Direction::Stuck] {
            let ladder: Vec<_> = voltages(preset, form)
                .into_iter()
                .map(|(v, rate)| {
                    let mut error = sram_on(preset, form, v);
                    (error.direction, error.p01_share) = (direction, 0.45);
                    let memory = memory(of_sram(&error), Geometry::default());
                    (resting(&memory, residency(0, 8, words)), vec![rate; 8])
                })
                .collect();
            let stops: Vec<_> = ladder.iter().map(|point| point.0.clone()).collect();
            let sizes = check_nested(&stops, 1);
            assert!(sizes.first() < sizes.last(), "{preset}, {form}: {sizes:?}");
            check_numbers(&ladder, 1);
        }
    }
}

#[test]
fn cf8_nested_maps_on_lines() {
    let geometry = Geometry::new(MEBI / 4, 4, 8, 64).unwrap();
    for (preset, form) in CURVES {
        for spatial in [
            Spatial::Column { column_ratio: 0.3 },
            Spatial::Column { column_ratio: 0.95 },
            // Rates are above and below this share, at which the good lines join.
            Spatial::BadColumns { bad_share: 0.02 },
            Spatial::BadRows { bad_share: 0.02 },
        ] {
            let stops: Vec<_> = voltages(preset, form)
                .into_iter()
                .map(|(v, _)| {
                    let mut error = sram_on(preset, form, v);
                    (error.direction, error.spatial) = (Direction::Stuck, spatial);
                    // As many words as pass every cell twice.
                    resting(&memory(of_sram(&error), geometry), residency(0, 8, MEBI / 16))
                })
                .collect();
            let sizes = check_nested(&stops, 2);
            assert!(sizes.first() < sizes.last(), "{preset}, {form}, {spatial:?}: {sizes:?}");
        }
    }
}

/// The words of a DRAM and the share of weak cells by bit, in seconds at the reference temperature.
fn dram_point(
    error: &dram::Errors,
    seconds: &[f64; 8],
    share: impl Fn(f64) -> f64,
) -> (MemoryStop, Vec<f64>) {
    let memory = memory(of_dram(error), Geometry::default());
    let rates = seconds.iter().map(|&seconds| share(seconds)).collect();
    (resting(&memory, residency(0, 8, 4 * MEBI)), rates)
}

fn log_normal(seconds: f64) -> f64 {
    upper_tail((number(FLIKKER, "mu_ln_s") - seconds.ln()) / number(FLIKKER, "sigma_ln"))
}

fn check_ladder(ladder: &[(MemoryStop, Vec<f64>)]) {
    let stops: Vec<_> = ladder.iter().map(|point| point.0.clone()).collect();
    let sizes = check_nested(&stops, 3);
    assert!(sizes.first() < sizes.last(), "{sizes:?}");
    check_numbers(ladder, 3);
}

#[test]
fn cf8_nested_maps_over_the_refresh_interval() {
    let power_law = |seconds: f64| number(FLIKKER, "b1") * seconds.powf(number(FLIKKER, "beta"));
    let published = |seconds: f64| points(FLIKKER).iter().find(|point| point.0 == seconds).unwrap().1;
    for (form, share) in
        [("log_normal", &log_normal as &dyn Fn(f64) -> f64), ("power_law", &power_law), ("table", &published)]
    {
        let at = |seconds| dram_point(&dram_on(FLIKKER, form, seconds), &[seconds; 8], share);
        let ladder: Vec<_> = points(FLIKKER).iter().map(|point| at(point.0)).collect();
        check_ladder(&ladder);
    }
}

#[test]
fn cf8_nested_maps_over_temperature() {
    for (sigma, halving) in [(0.0, 10.0), (0.0, 40.0), (1.0, 10.0)] {
        let ladder: Vec<_> = [30.0, 48.0, 55.0, 61.5, 70.0, 85.0]
            .into_iter()
            .map(|celsius| {
                let mut error = dram_on(FLIKKER, "log_normal", 20.0);
                (error.temp_c, error.temp_halving_c, error.module_sigma) = (celsius, halving, sigma);
                let seconds = 20.0 * ((celsius - number(FLIKKER, "t_ref_c")) / halving).exp2();
                dram_point(&error, &[seconds; 8], log_normal)
            })
            .collect();
        if sigma == 0.0 {
            check_ladder(&ladder);
        } else {
            // The factor of a device scales its rate at every temperature.
            let stops: Vec<_> = ladder.into_iter().map(|point| point.0).collect();
            for trial in 0..4 {
                check_nested(&stops, trial);
            }
        }
    }
}

#[test]
fn cf8_nested_maps_over_intervals_by_bit() {
    // Milliseconds from the MSB down.
    let ladder: Vec<_> = [
        vec![64.0, 64.0, 10e3],
        vec![64.0, 5e3, 20e3],
        vec![10e3, 20e3, 20e3, 60e3],
        vec![60e3, 20e3, 40e3, 60e3],
        vec![60e3],
    ]
    .into_iter()
    .map(|list| {
        let mut error = dram_on(FLIKKER, "log_normal", 1.0);
        let seconds: [f64; 8] = std::array::from_fn(|bit| list[(7 - bit).min(list.len() - 1)] / 1e3);
        error.refresh_interval_ms = ByBit::new(list).unwrap();
        dram_point(&error, &seconds, log_normal)
    })
    .collect();
    check_ladder(&ladder);
}
