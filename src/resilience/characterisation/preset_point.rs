//! What a tolerated bit error rate buys in the memories of the presets: the lowest voltage, the longest refresh interval, and
//! what they save.

use super::Error;
use super::knob::{self, Knob, Reach, Unit};
use crate::memory::energy::sram::{Energy, Voltage};
use crate::memory::points::{Points, Trend};
use crate::memory::preset::{self, Preset, Table, Value};
use crate::memory::protection_cost::{self, Relative};
use crate::memory::sram::{Curve, Direction, Spatial, VoltageUnit};
use crate::memory::{ByBit, Geometry, Memory, Protection, Technology, dram, sram, uniform};
use serde::Serialize;

/// A bit error rate that data tolerate if their top bits are precise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Tolerance {
    /// Top bits of each word that never err.
    pub protected_msbs: u32,
    /// Bits of the words for which it was measured, 1..=32.
    pub word_bits: u32,
    /// The rate of the others, in (0, 1].
    pub bit_error_rate: f64,
}

/// How far a preset can go under one tolerance, and what that buys. Ratios are over the precise operating point with nothing
/// protected; null where the source says nothing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PresetPoint {
    /// The preset.
    pub preset: String,
    /// What its data tolerate.
    pub tolerance: Tolerance,
    /// How far it can go.
    pub reach: Reach,
    /// Unit of the operating point; null for presets of one rate.
    pub unit: Option<Unit>,
    /// Lowest and highest operating point for which its source gives rates.
    pub range: Option<[f64; 2]>,
    /// The furthest operating point that is tolerated.
    pub setting: Option<f64>,
    /// Bit error rate there, or the one rate, for data of as many ones as zeros.
    pub bit_error_rate: Option<f64>,
    /// Energy of an access, the protected bits on a precise supply.
    pub access_energy_ratio: Option<f64>,
    /// Leakage, the protected bits on a precise supply.
    pub leakage_power_ratio: Option<f64>,
    /// Refresh, the protected bits refreshed nominally.
    pub refresh_power_ratio: Option<f64>,
    /// What was taken where the source is silent.
    pub assumptions: Vec<String>,
}

/// Preset of which the energy ratios of all SRAM are taken: how energy follows the voltage is the same in all of its tables.
const SRAM_ENERGY: &str = "cacti7.45nm.hp";

/// Every preset of a memory that errs, under every one of `tolerances`.
///
/// # Errors
/// [`Error::Protection`] for a tolerance with more protected bits than its words have.
pub fn preset_points(tolerances: &[Tolerance]) -> Result<Vec<PresetPoint>, Error> {
    let mut points = Vec::new();
    for preset in preset::all() {
        let mut assumptions = Vec::new();
        let Some(technology) = technology(preset, &mut assumptions)? else { continue };
        let memory = Memory {
            name: preset.name.clone(),
            technology,
            geometry: Geometry::default(),
            protection: Protection::dual_rail(0),
            lifetime: None,
            measured: None,
        };
        for &tolerance in tolerances {
            points.push(point(&memory, tolerance, &assumptions)?);
        }
    }
    Ok(points)
}

fn point(memory: &Memory, tolerance: Tolerance, assumptions: &[String]) -> Result<PresetPoint, Error> {
    let mut point = PresetPoint {
        preset: memory.name.clone(),
        tolerance,
        reach: Reach::Nowhere,
        unit: None,
        range: None,
        setting: None,
        bit_error_rate: None,
        access_energy_ratio: None,
        leakage_power_ratio: None,
        refresh_power_ratio: None,
        assumptions: assumptions.to_vec(),
    };
    if let Technology::Uniform(_) = &memory.technology {
        let rate = knob::bit_error_rate(&memory.technology);
        let is_tolerated = rate <= tolerance.bit_error_rate;
        point.reach = if is_tolerated { Reach::OneRateTolerated } else { Reach::OneRateExceeds };
        point.bit_error_rate = Some(rate);
        return Ok(point);
    }
    let Some(knob) = Knob::of(memory) else { return Ok(point) };
    point.unit = Some(knob.unit);
    point.range = Some([knob.careful.min(knob.careless), knob.careful.max(knob.careless)]);
    (point.reach, point.setting) = knob.furthest(tolerance.bit_error_rate);
    let Some(setting) = point.setting else { return Ok(point) };
    point.bit_error_rate = Some(knob.rate(setting));
    let mix = |relative| {
        protection_cost::cost(Protection::dual_rail(tolerance.protected_msbs), tolerance.word_bits, relative)
    };
    if let Technology::Dram(parameters) = &memory.technology {
        let refresh = parameters.nominal_interval_ms() / setting;
        // Refresh stands for itself here: the protected bits draw it in full.
        point.refresh_power_ratio = Some(mix(Relative { access: 1.0, leakage: refresh })?.leakage);
        point.access_energy_ratio = Some(1.0);
        return Ok(point);
    }
    let cost = mix(sram_relative(knob.unit, setting)?)?;
    (point.access_energy_ratio, point.leakage_power_ratio) = (Some(cost.access), Some(cost.leakage));
    point.assumptions.push(energy_assumption(knob.unit));
    Ok(point)
}

/// What an SRAM spends at `setting` over its precise operating point: where voltages are told over Vmin its whole macro is
/// scaled, where they are told in volts its cell array alone, each as the source of the preset measured or modelled it.
fn sram_relative(unit: Unit, setting: f64) -> Result<Relative, Error> {
    let (rail, voltage, precise) = match unit {
        Unit::VOverVmin => ("macro", Voltage::OverVmin(setting), Voltage::OverVmin(1.0)),
        Unit::VVolts | Unit::RefreshIntervalMs => {
            ("array_only", Voltage::Volts(setting), Voltage::Volts(1.0))
        }
    };
    let preset = found(SRAM_ENERGY)?;
    // Neither size nor Vmin in volts has a part in the ratios.
    let (rail, size, vmin) = (Value::Text(rail.to_owned()), Value::Number(8192.0), Value::Number(1.0));
    let lookup = |key: &str| match key {
        "rail" => Some(&rail),
        "size_bytes" => Some(&size),
        "vmin_v" => Some(&vmin),
        _ => preset.constant(key).map(|constant| &constant.value),
    };
    let energy = Energy::from_constants(SRAM_ENERGY, &lookup)?;
    let (ratio, precise) = (energy.ratio(voltage)?, energy.ratio(precise)?);
    Ok(Relative {
        access: energy.access_factor(ratio) / energy.access_factor(precise),
        leakage: energy.leakage_factor(ratio) / energy.leakage_factor(precise),
    })
}

fn energy_assumption(unit: Unit) -> String {
    let rail = match unit {
        Unit::VOverVmin => "the whole macro is scaled from Vmin",
        Unit::VVolts | Unit::RefreshIntervalMs => "the cell array alone is scaled from 1 V",
    };
    format!(
        "{rail}; leakage follows the voltage as in `{SRAM_ENERGY}`; level shifters of the second supply cost nothing"
    )
}

fn found(name: &'static str) -> Result<&'static Preset, Error> {
    preset::find(name).ok_or(Error::Constant { preset: name.to_owned(), key: "name" })
}

/// The memory of `preset`; `None` if it is none that errs.
fn technology(preset: &'static Preset, assumptions: &mut Vec<String>) -> Result<Option<Technology>, Error> {
    let constants = Constants(preset);
    Ok(match preset.table {
        Table::Uniform => {
            let ber = constants.numbers("ber")?;
            let ber = ByBit::new(ber).map_err(|_| constants.missing("ber"))?;
            let parameters = uniform::Parameters { preset: None, ber, ser_fit_per_mbit: 0.0 };
            Some(Technology::Uniform(parameters))
        }
        Table::SramError => {
            let error = sram_errors(constants, assumptions)?;
            Some(Technology::Sram(sram::Parameters { error, energy: None }))
        }
        Table::DramError => {
            let error = dram_errors(constants, assumptions)?;
            Some(Technology::Dram(dram::Parameters { error, energy: None }))
        }
        Table::SramEnergy | Table::DramEnergy | Table::AcceleratorEnergy => None,
    })
}

/// Constants of a preset by their keys.
#[derive(Clone, Copy)]
struct Constants(&'static Preset);

impl Constants {
    fn missing(self, key: &'static str) -> Error {
        Error::Constant { preset: self.0.name.clone(), key }
    }

    fn value(self, key: &'static str) -> Result<&'static Value, Error> {
        let constant = self.0.constant(key);
        constant.map(|constant| &constant.value).ok_or_else(|| self.missing(key))
    }

    fn number(self, key: &'static str) -> Result<f64, Error> {
        if let Value::Number(number) = self.value(key)? { Ok(*number) } else { Err(self.missing(key)) }
    }

    fn numbers(self, key: &'static str) -> Result<Vec<f64>, Error> {
        Ok(self.value(key)?.numbers())
    }

    fn pair(self, key: &'static str) -> Result<[f64; 2], Error> {
        self.numbers(key)?.try_into().map_err(|_| self.missing(key))
    }

    fn text(self, key: &'static str) -> Option<&'static str> {
        match self.value(key) {
            Ok(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn points(self, trend: Trend) -> Result<Points, Error> {
        const KEY: &str = "table_points";
        let Value::Rows(rows) = self.value(KEY)? else { return Err(self.missing(KEY)) };
        let pair = |row: &Vec<f64>| match row.as_slice() {
            &[x, rate] => Some((x, rate)),
            _ => None,
        };
        let points: Option<Vec<_>> = rows.iter().map(pair).collect();
        points.and_then(|points| Points::new(points, trend).ok()).ok_or_else(|| self.missing(KEY))
    }
}

fn sram_errors(constants: Constants, assumptions: &mut Vec<String>) -> Result<sram::Errors, Error> {
    let number = |key| constants.number(key);
    let curve = match constants.text("curve") {
        Some("probit") => {
            Curve::Probit { mu: number("mu")?, sigma: number("sigma")?, scale: number("scale")? }
        }
        Some("probit2") => {
            let (z0, z1, z2) = (number("z0")?, number("z1")?, number("z2")?);
            Curve::Probit2 { z0, z1, z2, scale: number("scale")? }
        }
        Some("table") => Curve::Table { points: constants.points(Trend::Falls)? },
        _ => return Err(constants.missing("curve")),
    };
    let direction = match constants.text("direction") {
        Some("stuck") => {
            assumptions.push("stuck cells deliver the wrong bit of half of the data".to_owned());
            Direction::Stuck
        }
        Some(_) => Direction::Flip,
        None => {
            assumptions.push(
                "the source counts faulty cells, not what they deliver: each is taken to deliver the inverse, the worst case"
                    .to_owned(),
            );
            Direction::Flip
        }
    };
    if constants.text("spatial") != Some("iid") {
        assumptions.push("the mean rate counts, wherever the faulty cells lie".to_owned());
    }
    Ok(sram::Errors {
        preset: Some(constants.0.name.clone()),
        curve,
        v: constants.pair("v_range")?[1],
        v_unit: match constants.text("v_unit") {
            Some("vmin") => VoltageUnit::Vmin,
            Some("volt") => VoltageUnit::Volt,
            _ => return Err(constants.missing("v_unit")),
        },
        v_range: constants.pair("v_range")?,
        ber_clip: number("ber_clip")?,
        direction,
        p01_share: 0.5,
        persistent_fraction: number("persistent_fraction")?,
        spatial: Spatial::Iid,
        read_upset: 0.0,
        write_fail: 0.0,
        ser_fit_per_mbit: 0.0,
    })
}

fn dram_errors(constants: Constants, assumptions: &mut Vec<String>) -> Result<dram::Errors, Error> {
    let number = |key| constants.number(key);
    let retention = match constants.text("retention") {
        Some("log_normal") => {
            dram::Retention::LogNormal { mu_ln_s: number("mu_ln_s")?, sigma_ln: number("sigma_ln")? }
        }
        Some("power_law") => dram::Retention::PowerLaw { b1: number("b1")?, beta: number("beta")? },
        Some("table") => dram::Retention::Table { points: constants.points(Trend::Rises)? },
        _ => return Err(constants.missing("retention")),
    };
    let temp_c = number("temp_c")?;
    let nominal_ms = dram::nominal_interval_ms(None, Some(temp_c));
    assumptions.push(format!(
        "half of the weak cells hold charge; at {temp_c} °C, refreshed every {nominal_ms} ms nominally; no access refreshes"
    ));
    Ok(dram::Errors {
        preset: Some(constants.0.name.clone()),
        retention,
        t_range_s: constants.pair("t_range_s")?,
        supported_share: number("supported_share")?,
        t_ref_c: number("t_ref_c")?,
        temp_c,
        temp_halving_c: number("temp_halving_c")?,
        refresh_interval_ms: ByBit::from(nominal_ms),
        cell_layout: dram::CellLayout::Half,
        module_scale: 1.0,
        module_sigma: 0.0,
        access_refreshes: false,
        ser_fit_per_mbit: 0.0,
    })
}

#[cfg(test)]
#[path = "preset_point_tests.rs"]
mod tests;
