//! Tables 1 and 2: the networks and their dominant data subsets, ours beside the paper's.

use super::measurement::{Measurement, NetworkFigures};
use super::published::{self, PublishedNetwork, rounded_bp};
use super::sheet::Sheet;
use super::sources::Source;
use crate::report::{grouped, percent};
use serde::Serialize;

/// A network whose definition was read, with what was measured on it.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// Which.
    pub source: &'static Source,
    /// What its definition tells.
    pub definition: NetworkFigures,
    /// What was measured, if it was.
    pub measured: Option<&'a Measurement>,
}

impl Subject<'_> {
    /// What the paper tells of this very definition; weights of others are not told apart.
    pub fn published(&self) -> Option<&'static PublishedNetwork> {
        self.source.published.and_then(published::network)
    }

    /// Its name for a reader, with that on the command line.
    pub fn named(&self) -> String {
        format!("{} (`{}`)", self.source.title, self.source.name)
    }
}

/// One row of table 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NetworkRow {
    /// Name on the command line.
    pub network: String,
    /// Name for a reader.
    pub title: String,
    /// Images.
    pub data_set: String,
    /// Evaluation images; `None`: not measured.
    pub images: Option<u64>,
    /// Accuracy in fp32, 0..=1; `None`: not measured, or no labels.
    pub top1: Option<f64>,
    /// What the weights are.
    pub weights: String,
    #[serde(flatten)]
    /// What the definition tells.
    pub definition: NetworkFigures,
}

/// Table 1: the networks.
pub fn table1(subjects: &[Subject<'_>]) -> Vec<NetworkRow> {
    let row = |subject: &Subject<'_>| {
        let measured = subject.measured;
        let top1 = measured.filter(|measured| measured.labelled && measured.images > 0);
        NetworkRow {
            network: subject.source.name.into(),
            title: subject.source.title.into(),
            data_set: subject.source.images.title().into(),
            images: measured.map(|measured| measured.images),
            top1: top1.map(|measured| measured.baseline_correct as f64 / measured.images as f64),
            weights: subject.source.weights_title.into(),
            definition: subject.definition.clone(),
        }
    };
    subjects.iter().map(row).collect()
}

/// Table 1 for a reader.
pub fn table1_sheet(rows: &[NetworkRow]) -> Sheet {
    let header = [
        "network",
        "images",
        "weights",
        "convolutions",
        "fully connected",
        "parameters, words",
        "MACs per image",
        "data volume, words",
        "images evaluated",
        "top-1, %",
    ];
    let mut sheet = Sheet::new("Table 1: the networks.", &header);
    sheet.rows = rows
        .iter()
        .map(|row| {
            let definition = &row.definition;
            vec![
                format!("{} (`{}`)", row.title, row.network),
                row.data_set.clone(),
                row.weights.clone(),
                grouped(definition.convolutions),
                grouped(definition.fully_connected),
                grouped(definition.parameter_words),
                grouped(definition.macs_per_image),
                grouped(definition.volume_words),
                row.images.map_or("-".into(), grouped),
                row.top1.map_or("-".into(), percent),
            ]
        })
        .collect();
    sheet
}

/// One network of table 2.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShareTable {
    /// Name on the command line.
    pub network: String,
    /// Name for a reader.
    pub title: String,
    /// Words of the data volume.
    pub volume_words: u64,
    /// Words of which the paper's shares are shares.
    pub printed_volume_words: Option<u64>,
    /// The dominant subsets, largest first.
    pub subsets: Vec<ShareRow>,
    /// Sum of the exact shares, 0..=1.
    pub share_sum: f64,
    /// Sum of the paper's shares, 0..=1.
    pub printed_share_sum: Option<f64>,
    /// Whether the paper's shares are at hand; else they are inferred: our words over the volume that gives its print, rounded.
    pub shares_are_printed: bool,
}

/// One subset of table 2.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShareRow {
    /// Its name.
    pub subset: String,
    /// Its words.
    pub words: u64,
    /// Its share of the data volume, 0..=1.
    pub share: f64,
    /// Its share in the paper, 0..=1.
    pub printed_share: Option<f64>,
}

/// Table 2: shares of the dominant subsets.
pub fn table2(subjects: &[Subject<'_>]) -> Vec<ShareTable> {
    subjects.iter().map(shares).collect()
}

fn shares(subject: &Subject<'_>) -> ShareTable {
    let definition = &subject.definition;
    let published = subject.published();
    let printed = definition.dominant_words().zip(published);
    let printed = printed.map(|(words, network)| network.printed_shares_bp(words));
    let of_bp = |bp: u64| bp as f64 / 10_000.0;
    let share = |words: u64| words as f64 / definition.volume_words.max(1) as f64;
    let subsets = definition.dominant.iter().enumerate().map(|(index, subset)| ShareRow {
        subset: subset.name.clone(),
        words: subset.words,
        share: share(subset.words),
        printed_share: printed.map(|shares| of_bp(shares[index])),
    });
    ShareTable {
        network: subject.source.name.into(),
        title: subject.source.title.into(),
        volume_words: definition.volume_words,
        printed_volume_words: published.map(|network| network.volume_words),
        subsets: subsets.collect(),
        share_sum: share(definition.dominant.iter().map(|subset| subset.words).sum()),
        printed_share_sum: printed.map(|shares| of_bp(shares.iter().sum())),
        shares_are_printed: published.is_some_and(|network| network.shares_bp.is_some()),
    }
}

/// Table 2 for a reader.
pub fn table2_sheet(tables: &[ShareTable]) -> Sheet {
    let mut sheet = Sheet::new(
        "Table 2: the five largest data subsets and their shares of the data volume.",
        &["network", "subset", "words", "share, %", "paper, %"],
    );
    for table in tables {
        let printed = |share: Option<f64>| {
            let inferred = if table.shares_are_printed { "" } else { " (inferred)" };
            share.map_or("-".into(), |share| format!("{}{inferred}", percent(share)))
        };
        for row in &table.subsets {
            sheet.rows.push(vec![
                table.title.clone(),
                row.subset.clone(),
                grouped(row.words),
                percent(row.share),
                printed(row.printed_share),
            ]);
        }
        sheet.rows.push(vec![
            table.title.clone(),
            "all five".into(),
            grouped(table.subsets.iter().map(|row| row.words).sum::<u64>()),
            percent(table.share_sum),
            printed(table.printed_share_sum),
        ]);
        sheet.notes.extend(table.note());
    }
    if tables.iter().any(|table| table.printed_share_sum.is_some() && !table.shares_are_printed) {
        sheet.notes.push(
            "Inferred: the paper's printed shares of this network are not in our material. Shown are our words over the volume that is \
             known to give them, rounded; that they agree is no evidence."
                .into(),
        );
    }
    sheet
}

impl ShareTable {
    /// Why ours differ from the paper's, where they do.
    fn note(&self) -> Option<String> {
        let printed = self.printed_volume_words?;
        if printed != self.volume_words {
            let words = printed.abs_diff(self.volume_words);
            return Some(format!(
                "{}: the network of the text has a data volume of {} words. The paper's percentages are shares of about {} \
                 words ({} more, {} %), which no reading of the text explains.",
                self.title,
                grouped(self.volume_words),
                grouped(printed),
                grouped(words),
                percent(words as f64 / self.volume_words.max(1) as f64),
            ));
        }
        let rounded = rounded_bp(self.subsets.iter().map(|row| row.words).sum(), self.volume_words);
        let printed_sum = self.printed_share_sum.map(percent)?;
        let ours = percent(rounded as f64 / 10_000.0);
        (ours != printed_sum).then(|| {
            format!(
                "{}: the exact shares add up to {ours} %, the rounded ones to {printed_sum} %.",
                self.title
            )
        })
    }
}
