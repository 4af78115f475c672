//! Reading the constants of an energy model by their keys, from a preset and what was typed above it.

use super::Error;
use crate::memory::preset::Value;

/// Looks up keys of `[memories.NAME.energy]`.
#[derive(Clone, Copy)]
pub(super) struct Constants<'l, 'v>(pub &'l dyn Fn(&str) -> Option<&'v Value>);

impl Constants<'_, '_> {
    /// A number that must be there.
    pub fn number(self, key: &'static str) -> Result<f64, Error> {
        self.optional_number(key)?.ok_or(Error::Missing { key })
    }

    /// A number that may be left out.
    pub fn optional_number(self, key: &'static str) -> Result<Option<f64>, Error> {
        match (self.0)(key) {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(Some(*number)),
            Some(_) => Err(Error::Kind { key, expected: "a number" }),
        }
    }

    /// A whole number that must be there.
    pub fn count(self, key: &'static str) -> Result<u64, Error> {
        let number = self.number(key)?;
        // Up to 2^53 every whole number is one of f64.
        let whole = number >= 0.0 && number <= (1_u64 << 53) as f64 && number.fract() == 0.0;
        if whole {
            Ok(number as u64)
        } else {
            Err(Error::Range { key, value: number, range: "whole numbers from 0" })
        }
    }

    /// A whole number below 2^32 that must be there.
    pub fn small_count(self, key: &'static str) -> Result<u32, Error> {
        let count = self.count(key)?;
        u32::try_from(count).map_err(|_| Error::Range { key, value: count as f64, range: "0..4294967295" })
    }

    /// A word that must be there.
    pub fn text(self, key: &'static str) -> Result<String, Error> {
        match (self.0)(key) {
            None => Err(Error::Missing { key }),
            Some(Value::Text(text)) => Ok(text.clone()),
            Some(_) => Err(Error::Kind { key, expected: "a word in quotes" }),
        }
    }

    /// One of `choices` that must be there.
    pub fn choice<T: Copy>(self, key: &'static str, choices: &[(&'static str, T)]) -> Result<T, Error> {
        let text = self.text(key)?;
        let found = choices.iter().find(|(name, _)| *name == text);
        found.map(|(_, value)| *value).ok_or_else(|| Error::Choice {
            key,
            choices: choices.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", "),
            found: text,
        })
    }

    /// Numbers that must be there; one number is a list of one.
    pub fn list(self, key: &'static str) -> Result<Vec<f64>, Error> {
        match (self.0)(key) {
            None => Err(Error::Missing { key }),
            Some(Value::Number(number)) => Ok(vec![*number]),
            Some(Value::List(list)) => Ok(list.clone()),
            Some(_) => Err(Error::Kind { key, expected: "a list of numbers" }),
        }
    }

    /// Rows of `N` numbers; none if left out.
    pub fn rows<const N: usize>(self, key: &'static str) -> Result<Vec<[f64; N]>, Error> {
        let wrong = Error::Kind { key, expected: "a list of rows of numbers, one number per column" };
        let rows = match (self.0)(key) {
            None => return Ok(Vec::new()),
            Some(Value::Rows(rows)) => rows,
            // An empty list is one of no rows.
            Some(Value::List(list)) if list.is_empty() => return Ok(Vec::new()),
            Some(_) => return Err(wrong),
        };
        rows.iter().map(|row| <[f64; N]>::try_from(row.as_slice()).map_err(|_| wrong.clone())).collect()
    }
}
