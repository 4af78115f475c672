//! `[memories.NAME.error]` of a DRAM.

use super::{Purpose, sram};
use crate::config::constants::{Bounds, Constants, Key};
use crate::config::problem::{Problem, Problems};
use crate::config::reader::{integer, unexpected};
use crate::config::tree::{Node, Value};
use crate::memory::ByBit;
use crate::memory::dram::{CellLayout, Errors, Retention, nominal_interval_ms};
use crate::memory::energy::dram::Device;
use crate::memory::points::Trend;

const KEYS: [&str; 20] = [
    "preset",
    "refresh_interval_ms",
    "cell_layout",
    "row_block",
    "temp_c",
    "retention",
    "mu_ln_s",
    "sigma_ln",
    "b1",
    "beta",
    "table_points",
    "t_range_s",
    "supported_share",
    "t_ref_c",
    "temp_halving_c",
    "module_scale",
    "module_sigma",
    "access_refreshes",
    "ser_fit_per_mbit",
    super::MAP,
];
const INTERVAL: Key = Key {
    name: "refresh_interval_ms",
    meaning: "milliseconds between two refreshes of a cell, or a list by bit from the most significant down",
};

const LAYOUT: Key = Key {
    name: "cell_layout",
    meaning: "`all_true`, `all_anti`, `half` or `row_blocks`: which value a cell holds as charge; it differs by vendor",
};

#[derive(Clone, Copy)]
enum RetentionKind {
    LogNormal,
    PowerLaw,
    Table,
}

#[derive(Clone, Copy)]
enum LayoutKind {
    AllTrue,
    AllAnti,
    Half,
    RowBlocks,
}

/// Every key of the table.
pub(super) fn keys(purpose: Purpose) -> Vec<&'static str> {
    let rate = (purpose == Purpose::Alone).then_some(super::TARGET.name);
    KEYS.into_iter().chain(rate).collect()
}

/// Reads the error model; `None` if something is wrong (noted). Intervals are checked against those of `device`.
pub(super) fn errors(
    constants: &Constants<'_>,
    device: Option<&Device>,
    purpose: Purpose,
    problems: &mut Problems,
    warnings: &mut Problems,
) -> Option<Errors> {
    constants.section.check_keys(&keys(purpose), problems);
    let number = |name, meaning, bounds, problems: &mut Problems| {
        constants.number(Key { name, meaning }, bounds, problems)
    };
    let number_or = |name, default, bounds, problems: &mut Problems| {
        constants.number_or(Key { name, meaning: "" }, default, bounds, problems)
    };
    let retention = retention(constants, problems);
    let meaning = "the shortest and the longest retention time that the curve was recorded for, in seconds";
    let t_range_s = constants.range(Key { name: "t_range_s", meaning }, Bounds::AtLeast(0.0), problems);
    let meaning = "the largest share of failing cells that the form of the curve is good for";
    let supported_share = number("supported_share", meaning, Bounds::AboveTo(0.0, 1.0), problems);
    let celsius = Bounds::From(0.0, 95.0);
    let meaning = "the temperature that the curve was recorded at, in degrees Celsius";
    let t_ref_c = number("t_ref_c", meaning, celsius, problems);
    let temp_c = number("temp_c", "the operating temperature in degrees Celsius", celsius, problems);
    let meaning = "the degrees that halve the retention time";
    let temp_halving_c = number("temp_halving_c", meaning, Bounds::From(10.0, 50.0), problems);
    let cell_layout = match purpose {
        // It decides nothing about random data.
        Purpose::Alone if !constants.has(LAYOUT.name) => {
            constants.refuse(&["row_block"], "a memory without `cell_layout`", problems);
            Some(CellLayout::Half)
        }
        _ => cell_layout(constants, problems),
    };
    let module_scale = number_or("module_scale", 1.0, Bounds::From(0.1, 10.0), problems);
    let module_sigma = number_or("module_sigma", 0.0, Bounds::From(0.0, 3.0), problems);
    let access_refreshes = boolean_or(constants, "access_refreshes", true, problems);
    let ser_fit_per_mbit = sram::soft_errors(constants, purpose, problems);
    let nominal_ms = nominal_interval_ms(device, temp_c);
    let target = super::target(constants, purpose, problems);
    let refresh_interval_ms = match target {
        Some(_) => Some(ByBit::from(nominal_ms)),
        None => interval(constants, nominal_ms, temp_c, problems),
    };
    let errors = Errors {
        preset: constants.preset_name(),
        retention: retention?,
        t_range_s: t_range_s?,
        supported_share: supported_share?,
        t_ref_c: t_ref_c?,
        temp_c: temp_c?,
        temp_halving_c: temp_halving_c?,
        refresh_interval_ms: refresh_interval_ms?,
        cell_layout: cell_layout?,
        module_scale: module_scale?,
        module_sigma: module_sigma?,
        access_refreshes: access_refreshes?,
        ser_fit_per_mbit: ser_fit_per_mbit?,
    };
    let errors = match target {
        Some(rate) => solved(constants, errors, rate, problems)?,
        None => errors,
    };
    warn_of_extrapolation(constants, &errors, nominal_ms, warnings);
    Some(errors)
}

fn interval(
    constants: &Constants<'_>,
    nominal_ms: f64,
    temp_c: Option<f64>,
    problems: &mut Problems,
) -> Option<ByBit> {
    if !constants.require(INTERVAL, problems) {
        return None;
    }
    let node = &constants.section.find(INTERVAL.name)?.node;
    let at = temp_c.map_or(String::new(), |celsius| format!(" at {celsius} °C"));
    let expected = format!(
        "a number of at least {nominal_ms} (ms), the nominal interval of the device{at}, or a list of such numbers"
    );
    super::by_bit(
        &constants.section.key(INTERVAL.name),
        node,
        &expected,
        |ms| ms >= nominal_ms && ms.is_finite(),
        problems,
    )
}

/// Reads the intervals of a device of which nothing but energy is known; `None` if they are left out or wrong (noted).
pub(super) fn interval_alone(
    constants: &Constants<'_>,
    device: &Device,
    problems: &mut Problems,
) -> Option<ByBit> {
    constants.section.check_keys(&[INTERVAL.name], problems);
    if constants.has(INTERVAL.name) {
        interval(constants, device.timing.refresh_window_ms, None, problems)
    } else {
        Some(ByBit::from(device.timing.refresh_window_ms))
    }
}

/// `errors` at the interval at which they deliver wrong bits of random data at `rate`, by bisection.
fn solved(constants: &Constants<'_>, errors: Errors, rate: f64, problems: &mut Problems) -> Option<Errors> {
    /// Longer than any cell retains.
    const LONGEST_S: f64 = 1e9;
    let rate_at = |interval_s| errors.bit_error_rate(interval_s) / 2.0;
    let (mut low, mut high) = (errors.refresh_interval_ms.msb() / 1e3, LONGEST_S);
    let (least, most) = (rate_at(low), rate_at(high));
    if !(least..=most).contains(&rate) {
        super::refuse_target(constants, rate, [least, most], "intervals from the nominal one up", problems);
        return None;
    }
    while let middle = low.midpoint(high)
        && low < middle
        && middle < high
    {
        if rate_at(middle) < rate { low = middle } else { high = middle }
    }
    Some(Errors { refresh_interval_ms: ByBit::from(high * 1e3), ..errors })
}

/// Says where the record ends and the extrapolation begins, for intervals above the nominal one.
fn warn_of_extrapolation(
    constants: &Constants<'_>,
    errors: &Errors,
    nominal_ms: f64,
    warnings: &mut Problems,
) {
    let (key, at) = (constants.section.key(INTERVAL.name), constants.place(INTERVAL.name));
    let longer = || errors.refresh_interval_ms.from_msb().iter().filter(|ms| **ms > nominal_ms);
    let equivalent = |ms: f64| errors.equivalent_s(ms / 1e3);
    let [first, last] = errors.t_range_s;
    let reference = errors.t_ref_c;
    if let Some(ms) = longer().find(|ms| errors.leaves_tail(**ms / 1e3)) {
        let message = format!(
            "`{key}`: after {ms} ms at {} °C a share of {:.3e} of the cells has failed, more than the {:e} up to which the curve \
             is known: the rate is an extrapolation beyond the tail that was recorded",
            errors.temp_c,
            errors.bit_error_rate(ms / 1e3),
            errors.supported_share,
        );
        warnings.push(Problem::new(at, message, "beyond the supported tail"));
    } else if let Some(ms) = longer().find(|ms| !errors.supports(**ms / 1e3)) {
        let message = format!(
            "`{key}`: {ms} ms at {} °C are as {:.3} s at {reference} °C, outside of the {first} to {last} s that were recorded: \
             the rate is extrapolated",
            errors.temp_c,
            equivalent(*ms),
        );
        warnings.push(Problem::new(at, message, "extrapolated"));
    }
}

fn retention(constants: &Constants<'_>, problems: &mut Problems) -> Option<Retention> {
    let key = Key {
        name: "retention",
        meaning: "`log_normal`, `power_law` or `table`: the share of cells that fail after a time",
    };
    let kinds = [
        ("log_normal", RetentionKind::LogNormal),
        ("power_law", RetentionKind::PowerLaw),
        ("table", RetentionKind::Table),
    ];
    let number = |name, meaning, bounds, problems: &mut Problems| {
        constants.number(Key { name, meaning }, bounds, problems)
    };
    match constants.choice(key, &kinds, problems)? {
        RetentionKind::LogNormal => {
            constants.refuse(&["b1", "beta", "table_points"], "retention `log_normal`", problems);
            let meaning = "the mean of the natural logarithm of the retention time in seconds";
            let mu_ln_s = number("mu_ln_s", meaning, Bounds::Finite, problems);
            let sigma_ln = number("sigma_ln", "its standard deviation", Bounds::Above(0.0), problems);
            Some(Retention::LogNormal { mu_ln_s: mu_ln_s?, sigma_ln: sigma_ln? })
        }
        RetentionKind::PowerLaw => {
            constants.refuse(&["mu_ln_s", "sigma_ln", "table_points"], "retention `power_law`", problems);
            let meaning = "the share of cells that fail after one second";
            let b1 = number("b1", meaning, Bounds::From(0.0, 1.0), problems);
            let beta = number("beta", "the exponent of the time", Bounds::Above(0.0), problems);
            Some(Retention::PowerLaw { b1: b1?, beta: beta? })
        }
        RetentionKind::Table => {
            constants.refuse(&["mu_ln_s", "sigma_ln", "b1", "beta"], "retention `table`", problems);
            sram::table(constants, Trend::Rises, problems).map(|points| Retention::Table { points })
        }
    }
}

fn cell_layout(constants: &Constants<'_>, problems: &mut Problems) -> Option<CellLayout> {
    let kinds = [
        ("all_true", LayoutKind::AllTrue),
        ("all_anti", LayoutKind::AllAnti),
        ("half", LayoutKind::Half),
        ("row_blocks", LayoutKind::RowBlocks),
    ];
    let kind = constants.choice(LAYOUT, &kinds, problems)?;
    let block = Key { name: "row_block", meaning: "the rows of one block of true cells or anti-cells" };
    if !matches!(kind, LayoutKind::RowBlocks) {
        constants.refuse(&[block.name], "cell_layout other than `row_blocks`", problems);
    }
    Some(match kind {
        LayoutKind::AllTrue => CellLayout::AllTrue,
        LayoutKind::AllAnti => CellLayout::AllAnti,
        LayoutKind::Half => CellLayout::Half,
        LayoutKind::RowBlocks => {
            constants.require(block, problems);
            let node = &constants.section.find(block.name)?.node;
            let rows = integer(&constants.section.key(block.name), node, 1..=i64::MAX, problems)?;
            CellLayout::RowBlocks { row_block: rows as u64 }
        }
    })
}

fn boolean_or(constants: &Constants<'_>, key: &str, default: bool, problems: &mut Problems) -> Option<bool> {
    match constants.section.find(key).map(|entry| &entry.node) {
        None => Some(default),
        Some(Node { value: Value::Boolean(value), .. }) => Some(*value),
        Some(node) => {
            problems.push(unexpected(&constants.section.key(key), node, "`true` or `false`"));
            None
        }
    }
}
