use super::*;

fn tolerance(protected_msbs: u32, word_bits: u32, bit_error_rate: f64) -> Tolerance {
    Tolerance { protected_msbs, word_bits, bit_error_rate }
}

fn point_of(preset: &str, tolerance: Tolerance) -> PresetPoint {
    preset_points(&[tolerance]).unwrap().into_iter().find(|point| point.preset == preset).unwrap()
}

/// Stutz et al. (`MLSys` 2021) by the probit fit, and the dual-rail mixes of its energies: BER, V/Vmin, energy of all bits scaled,
/// of 3 of 8 and of 3 of 16 protected.
#[test]
fn cf12_what_a_tolerated_rate_buys_at_14_nm() {
    for (rate, v, energy, of_8, of_16) in [
        (1e-4, 0.911, 0.830, 0.894, 0.862),
        (1e-3, 0.876, 0.768, 0.855, 0.812),
        (1e-2, 0.834, 0.696, 0.810, 0.753),
    ] {
        let plain = point_of("sram.14nm.stutz21", tolerance(0, 8, rate));
        assert_eq!((plain.reach, plain.unit), (Reach::Inside, Some(Unit::VOverVmin)));
        assert!((plain.setting.unwrap() - v).abs() <= 6e-4, "{rate}: {:?}", plain.setting);
        assert!((plain.access_energy_ratio.unwrap() - energy).abs() <= 1e-3);
        let found = plain.bit_error_rate.unwrap();
        assert!(found <= rate && found > rate * (1.0 - 1e-9), "{found} of {rate}");
        for (bits, expected) in [(8, of_8), (16, of_16)] {
            let protected = point_of("sram.14nm.stutz21", tolerance(3, bits, rate));
            assert_eq!(protected.setting, plain.setting);
            let energy = protected.access_energy_ratio.unwrap();
            assert!((energy - expected).abs() <= 1e-3, "{rate}, 3 of {bits}: {energy}");
        }
    }
}

/// Gottscho et al. (TACO 2015): voltages, access energy 15.47 + 10.60 V pJ and leakage as V^2.
#[test]
fn v4_v5_what_a_tolerated_rate_buys_at_45_nm() {
    for (rate, volts) in [(1e-4, 0.61), (1e-3, 0.525)] {
        let point = point_of("sram.45nm.dpcs15", tolerance(0, 8, rate));
        let v = point.setting.unwrap();
        assert!((v - volts).abs() <= 6e-3, "{rate}: {v} V");
        let access = (15.47 + 10.60 * v) / 26.07;
        assert!((point.access_energy_ratio.unwrap() / access - 1.0).abs() < 3e-3);
        assert!((point.leakage_power_ratio.unwrap() - v * v).abs() < 1e-12);
        assert!(point.assumptions.iter().any(|said| said.contains("not what they deliver")));
    }
    let point = point_of("sram.45nm.dpcs15", tolerance(0, 8, 1e-2));
    assert!((point.setting.unwrap() - 0.43).abs() < 6e-3, "{:?}", point.setting);
}

/// The table of Flikker (ASPLOS 2011), of whose rates half are seen: 2e-5 at 10 s, 1.3e-4 at 20 s.
#[test]
fn v8_how_long_a_tolerated_rate_rests_in_dram() {
    let point = point_of("dram.flikker48", tolerance(0, 8, 1e-5));
    assert_eq!((point.reach, point.unit), (Reach::Inside, Some(Unit::RefreshIntervalMs)));
    let interval = point.setting.unwrap();
    assert!((9e3..11e3).contains(&interval), "{interval} ms");
    assert_eq!(point.refresh_power_ratio, Some(64.0 / interval));
    let protected = point_of("dram.flikker48", tolerance(3, 8, 1e-5));
    let mixed = (3.0 + 5.0 * 64.0 / interval) / 8.0;
    assert!((protected.refresh_power_ratio.unwrap() - mixed).abs() < 1e-12);
    // 6.5e-5 at the end of the record: nothing is said about longer intervals.
    let edge = point_of("dram.flikker48", tolerance(0, 8, 1e-2));
    assert_eq!((edge.reach, edge.setting), (Reach::Edge, Some(20_000.0)));
    let nowhere = point_of("dram.flikker48", tolerance(0, 8, 1e-9));
    assert_eq!((nowhere.reach, nowhere.setting, nowhere.refresh_power_ratio), (Reach::Nowhere, None, None));
}

#[test]
fn a_higher_tolerated_rate_never_costs_more() {
    let mut last: Vec<PresetPoint> = Vec::new();
    for step in 0..40 {
        let rate = 1e-9 * 10f64.powf(f64::from(step) / 5.0);
        let points = preset_points(&[tolerance(1, 8, rate)]).unwrap();
        assert_eq!(points.len(), 20, "every preset of a memory that errs");
        for (before, now) in last.iter().zip(&points) {
            let ratios = |point: &PresetPoint| {
                [point.access_energy_ratio, point.leakage_power_ratio, point.refresh_power_ratio]
            };
            for (before, now) in ratios(before).into_iter().zip(ratios(now)) {
                assert!(before.is_none_or(|before| now.unwrap() <= before), "{}", before.unwrap());
            }
            assert!(
                now.bit_error_rate.is_none_or(|found| now.reach == Reach::OneRateExceeds || found <= rate)
            );
        }
        last = points;
    }
}

#[test]
fn presets_of_one_rate_are_tolerated_or_not() {
    let of = |rate| point_of("stt.delta30", tolerance(0, 8, rate));
    assert_eq!((of(1e-4).reach, of(1e-4).bit_error_rate), (Reach::OneRateTolerated, Some(9.3572e-5)));
    assert_eq!((of(9e-5).reach, of(9e-5).setting), (Reach::OneRateExceeds, None));
}

#[test]
fn more_protected_bits_than_a_word_has_are_refused() {
    assert!(matches!(preset_points(&[tolerance(9, 8, 1e-3)]), Err(Error::Protection(_))));
}
