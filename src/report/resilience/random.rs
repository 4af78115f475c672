//! Module 3: what is tolerated of random errors.

use super::compared_with;
use crate::memory::Lifetime;
use crate::number::{BinaryPoint, Format, Granularity};
use crate::report::csv_files::write;
use crate::report::text::{exact_percent, word};
use crate::report::{grouped, percent, table};
use crate::resilience::random::{
    Claims, Mtrer, Point, ProtectedBits, RandomErrors, Refined, Tolerance, decade,
};
use crate::resilience::verdict::{Basis, Judgement, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Rates, protected bits, and the map of what was measured.
pub fn random_text(errors: &RandomErrors) -> String {
    let mut text = format!(
        "Module 3, random errors: mean RPA over devices at or above {} %; given what it rests on, a verdict is wrong with a probability of \
         {} % at most; it is left open after {} trials{}\n{}",
        exact_percent(errors.floor),
        percent(errors.error_rate),
        grouped(errors.most_trials),
        if errors.labelled { "" } else { "; no labels: accuracy is agreement with the baseline" },
        summary_table(errors)
    );
    for line in notes(errors) {
        push(&mut text, &format!("note: {line}"));
    }
    for tolerance in &errors.tolerances {
        if let Some(map) = map_table(tolerance) {
            let name = format_text(&tolerance.format);
            push(&mut text, &format!("Mean RPA in %, {} in {name}\n{map}", tolerance.target));
        }
        if !tolerance.points.is_empty() {
            push(&mut text, &points_table(tolerance));
        }
    }
    text
}

fn push(text: &mut String, block: &str) {
    write!(text, "\n\n{block}").expect("writing to a string does not fail");
}

fn summary_table(errors: &RandomErrors) -> String {
    let header = [
        "target",
        "format",
        "words",
        "errors",
        "quantised_rpa_%",
        "mtrer",
        "refined",
        "protection_at_ber",
        "protected_msbs",
        "trials",
    ];
    let rows = errors.tolerances.iter().map(|tolerance| {
        vec![
            tolerance.target.clone(),
            format_text(&tolerance.format),
            grouped(tolerance.words),
            word(&tolerance.lifetime),
            percent(tolerance.quantised_rpa),
            mtrer_text(tolerance.mtrer),
            tolerance.refined.as_ref().map_or("-".to_owned(), refined_text),
            rate(tolerance.protection_ber),
            protection_text(tolerance.protected_msbs, tolerance.bits),
            grouped(tolerance.effort.trials),
        ]
    });
    let sum = |effort: fn(&Tolerance) -> u64| grouped(errors.tolerances.iter().map(effort).sum::<u64>());
    format!(
        "{}\nforward passes: {}, for {} trials; a plan of {} trials at every rate and number of protected bits asked for takes {}",
        table(&header, rows),
        sum(|tolerance| tolerance.effort.passes),
        sum(|tolerance| tolerance.effort.trials),
        grouped(errors.most_trials),
        sum(|tolerance| tolerance.effort.fixed_plan_trials),
    )
}

/// What a target tolerates, in one line.
pub(super) fn tolerance_text(tolerance: &Tolerance) -> String {
    let name = format!("{} in {}", tolerance.target, format_text(&tolerance.format));
    if tolerance.mtrer == Mtrer::QuantisedMisses {
        return format!("{name}: the words miss the floor without any error");
    }
    format!(
        "{name}: MTRER {}; at {} protected bits needed: {}",
        mtrer_text(tolerance.mtrer),
        rate(tolerance.protection_ber),
        protection_text(tolerance.protected_msbs, tolerance.bits)
    )
}

fn mtrer_text(mtrer: Mtrer) -> String {
    match mtrer {
        Mtrer::At { exponent, .. } => format!("1e{exponent}"),
        Mtrer::AtLeast { exponent } => format!("at least 1e{exponent}"),
        Mtrer::Less { exponent, verdict: Verdict::Undecided } => format!("undecided at 1e{exponent}"),
        Mtrer::Less { exponent, .. } => format!("below 1e{exponent}"),
        Mtrer::QuantisedMisses => "none".to_owned(),
    }
}

fn refined_text(refined: &Refined) -> String {
    match refined.lowest_below {
        Some(below) => format!("{} .. {}", rate(refined.highest_above), rate(below)),
        None => format!("{} ..", rate(refined.highest_above)),
    }
}

fn protection_text(protected: ProtectedBits, bits: u32) -> String {
    match protected {
        ProtectedBits::Needed { msbs, fewer: Some(Verdict::Undecided) } => {
            format!("at most {msbs} of {bits}")
        }
        ProtectedBits::Needed { msbs, .. } => format!("{msbs} of {bits}"),
        ProtectedBits::QuantisedMisses => "none suffices".to_owned(),
    }
}

/// What the figures of the summary do not say.
fn notes(errors: &RandomErrors) -> Vec<String> {
    let mut notes = Vec::new();
    for tolerance in &errors.tolerances {
        let name = format!("{} in {}", tolerance.target, format_text(&tolerance.format));
        match tolerance.mtrer {
            Mtrer::QuantisedMisses => notes.push(format!(
                "{name}: RPA is {} % without any error, below the floor: no rate is tolerated and no protection suffices",
                percent(tolerance.quantised_rpa)
            )),
            Mtrer::AtLeast { exponent } => {
                notes.push(format!("{name}: 1e{exponent} is the largest rate asked for, the limit lies above"));
            }
            Mtrer::Less { exponent, .. } => {
                notes.push(format!("{name}: 1e{exponent} is the smallest rate asked for, the limit may lie below"));
            }
            Mtrer::At { exponent, next: Verdict::Undecided } => notes.push(format!(
                "{name}: the trials (at most experiment.trials) do not tell whether the mean at {} reaches the floor",
                rate(decade(exponent + 1))
            )),
            Mtrer::At { .. } => {}
        }
        if let Some(refined) = tolerance.refined.as_ref().filter(|refined| !refined.undecided.is_empty()) {
            let rates: Vec<String> = refined.undecided.iter().map(|ber| rate(*ber)).collect();
            notes.push(format!("{name}: undecided at {}", rates.join(", ")));
        }
        if let ProtectedBits::Needed { msbs, fewer: Some(Verdict::Undecided) } = tolerance.protected_msbs {
            notes.push(format!(
                "{name}: the trials (at most experiment.trials) do not tell whether {} protected bits suffice at {}",
                msbs - 1,
                rate(tolerance.protection_ber)
            ));
        }
        notes.extend(tolerance.contradictions.iter().map(|line| format!("{name}: {line}")));
    }
    let transient = |tolerance: &Tolerance| tolerance.lifetime == Lifetime::Transient;
    if errors.tolerances.iter().any(transient) {
        notes.push(
            "transient errors are drawn anew for each image, permanent ones once per device".to_owned(),
        );
    }
    notes
}

/// Rates downwards, protected bits to the right; `None` where fewer than two of each were measured.
fn map_table(tolerance: &Tolerance) -> Option<String> {
    let mut cells = BTreeMap::new();
    for point in &tolerance.points {
        cells.insert((point.ber.to_bits(), point.protected_msbs), point);
    }
    let rates: BTreeSet<u64> = cells.keys().map(|(ber, _)| *ber).collect();
    let widths: BTreeSet<u32> = cells.keys().map(|(_, msbs)| *msbs).collect();
    // Points of searches are no map: at most rates is there one number of protected bits only.
    let complete: Vec<u64> = rates
        .into_iter()
        .filter(|ber| widths.iter().all(|msbs| cells.contains_key(&(*ber, *msbs))))
        .collect();
    if complete.len() < 2 || widths.len() < 2 {
        return None;
    }
    let columns: Vec<String> = widths.iter().map(|msbs| format!("k={msbs}")).collect();
    let header: Vec<&str> = ["ber"].into_iter().chain(columns.iter().map(String::as_str)).collect();
    let rows = complete.iter().map(|ber| {
        let cell = |msbs: &u32| {
            let judgement = &cells[&(*ber, *msbs)].judgement;
            format!("{}{}", percent(judgement.summary.mean), mark(judgement.verdict))
        };
        [rate(f64::from_bits(*ber))].into_iter().chain(widths.iter().map(cell)).collect()
    });
    Some(format!("{}\nk: protected bits; - below the floor, ? undecided", table(&header, rows)))
}

fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Above => "",
        Verdict::Below => " -",
        Verdict::Undecided => " ?",
    }
}

fn points_table(tolerance: &Tolerance) -> String {
    let header = [
        "ber",
        "protected_msbs",
        "rpa_mean_%",
        "std_%",
        "ci95_%",
        "min_%",
        "trials",
        "verdict",
        "rests_on",
        "doubt_%",
    ];
    let rows = tolerance.points.iter().map(|point| {
        let summary = &point.judgement.summary;
        let mut row = vec![rate(point.ber), point.protected_msbs.to_string()];
        row.extend(figures(&point.judgement));
        row.insert(5, percent(summary.min));
        row
    });
    format!(
        "Points measured, {} in {}\n{}",
        tolerance.target,
        format_text(&tolerance.format),
        table(&header, rows)
    )
}

/// Mean, spread, interval, trials, verdict, what it rests on, and doubt.
fn figures(judgement: &Judgement) -> [String; 7] {
    let summary = &judgement.summary;
    let interval = |[low, high]: [f64; 2]| format!("{} .. {}", percent(low), percent(high));
    let trials = match judgement.nested_trials {
        0 => grouped(summary.count as u64),
        nested => format!("{} + {}", grouped(summary.count as u64), grouped(nested)),
    };
    [
        percent(summary.mean),
        summary.std.map_or("-".to_owned(), percent),
        summary.ci95.map_or("-".to_owned(), interval),
        trials,
        word(&judgement.verdict),
        judgement.basis.map_or("-", basis_text).to_owned(),
        doubt(judgement.doubt),
    ]
}

/// A probability in percent, small ones to one digit.
fn doubt(probability: f64) -> String {
    let percent = 100.0 * probability;
    if percent == 0.0 || percent >= 1.0 { format!("{percent:.0}") } else { format!("{percent:.0e}") }
}

/// What a verdict rests on.
pub(super) fn basis_text(basis: Basis) -> &'static str {
    match basis {
        Basis::Certain => "bounds",
        Basis::AnyDistribution => "any distribution",
        Basis::NearNormal => "near-normal trials",
        Basis::Nested => "nested devices",
        Basis::HigherRate => "higher rate",
    }
}

/// A rate: a power of ten as such, else three digits.
fn rate(ber: f64) -> String {
    let exact = format!("{ber:e}");
    if exact.len() <= 6 { exact } else { format!("{ber:.2e}") }
}

/// The kind of a word with all that its values depend on.
fn format_text(format: &Format) -> String {
    let name = format.name();
    match format {
        Format::Fp32 | Format::Int8 { granularity: Granularity::Tensor } => name,
        Format::Fp16 { rounding } | Format::Bf16 { rounding } => format!("{name} {}", word(rounding)),
        Format::Fixed { binary_point, rounding, .. } => {
            let point = match binary_point {
                BinaryPoint::At(bits) => format!("I={bits}"),
                other => word(other),
            };
            format!("{name} {point} {}", word(rounding))
        }
        Format::Int8 { granularity } => format!("{name} {}", word(granularity)),
    }
}

/// The paper's claims of random errors, format by format.
pub fn claims_text(claims: &[Claims]) -> String {
    let header = [
        "format",
        "claim",
        "holds",
        "rpa_mean_%",
        "std_%",
        "ci95_%",
        "trials",
        "verdict",
        "rests_on",
        "doubt_%",
    ];
    let rows = claims.iter().flat_map(|claims| {
        let name = format_text(&claims.format);
        let misses = claims.claims.is_empty().then(|| {
            let mut row = vec![name.clone(), "misses the floor without errors".to_owned(), "-".to_owned()];
            row.push(percent(claims.quantised_rpa));
            row.resize(header.len(), "-".to_owned());
            row
        });
        let name = name.clone();
        let rows = claims.claims.iter().map(move |claim| {
            let holds = match claim.holds {
                Some(true) => "yes",
                Some(false) => "no",
                None => "undecided",
            };
            let mut row = vec![name.clone(), claim.statement.to_owned(), holds.to_owned()];
            row.extend(figures(&claim.point.judgement));
            row
        });
        misses.into_iter().chain(rows)
    });
    table(&header, rows)
}

/// `random_points.csv`: one row per point measured. Shares, not percent.
pub fn random_points_csv(errors: &RandomErrors) -> String {
    let header = [
        "target",
        "format",
        "word_bits",
        "lifetime",
        "quantised_rpa",
        "bit_error_rate",
        "protected_msbs",
        "flips_mean",
        "trials",
        "nested_trials",
        "nested_bit_error_rate",
        "forward_passes",
        "rpa_mean",
        "rpa_std",
        "rpa_ci95_low",
        "rpa_ci95_high",
        "rpa_sequential_low",
        "rpa_sequential_high",
        "rpa_min",
        "rpa_max",
        "verdict",
        "basis",
        "doubt",
        "compared_with",
    ];
    let rows = errors.tolerances.iter().flat_map(|tolerance| {
        tolerance.points.iter().map(|point| {
            let mut row = vec![
                tolerance.target.clone(),
                format_text(&tolerance.format),
                tolerance.bits.to_string(),
                word(&tolerance.lifetime),
                tolerance.quantised_rpa.to_string(),
            ];
            row.extend(point_row(point));
            row.push(compared_with(errors.labelled));
            row
        })
    });
    write(&header, rows)
}

fn point_row(point: &Point) -> [String; 18] {
    let judgement = &point.judgement;
    let summary = &judgement.summary;
    let optional = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    [
        point.ber.to_string(),
        point.protected_msbs.to_string(),
        point.flips_mean.to_string(),
        summary.count.to_string(),
        judgement.nested_trials.to_string(),
        optional(point.nested_ber),
        point.passes.to_string(),
        summary.mean.to_string(),
        optional(summary.std),
        optional(summary.ci95.map(|[low, _]| low)),
        optional(summary.ci95.map(|[_, high]| high)),
        optional(judgement.sequential.map(|[low, _]| low)),
        optional(judgement.sequential.map(|[_, high]| high)),
        summary.min.to_string(),
        summary.max.to_string(),
        word(&judgement.verdict),
        judgement.basis.map_or(String::new(), |basis| word(&basis)),
        judgement.doubt.to_string(),
    ]
}
