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

    /// Standard error of the relative prediction accuracy as an estimate for other images of the same kind, at most; `None` where
    /// none is predicted right.
    ///
    /// It is the ratio R of two counts over the same images, whose variance is the sum over images of (c - R b)^2 over the square of
    /// the baseline's count; c and b are 1 where the design and the baseline are right. Images that both predict alike and
    /// right give (1 - R)^2 each, alike and wrong nothing, all others 1 at most for R <= 1.
    pub fn rpa_standard_error(&self) -> Option<f64> {
        let right = self.top1_correct as f64;
        let differing = self.images.saturating_sub(self.agreeing) as f64;
        let loss = 1.0 - self.rpa;
        let baseline = right / self.rpa;
        (self.top1_correct > 0)
            .then(|| (self.rpa.powi(2).max(1.0) * differing + loss * loss * right).sqrt() / baseline)
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_standard_error_is_no_less_than_that_of_the_table_of_both_predictions(
            [both, design, baseline, neither_alike, neither] in prop::array::uniform5(0..2000u64),
        ) {
            prop_assume!(both + design > 0 && both + baseline > 0);
            let (right, right_before) = ((both + design) as f64, (both + baseline) as f64);
            let images = both + design + baseline + neither_alike + neither;
            let rpa = right / right_before;
            let measured = Measured {
                images,
                top1_correct: both + design,
                agreeing: both + neither_alike,
                rpa,
            };
            let squares = both as f64 * (1.0 - rpa).powi(2) + design as f64 + baseline as f64 * rpa * rpa;
            let exact = squares.sqrt() / right_before;
            let most = measured.rpa_standard_error().unwrap();
            prop_assert!(most >= exact * (1.0 - 1e-12), "{most} {exact}");
        }
    }

    #[test]
    fn the_standard_error_is_near_where_few_images_are_wrong_in_two_ways() {
        // 8,000 right before and after, 60 and 300 in one of them, 40 wrong in two ways.
        let rpa = 8060.0_f64 / 8300.0;
        let measured = Measured { images: 10_000, top1_correct: 8060, agreeing: 9600, rpa };
        let exact = (8000.0 * (1.0 - rpa).powi(2) + 60.0 + 300.0 * rpa * rpa).sqrt() / 8300.0;
        let most = measured.rpa_standard_error().unwrap();
        assert!(most > exact && most < 1.1 * exact, "{most} {exact}");
    }

    #[test]
    fn the_standard_error_of_a_network_that_is_never_right_is_unknown() {
        let measured = Measured { images: 10, top1_correct: 0, agreeing: 1, rpa: 0.0 };
        assert_eq!(measured.rpa_standard_error(), None);
    }
}
