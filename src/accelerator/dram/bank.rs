//! State of the banks of a channel, and when each may take its next command.

use super::constraints::Constraints;

/// No row is open.
const CLOSED: u64 = u64::MAX;

/// A command to one bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Activate,
    Precharge,
    Read,
    Write,
}

impl Command {
    pub const ALL: [Self; 4] = [Self::Activate, Self::Precharge, Self::Read, Self::Write];

    /// A bit of its own.
    pub fn bit(self) -> u8 {
        1 << self as u8
    }

    /// Whether it moves data.
    pub fn is_column(self) -> bool {
        matches!(self, Self::Read | Self::Write)
    }
}

/// What a refresh of a rank needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RefreshStep {
    /// This bank can be closed.
    Precharge(usize),
    /// All are closed: it can begin.
    Begin,
    /// Nothing before this cycle.
    NotBefore(u64),
}

#[derive(Clone, Copy, Debug)]
struct Bank {
    row: u64,
    /// Bursts since the row was opened.
    bursts: u64,
    activate: u64,
    read: u64,
    write: u64,
    precharge: u64,
    refresh: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Group {
    activate: u64,
    read: u64,
    write: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Rank {
    activate: u64,
    read: u64,
    write: u64,
    precharge: u64,
    /// When each of the last four activates no longer counts, and which is the oldest.
    window: [u64; 4],
    oldest: usize,
    open_banks: u32,
    /// First cycle of the present state, some row open or none.
    since: u64,
    active_cycles: u64,
    precharged_cycles: u64,
}

/// All banks of a channel.
#[derive(Clone, Debug)]
pub(super) struct Banks {
    constraints: Constraints,
    /// Whether a burst closes its row.
    closes_rows: bool,
    /// Powers of two: banks of a rank and of a group.
    rank_bits: u32,
    group_bits: u32,
    states: Vec<Bank>,
    groups: Vec<Group>,
    ranks: Vec<Rank>,
}

fn delay(time: &mut u64, until: u64) {
    *time = (*time).max(until);
}

impl Banks {
    /// Banks all of whose rows are closed. There are powers of two of everything.
    pub fn new(
        constraints: Constraints,
        closes_rows: bool,
        ranks: usize,
        groups: usize,
        banks_per_group: usize,
    ) -> Self {
        let bank = Bank { row: CLOSED, bursts: 0, activate: 0, read: 0, write: 0, precharge: 0, refresh: 0 };
        Self {
            constraints,
            closes_rows,
            rank_bits: (groups * banks_per_group).ilog2(),
            group_bits: banks_per_group.ilog2(),
            states: vec![bank; ranks * groups * banks_per_group],
            groups: vec![Group::default(); ranks * groups],
            ranks: vec![Rank::default(); ranks],
        }
    }

    /// Banks of one rank.
    pub fn of_rank(&self, rank: usize) -> std::ops::Range<usize> {
        rank << self.rank_bits..(rank + 1) << self.rank_bits
    }

    pub fn rank_of(&self, bank: usize) -> usize {
        bank >> self.rank_bits
    }

    pub fn is_open(&self, bank: usize) -> bool {
        self.states[bank].row != CLOSED
    }

    pub fn is_open_at(&self, bank: usize, row: u64) -> bool {
        self.states[bank].row == row
    }

    /// Bursts since the row of `bank` was opened.
    pub fn bursts(&self, bank: usize) -> u64 {
        self.states[bank].bursts
    }

    /// First cycle at which `bank` may take `command`.
    pub fn earliest(&self, command: Command, bank: usize) -> u64 {
        let group = &self.groups[bank >> self.group_bits];
        let rank = &self.ranks[bank >> self.rank_bits];
        let bank = &self.states[bank];
        match command {
            Command::Activate => {
                bank.activate.max(group.activate).max(rank.activate).max(rank.window[rank.oldest])
            }
            Command::Precharge => bank.precharge.max(rank.precharge),
            Command::Read => bank.read.max(group.read).max(rank.read),
            Command::Write => bank.write.max(group.write).max(rank.write),
        }
    }

    /// Issues `command` for `row` of `bank` at `now`, which must not be earlier than [`Banks::earliest`].
    pub fn issue(&mut self, command: Command, bank: usize, row: u64, now: u64) {
        match command {
            Command::Activate => self.activate(bank, row, now),
            Command::Precharge => {
                let constraints = &self.constraints;
                let ready = now + constraints.precharge_to_activate;
                let next = now + constraints.precharge_to_precharge;
                delay(&mut self.ranks[bank >> self.rank_bits].precharge, next);
                self.close(bank, ready, ready, now);
            }
            Command::Read => self.read(bank, now),
            Command::Write => self.write(bank, now),
        }
    }

    fn activate(&mut self, index: usize, row: u64, now: u64) {
        let c = &self.constraints;
        let bank = &mut self.states[index];
        (bank.row, bank.bursts) = (row, 0);
        delay(&mut bank.activate, now + c.activate_bank);
        delay(&mut bank.read, now + c.activate_to_column);
        delay(&mut bank.write, now + c.activate_to_column);
        delay(&mut bank.precharge, now + c.activate_to_precharge);
        delay(&mut self.groups[index >> self.group_bits].activate, now + c.activate_group);
        let rank = &mut self.ranks[index >> self.rank_bits];
        delay(&mut rank.activate, now + c.activate_rank);
        rank.window[rank.oldest] = now + c.four_activates;
        rank.oldest = (rank.oldest + 1) % 4;
        if rank.open_banks == 0 {
            rank.precharged_cycles += now - rank.since;
            rank.since = now;
        }
        rank.open_banks += 1;
    }

    fn close(&mut self, index: usize, activate: u64, refresh: u64, now: u64) {
        let bank = &mut self.states[index];
        (bank.row, bank.bursts) = (CLOSED, 0);
        delay(&mut bank.activate, activate);
        delay(&mut bank.refresh, refresh);
        let rank = &mut self.ranks[index >> self.rank_bits];
        rank.open_banks -= 1;
        if rank.open_banks == 0 {
            rank.active_cycles += now - rank.since;
            rank.since = now;
        }
    }

    fn read(&mut self, index: usize, now: u64) {
        let c = self.constraints;
        let own = index >> self.rank_bits;
        delay(&mut self.groups[index >> self.group_bits].read, now + c.column_group);
        for (number, rank) in self.ranks.iter_mut().enumerate() {
            let (read, write) = if number == own {
                (c.column_rank, c.read_to_write)
            } else {
                (c.column_other_read, c.read_to_write_other)
            };
            delay(&mut rank.read, now + read);
            delay(&mut rank.write, now + write);
        }
        self.states[index].bursts += 1;
        if self.closes_rows {
            self.close(index, now + c.read_close_to_activate, now + c.read_close_to_refresh, now);
        } else {
            delay(&mut self.states[index].precharge, now + c.read_to_precharge);
        }
    }

    fn write(&mut self, index: usize, now: u64) {
        let c = self.constraints;
        let own = index >> self.rank_bits;
        let group = &mut self.groups[index >> self.group_bits];
        delay(&mut group.read, now + c.write_to_read_group);
        delay(&mut group.write, now + c.column_group);
        for (number, rank) in self.ranks.iter_mut().enumerate() {
            let (read, write) = if number == own {
                (c.write_to_read_rank, c.column_rank)
            } else {
                (c.write_to_read_other, c.column_other_write)
            };
            delay(&mut rank.read, now + read);
            delay(&mut rank.write, now + write);
        }
        self.states[index].bursts += 1;
        if self.closes_rows {
            let ready = now + c.write_close_to_activate;
            self.close(index, ready, ready, now);
        } else {
            delay(&mut self.states[index].precharge, now + c.write_to_precharge);
        }
    }

    /// What a refresh of `rank` needs at `now`. Open rows are closed in the order of their banks as they become ready.
    pub fn refresh_step(&self, rank: usize, now: u64) -> RefreshStep {
        let (mut first_precharge, mut all_ready) = (None::<u64>, 0);
        for index in self.of_rank(rank) {
            if self.is_open(index) {
                let ready = self.earliest(Command::Precharge, index);
                if ready <= now {
                    return RefreshStep::Precharge(index);
                }
                first_precharge = Some(first_precharge.map_or(ready, |first| first.min(ready)));
            } else {
                all_ready = all_ready.max(self.states[index].refresh);
            }
        }
        match first_precharge {
            Some(ready) => RefreshStep::NotBefore(ready),
            None if all_ready <= now => RefreshStep::Begin,
            None => RefreshStep::NotBefore(all_ready),
        }
    }

    /// Refreshes `rank`, all rows of which are closed.
    pub fn refresh(&mut self, rank: usize, now: u64) {
        let done = now + self.constraints.refresh;
        for index in self.of_rank(rank) {
            let bank = &mut self.states[index];
            delay(&mut bank.activate, done);
            delay(&mut bank.refresh, done);
        }
    }

    /// Cycles before `now` in which a rank has a row open, and in which it has none, summed over ranks.
    pub fn standby_cycles(&self, now: u64) -> (u64, u64) {
        self.ranks.iter().fold((0, 0), |(active, precharged), rank| {
            let present = now.saturating_sub(rank.since);
            let (open, closed) = if rank.open_banks > 0 { (present, 0) } else { (0, present) };
            (active + rank.active_cycles + open, precharged + rank.precharged_cycles + closed)
        })
    }
}
