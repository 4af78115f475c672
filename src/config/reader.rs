//! Reads typed settings out of the tree and notes every mistake instead of stopping at the first.

use super::key::quoted;
use super::problem::{Location, Problem, Problems};
use super::tree::{Entry, Node, Table, Value, shortened};
use std::ops::RangeInclusive;

/// One table of the configuration.
#[derive(Clone)]
pub(super) struct Section<'d> {
    /// Dotted key of the table; empty for the top level.
    path: String,
    table: &'d Table,
    /// Where a missing key is reported.
    location: &'d Location,
}

impl<'d> Section<'d> {
    pub fn new(path: String, table: &'d Table, location: &'d Location) -> Self {
        Self { path, table, location }
    }

    /// The table that `entry` holds; a problem if it is something else.
    pub fn of_entry(path: String, entry: &'d Entry, problems: &mut Problems) -> Option<Self> {
        if let Value::Table(table) = &entry.node.value {
            return Some(Self::new(path, table, &entry.node.location));
        }
        problems.push(unexpected(&path, &entry.node, "a table"));
        None
    }

    /// Dotted key of the table; empty for the top level.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where the table stands.
    pub fn location(&self) -> &'d Location {
        self.location
    }

    pub fn entries(&self) -> &'d [Entry] {
        &self.table.entries
    }

    pub fn find(&self, key: &str) -> Option<&'d Entry> {
        self.table.find(key)
    }

    /// Dotted key of `key` in this table.
    pub fn key(&self, key: &str) -> String {
        if self.path.is_empty() { quoted(key) } else { format!("{}.{}", self.path, quoted(key)) }
    }

    /// The table `key` of this one; `None` if there is none, or if it is no table (noted).
    pub fn section(&self, key: &str, problems: &mut Problems) -> Option<Self> {
        self.find(key).and_then(|entry| Self::of_entry(self.key(key), entry, problems))
    }

    /// The table `key`, noted if there is none.
    pub fn required_section(&self, key: &str, purpose: &str, problems: &mut Problems) -> Option<Self> {
        if self.find(key).is_none() {
            let message = format!("missing table [{}]", self.key(key));
            problems.push(
                Problem::new(self.location, message, format!("no [{}]", self.key(key))).with_help(purpose),
            );
        }
        self.section(key, problems)
    }

    /// Notes `key`, which `purpose` describes, if it is missing.
    pub fn require(&self, key: &str, purpose: &str, problems: &mut Problems) {
        if self.find(key).is_none() {
            let message = format!("missing key `{}`", self.key(key));
            problems.push(Problem::new(self.location, message, format!("needs `{key}`")).with_help(purpose));
        }
    }

    /// Notes every key that is not in `valid`.
    pub fn check_keys(&self, valid: &[&str], problems: &mut Problems) {
        for entry in self.entries().iter().filter(|entry| !valid.contains(&entry.key.as_str())) {
            if problems.is_full() {
                return;
            }
            problems.push(self.unknown(entry, valid));
        }
    }

    /// The problem of a key that is not in `valid`.
    pub fn unknown(&self, entry: &Entry, valid: &[&str]) -> Problem {
        let is_top = self.path.is_empty();
        let message = match &entry.node.value {
            Value::Table(_) if is_top => format!("unknown table [{}]", quoted(&entry.key)),
            _ if is_top => format!("unknown key `{}` at the top level", quoted(&entry.key)),
            _ => format!("unknown key `{}` in [{}]", quoted(&entry.key), self.path),
        };
        let what = if is_top { "tables" } else { "keys" };
        let help = suggestion(&entry.key, valid)
            .map_or(String::new(), |nearest| format!("did you mean `{nearest}`? "))
            + &format!("valid {what}: {}", listed(valid));
        Problem::new(&entry.key_location, message, "unknown").with_help(help)
    }

    /// The integer `key` in `range`; `None` if it is absent or wrong (noted).
    pub fn integer(&self, key: &str, range: RangeInclusive<i64>, problems: &mut Problems) -> Option<i64> {
        self.find(key).and_then(|entry| integer(&self.key(key), &entry.node, range, problems))
    }

    /// The number `key` for which `is_valid` holds; `None` if it is absent or wrong (noted as not being `expected`).
    pub fn number(
        &self,
        key: &str,
        expected: &str,
        is_valid: impl Fn(f64) -> bool,
        problems: &mut Problems,
    ) -> Option<f64> {
        self.find(key).and_then(|entry| number(&self.key(key), &entry.node, expected, is_valid, problems))
    }

    /// The value that the word `key` names; `None` if it is absent or wrong (noted).
    pub fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)], problems: &mut Problems) -> Option<T> {
        self.find(key).and_then(|entry| choice(&self.key(key), &entry.node, choices, problems))
    }
}

/// Notes that the value of `key` is not what is `expected`.
pub(super) fn unexpected(key: &str, node: &Node, expected: &str) -> Problem {
    let message = format!("`{key}` must be {expected}, found {}", node.description());
    Problem::new(&node.location, message, format!("expected {expected}"))
}

/// The integer of `node` in `range`.
pub(super) fn integer(
    key: &str,
    node: &Node,
    range: RangeInclusive<i64>,
    problems: &mut Problems,
) -> Option<i64> {
    let value = match node.value {
        Value::Integer(value) => i64::try_from(value).ok().filter(|value| range.contains(value)),
        _ => None,
    };
    if value.is_none() {
        let expected = match *range.end() {
            i64::MAX if matches!(node.value, Value::Integer(value) if value > i64::MAX.into()) => {
                format!("an integer from {} to {}", range.start(), i64::MAX)
            }
            i64::MAX => format!("an integer of at least {}", range.start()),
            end => format!("an integer from {} to {end}", range.start()),
        };
        problems.push(unexpected(key, node, &expected));
    }
    value
}

/// The number of `node`, written as an integer or a float, for which `is_valid` holds.
pub(super) fn number(
    key: &str,
    node: &Node,
    expected: &str,
    is_valid: impl Fn(f64) -> bool,
    problems: &mut Problems,
) -> Option<f64> {
    let value = match node.value {
        Value::Integer(value) => Some(value as f64),
        Value::Float(value) => Some(value),
        _ => None,
    };
    let value = value.filter(|&value| is_valid(value));
    if value.is_none() {
        problems.push(unexpected(key, node, expected));
    }
    value
}

/// The string of `node`.
pub(super) fn text<'d>(
    key: &str,
    node: &'d Node,
    expected: &str,
    problems: &mut Problems,
) -> Option<&'d str> {
    if let Value::Text(text) = &node.value {
        return Some(text);
    }
    problems.push(unexpected(key, node, expected));
    None
}

/// The value that the word in `node` names.
pub(super) fn choice<T: Copy>(
    key: &str,
    node: &Node,
    choices: &[(&str, T)],
    problems: &mut Problems,
) -> Option<T> {
    let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
    let typed = match &node.value {
        Value::Text(typed) => typed.as_str(),
        _ => "",
    };
    let chosen = choices.iter().find(|(name, _)| *name == typed).map(|(_, value)| *value);
    if chosen.is_none() {
        let expected = alternatives(&names);
        let problem = unexpected(key, node, &expected);
        problems.push(match suggestion(typed, &names) {
            Some(nearest) => problem.with_help(format!("did you mean `{nearest}`?")),
            None => problem,
        });
    }
    chosen
}

/// The name most like `typed`; `None` for no names.
pub(super) fn nearest<'n>(typed: &str, names: &[&'n str]) -> Option<&'n str> {
    let likeness = |name: &str| strsim::normalized_damerau_levenshtein(typed, name);
    // Of equally near names the first: `max_by` would take the last.
    names.iter().rev().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
}

/// Other words for names, none of which is near to them in letters.
const OTHER_WORDS: [(&str, &str); 3] = [("vdd", "v"), ("voltage", "v"), ("ecc", "secded")];

/// The name that is meant: by another word for it, or the nearest one if it is near enough to be a misspelling.
pub(super) fn suggestion<'n>(typed: &str, names: &[&'n str]) -> Option<&'n str> {
    // The cost of comparing is the product of the lengths.
    if typed.len() > 200 {
        return None;
    }
    let other = OTHER_WORDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(typed));
    if let Some((_, meant)) = other
        && let Some(name) = names.iter().find(|name| *name == meant)
    {
        return Some(name);
    }
    nearest(typed, names).filter(|name| {
        let edits = strsim::damerau_levenshtein(typed, name);
        edits <= (typed.chars().count().max(name.chars().count()) / 3).max(1)
            || (typed.len() >= 3 && strsim::jaro_winkler(typed, name) >= 0.85)
    })
}

/// Most names that a message lists.
const NAMES_LISTED: usize = 20;

/// `a`, `b`, `c`; of many names the first ones.
pub(super) fn listed(names: &[&str]) -> String {
    let shown = names.iter().take(NAMES_LISTED).map(|name| format!("`{}`", shortened(name)));
    let rest = names.len().saturating_sub(NAMES_LISTED);
    let rest = (rest > 0).then(|| format!("… and {rest} more"));
    shown.chain(rest).collect::<Vec<_>>().join(", ")
}

/// `a`, or one of `a`, `b`.
fn alternatives(names: &[&str]) -> String {
    if names.len() == 1 { listed(names) } else { format!("one of {}", listed(names)) }
}

#[cfg(test)]
mod tests {
    use super::suggestion;

    #[test]
    fn other_words_for_a_name_lead_to_it() {
        assert_eq!(suggestion("vdd", &["preset", "v", "v_unit"]), Some("v"));
        assert_eq!(suggestion("VDD", &["preset", "v"]), Some("v"));
        assert_eq!(suggestion("ecc", &["dual_rail", "8t", "secded"]), Some("secded"));
        assert_eq!(suggestion("ecc", &["dual_rail", "8t"]), None);
    }
}
