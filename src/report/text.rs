//! Tables for the terminal. Every column that holds a quantity carries its unit in its name.

use super::result::{Accuracy, RunResult};
use super::sweep::SweepResult;
use comfy_table::{CellAlignment, ContentLineStyle, LineStyle, Table, TableStyle};
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
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share as percent with two decimals.
pub fn percent(share: f64) -> String {
    format!("{:.2}", share * 100.0)
}

fn optional(value: Option<f64>, text: fn(f64) -> String) -> String {
    value.map_or("-".to_owned(), text)
}

fn interval(value: Option<[f64; 2]>) -> String {
    value.map_or("-".to_owned(), |[low, high]| format!("{} .. {}", percent(low), percent(high)))
}

/// A count that may have a fraction: whole numbers above 1000, else two decimals.
fn mean_count(value: f64) -> String {
    if value >= 1000.0 { grouped(value.round() as u64) } else { format!("{value:.2}") }
}

/// The result of `run`.
pub fn run_text(result: &RunResult) -> String {
    let mut text = String::new();
    push(&mut text, &accuracy_table(result));
    push(&mut text, &fault_table(result));
    push(&mut text, &volume_table(result));
    push(&mut text, &subset_table(result));
    text
}

fn push(text: &mut String, block: &str) {
    writeln!(text, "{block}\n").expect("writing to a string does not fail");
}

fn accuracy_row(design: &str, accuracy: &Accuracy) -> Vec<String> {
    let mut row = vec![design.to_owned(), percent(accuracy.top1), optional(accuracy.rpa, percent)];
    row.extend(["-", "-", "-", "-"].map(str::to_owned));
    row.push(grouped(accuracy.nan_images));
    row
}

fn accuracy_table(result: &RunResult) -> String {
    let approximate = &result.approximate;
    let header =
        ["design", "top1_%", "rpa_%", "rpa_std_%", "rpa_ci95_%", "rpa_min_%", "rpa_max_%", "nan_images"];
    let rows = [
        accuracy_row("baseline (fp32)", &result.baseline),
        accuracy_row("quantised (no faults)", &result.quantised),
        vec![
            format!("approximate (trials: {})", grouped(approximate.trials as u64)),
            percent(approximate.top1_mean),
            optional(approximate.rpa_mean, percent),
            optional(approximate.rpa_std, percent),
            interval(approximate.rpa_ci95),
            optional(approximate.rpa_min, percent),
            optional(approximate.rpa_max, percent),
            format!("{:.2}", approximate.nan_images_mean),
        ],
    ];
    let verdict = match approximate.meets_floor {
        Some(true) => format!("mean RPA is at or above the floor of {} %", percent(approximate.rpa_floor)),
        Some(false) => format!("mean RPA is BELOW the floor of {} %", percent(approximate.rpa_floor)),
        None => "the baseline predicts no image right: RPA is undefined".to_owned(),
    };
    let measure =
        if result.labelled { "Accuracy" } else { "No labels: agreement with the baseline's predictions" };
    format!("{measure} on {} images\n{}\n{verdict}", grouped(result.baseline.images), table(&header, rows))
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
        "flips_expected_per_trial",
        "flips_mean_per_trial",
    ];
    let stops = faults.by_stop.iter().map(|stop| {
        vec![
            stop.subset.clone(),
            stop.memory.clone(),
            stop.word_bits.to_string(),
            stop.protected_msbs.to_string(),
            format!("{:e}", stop.bit_error_rate),
            grouped(stop.bits_at_risk),
            mean_count(stop.flips_expected),
            mean_count(stop.flips_mean),
        ]
    });
    let total = vec![
        "total".to_owned(),
        String::new(),
        String::new(),
        String::new(),
        String::new(),
        grouped(faults.bits_at_risk),
        format!("{} ± {}", mean_count(faults.flips_expected), mean_count(faults.flips_expected_std)),
        match faults.flips_std {
            Some(std) => format!("{} ± {}", mean_count(faults.flips_mean), mean_count(std)),
            None => mean_count(faults.flips_mean),
        },
    ];
    format!(
        "Bit errors per trial (± standard deviation over trials)\n{}",
        table(&header, stops.chain([total]))
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

/// The result of `sweep`.
pub fn sweep_text(result: &SweepResult) -> String {
    let mut header: Vec<&str> = result.axes.iter().map(String::as_str).collect();
    header.extend([
        "images",
        "trials",
        "bits_at_risk",
        "flips_mean_per_trial",
        "baseline_top1_%",
        "quantised_top1_%",
        "top1_mean_%",
        "rpa_mean_%",
        "rpa_std_%",
        "rpa_ci95_%",
        "volume_reduction_%",
    ]);
    let rows = result.points.iter().map(|point| {
        let mut row: Vec<String> = point.values.clone();
        let run = &point.result;
        row.extend([
            grouped(run.baseline.images),
            grouped(run.approximate.trials as u64),
            grouped(run.faults.bits_at_risk),
            mean_count(run.faults.flips_mean),
            percent(run.baseline.top1),
            percent(run.quantised.top1),
            percent(run.approximate.top1_mean),
            optional(run.approximate.rpa_mean, percent),
            optional(run.approximate.rpa_std, percent),
            interval(run.approximate.rpa_ci95),
            percent(run.volume.reduction),
        ]);
        row
    });
    format!("{}\n", table(&header, rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        for (value, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (61_380_259, "61,380,259")] {
            assert_eq!(grouped(value), text);
        }
    }
}
