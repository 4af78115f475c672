//! Points of the plane of bit error rates and protected bits, for one target in one word format.

use super::{Point, higher_rate};
use crate::campaign::{Campaign, Score};
use crate::experiment::Experiment;
use crate::memory::{Geometry, Lifetime, Memory, Protection, Technology, uniform};
use crate::number::Format;
use crate::resilience::verdict::{Basis, Certain, LEAST_NEAR_NORMAL, Nested, Question, Sequential, Verdict};
use crate::resilience::{Error, Subject, Target, VerdictSettings};
use std::collections::BTreeMap;

/// Name of the memory under the words. It is a part of the key of every draw: a configuration that places the same words in a
/// memory of this name meets the same faults.
pub const MEMORY: &str = "dram";

/// Flips that each device must have on average at each bit of the word, so that no kind of flip is rare among devices: a device
/// then has none at a given bit with a probability of 5 %.
const LEAST_FLIPS_PER_BIT: f64 = 3.0;

/// Rate above which more flips are no longer worse.
const MOST_NESTED_BER: f64 = 0.5;

/// What stays the same at all points.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    /// What is struck.
    pub target: Target,
    /// Its word.
    pub format: Format,
    /// Lifetime of the errors.
    pub lifetime: Lifetime,
    /// Relative prediction accuracy that must be reached.
    pub floor: f64,
    /// When enough trials were made.
    pub verdict: VerdictSettings,
}

impl Setting {
    /// The words in a memory whose approximate bits err at rate `ber`, the top `protected_msbs` excepted.
    pub fn experiment(&self, subject: &Subject<'_>, ber: f64, protected_msbs: u32) -> Experiment {
        let format = match self.format {
            Format::Fixed { bits, binary_point, rounding } => {
                Format::Fixed { bits, binary_point: subject.binary_point(binary_point), rounding }
            }
            other => other,
        };
        let words: Vec<_> = subject.struck(&self.target).into_iter().map(|datum| (datum, format)).collect();
        let memory = Memory {
            name: MEMORY.to_owned(),
            technology: Technology::Uniform(uniform::Parameters::from(ber)),
            geometry: Geometry::default(),
            protection: Protection::dual_rail(protected_msbs),
            lifetime: Some(self.lifetime),
            measured: None,
        };
        subject.stored(&words, memory)
    }
}

/// The points measured so far. All of them have the same trials: the cells that fail at one rate fail at every higher rate.
pub(super) struct Ground<'a> {
    subject: &'a Subject<'a>,
    setting: Setting,
    campaign: Campaign<'a>,
    /// Rate and protected bits of the campaign's memory.
    armed: Option<(f64, u32)>,
    baseline: Score,
    /// Relative prediction accuracy where nothing errs.
    quantised_rpa: f64,
    /// Words at risk.
    words: u64,
    /// By protected bits and by the bits of the rate, which order as rates do.
    points: BTreeMap<(u32, u64), Point>,
    progress: &'a dyn Fn(&str),
}

impl<'a> Ground<'a> {
    /// Stores the words of `precise`, which is [`Setting::experiment`] at some point.
    pub fn new(
        subject: &'a Subject<'a>,
        setting: Setting,
        stored: &'a Experiment,
        progress: &'a dyn Fn(&str),
    ) -> Result<Self, Error> {
        let campaign = Campaign::new(stored, subject.prepared())?;
        let baseline = campaign.baseline();
        let quantised_rpa = rpa(campaign.quantised(), &baseline)?;
        let words = stored.sites(baseline.images).iter().map(|site| site.residency.words).sum();
        Ok(Self {
            subject,
            setting,
            campaign,
            armed: None,
            baseline,
            quantised_rpa,
            words,
            points: BTreeMap::new(),
            progress,
        })
    }

    pub fn quantised_rpa(&self) -> f64 {
        self.quantised_rpa
    }

    /// Whether the words reach the floor where nothing errs.
    pub fn meets_floor(&self) -> bool {
        self.quantised_rpa >= self.setting.floor
    }

    pub fn words(&self) -> u64 {
        self.words
    }

    pub fn bits(&self) -> u32 {
        self.setting.format.bits()
    }

    /// All points measured so far, fewest protected bits and lowest rate first.
    pub fn points(&self) -> impl Iterator<Item = &Point> {
        self.points.values()
    }

    /// The verdict of a point that has been measured.
    pub fn known(&self, ber: f64, protected_msbs: u32) -> Option<Verdict> {
        self.points.get(&(protected_msbs, ber.to_bits())).map(|point| point.judgement.verdict)
    }

    /// The verdict at rate `ber` with `protected_msbs` protected bits, measured if it has not been.
    pub fn verdict(&mut self, ber: f64, protected_msbs: u32) -> Result<Verdict, Error> {
        Ok(self.point(ber, protected_msbs)?.judgement.verdict)
    }

    /// The point at rate `ber` with `protected_msbs` protected bits, measured if it has not been.
    pub fn point(&mut self, ber: f64, protected_msbs: u32) -> Result<&Point, Error> {
        let key = (protected_msbs, ber.to_bits());
        if !self.points.contains_key(&key) {
            let point =
                self.measure(ber, self.question(ber, protected_msbs), protected_msbs, self.setting.verdict)?;
            self.points.insert(key, point);
        }
        Ok(&self.points[&key])
    }

    /// The verdict at rate `ber` without protection, where the mean at a higher rate is above the floor: if that has not been
    /// measured, a few devices tell whether it is contradicted, and if not, more would tell nothing new.
    pub fn glance(&mut self, ber: f64) -> Result<Verdict, Error> {
        let key = (0, ber.to_bits());
        if !self.points.contains_key(&key) {
            let verdict = self.setting.verdict;
            let few = VerdictSettings { most_trials: verdict.most_trials.min(LEAST_NEAR_NORMAL), ..verdict };
            let mut point = self.measure(ber, Question { nested: None, ..self.question(ber, 0) }, 0, few)?;
            let judgement = &mut point.judgement;
            if judgement.verdict == Verdict::Undecided && judgement.summary.mean >= self.setting.floor {
                (judgement.verdict, judgement.basis) = (Verdict::Above, Some(Basis::HigherRate));
            }
            self.points.insert(key, point);
        }
        self.verdict(ber, 0)
    }

    /// What is known of a point, and asked of its trials.
    fn question(&self, ber: f64, protected_msbs: u32) -> Question {
        let right = self.baseline.top1_correct as f64;
        let ceiling = self.baseline.images as f64 / right;
        let bits = self.words as f64 * f64::from(self.bits() - protected_msbs);
        // Of a device, or of an image whose words are drawn anew.
        let precise = if bits == 0.0 { 1.0 } else { libm::exp(bits * libm::log1p(-ber)) };
        let draws = match self.setting.lifetime {
            Lifetime::Permanent => 1.0,
            Lifetime::Transient => self.baseline.images as f64,
        };
        let floor = self.setting.floor;
        let most_devices = libm::log1p(-MOST_NESTED_BER) / libm::log1p(-ber);
        Question {
            floor,
            ceiling,
            step: 1.0 / right,
            certain: Certain::of(precise, self.quantised_rpa, ceiling),
            near_normal: self.words as f64 * ber * draws >= LEAST_FLIPS_PER_BIT,
            nested: Nested::new(floor, self.quantised_rpa, most_devices),
        }
    }

    fn measure(
        &mut self,
        ber: f64,
        question: Question,
        protected_msbs: u32,
        settings: VerdictSettings,
    ) -> Result<Point, Error> {
        let nested_ber = question.nested.map(|nested| higher_rate(ber, nested.devices));
        let mut sequential = Sequential::new(question, settings);
        (self.progress)(&format!("bit error rate {ber:.3e}, {protected_msbs} protected bits"));
        let (mut trials, mut nested_trials) = (Trials::default(), Trials::default());
        while sequential.goes_on() && !sequential.wants_nested() {
            sequential.push(self.trial(ber, protected_msbs, &mut trials)?);
        }
        if let Some(nested_ber) = nested_ber {
            while sequential.wants_nested() {
                sequential.push_nested(self.trial(nested_ber, protected_msbs, &mut nested_trials)?);
            }
        }
        while sequential.goes_on() {
            sequential.push(self.trial(ber, protected_msbs, &mut trials)?);
        }
        let judgement = sequential.judgement().expect("at least three trials were made");
        Ok(Point {
            ber,
            protected_msbs,
            flips_mean: trials.flips as f64 / trials.made as f64,
            nested_ber: nested_ber.filter(|_| nested_trials.made > 0),
            passes: trials.passes + nested_trials.passes,
            judgement,
        })
    }

    /// Relative prediction accuracy of the next device of `trials`.
    fn trial(&mut self, ber: f64, protected_msbs: u32, trials: &mut Trials) -> Result<f64, Error> {
        if self.armed != Some((ber, protected_msbs)) {
            self.campaign.rearm(self.setting.experiment(self.subject, ber, protected_msbs))?;
            self.armed = Some((ber, protected_msbs));
        }
        let trial = self.campaign.trial(trials.made)?;
        let flips = trial.total_flips();
        // Faults that are drawn while images pass by are not known beforehand.
        let is_drawn = self.setting.lifetime == Lifetime::Transient && protected_msbs < self.bits();
        trials.made += 1;
        trials.flips += flips;
        trials.passes += u64::from(flips > 0 || is_drawn);
        rpa(&trial.score, &self.baseline)
    }
}

fn rpa(score: &Score, baseline: &Score) -> Result<f64, Error> {
    score.rpa(baseline).ok_or(Error::NothingRight { images: baseline.images })
}

/// Trials of one rate.
#[derive(Default)]
struct Trials {
    made: u64,
    flips: u64,
    passes: u64,
}
