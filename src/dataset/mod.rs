//! Labelled images: MNIST idx files, plain or gzip.

mod idx;

use crate::network::Shape;
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Kinds of data sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// MNIST idx files: one of images, one of labels.
    Mnist,
}

/// Why a data set cannot be read.
#[derive(Debug, Error)]
pub enum Error {
    /// The operating system refused.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The content is not that of an idx file.
    #[error("`{path}` is no valid idx file: {problem}")]
    Malformed {
        /// The file.
        path: PathBuf,
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
}

/// Images as they are stored, with their labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// Extent of one image.
    pub shape: Shape,
    /// Stored values, image by image, channel, row, column.
    pub pixels: Vec<u8>,
    /// Class of each image.
    pub labels: Vec<u16>,
}

/// How a stored value becomes a network input: value = (x·scale - mean) / std, in binary32, in this order.
#[derive(Clone, Debug, PartialEq)]
pub struct Preprocessing {
    /// Factor.
    pub scale: f32,
    /// Subtracted: one number, or one per channel.
    pub mean: Vec<f32>,
    /// Divisor: one number, or one per channel.
    pub std: Vec<f32>,
}

impl Dataset {
    /// Reads the data set of `kind` from its image and label file.
    ///
    /// # Errors
    /// If a file cannot be read, is truncated or malformed, or the counts differ.
    pub fn read(kind: Kind, images: &Path, labels: &Path) -> Result<Self, Error> {
        match kind {
            Kind::Mnist => Self::read_mnist(images, labels),
        }
    }

    fn read_mnist(images_path: &Path, labels_path: &Path) -> Result<Self, Error> {
        let images = idx::read(images_path, 3)?;
        let labels = idx::read(labels_path, 1)?;
        if images.dims[0] != labels.dims[0] {
            return Err(Error::Count {
                images_path: images_path.to_owned(),
                images: images.dims[0],
                labels_path: labels_path.to_owned(),
                labels: labels.dims[0],
            });
        }
        Ok(Self {
            shape: Shape::new(1, images.dims[1], images.dims[2]),
            pixels: images.values,
            labels: labels.values.into_iter().map(u16::from).collect(),
        })
    }

    /// Number of images.
    pub fn images(&self) -> usize {
        self.labels.len()
    }

    /// The network inputs of the first `images` images (all, if there are fewer): image by image, channel, row, column.
    ///
    /// # Errors
    /// If `mean` or `std` holds neither one number nor one per channel.
    pub fn inputs(&self, preprocessing: &Preprocessing, images: usize) -> Result<Vec<f32>, Error> {
        let channels = self.shape.channels;
        for (key, values) in [("dataset.mean", &preprocessing.mean), ("dataset.std", &preprocessing.std)] {
            if values.len() != 1 && values.len() != channels {
                return Err(Error::Channels { key, found: values.len(), channels });
            }
        }
        let plane = self.shape.height * self.shape.width;
        let wanted = images.min(self.images()) * self.shape.elements();
        let mut inputs = vec![0.0; wanted];
        let planes = inputs.par_chunks_mut(plane).zip(self.pixels[..wanted].par_chunks(plane)).enumerate();
        planes.for_each(|(index, (inputs, pixels))| {
            let channel = index % channels;
            let mean = preprocessing.mean[channel.min(preprocessing.mean.len() - 1)];
            let std = preprocessing.std[channel.min(preprocessing.std.len() - 1)];
            for (input, &pixel) in inputs.iter_mut().zip(pixels) {
                *input = (f32::from(pixel) * preprocessing.scale - mean) / std;
            }
        });
        Ok(inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embedded() -> Dataset {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mnist");
        let images = folder.join("t10k-images-idx3-ubyte.gz");
        Dataset::read(Kind::Mnist, &images, &folder.join("t10k-labels-idx1-ubyte.gz")).unwrap()
    }

    #[test]
    fn the_embedded_test_set_is_complete() {
        let dataset = embedded();
        assert_eq!((dataset.images(), dataset.shape), (10_000, Shape::new(1, 28, 28)));
        assert_eq!(&dataset.labels[..5], &[7, 2, 1, 0, 4]);
        // Digits per class, as published with the data set.
        let mut counts = [0; 10];
        dataset.labels.iter().for_each(|&label| counts[usize::from(label)] += 1);
        assert_eq!(counts, [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
    }

    #[test]
    fn preprocessing_is_scale_then_mean_then_std() {
        let dataset =
            Dataset { shape: Shape::new(2, 1, 1), pixels: vec![0, 255, 128, 64], labels: vec![0, 1] };
        let preprocessing = Preprocessing { scale: 1.0 / 256.0, mean: vec![0.5, 0.25], std: vec![2.0] };
        let inputs = dataset.inputs(&preprocessing, 10).unwrap();
        assert_eq!(inputs, [-0.25, (255.0 / 256.0 - 0.25) / 2.0, 0.0, 0.0]);
        let wrong = Preprocessing { mean: vec![0.0; 3], ..preprocessing };
        assert!(matches!(dataset.inputs(&wrong, 1), Err(Error::Channels { found: 3, channels: 2, .. })));
    }

    #[test]
    fn labels_of_another_count_are_refused() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mnist");
        let labels = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(labels.path(), [0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]).unwrap();
        let error =
            Dataset::read(Kind::Mnist, &folder.join("t10k-images-idx3-ubyte.gz"), labels.path()).unwrap_err();
        assert!(matches!(error, Error::Count { images: 10_000, labels: 3, .. }));
    }
}
