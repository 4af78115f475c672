//! Tables 3 and 4: bit-widths of single data and of all together, ours beside the paper's.

use super::measurement::{Measurement, Scheme};
use super::published::{DOMINANT, MEAN_LOSS_BP, MEAN_REDUCTION_BP, NETWORKS, PublishedNetwork};
use super::reduction::{self, Widths};
use super::sheet::Sheet;
use super::tables::Subject;
use crate::report::percent;
use serde::Serialize;
use std::collections::BTreeMap;

/// Bit-widths of the paper that the user knows, by network.
pub type Given = BTreeMap<String, Widths>;

/// Where the bit-widths of a row come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "source", rename_all = "snake_case")]
pub enum Known {
    /// The paper prints them.
    Printed,
    /// The user gave them.
    Given,
    /// Eq. (1) gives both known figures for them, as it does for others.
    Inferred {
        /// How many schemes do.
        consistent_schemes: usize,
    },
}

/// One row of table 4: eq. (1).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReductionRow {
    /// Name on the command line.
    pub network: &'static str,
    /// Name in the paper.
    pub title: &'static str,
    /// The dominant subsets, largest first.
    pub subsets: Vec<String>,
    /// Their bit-widths; `None` where no scheme is consistent with the known figures.
    pub widths_bits: Option<Widths>,
    /// Where those come from.
    #[serde(flatten)]
    pub known: Known,
    /// Eq. (1) on the printed shares, 0..=1.
    pub dvr_on_printed_shares: Option<f64>,
    /// What the paper prints for it.
    pub printed_dvr: f64,
    /// Eq. (1) on the exact volume, 0..=1.
    pub dvr: Option<f64>,
    /// What the paper's bit-widths give for it.
    pub exact_dvr_of_printed_widths: f64,
    /// Whether both figures are the paper's, when they are rounded like those.
    pub gives_both: bool,
}

/// Table 4: reductions of the data volume.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReductionTable {
    /// The networks of the paper.
    pub rows: Vec<ReductionRow>,
    /// Means over all four networks; `None` where not all are there.
    pub mean: Option<MeanReduction>,
    /// What was measured: joint schemes.
    pub measured: Vec<MeasuredScheme>,
}

/// Means over the four networks of the paper.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MeanReduction {
    /// On the printed shares, 0..=1.
    pub dvr_on_printed_shares: f64,
    /// On the exact volumes.
    pub dvr: f64,
    /// What the paper prints.
    pub printed_dvr: f64,
    /// Loss of relative prediction accuracy that the paper prints for it.
    pub printed_loss: f64,
}

/// One measured joint scheme.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MeasuredScheme {
    /// Name on the command line.
    pub network: String,
    /// Name for a reader.
    pub title: String,
    /// How it was found.
    pub search: &'static str,
    /// Rounding and binary point.
    pub policy: String,
    /// Bit-widths of the dominant data, largest first; 32: not narrowed.
    pub widths_bits: Vec<u32>,
    /// Reduction of the data volume, 0..=1.
    pub dvr: f64,
    /// Relative prediction accuracy.
    pub rpa: f64,
    /// Reduction per loss; `None`: nothing is lost.
    pub gain_loss: Option<f64>,
}

/// Table 4 of `subjects`; `given` are bit-widths that the user knows.
pub fn table4(subjects: &[Subject<'_>], given: &Given) -> ReductionTable {
    let of_paper = |network: &&'static PublishedNetwork| {
        let subject = subjects.iter().find(|subject| subject.source.name == network.name)?;
        Some((subject, subject.definition.dominant_words()?))
    };
    let rows: Vec<ReductionRow> = NETWORKS
        .iter()
        .filter_map(|network| of_paper(&network).map(|(subject, words)| row(network, subject, words, given)))
        .collect();
    let mean = mean(&rows);
    let measured = subjects.iter().filter_map(|subject| Some((subject, subject.measured?)));
    let known = |subject: &Subject<'_>| {
        rows.iter().find(|row| Some(row.network) == subject.source.published).map(|row| row.known)
    };
    let measured = measured
        .flat_map(|(subject, measured)| measured_schemes(subject, measured, known(subject)))
        .collect();
    ReductionTable { rows, mean, measured }
}

/// The bit-widths of the paper's scheme for `network`, whose dominant subsets have `words`, and how they are known.
pub fn paper_widths(
    network: &PublishedNetwork,
    words: [u64; DOMINANT],
    volume_words: u64,
    given: &Given,
) -> (Option<Widths>, Known) {
    match (given.get(network.name), network.widths) {
        (Some(&widths), _) => (Some(widths), Known::Given),
        (None, Some(widths)) => (Some(widths), Known::Printed),
        (None, None) => {
            let found = reduction::consistent(network, words, volume_words);
            (found.first().copied(), Known::Inferred { consistent_schemes: found.len() })
        }
    }
}

/// Means over `rows`, if they are all four networks.
fn mean(rows: &[ReductionRow]) -> Option<MeanReduction> {
    let mean = |of: fn(&ReductionRow) -> Option<f64>| {
        let values: Option<Vec<f64>> = rows.iter().map(of).collect();
        let values = values.filter(|values| values.len() == NETWORKS.len())?;
        Some(values.iter().sum::<f64>() / values.len() as f64)
    };
    Some(MeanReduction {
        dvr_on_printed_shares: mean(|row| row.dvr_on_printed_shares)?,
        dvr: mean(|row| row.dvr)?,
        printed_dvr: MEAN_REDUCTION_BP as f64 / 10_000.0,
        printed_loss: MEAN_LOSS_BP as f64 / 10_000.0,
    })
}

fn row(
    network: &'static PublishedNetwork,
    subject: &Subject<'_>,
    words: [u64; DOMINANT],
    given: &Given,
) -> ReductionRow {
    let volume_words = subject.definition.volume_words;
    let (widths, known) = paper_widths(network, words, volume_words, given);
    let of_bp = |bp: u64| bp as f64 / 10_000.0;
    ReductionRow {
        network: network.name,
        title: network.title,
        subsets: subject.definition.dominant.iter().map(|subset| subset.name.clone()).collect(),
        widths_bits: widths,
        known,
        dvr_on_printed_shares: widths
            .map(|widths| reduction::on_shares(network.printed_shares_bp(words), widths)),
        printed_dvr: of_bp(network.reduction_bp),
        dvr: widths.map(|widths| reduction::on_volume(words, volume_words, widths)),
        exact_dvr_of_printed_widths: of_bp(network.exact_reduction_bp),
        gives_both: widths.is_some_and(|widths| reduction::gives_both(network, words, volume_words, widths)),
    }
}

fn measured_schemes(
    subject: &Subject<'_>,
    measured: &Measurement,
    known: Option<Known>,
) -> Vec<MeasuredScheme> {
    let Some(joint) = &measured.joint else { return Vec::new() };
    let scheme = |search, policy: String, scheme: &Scheme| MeasuredScheme {
        network: subject.source.name.into(),
        title: subject.source.title.into(),
        search,
        policy,
        widths_bits: scheme.widths.clone(),
        dvr: measured.reduction(&scheme.widths),
        rpa: measured.rpa(scheme.correct),
        gain_loss: measured.gain_loss(scheme),
    };
    let greedy = joint.greedy.iter();
    let greedy = greedy.filter_map(|greedy| Some((greedy.policy.text(), greedy.last_taken()?)));
    let mut schemes: Vec<_> = greedy.map(|(policy, last)| scheme("greedy", policy, last)).collect();
    if let (Some(first), Some(smallest)) = (joint.greedy.first(), &joint.smallest) {
        schemes.insert(schemes.len().min(1), scheme("better search", first.policy.text(), smallest));
    }
    let widths = match known {
        Some(Known::Printed | Known::Given) => "paper's bit-widths",
        Some(Known::Inferred { .. }) | None => "inferred bit-widths",
    };
    schemes.extend(joint.paper.iter().map(|paper| scheme(widths, paper.policy.text(), &paper.scheme)));
    schemes
}

/// `5, 5, 5, 8, 10`.
fn listed(widths: &[u32]) -> String {
    widths.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

impl Known {
    fn text(self) -> String {
        match self {
            Self::Printed => "printed".into(),
            Self::Given => "given by the user".into(),
            Self::Inferred { consistent_schemes: 0 } => "no scheme gives both printed figures".into(),
            Self::Inferred { consistent_schemes } => {
                format!("inferred from eq. (1): one of {consistent_schemes} that give both figures")
            }
        }
    }
}

/// Eq. (1) of table 4 for a reader.
pub fn table4_sheet(table: &ReductionTable) -> Sheet {
    let header = [
        "network",
        "bit-widths",
        "which are",
        "DVR on printed shares, %",
        "paper, %",
        "DVR on exact volume, %",
        "known for it, %",
    ];
    let mut sheet = Sheet::new("Table 4: data volume reduction (eq. 1) of the paper's schemes.", &header);
    for row in &table.rows {
        sheet.rows.push(vec![
            row.title.into(),
            row.widths_bits.map_or("-".into(), |widths| listed(&widths)),
            row.known.text(),
            row.dvr_on_printed_shares.map_or("-".into(), percent),
            percent(row.printed_dvr),
            row.dvr.map_or("-".into(), percent),
            percent(row.exact_dvr_of_printed_widths),
        ]);
        if matches!(row.known, Known::Given) && !row.gives_both {
            sheet.notes.push(format!("{}: the bit-widths given do not give the paper's figures.", row.title));
        }
    }
    if let Some(mean) = table.mean {
        sheet.notes.push(format!(
            "The paper's schemes lose {} % of the accuracy on average, {:.1} times less than they reduce the volume.",
            percent(mean.printed_loss),
            mean.printed_dvr / mean.printed_loss
        ));
        let exact: u64 = NETWORKS.iter().map(|network| network.exact_reduction_bp).sum();
        sheet.rows.push(vec![
            "mean of all four".into(),
            String::new(),
            String::new(),
            percent(mean.dvr_on_printed_shares),
            percent(mean.printed_dvr),
            percent(mean.dvr),
            percent(exact as f64 / (NETWORKS.len() * 10_000) as f64),
        ]);
    }
    let inferred = table.rows.iter().any(|row| matches!(row.known, Known::Inferred { .. }));
    if inferred {
        sheet.notes.push(format!(
            "Inferred bit-widths are no measurement and not the paper's: the printed ones of these networks are not in our \
             material. Of all widths in 1 to {} for which eq. (1) gives the printed figure on the printed shares and the known \
             one on exact volumes, those are shown that have the fewest inversions (a larger subset with wider words than a \
             smaller one), then the smallest spread, then the lowest numbers. For AlexNet this rule chooses the bit-widths that \
             the paper prints. That inferred bit-widths give the paper's reductions is so by construction. Give the printed ones \
             with `--paper-widths NETWORK=B1,B2,B3,B4,B5`.",
            reduction::WIDEST_TRIED
        ));
    }
    sheet
}

/// What was measured of table 4, for a reader.
pub fn schemes_sheet(table: &ReductionTable) -> Sheet {
    let header =
        ["network", "search", "rounding, binary point", "bit-widths", "DVR, %", "RPA, %", "gain/loss"];
    let mut sheet =
        Sheet::new("Table 4, measured: all five narrowed together, everything else fp32.", &header);
    sheet.rows = table
        .measured
        .iter()
        .map(|scheme| {
            vec![
                format!("{} (`{}`)", scheme.title, scheme.network),
                scheme.search.into(),
                scheme.policy.clone(),
                listed(&scheme.widths_bits),
                percent(scheme.dvr),
                percent(scheme.rpa),
                scheme.gain_loss.map_or("no loss".into(), |ratio| format!("{ratio:.1}")),
            ]
        })
        .collect();
    sheet
}

/// One network of table 3.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SingleTable {
    /// Name on the command line.
    pub network: String,
    /// Name for a reader.
    pub title: String,
    /// Rounding and binary point of each column.
    pub policies: Vec<String>,
    /// The dominant data, largest first.
    pub data: Vec<SingleRow>,
}

/// One datum of table 3.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SingleRow {
    /// Its name.
    pub datum: String,
    /// Its share of the data volume, 0..=1.
    pub share: f64,
    /// Smallest bit-width that keeps the floor, by policy; `None`: none does.
    pub bits: Vec<Option<u32>>,
    /// Whether accuracy is monotone near it, by policy.
    pub monotone: Vec<bool>,
}

/// Table 3 of `subjects`, as far as it was measured.
pub fn table3(subjects: &[Subject<'_>]) -> Vec<SingleTable> {
    let measured = subjects.iter().filter_map(|subject| Some((subject, subject.measured?)));
    let measured = measured.filter(|(_, measured)| !measured.single.is_empty());
    measured.map(|(subject, measured)| single_table(subject, measured)).collect()
}

fn single_table(subject: &Subject<'_>, measured: &Measurement) -> SingleTable {
    let data = measured.data.iter().enumerate().map(|(index, datum)| {
        let found = || measured.single.iter().filter_map(move |policy| policy.data.get(index));
        SingleRow {
            datum: datum.name.clone(),
            share: datum.words as f64 / measured.definition.volume_words.max(1) as f64,
            bits: found().map(|datum| datum.bits).collect(),
            monotone: found().map(|datum| datum.monotone).collect(),
        }
    });
    SingleTable {
        network: subject.source.name.into(),
        title: subject.source.title.into(),
        policies: measured.single.iter().map(|single| single.policy.text()).collect(),
        data: data.collect(),
    }
}

/// Table 3 for a reader: one sheet for networks that were measured under the same policies.
pub fn table3_sheets(tables: &[SingleTable]) -> Vec<Sheet> {
    let mut sheets: Vec<(&[String], Sheet)> = Vec::new();
    for table in tables {
        let known = sheets.iter().position(|(policies, _)| *policies == table.policies);
        let index = known.unwrap_or_else(|| {
            sheets.push((&table.policies, empty_single_sheet(&table.policies)));
            sheets.len() - 1
        });
        let sheet = &mut sheets[index].1;
        for row in &table.data {
            let bits = row.bits.iter().zip(&row.monotone);
            let bits = bits.map(|(bits, monotone)| {
                let mark = if *monotone { "" } else { "*" };
                bits.map_or("none".into(), |bits| format!("{bits}{mark}"))
            });
            let named =
                [format!("{} (`{}`)", table.title, table.network), row.datum.clone(), percent(row.share)];
            sheet.rows.push(named.into_iter().chain(bits).collect());
        }
    }
    sheets.into_iter().map(|(_, sheet)| marked(sheet)).collect()
}

fn empty_single_sheet(policies: &[String]) -> Sheet {
    let heading = "Table 3: smallest bit-width of each datum alone, everything else fp32, by rounding and binary point.";
    let mut sheet = Sheet::new(heading, &["network", "datum", "share, %"]);
    sheet.header.extend(policies.iter().cloned());
    sheet
}

/// Explains the mark, where there is one.
fn marked(mut sheet: Sheet) -> Sheet {
    if sheet.rows.iter().flatten().any(|cell| cell.ends_with('*')) {
        let note = "\\* Accuracy is not monotone there: a smaller width that was measured keeps the floor, too, but the flow \
                    that comes down from 32 bits stops at this one.";
        sheet.notes.push(note.into());
    }
    sheet
}
