//! The designs among which the cheapest is searched: widths of words, and for each memory an operating point and a number of
//! protected bits.

use super::design::{Design, Designer, Setting};
use super::knob::{self, Knob, Unit};
use super::{Error, Findings, SearchSettings};
use crate::memory::Technology;
use crate::network::Operand;
use serde::Serialize;
use std::collections::BTreeSet;

/// Kind of the memories that err in a design.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// SRAM at reduced voltage.
    Sram,
    /// DRAM that is refreshed less often.
    Dram,
    /// A memory of one rate.
    Uniform,
}

/// Widths of all data of a scheme.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scheme {
    pub name: String,
    /// Indices of data and bits, by index.
    pub widths: Vec<(usize, u32)>,
}

/// Memories that are run alike.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group {
    pub memories: Vec<usize>,
    pub kind: Kind,
    /// Technology of each of its memories at each operating point, from the most careful on.
    points: Vec<Vec<Technology>>,
    /// Bit error rate at each.
    rates: Vec<f64>,
    /// Whether words of each scheme rest there.
    is_used: Vec<bool>,
}

/// One memory group of one design; the order is that of the list of choices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Choice {
    /// Operating point; `None`: the precise one.
    pub point: Option<usize>,
    /// Protected bits.
    pub msbs: u32,
}

/// One design: a scheme and a choice for each group.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Candidate {
    pub scheme: usize,
    pub choices: Vec<Choice>,
}

/// All designs.
pub(super) struct Space {
    pub schemes: Vec<Scheme>,
    pub groups: Vec<Group>,
    /// Most protected bits.
    most_msbs: u32,
    /// Operating points of each memory that were asked for and that there are.
    pub points_per_memory: [usize; 2],
}

impl Choice {
    pub const PRECISE: Self = Self { point: None, msbs: 0 };
}

/// The joint scheme, wider ones, and all weights and neurons at one width; no two alike.
fn schemes(designer: &Designer<'_>, findings: &Findings, settings: &SearchSettings) -> Vec<Scheme> {
    // Biases are few and stay fp32.
    let data = designer.subject().data().iter().enumerate();
    let data = data.filter(|(_, datum)| datum.operand != Operand::Bias).map(|(index, _)| index);
    let joint = settings.widened_by_bits.iter().map(|&more| {
        let name = if more == 0 { "joint".to_owned() } else { format!("joint + {more} bits") };
        let mut widths: Vec<_> =
            findings.joint.iter().map(|&(datum, bits)| (datum, bits.saturating_add(more).min(32))).collect();
        widths.sort_unstable();
        Scheme { name, widths }
    });
    let uniform = settings.uniform_bits.iter().map(|&bits| Scheme {
        name: format!("weights and neurons {bits} bits"),
        widths: data.clone().map(|datum| (datum, bits)).collect(),
    });
    let mut schemes: Vec<Scheme> = Vec::new();
    for scheme in joint.chain(uniform) {
        if !schemes.iter().any(|other| other.widths == scheme.widths) {
            schemes.push(scheme);
        }
    }
    schemes
}

impl Scheme {
    /// Whether every datum is at most as wide as in `other`, where data in neither stay at fp32.
    fn is_narrower(&self, other: &Self) -> bool {
        let width =
            |datum: usize| self.widths.iter().find(|(index, _)| *index == datum).map(|(_, bits)| *bits);
        other.widths.iter().all(|&(datum, bits)| width(datum).is_some_and(|own| own <= bits))
    }
}

impl Space {
    /// The designs of the configuration; `precise` holds those of [`schemes`] without errors.
    pub fn new(
        designer: &Designer<'_>,
        findings: &Findings,
        settings: &SearchSettings,
    ) -> Result<(Self, Vec<Design>), Error> {
        let schemes = schemes(designer, findings, settings);
        let precise =
            schemes.iter().map(|scheme| designer.precise(&scheme.widths)).collect::<Result<Vec<_>, _>>()?;
        let mut points = settings.points_per_memory.max(1);
        let asked = points;
        loop {
            let groups = groups(designer, &precise, points);
            let most_msbs = settings.most_protected_msbs;
            let space =
                Self { schemes: schemes.clone(), groups, most_msbs, points_per_memory: [asked, points] };
            if points == 1 || space.len() <= settings.most_designs {
                return Ok((space, precise));
            }
            points -= 1;
        }
    }

    /// Upper bound of the number of designs.
    fn len(&self) -> u64 {
        let choices = self.groups.iter().map(|group| self.choices(group).count() as u64);
        choices.fold(self.schemes.len() as u64, u64::saturating_mul)
    }

    /// All choices for `group`.
    pub fn choices(&self, group: &Group) -> impl Iterator<Item = Choice> + use<> {
        let most = self.most_msbs;
        let points = 0..group.points.len();
        let erring =
            points.flat_map(move |point| (0..=most).map(move |msbs| Choice { point: Some(point), msbs }));
        std::iter::once(Choice::PRECISE).chain(erring)
    }

    /// Every design, each once: memories in which no word of the scheme rests are precise.
    pub fn candidates(&self) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        for scheme in 0..self.schemes.len() {
            let mut partial = vec![Vec::new()];
            for group in &self.groups {
                let choices: Vec<Choice> =
                    if group.is_used[scheme] { self.choices(group).collect() } else { vec![Choice::PRECISE] };
                let extended = |before: &Vec<Choice>| {
                    let before = before.clone();
                    choices.clone().into_iter().map(move |choice| {
                        let mut choices = before.clone();
                        choices.push(choice);
                        choices
                    })
                };
                partial = partial.iter().flat_map(extended).collect();
            }
            candidates.extend(partial.into_iter().map(|choices| Candidate { scheme, choices }));
        }
        candidates
    }

    /// What the memories of group `group` are under `choice`.
    pub fn group_settings(&self, group: usize, choice: Choice) -> Vec<Setting> {
        let group = &self.groups[group];
        let Some(point) = choice.point else { return Vec::new() };
        let technologies = group.memories.iter().zip(&group.points[point]);
        technologies
            .map(|(&memory, technology)| Setting {
                memory,
                technology: technology.clone(),
                protected_msbs: choice.msbs,
            })
            .collect()
    }

    /// What all memories that err are.
    pub fn settings(&self, candidate: &Candidate) -> Vec<Setting> {
        let choices = candidate.choices.iter().enumerate();
        choices.flat_map(|(group, &choice)| self.group_settings(group, choice)).collect()
    }

    /// Whether `one` errs at least as often as `other` in every word, and has none wider: if `other` fails, so does `one`.
    pub fn is_careless(&self, one: &Candidate, other: &Candidate) -> bool {
        let (narrow, wide) = (&self.schemes[one.scheme], &self.schemes[other.scheme]);
        let is_narrower = one.scheme == other.scheme || narrow.is_narrower(wide);
        let choices = one.choices.iter().zip(&other.choices).zip(&self.groups);
        is_narrower
            && choices.into_iter().all(|((one, other), group)| match (one.point, other.point) {
                (_, None) => true,
                (None, Some(_)) => false,
                (Some(own), Some(its)) => group.rates[own] >= group.rates[its] && one.msbs <= other.msbs,
            })
    }

    /// Sum of the bit error rates of the groups of memories.
    pub fn error_rate(&self, candidate: &Candidate) -> f64 {
        let choices = candidate.choices.iter().zip(&self.groups);
        choices.filter_map(|(choice, group)| choice.point.map(|point| group.rates[point])).sum()
    }

    /// Kinds of the memories that err.
    pub fn kinds(&self, candidate: &Candidate) -> BTreeSet<Kind> {
        let erring = candidate.choices.iter().zip(&self.groups).filter(|(choice, _)| choice.point.is_some());
        erring.map(|(_, group)| group.kind).collect()
    }

    /// Number of operating points of group `group`, and most protected bits.
    pub fn extent(&self, group: usize) -> (usize, u32) {
        (self.groups[group].points.len(), self.most_msbs)
    }
}

/// Memories that hold words of any of `precise`, run alike where their operating points and the operands in them are.
fn groups(designer: &Designer<'_>, precise: &[Design], points: usize) -> Vec<Group> {
    type Key = (Kind, Option<(Unit, [u64; 2])>, BTreeSet<&'static str>);
    let mut groups: Vec<(Key, Group)> = Vec::new();
    for (index, memory) in designer.configured().memories.iter().enumerate() {
        let is_used: Vec<bool> = precise.iter().map(|design| !design.operands_in(index).is_empty()).collect();
        if !is_used.contains(&true) {
            continue;
        }
        let knob = Knob::of(memory);
        let technologies: Vec<Technology> = match (&memory.technology, &knob) {
            (uniform @ Technology::Uniform(_), _) => vec![uniform.clone()],
            (_, Some(knob)) => knob.grid(points).into_iter().rev().map(|setting| knob.at(setting)).collect(),
            (_, None) => continue,
        };
        let kind = match memory.technology {
            Technology::Uniform(_) => Kind::Uniform,
            Technology::Sram(_) => Kind::Sram,
            Technology::Dram(_) => Kind::Dram,
        };
        let range = knob.map(|knob| (knob.unit, [knob.careful.to_bits(), knob.careless.to_bits()]));
        let operands = precise.iter().flat_map(|design| design.operands_in(index)).collect();
        let key = (kind, range, operands);
        let rates: Vec<f64> = technologies.iter().map(knob::bit_error_rate).collect();
        let alike = groups.iter_mut().find(|(other, group)| *other == key && group.rates == rates);
        if let Some((_, group)) = alike {
            group.memories.push(index);
            for (points, technology) in group.points.iter_mut().zip(technologies) {
                points.push(technology);
            }
            for (one, other) in group.is_used.iter_mut().zip(is_used) {
                *one |= other;
            }
        } else {
            let points = technologies.into_iter().map(|technology| vec![technology]).collect();
            groups.push((key, Group { memories: vec![index], kind, points, rates, is_used }));
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}
