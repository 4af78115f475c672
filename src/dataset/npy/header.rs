//! The header of a `.npy` file.

use std::fmt;
use std::io::Read;

const MAGIC: &[u8] = b"\x93NUMPY";
/// Longest header that is read, in bytes: `numpy`'s own are padded to 64 or 128.
const MAX_HEADER_BYTES: u32 = 1 << 16;

/// What the values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dataset) enum NumberKind {
    /// Unsigned integer.
    Unsigned,
    /// Two's-complement integer.
    Signed,
    /// IEEE 754 binary number.
    Float,
}

/// The type of the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dataset) struct Number {
    pub kind: NumberKind,
    /// Size of one value, 1, 2, 4 or 8.
    pub bytes: usize,
    pub is_big_endian: bool,
}

/// A header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::dataset) struct Header {
    pub number: Number,
    /// Extents, outermost first.
    pub dims: Vec<usize>,
    /// Bytes in front of the values.
    pub length: u64,
}

impl Number {
    /// The type that `descr` names, like `<f4` or `|u1`.
    fn parse(descr: &str) -> Option<Self> {
        let (order, rest) = descr.split_at_checked(1)?;
        let (kind, bytes) = rest.split_at_checked(1)?;
        let is_big_endian = match order {
            "<" | "|" => false,
            ">" => true,
            _ => return None,
        };
        let kind = match kind {
            "u" => NumberKind::Unsigned,
            "i" => NumberKind::Signed,
            "f" => NumberKind::Float,
            _ => return None,
        };
        let bytes: usize = bytes.parse().ok()?;
        let is_known = matches!((kind, bytes), (_, 2 | 4 | 8))
            || matches!((kind, bytes), (NumberKind::Unsigned | NumberKind::Signed, 1));
        is_known.then_some(Self { kind, bytes, is_big_endian })
    }

    /// The bytes of one value, lowest first, in the lowest places.
    fn bits(self, word: &[u8]) -> u64 {
        let fold = |bits: u64, byte: &u8| bits << 8 | u64::from(*byte);
        if self.is_big_endian { word.iter().fold(0, fold) } else { word.iter().rev().fold(0, fold) }
    }

    /// The value of an integer type that the bytes of `word` hold.
    pub fn integer(self, word: &[u8]) -> i128 {
        let bits = self.bits(word);
        if self.kind == NumberKind::Unsigned {
            return i128::from(bits);
        }
        let unused = 64 - 8 * self.bytes as u32;
        i128::from((bits << unused).cast_signed() >> unused)
    }

    /// The value that the bytes of `word` hold, an integer, binary32 or binary64 number, in binary32.
    pub fn float(self, word: &[u8]) -> f32 {
        match (self.kind, self.bytes) {
            (NumberKind::Float, 8) => f64::from_bits(self.bits(word)) as f32,
            (NumberKind::Float, _) => f32::from_bits(self.bits(word) as u32),
            _ => self.integer(word) as f32,
        }
    }
}

impl fmt::Display for Number {
    /// The name in `numpy`: `float32`, `uint8`, …
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            NumberKind::Unsigned => "uint",
            NumberKind::Signed => "int",
            NumberKind::Float => "float",
        };
        write!(f, "{kind}{}", 8 * self.bytes)
    }
}

impl Header {
    /// Reads the header at the start of `reader`.
    ///
    /// # Errors
    /// What is wrong, for a message.
    pub fn read(reader: &mut impl Read) -> Result<Self, String> {
        let cut = |error: std::io::Error| format!("it ends within the header: {error}");
        let mut start = [0; 8];
        reader.read_exact(&mut start).map_err(cut)?;
        if !start.starts_with(MAGIC) {
            return Err("it does not start with the magic \\x93NUMPY".into());
        }
        let (length_bytes, text_bytes) = match start[6] {
            1 => {
                let mut length = [0; 2];
                reader.read_exact(&mut length).map_err(cut)?;
                (2, u32::from(u16::from_le_bytes(length)))
            }
            2 | 3 => {
                let mut length = [0; 4];
                reader.read_exact(&mut length).map_err(cut)?;
                (4, u32::from_le_bytes(length))
            }
            version => return Err(format!("found format version {version}, expected 1, 2 or 3")),
        };
        if text_bytes > MAX_HEADER_BYTES {
            return Err(format!("its header has {text_bytes} bytes, expected at most {MAX_HEADER_BYTES}"));
        }
        let mut text = vec![0; text_bytes as usize];
        reader.read_exact(&mut text).map_err(cut)?;
        let text = String::from_utf8(text).map_err(|_| "its header is no text".to_owned())?;
        let (number, dims) = Scanner { rest: &text }.dictionary()?;
        Ok(Self { number, dims, length: start.len() as u64 + length_bytes + u64::from(text_bytes) })
    }

    /// Bytes of all values; `None` if that overflows.
    pub fn value_bytes(&self) -> Option<u64> {
        let product = |product: u64, &extent: &usize| product.checked_mul(extent as u64);
        self.dims.iter().try_fold(self.number.bytes as u64, product)
    }
}

/// Reads the header's Python dictionary.
struct Scanner<'t> {
    rest: &'t str,
}

impl<'t> Scanner<'t> {
    fn dictionary(mut self) -> Result<(Number, Vec<usize>), String> {
        let (mut descr, mut fortran_order, mut dims) = (None, None, None);
        self.expect("{")?;
        while !self.eat("}") {
            let key = self.quoted()?;
            self.expect(":")?;
            match key {
                "descr" => descr = Some(self.number()?),
                "fortran_order" => fortran_order = Some(self.boolean()?),
                "shape" => dims = Some(self.tuple()?),
                other => return Err(format!("its header has the unknown key '{other}'")),
            }
            if !self.eat(",") {
                self.expect("}")?;
                break;
            }
        }
        if !self.rest.trim().is_empty() {
            return Err("its header goes on behind the dictionary".into());
        }
        let missing = |key: &str| format!("its header has no key '{key}'");
        let dims: Vec<usize> = dims.ok_or_else(|| missing("shape"))?;
        // One extent is the same in both orders.
        if fortran_order.ok_or_else(|| missing("fortran_order"))? && dims.len() > 1 {
            return Err("found Fortran order, expected C order: save numpy.ascontiguousarray(array)".into());
        }
        Ok((descr.ok_or_else(|| missing("descr"))?, dims))
    }

    fn eat(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start().strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.eat(token) {
            return Ok(());
        }
        let found: String = self.rest.trim_start().chars().take(20).collect();
        Err(format!("its header has {found:?} where `{token}` is expected"))
    }

    fn quoted(&mut self) -> Result<&'t str, String> {
        let quote = if self.eat("\"") { '"' } else { '\'' };
        if quote == '\'' {
            self.expect("'")?;
        }
        let (text, rest) = self.rest.split_once(quote).ok_or("its header has a string without end")?;
        self.rest = rest;
        Ok(text)
    }

    fn number(&mut self) -> Result<Number, String> {
        if self.rest.trim_start().starts_with('[') {
            return Err("found values of a structured type, expected numbers".into());
        }
        let descr = self.quoted()?;
        Number::parse(descr).ok_or_else(|| {
            format!(
                "found values of type {:?}, expected integers or floats of 1 to 8 bytes",
                shortened(descr)
            )
        })
    }

    fn boolean(&mut self) -> Result<bool, String> {
        if self.eat("True") {
            return Ok(true);
        }
        self.expect("False").map(|()| false)
    }

    fn tuple(&mut self) -> Result<Vec<usize>, String> {
        let mut extents = Vec::new();
        self.expect("(")?;
        while !self.eat(")") {
            let rest = self.rest.trim_start();
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let extent = rest[..digits].parse().map_err(|_| {
                format!(
                    "its header has the extent {:?}",
                    shortened(rest.split([',', ')']).next().unwrap_or_default())
                )
            })?;
            extents.push(extent);
            self.rest = &rest[digits..];
            if !self.eat(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(extents)
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(20).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(version: u8, text: &str) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend([version, 0]);
        match version {
            1 => bytes.extend((text.len() as u16).to_le_bytes()),
            _ => bytes.extend((text.len() as u32).to_le_bytes()),
        }
        bytes.extend(text.as_bytes());
        bytes
    }

    fn parse(text: &str) -> Result<Header, String> {
        Header::read(&mut header(1, text).as_slice())
    }

    #[test]
    fn headers_as_numpy_writes_them() {
        let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (8, 3, 32, 32), }          \n";
        let floats = Number { kind: NumberKind::Float, bytes: 4, is_big_endian: false };
        for (version, length) in [(1, 10), (2, 12), (3, 12)] {
            let read = Header::read(&mut header(version, text).as_slice()).unwrap();
            let length = length + text.len() as u64;
            assert_eq!(read, Header { number: floats, dims: vec![8, 3, 32, 32], length });
            assert_eq!(read.value_bytes(), Some(8 * 3 * 32 * 32 * 4));
        }
        let one = parse("{\"shape\":(7,),'fortran_order':True,'descr':'>i8'}").unwrap();
        assert_eq!(
            (one.dims, one.number.to_string(), one.number.is_big_endian),
            (vec![7], "int64".into(), true)
        );
        assert_eq!(
            parse("{'descr':'|u1','fortran_order':False,'shape':()}").unwrap().dims,
            Vec::<usize>::new()
        );
    }

    #[test]
    fn values_are_read_in_both_byte_orders() {
        let number = |descr| Number::parse(descr).unwrap();
        assert_eq!(number("<i2").integer(&[0xfe, 0xff]), -2);
        assert_eq!(number(">i2").integer(&[0xff, 0xfe]), -2);
        assert_eq!(number(">u4").integer(&[0xff, 0, 0, 1]), 0xff00_0001);
        assert_eq!(number("<u8").integer(&[0xff; 8]), i128::from(u64::MAX));
        assert_eq!(number("<i8").integer(&[0xff; 8]), -1);
        assert_eq!(number("|i1").integer(&[0x80]), -128);
        assert_eq!(number(">f4").float(&1.5f32.to_be_bytes()), 1.5);
        assert_eq!(number("<f8").float(&(-2.25f64).to_le_bytes()), -2.25);
        assert_eq!(number("|u1").float(&[200]), 200.0);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let full = |descr: &str, order: &str, shape: &str| {
            parse(&format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}}}")).unwrap_err()
        };
        assert!(full("'<c8'", "False", "(1,)").contains("type \"<c8\""));
        assert!(full("'<f16'", "False", "(1,)").contains("type \"<f16\""));
        assert!(full("'|f1'", "False", "(1,)").contains("type \"|f1\""));
        assert!(full("[('a', '<f4')]", "False", "(1,)").contains("structured type"));
        assert!(full("'<f4'", "True", "(1, 2)").contains("Fortran order"));
        assert!(full("'<f4'", "Yes", "(1, 2)").contains("`False` is expected"));
        assert!(full("'<f4'", "False", "(-1, 2)").contains("the extent \"-1\""));
        assert!(
            full("'<f4'", "False", "(99999999999999999999,)").contains("the extent \"99999999999999999999\"")
        );
        assert!(parse("{'descr': '<f4', 'shape': (1,)}").unwrap_err().contains("no key 'fortran_order'"));
        assert!(parse("{'descr': '<f4'} x").unwrap_err().contains("goes on"));
        assert!(parse("{'kind': 1}").unwrap_err().contains("unknown key 'kind'"));
        let start = |bytes: &[u8]| Header::read(&mut { bytes }).unwrap_err();
        assert!(start(b"\x89PNG\r\n\x1a\n....").contains("magic"));
        assert!(start(b"\x93NUMPY\x04\0....").contains("version 4"));
        assert!(start(b"\x93NUMPY\x02\0\xff\xff\xff\xff").contains("4294967295 bytes"));
        let huge = parse("{'descr':'<f4','fortran_order':False,'shape':(4294967296,4294967296)}").unwrap();
        assert_eq!(huge.value_bytes(), None);
    }

    proptest! {
        #[test]
        fn any_header_text_is_parsed_or_refused(text in "[{}(),:'\"a-z0-9<>| ]{0,60}") {
            let outcome = parse(&text);
            prop_assert!(outcome.is_err() || text.contains("shape"));
        }

        #[test]
        fn a_damaged_header_is_parsed_or_refused(at in 0usize..86, byte in any::<u8>()) {
            let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (8, 3, 32, 32), }         \n";
            let mut bytes = header(1, text);
            bytes[at] = byte;
            if let Ok(read) = Header::read(&mut bytes.as_slice()) {
                prop_assert!(read.dims.len() <= 5, "{:?}", read.dims);
            }
        }
    }
}
