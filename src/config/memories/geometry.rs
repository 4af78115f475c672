//! Where the cells of a memory are: `capacity_bytes`, `banks`, `row_bytes`, `column_bits`, `interleave`.

use crate::config::problem::{Problem, Problems};
use crate::config::reader::Section;
use crate::memory::Geometry;

/// Keys of the geometry.
pub(super) const KEYS: [&str; 5] = ["capacity_bytes", "banks", "row_bytes", "column_bits", "interleave"];
/// Most bytes of a memory, of a row, and most banks: far above any, far below an overflow.
const MOST_BYTES: i64 = 1 << 56;
const MOST_ROW_BYTES: i64 = 1 << 32;
const MOST_BANKS: i64 = 1 << 20;
/// Most words whose bits are interleaved.
const MOST_INTERLEAVED: i64 = 1 << 16;

/// Reads the geometry; `None` if something is wrong (noted).
pub(super) fn geometry(section: &Section<'_>, problems: &mut Problems) -> Option<Geometry> {
    let integer = |key, most, default: u64, problems: &mut Problems| match section.find(key) {
        None => Some(default),
        Some(_) => section.integer(key, 1..=most, problems).map(|value| value as u64),
    };
    let defaults = Geometry::default();
    let row_bytes = integer("row_bytes", MOST_ROW_BYTES, defaults.row_bits() / 8, problems);
    let column_bits = integer("column_bits", 8 * MOST_ROW_BYTES, defaults.column_bits, problems);
    let banks = integer("banks", MOST_BANKS, 1, problems);
    let interleave = integer("interleave", MOST_INTERLEAVED, 1, problems);
    let capacity = section.find("capacity_bytes");
    let bytes = capacity.map(|_| section.integer("capacity_bytes", 1..=MOST_BYTES, problems));
    let (row_bytes, column_bits, banks, interleave) = (row_bytes?, column_bits?, banks?, interleave?);
    let at = |key: &str| section.find(key).map_or(section.location(), |entry| &entry.node.location);
    let row_bits = 8 * row_bytes;
    if !row_bits.is_multiple_of(column_bits) {
        let message = format!(
            "a row of `{}` is {row_bytes} bytes, no whole number of columns of {column_bits} bits",
            section.path()
        );
        let key = if section.find("column_bits").is_some() { "column_bits" } else { "row_bytes" };
        problems.push(Problem::new(at(key), message, "does not divide the row"));
        return None;
    }
    let columns = row_bits / column_bits;
    let Some(bytes) = bytes else {
        if banks > 1 {
            let message = format!("`{}` needs `capacity_bytes`", section.key("banks"));
            problems.push(
                Problem::new(at("banks"), message, "of what size?")
                    .with_help("a memory without a capacity has as many rows as its data need, in one bank"),
            );
            return None;
        }
        return Some(Geometry { columns, column_bits, interleave, ..defaults });
    };
    match Geometry::new(8 * bytes? as u64, banks, columns, column_bits) {
        Ok(geometry) => Some(Geometry { interleave, ..geometry }),
        Err(error) => {
            let message = format!("`{}`: {error}", section.key("capacity_bytes"));
            let label = format!("expected a multiple of {} bytes", banks * row_bytes);
            let help = format!("a row is {row_bytes} bytes (`row_bytes`), in each of {banks} bank(s)");
            problems.push(Problem::new(at("capacity_bytes"), message, label).with_help(help));
            None
        }
    }
}
