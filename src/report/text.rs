//! Tables for the terminal. Every column that holds a quantity carries its unit in its name.

use super::energy::{EnergyFigures, picojoules, share};
use super::result::{Accuracy, Approximate, MemoryFaults, RunResult};
use super::sweep::SweepResult;
use crate::experiment::MachineFigures;
use comfy_table::{CellAlignment, ContentLineStyle, LineStyle, Table, TableStyle};
use std::collections::HashMap;
use std::fmt::Write as _;

/// A rule under the header and nothing else: it reads well and can be pasted anywhere.
const STYLE: TableStyle = TableStyle::new()
    .header_lines(ContentLineStyle::none())
    .header_separator(LineStyle::none().fill('-').junction('-'))
    .content_lines(ContentLineStyle::none());

/// A table with a header row; every column but the first is aligned right.
pub fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(STYLE).set_header(header.to_vec());
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

/// An integer with thousands separators.
pub fn grouped(value: impl Into<u128>) -> String {
    let digits = value.into().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The word that stands for a choice in configurations and in JSON.
pub(super) fn word(choice: &impl serde::Serialize) -> String {
    match serde_json::to_value(choice) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// A share as percent with two decimals; what rounds to nothing has no sign.
pub fn percent(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    if text == "-0.00" { "0.00".to_owned() } else { text }
}

/// A share that was asked for in percent: two digits, or as many as it takes to be exact.
pub fn exact_percent(share: f64) -> String {
    let text = percent(share);
    let is_exact = text.parse().is_ok_and(|shown: f64| (shown / 100.0 - share).abs() < 1e-12);
    if is_exact { text } else { format!("{}", share * 100.0) }
}

/// A probability: as short as it is exact, else four digits.
fn rate(rate: f64) -> String {
    let exact = format!("{rate:e}");
    if exact.len() <= 8 { exact } else { format!("{rate:.3e}") }
}

fn optional(value: Option<f64>, text: fn(f64) -> String) -> String {
    value.map_or("-".to_owned(), text)
}

fn interval(value: Option<[f64; 2]>) -> String {
    value.map_or("-".to_owned(), |[low, high]| format!("{} .. {}", percent(low), percent(high)))
}

/// A count that may have a fraction: whole numbers above 1000, else two decimals.
pub(super) fn grouped_mean(value: f64) -> String {
    if value >= 1000.0 { grouped(value.round() as u64) } else { format!("{value:.2}") }
}

/// The result of `run`.
pub fn run_text(result: &RunResult) -> String {
    let mut text = String::new();
    push(&mut text, &accuracy_table(result));
    push(&mut text, &trials_table(&result.approximate));
    push(&mut text, &class_table(result));
    push(&mut text, &fault_table(result));
    if let Some(attribution) = &result.attribution {
        push(&mut text, &attribution.text());
    }
    push(&mut text, &volume_table(result));
    if let Some(accelerator) = &result.accelerator {
        push(&mut text, &accelerator.text());
    }
    if let Some(energy) = &result.energy {
        push(&mut text, &energy.text());
    }
    push(&mut text, &subset_table(result));
    for note in &result.notes {
        push(&mut text, &format!("note: {note}"));
    }
    text
}

fn push(text: &mut String, block: &str) {
    writeln!(text, "{block}\n").expect("writing to a string does not fail");
}

fn accuracy_row(design: &str, accuracy: &Accuracy) -> Vec<String> {
    vec![
        design.to_owned(),
        percent(accuracy.top1),
        optional(accuracy.top5, percent),
        percent(accuracy.agreement),
        optional(accuracy.rpa, percent),
        grouped(accuracy.nan_images),
        grouped(accuracy.infinite_images),
    ]
}

fn accuracy_table(result: &RunResult) -> String {
    let approximate = &result.approximate;
    let header = ["design", "top1_%", "top5_%", "agreement_%", "rpa_%", "nan_images", "infinite_images"];
    let rows = [
        accuracy_row("baseline (fp32)", &result.baseline),
        accuracy_row("quantised (no faults)", &result.quantised),
        vec![
            "approximate (mean over trials)".to_owned(),
            percent(approximate.top1_mean),
            optional(approximate.top5_mean, percent),
            percent(approximate.agreement_mean),
            optional(approximate.rpa_mean, percent),
            grouped_mean(approximate.nan_images_mean),
            grouped_mean(approximate.infinite_images_mean),
        ],
    ];
    let measure =
        if result.labelled { "Accuracy" } else { "No labels: agreement with the baseline's predictions" };
    format!("{measure} on {} images\n{}", grouped(result.baseline.images), table(&header, rows))
}

fn trials_table(approximate: &Approximate) -> String {
    let row = |figure: &str, [mean, std, min, max]: [Option<f64>; 4], ci95| {
        let [mean, std, min, max] = [mean, std, min, max].map(|value| optional(value, percent));
        vec![figure.to_owned(), mean, std, interval(ci95), min, max]
    };
    let Approximate { top1_mean, top1_min, top1_max, .. } = *approximate;
    let Approximate { agreement_mean, agreement_min, agreement_max, .. } = *approximate;
    let top1 = [Some(top1_mean), approximate.top1_std, Some(top1_min), Some(top1_max)];
    let top5 = [approximate.top5_mean, approximate.top5_std, approximate.top5_min, approximate.top5_max];
    let agreement =
        [Some(agreement_mean), approximate.agreement_std, Some(agreement_min), Some(agreement_max)];
    let rpa = [approximate.rpa_mean, approximate.rpa_std, approximate.rpa_min, approximate.rpa_max];
    let rows = [
        row("top1_%", top1, approximate.top1_ci95),
        row("top5_%", top5, approximate.top5_ci95),
        row("agreement_%", agreement, approximate.agreement_ci95),
        row("rpa_%", rpa, approximate.rpa_ci95),
    ];
    let verdict = match approximate.meets_floor {
        Some(true) => {
            format!("mean RPA is at or above the floor of {} %", exact_percent(approximate.rpa_floor))
        }
        Some(false) => format!("mean RPA is BELOW the floor of {} %", exact_percent(approximate.rpa_floor)),
        None => "the baseline predicts no image right: RPA is undefined".to_owned(),
    };
    let header = ["over trials", "mean", "std", "ci95", "min", "max"];
    let trials = match approximate.trials {
        1 => "1 trial".to_owned(),
        trials => format!("{} trials", grouped(trials as u64)),
    };
    format!("Approximate, {trials}\n{}\n{verdict}", table(&header, rows))
}

/// Most classes that the summary lists; losses are in percentage points.
const CLASSES_SHOWN: usize = 5;

fn class_table(result: &RunResult) -> String {
    let losses = result.classes.iter().filter_map(|class| Some((class, class.loss()?)));
    let mut losing: Vec<_> = losses.filter(|(_, loss)| *loss > 0.0).collect();
    let classes = result.classes.len();
    if losing.is_empty() {
        return format!("Classes: none of {} loses accuracy over trials", grouped(classes as u64));
    }
    // The sort is stable: of equal losses the lower class comes first.
    losing.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    let header =
        ["class", "images", "baseline_%", "quantised_%", "mean_%", "loss_pp", "predicted_images_mean"];
    let rows = losing.iter().take(CLASSES_SHOWN).map(|(class, loss)| {
        let share = |correct: f64| percent(correct / class.images as f64);
        vec![
            class.class.to_string(),
            grouped(class.images),
            share(class.baseline_correct.into()),
            share(class.quantised_correct.into()),
            share(class.correct_mean),
            percent(*loss),
            grouped_mean(class.predicted_mean),
        ]
    });
    format!(
        "Classes that lose most: {} of {} lose accuracy over trials\n{}",
        grouped(losing.len() as u64),
        grouped(classes as u64),
        table(&header, rows)
    )
}

fn fault_table(result: &RunResult) -> String {
    let faults = &result.faults;
    if faults.by_stop.is_empty() {
        return "Faults: every data subset rests in precise memory".to_owned();
    }
    let header = [
        "subset",
        "memory",
        "word_bits",
        "protected_msbs",
        "bit_error_rate",
        "bits_at_risk",
        "flips_expected",
        "flips_mean",
    ];
    let stops = faults.by_stop.iter().map(|stop| {
        vec![
            stop.subset.clone(),
            stop.memory.clone(),
            stop.word_bits.to_string(),
            stop.protected_msbs.to_string(),
            rate(stop.bit_error_rate),
            grouped(stop.bits_at_risk),
            grouped_mean(stop.flips_expected),
            grouped_mean(stop.flips_mean),
        ]
    });
    // Where there is one memory only, the total says the same.
    let memories: &[MemoryFaults] = if faults.by_memory.len() > 1 { &faults.by_memory } else { &[] };
    let memories = memories.iter().map(|memory| {
        vec![
            "all".to_owned(),
            memory.memory.clone(),
            String::new(),
            String::new(),
            String::new(),
            grouped(memory.bits_at_risk),
            grouped_mean(memory.flips_expected),
            grouped_mean(memory.flips_mean),
        ]
    });
    let total = vec![
        "total".to_owned(),
        String::new(),
        String::new(),
        String::new(),
        String::new(),
        grouped(faults.bits_at_risk),
        match faults.flips_expected_std {
            Some(std) => format!("{} ± {}", grouped_mean(faults.flips_expected), grouped_mean(std)),
            None => grouped_mean(faults.flips_expected),
        },
        match faults.flips_std {
            Some(std) => format!("{} ± {}", grouped_mean(faults.flips_mean), grouped_mean(std)),
            None => grouped_mean(faults.flips_mean),
        },
    ];
    format!(
        "Bit errors per trial: neurons once per image (± standard deviation over trials)\n{}",
        table(&header, stops.chain(memories).chain([total]))
    )
}

fn volume_table(result: &RunResult) -> String {
    let volume = &result.volume;
    let header = ["data volume", "bits", "bytes", "of_fp32_%"];
    let row = |name: &str, bits: u64| {
        let share = bits as f64 / volume.bits_fp32.max(1) as f64;
        vec![name.to_owned(), grouped(bits), grouped(bits.div_ceil(8)), percent(share)]
    };
    let rows = [
        row("fp32", volume.bits_fp32),
        row("stored in the home memories", volume.bits_stored),
        row("moved, each word over the link once", volume.bits_moved),
    ];
    format!(
        "Data volume for one image: {} words (weights, biases, inputs of conv and fc layers)\n{}\n\
         reduction of the bits moved (DVR): {} %",
        grouped(volume.words),
        table(&header, rows),
        percent(volume.reduction)
    )
}

fn subset_table(result: &RunResult) -> String {
    let header = ["subset", "words", "share_%", "format", "word_bits", "link_bits", "path"];
    let rows = result.subsets.iter().map(|subset| {
        vec![
            subset.name.clone(),
            grouped(subset.words),
            if subset.in_volume { percent(subset.share) } else { "outside".to_owned() },
            subset.format.clone(),
            subset.bits.to_string(),
            subset.link_bits.to_string(),
            if subset.path.is_empty() { subset.memory.clone() } else { subset.path.join(" > ") },
        ]
    });
    format!("Data subsets (share of the data volume)\n{}", table(&header, rows))
}

/// Something that in most sweeps is the same at all points.
struct Circumstance {
    column: &'static str,
    value: String,
    /// What stands above the table instead of the column.
    phrase: String,
}

fn circumstances(result: &RunResult) -> [Circumstance; 3] {
    let images = grouped(result.baseline.images);
    let trials = grouped(result.approximate.trials as u64);
    let baseline = percent(result.baseline.top1);
    [
        Circumstance { column: "images", phrase: format!("{images} images"), value: images },
        Circumstance { column: "trials", phrase: format!("{trials} trials"), value: trials },
        Circumstance {
            column: "baseline_%",
            phrase: format!("top-1 of the baseline (fp32) {baseline} %"),
            value: baseline,
        },
    ]
}

/// The result of `sweep`. What is the same at all points stands above the table.
pub fn sweep_text(result: &SweepResult) -> String {
    let points: Vec<_> = result.points.iter().map(|point| (point, circumstances(&point.result))).collect();
    let Some((_, first)) = points.first() else { return String::new() };
    let differs = |column: &usize| points.iter().any(|(_, all)| all[*column].value != first[*column].value);
    let (varied, fixed): (Vec<usize>, Vec<usize>) = (0..first.len()).partition(differs);
    let mut header: Vec<&str> = result.axes.iter().map(String::as_str).collect();
    header.extend(varied.iter().map(|&column| first[column].column));
    header.extend(["flips", "quantised_%", "top1_%", "agreement_%", "rpa_%", "rpa_ci95_%", "reduction_%"]);
    let total_pj = |run: &RunResult| run.energy.as_ref().and_then(|energy| energy.design.total_pj);
    let has_energy = points.iter().any(|(point, _)| total_pj(&point.result).is_some());
    if has_energy {
        header.extend(["energy_pj", "saving_%"]);
    }
    let has_accelerator = points.iter().any(|(point, _)| point.result.accelerator.is_some());
    if has_accelerator {
        header.extend(["cycles", "dram_bytes", "machine_pj"]);
    }
    let rows = points.iter().map(|(point, circumstances)| {
        let mut row: Vec<String> = point.values.clone();
        let run = &point.result;
        row.extend(varied.iter().map(|&column| circumstances[column].value.clone()));
        row.extend([
            grouped_mean(run.faults.flips_mean),
            percent(run.quantised.top1),
            percent(run.approximate.top1_mean),
            percent(run.approximate.agreement_mean),
            optional(run.approximate.rpa_mean, percent),
            interval(run.approximate.rpa_ci95),
            percent(run.volume.reduction),
        ]);
        if has_energy {
            let saving = run.energy.as_ref().and_then(|energy: &EnergyFigures| energy.saving);
            row.extend([picojoules(total_pj(run)), share(saving)]);
        }
        if has_accelerator {
            let design = run.accelerator.as_ref().map(|accelerator| &accelerator.design);
            let whole = |count: f64| grouped(count.round() as u64);
            row.extend([
                optional(design.map(|design| design.cycles), whole),
                optional(design.map(MachineFigures::dram_bytes), whole),
                picojoules(design.and_then(|design| design.energy_pj)),
            ]);
        }
        row
    });
    let fixed = fixed.iter().map(|&column| format!("{}, ", first[column].phrase));
    let fixed: String = fixed.collect();
    let energy = if has_energy { ", energy of the memories and the link per inference" } else { "" };
    let machine = if has_accelerator { "; machine_pj: with arithmetic and registers" } else { "" };
    format!(
        "{fixed}means over trials, reduction of the bits moved{energy}{machine}\n{}\n{}",
        table(&header, rows),
        sweep_notes(result)
    )
}

/// Most notes that the summary of a sweep lists.
const NOTES_SHOWN: usize = 20;

/// The notes of all points, each once.
fn sweep_notes(result: &SweepResult) -> String {
    let mut counts = Vec::<(&str, u64)>::new();
    let mut indices = HashMap::new();
    for note in result.points.iter().flat_map(|point| &point.result.notes) {
        let index = *indices.entry(note.as_str()).or_insert(counts.len());
        if index == counts.len() {
            counts.push((note, 0));
        }
        counts[index].1 += 1;
    }
    let points = grouped(result.points.len() as u64);
    let mut text = String::new();
    for &(note, count) in counts.iter().take(NOTES_SHOWN) {
        let count = grouped(count);
        writeln!(text, "\nnote (at {count} of {points} points): {note}")
            .expect("writing to a string does not fail");
    }
    if counts.len() > NOTES_SHOWN {
        writeln!(text, "\n{} notes, {NOTES_SHOWN} shown", grouped(counts.len() as u64))
            .expect("writing to a string does not fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rounds_to_nothing_has_no_sign() {
        assert_eq!([-1e-5, 1e-5, -1e-4, 0.5].map(percent), ["0.00", "0.00", "-0.01", "50.00"]);
    }

    #[test]
    fn thousands_are_grouped() {
        for (value, text) in [(0_u64, "0"), (999, "999"), (1000, "1,000"), (61_380_259, "61,380,259")] {
            assert_eq!(grouped(value), text);
        }
    }
}
