//! Which stop costs how much accuracy.

use super::result::RunResult;
use super::text::{grouped_mean, percent, table};
use crate::campaign::{Attribution, Summary};
use crate::experiment::Experiment;
use serde::Serialize;

/// One part of a design alone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartLoss {
    /// `formats`, `link` or the name of a memory.
    pub part: String,
    /// Share of the images predicted right with this part and, for a memory, formats and link; mean over trials.
    pub top1_mean: f64,
    /// 95 % interval of that mean over trials; null for formats, link and single trials.
    pub top1_ci95: Option<[f64; 2]>,
    /// What it costs: of formats against the baseline, of the link against formats alone, of a memory against formats and
    /// link without faults.
    pub loss: f64,
    /// Wrong bits delivered per trial; null for formats and link.
    pub flips_mean: Option<f64>,
}

/// The accuracy loss of a design split by its parts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AttributionFigures {
    /// Every part alone: formats, link, then each memory in which a cell may err.
    pub parts: Vec<PartLoss>,
    /// Loss of the whole design against the baseline.
    pub total_loss: f64,
    /// What the parts' losses leave over: their effects on each other.
    pub interaction: f64,
}

impl AttributionFigures {
    /// The figures of `attribution`, of the experiment whose result is `result`.
    pub fn new(experiment: &Experiment, result: &RunResult, attribution: &Attribution) -> Self {
        let formats = attribution.formats.top1();
        let (baseline, quantised) = (result.baseline.top1, result.quantised.top1);
        let exact = |part: &str, top1: f64, loss: f64| PartLoss {
            part: part.to_owned(),
            top1_mean: top1,
            top1_ci95: None,
            loss,
            flips_mean: None,
        };
        let mut parts = vec![
            exact("formats", formats, baseline - formats),
            exact("link", quantised, formats - quantised),
        ];
        parts.extend(attribution.memories.iter().filter_map(|(memory, trials)| {
            let top1: Vec<f64> = trials.iter().map(|trial| trial.score.top1()).collect();
            let flips: Vec<f64> = trials.iter().map(|trial| trial.total_flips() as f64).collect();
            let top1 = Summary::of(&top1)?;
            Some(PartLoss {
                part: experiment.memories[*memory].name.clone(),
                top1_mean: top1.mean,
                top1_ci95: top1.ci95,
                loss: quantised - top1.mean,
                flips_mean: Summary::of(&flips).map(|flips| flips.mean),
            })
        }));
        let total_loss = baseline - result.approximate.top1_mean;
        let interaction = total_loss - parts.iter().map(|part| part.loss).sum::<f64>();
        Self { parts, total_loss, interaction }
    }

    /// The table for the terminal.
    pub(super) fn text(&self) -> String {
        let header = ["alone", "top1_%", "ci95_%", "loss_pp", "flips_mean"];
        let rows = self.parts.iter().map(|part| {
            let interval = part
                .top1_ci95
                .map_or("-".to_owned(), |[low, high]| format!("{} .. {}", percent(low), percent(high)));
            let flips = part.flips_mean.map_or("-".to_owned(), grouped_mean);
            vec![part.part.clone(), percent(part.top1_mean), interval, percent(part.loss), flips]
        });
        let line = |name: &str, loss| {
            vec![name.to_owned(), String::new(), String::new(), percent(loss), String::new()]
        };
        let rest = [line("interaction", self.interaction), line("total", self.total_loss)];
        format!("Accuracy loss by stop, each alone\n{}", table(&header, rows.chain(rest)))
    }
}
