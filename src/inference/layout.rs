//! Where the elements of one block lie in a buffer with zero borders.

use super::{Arrangement, LANES};
use crate::network::Shape;

/// In which order a buffer holds the elements of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Vectors of sixteen images of one element: `[channel][row][column][image]`.
    Images,
    /// Vectors of sixteen channels of one pixel of one image: `[plane][row][column][channel of the plane]`. Lanes behind
    /// the last channel hold what nobody reads.
    Channels,
    /// Single values of one image: `[channel][row][column]`.
    Planar,
}

impl Order {
    /// Images of a block.
    pub fn block_images(self) -> usize {
        match self {
            Self::Images => LANES,
            Self::Channels | Self::Planar => 1,
        }
    }

    /// Most blocks that a task holds side by side; offsets of 32 bits, in values, reach over all of them.
    pub const fn most_task_blocks(self) -> usize {
        match self {
            Self::Images => 8,
            Self::Channels | Self::Planar => 28,
        }
    }
}

impl From<Arrangement> for Order {
    fn from(arrangement: Arrangement) -> Self {
        match arrangement {
            Arrangement::Images => Self::Images,
            Arrangement::Channels => Self::Channels,
        }
    }
}

/// Rows and columns of zeros around a blob.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Border {
    pub top: usize,
    pub left: usize,
    pub bottom: usize,
    pub right: usize,
}

impl Border {
    /// The smallest border that holds both.
    pub fn union(self, other: Self) -> Self {
        Self {
            top: self.top.max(other.top),
            left: self.left.max(other.left),
            bottom: self.bottom.max(other.bottom),
            right: self.right.max(other.right),
        }
    }
}

/// Placement of a block's values: planes of rows of columns with a border, or, as a ring, with only the last few rows. A
/// plane is a channel or, in [`Order::Channels`], sixteen of them. Places and strides count values (`f32`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub shape: Shape,
    pub top: usize,
    pub left: usize,
    /// Rows stored per plane.
    pub rows: usize,
    /// Columns stored per row.
    pub columns: usize,
    pub order: Order,
}

impl Layout {
    /// The layout of `shape` inside `border`; `None` when it is empty or too large for offsets of 32 bits.
    pub fn new(shape: Shape, border: Border, order: Order) -> Option<Self> {
        let rows = shape.height.checked_add(border.top)?.checked_add(border.bottom)?;
        let columns = shape.width.checked_add(border.left)?.checked_add(border.right)?;
        let values = shape
            .channels
            .checked_next_multiple_of(LANES)?
            .checked_mul(rows)?
            .checked_mul(columns)?
            .checked_mul(order.block_images())?;
        let empty = shape.channels == 0 || shape.height == 0 || shape.width == 0;
        let small = values <= u32::MAX as usize / order.most_task_blocks();
        (!empty && small).then_some(Self { shape, top: border.top, left: border.left, rows, columns, order })
    }

    /// The layout of a buffer that keeps only the last `rows` rows of each plane.
    pub fn ring(&self, rows: usize) -> Self {
        let Shape { height, width, .. } = self.shape;
        Self { top: 0, left: 0, rows: rows.min(height), columns: width, ..*self }
    }

    pub fn planes(&self) -> usize {
        match self.order {
            Order::Channels => self.shape.channels.div_ceil(LANES),
            Order::Images | Order::Planar => self.shape.channels,
        }
    }

    /// Values from one column to the next.
    pub fn step(&self) -> usize {
        match self.order {
            Order::Planar => 1,
            Order::Images | Order::Channels => LANES,
        }
    }

    /// Values from one plane to the next.
    pub fn plane_stride(&self) -> usize {
        self.rows * self.columns * self.step()
    }

    /// Vectors of one block.
    pub fn vectors(&self) -> usize {
        (self.planes() * self.plane_stride()).div_ceil(LANES)
    }

    /// Values of the vectors of one block.
    pub fn values(&self) -> usize {
        self.vectors() * LANES
    }

    /// Whether there is neither border nor ring.
    pub fn is_plain(&self) -> bool {
        self.rows == self.shape.height && self.columns == self.shape.width
    }

    /// Whether the elements of blobs of these two layouts lie in the same places.
    pub fn holds_alike(&self, other: &Self) -> bool {
        let reshapes = self.order != Order::Channels && self.order == other.order;
        self == other || (reshapes && self.is_plain() && other.is_plain())
    }

    /// Place of the first value of a column; in a ring, row `row` replaces an earlier one.
    pub fn at(&self, plane: usize, row: usize, column: usize) -> usize {
        ((plane * self.rows + (self.top + row) % self.rows) * self.columns + self.left + column) * self.step()
    }

    /// Place of a channel's value of the first image, `row` and `column` counted from the border's first.
    pub fn bordered(&self, channel: usize, row: usize, column: usize) -> usize {
        let (plane, lane) = match self.order {
            Order::Channels => (channel / LANES, channel % LANES),
            Order::Images | Order::Planar => (channel, 0),
        };
        ((plane * self.rows + row) * self.columns + column) * self.step() + lane
    }

    /// Place of an element's value of the first image.
    pub fn element(&self, channel: usize, row: usize, column: usize) -> usize {
        self.bordered(channel, (self.top + row) % self.rows, self.left + column)
    }

    /// Place of the first value of each row in the order plane, row.
    pub fn row_starts(&self) -> impl Iterator<Item = usize> + use<> {
        let layout = *self;
        (0..layout.planes())
            .flat_map(move |plane| (0..layout.shape.height).map(move |row| layout.at(plane, row, 0)))
    }

    /// Values of one row.
    pub fn row_values(&self) -> usize {
        self.shape.width * self.step()
    }

    /// Place of the first image's value of each element in the order channel, row, column.
    pub fn elements(&self) -> impl Iterator<Item = usize> + use<> {
        let layout = *self;
        let Shape { channels, height, width } = layout.shape;
        (0..channels).flat_map(move |channel| {
            (0..height).flat_map(move |row| {
                let start = layout.element(channel, row, 0);
                (0..width).map(move |column| start + column * layout.step())
            })
        })
    }

    /// The layout of `channels` channels of the same rows and columns.
    pub fn with_channels(&self, channels: usize) -> Self {
        Self { shape: Shape { channels, ..self.shape }, ..*self }
    }

    /// Sets the border of a block to zero.
    pub fn clear_border(&self, block: &mut [f32]) {
        if self.is_plain() {
            return;
        }
        let mut end = 0;
        for start in self.row_starts() {
            block[end..start].fill(0.0);
            end = start + self.row_values();
        }
        block[end..].fill(0.0);
    }
}

/// Copies all elements of `input` to `output` in the order channel, row, column; the shapes may differ, the order of the
/// buffers not. `channel` is the output channel of the first element.
pub(super) fn copy_elements(
    (input, from): (&[f32], &Layout),
    (output, to): (&mut [f32], &Layout),
    channel: usize,
) {
    let shape = to.shape;
    let part = to.with_channels(from.shape.elements() / (shape.height * shape.width));
    let same_planes = match to.order {
        Order::Channels => {
            let whole = channel + part.shape.channels == shape.channels;
            channel.is_multiple_of(LANES)
                && part.shape == from.shape
                && (whole || part.shape.channels.is_multiple_of(LANES))
        }
        Order::Images | Order::Planar => true,
    };
    if !same_planes {
        let first = to.with_channels(channel).shape.elements();
        for (from, to) in from.elements().zip(to.elements().skip(first)) {
            output[to] = input[from];
        }
        return;
    }
    let start = to.bordered(channel, 0, 0);
    copy_rows((input, from), (&mut output[start..][..part.planes() * part.plane_stride()], &part));
}

/// Copies whole rows of vectors, plane by plane.
fn copy_rows((input, from): (&[f32], &Layout), (output, to): (&mut [f32], &Layout)) {
    let (mut sources, mut targets) = (from.row_starts(), to.row_starts());
    let (mut source, mut target) = (0..0, 0..0);
    loop {
        if source.is_empty() {
            let Some(start) = sources.next() else { return };
            source = start..start + from.row_values();
        }
        if target.is_empty() {
            let Some(start) = targets.next() else { return };
            target = start..start + to.row_values();
        }
        let count = source.len().min(target.len());
        output[target.start..target.start + count]
            .copy_from_slice(&input[source.start..source.start + count]);
        source.start += count;
        target.start += count;
    }
}
