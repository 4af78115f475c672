//! Tables as CSV (RFC 4180): one header row, a unit in each column name, `.` as decimal point, empty for undefined.

use super::energy::EnergyFigures;
use super::result::{ClassFigures, RunResult, SubsetFigures};
use super::sweep::SweepResult;
use crate::campaign::Outcome;
use crate::experiment::MachineFigures;

/// `trials.csv`: one row per trial.
pub fn trials_csv(outcome: &Outcome) -> String {
    let header = [
        "trial",
        "flips",
        "top1_correct_images",
        "top1",
        "rpa",
        "top5_correct_images",
        "top5",
        "agreeing_images",
        "agreement",
        "nan_images",
        "infinite_images",
    ];
    let rows = outcome.trials.iter().map(|trial| {
        vec![
            trial.index.to_string(),
            trial.total_flips().to_string(),
            trial.score.top1_correct.to_string(),
            trial.score.top1().to_string(),
            optional(trial.score.rpa(&outcome.baseline)),
            optional(trial.score.top5_correct),
            optional(trial.score.top5()),
            trial.score.agreeing.to_string(),
            trial.score.agreement().to_string(),
            trial.score.nan_images.to_string(),
            trial.score.infinite_images.to_string(),
        ]
    });
    write(&header, rows)
}

/// `classes.csv`: one row per class.
pub fn classes_csv(classes: &[ClassFigures]) -> String {
    let header = [
        "class",
        "images",
        "baseline_correct_images",
        "quantised_correct_images",
        "correct_images_mean",
        "correct_images_std",
        "baseline_predicted_images",
        "quantised_predicted_images",
        "predicted_images_mean",
    ];
    let rows = classes.iter().map(|class| {
        vec![
            class.class.to_string(),
            class.images.to_string(),
            class.baseline_correct.to_string(),
            class.quantised_correct.to_string(),
            class.correct_mean.to_string(),
            optional(class.correct_std),
            class.baseline_predicted.to_string(),
            class.quantised_predicted.to_string(),
            class.predicted_mean.to_string(),
        ]
    });
    write(&header, rows)
}

/// `subsets.csv`: one row per data subset.
pub fn subsets_csv(subsets: &[SubsetFigures]) -> String {
    let header =
        ["subset", "words", "share", "in_volume", "format", "word_bits", "link_bits", "memory", "path"];
    let rows = subsets.iter().map(|subset| {
        vec![
            subset.name.clone(),
            subset.words.to_string(),
            subset.share.to_string(),
            subset.in_volume.to_string(),
            subset.format.clone(),
            subset.bits.to_string(),
            subset.link_bits.to_string(),
            subset.memory.clone(),
            subset.path.join(" > "),
        ]
    });
    write(&header, rows)
}

/// `sweep.csv`: one row per point of the grid.
pub fn sweep_csv(sweep: &SweepResult) -> String {
    let mut header: Vec<&str> = sweep.axes.iter().map(String::as_str).collect();
    header.extend([
        "images",
        "trials",
        "bits_at_risk",
        "flips_expected",
        "flips_mean",
        "baseline_top1",
        "quantised_top1",
        "top1_mean",
        "top1_std",
        "rpa_mean",
        "rpa_std",
        "rpa_ci95_low",
        "rpa_ci95_high",
        "rpa_min",
        "rpa_max",
        "baseline_top5",
        "quantised_top5",
        "top5_mean",
        "top5_std",
        "quantised_agreement",
        "agreement_mean",
        "agreement_std",
        "nan_images_mean",
        "infinite_images_mean",
        "volume_bits_stored",
        "volume_bits_moved",
        "volume_reduction",
        "energy_pj",
        "energy_saving",
        "allocated_energy_pj",
        "allocated_energy_saving",
        "cycles",
        "time_s",
        "dram_bytes",
        "accelerator_energy_pj",
        "cycles_saving",
        "dram_bytes_saving",
        "accelerator_energy_saving",
    ]);
    let memories = memories(sweep);
    let flips: Vec<String> = memories.iter().map(|memory| format!("flips_mean_{memory}")).collect();
    header.extend(flips.iter().map(String::as_str));
    let rows = sweep.points.iter().map(|point| {
        let run = &point.result;
        let flips = memories.iter().map(|&memory| optional(flips_in(run, memory)));
        point
            .values
            .iter()
            .cloned()
            .chain(run_row(run))
            .chain(energy_row(run))
            .chain(accelerator_row(run))
            .chain(flips)
            .collect()
    });
    write(&header, rows)
}

/// Memories in which a data subset rests at some point of `sweep`, in the order in which they are met.
fn memories(sweep: &SweepResult) -> Vec<&str> {
    let mut distinct = Vec::new();
    for faults in sweep.points.iter().flat_map(|point| &point.result.faults.by_memory) {
        if !distinct.contains(&faults.memory.as_str()) {
            distinct.push(faults.memory.as_str());
        }
    }
    distinct
}

/// Wrong bits that `memory` delivers per trial; `None` if no data subset rests there.
fn flips_in(run: &RunResult, memory: &str) -> Option<f64> {
    run.faults.by_memory.iter().find(|faults| faults.memory == memory).map(|faults| faults.flips_mean)
}

fn energy_row(run: &RunResult) -> [String; 4] {
    let energy = run.energy.as_ref();
    [
        optional(energy.and_then(|energy| energy.design.total_pj)),
        optional(energy.and_then(|energy| energy.saving)),
        optional(energy.and_then(EnergyFigures::allocated_pj)),
        optional(energy.and_then(|energy| energy.allocated_saving)),
    ]
}

/// What the accelerator takes per inference, and the shares saved of the nominal design.
fn accelerator_row(run: &RunResult) -> [String; 7] {
    let accelerator = run.accelerator.as_ref();
    let design = accelerator.map(|accelerator| &accelerator.design);
    let savings = accelerator.and_then(|accelerator| accelerator.saving_of_nominal);
    [
        optional(design.map(|design| design.cycles)),
        optional(design.map(|design| design.seconds)),
        optional(design.map(MachineFigures::dram_bytes)),
        optional(design.and_then(|design| design.energy_pj)),
        optional(savings.and_then(|savings| savings.cycles)),
        optional(savings.and_then(|savings| savings.dram_bytes)),
        optional(savings.and_then(|savings| savings.energy)),
    ]
}

fn run_row(run: &RunResult) -> Vec<String> {
    let approximate = &run.approximate;
    vec![
        run.baseline.images.to_string(),
        approximate.trials.to_string(),
        run.faults.bits_at_risk.to_string(),
        run.faults.flips_expected.to_string(),
        run.faults.flips_mean.to_string(),
        run.baseline.top1.to_string(),
        run.quantised.top1.to_string(),
        approximate.top1_mean.to_string(),
        optional(approximate.top1_std),
        optional(approximate.rpa_mean),
        optional(approximate.rpa_std),
        optional(approximate.rpa_ci95.map(|[low, _]| low)),
        optional(approximate.rpa_ci95.map(|[_, high]| high)),
        optional(approximate.rpa_min),
        optional(approximate.rpa_max),
        optional(run.baseline.top5),
        optional(run.quantised.top5),
        optional(approximate.top5_mean),
        optional(approximate.top5_std),
        run.quantised.agreement.to_string(),
        approximate.agreement_mean.to_string(),
        optional(approximate.agreement_std),
        approximate.nan_images_mean.to_string(),
        approximate.infinite_images_mean.to_string(),
        run.volume.bits_stored.to_string(),
        run.volume.bits_moved.to_string(),
        run.volume.reduction.to_string(),
    ]
}

pub(super) fn optional(value: Option<impl ToString>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}

pub(super) fn write(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let fits = "memory takes every record, and each has the length of the header";
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header).expect(fits);
    for row in rows {
        writer.write_record(row).expect(fits);
    }
    String::from_utf8(writer.into_inner().expect(fits)).expect("the fields are UTF-8")
}
