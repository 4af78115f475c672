//! What it costs to keep the top bits of every word precise: energy, leakage and area over those of unprotected words at the
//! precise operating point.
//!
//! With `k` protected of `n` bits and `e` the energy of an approximate access over a precise one:
//!
//! | how | access energy | area |
//! |---|---|---|
//! | dual rail, precise bank | `(k + (n - k) e) / n` | not published |
//! | 8T | `e (k r8 + n - k) / n` | `(k a8 + n - k) / n` |
//! | SECDED(72,64) of the k bits | `e (n + k / 8) / n` | `(n + k / 8) / n` |
//!
//! Each bit of a word is taken to cost alike. Level shifters and the second supply of a dual rail, the periphery of a second bank
//! and the encoder and decoder of a code are not in it.

use super::protection::{How, Protection};
use serde::Serialize;
use thiserror::Error;

/// Area of an 8T cell over a 6T cell: 1.31 follows from an array with 3 of 8 bits in 8T cells that is 11.5 % larger, in 65 nm
/// (Chang et al., DAC 2009); with 4 of 8 bits it would be 1.23. Key `a8`, 1.23 to 1.40.
pub const A8: f64 = 1.31;

/// Access energy of an 8T cell over a 6T cell at the same voltage: equal. No verified value is published. Key `r8`.
pub const R8: f64 = 1.0;

/// What to tell who relies on [`R8`].
pub const R8_WARNING: &str = "`r8`, the access energy of an 8T cell over a 6T cell at the same voltage, has no verified published \
     value: 1.0 is taken; sweep 1.0..1.5";

/// Check bits per data bit of SECDED(72,64).
const CHECK_SHARE: f64 = 8.0 / 64.0;

/// 8T cells over 6T cells at the same voltage; only [`How::EightTransistor`] uses them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct EightTransistorCell {
    /// Key `a8`: area, 1..=2. [`A8`] by default.
    pub a8: f64,
    /// Key `r8`: access energy, > 0. [`R8`] by default, with [`R8_WARNING`].
    pub r8: f64,
}

/// An approximate array over the same array at the precise operating point.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Relative {
    /// Energy of an access, >= 0.
    pub access: f64,
    /// Leakage, or background and refresh, >= 0.
    pub leakage: f64,
}

/// An array with protected bits over one without at the precise operating point.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// Energy of an access.
    pub access: f64,
    /// Leakage; 8T cells are taken to leak as 6T cells do.
    pub leakage: f64,
    /// Stored bits.
    pub cells: f64,
    /// Area of the cells; `None`: not published.
    pub area: Option<f64>,
}

/// Why a cost cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum Error {
    /// More protected bits than a word has, or no bits at all.
    #[error("{protected} protected bits of words of {word_bits} bits")]
    Bits {
        /// Protected bits.
        protected: u32,
        /// Bits of a word.
        word_bits: u32,
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
}

impl Default for EightTransistorCell {
    /// [`A8`] and [`R8`].
    fn default() -> Self {
        Self { a8: A8, r8: R8 }
    }
}

impl EightTransistorCell {
    /// Checks both ratios.
    ///
    /// # Errors
    /// [`Error::Range`].
    pub fn check(&self) -> Result<(), Error> {
        if !(1.0..=2.0).contains(&self.a8) {
            return Err(Error::Range { key: "a8", value: self.a8, range: "1..2" });
        }
        if !(self.r8.is_finite() && self.r8 > 0.0) {
            return Err(Error::Range { key: "r8", value: self.r8, range: "(0, inf)" });
        }
        Ok(())
    }
}

/// What words of `word_bits` bits cost if `protection` keeps their top bits and the others are at `approximate`.
///
/// # Errors
/// [`Error::Bits`]; [`Error::Range`] if a ratio of the cells or of `approximate` is out of range.
pub fn cost(protection: Protection, word_bits: u32, approximate: Relative) -> Result<Cost, Error> {
    for (key, value) in [("access", approximate.access), ("leakage", approximate.leakage)] {
        if !(value.is_finite() && value >= 0.0) {
            return Err(Error::Range { key, value, range: "[0, inf)" });
        }
    }
    if protection.msbs > word_bits || word_bits == 0 {
        return Err(Error::Bits { protected: protection.msbs, word_bits });
    }
    let Relative { access, leakage } = approximate;
    let share = f64::from(protection.msbs) / f64::from(word_bits);
    let mix = |protected: f64, other: f64| share * protected + (1.0 - share) * other;
    Ok(match protection.how {
        How::DualRail | How::PreciseBank => {
            let area = (protection.msbs == 0).then_some(1.0);
            Cost { access: mix(1.0, access), leakage: mix(1.0, leakage), cells: 1.0, area }
        }
        How::EightTransistor { cell, .. } => {
            cell.check()?;
            Cost { access: access * mix(cell.r8, 1.0), leakage, cells: 1.0, area: Some(mix(cell.a8, 1.0)) }
        }
        How::Secded => {
            let cells = mix(1.0 + CHECK_SHARE, 1.0);
            Cost { access: access * cells, leakage: leakage * cells, cells, area: Some(cells) }
        }
    })
}

#[cfg(test)]
#[path = "protection_cost_tests.rs"]
mod tests;
