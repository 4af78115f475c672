//! Designs side by side: their figures, which is better on what, and what that hangs on.

use super::result::{RunResult, SCHEMA_VERSION};
use super::text::{grouped, grouped_mean, percent, table};
use serde::Serialize;

/// What designs are ranked by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Criterion {
    /// Mean relative prediction accuracy; more is better.
    Rpa,
    /// Bits of the data volume that are moved; fewer is better.
    VolumeBitsMoved,
    /// Energy of memories and link per inference, whole devices; less is better.
    EnergyPj,
    /// The same with standby and refresh at the allocated share.
    AllocatedEnergyPj,
    /// Share of the energy that is saved against the same design without approximation; more is better.
    EnergySaving,
    /// The same with standby and refresh at the allocated share.
    AllocatedSaving,
    /// Cycles of the accelerator per inference; fewer is better.
    Cycles,
    /// Bytes to and from its DRAM per inference; fewer is better.
    DramBytes,
    /// Energy of the whole accelerator per inference; less is better.
    AcceleratorEnergyPj,
}

/// All criteria.
pub const CRITERIA: [Criterion; 9] = [
    Criterion::Rpa,
    Criterion::VolumeBitsMoved,
    Criterion::EnergyPj,
    Criterion::AllocatedEnergyPj,
    Criterion::EnergySaving,
    Criterion::AllocatedSaving,
    Criterion::Cycles,
    Criterion::DramBytes,
    Criterion::AcceleratorEnergyPj,
];

impl Criterion {
    /// Name with its unit.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rpa => "rpa",
            Self::VolumeBitsMoved => "volume_bits_moved",
            Self::EnergyPj => "energy_pj",
            Self::AllocatedEnergyPj => "allocated_energy_pj",
            Self::EnergySaving => "energy_saving",
            Self::AllocatedSaving => "allocated_saving",
            Self::Cycles => "cycles",
            Self::DramBytes => "dram_bytes",
            Self::AcceleratorEnergyPj => "accelerator_energy_pj",
        }
    }

    /// What `result` scores, as an interval where it is known as one; `None` if it is not known.
    pub fn score(self, result: &RunResult) -> Option<Score> {
        let exact = |value: f64| Score { value, low: value, high: value };
        match self {
            Self::Rpa => {
                let mean = result.approximate.rpa_mean?;
                let [low, high] = result.approximate.rpa_ci95.unwrap_or([mean, mean]);
                Some(Score { value: mean, low, high })
            }
            Self::VolumeBitsMoved => Some(exact(result.volume.bits_moved as f64)),
            Self::EnergyPj => result.energy.as_ref()?.design.total_pj.map(exact),
            Self::AllocatedEnergyPj => result.energy.as_ref()?.allocated_pj().map(exact),
            Self::EnergySaving => result.energy.as_ref()?.saving.map(exact),
            Self::AllocatedSaving => result.energy.as_ref()?.allocated_saving.map(exact),
            Self::Cycles => Some(exact(result.accelerator.as_ref()?.design.cycles)),
            Self::DramBytes => Some(exact(result.accelerator.as_ref()?.design.dram_bytes())),
            Self::AcceleratorEnergyPj => result.accelerator.as_ref()?.design.energy_pj.map(exact),
        }
    }

    fn is_more_better(self) -> bool {
        matches!(self, Self::Rpa | Self::EnergySaving | Self::AllocatedSaving)
    }

    /// How `one` compares with `other`; intervals that overlap are a tie, as are figures that differ by rounding.
    pub fn compare(self, one: &Score, other: &Score) -> Order {
        let (less, more) =
            if self.is_more_better() { (Order::Worse, Order::Better) } else { (Order::Better, Order::Worse) };
        let rounding = 1e-9 * one.value.abs().max(other.value.abs());
        if (one.value - other.value).abs() <= rounding {
            Order::Tie
        } else if one.high < other.low {
            less
        } else if one.low > other.high {
            more
        } else {
            Order::Tie
        }
    }
}

/// A figure, with the 95 % interval of its mean where it is a mean over trials.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Score {
    /// The figure.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Outcome of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The first is better.
    Better,
    /// Their intervals overlap, or they are equal.
    Tie,
    /// The second is better.
    Worse,
}

/// Two designs on one criterion.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pair {
    /// What they are compared by.
    pub criterion: Criterion,
    /// The one of the better figure.
    pub first: String,
    /// The other.
    pub second: String,
    /// Whether the first is really better.
    pub order: Order,
    /// Constants, halved or doubled, under which the second is better: `preset.key x 0.5`.
    pub reversed_by: Vec<String>,
    /// Constants under which neither is better, or the first where it is a tie.
    pub changed_by: Vec<String>,
}

impl Pair {
    /// Whether the order is the same under every constant halved and doubled.
    pub fn survives(&self) -> bool {
        self.reversed_by.is_empty() && self.changed_by.is_empty()
    }
}

/// A setting that is not the same in all designs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Dotted key of the configuration.
    pub key: String,
    /// Its value in each design, as typed; null where it is left out.
    pub values: Vec<Option<String>>,
}

/// One design.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Design {
    /// Name of its file, without the ending.
    pub name: String,
    /// Its result.
    pub result: RunResult,
}

/// A constant halved or doubled, in all designs that use it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Variation {
    /// `preset.key x 0.5`.
    pub name: String,
    /// The score of each design on each of [`CRITERIA`].
    pub scores: Vec<[Option<Score>; CRITERIA.len()]>,
}

/// Designs side by side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Version of the program.
    pub approxmem_version: &'static str,
    /// The designs in the order in which they were named.
    pub designs: Vec<Design>,
    /// Settings, as typed, that are not the same in all of them.
    pub differences: Vec<Difference>,
    /// Neighbours in the ranking on each criterion, the best first.
    pub rankings: Vec<Pair>,
    /// Number of constants that are not found ones, each halved and doubled.
    pub constants_varied: usize,
    /// Variations that no design accepts, and why.
    pub not_varied: Vec<String>,
    /// Trials of each variation that changes a bit error rate.
    pub variation_trials: u64,
    /// What a reader of the rankings must know.
    pub notes: Vec<String>,
}

impl Comparison {
    /// Compares `designs`, whose settings were typed as `settings`; `variations` hold their scores under each constant halved and doubled.
    pub fn new(
        designs: Vec<Design>,
        settings: &[Vec<(String, String)>],
        variations: &[Variation],
        constants_varied: usize,
        not_varied: Vec<String>,
        variation_trials: u64,
    ) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            approxmem_version: env!("CARGO_PKG_VERSION"),
            differences: differences(settings),
            notes: notes(&designs),
            rankings: CRITERIA
                .iter()
                .flat_map(|&criterion| ranking(criterion, &designs, variations))
                .collect(),
            designs,
            constants_varied,
            not_varied,
            variation_trials,
        }
    }

    /// The tables for the terminal.
    pub fn text(&self) -> String {
        let tables = [self.figures(), self.differences_text(), self.rankings_text()].into_iter();
        let blocks: Vec<_> = tables.chain(self.notes.iter().map(|note| format!("note: {note}"))).collect();
        blocks.join("\n\n") + "\n"
    }

    /// The figures as rows: one per figure, one column per design.
    fn rows(&self) -> Vec<Vec<String>> {
        let results: Vec<_> = self.designs.iter().map(|design| &design.result).collect();
        let row = |name: &str, cell: &dyn Fn(&RunResult) -> String| -> Vec<String> {
            [name.to_owned()].into_iter().chain(results.iter().map(|result| cell(result))).collect()
        };
        let mut rows = vec![
            row("top1_%", &|run| percent(run.approximate.top1_mean)),
            row("top1_ci95_%", &|run| interval(run.approximate.top1_ci95)),
            row("rpa_%", &|run| run.approximate.rpa_mean.map_or_else(dash, percent)),
            row("rpa_ci95_%", &|run| interval(run.approximate.rpa_ci95)),
            row("trials", &|run| grouped(run.approximate.trials as u64)),
            row("images", &|run| grouped(run.baseline.images)),
        ];
        let mut memories: Vec<&str> = Vec::new();
        for memory in results.iter().flat_map(|run| &run.faults.by_memory) {
            if !memories.contains(&memory.memory.as_str()) {
                memories.push(&memory.memory);
            }
        }
        for name in memories {
            rows.push(row(&format!("flips in {name}"), &|run| {
                let memory = run.faults.by_memory.iter().find(|memory| memory.memory == name);
                memory.map_or_else(dash, |memory| grouped_mean(memory.flips_mean))
            }));
        }
        rows.extend([
            row("volume_stored_bytes", &|run| grouped(run.volume.bits_stored.div_ceil(8))),
            row("volume_moved_bytes", &|run| grouped(run.volume.bits_moved.div_ceil(8))),
            row("volume_reduction_%", &|run| percent(run.volume.reduction)),
            row("link_bursts", &|run| {
                run.energy.as_ref().map_or_else(dash, |energy| grouped(energy.design.link.bursts))
            }),
            row("energy_pj", &|run| energy(run.energy.as_ref().and_then(|energy| energy.design.total_pj))),
            row("energy_saving_%", &|run| {
                run.energy.as_ref().and_then(|energy| energy.saving).map_or_else(dash, percent)
            }),
            row("allocated_energy_pj", &|run| {
                energy(run.energy.as_ref().and_then(super::EnergyFigures::allocated_pj))
            }),
            row("allocated_saving_%", &|run| {
                run.energy.as_ref().and_then(|energy| energy.allocated_saving).map_or_else(dash, percent)
            }),
        ]);
        rows
    }

    /// `compare.csv`: one row per figure, one column per design.
    pub fn csv(&self) -> String {
        let header: Vec<&str> =
            ["figure"].into_iter().chain(self.designs.iter().map(|design| design.name.as_str())).collect();
        super::csv_files::write(&header, self.rows().into_iter())
    }

    fn figures(&self) -> String {
        let header: Vec<&str> =
            ["figure"].into_iter().chain(self.designs.iter().map(|design| design.name.as_str())).collect();
        // A row in which designs differ is marked.
        let rows = self.rows().into_iter().map(|mut row| {
            if row[1..].windows(2).any(|pair| pair[0] != pair[1]) {
                row[0].push_str(" *");
            }
            row
        });
        format!(
            "Designs side by side (* differs; means over trials, energy of the memories per inference)\n{}",
            table(&header, rows)
        )
    }

    fn differences_text(&self) -> String {
        let header: Vec<&str> =
            ["key"].into_iter().chain(self.designs.iter().map(|design| design.name.as_str())).collect();
        let rows = self.differences.iter().map(|difference| {
            let values = difference.values.iter().map(|value| value.as_deref().map_or_else(dash, shortened));
            [difference.key.clone()].into_iter().chain(values).collect()
        });
        format!("Settings that differ, as typed (- where left out)\n{}", table(&header, rows))
    }

    fn rankings_text(&self) -> String {
        let header = ["criterion", "first", "against", "verdict", "reversals", "other_changes"];
        let rows = self.rankings.iter().map(|pair| {
            let verdict = match (pair.order, pair.survives()) {
                (Order::Better, true) => "better, survives all",
                (Order::Better, false) => "better",
                (_, true) => "tie, survives all",
                (_, false) => "tie",
            };
            vec![
                pair.criterion.name().to_owned(),
                pair.first.clone(),
                pair.second.clone(),
                verdict.to_owned(),
                pair.reversed_by.len().to_string(),
                pair.changed_by.len().to_string(),
            ]
        });
        let fragile = self.rankings.iter().filter(|pair| !pair.survives()).map(|pair| {
            let part = |what: &str, names: &[String]| {
                if names.is_empty() { String::new() } else { format!("\n  {what}: {}", names.join(", ")) }
            };
            format!(
                "\n{}: {} against {}{}{}",
                pair.criterion.name(),
                pair.first,
                pair.second,
                part("reversed by", &pair.reversed_by),
                part("no longer so by", &pair.changed_by)
            )
        });
        let fragile: String = fragile.collect();
        let not_varied = self.not_varied.iter().map(|reason| format!("\nnot varied: {reason}"));
        format!(
            "Which is better on what, and whether that survives halving and doubling each of the {} constants that are not found \
             ones\n({} trials where a bit error rate changes; overlapping 95 % intervals are a tie)\n{}{fragile}{}",
            self.constants_varied,
            self.variation_trials,
            table(&header, rows),
            not_varied.collect::<String>()
        )
    }
}

/// The first 40 characters.
fn shortened(value: &str) -> String {
    let mut characters = value.chars();
    let short: String = characters.by_ref().take(40).collect();
    if characters.next().is_some() { short + "…" } else { short }
}

fn dash() -> String {
    "-".to_owned()
}

fn energy(energy: Option<f64>) -> String {
    energy.map_or_else(dash, |energy| format!("{energy:.4e}"))
}

fn interval(interval: Option<[f64; 2]>) -> String {
    interval.map_or_else(dash, |[low, high]| format!("{} .. {}", percent(low), percent(high)))
}

/// The designs that score on `criterion`, best first, each beside the next.
fn ranking(criterion: Criterion, designs: &[Design], variations: &[Variation]) -> Vec<Pair> {
    let column = CRITERIA.iter().position(|&other| other == criterion).expect("every criterion is listed");
    let mut scored: Vec<(usize, Score)> = designs
        .iter()
        .enumerate()
        .filter_map(|(index, design)| Some((index, criterion.score(&design.result)?)))
        .collect();
    let sign = if criterion.is_more_better() { -1.0 } else { 1.0 };
    scored.sort_by(|(_, one), (_, other)| (sign * one.value).total_cmp(&(sign * other.value)));
    let pairs = scored.windows(2).map(|pair| {
        let ((first, one), (second, other)) = (&pair[0], &pair[1]);
        let order = criterion.compare(one, other);
        let mut result = Pair {
            criterion,
            first: designs[*first].name.clone(),
            second: designs[*second].name.clone(),
            order,
            reversed_by: Vec::new(),
            changed_by: Vec::new(),
        };
        for variation in variations {
            let scores = (variation.scores[*first][column], variation.scores[*second][column]);
            let (Some(one), Some(other)) = scores else { continue };
            match criterion.compare(&one, &other) {
                same if same == order => {}
                Order::Worse => result.reversed_by.push(variation.name.clone()),
                Order::Better | Order::Tie => result.changed_by.push(variation.name.clone()),
            }
        }
        result
    });
    pairs.collect()
}

/// The settings that are not the same in all designs.
fn differences(settings: &[Vec<(String, String)>]) -> Vec<Difference> {
    let mut keys: Vec<&String> = Vec::new();
    for (key, _) in settings.iter().flatten() {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let find = |typed: &[(String, String)], key: &str| {
        typed.iter().find(|(other, _)| other == key).map(|(_, value)| value.clone())
    };
    keys.into_iter()
        .map(|key| Difference {
            key: key.clone(),
            values: settings.iter().map(|typed| find(typed, key)).collect(),
        })
        .filter(|difference| difference.values.windows(2).any(|pair| pair[0] != pair[1]))
        .collect()
}

/// Data subsets of the volume that rest in a memory.
fn placed(result: &RunResult) -> Vec<&str> {
    let placed = result.subsets.iter().filter(|subset| !subset.path.is_empty() && subset.in_volume);
    placed.map(|subset| subset.name.as_str()).collect()
}

/// What a reader of the rankings must know.
fn notes(designs: &[Design]) -> Vec<String> {
    let mut notes = Vec::new();
    let differ = |figure: &dyn Fn(&RunResult) -> Option<f64>| {
        designs.windows(2).any(|pair| figure(&pair[0].result) != figure(&pair[1].result))
    };
    if differ(&|run| run.energy.as_ref().and_then(|energy| energy.design.period_s)) {
        notes.push(
            "the designs do not run equally often: standby and refresh are charged over different periods, and their energies \
             per inference are not on equal terms (give all the same [workload] inferences_per_second)"
                .to_owned(),
        );
    }
    if designs.windows(2).any(|pair| placed(&pair[0].result) != placed(&pair[1].result)) {
        let free = designs.iter().map(|design| {
            let words =
                design.result.subsets.iter().filter(|subset| subset.path.is_empty() && subset.in_volume);
            format!("{} words in `{}`", grouped(words.map(|subset| subset.words).sum::<u64>()), design.name)
        });
        notes.push(format!(
            "data that are not placed rest in precise memory and cost nothing, and they are not the same in all designs: {}",
            free.collect::<Vec<_>>().join(", ")
        ));
    }
    if differ(&|run| Some(run.baseline.images as f64)) {
        notes.push("the designs are evaluated on different numbers of images".to_owned());
    }
    for design in designs {
        if design.result.energy.as_ref().is_none_or(|energy| energy.design.total_pj.is_none()) {
            notes.push(format!(
                "the energy of `{}` is not known and not ranked: a memory has no [memories.NAME.energy], or a figure of it is \
                 not published",
                design.name
            ));
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(low: f64, value: f64, high: f64) -> Score {
        Score { value, low, high }
    }

    #[test]
    fn intervals_that_overlap_are_a_tie() {
        let [a, b, c] = [score(0.90, 0.91, 0.92), score(0.915, 0.92, 0.93), score(0.93, 0.94, 0.95)];
        assert_eq!(Criterion::Rpa.compare(&a, &b), Order::Tie);
        assert_eq!(Criterion::Rpa.compare(&c, &a), Order::Better);
        assert_eq!(Criterion::EnergyPj.compare(&c, &a), Order::Worse);
    }

    #[test]
    fn settings_that_differ_are_listed_once() {
        let typed = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let found =
            differences(&[typed(&[("a", "1"), ("b", "2")]), typed(&[("b", "2"), ("a", "3"), ("c", "4")])]);
        let row = |key: &str, one: Option<&str>, other: Option<&str>| Difference {
            key: key.to_owned(),
            values: vec![one.map(str::to_owned), other.map(str::to_owned)],
        };
        assert_eq!(found, [row("a", Some("1"), Some("3")), row("c", None, Some("4"))]);
    }
}
