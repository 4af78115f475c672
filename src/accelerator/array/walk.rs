//! The array cycle by cycle: operands move from element to element, and what crosses its edge is counted. Slow, and written
//! without any of the closed forms that it checks.

use super::{Accesses, Array, Dataflow, FoldOverlap, Gemm, Mapping};

/// What a walk came to.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Walk {
    pub folds: u64,
    pub cycles: u64,
    pub macs: u64,
    pub occupied_elements: u64,
    pub accesses: Accesses,
    /// The matrix product, row by row of pixels.
    pub product: Vec<Vec<i64>>,
}

/// An operand on its way: its place in the stream, and its value unless the fold is smaller than the array.
type Token = Option<(usize, Option<i64>)>;

type Matrix = Vec<Vec<i64>>;

/// `pixels` holds M rows of K inputs, `filters` N rows of K weights.
pub(super) fn walk(array: &Array, mapping: Mapping, pixels: &Matrix, filters: &Matrix) -> Walk {
    match mapping {
        Mapping::Stationary(Dataflow::OutputStationary) => output_stationary(array, pixels, filters),
        Mapping::Stationary(Dataflow::WeightStationary) => operand_stationary(array, pixels, filters),
        Mapping::Stationary(Dataflow::InputStationary) => {
            let mut walk = operand_stationary(array, filters, pixels);
            let Accesses { ifmap_reads, filter_reads, .. } = &mut walk.accesses;
            std::mem::swap(ifmap_reads, filter_reads);
            walk.product = transposed(&walk.product);
            walk
        }
        Mapping::Vector => vector(array, pixels, filters),
    }
}

pub(super) fn naive(pixels: &Matrix, filters: &Matrix) -> Matrix {
    let dot = |a: &[i64], b: &[i64]| a.iter().zip(b).map(|(a, b)| a * b).sum();
    pixels.iter().map(|pixel| filters.iter().map(|filter| dot(pixel, filter)).collect()).collect()
}

/// Matrices of `gemm` with small values that all differ from their neighbours.
pub(super) fn operands(gemm: &Gemm) -> (Matrix, Matrix) {
    let matrix = |rows: u64, seed: i64| -> Matrix {
        let value = |row: u64, k: u64| (row as i64 * 7 + k as i64 * 3 + seed) % 11 - 5;
        (0..rows).map(|row| (0..gemm.window).map(|k| value(row, k)).collect()).collect()
    };
    (matrix(gemm.pixels, 1), matrix(gemm.filters, 4))
}

fn transposed(matrix: &Matrix) -> Matrix {
    (0..matrix[0].len()).map(|column| matrix.iter().map(|row| row[column]).collect()).collect()
}

/// First row and column of every fold over an extent of `rows` x `columns`, column by column.
fn folds(array: &Array, rows: usize, columns: usize) -> Vec<(usize, usize)> {
    let starts = |extent: usize, step: u64| (0..extent).step_by(step as usize);
    starts(columns, array.columns).flat_map(|c| starts(rows, array.rows).map(move |r| (r, c))).collect()
}

/// The folds that stream through the array without a gap.
fn batches(array: &Array, folds: &[(usize, usize)]) -> Vec<Vec<(usize, usize)>> {
    match array.fold_overlap {
        FoldOverlap::None => folds.iter().map(|fold| vec![*fold]).collect(),
        FoldOverlap::Pipelined => vec![folds.to_vec()],
    }
}

/// Rows and columns of the array, row by row.
fn places(array: &Array) -> impl Iterator<Item = (usize, usize)> {
    let columns = array.columns as usize;
    (0..array.rows as usize).flat_map(move |row| (0..columns).map(move |column| (row, column)))
}

fn output_stationary(array: &Array, pixels: &Matrix, filters: &Matrix) -> Walk {
    let mut walk = Walk { product: vec![vec![0; filters.len()]; pixels.len()], ..Walk::default() };
    for batch in batches(array, &folds(array, pixels.len(), filters.len())) {
        walk.folds += batch.len() as u64;
        let mut right: Vec<Vec<Token>> = vec![vec![None; array.columns as usize]; array.rows as usize];
        let mut down = right.clone();
        let mut sums = vec![vec![0; array.columns as usize]; array.rows as usize];
        let window = pixels[0].len();
        let starts = |of: fn(&(usize, usize)) -> usize| batch.iter().map(of).collect::<Vec<_>>();
        let [first_pixels, first_filters] = [starts(|fold| fold.0), starts(|fold| fold.1)];
        for cycle in 0.. {
            for (row, line) in right.iter_mut().enumerate() {
                line.rotate_right(1);
                line[0] = fed(cycle, row, &first_pixels, pixels, &mut walk.accesses.ifmap_reads);
            }
            down.rotate_right(1);
            for (column, top) in down[0].iter_mut().enumerate() {
                *top = fed(cycle, column, &first_filters, filters, &mut walk.accesses.filter_reads);
            }
            for (row, column) in places(array) {
                let (Some((slot, Some(input))), Some((other, Some(weight)))) =
                    (right[row][column], down[row][column])
                else {
                    continue;
                };
                assert_eq!(slot, other, "operands of one element of the window meet");
                walk.macs += 1;
                walk.occupied_elements += u64::from(slot % window == 0);
                sums[row][column] += input * weight;
                if slot % window == window - 1 {
                    let (first_pixel, first_filter) = batch[slot / window];
                    let sum = std::mem::take(&mut sums[row][column]);
                    walk.product[first_pixel + row][first_filter + column] = sum;
                    walk.accesses.ofmap_writes += 1;
                }
            }
            walk.cycles += 1;
            if is_last(&right, batch.len() * window) {
                break;
            }
        }
    }
    walk
}

/// What enters row or column `lane`, which lags by as many cycles: of each fold, one line of `source` from end to end.
fn fed(cycle: usize, lane: usize, first_lines: &[usize], source: &Matrix, reads: &mut u64) -> Token {
    let window = source[0].len();
    let slot = usize::checked_sub(cycle, lane)?;
    let first = first_lines.get(slot / window)?;
    let value = source.get(first + lane).map(|line| line[slot % window]);
    *reads += u64::from(value.is_some());
    Some((slot, value))
}

/// Whether the last of `slots` tokens has come to the far corner.
fn is_last(right: &[Vec<Token>], slots: usize) -> bool {
    let corner = right.last().and_then(|line| line.last()).copied().flatten();
    corner.is_some_and(|(slot, _)| slot + 1 == slots)
}

/// Weights shifted down from the top, a row of elements per cycle: `[row][column]`, `None` where the fold is smaller.
fn load(
    array: &Array,
    kept: &Matrix,
    fold: (usize, usize),
    reads: &mut u64,
    cycles: &mut u64,
) -> Vec<Vec<Option<i64>>> {
    let (rows, columns) = (array.rows as usize, array.columns as usize);
    let mut elements = vec![vec![None; columns]; rows];
    for row in (0..rows).rev() {
        elements.rotate_right(1);
        for (column, top) in elements[0].iter_mut().enumerate() {
            let value = kept.get(fold.1 + column).and_then(|line| line.get(fold.0 + row)).copied();
            *reads += u64::from(value.is_some());
            *top = value;
        }
        *cycles += 1;
    }
    elements
}

/// Rows carry the window and columns the lines of `kept`; the lines of `streamed` pass. Its `ifmap` is `streamed`.
fn operand_stationary(array: &Array, streamed: &Matrix, kept: &Matrix) -> Walk {
    let (rows, columns) = (array.rows as usize, array.columns as usize);
    let mut walk = Walk { product: vec![vec![0; kept.len()]; streamed.len()], ..Walk::default() };
    for batch in batches(array, &folds(array, kept[0].len(), kept.len())) {
        walk.folds += batch.len() as u64;
        let mut hidden = 0;
        let elements: Vec<_> = batch
            .iter()
            .enumerate()
            .map(|(index, fold)| {
                let cycles = if index == 0 { &mut walk.cycles } else { &mut hidden };
                load(array, kept, *fold, &mut walk.accesses.filter_reads, cycles)
            })
            .collect();
        let mut right: Vec<Vec<Token>> = vec![vec![None; columns]; rows];
        let mut sums = vec![vec![0; columns]; rows];
        for cycle in 0.. {
            sums.rotate_right(1);
            sums[0].fill(0);
            for (row, line) in right.iter_mut().enumerate() {
                line.rotate_right(1);
                line[0] = usize::checked_sub(cycle, row).and_then(|slot| {
                    let fold = batch.get(slot / streamed.len())?;
                    let value = streamed[slot % streamed.len()].get(fold.0 + row).copied();
                    walk.accesses.ifmap_reads += u64::from(value.is_some());
                    Some((slot, value))
                });
            }
            for (row, column) in places(array) {
                let Some((slot, value)) = right[row][column] else { continue };
                let (fold, line) = (slot / streamed.len(), slot % streamed.len());
                if let (Some(value), Some(kept)) = (value, elements[fold][row][column]) {
                    walk.macs += 1;
                    walk.occupied_elements += u64::from(line == 0);
                    sums[row][column] += value * kept;
                }
                let (first_of_window, first_kept) = batch[fold];
                if row == rows - 1 && first_kept + column < kept.len() {
                    walk.accesses.partial_sum_reads += u64::from(first_of_window > 0);
                    walk.accesses.ofmap_writes += 1;
                    walk.product[line][first_kept + column] += sums[row][column];
                }
            }
            walk.cycles += 1;
            if is_last(&right, batch.len() * streamed.len()) {
                break;
            }
        }
    }
    walk
}

fn vector(array: &Array, pixels: &Matrix, filters: &Matrix) -> Walk {
    let (rows, columns) = (array.rows as usize, array.columns as usize);
    let window = pixels[0].len();
    let mut walk = Walk { product: vec![vec![0; filters.len()]; pixels.len()], ..Walk::default() };
    let of_one_pixel = folds(array, window, filters.len());
    let slots: Vec<_> =
        (0..pixels.len()).flat_map(|pixel| of_one_pixel.iter().map(move |fold| (pixel, *fold))).collect();
    walk.folds = slots.len() as u64;
    let mut sums = vec![vec![0; columns]; rows];
    let mut foot = vec![0; columns];
    for cycle in 0..slots.len() + rows - 1 {
        sums.rotate_right(1);
        sums[0].fill(0);
        for (row, line) in sums.iter_mut().enumerate() {
            let Some(&(pixel, (first_of_window, first_filter))) =
                usize::checked_sub(cycle, row).and_then(|slot| slots.get(slot))
            else {
                continue;
            };
            let k = first_of_window + row;
            if let Some(input) = pixels[pixel].get(k) {
                walk.accesses.ifmap_reads += 1;
                for (column, filter) in filters[first_filter..].iter().take(columns).enumerate() {
                    walk.accesses.filter_reads += 1;
                    walk.macs += 1;
                    walk.occupied_elements += 1;
                    line[column] += input * filter[k];
                }
            }
            if row == rows - 1 {
                for column in 0..columns.min(filters.len() - first_filter) {
                    foot[column] += line[column];
                    if first_of_window + rows >= window {
                        walk.accesses.ofmap_writes += 1;
                        walk.product[pixel][first_filter + column] = std::mem::take(&mut foot[column]);
                    }
                }
            }
        }
        walk.cycles += 1;
    }
    walk
}
