//! What a layer trace says about the words of an operand in a memory: how long they stay and how often they are accessed.

use super::operation::{Operation, Source};
use super::trace::{LayerTrace, Movement, Operand, Trace};
use crate::memory::residency::Exposure;

/// What the words of `operand` of operation `index` go through in memory `memory` while an inference starts every `period_s`
/// seconds; `None` if they do not pass it.
///
/// Weights and biases stay in DRAM all the time: their rows are accessed once per pass over them, and rest longest between the
/// last pass of a batch and the first of the next. Activations stay there from the start of the layer that writes them to the
/// end of the last that reads them. In a buffer words stay for as long as the trace says, and are read as often as it divides
/// over their residencies; activations that never leave the chip stay from layer to layer.
pub fn exposure(
    trace: &Trace,
    operations: &[Operation],
    index: usize,
    operand: Operand,
    memory: usize,
    period_s: f64,
) -> Option<Exposure> {
    let layer = &trace.layers[index];
    let movement = movement(layer, operand, memory)?;
    let seconds = |cycles: u64| trace.seconds_of(cycles as f64);
    let is_weight = matches!(operand, Operand::Filter | Operand::Bias);
    let words = words(&operations[index], operand)?.max(1) as f64 * trace.batch as f64;
    let ratio = |count: u64, per: f64| if per > 0.0 { count as f64 / per } else { 0.0 };
    if movement.activations > 0 || movement.words_written == 0 {
        // Off chip: nothing but a layer that writes them writes them there.
        let passes = ratio(movement.words_read, if is_weight { words / trace.batch as f64 } else { words });
        if is_weight {
            let pass = seconds(movement.last_use_cycle - movement.first_use_cycle) / passes.max(1.0);
            let between = period_s * trace.batch as f64 - pass * (passes - 1.0).max(0.0);
            let stays = period_s * trace.batch as f64;
            return Some(Exposure {
                reuse_interval_s: between.max(pass),
                seconds: stays,
                reads: passes,
                writes: 1.0,
            });
        }
        let stays =
            seconds(last_read(trace, operations, index) - first_write(trace, &operations[index], operand));
        return Some(Exposure { reuse_interval_s: stays, seconds: stays, reads: passes, writes: 1.0 });
    }
    let is_loaded = layer
        .movements
        .iter()
        .any(|other| other.operand == operand && other.memory != memory && other.words_read > 0);
    let stays = if is_loaded {
        seconds(movement.residency_cycles)
    } else if is_weight {
        period_s * trace.batch as f64
    } else {
        seconds(last_read(trace, operations, index) - first_write(trace, &operations[index], operand))
    };
    let written = if is_loaded { movement.words_written as f64 } else { words };
    Some(Exposure {
        reuse_interval_s: stays,
        seconds: stays,
        reads: ratio(movement.words_read, written),
        writes: 1.0,
    })
}

/// What `layer` moves of `operand` to or from `memory`.
pub fn movement(layer: &LayerTrace, operand: Operand, memory: usize) -> Option<&Movement> {
    layer.movements.iter().find(|movement| movement.operand == operand && movement.memory == memory)
}

/// Words of `operand` per image.
fn words(operation: &Operation, operand: Operand) -> Option<u64> {
    match operand {
        Operand::Ifmap => operation.input.words(),
        Operand::SecondIfmap => operation.added_words(),
        Operand::Filter => operation.weight_words(),
        Operand::Bias => Some(operation.output.channels),
        Operand::Ofmap => operation.stored().words(),
        Operand::PartialSum => operation.output.words(),
    }
}

/// Where `operand` comes from.
fn sources(operation: &Operation, operand: Operand) -> Vec<Source> {
    match operand {
        Operand::SecondIfmap => operation.added.iter().flat_map(|added| added.sources.clone()).collect(),
        _ => operation.sources.clone(),
    }
}

/// Cycle at which the first of the words that `operation` reads is written; the network's input is there from the start.
fn first_write(trace: &Trace, operation: &Operation, operand: Operand) -> u64 {
    let producers = sources(operation, operand);
    let starts = producers.iter().map(|source| match source.operation() {
        Some(index) => trace.layers[index].start_cycle,
        None => 0,
    });
    starts.min().unwrap_or(0)
}

/// Cycle at which the last operation that reads what operation `index` reads ends.
fn last_read(trace: &Trace, operations: &[Operation], index: usize) -> u64 {
    let read = &operations[index].sources;
    let reads = |operation: &Operation| {
        let added = operation.added.iter().flat_map(|added| &added.sources);
        operation.sources.iter().chain(added).any(|source| read.contains(source))
    };
    let ends = (operations.iter().zip(&trace.layers))
        .filter(|(operation, _)| reads(operation))
        .map(|(_, layer)| layer.start_cycle + layer.cycles.total().unwrap_or(0));
    ends.max().unwrap_or(0)
}
