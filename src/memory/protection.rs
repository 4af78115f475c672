//! The cell split: how the top bits of every word are kept from erring.

use super::protection_cost::EightTransistorCell;
use serde::Serialize;

/// The cell split of a memory.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Protection {
    /// The top bits of every word that are protected, 0 up to the word's width.
    #[serde(rename = "protected_msbs")]
    pub msbs: u32,
    /// What protects them.
    #[serde(flatten)]
    pub how: How,
}

impl Protection {
    /// The top `msbs` bits on a supply of their own.
    pub fn dual_rail(msbs: u32) -> Self {
        Self { msbs, how: How::DualRail }
    }

    /// The top bits that never err.
    pub fn precise_msbs(&self) -> u32 {
        match self.how {
            How::DualRail | How::PreciseBank => self.msbs,
            How::EightTransistor { .. } | How::Secded => 0,
        }
    }

    /// The top bits that are stored with the check bits of a code.
    pub fn coded_msbs(&self) -> u32 {
        if self.how == How::Secded { self.msbs } else { 0 }
    }
}

/// What protects the top bits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum How {
    /// Their columns stay on a supply of their own, at the voltage (or refresh interval) where nothing fails: they never err.
    DualRail,
    /// They sit in eight-transistor cells on the same supply: decoupled reads never upset them, and they fail as six-transistor
    /// cells do at a voltage that is higher by a margin. Of SRAM only.
    #[serde(rename = "8t")]
    EightTransistor {
        /// The margin, in the unit of the memory's voltage, >= 0.
        delta_v: f64,
        /// What such a cell costs over a six-transistor one.
        #[serde(flatten)]
        cell: EightTransistorCell,
    },
    /// They err as all other bits do; a code over words of protected bits corrects single errors.
    Secded,
    /// They lie in a bank of their own that is run at the precise operating point: they never err.
    PreciseBank,
}
