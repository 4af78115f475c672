//! Error and energy models with the constants of the shipped presets.

use approxmem::memory::dram::{self, CellLayout, Retention};
use approxmem::memory::energy::sram::Energy;
use approxmem::memory::points::{Points, Trend};
use approxmem::memory::preset::{self, Preset, Value};
use approxmem::memory::sram::{self, Curve, Direction, Spatial, VoltageUnit};
use std::error::Error;

type Found<T> = Result<T, Box<dyn Error>>;

/// The preset called `name`.
pub fn find(name: &str) -> Found<&'static Preset> {
    preset::find(name).ok_or_else(|| format!("no preset {name}").into())
}

/// The constant `key`, a number.
pub fn number(preset: &Preset, key: &str) -> Found<f64> {
    match preset.constant(key).map(|constant| &constant.value) {
        Some(Value::Number(number)) => Ok(*number),
        other => Err(format!("{key} of {} is no number: {other:?}", preset.name).into()),
    }
}

fn range(preset: &Preset, key: &str) -> Found<[f64; 2]> {
    match preset.constant(key).map(|constant| &constant.value) {
        Some(Value::List(list)) if list.len() == 2 => Ok([list[0], list[1]]),
        other => Err(format!("{key} of {} is no range: {other:?}", preset.name).into()),
    }
}

/// The published points of `preset`.
pub fn points(preset: &Preset) -> Found<Vec<(f64, f64)>> {
    match preset.constant("table_points").map(|constant| &constant.value) {
        Some(Value::Rows(rows)) => Ok(rows.iter().map(|row| (row[0], row[1])).collect()),
        other => Err(format!("table_points of {} are no rows: {other:?}", preset.name).into()),
    }
}

/// The SRAM of `preset` with the curve that the key `curve` calls so.
pub fn sram(preset: &Preset, curve: &str) -> Found<sram::Errors> {
    let key = |key| number(preset, key);
    let curve = match curve {
        "probit" => Curve::Probit { mu: key("mu")?, sigma: key("sigma")?, scale: key("scale")? },
        "probit2" => Curve::Probit2 { z0: key("z0")?, z1: key("z1")?, z2: key("z2")?, scale: key("scale")? },
        "table" => Curve::Table { points: Points::new(points(preset)?, Trend::Falls)? },
        other => return Err(format!("no curve {other}").into()),
    };
    let v_range = range(preset, "v_range")?;
    Ok(sram::Errors {
        preset: Some(preset.name.clone()),
        curve,
        v: v_range[1],
        v_unit: VoltageUnit::Vmin,
        v_range,
        ber_clip: key("ber_clip")?,
        direction: Direction::Flip,
        p01_share: 0.5,
        persistent_fraction: 1.0,
        spatial: Spatial::Iid,
        read_upset: 0.0,
        write_fail: 0.0,
        ser_fit_per_mbit: 0.0,
    })
}

/// The DRAM of `preset` with the curve that the key `retention` calls so.
pub fn dram(preset: &Preset, retention: &str) -> Found<dram::Errors> {
    let key = |key| number(preset, key);
    let retention = match retention {
        "log_normal" => Retention::LogNormal { mu_ln_s: key("mu_ln_s")?, sigma_ln: key("sigma_ln")? },
        "power_law" => Retention::PowerLaw { b1: key("b1")?, beta: key("beta")? },
        "table" => Retention::Table { points: Points::new(points(preset)?, Trend::Rises)? },
        other => return Err(format!("no retention {other}").into()),
    };
    Ok(dram::Errors {
        preset: Some(preset.name.clone()),
        retention,
        t_range_s: range(preset, "t_range_s")?,
        supported_share: key("supported_share")?,
        t_ref_c: key("t_ref_c")?,
        temp_c: key("temp_c")?,
        temp_halving_c: key("temp_halving_c")?,
        refresh_interval_ms: 64.0.into(),
        cell_layout: CellLayout::Half,
        module_scale: 1.0,
        module_sigma: 0.0,
        access_refreshes: false,
        ser_fit_per_mbit: 0.0,
    })
}

/// An array of 64 KB with the figures of `preset` and `rail` as the part that is scaled.
pub fn energy(preset: &Preset, rail: &str) -> Found<Energy> {
    let given = [("size_bytes", Value::Number(65_536.0)), ("rail", Value::Text(rail.to_owned()))];
    let lookup = |key: &str| {
        let given = given.iter().find(|(name, _)| *name == key).map(|(_, value)| value);
        given.or_else(|| preset.constant(key).map(|constant| &constant.value))
    };
    Ok(Energy::from_constants(&preset.name, &lookup)?)
}
