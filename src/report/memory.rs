//! The figures of one memory over its operating points.

use super::csv_files::write;
use super::result::SCHEMA_VERSION;
use super::text::table;
use crate::memory::operating_point::Figure;
use serde::Serialize;
use serde_json::{Map, Value};

/// One operating point.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryPoint {
    /// Value of each axis, as typed.
    pub values: Vec<String>,
    /// What is known there.
    pub figures: Vec<Figure>,
}

/// A memory at the points of a grid, the last axis running fastest.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MemoryTable {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Presets that describe the memory.
    pub presets: Vec<String>,
    /// Keys over which the grid runs.
    pub axes: Vec<String>,
    /// Names of the figures, with their units: those of any point.
    pub columns: Vec<&'static str>,
    /// The points.
    #[serde(serialize_with = "as_objects")]
    points: Vec<Row>,
}

/// One point, its figures in the order of the columns.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    values: Vec<String>,
    figures: Vec<(&'static str, Option<f64>)>,
}

fn as_objects<S: serde::Serializer>(rows: &[Row], serializer: S) -> Result<S::Ok, S::Error> {
    let object = |row: &Row| {
        let figures = row.figures.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value)));
        Map::from_iter([
            ("values".to_owned(), Value::from(row.values.clone())),
            ("figures".to_owned(), Value::Object(figures.collect())),
        ])
    };
    rows.iter().map(object).collect::<Vec<_>>().serialize(serializer)
}

impl MemoryTable {
    /// The memory of `presets` at `points` of a grid over `axes`.
    pub fn new(presets: Vec<String>, axes: Vec<String>, points: Vec<MemoryPoint>) -> Self {
        let mut columns = Vec::new();
        for figure in points.iter().flat_map(|point| &point.figures) {
            if !columns.contains(&figure.name) {
                columns.push(figure.name);
            }
        }
        let row = |point: MemoryPoint| {
            let value = |name: &str| {
                point.figures.iter().find(|figure| figure.name == name).and_then(|figure| figure.value)
            };
            Row { figures: columns.iter().map(|&name| (name, value(name))).collect(), values: point.values }
        };
        let points = points.into_iter().map(row).collect();
        Self { schema_version: SCHEMA_VERSION, presets, axes, columns, points }
    }

    /// Whether a figure is not shown twice: a column that an axis has already.
    fn is_shown(&self, name: &str) -> bool {
        !self.axes.iter().any(|axis| axis == name)
    }

    fn header(&self) -> Vec<&str> {
        let columns = self.columns.iter().copied().filter(|name| self.is_shown(name));
        self.axes.iter().map(String::as_str).chain(columns).collect()
    }

    fn rows<'t>(
        &'t self,
        text: impl Fn(Option<f64>) -> String + 't,
    ) -> impl Iterator<Item = Vec<String>> + 't {
        self.points.iter().map(move |row| {
            let figures = row.figures.iter().filter(|(name, _)| self.is_shown(name));
            row.values.iter().cloned().chain(figures.map(|(_, value)| text(*value))).collect()
        })
    }
}

/// The figures as CSV, one row per point, in full precision; empty: unknown.
pub fn memory_csv(table: &MemoryTable) -> String {
    write(&table.header(), table.rows(|value| value.map_or(String::new(), |value| value.to_string())))
}

/// Most characters of a line.
const MOST_COLUMNS: usize = 120;

/// The figures for the terminal. A single point reads better from top to bottom; what is too wide for a line goes on below.
pub fn memory_text(figures: &MemoryTable) -> String {
    let presets = figures.presets.join(", ");
    let unknown = "- : not published for this memory, or not one number";
    let header = figures.header();
    let rows: Vec<_> = figures.rows(shown).collect();
    let (what, body) = if let [row] = &rows[..] {
        let lines = header.iter().zip(row).map(|(name, value)| vec![(*name).to_owned(), value.clone()]);
        ("one operating point", table(&["figure", "value"], lines))
    } else {
        let select = |columns: Vec<usize>| {
            let names: Vec<_> = columns.iter().map(|&column| header[column]).collect();
            table(&names, rows.iter().map(|row| columns.iter().map(|&column| row[column].clone()).collect()))
        };
        let blocks = blocks(&header, &rows, figures.axes.len());
        let tables: Vec<_> = blocks.into_iter().map(select).collect();
        ("one operating point per row", tables.join("\n\n"))
    };
    let has_gaps = figures.points.iter().any(|row| row.figures.iter().any(|(_, value)| value.is_none()));
    let note = if has_gaps { format!("\n{unknown}") } else { String::new() };
    format!("{presets}: {what}\n{body}{note}\n")
}

/// Columns side by side in tables that fit a line; each begins with the axes.
fn blocks(header: &[&str], rows: &[Vec<String>], axes: usize) -> Vec<Vec<usize>> {
    /// Blanks around and between columns.
    const GAP: usize = 3;
    let width = |column: usize| {
        let values = rows.iter().map(|row| row[column].chars().count());
        values.chain([header[column].chars().count()]).max().unwrap_or(0) + GAP
    };
    let start: Vec<_> = (0..axes).collect();
    let axes_width: usize = (0..axes).map(width).sum();
    let mut blocks = vec![start.clone()];
    let mut used = axes_width;
    for column in axes..header.len() {
        let last = blocks.len() - 1;
        if used + width(column) > MOST_COLUMNS && blocks[last].len() > axes {
            blocks.push(start.clone());
            used = axes_width;
        }
        used += width(column);
        let last = blocks.len() - 1;
        blocks[last].push(column);
    }
    blocks
}

/// Four significant digits.
pub(super) fn shown(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(0.0) => "0".to_owned(),
        Some(value) if !(1e-3..1e6).contains(&value.abs()) => format!("{value:.3e}"),
        Some(value) => {
            let magnitude = value.abs().log10().floor() as i32;
            let text = format!("{value:.*}", (3 - magnitude).max(0) as usize);
            if text.contains('.') {
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            } else {
                text
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(name: &'static str, value: impl Into<Option<f64>>) -> Figure {
        Figure { name, value: value.into() }
    }

    #[test]
    fn numbers_keep_four_digits() {
        for (value, text) in [
            (Some(0.0), "0"),
            (None, "-"),
            (Some(0.854_73), "0.8547"),
            (Some(1.0), "1"),
            (Some(1.29e-4), "1.290e-4"),
            (Some(28.967), "28.97"),
            (Some(0.004_453_2), "0.004453"),
            (Some(13_448.9), "13449"),
            (Some(2e6), "2.000e6"),
        ] {
            assert_eq!(shown(value), text);
        }
    }

    #[test]
    fn wide_tables_go_on_below() {
        let names = ["a_rather_long_name_of_a_figure_1", "a_rather_long_name_of_a_figure_2"];
        let names =
            [names, ["a_rather_long_name_of_a_figure_3", "a_rather_long_name_of_a_figure_4"]].concat();
        let point = |value: &str| MemoryPoint {
            values: vec![value.to_owned()],
            figures: names.iter().map(|name| figure(name, 1.0)).collect(),
        };
        let table = MemoryTable::new(vec!["p".into()], vec!["k".into()], vec![point("0"), point("1")]);
        let text = memory_text(&table);
        assert!(text.lines().all(|line| line.len() <= MOST_COLUMNS), "{text}");
        assert_eq!(text.lines().filter(|line| line.trim_start().starts_with("k ")).count(), 2, "{text}");
        assert!(names.iter().all(|name| text.contains(name)), "{text}");
    }

    #[test]
    fn columns_of_any_point_are_columns_of_all() {
        let points = vec![
            MemoryPoint { values: vec!["0".into()], figures: vec![figure("a", 1.5)] },
            MemoryPoint { values: vec!["1".into()], figures: vec![figure("a", None), figure("b_pj", 2.0)] },
        ];
        let table = MemoryTable::new(vec!["p".into()], vec!["k".into()], points);
        assert_eq!(memory_csv(&table), "k,a,b_pj\n0,1.5,\n1,,2\n");
        let json = serde_json::to_value(&table).unwrap();
        assert_eq!(json["points"][0]["figures"], serde_json::json!({ "a": 1.5, "b_pj": null }));
        assert_eq!(json["points"][1]["values"], serde_json::json!(["1"]));
        assert!(memory_text(&table).contains("not published"));
    }
}
