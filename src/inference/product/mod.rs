//! Convolution and fully connected layers as products of packed weights and inputs addressed through offset tables: the
//! columns of a convolution are its output pixels, those of a fully connected layer the blocks of a task.

mod channels;
mod images;
mod separate;

use super::LANES;
use super::kernel::{InstructionSet, channels::MOST_VECTORS, images::MOST_ROWS};
use super::layout::{Layout, Order};
use super::together::{Columns, Part};
use super::weights::{LayerWeights, Packing, Panels};
use crate::network::{Convolution, Shape};
use std::ops::Range;

/// Packed weights up to this size stay in the second-level cache while the columns pass by.
const RESIDENT_WEIGHTS_BYTES: usize = 512 << 10;

/// One convolution or fully connected layer.
#[derive(Debug)]
pub(super) struct Product {
    packing: Packing,
    addresses: Addresses,
    is_flat: bool,
}

/// Where the inputs lie, for each way to compute a product.
#[derive(Debug)]
enum Addresses {
    /// Vectors of images.
    Images(images::Addresses),
    /// Vectors of output channels that read the same inputs.
    Channels(channels::Addresses),
    /// Vectors of output channels of several groups, each of which reads inputs of its own.
    Separate(separate::Addresses),
}

/// Where the outputs of a product lie.
#[derive(Clone, Debug)]
pub(super) struct Outputs {
    layout: Layout,
    /// Per pixel the place of its first vector; for vectors of images.
    columns: Vec<u32>,
}

impl Outputs {
    /// The pixels of a blob.
    pub fn pixels(layout: &Layout) -> Self {
        let shape = layout.shape;
        let pixels =
            (0..shape.height).flat_map(|row| (0..shape.width).map(move |column| layout.at(0, row, column)));
        let columns = match layout.order {
            Order::Images => pixels.map(narrow).collect(),
            Order::Channels | Order::Planar => Vec::new(),
        };
        Self { layout: *layout, columns }
    }
}

/// A place as the tables hold it.
fn narrow(place: usize) -> u32 {
    u32::try_from(place)
        .expect("layouts are limited so that the blocks of a task hold fewer than 2^32 values")
}

/// The largest of the addresses.
fn largest(addresses: &[u32]) -> usize {
    addresses.iter().copied().max().unwrap_or(0) as usize
}

/// Inputs of the terms of `channels` of a convolution, from the input of the first term of channel 0.
fn window_offsets(convolution: &Convolution, input: &Layout, channels: Range<usize>) -> Vec<u32> {
    let window = convolution.window;
    let mut offsets = Vec::new();
    for channel in channels {
        for row in 0..window.kernel[0] {
            for column in 0..window.kernel[1] {
                let [row, column] = [row * window.dilation[0], column * window.dilation[1]];
                offsets.push(narrow(input.bordered(channel, row, column)));
            }
        }
    }
    offsets
}

/// Place of the first input of the output pixel at `row` and `column`.
fn first_input(convolution: &Convolution, input: &Layout, row: usize, column: usize) -> u32 {
    let window = convolution.window;
    let (top, left) = (input.top - window.pad[0], input.left - window.pad[1]);
    narrow(input.bordered(0, top + row * window.stride[0], left + column * window.stride[1]))
}

impl Product {
    /// A convolution from `input` (whose border holds the padding) to a blob of shape `output` in `order`.
    pub fn convolution(convolution: &Convolution, input: &Layout, output: Shape, order: Order) -> Self {
        let group_channels = input.shape.channels / convolution.groups;
        let group_outputs = convolution.outputs / convolution.groups;
        let depth = group_channels * convolution.window.kernel[0] * convolution.window.kernel[1];
        let packing = |panels| Packing { depth, groups: convolution.groups, group_outputs, panels };
        if order == Order::Images {
            let most = if output.height * output.width < 4 { MOST_ROWS } else { 6 };
            let addresses = images::Addresses::convolution(convolution, input, output);
            return Self {
                packing: packing(Panels::even(group_outputs, most)),
                addresses: Addresses::Images(addresses),
                is_flat: false,
            };
        }
        if convolution.groups == 1 || group_outputs.is_multiple_of(LANES) {
            let addresses = channels::Addresses::convolution(convolution, input, output);
            return Self {
                packing: packing(Panels::vectors(group_outputs, MOST_VECTORS)),
                addresses: Addresses::Channels(addresses),
                is_flat: false,
            };
        }
        let outputs = convolution.outputs;
        let addresses = separate::Addresses::convolution(convolution, input, output);
        Self {
            packing: Packing {
                depth,
                groups: 1,
                group_outputs: outputs,
                panels: Panels::vectors(outputs, 1),
            },
            addresses: Addresses::Separate(addresses),
            is_flat: false,
        }
    }

    /// A fully connected layer of `outputs` outputs in `order`.
    pub fn inner_product(outputs: usize, input: &Layout, order: Order) -> Self {
        let offsets: Vec<u32> = input.elements().map(narrow).collect();
        let depth = offsets.len();
        let (panels, addresses) = match order {
            Order::Images => {
                let addresses = images::Addresses::inner_product(offsets);
                (Panels::even(outputs, MOST_ROWS), Addresses::Images(addresses))
            }
            Order::Channels | Order::Planar => {
                let addresses = channels::Addresses::inner_product(offsets);
                (Panels::vectors(outputs, MOST_VECTORS), Addresses::Channels(addresses))
            }
        };
        let packing = Packing { depth, groups: 1, group_outputs: outputs, panels };
        Self { packing, addresses, is_flat: true }
    }

    /// Whether the columns are blocks instead of pixels.
    pub fn is_flat(&self) -> bool {
        self.is_flat
    }

    /// How its weight is packed.
    pub fn packing(&self) -> Packing {
        self.packing
    }

    /// Whether a pooling may ask for the output row by row: the weights are read anew for each of its rows.
    pub fn yields_rows(&self) -> bool {
        match self.addresses {
            Addresses::Images(_) => true,
            Addresses::Channels(_) | Addresses::Separate(_) => {
                self.packing.words() * size_of::<f32>() <= RESIDENT_WEIGHTS_BYTES
            }
        }
    }
}

/// A product with the weights that it is computed with.
pub(super) struct Weighted<'a> {
    pub product: &'a Product,
    pub weights: &'a LayerWeights,
    pub set: InstructionSet,
    /// Whether negative outputs become 0.
    pub relu: bool,
}

impl Weighted<'_> {
    /// Computes output rows `rows` of one block of a convolution.
    pub fn rows(&self, rows: Range<usize>, input: &[f32], outputs: &Outputs, output: &mut [f32]) {
        match &self.product.addresses {
            Addresses::Images(addresses) => self.image_rows(addresses, rows, input, outputs, output),
            Addresses::Channels(addresses) => {
                self.channel_rows(addresses, rows, input, (output, &outputs.layout));
            }
            Addresses::Separate(addresses) => {
                self.separate_rows(addresses, rows, input, (output, &outputs.layout));
            }
        }
    }

    /// Computes `blocks` blocks of a fully connected layer; those of the input lie `input_stride` values apart.
    pub fn blocks(&self, blocks: usize, input: (&[f32], usize), output: (&mut [f32], &Layout)) {
        match &self.product.addresses {
            Addresses::Images(addresses) => self.image_blocks(addresses, blocks, input, output),
            Addresses::Channels(addresses) => self.channel_blocks(addresses, blocks, input, output),
            Addresses::Separate(_) => unreachable!("a fully connected layer has no groups"),
        }
    }

    /// Computes panels `panels` of a fully connected layer of channels in the lanes, for the blocks of all `columns`.
    pub fn panels(&self, panels: Range<usize>, columns: &[Columns<'_>]) -> Part {
        match &self.product.addresses {
            Addresses::Channels(addresses) => self.channel_panels(addresses, panels, columns),
            Addresses::Images(_) | Addresses::Separate(_) => {
                unreachable!("only layers of channels in the lanes are computed together")
            }
        }
    }
}
