//! How long the DRAM takes for the transfers of a tile, in closed form or command by command.

use super::Error;
use crate::accelerator::dram::{Direction, Field, Pattern, Replay, Request, Stream, System, closed_form};
use std::collections::HashMap;
use std::ops::Range;

/// Long enough for beginning and end not to count, short enough for any memory.
const LONG_STREAM_BYTES: u64 = 1 << 24;

/// A transfer of consecutive bursts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// The bursts.
    pub bursts: Range<u64>,
    /// Whether they are written.
    pub is_write: bool,
}

/// The DRAM's clock beside the accelerator's.
#[derive(Clone, Debug)]
pub enum Timing {
    /// Cycles of the accelerator's clock per burst of a stream, reading and writing, and per change of direction.
    Analytic {
        /// A burst read.
        read: f64,
        /// A burst written.
        write: f64,
        /// From reads to writes and back.
        turnaround: f64,
        /// Which rows are open.
        rows: Box<OpenRows>,
    },
    /// Every command.
    Replay {
        /// The controllers.
        replay: Box<Replay>,
        /// Cycles of the DRAM's clock in one of the accelerator's.
        ratio: f64,
    },
}

/// Which rows are open: consecutive bursts lie in rows of several banks, where the address map spreads them, and these rows are
/// counted together. They stay open until others of the same banks are needed, or a refresh closes them.
#[derive(Clone, Debug)]
pub struct OpenRows {
    system: System,
    /// Rows that are counted together.
    together: u64,
    /// Their bursts.
    bursts: u64,
    /// Streamed bursts from one refresh to the next.
    until_refresh: f64,
    /// Bursts since the last refresh.
    since_refresh: f64,
    /// By channel, rank, bank group and bank: the row, and how many of those counted together are open.
    open: HashMap<[u32; 4], (u64, u64)>,
}

impl OpenRows {
    fn new(system: &System, read_cycles: f64) -> Self {
        // What lies below the column in an address spreads consecutive bursts.
        let below = system.address_map.fields().iter().take_while(|field| **field != Field::Column);
        let together = below.filter(|field| **field != Field::Row).map(|field| system.size(*field)).product();
        let interval = system.device.timing.refi_ns / system.cycle_ns() * system.refresh_multiplier;
        Self {
            together,
            bursts: together * system.row_bursts(),
            until_refresh: interval / read_cycles,
            since_refresh: 0.0,
            open: HashMap::new(),
            system: system.clone(),
        }
    }

    /// Rows opened for `bursts`.
    fn open(&mut self, bursts: &Range<u64>, burst_bytes: u64) -> Result<u64, Error> {
        let mut opened = 0;
        for block in bursts.start / self.bursts..=(bursts.end - 1) / self.bursts {
            let first = block * self.bursts;
            let (begin, end) = (bursts.start.max(first), bursts.end.min(first + self.bursts));
            let place = self.system.locate(first * burst_bytes)?;
            let bank = [place.channel, place.rank, place.bank_group, place.bank];
            let reached = (end - begin).min(self.together);
            let entry = self.open.entry(bank).or_insert((place.row, 0));
            if entry.0 != place.row {
                *entry = (place.row, 0);
            }
            opened += reached.saturating_sub(entry.1);
            entry.1 = entry.1.max(reached);
        }
        self.since_refresh += (bursts.end - bursts.start) as f64;
        if self.since_refresh >= self.until_refresh {
            // A long run is refreshed several times, and opens its rows again each time.
            let refreshes = (self.since_refresh / self.until_refresh).floor();
            self.since_refresh -= refreshes * self.until_refresh;
            opened += (refreshes as u64 - 1) * self.together;
            self.open.clear();
        }
        Ok(opened)
    }
}

/// What a transfer came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Passed {
    /// When it ended, cycles of the accelerator's clock.
    pub end: f64,
    /// Rows opened.
    pub activations: u64,
}

impl Timing {
    /// The closed form of `system` for an accelerator at `clock_mhz`.
    ///
    /// # Errors
    /// [`Error::Dram`] for a system that cannot be.
    pub fn analytic(system: &System, clock_mhz: f64) -> Result<Self, Error> {
        let cycles = system.cycle_ns() * clock_mhz * 1e-3;
        let stream = |direction| {
            let pattern = Pattern::Sequential;
            let estimate = closed_form(system, &Stream { pattern, direction, bytes: LONG_STREAM_BYTES });
            estimate.map(|estimate| estimate.cycles_per_burst * cycles)
        };
        // The bus turns from reads to writes after the last read's data, and back after the last write's have settled; the mean.
        let timing = &system.device.timing;
        let gap = timing.cl + system.device.burst_length + 2 + timing.wtr_l;
        let read = stream(Direction::Read)?;
        Ok(Self::Analytic {
            read,
            write: stream(Direction::Write)?,
            turnaround: f64::from(gap) / 2.0 * cycles,
            rows: Box::new(OpenRows::new(system, read / cycles)),
        })
    }

    /// Every command of `system` for an accelerator at `clock_mhz`.
    ///
    /// # Errors
    /// [`Error::Dram`] for a system that cannot be.
    pub fn replay(system: &System, clock_mhz: f64) -> Result<Self, Error> {
        let ratio = 1e3 / (system.cycle_ns() * clock_mhz);
        Ok(Self::Replay { replay: Box::new(Replay::new(system)?), ratio })
    }

    /// Moves `transfers` from cycle `start` of the accelerator on, not before the transfers before have ended.
    ///
    /// # Errors
    /// [`Error::Dram`].
    pub fn pass(&mut self, start: f64, transfers: &[Transfer], burst_bytes: u64) -> Result<Passed, Error> {
        if transfers.is_empty() {
            return Ok(Passed { end: start, activations: 0 });
        }
        match self {
            Self::Analytic { read, write, turnaround, rows } => {
                let (mut end, mut activations) = (start, 0);
                let mut last: Option<&Transfer> = None;
                for transfer in transfers {
                    let bursts = transfer.bursts.end - transfer.bursts.start;
                    end += bursts as f64 * if transfer.is_write { *write } else { *read };
                    activations += rows.open(&transfer.bursts, burst_bytes)?;
                    if last.is_some_and(|last| last.is_write != transfer.is_write) {
                        end += *turnaround;
                    }
                    last = Some(transfer);
                }
                Ok(Passed { end, activations })
            }
            Self::Replay { replay, ratio } => {
                let before = replay.activity().activations;
                let at = ((start * *ratio).ceil() as u64).max(replay.now());
                let requests = transfers.iter().flat_map(|transfer| {
                    let is_write = transfer.is_write;
                    let address = move |burst: u64| Request { address: burst * burst_bytes, is_write };
                    transfer.bursts.clone().map(address)
                });
                let end = replay.transfer(at, requests)?;
                let activations = replay.activity().activations - before;
                Ok(Passed { end: (end as f64 / *ratio).max(start), activations })
            }
        }
    }
}
