//! What is wrong with a configuration, and where it was typed.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use thiserror::Error;

/// A text that the user typed: a configuration file, or one option of the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file's path as given, or the option (`--set`, `--over`, …).
    pub name: String,
    /// The whole text; empty when a file could not be read.
    pub text: Arc<str>,
    /// Where relative paths in the text start; empty: the working directory.
    pub(super) directory: PathBuf,
}

impl Source {
    /// Line and column of the byte at `offset`, both from 1; the column counts characters.
    fn position(&self, offset: usize) -> (usize, usize) {
        let before = &self.text[..self.text.floor_char_boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

/// A range of bytes in a [`Source`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Location {
    pub source: Arc<Source>,
    pub span: Range<usize>,
}

impl Location {
    /// The text at this place.
    pub fn text(&self) -> &str {
        self.source.text.get(self.span.clone()).unwrap_or_default()
    }
}

/// A second place that a [`Problem`] is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Related {
    /// What is to be seen there.
    pub label: String,
    /// The text.
    pub source: Arc<Source>,
    /// Bytes of the text.
    pub span: Range<usize>,
}

/// One mistake (or, among [`Resolved::warnings`](super::Resolved::warnings), one doubt).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, complete without the text.
    pub message: String,
    /// Short form for the marked text.
    pub label: String,
    /// The nearest valid name, the valid names, or what to do.
    pub help: Option<String>,
    /// The text that was typed.
    pub source: Arc<Source>,
    /// Bytes of the text that are wrong; may be empty.
    pub span: Range<usize>,
    /// Other places that take part.
    pub related: Vec<Related>,
}

impl Problem {
    pub(super) fn new(at: &Location, message: impl Into<String>, label: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            label: label.into(),
            help: None,
            source: Arc::clone(&at.source),
            span: at.span.clone(),
            related: Vec::new(),
        }
    }

    #[must_use]
    pub(super) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    #[must_use]
    pub(super) fn with_related(mut self, at: &Location, label: impl Into<String>) -> Self {
        self.related.push(Related {
            label: label.into(),
            source: Arc::clone(&at.source),
            span: at.span.clone(),
        });
        self
    }

    /// Line of the first wrong character, from 1.
    pub fn line(&self) -> usize {
        self.source.position(self.span.start).0
    }

    /// Column of the first wrong character, from 1, in characters.
    pub fn column(&self) -> usize {
        self.source.position(self.span.start).1
    }
}

impl fmt::Display for Problem {
    /// `file:line:column: message`, and the help indented on a line of its own. A file without text (it could not be
    /// read) has no line and column.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.source.name)?;
        if !self.source.text.is_empty() {
            write!(f, "{}:{}:", self.line(), self.column())?;
        }
        write!(f, " {}", self.message)?;
        if let Some(help) = &self.help {
            write!(f, "\n    help: {help}")?;
        }
        Ok(())
    }
}

/// Most mistakes that are looked for: nobody mends more before the next attempt, and a text of a few megabytes can hold
/// hundreds of thousands.
const MOST_PROBLEMS: usize = 1_000;

/// Every mistake found, in the order of the text: the file first, then the overrides. After 1,000 no more are looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Error)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    pub(super) fn push(&mut self, problem: Problem) {
        if !self.is_full() {
            self.0.push(problem);
        }
    }

    /// Whether nothing more is noted.
    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= MOST_PROBLEMS
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let source =
            Source { name: "f".into(), text: "a = 1\r\nä = \"öß\" x\n".into(), directory: PathBuf::new() };
        assert_eq!(source.position(0), (1, 1));
        assert_eq!(source.position(7), (2, 1));
        assert_eq!(source.position(source.text.find('x').unwrap()), (2, 10));
        assert_eq!(source.position(usize::MAX), (3, 1), "past the end is the end");
        assert_eq!(source.position(8), (2, 1), "inside a character is that character");
    }
}
