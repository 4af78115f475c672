//! Traces in comma-separated text: rows that hold only a memory name it, the others hold a layer and one of its movements.

use super::fields::{self, BATCH, CLOCK, LAYER, MOVEMENT, Written};
use super::record::{Names, Record, Typed, Value, unknown};
use crate::accelerator::Trace;
use crate::accelerator::cells::{self, Mistake, Row, Rows};
use crate::accelerator::problem::{Collected, Problems, quoted};
use crate::accelerator::trace::{Fidelity, LayerTrace};
use std::ops::Range;

/// The column of the layer's name.
const NAME: &str = "layer";

/// Every column in the order in which they are written.
fn columns() -> impl Iterator<Item = &'static str> + Clone {
    [CLOCK, BATCH, NAME].into_iter().chain(LAYER).chain(MOVEMENT)
}

/// Places of the columns in a row, in the order of [`columns`].
struct Columns(Vec<usize>);

/// One row by the names of its columns.
#[derive(Clone)]
struct Line<'c, 't> {
    row: Row<'t>,
    columns: &'c Columns,
}

impl<'t> Line<'_, 't> {
    fn cell(&self, column: &str) -> Value<'t> {
        let place = columns().zip(&self.columns.0).find(|(name, _)| *name == column).map(|(_, place)| *place);
        let end = self.row.last().map_or(0, |cell| cell.span.end);
        match place.and_then(|place| self.row.get(place)) {
            Some(cell) => Value { typed: Typed::Cell(cell.text.clone()), span: cell.span.clone() },
            None => Value { typed: Typed::Cell("".into()), span: end..end },
        }
    }

    fn text(&self, column: &str) -> String {
        match self.cell(column).typed {
            Typed::Cell(text) => text.into_owned(),
            _ => unreachable!("a cell is a cell"),
        }
    }

    fn is_blank(&self, mut columns: impl Iterator<Item = &'static str>) -> bool {
        columns.all(|column| self.text(column).is_empty())
    }

    fn span(&self) -> Range<usize> {
        self.row[0].span.start..self.row.last().map_or(0, |cell| cell.span.end)
    }

    fn record(&self, title: &str, columns: impl Iterator<Item = &'static str>) -> Record<'t> {
        let values = columns.map(|column| (column.into(), self.cell(column))).collect();
        Record { title: title.to_owned(), span: self.span(), values }
    }
}

pub(super) fn read(text: &str) -> Result<Trace, Problems> {
    let mut found = Collected::default();
    let mut rows = Rows::of(text);
    let columns = rows.next().and_then(|row| header(&sound(row, &mut found)?, &mut found));
    let trace = columns.and_then(|columns| {
        let mut reading = Reading::of(&columns);
        for row in rows {
            reading.line(&Line { row: sound(row, &mut found)?, columns: &columns }, &mut found);
            if found.is_full() {
                return None;
            }
        }
        reading.finish(text, &mut found)
    });
    if trace.is_none() && found.is_empty() {
        found.add(&(0..0), "expected the names of the columns, found an empty file");
    }
    let Some(trace) = trace else {
        return Err(found.finish(text, ()).expect_err("a trace that is not there has mistakes"));
    };
    found.finish(text, trace)
}

fn sound<'t>(row: Result<Row<'t>, Mistake>, found: &mut Collected) -> Option<Row<'t>> {
    row.map_err(|(span, mistake)| found.add(&span, mistake)).ok()
}

fn header(row: &Row<'_>, found: &mut Collected) -> Option<Columns> {
    let mut sound = true;
    for (index, cell) in row.iter().enumerate() {
        if !columns().any(|column| column == cell.text) {
            unknown(&cell.text, &cell.span, "column", columns(), found);
            sound = false;
        } else if row[..index].iter().any(|earlier| earlier.text == cell.text) {
            found.add(&cell.span, format!("there are two columns {}", quoted(&cell.text)));
            sound = false;
        }
        if found.is_full() {
            return None;
        }
    }
    let end = row.last().map_or(0, |cell| cell.span.end);
    let mut places = Vec::new();
    for column in columns() {
        match row.iter().position(|cell| cell.text == column) {
            Some(place) => places.push(place),
            None => found.add(&(end..end), format!("the column `{column}` is missing")),
        }
    }
    (sound && places.len() == columns().count()).then_some(Columns(places))
}

/// What was read so far.
struct Reading<'c, 't> {
    columns: &'c Columns,
    /// The first row, whose clock and batch all others repeat, and what they are.
    first: Option<(Line<'c, 't>, Option<(f64, u64)>)>,
    memories: Names,
    names: Names,
    layers: Vec<LayerTrace>,
    open: Option<Open<'c, 't>>,
}

/// The layer whose rows are being read.
struct Open<'c, 't> {
    first: Line<'c, 't>,
    title: String,
    rows: usize,
    /// `None` after a mistake.
    layer: Option<LayerTrace>,
}

impl<'c, 't> Reading<'c, 't> {
    fn of(columns: &'c Columns) -> Self {
        let (memories, names) = (Names::default(), Names::default());
        Self { columns, first: None, memories, names, layers: Vec::new(), open: None }
    }

    fn line(&mut self, line: &Line<'c, 't>, found: &mut Collected) {
        let places = self.columns.0.len();
        if let Some(extra) = line.row.get(places) {
            let count = line.row.len();
            found.add(&extra.span, format!("found {count} cells under {places} columns"));
        }
        let top = [CLOCK, BATCH];
        if let Some((first, _)) = &self.first {
            same(first, line, &top, "trace", "the first row", found);
        } else {
            let values = line.record("trace", top.into_iter()).clock_and_batch(found);
            self.first = Some((line.clone(), values));
        }
        let of_layer = !line.is_blank([NAME].into_iter().chain(LAYER));
        if !of_layer && self.open.is_none() {
            self.memory(line, found);
        } else if line.text(NAME).is_empty() {
            found.add(&line.cell(NAME).span, "expected the name of a layer, found nothing");
        } else {
            self.layer(line, found);
        }
    }

    /// A row that names a memory.
    fn memory(&mut self, line: &Line<'_, '_>, found: &mut Collected) {
        if let Err(message) = self.memories.add(&line.text("memory"), "memory") {
            found.add(&line.cell("memory").span, message);
        } else if !line.is_blank(MOVEMENT.into_iter().filter(|column| *column != "memory")) {
            found.add(&line.span(), "expected nothing but the name of a memory in a row without a layer");
        }
    }

    /// A row of a layer: the next of the open one, or the first of another.
    fn layer(&mut self, line: &Line<'c, 't>, found: &mut Collected) {
        let name = line.text(NAME);
        if self.open.as_ref().is_none_or(|open| open.first.text(NAME) != name) {
            self.close();
            if let Err(message) = self.names.add(&name, "layer") {
                found.add(&line.cell(NAME).span, message);
            }
            let title = format!("layer {}", quoted(&name));
            let layer = line.record(&title, LAYER.into_iter()).layer(&name, &self.memories, found);
            self.open = Some(Open { first: line.clone(), title, rows: 0, layer });
        }
        let open = self.open.as_mut().expect("the layer was opened");
        open.rows += 1;
        if open.layer.is_some() {
            same(&open.first, line, &LAYER, &open.title, "the layer's first row", found);
        }
        let first_is_blank = open.first.is_blank(MOVEMENT.into_iter());
        if open.rows > 1 && (first_is_blank || line.is_blank(MOVEMENT.into_iter())) {
            found.add(&line.span(), format!("{}: a row without a movement is its only one", open.title));
        } else if !first_is_blank {
            let title = format!("{}, movement {}", open.title, open.rows);
            let movement = line.record(&title, MOVEMENT.into_iter()).movement(&self.memories, found);
            if let (Some(layer), Some(movement)) = (&mut open.layer, movement) {
                layer.movements.push(movement);
            }
        }
    }

    fn close(&mut self) {
        self.layers.extend(self.open.take().and_then(|open| open.layer));
    }

    /// The trace; with mistakes noted it may be incomplete.
    fn finish(mut self, text: &str, found: &mut Collected) -> Option<Trace> {
        self.close();
        if self.layers.is_empty() && found.is_empty() {
            found.add(&(text.len()..text.len()), "trace: expected at least one layer, found none");
        }
        let (clock_mhz, batch) = self.first?.1?;
        let (fidelity, memories) = (Fidelity::Given, self.memories.names);
        Some(Trace { fidelity, clock_mhz, batch, memories, layers: self.layers })
    }
}

/// Refuses other values in `line` than in `first`.
fn same(
    first: &Line<'_, '_>,
    line: &Line<'_, '_>,
    columns: &[&str],
    title: &str,
    of: &str,
    found: &mut Collected,
) {
    for column in columns {
        let (expected, repeated) = (first.text(column), line.text(column));
        if expected != repeated {
            let [expected, repeated] = [expected, repeated].map(|text| quoted(&text));
            let message = format!("{title}: `{column}`: expected {expected} as in {of}, found {repeated}");
            found.add(&line.cell(column).span, message);
        }
    }
}

pub(super) fn written(trace: &Trace) -> String {
    let names: Vec<_> = columns().collect();
    let mut text = names.join(",") + "\n";
    let top = [format!("{:?}", trace.clock_mhz), trace.batch.to_string()];
    let blanks = |count: usize| vec![String::new(); count];
    let mut push = |parts: [Vec<String>; 3]| {
        let cells: Vec<_> = top.iter().cloned().chain(parts.into_iter().flatten()).collect();
        text.push_str(&cells.join(","));
        text.push('\n');
    };
    for memory in &trace.memories {
        let mut movement = blanks(MOVEMENT.len());
        movement[1] = cells::written(memory).into_owned();
        push([blanks(1), blanks(LAYER.len()), movement]);
    }
    for layer in &trace.layers {
        let of_layer = cells_of(&fields::of_layer(layer, trace));
        let name = vec![cells::written(&layer.name).into_owned()];
        if layer.movements.is_empty() {
            push([name.clone(), of_layer.clone(), blanks(MOVEMENT.len())]);
        }
        for movement in &layer.movements {
            push([name.clone(), of_layer.clone(), cells_of(&fields::of_movement(movement, trace))]);
        }
    }
    text
}

fn cells_of(values: &[Written<'_>]) -> Vec<String> {
    let cell = |value: &Written<'_>| match value {
        Written::Count(count) => count.to_string(),
        Written::Text(text) => cells::written(text).into_owned(),
    };
    values.iter().map(cell).collect()
}
