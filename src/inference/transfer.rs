//! Values between activations, which callers hold, and the buffers of a pass.

use super::activations::{Activations, Values, canonical};
use super::layout::{Layout, Order};
use super::{Arrangement, LANES};

/// Whether a pass can read given activations where they are: their blocks lie as `layout` says.
pub(super) fn is_read_in_place(values: &Values, layout: &Layout) -> bool {
    matches!(values, Values::Interleaved(_)) && layout.order == Order::Images && layout.is_plain()
}

/// Fills a block with the images from `first` on, lanes without an image with zeros: what they held could be subnormal
/// numbers, which are slow.
pub(super) fn load(given: &Activations, first: usize, layout: &Layout, block: &mut [f32]) {
    layout.clear_border(block);
    let elements = layout.shape.elements();
    match (given.values(), layout.order) {
        (Values::Interleaved(vectors), Order::Images) => {
            let vectors = &vectors[first / LANES * elements..][..elements];
            copy_rows(bytemuck::cast_slice(vectors), layout, block);
        }
        (Values::Planar(values), Order::Planar) => {
            copy_rows(&values[first * elements..][..elements], layout, block);
        }
        (Values::Planar(values), Order::Images) => {
            if given.images() - first < LANES {
                block.fill(0.0);
            }
            let images = values[first * elements..].chunks_exact(elements).take(LANES);
            for (image, values) in images.enumerate() {
                spread_rows(values, layout, &mut block[image..]);
            }
        }
        (Values::Planar(values), Order::Channels) => {
            spread_rows(&values[first * elements..][..elements], layout, block);
        }
        (Values::Interleaved(_), Order::Channels | Order::Planar) => {
            for (value, place) in given.image(first).zip(layout.elements()) {
                block[place] = value;
            }
        }
    }
}

fn copy_rows(values: &[f32], layout: &Layout, block: &mut [f32]) {
    for (row, start) in values.chunks_exact(layout.row_values()).zip(layout.row_starts()) {
        block[start..start + row.len()].copy_from_slice(row);
    }
}

/// Puts the rows of one image into their lanes.
fn spread_rows(values: &[f32], layout: &Layout, block: &mut [f32]) {
    let shape = layout.shape;
    for (index, source) in values.chunks_exact(shape.width).enumerate() {
        let start = layout.element(index / shape.height, index % shape.height, 0);
        for (to, &value) in block[start..].iter_mut().step_by(LANES).zip(source) {
            *to = value;
        }
    }
}

/// Copies a block to its part of activations of an engine of `arrangement`. Every NaN becomes the canonical one.
pub(super) fn emit(block: &[f32], layout: &Layout, arrangement: Arrangement, result: &mut [f32]) {
    match arrangement {
        Arrangement::Images => {
            for (row, start) in result.chunks_exact_mut(layout.row_values()).zip(layout.row_starts()) {
                for (to, &from) in row.iter_mut().zip(&block[start..]) {
                    *to = canonical(from);
                }
            }
        }
        Arrangement::Channels => {
            let width = layout.shape.width;
            for (index, row) in result.chunks_exact_mut(width).enumerate() {
                let start = layout.element(index / layout.shape.height, index % layout.shape.height, 0);
                for (to, &from) in row.iter_mut().zip(block[start..].iter().step_by(layout.step())) {
                    *to = canonical(from);
                }
            }
        }
    }
}
