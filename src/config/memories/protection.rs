//! `protected_msbs` and `[memories.NAME.protection]`: the top bits of every word that are protected, and how.

use super::Kind;
use crate::config::constants::no_effect;
use crate::config::problem::{Problem, Problems};
use crate::config::reader::Section;
use crate::memory::Protection;
use crate::memory::protection::How;
use crate::memory::protection_cost::{A8, EightTransistorCell, R8, R8_WARNING};

/// Name of the table.
pub(super) const TABLE: &str = "protection";
/// Its keys.
pub(super) const KEYS: [&str; 4] = ["how", "delta_v", "a8", "r8"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    DualRail,
    EightTransistor,
    Secded,
    PreciseBank,
}

/// Reads the protection of a memory of technology `kind`; `None` if something is wrong (noted).
pub(super) fn protection(
    memory: &Section<'_>,
    kind: Option<Kind>,
    problems: &mut Problems,
    warnings: &mut Problems,
) -> Option<Protection> {
    let msbs = memory.find("protected_msbs").map(|_| memory.integer("protected_msbs", 0..=32, problems));
    let how = if memory.find(TABLE).is_some() {
        let section = memory.section(TABLE, problems)?;
        if msbs.is_none() {
            let message = format!("[{}] protects nothing: `protected_msbs` is missing", section.path());
            let problem = Problem::new(section.location(), message, "has no effect");
            warnings.push(problem.with_help(format!("set `{}`", memory.key("protected_msbs"))));
        }
        how(&section, kind, problems, warnings)
    } else {
        Some(How::DualRail)
    };
    let msbs = msbs.map_or(Some(0), |bits| bits.map(|bits| bits as u32))?;
    Some(Protection { msbs, how: how? })
}

fn how(
    section: &Section<'_>,
    kind: Option<Kind>,
    problems: &mut Problems,
    warnings: &mut Problems,
) -> Option<How> {
    section.check_keys(&KEYS, problems);
    let meaning = "`dual_rail`, `8t`, `secded` or `precise_bank`: what protects the top bits";
    section.require("how", meaning, problems);
    let ways = [
        ("dual_rail", Way::DualRail),
        ("8t", Way::EightTransistor),
        ("secded", Way::Secded),
        ("precise_bank", Way::PreciseBank),
    ];
    let way = section.choice("how", &ways, problems)?;
    if way != Way::EightTransistor {
        for entry in section.entries().iter().filter(|entry| KEYS[1..].contains(&entry.key.as_str())) {
            problems.push(no_effect(section, entry, "`how` other than `8t`"));
        }
    }
    match way {
        Way::DualRail => Some(How::DualRail),
        Way::Secded => Some(How::Secded),
        Way::PreciseBank => Some(How::PreciseBank),
        Way::EightTransistor => eight_transistor(section, kind, problems, warnings),
    }
}

fn eight_transistor(
    section: &Section<'_>,
    kind: Option<Kind>,
    problems: &mut Problems,
    warnings: &mut Problems,
) -> Option<How> {
    if kind.is_some_and(|kind| kind != Kind::Sram) {
        let message = format!("`{}` = \"8t\" is for technology `sram`", section.key("how"));
        let at = section.find("how").map_or(section.location(), |entry| &entry.node.location);
        problems.push(Problem::new(at, message, "no SRAM").with_help("eight transistors make an SRAM cell"));
        return None;
    }
    let meaning = "the voltage by which 8T cells fail later than 6T cells, in the unit of `v`: no source states a value, \
                   sweep it, for example from 0.10 to 0.25 V";
    section.require("delta_v", meaning, problems);
    let at_least_0 = |value: f64| value >= 0.0 && value.is_finite();
    let delta_v = section.number("delta_v", "a number of at least 0", at_least_0, problems);
    let ratio = |key, default, expected, is_valid: fn(f64) -> bool, problems: &mut Problems| {
        section.find(key).map_or(Some(default), |_| section.number(key, expected, is_valid, problems))
    };
    let a8 = ratio("a8", A8, "a number from 1 to 2", |a8| (1.0..=2.0).contains(&a8), problems);
    let is_ratio = |r8: f64| r8 > 0.0 && r8.is_finite();
    let r8 = ratio("r8", R8, "a number above 0", is_ratio, problems);
    if section.find("r8").is_none() {
        let message = format!("[{}]: {R8_WARNING}", section.path());
        warnings.push(Problem::new(section.location(), message, "`r8` is not set"));
    }
    Some(How::EightTransistor { delta_v: delta_v?, cell: EightTransistorCell { a8: a8?, r8: r8? } })
}
