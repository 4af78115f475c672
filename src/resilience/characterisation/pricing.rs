//! What every design of the space costs, before any is measured.
//!
//! A layer trace depends on the words and on how often the DRAM is refreshed, not on voltages: it is made once for each pair of
//! them. On one trace the energies of the memories do not depend on each other, so that those of a design are the sum of what each
//! group of memories changes.

use super::design::{Design, Designer};
use super::figures::DesignFigures;
use super::space::{Candidate, Choice, Kind, Space};
use super::{Error, Objective};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// A design and what it costs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Priced {
    pub candidate: Candidate,
    /// In the order in which designs are compared: the objective, then the other two; what is unknown counts as nothing.
    pub costs: [f64; 3],
    /// Sum of the bit error rates of its memories: of designs of equal costs the most careful one comes first.
    error_rate: f64,
}

impl Priced {
    /// Cheaper designs first.
    pub fn compared(&self, other: &Self) -> Ordering {
        compared(self.costs, other.costs)
    }
}

/// The figures of a design in the order in which `objective` compares them.
pub(super) fn costs(objective: Objective, figures: &DesignFigures) -> [f64; 3] {
    order(objective).map(|objective| rounded(figures.of_objective(objective).unwrap_or(0.0)))
}

/// Compares what [`costs`] tells.
pub(super) fn compared(one: [f64; 3], other: [f64; 3]) -> Ordering {
    let costs = one.iter().zip(&other).map(|(one, other)| one.total_cmp(other));
    costs.fold(Ordering::Equal, Ordering::then)
}

/// To thousandths: less is the order in which figures were added.
fn rounded(cost: f64) -> f64 {
    (cost * 1e3).round() / 1e3
}

fn order(objective: Objective) -> [Objective; 3] {
    match objective {
        Objective::Energy => [Objective::Energy, Objective::Traffic, Objective::Cycles],
        Objective::Traffic => [Objective::Traffic, Objective::Energy, Objective::Cycles],
        Objective::Cycles => [Objective::Cycles, Objective::Energy, Objective::Traffic],
    }
}

/// One trace.
struct Traced {
    cycles: Option<f64>,
    traffic_bytes: f64,
    /// With nothing but the refresh interval of this trace.
    energy_pj: Option<f64>,
    /// By group and choice, what that changes of the energy.
    changes: Vec<BTreeMap<Choice, Option<f64>>>,
}

/// What decides over the trace of a scheme: the operating point of the DRAM; with protected bits the shortest interval is nominal.
fn timing(space: &Space, group: Option<usize>, candidate: &Candidate) -> Choice {
    let choice = group.map_or(Choice::PRECISE, |group| candidate.choices[group]);
    let is_nominal = choice.msbs > 0 || group.is_none_or(|group| space.groups[group].kind != Kind::Dram);
    if is_nominal { Choice::PRECISE } else { choice }
}

/// Every design with its costs, the cheapest first.
///
/// # Errors
/// [`Error::Unknown`] if the objective is unknown for a design.
pub(super) fn priced(
    designer: &Designer<'_>,
    space: &Space,
    precise: &[Design],
    objective: Objective,
) -> Result<Vec<Priced>, Error> {
    let dram = designer.configured().accelerator.as_ref().and_then(|accelerator| accelerator.dram);
    let timed =
        dram.and_then(|dram| space.groups.iter().position(|group| group.memories.contains(&dram.memory)));
    let order = order(objective);
    let mut traces: BTreeMap<(usize, Choice), Traced> = BTreeMap::new();
    let mut all = Vec::new();
    for candidate in space.candidates() {
        let key = (candidate.scheme, timing(space, timed, &candidate));
        let trace = match traces.entry(key) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => entry.insert(traced(
                designer,
                space,
                &precise[key.0],
                timed.map(|group| (group, key.1)),
                key.0,
            )?),
        };
        let changes = candidate.choices.iter().zip(&trace.changes);
        let changed: Option<f64> = changes.map(|(choice, changes)| changes[choice]).sum();
        let energy_pj = trace.energy_pj.zip(changed).map(|(energy, change)| energy + change);
        let cost = |objective| match objective {
            Objective::Energy => energy_pj,
            Objective::Traffic => Some(trace.traffic_bytes),
            Objective::Cycles => trace.cycles,
        };
        if cost(objective).is_none() {
            return Err(unknown(objective));
        }
        let costs = order.map(|objective| rounded(cost(objective).unwrap_or(0.0)));
        all.push(Priced { costs, error_rate: space.error_rate(&candidate), candidate });
    }
    all.sort_by(|one, other| {
        let by_costs = one.compared(other).then(one.error_rate.total_cmp(&other.error_rate));
        by_costs.then_with(|| one.candidate.cmp(&other.candidate))
    });
    Ok(all)
}

fn unknown(objective: Objective) -> Error {
    match objective {
        Objective::Cycles => Error::NoAccelerator,
        Objective::Energy | Objective::Traffic => Error::Unknown(
            objective,
            "a memory has no [memories.NAME.energy], or the accelerator no [accelerator.energy]",
        ),
    }
}

/// The scheme of `precise` on the trace of one refresh interval, and what every choice for every group changes.
fn traced(
    designer: &Designer<'_>,
    space: &Space,
    precise: &Design,
    timed: Option<(usize, Choice)>,
    scheme: usize,
) -> Result<Traced, Error> {
    let started = match timed {
        Some((group, choice)) if choice.point.is_some() => {
            designer.design(&space.schemes[scheme].widths, &space.group_settings(group, choice))?
        }
        _ => precise.clone(),
    };
    let running = started.experiment.running.as_ref();
    // Nothing errs here, not even in the DRAM whose interval made the trace.
    let plain = precise.on(running, &[]);
    let figures = plain.figures()?;
    let mut changes = Vec::new();
    for (index, group) in space.groups.iter().enumerate() {
        let mut of_group = BTreeMap::new();
        for choice in space.choices(group) {
            let settings = space.group_settings(index, choice);
            let energy_pj = precise.on(running, &settings).figures()?.energy_pj;
            let change = energy_pj.zip(figures.energy_pj).map(|(energy, plain)| energy - plain);
            of_group.insert(choice, change);
        }
        changes.push(of_group);
    }
    let (cycles, traffic_bytes) = (figures.cycles, figures.traffic_bytes);
    Ok(Traced { cycles, traffic_bytes, energy_pj: figures.energy_pj, changes })
}
