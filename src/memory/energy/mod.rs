//! What the memories themselves cost: energy per access, power per second and time, at the operating point.
//!
//! Every public field of the models is a constant of a preset or a key of `[memories.NAME.energy]`; its documentation names the
//! key. Energies are in picojoules, powers in milliwatts, times in nanoseconds, voltages in volts, currents in milliamperes.

mod constants;
pub mod dram;
pub mod sram;

use thiserror::Error;

/// Why an energy cannot be told.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Error {
    /// A constant has no published value and was not given.
    #[error("`{key}` must be given: no source states it for this memory")]
    Missing {
        /// Key of the constant.
        key: &'static str,
    },
    /// A value of another kind.
    #[error("`{key}` must be {expected}")]
    Kind {
        /// Key of the constant.
        key: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// None of the choices.
    #[error("`{key}` = `{found}` is none of {choices}")]
    Choice {
        /// Key of the constant.
        key: &'static str,
        /// What was given.
        found: String,
        /// What can be.
        choices: String,
    },
    /// A parameter lies outside its range.
    #[error("`{key}` = {value} is outside {range}")]
    Range {
        /// Key of the parameter.
        key: &'static str,
        /// What was given.
        value: f64,
        /// The valid range, in words.
        range: &'static str,
    },
    /// The published table does not reach this size or width; nothing is extrapolated.
    #[error(
        "`{column}` is known for {what} {low} to {high}, not {value}; figures of another array can be given as `{column}`"
    )]
    OutsideTable {
        /// Key of the table.
        column: &'static str,
        /// What runs along the axis, with its unit.
        what: &'static str,
        /// Smallest value of the axis.
        low: f64,
        /// Largest value of the axis.
        high: f64,
        /// What was asked for.
        value: f64,
    },
    /// A table that is no table: empty, not positive, or two entries for one place.
    #[error(
        "the table `{column}` is empty, holds a number that is not positive and finite, or two values for one place"
    )]
    Table {
        /// Key of the table.
        column: &'static str,
    },
    /// A voltage relative to Vmin cannot be related to the nominal one.
    #[error(
        "the voltage is given relative to Vmin, the energy relative to the nominal voltage: `vmin_v`, in volts, must be given"
    )]
    UnknownVmin,
    /// Lists that must have one entry per rail differ in length.
    #[error("`{key}` has {found} entries, `voltage_v` {rails}: one per rail")]
    Rails {
        /// Key of the list.
        key: &'static str,
        /// Its length.
        found: usize,
        /// Number of rails.
        rails: usize,
    },
    /// The refresh interval is shorter than the nominal one.
    #[error(
        "a refresh interval of {interval_ms} ms is shorter than the nominal {nominal_ms} ms of this device"
    )]
    RefreshInterval {
        /// What was given.
        interval_ms: f64,
        /// Nominal interval of the device.
        nominal_ms: f64,
    },
    /// An energy that follows from currents is negative.
    #[error("the currents of the device make the energy of {0} negative")]
    Negative(&'static str),
}

/// Checks that `value` of `key` lies in the range that `valid` accepts and `range` words.
fn within(key: &'static str, value: f64, valid: bool, range: &'static str) -> Result<(), Error> {
    if value.is_finite() && valid { Ok(()) } else { Err(Error::Range { key, value, range }) }
}
