//! The controller of one channel, by the rules of `DRAMsim3` (`src/controller.cc`, `src/command_queue.cc`, `src/refresh.cc`): reads
//! and writes wait apart, writes are sent together, one request per cycle enters the command queues and one command per cycle
//! leaves them; ranks are refreshed in turn, as soon as their rows are closed.

use super::bank::{Banks, Command, RefreshStep};
use super::queue::{Entry, Queues};
use super::{Activity, Error, Field, QueueStructure, System};
use crate::memory::energy::dram::RowPolicy;
use std::collections::VecDeque;

/// One channel.
#[derive(Clone, Debug)]
pub(super) struct Channel {
    banks: Banks,
    queues: Queues,
    /// Requests for which no command waits yet, oldest first.
    reads: Waiting,
    writes: Waiting,
    queue_depth: usize,
    write_threshold: usize,
    /// Writes that are still to be sent before reads go on.
    draining: usize,
    /// Whether writes are sent however few they are.
    is_flushing: bool,
    has_two_buses: bool,
    read_latency: u64,
    write_latency: u64,
    refresh: Refresh,
    /// When requests are answered and how many, in order; kept only where someone counts them.
    answers: Option<VecDeque<(u64, u32)>>,
    /// Reads that have not been sent.
    unread: usize,
    /// When the last burst has passed the bus.
    data_end: u64,
    /// When the last request was answered.
    answer_end: u64,
    counted: Activity,
    /// Cycle before which nothing happens by itself.
    pub next: u64,
}

/// Requests in order, and how many of the oldest were refused by the command queues since one of these had room last.
#[derive(Clone, Debug, Default)]
struct Waiting {
    entries: Vec<Entry>,
    refused: usize,
}

/// When ranks are refreshed.
#[derive(Clone, Debug)]
struct Refresh {
    /// Between two refreshes of the channel; `None`: never.
    interval: Option<u64>,
    next: u64,
    next_rank: usize,
    ranks: usize,
    /// Ranks that wait for theirs.
    due: VecDeque<usize>,
}

impl Channel {
    pub fn new(system: &System) -> Result<Self, Error> {
        let constraints = system.constraints()?;
        let size = |field| system.size(field) as usize;
        let (ranks, groups, banks_per_group) = (size(Field::Rank), size(Field::BankGroup), size(Field::Bank));
        let banks_per_rank = groups * banks_per_group;
        let (count, banks_per_queue) = match system.queue_structure {
            QueueStructure::PerBank => (ranks * banks_per_rank, 1),
            QueueStructure::PerRank => (ranks, banks_per_rank),
        };
        let closes_rows = system.device.row_policy == RowPolicy::Closed;
        let interval = constraints.refresh_interval.map(|interval| interval / ranks as u64);
        Ok(Self {
            banks: Banks::new(constraints, closes_rows, ranks, groups, banks_per_group),
            queues: Queues::new(count, system.command_queue as usize, banks_per_queue),
            reads: Waiting::default(),
            writes: Waiting::default(),
            queue_depth: system.queue_depth as usize,
            write_threshold: system.write_threshold as usize,
            draining: 0,
            is_flushing: false,
            has_two_buses: system.device.command_buses == 2,
            read_latency: constraints.read_latency,
            write_latency: constraints.write_latency,
            refresh: Refresh {
                interval,
                next: interval.unwrap_or(u64::MAX),
                next_rank: 0,
                ranks,
                due: VecDeque::new(),
            },
            answers: system.outstanding.map(|_| VecDeque::new()),
            unread: 0,
            data_end: 0,
            answer_end: 0,
            counted: Activity::default(),
            next: interval.unwrap_or(u64::MAX),
        })
    }

    /// Whether there is room for a request.
    pub fn accepts(&self, is_write: bool) -> bool {
        let waiting = if is_write { &self.writes } else { &self.reads };
        waiting.entries.len() < self.queue_depth
    }

    /// Takes a request at `now`; there must be room. A write is answered at once, and so is a read of what waits to be written.
    pub fn add(&mut self, entry: Entry, now: u64) {
        let twin = |waiting: &mut Waiting, queues: &mut Queues, is_write: bool, more: u32| {
            let beside = queues.beside(entry.bank);
            let mut all = waiting.entries.iter_mut().chain(beside);
            let twin = all.find(|other| other.address == entry.address && other.is_write == is_write);
            twin.map(|twin| twin.requests += more).is_some()
        };
        let is_written = twin(&mut self.writes, &mut self.queues, true, 0);
        if is_written || entry.is_write {
            self.answer(now + 1, 1);
        }
        if is_written || (!entry.is_write && twin(&mut self.reads, &mut self.queues, false, 1)) {
            self.counted.merged += 1;
            return;
        }
        let waiting = if entry.is_write { &mut self.writes } else { &mut self.reads };
        waiting.entries.push(entry);
        self.unread += usize::from(!entry.is_write);
        self.next = self.next.min(now);
    }

    fn answer(&mut self, time: u64, requests: u32) {
        self.answer_end = self.answer_end.max(time);
        if let Some(answers) = &mut self.answers {
            // Writes are answered before reads that were sent earlier.
            let place = answers.partition_point(|&(earlier, _)| earlier <= time);
            answers.insert(place, (time, requests));
        }
    }

    /// When the next answer comes, of those that are counted.
    pub fn next_answer(&self) -> Option<u64> {
        self.answers.as_ref()?.front().map(|&(time, _)| time)
    }

    /// Requests answered before `now` that have not been taken yet.
    pub fn take_answers(&mut self, now: u64) -> u64 {
        let mut taken = 0;
        while let Some(answers) = &mut self.answers
            && let Some(&(time, requests)) = answers.front()
            && time < now
        {
            answers.pop_front();
            taken += u64::from(requests);
        }
        taken
    }

    /// What happens at `now`, [`Channel::next`].
    pub fn step(&mut self, now: u64) {
        self.refresh.insert_due(now);
        let mut issued = self.step_refresh(now);
        if issued.is_none() {
            issued = self.step_queues(now, None);
        }
        if self.has_two_buses
            && let Some(is_column) = issued
        {
            self.step_queues(now, Some(!is_column));
        }
        let has_moved = self.schedule(now);
        self.next = if has_moved { now + 1 } else { self.next_event(now) };
    }

    /// Issues what a refresh needs; whether it was a column command (never), if anything.
    fn step_refresh(&mut self, now: u64) -> Option<bool> {
        let &rank = self.refresh.due.front()?;
        match self.banks.refresh_step(rank, now) {
            RefreshStep::NotBefore(_) => return None,
            RefreshStep::Precharge(bank) => {
                self.banks.issue(Command::Precharge, bank, 0, now);
                self.queues.look_again(bank, &self.banks, now);
            }
            RefreshStep::Begin => {
                self.banks.refresh(rank, now);
                self.refresh.due.pop_front();
                self.counted.refreshes += 1;
                for bank in self.banks.of_rank(rank) {
                    self.queues.look_again(bank, &self.banks, now);
                }
            }
        }
        Some(false)
    }

    /// Issues the next command of the queues, only if it is a column command or none where `wanted` says so; whether it was one.
    fn step_queues(&mut self, now: u64, wanted: Option<bool>) -> Option<bool> {
        let blocked = self.refresh.due.front().copied();
        let (command, entry) = self.queues.pick(&self.banks, blocked, now, wanted)?;
        match command {
            Command::Activate => self.counted.activations += 1,
            Command::Precharge => {}
            Command::Read | Command::Write => {
                self.counted.row_hits += u64::from(self.banks.bursts(entry.bank) > 0);
                (self.reads.refused, self.writes.refused) = (0, 0);
            }
        }
        match command {
            Command::Read => {
                self.counted.reads += 1;
                self.unread -= 1;
                self.data_end = self.data_end.max(now + self.read_latency);
                self.answer(now + self.read_latency, entry.requests);
            }
            Command::Write => {
                self.counted.writes += 1;
                self.data_end = self.data_end.max(now + self.write_latency);
            }
            Command::Activate | Command::Precharge => {}
        }
        self.banks.issue(command, entry.bank, entry.row, now);
        self.queues.look_again(entry.bank, &self.banks, now);
        Some(command.is_column())
    }

    /// Moves one request to the command queues; whether it did.
    fn schedule(&mut self, now: u64) -> bool {
        let waiting = self.writes.entries.len();
        if self.draining == 0
            && (waiting >= self.queue_depth
                || (self.reads.entries.is_empty()
                    && waiting > 0
                    && (waiting >= self.write_threshold || self.is_flushing)))
        {
            self.draining = waiting;
        }
        if self.draining > 0 {
            if let Some(place) = self.writes.first_accepted(&self.queues) {
                let entry = self.writes.entries[place];
                if !self.is_read_pending(&entry) {
                    self.writes.entries.remove(place);
                    self.draining -= 1;
                    self.queues.add(entry, &self.banks, now);
                    return true;
                }
                // What was written there before must be read first.
                self.draining = 0;
            } else {
                return false;
            }
        }
        let Some(place) = self.reads.first_accepted(&self.queues) else { return false };
        let entry = self.reads.entries.remove(place);
        self.queues.add(entry, &self.banks, now);
        true
    }

    fn is_read_pending(&mut self, write: &Entry) -> bool {
        let is_twin = |other: &Entry| !other.is_write && other.address == write.address;
        self.reads.entries.iter().any(is_twin) || self.queues.beside(write.bank).iter().any(is_twin)
    }

    fn next_event(&mut self, now: u64) -> u64 {
        let blocked = self.refresh.due.front().copied();
        let refresh = match blocked.map(|rank| self.banks.refresh_step(rank, now)) {
            None => u64::MAX,
            Some(RefreshStep::NotBefore(time)) => time,
            Some(RefreshStep::Precharge(_) | RefreshStep::Begin) => now + 1,
        };
        refresh.min(self.refresh.next).min(self.queues.next(&self.banks, blocked, now)).max(now + 1)
    }

    /// Sends writes however few they are, from `now` on.
    pub fn flush(&mut self, now: u64) {
        self.is_flushing = true;
        self.next = self.next.min(now);
    }

    /// Gathers writes again.
    pub fn end_flush(&mut self) {
        self.is_flushing = false;
    }

    /// Whether all reads have been sent.
    pub fn has_read_all(&self) -> bool {
        self.unread == 0
    }

    /// Whether nothing waits, neither read nor write.
    pub fn is_idle(&self) -> bool {
        self.unread == 0 && self.writes.entries.is_empty() && self.queues.is_empty()
    }

    /// When the last request was answered.
    pub fn answer_end(&self) -> u64 {
        self.answer_end
    }

    /// When the last burst has passed the bus.
    pub fn data_end(&self) -> u64 {
        self.data_end
    }

    /// What was done before `now`.
    pub fn activity(&self, now: u64) -> Activity {
        let (active_cycles, precharged_cycles) = self.banks.standby_cycles(now);
        Activity { cycles: now, active_cycles, precharged_cycles, ..self.counted }
    }
}

impl Waiting {
    /// Place of the oldest request whose command queue has room.
    fn first_accepted(&mut self, queues: &Queues) -> Option<usize> {
        let found = self.entries[self.refused..].iter().position(|entry| queues.accepts(entry.bank));
        self.refused = found.map_or(self.entries.len(), |place| self.refused + place);
        found.map(|_| self.refused)
    }
}

impl Refresh {
    /// Notes the rank whose refresh falls on `now`.
    fn insert_due(&mut self, now: u64) {
        if now < self.next {
            return;
        }
        if let Some(interval) = self.interval {
            self.due.push_back(self.next_rank);
            self.next_rank = (self.next_rank + 1) % self.ranks;
            self.next += interval;
        }
    }
}
