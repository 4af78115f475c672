//! Extents of an operation and of its tiles of rows.

use super::{Error, Problem};
use crate::accelerator::operation::{Extent, Kind, Window};
use std::ops::Range;

/// A window's vertical part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sliding {
    /// Rows from the first to the last element, dilated.
    pub extent: u64,
    pub step: u64,
    pub pad: u64,
}

/// A further input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Added {
    /// Where it begins, all further inputs lying one behind the other, in words.
    pub first_word: u64,
    /// Whether it has the extent of what the operation computes, not of what is stored.
    pub before_pooling: bool,
}

/// An operation's extents, checked: no product of those of one operand overflows, batch and bits included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    pub layer: String,
    /// Not a matrix product: the loop of filters goes over the channels, and there is no loop of channels.
    pub streamed: bool,
    pub batch: u64,
    pub groups: u64,
    /// Input channels of a group.
    pub channels: u64,
    /// Filters of a group; of streamed operations the channels.
    pub filters: u64,
    pub height: u64,
    pub width: u64,
    pub computed_rows: u64,
    pub computed_columns: u64,
    pub stored_rows: u64,
    pub stored_columns: u64,
    /// Elements of the window in one channel.
    pub taps: u64,
    pub window: Sliding,
    /// Of fused pooling.
    pub pooling: Option<Sliding>,
    /// Channels beside its own that a result of fused normalisation depends on, and those of them that come behind it.
    pub neighbours: u64,
    pub behind: u64,
    pub has_bias: bool,
    /// Words of weights and biases of followers.
    pub parameters: [u64; 2],
    pub added: Vec<Added>,
}

/// A block of rows of one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RowTile {
    pub stored: Range<u64>,
    pub computed: Range<u64>,
}

fn sliding(window: &Window) -> Option<Sliding> {
    let extent = (window.kernel[0].checked_sub(1)?).checked_mul(window.dilation[0])?.checked_add(1)?;
    Some(Sliding { extent, step: window.stride[0], pad: window.pad[0] })
}

impl Geometry {
    /// The extents of a problem.
    ///
    /// # Errors
    /// Extents that are 0, overflow or contradict each other.
    pub fn new(problem: &Problem<'_>) -> Result<Self, Error> {
        check_extents(problem)?;
        let operation = problem.operation;
        let stored = operation.stored();
        let overflow = |what| Error::Overflow { layer: operation.name.clone(), what };
        let streamed = !matches!(operation.kind, Kind::Convolution | Kind::FullyConnected);
        let groups = if streamed { 1 } else { operation.groups };
        let window = sliding(&operation.window).ok_or_else(|| overflow("rows of its window"))?;
        let pooling = match operation.pooled() {
            Some(pooling) => Some(sliding(&pooling).ok_or_else(|| overflow("rows of the pooling window"))?),
            None => None,
        };
        let [rows, columns] = operation.window.kernel;
        let parameters = operation.followers.iter().try_fold([0u64; 2], |sum, follower| {
            Some([sum[0].checked_add(follower.parameters[0])?, sum[1].checked_add(follower.parameters[1])?])
        });
        // Several normalisations in a row keep what each of them needs.
        let sum = |of: fn(u64) -> u64| {
            let spans = operation.followers.iter().map(|follower| of(follower.span.max(1)));
            spans.fold(0, u64::saturating_add).min(operation.output.channels)
        };
        let geometry = Self {
            layer: operation.name.clone(),
            streamed,
            batch: problem.batch,
            groups,
            channels: operation.input.channels / groups,
            filters: operation.output.channels / groups,
            height: operation.input.height,
            width: operation.input.width,
            computed_rows: operation.output.height,
            computed_columns: operation.output.width,
            stored_rows: stored.height,
            stored_columns: stored.width,
            taps: rows.checked_mul(columns).ok_or_else(|| overflow("elements of its window"))?,
            window,
            pooling,
            neighbours: sum(|span| span - 1),
            behind: sum(|span| span / 2),
            has_bias: operation.has_bias && !streamed,
            parameters: parameters.ok_or_else(|| overflow("parameters of its followers"))?,
            added: Vec::new(),
        };
        geometry.check_bits(problem).ok_or_else(|| overflow("bits of its operands"))?;
        geometry.check_steps().ok_or_else(|| overflow("multiply-accumulates"))?;
        geometry.with_added(problem)
    }

    /// Whether every operand's bits, all images and two copies of it, can be counted.
    fn check_bits(&self, problem: &Problem<'_>) -> Option<()> {
        let widths = problem.widths;
        let bits = |words: Option<u64>, bits: u32| words?.checked_mul(u64::from(bits))?.checked_mul(8);
        let per_image = |extents: [u64; 3]| {
            extents.into_iter().try_fold(self.batch, u64::checked_mul)?.checked_mul(self.groups)
        };
        let sums = per_image([self.filters, self.computed_rows, self.computed_columns]);
        let added = problem.operation.added_words()?.checked_mul(self.batch);
        let weights = (self.taps.checked_mul(self.channels)?.checked_mul(self.filters)?)
            .checked_mul(self.groups)?
            .checked_add(self.parameters[0]);
        let operands = [
            bits(per_image([self.channels, self.height, self.width]), widths.ifmap_bits),
            bits(sums, widths.partial_sum_bits.max(widths.ofmap_bits)),
            bits(per_image([self.filters, self.stored_rows, self.stored_columns]), widths.ofmap_bits),
            bits(weights, widths.filter_bits),
            bits(self.filters.checked_mul(self.groups)?.checked_add(self.parameters[1]), widths.bias_bits),
            bits(added, widths.ifmap_bits),
        ];
        operands.into_iter().try_fold(0u64, |sum, bits| sum.checked_add(bits?)).map(|_| ())
    }

    /// Whether all multiply-accumulates can be counted, and so the tiles of any tiling.
    fn check_steps(&self) -> Option<u64> {
        let Self { batch, groups, channels, filters, taps, .. } = *self;
        let rows = self.computed_rows.max(self.stored_rows);
        let channels = if self.streamed { 1 } else { channels };
        let extents = [groups, channels, filters, taps, rows, self.computed_columns];
        extents.into_iter().try_fold(batch, u64::checked_mul)
    }

    fn with_added(mut self, problem: &Problem<'_>) -> Result<Self, Error> {
        let before = self.filters * self.groups * self.computed_rows * self.computed_columns;
        let behind = self.filters * self.groups * self.stored_rows * self.stored_columns;
        let mut first_word = 0;
        for added in &problem.operation.added {
            if added.words != before && added.words != behind {
                return Err(Error::Extent {
                    layer: self.layer,
                    what: "number of words of a further input",
                    found: added.words,
                    expected: format!("{before} or {behind}"),
                });
            }
            self.added.push(Added { first_word, before_pooling: added.words == before });
            first_word += added.words * self.batch;
        }
        Ok(self)
    }

    /// Rows of the product that are complete once `stored` rows can be stored.
    pub fn computed_for(&self, stored: u64) -> u64 {
        if stored == self.stored_rows {
            return self.computed_rows;
        }
        match (stored, self.pooling) {
            (0, _) => 0,
            (_, None) => stored,
            (_, Some(pooling)) => {
                let last = (stored - 1).saturating_mul(pooling.step).saturating_add(pooling.extent);
                last.saturating_sub(pooling.pad).min(self.computed_rows)
            }
        }
    }

    /// The block of rows number `index` of blocks of `rows`.
    pub fn row_tile(&self, index: u64, rows: u64) -> RowTile {
        let first = (index * rows).min(self.stored_rows);
        let last = first.saturating_add(rows).min(self.stored_rows);
        RowTile { stored: first..last, computed: self.computed_for(first)..self.computed_for(last) }
    }

    /// Input rows from the first to the last that the windows of `computed` reach.
    pub fn reach(&self, computed: &Range<u64>) -> Range<u64> {
        let Sliding { extent, step, pad } = self.window;
        if computed.is_empty() {
            return 0..0;
        }
        let first = (computed.start * step).saturating_sub(pad).min(self.height);
        let last = ((computed.end - 1) * step + extent).saturating_sub(pad).min(self.height);
        first..last.max(first)
    }

    /// Input rows that the windows of the first `computed` rows touch.
    pub fn touched(&self, computed: u64) -> u64 {
        let Sliding { extent, step, pad } = self.window;
        if computed == 0 {
            return 0;
        }
        // Rows below `end`, padding included, that lie in a window.
        let below = |end: u64| end / step * extent.min(step) + (end % step).min(extent);
        let end = ((computed - 1) * step + extent).min(self.height + pad).max(pad);
        below(end) - below(pad.min(end))
    }

    /// Input rows that the windows of `computed` touch.
    pub fn touched_by(&self, computed: &Range<u64>) -> u64 {
        if self.has_gaps() {
            self.touched(computed.end) - self.touched(computed.start)
        } else {
            let reach = self.reach(computed);
            reach.end - reach.start
        }
    }

    /// Whether rows between windows are touched by none.
    pub fn has_gaps(&self) -> bool {
        self.window.step > self.window.extent
    }

    /// Rows of results that stay for the next rows of pooling, at most.
    pub fn kept_rows(&self) -> u64 {
        let kept = self.pooling.map_or(0, |pooling| pooling.extent.saturating_sub(pooling.step));
        kept.min(self.computed_rows)
    }

    /// Channels stored for the filters `computed` of all groups: behind by what normalisation still waits for.
    pub fn stored_channels(&self, computed: &Range<u64>) -> Range<u64> {
        let all = self.filters * self.groups;
        let shift = |end: u64| if end == all { all } else { end.saturating_sub(self.behind) };
        shift(computed.start)..shift(computed.end)
    }
}

fn check_extents(problem: &Problem<'_>) -> Result<(), Error> {
    let operation = problem.operation;
    let layer = || operation.name.clone();
    let (input, output, stored) = (operation.input, operation.output, operation.stored());
    let widths = problem.widths;
    let windows = [Some(operation.window), operation.pooled()];
    let mut least = vec![
        ("the batch", problem.batch),
        ("the number of groups", operation.groups),
        ("an extent of its input", input.channels.min(input.height).min(input.width)),
        ("an extent of its output", output.channels.min(output.height).min(output.width)),
        ("an extent of what is stored", stored.channels.min(stored.height).min(stored.width)),
        ("the width of an ifmap word", u64::from(widths.ifmap_bits)),
        ("the width of a filter word", u64::from(widths.filter_bits)),
        ("the width of a bias word", u64::from(widths.bias_bits)),
        ("the width of an ofmap word", u64::from(widths.ofmap_bits)),
        ("the width of a partial sum", u64::from(widths.partial_sum_bits)),
    ];
    for window in windows.into_iter().flatten() {
        let parts = [window.kernel, window.stride, window.dilation];
        least.push((
            "an extent, step or dilation of a window",
            parts.as_flattened().iter().copied().min().unwrap_or(0),
        ));
    }
    if let Some((what, _)) = least.into_iter().find(|&(_, value)| value == 0) {
        return Err(Error::Zero { layer: layer(), what });
    }
    let unequal = |what, found: u64, expected: u64| {
        if found == expected {
            Ok(())
        } else {
            Err(Error::Extent { layer: layer(), what, found, expected: expected.to_string() })
        }
    };
    unequal("the number of channels stored", stored.channels, output.channels)?;
    if matches!(operation.kind, Kind::Convolution | Kind::FullyConnected) {
        for (what, channels) in
            [("the number of input channels", input.channels), ("the number of filters", output.channels)]
        {
            if channels % operation.groups != 0 {
                let expected = format!("a multiple of its {} groups", operation.groups);
                return Err(Error::Extent { layer: layer(), what, found: channels, expected });
            }
        }
    } else {
        unequal("the number of output channels", output.channels, input.channels)?;
    }
    check_window(problem, &operation.window, true, [input, output])?;
    if let Some(window) = operation.pooled() {
        check_window(problem, &window, false, [output, stored])
    } else {
        unequal("the number of rows stored", stored.height, output.height)?;
        unequal("the number of columns stored", stored.width, output.width)
    }
}

/// Refuses kernels larger than the padded input of a convolution, windows that begin behind the padded input, and pooling
/// windows of nothing but padding.
fn check_window(
    problem: &Problem<'_>,
    window: &Window,
    is_own: bool,
    [input, output]: [Extent; 2],
) -> Result<(), Error> {
    let [input, output] = [input, output].map(|extent| [extent.height, extent.width]);
    let layer = || problem.operation.name.clone();
    let overflow = || Error::Overflow { layer: layer(), what: "rows or columns that its window spans" };
    let is_convolution = problem.operation.kind == Kind::Convolution && is_own;
    let pools = problem.operation.kind == Kind::Pooling || !is_own;
    for (axis, name) in ["rows", "columns"].into_iter().enumerate() {
        let extent = (window.kernel[axis] - 1).checked_mul(window.dilation[axis]);
        let extent = extent.and_then(|extent| extent.checked_add(1)).ok_or_else(overflow)?;
        let padded = input[axis].checked_add(window.pad[axis]);
        let padded = padded.and_then(|p| p.checked_add(window.pad_end[axis])).ok_or_else(overflow)?;
        if is_convolution && extent > padded {
            return Err(Error::Kernel { layer: layer(), axis: name, kernel: extent, input: padded });
        }
        let last = (output[axis] - 1).checked_mul(window.stride[axis]).ok_or_else(overflow)?;
        last.checked_add(extent).ok_or_else(overflow)?;
        if pools && window.pad[axis] >= extent {
            return Err(Error::Extent {
                layer: layer(),
                what: if axis == 0 { "the padding above" } else { "the padding on the left" },
                found: window.pad[axis],
                expected: format!("less than the {extent} {name} of the pooling window"),
            });
        }
        let end = if pools { input[axis] + window.pad[axis] } else { padded };
        if last >= end {
            return Err(Error::Extent {
                layer: layer(),
                what: if axis == 0 { "the number of output rows" } else { "the number of output columns" },
                found: output[axis],
                expected: format!(
                    "at most {}, of windows that begin in the input",
                    (end - 1) / window.stride[axis] + 1
                ),
            });
        }
    }
    Ok(())
}

impl Sliding {
    /// The rows of an input of `height` that the window number `row` covers.
    pub fn rows(&self, row: u64, height: u64) -> Range<u64> {
        let first = (row * self.step).saturating_sub(self.pad).min(height);
        let last = (row * self.step + self.extent).saturating_sub(self.pad).min(height);
        first..last
    }
}
