//! Values between activations, which callers hold, and the buffers of a pass.

use super::activations::{Activations, Values, canonical};
use super::layout::{Layout, Order};
use super::{Arrangement, LANES};
use crate::network::Shape;

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
            let images: Vec<_> = values[first * elements..].chunks_exact(elements).take(LANES).collect();
            spread_rows(layout, block, |_| images.len(), |lane, channel, row| (images[lane], channel, row));
        }
        (Values::Planar(values), Order::Channels) => {
            let image = &values[first * elements..][..elements];
            let lanes = |plane| LANES.min(layout.shape.channels - plane * LANES);
            spread_rows(layout, block, lanes, |lane, plane, row| (image, plane * LANES + lane, row));
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

/// Fills the first `lanes(plane)` lanes, row by row so that the vectors of a row stay in the cache: the values are those of
/// the image, channel and row that `source` says for a lane, plane and row.
fn spread_rows<'a>(
    layout: &Layout,
    block: &mut [f32],
    lanes: impl Fn(usize) -> usize,
    source: impl Fn(usize, usize, usize) -> (&'a [f32], usize, usize),
) {
    let Shape { height, width, .. } = layout.shape;
    for plane in 0..layout.planes() {
        for row in 0..height {
            let start = layout.at(plane, row, 0);
            for lane in 0..lanes(plane) {
                let (image, channel, row) = source(lane, plane, row);
                let values = &image[(channel * height + row) * width..][..width];
                for (to, &value) in block[start + lane..].iter_mut().step_by(LANES).zip(values) {
                    *to = value;
                }
            }
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
            let Shape { channels, height, width } = layout.shape;
            for row in 0..height {
                for channel in 0..channels {
                    let to = &mut result[(channel * height + row) * width..][..width];
                    let start = layout.element(channel, row, 0);
                    for (to, &from) in to.iter_mut().zip(block[start..].iter().step_by(layout.step())) {
                        *to = canonical(from);
                    }
                }
            }
        }
    }
}
