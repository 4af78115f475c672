//! What the joint scheme and tolerated errors buy on the configured machine.

use super::confirmation::{CONFIRMATION_FIRST, Confirmation, confirmed};
use super::criterion::{Criterion, DesignVerdict, LEAST_TRIALS};
use super::design::{Design, Designer, Setting, limits, most_on_path};
use super::figures::{DesignFigures, DesignSavings};
use super::knob::{self, Knob, Reach, Unit};
use super::{CharacterisationSettings, Error, Findings, Tolerance};
use crate::campaign::{Campaign, Score};
use crate::memory::{Memory, Technology};
use crate::resilience::VerdictSettings;
use crate::resilience::verdict::Verdict;
use serde::Serialize;

/// A memory of a design at its operating point.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MemoryPoint {
    /// Its name.
    pub memory: String,
    /// Whether narrowed words of the design rest there; else it is precise.
    pub holds_words: bool,
    /// Unit of the operating point; null for a memory of one rate.
    pub unit: Option<Unit>,
    /// The operating point; null where it is precise, and for a memory of one rate.
    pub setting: Option<f64>,
    /// How far it could go under the tolerance; null in designs that were not made from one.
    pub reach: Option<Reach>,
    /// Top bits of each word that never err.
    pub protected_msbs: u32,
    /// Bit error rate for data of as many ones as zeros, before accesses refresh; null where the memory is precise.
    pub bit_error_rate: Option<f64>,
}

/// One design beside fp32.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SchemeFigures {
    /// What it is.
    pub design: String,
    /// What it costs.
    pub figures: DesignFigures,
    /// What it saves of fp32.
    pub saving: DesignSavings,
    /// Relative prediction accuracy of its words when nothing errs.
    pub rpa_without_errors: f64,
    /// The memories; none for designs without errors.
    pub memories: Vec<MemoryPoint>,
    /// Most memories on the way of one word, among which the tolerated rate was split evenly; null where nothing errs.
    pub rate_split_among: Option<usize>,
    /// Decades by which the tolerated rates were lowered until the design met the floor.
    pub lowered_decades: u32,
    /// Whether the mean over devices is at or above the floor; null where nothing errs.
    pub verification: Option<Confirmation>,
}

/// Most decades by which tolerated rates are lowered.
const MOST_DECADES: u32 = 4;

/// What a memory is called in a design whose operating points are `settings`.
pub(super) fn memory_point(memory: &Memory, holds_words: bool, setting: Option<&Setting>) -> MemoryPoint {
    let unit = Knob::of(memory).map(|knob| knob.unit);
    let name = memory.name.clone();
    let Some(setting) = setting else {
        return MemoryPoint {
            memory: name,
            holds_words,
            unit,
            setting: None,
            reach: None,
            protected_msbs: 0,
            bit_error_rate: None,
        };
    };
    let value = match &setting.technology {
        Technology::Uniform(_) => None,
        Technology::Sram(parameters) => Some(parameters.error.v),
        Technology::Dram(parameters) => Some(parameters.error.refresh_interval_ms.msb()),
    };
    MemoryPoint {
        memory: name,
        holds_words,
        unit,
        setting: value,
        reach: None,
        protected_msbs: setting.protected_msbs,
        bit_error_rate: Some(knob::bit_error_rate(&setting.technology)),
    }
}

/// Relative prediction accuracy of `score` over `baseline`.
pub(super) fn relative(score: &Score, baseline: &Score) -> Result<f64, Error> {
    score.rpa(baseline).ok_or(Error::NoBaseline)
}

/// fp32, the scheme in precise memories, and the scheme in memories as each tolerance allows.
pub(super) fn schemes(
    designer: &Designer<'_>,
    findings: &Findings,
    settings: &CharacterisationSettings,
    progress: &dyn Fn(&str),
) -> Result<Vec<SchemeFigures>, Error> {
    let prepared = designer.subject().prepared();
    let (baseline, precise) = (designer.baseline()?, designer.precise(&findings.joint)?);
    let fp32 = baseline.figures()?;
    let campaign = Campaign::new(&precise.experiment, prepared)?;
    let rpa_without_errors = relative(campaign.quantised(), &campaign.baseline())?;
    drop(campaign);
    let scheme = |design: String, figures: DesignFigures, rpa_without_errors| SchemeFigures {
        design,
        saving: figures.saving_of(&fp32),
        figures,
        rpa_without_errors,
        memories: Vec::new(),
        rate_split_among: None,
        lowered_decades: 0,
        verification: None,
    };
    let mut schemes = vec![
        scheme("fp32".to_owned(), fp32.clone(), 1.0),
        scheme("joint scheme".to_owned(), precise.figures()?, rpa_without_errors),
    ];
    for (weights, neurons) in pairs(findings) {
        if let Some((design, memories, verified)) =
            tolerated(designer, findings, &precise, (weights, neurons), settings, progress)?
        {
            let protected = weights.or(neurons).map_or(0, |tolerance| tolerance.protected_msbs);
            let bits = if protected == 1 { "bit" } else { "bits" };
            let name = format!("joint scheme, memories as tolerated with {protected} protected {bits}");
            let figures = scheme(name, design.figures()?, rpa_without_errors);
            let (lowered_decades, verification) = verified;
            let verification = Some(verification);
            let rate_split_among = Some(most_on_path(&precise));
            schemes.push(SchemeFigures {
                memories,
                rate_split_among,
                lowered_decades,
                verification,
                ..figures
            });
        }
    }
    Ok(schemes)
}

/// Tolerances of weights and neurons with the same number of protected bits.
fn pairs(findings: &Findings) -> Vec<(Option<Tolerance>, Option<Tolerance>)> {
    let mut protected: Vec<u32> =
        findings.weights.iter().chain(&findings.neurons).map(|tolerance| tolerance.protected_msbs).collect();
    protected.sort_unstable();
    protected.dedup();
    let of = |tolerances: &[Tolerance], msbs| {
        tolerances.iter().find(|tolerance| tolerance.protected_msbs == msbs).copied()
    };
    protected.into_iter().map(|msbs| (of(&findings.weights, msbs), of(&findings.neurons, msbs))).collect()
}

/// A design in memories at tolerated operating points: it, its memories, and by how many decades rates were lowered with what was
/// measured there.
type Tolerated = (Design, Vec<MemoryPoint>, (u32, Confirmation));

/// `None` if no memory can err under these tolerances.
///
/// A few devices tell whether the floor is plainly missed; other devices tell whether it is met. The rates of error of all decades
/// together are that asked for.
fn tolerated(
    designer: &Designer<'_>,
    findings: &Findings,
    precise: &Design,
    (weights, neurons): (Option<Tolerance>, Option<Tolerance>),
    settings: &CharacterisationSettings,
    progress: &dyn Fn(&str),
) -> Result<Option<Tolerated>, Error> {
    let prepared = designer.subject().prepared();
    let floor = findings.rpa_floor;
    let screening = Criterion { floor, error_rate: settings.error_rate, most_trials: LEAST_TRIALS };
    let verdict = VerdictSettings {
        error_rate: settings.error_rate / f64::from(MOST_DECADES + 1),
        most_trials: settings.verification_trials,
    };
    let mut last = None;
    for decades in 0..=MOST_DECADES {
        let factor = libm::pow(10.0, -f64::from(decades));
        let lowered = |tolerance: Option<Tolerance>| {
            tolerance.map(|known| Tolerance { bit_error_rate: known.bit_error_rate * factor, ..known })
        };
        let (chosen, memories) = operating_points(designer, precise, lowered(weights), lowered(neurons));
        if chosen.is_empty() {
            break;
        }
        progress(&format!("verifying the scheme at tolerated operating points, {decades} decades lower"));
        let design = designer.design(&findings.joint, &chosen)?;
        let mut campaign = Campaign::new(&design.experiment, prepared)?;
        let baseline = campaign.baseline();
        let screened = screening.judge(|trial| relative(&campaign.trial(trial)?.score, &baseline))?;
        if screened.verdict == DesignVerdict::Fails && decades < MOST_DECADES {
            continue;
        }
        let verification = confirmed(&mut campaign, &design.experiment, floor, verdict, CONFIRMATION_FIRST)?;
        drop(campaign);
        let judgement = &verification.judgement;
        // What seems to meet the floor is not lowered: rarer errors take more devices to tell, not fewer.
        let is_enough = judgement.verdict == Verdict::Above
            || (judgement.verdict == Verdict::Undecided && judgement.summary.mean >= floor);
        last = Some((design, memories, (decades, verification)));
        if is_enough {
            break;
        }
    }
    Ok(last)
}

/// Where every memory may go.
fn operating_points(
    designer: &Designer<'_>,
    precise: &Design,
    weights: Option<Tolerance>,
    neurons: Option<Tolerance>,
) -> (Vec<Setting>, Vec<MemoryPoint>) {
    let limits = limits(precise, weights, neurons);
    let (mut chosen, mut points) = (Vec::new(), Vec::new());
    for (index, memory) in designer.configured().memories.iter().enumerate() {
        if precise.operands_in(index).is_empty() {
            points.push(memory_point(memory, false, None));
            continue;
        }
        let (reach, technology) = match limits.get(&index) {
            None => (None, None),
            Some(limit) => {
                let (reach, technology) = furthest(memory, limit.bit_error_rate);
                (Some(reach), technology)
            }
        };
        let setting = technology.map(|technology| Setting {
            memory: index,
            technology,
            protected_msbs: limits[&index].protected_msbs,
        });
        points.push(MemoryPoint { reach, ..memory_point(memory, true, setting.as_ref()) });
        chosen.extend(setting);
    }
    (chosen, points)
}

fn furthest(memory: &Memory, tolerated: f64) -> (Reach, Option<Technology>) {
    if let Technology::Uniform(_) = &memory.technology {
        let is_tolerated = knob::bit_error_rate(&memory.technology) <= tolerated;
        return if is_tolerated {
            (Reach::OneRateTolerated, Some(memory.technology.clone()))
        } else {
            (Reach::OneRateExceeds, None)
        };
    }
    let Some(knob) = Knob::of(memory) else { return (Reach::Nowhere, None) };
    let (reach, setting) = knob.furthest(tolerated);
    (reach, setting.map(|setting| knob.at(setting)))
}
