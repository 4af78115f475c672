//! Traces in TOML.

use super::fields::{self, BATCH, CLOCK, LAYER, MOVEMENT, Written};
use super::record::{Names, Record, Typed, Value, unknown};
use crate::accelerator::Trace;
use crate::accelerator::problem::{Collected, Problems, quoted};
use crate::accelerator::trace::{Fidelity, LayerTrace};
use std::fmt::Write;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

const TOP: [&str; 4] = [CLOCK, BATCH, "memories", "layer"];

pub(super) fn read(text: &str) -> Result<Trace, Problems> {
    let mut found = Collected::default();
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        found.add(&error.span().unwrap_or(0..0), error.message().to_owned());
    }
    let trace = if errors.is_empty() { trace(table.get_ref(), &mut found) } else { None };
    let Some(trace) = trace else {
        return Err(found.finish(text, ()).expect_err("a trace that is not there has mistakes"));
    };
    found.finish(text, trace)
}

fn trace(table: &DeTable<'_>, found: &mut Collected) -> Option<Trace> {
    let top = record(table, "trace".into(), 0..0, &TOP, &["memories", "layer"], found);
    let clock_and_batch = top.clock_and_batch(found);
    let memories = memories(table, found);
    let mut names = Names::default();
    let mut layers = Vec::new();
    let tables = tables(table, "layer", "trace", found);
    if tables.is_empty() && !table.contains_key("layer") {
        found.add(&(0..0), "trace: expected at least one `[[layer]]`, found none");
    }
    for layer in &tables {
        if found.is_full() {
            break;
        }
        layers.extend(read_layer(layer, &memories, &mut names, found));
    }
    let (clock_mhz, batch) = clock_and_batch?;
    Some(Trace { fidelity: Fidelity::Given, clock_mhz, batch, memories: memories.names, layers })
}

fn memories(table: &DeTable<'_>, found: &mut Collected) -> Names {
    let mut names = Names::default();
    let Some(value) = table.get("memories") else {
        found.add(&(0..0), "trace: `memories` is missing");
        return names;
    };
    let Some(array) = value.get_ref().as_array() else {
        found.add(&value.span(), "trace: `memories`: expected a list of names");
        return names;
    };
    for item in array {
        let added = match item.get_ref().as_str() {
            Some(name) => names.add(name, "memory"),
            None => Err(format!("expected the name of a memory, found {}", what(item.get_ref()))),
        };
        if let Err(message) = added {
            found.add(&item.span(), format!("trace: `memories`: {message}"));
        }
    }
    names
}

type Table<'a, 't> = Spanned<&'a DeTable<'t>>;

/// The tables of `[[key]]`; none if it is not there.
fn tables<'a, 't>(
    table: &'a DeTable<'t>,
    key: &str,
    title: &str,
    found: &mut Collected,
) -> Vec<Table<'a, 't>> {
    let Some(value) = table.get(key) else { return Vec::new() };
    let items = value.get_ref().as_array();
    let items = items.map(|items| {
        items.iter().map(|item| Some(Spanned::new(item.span(), item.get_ref().as_table()?))).collect()
    });
    let Some(Some(tables)) = items else {
        found.add(&value.span(), format!("{title}: `{key}`: expected tables, each under its own `[[…]]`"));
        return Vec::new();
    };
    tables
}

fn read_layer(
    table: &Table<'_, '_>,
    memories: &Names,
    names: &mut Names,
    found: &mut Collected,
) -> Option<LayerTrace> {
    let name = table.get_ref().get("name").and_then(|name| name.get_ref().as_str()).unwrap_or_default();
    let title = format!("layer {}", quoted(name));
    let known: Vec<_> = ["name"].into_iter().chain(LAYER).chain(["movement"]).collect();
    let values = record(table.get_ref(), title.clone(), table.span(), &known, &["movement"], found);
    let named = values.text("name", found).map(|(name, span)| (name, span.clone()));
    if let Some((name, span)) = named
        && let Err(message) = names.add(name, "layer")
    {
        found.add(&span, message);
    }
    let layer = values.layer(name, memories, found);
    let mut movements = Vec::new();
    for movement in tables(table.get_ref(), "movement", &title, found) {
        let title = format!("{title}, movement {}", movements.len() + 1);
        let values = record(movement.get_ref(), title, movement.span(), &MOVEMENT, &[], found);
        movements.push(values.movement(memories, found));
    }
    Some(LayerTrace { movements: movements.into_iter().collect::<Option<_>>()?, ..layer? })
}

/// The values of `table`; refuses keys that are not `known`. Those in `nested` are read elsewhere.
fn record<'t>(
    table: &DeTable<'t>,
    title: String,
    span: std::ops::Range<usize>,
    known: &[&str],
    nested: &[&str],
    found: &mut Collected,
) -> Record<'t> {
    let mut values = Vec::new();
    for (key, value) in table {
        let name = key.get_ref();
        if !known.contains(&&**name) {
            unknown(name, &key.span(), "key", known.iter().copied(), found);
        } else if !nested.contains(&&**name) {
            let typed = match value.get_ref() {
                DeValue::String(text) => Typed::Text(text.clone()),
                DeValue::Integer(digits) => Typed::Integer(digits.as_str().to_owned().into(), digits.radix()),
                DeValue::Float(float) => Typed::Float(float.as_str().to_owned().into()),
                other => Typed::Other(what(other)),
            };
            values.push((name.clone(), Value { typed, span: value.span() }));
        }
    }
    Record { title, span, values }
}

fn what(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

pub(super) fn written(trace: &Trace) -> String {
    let mut text = format!("{CLOCK} = {:?}\n{BATCH} = {}\n", trace.clock_mhz, trace.batch);
    let names: Vec<_> = trace.memories.iter().map(|name| string(name)).collect();
    push(&mut text, format_args!("memories = [{}]\n", names.join(", ")));
    for layer in &trace.layers {
        push(&mut text, format_args!("\n[[layer]]\nname = {}\n", string(&layer.name)));
        push_values(&mut text, "", &LAYER, &fields::of_layer(layer, trace));
        for movement in &layer.movements {
            text.push_str("\n    [[layer.movement]]\n");
            push_values(&mut text, "    ", &MOVEMENT, &fields::of_movement(movement, trace));
        }
    }
    text
}

fn push_values(text: &mut String, indent: &str, keys: &[&str], values: &[Written<'_>]) {
    for (key, value) in keys.iter().zip(values) {
        match value {
            Written::Count(count) => push(text, format_args!("{indent}{key} = {count}\n")),
            Written::Text(value) => push(text, format_args!("{indent}{key} = {}\n", string(value))),
        }
    }
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("a string takes any text");
}

fn string(text: &str) -> String {
    toml::Value::from(text).to_string()
}
