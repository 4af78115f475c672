//! What is wrong with a file of another tool or a given trace, and where.

use std::fmt;
use std::ops::Range;
use thiserror::Error;

/// Most mistakes that are noted: nobody mends more before the next attempt.
const MOST_PROBLEMS: usize = 100;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Bytes of the text that are wrong; may be empty.
    pub span: Range<usize>,
    /// Line of the first of them, from 1.
    pub line: usize,
    /// Its column, from 1, in characters.
    pub column: usize,
    /// What was expected and found, complete without the text.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// Every mistake found in a text, in its order; after 100 no more are looked for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problem {
    /// `line:column: message`, and the help indented on a line of its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)?;
        self.help.iter().try_for_each(|help| write!(f, "\n    help: {help}"))
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if index > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

/// Mistakes found so far.
#[derive(Default)]
pub(super) struct Collected(Vec<Problem>);

impl Collected {
    /// Notes a mistake; line and column come with [`finish`](Self::finish).
    pub fn add(&mut self, span: &Range<usize>, message: impl Into<String>) {
        self.add_with(span, message, None);
    }

    pub fn add_with(&mut self, span: &Range<usize>, message: impl Into<String>, help: Option<String>) {
        if !self.is_full() {
            self.0.push(Problem { span: span.clone(), line: 0, column: 0, message: message.into(), help });
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn is_full(&self) -> bool {
        self.0.len() >= MOST_PROBLEMS
    }

    /// `value`, or the mistakes with their places in `text`.
    pub fn finish<T>(mut self, text: &str, value: T) -> Result<T, Problems> {
        if self.0.is_empty() {
            return Ok(value);
        }
        self.0.sort_by_key(|problem| problem.span.start);
        let (mut line, mut line_start, mut counted) = (1, 0, 0);
        for problem in &mut self.0 {
            let start = text.floor_char_boundary(problem.span.start);
            let between = &text[counted..start];
            line += between.bytes().filter(|byte| *byte == b'\n').count();
            if let Some(newline) = between.rfind('\n') {
                line_start = counted + newline + 1;
            }
            counted = start;
            problem.line = line;
            problem.column = text[line_start..start].chars().count() + 1;
        }
        Err(Problems(self.0))
    }
}

/// The first 60 characters in back quotes.
pub(super) fn quoted(text: &str) -> String {
    let mut characters = text.chars();
    let short: String = characters.by_ref().take(60).collect();
    let rest = if characters.next().is_some() { "…" } else { "" };
    format!("`{}{rest}`", short.escape_debug())
}

/// A count as it is typed in a file.
pub(super) fn count(text: &str) -> Result<u64, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(value) if digits => Ok(value),
        _ if digits => Err(format!("expected an integer up to 2^64 - 1, found {}", quoted(text))),
        _ if text.is_empty() => Err("expected an integer, found nothing".into()),
        _ => Err(format!("expected an integer without sign, point or unit, found {}", quoted(text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let text = "a,b\r\nä,ö,c\n";
        let mut found = Collected::default();
        found.add(&(text.find('c').unwrap()..text.len()), "third");
        found.add_with(&(0..1), "first", Some("mend it".into()));
        found.add(&(text.len()..text.len() + 9), "past the end");
        let Problems(problems) = found.finish(text, ()).unwrap_err();
        let places: Vec<_> =
            problems.iter().map(|problem| (problem.line, problem.column, &*problem.message)).collect();
        assert_eq!(places, [(1, 1, "first"), (2, 5, "third"), (3, 1, "past the end")]);
        assert!(Problems(problems).to_string().starts_with("1:1: first\n    help: mend it\n2:5: third\n"));
        assert_eq!(Collected::default().finish(text, 7), Ok(7));
    }

    #[test]
    fn many_mistakes_are_cut_off() {
        let mut found = Collected::default();
        (0..500).for_each(|_| found.add(&(0..1), "x"));
        assert_eq!(found.finish("x", ()).unwrap_err().0.len(), 100);
    }

    #[test]
    fn counts_are_plain_integers() {
        assert_eq!(count("18446744073709551615"), Ok(u64::MAX));
        assert_eq!(count("007"), Ok(7));
        for (wrong, found) in [
            ("18446744073709551616", "expected an integer up to 2^64 - 1, found `18446744073709551616`"),
            ("", "expected an integer, found nothing"),
            ("-1", "expected an integer without sign, point or unit, found `-1`"),
            ("+1", "expected an integer without sign, point or unit, found `+1`"),
            ("1.5", "expected an integer without sign, point or unit, found `1.5`"),
        ] {
            assert_eq!(count(wrong), Err(found.into()));
        }
    }
}
