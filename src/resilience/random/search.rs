//! Searches for the edges of what is tolerated.

use super::ground::Ground;
use super::{Mtrer, ProtectedBits, Refined, STEPS_PER_DECADE, decade};
use crate::resilience::verdict::Verdict;
use crate::resilience::{Error, RandomSettings};

/// What was found.
pub(super) struct Search {
    pub mtrer: Mtrer,
    pub refined: Option<Refined>,
    pub protected_msbs: ProtectedBits,
    pub contradictions: Vec<String>,
}

/// Every search that `settings` ask for.
pub(super) fn all(ground: &mut Ground<'_>, settings: &RandomSettings) -> Result<Search, Error> {
    let mut contradictions = Vec::new();
    if settings.map {
        map(ground, settings)?;
    }
    let mtrer = mtrer(ground, settings, &mut contradictions)?;
    let refined = match mtrer {
        Mtrer::At { exponent, .. } if settings.refine => {
            Some(refined(ground, exponent, settings.decades[1])?)
        }
        _ => None,
    };
    let protected_msbs = protected_bits(ground, settings.ber)?;
    contradictions.extend(contradictions_over_protection(ground));
    Ok(Search { mtrer, refined, protected_msbs, contradictions })
}

/// Points of a plan that searches nothing: every decade without protection and every number of protected bits at one rate, or
/// all of both.
pub(super) fn fixed_plan_points(settings: &RandomSettings, bits: u32) -> u64 {
    let [smallest, largest] = settings.decades;
    let decades = (largest - smallest + 1) as u64;
    let widths = u64::from(if settings.map { bits.min(MOST_MAPPED_BITS) } else { bits }) + 1;
    let is_decade = (smallest..=largest).any(|exponent| decade(exponent) == settings.ber);
    let refined = if settings.refine { (STEPS_PER_DECADE - 1) as u64 } else { 0 };
    let plain = match (settings.map, is_decade) {
        (true, true) => decades * widths,
        (true, false) => (decades + 1) * widths,
        (false, true) => decades + widths - 1,
        (false, false) => decades + widths,
    };
    plain + refined
}

/// Most protected bits of a map: with more of them any word that is of use tolerates every rate that a memory is run at.
const MOST_MAPPED_BITS: u32 = 8;

fn map(ground: &mut Ground<'_>, settings: &RandomSettings) -> Result<(), Error> {
    let [smallest, largest] = settings.decades;
    for msbs in 0..=ground.bits().min(MOST_MAPPED_BITS) {
        for exponent in smallest..=largest {
            ground.verdict(decade(exponent), msbs)?;
        }
    }
    Ok(())
}

fn is_above(ground: &mut Ground<'_>, exponent: i32) -> Result<bool, Error> {
    Ok(ground.verdict(decade(exponent), 0)? == Verdict::Above)
}

/// Bisects the decades, then glances at the next smaller one; where verdicts contradict each other, goes through all from the
/// smallest on.
fn mtrer(
    ground: &mut Ground<'_>,
    settings: &RandomSettings,
    contradictions: &mut Vec<String>,
) -> Result<Mtrer, Error> {
    if !ground.meets_floor() {
        return Ok(Mtrer::QuantisedMisses);
    }
    let [smallest, largest] = settings.decades;
    let (mut above, mut other) = (smallest - 1, largest + 1);
    while other - above > 1 {
        // The upper one of two in the middle: a mean below the floor takes fewer trials to tell.
        let middle = above + (other - above + 1) / 2;
        if is_above(ground, middle)? {
            above = middle;
        } else {
            other = middle;
        }
    }
    if above > smallest && ground.glance(decade(above - 1))? == Verdict::Undecided {
        contradictions.push(format!(
            "the mean is above the floor at 1e{above}, but that of a few devices at 1e{}, a lower rate, is below it: chance, or more \
             errors do not harm more",
            above - 1
        ));
    }
    let below = (smallest..above).find(|&exponent| ground.known(decade(exponent), 0) == Some(Verdict::Below));
    if let Some(below) = below {
        contradictions.push(format!(
            "the mean is below the floor at 1e{below} and above it at 1e{above}, a higher rate: one of the two verdicts is wrong, \
             or more errors do not harm more"
        ));
        above = smallest - 1;
        while above < largest && is_above(ground, above + 1)? {
            above += 1;
        }
    }
    Ok(if above < smallest {
        Mtrer::Less { exponent: smallest, verdict: ground.verdict(decade(smallest), 0)? }
    } else if above == largest {
        Mtrer::AtLeast { exponent: largest }
    } else {
        Mtrer::At { exponent: above, next: ground.verdict(decade(above + 1), 0)? }
    })
}

/// 10^(`exponent` + `step` / 8).
fn rate(exponent: i32, step: i32) -> f64 {
    if step % STEPS_PER_DECADE == 0 {
        return decade(exponent + step / STEPS_PER_DECADE);
    }
    libm::pow(10.0, f64::from(exponent) + f64::from(step) / f64::from(STEPS_PER_DECADE))
}

/// Bisects the steps above 10^`exponent` twice: for the highest rate above the floor, then for the lowest one below it.
fn refined(ground: &mut Ground<'_>, exponent: i32, largest: i32) -> Result<Refined, Error> {
    let (mut above, mut other) = (0, STEPS_PER_DECADE);
    while other - above > 1 {
        let middle = above + (other - above + 1) / 2;
        if ground.verdict(rate(exponent, middle), 0)? == Verdict::Above {
            above = middle;
        } else {
            other = middle;
        }
    }
    let mut below = STEPS_PER_DECADE;
    let last = (largest - exponent) * STEPS_PER_DECADE;
    while below < last && ground.verdict(rate(exponent, below), 0)? != Verdict::Below {
        below += STEPS_PER_DECADE;
    }
    let is_below = ground.verdict(rate(exponent, below), 0)? == Verdict::Below;
    let mut other = above;
    while is_below && below - other > 1 {
        let middle = other + (below - other) / 2;
        if ground.verdict(rate(exponent, middle), 0)? == Verdict::Below {
            below = middle;
        } else {
            other = middle;
        }
    }
    let highest_above = rate(exponent, above);
    let lowest_below = is_below.then(|| rate(exponent, below));
    let between = |ber: f64| ber > highest_above && lowest_below.is_none_or(|below| ber < below);
    let undecided = ground.points().filter(|point| point.protected_msbs == 0 && between(point.ber));
    Ok(Refined { highest_above, lowest_below, undecided: undecided.map(|point| point.ber).collect() })
}

/// Bisects the numbers of protected bits at rate `ber`, from below: few bits mostly do, and a mean below the floor takes fewer
/// trials to tell. All bits protected is the network without errors.
fn protected_bits(ground: &mut Ground<'_>, ber: f64) -> Result<ProtectedBits, Error> {
    if !ground.meets_floor() {
        return Ok(ProtectedBits::QuantisedMisses);
    }
    let (mut fewer, mut enough) = (None, ground.bits());
    while fewer.map_or(0, |fewer: u32| fewer + 1) < enough {
        let first = fewer.map_or(0, |fewer| fewer + 1);
        let middle = (2 * first).min(first + (enough - first) / 2);
        if ground.verdict(ber, middle)? == Verdict::Above {
            enough = middle;
        } else {
            fewer = Some(middle);
        }
    }
    ground.verdict(ber, enough)?;
    let fewer = fewer.map(|fewer| ground.verdict(ber, fewer)).transpose()?;
    Ok(ProtectedBits::Needed { msbs: enough, fewer })
}

/// Means that are below the floor with more protected bits at a rate where they are above it with fewer.
fn contradictions_over_protection(ground: &Ground<'_>) -> Vec<String> {
    let points: Vec<_> = ground.points().collect();
    let above = points.iter().filter(|point| point.judgement.verdict == Verdict::Above);
    let contradicted = above.filter_map(|point| {
        let contradicts = |other: &&&super::Point| {
            other.ber == point.ber
                && other.protected_msbs > point.protected_msbs
                && other.judgement.verdict == Verdict::Below
        };
        points.iter().find(contradicts).map(|other| {
            format!(
                "at {:e} the mean is above the floor with {} protected bits and below it with {}",
                point.ber, point.protected_msbs, other.protected_msbs
            )
        })
    });
    contradicted.collect()
}
