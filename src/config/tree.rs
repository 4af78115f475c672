//! The tree of values that were typed, each with its place.

use super::problem::{Location, Source};
use std::ops::Range;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A TOML value.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    /// Saturated: no valid setting comes near the limits of this type.
    Integer(i128),
    /// May be NaN or infinite, also for a literal that is too large.
    Float(f64),
    Boolean(bool),
    Datetime,
    List(Vec<Node>),
    Table(Table),
}

/// A value and its place: of a table `[like.this]`, its header.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub value: Value,
    pub location: Location,
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub key: String,
    pub key_location: Location,
    pub node: Node,
}

/// Entries in the order in which they were typed.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub entries: Vec<Entry>,
}

impl Table {
    pub fn find(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The entry `key`, made by `entry` where there is none.
    pub fn find_or_insert_with(&mut self, key: &str, entry: impl FnOnce() -> Entry) -> &mut Entry {
        let index = self.entries.iter().position(|entry| entry.key == key).unwrap_or_else(|| {
            self.entries.push(entry());
            self.entries.len() - 1
        });
        &mut self.entries[index]
    }

    /// Number of keys and list items in it, at any depth.
    pub fn entries_within(&self) -> usize {
        self.entries.iter().map(|entry| 1 + entry.node.entries_within()).sum()
    }

    /// The parsed table; places are offset by `start` bytes in `source`.
    pub fn from_toml(table: &DeTable<'_>, source: &Arc<Source>, start: usize) -> Self {
        let mut entries: Vec<_> = table
            .iter()
            .map(|(key, value)| Entry {
                key: key.get_ref().to_string(),
                key_location: location(source, key.span(), start),
                node: Node::from_toml(value, source, start),
            })
            .collect();
        entries.sort_by_key(|entry| entry.key_location.span.start);
        Self { entries }
    }
}

impl Node {
    /// The parsed value; places are offset by `start` bytes in `source`.
    pub fn from_toml(value: &Spanned<DeValue<'_>>, source: &Arc<Source>, start: usize) -> Self {
        let location = location(source, value.span(), start);
        let value = match value.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(integer) => Value::Integer(saturated(integer.as_str(), integer.radix())),
            // The literal's syntax was checked; what does not parse could only be out of range.
            DeValue::Float(float) => Value::Float(float.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(boolean) => Value::Boolean(*boolean),
            DeValue::Datetime(_) => Value::Datetime,
            DeValue::Array(array) => {
                Value::List(array.iter().map(|item| Self::from_toml(item, source, start)).collect())
            }
            DeValue::Table(table) => Value::Table(Table::from_toml(table, source, start)),
        };
        Self { value, location }
    }

    fn entries_within(&self) -> usize {
        match &self.value {
            Value::Table(table) => table.entries_within(),
            Value::List(items) => items.iter().map(|item| 1 + item.entries_within()).sum(),
            _ => 0,
        }
    }

    /// What the value is, for a message.
    pub fn description(&self) -> String {
        match &self.value {
            Value::Text(text) => format!("the string {:?}", shortened(text)),
            Value::Integer(_) => format!("the integer {}", shortened(self.location.text())),
            Value::Float(_) => format!("the float {}", shortened(self.location.text())),
            Value::Boolean(boolean) => format!("the boolean {boolean}"),
            Value::Datetime => "a date or time".into(),
            Value::List(items) if items.is_empty() => "an empty list".into(),
            Value::List(_) => "a list".into(),
            Value::Table(_) => "a table".into(),
        }
    }
}

fn location(source: &Arc<Source>, span: Range<usize>, start: usize) -> Location {
    Location { source: Arc::clone(source), span: span.start + start..span.end + start }
}

fn saturated(digits: &str, radix: u32) -> i128 {
    i128::from_str_radix(digits, radix).unwrap_or(if digits.starts_with('-') { i128::MIN } else { i128::MAX })
}

/// The first 60 characters.
pub(super) fn shortened(text: &str) -> String {
    let mut characters = text.chars();
    let mut short: String = characters.by_ref().take(60).collect();
    if characters.next().is_some() {
        short.push('…');
    }
    short
}
