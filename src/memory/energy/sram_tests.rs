//! The SRAM model against published tables and its own laws.

use super::*;
use crate::memory::preset;
use proptest::prelude::*;

fn preset_with(name: &str, size_bytes: u64, keys: &[(&str, Value)]) -> Result<Energy, Error> {
    let constants = preset::find(name).unwrap();
    let size = Value::Number(size_bytes as f64);
    Energy::from_constants(name, &|key| {
        let typed = keys.iter().find(|(typed, _)| *typed == key).map(|(_, value)| value);
        typed.or((key == "size_bytes").then_some(&size)).or(constants.constant(key).map(|known| &known.value))
    })
}

fn preset(name: &str, size_bytes: u64) -> Energy {
    preset_with(name, size_bytes, &[]).unwrap()
}

fn close(value: f64, expected: f64, tolerance: f64) -> bool {
    (value / expected - 1.0).abs() <= tolerance
}

/// The 64 KB cache in 45 nm SOI of Gottscho et al., of which only the cell array is scaled: pJ per access and mW at 1 V.
fn dpcs15() -> Energy {
    let mut energy = preset("cacti7.45nm.hp", 65_536);
    energy.table.read_pj = vec![[65_536.0, 26.07]];
    energy.table.leakage_mw = vec![[65_536.0, 157.6]];
    energy.table.write_pj.clear();
    energy.table.access_ns.clear();
    energy.table.area_mm2.clear();
    energy.rail = Rail::ArrayOnly;
    energy
}

#[test]
fn v3_cf12_energy_of_the_14_nm_macro() {
    // V / Vmin in steps of 1/24 and energy over that at Vmin, as published to four digits.
    let published = [1.0, 0.9184, 0.8403, 0.7656, 0.6944, 0.6267, 0.5625];
    let energy = preset("cacti7.45nm.lstp", 4096);
    for (step, expected) in published.into_iter().enumerate() {
        let v = (24 - step) as f64 / 24.0;
        let relative = energy.relative_to_vmin(v).unwrap();
        assert_eq!(relative, v * v);
        assert!((relative - expected).abs() < 5.1e-5, "{v}: {relative}");
    }
}

#[test]
fn v5_cache_of_which_only_the_array_is_scaled() {
    let energy = dpcs15();
    let at = |volts| energy.at(energy.ratio(Voltage::Volts(volts)).unwrap()).unwrap();
    assert!(close(at(0.7).leakage_mw.unwrap() / at(1.0).leakage_mw.unwrap(), 0.495, 0.03));
    assert!(close(at(0.5).read_pj / at(1.0).read_pj, 0.797, 0.03));
    for (volts, picojoules) in
        [(0.9, 24.99), (0.8, 23.92), (0.7, 22.86), (0.6, 21.81), (0.5, 20.77), (0.4, 19.74)]
    {
        assert!(close(at(volts).read_pj, picojoules, 0.005), "{volts} V: {}", at(volts).read_pj);
    }
    for (volts, milliwatts) in [(0.9, 124.7), (0.8, 98.9), (0.75, 88.0), (0.7, 78.0), (0.65, 68.6)] {
        assert!(close(at(volts).leakage_mw.unwrap(), milliwatts, 0.03), "{volts} V: {:?}", at(volts));
    }
}

#[test]
fn v20_cacti_within_a_factor_of_two_of_horowitz() {
    for (size, horowitz) in [(8192, 10.0), (32_768, 20.0), (1 << 20, 100.0)] {
        let read = preset("cacti7.45nm.hp", size).at(1.0).unwrap().read_pj;
        assert!((0.5..2.0).contains(&(read / horowitz)), "{size}: {read}");
    }
}

#[test]
fn the_tables_are_met_exactly() {
    let point = preset("cacti7.45nm.hp", 131_072).at(1.0).unwrap();
    let expected = SramPoint {
        read_pj: 33.0,
        write_pj: Some(21.2),
        leakage_mw: Some(119.0),
        access_ns: Some(0.72),
        area_mm2: Some(0.39),
    };
    assert_eq!(point, expected);
    for (name, size, read) in [
        ("cacti7.45nm.lstp", 2048, 2.76),
        ("cacti7.32nm.hp", 65_536, 12.0),
        ("cacti7.22nm.lstp", 1 << 20, 23.5),
    ] {
        assert_eq!(preset(name, size).at(1.0).unwrap().read_pj, read);
    }
    let bare = preset("cacti7.22nm.hp", 2048).at(1.0).unwrap();
    let absent =
        SramPoint { read_pj: 0.60, write_pj: None, leakage_mw: None, access_ns: None, area_mm2: None };
    assert_eq!(bare, absent, "what was not published stays unknown");
    for (size, bits, read) in
        [(8192, 16, 4.34), (8192, 256, 9.06), (131_072, 32, 21.2), (1 << 20, 128, 115.0)]
    {
        let wide = Energy { word_bits: bits, ..preset("cacti7.45nm.hp", size) }.at(1.0).unwrap();
        assert!(close(wide.read_pj, read, 1e-12), "{size} {bits}: {}", wide.read_pj);
        assert_eq!((wide.write_pj, wide.leakage_mw, wide.area_mm2), (None, None, None));
    }
}

#[test]
fn between_sizes_and_widths_the_logarithm_is_linear() {
    // Half way between 16 KB and 32 KB in the logarithm lies the geometric mean.
    let middle = preset("cacti7.45nm.hp", 23_170).at(1.0).unwrap().read_pj;
    assert!(close(middle, (9.99_f64 * 14.9).sqrt(), 1e-4), "{middle}");
    let odd = Energy { word_bits: 45, ..preset("cacti7.45nm.hp", 8192) }.at(1.0).unwrap().read_pj;
    assert!(4.66 < odd && odd < 5.29);
    let between = Energy { word_bits: 32, ..preset("cacti7.45nm.hp", 65_536) }.at(1.0).unwrap().read_pj;
    // At 64 KB the ratio of the widths lies between that at 32 KB and at 128 KB.
    assert!(29.0 * 21.2 / 33.0 < between && between < 29.0 * 13.8 / 14.9, "{between}");
}

#[test]
fn nothing_is_extrapolated() {
    let too_large = preset_with("cacti7.45nm.hp", 2 << 20, &[]).unwrap_err();
    assert!(matches!(too_large, Error::OutsideTable { column: "read_pj", .. }), "{too_large}");
    let narrow = Energy { word_bits: 8, ..preset("cacti7.45nm.hp", 8192) }.at(1.0).unwrap_err();
    let message = "`width_read_pj` is known for access widths in bits of 16 to 256, not 8; \
                   figures of another array can be given as `width_read_pj`";
    assert_eq!(narrow.to_string(), message);
    let other_width = Energy { word_bits: 32, ..preset("cacti7.45nm.lstp", 8192) }.at(1.0);
    assert!(matches!(other_width, Err(Error::OutsideTable { low: 64.0, high: 64.0, .. })));
    let small = Energy { word_bits: 32, ..preset("cacti7.45nm.hp", 4096) }.at(1.0);
    assert!(matches!(small, Err(Error::OutsideTable { column: "width_read_pj", .. })));
}

#[test]
fn a_voltage_over_vmin_needs_vmin() {
    let mut energy = preset("cacti7.45nm.lstp", 8192);
    assert_eq!(energy.ratio(Voltage::OverVmin(0.875)), Err(Error::UnknownVmin));
    energy.vmin_v = Some(0.8);
    assert!(close(energy.ratio(Voltage::OverVmin(0.875)).unwrap(), 0.7 / 1.1, 1e-12));
    // Relative to the nominal voltage the guard band counts, too.
    let ratio = energy.ratio(Voltage::OverVmin(1.0)).unwrap();
    assert!(close(energy.access_factor(ratio), (0.8_f64 / 1.1).powi(2), 1e-12));
    assert!(energy.ratio(Voltage::Volts(1.2)).is_err() && energy.ratio(Voltage::Volts(f64::NAN)).is_err());
    energy.rail = Rail::ArrayOnly;
    let over = energy.relative_to_vmin(0.5).unwrap();
    let (low, vmin) = (1.0 - 0.407 * (1.0 - 0.4 / 1.1), 1.0 - 0.407 * (1.0 - 0.8 / 1.1));
    assert!(close(over, low / vmin, 1e-12));
    energy.vmin_v = None;
    assert_eq!(energy.relative_to_vmin(0.5), Err(Error::UnknownVmin));
}

#[test]
fn alpha_power_law_slows_down() {
    let mut energy = preset("cacti7.45nm.hp", 8192);
    energy.timing = Timing::AlphaPower { alpha: 2.0, vt_v: 0.4 };
    // [0.8 / 0.4^2] / [1 / 0.6^2] by hand.
    assert!(close(energy.delay_factor(0.8).unwrap(), 5.0 / (1.0 / 0.36), 1e-12));
    assert!(close(energy.at(0.8).unwrap().access_ns.unwrap(), 0.29 * 1.8, 1e-12));
    assert!(energy.delay_factor(0.4).is_err());
    energy.timing = Timing::AlphaPower { alpha: 3.0, vt_v: 0.4 };
    assert!(energy.at(0.8).is_err());
    assert_eq!(dpcs15().delay_factor(0.3), Ok(1.0));
}

#[test]
fn constants_are_required_and_checked() {
    let constants = preset::find("cacti7.45nm.hp").unwrap();
    let without_size = Energy::from_constants("x", &|key| constants.constant(key).map(|known| &known.value));
    assert_eq!(without_size, Err(Error::Missing { key: "size_bytes" }));
    let typed = |key, value| preset_with("cacti7.45nm.hp", 8192, &[(key, value)]);
    let message = typed("rail", Value::Text("cell".to_owned())).unwrap_err().to_string();
    assert_eq!(message, "`rail` = `cell` is none of `macro`, `array_only`");
    assert!(matches!(
        typed("leak_exp", Value::Text("2".to_owned())),
        Err(Error::Kind { key: "leak_exp", .. })
    ));
    assert!(matches!(typed("word_bits", Value::Number(1.5)), Err(Error::Range { key: "word_bits", .. })));
    assert!(matches!(typed("array_share", Value::Number(1.5)), Err(Error::Range { key: "array_share", .. })));
    assert!(matches!(typed("access_scale", Value::Number(0.0)), Err(Error::Range { .. })));
    assert_eq!(typed("read_pj", Value::List(Vec::new())), Err(Error::Table { column: "read_pj" }));
    let twice = Value::Rows(vec![vec![8192.0, 1.0], vec![8192.0, 2.0]]);
    assert_eq!(typed("read_pj", twice), Err(Error::Table { column: "read_pj" }));
    let ragged = Value::Rows(vec![vec![8192.0, 1.0, 2.0]]);
    assert!(matches!(typed("read_pj", ragged), Err(Error::Kind { key: "read_pj", .. })));
    let alpha = Value::Text("alpha_power".to_owned());
    assert_eq!(typed("timing", alpha), Err(Error::Missing { key: "alpha" }));
    let own = Value::Rows(vec![vec![8192.0, 7.5]]);
    assert_eq!(typed("read_pj", own).unwrap().at(1.0).unwrap().read_pj, 7.5);
}

#[test]
fn every_preset_constant_has_a_key() {
    let mut presets = 0;
    for preset in preset::all().iter().filter(|preset| preset.table == preset::Table::SramEnergy) {
        presets += 1;
        for (key, _) in &preset.constants {
            assert!(Energy::KEYS.contains(&key.as_str()), "{}: {key}", preset.name);
        }
        assert!(preset_with(&preset.name, 65_536, &[]).is_ok());
    }
    assert_eq!(presets, 5);
}

proptest! {
    #[test]
    fn energy_and_leakage_rise_with_the_voltage(
        low in 0.01f64..1.0, step in 0.0f64..1.0, size in 2048u64..1_048_576, array in any::<bool>(),
    ) {
        let mut energy = preset("cacti7.45nm.hp", size);
        energy.rail = if array { Rail::ArrayOnly } else { Rail::Macro };
        let (low, high) = (energy.at(low).unwrap(), energy.at(low + step * (1.0 - low)).unwrap());
        prop_assert!(low.read_pj <= high.read_pj);
        prop_assert!(low.write_pj <= high.write_pj && low.leakage_mw <= high.leakage_mw);
    }

    #[test]
    fn larger_arrays_cost_more(size in 2048u64..1_000_000, more in 1u64..40_000) {
        let (small, large) = (preset("cacti7.45nm.lstp", size), preset("cacti7.45nm.lstp", size + more));
        prop_assert!(small.at(1.0).unwrap().read_pj < large.at(1.0).unwrap().read_pj);
    }

    #[test]
    fn scales_multiply(factor in 0.5f64..2.0) {
        let energy = preset("cacti7.45nm.hp", 65_536);
        let scaled = Energy { access_scale: factor, leak_scale: 1.0 / factor, ..energy.clone() }.at(0.7).unwrap();
        let plain = energy.at(0.7).unwrap();
        prop_assert!(close(scaled.read_pj, plain.read_pj * factor, 1e-12));
        prop_assert!(close(scaled.leakage_mw.unwrap(), plain.leakage_mw.unwrap() / factor, 1e-12));
    }
}
