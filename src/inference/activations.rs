//! Activations of many images, sixteen side by side.

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

/// One blob of many images: `data[block][channel][row][column][lane]`, where a block holds [`LANES`] images. The lanes
/// of the last block beyond the last image start as zero images; what a pass leaves there means nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Activations {
    pub(super) shape: Shape,
    pub(super) images: usize,
    pub(super) data: Vec<Lanes>,
}

impl Activations {
    /// `images` images of zeros.
    pub fn zeros(shape: Shape, images: usize) -> Self {
        Self { shape, images, data: vec![Lanes::ZERO; images.div_ceil(LANES) * shape.elements()] }
    }

    /// Blocks the values of `images` images, given image after image in the order channel, row, column.
    ///
    /// # Errors
    /// [`Error::Length`] unless there are `images` x `shape` values.
    pub fn from_images(shape: Shape, images: usize, nchw: &[f32]) -> Result<Self, Error> {
        let elements = shape.channels.checked_mul(shape.height).and_then(|n| n.checked_mul(shape.width));
        if elements.and_then(|n| n.checked_mul(images)) != Some(nchw.len()) {
            return Err(Error::Length { images, shape, found: nchw.len() });
        }
        let mut blocked = Self::zeros(shape, images);
        blocked.set_images(0, nchw);
        Ok(blocked)
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
        for (image, values) in (first..).zip(nchw.chunks_exact(elements)) {
            let block = &mut self.data[image / LANES * elements..][..elements];
            for (vector, &value) in block.iter_mut().zip(values) {
                vector.0[image % LANES] = value;
            }
        }
    }

    /// Blocks an array of extents image, channel, row, column.
    pub fn from_array(array: &ArrayView4<'_, f32>) -> Self {
        let (images, channels, height, width) = array.dim();
        let mut blocked = Self::zeros(Shape::new(channels, height, width), images);
        for ((image, channel, row, column), &value) in array.indexed_iter() {
            blocked.set(image, (channel * height + row) * width + column, value);
        }
        blocked
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

    /// Number of blocks of [`LANES`] images.
    pub fn blocks(&self) -> usize {
        self.images.div_ceil(LANES)
    }

    /// The vectors of one block, in the order channel, row, column. Lane `l` is image `index * LANES + l`.
    ///
    /// # Panics
    /// If `index` is not below [`Self::blocks`].
    pub fn block(&self, index: usize) -> &[Lanes] {
        assert!(index < self.blocks(), "block {index} of {}", self.blocks());
        let elements = self.shape.elements();
        &self.data[index * elements..][..elements]
    }

    /// The values of one image, in the order channel, row, column.
    ///
    /// # Panics
    /// If there is no such image.
    pub fn image(&self, image: usize) -> impl Iterator<Item = f32> {
        assert!(image < self.images, "image {image} of {}", self.images);
        self.block(image / LANES).iter().map(move |vector| vector.0[image % LANES])
    }

    /// One value; `element` counts in the order channel, row, column.
    ///
    /// # Panics
    /// If there is no such image or element.
    pub fn get(&self, image: usize, element: usize) -> f32 {
        self.data[self.place(image, element)].0[image % LANES]
    }

    /// Changes one value; `element` counts in the order channel, row, column.
    ///
    /// # Panics
    /// If there is no such image or element.
    pub fn set(&mut self, image: usize, element: usize, value: f32) {
        let place = self.place(image, element);
        self.data[place].0[image % LANES] = value;
    }

    fn place(&self, image: usize, element: usize) -> usize {
        assert!(image < self.images, "image {image} of {}", self.images);
        assert!(element < self.shape.elements(), "element {element} of {}", self.shape);
        image / LANES * self.shape.elements() + element
    }
}
