//! The cheapest design that meets the floor: designs are measured in the order of their costs. Of one that fails it is found out
//! what is enough to fail, by making it more careful part by part as long as it still does; whatever errs at least as often in
//! every word is passed over. The first design that meets the floor is measured once more on other devices: it was picked among
//! many, and luck is part of why. Of one that is not confirmed nothing that errs as often is tried again.

use super::confirmation::{CONFIRMATION_FIRST, Confirmation, confirmed};
use super::criterion::{Criterion, DesignVerdict, Judgement};
use super::design::{Design, Designer};
use super::pricing::{self, Priced};
use super::schemes::relative;
use super::space::{Candidate, Choice, Space};
use super::{CharacterisationSettings, Error, Findings};
use crate::campaign::Campaign;
use crate::experiment::Experiment;
use crate::resilience::VerdictSettings;
use crate::resilience::verdict::Verdict;
use serde::Serialize;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Devices of the second look at a design that meets the floor, before it is measured on others.
const SECOND_LOOK: u64 = 16;

/// Why a search ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Nothing cheaper than the design found is left.
    #[default]
    NothingCheaper,
    /// As many designs were measured as may be.
    MostMeasured,
    /// As many designs were measured on other devices as may be.
    MostConfirmations,
}

/// A search over one space.
pub(super) struct Search<'a> {
    designer: &'a Designer<'a>,
    findings: &'a Findings,
    settings: &'a CharacterisationSettings,
    space: &'a Space,
    /// Designs of the schemes without errors.
    precise: &'a [Design],
    campaign: Option<(usize, Campaign<'a>)>,
    judged: BTreeMap<Candidate, Judgement>,
    /// Designs of which something at least as careful fails, or was not confirmed.
    failures: Vec<Candidate>,
    /// Designs that erred and were measured on other devices.
    confirmations: u64,
    /// Error rate of each confirmation.
    error_rate: f64,
    progress: &'a dyn Fn(&str),
}

/// What came of a search.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// The cheapest design that meets the floor, its judgement, the confirmation.
    pub winner: Option<(Candidate, Judgement, Confirmation)>,
    /// Designs that the search measured anew, those for reasons of failures included.
    pub measured: u64,
    /// Designs that were passed over because a more careful one fails or was not confirmed.
    pub skipped: u64,
    /// Designs that met the floor and were not confirmed.
    pub unconfirmed: u64,
    /// Designs of which too little was known after the most trials.
    pub undecided: u64,
    /// Why it ended.
    pub end: End,
}

impl<'a> Search<'a> {
    /// `searches` of them share the error rate asked for.
    pub fn new(
        designer: &'a Designer<'a>,
        findings: &'a Findings,
        settings: &'a CharacterisationSettings,
        (space, precise): (&'a Space, &'a [Design]),
        searches: usize,
        progress: &'a dyn Fn(&str),
    ) -> Self {
        Self {
            designer,
            findings,
            settings,
            space,
            precise,
            campaign: None,
            judged: BTreeMap::new(),
            failures: Vec::new(),
            confirmations: 0,
            error_rate: settings.error_rate
                / (searches as f64 * settings.search.most_confirmations.max(1) as f64),
            progress,
        }
    }

    /// The cheapest of the designs `order` that `admits` accepts, up to the first that is not cheaper than `costs`.
    pub fn cheapest(
        &mut self,
        order: &[Priced],
        admits: &dyn Fn(&Candidate) -> bool,
        costs: Option<[f64; 3]>,
    ) -> Result<Found, Error> {
        let mut found = Found::default();
        let measured_before = self.judged.len() as u64;
        let cheaper = |priced: &&Priced| {
            costs.is_none_or(|costs| pricing::compared(priced.costs, costs) == Ordering::Less)
        };
        let order = order.iter().take_while(cheaper).filter(|priced| admits(&priced.candidate));
        for Priced { candidate, .. } in order {
            if self.failures.iter().any(|failure| self.space.is_careless(candidate, failure)) {
                found.skipped += 1;
                continue;
            }
            found.measured = self.judged.len() as u64 - measured_before;
            if found.measured >= self.settings.search.most_measured {
                found.end = End::MostMeasured;
                break;
            }
            if found.unconfirmed >= self.settings.search.most_confirmations {
                found.end = End::MostConfirmations;
                break;
            }
            (self.progress)(&format!(
                "searching the cheapest design: {} measured, {} passed over",
                found.measured, found.skipped
            ));
            let judgement = self.judge(candidate)?;
            match judgement.verdict {
                DesignVerdict::Fails => self.explain(candidate)?,
                DesignVerdict::Undecided => found.undecided += 1,
                DesignVerdict::Meets => {
                    let Some(confirmation) = self.confirm(candidate)? else {
                        found.undecided += 1;
                        self.failures.push(candidate.clone());
                        continue;
                    };
                    if confirmation.judgement.verdict == Verdict::Above {
                        found.winner = Some((candidate.clone(), judgement, confirmation));
                        break;
                    }
                    found.unconfirmed += 1;
                    self.failures.push(candidate.clone());
                }
            }
        }
        found.measured = self.judged.len() as u64 - measured_before;
        Ok(found)
    }

    /// The design with the largest mean accuracy of those measured.
    pub fn best(&self) -> Option<(&Candidate, &Judgement)> {
        self.judged.iter().max_by(|(_, one), (_, other)| one.rpa_mean.total_cmp(&other.rpa_mean))
    }

    /// Measures `candidate` unless that was done.
    pub fn judge(&mut self, candidate: &Candidate) -> Result<Judgement, Error> {
        if let Some(judgement) = self.judged.get(candidate) {
            return Ok(*judgement);
        }
        let (error_rate, most_trials) = (self.settings.error_rate, self.settings.search.most_trials);
        let criterion = Criterion { floor: self.findings.rpa_floor, error_rate, most_trials };
        let judgement = self.measure(candidate, |campaign, _| {
            let baseline = campaign.baseline();
            criterion.judge(|trial| relative(&campaign.trial(trial)?.score, &baseline))
        })?;
        self.judged.insert(candidate.clone(), judgement);
        Ok(judgement)
    }

    /// Measures `candidate` on other devices; `None` if a second look, at more devices of the search, does not say that it meets the
    /// floor. Confirmations have equal parts of the error rate asked for.
    fn confirm(&mut self, candidate: &Candidate) -> Result<Option<Confirmation>, Error> {
        let (floor, error_rate) = (self.findings.rpa_floor, self.error_rate);
        let most_trials = self.settings.search.confirmation_trials;
        let errs = candidate.choices.iter().any(|choice| choice.point.is_some());
        let first = CONFIRMATION_FIRST + self.confirmations * most_trials;
        let settings = VerdictSettings { error_rate, most_trials };
        let confirmation = self.measure(candidate, |campaign, experiment| {
            if errs {
                let baseline = campaign.baseline();
                let criterion = Criterion { floor, error_rate, most_trials: SECOND_LOOK };
                let values = (0..SECOND_LOOK)
                    .map(|trial| relative(&campaign.trial(trial)?.score, &baseline))
                    .collect::<Result<Vec<f64>, Error>>()?;
                if criterion.of(&values).verdict != DesignVerdict::Meets {
                    return Ok(None);
                }
            }
            confirmed(campaign, experiment, floor, settings, first).map(Some)
        })?;
        self.confirmations += u64::from(errs && confirmation.is_some());
        Ok(confirmation)
    }

    /// What `judge` says of the trials of `candidate`.
    fn measure<T>(
        &mut self,
        candidate: &Candidate,
        judge: impl FnOnce(&mut Campaign<'_>, &Experiment) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let scheme = &self.space.schemes[candidate.scheme];
        let design = self.designer.design(&scheme.widths, &self.space.settings(candidate))?;
        // The golden activations of two schemes may be too many: those of another go first.
        let kept = self.campaign.take().filter(|(scheme, _)| *scheme == candidate.scheme);
        let mut campaign = if let Some((_, campaign)) = kept {
            campaign
        } else {
            let precise = &self.precise[candidate.scheme].experiment;
            Campaign::new(precise, self.designer.subject().prepared())?
        };
        campaign.rearm(design.experiment.clone())?;
        let judged = judge(&mut campaign, &design.experiment);
        self.campaign = Some((candidate.scheme, campaign));
        judged
    }

    fn fails(&mut self, candidate: &Candidate) -> Result<bool, Error> {
        Ok(self.judge(candidate)?.verdict == DesignVerdict::Fails)
    }

    /// Finds out what of `candidate`, which fails, is enough to fail.
    fn explain(&mut self, candidate: &Candidate) -> Result<(), Error> {
        let mut core = candidate.clone();
        self.widen(&mut core)?;
        for group in 0..core.choices.len() {
            if core.choices[group].point.is_some() {
                let mut careful = core.clone();
                careful.choices[group] = Choice::PRECISE;
                if self.fails(&careful)? {
                    core = careful;
                }
            }
        }
        for group in 0..core.choices.len() {
            let Some(point) = core.choices[group].point else { continue };
            let (_, most_msbs) = self.space.extent(group);
            let at = |point: usize, msbs: u32, core: &Candidate| {
                let mut careful = core.clone();
                careful.choices[group] = Choice { point: Some(point), msbs };
                careful
            };
            // Fewest errors with which it still fails, then most protected bits.
            let (mut holds, mut fails, msbs) = (None, point, core.choices[group].msbs);
            while let low = holds.map_or(0, |holds: usize| holds + 1)
                && low < fails
            {
                let middle = usize::midpoint(low, fails);
                if self.fails(&at(middle, msbs, &core))? { fails = middle } else { holds = Some(middle) }
            }
            let (mut protected, mut enough) = (msbs, most_msbs + 1);
            while protected + 1 < enough {
                let middle = u32::midpoint(protected, enough);
                if self.fails(&at(fails, middle, &core))? { protected = middle } else { enough = middle }
            }
            core = at(fails, protected, &core);
        }
        self.failures.push(core);
        Ok(())
    }

    /// Widens the words of `core` as long as it still fails.
    fn widen(&mut self, core: &mut Candidate) -> Result<(), Error> {
        for scheme in (0..self.space.schemes.len()).rev() {
            let wider = Candidate { scheme, ..core.clone() };
            let is_wider = scheme != core.scheme && self.space.is_careless(core, &wider);
            if is_wider && self.fails(&wider)? {
                *core = wider;
            }
        }
        Ok(())
    }
}
