//! What describes a data set: files, geometry, preprocessing.

use serde::Serialize;

/// A data set: its files and how stored values become network inputs. `F` names a file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Source<F> {
    /// Kind and files.
    #[serde(flatten)]
    pub files: Files<F>,
    /// Height and width of the centre of each image that is the network input; `None`: the whole image. Of an odd rest
    /// the larger part is cut off below and on the right, as Caffe does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crop: Option<[usize; 2]>,
    /// How a stored value becomes a network input.
    #[serde(flatten)]
    pub preprocessing: Preprocessing<F>,
}

/// Files by kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Files<F> {
    /// MNIST idx files, plain or gzip.
    Mnist {
        /// Images.
        images: F,
        /// Labels.
        labels: F,
    },
    /// CIFAR-10, binary version, plain or gzip: the labels are in the same files.
    Cifar10 {
        /// Batches in order, at least one.
        images: Vec<F>,
    },
    /// JPEG and PNG pictures.
    Images {
        /// The folder of the pictures.
        images: F,
        /// Text file with one picture per line: its path, starting at the folder, and its label. Without labels the
        /// lines hold only paths. `None`: all pictures directly in the folder, by name, without labels.
        #[serde(skip_serializing_if = "Option::is_none")]
        labels: Option<F>,
        /// Channels of the network input.
        channel_order: ChannelOrder,
        /// Size before the crop; `None`: as stored.
        #[serde(skip_serializing_if = "Option::is_none")]
        resize: Option<Resize>,
    },
    /// `.npy` files.
    Npy {
        /// uint8 or float32 tensor: images x channels x height x width.
        images: F,
        /// Integers, one per image.
        #[serde(skip_serializing_if = "Option::is_none")]
        labels: Option<F>,
    },
}

impl<F> Files<F> {
    /// The file or folder that holds the images; of several files the first.
    pub fn images(&self) -> Option<&F> {
        match self {
            Self::Cifar10 { images } => images.first(),
            Self::Mnist { images, .. } | Self::Images { images, .. } | Self::Npy { images, .. } => {
                Some(images)
            }
        }
    }
}

/// Channels of the network input made from a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelOrder {
    /// Red, green, blue.
    #[default]
    Rgb,
    /// Blue, green, red: Caffe's networks on pictures.
    Bgr,
    /// One channel: 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), in OpenCV's 15-bit fixed point.
    Grey,
}

/// Size that a picture is brought to, by OpenCV's bilinear interpolation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Resize {
    /// Length of the shorter side; the aspect ratio is kept, the longer side rounded down.
    Shorter(usize),
    /// Height and width.
    Exact([usize; 2]),
}

/// How a stored value becomes a network input: value = (x·scale - mean) / std, in binary32, in this order.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Preprocessing<F> {
    /// Factor.
    pub scale: f32,
    /// Subtracted.
    pub mean: Mean<F>,
    /// Divisor: one number, or one per channel; never 0.
    pub std: Vec<f32>,
}

/// What is subtracted from the scaled values.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Mean<F> {
    /// One number, or one per channel.
    Numbers(Vec<f32>),
    /// A mean image, `.binaryproto` (Caffe) or `.npy`, its channels in the order of the network input. Of one larger than
    /// the network input the centre counts.
    Image(F),
}

impl<F> Default for Preprocessing<F> {
    /// Values as stored.
    fn default() -> Self {
        Self { scale: 1.0, mean: Mean::Numbers(vec![0.0]), std: vec![1.0] }
    }
}
