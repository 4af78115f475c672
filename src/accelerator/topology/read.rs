//! A topology read into operations.

use crate::accelerator::cells::{Cell, Row, Rows};
use crate::accelerator::operation::{Extent, Kind, Operation, Source, Window};
use crate::accelerator::problem::{Collected, Problems, count, quoted};
use std::collections::HashMap;
use std::ops::Range;

/// A column: what messages call it, and the headers that mean it, in lower case without spaces and underscores.
struct Column {
    name: &'static str,
    headers: &'static [&'static str],
}

const fn column(name: &'static str, headers: &'static [&'static str]) -> Column {
    Column { name, headers }
}

const CONVOLUTION: [Column; 8] = [
    column("Layer name", &["layername", "layer", "name"]),
    column("IFMAP Height", &["ifmapheight", "ifmaph"]),
    column("IFMAP Width", &["ifmapwidth", "ifmapw"]),
    column("Filter Height", &["filterheight", "filterh"]),
    column("Filter Width", &["filterwidth", "filterw"]),
    column("Channels", &["channels", "channel", "numchannels"]),
    column("Num Filter", &["numfilter", "numfilters", "numberoffilters", "filters"]),
    column("Strides", &["strides", "stride", "strideheight"]),
];
const STRIDE_WIDTH: Column = column("Stride width", &["stridewidth"]);
const PRODUCT: [Column; 4] = [
    column("Layer", &["layer", "layername", "name"]),
    column("M", &["m"]),
    column("N", &["n"]),
    column("K", &["k"]),
];
const SPARSITY: Column = column("Sparsity", &["sparsity", "sparsityratio", "sparsitysupport", "n:m"]);

/// The table that a header announces.
struct Table {
    columns: &'static [Column],
    has_stride_width: bool,
}

/// The layers of a topology, in order.
///
/// # Errors
///
/// Every mistake with its place: a header that is none, cells missing or too many, numbers that are zero, no integers or too
/// large, a filter larger than its input, sparse weights, layers without a name, of one name, or with `DP` in it.
pub fn read(text: &str) -> Result<Vec<Operation>, Problems> {
    let mut found = Collected::default();
    let mut operations = Vec::new();
    let mut names = HashMap::new();
    let mut table = None;
    for row in Rows::of(text) {
        let row = match row {
            Ok(row) => row,
            Err((span, mistake)) => {
                found.add(&span, mistake);
                break;
            }
        };
        let Some(table) = &table else {
            table = header(&row, &mut found);
            if table.is_none() {
                break;
            }
            continue;
        };
        if let Some(earlier) = names.insert(row[0].text.clone(), row[0].span.start) {
            let line = 1 + text[..earlier].matches('\n').count();
            let message = format!("line {line} has a layer {} too", quoted(&row[0].text));
            found.add_with(&row[0].span, message, Some("give every layer a name of its own".into()));
        }
        let source = operations.len().checked_sub(1).map_or(Source::Input, Source::Operation);
        operations.extend(operation(&row, table, source, &mut found));
        if found.is_full() {
            break;
        }
    }
    if found.is_empty() && operations.is_empty() {
        let missing = if table.is_none() {
            format!("the header {HEADERS}")
        } else {
            "at least one layer below the header".into()
        };
        found.add(&(text.len()..text.len()), format!("expected {missing}, found none"));
    }
    found.finish(text, operations)
}

/// Headers as messages name them.
const HEADERS: &str = "`Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides` \
                       or `Layer, M, N, K`";

fn header(row: &Row<'_>, found: &mut Collected) -> Option<Table> {
    let normal = |cell: &Cell<'_>| cell.text.to_lowercase().replace([' ', '_', '\t'], "");
    let is = |cell: &Cell<'_>, column: &Column| column.headers.contains(&&*normal(cell));
    let product = row.get(1).is_some_and(|cell| is(cell, &PRODUCT[1]));
    let columns: &[Column] = if product { &PRODUCT } else { &CONVOLUTION };
    let mut optional: &[&Column] = if product { &[&SPARSITY] } else { &[&STRIDE_WIDTH, &SPARSITY] };
    let mut has_stride_width = false;
    for (index, cell) in row.iter().enumerate() {
        if let Some(column) = columns.get(index) {
            if !is(cell, column) {
                let wanted = if index < 2 { HEADERS.to_owned() } else { format!("`{}`", column.name) };
                found.add(&cell.span, format!("header: expected {wanted}, found {}", quoted(&cell.text)));
                return None;
            }
        } else if let Some(place) = optional.iter().position(|column| is(cell, column)) {
            has_stride_width |= optional[place].name == STRIDE_WIDTH.name;
            optional = &optional[place + 1..];
        } else {
            found.add(&cell.span, format!("header: unknown column {}", quoted(&cell.text)));
            return None;
        }
    }
    if let Some(missing) = columns.get(row.len()) {
        let end = row.last().map_or(0, |cell| cell.span.end);
        found.add(&(end..end), format!("header: the column `{}` is missing", missing.name));
        return None;
    }
    Some(Table { columns, has_stride_width })
}

/// The operation of one row; `None` after a mistake.
fn operation(row: &Row<'_>, table: &Table, source: Source, found: &mut Collected) -> Option<Operation> {
    let layer = format!("layer {}", quoted(&row[0].text));
    let mut mistakes = Vec::new();
    let numbers = numbers(row, table, &mut mistakes);
    let made = numbers.filter(|_| mistakes.is_empty()).and_then(|numbers| {
        let name = &row[0].text;
        let made = match numbers[..] {
            [pixels, filters, window] => product(name, [pixels, filters, window], source),
            _ => convolution(name, &numbers, source),
        };
        if made.is_none() {
            let whole = row[0].span.start..row.last().map_or(0, |cell| cell.span.end);
            mistakes.push((whole, "its multiply-accumulates or words are beyond 2^64 - 1".into()));
        }
        made
    });
    for (span, message) in mistakes {
        found.add(&span, format!("{layer}: {message}"));
    }
    made
}

/// The numbers of a row; `None` where one is missing or none.
fn numbers(row: &Row<'_>, table: &Table, mistakes: &mut Vec<(Range<usize>, String)>) -> Option<Vec<u64>> {
    let mut wrong = |span: &Range<usize>, message: String| mistakes.push((span.clone(), message));
    let name = &row[0];
    if name.text.is_empty() {
        wrong(&name.span, "expected its name, found nothing".into());
    }
    if name.text.contains("DP") {
        let message = "SCALE-Sim expands a layer with `DP` in its name into one per channel: write those rows, or rename it";
        wrong(&name.span, message.into());
    }
    let stride_width = table.has_stride_width.then_some(&STRIDE_WIDTH);
    let columns: Vec<_> = table.columns[1..].iter().chain(stride_width).collect();
    let mut numbers = Vec::with_capacity(columns.len());
    for (column, index) in columns.iter().zip(1..) {
        let Some(cell) = row.get(index) else {
            let end = row.last().map_or(0, |cell| cell.span.end);
            wrong(&(end..end), format!("`{}` is missing", column.name));
            return None;
        };
        match count(&cell.text) {
            Ok(0) => wrong(&cell.span, format!("`{}`: expected at least 1, found 0", column.name)),
            Ok(number) => numbers.push(number),
            Err(message) => wrong(&cell.span, format!("`{}`: {message}", column.name)),
        }
    }
    let mut rest = row[columns.len() + 1..].iter();
    if let Some(cell) = rest.next()
        && let Err(message) = dense(&cell.text)
    {
        wrong(&cell.span, message);
    }
    if let Some(cell) = rest.next() {
        wrong(&cell.span, format!("found {} cells, expected at most {}", row.len(), columns.len() + 2));
    }
    if numbers.len() < columns.len() {
        return None;
    }
    for (input, filter) in [(0, 2), (1, 3)] {
        if numbers.len() > PRODUCT.len() && numbers[filter] > numbers[input] {
            let message = format!(
                "`{}` {} is larger than the input's {}",
                columns[filter].name, numbers[filter], numbers[input]
            );
            wrong(&row[filter + 1].span, message);
        }
    }
    Some(numbers)
}

/// Refuses sparse weights.
fn dense(ratio: &str) -> Result<(), String> {
    let (kept, of) =
        ratio.split_once(':').ok_or_else(|| format!("expected a sparsity N:M, found {}", quoted(ratio)))?;
    match (count(kept.trim()), count(of.trim())) {
        (Ok(kept), Ok(of)) if kept == of && of > 0 => Ok(()),
        (Ok(_), Ok(_)) => Err(format!("expected dense weights (sparsity 1:1), found {}", quoted(ratio))),
        _ => Err(format!("expected a sparsity N:M, found {}", quoted(ratio))),
    }
}

/// `numbers` as in the columns after the name, no filter larger than its input; `None` beyond 2^64 - 1.
fn convolution(name: &str, numbers: &[u64], source: Source) -> Option<Operation> {
    let &[height, width, filter_height, filter_width, channels, filters, vertical, ref rest @ ..] = numbers
    else {
        return None;
    };
    let stride = [vertical, rest.first().copied().unwrap_or(vertical)];
    let (input_extent, kernel) = ([height, width], [filter_height, filter_width]);
    let mut extent = [1; 2];
    let mut pad_end = [0; 2];
    for axis in 0..2 {
        let steps = (input_extent[axis] - kernel[axis]).div_ceil(stride[axis]);
        extent[axis] = steps.checked_add(1)?;
        pad_end[axis] =
            steps.checked_mul(stride[axis])?.checked_add(kernel[axis])?.saturating_sub(input_extent[axis]);
    }
    channels.checked_mul(height)?.checked_mul(width)?;
    let window = channels.checked_mul(filter_height)?.checked_mul(filter_width)?;
    let pixels = extent[0].checked_mul(extent[1])?;
    window.checked_mul(filters)?.checked_mul(pixels)?;
    if pixels == 1 {
        return product(name, [1, filters, window], source);
    }
    let input = Extent { channels, height, width };
    let output = Extent { channels: filters, height: extent[0], width: extent[1] };
    let window = Window { kernel, stride, pad: [0; 2], pad_end, dilation: [1; 2] };
    Some(layer(name, Kind::Convolution, [input, output], window, source))
}

/// M pixels, N filters and K elements of the window: without a window to slide, `1 x 1` over K channels.
fn product(name: &str, [pixels, filters, window]: [u64; 3], source: Source) -> Option<Operation> {
    pixels.checked_mul(filters)?.checked_mul(window)?;
    let kind = if pixels == 1 { Kind::FullyConnected } else { Kind::Convolution };
    let input = Extent { channels: window, height: pixels, width: 1 };
    let output = Extent { channels: filters, ..input };
    Some(layer(name, kind, [input, output], Window::POINT, source))
}

fn layer(name: &str, kind: Kind, [input, output]: [Extent; 2], window: Window, source: Source) -> Operation {
    Operation {
        name: name.to_owned(),
        kind,
        input,
        output,
        window,
        groups: 1,
        has_bias: false,
        followers: Vec::new(),
        sources: vec![source],
        added: Vec::new(),
    }
}
