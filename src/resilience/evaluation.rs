//! All four modules over one network.

use super::characterisation::{
    self, Characterisation, CharacterisationSettings, Findings, Tolerance, characterise,
};
use super::random::{self, Mtrer, ProtectedBits, RandomErrors};
use super::{Joint, Settings, Single, Subject, joint, single};
use crate::campaign::{Effort, Schemes};
use crate::experiment::Experiment;
use serde::Serialize;
use thiserror::Error;

/// What is asked of the four modules.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Asked {
    /// Of modules 1 to 3.
    pub settings: Settings,
    /// Of module 4.
    pub characterisation: CharacterisationSettings,
}

/// What the four modules found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// Module 1: each datum alone.
    pub single: Single,
    /// Module 2: all together, narrowed by the first policy.
    pub joint: Joint,
    /// Module 3: random errors.
    pub random: RandomErrors,
    /// Module 4: what it buys.
    pub characterisation: Characterisation,
    /// Forward passes over all images of modules 1 and 2.
    pub scheme_passes: u64,
    /// Forward passes over all images of module 3.
    pub error_passes: u64,
}

/// Why a network cannot be evaluated.
#[derive(Debug, Error)]
pub enum Error {
    /// Modules 1 to 3.
    #[error(transparent)]
    Evaluation(#[from] super::Error),
    /// Module 4.
    #[error(transparent)]
    Characterisation(#[from] characterisation::Error),
}

/// Evaluates `subject`, the network of `experiment`, whose machine serves module 4; `progress` is told what is being measured.
///
/// # Errors
/// [`enum@Error`] if a scheme or design cannot be measured.
///
/// # Panics
/// If no policy is asked for.
pub fn evaluate(
    experiment: &Experiment,
    subject: &Subject<'_>,
    asked: &Asked,
    progress: &dyn Fn(&str),
) -> Result<Evaluation, Error> {
    let settings = &asked.settings;
    let mut schemes = Schemes::new(subject.prepared()).map_err(super::Error::from)?;
    let single = single(subject, &mut schemes, settings, progress)?;
    let first = single.policies.first().expect("settings hold at least one policy");
    let joint = joint(subject, &mut schemes, first, settings, progress)?;
    let Effort { passes, .. } = schemes.effort();
    // The cached activations of the schemes are not needed any more: the memory is for those of the campaigns.
    drop(schemes);
    let random = random::evaluate(subject, settings.floor, &settings.random, progress)?;
    let findings = Findings {
        rpa_floor: settings.floor,
        policy: first.policy,
        alone: first.data.iter().map(|datum| (datum.datum, datum.bits)).collect(),
        reasons: first.data.iter().filter_map(|datum| Some((datum.datum, datum.reason?))).collect(),
        joint: joint.search.scheme.widths.iter().map(|width| (width.datum, width.bits)).collect(),
        weights: tolerances(&random, "weights"),
        neurons: tolerances(&random, "neurons"),
    };
    let characterisation = characterise(experiment, subject, &findings, &asked.characterisation, progress)?;
    let error_passes = random.tolerances.iter().map(|tolerance| tolerance.effort.passes).sum();
    Ok(Evaluation { single, joint, random, characterisation, scheme_passes: passes, error_passes })
}

/// What `target` tolerates in the first word: without protection, and with the protected bits at the rate at which they were
/// counted.
fn tolerances(random: &RandomErrors, target: &str) -> Vec<Tolerance> {
    let Some(found) = random.tolerances.iter().find(|tolerance| tolerance.target == target) else {
        return Vec::new();
    };
    let tolerance =
        |protected_msbs, bit_error_rate| Tolerance { protected_msbs, word_bits: found.bits, bit_error_rate };
    let unprotected = match found.mtrer {
        Mtrer::At { .. } | Mtrer::AtLeast { .. } => {
            let refined = found.refined.as_ref().map(|refined| refined.highest_above);
            refined.or(found.mtrer.ber()).map(|ber| tolerance(0, ber))
        }
        Mtrer::Less { .. } | Mtrer::QuantisedMisses => None,
    };
    let protected = match found.protected_msbs {
        ProtectedBits::Needed { msbs, .. } if msbs > 0 => Some(tolerance(msbs, found.protection_ber)),
        ProtectedBits::Needed { .. } | ProtectedBits::QuantisedMisses => None,
    };
    unprotected.into_iter().chain(protected).collect()
}
