//! Which cells of its buffer each word of a layer passes.

use super::{Execution, Task};
use crate::accelerator::operation::{Extent, Operation, Window};
use crate::accelerator::tiling::{Buffering, Held, Loop, Plan, Residents};
use crate::accelerator::trace::Operand;
use crate::memory::Passage;

/// How the words of one operand of a layer pass through their buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passing {
    /// The memory.
    pub memory: usize,
    /// Bits of a word there.
    pub word_bits: u32,
    /// Its first cell for this operand.
    pub first_cell: u64,
    /// The way of the words through the cells from there on.
    pub passage: Passage,
}

impl Execution {
    /// How the words of `operand` of operation `index` pass through their buffer: of inputs and weights, in their storage order
    /// (channel planes and filters). In a shared buffer inputs come first, then weights. Of rows that neighbouring tiles share
    /// only the first tile counts, of a batch the first image.
    pub fn passing(&self, task: &Task<'_>, index: usize, operand: Operand) -> Option<Passing> {
        let (layer, operation) = (&self.layers[index], &task.operations[index]);
        let plan = &layer.plan;
        let buffers = &task.accelerator.buffers;
        let double = task.accelerator.buffering == Buffering::Double;
        let words = &task.words[index];
        let ifmap = ifmap(plan, operation, layer.residents.ifmap, double);
        let swapped = layer.residents.swapped;
        let ifmap_memory = if swapped { buffers.ofmap.memory } else { buffers.ifmap.memory };
        let filter_memory = buffers.filter.memory;
        match operand {
            Operand::Ifmap => Some(Passing {
                memory: ifmap_memory,
                word_bits: words.ifmap.bits,
                first_cell: 0,
                passage: ifmap,
            }),
            Operand::Filter if operation.is_product() => {
                let before = if ifmap_memory == filter_memory {
                    ifmap.places() * u64::from(words.ifmap.bits)
                } else {
                    0
                };
                let passage = filter(plan, operation, double)?;
                let word_bits = words.filter.bits;
                Some(Passing { memory: filter_memory, word_bits, first_cell: before, passage })
            }
            _ => None,
        }
    }
}

/// Words of inputs or weights that their buffer holds at a time; `None` for other operands.
pub(super) fn held_words(
    plan: &Plan,
    operation: &Operation,
    residents: Residents,
    double: bool,
    operand: Operand,
) -> Option<u64> {
    match operand {
        Operand::Ifmap => Some(ifmap(plan, operation, residents.ifmap, double).places()),
        Operand::Filter | Operand::Bias if operation.is_product() => {
            Some(filter(plan, operation, double)?.places())
        }
        _ => None,
    }
}

/// Whether the place of an operand keeps all blocks of `which`, one of its two loops.
fn keeps(plan: &Plan, held: Held, [one, other]: [Loop; 2], which: Loop) -> bool {
    let order = plan.tiling.order;
    let inner = if order.position(one) > order.position(other) { one } else { other };
    match held {
        Held::Tile => false,
        Held::Inner => which == inner,
        Held::Whole => true,
    }
}

fn filter(plan: &Plan, operation: &Operation, double: bool) -> Option<Passage> {
    let loops = [Loop::Filter, Loop::Channel];
    let taps = operation.window.kernel[0] * operation.window.kernel[1];
    let unit_words = operation.window_elements()?;
    let group_units = operation.output.channels / operation.groups;
    let all_filters = keeps(plan, plan.places.filter, loops, Loop::Filter);
    let all_channels = keeps(plan, plan.places.filter, loops, Loop::Channel);
    let tile_units = if all_filters { group_units } else { plan.tiling.filters.min(group_units) };
    let part_words = if all_channels { unit_words } else { (plan.tiling.channels * taps).min(unit_words) };
    let is_replaced = operation.groups > 1 || tile_units < group_units || part_words < unit_words;
    Some(Passage {
        unit_words,
        group_units,
        tile_units,
        part_words,
        parts_first: plan.tiling.order.position(Loop::Channel) > plan.tiling.order.position(Loop::Filter),
        slots: if is_replaced && double { 2 } else { 1 },
        slot_words: tile_units * part_words,
    })
}

/// Input rows that the windows of one tile reach, fused pooling included.
fn reach(plan: &Plan, operation: &Operation) -> u64 {
    let spanned = |window: &Window, rows: u64| {
        let extent = (window.kernel[0] - 1).saturating_mul(window.dilation[0]).saturating_add(1);
        (rows - 1).saturating_mul(window.stride[0]).saturating_add(extent)
    };
    let computed = operation.pooled().map_or(plan.tiling.rows, |pooled| spanned(&pooled, plan.tiling.rows));
    spanned(&operation.window, computed.min(operation.output.height))
}

fn ifmap(plan: &Plan, operation: &Operation, is_resident: bool, double: bool) -> Passage {
    let Extent { channels, height, width } = operation.input;
    let loops = [Loop::Row, Loop::Channel];
    let is_product = operation.is_product();
    let group_units = if is_product { channels / operation.groups } else { channels };
    let held = plan.places.ifmap;
    let all_rows = is_resident || is_product && keeps(plan, held, loops, Loop::Row);
    let all_channels = is_resident || is_product && keeps(plan, held, loops, Loop::Channel);
    let block = if is_product { plan.tiling.channels } else { plan.tiling.filters };
    // A tile's fresh rows: its share of all, and no more than its windows reach where these leave gaps.
    let rows = if all_rows { height } else { height.div_ceil(plan.tiles.rows).min(reach(plan, operation)) };
    let tile_units = if all_channels { group_units } else { block.min(group_units) };
    let groups = channels / group_units;
    let is_replaced = groups > 1 || tile_units < group_units || rows < height;
    let (group_units, tile_units) =
        if is_resident { (channels, channels) } else { (group_units, tile_units) };
    let order = plan.tiling.order;
    Passage {
        unit_words: height * width,
        group_units,
        tile_units,
        part_words: rows * width,
        parts_first: !is_product || order.position(Loop::Row) > order.position(Loop::Channel),
        slots: if is_replaced && double && !is_resident { 2 } else { 1 },
        slot_words: tile_units * rows * width,
    }
}
