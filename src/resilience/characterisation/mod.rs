//! Module 4: which data are resilient, and what their resilience buys in voltage, refresh, traffic, cycles and energy.

mod cheapest;
mod confirmation;
mod criterion;
mod design;
mod error;
mod figures;
mod knob;
mod preset_point;
mod pricing;
mod schemes;
mod search;
mod settings;
mod space;

pub use cheapest::{
    Cheapest, CheapestDesign, CheapestPreset, DatumBits, MeasuredDesign, PresetChoice, TechnologyDesign,
};
pub use confirmation::Confirmation;
pub use criterion::{DesignVerdict, Judgement};
pub use error::Error;
pub use figures::{DesignFigures, DesignSavings, MemoryTraffic};
pub use knob::{Reach, Unit};
pub use preset_point::{PresetPoint, Tolerance, preset_points};
pub use schemes::{MemoryPoint, SchemeFigures};
pub use search::End;
pub use settings::{CharacterisationSettings, Objective, SearchSettings};
pub use space::Kind;

use super::single::NoWidth;
use super::{Policy, Subject};
use crate::experiment::Experiment;
use crate::memory::Technology;
use crate::memory::protection::How;
use design::Designer;
use serde::Serialize;

/// What the other modules found.
#[derive(Clone, Debug, PartialEq)]
pub struct Findings {
    /// Relative prediction accuracy below which a design is not acceptable, 0..=1.
    pub rpa_floor: f64,
    /// How the words of the joint scheme are narrowed.
    pub policy: Policy,
    /// Of each datum that was narrowed alone, an index of [`Subject::data`], the fewest bits that meet the floor; `None`: no width
    /// does.
    pub alone: Vec<(usize, Option<u32>)>,
    /// Why, for data of which no width meets it.
    pub reasons: Vec<(usize, NoWidth)>,
    /// Bits of each datum of the joint scheme.
    pub joint: Vec<(usize, u32)>,
    /// What all weights tolerate together, for each number of protected bits that was measured.
    pub weights: Vec<Tolerance>,
    /// What all neurons tolerate together. Empty where that was not measured: memories that they pass stay precise then.
    pub neurons: Vec<Tolerance>,
}

/// One datum.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DatumCharacter {
    /// Its name.
    pub name: String,
    /// Names of the other data subsets that are the same words.
    pub shared_with: Vec<String>,
    /// Words in the data volume.
    pub words: u64,
    /// Share of the data volume.
    pub share: f64,
    /// Fewest bits with which it meets the floor alone; null where no width does.
    pub alone_bits: Option<u32>,
    /// Bits in the joint scheme; null where it stays fp32.
    pub joint_bits: Option<u32>,
    /// What it can bear.
    pub character: Character,
    /// Why no width meets the floor; null where one does.
    pub reason: Option<NoWidth>,
}

/// What a datum can bear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Character {
    /// It meets the floor alone at [`Characterisation::resilient_bits`] or fewer.
    Resilient,
    /// It does not.
    Sensitive,
    /// Its values saturate at the binary point asked for, whatever the width: that says nothing of how sensitive it is.
    NotRepresentable,
}

/// A network, characterised.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Characterisation {
    /// Relative prediction accuracy below which a design is not acceptable.
    pub rpa_floor: f64,
    /// Whether accuracy is against labels; else against the network's own predictions in fp32.
    pub is_labelled: bool,
    /// Data that meet the floor alone at this width or fewer bits are resilient, all others sensitive.
    pub resilient_bits: u32,
    /// The data that were evaluated, largest first.
    pub data: Vec<DatumCharacter>,
    /// What all weights tolerate together.
    pub weights: Vec<Tolerance>,
    /// What all neurons tolerate together; empty where that was not measured.
    pub neurons: Vec<Tolerance>,
    /// What these tolerances buy in the memories of the presets.
    pub presets: Vec<PresetPoint>,
    /// The configured machine in fp32, under the joint scheme, and with its memories as tolerated.
    pub schemes: Vec<SchemeFigures>,
    /// The cheapest design; null where it was not searched for.
    pub cheapest: Option<Cheapest>,
    /// What a reader of the figures must know.
    pub notes: Vec<String>,
}

/// Characterises the network of `subject` on the machine of `experiment`, of which memories, link, placement, workload and
/// accelerator take part; its formats do not. `progress` is told what is being measured.
///
/// # Errors
/// [`enum@Error`] for designs that cannot be, and objectives that cannot be told.
///
/// # Panics
/// If `subject` is of another network, or an index of `findings` is none of its data.
pub fn characterise(
    experiment: &Experiment,
    subject: &Subject<'_>,
    findings: &Findings,
    settings: &CharacterisationSettings,
    progress: &dyn Fn(&str),
) -> Result<Characterisation, Error> {
    let designer = Designer::new(experiment, subject, findings.policy)?;
    let mut tolerances: Vec<Tolerance> = Vec::new();
    for &tolerance in findings.weights.iter().chain(&findings.neurons) {
        if !tolerances.contains(&tolerance) {
            tolerances.push(tolerance);
        }
    }
    let presets = preset_points(&tolerances)?;
    let schemes = schemes::schemes(&designer, findings, settings, progress)?;
    let cheapest = match settings.optimise {
        Some(objective) => Some(cheapest::cheapest(
            &designer,
            findings,
            settings,
            (objective, &presets, &schemes),
            progress,
        )?),
        None => None,
    };
    Ok(Characterisation {
        rpa_floor: findings.rpa_floor,
        is_labelled: subject.prepared().is_labelled(),
        resilient_bits: settings.resilient_bits,
        data: data(subject, findings, settings.resilient_bits),
        weights: findings.weights.clone(),
        neurons: findings.neurons.clone(),
        notes: notes(experiment, findings, &schemes),
        presets,
        schemes,
        cheapest,
    })
}

fn data(subject: &Subject<'_>, findings: &Findings, resilient_bits: u32) -> Vec<DatumCharacter> {
    let character = |&(index, alone_bits): &(usize, Option<u32>)| {
        let datum = &subject.data()[index];
        let reason = findings.reasons.iter().find(|(other, _)| *other == index).map(|&(_, reason)| reason);
        DatumCharacter {
            name: datum.name.clone(),
            shared_with: datum.shared_with.clone(),
            words: datum.words,
            share: datum.share,
            alone_bits,
            joint_bits: findings.joint.iter().find(|(joint, _)| *joint == index).map(|(_, bits)| *bits),
            character: match (alone_bits, &reason) {
                (Some(bits), _) if bits <= resilient_bits => Character::Resilient,
                (None, Some(NoWidth::Saturated { .. })) => Character::NotRepresentable,
                _ => Character::Sensitive,
            },
            reason,
        }
    };
    findings.alone.iter().map(character).collect()
}

fn notes(experiment: &Experiment, findings: &Findings, schemes: &[SchemeFigures]) -> Vec<String> {
    let mut notes = vec![
        "words are stored and moved at the width of the scheme; data outside of it stay fp32 in precise cells, and layers with such \
         an operand compute in fp32"
            .to_owned(),
    ];
    if experiment.accelerator.is_none() {
        notes.push(
            "cycles need an accelerator: [accelerator] is missing; traffic is the data volume moved once, energies are those of \
             the memories and the link"
                .to_owned(),
        );
    }
    if experiment.trace.is_some() {
        notes.push(
            "the given layer trace holds for its own words: all figures here are of traces computed anew"
                .to_owned(),
        );
    }
    if findings.neurons.is_empty() {
        notes.push(
            "what neurons tolerate was not measured: memories that they pass stay precise in the designs as tolerated".to_owned(),
        );
    }
    let widest = findings.joint.iter().map(|(_, bits)| *bits).max();
    for tolerance in findings.weights.iter().chain(&findings.neurons) {
        if widest.is_some_and(|bits| bits <= tolerance.protected_msbs) {
            notes.push(format!(
                "no word of the joint scheme has more than the {} bits that would be protected: such a design is precise and saves no \
                 more than the scheme",
                tolerance.protected_msbs
            ));
        }
    }
    for memory in &experiment.memories {
        if memory.measured.is_some() {
            notes.push(format!(
                "memory `{}`: its measured map holds for one operating point: designs take the rates of its error model",
                memory.name
            ));
        }
        let how = match memory.protection.how {
            How::DualRail | How::PreciseBank => None,
            How::EightTransistor { .. } => Some("8t"),
            How::Secded => Some("secded"),
        };
        if let Some(how) = how {
            notes.push(format!(
                "memory `{}`: protected bits of all designs are on a supply of their own and never err, not protected by `{how}`",
                memory.name
            ));
        }
        if let Technology::Uniform(_) = &memory.technology {
            notes.push(format!("memory `{}` has one rate: it errs at that, or is precise", memory.name));
        }
    }
    if schemes.iter().any(|scheme| scheme.figures.energy_pj.is_none()) {
        notes.push(
            "energies cannot be computed where a memory has no [memories.NAME.energy], or the accelerator no [accelerator.energy]".to_owned(),
        );
    }
    notes
}
