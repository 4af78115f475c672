//! What can be wrong with the files of a data set.

use crate::network::Shape;
use crate::network::caffe::BlobError;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

/// Why a data set cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("cannot read `{path}`")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The content is not that of a file of its kind.
    #[error("`{path}` is no valid {expected}: {problem}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What the file should be.
        expected: &'static str,
        /// What was found, and what was expected.
        problem: String,
    },
    /// Images and labels do not belong together.
    #[error("`{images_path}` holds {images} images, but `{labels_path}` holds {labels} labels")]
    Count {
        /// Image file.
        images_path: PathBuf,
        /// Number of images.
        images: usize,
        /// Label file.
        labels_path: PathBuf,
        /// Number of labels.
        labels: usize,
    },
    /// A folder or list of pictures without a picture.
    #[error("`{path}` names no picture: expected {expected}")]
    Empty {
        /// The folder or list.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
    /// A line of a list of pictures that says nothing usable.
    #[error("`{path}`, line {line}: {problem}")]
    Line {
        /// The list.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What was found, and what was expected.
        problem: String,
    },
    /// A picture that is missing, damaged, or of the wrong size.
    #[error("{place}: {problem}")]
    Picture {
        /// The picture, and where it is listed.
        place: Place,
        /// What was found, and what was expected.
        problem: String,
    },
    /// Per-channel preprocessing of the wrong length.
    #[error(
        "`{key}` holds {found} numbers, the images have {channels} channels: give one number or {channels}"
    )]
    Channels {
        /// Configuration key.
        key: &'static str,
        /// Numbers given.
        found: usize,
        /// Channels of the images.
        channels: usize,
    },
    /// A mean image that does not cover the network input.
    #[error(
        "the mean image `{path}` is {found}, expected as many channels as the images and at least their size, {expected}"
    )]
    MeanExtent {
        /// The file.
        path: PathBuf,
        /// Extent of the mean image.
        found: Shape,
        /// Extent of an image after `resize` and `crop`.
        expected: Shape,
    },
    /// A mean image of Caffe that cannot be read.
    #[error(transparent)]
    MeanBlob(#[from] BlobError),
    /// Images smaller than the crop.
    #[error("`dataset.crop` is {}x{}, larger than the images of {images}", crop[0], crop[1])]
    Crop {
        /// Height and width asked for.
        crop: [usize; 2],
        /// Extent of the images.
        images: Shape,
    },
    /// Images asked for that are not there.
    #[error("images {} to {} asked for, the data set has {images}", range.start, range.end)]
    Range {
        /// Images asked for.
        range: Range<usize>,
        /// Images of the data set.
        images: usize,
    },
}

/// A picture, and the line that lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The picture file.
    pub file: PathBuf,
    /// The list and the line in it, from 1; `None` where a folder is taken as it is.
    pub line: Option<(PathBuf, usize)>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((list, line)) = &self.line {
            write!(f, "`{}`, line {line}: ", list.display())?;
        }
        write!(f, "picture `{}`", self.file.display())
    }
}
