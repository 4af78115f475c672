//! Doubts about memories and the link that show once it is known which words rest where.

use super::key::quoted;
use super::memories::Declared;
use super::paths::LinkTable;
use super::problem::{Problem, Problems};
use crate::experiment::{Stop, StoredSubset};
use crate::memory::Technology;

/// Width of the narrowest word of `stored` in memory `index`; `None` if it does not rest there.
pub(super) fn word_bits_at(stored: &StoredSubset, index: usize) -> Option<u32> {
    let is_here = |at: &usize| stored.path[*at] == Stop::Memory(index);
    (0..stored.path.len()).filter(is_here).map(|at| stored.bits_at(at)).min()
}

/// Notes lists by bit with more entries than the narrowest word in their memory has bits.
pub(super) fn warn_of_unused_entries(
    memories: &[Declared<'_>],
    placed: &[&StoredSubset],
    warnings: &mut Problems,
) {
    for (index, declared) in memories.iter().enumerate() {
        let (Some(memory), Some(entry)) = (&declared.memory, declared.by_bit) else { continue };
        let (list, table) = match &memory.technology {
            Technology::Uniform(uniform) => (&uniform.ber, ""),
            Technology::Dram(dram) => (&dram.error.refresh_interval_ms, ".error"),
            Technology::Sram(_) => continue,
        };
        let words = placed.iter().filter_map(|stored| Some((word_bits_at(stored, index)?, stored)));
        let Some((bits, stored)) = words.min_by_key(|(bits, _)| *bits) else { continue };
        let entries = list.from_msb().len();
        let unused = entries.saturating_sub(bits as usize);
        if unused > 0 {
            let key = format!("memories.{}{table}.{}", quoted(&memory.name), entry.key);
            let message = format!(
                "`{key}` has {entries} entries, but a word of `{}` has {bits} bits there: the last {unused} have no effect on it",
                stored.subset.name
            );
            let problem = Problem::new(&entry.node.location, message, format!("{unused} unused"));
            warnings.push(problem.with_help("the list runs from the most significant bit down"));
        }
    }
}

/// Notes DRAMs whose interface counts the wires for which the link next to them counts energy, too.
pub(super) fn warn_of_wires_counted_twice(
    memories: &[Declared<'_>],
    link: &LinkTable<'_>,
    placed: &[&StoredSubset],
    warnings: &mut Problems,
) {
    let Some(io) = link.io.filter(|_| link.link.transfer.io_pj_per_bit > 0.0) else { return };
    for (index, declared) in memories.iter().enumerate() {
        let (Some(memory), Some(energy)) = (&declared.memory, declared.energy) else { continue };
        let Technology::Dram(dram) = &memory.technology else { continue };
        let Some(device) = dram.energy.as_ref().filter(|device| device.io_pj_per_bit > 0.0) else { continue };
        let meets = |pair: &[Stop]| pair.contains(&Stop::Link) && pair.contains(&Stop::Memory(index));
        let Some(stored) = placed.iter().find(|stored| stored.path.windows(2).any(meets)) else { continue };
        let name = quoted(&memory.name);
        let message = format!(
            "the wires between memory `{name}` and the link, which `{}` crosses, are counted twice: {} pJ per bit by \
             [memories.{name}.energy] and {} by `link.io_pj_per_bit`",
            stored.subset.name, device.io_pj_per_bit, link.link.transfer.io_pj_per_bit
        );
        let problem = Problem::new(&io.node.location, message, "the same wires")
            .with_related(&energy.key_location, "counts them, too")
            .with_help(format!(
                "set one of them: leave this out or set `memories.{name}.energy.io_pj_per_bit` = 0"
            ));
        warnings.push(problem);
    }
}
