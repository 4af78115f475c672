//! Measures one network: single data, joint schemes, random errors.

use super::document::PARTS;
use super::measurement::{
    GreedyScheme, GreedyStep, Joint, MeasuredDatum, MeasuredSettings, Measurement, NetworkFigures,
    PaperScheme, RandomPoint, RandomWord, SCHEMA_VERSION, SavedPolicy, SavedVerdict, Scheme, SingleDatum,
    SinglePolicy, Tolerated, WidthPoint,
};
use super::published::{self, DOMINANT, PROTECTED_BER};
use super::schemes::{Given, paper_widths};
use super::sources::{Size, Source};
use crate::campaign::Schemes;
use crate::experiment::{Experiment, Prepared};
use crate::memory::Lifetime;
use crate::number::{BinaryPoint, Format, Granularity, Rounding};
use crate::resilience::random::{self, Mtrer, ProtectedBits, Tolerance};
use crate::resilience::verdict::{LEAST_NEAR_NORMAL, Verdict};
use crate::resilience::{
    self, Error, Policy, RandomSettings, SearchSettings, Selection, Settings, Subject, Target,
    VerdictSettings,
};
use std::collections::BTreeMap;
use std::time::Instant;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Single data: table 3, figure 4.
    pub single: bool,
    /// Joint schemes: table 4, figures 5 and 6. They start from single data.
    pub joint: bool,
    /// Random errors: figures 7 and 8.
    pub random: bool,
}

/// How much is measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What.
    pub parts: Parts,
    /// The command, without the folders of this machine.
    pub command: String,
    /// The paper's bit-widths that the user knows.
    pub given: Given,
    /// Policies of single data and greedy schemes; the first is that of figures 4 to 6.
    policies: Vec<Policy>,
    /// Whether every width of single data is measured under the first policy.
    curves: bool,
    search: SearchSettings,
    formats: Vec<Format>,
    verdict: VerdictSettings,
    /// Whether the crossing of the floor is refined.
    refine: bool,
    /// Exponents of decades that are measured unprotected, whether the search needs them or not.
    further_decades: Vec<i32>,
}

/// Relative prediction accuracy to keep.
const FLOOR: f64 = 0.97;

/// Reduction of volume per loss of accuracy that a step must keep.
const GAIN_LOSS_FLOOR: f64 = 20.0;

/// Exponents of the smallest and the largest decade of bit error rates.
const DECADES: [i32; 2] = [-8, -1];

impl Plan {
    /// What is worth its time for a network of `size`; `most_trials` in place of its own number.
    pub fn of(size: Size, parts: Parts, most_trials: Option<u64>, command: String, given: Given) -> Self {
        let (search, trials) = match size {
            Size::Small => (SearchSettings { most_passes: 400, front_passes: 200 }, 200),
            Size::Medium => (SearchSettings { most_passes: 60, front_passes: 40 }, 100),
            Size::Large => (SearchSettings { most_passes: 0, front_passes: 0 }, 30),
        };
        Self {
            parts,
            command,
            given,
            policies: policies(size),
            curves: size != Size::Large,
            search,
            formats: formats(size),
            verdict: VerdictSettings {
                most_trials: most_trials.unwrap_or(trials),
                ..VerdictSettings::default()
            },
            refine: size != Size::Large,
            further_decades: match size {
                Size::Small => (-7..=-1).collect(),
                Size::Medium => vec![-6, -5, -4, -2],
                Size::Large => vec![-5, -4],
            },
        }
    }

    fn settings(&self, policies: &[Policy], curves: bool, search: SearchSettings) -> Settings {
        Settings {
            floor: FLOOR,
            selection: Selection::Largest(DOMINANT),
            policies: policies.to_vec(),
            curves,
            gain_loss_floor: GAIN_LOSS_FLOOR,
            search,
            random: self.random(Format::default(), DECADES, PROTECTED_BER, self.refine),
        }
    }

    fn random(&self, format: Format, decades: [i32; 2], ber: f64, refine: bool) -> RandomSettings {
        RandomSettings {
            formats: vec![format],
            targets: vec![Target::Weights],
            ber,
            decades,
            neuron_lifetime: Lifetime::Transient,
            verdict: self.verdict,
            refine,
            map: false,
        }
    }
}

/// All roundings and binary points, or for large networks the default alone.
fn policies(size: Size) -> Vec<Policy> {
    if size == Size::Large {
        return vec![Policy::default()];
    }
    let points = [BinaryPoint::Subset, BinaryPoint::Network];
    let all = points.iter().flat_map(|&binary_point| {
        let roundings = [Rounding::NearestEven, Rounding::Floor, Rounding::Zero];
        roundings.map(|rounding| Policy { rounding, binary_point })
    });
    all.collect()
}

/// Words that random errors strike.
fn formats(size: Size) -> Vec<Format> {
    let rounding = Rounding::NearestEven;
    let fixed = |bits, binary_point| Format::Fixed { bits, binary_point, rounding };
    let (subset, network) = (BinaryPoint::Subset, BinaryPoint::Network);
    let at = |integer_bits| fixed(16, BinaryPoint::At(integer_bits));
    match size {
        Size::Large => vec![fixed(16, subset)],
        Size::Medium => {
            vec![fixed(16, subset), at(3), fixed(16, network), fixed(8, subset), Format::Fp32]
        }
        Size::Small => vec![
            fixed(16, subset),
            at(1),
            at(2),
            at(3),
            fixed(16, network),
            fixed(32, subset),
            fixed(32, network),
            fixed(8, subset),
            Format::Int8 { granularity: Granularity::Tensor },
            Format::Fp32,
            fixed(8, network),
            Format::Fp16 { rounding },
            Format::Bf16 { rounding },
        ],
    }
}

/// Measures what `plan` asks for on `source`, whose images are those of `experiment`; `progress` is told what is being measured.
/// Yields the measurement, and the seconds that its parts took.
///
/// # Errors
/// [`enum@Error`] if a scheme or a trial cannot be computed, or the network predicts no image right.
pub fn measure(
    source: &Source,
    experiment: &Experiment,
    prepared: &Prepared,
    plan: &Plan,
    progress: &dyn Fn(&str),
) -> Result<(Measurement, BTreeMap<String, f64>), Error> {
    let subject = Subject::new(experiment, prepared);
    let mut schemes = Schemes::new(prepared)?;
    let baseline_correct = schemes.baseline().top1_correct;
    let data = subject.selected(Selection::Largest(DOMINANT));
    let measured = |datum: &resilience::Datum| MeasuredDatum { name: datum.name.clone(), words: datum.words };
    let mut measurement = Measurement {
        schema_version: SCHEMA_VERSION,
        network: source.name.into(),
        weights: source.weights_title.into(),
        data_set: source.images.title().into(),
        images: prepared.labels().len() as u64,
        labelled: prepared.is_labelled(),
        baseline_correct,
        definition: NetworkFigures::of(prepared.network()),
        settings: MeasuredSettings {
            command: plan.command.clone(),
            seed: experiment.seed,
            floor: FLOOR,
            gain_loss_floor: GAIN_LOSS_FLOOR,
            error_rate: plan.verdict.error_rate,
            most_trials: plan.verdict.most_trials,
        },
        data: data.iter().map(measured).collect(),
        single: Vec::new(),
        joint: None,
        random: Vec::new(),
    };
    let mut seconds = BTreeMap::new();
    let [_, single_part, joint_part, random_part] = PARTS;
    if plan.parts.single || plan.parts.joint {
        let start = Instant::now();
        let single = single(&subject, &mut schemes, plan, progress)?;
        measurement.single = single.iter().map(saved_single).collect();
        seconds.insert(single_part.to_owned(), start.elapsed().as_secs_f64());
        if plan.parts.joint {
            let start = Instant::now();
            let mut joint = joint(&subject, &mut schemes, &single, plan, data.len(), progress)?;
            joint.paper = paper(source, &subject, &mut schemes, plan)?;
            measurement.joint = Some(joint);
            seconds.insert(joint_part.to_owned(), start.elapsed().as_secs_f64());
        }
    }
    if plan.parts.random {
        let start = Instant::now();
        measurement.random = words(&subject, plan, progress)?;
        seconds.insert(random_part.to_owned(), start.elapsed().as_secs_f64());
    }
    Ok((measurement, seconds))
}

/// Module 1: the first policy, with whole curves if they are asked for, then the others.
fn single<'a>(
    subject: &Subject<'a>,
    schemes: &mut Schemes<'a>,
    plan: &Plan,
    progress: &dyn Fn(&str),
) -> Result<Vec<resilience::SinglePolicy>, Error> {
    let (first, others) = plan.policies.split_at(1);
    let mut policies = Vec::new();
    for (chosen, curves) in [(first, plan.curves), (others, false)] {
        let settings = plan.settings(chosen, curves, plan.search);
        policies.extend(resilience::single(subject, schemes, &settings, progress)?.policies);
    }
    Ok(policies)
}

fn saved_single(single: &resilience::SinglePolicy) -> SinglePolicy {
    let data = single.data.iter().map(|datum| {
        let point =
            |point: &resilience::Point| WidthPoint { bits: point.bits, correct: point.measured.top1_correct };
        SingleDatum {
            bits: datum.bits,
            monotone: datum.monotone,
            passes: datum.passes,
            published_passes: datum.published_passes,
            points: datum.points.iter().rev().map(point).collect(),
        }
    });
    SinglePolicy { policy: saved_policy(single.policy), data: data.collect() }
}

fn saved_policy(policy: Policy) -> SavedPolicy {
    SavedPolicy { rounding: policy.rounding.into(), binary_point: policy.binary_point.into() }
}

/// Module 2: greedy under every policy; the better search and the front under the first.
fn joint<'a>(
    subject: &Subject<'a>,
    schemes: &mut Schemes<'a>,
    single: &[resilience::SinglePolicy],
    plan: &Plan,
    data: usize,
    progress: &dyn Fn(&str),
) -> Result<Joint, Error> {
    let none = SearchSettings { most_passes: 0, front_passes: 0 };
    let mut joint = Joint {
        greedy: Vec::new(),
        greedy_passes: 0,
        smallest: None,
        search_passes: 0,
        exhausted: false,
        paper: Vec::new(),
        front: Vec::new(),
    };
    for (index, policy) in single.iter().enumerate() {
        let search = if index == 0 { plan.search } else { none };
        let settings = plan.settings(&[policy.policy], false, search);
        let found = resilience::joint(subject, schemes, policy, &settings, progress)?;
        let steps = found.steps.iter().map(|step| GreedyStep {
            datum: step.datum,
            taken: step.taken,
            scheme: saved_scheme(&step.scheme, data),
        });
        joint.greedy.push(GreedyScheme { policy: saved_policy(policy.policy), steps: steps.collect() });
        if index == 0 {
            joint.greedy_passes = found.greedy_passes;
            joint.search_passes = found.search.passes;
            joint.exhausted = found.search.exhausted;
            joint.smallest = (search.most_passes > 0).then(|| saved_scheme(&found.search.scheme, data));
            joint.front = found.front.iter().map(|scheme| saved_scheme(scheme, data)).collect();
        }
    }
    Ok(joint)
}

/// The paper's bit-widths under every policy, where `source` is one of its networks.
fn paper<'a>(
    source: &Source,
    subject: &Subject<'a>,
    schemes: &mut Schemes<'a>,
    plan: &Plan,
) -> Result<Vec<PaperScheme>, Error> {
    let definition = NetworkFigures::of(subject.prepared().network());
    let published = source.published.and_then(published::network).zip(definition.dominant_words());
    let widths = published
        .and_then(|(network, words)| paper_widths(network, words, definition.volume_words, &plan.given).0);
    let Some(widths) = widths else { return Ok(Vec::new()) };
    let indexed: Vec<(usize, u32)> = widths.into_iter().enumerate().collect();
    let mut measured = Vec::new();
    for &policy in &plan.policies {
        let correct = schemes.score(&subject.narrowed(&indexed, policy))?.top1_correct;
        let scheme = Scheme { widths: widths.to_vec(), correct };
        measured.push(PaperScheme { policy: saved_policy(policy), scheme });
    }
    Ok(measured)
}

fn saved_scheme(scheme: &resilience::Scheme, data: usize) -> Scheme {
    let bits = |datum| scheme.widths.iter().find(|width| width.datum == datum).map_or(32, |width| width.bits);
    Scheme { widths: (0..data).map(bits).collect(), correct: scheme.measured.top1_correct }
}

/// A rate at which nothing errs: asked there, protected bits take no trial worth its name.
const NOTHING_ERRS: i32 = -30;

/// Module 3: all weights in every word; unprotected, decades besides those that the search needs.
fn words(subject: &Subject<'_>, plan: &Plan, progress: &dyn Fn(&str)) -> Result<Vec<RandomWord>, Error> {
    let mut words = Vec::new();
    // These are there for a figure; no claim rests on them.
    let few =
        VerdictSettings { most_trials: plan.verdict.most_trials.min(LEAST_NEAR_NORMAL), ..plan.verdict };
    for &format in &plan.formats {
        let measure = |decades, ber, refine, verdict| {
            let settings = RandomSettings { verdict, ..plan.random(format, decades, ber, refine) };
            let errors = random::evaluate(subject, FLOOR, &settings, progress)?;
            Ok::<_, Error>(errors.tolerances.into_iter().next().expect("one target in one format"))
        };
        let found = measure(DECADES, PROTECTED_BER, plan.refine, plan.verdict)?;
        let mut points: Vec<RandomPoint> = found.points.iter().map(saved_point).collect();
        let is_known =
            |ber: f64| found.points.iter().any(|point| point.ber == ber && point.protected_msbs == 0);
        for &exponent in &plan.further_decades {
            let ber = random::decade(exponent);
            if found.mtrer == Mtrer::QuantisedMisses || is_known(ber) {
                continue;
            }
            let further = measure([exponent; 2], random::decade(NOTHING_ERRS), false, few)?;
            points.extend(further.points.iter().filter(|point| point.ber == ber).map(saved_point));
        }
        words.push(saved_word(&found, format, points));
    }
    Ok(words)
}

fn saved_word(tolerance: &Tolerance, format: Format, mut points: Vec<RandomPoint>) -> RandomWord {
    points.sort_by(|a, b| a.protected_msbs.cmp(&b.protected_msbs).then(a.ber.total_cmp(&b.ber)));
    let refined = tolerance.refined.as_ref();
    let (protected_msbs, fewer) = match tolerance.protected_msbs {
        ProtectedBits::Needed { msbs, fewer } => (Some(msbs), fewer),
        ProtectedBits::QuantisedMisses => (None, None),
    };
    let policy = match format {
        Format::Fixed { binary_point, rounding, .. } => Some(saved_policy(Policy { rounding, binary_point })),
        _ => None,
    };
    RandomWord {
        word: format.name(),
        policy,
        quantised_rpa: tolerance.quantised_rpa,
        mtrer: tolerated(tolerance.mtrer),
        crossing: refined.and_then(|refined| Some([refined.highest_above, refined.lowest_below?])),
        protection_ber: tolerance.protection_ber,
        protected_msbs,
        with_one_less: fewer.map(saved_verdict),
        points,
    }
}

fn saved_point(point: &random::Point) -> RandomPoint {
    let summary = &point.judgement.summary;
    RandomPoint {
        ber: point.ber,
        protected_msbs: point.protected_msbs,
        trials: summary.count as u64,
        rpa: summary.mean,
        interval: summary.ci95,
        verdict: saved_verdict(point.judgement.verdict),
    }
}

fn saved_verdict(verdict: Verdict) -> SavedVerdict {
    match verdict {
        Verdict::Above => SavedVerdict::Above,
        Verdict::Below => SavedVerdict::Below,
        Verdict::Undecided => SavedVerdict::Undecided,
    }
}

fn tolerated(mtrer: Mtrer) -> Tolerated {
    match mtrer {
        Mtrer::At { exponent, next } => {
            Tolerated::At { ber: random::decade(exponent), next: saved_verdict(next) }
        }
        Mtrer::AtLeast { exponent } => Tolerated::AtLeast { ber: random::decade(exponent) },
        Mtrer::Less { exponent, verdict } => {
            Tolerated::Less { ber: random::decade(exponent), verdict: saved_verdict(verdict) }
        }
        Mtrer::QuantisedMisses => Tolerated::QuantisedMisses,
    }
}
