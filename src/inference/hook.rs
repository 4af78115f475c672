//! The operand hook: how stored words get between two layers.

use super::activations::canonical;
use super::layout::Layout;
use super::{LANES, Lanes};
use crate::network::{BlobId, Shape};

/// Stands between a blob's producer and its readers: whatever it leaves in the block is what the readers read.
pub trait OperandHook: Sync {
    /// Whether [`Self::store`] is to be called for this blob. Asked once per pass.
    fn stores(&self, blob: BlobId) -> bool;

    /// Called once for each block of sixteen images of a stored blob, when the block is complete (fused ReLU included) and
    /// before anything reads it; `first_image` is the image in lane 0. Calls come from several threads in any order, so
    /// an implementation must not draw from a shared stream.
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

/// Sixteen images of one blob, as a hook sees them: without the padding around the rows. Every NaN is canonical.
pub struct OperandBlock<'a> {
    vectors: &'a mut [Lanes],
    layout: Layout,
    images: usize,
}

impl<'a> OperandBlock<'a> {
    pub(super) fn new(vectors: &'a mut [Lanes], layout: Layout, images: usize) -> Self {
        let mut block = Self { vectors, layout, images };
        block.for_each_row(|_, row| {
            for value in row {
                *value = canonical(*value);
            }
        });
        block
    }

    /// Shape of one image.
    pub fn shape(&self) -> Shape {
        self.layout.shape
    }

    /// Lanes that hold an image, 1..=[`LANES`]: the first ones. The others may be changed, nobody reads them.
    pub fn images(&self) -> usize {
        self.images
    }

    /// Calls `change` for each row: with the index of its first element in the order channel, row, column, and with its
    /// values, [`LANES`] of one element after those of the one before.
    pub fn for_each_row(&mut self, mut change: impl FnMut(usize, &mut [f32])) {
        let width = self.layout.shape.width;
        for (row, start) in self.layout.row_starts().enumerate() {
            change(row * width, bytemuck::cast_slice_mut(&mut self.vectors[start..start + width]));
        }
    }

    /// One value; `element` counts in the order channel, row, column.
    ///
    /// # Panics
    /// If there is no such element or lane.
    pub fn get(&self, element: usize, lane: usize) -> f32 {
        self.vectors[self.place(element)].0[lane]
    }

    /// Changes one value; `element` counts in the order channel, row, column.
    ///
    /// # Panics
    /// If there is no such element or lane.
    pub fn set(&mut self, element: usize, lane: usize, value: f32) {
        let place = self.place(element);
        self.vectors[place].0[lane] = value;
    }

    fn place(&self, element: usize) -> usize {
        let shape = self.layout.shape;
        assert!(element < shape.elements(), "element {element} of {shape}");
        let (row, column) = (element / shape.width, element % shape.width);
        self.layout.at(row / shape.height, row % shape.height, column)
    }
}

// A vector has as many lanes as a block has images: a row of `width` vectors casts to `width * LANES` values.
const _: () = assert!(size_of::<Lanes>() == LANES * size_of::<f32>());
