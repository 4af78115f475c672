//! Where things stand in a text-format file: the parser gives values only, a message about a layer needs its line.

use std::ops::Range;

/// One field of a message in text format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Name of the field.
    pub name: &'a str,
    /// Bytes of the name.
    pub name_span: Range<usize>,
    /// Bytes of the value; for a message, of what is between its braces.
    pub value: Range<usize>,
    /// Whether the value is a message.
    pub is_message: bool,
}

/// The fields of the message whose text is `text[range]`, in their order; elements of a list count one by one. Text that
/// is no valid message ends the list early.
pub fn fields(text: &str, range: Range<usize>) -> Vec<Field<'_>> {
    let tokens: Vec<_> = Tokens { text: text.as_bytes(), at: range.start, end: range.end }.collect();
    let mut fields = Vec::new();
    let mut at = 0;
    while let Some(name) = tokens.get(at) {
        at += 1;
        if name.kind != Kind::Word {
            continue;
        }
        at += usize::from(tokens.get(at).is_some_and(|token| token.is(text, ":")));
        let in_list = tokens.get(at).is_some_and(|token| token.is(text, "["));
        at += usize::from(in_list);
        loop {
            let Some((value, is_message, next)) = value(text, &tokens, at) else { return fields };
            let name_span = name.span.clone();
            fields.push(Field { name: &text[name.span.clone()], name_span, value, is_message });
            at = next;
            if !(in_list && tokens.get(at).is_some_and(|token| token.is(text, ","))) {
                break;
            }
            at += 1;
        }
    }
    fields
}

/// The value that starts at token `at`: its bytes, whether it is a message, and the token behind it.
fn value(text: &str, tokens: &[Token], at: usize) -> Option<(Range<usize>, bool, usize)> {
    let first = tokens.get(at)?;
    if first.is(text, "{") || first.is(text, "<") {
        let mut depth = 0_usize;
        for (index, token) in tokens.iter().enumerate().skip(at) {
            if token.is(text, "{") || token.is(text, "<") {
                depth += 1;
            } else if token.is(text, "}") || token.is(text, ">") {
                depth -= 1;
                if depth == 0 {
                    return Some((first.span.end..token.span.start, true, index + 1));
                }
            }
        }
        // Unbalanced: the rest belongs to this message.
        return Some((first.span.end..tokens.last()?.span.end, true, tokens.len()));
    }
    let mut last = at + usize::from(first.is(text, "-"));
    if tokens.get(last)?.kind == Kind::Quoted {
        while tokens.get(last + 1).is_some_and(|token| token.kind == Kind::Quoted) {
            last += 1;
        }
    }
    Some((first.span.start..tokens[last].span.end, false, last + 1))
}

/// The bytes of the field at `path` below the message `text[range]`, each step a name and which of the fields of that
/// name it is; of the deepest one that exists. A message is shown by its name, anything else by its value.
pub fn find(text: &str, range: Range<usize>, path: &[(&str, usize)]) -> Option<Range<usize>> {
    let (&(name, occurrence), rest) = path.split_first()?;
    let field = fields(text, range).into_iter().filter(|field| field.name == name).nth(occurrence)?;
    if !field.is_message {
        return Some(field.value);
    }
    find(text, field.value, rest).or(Some(field.name_span))
}

/// `text` with blanks in place of its comments, so that all places stay the same. The parser takes a stack frame for each
/// comment in a row.
pub fn without_comments(text: &str) -> String {
    let mut blanked = text.as_bytes().to_vec();
    let scanner = &mut Tokens { text: text.as_bytes(), at: 0, end: text.len() };
    while scanner.at < scanner.end {
        let start = scanner.at;
        match scanner.text[start] {
            b'#' => {
                scanner.skip_while(|byte| byte != b'\n');
                blanked[start..scanner.at].fill(b' ');
            }
            quote @ (b'"' | b'\'') => {
                scanner.at += 1;
                scanner.skip_quoted(quote);
            }
            _ => scanner.at += 1,
        }
    }
    String::from_utf8(blanked).expect("comments end where lines end: no character is cut")
}

/// Line and column, counted from 1, of byte `offset`; columns count characters.
pub fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let lines = text.as_bytes()[..offset.min(text.len())].split(|&byte| byte == b'\n');
    let (line, last) = lines.enumerate().last().unwrap_or_default();
    (line + 1, String::from_utf8_lossy(last).chars().count() + 1)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A name or a number.
    Word,
    Quoted,
    Punctuation,
}

struct Token {
    kind: Kind,
    span: Range<usize>,
}

impl Token {
    fn is(&self, text: &str, punctuation: &str) -> bool {
        self.kind == Kind::Punctuation && &text[self.span.clone()] == punctuation
    }
}

/// Splits text format into tokens, without comments and white space.
struct Tokens<'a> {
    text: &'a [u8],
    at: usize,
    end: usize,
}

impl Tokens<'_> {
    fn skip_while(&mut self, wanted: impl Fn(u8) -> bool) {
        while self.at < self.end && wanted(self.text[self.at]) {
            self.at += 1;
        }
    }

    fn skip_quoted(&mut self, quote: u8) {
        while self.at < self.end {
            let byte = self.text[self.at];
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == quote || byte == b'\n' {
                break;
            }
        }
        self.at = self.at.min(self.end);
    }
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        loop {
            self.skip_while(|byte| byte.is_ascii_whitespace() || byte == 0x0B);
            if self.at >= self.end || self.text[self.at] != b'#' {
                break;
            }
            self.skip_while(|byte| byte != b'\n');
        }
        let start = self.at;
        let first = *self.text[..self.end].get(start)?;
        self.at += 1;
        let kind = match first {
            b'"' | b'\'' => {
                self.skip_quoted(first);
                Kind::Quoted
            }
            // Bytes of a multi-byte character stay together, so that every span is a valid slice.
            b'_' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | 0x80.. => {
                self.skip_while(|byte| {
                    byte == b'_' || byte == b'.' || byte.is_ascii_alphanumeric() || byte >= 0x80
                });
                Kind::Word
            }
            _ => Kind::Punctuation,
        };
        Some(Token { kind, span: start..self.at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "name: \"a # b\" # layer {\nlayer { name: 'x' param { lr_mult: 1 } param { lr_mult: -2 } }\n\
                        layer: [ { name: \"\\\"}\" }, < type: \"é\" top: 't' 'u' > ]\ninput_dim: [1, 2]";

    fn shown<'a>(path: &[(&str, usize)]) -> Option<&'a str> {
        find(TEXT, 0..TEXT.len(), path).map(|span| &TEXT[span])
    }

    #[test]
    fn fields_are_found_through_comments_quotes_and_lists() {
        assert_eq!(shown(&[("name", 0)]), Some("\"a # b\""));
        assert_eq!(shown(&[("layer", 0), ("param", 1), ("lr_mult", 0)]), Some("-2"));
        assert_eq!(shown(&[("layer", 1), ("name", 0)]), Some("\"\\\"}\""));
        assert_eq!(shown(&[("layer", 2), ("type", 0)]), Some("\"é\""));
        assert_eq!(shown(&[("layer", 2), ("top", 0)]), Some("'t' 'u'"));
        assert_eq!(shown(&[("input_dim", 1)]), Some("2"));
        assert_eq!(shown(&[("layer", 3)]), None);
    }

    #[test]
    fn the_deepest_existing_field_stands_for_a_missing_one() {
        let span = find(TEXT, 0..TEXT.len(), &[("layer", 0), ("param", 1), ("decay_mult", 0)]);
        let second_param = TEXT.match_indices("param").nth(1).map(|(at, _)| at..at + 5);
        assert_eq!(span, second_param);
    }

    #[test]
    fn comments_become_blanks_but_not_in_quotes() {
        for (text, expected) in [
            ("a: 1 # é\nb: '#' #", "a: 1     \nb: '#'  "),
            ("a: \"\\\"#\" #x", "a: \"\\\"#\"   "),
            ("a: '# \n#é", "a: '# \n   "),
            ("##\n'\\é", "  \n'\\é"),
        ] {
            assert_eq!(without_comments(text), expected, "{text}");
        }
    }

    #[test]
    fn broken_text_yields_what_stands_before_the_break() {
        for text in ["layer {", "layer { name: ", "a: [1, ", "}", "a: -", "\"", "a: 'x\\", "layer { b: 1 ] >"]
        {
            for field in fields(text, 0..text.len()) {
                assert!(field.value.end <= text.len());
            }
        }
        assert_eq!(fields("layer { b: 1", 0..12)[0].value, 7..12);
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(line_and_column("é\nab\u{e9}c", 7), (2, 4));
        assert_eq!(line_and_column("abc", 0), (1, 1));
        assert_eq!(line_and_column("abc\n", 99), (2, 1));
    }
}
