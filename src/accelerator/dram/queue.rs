//! Queues of commands, one per bank or per rank, searched in turn.

use super::bank::{Banks, Command};

/// Bursts of a row after which another row of its bank may be opened although more bursts for this one wait.
const ROW_BURSTS_BEFORE_OTHERS: u64 = 4;

/// A burst that waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// First byte.
    pub address: u64,
    pub row: u64,
    /// Bank of the channel.
    pub bank: usize,
    pub is_write: bool,
    /// Requests that its data answer.
    pub requests: u32,
}

impl Entry {
    fn column_command(&self) -> Command {
        if self.is_write { Command::Write } else { Command::Read }
    }
}

/// What a queue can do.
enum Finding {
    /// This command, for the entry at this place.
    Now(usize, Command),
    /// Nothing before this cycle.
    NotBefore(u64),
}

/// All queues of a channel.
#[derive(Clone, Debug)]
pub(super) struct Queues {
    entries: Vec<Vec<Entry>>,
    /// No command of the queue can be issued before this cycle. Other queues' commands only ever delay it.
    not_before: Vec<u64>,
    /// No command at all can be issued before this cycle; the least of the above or earlier.
    soonest: u64,
    /// Commands that would serve each queue as it stands, as bits; where a queue is that of one bank.
    wanted: Vec<u8>,
    depth: usize,
    /// A power of two: banks that share a queue.
    bank_bits: u32,
    /// The queue that was served last.
    last: usize,
}

impl Queues {
    pub fn new(count: usize, depth: usize, banks_per_queue: usize) -> Self {
        Self {
            entries: vec![Vec::new(); count],
            not_before: vec![u64::MAX; count],
            soonest: u64::MAX,
            wanted: vec![0; count],
            depth,
            bank_bits: banks_per_queue.ilog2(),
            last: 0,
        }
    }

    fn of_bank(&self, bank: usize) -> usize {
        bank >> self.bank_bits
    }

    /// Whether there is room for a command to `bank`.
    pub fn accepts(&self, bank: usize) -> bool {
        self.entries[self.of_bank(bank)].len() < self.depth
    }

    /// Waiting bursts that share the queue of `bank`.
    pub fn beside(&mut self, bank: usize) -> &mut [Entry] {
        let index = self.of_bank(bank);
        &mut self.entries[index]
    }

    /// Adds `entry` at `now`: it can be served from the next cycle on.
    pub fn add(&mut self, entry: Entry, banks: &Banks, now: u64) {
        let index = self.of_bank(entry.bank);
        self.entries[index].push(entry);
        self.look_again(entry.bank, banks, now);
    }

    /// The next command at `now` and its burst, which is taken off its queue if the command moves its data. Queues of the rank
    /// `blocked` rest. Where `wanted` says so, the command is issued only if it is a column command, or only if it is none.
    pub fn pick(
        &mut self,
        banks: &Banks,
        blocked: Option<usize>,
        now: u64,
        wanted: Option<bool>,
    ) -> Option<(Command, Entry)> {
        if self.soonest > now {
            return None;
        }
        let mut soonest = u64::MAX;
        let (behind, before) = (self.last + 1..self.entries.len(), 0..self.last + 1);
        for range in [behind, before] {
            for index in range {
                if self.not_before[index] <= now && !self.is_blocked(index, banks, blocked) {
                    let ready = self.ready(index, banks, now);
                    if ready <= now
                        && let Finding::Now(place, command) = self.find(index, banks, now)
                    {
                        return self.take(index, place, command, wanted);
                    }
                    self.not_before[index] = ready.max(now + 1);
                }
                soonest = soonest.min(self.not_before[index]);
            }
        }
        self.soonest = soonest;
        None
    }

    /// First cycle at which the queue can do something, or any up to `now` if that has come.
    fn ready(&self, index: usize, banks: &Banks, now: u64) -> u64 {
        if self.bank_bits > 0 {
            return match self.find(index, banks, now) {
                Finding::Now(..) => now,
                Finding::NotBefore(time) => time,
            };
        }
        let wanted = Command::ALL.into_iter().filter(|&command| self.wanted[index] & command.bit() != 0);
        wanted.map(|command| banks.earliest(command, index)).min().unwrap_or(u64::MAX)
    }

    /// Commands that would serve the queue of one bank as it stands, as bits.
    fn wanted(&self, index: usize, banks: &Banks) -> u8 {
        let queue = &self.entries[index];
        if queue.is_empty() {
            return 0;
        }
        if !banks.is_open(index) {
            return Command::Activate.bit();
        }
        let hits = queue.iter().filter(|entry| banks.is_open_at(index, entry.row));
        let columns = hits.fold(0, |bits, entry| bits | entry.column_command().bit());
        let may_close = !banks.is_open_at(index, queue[0].row)
            && (columns == 0 || banks.bursts(index) >= ROW_BURSTS_BEFORE_OTHERS);
        columns | if may_close { Command::Precharge.bit() } else { 0 }
    }

    fn take(
        &mut self,
        index: usize,
        place: usize,
        command: Command,
        wanted: Option<bool>,
    ) -> Option<(Command, Entry)> {
        self.last = index;
        if wanted.is_some_and(|wanted| wanted != command.is_column()) {
            return None;
        }
        let queue = &mut self.entries[index];
        let entry = if command.is_column() { queue.remove(place) } else { queue[place] };
        Some((command, entry))
    }

    fn is_blocked(&self, index: usize, banks: &Banks, blocked: Option<usize>) -> bool {
        blocked.is_some_and(|rank| banks.rank_of(index << self.bank_bits) == rank)
    }

    /// First ready, first come: a burst whose row is open goes before older ones whose row is not, but only so often.
    fn find(&self, index: usize, banks: &Banks, now: u64) -> Finding {
        let queue = &self.entries[index];
        let mut first = u64::MAX;
        // What an older entry of the same bank was told holds for this one, too.
        let mut asked = None;
        for (place, entry) in queue.iter().enumerate() {
            let command = if !banks.is_open(entry.bank) {
                Command::Activate
            } else if banks.is_open_at(entry.bank, entry.row) {
                entry.column_command()
            } else if may_close(queue, place, banks) {
                Command::Precharge
            } else {
                continue;
            };
            if asked == Some((command, entry.bank)) {
                continue;
            }
            asked = Some((command, entry.bank));
            let ready = banks.earliest(command, entry.bank);
            if ready <= now {
                return Finding::Now(place, command);
            }
            first = first.min(ready);
        }
        Finding::NotBefore(first)
    }

    /// Looks again at what the queue of `bank` can do after `now`, it or the state of the bank having changed.
    pub fn look_again(&mut self, bank: usize, banks: &Banks, now: u64) {
        let index = self.of_bank(bank);
        if self.bank_bits == 0 {
            self.wanted[index] = self.wanted(index, banks);
        }
        let ready = self.ready(index, banks, now).max(now + 1);
        self.not_before[index] = ready;
        self.soonest = self.soonest.min(ready);
    }

    /// Cycle before which no queue can do anything, those of the rank `blocked` apart.
    pub fn next(&mut self, banks: &Banks, blocked: Option<usize>, now: u64) -> u64 {
        if self.soonest <= now {
            let times = self.not_before.iter().enumerate();
            let free = times.filter(|&(index, _)| !self.is_blocked(index, banks, blocked));
            let soonest = free.map(|(_, &time)| time).min().unwrap_or(u64::MAX);
            // What is blocked now may be sooner.
            if blocked.is_some() {
                return soonest;
            }
            self.soonest = soonest;
        }
        self.soonest
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.entries.iter().all(Vec::is_empty)
    }
}

/// Whether the entry at `place` may close the row of its bank: it is the oldest of the bank, and no burst waits for the row or
/// the row has had its share.
fn may_close(queue: &[Entry], place: usize, banks: &Banks) -> bool {
    let bank = queue[place].bank;
    if queue[..place].iter().any(|earlier| earlier.bank == bank) {
        return false;
    }
    banks.bursts(bank) >= ROW_BURSTS_BEFORE_OTHERS
        || !queue[place..].iter().any(|later| later.bank == bank && banks.is_open_at(bank, later.row))
}
