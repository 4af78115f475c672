//! `[accelerator.energy]`: what operations cost.

use crate::accelerator::energy::OperationEnergy;
use crate::config::constants::{Bounds, Constants, Key};
use crate::config::problem::{Problem, Problems};
use crate::config::reader::{Section, listed};
use crate::memory::preset::Table;

/// Name of the table.
pub(super) const TABLE: &str = "energy";

/// Most missing keys that are told one by one.
const MISSING_TOLD: usize = 5;

/// Every key but the preset, with what it means.
const KEYS: [Key; 10] = [
    Key { name: "int32_mult_pj", meaning: "the energy of a multiplication of 32-bit integers in pJ" },
    Key { name: "int32_add_pj", meaning: "the energy of an addition of 32-bit integers in pJ" },
    Key { name: "fp16_mult_pj", meaning: "the energy of a multiplication in fp16 in pJ" },
    Key { name: "fp16_add_pj", meaning: "the energy of an addition in fp16 in pJ" },
    Key { name: "bf16_mult_pj", meaning: "the energy of a multiplication in bf16 in pJ" },
    Key { name: "bf16_add_pj", meaning: "the energy of an addition in bf16 in pJ" },
    Key { name: "fp32_mult_pj", meaning: "the energy of a multiplication in fp32 in pJ" },
    Key { name: "fp32_add_pj", meaning: "the energy of an addition in fp32 in pJ" },
    Key { name: "register_read_pj_per_bit", meaning: "the energy of reading one bit of a register in pJ" },
    Key { name: "register_write_pj_per_bit", meaning: "the energy of writing one bit of a register in pJ" },
];

/// Reads the table: the inner `None` if there is none, the outer one if something is wrong (noted).
#[expect(clippy::option_option, reason = "left out, wrong and right are three things")]
pub(super) fn energy(accelerator: &Section<'_>, problems: &mut Problems) -> Option<Option<OperationEnergy>> {
    if accelerator.find(TABLE).is_none() {
        return Some(None);
    }
    let constants =
        Constants::open(accelerator.section(TABLE, problems)?, Table::AcceleratorEnergy, problems);
    let is_missing = |key: &&Key| !constants.has(key.name);
    let missing: Vec<_> = KEYS.iter().filter(is_missing).map(|key| key.name).collect();
    if missing.len() > MISSING_TOLD && constants.section.find("preset").is_none() {
        let message = format!("[{}] lacks {}", constants.section.path(), listed(&missing));
        let presets: Vec<_> = constants.presets().map(|preset| preset.name.as_str()).collect();
        problems.push(
            Problem::new(constants.section.location(), message, "no preset, and not all of its constants")
                .with_help(format!("name a preset that has them: {}", listed(&presets))),
        );
        return None;
    }
    let names: Vec<_> = ["preset"].into_iter().chain(KEYS.map(|key| key.name)).collect();
    constants.section.check_keys(&names, problems);
    let [
        int32_mult,
        int32_add,
        fp16_mult,
        fp16_add,
        bf16_mult,
        bf16_add,
        fp32_mult,
        fp32_add,
        register_read,
        register_write,
    ] = KEYS.map(|key| constants.number(key, Bounds::AtLeast(0.0), problems));
    Some(Some(OperationEnergy {
        preset: constants.preset_name().unwrap_or_else(|| "custom".to_owned()),
        int32_mult_pj: int32_mult?,
        int32_add_pj: int32_add?,
        fp16_mult_pj: fp16_mult?,
        fp16_add_pj: fp16_add?,
        bf16_mult_pj: bf16_mult?,
        bf16_add_pj: bf16_add?,
        fp32_mult_pj: fp32_mult?,
        fp32_add_pj: fp32_add?,
        register_read_pj_per_bit: register_read?,
        register_write_pj_per_bit: register_write?,
    }))
}
