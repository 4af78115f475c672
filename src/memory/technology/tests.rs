use super::*;
use crate::memory::cells::{Axis, Polarity};
use crate::memory::dram::error_tests as dram_tests;
use crate::memory::protection_cost::EightTransistorCell;
use crate::memory::sram::error_tests as sram_tests;
use proptest::prelude::*;

const EIGHT: How = How::EightTransistor { delta_v: 0.1, cell: EightTransistorCell { a8: 1.31, r8: 1.0 } };

const ONCE: Exposure = Exposure { reuse_interval_s: 0.01, seconds: 0.01, reads: 1.0, writes: 1.0 };

fn sram(v: f64) -> sram::Errors {
    sram_tests::errors("sram.14nm.stutz21", sram_tests::Form::Probit, v)
}

fn dram(refresh_interval_ms: f64) -> dram::Errors {
    dram_tests::errors("dram.flikker48", dram_tests::Form::LogNormal, refresh_interval_ms)
}

fn faults_of_sram(error: &sram::Errors, protection: &Protection, exposure: &Exposure) -> CellFaults {
    Technology::Sram(sram::Parameters { error: error.clone(), energy: None }).cell_faults(
        Lifetime::Transient,
        protection,
        exposure,
        8,
    )
}

fn msbs(count: u32, how: How) -> Protection {
    Protection { msbs: count, how }
}

const NONE: Protection = Protection { msbs: 0, how: How::Secded };

#[test]
fn the_lifetime_of_a_uniform_memory_decides_between_weak_and_upset() {
    let mut parameters = uniform::Parameters::from(0.25);
    parameters.ber = ByBit::new(vec![0.0, 0.25]).unwrap();
    let technology = Technology::Uniform(parameters);
    let permanent = technology.cell_faults(Lifetime::Permanent, &NONE, &ONCE, 3);
    assert_eq!((permanent.weak, permanent.upset), (vec![0.25, 0.25, 0.0], vec![0.0; 3]));
    let transient = technology.cell_faults(Lifetime::Transient, &NONE, &ONCE, 3);
    assert_eq!((transient.weak, transient.upset), (vec![0.0; 3], vec![0.25, 0.25, 0.0]));
    assert_eq!(permanent.check, CheckRates::default());
    assert_eq!((permanent.failure, permanent.lines), (Failure::Inverted, Lines::Independent));
}

#[test]
fn one_uniform_rate_is_that_of_every_cell() {
    let technology = Technology::Uniform(1e-3.into());
    let faults = technology.cell_faults(Lifetime::Permanent, &NONE, &ONCE, 16);
    assert_eq!(faults, CellFaults::uniform(16, 1e-3, 0.0));
}

#[test]
fn sram_cells_are_weak_for_every_operand() {
    let mut error = sram(0.875);
    error.spatial = sram::Spatial::BadColumns { bad_share: 0.2 };
    let faults = faults_of_sram(&error, &NONE, &ONCE);
    assert_eq!((faults.weak, faults.upset), (vec![error.bit_error_rate(); 8], vec![0.0; 8]));
    assert_eq!(faults.lines, Lines::Bad { axis: Axis::Column, share: 0.2 });
    assert_eq!(faults.check, CheckRates { weak: error.bit_error_rate(), upset: 0.0 });
}

#[test]
fn precise_bits_do_not_err_and_coded_ones_do() {
    let error = sram(0.8);
    let p = error.bit_error_rate();
    for how in [How::DualRail, How::PreciseBank] {
        let faults = faults_of_sram(&error, &msbs(3, how), &ONCE);
        assert_eq!(faults.weak, [p, p, p, p, p, 0.0, 0.0, 0.0]);
        assert_eq!(faults_of_sram(&error, &msbs(9, how), &ONCE).weak, [0.0; 8]);
    }
    assert_eq!(faults_of_sram(&error, &msbs(3, How::Secded), &ONCE).weak, [p; 8]);
}

#[test]
fn eight_transistor_cells_are_safe_by_a_margin_and_never_upset_by_reads() {
    let mut error = sram(0.8);
    (error.read_upset, error.write_fail) = (1e-3, 1e-4);
    let faults = faults_of_sram(&error, &msbs(2, EIGHT), &ONCE);
    assert_eq!(
        faults.weak[5..],
        [error.bit_error_rate(), error.bit_error_rate_at(0.9), error.bit_error_rate_at(0.9)]
    );
    assert!((faults.upset[5] - (1e-3 + 0.5e-4 - 1e-7)).abs() < 1e-15, "{}", faults.upset[5]);
    assert!((faults.upset[6] - 0.5e-4).abs() < 1e-18, "{}", faults.upset[6]);
}

#[test]
fn accesses_and_rest_upset_cells() {
    let mut error = sram(1.0);
    error.curve = sram::Curve::Probit { mu: 0.0, sigma: 1e-3, scale: 1.0 };
    (error.read_upset, error.ser_fit_per_mbit) = (0.01, 1000.0);
    let exposure = Exposure { reads: 50.0, seconds: 0.0, ..ONCE };
    let upset = faults_of_sram(&error, &NONE, &exposure).upset[0];
    assert!((upset - (1.0 - 0.98f64.powi(50)) / 2.0).abs() < 1e-14, "{upset}");
    error.read_upset = 0.0;
    let year = Exposure { seconds: 3.6e3 * 24.0 * 365.25, ..ONCE };
    let upset = faults_of_sram(&error, &NONE, &year).upset[0];
    assert!((upset / (2.649e-16 * 31_557_600.0) - 1.0).abs() < 1e-3, "{upset:e}");
}

/// CF10: cells stuck at one with share s01 under data of which the share f0 is zeros deliver p·(s01·f0 + (1 - s01)·(1 - f0))
/// wrong bits: by counting over cells of each kind.
#[test]
fn cf10_stuck_cells_err_by_data() {
    let mut error = sram(0.8);
    (error.direction, error.p01_share) = (sram::Direction::Stuck, 0.8);
    let faults = faults_of_sram(&error, &NONE, &ONCE);
    let Failure::Stuck(polarity) = faults.failure else { panic!("{:?}", faults.failure) };
    assert_eq!(polarity, Polarity::Share(0.8));
    let (p, zeros) = (faults.weak[0], 0.3);
    let Polarity::Share(ones) = polarity else { panic!() };
    let mut wrong = 0.0;
    for (stuck_at, share) in [(1, ones), (0, 1.0 - ones)] {
        for (data, of_data) in [(0, zeros), (1, 1.0 - zeros)] {
            if stuck_at != data {
                wrong += p * share * of_data;
            }
        }
    }
    assert!((wrong - p * (0.8 * 0.3 + 0.2 * 0.7)).abs() < 1e-16);
    assert!((wrong / error.bit_error_rate() - 0.38).abs() < 1e-14);
}

#[test]
fn dram_bits_are_refreshed_each_at_its_interval() {
    let mut error = dram(64.0);
    error.refresh_interval_ms = ByBit::new(vec![64.0, 64.0, 10_000.0]).unwrap();
    error.module_sigma = 1.0;
    let technology = Technology::Dram(dram::Parameters { error: error.clone(), energy: None });
    let slow = Exposure::once(60.0);
    let faults = technology.cell_faults(Lifetime::Transient, &NONE, &slow, 4);
    let (often, rarely) = (error.bit_error_rate(0.064), error.bit_error_rate(10.0));
    assert_eq!(faults.weak, [rarely, rarely, often, often]);
    assert_eq!((faults.check.weak, faults.device_sigma), (often, 1.0));
    assert_eq!(faults.failure, Failure::Stuck(Polarity::Share(0.5)));
    assert_eq!(technology.cell_faults(Lifetime::Permanent, &msbs(1, How::DualRail), &slow, 4).weak[3], 0.0);
    // At full speed the accesses alone refresh.
    error.access_refreshes = true;
    let technology = Technology::Dram(dram::Parameters { error: error.clone(), energy: None });
    let fast = technology.cell_faults(Lifetime::Transient, &NONE, &Exposure::once(0.01), 4);
    assert_eq!(fast.weak, [error.bit_error_rate(0.01); 4]);
}

#[test]
fn a_memory_is_recorded_with_its_technology() {
    let memory = |technology| Memory {
        name: "m".into(),
        technology,
        geometry: Geometry::default(),
        protection: Protection::dual_rail(3),
        lifetime: None,
        measured: None,
    };
    assert_eq!(
        serde_json::to_string(&memory(Technology::Uniform(1e-3.into()))).unwrap(),
        r#"{"name":"m","technology":"uniform","ber":0.001,"geometry":{"banks":1,"rows":null,"columns":8,"column_bits":64,"interleave":1},"protected_msbs":3,"how":"dual_rail","lifetime":null}"#
    );
    let recorded = serde_json::to_value(memory(Technology::Dram(dram::Parameters {
        error: dram(1000.0),
        energy: None,
    })))
    .unwrap();
    assert_eq!(
        (&recorded["technology"], &recorded["error"]["refresh_interval_ms"]),
        (&"dram".into(), &1000.0.into())
    );
    let protection = serde_json::to_value(msbs(2, EIGHT)).unwrap();
    let recorded = (&protection["protected_msbs"], &protection["how"], &protection["delta_v"]);
    assert_eq!(recorded, (&2.into(), &"8t".into(), &0.1.into()));
}

proptest! {
    /// However the rate is split between weak and upset cells, so many bits are wrong.
    #[test]
    fn a_persistent_share_keeps_the_delivered_rate(v in 0.6..1.0, share in 0.0..=1.0) {
        let mut error = sram(v);
        error.persistent_fraction = share;
        let faults = faults_of_sram(&error, &NONE, &ONCE);
        let delivered = transient::either(faults.weak[0], faults.upset[0]);
        let p = error.bit_error_rate();
        prop_assert!((delivered / p - 1.0).abs() < 1e-12, "{:e} instead of {:e}", delivered, p);
        prop_assert!((faults.weak[0] - share * p).abs() <= f64::EPSILON);
    }
}
