//! Fault maps of real or emulated chips: CSV with one weak cell per row.
//!
//! Header: `memory,bank,row,column,bit,direction`, all counted from 0; `direction` is `flip` (the cell delivers the inverse of what it
//! holds), `stuck_at_0` or `stuck_at_1`. A file may hold the maps of several memories. Above the header lines of comment may stand,
//! which start with `#`. One of the form `# memory NAME: banks=2 rows=512 columns=8 column_bits=64 interleave=1` states the geometry
//! that the map of this memory was made for; `rows=any` is a memory as large as its data.

use super::geometry::{CellAddress, Geometry};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::ops::Range;
use thiserror::Error;

/// What a weak cell delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Direction {
    /// The inverse of what it holds.
    #[serde(rename = "flip")]
    Inverted,
    /// Always zero: it turns ones only.
    #[serde(rename = "stuck_at_0")]
    StuckAtZero,
    /// Always one: it turns zeros only.
    #[serde(rename = "stuck_at_1")]
    StuckAtOne,
}

/// The columns, as they are written.
const COLUMNS: [&str; 6] = ["memory", "bank", "row", "column", "bit", "direction"];
/// The words of the last column.
const DIRECTIONS: [(&str, Direction); 3] = [
    ("flip", Direction::Inverted),
    ("stuck_at_0", Direction::StuckAtZero),
    ("stuck_at_1", Direction::StuckAtOne),
];
/// What a line that states a geometry starts with.
const GEOMETRY: &str = "# memory ";
/// Most lines of comment above the header.
const MOST_COMMENTS: u64 = 1_000;
/// Most bytes of such a line.
const LONGEST_COMMENT: u64 = 1 << 16;
/// Most mistakes that are told of one file.
const MOST_MISTAKES: usize = 10;

/// One row of the file.
#[derive(Debug, Serialize)]
struct Record<'r> {
    memory: &'r str,
    bank: u64,
    row: u64,
    column: u64,
    bit: u64,
    direction: Direction,
}

/// Why a file is no map of a memory.
#[derive(Debug, Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("the map cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A line that is no part of a map.
    #[error("line {line}: {reason}")]
    Row {
        /// Line of the file, from 1.
        line: u64,
        /// What is wrong: what was found and what is expected.
        reason: String,
    },
    /// Columns that are not those of a map.
    #[error("line {line}: found the columns `{found}`, expected `{}`", COLUMNS.join(","))]
    Header {
        /// Line of the file, from 1.
        line: u64,
        /// The columns found.
        found: String,
    },
    /// The line of the memory states another geometry than it has.
    #[error(
        "line {line}: the map of memory `{memory}` is of another geometry: found `{found}`, expected `{expected}`"
    )]
    Geometry {
        /// Line of the file, from 1.
        line: u64,
        /// The memory.
        memory: String,
        /// Geometry of the map.
        found: String,
        /// Geometry of the memory.
        expected: String,
    },
    /// A cell that the memory does not have.
    #[error(
        "line {line}: bank {}, row {}, column {}, bit {} is no cell of a memory of {banks} bank(s), {rows} row(s), {columns} column(s) of {column_bits} bits: \
         the map is of another geometry",
        address.bank, address.row, address.column, address.bit
    )]
    Place {
        /// Line of the file, from 1.
        line: u64,
        /// The cell.
        address: CellAddress,
        /// Banks of the memory.
        banks: u64,
        /// Rows of each bank; "any number of" where the memory is as large as its data.
        rows: String,
        /// Columns of each row.
        columns: u64,
        /// Bits of each column.
        column_bits: u64,
    },
    /// A cell named twice.
    #[error("line {line}: bank {}, row {}, column {}, bit {} is listed twice", address.bank, address.row, address.column, address.bit)]
    Repeated {
        /// Line of the file, from 1.
        line: u64,
        /// The cell.
        address: CellAddress,
    },
    /// No row of the memory asked for.
    #[error("the map has no row of memory `{memory}`, only of {}", .found.join(", "))]
    Memory {
        /// The memory.
        memory: String,
        /// Memories that it has rows of, at most ten.
        found: Vec<String>,
    },
    /// Two to ten mistakes of the lines, ascending. After the tenth no more are looked for.
    #[error("{}", one_per_line(.0))]
    Several(Vec<Error>),
}

impl Error {
    /// Line of the file; 0 for what is wrong with all of it.
    fn line(&self) -> u64 {
        match self {
            Self::Row { line, .. }
            | Self::Header { line, .. }
            | Self::Geometry { line, .. }
            | Self::Place { line, .. }
            | Self::Repeated { line, .. } => *line,
            Self::Io(_) | Self::Memory { .. } | Self::Several(_) => 0,
        }
    }
}

fn one_per_line(errors: &[Error]) -> String {
    let mut text = format!("{} mistakes", errors.len());
    if errors.len() == MOST_MISTAKES {
        text = format!("the first {MOST_MISTAKES} mistakes");
    }
    for error in errors {
        write!(text, "\n    {error}").expect("writing to a string does not fail");
    }
    text
}

/// The weak cells of one chip, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MeasuredMap {
    cells: Vec<(u64, Direction)>,
}

impl MeasuredMap {
    /// A map of `cells`, sorted here.
    pub fn new(mut cells: Vec<(u64, Direction)>) -> Self {
        cells.sort_unstable();
        Self { cells }
    }

    /// The weak cells, ascending.
    pub fn cells(&self) -> &[(u64, Direction)] {
        &self.cells
    }

    /// Those of them in `cells`.
    pub fn within(&self, cells: Range<u64>) -> &[(u64, Direction)] {
        let from = self.cells.partition_point(|(cell, _)| *cell < cells.start);
        let to = self.cells.partition_point(|(cell, _)| *cell < cells.end);
        &self.cells[from..to.max(from)]
    }

    /// Reads the rows of memory `memory`, whose cells lie as `geometry` says. Without a line that states the geometry of the map,
    /// as of measured chips, only the addresses are checked.
    ///
    /// # Errors
    /// [`enum@Error`] for anything but a map with weak cells of this memory, of its geometry, each inside it and named once; a
    /// table without a row, or without one of a memory whose geometry is stated, is a chip without weak cells.
    pub fn read(file: impl Read, memory: &str, geometry: &Geometry) -> Result<Self, Error> {
        let mut file = BufReader::new(file);
        let comments = Comments::read(&mut file, memory, geometry)?;
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
        let header_line = comments.lines + 1;
        let header = reader.headers().map_err(|error| refused(error, header_line))?;
        let fields = Fields::of(header, header_line)?;
        let mut rows =
            Rows { memory, geometry, others: comments.others, cells: Vec::new(), mistakes: Vec::new() };
        let mut record = csv::StringRecord::new();
        while rows.mistakes.len() < MOST_MISTAKES {
            match reader.read_record(&mut record) {
                Ok(false) => break,
                Ok(true) => {
                    let line = comments.lines + record.position().map_or(0, csv::Position::line);
                    rows.push(&fields, &record, line);
                }
                Err(error) => {
                    let line = comments.lines + error.position().map_or(0, csv::Position::line);
                    match refused(error, line) {
                        Error::Io(error) => return Err(Error::Io(error)),
                        mistake => rows.mistakes.push(mistake),
                    }
                }
            }
        }
        rows.map(comments.is_stated)
    }

    /// Writes the map as that of memory `memory`.
    ///
    /// # Errors
    /// If `file` cannot be written.
    pub fn write(&self, file: impl Write, memory: &str, geometry: &Geometry) -> io::Result<()> {
        write(file, &[(memory, geometry, self)])
    }
}

/// Writes the maps of several memories, each with its name, as one file.
///
/// # Errors
/// If `file` cannot be written.
pub fn write(mut file: impl Write, maps: &[(&str, &Geometry, &MeasuredMap)]) -> io::Result<()> {
    for (memory, geometry, _) in maps {
        writeln!(file, "{GEOMETRY}{}: {}", on_one_line(memory), stated(geometry))?;
    }
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(file);
    writer.write_record(COLUMNS)?;
    for &(memory, geometry, map) in maps {
        for &(cell, direction) in &map.cells {
            let CellAddress { bank, row, column, bit } = geometry.locate(cell);
            writer.serialize(Record { memory, bank, row, column, bit, direction })?;
        }
    }
    writer.flush()
}

/// A geometry as its line states it.
fn stated(geometry: &Geometry) -> String {
    let Geometry { banks, rows, columns, column_bits, interleave } = *geometry;
    let rows = rows.map_or_else(|| "any".to_owned(), |rows| rows.to_string());
    format!("banks={banks} rows={rows} columns={columns} column_bits={column_bits} interleave={interleave}")
}

/// `name` with escapes for what would end the line, and for what starts an escape.
fn on_one_line(name: &str) -> String {
    let mut line = String::with_capacity(name.len());
    for character in name.chars() {
        if character.is_control() || character == '\\' {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

/// What stands above the header.
struct Comments {
    lines: u64,
    /// Whether a line states the geometry of the memory: the right one.
    is_stated: bool,
    /// Other memories whose geometry is stated, at most ten.
    others: BTreeSet<String>,
}

impl Comments {
    fn read(file: &mut impl BufRead, memory: &str, geometry: &Geometry) -> Result<Self, Error> {
        let name = on_one_line(memory);
        let expected = stated(geometry);
        let mut comments = Self { lines: 0, is_stated: false, others: BTreeSet::new() };
        let mut bytes = Vec::new();
        while file.fill_buf()?.first() == Some(&b'#') {
            comments.lines += 1;
            let line = comments.lines;
            let refused = |reason| Err(Error::Row { line, reason });
            if line > MOST_COMMENTS {
                return refused(format!("found more than {MOST_COMMENTS} lines of comment"));
            }
            bytes.clear();
            let length = file.take(LONGEST_COMMENT).read_until(b'\n', &mut bytes)?;
            if length as u64 == LONGEST_COMMENT && bytes.last() != Some(&b'\n') {
                return refused(format!("found a comment of more than {LONGEST_COMMENT} bytes"));
            }
            let text = String::from_utf8_lossy(&bytes);
            let Some((named, found)) = statement(&text) else { continue };
            if named != name {
                if comments.others.len() < 10 {
                    comments.others.insert(named.to_owned());
                }
            } else if is_same(found, &expected) {
                comments.is_stated = true;
            } else {
                let (memory, found) = (memory.to_owned(), shortened(found));
                return Err(Error::Geometry { line, memory, found, expected });
            }
        }
        Ok(comments)
    }
}

/// The memory and the geometry that a line of comment states; `None` if it is about something else.
fn statement(line: &str) -> Option<(&str, &str)> {
    let (memory, geometry) = line.strip_prefix(GEOMETRY)?.rsplit_once(": ")?;
    let geometry = geometry.trim();
    let is_geometry = !geometry.is_empty() && geometry.split_whitespace().all(|part| part.contains('='));
    is_geometry.then_some((memory, geometry))
}

/// Whether two geometries state the same, in whatever order.
fn is_same(found: &str, expected: &str) -> bool {
    let parts = |text: &'_ str| -> Vec<String> {
        let mut parts: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
        parts.sort_unstable();
        parts
    };
    parts(found) == parts(expected)
}

/// Where the columns stand in the file: they may be in any order.
struct Fields([usize; 6]);

impl Fields {
    fn of(header: &csv::StringRecord, line: u64) -> Result<Self, Error> {
        let mut fields = [0; 6];
        let mut is_right = header.len() == COLUMNS.len();
        for (field, name) in fields.iter_mut().zip(COLUMNS) {
            match header.iter().position(|found| found == name) {
                Some(index) => *field = index,
                None => is_right = false,
            }
        }
        if is_right {
            return Ok(Self(fields));
        }
        let found: Vec<_> = header.iter().take(2 * COLUMNS.len()).map(shortened).collect();
        Err(Error::Header { line, found: shortened(&found.join(",")) })
    }

    fn text<'r>(&self, record: &'r csv::StringRecord, column: usize) -> &'r str {
        record.get(self.0[column]).unwrap_or_default()
    }

    fn integer(&self, record: &csv::StringRecord, column: usize) -> Result<u64, String> {
        let text = self.text(record, column);
        text.parse().map_err(|_| {
            format!("`{}` is `{}`, expected an integer from 0", COLUMNS[column], shortened(text))
        })
    }

    fn direction(&self, record: &csv::StringRecord) -> Result<Direction, String> {
        let text = self.text(record, 5);
        let known = DIRECTIONS.iter().find(|(name, _)| *name == text).map(|(_, direction)| *direction);
        known.ok_or_else(|| {
            let names = DIRECTIONS.map(|(name, _)| format!("`{name}`")).join(", ");
            format!("`direction` is `{}`, expected one of {names}", shortened(text))
        })
    }

    fn cell(&self, record: &csv::StringRecord) -> Result<(CellAddress, Direction), String> {
        let integer = |column| self.integer(record, column);
        let (bank, row, column, bit) = (integer(1)?, integer(2)?, integer(3)?, integer(4)?);
        Ok((CellAddress { bank, row, column, bit }, self.direction(record)?))
    }
}

/// What was read of a map.
struct Rows<'m> {
    memory: &'m str,
    geometry: &'m Geometry,
    /// Other memories, at most ten.
    others: BTreeSet<String>,
    /// Cell, line and what the cell delivers.
    cells: Vec<(u64, u64, Direction)>,
    mistakes: Vec<Error>,
}

impl Rows<'_> {
    fn push(&mut self, fields: &Fields, record: &csv::StringRecord, line: u64) {
        let (address, direction) = match fields.cell(record) {
            Ok(cell) => cell,
            Err(reason) => return self.mistakes.push(Error::Row { line, reason }),
        };
        let memory = fields.text(record, 0);
        if memory != self.memory {
            if self.others.len() < 10 {
                self.others.insert(memory.to_owned());
            }
            return;
        }
        match self.geometry.cell(address) {
            Some(cell) => self.cells.push((cell, line, direction)),
            None => self.mistakes.push(outside(line, address, self.geometry)),
        }
    }

    fn map(mut self, is_stated: bool) -> Result<MeasuredMap, Error> {
        self.cells.sort_unstable_by_key(|&(cell, line, _)| (cell, line));
        let free = MOST_MISTAKES - self.mistakes.len();
        let twice = self.cells.windows(2).filter(|pair| pair[0].0 == pair[1].0);
        let repeated =
            twice.map(|pair| Error::Repeated { line: pair[1].1, address: self.geometry.locate(pair[1].0) });
        self.mistakes.extend(repeated.take(free));
        self.mistakes.sort_by_key(Error::line);
        if self.mistakes.len() > 1 {
            return Err(Error::Several(self.mistakes));
        }
        if let Some(mistake) = self.mistakes.pop() {
            return Err(mistake);
        }
        if self.cells.is_empty() && !self.others.is_empty() && !is_stated {
            return Err(Error::Memory {
                memory: self.memory.to_owned(),
                found: self.others.into_iter().collect(),
            });
        }
        Ok(MeasuredMap {
            cells: self.cells.into_iter().map(|(cell, _, direction)| (cell, direction)).collect(),
        })
    }
}

fn outside(line: u64, address: CellAddress, geometry: &Geometry) -> Error {
    let Geometry { banks, rows, columns, column_bits, .. } = *geometry;
    let rows = rows.map_or_else(|| "any number of".to_owned(), |rows| rows.to_string());
    Error::Place { line, address, banks, rows, columns, column_bits }
}

/// What the reader of the table refused in `line`.
fn refused(error: csv::Error, line: u64) -> Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => Error::Io(error),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            Error::Row { line, reason: format!("found {len} fields instead of {expected_len}") }
        }
        csv::ErrorKind::Utf8 { .. } => {
            Error::Row { line, reason: "found bytes that are no UTF-8 text".into() }
        }
        kind => Error::Row { line, reason: format!("{kind:?}") },
    }
}

/// Enough of `text` to know it by.
fn shortened(text: &str) -> String {
    const MOST: usize = 120;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
#[path = "measured_tests.rs"]
mod tests;
