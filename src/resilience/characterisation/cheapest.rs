//! The cheapest design, and the cheapest of each technology.

use super::confirmation::Confirmation;
use super::criterion::Judgement;
use super::design::Designer;
use super::figures::{DesignFigures, DesignSavings};
use super::pricing::{self, Priced, priced};
use super::schemes::{MemoryPoint, SchemeFigures, memory_point};
use super::search::{End, Found, Search};
use super::space::{Candidate, Kind, Space};
use super::{CharacterisationSettings, Error, Findings, Objective, PresetPoint};
use crate::resilience::verdict::Verdict;
use serde::Serialize;
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// A datum and its width.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DatumBits {
    /// Name of the datum.
    pub name: String,
    /// Bits of its words.
    pub bits: u32,
}

/// A design that was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MeasuredDesign {
    /// What its words are: the joint scheme, wider, or all weights and neurons at one width.
    pub words: String,
    /// Width of each datum; others are fp32 in precise cells.
    pub widths: Vec<DatumBits>,
    /// All memories.
    pub memories: Vec<MemoryPoint>,
    /// What it costs.
    pub figures: DesignFigures,
    /// What it saves of fp32.
    pub saving: DesignSavings,
    /// What the search measured; null for the joint scheme with memories as tolerated, which the search did not measure.
    pub search: Option<Judgement>,
    /// What other devices say; null for a design that does not meet the floor.
    pub confirmation: Option<Confirmation>,
}

/// The cheapest design in which certain memories err.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TechnologyDesign {
    /// The only kind of memories that err; null: none errs, words are narrower.
    pub kind: Option<Kind>,
    /// The design; null where none meets the floor, or none was found before the search ended.
    pub design: Option<MeasuredDesign>,
    /// Designs that met the floor in the search and not on other devices.
    pub unconfirmed: u64,
    /// Why the search ended.
    pub end: End,
}

/// What a search for the cheapest design found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheapestDesign {
    /// What it has least of.
    pub objective: Objective,
    /// Designs of the space.
    pub designs: u64,
    /// Designs measured in all searches until the cheapest was found, probes of why one fails included.
    pub measured: u64,
    /// Designs passed over because a more careful one fails or was not confirmed.
    pub skipped: u64,
    /// Designs that met the floor in the search and not on other devices.
    pub unconfirmed: u64,
    /// Designs that were not decided within the most trials, and passed over.
    pub undecided: u64,
    /// Why the search ended: but for [`End::NothingCheaper`], cheaper designs than the one found cannot be excluded.
    pub end: End,
    /// Operating points of each memory beside the precise one.
    pub points_per_memory: usize,
    /// Whether these are fewer than asked for, for the number of designs.
    pub is_coarsened: bool,
    /// The cheapest design that meets the floor, never worse than any that is confirmed or has no errors; null if none was found.
    pub winner: Option<MeasuredDesign>,
    /// Where none was found, the measured design with the largest mean accuracy.
    pub best: Option<MeasuredDesign>,
    /// The cheapest designs in which memories of one kind err, and without errors.
    pub by_technology: Vec<TechnologyDesign>,
}

/// A preset at its cheapest tolerated operating point.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PresetChoice {
    /// Of a memory's energy what voltage or refresh interval decide over the precise operating point: of SRAM the energy of an
    /// access, of DRAM its refresh.
    pub energy_ratio: f64,
    /// The preset there.
    pub point: PresetPoint,
}

/// The cheapest way to keep the data where energies are asked for and the configuration has no memory with any.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheapestPreset {
    /// Bits of the data volume in fp32.
    pub volume_bits_fp32: u64,
    /// Bits of the data volume under the joint scheme.
    pub volume_bits: u64,
    /// Presets of SRAM, the one that saves most first.
    pub sram: Vec<PresetChoice>,
    /// Presets of DRAM, the one that saves most first.
    pub dram: Vec<PresetChoice>,
}

/// What is cheapest.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cheapest {
    /// A design on the configured machine, confirmed by trials.
    Design(Box<CheapestDesign>),
    /// The configuration has no energies: of each preset the best operating point under the measured tolerances.
    Preset(CheapestPreset),
}

/// The cheapest design for `objective`.
pub(super) fn cheapest(
    designer: &Designer<'_>,
    findings: &Findings,
    settings: &CharacterisationSettings,
    (objective, presets, schemes): (Objective, &[PresetPoint], &[SchemeFigures]),
    progress: &dyn Fn(&str),
) -> Result<Cheapest, Error> {
    let configured = designer.configured();
    if configured.accelerator.is_none() && objective == Objective::Cycles {
        return Err(Error::NoAccelerator);
    }
    let baseline = designer.baseline()?.figures()?;
    if configured.accelerator.is_none() && objective == Objective::Energy && baseline.energy_pj.is_none() {
        let volume_bits = designer.precise(&findings.joint)?.figures()?.volume_bits;
        return Ok(Cheapest::Preset(cheapest_presets(presets, baseline.volume_bits, volume_bits)));
    }
    progress("pricing the designs");
    let (space, precise) = Space::new(designer, findings, &settings.search)?;
    let order = priced(designer, &space, &precise, objective)?;
    let kinds: BTreeSet<Kind> = space.groups.iter().map(|group| group.kind).collect();
    let search = Search::new(designer, findings, settings, (&space, &precise), kinds.len() + 1, progress);
    let searching = Searching { designer, space: &space, order: &order, baseline: &baseline, objective };
    let found = searching.found(
        search,
        &kinds,
        schemes.iter().filter_map(|scheme| searching.verified(scheme, findings)),
    )?;
    let [asked, points_per_memory] = space.points_per_memory;
    Ok(Cheapest::Design(Box::new(CheapestDesign {
        points_per_memory,
        is_coarsened: points_per_memory < asked,
        ..found
    })))
}

/// Searches over one list of designs.
#[derive(Clone, Copy)]
struct Searching<'a> {
    designer: &'a Designer<'a>,
    space: &'a Space,
    /// Cheapest first.
    order: &'a [Priced],
    baseline: &'a DesignFigures,
    objective: Objective,
}

impl Searching<'_> {
    /// First without errors, where nothing is left to chance; then each kind of memories alone; then all of them, for designs that
    /// are cheaper than all that was found and than those `verified`.
    fn found(
        &self,
        mut search: Search<'_>,
        kinds: &BTreeSet<Kind>,
        verified: impl Iterator<Item = MeasuredDesign>,
    ) -> Result<CheapestDesign, Error> {
        let mut best: Option<MeasuredDesign> = None;
        for design in verified {
            self.keep_cheaper(&mut best, &design);
        }
        let (mut total, mut by_technology) = (Found::default(), Vec::new());
        for kind in std::iter::once(None).chain(kinds.iter().copied().map(Some)) {
            let only: BTreeSet<Kind> = kind.into_iter().collect();
            let found =
                search.cheapest(self.order, &|candidate| self.space.kinds(candidate) == only, None)?;
            total.add(&found);
            let design = found.winner.map(|winner| self.measured(&winner)).transpose()?;
            if let Some(design) = &design {
                self.keep_cheaper(&mut best, design);
            }
            by_technology.push(TechnologyDesign {
                kind,
                design,
                unconfirmed: found.unconfirmed,
                end: found.end,
            });
        }
        by_technology.rotate_left(1);
        let bound = best.as_ref().map(|design| pricing::costs(self.objective, &design.figures));
        let found = search.cheapest(self.order, &|_| true, bound)?;
        total.add(&found);
        if let Some(winner) = &found.winner {
            best = Some(self.measured(winner)?);
        }
        let closest = match (&best, search.best()) {
            (None, Some((candidate, judgement))) => Some(self.described(candidate, *judgement, None)?),
            _ => None,
        };
        Ok(CheapestDesign {
            objective: self.objective,
            designs: self.order.len() as u64,
            measured: total.measured,
            skipped: total.skipped,
            unconfirmed: total.unconfirmed,
            undecided: total.undecided,
            end: found.end,
            points_per_memory: 0,
            is_coarsened: false,
            winner: best,
            best: closest,
            by_technology,
        })
    }

    fn keep_cheaper(&self, best: &mut Option<MeasuredDesign>, design: &MeasuredDesign) {
        let costs = |design: &MeasuredDesign| pricing::costs(self.objective, &design.figures);
        if best.as_ref().is_none_or(|best| pricing::compared(costs(design), costs(best)) == Ordering::Less) {
            *best = Some(design.clone());
        }
    }

    /// The joint scheme with memories as tolerated, if that is confirmed.
    fn verified(&self, scheme: &SchemeFigures, findings: &Findings) -> Option<MeasuredDesign> {
        let confirmation = scheme.verification.clone()?;
        (confirmation.judgement.verdict == Verdict::Above).then(|| MeasuredDesign {
            words: scheme.design.clone(),
            widths: self.widths(&findings.joint),
            memories: scheme.memories.clone(),
            figures: scheme.figures.clone(),
            saving: scheme.saving,
            search: None,
            confirmation: Some(confirmation),
        })
    }

    fn widths(&self, widths: &[(usize, u32)]) -> Vec<DatumBits> {
        let data = self.designer.subject().data();
        widths.iter().map(|&(datum, bits)| DatumBits { name: data[datum].name.clone(), bits }).collect()
    }

    fn measured(&self, winner: &(Candidate, Judgement, Confirmation)) -> Result<MeasuredDesign, Error> {
        let (candidate, judgement, confirmation) = winner;
        self.described(candidate, *judgement, Some(confirmation.clone()))
    }

    fn described(
        &self,
        candidate: &Candidate,
        search: Judgement,
        confirmation: Option<Confirmation>,
    ) -> Result<MeasuredDesign, Error> {
        let (scheme, settings) = (&self.space.schemes[candidate.scheme], self.space.settings(candidate));
        let figures = self.designer.design(&scheme.widths, &settings)?.figures()?;
        let passed = self.designer.precise(&scheme.widths)?;
        let memories = (self.designer.configured().memories.iter().enumerate())
            .map(|(index, memory)| {
                let setting = settings.iter().find(|setting| setting.memory == index);
                memory_point(memory, !passed.operands_in(index).is_empty(), setting)
            })
            .collect();
        Ok(MeasuredDesign {
            words: scheme.name.clone(),
            widths: self.widths(&scheme.widths),
            memories,
            saving: figures.saving_of(self.baseline),
            figures,
            search: Some(search),
            confirmation,
        })
    }
}

impl Found {
    fn add(&mut self, other: &Self) {
        self.measured += other.measured;
        self.skipped += other.skipped;
        self.unconfirmed += other.unconfirmed;
        self.undecided += other.undecided;
    }
}

/// Of each preset the operating point that saves most.
fn cheapest_presets(presets: &[PresetPoint], volume_bits_fp32: u64, volume_bits: u64) -> CheapestPreset {
    let best = |ratio: fn(&PresetPoint) -> Option<f64>| {
        let mut best: Vec<PresetChoice> = Vec::new();
        for (energy_ratio, point) in presets.iter().filter_map(|point| Some((ratio(point)?, point))) {
            let choice = PresetChoice { energy_ratio, point: point.clone() };
            match best.iter_mut().find(|other| other.point.preset == point.preset) {
                Some(other) if other.energy_ratio <= energy_ratio => {}
                Some(other) => *other = choice,
                None => best.push(choice),
            }
        }
        best.sort_by(|one, other| one.energy_ratio.total_cmp(&other.energy_ratio));
        best
    };
    CheapestPreset {
        volume_bits_fp32,
        volume_bits,
        sram: best(|point| point.leakage_power_ratio.and(point.access_energy_ratio)),
        dram: best(|point| point.refresh_power_ratio),
    }
}
