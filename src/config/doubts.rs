//! Constants that a configuration takes from presets and that are not found ones: what a conclusion may hang on.

use super::document::Document;
use super::key::quoted;
use super::tree::{Entry, Table, Value};
use crate::memory::preset::{self, Constant, Tag};

/// A constant of a preset that configurations use as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Doubt {
    /// Name of the preset.
    pub preset: &'static str,
    /// Key of the constant.
    pub key: &'static str,
    /// The constant; never a found one, always of numbers.
    pub constant: &'static Constant,
    /// Dotted keys of this configuration at which a value would take its place.
    pub places: Vec<String>,
}

/// Keys that say where a model is known or what a table is of: figures of nothing.
const SCOPES: [&str; 5] = ["v_range", "t_range_s", "supported_share", "table_word_bits", "word_bits"];

/// The tables of a memory that may name a preset; the memory itself where it is empty.
const TABLES: [&str; 3] = ["", "error", "energy"];

impl Document {
    /// Every constant of numbers that is not a found one and that no typed value replaces, in the order of memories and
    /// presets, those of the accelerator last. Where a model is known and what a table is of are no such constants.
    pub fn doubts(&self) -> Vec<Doubt> {
        let mut doubts: Vec<Doubt> = Vec::new();
        let root = self.root();
        let table = |name: &str| match root.find(name).map(|entry| &entry.node.value) {
            Some(Value::Table(table)) => Some(table),
            _ => None,
        };
        for memory in table("memories").map_or(&[][..], |memories| &memories.entries) {
            let Value::Table(table) = &memory.node.value else { continue };
            for name in TABLES {
                let place = format!("memories.{}", quoted(&memory.key));
                match (name, table.find(name)) {
                    ("", _) => collect(table, &place, &mut doubts),
                    (_, Some(Entry { node, .. })) => {
                        if let Value::Table(inner) = &node.value {
                            collect(inner, &format!("{place}.{name}"), &mut doubts);
                        }
                    }
                    (_, None) => {}
                }
            }
        }
        let energy = table("accelerator").and_then(|accelerator| accelerator.find("energy"));
        if let Some(Value::Table(energy)) = energy.map(|entry| &entry.node.value) {
            collect(energy, "accelerator.energy", &mut doubts);
        }
        doubts
    }
}

/// Adds the doubtful constants of the preset that `table` names.
fn collect(table: &Table, place: &str, doubts: &mut Vec<Doubt>) {
    let Some(Value::Text(name)) = table.find("preset").map(|entry| &entry.node.value) else { return };
    let Some(preset) = preset::find(name) else { return };
    for (key, constant) in &preset.constants {
        let is_doubtful = constant.tag != Tag::Found
            && !constant.value.numbers().is_empty()
            && !SCOPES.contains(&key.as_str());
        if !is_doubtful || table.find(key).is_some() {
            continue;
        }
        let place = format!("{place}.{key}");
        match doubts.iter_mut().find(|doubt| doubt.preset == preset.name && doubt.key == key) {
            Some(doubt) => doubt.places.push(place),
            None => doubts.push(Doubt { preset: &preset.name, key, constant, places: vec![place] }),
        }
    }
}

impl Doubt {
    /// The constant times `factor` as a TOML value, each of its numbers held inside its range; `None` if that leaves it as it
    /// is.
    pub fn scaled(&self, factor: f64) -> Option<String> {
        let [low, high] = self.constant.range.unwrap_or([f64::NEG_INFINITY, f64::INFINITY]);
        let scale = |number: f64| (number * factor).clamp(low, high);
        let is_same = self.constant.value.numbers().iter().all(|&number| scale(number) == number);
        if is_same { None } else { Some(self.text(scale)) }
    }

    /// Whether a number of it times `factor` is held at an end of its range.
    pub fn is_held(&self, factor: f64) -> bool {
        let Some([low, high]) = self.constant.range else { return false };
        self.constant.value.numbers().iter().any(|number| !(low..=high).contains(&(number * factor)))
    }

    /// The constant as it is, as a TOML value.
    pub fn unchanged(&self) -> String {
        self.text(|number| number)
    }

    fn text(&self, change: impl Fn(f64) -> f64) -> String {
        let list = |numbers: Vec<f64>| {
            let texts: Vec<_> = numbers.into_iter().map(literal).collect();
            format!("[{}]", texts.join(", "))
        };
        match &self.constant.value {
            preset::Value::Number(number) => literal(change(*number)),
            preset::Value::List(numbers) => list(numbers.iter().map(|&number| change(number)).collect()),
            // The last column of a row is the figure, the others say what it is of.
            preset::Value::Rows(rows) => {
                let row = |row: &Vec<f64>| {
                    let numbers = row.iter().enumerate();
                    let figure = row.len() - 1;
                    list(numbers.map(|(column, &x)| if column < figure { x } else { change(x) }).collect())
                };
                format!("[{}]", rows.iter().map(row).collect::<Vec<_>>().join(", "))
            }
            preset::Value::Text(text) => format!("{text:?}"),
        }
    }
}

/// A number as TOML: an integer where it is one, so that counts stay counts.
fn literal(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e15 { format!("{number:.0}") } else { format!("{number:e}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn doubts(text: &str) -> Vec<Doubt> {
        Document::parse(Path::new("c.toml"), text).unwrap().doubts()
    }

    #[test]
    fn constants_that_are_typed_or_found_are_beyond_doubt() {
        let text = "[memories.a.error]\npreset = \"sram.14nm.stutz21\"\nmu = 0.7\n\
                    [memories.\"b.c\".error]\npreset = \"sram.14nm.stutz21\"\n[memories.d]\npreset = \"stt.delta30\"\n";
        let doubts = doubts(text);
        let places =
            |key: &str| doubts.iter().find(|doubt| doubt.key == key).map(|doubt| doubt.places.clone());
        assert_eq!(places("mu").unwrap(), ["memories.\"b.c\".error.mu"]);
        assert_eq!(places("sigma").unwrap(), ["memories.a.error.sigma", "memories.\"b.c\".error.sigma"]);
        assert_eq!(places("table_points"), None, "found");
        assert_eq!(places("ber").unwrap(), ["memories.d.ber"]);
        assert!(doubts.iter().all(|doubt| doubt.constant.tag != Tag::Found));
    }

    #[test]
    fn scaled_values_stay_in_their_range() {
        let doubts = doubts("[memories.a.error]\npreset = \"sram.14nm.stutz21\"\n");
        let mu = doubts.iter().find(|doubt| doubt.key == "mu").unwrap();
        let [low, high] = mu.constant.range.unwrap();
        let scaled: Vec<f64> = [0.5, 2.0].map(|factor| mu.scaled(factor).unwrap().parse().unwrap()).into();
        let value = mu.constant.value.numbers()[0];
        assert_eq!(scaled, [(value / 2.0).max(low), (value * 2.0).min(high)]);
        assert_eq!(mu.scaled(1.0), None);
    }
}
