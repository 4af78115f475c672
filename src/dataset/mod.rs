//! Evaluation images: MNIST idx files, CIFAR-10 batches, JPEG and PNG pictures, `.npy` tensors.
//!
//! A [`Dataset`] is opened from a [`Source`] and yields network inputs range by range, decoded in parallel: memory holds
//! the range asked for and, for MNIST and CIFAR-10, the images as stored (one byte per value). Pictures and tensors stay
//! on disk.

mod cifar10;
mod error;
mod file;
mod idx;
mod list;
mod npy;
mod picture;
mod preprocessing;
mod resize;
mod source;

#[cfg(test)]
mod picture_tests;
#[cfg(test)]
mod published_tests;
#[cfg(test)]
mod tests;

pub use error::{Error, Place};
pub use source::{ChannelOrder, Files, Mean, Preprocessing, Resize, Source};

use crate::network::Shape;
use list::List;
use ndarray::{ArrayView3, s};
use picture::{Picture, picture_size};
use preprocessing::{Normalisation, centre};
use rayon::prelude::*;
use std::fmt::Display;
use std::ops::Range;
use std::path::Path;

/// Images that can be read, with their labels.
#[derive(Debug)]
pub struct Dataset {
    /// Extent of one network input.
    shape: Shape,
    is_cropped: bool,
    labels: Option<Vec<u16>>,
    storage: Storage,
    normalisation: Normalisation,
}

/// Where the stored values are.
#[derive(Debug)]
enum Storage {
    /// In memory, image by image, each of extent `stored`.
    Bytes { pixels: Vec<u8>, stored: Shape, images: usize },
    /// In a file.
    Tensor(npy::Tensor),
    /// In a file each.
    Pictures { list: List, order: ChannelOrder, resize: Option<Resize> },
}

impl Dataset {
    /// Opens the data set that `source` describes. MNIST and CIFAR-10 files are read, headers and lengths of `.npy` files
    /// checked; of pictures the first one's header is read, and the others are looked for.
    ///
    /// # Errors
    /// If a file is missing, truncated or malformed, images and labels differ in number, or preprocessing does not fit
    /// the images.
    pub fn open<F: AsRef<Path>>(source: &Source<F>) -> Result<Self, Error> {
        let (storage, labels) = Storage::open(&source.files)?;
        let shape = storage.shape(source.crop)?;
        let normalisation = Normalisation::new(&source.preprocessing, shape)?;
        let is_cropped = source.crop.is_some();
        Ok(Self { shape, is_cropped, labels, storage, normalisation })
    }

    /// Number of images.
    pub fn images(&self) -> usize {
        match &self.storage {
            Storage::Bytes { images, .. } => *images,
            Storage::Tensor(tensor) => tensor.images,
            Storage::Pictures { list, .. } => list.len(),
        }
    }

    /// Extent of one network input, after channel order, resizing and crop.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Class of each image; `None` if the data set has no labels.
    pub fn labels(&self) -> Option<&[u16]> {
        self.labels.as_deref()
    }

    /// Which image that is, for messages: the picture and its line in the list, or its index from 0.
    pub fn place(&self, image: usize) -> impl Display + use<> {
        match &self.storage {
            Storage::Pictures { list, .. } if image < list.len() => list.place(image).to_string(),
            _ => format!("image {image}"),
        }
    }

    /// The network inputs of the images in `range`: image by image, channel, row, column. Decoded by the threads of the
    /// current rayon pool.
    ///
    /// # Errors
    /// [`Error::Range`] for images that are not there; the first image in the range that cannot be read or decoded or is
    /// of another size.
    pub fn inputs(&self, range: Range<usize>) -> Result<Vec<f32>, Error> {
        if range.start > range.end || range.end > self.images() {
            return Err(Error::Range { range, images: self.images() });
        }
        let elements = self.shape.elements();
        let mut inputs = vec![0.0; range.len() * elements];
        if elements == 0 {
            return Ok(inputs);
        }
        let images = inputs.par_chunks_exact_mut(elements).zip(range);
        match images.find_map_first(|(inputs, image)| self.input(image, inputs).err()) {
            Some(error) => Err(error),
            None => Ok(inputs),
        }
    }

    fn input(&self, image: usize, inputs: &mut [f32]) -> Result<(), Error> {
        match &self.storage {
            Storage::Bytes { pixels, stored, .. } => {
                let pixels = &pixels[image * stored.elements()..][..stored.elements()];
                self.normalise(&planes(*stored, pixels), inputs);
            }
            Storage::Tensor(tensor) => match tensor.image(image)? {
                npy::Values::Bytes(values) => self.normalise(&planes(tensor.shape, &values), inputs),
                npy::Values::Floats(values) => self.normalise(&planes(tensor.shape, &values), inputs),
            },
            Storage::Pictures { list, order, resize } => {
                let refused = |problem| Error::Picture { place: list.place(image), problem };
                let picture = Picture::read(&list.path(image), *order, *resize).map_err(refused)?;
                self.check_size(picture.size).map_err(refused)?;
                self.normalise(&picture.planes(), inputs);
            }
        }
        Ok(())
    }

    /// Refuses a picture that has no centre to take: with a crop it must be large enough, else of the one size.
    fn check_size(&self, size: [usize; 2]) -> Result<(), String> {
        let wanted @ [height, width] = [self.shape.height, self.shape.width];
        let found = format!("it is {}x{} (height x width)", size[0], size[1]);
        if self.is_cropped && centre(size, wanted).is_none() {
            return Err(format!("{found}, smaller than the crop of {height}x{width}"));
        }
        if !self.is_cropped && size != wanted {
            return Err(format!(
                "{found}, expected {height}x{width} as the first picture: set `dataset.crop`, or both sides in `dataset.resize`"
            ));
        }
        Ok(())
    }

    /// Normalises the centre of an image.
    fn normalise<T: Copy + Into<f32>>(&self, stored: &ArrayView3<'_, T>, inputs: &mut [f32]) {
        let (_, height, width) = stored.dim();
        let Shape { height: rows, width: columns, .. } = self.shape;
        let [top, left] = centre([height, width], [rows, columns]).expect("the size was checked");
        let cut = stored.slice(s![.., top..top + rows, left..left + columns]);
        self.normalisation.apply(&cut, inputs);
    }
}

impl Storage {
    /// Opens the files; yields the labels beside.
    fn open<F: AsRef<Path>>(files: &Files<F>) -> Result<(Self, Option<Vec<u16>>), Error> {
        match files {
            Files::Mnist { images, labels } => {
                let (images_path, labels_path) = (images.as_ref(), labels.as_ref());
                let images = idx::read(images_path, 3)?;
                let labels = idx::read(labels_path, 1)?;
                check_count(images_path, images.dims[0], labels_path, labels.dims[0])?;
                let stored = Shape::new(1, images.dims[1], images.dims[2]);
                let labels = labels.values.into_iter().map(u16::from).collect();
                Ok((Self::Bytes { pixels: images.values, stored, images: images.dims[0] }, Some(labels)))
            }
            Files::Cifar10 { images } => {
                let mut records = cifar10::Records::default();
                images.iter().try_for_each(|file| records.read(file.as_ref()))?;
                let cifar10::Records { pixels, labels } = records;
                let images = labels.len();
                Ok((Self::Bytes { pixels, stored: cifar10::SHAPE, images }, Some(labels)))
            }
            Files::Images { images, labels, channel_order, resize } => {
                let mut list = match labels {
                    Some(labels) => List::read(images.as_ref(), labels.as_ref())?,
                    None => List::of_folder(images.as_ref())?,
                };
                list.check_files()?;
                let labels = list.labels.take();
                Ok((Self::Pictures { list, order: *channel_order, resize: *resize }, labels))
            }
            Files::Npy { images, labels } => {
                let tensor = npy::Tensor::open(images.as_ref())?;
                let labels_path = labels.as_ref().map(AsRef::as_ref);
                let labels = labels_path.map(npy::read_labels).transpose()?;
                if let (Some(path), Some(labels)) = (labels_path, &labels) {
                    check_count(images.as_ref(), tensor.images, path, labels.len())?;
                }
                Ok((Self::Tensor(tensor), labels))
            }
        }
    }

    /// Extent of the network inputs with this crop.
    fn shape(&self, crop: Option<[usize; 2]>) -> Result<Shape, Error> {
        let stored = match self {
            Self::Bytes { stored, .. } => *stored,
            Self::Tensor(tensor) => tensor.shape,
            Self::Pictures { list, order, resize } => {
                let [height, width] = match (*resize, crop) {
                    (Some(Resize::Exact(size)), _) => size,
                    // Every picture is compared with it when it is decoded.
                    (_, Some(crop)) => crop,
                    (resize, None) => picture_size(&list.path(0), resize)
                        .map_err(|problem| Error::Picture { place: list.place(0), problem })?,
                };
                Shape::new(if *order == ChannelOrder::Grey { 1 } else { 3 }, height, width)
            }
        };
        match crop {
            Some(crop) if centre([stored.height, stored.width], crop).is_none() => {
                Err(Error::Crop { crop, images: stored })
            }
            Some([height, width]) => Ok(Shape::new(stored.channels, height, width)),
            None => Ok(stored),
        }
    }
}

/// The stored values of one image by channel, row, column.
fn planes<T>(stored: Shape, values: &[T]) -> ArrayView3<'_, T> {
    ArrayView3::from_shape((stored.channels, stored.height, stored.width), values)
        .expect("storage yields as many values as an image has")
}

fn check_count(images_path: &Path, images: usize, labels_path: &Path, labels: usize) -> Result<(), Error> {
    if images == labels {
        return Ok(());
    }
    let (images_path, labels_path) = (images_path.to_owned(), labels_path.to_owned());
    Err(Error::Count { images_path, images, labels_path, labels })
}
