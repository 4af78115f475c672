//! The figures for the terminal.

use super::{CycleFigures, EnergyPart, LayerFigures, Moved, TraceFigures};
use crate::accelerator::trace::Operand;
use crate::report::energy::picojoules;
use crate::report::text::{grouped, percent, table, word};

/// Cycles, traffic and energy of every layer.
pub fn trace_text(figures: &TraceFigures) -> String {
    let mut blocks = vec![heading(figures), cycles(figures)];
    let tiles = figures.layers.iter().filter_map(|layer| Some((layer.layer.as_str(), layer.tiles.as_ref()?)));
    if tiles.clone().next().is_some() {
        blocks.push(super::tiles::text(tiles));
    }
    blocks.extend(off_chip(figures));
    blocks.push(buffers(figures));
    blocks.push(energy(figures));
    blocks.join("\n\n") + "\n"
}

/// Where every layer stands under the roofs of array and DRAM.
pub fn trace_roofline_text(figures: &TraceFigures) -> String {
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
    let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3}"));
    let rows = figures.layers.iter().map(|layer| {
        vec![
            layer.layer.clone(),
            grouped(layer.macs),
            grouped(layer.roofline.dram_bytes),
            number(layer.roofline.macs_per_byte),
            number(layer.roofline.attainable_macs_per_cycle),
            layer.roofline.roof.unwrap_or("-").to_owned(),
            number(layer.roofline.achieved_macs_per_cycle),
            layer.bound.clone(),
        ]
    });
    format!(
        "{}\n\nRoofline: the lower of {} processing elements and MACs per byte times what the DRAM sustains\n{}\n",
        heading(figures),
        grouped(u128::from(figures.accelerator.array.rows) * u128::from(figures.accelerator.array.columns)),
        table(&header, rows)
    )
}

/// Every matrix product in SCALE-Sim's terms.
pub fn trace_scalesim_text(figures: &TraceFigures) -> String {
    let rows = figures.scalesim.iter().map(|layer| layer.row(|&count| grouped(count), "-"));
    format!(
        "{}\n\nWhole layers through the array without tiles and without waiting, one image, all groups\n{}\n",
        heading(figures),
        table(&super::scalesim::HEADER, rows)
    )
}

/// What was traced, and how.
fn heading(figures: &TraceFigures) -> String {
    let array = &figures.accelerator.array;
    let dram = figures.accelerator.dram.map_or("no DRAM".to_owned(), |dram| {
        format!("DRAM `{}`, address map {}", figures.memories[dram.memory], dram.address_map)
    });
    format!(
        "{}: batch of {}, {} x {} array, {}, {} MHz, {dram}, {} trace",
        figures.source,
        grouped(figures.batch_images),
        array.rows,
        array.columns,
        word(&array.dataflow),
        figures.clock_mhz,
        word(&figures.fidelity),
    )
}

fn cycles(figures: &TraceFigures) -> String {
    let header = [
        "layer",
        "kind",
        "macs",
        "fill_cycles",
        "compute_cycles",
        "stall_cycles",
        "drain_cycles",
        "total_cycles",
        "utilisation_%",
        "bound",
    ];
    let row = |name: &str, kind, macs: u128, cycles: &CycleFigures, utilisation: Option<f64>, bound: &str| {
        let counts =
            [macs, cycles.fill_cycles, cycles.compute_cycles, cycles.stall_cycles, cycles.drain_cycles];
        let utilisation = utilisation.map_or("-".to_owned(), percent);
        let counts = counts.into_iter().chain([cycles.total_cycles]).map(grouped);
        let tail = [utilisation, bound.to_owned()];
        [name.to_owned(), kind].into_iter().chain(counts).chain(tail).collect::<Vec<_>>()
    };
    let layers = figures.layers.iter().map(|layer| {
        row(
            &layer.layer,
            word(&layer.kind),
            layer.macs.into(),
            &layer.cycles,
            layer.utilisation,
            &layer.bound,
        )
    });
    let totals = &figures.totals;
    let total = row("total", String::new(), totals.macs, &totals.cycles, totals.utilisation, "");
    format!(
        "Cycles of the accelerator's clock: {} ns per batch\n{}",
        grouped(totals.time_ns.round() as u128),
        table(&header, layers.chain([total]))
    )
}

/// Traffic to and from DRAM; `None` if there is no DRAM.
fn off_chip(figures: &TraceFigures) -> Option<String> {
    let dram = figures.accelerator.dram?;
    let header = [
        "layer",
        "operand",
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
    ];
    let row = |layer: &str,
               operand: String,
               bits: String,
               compulsory: Option<u128>,
               ratio: Option<f64>,
               moved: &Moved| {
        let [head, tail] = counts(moved);
        [layer.to_owned(), operand, bits, compulsory.map_or("-".to_owned(), grouped)]
            .into_iter()
            .chain(head)
            .chain([ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.3}"))])
            .chain(tail)
            .chain([grouped(moved.activations)])
            .collect::<Vec<_>>()
    };
    let layers = figures.layers.iter().flat_map(|layer| {
        layer.movements.iter().filter(|movement| movement.is_off_chip).map(|movement| {
            let compulsory = movement.compulsory_words.map(u128::from);
            let bits = movement.word_bits.to_string();
            row(&layer.layer, word(&movement.operand), bits, compulsory, movement.ratio, &movement.moved)
        })
    });
    let totals = figures.totals.movements.iter().filter(|total| total.is_off_chip);
    let by_operand = totals.map(|total| {
        row("total", word(&total.operand), String::new(), total.compulsory_words, total.ratio, &total.moved)
    });
    let totals = &figures.totals;
    let times = totals.compulsory_dram_words.filter(|&words| words > 0).map_or(String::new(), |words| {
        let times = totals.dram_words as f64 / words as f64;
        format!(", {times:.4} times the compulsory {}", grouped(words))
    });
    Some(format!(
        "Traffic of DRAM `{}`: {} words{times}; {} bytes\n{}",
        figures.memories[dram.memory],
        grouped(totals.dram_words),
        grouped(totals.dram_bytes),
        table(&header, layers.chain(by_operand))
    ))
}

/// Words, then bytes and bursts, each read and written.
fn counts(moved: &Moved) -> [Vec<String>; 2] {
    let words = [moved.read_words, moved.written_words];
    let rest = [moved.read_bytes, moved.written_bytes, moved.read_bursts, moved.written_bursts];
    [words.into_iter().map(grouped).collect(), rest.into_iter().map(grouped).collect()]
}

fn buffers(figures: &TraceFigures) -> String {
    let header = [
        "layer",
        "operand",
        "memory",
        "word_bits",
        "read_words",
        "written_words",
        "read_bytes",
        "written_bytes",
        "read_accesses",
        "written_accesses",
    ];
    let row = |layer: &str, operand: Operand, memory: &str, bits: String, moved: &Moved| {
        let [head, tail] = counts(moved);
        [layer.to_owned(), word(&operand), memory.to_owned(), bits]
            .into_iter()
            .chain(head)
            .chain(tail)
            .collect::<Vec<_>>()
    };
    let layers = figures.layers.iter().flat_map(|layer| {
        layer.movements.iter().filter(|movement| !movement.is_off_chip).map(|movement| {
            let bits = movement.word_bits.to_string();
            row(&layer.layer, movement.operand, &movement.memory, bits, &movement.moved)
        })
    });
    let totals = figures.totals.movements.iter().filter(|total| !total.is_off_chip);
    let totals = totals.map(|total| row("total", total.operand, &total.memory, String::new(), &total.moved));
    format!("Accesses of the buffers\n{}", table(&header, layers.chain(totals)))
}

/// One column per component and memory, in the order of the totals.
fn energy(figures: &TraceFigures) -> String {
    let totals = &figures.totals;
    let is_of = |part: &EnergyPart, column: &EnergyPart| {
        part.component == column.component && part.memory == column.memory
    };
    let columns: Vec<String> = (totals.energy.iter())
        .map(|part| match &part.memory {
            Some(memory) => format!("{memory}_{}_pj", part.component),
            None => format!("{}_pj", part.component),
        })
        .collect();
    let row = |name: &str, parts: &[EnergyPart], total: Option<f64>| {
        let of_column = totals.energy.iter().map(|column| {
            let parts: Vec<_> = parts.iter().filter(|part| is_of(part, column)).collect();
            if parts.is_empty() {
                return String::new();
            }
            picojoules(parts.iter().try_fold(0.0, |sum, part| Some(sum + part.energy_pj?)))
        });
        [name.to_owned()].into_iter().chain(of_column).chain([picojoules(total)]).collect::<Vec<_>>()
    };
    let layers =
        figures.layers.iter().map(|layer: &LayerFigures| row(&layer.layer, &layer.energy, layer.energy_pj));
    let idle_total = figures.idle_energy.iter().try_fold(0.0, |sum, part| Some(sum + part.energy_pj?));
    let idle =
        (!figures.idle_energy.is_empty()).then(|| row("between batches", &figures.idle_energy, idle_total));
    let total = row("total", &totals.energy, totals.energy_pj);
    let header: Vec<&str> =
        ["layer"].into_iter().chain(columns.iter().map(String::as_str)).chain(["total_pj"]).collect();
    format!("Energy of a batch; - : no constant tells\n{}", table(&header, layers.chain(idle).chain([total])))
}
