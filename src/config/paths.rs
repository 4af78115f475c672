//! `[link]` and `[placement]`: the way of each data subset from its home memory to the arithmetic.

use super::formats::ROUNDINGS;
use super::key::quoted;
use super::memories::{Declared, LINK};
use super::problem::{Problem, Problems};
use super::reader::{Section, integer, listed, suggestion, text, unexpected};
use super::tree::{Entry, Value, shortened};
use crate::experiment::{Link, Stop};
use crate::memory::transfer::{Layout, Transfer};
use crate::number::Format;

/// Dotted key of the widths behind the link.
pub(super) const LINK_BITS: &str = "link.bits";
/// Dotted key of the paths.
pub(super) const PLACEMENT: &str = "placement";
/// Most stops of a path. Spilled neurons make five: buffer, link, DRAM, link, buffer.
const MOST_STOPS: usize = 16;

/// Keys of the link.
const LINK_KEYS: [&str; 8] = [
    "rounding",
    "bits",
    "layout",
    "granule_bytes",
    "tag_bits",
    "block_words",
    "io_pj_per_bit",
    "pack_pj_per_word",
];

/// The off-chip link, with the patterns of the widths behind it.
#[derive(Default)]
pub(super) struct LinkTable<'d> {
    pub link: Link,
    pub bits: &'d [Entry],
    /// Its own energy of the wires.
    pub io: Option<&'d Entry>,
}

/// Reads `[link]`.
pub(super) fn link<'d>(root: &Section<'d>, problems: &mut Problems) -> LinkTable<'d> {
    let Some(section) = root.section(LINK, problems) else {
        return LinkTable::default();
    };
    section.check_keys(&LINK_KEYS, problems);
    let rounding = section.choice("rounding", &ROUNDINGS, problems).unwrap_or_default();
    let transfer = transfer(&section, problems);
    let bits = section.section("bits", problems);
    LinkTable {
        link: Link { rounding, transfer },
        bits: bits.map_or(&[], |bits| bits.entries()),
        io: section.find("io_pj_per_bit"),
    }
}

/// Reads what the link moves; where something is wrong (noted), its default stands.
fn transfer(section: &Section<'_>, problems: &mut Problems) -> Transfer {
    let default = Transfer::default();
    let layouts = [("padded", Layout::Padded), ("packed", Layout::Packed), ("bitplane", Layout::Bitplane)];
    let energy = |key, default, problems: &mut Problems| {
        let is_energy = |pj: f64| pj >= 0.0 && pj.is_finite();
        section.number(key, "a number of at least 0 (pJ)", is_energy, problems).unwrap_or(default)
    };
    let count = |key, range, default: u64, problems: &mut Problems| {
        section.integer(key, range, problems).map_or(default, |count| count as u64)
    };
    Transfer {
        layout: section.choice("layout", &layouts, problems).unwrap_or(default.layout),
        granule_bytes: count("granule_bytes", 1..=1 << 20, default.granule_bytes, problems),
        tag_bits: count("tag_bits", 0..=1024, default.tag_bits.into(), problems) as u32,
        block_words: count("block_words", 1..=1 << 32, default.block_words, problems),
        io_pj_per_bit: energy("io_pj_per_bit", default.io_pj_per_bit, problems),
        pack_pj_per_word: energy("pack_pj_per_word", default.pack_pj_per_word, problems),
    }
}

/// Reads the width of one pattern in `[link.bits]`; `None` if it is wrong (noted).
pub(super) fn link_bits(entry: &Entry, problems: &mut Problems) -> Option<u32> {
    let key = format!("{LINK_BITS}.{}", quoted(&entry.key));
    integer(&key, &entry.node, 1..=32, problems).map(|bits| bits as u32)
}

/// Notes a width that a word of `format` cannot be narrowed to; whether it was noted.
pub(super) fn check_link_bits(
    entry: &Entry,
    bits: u32,
    format: Format,
    subset: &str,
    problems: &mut Problems,
) -> bool {
    let valid = format.least_bits()..=format.bits();
    let is_wrong = !valid.contains(&bits);
    if is_wrong {
        let message = format!(
            "`{LINK_BITS}.{}`: the {}-bit word of `{subset}` can be narrowed to {} to {} bits, not to {bits}",
            quoted(&entry.key),
            format.bits(),
            valid.start(),
            valid.end(),
        );
        let label = format!("expected {} to {} for `{subset}`", valid.start(), valid.end());
        problems.push(Problem::new(&entry.node.location, message, label));
    }
    is_wrong
}

/// Reads the path of one pattern in `[placement]`; `None` if it is wrong (noted).
pub(super) fn stops(entry: &Entry, memories: &[Declared<'_>], problems: &mut Problems) -> Option<Vec<Stop>> {
    let key = format!("{PLACEMENT}.{}", quoted(&entry.key));
    let Value::List(items) = &entry.node.value else {
        problems.push(unexpected(&key, &entry.node, "a list of stops such as [\"dram\", \"link\"]"));
        return None;
    };
    if items.len() > MOST_STOPS {
        let expected = format!("a list of at most {MOST_STOPS} stops");
        let message = format!("`{key}` must be {expected}, found {}", items.len());
        problems.push(Problem::new(&entry.node.location, message, format!("expected {expected}")));
        return None;
    }
    if items.is_empty() {
        let problem = unexpected(&key, &entry.node, "a list of at least one stop");
        problems.push(problem.with_help("leave the line out: what is not placed rests in precise memory"));
        return None;
    }
    let mut path: Vec<Option<Stop>> = Vec::with_capacity(items.len());
    for item in items {
        if problems.is_full() {
            return None;
        }
        let stop = text(&key, item, "a list of names of memories", problems)
            .and_then(|name| stop(&key, name, &item.location, memories, problems));
        let fault = match stop {
            Some(Stop::Link) if path.is_empty() => {
                Some(format!("`{key}` starts with `link`: the home memory comes first"))
            }
            Some(stop) if path.last() == Some(&Some(stop)) => Some(format!(
                "`{key}` names the stop {} twice in a row: a word that returns has been elsewhere",
                shortened(item.location.text())
            )),
            _ => None,
        };
        let is_wrong = fault.is_some();
        if let Some(message) = fault {
            problems.push(Problem::new(&item.location, message, "cannot stand here"));
        }
        path.push(stop.filter(|_| !is_wrong));
    }
    path.into_iter().collect()
}

fn stop(
    key: &str,
    name: &str,
    at: &super::problem::Location,
    memories: &[Declared<'_>],
    problems: &mut Problems,
) -> Option<Stop> {
    if name == LINK {
        return Some(Stop::Link);
    }
    if let Some(index) = memories.iter().position(|declared| declared.entry.key == name) {
        return Some(Stop::Memory(index));
    }
    let declared = memories.iter().map(|declared| declared.entry.key.as_str());
    let names: Vec<_> = declared.filter(|&name| name != LINK).chain([LINK]).collect();
    let message = format!("`{key}` names the unknown stop {:?}", shortened(name));
    let help = suggestion(name, &names)
        .map_or(String::new(), |nearest| format!("did you mean `{nearest}`? "))
        + &format!("valid stops: {}", listed(&names));
    problems.push(Problem::new(at, message, "neither a memory nor `link`").with_help(help));
    None
}
