//! Schemes of bit-widths, each measured once.

use super::{Datum, Error, Policy, Subject};
use crate::campaign::{Effort, Schemes, Score};
use serde::Serialize;
use std::collections::BTreeMap;

/// Bits of an unapproximated word, the unit of the reduction (eq. 1 of Chen et al., GLSVLSI'17), and of the widest narrowed one.
pub(super) const WIDEST_BITS: u32 = 32;

/// Predictions of a network whose data are narrowed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// Images evaluated.
    pub images: u64,
    /// Images whose largest logit is that of their label; without labels, of the unapproximated network's class.
    pub top1_correct: u64,
    /// Images that are classified as by the unapproximated network.
    pub agreeing: u64,
    /// Accuracy relative to the unapproximated network's, >= 0.
    pub rpa: f64,
}

impl Measured {
    /// `score`, relative to `baseline`.
    ///
    /// # Errors
    /// [`Error::NothingRight`] if the baseline has no accuracy to be relative to.
    pub(super) fn new(score: &Score, baseline: &Score) -> Result<Self, Error> {
        let rpa = score.rpa(baseline).ok_or(Error::NothingRight { images: baseline.images })?;
        let &Score { images, top1_correct, agreeing, .. } = score;
        Ok(Self { images, top1_correct, agreeing, rpa })
    }
}

/// Reduction of data volume per loss of relative prediction accuracy; `None` where nothing is lost, which no floor refuses.
pub(super) fn gain_loss(gain: f64, loss: f64) -> Option<f64> {
    (loss > 0.0).then(|| gain / loss)
}

/// The width of one of [`Subject::data`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Width {
    /// Its index.
    pub datum: usize,
    /// Its name.
    pub name: String,
    /// Width of its words in fixed point, 1..=32.
    pub bits: u32,
}

/// Data narrowed together, all others being fp32.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scheme {
    /// The narrowed data, largest first.
    pub widths: Vec<Width>,
    /// Bits of the whole data volume for one image.
    pub volume_bits: u64,
    /// Data volume reduction, 0..=1: eq. 1 of Chen et al. on exact volumes.
    pub dvr: f64,
    /// Its predictions.
    #[serde(flatten)]
    pub measured: Measured,
    /// `dvr` per loss of relative prediction accuracy; `None` where nothing is lost.
    pub gain_loss: Option<f64>,
    /// Whether its relative prediction accuracy is 1 or more: its gain per loss is infinite.
    pub no_loss: bool,
}

/// Pairs of an index of [`Subject::data`] and a number of bits in 1..=32, in the order of the indices.
pub(super) type Widths = Vec<(usize, u32)>;

/// Predicts with data narrowed: a network, or in tests a formula.
pub(super) trait Predictor {
    /// Predictions with `widths`.
    fn predict(&mut self, widths: &[(usize, u32)]) -> Result<Measured, Error>;

    /// What all predictions so far took.
    fn effort(&self) -> Effort;
}

/// The network of a subject.
pub(super) struct Narrowed<'m, 'a> {
    pub subject: &'m Subject<'a>,
    pub schemes: &'m mut Schemes<'a>,
    pub policy: Policy,
    pub progress: &'m dyn Fn(&str),
}

impl Predictor for Narrowed<'_, '_> {
    fn predict(&mut self, widths: &[(usize, u32)]) -> Result<Measured, Error> {
        let data = self.subject.data();
        let named: Vec<_> =
            widths.iter().map(|&(datum, bits)| format!("{} {bits}", data[datum].name)).collect();
        (self.progress)(&format!("bits: {}", named.join(", ")));
        let score = self.schemes.score(&self.subject.narrowed(widths, self.policy))?;
        Measured::new(&score, self.schemes.baseline())
    }

    fn effort(&self) -> Effort {
        self.schemes.effort()
    }
}

/// All schemes that were measured with one policy.
pub(super) struct Measurements<'m> {
    predictor: &'m mut dyn Predictor,
    data: &'m [Datum],
    volume_words: u64,
    known: BTreeMap<Widths, Measured>,
}

impl<'m> Measurements<'m> {
    /// Nothing measured yet. `data` are all of a data volume of `volume_words` words.
    pub fn new(predictor: &'m mut dyn Predictor, data: &'m [Datum], volume_words: u64) -> Self {
        Self { predictor, data, volume_words, known: BTreeMap::new() }
    }

    /// Takes over what is known of a scheme.
    pub fn know(&mut self, widths: Widths, measured: Measured) {
        self.known.insert(widths, measured);
    }

    /// Everything measured so far.
    pub fn known(&self) -> &BTreeMap<Widths, Measured> {
        &self.known
    }

    /// What measuring took so far.
    pub fn effort(&self) -> Effort {
        self.predictor.effort()
    }

    /// The predictions of a scheme, measured where they are not known yet.
    ///
    /// # Errors
    /// Those of the predictor.
    pub fn measure(&mut self, widths: &[(usize, u32)]) -> Result<Measured, Error> {
        if let Some(&measured) = self.known.get(widths) {
            return Ok(measured);
        }
        let measured = self.predictor.predict(widths)?;
        self.known.insert(widths.to_vec(), measured);
        Ok(measured)
    }

    /// Bits of the whole data volume, unapproximated.
    pub fn bits_fp32(&self) -> u64 {
        self.volume_words * u64::from(WIDEST_BITS)
    }

    /// Bits of the whole data volume with `widths`.
    pub fn volume_bits(&self, widths: &[(usize, u32)]) -> u64 {
        let saved = |&(datum, bits): &(usize, u32)| self.data[datum].words * u64::from(WIDEST_BITS - bits);
        self.bits_fp32() - widths.iter().map(saved).sum::<u64>()
    }

    /// Share by which a data volume of `volume_bits` bits is smaller than that in fp32.
    pub fn dvr(&self, volume_bits: u64) -> f64 {
        1.0 - volume_bits as f64 / self.bits_fp32().max(1) as f64
    }

    /// `widths` with their predictions.
    pub fn scheme(&self, widths: &[(usize, u32)], measured: Measured) -> Scheme {
        let named = |&(datum, bits)| Width { datum, name: self.data[datum].name.clone(), bits };
        let volume_bits = self.volume_bits(widths);
        let dvr = self.dvr(volume_bits);
        let gain_loss = gain_loss(dvr, 1.0 - measured.rpa);
        Scheme {
            widths: widths.iter().map(named).collect(),
            volume_bits,
            dvr,
            measured,
            gain_loss,
            no_loss: gain_loss.is_none(),
        }
    }
}
