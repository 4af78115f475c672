//! Cells of a comma-separated text with their places.

use std::borrow::Cow;
use std::ops::Range;

/// One cell, without the white space around it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cell<'t> {
    pub text: Cow<'t, str>,
    /// Bytes of the text, quotes included.
    pub span: Range<usize>,
}

/// A line that is not blank, at least one cell. A comma at its end opens no cell.
pub(super) type Row<'t> = Vec<Cell<'t>>;

/// A mistake in the quotes, and its place.
pub(super) type Mistake = (Range<usize>, &'static str);

/// The rows of a text, one after the other. Quotes as in RFC 4180; a mistake in them is the last item.
pub(super) struct Rows<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Rows<'t> {
    pub fn of(text: &'t str) -> Self {
        Self { text, at: if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 } }
    }

    /// The cells up to the end of the line.
    fn row(&mut self) -> Result<Row<'t>, Mistake> {
        let text = self.text;
        let mut row = Row::new();
        loop {
            let start = text.len() - text[self.at..].trim_start_matches([' ', '\t']).len();
            let quoted = text[start..].starts_with('"');
            let (cell, end) = if quoted { quoted_cell(text, start)? } else { plain_cell(text, start) };
            row.push(cell);
            let rest = text[end..].trim_start_matches([' ', '\t']);
            if let Some(next) = rest.strip_prefix(',') {
                self.at = text.len() - next.len();
                continue;
            }
            let next = rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix(['\n', '\r']));
            let here = text.len() - rest.len();
            if next.is_none() && !rest.is_empty() {
                let after = rest.chars().next().map_or(here, |next| here + next.len_utf8());
                return Err((here..after, "expected a comma or the end of the line after the closing quote"));
            }
            self.at = text.len() - next.map_or(0, str::len);
            if row.last().is_some_and(|last| last.span.is_empty()) {
                row.pop();
            }
            return Ok(row);
        }
    }
}

impl<'t> Iterator for Rows<'t> {
    type Item = Result<Row<'t>, Mistake>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.at < self.text.len() {
            match self.row() {
                Ok(row) if row.is_empty() => {}
                Ok(row) => return Some(Ok(row)),
                Err(mistake) => {
                    self.at = self.text.len();
                    return Some(Err(mistake));
                }
            }
        }
        None
    }
}

/// The cell that begins at `start`, and where it ends.
fn plain_cell(text: &str, start: usize) -> (Cell<'_>, usize) {
    let end = text[start..].find([',', '\n', '\r']).map_or(text.len(), |length| start + length);
    let typed = text[start..end].trim_end();
    (Cell { text: typed.into(), span: start..start + typed.len() }, end)
}

/// The cell whose opening quote is at `start`, and where it ends.
fn quoted_cell(text: &str, start: usize) -> Result<(Cell<'_>, usize), Mistake> {
    let inside = start + 1;
    let mut at = inside;
    loop {
        let quote = text[at..].find('"').ok_or((start..inside, "this quote is never closed"))? + at;
        if text[quote + 1..].starts_with('"') {
            at = quote + 2;
            continue;
        }
        let typed = &text[inside..quote];
        let cell = if at == inside { typed.into() } else { typed.replace("\"\"", "\"").into() };
        return Ok((Cell { text: cell, span: start..quote + 1 }, quote + 1));
    }
}

/// `text` as a cell that reads back as it is.
pub(super) fn written(text: &str) -> Cow<'_, str> {
    let plain = !text.is_empty() && text.trim() == text && !text.contains([',', '"', '\n', '\r', '\u{feff}']);
    if plain { text.into() } else { format!("\"{}\"", text.replace('"', "\"\"")).into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accelerator::problem::Collected;
    use proptest::prelude::*;

    fn texts(text: &str) -> Vec<Vec<String>> {
        let texts = |row: Row<'_>| row.into_iter().map(|cell| cell.text.into_owned()).collect();
        Rows::of(text).map(|row| texts(row.unwrap())).collect()
    }

    fn mistake(text: &str) -> String {
        let mut found = Collected::default();
        let (span, message) = Rows::of(text).last().unwrap().unwrap_err();
        found.add(&span, message);
        found.finish(text, ()).unwrap_err().to_string()
    }

    #[test]
    fn cells_lose_white_space_quotes_and_the_last_comma() {
        assert_eq!(texts("\u{feff}a , b,\r\n\n  \t\n1,,3,\n"), [vec!["a", "b"], vec!["1", "", "3"]]);
        assert_eq!(texts("\"a, \"\"b\"\"\nc\" ,d"), [["a, \"b\"\nc", "d"]]);
        assert_eq!(texts("\"\"\"\", \"\","), [["\"", ""]]);
        assert_eq!(texts("a\"b"), [["a\"b"]]);
        assert_eq!(texts("a\rb"), [["a"], ["b"]]);
        assert!(texts("").is_empty());
        assert_eq!(texts("a,,"), [["a", ""]], "only one comma ends a line");
    }

    #[test]
    fn open_quotes_are_named() {
        assert_eq!(mistake("a\nb,\"c"), "2:3: this quote is never closed");
        assert_eq!(
            mistake("\"a\" ä"),
            "1:5: expected a comma or the end of the line after the closing quote"
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(cells in prop::collection::vec(".*|[ ,\"\n\ra]*", 1..4)) {
            let line: Vec<_> = cells.iter().map(|cell| written(cell)).collect();
            prop_assert_eq!(texts(&(line.join(",") + ",\n")), [cells]);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[\", \n\raä\u{feff}]*") {
            for row in Rows::of(&text) {
                match row {
                    Ok(row) => prop_assert!(row.into_iter().all(|cell| text.get(cell.span).is_some())),
                    Err((span, _)) => prop_assert!(text.get(span).is_some()),
                }
            }
        }
    }
}
