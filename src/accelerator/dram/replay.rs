//! Every command of a sequence of bursts.

use super::address::Decoder;
use super::channel::Channel;
use super::queue::Entry;
use super::{Activity, Energy, Error, Field, Request, Stream, System};
use serde::Serialize;

/// The controllers of all channels, whose state lasts from one transfer to the next.
///
/// Requests are offered in order: one that its channel has no room for holds up those after it. Cycles without any event are
/// passed over.
#[derive(Clone, Debug)]
pub struct Replay {
    system: System,
    decoder: Decoder,
    channels: Vec<Channel>,
    banks_per_group: usize,
    banks_per_rank: usize,
    now: u64,
    /// Requests that were accepted and not answered, where they are limited.
    in_flight: u64,
}

/// What a stream came to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Run {
    /// What was done.
    pub activity: Activity,
    /// What it cost.
    pub energy: Energy,
    /// How long it took, s.
    pub seconds: f64,
}

impl Replay {
    /// Controllers with all rows closed at cycle 0.
    ///
    /// # Errors
    /// Those of [`System::check`].
    pub fn new(system: &System) -> Result<Self, Error> {
        system.check()?;
        let channels = (0..system.channels).map(|_| Channel::new(system)).collect::<Result<_, _>>()?;
        let banks_per_group = system.size(Field::Bank) as usize;
        Ok(Self {
            system: system.clone(),
            decoder: system.decoder()?,
            channels,
            banks_per_group,
            banks_per_rank: banks_per_group * system.size(Field::BankGroup) as usize,
            now: 0,
            in_flight: 0,
        })
    }

    /// Offers `requests` from `start_cycle` on, and returns the cycle at which the last of them is answered. A read is answered
    /// with its data; a write when it is accepted: it may wait in its channel beyond the end of the transfer.
    ///
    /// # Errors
    /// [`Error::Past`] if the replay has passed `start_cycle`.
    pub fn transfer(
        &mut self,
        start_cycle: u64,
        requests: impl IntoIterator<Item = Request>,
    ) -> Result<u64, Error> {
        if start_cycle < self.now {
            return Err(Error::Past { start: start_cycle, now: self.now });
        }
        self.pass_until(start_cycle);
        let mut requests = requests.into_iter();
        let mut next = requests.next();
        loop {
            while let Some(request) = next
                && self.offer(request)
            {
                next = requests.next();
            }
            self.step();
            if next.is_none() && self.channels.iter().all(Channel::has_read_all) {
                break;
            }
            let wake = match next {
                Some(request) => self.next_offer(request),
                None => u64::MAX,
            };
            self.now = self.next_event().min(wake);
        }
        let end = self.channels.iter().map(Channel::answer_end).max().unwrap_or(0).max(self.now);
        self.pass_until(end);
        Ok(end)
    }

    /// Writes what still waits, and returns the cycle at which the last burst has passed.
    pub fn finish(&mut self) -> u64 {
        for channel in &mut self.channels {
            channel.flush(self.now);
        }
        loop {
            self.step();
            if self.channels.iter().all(Channel::is_idle) {
                break;
            }
            self.now = self.next_event();
        }
        for channel in &mut self.channels {
            channel.end_flush();
        }
        let end = self.channels.iter().map(Channel::data_end).max().unwrap_or(0).max(self.now);
        self.pass_until(end);
        end
    }

    /// What was done up to the end of the last transfer; standby counts from cycle 0.
    pub fn activity(&self) -> Activity {
        let mut sum = Activity { cycles: self.now, ..Activity::default() };
        for channel in &self.channels {
            let one = channel.activity(self.now);
            sum.reads += one.reads;
            sum.writes += one.writes;
            sum.activations += one.activations;
            sum.row_hits += one.row_hits;
            sum.refreshes += one.refreshes;
            sum.merged += one.merged;
            sum.active_cycles += one.active_cycles;
            sum.precharged_cycles += one.precharged_cycles;
        }
        sum
    }

    /// Plays `stream` on a fresh system, to the last burst.
    ///
    /// # Errors
    /// Those of [`System::check`]; [`Error::Range`] if the stream is longer than the memory.
    pub fn run(system: &System, stream: &Stream) -> Result<Run, Error> {
        let mut replay = Self::new(system)?;
        replay.transfer(0, stream.requests(system)?)?;
        replay.finish();
        let activity = replay.activity();
        let seconds = activity.cycles as f64 * system.cycle_ns() * 1e-9;
        Ok(Run { activity, energy: Energy::of(system, &activity), seconds })
    }

    /// The system that is replayed.
    pub fn system(&self) -> &System {
        &self.system
    }

    /// The cycle that was reached.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// Whether `request` was accepted now.
    fn offer(&mut self, request: Request) -> bool {
        if let Some(most) = self.system.outstanding {
            let now = self.now;
            let answered: u64 = self.channels.iter_mut().map(|channel| channel.take_answers(now)).sum();
            self.in_flight -= answered;
            if self.in_flight >= u64::from(most) {
                return false;
            }
        }
        let location = self.decoder.locate(request.address);
        let channel = &mut self.channels[location.channel as usize];
        if !channel.accepts(request.is_write) {
            return false;
        }
        let bank = location.rank as usize * self.banks_per_rank
            + location.bank_group as usize * self.banks_per_group
            + location.bank as usize;
        let entry = Entry {
            address: self.decoder.address(location),
            row: location.row,
            bank,
            is_write: request.is_write,
            requests: 1,
        };
        channel.add(entry, self.now);
        self.in_flight += u64::from(self.system.outstanding.is_some());
        true
    }

    /// When `request`, which was refused, may be offered again; `u64::MAX`: after the next event.
    fn next_offer(&self, request: Request) -> u64 {
        if let Some(most) = self.system.outstanding
            && self.in_flight >= u64::from(most)
        {
            let answers = self.channels.iter().filter_map(Channel::next_answer);
            return answers.min().map_or(u64::MAX, |time| (time + 1).max(self.now + 1));
        }
        let channel = self.decoder.locate(request.address).channel as usize;
        if self.channels[channel].accepts(request.is_write) { self.now + 1 } else { u64::MAX }
    }

    fn step(&mut self) {
        for channel in &mut self.channels {
            if channel.next <= self.now {
                channel.step(self.now);
            }
        }
    }

    fn next_event(&self) -> u64 {
        self.channels.iter().map(|channel| channel.next).min().unwrap_or(u64::MAX)
    }

    /// Lets what happens before `time` by itself happen.
    fn pass_until(&mut self, time: u64) {
        loop {
            let next = self.next_event();
            if next >= time {
                break;
            }
            self.now = next;
            self.step();
        }
        self.now = self.now.max(time);
    }
}
