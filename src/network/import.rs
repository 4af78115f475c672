//! Import by the kind of file.

use super::{Network, caffe};
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
            Self::Kind { .. } => None,
        }
    }

    /// Text of the definition and the bytes in it that the error is about.
    pub fn source_span(&self) -> Option<(Arc<str>, Range<usize>)> {
        match self {
            Self::Caffe(error) => error.source_span(),
            Self::Kind { .. } => None,
        }
    }

    /// The message without file name and place, to stand beside a picture of the place.
    pub fn detail(&self) -> String {
        match self {
            Self::Caffe(error) => error.detail(),
            Self::Kind { .. } => self.to_string(),
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

const ONNX: (&str, &str) = ("onnx", "an ONNX model, which is not supported");

/// Reads the network definition in the file `path`: the graph with all extents, without values of weights and biases.
///
/// # Errors
///
/// A file of an unsupported kind; everything that [`caffe::read_definition`] refuses.
pub fn read_definition(path: &Path) -> Result<Network, Error> {
    let refused = [ONNX, ("caffemodel", "a weight file (caffemodel)")];
    check_kind(path, "a network definition (prototxt)", &refused)?;
    Ok(caffe::read_definition(path)?)
}

/// Loads weights and biases into `network` from the file `path`, and returns what was left out, as notes for the user.
///
/// # Errors
///
/// A file of an unsupported kind; everything that [`caffe::load_weights`] refuses. The network is then unchanged.
pub fn load_weights(network: &mut Network, path: &Path) -> Result<Vec<String>, Error> {
    let refused = [ONNX, ("prototxt", "a network definition (prototxt)")];
    check_kind(path, "a weight file (caffemodel)", &refused)?;
    Ok(caffe::load_weights(network, path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_another_kind_are_refused_by_name() {
        let shown = |path: &str| read_definition(Path::new(path)).map_err(|error| error.to_string());
        assert_eq!(
            shown("a/net.ONNX"),
            Err("a/net.ONNX: found an ONNX model, which is not supported, expected a network definition (prototxt)"
                .to_owned())
        );
        assert!(matches!(read_definition(Path::new("net.caffemodel")), Err(Error::Kind { .. })));
        let missing = shown("no/such/net.prototxt").unwrap_err();
        assert!(missing.starts_with("no/such/net.prototxt: cannot be read"), "{missing}");
    }
}
