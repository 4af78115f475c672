//! A stream of bursts through a DRAM: what the closed form says beside what the replay does.

use super::csv_files::write;
use super::memory::shown;
use super::result::SCHEMA_VERSION;
use super::text::{percent, table};
use crate::accelerator::dram::{
    Activity, Binding, Case, Direction, Energy, Estimate, Pattern, QueueStructure, Run, Stream, System,
};
use serde::Serialize;
use std::fmt::Write as _;

/// The stream at one operating point.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StreamPoint {
    /// Value of each axis, as typed.
    pub values: Vec<String>,
    /// Devices and controllers.
    pub system: System,
    /// What the closed form says.
    pub closed_form: Estimate,
    /// What the replay does.
    pub replay: Run,
    /// Figures of both, by name.
    figures: Vec<StreamFigure>,
}

/// A figure of the closed form and of the replay.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StreamFigure {
    /// What it is, with its unit.
    pub name: &'static str,
    /// By the closed form; `None`: no number.
    pub closed_form: Option<f64>,
    /// By the replay; `None`: no number.
    pub replay: Option<f64>,
}

/// A stream at the points of a grid, the last axis running fastest.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StreamTable {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Presets or the file that describe the memory.
    pub memory: Vec<String>,
    /// The stream.
    pub stream: Stream,
    /// Keys over which the grid runs.
    pub axes: Vec<String>,
    /// The points.
    pub points: Vec<StreamPoint>,
}

impl StreamPoint {
    /// The figures of `stream` at one point.
    pub fn new(
        values: Vec<String>,
        system: System,
        stream: &Stream,
        closed_form: Estimate,
        replay: Run,
    ) -> Self {
        let of = |activity: &Activity, energy: &Energy, seconds: f64| {
            figures(&system, stream, activity, energy, seconds)
        };
        let closed = of(&closed_form.activity, &closed_form.energy, closed_form.seconds);
        let replayed = of(&replay.activity, &replay.energy, replay.seconds);
        let pairs = closed.into_iter().zip(replayed);
        let figures = pairs
            .map(|((name, closed_form), (_, replay))| StreamFigure {
                name,
                closed_form: Some(closed_form).filter(|value| value.is_finite()),
                replay: Some(replay).filter(|value| value.is_finite()),
            })
            .collect();
        Self { values, system, closed_form, replay, figures }
    }
}

impl StreamTable {
    /// `stream` through `memory` at `points` of a grid over `axes`.
    pub fn new(memory: Vec<String>, stream: Stream, axes: Vec<String>, points: Vec<StreamPoint>) -> Self {
        Self { schema_version: SCHEMA_VERSION, memory, stream, axes, points }
    }
}

fn figures(
    system: &System,
    stream: &Stream,
    activity: &Activity,
    energy: &Energy,
    seconds: f64,
) -> Vec<(&'static str, f64)> {
    let bursts = (activity.reads + activity.writes) as f64;
    let moved = bursts * system.burst_bytes() as f64;
    let rate = stream.bytes as f64 / seconds;
    let bits = 8.0 * moved;
    vec![
        ("cycles", activity.cycles as f64),
        ("time_us", seconds * 1e6),
        ("bandwidth_gb_per_s", rate * 1e-9),
        ("bandwidth_of_peak", moved / seconds / system.peak_bytes_per_second()),
        ("cycles_per_burst", activity.cycles as f64 / bursts),
        ("row_hit_share", activity.row_hits as f64 / bursts),
        ("reads", activity.reads as f64),
        ("writes", activity.writes as f64),
        ("activations", activity.activations as f64),
        ("refreshes", activity.refreshes as f64),
        ("activate_pj", energy.activate_pj),
        ("read_pj", energy.read_pj),
        ("write_pj", energy.write_pj),
        ("interface_pj", energy.interface_pj),
        ("refresh_pj", energy.refresh_pj),
        ("background_pj", energy.background_pj),
        ("total_pj", energy.total_pj()),
        ("commands_pj_per_bit", energy.commands_pj() / bits),
        ("total_pj_per_bit", energy.total_pj() / bits),
        ("power_mw", energy.total_pj() * 1e-9 / seconds),
    ]
}

/// The figures as CSV, one row per point, in full precision; empty: no number.
pub fn stream_csv(stream: &StreamTable) -> String {
    let names: Vec<_> =
        stream.points.first().map_or(Vec::new(), |point| point.figures.iter().map(|one| one.name).collect());
    let columns = |kind: &str| names.iter().map(|name| format!("{kind}_{name}")).collect::<Vec<_>>();
    let header = [stream.axes.clone(), columns("closed_form"), columns("replay"), vec!["binding".to_owned()]];
    let header: Vec<_> = header.iter().flatten().map(String::as_str).collect();
    let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    let rows = stream.points.iter().map(|point| {
        let closed = point.figures.iter().map(|one| number(one.closed_form));
        let replay = point.figures.iter().map(|one| number(one.replay));
        let binding = name(point.closed_form.binding);
        point.values.iter().cloned().chain(closed).chain(replay).chain([binding.to_owned()]).collect()
    });
    write(&header, rows)
}

/// The figures for the terminal, one table per point.
pub fn stream_text(stream: &StreamTable) -> String {
    let Stream { pattern, direction, bytes } = stream.stream;
    let what = match (pattern, direction) {
        (Pattern::Sequential, Direction::Read) => "read one after the other",
        (Pattern::Sequential, Direction::Write) => "written one after the other",
        (Pattern::Sequential, Direction::Mixed) => "of two streams read and one written",
        (Pattern::Random, Direction::Read) => "read anywhere",
        (Pattern::Random, Direction::Write) => "written anywhere",
        (Pattern::Random, Direction::Mixed) => "two read and one written in turn, anywhere",
    };
    let mut text = format!("{}: {bytes} bytes {what}\n", stream.memory.join(", "));
    for point in &stream.points {
        let axes = stream.axes.iter().zip(&point.values);
        let place: Vec<_> = axes.map(|(key, value)| format!("{key} = {value}")).collect();
        if !place.is_empty() {
            writeln!(text, "\n{}", place.join(", ")).expect("writing to a string does not fail");
        }
        text += &system_text(&point.system);
        let rows = point.figures.iter();
        let rows = rows.map(|one| vec![one.name.to_owned(), shown(one.closed_form), shown(one.replay)]);
        text += &table(&["figure", "closed form", "replay"], rows);
        text += &limits_text(&point.closed_form);
    }
    text
}

fn system_text(system: &System) -> String {
    let System { device, channels, ranks, .. } = system;
    let devices = u64::from(*channels) * u64::from(*ranks) * u64::from(device.devices);
    let share = match system.queue_structure {
        QueueStructure::PerBank => "bank",
        QueueStructure::PerRank => "rank",
    };
    let outstanding = match system.outstanding {
        None => "as many requests as they hold".to_owned(),
        Some(most) => format!("{most} requests at once"),
    };
    let refresh = match system.refresh_multiplier {
        multiplier if multiplier.is_infinite() => "never refreshed".to_owned(),
        multiplier => format!("refreshed every {} ns", shown(Some(device.timing.refi_ns * multiplier))),
    };
    format!(
        "address map {}, bursts of {} bytes; energy of {devices} devices: channels {channels}, ranks {ranks}, devices {} of {} \
         bits\nqueues: {} requests, {} commands per {share}; {outstanding}; {refresh}\n",
        system.address_map,
        system.burst_bytes(),
        device.devices,
        device.device_bits,
        system.queue_depth,
        system.command_queue,
    )
}

fn limits_text(estimate: &Estimate) -> String {
    let limits = estimate
        .limits
        .iter()
        .map(|limit| vec![meaning(limit.binding).to_owned(), shown(Some(limit.cycles_per_burst))]);
    let mut text = format!(
        "\nwhat binds: {} ({})\nrefresh takes {} % of the time\n{}\n",
        name(estimate.binding),
        meaning(estimate.binding),
        percent(estimate.refresh_share),
        table(&["limit", "cycles per burst of a channel"], limits)
    );
    for &case in &estimate.not_covered {
        writeln!(text, "the closed form: {}", doubt(case)).expect("writing to a string does not fail");
    }
    text
}

fn name(binding: Binding) -> &'static str {
    match binding {
        Binding::Bus => "bus",
        Binding::BankGroup => "bank_group",
        Binding::RankSwitch => "rank_switch",
        Binding::ActivateDistance => "activate_distance",
        Binding::FourActivates => "four_activates",
        Binding::BankCycle => "bank_cycle",
        Binding::Latency => "latency",
        Binding::Channels => "channels",
    }
}

fn meaning(binding: Binding) -> &'static str {
    match binding {
        Binding::Bus => "BL/2, tCCD_S: the data bus is full",
        Binding::BankGroup => {
            "tCCD_L: consecutive bursts fall in one bank group; a map that ends in bg avoids it"
        }
        Binding::RankSwitch => "tRTRS: the bus goes from rank to rank",
        Binding::ActivateDistance => "tRRD: a row is opened for almost every burst",
        Binding::FourActivates => "tFAW: four rows may be opened within it",
        Binding::BankCycle => "tRC: rows change in few banks",
        Binding::Latency => "CL, tRCD, tRP: too few requests are outstanding",
        Binding::Channels => "one channel works at a time; a map that ends in ch spreads bursts",
    }
}

fn doubt(case: Case) -> &'static str {
    match case {
        Case::OneBankGroup => "runs in one bank group are within 4 % of the replay",
        Case::RandomOverRanks => "random bursts over several ranks are within 5 % of the replay",
        Case::RandomWrites => "random writes are within 10 % of the replay",
        Case::MixedDirections => "leaves out that reads and writes alternate; see the replay",
        Case::BankConflicts => "random bursts that meet in a bank are within 10 % of the replay",
        Case::ClosedRows => "is rough where each burst closes its row; see the replay",
        Case::CoarseChannels => {
            "is rough where a channel is served for longer than the queue looks ahead; see the replay"
        }
        Case::RowFirst => "is rough where the row changes with every burst of a bank; see the replay",
        Case::SharedQueues => "does not know queues by rank and separate command buses; see the replay",
        Case::ShortStream => "counts beginning and end of so short a stream only roughly; see the replay",
    }
}
