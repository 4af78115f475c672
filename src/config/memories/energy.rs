//! `[memories.NAME.energy]` of SRAM and DRAM.

use crate::config::constants::{Constants, Key};
use crate::config::problem::{Problem, Problems};
use crate::config::reader::listed;
use crate::memory::Geometry;
use crate::memory::energy::Error;
use crate::memory::energy::dram::Device;
use crate::memory::energy::sram::{Energy, Voltage};
use crate::memory::preset::Value;
use std::collections::BTreeMap;

/// Keys of an SRAM that may be left out: what was not published is not reported.
const OPTIONAL: [&str; 8] =
    ["write_pj", "access_ns", "leakage_mw", "area_mm2", "width_read_pj", "vmin_v", "alpha", "vt_v"];

/// Most missing keys that are told one by one.
const MISSING_TOLD: usize = 5;

/// What the keys mean that some table of constants may lack.
fn meaning(key: &'static str) -> &'static str {
    match key {
        "size_bytes" => "the size of one bank in bytes; every bank is an array of its own",
        "word_bits" => "the bits of one access",
        "table_word_bits" => "the bits of one access in the tables",
        "read_pj" => "rows of [bytes, pJ per read] at nominal voltage",
        "rail" => "`macro` or `array_only`: what follows the scaled supply",
        "array_share" => "the share of the access energy that scales with the array rail",
        "leak_exp" => "the exponent of the voltage in the leakage",
        "v_nom" => "the voltage of the tables in volts",
        "vmin_v" => "the lowest voltage without a failing cell, in volts: it relates `v` to `v_nom`",
        "access_scale" => "a factor on all access energies",
        "leak_scale" => "a factor on the leakage",
        "timing" => "`constant_frequency` or `alpha_power`: how the access time follows the supply",
        "alpha" => "the exponent of the alpha-power law",
        "vt_v" => "the threshold voltage in volts",
        "rails" => "the names of the supply rails",
        "voltage_v" => "the supply voltage of each rail in volts",
        "tck_ns" => "the period of the clock",
        "rfc_ns" => "the time of one refresh command",
        "refi_ns" => "the time between two refresh commands",
        "refresh_window_ms" => "the nominal interval in which every cell is refreshed once",
        "bank_groups" => "the groups that the banks of a device form; 1 where it has none",
        "command_buses" => "1, or 2 where row and column commands have a bus each",
        "ppd" => "the cycles from one precharge to the next; 0 where there is no such limit",
        "io_pj_per_bit" => "what interface and PHY add to each bit moved",
        "row_policy" => "`open` or `closed`: what the controller does with a row after an access",
        _ => "a figure of the data sheet",
    }
}

/// Every key of the table.
fn keys(of_model: &[&'static str]) -> Vec<&'static str> {
    ["preset"].into_iter().chain(of_model.iter().copied()).collect()
}

/// Typed values and the preset's, by key; `None` if a required one is missing or one is wrong (noted).
fn values(
    constants: &Constants<'_>,
    of_model: &[&'static str],
    is_required: impl Fn(&str) -> bool,
    problems: &mut Problems,
) -> Option<BTreeMap<&'static str, Value>> {
    constants.section.check_keys(&keys(of_model), problems);
    check_choices(constants, of_model, problems);
    let is_missing = |key: &&&str| is_required(key) && !constants.has(key);
    let missing: Vec<&str> = of_model.iter().filter(is_missing).copied().collect();
    if missing.len() > MISSING_TOLD && constants.section.find("preset").is_none() {
        let message = format!("[{}] lacks {}", constants.section.path(), listed(&missing));
        let names: Vec<_> = constants.presets().map(|preset| preset.name.as_str()).collect();
        problems.push(
            Problem::new(constants.section.location(), message, "no preset, and not all of its constants")
                .with_help(format!("name a preset that has them: {}", listed(&names))),
        );
        return None;
    }
    let mut values = BTreeMap::new();
    let mut is_complete = true;
    for &key in of_model {
        if is_required(key) {
            is_complete &= constants.require(Key { name: key, meaning: meaning(key) }, problems);
        }
        let value = constants.value(key, problems);
        is_complete &= value.is_some() || !constants.has(key);
        values.extend(value.map(|value| (key, value)));
    }
    is_complete.then_some(values)
}

/// Notes words that are none of the choices of their key.
fn check_choices(constants: &Constants<'_>, of_model: &[&str], problems: &mut Problems) {
    let choices: [(&str, [(&str, ()); 2]); 3] = [
        ("rail", [("macro", ()), ("array_only", ())]),
        ("timing", [("constant_frequency", ()), ("alpha_power", ())]),
        ("row_policy", [("open", ()), ("closed", ())]),
    ];
    for (key, words) in choices.iter().filter(|(key, _)| of_model.contains(key)) {
        constants.section.choice(key, words, problems);
    }
}

/// Reads the energy model of an SRAM; `None` if something is wrong (noted). A bank is as large as `geometry` says unless
/// `size_bytes` does.
pub(super) fn sram(
    constants: &Constants<'_>,
    geometry: Option<Geometry>,
    is_over_vmin: bool,
    problems: &mut Problems,
) -> Option<Energy> {
    const SIZE: &str = "size_bytes";
    let bank_bytes =
        geometry.and_then(|geometry| Some(geometry.capacity_bits()? / geometry.banks)).map(|bits| bits / 8);
    let is_required = |key: &str| match key {
        SIZE => bank_bytes.is_none(),
        "vmin_v" => is_over_vmin,
        key => !OPTIONAL.contains(&key),
    };
    let mut values = values(constants, &Energy::KEYS, is_required, problems)?;
    if let Some(bytes) = bank_bytes {
        let bytes = bytes as f64;
        if let Some(Value::Number(typed)) = values.get(SIZE)
            && *typed != bytes
        {
            let message = format!(
                "`{}` is {typed}, but `capacity_bytes` and `banks` make banks of {bytes} bytes",
                constants.section.key(SIZE)
            );
            problems.push(
                Problem::new(constants.place(SIZE), message, "another size")
                    .with_help("leave it out: a bank is an array of its own"),
            );
            return None;
        }
        values.insert(SIZE, Value::Number(bytes));
    }
    checked(constants, Energy::from_constants(&name(constants), &|key| values.get(key)), problems)
}

/// Reads the devices of a DRAM; `None` if something is wrong (noted).
pub(super) fn dram(constants: &Constants<'_>, problems: &mut Problems) -> Option<Device> {
    let values = values(constants, &Device::KEYS, |_| true, problems)?;
    checked(constants, Device::from_constants(&name(constants), &|key| values.get(key)), problems)
}

/// Name of the preset for a report.
fn name(constants: &Constants<'_>) -> String {
    constants.preset_name().unwrap_or_else(|| "custom".to_owned())
}

/// Notes what the array cannot do at `voltage`; whether it can.
pub(super) fn check_voltage(
    constants: &Constants<'_>,
    energy: &Energy,
    voltage: Voltage,
    problems: &mut Problems,
) -> bool {
    let point = energy.ratio(voltage).and_then(|ratio| energy.at(ratio));
    checked(constants, point, problems).is_some()
}

/// The value, its error noted where its key was typed.
fn checked<T>(constants: &Constants<'_>, result: Result<T, Error>, problems: &mut Problems) -> Option<T> {
    let error = match result {
        Ok(value) => return Some(value),
        Err(error) => error,
    };
    let section = &constants.section;
    let typed = |key: &str| section.find(key).map(|_| constants.place(key));
    let place = match &error {
        Error::OutsideTable { what, .. } if what.starts_with("sizes") => typed("size_bytes"),
        Error::OutsideTable { .. } => typed("word_bits"),
        error => key(error).and_then(typed),
    };
    let message = format!("[{}]: {error}", section.path());
    problems.push(Problem::new(place.unwrap_or(section.location()), message, "not possible"));
    None
}

/// The key that an error is about.
fn key(error: &Error) -> Option<&'static str> {
    match error {
        Error::Missing { key }
        | Error::Kind { key, .. }
        | Error::Choice { key, .. }
        | Error::Range { key, .. }
        | Error::Rails { key, .. } => Some(key),
        Error::OutsideTable { column, .. } | Error::Table { column } => Some(column),
        Error::UnknownVmin => Some("vmin_v"),
        Error::RefreshInterval { .. } | Error::Negative(_) => None,
    }
}

/// The supply of `energy` at which a memory without an error model runs: `v` volts, or else the nominal voltage.
pub(super) fn voltage(energy: &Energy, v: Option<f64>) -> Voltage {
    Voltage::Volts(v.unwrap_or(energy.v_nom))
}
