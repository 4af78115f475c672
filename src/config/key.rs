//! Dotted keys of the command line: `memories.dram.ber=1e-3`, `formats."weight_conv1/7x7".bits=8`.

use std::ops::Range;
use toml::de::DeValue;

/// Deeper than any key of a configuration; bounds the tables that an override can create.
const MAX_SEGMENTS: usize = 16;

/// `key=value`, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    /// Names of the key with their bytes in the text.
    pub segments: Vec<(String, Range<usize>)>,
    /// Bytes of the value, without the white space around it.
    pub value: Range<usize>,
}

/// What is wrong with the key, and at which bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct KeyError {
    pub message: &'static str,
    pub span: Range<usize>,
}

impl Assignment {
    /// Takes `key=value` apart. Names may stand in single or double quotes; without quotes a name reaches to the next
    /// dot, `=`, quote or space, so that it survives a shell that has removed the quotes.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut segments = Vec::new();
        let mut at = 0;
        loop {
            at = skip_space(text, at);
            let (name, end) = segment(text, at)?;
            if segments.len() == MAX_SEGMENTS {
                return Err(KeyError { message: "the key has too many parts", span: at..end });
            }
            segments.push((name, at..end));
            at = skip_space(text, end);
            match text[at..].chars().next() {
                Some('.') => at += 1,
                Some('=') => {
                    let start = skip_space(text, at + 1);
                    let end = start + text[start..].trim_end().len();
                    if start == end {
                        return Err(KeyError { message: "the value is missing after `=`", span: at..at + 1 });
                    }
                    return Ok(Self { segments, value: start..end });
                }
                Some(other) => {
                    let span = at..at + other.len_utf8();
                    return Err(KeyError { message: "expected `.` or `=` after a name", span });
                }
                None => return Err(KeyError { message: "expected `key=value`, found no `=`", span: at..at }),
            }
        }
    }
}

fn skip_space(text: &str, at: usize) -> usize {
    text.len() - text[at..].trim_start().len()
}

/// The name that starts at byte `at`, and the byte behind it.
fn segment(text: &str, at: usize) -> Result<(String, usize), KeyError> {
    let rest = &text[at..];
    if let Some(quote @ ('"' | '\'')) = rest.chars().next() {
        let end = closing_quote(rest, quote)
            .ok_or(KeyError { message: "the quoted name is not closed", span: at..text.len() })?;
        return match DeValue::parse(&rest[..end]).map(toml::Spanned::into_inner) {
            Ok(DeValue::String(name)) => Ok((name.into_owned(), at + end)),
            _ => Err(KeyError { message: "the quoted name is not a TOML string", span: at..at + end }),
        };
    }
    let is_end = |c: char| c.is_whitespace() || matches!(c, '.' | '=' | '"' | '\'');
    let end = rest.find(is_end).unwrap_or(rest.len());
    if end == 0 {
        let next = rest.chars().next().map_or(0, char::len_utf8);
        return Err(KeyError { message: "a name is missing in the key", span: at..at + next });
    }
    Ok((rest[..end].to_owned(), at + end))
}

/// The byte behind the quote that closes the one at the start.
fn closing_quote(text: &str, quote: char) -> Option<usize> {
    let mut is_escaped = false;
    for (index, character) in text.char_indices().skip(1) {
        if is_escaped {
            is_escaped = false;
        } else if character == '\\' && quote == '"' {
            is_escaped = true;
        } else if character == quote {
            return Some(index + 1);
        }
    }
    None
}

/// `name` as it must be typed in a dotted key.
pub(super) fn quoted(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(is_bare) { name.to_owned() } else { format!("{name:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(text: &str) -> (Vec<String>, &str) {
        let assignment = Assignment::parse(text).unwrap();
        (assignment.segments.into_iter().map(|(name, _)| name).collect(), &text[assignment.value])
    }

    #[test]
    fn names_with_dots_and_slashes_are_quoted() {
        for (text, expected, value) in [
            ("a.b=1", vec!["a", "b"], "1"),
            (" a . b = 1 ", vec!["a", "b"], "1"),
            ("formats.\"weight_*\".bits=8", vec!["formats", "weight_*", "bits"], "8"),
            ("formats.'weight_fc.1'.bits=8", vec!["formats", "weight_fc.1", "bits"], "8"),
            ("formats.weight_conv1/7x7.bits=8", vec!["formats", "weight_conv1/7x7", "bits"], "8"),
            (r#"a."b\"c\\"="x=y""#, vec!["a", "b\"c\\"], "\"x=y\""),
            ("'a=b'=c=d", vec!["a=b"], "c=d"),
        ] {
            assert_eq!(names(text), (expected.iter().map(ToString::to_string).collect(), value), "{text}");
        }
    }

    #[test]
    fn a_broken_key_is_marked() {
        for (text, message, span) in [
            ("", "a name is missing in the key", 0..0),
            ("=1", "a name is missing in the key", 0..1),
            ("a..b=1", "a name is missing in the key", 2..3),
            ("a.b", "expected `key=value`, found no `=`", 3..3),
            ("a.b=", "the value is missing after `=`", 3..4),
            ("a b=1", "expected `.` or `=` after a name", 2..3),
            ("a.\"b=1", "the quoted name is not closed", 2..6),
            (r#"a."\q"=1"#, "the quoted name is not a TOML string", 2..6),
        ] {
            assert_eq!(Assignment::parse(text), Err(KeyError { message, span }), "{text}");
        }
        let deep = "a.".repeat(MAX_SEGMENTS) + "a=1";
        assert_eq!(Assignment::parse(&deep).unwrap_err().message, "the key has too many parts");
    }

    proptest! {
        #[test]
        fn a_quoted_name_reads_back(name in "[ -~äß]{0,12}", other in "[a-z*/]{1,5}") {
            let text = format!("{}.{other}=1", quoted(&name));
            prop_assert_eq!(names(&text), (vec![name, other], "1"));
        }

        #[test]
        fn any_text_is_taken_apart_or_refused(text in "\\PC{0,24}") {
            if let Ok(assignment) = Assignment::parse(&text) {
                prop_assert!(!text[assignment.value].is_empty());
            }
        }
    }
}
