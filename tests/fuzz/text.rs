//! Damage to text files, word by word.

use crate::script::{LARGEST, Script, damage_bytes};

/// Numbers as text formats write them.
const NUMBERS: [&str; 20] = [
    "0",
    "1",
    "-1",
    "3",
    "7",
    "0.5",
    "-0.0",
    "1e-3",
    "1e-45",
    "1e309",
    "nan",
    "-inf",
    "65536",
    "2147483647",
    "2147483648",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "0x7fffffffffffffff",
    "99999999999999999999999999999999999999999",
];

/// Words, runs of white space and single other characters.
fn tokens(text: &str) -> Vec<String> {
    let kind = |c: char| match c {
        c if c.is_alphanumeric() || "_.+-".contains(c) => 0,
        ' ' | '\t' => 1,
        _ => 2,
    };
    let mut tokens: Vec<String> = Vec::new();
    let mut last = 2;
    for c in text.chars() {
        match tokens.last_mut() {
            Some(token) if kind(c) == last && last < 2 => token.push(c),
            _ => tokens.push(c.into()),
        }
        last = kind(c);
    }
    tokens
}

/// The first of `tokens` from `at` on, round about, that fits.
fn next(tokens: &[String], at: usize, fits: fn(&str) -> bool) -> Option<usize> {
    (at..tokens.len()).chain(0..at).find(|&at| fits(&tokens[at]))
}

fn is_number(token: &str) -> bool {
    token.trim_start_matches(['-', '+', '.']).starts_with(|c: char| c.is_ascii_digit())
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic())
}

/// The tokens of the lines around `range`.
fn lines(tokens: &[String], range: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let is_break = |token: &String| token == "\n";
    let start = tokens[..range.start].iter().rposition(is_break).map_or(0, |at| at + 1);
    let end = tokens[range.end..].iter().position(is_break).map_or(tokens.len(), |at| range.end + at + 1);
    start..end
}

/// Changes `tokens`, of which there are some, as one edit of the script says; `snippets` are texts that mean something in the format.
fn edit(tokens: &mut Vec<String>, snippets: &[&str], script: &mut Script<'_>) {
    let count = tokens.len();
    let at = script.below(count);
    match script.byte() % 12 {
        0 | 1 => {
            if let Some(at) = next(tokens, at, is_number) {
                (*script.pick(&NUMBERS)).clone_into(&mut tokens[at]);
            }
        }
        2 | 3 => {
            let from = script.below(count);
            if let (Some(from), Some(to)) = (next(tokens, from, is_word), next(tokens, at, is_word)) {
                tokens[to] = tokens[from].clone();
            }
        }
        4 => drop(tokens.drain(script.range(count, 16))),
        5 => {
            let range = script.range(count, 64);
            let range = if script.one_in(2) { range } else { lines(tokens, range) };
            let piece = tokens[range].to_vec();
            drop(tokens.splice(at..at, piece));
        }
        6 => tokens.swap(at, script.below(count)),
        7 | 8 => {
            let snippet = format!(" {} ", script.pick(snippets));
            tokens.insert(at, snippet);
        }
        9 => drop(tokens.drain(lines(tokens, at..at))),
        10 => tokens[at] = tokens[at].repeat(script.times(tokens[at].len(), 1 << 15)),
        _ => {
            let from = script.range(count, 8);
            let piece = tokens[from.clone()].concat();
            let times = script.times(piece.len(), 1 << 13);
            drop(tokens.splice(from, [piece.repeat(times)]));
        }
    }
}

/// The text file `seed` as `script` damages it.
pub fn damaged(seed: &str, snippets: &[&str], script: &mut Script<'_>) -> Vec<u8> {
    let mut tokens = tokens(seed);
    let ends_with_bytes = script.one_in(8);
    while script.goes_on() && !tokens.is_empty() {
        edit(&mut tokens, snippets, script);
        let total: usize = tokens.iter().map(String::len).sum();
        if total > LARGEST {
            break;
        }
    }
    let mut bytes = tokens.concat().into_bytes();
    if ends_with_bytes {
        damage_bytes(&mut bytes, script);
    }
    bytes.truncate(LARGEST);
    bytes
}
