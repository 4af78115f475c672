//! `[memories.NAME.error]` of an SRAM.

use super::Purpose;
use crate::config::constants::{Bounds, Constants, Key};
use crate::config::problem::{Problem, Problems};
use crate::config::reader::unexpected;
use crate::memory::points::{Points, Trend};
use crate::memory::sram::{Curve, Direction, Errors, Spatial, VoltageUnit};

const KEYS: [&str; 22] = [
    "preset",
    "v",
    "curve",
    "mu",
    "sigma",
    "scale",
    "z0",
    "z1",
    "z2",
    "table_points",
    "v_unit",
    "v_range",
    "ber_clip",
    "direction",
    "p01_share",
    "persistent_fraction",
    "spatial",
    "column_sigma",
    "column_ratio",
    "bad_share",
    "read_upset",
    "write_fail",
];
/// Keys of every technology that counts soft errors.
const SOFT_ERRORS: Key =
    Key { name: "ser_fit_per_mbit", meaning: "soft errors per 1e9 hours and Mbit (2^20 bits)" };
const V: Key = Key { name: "v", meaning: "the supply voltage, in the unit of `v_unit`" };

const SPATIAL: Key =
    Key { name: "spatial", meaning: "`iid`, `column`, `bad_columns` or `bad_rows`: where faulty cells lie" };

#[derive(Clone, Copy)]
enum CurveKind {
    Probit,
    Probit2,
    Table,
}

#[derive(Clone, Copy)]
enum SpatialKind {
    Iid,
    Column,
    BadColumns,
    BadRows,
}

/// Every key of the table.
pub(super) fn keys(purpose: Purpose) -> Vec<&'static str> {
    let rate = (purpose == Purpose::Alone).then_some(super::TARGET.name);
    KEYS.into_iter().chain([SOFT_ERRORS.name, super::MAP]).chain(rate).collect()
}

/// Reads the error model; `None` if something is wrong (noted).
pub(super) fn errors(constants: &Constants<'_>, purpose: Purpose, problems: &mut Problems) -> Option<Errors> {
    constants.section.check_keys(&keys(purpose), problems);
    let v_unit = unit(constants, problems);
    let meaning = "the lowest and the highest voltage that the curve is known for";
    let v_range = constants.range(Key { name: "v_range", meaning }, Bounds::Above(0.0), problems);
    let curve = curve(constants, v_range, problems);
    let target = super::target(constants, purpose, problems);
    let v = match target {
        Some(_) => Some(v_range.map_or(1.0, |[_, high]| high)),
        None => voltage(constants, v_unit, v_range, problems),
    };
    let ber_clip = constants.number(
        Key { name: "ber_clip", meaning: "the largest rate that the curve gives" },
        Bounds::AboveTo(0.0, 0.5),
        problems,
    );
    let direction = direction(constants, problems);
    let persistent_fraction = constants.number(
        Key {
            name: "persistent_fraction",
            meaning: "the share of the rate that sits in cells that are faulty for the life of the device",
        },
        Bounds::From(0.0, 1.0),
        problems,
    );
    let spatial = match purpose {
        // It decides nothing about mean rates.
        Purpose::Alone if !constants.has(SPATIAL.name) => {
            let keys = ["column_sigma", "column_ratio", "bad_share"];
            constants.refuse(&keys, "a memory without `spatial`", problems);
            Some(Spatial::Iid)
        }
        _ => spatial(constants, curve.as_ref(), problems),
    };
    let upset =
        Key { name: "read_upset", meaning: "the probability that a read inverts the bit that it reads" };
    let read_upset = constants.number_or(upset, 0.0, Bounds::From(0.0, 0.01), problems);
    let fail =
        Key { name: "write_fail", meaning: "the probability that a write leaves the old bit in place" };
    let write_fail = constants.number_or(fail, 0.0, Bounds::From(0.0, 0.01), problems);
    let ser_fit_per_mbit = soft_errors(constants, purpose, problems);
    let (direction, p01_share) = direction?;
    let errors = Errors {
        preset: constants.preset_name(),
        curve: curve?,
        v: v?,
        v_unit: v_unit?,
        v_range: v_range?,
        ber_clip: ber_clip?,
        direction,
        p01_share,
        persistent_fraction: persistent_fraction?,
        spatial: spatial?,
        read_upset: read_upset?,
        write_fail: write_fail?,
        ser_fit_per_mbit: ser_fit_per_mbit?,
    };
    match target {
        Some(rate) => solved(constants, errors, rate, problems),
        None => Some(errors),
    }
}

/// Reads `ser_fit_per_mbit`.
pub(super) fn soft_errors(
    constants: &Constants<'_>,
    purpose: Purpose,
    problems: &mut Problems,
) -> Option<f64> {
    if purpose == Purpose::Alone {
        let alone = "a memory alone: how long its data rest is unknown";
        constants.refuse(&[SOFT_ERRORS.name], alone, problems);
    }
    constants.number_or(SOFT_ERRORS, 0.0, Bounds::AtLeast(0.0), problems)
}

/// Reads `v_unit`.
fn unit(constants: &Constants<'_>, problems: &mut Problems) -> Option<VoltageUnit> {
    let key = Key {
        name: "v_unit",
        meaning: "the unit of every voltage here: `vmin`, multiples of the lowest voltage without a failing cell, or `volt`",
    };
    constants.choice(key, &[("vmin", VoltageUnit::Vmin), ("volt", VoltageUnit::Volt)], problems)
}

/// Reads the voltage of an array of which nothing but energy is known; `None` if it is left out or wrong (noted).
pub(super) fn voltage_alone(constants: &Constants<'_>, problems: &mut Problems) -> Option<f64> {
    constants.section.check_keys(&[V.name], problems);
    if constants.has(V.name) { constants.number(V, Bounds::Above(0.0), problems) } else { None }
}

fn voltage(
    constants: &Constants<'_>,
    unit: Option<VoltageUnit>,
    range: Option<[f64; 2]>,
    problems: &mut Problems,
) -> Option<f64> {
    let v = constants.number(V, Bounds::Above(0.0), problems)?;
    let [low, high] = range?;
    if (low..=high).contains(&v) {
        return Some(v);
    }
    let unit = match unit? {
        VoltageUnit::Vmin => "Vmin",
        VoltageUnit::Volt => "V",
    };
    let whose = match constants.preset {
        Some(preset) => format!("that `{}` was fitted to", preset.name),
        None => "of `v_range`".to_owned(),
    };
    let key = constants.section.key(V.name);
    let message = format!("`{key}`: {v} {unit} lies outside of the voltages {whose}, {low} to {high} {unit}");
    problems.push(
        Problem::new(constants.place(V.name), message, format!("expected {low} to {high}")).with_help(
            "nothing is known about the errors out there; a curve of your own brings its own `v_range`",
        ),
    );
    None
}

/// `errors` at the voltage at which they deliver wrong bits at `rate`, by bisection.
fn solved(constants: &Constants<'_>, errors: Errors, rate: f64, problems: &mut Problems) -> Option<Errors> {
    let visible = match errors.direction {
        Direction::Flip => 1.0,
        Direction::Stuck => 0.5,
    };
    let rate_at = |v| visible * errors.bit_error_rate_at(v);
    let [mut low, mut high] = errors.v_range;
    let (most, least) = (rate_at(low), rate_at(high));
    if !(least..=most).contains(&rate) {
        super::refuse_target(
            constants,
            rate,
            [least, most],
            "voltages that the curve is known for",
            problems,
        );
        return None;
    }
    while let middle = low.midpoint(high)
        && low < middle
        && middle < high
    {
        if rate_at(middle) > rate { low = middle } else { high = middle }
    }
    Some(Errors { v: high, ..errors })
}

fn curve(constants: &Constants<'_>, v_range: Option<[f64; 2]>, problems: &mut Problems) -> Option<Curve> {
    let key = Key {
        name: "curve",
        meaning: "`probit`, `probit2` or `table`: the share of faulty cells over the voltage",
    };
    let kinds = [("probit", CurveKind::Probit), ("probit2", CurveKind::Probit2), ("table", CurveKind::Table)];
    let scale = |problems: &mut Problems| {
        let key = Key { name: "scale", meaning: "the factor on the tail of the normal distribution" };
        constants.number(key, Bounds::Above(0.0), problems)
    };
    let number = |name, meaning, bounds, problems: &mut Problems| {
        constants.number(Key { name, meaning }, bounds, problems)
    };
    match constants.choice(key, &kinds, problems)? {
        CurveKind::Probit => {
            constants.refuse(&["z0", "z1", "z2", "table_points"], "curve `probit`", problems);
            let mu = number("mu", "the mean minimum voltage of a cell", Bounds::Finite, problems);
            let meaning = "the standard deviation of the minimum voltage of cells";
            let sigma = number("sigma", meaning, Bounds::Above(0.0), problems);
            let scale = scale(problems);
            Some(Curve::Probit { mu: mu?, sigma: sigma?, scale: scale? })
        }
        CurveKind::Probit2 => {
            constants.refuse(&["mu", "sigma", "table_points"], "curve `probit2`", problems);
            let z0 = number("z0", "the constant term of z", Bounds::Finite, problems);
            let z1 = number("z1", "the linear term of z", Bounds::Finite, problems);
            let z2 = number("z2", "the quadratic term of z", Bounds::Finite, problems);
            let scale = scale(problems);
            let curve = Curve::Probit2 { z0: z0?, z1: z1?, z2: z2?, scale: scale? };
            let [low, high] = v_range?;
            if !curve.falls_within([low, high]) {
                let message = format!(
                    "`{}`: the rate rises with the voltage somewhere from {low} to {high}: a cell that fails at a voltage \
                     must fail at every lower one",
                    constants.section.key("z2")
                );
                let at =
                    ["z2", "z1", "v_range"].into_iter().find(|key| constants.section.find(key).is_some());
                let at = constants.place(at.unwrap_or("z2"));
                problems.push(Problem::new(at, message, "expected z1 + 2·z2·v of at least 0"));
                return None;
            }
            Some(curve)
        }
        CurveKind::Table => {
            constants.refuse(&["z0", "z1", "z2", "mu", "sigma", "scale"], "curve `table`", problems);
            table(constants, Trend::Falls, problems).map(|points| Curve::Table { points })
        }
    }
}

/// Reads `table_points`.
pub(super) fn table(constants: &Constants<'_>, trend: Trend, problems: &mut Problems) -> Option<Points> {
    let key = Key { name: "table_points", meaning: "published points [x, bit error rate], by rising x" };
    let points = constants.points(key, problems)?;
    match Points::new(points, trend) {
        Ok(points) => Some(points),
        Err(error) => {
            let message = format!("`{}` is no curve: {error}", constants.section.key(key.name));
            problems.push(Problem::new(constants.place(key.name), message, "no curve"));
            None
        }
    }
}

fn direction(constants: &Constants<'_>, problems: &mut Problems) -> Option<(Direction, f64)> {
    let key = Key {
        name: "direction",
        meaning: "`flip`: a faulty cell delivers the inverse; `stuck`: always the same",
    };
    let choices = [("flip", Direction::Flip), ("stuck", Direction::Stuck)];
    let direction = constants.choice(key, &choices, problems)?;
    let share = Key { name: "p01_share", meaning: "the share of the faulty cells that deliver a one" };
    let share = match direction {
        Direction::Stuck => constants.number(share, Bounds::From(0.0, 1.0), problems),
        Direction::Flip => {
            constants.refuse(&[share.name], "direction `flip`", problems);
            Some(0.5)
        }
    };
    Some((direction, share?))
}

fn spatial(constants: &Constants<'_>, curve: Option<&Curve>, problems: &mut Problems) -> Option<Spatial> {
    let kinds = [
        ("iid", SpatialKind::Iid),
        ("column", SpatialKind::Column),
        ("bad_columns", SpatialKind::BadColumns),
        ("bad_rows", SpatialKind::BadRows),
    ];
    let shared = ["column_sigma", "column_ratio"];
    let bad = Key { name: "bad_share", meaning: "the probability that a line is bad" };
    let bad_share = |spatial: &str, problems: &mut Problems| {
        constants.refuse(&shared, spatial, problems);
        constants.number(bad, Bounds::Between(0.0, 1.0), problems)
    };
    match constants.choice(SPATIAL, &kinds, problems)? {
        SpatialKind::Iid => {
            constants.refuse(&["column_sigma", "column_ratio", bad.name], "spatial `iid`", problems);
            Some(Spatial::Iid)
        }
        SpatialKind::Column => {
            constants.refuse(&[bad.name], "spatial `column`", problems);
            column_ratio(constants, curve?, problems).map(|column_ratio| Spatial::Column { column_ratio })
        }
        SpatialKind::BadColumns => {
            bad_share("spatial `bad_columns`", problems).map(|bad_share| Spatial::BadColumns { bad_share })
        }
        SpatialKind::BadRows => {
            bad_share("spatial `bad_rows`", problems).map(|bad_share| Spatial::BadRows { bad_share })
        }
    }
}

/// The part of the variation that the cells of a column share: typed as a voltage where the curve knows the whole of it.
fn column_ratio(constants: &Constants<'_>, curve: &Curve, problems: &mut Problems) -> Option<f64> {
    let &Curve::Probit { sigma, .. } = curve else {
        constants.refuse(&["column_sigma"], "curves other than `probit`: give `column_ratio`", problems);
        let key = Key {
            name: "column_ratio",
            meaning: "the standard deviation of what the cells of a column share over that of shared and own part together",
        };
        return constants.number(key, Bounds::Below(0.0, 1.0), problems);
    };
    constants.refuse(&["column_ratio"], "curve `probit`: give `column_sigma`", problems);
    let key = Key {
        name: "column_sigma",
        meaning: "the standard deviation of the minimum voltage that the cells of a column share, in the unit of `v`, below `sigma`",
    };
    let shared = constants.number(key, Bounds::AtLeast(0.0), problems)?;
    if shared < sigma {
        return Some(shared / sigma);
    }
    let expected = format!("a number of at least 0, below `sigma` = {sigma}");
    if let Some(entry) = constants.section.find(key.name) {
        problems.push(unexpected(&constants.section.key(key.name), &entry.node, &expected));
    }
    None
}
