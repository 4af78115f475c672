//! Max and average pooling.

use super::LANES;
use super::activation::{vectors, vectors_mut};
use super::kernel::InstructionSet;
use super::layout::Layout;
use crate::network::{Pooling, PoolingMethod, Shape};
use std::ops::Range;

/// The elements of a window along one axis, clipped to the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// First row (or column) of the image.
    pub first: usize,
    /// Number of rows.
    pub count: usize,
    /// Rows that count in an average's divisor.
    pub divisor: usize,
}

/// A compiled pooling layer.
#[derive(Debug)]
pub(super) struct Pool {
    average: bool,
    dilation: [usize; 2],
    rows: Vec<Span>,
    columns: Vec<Span>,
    /// Per output row the input rows that must exist when it is pooled: from the first that it or a later one reads, to
    /// past the last that it or an earlier one reads. Both ends only grow.
    pub bands: Vec<Range<usize>>,
}

/// See [`Pool::bands`]. Padding and dilation together make single windows skip rows that a later one reads.
fn bands(rows: &[Span], dilation: usize) -> Vec<Range<usize>> {
    let mut end = 0;
    let mut bands: Vec<_> = rows
        .iter()
        .map(|span| {
            end = end.max(span.first + (span.count - 1) * dilation + 1);
            span.first..end
        })
        .collect();
    let mut start = usize::MAX;
    for band in bands.iter_mut().rev() {
        start = start.min(band.start);
        band.start = start;
    }
    bands
}

/// The window of output row (or column) `index` on an axis of `extent` elements; `None` if it holds none of them.
fn span(pooling: &Pooling, axis: usize, extent: usize, index: usize) -> Option<Span> {
    let window = pooling.window;
    let (kernel, pad, dilation) = (window.kernel[axis], window.pad[axis], window.dilation[axis]);
    // Positions count from the first padded row: the image is pad..end.
    let start = index.checked_mul(window.stride[axis])?;
    let end = pad.checked_add(extent)?;
    let padded_end = end.checked_add(window.pad_end[axis])?;
    let steps_before = |position: usize| position.saturating_sub(start).div_ceil(dilation).min(kernel);
    let skipped = steps_before(pad);
    let count = steps_before(end) - skipped;
    let divisor = match pooling.method {
        PoolingMethod::Average { count_padding: true } => steps_before(padded_end),
        _ => count,
    };
    let first = skipped.checked_mul(dilation)?.checked_add(start)?;
    (count > 0).then(|| Span { first: first - pad, count, divisor })
}

/// What is done to one output row.
struct Job<'a> {
    pool: &'a Pool,
    row: usize,
    relu: bool,
    from: &'a Layout,
    to: &'a Layout,
}

impl Pool {
    /// Windows of `pooling`; `None` if one of them holds no element of the image.
    pub fn new(pooling: &Pooling, input: Shape, output: Shape) -> Option<Self> {
        let spans = |axis: usize, extent: usize, outputs: usize| {
            (0..outputs).map(|index| span(pooling, axis, extent, index)).collect::<Option<Vec<_>>>()
        };
        let (rows, columns) = (spans(0, input.height, output.height)?, spans(1, input.width, output.width)?);
        let average = matches!(pooling.method, PoolingMethod::Average { .. });
        let dilation = pooling.window.dilation;
        let bands = bands(&rows, dilation[0]);
        Some(Self { average, dilation, rows, columns, bands })
    }

    /// Most rows of the input that must exist at one time.
    pub fn most_rows(&self) -> usize {
        self.bands.iter().map(ExactSizeIterator::len).max().unwrap_or(0)
    }

    /// Pools output row `row` of one block, all planes.
    pub fn row(
        &self,
        set: InstructionSet,
        row: usize,
        relu: bool,
        (input, from): (&[f32], &Layout),
        (output, to): (&mut [f32], &Layout),
    ) {
        let job = Job { pool: self, row, relu, from, to };
        match set {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the engine refuses instruction sets that the processor does not have.
            InstructionSet::Avx512 => unsafe { avx512(&job, input, output) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            InstructionSet::Avx2 => unsafe { avx2(&job, input, output) },
            _ => job.run(input, output),
        }
    }
}

/// [`Job::run`], compiled for AVX-512.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn avx512(job: &Job<'_>, input: &[f32], output: &mut [f32]) {
    job.run(input, output);
}

/// [`Job::run`], compiled for AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2(job: &Job<'_>, input: &[f32], output: &mut [f32]) {
    job.run(input, output);
}

#[inline]
fn add(x: f32, sum: f32) -> f32 {
    sum + x
}

/// Caffe's maximum: a NaN in `x` never wins.
#[inline]
fn larger(x: f32, most: f32) -> f32 {
    if x > most { x } else { most }
}

#[allow(
    clippy::inline_always,
    reason = "the loops take the instruction set of the function that they are inlined into"
)]
impl Job<'_> {
    #[inline(always)]
    fn run(&self, input: &[f32], output: &mut [f32]) {
        // The common widths of windows are compiled apart, so that their loops unroll.
        let width = self.pool.columns[0].count;
        match (self.pool.average, if self.pool.dilation[1] == 1 { width } else { 0 }) {
            (true, 2) => self.windows::<2>(input, output, 0.0, add),
            (true, 3) => self.windows::<3>(input, output, 0.0, add),
            (true, _) => self.windows::<0>(input, output, 0.0, add),
            (false, 2) => self.windows::<2>(input, output, f32::MIN, larger),
            (false, 3) => self.windows::<3>(input, output, f32::MIN, larger),
            (false, _) => self.windows::<0>(input, output, f32::MIN, larger),
        }
    }

    /// Folds each window in the order row, column: one row of all windows after the other.
    /// Windows that are `WIDTH` adjacent columns wide take a loop of their own.
    #[inline(always)]
    fn windows<const WIDTH: usize>(
        &self,
        input: &[f32],
        output: &mut [f32],
        start: f32,
        fold: impl Fn(f32, f32) -> f32,
    ) {
        let Self { pool, row, relu, from, to } = *self;
        let rows = pool.rows[row];
        for plane in 0..from.planes() {
            let output = vectors_mut(&mut output[to.at(plane, row, 0)..][..to.row_values()]);
            for i in 0..rows.count {
                let input_row = from.at(plane, rows.first + i * pool.dilation[0], 0);
                let input = vectors(&input[input_row..][..from.row_values()]);
                for (output, columns) in output.iter_mut().zip(&pool.columns) {
                    let mut sum = if i == 0 { [start; LANES] } else { *output };
                    let window = &input[columns.first..];
                    if columns.count == WIDTH {
                        for x in &window[..WIDTH] {
                            sum = std::array::from_fn(|lane| fold(x[lane], sum[lane]));
                        }
                    } else {
                        for x in window.iter().step_by(pool.dilation[1]).take(columns.count) {
                            sum = std::array::from_fn(|lane| fold(x[lane], sum[lane]));
                        }
                    }
                    if i + 1 == rows.count {
                        if pool.average {
                            let divisor = (rows.divisor * columns.divisor) as f32;
                            sum = sum.map(|sum| sum / divisor);
                        }
                        if relu {
                            sum = sum.map(|sum| if sum < 0.0 { 0.0 } else { sum });
                        }
                    }
                    *output = sum;
                }
            }
        }
    }
}
