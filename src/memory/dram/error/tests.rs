use super::*;
use crate::memory::points::Trend;
use crate::memory::preset::{self, Value};
use proptest::prelude::*;

/// What the curves of a preset are called.
#[derive(Clone, Copy)]
pub(in crate::memory) enum Form {
    LogNormal,
    PowerLaw,
    Table,
}

/// The constants of preset `name`, refreshed every `refresh_interval_ms` milliseconds.
pub(in crate::memory) fn errors(name: &str, form: Form, refresh_interval_ms: f64) -> Errors {
    let constants = preset::find(name).unwrap();
    let number = |key: &str| match constants.constant(key).unwrap().value {
        Value::Number(number) => number,
        ref other => panic!("{key} of {name} is {other:?}"),
    };
    let rows = || match &constants.constant("table_points").unwrap().value {
        Value::Rows(rows) => rows.iter().map(|row| (row[0], row[1])).collect(),
        other => panic!("points of {name} are {other:?}"),
    };
    let range = match &constants.constant("t_range_s").unwrap().value {
        Value::List(list) => [list[0], list[1]],
        other => panic!("range of {name} is {other:?}"),
    };
    Errors {
        preset: Some(name.into()),
        retention: match form {
            Form::LogNormal => {
                Retention::LogNormal { mu_ln_s: number("mu_ln_s"), sigma_ln: number("sigma_ln") }
            }
            Form::PowerLaw => Retention::PowerLaw { b1: number("b1"), beta: number("beta") },
            Form::Table => Retention::Table { points: Points::new(rows(), Trend::Rises).unwrap() },
        },
        t_range_s: range,
        supported_share: number("supported_share"),
        t_ref_c: number("t_ref_c"),
        temp_c: number("temp_c"),
        temp_halving_c: number("temp_halving_c"),
        refresh_interval_ms: refresh_interval_ms.into(),
        cell_layout: CellLayout::Half,
        module_scale: 1.0,
        module_sigma: 0.0,
        access_refreshes: false,
        ser_fit_per_mbit: 0.0,
    }
}

const FLIKKER: [(f64, f64); 5] =
    [(1.0, 4.0e-8), (2.0, 2.6e-7), (5.0, 3.8e-6), (10.0, 2.0e-5), (20.0, 1.3e-4)];

#[test]
fn v8_flikker48_retention() {
    for (t, rate) in FLIKKER {
        for form in [Form::LogNormal, Form::PowerLaw] {
            let ratio = errors("dram.flikker48", form, 64.0).bit_error_rate(t) / rate;
            assert!((ratio - 1.0).abs() <= 0.2, "{ratio} after {t} s");
        }
        assert_eq!(errors("dram.flikker48", Form::Table, 64.0).bit_error_rate(t), rate);
    }
}

#[test]
fn v9_ddr3l_faulty_bits_per_module() {
    let bits = 2f64.powi(34);
    for (t, count) in [(1.024, 50.9), (1.536, 585.0), (2.048, 2510.0)] {
        for form in [Form::LogNormal, Form::Table] {
            let faulty = errors("dram.ddr3l_70c", form, 64.0).bit_error_rate(t) * bits;
            assert!((faulty / count - 1.0).abs() <= 0.15, "{faulty} after {t} s");
        }
    }
    for (t, count) in [(1.024, 2.21), (1.536, 19.7), (2.048, 65.6)] {
        let faulty = errors("dram.ddr3l_20c", Form::LogNormal, 64.0).bit_error_rate(t) * bits;
        assert!((faulty / count - 1.0).abs() <= 0.15, "{faulty} after {t} s at 20 degrees");
    }
}

#[test]
fn cf13_temperature_scales_the_retention_time() {
    let mut dram = errors("dram.flikker48", Form::LogNormal, 64.0);
    let reference = dram.clone();
    // Two halvings warmer, a cell needs a quarter of the time; half a halving colder, sqrt(2) of it.
    dram.temp_c = 68.0;
    assert_eq!(dram.equivalent_s(5.0), 20.0);
    assert_eq!(dram.bit_error_rate(5.0), reference.bit_error_rate(20.0));
    dram.temp_c = 43.0;
    assert!((dram.equivalent_s(5.0) - 5.0 / 2f64.sqrt()).abs() < 1e-14);
    // Phi((ln t_eff - mu)/sigma), by the standard library's functions: z = -3.2886 after 10 s, doubled at 58 degrees.
    dram.temp_c = 58.0;
    let z = (20f64.ln() - 9.444) / 1.751;
    assert!((normal::quantile(dram.bit_error_rate(10.0)) - z).abs() < 1e-12);
}

#[test]
fn published_points_are_joined_by_power_laws() {
    let table = errors("dram.flikker48", Form::Table, 64.0);
    let middle = table.bit_error_rate(50f64.sqrt());
    assert!((middle / (3.8e-6_f64 * 2.0e-5).sqrt() - 1.0).abs() < 1e-12, "{middle:e}");
    // Beyond the last point at the slope of the last pair: 6.5-fold per doubling, until every cell fails.
    assert!((table.bit_error_rate(40.0) / (1.3e-4 * 6.5) - 1.0).abs() < 1e-12);
    assert_eq!((table.bit_error_rate(1e9), table.bit_error_rate(0.0)), (1.0, 0.0));
    let power = errors("dram.flikker48", Form::PowerLaw, 64.0);
    assert_eq!((power.bit_error_rate(1e9), power.bit_error_rate(0.0)), (1.0, 0.0));
    assert_eq!(errors("dram.flikker48", Form::LogNormal, 64.0).bit_error_rate(0.0), 0.0);
}

#[test]
fn a_row_that_is_accessed_early_is_refreshed_early() {
    let mut dram = errors("dram.flikker48", Form::LogNormal, 10_000.0);
    assert_eq!(dram.interval_s(0, 8, 1.0), 10.0);
    dram.access_refreshes = true;
    assert_eq!((dram.interval_s(0, 8, 1.0), dram.interval_s(0, 8, 60.0)), (1.0, 10.0));
    dram.refresh_interval_ms = ByBit::new(vec![64.0, 500.0, 20_000.0]).unwrap();
    let intervals: Vec<_> = (0..4).map(|bit| dram.interval_s(bit, 4, 15.0)).collect();
    assert_eq!(intervals, [15.0, 15.0, 0.5, 0.064]);
}

#[test]
fn what_is_extrapolated_is_known() {
    let mut dram = errors("dram.flikker48", Form::LogNormal, 64.0);
    assert!(dram.supports(1.0) && dram.supports(20.0) && !dram.supports(0.9) && !dram.supports(20.1));
    // F reaches 1e-3 after exp(9.444 - 3.0902·1.751) = 56.4 s.
    assert!(!dram.leaves_tail(56.0) && dram.leaves_tail(57.0));
    dram.temp_c = 58.0;
    assert!(dram.supports(10.0) && !dram.supports(20.0) && dram.leaves_tail(28.5));
}

#[test]
fn weak_cells_deliver_what_they_are_without_charge() {
    let mut dram = errors("dram.flikker48", Form::LogNormal, 64.0);
    for (layout, polarity) in [
        (CellLayout::AllTrue, Polarity::Share(0.0)),
        (CellLayout::AllAnti, Polarity::Share(1.0)),
        (CellLayout::Half, Polarity::Share(0.5)),
        (CellLayout::RowBlocks { row_block: 512 }, Polarity::RowBlocks(512)),
    ] {
        dram.cell_layout = layout;
        assert_eq!(dram.failure(), Failure::Stuck(polarity));
    }
    let recorded = serde_json::to_value(&dram).unwrap();
    assert_eq!((&recorded["cell_layout"], &recorded["row_block"]), (&"row_blocks".into(), &512.into()));
    assert_eq!((&recorded["retention"], &recorded["mu_ln_s"]), (&"log_normal".into(), &9.444.into()));
}

proptest! {
    /// Cells that fail after an interval fail after every longer one, and so with temperature.
    #[test]
    fn rates_rise_with_interval_and_temperature(
        log_t in -4.0..6.0,
        longer in 0.0..2.0,
        temp in 0.0..95.0,
        warmer in 0.0..40.0,
        halving in 10.0..50.0,
    ) {
        for (name, form) in [
            ("dram.flikker48", Form::LogNormal),
            ("dram.flikker48", Form::PowerLaw),
            ("dram.flikker48", Form::Table),
            ("dram.ddr3l_70c", Form::LogNormal),
            ("dram.ddr3l_20c", Form::Table),
        ] {
            let mut dram = errors(name, form, 64.0);
            (dram.temp_c, dram.temp_halving_c) = (temp, halving);
            let (t, later) = (f64::exp(log_t), f64::exp(log_t + longer));
            let short = dram.bit_error_rate(t);
            let long = dram.bit_error_rate(later);
            dram.temp_c += warmer;
            let warm = dram.bit_error_rate(t);
            prop_assert!(short <= long && short <= warm && (0.0..=1.0).contains(&short), "{}", name);
        }
    }
}
