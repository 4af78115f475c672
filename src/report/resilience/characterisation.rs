//! What the resilience of a network buys, as text and CSV.

use super::random::basis_text;
use crate::report::csv_files::{optional, write as csv};
use crate::report::energy::{picojoules, share};
use crate::report::text::{exact_percent, word};
use crate::report::{grouped, percent, table};
use crate::resilience::characterisation::{
    Characterisation, Cheapest, CheapestDesign, CheapestPreset, Confirmation, DesignFigures, DesignSavings,
    DesignVerdict, End, Judgement, MeasuredDesign, MemoryPoint, PresetPoint, Reach, SchemeFigures,
    TechnologyDesign, Tolerance, Unit,
};
use crate::resilience::verdict::{Basis, Verdict};
use std::fmt::Write as _;

/// The tables for the terminal.
pub fn characterisation_text(result: &Characterisation) -> String {
    let mut blocks = vec![data_text(result), tolerances_text(result), presets_text(&result.presets)];
    blocks.push(schemes_text(&result.schemes, result.rpa_floor));
    match &result.cheapest {
        Some(Cheapest::Design(cheapest)) => {
            blocks.push(cheapest_text(cheapest, &result.schemes, result.rpa_floor));
        }
        Some(Cheapest::Preset(cheapest)) => blocks.push(cheapest_preset_text(cheapest)),
        None => {}
    }
    let notes = result.notes.iter().map(|note| format!("note: {note}"));
    blocks.into_iter().chain(notes).map(|block| block + "\n\n").collect()
}

fn data_text(result: &Characterisation) -> String {
    let bits = |bits: Option<u32>| bits.map_or("-".to_owned(), |bits| bits.to_string());
    let rows = result.data.iter().map(|datum| {
        vec![
            datum.name.clone(),
            grouped(datum.words),
            percent(datum.share),
            bits(datum.alone_bits),
            bits(datum.joint_bits),
            word(&datum.character).replace('_', " "),
        ]
    });
    let reasons: String = (result.data.iter())
        .filter_map(|datum| Some(format!("\n{}: {}", datum.name, datum.reason?)))
        .collect();
    let accuracy = if result.is_labelled { "accuracy" } else { "agreement with fp32 (no labels)" };
    format!(
        "Data, resilient if they keep {} % of the {accuracy} at {} bits or fewer alone\n{}{reasons}",
        exact_percent(result.rpa_floor),
        result.resilient_bits,
        table(&["data", "words", "of_volume_%", "alone_bits", "joint_bits", "character"], rows)
    )
}

fn tolerances_text(result: &Characterisation) -> String {
    let row = |data: &str, tolerance: &Tolerance| {
        vec![
            data.to_owned(),
            tolerance.protected_msbs.to_string(),
            tolerance.word_bits.to_string(),
            rate(tolerance.bit_error_rate),
        ]
    };
    let weights = result.weights.iter().map(|tolerance| row("all weights", tolerance));
    let neurons = result.neurons.iter().map(|tolerance| row("all neurons", tolerance));
    let rows: Vec<_> = weights.chain(neurons).collect();
    if rows.is_empty() {
        return "Tolerated bit error rates: none was found, all memories stay precise".to_owned();
    }
    let header = ["data", "protected_msbs", "word_bits", "bit_error_rate"];
    format!("Tolerated bit error rates\n{}", table(&header, rows))
}

fn rate(rate: f64) -> String {
    format!("{rate:.2e}")
}

fn ratio(ratio: Option<f64>) -> String {
    ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.3}"))
}

fn setting(unit: Option<Unit>, setting: Option<f64>) -> String {
    match (unit, setting) {
        (Some(Unit::VOverVmin), Some(v)) => format!("{v:.3} Vmin"),
        (Some(Unit::VVolts), Some(v)) => format!("{v:.3} V"),
        (Some(Unit::RefreshIntervalMs), Some(interval)) => format!("{interval:.0} ms"),
        _ => "-".to_owned(),
    }
}

fn reach(reach: Reach) -> &'static str {
    match reach {
        Reach::Inside => "tolerated",
        Reach::Edge => "end of the known range",
        Reach::Nowhere => "known range errs too often",
        Reach::OneRateTolerated => "one rate, tolerated",
        Reach::OneRateExceeds => "one rate, too high",
    }
}

fn presets_text(presets: &[PresetPoint]) -> String {
    let rows = presets.iter().filter(|point| point.unit.is_some()).map(|point| {
        vec![
            point.preset.clone(),
            point.tolerance.protected_msbs.to_string(),
            rate(point.tolerance.bit_error_rate),
            setting(point.unit, point.setting),
            point.bit_error_rate.map_or("-".to_owned(), rate),
            ratio(point.access_energy_ratio),
            ratio(point.leakage_power_ratio),
            ratio(point.refresh_power_ratio),
            reach(point.reach).to_owned(),
        ]
    });
    let header = [
        "preset",
        "protected_msbs",
        "tolerated_ber",
        "operating_point",
        "ber",
        "access_ratio",
        "leakage_ratio",
        "refresh_ratio",
        "reach",
    ];
    if presets.is_empty() {
        return "What that buys: nothing, since no error rate is tolerated".to_owned();
    }
    let mut assumptions: Vec<(&str, Vec<&str>)> = Vec::new();
    for point in presets {
        for said in &point.assumptions {
            match assumptions.iter_mut().find(|(other, _)| other == said) {
                Some((_, names)) if names.contains(&point.preset.as_str()) => {}
                Some((_, names)) => names.push(&point.preset),
                None => assumptions.push((said, vec![&point.preset])),
            }
        }
    }
    let mut text = format!(
        "What that buys: lowest voltage, longest refresh interval (ratios over the precise operating point)\n{}",
        table(&header, rows)
    );
    for (said, reach) in [("tolerated", Reach::OneRateTolerated), ("not tolerated", Reach::OneRateExceeds)] {
        let names: Vec<String> = presets.iter().filter(|point| point.reach == reach).map(one_rate).collect();
        if !names.is_empty() {
            write!(text, "\nmemories of one rate, {said}: {}", names.join(", "))
                .expect("writing to a string does not fail");
        }
    }
    for (said, names) in assumptions {
        write!(text, "\n{}: {said}", names.join(", ")).expect("writing to a string does not fail");
    }
    text
}

/// A preset of one rate, under one tolerance.
fn one_rate(point: &PresetPoint) -> String {
    let protected = match point.tolerance.protected_msbs {
        0 => String::new(),
        bits => format!(" with {}", protected(bits)),
    };
    format!("{} ({}){protected}", point.preset, point.bit_error_rate.map_or("-".to_owned(), rate))
}

fn protected(bits: u32) -> String {
    if bits == 1 { "1 protected bit".to_owned() } else { format!("{bits} protected bits") }
}

fn figures_row(design: &str, figures: &DesignFigures, saving: &DesignSavings) -> Vec<String> {
    vec![
        design.to_owned(),
        grouped(figures.volume_bits),
        grouped(figures.traffic_bytes.round() as u64),
        figures.cycles.map_or("-".to_owned(), |cycles| grouped(cycles.round() as u64)),
        picojoules(figures.energy_pj),
        share(saving.volume),
        share(saving.traffic),
        share(saving.cycles),
        share(saving.energy),
    ]
}

const FIGURES: [&str; 9] = [
    "design",
    "volume_bits",
    "traffic_bytes",
    "cycles",
    "energy_pj",
    "volume_saved_%",
    "traffic_saved_%",
    "cycles_saved_%",
    "energy_saved_%",
];

fn judged(judgement: &Judgement) -> String {
    let verdict = match judgement.verdict {
        DesignVerdict::Meets => "met the floor in the search, but is not confirmed",
        DesignVerdict::Fails => "missed the floor in the search",
        DesignVerdict::Undecided => "undecided in the search",
    };
    format!("{verdict}: mean RPA {} % over {} devices", percent(judgement.rpa_mean), judgement.trials)
}

/// What devices that no search has seen say.
fn confirmed(Confirmation { error_rate, judgement }: &Confirmation, floor: f64) -> String {
    let mean = percent(judgement.summary.mean);
    let confidence = 100.0 * (1.0 - error_rate);
    if judgement.basis == Some(Basis::Certain) {
        let verdict = word(&judgement.verdict);
        return format!("mean RPA {mean} %, {verdict} the floor for certain (bounds)");
    }
    let figures = format!("mean RPA {mean} % over {} devices", judgement.summary.count);
    let basis = judgement.basis.map_or("no verdict", basis_text);
    match judgement.verdict {
        Verdict::Above => {
            format!("{figures}, at or above the floor with {confidence:.1} % confidence ({basis})")
        }
        Verdict::Below => format!("{figures}, below the floor with {confidence:.1} % confidence ({basis})"),
        Verdict::Undecided => {
            let side = if judgement.summary.mean >= floor { "meet" } else { "miss" };
            format!("{figures}: seems to {side} the floor, not with {confidence:.1} % confidence")
        }
    }
}

fn memory_lines(memories: &[MemoryPoint]) -> String {
    let line = |memory: &MemoryPoint| {
        let reached = memory.reach.map_or(String::new(), |reached| format!(" ({})", reach(reached)));
        match memory.bit_error_rate {
            None if !memory.holds_words => format!("\n  {}: holds no narrowed word", memory.memory),
            None => format!("\n  {}: precise{reached}", memory.memory),
            Some(found) => format!(
                "\n  {}: {}, BER {}, {}{reached}",
                memory.memory,
                setting(memory.unit, memory.setting),
                rate(found),
                protected(memory.protected_msbs)
            ),
        }
    };
    memories.iter().map(line).collect()
}

/// How the rates of the memories follow from the tolerated one.
fn split(scheme: &SchemeFigures) -> String {
    let among = match scheme.rate_split_among {
        Some(memories) if memories > 1 => {
            format!(
                "the tolerated rate is split evenly among the memories on the way of a word ({memories} at most)"
            )
        }
        _ => "each memory has the tolerated rate".to_owned(),
    };
    match scheme.lowered_decades {
        0 => among,
        decades => format!(
            "{among} and then lowered by {decades} decade{}, because together the data tolerate less than alone",
            if decades == 1 { "" } else { "s" }
        ),
    }
}

fn schemes_text(schemes: &[SchemeFigures], floor: f64) -> String {
    let rows = schemes.iter().map(|scheme| figures_row(&scheme.design, &scheme.figures, &scheme.saving));
    let has_accelerator = schemes.iter().any(|scheme| scheme.figures.cycles.is_some());
    let place = if has_accelerator { " on this machine" } else { ", without accelerator" };
    let mut text = format!("What the schemes buy{place}, per inference\n{}", table(&FIGURES, rows));
    for scheme in schemes {
        let Some(verification) = &scheme.verification else { continue };
        write!(
            text,
            "\n{}: {}; {}{}",
            scheme.design,
            confirmed(verification, floor),
            split(scheme),
            memory_lines(&scheme.memories)
        )
        .expect("writing to a string does not fail");
    }
    text
}

fn design_lines(design: &MeasuredDesign, floor: f64) -> String {
    let widths: Vec<_> = design.widths.iter().map(|datum| format!("{} {}", datum.name, datum.bits)).collect();
    let measured = match (&design.confirmation, &design.search) {
        (Some(confirmation), _) => confirmed(confirmation, floor),
        (None, search) => search.as_ref().map_or(String::new(), judged),
    };
    format!(
        "words: {} ({} bits){}\n{measured}",
        design.words,
        widths.join(", "),
        memory_lines(&design.memories)
    )
}

fn technology(found: &TechnologyDesign) -> String {
    match found.kind {
        None => "narrower words only".to_owned(),
        Some(kind) => format!("errors in {} only", word(&kind)),
    }
}

/// Why the search of `found` has no design.
fn missing(found: &TechnologyDesign) -> &'static str {
    match found.end {
        End::NothingCheaper if found.unconfirmed == 0 => "none meets the floor",
        End::NothingCheaper => "none meets the floor, or met in the search, but not confirmed",
        End::MostMeasured => "the search ended before one was found",
        End::MostConfirmations => "met in the search, but not confirmed",
    }
}

/// What the end of the search leaves open.
fn ended(end: End) -> &'static str {
    match end {
        End::NothingCheaper => "",
        End::MostMeasured => {
            "; the search ended for the most designs that may be measured: a cheaper one cannot be excluded"
        }
        End::MostConfirmations => {
            "; the search ended for the most designs that may be measured on other devices, which met the floor in the search, but \
             were not confirmed: the cheapest confirmed one is named, a cheaper one cannot be excluded"
        }
    }
}

fn cheapest_text(cheapest: &CheapestDesign, schemes: &[SchemeFigures], floor: f64) -> String {
    let mut rows: Vec<_> = (schemes.iter().take(1))
        .map(|scheme| figures_row(&scheme.design, &scheme.figures, &scheme.saving))
        .collect();
    let mut row = |name: &str, design: &MeasuredDesign| {
        rows.push(figures_row(name, &design.figures, &design.saving));
    };
    if let Some(winner) = &cheapest.winner {
        row("cheapest", winner);
    }
    let mut absent = String::new();
    for found in &cheapest.by_technology {
        match &found.design {
            Some(design) => row(&technology(found), design),
            None => write!(absent, "\n{}: {}", technology(found), missing(found))
                .expect("writing to a string does not fail"),
        }
    }
    let outcome = match (&cheapest.winner, &cheapest.best) {
        (Some(winner), _) => design_lines(winner, floor),
        (None, Some(best)) => {
            let none = if cheapest.unconfirmed > 0 || cheapest.end != End::NothingCheaper {
                "no design is confirmed to meet the floor"
            } else {
                "no design meets the floor"
            };
            format!("{none}; the best one: {}", design_lines(best, floor))
        }
        (None, None) => "no design was measured".to_owned(),
    };
    let end = ended(cheapest.end);
    let coarse =
        if cheapest.is_coarsened { " (fewer than asked for, for the number of designs)" } else { "" };
    format!(
        "The design of least {}: of {} designs {} were measured, {} passed over because a more careful one fails or is not confirmed, {} \
         undecided, {} met in the search, but not confirmed; {} operating points per memory{coarse}{end}\n{}{absent}\n{outcome}",
        cheapest.objective,
        grouped(cheapest.designs),
        grouped(cheapest.measured),
        grouped(cheapest.skipped),
        grouped(cheapest.undecided),
        grouped(cheapest.unconfirmed),
        cheapest.points_per_memory,
        table(&FIGURES, rows)
    )
}

fn cheapest_preset_text(cheapest: &CheapestPreset) -> String {
    let rows = cheapest.sram.iter().chain(&cheapest.dram).map(|choice| {
        vec![
            choice.point.preset.clone(),
            setting(choice.point.unit, choice.point.setting),
            choice.point.tolerance.protected_msbs.to_string(),
            ratio(Some(choice.energy_ratio)),
        ]
    });
    format!(
        "Least energy: energy cannot be computed: the configuration has neither [accelerator] nor a memory with [memories.NAME.energy]. \
         Ranked instead are the presets, each at the tolerated operating point that saves most of its own energy (energy_ratio: access \
         of SRAM, refresh of DRAM), for {} bits of volume instead of {}\n{}",
        grouped(cheapest.volume_bits),
        grouped(cheapest.volume_bits_fp32),
        table(&["preset", "operating_point", "protected_msbs", "energy_ratio"], rows)
    )
}

/// `characterisation.csv`: one row per datum.
pub fn characterised_data_csv(result: &Characterisation) -> String {
    let header = ["data", "words", "share", "alone_bits", "joint_bits", "character"];
    let rows = result.data.iter().map(|datum| {
        vec![
            datum.name.clone(),
            datum.words.to_string(),
            datum.share.to_string(),
            optional(datum.alone_bits),
            optional(datum.joint_bits),
            word(&datum.character),
        ]
    });
    csv(&header, rows)
}

/// `operating_points.csv`: one row per preset and tolerance.
pub fn operating_points_csv(result: &Characterisation) -> String {
    let header = [
        "preset",
        "protected_msbs",
        "word_bits",
        "tolerated_bit_error_rate",
        "reach",
        "unit",
        "setting",
        "bit_error_rate",
        "access_energy_ratio",
        "leakage_power_ratio",
        "refresh_power_ratio",
    ];
    let rows = result.presets.iter().map(|point| {
        vec![
            point.preset.clone(),
            point.tolerance.protected_msbs.to_string(),
            point.tolerance.word_bits.to_string(),
            point.tolerance.bit_error_rate.to_string(),
            word(&point.reach),
            point.unit.map_or(String::new(), |unit| word(&unit)),
            optional(point.setting),
            optional(point.bit_error_rate),
            optional(point.access_energy_ratio),
            optional(point.leakage_power_ratio),
            optional(point.refresh_power_ratio),
        ]
    });
    csv(&header, rows)
}

/// Cycles of an inference, to a tenth: a batch may not divide them.
fn cycles(cycles: f64) -> String {
    ((cycles * 10.0).round() / 10.0).to_string()
}

/// `designs.csv`: one row per design that was priced for the report, the cheapest ones last.
pub fn designs_csv(result: &Characterisation) -> String {
    let header = [
        "design",
        "words",
        "volume_bits",
        "traffic_bytes",
        "cycles",
        "energy_pj",
        "measured_by",
        "rpa_mean",
        "trials",
        "verdict",
    ];
    let row = |design: &str, words: &str, figures: &DesignFigures, measured: [String; 4]| {
        let mut row = vec![
            design.to_owned(),
            words.to_owned(),
            figures.volume_bits.to_string(),
            figures.traffic_bytes.to_string(),
            figures.cycles.map_or(String::new(), cycles),
            optional(figures.energy_pj),
        ];
        row.extend(measured);
        row
    };
    let judged = |judgement: &Judgement| {
        let Judgement { verdict, trials, rpa_mean, .. } = judgement;
        ["search".to_owned(), rpa_mean.to_string(), trials.to_string(), word(verdict)]
    };
    let confirmed = |Confirmation { judgement, .. }: &Confirmation| {
        let (mean, count) = (judgement.summary.mean, judgement.summary.count);
        ["confirmation".to_owned(), mean.to_string(), count.to_string(), word(&judgement.verdict)]
    };
    let mut rows: Vec<_> = (result.schemes.iter())
        .map(|scheme| {
            let measured = scheme.verification.as_ref().map_or_else(Default::default, confirmed);
            row(&scheme.design, "", &scheme.figures, measured)
        })
        .collect();
    if let Some(Cheapest::Design(cheapest)) = &result.cheapest {
        let mut design = |name: &str, design: &MeasuredDesign| {
            let searched = || design.search.as_ref().map_or_else(Default::default, judged);
            let measured = design.confirmation.as_ref().map_or_else(searched, confirmed);
            rows.push(row(name, &design.words, &design.figures, measured));
        };
        if let Some(winner) = &cheapest.winner {
            design("cheapest", winner);
        }
        for found in &cheapest.by_technology {
            if let Some(best) = &found.design {
                design(&technology(found), best);
            }
        }
    }
    csv(&header, rows.into_iter())
}
