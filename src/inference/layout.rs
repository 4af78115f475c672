//! Where the elements of one block lie in a buffer with zero borders.

use super::{LANES, Lanes};
use crate::network::Shape;

/// Most blocks that a task holds side by side; offsets of 32 bits, in values, reach over all of them.
pub(super) const MOST_TASK_BLOCKS: usize = 8;

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

/// Placement of a block's vectors: `[channel][row][column]` with a border, or, as a ring, with only the last few rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub shape: Shape,
    pub top: usize,
    pub left: usize,
    /// Rows stored per channel.
    pub rows: usize,
    /// Columns stored per row.
    pub columns: usize,
}

impl Layout {
    /// The layout of `shape` inside `border`; `None` when it is empty or too large for offsets of 32 bits.
    pub fn new(shape: Shape, border: Border) -> Option<Self> {
        let rows = shape.height.checked_add(border.top)?.checked_add(border.bottom)?;
        let columns = shape.width.checked_add(border.left)?.checked_add(border.right)?;
        let values = shape.channels.checked_mul(rows)?.checked_mul(columns)?.checked_mul(LANES)?;
        let empty = shape.channels == 0 || shape.height == 0 || shape.width == 0;
        let small = values <= u32::MAX as usize / MOST_TASK_BLOCKS;
        (!empty && small).then_some(Self { shape, top: border.top, left: border.left, rows, columns })
    }

    /// The layout of a buffer that keeps only the last `rows` rows of each channel.
    pub fn ring(shape: Shape, rows: usize) -> Self {
        Self { shape, top: 0, left: 0, rows: rows.min(shape.height), columns: shape.width }
    }

    /// Vectors of one block.
    pub fn vectors(&self) -> usize {
        self.shape.channels * self.rows * self.columns
    }

    /// Vectors from one channel to the next.
    pub fn channel_stride(&self) -> usize {
        self.rows * self.columns
    }

    /// Whether there is neither border nor ring, as in [`super::Activations`].
    pub fn is_plain(&self) -> bool {
        self.rows == self.shape.height && self.columns == self.shape.width
    }

    /// Index of a vector; in a ring, row `row` replaces an earlier one.
    pub fn at(&self, channel: usize, row: usize, column: usize) -> usize {
        (channel * self.rows + (self.top + row) % self.rows) * self.columns + self.left + column
    }

    /// Index of the first vector of each row in the order channel, row.
    pub fn row_starts(&self) -> impl Iterator<Item = usize> + use<> {
        let layout = *self;
        (0..layout.shape.channels)
            .flat_map(move |channel| (0..layout.shape.height).map(move |row| layout.at(channel, row, 0)))
    }

    /// The layout of `channels` channels of the same rows and columns.
    pub fn with_channels(&self, channels: usize) -> Self {
        Self { shape: Shape { channels, ..self.shape }, ..*self }
    }

    /// Sets the border of a block to zero.
    pub fn clear_border(&self, block: &mut [Lanes]) {
        if self.is_plain() {
            return;
        }
        let mut end = 0;
        for start in self.row_starts() {
            block[end..start].fill(Lanes::ZERO);
            end = start + self.shape.width;
        }
        block[end..].fill(Lanes::ZERO);
    }
}

/// Copies all elements of `input` to `output` in the order channel, row, column; the shapes may differ.
pub(super) fn copy_elements((input, from): (&[Lanes], &Layout), (output, to): (&mut [Lanes], &Layout)) {
    let (mut sources, mut targets) = (from.row_starts(), to.row_starts());
    let (mut source, mut target) = (0..0, 0..0);
    loop {
        if source.is_empty() {
            let Some(start) = sources.next() else { return };
            source = start..start + from.shape.width;
        }
        if target.is_empty() {
            let Some(start) = targets.next() else { return };
            target = start..start + to.shape.width;
        }
        let count = source.len().min(target.len());
        output[target.start..target.start + count]
            .copy_from_slice(&input[source.start..source.start + count]);
        source.start += count;
        target.start += count;
    }
}
