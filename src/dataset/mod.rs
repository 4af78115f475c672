//! Labelled images: MNIST idx files, plain or gzip.

/// Kinds of data sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// MNIST idx files.
    Mnist,
}
