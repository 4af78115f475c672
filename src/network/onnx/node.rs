//! A node under examination: its operator's version, inputs and attributes.

use super::error::{Problem, extents, shown};
use super::schema::attribute_proto::AttributeType;
use super::schema::{AttributeProto, NodeProto, TensorProto};
use super::tensor::Constant;
use super::value::{Value, View};

/// A node whose inputs are known.
pub struct Node<'a> {
    proto: &'a NodeProto,
    /// Version of the operator set.
    pub opset: i64,
    /// One per input; `None` where an optional one is left out.
    inputs: Vec<Option<Value>>,
}

/// The name of `node`: that of its first output where it has none of its own.
pub fn name(node: &NodeProto) -> &str {
    let own = node.name.as_deref().filter(|name| !name.is_empty());
    own.or_else(|| node.output.first().map(String::as_str)).unwrap_or_default()
}

impl<'a> Node<'a> {
    /// A node that reads `inputs`.
    pub fn new(proto: &'a NodeProto, opset: i64, inputs: Vec<Option<Value>>) -> Self {
        Self { proto, opset, inputs }
    }

    /// Its name.
    pub fn name(&self) -> &'a str {
        name(self.proto)
    }

    /// Name of the value that it writes first.
    pub fn output(&self) -> &'a str {
        self.proto.output.first().map(String::as_str).unwrap_or_default()
    }

    /// Names of the values that it writes beside the first and that are not left out.
    pub fn other_outputs(&self) -> impl Iterator<Item = &'a str> {
        self.proto.output.iter().skip(1).map(String::as_str).filter(|name| !name.is_empty())
    }

    /// Name of the value that it reads at `index`.
    pub fn input_name(&self, index: usize) -> &'a str {
        self.proto.input.get(index).map(String::as_str).unwrap_or_default()
    }

    /// All inputs, none of which may be left out.
    pub fn inputs(&self) -> Result<Vec<&Value>, Problem> {
        (0..self.inputs.len()).map(|index| self.value(index)).collect()
    }

    /// The input at `index`, which must be there.
    pub fn value(&self, index: usize) -> Result<&Value, Problem> {
        self.optional(index).ok_or_else(|| Problem::missing(format!("input {}", index + 1), "a value"))
    }

    /// The input at `index`, if it is there.
    pub fn optional(&self, index: usize) -> Option<&Value> {
        self.inputs.get(index).and_then(Option::as_ref)
    }

    /// The activations at `index`.
    pub fn view(&self, index: usize) -> Result<&View, Problem> {
        match self.value(index)? {
            Value::Activation(view) => Ok(view),
            other => Err(self.other_kind(index, other, "activations")),
        }
    }

    /// The constant at `index`, which must be there.
    pub fn constant(&self, index: usize) -> Result<&Constant, Problem> {
        match self.value(index)? {
            Value::Constant(constant) => Ok(constant),
            other => Err(self.other_kind(index, other, "a constant")),
        }
    }

    /// The constant at `index`, if it is there.
    pub fn optional_constant(&self, index: usize) -> Result<Option<&Constant>, Problem> {
        self.optional(index).map(|_| self.constant(index)).transpose()
    }

    /// The integers of the list at `index`.
    pub fn integers(&self, index: usize) -> Result<Vec<i64>, Problem> {
        let constant = self.constant(index)?;
        if constant.dims.len() > 1 {
            let name = format!("'{}'", shown(self.input_name(index)));
            return Err(Problem::extent(name, &constant.dims, "a list"));
        }
        constant.integers()
    }

    fn other_kind(&self, index: usize, found: &Value, expected: &str) -> Problem {
        let what = format!("input {} ('{}')", index + 1, shown(self.input_name(index)));
        Problem::value(what, found.kind(), expected)
    }

    fn attribute(&self, name: &str, expected: AttributeType) -> Result<Option<&'a AttributeProto>, Problem> {
        let Some(attribute) = self.proto.attribute.iter().find(|attribute| attribute.name() == name) else {
            return Ok(None);
        };
        // Models of the first IR versions do not say which type.
        let kind = AttributeType::try_from(attribute.r#type.unwrap_or_default());
        if kind.is_ok_and(|kind| kind == AttributeType::Undefined || kind == expected) {
            return Ok(Some(attribute));
        }
        let found = kind.map_or("an unknown type", |kind| kind.as_str_name());
        Err(Problem::value(format!("attribute {name} of type"), found, expected.as_str_name()))
    }

    /// The integer attribute `name`, or `default`.
    pub fn integer(&self, name: &str, default: i64) -> Result<i64, Problem> {
        let attribute = self.attribute(name, AttributeType::Int)?;
        Ok(attribute.map_or(default, AttributeProto::i))
    }

    /// The attribute `name` that is 0 or 1.
    pub fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.integer(name, 0)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(Problem::value(name, other, "0 or 1")),
        }
    }

    /// The number attribute `name`, if it is there.
    pub fn number(&self, name: &str) -> Result<Option<f32>, Problem> {
        Ok(self.attribute(name, AttributeType::Float)?.map(AttributeProto::f))
    }

    /// The finite attribute `name`, or `default`.
    pub fn finite(&self, name: &str, default: f32) -> Result<f32, Problem> {
        let value = self.number(name)?.unwrap_or(default);
        if value.is_finite() { Ok(value) } else { Err(Problem::value(name, value, "a finite number")) }
    }

    /// The attribute `name` that is a list of integers, if it is there.
    pub fn list(&self, name: &str) -> Result<Option<&'a [i64]>, Problem> {
        Ok(self.attribute(name, AttributeType::Ints)?.map(|attribute| attribute.ints.as_slice()))
    }

    /// The attribute `name` that is a pair of integers of at least `least` for rows and columns, or else `default`.
    pub fn pair(&self, name: &str, least: i64, default: usize) -> Result<[usize; 2], Problem> {
        match self.list(name)? {
            None | Some([]) => Ok([default; 2]),
            Some(&[vertical, horizontal]) => {
                Ok([bounded(name, vertical, least)?, bounded(name, horizontal, least)?])
            }
            Some(other) => {
                let expected = "two integers, for rows and columns";
                Err(Problem::value(name, extents(other), expected))
            }
        }
    }

    /// The attribute `name` that is a text, if it is there.
    pub fn text(&self, name: &str) -> Result<Option<&'a str>, Problem> {
        let Some(attribute) = self.attribute(name, AttributeType::String)? else { return Ok(None) };
        let bytes = attribute.s.as_deref().unwrap_or_default();
        let text = std::str::from_utf8(bytes)
            .map_err(|_| Problem::value(name, "bytes that are no text", "a text"))?;
        Ok(Some(text))
    }

    /// The attribute `name` that is a tensor, if it is there.
    pub fn tensor(&self, name: &str) -> Result<Option<&'a TensorProto>, Problem> {
        Ok(self.attribute(name, AttributeType::Tensor)?.and_then(|attribute| attribute.t.as_ref()))
    }

    /// The attribute `name` that is a list of numbers, if it is there.
    pub fn floats(&self, name: &str) -> Result<Option<Vec<f32>>, Problem> {
        let attribute = self.attribute(name, AttributeType::Floats)?;
        Ok(attribute.map(|attribute| attribute.floats.clone()))
    }

    /// Whether the attribute `name` is set.
    pub fn has(&self, name: &str) -> bool {
        self.proto.attribute.iter().any(|attribute| attribute.name() == name)
    }

    /// The attribute `axis`, or `default`, as an index below `rank`; negative ones count from the end.
    pub fn axis(&self, default: i64, rank: usize) -> Result<usize, Problem> {
        axis("axis", self.integer("axis", default)?, rank)
    }
}

/// The axis `value` as an index below `rank`; negative ones count from the end.
pub fn axis(what: &str, value: i64, rank: usize) -> Result<usize, Problem> {
    let counted = if value < 0 { value.checked_add(rank as i64) } else { Some(value) };
    let valid = counted.and_then(|axis| usize::try_from(axis).ok()).filter(|&axis| axis < rank);
    valid.ok_or_else(|| Problem::value(what, value, format!("an axis of {rank}-dimensional data")))
}

/// `value` as an extent of at least `least`; far fewer than would overflow sums and products.
pub fn bounded(what: &str, value: i64, least: i64) -> Result<usize, Problem> {
    if (least..=1 << 31).contains(&value) {
        Ok(value as usize)
    } else {
        Err(Problem::value(what, value, format!("{least} to 2^31")))
    }
}
