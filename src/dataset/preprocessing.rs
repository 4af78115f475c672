//! From stored values to network inputs.

use super::source::{Mean, Preprocessing};
use super::{Error, npy};
use crate::network::{Shape, caffe};
use ndarray::{Array3, ArrayD, ArrayView3, Ix3, s};
use std::path::Path;

/// Preprocessing of images of one extent.
#[derive(Debug)]
pub(super) struct Normalisation {
    scale: f32,
    mean: Subtrahend,
    /// One per channel.
    std: Vec<f32>,
}

#[derive(Debug)]
enum Subtrahend {
    /// One per channel.
    Channels(Vec<f32>),
    /// One per value of an image.
    Image(Vec<f32>),
}

impl Normalisation {
    /// Prepares `preprocessing` for images of `shape`; reads the mean image if there is one.
    pub fn new<F: AsRef<Path>>(preprocessing: &Preprocessing<F>, shape: Shape) -> Result<Self, Error> {
        let mean = match &preprocessing.mean {
            Mean::Numbers(numbers) => {
                Subtrahend::Channels(per_channel("dataset.mean", numbers, shape.channels)?)
            }
            Mean::Image(file) => Subtrahend::Image(mean_image(file.as_ref(), shape)?),
        };
        let std = per_channel("dataset.std", &preprocessing.std, shape.channels)?;
        Ok(Self { scale: preprocessing.scale, mean, std })
    }

    /// Writes the network inputs of one image with the stored values `raw` (channel, row, column).
    pub fn apply<T: Copy + Into<f32>>(&self, raw: &ArrayView3<'_, T>, inputs: &mut [f32]) {
        let (_, height, width) = raw.dim();
        for (channel, plane) in raw.outer_iter().enumerate() {
            let std = self.std[channel];
            for (row, values) in plane.outer_iter().enumerate() {
                let at = (channel * height + row) * width;
                let inputs = inputs[at..][..width].iter_mut().zip(values);
                match &self.mean {
                    Subtrahend::Channels(means) => {
                        let mean = means[channel];
                        inputs.for_each(|(input, &x)| *input = (x.into() * self.scale - mean) / std);
                    }
                    Subtrahend::Image(means) => inputs
                        .zip(&means[at..])
                        .for_each(|((input, &x), mean)| *input = (x.into() * self.scale - mean) / std),
                }
            }
        }
    }
}

fn per_channel(key: &'static str, numbers: &[f32], channels: usize) -> Result<Vec<f32>, Error> {
    match numbers {
        [number] => Ok(vec![*number; channels]),
        numbers if numbers.len() == channels => Ok(numbers.to_vec()),
        numbers => Err(Error::Channels { key, found: numbers.len(), channels }),
    }
}

/// Row and column at which the centre of `size` starts in `whole`; `None` if it does not fit. The rest is halved, rounded
/// down, as in Caffe's `DataTransformer`.
pub(super) fn centre(whole: [usize; 2], size: [usize; 2]) -> Option<[usize; 2]> {
    Some([whole[0].checked_sub(size[0])? / 2, whole[1].checked_sub(size[1])? / 2])
}

/// The mean image in `path`, its centre cut out for images of `shape`.
fn mean_image(path: &Path, shape: Shape) -> Result<Vec<f32>, Error> {
    let is_npy = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy"));
    let image = if is_npy { npy_image(path)? } else { caffe::read_blob(path)? };
    let expected = "mean image";
    let malformed = |problem: String| Error::Malformed { path: path.to_owned(), expected, problem };
    let dims = image.shape().to_vec();
    let image = planes(image).ok_or_else(|| {
        malformed(format!("found extents {dims:?}, expected channels x height x width of one image"))
    })?;
    let (channels, height, width) = image.dim();
    let size = [shape.height, shape.width];
    let corner = centre([height, width], size).filter(|_| channels == shape.channels);
    let [top, left] = corner.ok_or_else(|| Error::MeanExtent {
        path: path.to_owned(),
        found: Shape::new(channels, height, width),
        expected: shape,
    })?;
    let cut = image.slice(s![.., top..top + shape.height, left..left + shape.width]);
    let means: Vec<f32> = cut.iter().copied().collect();
    match means.iter().position(|mean| !mean.is_finite()) {
        Some(at) => Err(malformed(format!("value {at} (of the centre, from 0) is {}", means[at]))),
        None => Ok(means),
    }
}

fn npy_image(path: &Path) -> Result<ArrayD<f32>, Error> {
    let (dims, values) = npy::read_floats(path)?;
    let shown = format!("{dims:?}");
    ArrayD::from_shape_vec(dims, values).map_err(|error| Error::Malformed {
        path: path.to_owned(),
        expected: "mean image",
        problem: format!("extents {shown}: {error}"),
    })
}

/// Channel, row, column of the one image in `image`; `None` for other extents.
fn planes(mut image: ArrayD<f32>) -> Option<Array3<f32>> {
    if image.ndim() == 4 && image.shape()[0] == 1 {
        image.index_axis_inplace(ndarray::Axis(0), 0);
    }
    image.into_dimensionality::<Ix3>().ok()
}
