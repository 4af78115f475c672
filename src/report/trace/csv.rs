//! The figures as CSV, in full precision; empty: unknown.

use super::{EnergyPart, TraceFigures};
use crate::report::csv_files::write;
use crate::report::text::word;

fn optional(value: Option<impl ToString>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}

/// One row per layer.
pub fn trace_layers_csv(figures: &TraceFigures) -> String {
    let header = [
        "layer",
        "kind",
        "macs",
        "start_cycle",
        "fill_cycles",
        "compute_cycles",
        "stall_cycles",
        "drain_cycles",
        "total_cycles",
        "utilisation",
        "bound",
        "dram_bytes",
        "energy_pj",
    ];
    let rows = figures.layers.iter().map(|layer| {
        vec![
            layer.layer.clone(),
            word(&layer.kind),
            layer.macs.to_string(),
            layer.start_cycle.to_string(),
            layer.cycles.fill_cycles.to_string(),
            layer.cycles.compute_cycles.to_string(),
            layer.cycles.stall_cycles.to_string(),
            layer.cycles.drain_cycles.to_string(),
            layer.cycles.total_cycles.to_string(),
            optional(layer.utilisation),
            layer.bound.clone(),
            layer.roofline.dram_bytes.to_string(),
            optional(layer.energy_pj),
        ]
    });
    write(&header, rows)
}

/// One row per layer, operand and memory.
pub fn trace_movements_csv(figures: &TraceFigures) -> String {
    let header = [
        "layer",
        "operand",
        "memory",
        "word_bits",
        "compulsory_words",
        "read_words",
        "written_words",
        "ratio",
        "read_bytes",
        "written_bytes",
        "read_bursts",
        "written_bursts",
        "activations",
        "first_use_cycle",
        "last_use_cycle",
        "residency_cycles",
    ];
    let rows = figures.layers.iter().flat_map(|layer| {
        layer.movements.iter().map(|movement| {
            let moved = &movement.moved;
            vec![
                layer.layer.clone(),
                word(&movement.operand),
                movement.memory.clone(),
                movement.word_bits.to_string(),
                optional(movement.compulsory_words),
                moved.read_words.to_string(),
                moved.written_words.to_string(),
                optional(movement.ratio),
                moved.read_bytes.to_string(),
                moved.written_bytes.to_string(),
                moved.read_bursts.to_string(),
                moved.written_bursts.to_string(),
                moved.activations.to_string(),
                movement.first_use_cycle.to_string(),
                movement.last_use_cycle.to_string(),
                movement.residency_cycles.to_string(),
            ]
        })
    });
    write(&header, rows)
}

/// One row per part of the energy; the rows of no layer are drawn between batches.
pub fn trace_energy_csv(figures: &TraceFigures) -> String {
    let row = |layer: &str, part: &EnergyPart| {
        vec![
            layer.to_owned(),
            part.component.to_owned(),
            optional(part.memory.as_ref()),
            optional(part.operand.map(|operand| word(&operand))),
            optional(part.energy_pj),
        ]
    };
    let layers =
        figures.layers.iter().flat_map(|layer| layer.energy.iter().map(|part| row(&layer.layer, part)));
    let idle = figures.idle_energy.iter().map(|part| row("", part));
    write(&["layer", "component", "memory", "operand", "energy_pj"], layers.chain(idle))
}

/// One row per layer: where it stands under the roofs of array and DRAM.
pub fn trace_roofline_csv(figures: &TraceFigures) -> String {
    let header = [
        "layer",
        "macs",
        "dram_bytes",
        "macs_per_byte",
        "attainable_macs_per_cycle",
        "roof",
        "achieved_macs_per_cycle",
        "bound",
    ];
    let rows = figures.layers.iter().map(|layer| {
        vec![
            layer.layer.clone(),
            layer.macs.to_string(),
            layer.roofline.dram_bytes.to_string(),
            optional(layer.roofline.macs_per_byte),
            optional(layer.roofline.attainable_macs_per_cycle),
            optional(layer.roofline.roof),
            optional(layer.roofline.achieved_macs_per_cycle),
            layer.bound.clone(),
        ]
    });
    write(&header, rows)
}

/// One row per matrix product, in SCALE-Sim's terms.
pub fn trace_scalesim_csv(figures: &TraceFigures) -> String {
    write(&super::scalesim::HEADER, figures.scalesim.iter().map(|layer| layer.row(u64::to_string, "")))
}
