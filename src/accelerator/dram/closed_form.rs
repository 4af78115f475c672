//! Time and commands of a regular stream without looking at its bursts.
//!
//! Cycles per burst of a channel are the largest of what the bus, the bank groups, the activates, the banks and the latency
//! allow, over the share of the time that refresh leaves: with h the share of bursts that hit an open row,
//!
//! `t = max(BL/2, tCCD, (1-h) tRRD / ranks, (1-h) tFAW / 4 ranks, (1-h) t_bank / banks, L/Q) / (1 - t_refresh/tREFI)`
//!
//! where a refresh takes `tRFC + tRP + tRCD + tRTP` from a channel of one rank and `tRFC` from one of more, whose other ranks
//! go on meanwhile. Where consecutive bursts fall in one bank group, the queue looks ahead to the next: of a run of R bursts
//! twice the depth of the queue pass at `tCCD_S` and only the rest at `tCCD_L`.

use super::constraints::Constraints;
use super::layout::Layout;
use super::{Activity, Direction, Energy, Error, Field, Pattern, Stream, System};
use crate::memory::energy::dram::RowPolicy;
use serde::Serialize;

/// What limits the bursts of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Binding {
    /// The data bus, which is full.
    Bus,
    /// Consecutive bursts fall in one bank group (`tCCD_L`).
    BankGroup,
    /// The bus changes hands between ranks (tRTRS).
    RankSwitch,
    /// Rows are opened as soon after each other as allowed (tRRD).
    ActivateDistance,
    /// Only four rows may be opened within tFAW.
    FourActivates,
    /// Rows change in too few banks (tRC).
    BankCycle,
    /// Too few requests wait at once.
    Latency,
    /// One channel works at a time.
    Channels,
}

/// What the closed form does not cover; its estimate leaves the effect out or is rough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Case {
    /// Consecutive bursts fall in one bank group: within 4 % of the replay.
    OneBankGroup,
    /// Random bursts over several ranks: within 5 % of the replay.
    RandomOverRanks,
    /// Random writes, which hold their banks for longer than reads: within 10 % of the replay.
    RandomWrites,
    /// Reads and writes alternate: turning the bus and streams in each other's rows are left out.
    MixedDirections,
    /// Random bursts meet in banks before the queue is deep: within 10 % of the replay.
    BankConflicts,
    /// Each burst closes its row: how banks overlap is rough.
    ClosedRows,
    /// A channel is served for longer than its queue looks ahead: how channels overlap is rough.
    CoarseChannels,
    /// The row changes from one burst to the next in the same bank.
    RowFirst,
    /// Row and column commands have a bus each, or share queues by rank: only the limits above are looked at.
    SharedQueues,
    /// So few bursts that beginning and end count: within some hundred cycles.
    ShortStream,
}

/// One of the limits, were it the only one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Limit {
    /// Which.
    pub binding: Binding,
    /// Cycles per burst of a channel, without refresh.
    pub cycles_per_burst: f64,
}

/// What the closed form says of a stream.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// What is done.
    pub activity: Activity,
    /// What it costs.
    pub energy: Energy,
    /// How long it takes, s.
    pub seconds: f64,
    /// Cycles per burst over all channels, refresh included.
    pub cycles_per_burst: f64,
    /// Share of the time that refresh takes.
    pub refresh_share: f64,
    /// What limits it.
    pub binding: Binding,
    /// All limits, the tightest first.
    pub limits: Vec<Limit>,
    /// What is not covered.
    pub not_covered: Vec<Case>,
}

/// Cycles that a request spends in the controller besides its commands: one to be queued, one to be answered.
const CONTROLLER_CYCLES: u64 = 2;
/// Fewest bursts for which beginning and end do not count.
const LONG_STREAM: u64 = 10_000;
/// Cycles per burst over those of the bus up to which the bus is said to be full.
const FULL_BUS: f64 = 1.01;

/// A stream on a system, taken apart.
struct Analysis<'a> {
    system: &'a System,
    constraints: Constraints,
    layout: Layout,
    stream: &'a Stream,
    bursts: u64,
    /// Share of bursts that hit an open row, refresh apart.
    hits: f64,
}

/// Time, commands and energy of `stream`.
///
/// # Errors
/// Those of [`System::check`]; [`Error::Overflow`] if the cycles do not fit.
pub fn closed_form(system: &System, stream: &Stream) -> Result<Estimate, Error> {
    system.check()?;
    let bursts = stream.bursts(system);
    let mut analysis = Analysis {
        system,
        constraints: system.constraints()?,
        layout: Layout::new(system),
        stream,
        bursts,
        hits: 0.0,
    };
    analysis.hits = analysis.row_hits();
    let mut limits = analysis.limits();
    limits.sort_by(|one, other| other.cycles_per_burst.total_cmp(&one.cycles_per_burst));
    // The bus is always a limit; what asks for hardly more than it leaves it full.
    let tightest = limits[0];
    let bus = analysis.constraints.column_rank as f64;
    let binding = if tightest.cycles_per_burst <= bus * FULL_BUS { Binding::Bus } else { tightest.binding };
    let refresh_share = analysis.refresh_share();
    let per_channel = tightest.cycles_per_burst / (1.0 - refresh_share);
    let cycles_per_burst = per_channel * analysis.channel_share();
    let fill = if bursts == 0 { 0.0 } else { analysis.latency(0.0) };
    let cycles = (bursts as f64 * cycles_per_burst + fill).ceil();
    // Far below 2^64, so that sums over ranks and channels fit, too.
    if cycles >= (1_u64 << 50) as f64 {
        return Err(Error::Overflow("cycles of the stream"));
    }
    let cycles = cycles as u64;
    let is_serial = analysis.channel_share() * f64::from(system.channels) > 1.0 + 1e-9;
    let activity = analysis.activity(cycles, per_channel);
    Ok(Estimate {
        activity,
        energy: Energy::of(system, &activity),
        seconds: cycles as f64 * system.cycle_ns() * 1e-9,
        cycles_per_burst,
        refresh_share,
        binding: if is_serial { Binding::Channels } else { binding },
        limits,
        not_covered: analysis.not_covered(),
    })
}

impl Analysis<'_> {
    fn is_random(&self) -> bool {
        self.stream.pattern == Pattern::Random
    }

    fn is_closed(&self) -> bool {
        self.system.device.row_policy == RowPolicy::Closed
    }

    fn is_write(&self) -> bool {
        self.stream.direction == Direction::Write
    }

    fn ranks(&self) -> f64 {
        f64::from(self.system.ranks)
    }

    fn row_hits(&self) -> f64 {
        let is_missing = self.is_random() || self.is_closed() || self.layout.is_row_first();
        if is_missing { 0.0 } else { 1.0 - 1.0 / self.layout.size(Field::Column) as f64 }
    }

    /// Bursts that the controller sees ahead of those it works on.
    fn look_ahead(&self) -> u64 {
        let depth = u64::from(self.system.queue_depth);
        if self.is_write() {
            // Answered when they are accepted: no limit on requests holds them up.
            return depth;
        }
        let ahead = |outstanding: u32| outstanding.saturating_sub(self.system.command_queue);
        self.system.outstanding.map_or(depth, |outstanding| depth.min(ahead(outstanding).into()))
    }

    fn limits(&self) -> Vec<Limit> {
        let c = &self.constraints;
        let misses = 1.0 - self.hits;
        let (ranks, banks) = self.spread();
        let mut limits = vec![
            Limit { binding: Binding::Bus, cycles_per_burst: c.column_rank as f64 },
            Limit { binding: Binding::BankGroup, cycles_per_burst: self.group_cycles() },
            Limit { binding: Binding::RankSwitch, cycles_per_burst: self.rank_cycles() },
            Limit {
                binding: Binding::ActivateDistance,
                cycles_per_burst: misses * c.activate_rank as f64 / ranks,
            },
            Limit {
                binding: Binding::FourActivates,
                cycles_per_burst: misses * c.four_activates as f64 / 4.0 / ranks,
            },
            Limit { binding: Binding::BankCycle, cycles_per_burst: self.bank_cycles(banks) },
        ];
        if let Some(outstanding) = self.system.outstanding
            && !self.is_write()
        {
            let waiting = f64::from(outstanding) / f64::from(self.system.channels);
            let cycles_per_burst = self.latency(waiting) / waiting;
            limits.push(Limit { binding: Binding::Latency, cycles_per_burst });
        }
        limits
    }

    /// Ranks and banks of a channel over which rows are opened.
    fn spread(&self) -> (f64, f64) {
        let layout = &self.layout;
        if self.is_random() {
            let banks = self.system.ranks * self.system.device.banks_per_device;
            return (self.ranks(), banks.into());
        }
        // With rows closed at once, every burst opens one: what counts is below the column.
        let changing = if self.is_closed() && !layout.is_row_first() { Field::Column } else { Field::Row };
        let banks = layout.banks_below(changing);
        let rank_run = layout.run_within_channel(Field::Rank);
        let has_ranks = rank_run.is_some_and(|run| run <= self.look_ahead());
        (if has_ranks { self.ranks() } else { 1.0 }, banks as f64)
    }

    /// Cycles per burst that bank groups allow.
    fn group_cycles(&self) -> f64 {
        let (short, long) = (self.constraints.column_rank as f64, self.constraints.column_group as f64);
        let groups = self.layout.size(Field::BankGroup) as f64;
        if self.is_random() {
            return long / groups / self.ranks();
        }
        let Some(group_run) = self.layout.run_within_channel(Field::BankGroup) else { return short };
        let rank_run = self.layout.run_within_channel(Field::Rank).unwrap_or(u64::MAX);
        let run = group_run.min(rank_run);
        if run == 1 {
            return long / groups;
        }
        let run = run as f64;
        let overlapped = (2.0 * self.look_ahead() as f64).min(run);
        (overlapped * short + (run - overlapped) * long) / run
    }

    /// Cycles per burst with the bus handed from rank to rank.
    fn rank_cycles(&self) -> f64 {
        let c = &self.constraints;
        let other = if self.is_write() { c.column_other_write } else { c.column_other_read };
        let switch = other.saturating_sub(c.column_rank) as f64;
        let share = if self.is_random() {
            1.0 - 1.0 / self.ranks()
        } else {
            self.layout.run_within_channel(Field::Rank).map_or(0.0, |run| 1.0 / run as f64)
        };
        c.column_rank as f64 + share * switch
    }

    /// Cycles from opening a row for one burst to opening the next in the same bank.
    fn bank_cycle(&self) -> f64 {
        let c = &self.constraints;
        let busy = match (self.is_write(), self.is_closed()) {
            (false, false) => c.read_to_precharge + c.precharge_to_activate,
            (false, true) => c.read_close_to_activate,
            (true, _) => c.write_close_to_activate,
        };
        c.activate_bank.max(c.activate_to_column + busy) as f64
    }

    /// Cycles per burst if rows change in `banks` banks in turn.
    fn bank_cycles(&self, banks: f64) -> f64 {
        let c = &self.constraints;
        if self.hits <= 0.0 {
            return self.bank_cycle() / banks;
        }
        let bursts = 1.0 / (1.0 - self.hits);
        let busy = self.bank_cycle() + (bursts - 1.0) * c.column_group as f64;
        // Rows are opened ahead in the other banks.
        if banks > 1.0 { (1.0 - self.hits) * self.bank_cycle() / banks } else { busy / bursts }
    }

    /// Mean cycles from a request to its answer with `waiting` requests in a channel.
    fn latency(&self, waiting: f64) -> f64 {
        let c = &self.constraints;
        let hit = c.read_latency + CONTROLLER_CYCLES;
        let open = c.activate_to_column + if self.is_closed() { 0 } else { c.precharge_to_activate };
        let misses = 1.0 - self.hits;
        // One that meets another in its bank waits half a bank cycle on average.
        let banks = f64::from(self.system.ranks * self.system.device.banks_per_device);
        let meeting = if self.is_random() { (waiting - 1.0).max(0.0) / banks } else { 0.0 };
        hit as f64 + misses * (open as f64 + meeting * self.bank_cycle() / 2.0)
    }

    /// Share of the time that refresh takes.
    fn refresh_share(&self) -> f64 {
        let c = &self.constraints;
        let busy = if self.system.ranks == 1 { c.refresh_alone() } else { c.refresh };
        c.refresh_interval.map_or(0.0, |interval| busy as f64 / interval as f64)
    }

    /// Cycles per burst of the whole stream over those of a channel: the inverse of the number of channels that work at once.
    fn channel_share(&self) -> f64 {
        let channels = f64::from(self.system.channels);
        let Some(run) = self.layout.channel_run() else { return 1.0 };
        if self.is_random() {
            return 1.0 / channels;
        }
        let used = channels.min((self.bursts as f64 / run as f64).ceil()).max(1.0);
        let held = f64::from(self.system.queue_depth + self.system.command_queue);
        let run = run as f64;
        (1.0 / used).max((run - held) / run)
    }

    fn activity(&self, cycles: u64, per_channel: f64) -> Activity {
        let channels = u64::from(self.system.channels);
        let ranks = u64::from(self.system.ranks);
        let refreshes = self.constraints.refresh_interval.map_or(0, |interval| cycles * ranks / interval);
        let writes = match self.stream.direction {
            Direction::Read => 0,
            Direction::Write => self.bursts,
            Direction::Mixed => self.bursts / 3,
        };
        let opened = if self.hits > 0.0 { self.layout.rows_touched(self.bursts) } else { self.bursts };
        // A refresh closes the rows of its rank; those in use are opened again.
        let in_use = if self.hits > 0.0 { self.layout.banks_below(Field::Column) as f64 } else { 0.0 };
        let reopened = (refreshes as f64 / self.ranks() * in_use) as u64;
        let activations = opened.saturating_add(reopened * channels).min(self.bursts);
        let standby = cycles * ranks * channels;
        let precharged = (standby as f64 * self.precharged_share(cycles, per_channel)).min(standby as f64);
        Activity {
            cycles,
            reads: self.bursts - writes,
            writes,
            activations,
            row_hits: self.bursts - activations,
            refreshes: refreshes * channels,
            merged: 0,
            active_cycles: standby - precharged as u64,
            precharged_cycles: precharged as u64,
        }
    }

    /// Share of the time in which a rank has no row open: while it is refreshed, and after a refresh until it is used again.
    fn precharged_share(&self, cycles: u64, per_channel: f64) -> f64 {
        let c = &self.constraints;
        if self.is_closed() {
            let open = self.bursts as f64 * c.activate_to_column as f64;
            return 1.0 - (open / (cycles as f64 * self.ranks() * f64::from(self.system.channels))).min(1.0);
        }
        let Some(interval) = c.refresh_interval.map(|interval| interval as f64) else { return 0.0 };
        let refresh = c.refresh as f64;
        let run = self.layout.run_within_channel(Field::Rank).filter(|_| !self.is_random());
        let Some(run) = run else { return refresh / interval };
        let busy = run as f64 * per_channel;
        let idle = busy * (self.ranks() - 1.0);
        let closed = if idle <= interval { idle * idle / interval / 2.0 } else { idle - interval / 2.0 };
        closed / (busy + idle) + refresh / interval / self.ranks()
    }

    fn not_covered(&self) -> Vec<Case> {
        let layout = &self.layout;
        let device = &self.system.device;
        let is_sequential = !self.is_random();
        let has_run = layout.run_within_channel(Field::BankGroup).is_some_and(|run| run > 1);
        let has_groups = self.constraints.column_group > self.constraints.column_rank;
        let coarse = layout.channel_run().is_some_and(|run| run > self.look_ahead());
        let per_rank = self.system.queue_structure == super::QueueStructure::PerRank;
        let cases = [
            (Case::OneBankGroup, is_sequential && has_groups && has_run),
            (Case::RandomOverRanks, self.is_random() && self.system.ranks > 1),
            (Case::RandomWrites, self.is_random() && self.is_write()),
            (Case::MixedDirections, self.stream.direction == Direction::Mixed),
            (Case::BankConflicts, self.is_random() && self.system.outstanding.is_some()),
            (Case::ClosedRows, self.is_closed()),
            (Case::CoarseChannels, is_sequential && coarse),
            (Case::RowFirst, is_sequential && layout.is_row_first()),
            (Case::SharedQueues, device.command_buses == 2 || per_rank),
            (Case::ShortStream, self.bursts < LONG_STREAM),
        ];
        cases.into_iter().filter(|(_, applies)| *applies).map(|(case, _)| case).collect()
    }
}
