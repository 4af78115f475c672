//! `[memories.NAME]` of a memory whose bits err with given probabilities.

use super::Purpose;
use crate::config::constants::{Constants, Key};
use crate::config::problem::Problems;
use crate::config::reader::Section;
use crate::memory::ByBit;
use crate::memory::preset::{Table, Value};
use crate::memory::uniform::Parameters;

const BER: Key = Key {
    name: "ber",
    meaning: "the probability that a stored bit is read wrong, 0 to 1, or a list by bit from the most significant down",
};

/// Keys that only this technology has.
pub(super) const KEYS: [&str; 4] = ["lifetime", "ber", "preset", "ser_fit_per_mbit"];

/// Reads the rates; `None` if something is wrong (noted).
pub(super) fn parameters(
    section: &Section<'_>,
    purpose: Purpose,
    problems: &mut Problems,
) -> Option<Parameters> {
    let constants = Constants::open(section.clone(), Table::Uniform, problems);
    let preset = constants.preset_name();
    let ber = match section.find(BER.name) {
        Some(entry) => super::by_bit(
            &section.key(BER.name),
            &entry.node,
            "a number from 0 to 1",
            |ber| (0.0..=1.0).contains(&ber),
            problems,
        ),
        None if constants.require(BER, problems) => match constants.value(BER.name, problems) {
            Some(Value::Number(ber)) => Some(ByBit::from(ber)),
            _ => None,
        },
        None => None,
    };
    let ser_fit_per_mbit = super::sram::soft_errors(&constants, purpose, problems);
    Some(Parameters { preset, ber: ber?, ser_fit_per_mbit: ser_fit_per_mbit? })
}
