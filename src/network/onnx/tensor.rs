//! Constant tensors: initialisers, values of Constant nodes, external data.

use super::error::{Problem, extents, shown};
use super::external::Region;
use super::schema::TensorProto;
use super::schema::tensor_proto::{DataLocation, DataType};
use crate::number::{CodeKind, Quantisation};
use half::{bf16, f16};
use prost::bytes::Bytes;
use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

/// Most elements of one tensor: more than any published network has, and small enough that sizes in bytes and
/// multiply-accumulates of a layer fit 64 bits.
pub const MAX_ELEMENTS: u64 = 1 << 31;

/// Most integers that are computed as a list, which is a shape. Lists of lists would else double with each node.
pub const MAX_LISTED: usize = 1 << 10;

/// A constant tensor. Cheap to clone: the values are shared.
#[derive(Clone, Debug)]
pub struct Constant {
    /// Extents, outermost first; none for a scalar.
    pub dims: Vec<usize>,
    element: DataType,
    data: Arc<Data>,
}

#[derive(Debug)]
enum Data {
    /// Little-endian words.
    Raw(Bytes),
    /// Little-endian words in another file.
    External(Region),
    Floats(Vec<f32>),
    Doubles(Vec<f64>),
    /// Integers of at most 32 bits and half-precision codes.
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    /// One value everywhere.
    Filled(f32),
    /// The values of 8-bit codes.
    Dequantised {
        codes: Constant,
        quantisation: Quantisation,
    },
    /// A type that nothing here reads.
    Opaque,
}

impl Constant {
    /// The tensor in `tensor`; external data lie in `folder`.
    pub fn new(tensor: TensorProto, folder: &Path) -> Result<Self, Problem> {
        let dims = checked_dims(&tensor.dims)?;
        if tensor.segment.is_some() {
            return Err(Problem::unsupported("found a piece of a tensor (segment), expected whole tensors"));
        }
        let code = tensor.data_type.unwrap_or_default();
        let element = match DataType::try_from(code) {
            Ok(DataType::Undefined) | Err(_) => {
                return Err(Problem::value("data type", code, "a known one"));
            }
            Ok(element) => element,
        };
        let data = data(tensor, element, &dims, folder)?;
        Ok(Self { dims, element, data: Arc::new(data) })
    }

    /// A list of integers.
    pub fn of_integers(values: Vec<i64>) -> Self {
        Self { dims: vec![values.len()], element: DataType::Int64, data: Arc::new(Data::Int64(values)) }
    }

    /// A list of numbers.
    pub fn of_floats(values: Vec<f32>) -> Self {
        Self { dims: vec![values.len()], element: DataType::Float, data: Arc::new(Data::Floats(values)) }
    }

    /// `value` everywhere.
    pub fn filled(dims: Vec<usize>, value: f32) -> Self {
        Self { dims, element: DataType::Float, data: Arc::new(Data::Filled(value)) }
    }

    /// 8-bit codes, one byte each.
    pub fn of_codes(dims: Vec<usize>, kind: CodeKind, codes: Vec<u8>) -> Self {
        let element = match kind {
            CodeKind::Int8 => DataType::Int8,
            CodeKind::Uint8 => DataType::Uint8,
        };
        Self { dims, element, data: Arc::new(Data::Raw(codes.into())) }
    }

    /// The values of the 8-bit codes `codes`, which are not decoded before they are read.
    pub fn dequantised(codes: Self, quantisation: Quantisation) -> Self {
        let dims = codes.dims.clone();
        Self { dims, element: DataType::Float, data: Arc::new(Data::Dequantised { codes, quantisation }) }
    }

    /// The same values with other extents, of as many elements.
    pub fn with_dims(&self, dims: Vec<usize>) -> Self {
        Self { dims, ..self.clone() }
    }

    /// Number of elements.
    pub fn elements(&self) -> usize {
        self.dims.iter().product()
    }

    /// The same number for all constants that share these values.
    pub fn identity(&self) -> usize {
        match &*self.data {
            Data::Dequantised { codes, .. } => codes.identity(),
            _ => Arc::as_ptr(&self.data).addr(),
        }
    }

    /// Whether all elements are one value that takes no room in the file.
    pub fn is_filled(&self) -> bool {
        matches!(*self.data, Data::Filled(_))
    }

    /// Whether it holds integers.
    pub fn is_integer(&self) -> bool {
        matches!(self.element, DataType::Int32 | DataType::Int64)
    }

    /// The type of the elements.
    pub fn element(&self) -> DataType {
        self.element
    }

    /// The 8-bit codes that are stored in place of the values: how they are quantised.
    pub fn quantisation(&self) -> Option<&Quantisation> {
        match &*self.data {
            Data::Dequantised { quantisation, .. } => Some(quantisation),
            _ => None,
        }
    }

    /// The values as single-precision numbers: doubles and half-precision numbers are converted to the nearest one.
    pub fn floats(&self) -> Result<Vec<f32>, Problem> {
        let codes = |convert: fn(u16) -> f32, codes: &[i32]| {
            let code = |&code: &i32| u16::try_from(code).map(convert);
            codes.iter().map(code).collect::<Result<_, _>>().map_err(|_| {
                Problem::unsupported("found codes wider than 16 bits among half-precision numbers")
            })
        };
        match (&*self.data, self.element) {
            (Data::Floats(values), _) => Ok(values.clone()),
            (Data::Filled(value), _) => Ok(vec![*value; self.elements()]),
            (Data::Dequantised { codes, quantisation }, _) => {
                let decode =
                    |(index, &code): (usize, &u8)| quantisation.quantiser(index).decode(u32::from(code));
                Ok(codes.codes()?.iter().enumerate().map(decode).collect())
            }
            (Data::Doubles(values), _) => Ok(values.iter().map(|&value| value as f32).collect()),
            (Data::Int32(values), DataType::Float16) => codes(|code| f16::from_bits(code).to_f32(), values),
            (Data::Int32(values), DataType::Bfloat16) => codes(|code| bf16::from_bits(code).to_f32(), values),
            (_, DataType::Float) => Ok(words(&self.words()?, f32::from_le_bytes)),
            (_, DataType::Double) => Ok(words(&self.words()?, |word| f64::from_le_bytes(word) as f32)),
            (_, DataType::Float16) => Ok(words(&self.words()?, |word| f16::from_le_bytes(word).to_f32())),
            (_, DataType::Bfloat16) => Ok(words(&self.words()?, |word| bf16::from_le_bytes(word).to_f32())),
            (_, other) => {
                let expected = "float, double, float16 or bfloat16";
                Err(Problem::value("data type", other.as_str_name(), expected))
            }
        }
    }

    /// The values as integers.
    pub fn integers(&self) -> Result<Vec<i64>, Problem> {
        match (&*self.data, self.element) {
            (Data::Int64(values), _) => Ok(values.clone()),
            (Data::Int32(values), DataType::Int32 | DataType::Bool) => {
                Ok(values.iter().map(|&value| i64::from(value)).collect())
            }
            (_, DataType::Int64) => Ok(words(&self.words()?, i64::from_le_bytes)),
            (_, DataType::Int32) => Ok(words(&self.words()?, |word| i64::from(i32::from_le_bytes(word)))),
            (_, DataType::Bool) => Ok(words(&self.words()?, |[byte]| i64::from(byte))),
            (_, other) => Err(Problem::value("data type", other.as_str_name(), "int64, int32 or bool")),
        }
    }

    /// The bytes of 8-bit integers.
    pub fn codes(&self) -> Result<Cow<'_, [u8]>, Problem> {
        match (&*self.data, self.element) {
            (Data::Int32(values), DataType::Int8 | DataType::Uint8) => {
                let narrow = |&value: &i32| match self.element {
                    DataType::Int8 => i8::try_from(value).map(|code| code as u8),
                    _ => u8::try_from(value),
                };
                let codes = values.iter().map(narrow).collect::<Result<Vec<_>, _>>();
                codes.map(Cow::Owned).map_err(|_| {
                    Problem::unsupported("found integers wider than 8 bits among those of 8 bits")
                })
            }
            (_, DataType::Int8 | DataType::Uint8) => self.words(),
            (_, other) => Err(Problem::value("data type", other.as_str_name(), "INT8 or UINT8")),
        }
    }

    /// The encoded words, whose number was checked.
    fn words(&self) -> Result<Cow<'_, [u8]>, Problem> {
        match &*self.data {
            Data::Raw(bytes) => Ok(Cow::Borrowed(bytes)),
            Data::External(region) => Ok(Cow::Owned(region.read()?)),
            _ => Err(Problem::value("data type", self.element.as_str_name(), "one that fits its values")),
        }
    }
}

fn words<const N: usize, T>(bytes: &[u8], value: fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|&word| value(word)).collect()
}

/// The extents `dims`, none negative, of at most [`MAX_ELEMENTS`] elements.
pub fn checked_dims(dims: &[i64]) -> Result<Vec<usize>, Problem> {
    let too_many = || Problem::TooManyElements {
        tensor: "a tensor".to_owned(),
        dims: extents(dims),
        limit: MAX_ELEMENTS,
    };
    let mut checked = Vec::with_capacity(dims.len());
    // Extents of 1 for those of 0: the others must be bounded, too.
    let mut elements = 1_u64;
    for &dim in dims {
        let Ok(extent) = u64::try_from(dim) else {
            return Err(Problem::value("extents", extents(dims), "none below 0"));
        };
        elements = elements
            .checked_mul(extent.max(1))
            .filter(|&elements| elements <= MAX_ELEMENTS)
            .ok_or_else(too_many)?;
        checked.push(extent as usize);
    }
    Ok(checked)
}

/// Bytes of an element, where values of its type can be read.
fn element_bytes(element: DataType) -> Option<usize> {
    match element {
        DataType::Float | DataType::Int32 => Some(4),
        DataType::Double | DataType::Int64 => Some(8),
        DataType::Float16 | DataType::Bfloat16 => Some(2),
        DataType::Int8 | DataType::Uint8 | DataType::Bool => Some(1),
        _ => None,
    }
}

/// The values of `tensor`, whose number and place are checked.
fn data(tensor: TensorProto, element: DataType, dims: &[usize], folder: &Path) -> Result<Data, Problem> {
    let Some(width) = element_bytes(element) else { return Ok(Data::Opaque) };
    let elements: usize = dims.iter().product();
    let typed = [
        ("float_data", tensor.float_data.len()),
        ("double_data", tensor.double_data.len()),
        ("int32_data", tensor.int32_data.len()),
        ("int64_data", tensor.int64_data.len()),
    ];
    let external = match DataLocation::try_from(tensor.data_location.unwrap_or_default()) {
        Ok(location) => location == DataLocation::External,
        Err(unknown) => return Err(Problem::value("data location", unknown.0, "DEFAULT or EXTERNAL")),
    };
    let filled = typed.iter().filter(|(_, count)| *count > 0).map(|&(field, _)| field);
    let raw = tensor.raw_data.is_some().then_some("raw_data");
    let fields: Vec<_> = filled.chain(raw).chain(external.then_some("external data")).collect();
    if fields.len() > 1 {
        return Err(Problem::value("values", fields.join(" and "), "one of them"));
    }
    let bytes = elements * width;
    if external {
        return region(&tensor, bytes, folder).map(Data::External);
    }
    if let Some(raw) = tensor.raw_data {
        return match raw.len() {
            found if found == bytes => Ok(Data::Raw(raw)),
            found => {
                let expected =
                    format!("{bytes} for {} values of type {}", extents(dims), element.as_str_name());
                Err(Problem::value("bytes of raw data", found, expected))
            }
        };
    }
    let (count, data) = match element {
        DataType::Float => (tensor.float_data.len(), Data::Floats(tensor.float_data)),
        DataType::Double => (tensor.double_data.len(), Data::Doubles(tensor.double_data)),
        DataType::Int64 => (tensor.int64_data.len(), Data::Int64(tensor.int64_data)),
        _ => (tensor.int32_data.len(), Data::Int32(tensor.int32_data)),
    };
    if count == elements {
        return Ok(data);
    }
    let found = match fields.first() {
        Some(field) => format!("{count} of type {} ({field} is set)", element.as_str_name()),
        None => "none".to_owned(),
    };
    Err(Problem::value("values", found, format!("{elements} ({})", extents(dims))))
}

/// Where the `bytes` bytes of an external tensor are.
fn region(tensor: &TensorProto, bytes: usize, folder: &Path) -> Result<Region, Problem> {
    let mut location = None;
    let (mut offset, mut length) = (0, bytes as u64);
    for entry in &tensor.external_data {
        let value = entry.value.as_deref().unwrap_or_default();
        let number = |what: &str| {
            value
                .parse::<u64>()
                .map_err(|_| Problem::value(what, format!("\"{}\"", shown(value)), "a number"))
        };
        match entry.key.as_deref().unwrap_or_default() {
            "location" => location = Some(value),
            "offset" => offset = number("external data offset")?,
            "length" => length = number("external data length")?,
            "checksum" => {}
            unknown => {
                let expected = "location, offset, length or checksum";
                return Err(Problem::value("external data key", format!("\"{}\"", shown(unknown)), expected));
            }
        }
    }
    let Some(location) = location else {
        return Err(Problem::missing("external data location", "the name of a file in the model's folder"));
    };
    if length != bytes as u64 {
        return Err(Problem::value(
            "external data length",
            length,
            format!("{bytes} by its extents and type"),
        ));
    }
    Region::new(folder, location, offset, length)
}
