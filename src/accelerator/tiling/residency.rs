//! Which activations stay on chip between operations, and whether a network needs no DRAM at all.

use super::room::bytes;
use super::{Buffers, Error, Problem, Residents, Widths};
use crate::accelerator::operation::{Kind, Operation, Source};
use crate::accelerator::trace::Operand;

/// What stays on chip of each operation: its output, if the next operation is the only one that reads it, reads it as its
/// only input, and both operations still have room for their smallest tile beside it. It stays where it was written: with
/// separate buffers the next operation has the two swapped, as `ShiDianNao` has. Decided from the first operation on.
///
/// `widths` are those of each operation.
///
/// # Errors
/// Contradicting extents or counts beyond 2^64.
///
/// # Panics
/// If there are not as many widths as operations.
pub fn residency(
    operations: &[Operation],
    widths: &[Widths],
    buffers: &Buffers,
    batch: u64,
) -> Result<Vec<Residents>, Error> {
    assert_eq!(operations.len(), widths.len(), "every operation has its widths");
    let mut residents = vec![Residents::default(); operations.len()];
    for index in 1..operations.len() {
        if !is_handed_on(operations, index - 1) {
            continue;
        }
        let before = Residents { ofmap: true, ..residents[index - 1] };
        let has_two = buffers.ifmap != buffers.ofmap;
        let behind = Residents { ifmap: true, ofmap: false, swapped: has_two && !before.swapped };
        let fits = |index: usize, residents| {
            Problem { operation: &operations[index], widths: widths[index], buffers, residents, batch }.fits()
        };
        if fits(index - 1, before)? && fits(index, behind)? {
            residents[index - 1] = before;
            residents[index] = behind;
        }
    }
    Ok(residents)
}

/// Whether the output of operation `index` is the whole input of the next one and is read by nothing else.
fn is_handed_on(operations: &[Operation], index: usize) -> bool {
    let next = &operations[index + 1];
    let source = Source::Operation(index);
    let readers = operations.iter().filter(|operation| reads(operation, source)).count();
    let adds = next.added.iter().any(|added| added.sources.contains(&source));
    readers == 1
        && !adds
        && next.sources == [source]
        && operations[index].stored().words() == next.input.words()
}

fn reads(operation: &Operation, source: Source) -> bool {
    let added = operation.added.iter().flat_map(|added| &added.sources);
    operation.sources.iter().chain(added).any(|&read| read == source)
}

/// Activations between operations.
struct Tensor {
    bytes: u64,
    buffer: usize,
    /// First and last operation during which it is there.
    from: usize,
    to: usize,
}

/// Whether `operations` need no DRAM: all weights and biases stay in the buffer of the filters, and every activation lies
/// whole in a buffer from the operation that writes it to the last one that reads it. The network's input lies in the buffer
/// of the ifmap; with separate buffers an operation writes to the one that its input does not lie in. Incomplete sums stay
/// in the array.
///
/// # Errors
/// The first layer at which a buffer is too small, or counts beyond 2^64.
///
/// # Panics
/// If there are not as many widths as operations.
pub fn fits_on_chip(
    operations: &[Operation],
    widths: &[Widths],
    buffers: &Buffers,
    batch: u64,
) -> Result<(), Error> {
    assert_eq!(operations.len(), widths.len(), "every operation has its widths");
    for (operand, index) in
        [(Operand::Ifmap, buffers.ifmap), (Operand::Filter, buffers.filter), (Operand::Ofmap, buffers.ofmap)]
    {
        if index >= buffers.buffers.len() {
            return Err(Error::NoBuffer { operand, index, count: buffers.buffers.len() });
        }
    }
    let mut parameters = 0u64;
    let overflow = |operation: &Operation| Error::Overflow {
        layer: operation.name.clone(),
        what: "bytes that stay on chip",
    };
    for (operation, widths) in operations.iter().zip(widths) {
        let all = parameter_bytes(operation, *widths).and_then(|bytes| parameters.checked_add(bytes));
        parameters = all.ok_or_else(|| overflow(operation))?;
        room(buffers, buffers.filter, parameters, operation, Operand::Filter)?;
    }
    let tensors = tensors(operations, widths, buffers, batch)?;
    for (index, operation) in operations.iter().enumerate() {
        for (operand, buffer) in [(Operand::Ifmap, buffers.ifmap), (Operand::Ofmap, buffers.ofmap)] {
            let there = tensors.iter().filter(|tensor| (tensor.from..=tensor.to).contains(&index));
            let beside = if buffer == buffers.filter { parameters } else { 0 };
            let taken = (there.filter(|tensor| tensor.buffer == buffer).map(|tensor| tensor.bytes))
                .try_fold(beside, u64::checked_add);
            room(buffers, buffer, taken.ok_or_else(|| overflow(operation))?, operation, operand)?;
        }
    }
    Ok(())
}

fn room(buffers: &Buffers, buffer: usize, taken: u64, at: &Operation, operand: Operand) -> Result<(), Error> {
    let capacity_bytes = buffers.buffers[buffer].capacity_bytes;
    match taken.checked_sub(capacity_bytes) {
        None | Some(0) => Ok(()),
        Some(missing_bytes) => {
            Err(Error::OffChip { layer: at.name.clone(), operand, buffer, capacity_bytes, missing_bytes })
        }
    }
}

/// Bytes of weights and biases, those of followers included; `None` beyond what can be counted.
fn parameter_bytes(operation: &Operation, widths: Widths) -> Option<u64> {
    let is_product = matches!(operation.kind, Kind::Convolution | Kind::FullyConnected);
    let [rows, columns] = operation.window.kernel;
    let weights = if is_product {
        (operation.input.channels / operation.groups.max(1))
            .checked_mul(operation.output.channels)?
            .checked_mul(rows.checked_mul(columns)?)?
    } else {
        0
    };
    let biases = if is_product && operation.has_bias { operation.output.channels } else { 0 };
    let mut followers = operation.followers.iter().map(|follower| follower.parameters);
    let [weights, biases] = followers.try_fold([weights, biases], |[weights, biases], more| {
        Some([weights.checked_add(more[0])?, biases.checked_add(more[1])?])
    })?;
    counted_bytes(weights, widths.filter_bits)?.checked_add(counted_bytes(biases, widths.bias_bits)?)
}

/// [`bytes`], or `None` if their bits cannot be counted.
fn counted_bytes(words: u64, bits: u32) -> Option<u64> {
    words.checked_mul(u64::from(bits)).map(|_| bytes(words, bits))
}

/// All activations: the network's input first, then the output of each operation.
fn tensors(
    operations: &[Operation],
    widths: &[Widths],
    buffers: &Buffers,
    batch: u64,
) -> Result<Vec<Tensor>, Error> {
    let last_reader = |source| operations.iter().rposition(|operation| reads(operation, source));
    let of_words = |operation: &Operation, words: Option<u64>, bits| {
        let words = words.and_then(|words| words.checked_mul(batch));
        let bytes = words.and_then(|words| counted_bytes(words, bits));
        bytes
            .ok_or_else(|| Error::Overflow { layer: operation.name.clone(), what: "bytes that stay on chip" })
    };
    let mut tensors = Vec::with_capacity(operations.len() + 1);
    let reader = operations.iter().position(|operation| operation.sources.contains(&Source::Input));
    if let (Some(reader), Some(to)) = (reader, last_reader(Source::Input)) {
        let operation = &operations[reader];
        let bytes = of_words(operation, operation.input.words(), widths[reader].ifmap_bits)?;
        tensors.push(Tensor { bytes, buffer: buffers.ifmap, from: 0, to });
    }
    let inputs = tensors.len();
    for (index, operation) in operations.iter().enumerate() {
        let read = match operation.sources.first() {
            Some(&Source::Operation(producer)) => tensors.get(inputs + producer).map(|tensor| tensor.buffer),
            Some(Source::Input) | None => None,
        };
        let buffer =
            if read.unwrap_or(buffers.ifmap) == buffers.ofmap { buffers.ifmap } else { buffers.ofmap };
        let bytes = of_words(operation, operation.stored().words(), widths[index].ofmap_bits)?;
        let to = last_reader(Source::Operation(index)).unwrap_or(index);
        tensors.push(Tensor { bytes, buffer, from: index, to: to.max(index) });
    }
    Ok(tensors)
}
