//! The operand hook: how stored words get between two layers.

use super::activations::canonical;
use super::layout::Layout;
use crate::network::{BlobId, Shape};

/// Stands between a blob's producer and its readers: whatever it leaves in the block is what the readers read.
pub trait OperandHook: Sync {
    /// Whether [`Self::store`] is to be called for this blob. Asked once per pass.
    fn stores(&self, blob: BlobId) -> bool;

    /// Called once for each block of images of a stored blob (one image or sixteen, as the engine is arranged), when the
    /// block is complete (fused ReLU included) and before anything reads it; `first_image` is the block's first. Calls come
    /// from several threads in any order, so an implementation must not draw from a shared stream.
    fn store(&self, blob: BlobId, first_image: usize, operand: &mut OperandBlock<'_>);
}

/// No hook: values pass between layers as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoHook;

impl OperandHook for NoHook {
    fn stores(&self, _: BlobId) -> bool {
        false
    }

    fn store(&self, _: BlobId, _: usize, _: &mut OperandBlock<'_>) {}
}

/// One image of a blob, or sixteen, as a hook sees them: without the padding around the rows. Every NaN is canonical.
pub struct OperandBlock<'a> {
    values: &'a mut [f32],
    layout: Layout,
    images: usize,
}

impl<'a> OperandBlock<'a> {
    pub(super) fn new(values: &'a mut [f32], layout: Layout, images: usize) -> Self {
        let mut block = Self { values, layout, images };
        block.change_all(|values| {
            for value in values {
                *value = canonical(*value);
            }
        });
        block
    }

    /// Shape of one image.
    pub fn shape(&self) -> Shape {
        self.layout.shape
    }

    /// Number of images, 1..=[`super::LANES`].
    pub fn images(&self) -> usize {
        self.images
    }

    /// Calls `change` for slices that hold every value of every image once, in no particular order, and other values that
    /// may be changed but that nobody reads.
    pub fn change_all(&mut self, mut change: impl FnMut(&mut [f32])) {
        let length = self.layout.row_values();
        for start in self.layout.row_starts() {
            change(&mut self.values[start..start + length]);
        }
    }

    /// Calls `read` for every value of every image, in no particular order.
    pub fn for_each(&self, mut read: impl FnMut(f32)) {
        for place in self.layout.elements() {
            self.values[place..place + self.images].iter().copied().for_each(&mut read);
        }
    }

    /// One value; `element` counts in the order channel, row, column, `image` from the block's first.
    ///
    /// # Panics
    /// If there is no such element or image.
    pub fn get(&self, element: usize, image: usize) -> f32 {
        self.values[self.place(element, image)]
    }

    /// Changes one value; `element` counts in the order channel, row, column, `image` from the block's first.
    ///
    /// # Panics
    /// If there is no such element or image.
    pub fn set(&mut self, element: usize, image: usize, value: f32) {
        let place = self.place(element, image);
        self.values[place] = value;
    }

    fn place(&self, element: usize, image: usize) -> usize {
        let shape = self.layout.shape;
        assert!(element < shape.elements(), "element {element} of {shape}");
        assert!(image < self.images, "image {image} of {}", self.images);
        let (row, column) = (element / shape.width, element % shape.width);
        self.layout.element(row / shape.height, row % shape.height, column) + image
    }
}
