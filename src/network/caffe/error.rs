//! What can be wrong with a network definition or a weight file.

use super::text;
use crate::network::FileError;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// A Caffe file that cannot be imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be read whole.
    #[error(transparent)]
    File(#[from] FileError),
    /// A definition that is no text.
    #[error("{}: byte {offset} is not UTF-8 text, expected a network definition in protobuf text format", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// The first byte that is no text.
        offset: usize,
    },
    /// A definition that does not say which network, or one that is not supported.
    #[error(transparent)]
    Definition(Box<DefinitionError>),
    /// A weight file that does not fit the definition or is damaged.
    #[error("{}: {problem}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: WeightsProblem,
    },
}

impl Error {
    /// Line and column, counted from 1, of the place in the definition that the error is about.
    pub fn location(&self) -> Option<(usize, usize)> {
        match self {
            Self::Definition(error) => Some(text::line_and_column(&error.text, error.span.start)),
            _ => None,
        }
    }

    /// Text of the definition and the bytes in it that the error is about.
    pub fn source_span(&self) -> Option<(Arc<str>, Range<usize>)> {
        match self {
            Self::Definition(error) => Some((Arc::clone(&error.text), error.span.clone())),
            _ => None,
        }
    }

    /// The message without file name and place, to stand beside a picture of the place.
    pub fn detail(&self) -> String {
        match self {
            Self::Definition(error) => error.problem.to_string(),
            _ => self.to_string(),
        }
    }
}

/// What is wrong with a network definition, and where.
#[derive(Debug)]
pub struct DefinitionError {
    /// The file.
    pub path: PathBuf,
    /// What the file holds.
    pub text: Arc<str>,
    /// The bytes of `text` that the problem is about.
    pub span: Range<usize>,
    /// The problem.
    pub problem: Problem,
}

impl fmt::Display for DefinitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = text::line_and_column(&self.text, self.span.start);
        write!(f, "{}:{line}:{column}: {}", self.path.display(), self.problem)
    }
}

impl std::error::Error for DefinitionError {}

/// What is wrong with a network definition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The text is no message in protobuf text format, or sets a field that is not known.
    #[error("{message}{}", .nearest.as_ref().map(|name| format!("; did you mean '{name}'?")).unwrap_or_default())]
    Syntax {
        /// What the parser says.
        message: String,
        /// The known field with the most similar name.
        nearest: Option<String>,
    },
    /// A layer of a type that is not supported.
    #[error(
        "layer '{layer}' is of type '{kind}', which is not supported{}; supported are {supported}",
        .nearest.map(|name| format!(" (did you mean '{name}'?)")).unwrap_or_default()
    )]
    UnsupportedLayer {
        /// Name of the layer.
        layer: String,
        /// Its type.
        kind: String,
        /// The supported type with the most similar name.
        nearest: Option<&'static str>,
        /// All supported types.
        supported: String,
    },
    /// A field whose value is outside its range or not supported.
    #[error("{owner}: found {field} = {found}, expected {expected}")]
    Value {
        /// The layer, or the network.
        owner: Owner,
        /// Name of the field.
        field: &'static str,
        /// Its value.
        found: String,
        /// Which values are possible.
        expected: String,
    },
    /// A field that must be set is not.
    #[error("{owner}: found no {field}, expected {expected}")]
    Missing {
        /// The layer, or the network.
        owner: Owner,
        /// Name of the field.
        field: &'static str,
        /// What should be there.
        expected: String,
    },
    /// Fields that exclude each other, or that are not supported at all.
    #[error("{owner}: {reason}")]
    Conflict {
        /// The layer, or the network.
        owner: Owner,
        /// Which fields and why.
        reason: String,
    },
    /// A layer reads a blob that no earlier layer writes.
    #[error("{owner}: reads blob '{blob}', which no earlier layer writes{}", .nearest.as_ref().map(|name| format!("; did you mean '{name}'?")).unwrap_or_default())]
    UnknownBlob {
        /// The layer.
        owner: Owner,
        /// The blob.
        blob: String,
        /// The blob with the most similar name.
        nearest: Option<String>,
    },
    /// A layer's input does not fit its parameters.
    #[error("{owner}: input is {input}, {reason}")]
    Extent {
        /// The layer.
        owner: Owner,
        /// Extent of the layer's input, channels x height x width.
        input: String,
        /// What does not fit.
        reason: String,
    },
    /// A blob or a parameter with more elements than the importer accepts.
    #[error("{owner}: {tensor} of {dims} has more than {limit} elements")]
    TooManyElements {
        /// The layer.
        owner: Owner,
        /// Which tensor.
        tensor: &'static str,
        /// Its extents.
        dims: String,
        /// The limit.
        limit: u64,
    },
}

/// What a problem belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The network as a whole.
    Network,
    /// The layer of this name.
    Layer(String),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network => f.write_str("network"),
            Self::Layer(name) => write!(f, "layer '{name}'"),
        }
    }
}

/// What is wrong with a weight file.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsProblem {
    /// The bytes are no protobuf message of the expected kind.
    #[error("found a truncated or damaged file or another format, expected a caffemodel: {place}: {reason}")]
    Damaged {
        /// Which part of the file.
        place: String,
        /// What the decoder says.
        reason: String,
    },
    /// The file has the signature of another format.
    #[error("found a file in {format} format, expected a caffemodel (protobuf)")]
    OtherFormat {
        /// The other format.
        format: &'static str,
    },
    /// A layer of the definition has no parameters in the file.
    #[error(
        "found no parameters for layer '{layer}', expected {expected}; the file has parameters for {present}: is it the weight file of another network?"
    )]
    LayerMissing {
        /// The layer of the definition.
        layer: String,
        /// Its parameters.
        expected: String,
        /// Layers that have parameters in the file.
        present: String,
    },
    /// Two layers of one name have parameters.
    #[error("found parameters of layer '{layer}' twice, expected one layer of that name")]
    LayerTwice {
        /// The layer.
        layer: String,
    },
    /// A layer has more or fewer parameters than the definition says.
    #[error("layer '{layer}': found {found} blobs, expected {expected}")]
    BlobCount {
        /// The layer.
        layer: String,
        /// Blobs in the file.
        found: usize,
        /// Parameters in the definition.
        expected: String,
    },
    /// A parameter is of another shape than the definition says.
    #[error("layer '{layer}': found a {parameter} of {found}, expected {expected}")]
    BlobShape {
        /// The layer.
        layer: String,
        /// `weight`, `bias`, or what a batch normalisation has.
        parameter: &'static str,
        /// Extents in the file.
        found: String,
        /// Extents in the definition.
        expected: String,
    },
    /// A parameter has more or fewer values than its shape says.
    #[error("layer '{layer}': found {found} values of the {parameter}, expected {expected}")]
    ValueCount {
        /// The layer.
        layer: String,
        /// `weight`, `bias`, or what a batch normalisation has.
        parameter: &'static str,
        /// Values in the file.
        found: usize,
        /// Elements of the parameter.
        expected: usize,
    },
    /// A variance by which nothing can be divided.
    #[error(
        "layer '{layer}': found a variance with eps of {found} for channel {channel}, expected a number above 0"
    )]
    Variance {
        /// The batch normalisation.
        layer: String,
        /// The channel, counted from 0.
        channel: usize,
        /// The variance with epsilon added.
        found: f64,
    },
    /// The values are stored in a way that is not supported.
    #[error(
        "layer '{layer}': found the {parameter} stored as {found}, expected float, double or binary16 values"
    )]
    ValueType {
        /// The layer.
        layer: String,
        /// `weight`, `bias`, or what a batch normalisation has.
        parameter: &'static str,
        /// How they are stored.
        found: String,
    },
}
