//! A table of constants with a preset behind it: what was typed wins, else the preset's constant holds, else the key is
//! missing.

use super::problem::{Location, Problem, Problems};
use super::reader::{Section, listed, suggestion, text, unexpected};
use super::tree::{Entry, Node, Value, shortened};
use crate::memory::preset::{self, Preset, Table};
use std::fmt;

/// Valid values of a number.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bounds {
    /// Any finite number.
    Finite,
    /// Finite and above the bound.
    Above(f64),
    /// Finite and not below the bound.
    AtLeast(f64),
    /// Both ends included.
    From(f64, f64),
    /// Above the first, up to and including the second.
    AboveTo(f64, f64),
    /// From the first up to but not including the second.
    Below(f64, f64),
    /// Neither end included.
    Between(f64, f64),
}

impl Bounds {
    pub fn contain(self, value: f64) -> bool {
        value.is_finite()
            && match self {
                Self::Finite => true,
                Self::Above(low) => value > low,
                Self::AtLeast(low) => value >= low,
                Self::From(low, high) => (low..=high).contains(&value),
                Self::AboveTo(low, high) => value > low && value <= high,
                Self::Below(low, high) => (low..high).contains(&value),
                Self::Between(low, high) => value > low && value < high,
            }
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finite => f.write_str("a finite number"),
            Self::Above(low) => write!(f, "a number above {low}"),
            Self::AtLeast(low) => write!(f, "a number of at least {low}"),
            Self::From(low, high) => write!(f, "a number from {low} to {high}"),
            Self::AboveTo(low, high) => write!(f, "a number above {low}, at most {high}"),
            Self::Below(low, high) => write!(f, "a number of at least {low}, below {high}"),
            Self::Between(low, high) => write!(f, "a number between {low} and {high}"),
        }
    }
}

/// A key of the table, and what it means.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub name: &'static str,
    pub meaning: &'static str,
}

/// Where a value stands.
#[derive(Clone, Copy)]
enum Found<'d> {
    Typed(&'d Node),
    Preset(&'static preset::Constant),
}

/// One table, of a memory or of the accelerator.
pub(super) struct Constants<'d> {
    pub section: Section<'d>,
    /// The preset that it names.
    pub preset: Option<&'static Preset>,
    table: Table,
}

impl<'d> Constants<'d> {
    /// The constants of `section`, a table of the kind `table`; a preset that cannot be named there is noted.
    pub fn open(section: Section<'d>, table: Table, problems: &mut Problems) -> Self {
        let preset = section.find("preset").and_then(|entry| {
            let key = section.key("preset");
            let name = text(&key, &entry.node, "the name of a preset", problems)?;
            named(&key, name, &entry.node.location, table).map_err(|problem| problems.push(problem)).ok()
        });
        Self { section, preset, table }
    }

    /// The presets that can be named here.
    pub fn presets(&self) -> impl Iterator<Item = &'static Preset> {
        presets(self.table)
    }

    /// The name of the preset.
    pub fn preset_name(&self) -> Option<String> {
        self.preset.map(|preset| preset.name.clone())
    }

    fn look_up(&self, name: &str) -> Option<Found<'d>> {
        let typed = self.section.find(name).map(|entry| Found::Typed(&entry.node));
        typed.or_else(|| self.preset?.constant(name).map(Found::Preset))
    }

    /// Whether `name` was typed or is a constant of the preset.
    pub fn has(&self, name: &str) -> bool {
        self.look_up(name).is_some()
    }

    /// Where to point for `name`: its value, or else the table.
    pub fn place(&self, name: &str) -> &'d Location {
        self.section.find(name).map_or(self.section.location(), |entry| &entry.node.location)
    }

    /// Notes `key` if it stands nowhere; whether it does.
    pub fn require(&self, key: Key, problems: &mut Problems) -> bool {
        // A preset that was not found might have it.
        let preset_is_wrong = self.preset.is_none() && self.section.find("preset").is_some();
        if self.has(key.name) || preset_is_wrong {
            return self.has(key.name);
        }
        let have: Vec<_> = presets(self.table)
            .filter(|preset| preset.constant(key.name).is_some())
            .map(|preset| preset.name.as_str())
            .collect();
        let source = match (self.preset, have.is_empty()) {
            (_, true) => "no preset states it".to_owned(),
            (Some(preset), false) => {
                format!("`{}` does not state it; presets that do: {}", preset.name, listed(&have))
            }
            (None, false) => format!("presets that state it: {}", listed(&have)),
        };
        let message = format!("missing key `{}`", self.section.key(key.name));
        problems.push(
            Problem::new(self.section.location(), message, format!("needs `{}`", key.name))
                .with_help(format!("{}; {source}", key.meaning)),
        );
        false
    }

    /// The number `key`; `None` if it is missing or wrong (noted).
    pub fn number(&self, key: Key, bounds: Bounds, problems: &mut Problems) -> Option<f64> {
        if self.require(key, problems) { self.given_number(key, bounds, problems)? } else { None }
    }

    /// The number `key`, or `default` if it stands nowhere; `None` if it is wrong (noted).
    pub fn number_or(&self, key: Key, default: f64, bounds: Bounds, problems: &mut Problems) -> Option<f64> {
        self.given_number(key, bounds, problems).map(|given| given.unwrap_or(default))
    }

    /// The number `key` if it stands somewhere; `None` if it is wrong (noted).
    #[expect(clippy::option_option, reason = "left out, wrong and right are three things")]
    fn given_number(&self, key: Key, bounds: Bounds, problems: &mut Problems) -> Option<Option<f64>> {
        match self.look_up(key.name) {
            None => Some(None),
            Some(Found::Preset(constant)) => Some(constant.value.numbers().first().copied()),
            Some(Found::Typed(node)) => {
                self.typed_number(&self.section.key(key.name), key.name, node, bounds, problems).map(Some)
            }
        }
    }

    /// The number that was typed as `node`, in `bounds` and in the range of the preset's constant.
    fn typed_number(
        &self,
        path: &str,
        name: &str,
        node: &Node,
        bounds: Bounds,
        problems: &mut Problems,
    ) -> Option<f64> {
        let Some(value) = plain_number(node).filter(|&value| bounds.contain(value)) else {
            problems.push(unexpected(path, node, &bounds.to_string()));
            return None;
        };
        self.check_range(path, name, node, value, problems).then_some(value)
    }

    /// Notes a number outside of the range that the preset states for `name`; whether it is inside.
    pub fn check_range(
        &self,
        path: &str,
        name: &str,
        node: &Node,
        value: f64,
        problems: &mut Problems,
    ) -> bool {
        let stated = self.preset.and_then(|preset| {
            let constant = preset.constant(name)?;
            Some((preset, constant, constant.range?))
        });
        let Some((preset, constant, [low, high])) = stated else { return true };
        if (low..=high).contains(&value) {
            return true;
        }
        let unit = if constant.unit == "1" { String::new() } else { format!(" ({})", constant.unit) };
        let expected = format!("a number from {low} to {high}{unit}, the valid range of `{}`", preset.name);
        problems.push(unexpected(path, node, &expected));
        false
    }

    /// The choice `key`; `None` if it is missing or wrong (noted).
    pub fn choice<T: Copy>(&self, key: Key, choices: &[(&str, T)], problems: &mut Problems) -> Option<T> {
        self.require(key, problems);
        match self.look_up(key.name)? {
            Found::Typed(_) => self.section.choice(key.name, choices, problems),
            Found::Preset(constant) => match &constant.value {
                preset::Value::Text(word) => {
                    choices.iter().find(|(name, _)| name == word).map(|(_, choice)| *choice)
                }
                _ => None,
            },
        }
    }

    /// Two numbers `key`, the second above the first; `None` if they are missing or wrong (noted).
    pub fn range(&self, key: Key, bounds: Bounds, problems: &mut Problems) -> Option<[f64; 2]> {
        self.require(key, problems);
        let node = match self.look_up(key.name)? {
            Found::Typed(node) => node,
            Found::Preset(constant) => return <[f64; 2]>::try_from(constant.value.numbers()).ok(),
        };
        let path = self.section.key(key.name);
        let numbers = match &node.value {
            Value::List(items) => items.iter().map(plain_number).collect::<Option<Vec<_>>>(),
            _ => None,
        };
        let pair = numbers.and_then(|numbers| <[f64; 2]>::try_from(numbers).ok());
        let pair = pair.filter(|&[low, high]| bounds.contain(low) && bounds.contain(high) && low < high);
        if pair.is_none() {
            problems.push(unexpected(&path, node, "a list [low, high] of two rising numbers"));
        }
        pair
    }

    /// Rows [x, y] of `key`, each number finite; `None` if they are missing or wrong (noted).
    pub fn points(&self, key: Key, problems: &mut Problems) -> Option<Vec<(f64, f64)>> {
        self.require(key, problems);
        let rows = match self.look_up(key.name)? {
            Found::Preset(constant) => constant.value.clone(),
            Found::Typed(node) => {
                let value = rows(node);
                if value.is_none() {
                    let expected = "a list of points [x, bit error rate]";
                    problems.push(unexpected(&self.section.key(key.name), node, expected));
                }
                value?
            }
        };
        let preset::Value::Rows(rows) = rows else { return None };
        let points = rows.iter().map(|row| match row[..] {
            [x, y] => Some((x, y)),
            _ => None,
        });
        let points: Option<Vec<_>> = points.collect();
        if points.is_none() {
            let message =
                format!("`{}` must be a list of points [x, bit error rate]", self.section.key(key.name));
            problems.push(Problem::new(self.place(key.name), message, "rows of two numbers"));
        }
        points
    }

    /// The value of `key`, typed or of the preset, by the kind that the presets of this table give it: a number where none has
    /// it; `None` if it stands nowhere or is wrong (noted).
    pub fn value(&self, key: &'static str, problems: &mut Problems) -> Option<preset::Value> {
        let node = match self.look_up(key)? {
            Found::Preset(constant) => return Some(constant.value.clone()),
            Found::Typed(node) => node,
        };
        let path = self.section.key(key);
        let kind =
            presets(self.table).find_map(|preset| preset.constant(key)).map(|constant| &constant.value);
        match kind {
            None | Some(preset::Value::Number(_)) => {
                self.typed_number(&path, key, node, Bounds::Finite, problems).map(preset::Value::Number)
            }
            Some(preset::Value::Text(_)) => {
                text(&path, node, "a string", problems).map(|text| preset::Value::Text(text.to_owned()))
            }
            Some(preset::Value::List(_)) => self.list(&path, key, node, problems).map(preset::Value::List),
            Some(preset::Value::Rows(published)) => {
                let columns = published.first().map_or(0, Vec::len);
                let rows = rows(node).filter(|rows| match rows {
                    preset::Value::Rows(rows) => rows.iter().all(|row| row.len() == columns),
                    _ => false,
                });
                if rows.is_none() {
                    let expected = format!("a list of rows of {columns} finite numbers");
                    problems.push(unexpected(&path, node, &expected));
                }
                rows
            }
        }
    }

    /// The numbers of `node`: a list, or one number.
    fn list(&self, path: &str, name: &'static str, node: &Node, problems: &mut Problems) -> Option<Vec<f64>> {
        let items = match &node.value {
            Value::List(items) if !items.is_empty() => items.as_slice(),
            Value::Integer(_) | Value::Float(_) => std::slice::from_ref(node),
            _ => {
                problems.push(unexpected(path, node, "a number or a list of numbers"));
                return None;
            }
        };
        let numbers: Vec<_> =
            items.iter().map(|item| self.typed_number(path, name, item, Bounds::Finite, problems)).collect();
        numbers.into_iter().collect()
    }

    /// Notes typed keys that have no effect because of a choice: each of `keys` is one of `chosen`.
    pub fn refuse(&self, keys: &[&str], chosen: &str, problems: &mut Problems) {
        for entry in self.section.entries().iter().filter(|entry| keys.contains(&entry.key.as_str())) {
            problems.push(no_effect(&self.section, entry, chosen));
        }
    }
}

/// The problem of a key that a choice makes meaningless.
pub(super) fn no_effect(section: &Section<'_>, entry: &Entry, chosen: &str) -> Problem {
    let message = format!("`{}` does not apply to {chosen}", section.key(&entry.key));
    Problem::new(&entry.key_location, message, "has no effect")
}

/// The number of `node`, of any size.
pub(super) fn plain_number(node: &Node) -> Option<f64> {
    match node.value {
        Value::Integer(value) => Some(value as f64),
        // Minus zero is no other number than zero.
        Value::Float(value) => Some(value + 0.0),
        _ => None,
    }
}

/// Rows of finite numbers.
fn rows(node: &Node) -> Option<preset::Value> {
    let numbers = |node: &Node| match &node.value {
        Value::List(items) => items
            .iter()
            .map(|item| plain_number(item).filter(|number| number.is_finite()))
            .collect::<Option<Vec<_>>>(),
        _ => None,
    };
    match &node.value {
        Value::List(items) => items.iter().map(numbers).collect::<Option<Vec<_>>>().map(preset::Value::Rows),
        _ => None,
    }
}

/// The presets that can be named in `table`.
pub(super) fn presets(table: Table) -> impl Iterator<Item = &'static Preset> {
    preset::all().iter().filter(move |preset| preset.table == table)
}

/// Where a preset of `table` can be named.
fn home(table: Table) -> &'static str {
    match table {
        Table::Uniform => "[memories.NAME] with technology = \"uniform\"",
        Table::SramError => "[memories.NAME.error] with technology = \"sram\"",
        Table::SramEnergy => "[memories.NAME.energy] with technology = \"sram\"",
        Table::DramError => "[memories.NAME.error] with technology = \"dram\"",
        Table::DramEnergy => "[memories.NAME.energy] with technology = \"dram\"",
        Table::AcceleratorEnergy => "[accelerator.energy]",
    }
}

/// The preset called `name`, if `table` can name it.
fn named(key: &str, name: &str, at: &Location, table: Table) -> Result<&'static Preset, Problem> {
    let valid: Vec<_> = presets(table).map(|preset| preset.name.as_str()).collect();
    let found = preset::find(name);
    if let Some(preset) = found
        && preset.table == table
    {
        return Ok(preset);
    }
    let help = format!("presets for this table: {}", listed(&valid));
    if let Some(preset) = found {
        let message = format!("`{key}`: the preset `{name}` belongs in {}", home(preset.table));
        return Err(Problem::new(at, message, "of another table").with_help(help));
    }
    let message = format!("`{key}`: there is no preset `{}`", shortened(name));
    let all: Vec<_> = preset::all().iter().map(|preset| preset.name.as_str()).collect();
    let nearest = suggestion(name, &valid).or_else(|| suggestion(name, &all));
    let nearest = nearest.map_or(String::new(), |nearest| format!("did you mean `{nearest}`? "));
    Err(Problem::new(at, message, "unknown preset").with_help(nearest + &help))
}
