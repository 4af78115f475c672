//! Module 1: each datum alone.

use super::{compared_with, measure, policy, policy_words};
use crate::report::csv_files::{optional, write};
use crate::report::text::exact_percent;
use crate::report::{grouped, percent, table};
use crate::resilience::{Measured, Single, SingleDatum, SinglePolicy};

/// One table per policy.
pub fn single_text(single: &Single) -> String {
    let tables: Vec<_> = single.policies.iter().map(|narrowed| policy_table(single, narrowed)).collect();
    tables.join("\n")
}

fn policy_table(single: &Single, narrowed: &SinglePolicy) -> String {
    let header =
        ["subset", "words", "share_%", "bits", "rpa_%", "top1_correct", "volume_saved_bits", "dvr_%", "note"];
    let dash = || "-".to_owned();
    let rows = narrowed.data.iter().map(|datum| {
        let reached = reached(datum);
        vec![
            datum.name.clone(),
            grouped(datum.words),
            percent(datum.share),
            datum.bits.map_or_else(dash, |bits| bits.to_string()),
            reached.map_or_else(dash, |measured| percent(measured.rpa)),
            reached.map_or_else(dash, |measured| grouped(measured.top1_correct)),
            datum.volume_saved_bits.map_or_else(dash, grouped),
            datum.dvr.map_or_else(dash, percent),
            note(datum),
        ]
    });
    let sum = |passes: fn(&SingleDatum) -> u64| grouped(narrowed.data.iter().map(passes).sum::<u64>());
    format!(
        "Module 1, each data subset alone: fewest bits with RPA >= {} % ({})\n{}\n\
         {} forward passes of {} images where the published flow makes {}; unapproximated: {} right{}\n",
        exact_percent(single.floor),
        policy(narrowed.policy),
        table(&header, rows),
        sum(|datum| datum.passes),
        grouped(single.images),
        sum(|datum| datum.published_passes),
        grouped(single.baseline_top1_correct),
        measure(single.labelled),
    )
}

/// Predictions at the answer.
fn reached(datum: &SingleDatum) -> Option<&Measured> {
    let bits = datum.bits?;
    datum.points.iter().find(|point| point.bits == bits).map(|point| &point.measured)
}

/// What a row does not say by its figures.
fn note(datum: &SingleDatum) -> String {
    let mut notes: Vec<String> = datum.reason.iter().map(ToString::to_string).collect();
    if !datum.contradicting_bits.is_empty() {
        let widths: Vec<_> = datum.contradicting_bits.iter().map(ToString::to_string).collect();
        notes.push(format!("not monotone: {} bits meet the floor too", widths.join(", ")));
    }
    if !datum.shared_with.is_empty() {
        notes.push(format!("the same words as {}", datum.shared_with.join(", ")));
    }
    notes.join("; ")
}

/// One row per policy and datum.
pub fn single_csv(single: &Single) -> String {
    let header = [
        "rounding",
        "binary_point",
        "subset",
        "words",
        "share",
        "bits",
        "rpa",
        "top1_correct_images",
        "agreeing_images",
        "volume_saved_bits",
        "dvr",
        "monotone",
        "smallest_passing_bits",
        "passes",
        "published_passes",
        "macs_per_image",
        "published_macs_per_image",
        "compared_with",
        "note",
    ];
    let rows = single.policies.iter().flat_map(|narrowed| {
        narrowed.data.iter().map(|datum| {
            let reached = reached(datum);
            let [rounding, binary_point] = policy_words(narrowed.policy);
            vec![
                rounding,
                binary_point,
                datum.name.clone(),
                datum.words.to_string(),
                datum.share.to_string(),
                optional(datum.bits),
                optional(reached.map(|measured| measured.rpa)),
                optional(reached.map(|measured| measured.top1_correct)),
                optional(reached.map(|measured| measured.agreeing)),
                optional(datum.volume_saved_bits),
                optional(datum.dvr),
                datum.monotone.to_string(),
                optional(datum.smallest_passing_bits),
                datum.passes.to_string(),
                datum.published_passes.to_string(),
                datum.macs_per_image.to_string(),
                datum.published_macs_per_image.to_string(),
                compared_with(single.labelled),
                note(datum),
            ]
        })
    });
    write(&header, rows)
}

/// One row per policy, datum and width that was measured.
pub fn curves_csv(single: &Single) -> String {
    let header = [
        "rounding",
        "binary_point",
        "subset",
        "bits",
        "images",
        "top1_correct_images",
        "agreeing_images",
        "rpa",
        "meets_floor",
        "compared_with",
    ];
    let rows = single.policies.iter().flat_map(|narrowed| {
        narrowed.data.iter().flat_map(move |datum| {
            datum.points.iter().map(move |point| {
                let Measured { images, top1_correct, agreeing, rpa } = point.measured;
                let [rounding, binary_point] = policy_words(narrowed.policy);
                vec![
                    rounding,
                    binary_point,
                    datum.name.clone(),
                    point.bits.to_string(),
                    images.to_string(),
                    top1_correct.to_string(),
                    agreeing.to_string(),
                    rpa.to_string(),
                    (rpa >= single.floor).to_string(),
                    compared_with(single.labelled),
                ]
            })
        })
    });
    write(&header, rows)
}
