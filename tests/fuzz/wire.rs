//! Damage to protobuf files that keeps them readable: fields change, lengths stay right.

use crate::script::{LARGEST, Script, damage_bytes, varint};

/// A field of a message.
#[derive(Clone)]
struct Field {
    number: u64,
    value: Value,
}

#[derive(Clone)]
enum Value {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(Vec<u8>),
    Message(Vec<Field>),
    Fixed32([u8; 4]),
    /// A length that is not that of what follows.
    Claim(u64, Vec<u8>),
}

/// Messages nest no deeper in a seed.
const DEEPEST: usize = 8;

fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// The fields of a message; whatever can be one is read as a message.
fn parse(mut bytes: &[u8], depth: usize) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = read_varint(&mut bytes)?;
        let number = key >> 3;
        if number == 0 || number > 2_000 {
            return None;
        }
        let value = match key & 7 {
            0 => Value::Varint(read_varint(&mut bytes)?),
            1 => Value::Fixed64(*take(&mut bytes)?),
            5 => Value::Fixed32(*take(&mut bytes)?),
            2 => {
                let length = usize::try_from(read_varint(&mut bytes)?).ok()?;
                let (content, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                let message = if depth < DEEPEST && length > 1 { parse(content, depth + 1) } else { None };
                message.map_or_else(|| Value::Bytes(content.to_vec()), Value::Message)
            }
            _ => return None,
        };
        fields.push(Field { number, value });
    }
    Some(fields)
}

fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (word, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(word)
}

fn encode(fields: &[Field]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for Field { number, value } in fields {
        let key = |kind: u64| varint(number << 3 | kind);
        match value {
            Value::Varint(number) => bytes.extend([key(0), varint(*number)].concat()),
            Value::Fixed64(word) => bytes.extend([key(1), word.to_vec()].concat()),
            Value::Fixed32(word) => bytes.extend([key(5), word.to_vec()].concat()),
            Value::Bytes(content) => bytes.extend(prefixed(*number, content)),
            Value::Message(fields) => bytes.extend(prefixed(*number, &encode(fields))),
            Value::Claim(length, content) => {
                bytes.extend([key(2), varint(*length), content.clone()].concat());
            }
        }
    }
    bytes
}

/// A field of bytes, strings or messages.
pub fn prefixed(number: u64, content: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}

/// A field that holds a number.
pub fn number(number: u64, value: u64) -> Vec<u8> {
    [varint(number << 3), varint(value)].concat()
}

/// All byte fields.
fn strings(fields: &[Field], found: &mut Vec<Vec<u8>>) {
    for field in fields {
        match &field.value {
            Value::Bytes(content) => found.push(content.clone()),
            Value::Message(fields) => strings(fields, found),
            _ => {}
        }
    }
}

/// A message inside of `fields`, or themselves.
fn descend<'a>(fields: &'a mut Vec<Field>, script: &mut Script<'_>) -> &'a mut Vec<Field> {
    if script.one_in(8) {
        return fields;
    }
    let messages: Vec<usize> =
        (0..fields.len()).filter(|&at| matches!(fields[at].value, Value::Message(_))).collect();
    if messages.is_empty() {
        return fields;
    }
    let at = *script.pick(&messages);
    match &mut fields[at].value {
        Value::Message(inner) => descend(inner, script),
        _ => unreachable!("a message was chosen"),
    }
}

/// Changes one field as one edit of the script says; `names` are strings that mean something in the format.
fn edit(root: &mut Vec<Field>, names: &[&str], script: &mut Script<'_>) {
    let mut words = Vec::new();
    strings(root, &mut words);
    let fields = descend(root, script);
    let count = fields.len();
    if count == 0 {
        return;
    }
    let at = script.below(count);
    match script.byte() % 12 {
        0 | 1 => fields[at].value = changed(&fields[at].value, &words, names, script),
        2 => drop(fields.remove(at)),
        3 => {
            let bytes = encode(&fields[at..=at]).len();
            let copy = vec![fields[at].clone(); script.times(bytes, 1 << 9)];
            drop(fields.splice(at..at, copy));
        }
        4 => fields.swap(at, script.below(count)),
        5 => fields[at].number = 1 + script.below(32) as u64,
        6 => {
            let value = Value::Claim(script.extreme(), encode(&fields[at..=at]));
            fields[at].value = value;
        }
        7 => {
            let number = fields[at].number;
            let content = (0..script.below(6)).flat_map(|_| varint(script.extreme())).collect();
            fields.insert(at, Field { number, value: Value::Bytes(content) });
        }
        8 => {
            for _ in 0..1 << (script.byte() % 10) {
                let inner = vec![fields[at].clone()];
                fields[at].value = Value::Message(inner);
            }
        }
        9 => {
            let value = Value::Varint(script.extreme());
            fields.insert(at, Field { number: 1 + script.below(32) as u64, value });
        }
        10 => {
            let moved = fields.remove(at);
            descend(root, script).push(moved);
        }
        _ => {
            let copied = fields[at].clone();
            let others = descend(root, script);
            let to = script.below(others.len().max(1));
            match others.get_mut(to) {
                Some(other) => *other = copied,
                None => others.push(copied),
            }
        }
    }
}

fn changed(value: &Value, words: &[Vec<u8>], names: &[&str], script: &mut Script<'_>) -> Value {
    match value {
        Value::Varint(_) => Value::Varint(script.extreme()),
        Value::Fixed64(_) => Value::Fixed64(script.extreme().to_le_bytes()),
        Value::Fixed32(_) => Value::Fixed32((script.extreme() as u32).to_le_bytes()),
        Value::Bytes(content) | Value::Claim(_, content) => match script.byte() % 4 {
            0 if !words.is_empty() => Value::Bytes(script.pick(words).clone()),
            1 if !names.is_empty() => Value::Bytes(script.pick(names).as_bytes().to_vec()),
            2 => Value::Bytes(content.repeat(script.times(content.len(), 1 << 11))),
            _ => {
                let mut content = content.clone();
                damage_bytes(&mut content, script);
                Value::Bytes(content)
            }
        },
        Value::Message(fields) => {
            let mut bytes = encode(fields);
            damage_bytes(&mut bytes, script);
            Value::Bytes(bytes)
        }
    }
}

/// The protobuf file `seed` as `script` damages it.
pub fn damaged(seed: &[u8], names: &[&str], script: &mut Script<'_>) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    while script.goes_on() {
        if script.one_in(4) {
            damage_bytes(&mut bytes, script);
        } else if let Some(mut fields) = parse(&bytes, 0) {
            edit(&mut fields, names, script);
            bytes = encode(&fields);
        }
        bytes.truncate(LARGEST);
    }
    bytes
}
