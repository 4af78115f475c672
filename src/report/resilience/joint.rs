//! Module 2: data together.

use super::{compared_with, measure, policy, widths};
use crate::report::csv_files::{optional, write};
use crate::report::text::{exact_percent, word};
use crate::report::{grouped, percent, table};
use crate::resilience::{Attempt, Joint, Refusal, Scheme, Search, Step};

/// Steps of the greedy scheme, and what the search makes of it.
pub fn joint_text(joint: &Joint) -> String {
    format!(
        "Module 2, data subsets joined in the order of size: RPA >= {} %, gain/loss of the scheme so far >= {} ({})\n{}{}\n\n{}\n{}\n",
        exact_percent(joint.floor),
        joint.gain_loss_floor,
        policy(joint.policy),
        step_table(joint),
        measure(joint.labelled),
        scheme_table(joint),
        search_line(&joint.search),
    )
}

fn step_table(joint: &Joint) -> String {
    let header = [
        "subset",
        "share_%",
        "bits_alone",
        "bits",
        "dvr_%",
        "rpa_%",
        "top1_correct",
        "gain/loss",
        "step_gain/loss",
        "note",
    ];
    let dash = |bits: Option<u32>| bits.map_or("-".to_owned(), |bits| bits.to_string());
    let rows = joint.steps.iter().map(|step| {
        let Scheme { dvr, measured, gain_loss, no_loss, .. } = &step.scheme;
        vec![
            step.name.clone(),
            percent(step.share),
            dash(step.single_bits),
            dash(step.bits),
            percent(*dvr),
            percent(measured.rpa),
            grouped(measured.top1_correct),
            ratio(*gain_loss, *no_loss),
            if step.taken { ratio(step.step_gain_loss, step.step_no_loss) } else { "-".to_owned() },
            note(step),
        ]
    });
    table(&header, rows)
}

/// A gain per loss; infinite where nothing is lost.
fn ratio(gain_loss: Option<f64>, no_loss: bool) -> String {
    match gain_loss {
        Some(ratio) => format!("{ratio:.1}"),
        None if no_loss => "no loss".to_owned(),
        None => "-".to_owned(),
    }
}

fn note(step: &Step) -> String {
    match step.refused {
        Some(Refusal::NoSingleWidth) => "not taken: no width meets the floor even alone".to_owned(),
        Some(Refusal::Floor) => format!("not taken: {} below the RPA floor", tried(&step.attempts)),
        Some(Refusal::GainLoss) => format!("not taken: {} below the gain/loss floor", tried(&step.attempts)),
        None if step.attempts.len() > 1 => {
            let narrower = &step.attempts[..step.attempts.len() - 1];
            let by = |refusal| narrower.iter().any(|attempt| attempt.refused == Some(refusal));
            let reasons = match (by(Refusal::Floor), by(Refusal::GainLoss)) {
                (true, true) => "RPA, gain/loss",
                (true, false) => "RPA",
                _ => "gain/loss",
            };
            format!("widened by {} for {reasons}", narrower.len())
        }
        None => String::new(),
    }
}

/// The widths that were tried.
fn tried(attempts: &[Attempt]) -> String {
    match attempts {
        [only] => format!("{} bits are", only.bits),
        [first, .., last] => format!("{} to {} bits are", first.bits, last.bits),
        [] => "nothing tried is".to_owned(),
    }
}

fn scheme_table(joint: &Joint) -> String {
    let header = ["scheme", "volume_bits", "dvr_%", "rpa_%", "top1_correct", "gain/loss", "bits"];
    let row = |name: &str, scheme: &Scheme| {
        let bits: Vec<_> = scheme.widths.iter().map(|width| width.bits.to_string()).collect();
        vec![
            name.to_owned(),
            grouped(scheme.volume_bits),
            percent(scheme.dvr),
            percent(scheme.measured.rpa),
            grouped(scheme.measured.top1_correct),
            ratio(scheme.gain_loss, scheme.no_loss),
            bits.join("/"),
        ]
    };
    let greedy = row("greedy", &joint.greedy);
    let rows = if joint.search.gain_bits == 0 {
        vec![greedy]
    } else {
        vec![greedy, row("search", &joint.search.scheme)]
    };
    format!(
        "Schemes over {} bits in fp32\n{}\n{}{}",
        grouped(joint.volume_bits_fp32),
        table(&header, rows),
        widths(&joint.search.scheme),
        other_images(&joint.search.scheme)
    )
}

/// What a scheme would do on images that were not evaluated.
fn other_images(scheme: &Scheme) -> String {
    let measured = scheme.measured;
    measured.rpa_standard_error().map_or(String::new(), |error| {
        format!(
            "\non other images of the same kind: RPA {} % with a standard error of {} points at most ({} images are classified \
             otherwise than by fp32)",
            percent(measured.rpa),
            percent(error),
            grouped(measured.images.saturating_sub(measured.agreeing))
        )
    })
}

fn search_line(search: &Search) -> String {
    let gain = match search.gain_bits {
        0 => "the search finds no smaller scheme than greedy".to_owned(),
        bits => {
            format!(
                "the search saves {} bits more than greedy, {} points of DVR",
                grouped(bits),
                percent(search.gain_dvr)
            )
        }
    };
    let end = if search.exhausted {
        format!("it ended at its limit of {} passes", grouped(search.most_passes))
    } else {
        "smaller ones are ruled out as far as narrowing never helps".to_owned()
    };
    format!("{gain} ({} forward passes); {end}", grouped(search.passes))
}

/// The Pareto front.
pub fn front_text(joint: &Joint) -> String {
    let header = ["volume_bits", "dvr_%", "rpa_%", "top1_correct", "gain/loss", "scheme"];
    let rows = joint.front.iter().map(|scheme| {
        vec![
            grouped(scheme.volume_bits),
            percent(scheme.dvr),
            percent(scheme.measured.rpa),
            grouped(scheme.measured.top1_correct),
            ratio(scheme.gain_loss, scheme.no_loss),
            widths(scheme),
        ]
    });
    format!(
        "Pareto front of volume against RPA ({})\n{}{}\n",
        policy(joint.policy),
        table(&header, rows),
        measure(joint.labelled)
    )
}

/// One row per width tried in a step of the greedy scheme; one without a width for a datum that has none alone.
pub fn steps_csv(joint: &Joint) -> String {
    let header = [
        "step",
        "subset",
        "words",
        "share",
        "bits_alone",
        "bits",
        "images",
        "top1_correct_images",
        "agreeing_images",
        "rpa",
        "gain_loss",
        "no_loss",
        "taken",
        "refused",
        "volume_bits_after",
        "dvr_after",
        "compared_with",
    ];
    let rows = joint.steps.iter().enumerate().flat_map(|(index, step)| {
        let attempts = step.attempts.iter().map(Some);
        let none = step.attempts.is_empty().then_some(None);
        attempts.chain(none).map(move |attempt| {
            let mut row = step_row(index + 1, step, attempt);
            row.push(compared_with(joint.labelled));
            row
        })
    });
    write(&header, rows)
}

fn step_row(index: usize, step: &Step, attempt: Option<&Attempt>) -> Vec<String> {
    let measured = attempt.map(|attempt| attempt.measured);
    let refused = match attempt {
        Some(attempt) => attempt.refused,
        None => step.refused,
    };
    vec![
        index.to_string(),
        step.name.clone(),
        step.words.to_string(),
        step.share.to_string(),
        optional(step.single_bits),
        optional(attempt.map(|attempt| attempt.bits)),
        optional(measured.map(|measured| measured.images)),
        optional(measured.map(|measured| measured.top1_correct)),
        optional(measured.map(|measured| measured.agreeing)),
        optional(measured.map(|measured| measured.rpa)),
        optional(attempt.and_then(|attempt| attempt.gain_loss)),
        optional(attempt.map(|attempt| attempt.no_loss)),
        refused.is_none().to_string(),
        optional(refused.map(|refused| word(&refused))),
        step.scheme.volume_bits.to_string(),
        step.scheme.dvr.to_string(),
    ]
}

/// The Pareto front, the smallest volume first.
pub fn front_csv(joint: &Joint) -> String {
    let header = [
        "volume_bits",
        "dvr",
        "rpa",
        "images",
        "top1_correct_images",
        "agreeing_images",
        "gain_loss",
        "no_loss",
        "scheme_bits",
        "compared_with",
    ];
    let rows = joint.front.iter().map(|scheme| {
        let measured = scheme.measured;
        vec![
            scheme.volume_bits.to_string(),
            scheme.dvr.to_string(),
            measured.rpa.to_string(),
            measured.images.to_string(),
            measured.top1_correct.to_string(),
            measured.agreeing.to_string(),
            optional(scheme.gain_loss),
            scheme.no_loss.to_string(),
            widths(scheme),
            compared_with(joint.labelled),
        ]
    });
    write(&header, rows)
}
