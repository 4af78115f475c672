//! Import by the kind of file.

use super::{Network, caffe, onnx};
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A network that cannot be imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A Caffe file that cannot be imported.
    #[error(transparent)]
    Caffe(#[from] caffe::Error),
    /// An ONNX model that cannot be imported.
    #[error(transparent)]
    Onnx(#[from] onnx::Error),
    /// Weights for a network that has them.
    #[error("{}: found a weight file for a network whose definition holds the weights (an ONNX model), expected none: leave it out", path.display())]
    WeightsTwice {
        /// The weight file.
        path: PathBuf,
    },
    /// A file of a kind that is not supported, or not for this purpose.
    #[error("{}: found {found}, expected {expected}", path.display())]
    Kind {
        /// The file.
        path: PathBuf,
        /// What the file is.
        found: &'static str,
        /// What it should be.
        expected: &'static str,
    },
}

impl Error {
    /// Line and column, counted from 1, of the place in the definition that the error is about.
    pub fn location(&self) -> Option<(usize, usize)> {
        match self {
            Self::Caffe(error) => error.location(),
            Self::Onnx(_) | Self::WeightsTwice { .. } | Self::Kind { .. } => None,
        }
    }

    /// Text of the definition and the bytes in it that the error is about.
    pub fn source_span(&self) -> Option<(Arc<str>, Range<usize>)> {
        match self {
            Self::Caffe(error) => error.source_span(),
            Self::Onnx(_) | Self::WeightsTwice { .. } | Self::Kind { .. } => None,
        }
    }

    /// The message without file name and place, to stand beside a picture of the place.
    pub fn detail(&self) -> String {
        match self {
            Self::Caffe(error) => error.detail(),
            Self::Onnx(_) | Self::WeightsTwice { .. } | Self::Kind { .. } => self.to_string(),
        }
    }
}

/// Refuses a file whose extension tells another kind than `expected`.
fn check_kind(path: &Path, expected: &'static str, refused: &[(&str, &'static str)]) -> Result<(), Error> {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match refused.iter().find(|(known, _)| known.eq_ignore_ascii_case(extension)) {
        Some(&(_, found)) => Err(Error::Kind { path: path.to_owned(), found, expected }),
        None => Ok(()),
    }
}

/// The first byte of every ONNX model: the field that holds the version of the format. No text starts with it, and no weight
/// file of Caffe.
const ONNX_START: u8 = 0x08;

/// Whether the file `path` is an ONNX model: by its extension, or, where that says nothing, by its first byte.
fn is_onnx(path: &Path) -> bool {
    let is = |known| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(known));
    if is("onnx") || is("prototxt") || is("caffemodel") {
        return is("onnx");
    }
    // Whoever opens it next reports what cannot be read; opening a pipe would wait for its writer.
    let mut first = [0];
    path.is_file()
        && File::open(path).is_ok_and(|mut file| file.read_exact(&mut first).is_ok())
        && first == [ONNX_START]
}

/// Reads the network in the file `path`. From a Caffe definition (prototxt): the graph with all extents, without values of
/// weights and biases. From an ONNX model: with the values.
///
/// # Errors
///
/// A file of an unsupported kind; everything that [`caffe::read_definition`] and [`onnx::read_definition`] refuse.
pub fn read_definition(path: &Path) -> Result<Network, Error> {
    if is_onnx(path) {
        return Ok(onnx::read_definition(path)?);
    }
    let refused = [("caffemodel", "a weight file (caffemodel)")];
    check_kind(path, "a network definition (prototxt or onnx)", &refused)?;
    Ok(caffe::read_definition(path)?)
}

/// Loads weights and biases into `network` from the file `path`, and returns what was left out, as notes for the user.
///
/// # Errors
///
/// A network that has its values; a file of an unsupported kind; everything that [`caffe::load_weights`] refuses. The network
/// is then unchanged.
pub fn load_weights(network: &mut Network, path: &Path) -> Result<Vec<String>, Error> {
    let parameters = network.layers.iter().flat_map(|layer| [&layer.weight, &layer.bias]).flatten();
    if parameters.into_iter().any(|parameter| parameter.values.is_some()) {
        return Err(Error::WeightsTwice { path: path.to_owned() });
    }
    let refused = [
        ("onnx", "an ONNX model, which is a definition with its weights"),
        ("prototxt", "a network definition (prototxt)"),
    ];
    check_kind(path, "a weight file (caffemodel)", &refused)?;
    Ok(caffe::load_weights(network, path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_another_kind_are_refused_by_name() {
        let shown = |path: &str| read_definition(Path::new(path)).unwrap_err().to_string();
        assert_eq!(
            shown("net.caffemodel"),
            "net.caffemodel: found a weight file (caffemodel), expected a network definition (prototxt or onnx)"
        );
        for missing in ["no/such/net.prototxt", "no/such/net.ONNX", "no/such/net"] {
            let message = shown(missing);
            assert!(message.starts_with(&format!("{missing}: cannot be read")), "{message}");
        }
        let mut network = Network {
            name: String::new(),
            blobs: vec![],
            layers: vec![],
            notes: vec![],
            normalisations: std::collections::BTreeMap::new(),
        };
        let weights = load_weights(&mut network, Path::new("net.onnx")).unwrap_err().to_string();
        assert!(weights.starts_with("net.onnx: found an ONNX model, which is a definition"), "{weights}");
    }

    /// An ONNX model without a graph, under several names.
    #[test]
    fn models_are_known_by_extension_or_first_byte() {
        let folder = tempfile::tempdir().unwrap();
        let read = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            read_definition(&path).unwrap_err()
        };
        let model = [ONNX_START, 7];
        assert!(matches!(read("net.onnx", &model), Error::Onnx(_)));
        assert!(matches!(read("net.onnx", b"name: 'text'"), Error::Onnx(onnx::Error::Damaged { .. })));
        assert!(matches!(read("net", &model), Error::Onnx(_)));
        assert!(matches!(read("net.pb", &model), Error::Onnx(_)));
        assert!(matches!(read("net.prototxt", &model), Error::Caffe(_)));
        assert!(matches!(read("net", b"name: 'text'"), Error::Caffe(_)));
        assert!(matches!(read("net", b""), Error::Caffe(_)));
        let folder = read_definition(folder.path()).unwrap_err();
        assert!(matches!(
            folder,
            Error::Caffe(caffe::Error::File(crate::network::FileError::NotAFile { .. }))
        ));
    }
}
