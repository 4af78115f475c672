//! The keys and columns of a trace, and what is written under them.

use crate::accelerator::operation::Kind;
use crate::accelerator::trace::{Bound, LayerTrace, Movement, Operand, Trace};
use std::borrow::Cow;

/// The clock, in megahertz.
pub(super) const CLOCK: &str = "clock_mhz";
/// Images of a batch.
pub(super) const BATCH: &str = "batch_images";
/// Keys of a layer after its name.
pub(super) const LAYER: [&str; 11] = [
    "kind",
    "macs",
    "start_cycle",
    "fill_cycles",
    "compute_cycles",
    "stall_cycles",
    "drain_cycles",
    "bound",
    "results",
    "register_bits_read",
    "register_bits_written",
];
/// Keys of a movement.
pub(super) const MOVEMENT: [&str; 13] = [
    "operand",
    "memory",
    "word_bits",
    "words_read",
    "words_written",
    "bytes_read",
    "bytes_written",
    "bursts_read",
    "bursts_written",
    "activations",
    "first_use_cycle",
    "last_use_cycle",
    "residency_cycles",
];
/// What a bound by a buffer begins with, before the name of the memory.
pub(super) const BUFFER: &str = "buffer:";

pub(super) const KINDS: [(Kind, &str); 5] = [
    (Kind::Convolution, "convolution"),
    (Kind::FullyConnected, "fully_connected"),
    (Kind::Pooling, "pooling"),
    (Kind::Normalisation, "normalisation"),
    (Kind::Elementwise, "elementwise"),
];
pub(super) const OPERANDS: [(Operand, &str); 6] = [
    (Operand::Ifmap, "ifmap"),
    (Operand::SecondIfmap, "second_ifmap"),
    (Operand::Filter, "filter"),
    (Operand::Bias, "bias"),
    (Operand::Ofmap, "ofmap"),
    (Operand::PartialSum, "partial_sum"),
];

/// A value as it is written.
pub(super) enum Written<'t> {
    Count(u64),
    Text(Cow<'t, str>),
}

fn name<T: PartialEq>(names: &[(T, &'static str)], value: &T) -> Written<'static> {
    let (_, name) = names.iter().find(|(named, _)| named == value).expect("every one has a name");
    Written::Text((*name).into())
}

/// Values under [`LAYER`].
pub(super) fn of_layer<'t>(layer: &LayerTrace, trace: &'t Trace) -> [Written<'t>; LAYER.len()] {
    let cycles = &layer.cycles;
    let bound = match layer.bound {
        Bound::Array => "array".into(),
        Bound::Dram => "dram".into(),
        Bound::Buffer(memory) => format!("{BUFFER}{}", trace.memories[memory]).into(),
    };
    [
        name(&KINDS, &layer.kind),
        Written::Count(layer.macs),
        Written::Count(layer.start_cycle),
        Written::Count(cycles.fill),
        Written::Count(cycles.compute),
        Written::Count(cycles.stall),
        Written::Count(cycles.drain),
        Written::Text(bound),
        Written::Count(layer.results),
        Written::Count(layer.register_bits_read),
        Written::Count(layer.register_bits_written),
    ]
}

/// Values under [`MOVEMENT`].
pub(super) fn of_movement<'t>(movement: &Movement, trace: &'t Trace) -> [Written<'t>; MOVEMENT.len()] {
    [
        name(&OPERANDS, &movement.operand),
        Written::Text(trace.memories[movement.memory].as_str().into()),
        Written::Count(movement.word_bits.into()),
        Written::Count(movement.words_read),
        Written::Count(movement.words_written),
        Written::Count(movement.bytes_read),
        Written::Count(movement.bytes_written),
        Written::Count(movement.bursts_read),
        Written::Count(movement.bursts_written),
        Written::Count(movement.activations),
        Written::Count(movement.first_use_cycle),
        Written::Count(movement.last_use_cycle),
        Written::Count(movement.residency_cycles),
    ]
}

/// Index of the buffer that binds `layer`.
pub(super) fn bound_buffer(layer: &LayerTrace) -> Option<usize> {
    match layer.bound {
        Bound::Buffer(memory) => Some(memory),
        Bound::Array | Bound::Dram => None,
    }
}
