//! Activations of many images.

use super::Error;
use crate::network::Shape;
use ndarray::{Array4, ArrayView4};

/// Images in one vector.
pub const LANES: usize = 16;

/// One element of sixteen images: a cache line, and one AVX-512 register.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub struct Lanes(pub [f32; LANES]);

impl Lanes {
    /// All zero.
    pub const ZERO: Self = Self([0.0; LANES]);
}

// SAFETY: sixteen f32 fill the 64 bytes of the type, and all-zero bytes are sixteen zeros.
unsafe impl bytemuck::Zeroable for Lanes {}
// SAFETY: C layout without padding bytes (16 x 4 = 64 = the alignment); every bit pattern is sixteen valid f32.
unsafe impl bytemuck::Pod for Lanes {}

/// `value`, or the canonical quiet NaN in place of any NaN.
pub(super) fn canonical(value: f32) -> f32 {
    if value.is_nan() { f32::from_bits(0x7fc0_0000) } else { value }
}

/// One blob of many images, in one of two arrangements. Engines read both; the one that [`super::Engine::zeros`] gives is
/// read without being rearranged. Equal are those with the same values of the same images, however arranged.
#[derive(Clone, Debug)]
pub struct Activations {
    shape: Shape,
    images: usize,
    values: Values,
}

/// The values of a blob.
#[derive(Clone, Debug)]
pub(super) enum Values {
    /// `[image][channel][row][column]`.
    Planar(Vec<f32>),
    /// `[block][channel][row][column][lane]`, where a block holds [`LANES`] images. What the lanes of the last block
    /// beyond the last image hold means nothing.
    Interleaved(Vec<Lanes>),
}

impl Values {
    /// All of them in their order.
    pub fn as_slice(&self) -> &[f32] {
        match self {
            Self::Planar(values) => values,
            Self::Interleaved(vectors) => bytemuck::cast_slice(vectors),
        }
    }

    fn as_mut_slice(&mut self) -> &mut [f32] {
        match self {
            Self::Planar(values) => values,
            Self::Interleaved(vectors) => bytemuck::cast_slice_mut(vectors),
        }
    }
}

impl PartialEq for Activations {
    fn eq(&self, other: &Self) -> bool {
        (self.shape, self.images) == (other.shape, other.images)
            && (0..self.images).all(|image| self.image(image).eq(other.image(image)))
    }
}

impl Activations {
    /// `images` images of zeros, image after image.
    pub fn zeros(shape: Shape, images: usize) -> Self {
        Self { shape, images, values: Values::Planar(vec![0.0; images * shape.elements()]) }
    }

    /// `images` images of zeros, sixteen side by side.
    pub(super) fn interleaved(shape: Shape, images: usize) -> Self {
        let vectors = vec![Lanes::ZERO; images.div_ceil(LANES) * shape.elements()];
        Self { shape, images, values: Values::Interleaved(vectors) }
    }

    /// The values of `images` images, given image after image in the order channel, row, column.
    ///
    /// # Errors
    /// [`Error::Length`] unless there are `images` x `shape` values.
    pub fn from_images(shape: Shape, images: usize, nchw: &[f32]) -> Result<Self, Error> {
        let elements = shape.channels.checked_mul(shape.height).and_then(|n| n.checked_mul(shape.width));
        if elements.and_then(|n| n.checked_mul(images)) != Some(nchw.len()) {
            return Err(Error::Length { images, shape, found: nchw.len() });
        }
        Ok(Self { shape, images, values: Values::Planar(nchw.to_vec()) })
    }

    /// Overwrites images from `first` on with values given image after image in the order channel, row, column.
    ///
    /// # Panics
    /// If `nchw` does not hold whole images or holds more than there are from `first` on.
    pub fn set_images(&mut self, first: usize, nchw: &[f32]) {
        let elements = self.shape.elements();
        if elements == 0 {
            return;
        }
        let count = nchw.len() / elements;
        assert!(nchw.len().is_multiple_of(elements), "{} values in images of {elements}", nchw.len());
        assert!(first + count <= self.images, "images {first} + {count} of {}", self.images);
        match &mut self.values {
            Values::Planar(values) => values[first * elements..][..nchw.len()].copy_from_slice(nchw),
            Values::Interleaved(vectors) => {
                for (image, values) in (first..).zip(nchw.chunks_exact(elements)) {
                    let block = &mut vectors[image / LANES * elements..][..elements];
                    for (vector, &value) in block.iter_mut().zip(values) {
                        vector.0[image % LANES] = value;
                    }
                }
            }
        }
    }

    /// Values of an array of extents image, channel, row, column.
    pub fn from_array(array: &ArrayView4<'_, f32>) -> Self {
        let (images, channels, height, width) = array.dim();
        let values = Values::Planar(array.iter().copied().collect());
        Self { shape: Shape::new(channels, height, width), images, values }
    }

    /// The values image after image, each in the order channel, row, column.
    pub fn to_images(&self) -> Vec<f32> {
        (0..self.images).flat_map(|image| self.image(image)).collect()
    }

    /// The values as an array of extents image, channel, row, column.
    pub fn to_array(&self) -> Array4<f32> {
        let Shape { channels, height, width } = self.shape;
        Array4::from_shape_fn((self.images, channels, height, width), |(image, channel, row, column)| {
            self.get(image, (channel * height + row) * width + column)
        })
    }

    /// Shape of one image.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Number of images.
    pub fn images(&self) -> usize {
        self.images
    }

    pub(super) fn values(&self) -> &Values {
        &self.values
    }

    /// All values in their order.
    pub(super) fn values_mut(&mut self) -> &mut [f32] {
        self.values.as_mut_slice()
    }

    /// Element `element` of images `first..first + LANES`; zero for those that there are not. `first` starts a block.
    pub(super) fn vector(&self, first: usize, element: usize) -> [f32; LANES] {
        let elements = self.shape.elements();
        match &self.values {
            Values::Interleaved(vectors) => vectors[first / LANES * elements + element].0,
            Values::Planar(values) => std::array::from_fn(|lane| {
                if first + lane < self.images { values[(first + lane) * elements + element] } else { 0.0 }
            }),
        }
    }

    /// The values of one image, in the order channel, row, column.
    ///
    /// # Panics
    /// If there is no such image.
    pub fn image(&self, image: usize) -> impl Iterator<Item = f32> {
        let (first, step) = self.place(image, 0);
        let values = &self.values.as_slice()[first..];
        values.iter().step_by(step).take(self.shape.elements()).copied()
    }

    /// One value; `element` counts in the order channel, row, column.
    ///
    /// # Panics
    /// If there is no such image or element.
    pub fn get(&self, image: usize, element: usize) -> f32 {
        assert!(element < self.shape.elements(), "element {element} of {}", self.shape);
        self.values.as_slice()[self.place(image, element).0]
    }

    /// Changes one value; `element` counts in the order channel, row, column.
    ///
    /// # Panics
    /// If there is no such image or element.
    pub fn set(&mut self, image: usize, element: usize, value: f32) {
        assert!(element < self.shape.elements(), "element {element} of {}", self.shape);
        let (place, _) = self.place(image, element);
        self.values.as_mut_slice()[place] = value;
    }

    /// Where a value lies, and how far behind it the next element's.
    fn place(&self, image: usize, element: usize) -> (usize, usize) {
        assert!(image < self.images, "image {image} of {}", self.images);
        let elements = self.shape.elements();
        match self.values {
            Values::Planar(_) => (image * elements + element, 1),
            Values::Interleaved(_) => ((image / LANES * elements + element) * LANES + image % LANES, LANES),
        }
    }
}
