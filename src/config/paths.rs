//! `[link]` and `[placement]`: the way of each data subset from its home memory to the arithmetic.

use super::formats::ROUNDINGS;
use super::key::quoted;
use super::memories::{Declared, LINK};
use super::problem::{Problem, Problems};
use super::reader::{Section, integer, listed, suggestion, text, unexpected};
use super::tree::{Entry, Value, shortened};
use crate::experiment::{Link, Stop};
use crate::number::Format;

/// Dotted key of the widths behind the link.
pub(super) const LINK_BITS: &str = "link.bits";
/// Dotted key of the paths.
pub(super) const PLACEMENT: &str = "placement";

/// The off-chip link, with the patterns of the widths behind it.
#[derive(Default)]
pub(super) struct LinkTable<'d> {
    pub link: Link,
    pub bits: &'d [Entry],
}

/// Reads `[link]`.
pub(super) fn link<'d>(root: &Section<'d>, problems: &mut Problems) -> LinkTable<'d> {
    let Some(section) = root.section(LINK, problems) else {
        return LinkTable::default();
    };
    section.check_keys(&["rounding", "bits"], problems);
    let rounding = section.choice("rounding", &ROUNDINGS, problems).unwrap_or_default();
    let bits = section.section("bits", problems);
    LinkTable { link: Link { rounding }, bits: bits.map_or(&[], |bits| bits.entries()) }
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
    if items.is_empty() {
        let problem = unexpected(&key, &entry.node, "a list of at least one stop");
        problems.push(problem.with_help("leave the line out: what is not placed rests in precise memory"));
        return None;
    }
    let mut path: Vec<Stop> = Vec::new();
    let mut is_valid = true;
    for item in items {
        if problems.is_full() {
            return None;
        }
        let stop = text(&key, item, "a list of names of memories", problems)
            .and_then(|name| stop(&key, name, &item.location, memories, problems));
        let fault = match stop {
            None => {
                is_valid = false;
                continue;
            }
            Some(stop) if path.contains(&stop) => Some(format!(
                "`{key}` names the stop {} twice: a word passes each stop once",
                shortened(item.location.text())
            )),
            Some(Stop::Link) if path.is_empty() && is_valid => {
                Some(format!("`{key}` starts with `link`: the home memory comes first"))
            }
            Some(_) => None,
        };
        match (fault, stop) {
            (Some(message), _) => {
                problems.push(Problem::new(&item.location, message, "cannot stand here"));
                is_valid = false;
            }
            (None, stop) => path.extend(stop),
        }
    }
    is_valid.then_some(path)
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
