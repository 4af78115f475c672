//! Error models at an operating point, from the constants of the presets.

use approxmem::memory::dram::{self, CellLayout, Retention};
use approxmem::memory::points::{Points, Trend};
use approxmem::memory::preset::{Constant, Value, find};
use approxmem::memory::sram::{self, Curve, Direction, Spatial, VoltageUnit};
use approxmem::memory::{ByBit, Technology};

pub const STUTZ: &str = "sram.14nm.stutz21";
pub const CHIP_2: &str = "sram.14nm.stutz21.chip2";
pub const DPCS: &str = "sram.45nm.dpcs15";
pub const FLIKKER: &str = "dram.flikker48";

fn constant(preset: &str, key: &str) -> &'static Constant {
    find(preset).unwrap().constant(key).unwrap()
}

pub fn number(preset: &str, key: &str) -> f64 {
    match constant(preset, key).value {
        Value::Number(number) => number,
        ref other => panic!("{key} of {preset} is {other:?}"),
    }
}

fn text(preset: &str, key: &str) -> &'static str {
    match &constant(preset, key).value {
        Value::Text(text) => text,
        other => panic!("{key} of {preset} is {other:?}"),
    }
}

fn range(preset: &str, key: &str) -> [f64; 2] {
    constant(preset, key).value.numbers().try_into().unwrap()
}

/// The published points of a preset.
pub fn points(preset: &str) -> Vec<(f64, f64)> {
    match &constant(preset, "table_points").value {
        Value::Rows(rows) => rows.iter().map(|row| (row[0], row[1])).collect(),
        other => panic!("points of {preset} are {other:?}"),
    }
}

/// The curve of an SRAM preset called `form`.
fn curve(preset: &str, form: &str) -> Curve {
    let number = |key| number(preset, key);
    match form {
        "probit" => Curve::Probit { mu: number("mu"), sigma: number("sigma"), scale: number("scale") },
        "probit2" => {
            Curve::Probit2 { z0: number("z0"), z1: number("z1"), z2: number("z2"), scale: number("scale") }
        }
        "table" => Curve::Table { points: Points::new(points(preset), Trend::Falls).unwrap() },
        other => panic!("no curve is called {other}"),
    }
}

/// The SRAM of `preset` with curve `form` at voltage `v`: independent cells that invert.
pub fn sram_on(preset: &str, form: &str, v: f64) -> sram::Errors {
    sram::Errors {
        preset: Some(preset.into()),
        curve: curve(preset, form),
        v,
        v_unit: match text(preset, "v_unit") {
            "vmin" => VoltageUnit::Vmin,
            "volt" => VoltageUnit::Volt,
            other => panic!("{other} is no unit of voltage"),
        },
        v_range: range(preset, "v_range"),
        ber_clip: number(preset, "ber_clip"),
        direction: Direction::Flip,
        p01_share: 0.5,
        persistent_fraction: number(preset, "persistent_fraction"),
        spatial: Spatial::Iid,
        read_upset: 0.0,
        write_fail: 0.0,
        ser_fit_per_mbit: 0.0,
    }
}

/// The SRAM of `preset` with its own curve at voltage `v`: independent cells that invert.
pub fn sram(preset: &str, v: f64) -> sram::Errors {
    sram_on(preset, text(preset, "curve"), v)
}

/// The DRAM of `preset` with curve `form`, refreshed every `seconds` at the temperature of its record: half of the cells
/// hold a one as charge.
pub fn dram_on(preset: &str, form: &str, seconds: f64) -> dram::Errors {
    let number = |key| number(preset, key);
    dram::Errors {
        preset: Some(preset.into()),
        retention: match form {
            "log_normal" => Retention::LogNormal { mu_ln_s: number("mu_ln_s"), sigma_ln: number("sigma_ln") },
            "power_law" => Retention::PowerLaw { b1: number("b1"), beta: number("beta") },
            "table" => Retention::Table { points: Points::new(points(preset), Trend::Rises).unwrap() },
            other => panic!("no curve is called {other}"),
        },
        t_range_s: range(preset, "t_range_s"),
        supported_share: number("supported_share"),
        t_ref_c: number("t_ref_c"),
        temp_c: number("temp_c"),
        temp_halving_c: number("temp_halving_c"),
        refresh_interval_ms: ByBit::from(1e3 * seconds),
        cell_layout: CellLayout::Half,
        module_scale: 1.0,
        module_sigma: 0.0,
        access_refreshes: true,
        ser_fit_per_mbit: 0.0,
    }
}

pub fn of_sram(error: &sram::Errors) -> Technology {
    Technology::Sram(sram::Parameters { error: error.clone(), energy: None })
}

pub fn of_dram(error: &dram::Errors) -> Technology {
    Technology::Dram(dram::Parameters { error: error.clone(), energy: None })
}
