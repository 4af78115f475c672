//! What can be wrong with an ONNX model.

use crate::network::FileError;
use std::fmt;
use std::path::PathBuf;

/// An ONNX model that cannot be imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be read whole.
    #[error(transparent)]
    File(#[from] FileError),
    /// The bytes are no model.
    #[error("{}: found a truncated or damaged file or another format, expected an ONNX model: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the decoder says.
        reason: String,
    },
    /// A model, or a tensor or a node of it, that is not supported or contradicts itself.
    #[error("{}: {place}: {problem}", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// What the problem belongs to.
        place: Place,
        /// What is wrong.
        problem: Box<Problem>,
    },
}

/// What a problem belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The model as a whole.
    Model,
    /// The graph's input of this name.
    Input(String),
    /// The graph's output of this name.
    Output(String),
    /// The initialiser of this name.
    Tensor(String),
    /// A node.
    Node {
        /// Its name, or that of its first output where it has none.
        name: String,
        /// Its operator, with the domain where that is not ONNX's own.
        operator: String,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model => f.write_str("model"),
            Self::Input(name) => write!(f, "input '{}'", shown(name)),
            Self::Output(name) => write!(f, "output '{}'", shown(name)),
            Self::Tensor(name) => write!(f, "tensor '{}'", shown(name)),
            Self::Node { name, operator } => write!(f, "node '{}' ({})", shown(name), shown(operator)),
        }
    }
}

/// What is wrong with a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// An operator that is not supported.
    #[error(
        "operator '{}' is not supported{}; supported are {supported}", shown(operator),
        .nearest.map(|name| format!(" (did you mean '{name}'?)")).unwrap_or_default()
    )]
    Operator {
        /// The operator.
        operator: String,
        /// The supported operator with the most similar name.
        nearest: Option<&'static str>,
        /// All supported operators.
        supported: String,
    },
    /// Something whose value is outside its range or not supported.
    #[error("found {what} = {found}, expected {expected}")]
    Value {
        /// What holds the value.
        what: String,
        /// The value.
        found: String,
        /// Which values are possible.
        expected: String,
    },
    /// Something that must be there is not.
    #[error("found no {what}, expected {expected}")]
    Missing {
        /// What is missing.
        what: String,
        /// What should be there.
        expected: String,
    },
    /// Things that exclude each other, or that are not supported at all.
    #[error("{reason}")]
    Unsupported {
        /// What and why.
        reason: String,
    },
    /// A value that nothing writes.
    #[error("reads '{}', which no node writes and which is neither input nor initialiser{}", shown(value),
        .nearest.as_ref().map(|name| format!("; did you mean '{}'?", shown(name))).unwrap_or_default())]
    UnknownValue {
        /// The value.
        value: String,
        /// The value with the most similar name.
        nearest: Option<String>,
    },
    /// A value that is read before it is written.
    #[error(
        "reads '{}', which node '{}' writes, expected to find that node further up: each node reads only what earlier ones wrote",
        shown(value),
        shown(writer)
    )]
    Order {
        /// The value.
        value: String,
        /// The node that writes it: the node itself, or a later one.
        writer: String,
    },
    /// A value that is written twice.
    #[error("writes '{}', which exists already, expected a new name", shown(value))]
    WrittenTwice {
        /// The value.
        value: String,
    },
    /// A tensor whose extents do not fit.
    #[error("found {tensor} of {found}, expected {expected}")]
    Extent {
        /// Which tensor.
        tensor: String,
        /// Its extents.
        found: String,
        /// Which extents are possible.
        expected: String,
    },
    /// More elements than the importer accepts.
    #[error("{tensor} of {dims} has more than {limit} elements")]
    TooManyElements {
        /// Which tensor.
        tensor: String,
        /// Its extents.
        dims: String,
        /// The limit.
        limit: u64,
    },
    /// The file of an external tensor cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    ExternalFile {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

impl Problem {
    /// `what` holds `found`.
    pub(super) fn value(
        what: impl Into<String>,
        found: impl fmt::Display,
        expected: impl Into<String>,
    ) -> Self {
        Self::Value { what: what.into(), found: shown(&found.to_string()), expected: expected.into() }
    }

    /// `what` is not there.
    pub(super) fn missing(what: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::Missing { what: what.into(), expected: expected.into() }
    }

    /// Not supported, or a contradiction.
    pub(super) fn unsupported(reason: impl Into<String>) -> Self {
        Self::Unsupported { reason: reason.into() }
    }

    /// The extents `dims` of `tensor` do not fit.
    pub(super) fn extent(tensor: impl Into<String>, dims: &[usize], expected: impl Into<String>) -> Self {
        Self::Extent { tensor: tensor.into(), found: extents(dims), expected: expected.into() }
    }
}

/// Most characters of a name, and most extents of a tensor, that a message shows.
const SHOWN: usize = 80;

/// `text` as a message shows it: names come from the file, may be long and hold control characters.
pub(super) fn shown(text: &str) -> String {
    let mut characters = text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c });
    let mut shown: String = characters.by_ref().take(SHOWN).collect();
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}

/// Extents as a message shows them.
pub(super) fn extents<T: fmt::Display>(dims: &[T]) -> String {
    match dims.len() {
        0 => "no extents (a scalar)".to_owned(),
        count if count > SHOWN => format!("{count} extents"),
        _ => dims.iter().map(ToString::to_string).collect::<Vec<_>>().join("x"),
    }
}
