//! Off-chip memory: how long it takes to move a stream of bursts, which commands that needs, and what they cost.
//!
//! * [`System`]: devices, ranks and channels behind an [`AddressMap`], and the queues of their controllers;
//! * [`closed_form()`]: time and commands of a regular [`Stream`] without looking at its bursts; it names what it does not cover;
//! * [`Replay`]: every command of any sequence of bursts, by the rules of `DRAMsim3`'s controller;
//! * [`Activity`] and [`Energy`]: what both come to, command by command;
//! * [`export`]: the bursts as a trace that `DRAMsim3` reads; [`ini`]: its configuration files.

mod address;
mod bank;
mod channel;
mod closed_form;
mod constraints;
mod energy;
pub mod export;
pub mod ini;
mod layout;
mod queue;
mod replay;
mod stream;
mod system;

pub use address::{AddressMap, Field, Location};
pub use closed_form::{Binding, Case, Estimate, Limit, closed_form};
pub use energy::{Activity, Energy};
pub use replay::{Replay, Run};
pub use stream::{Direction, Pattern, Request, Stream};
pub use system::{QueueStructure, System};

use thiserror::Error;

/// Why a DRAM has no time or energy.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Error {
    /// The address map does not name each field once.
    #[error(
        "`address_map` = `{map}`: {problem}; it names the fields ro, ch, ra, ba, bg and co once each, most significant first, as in rochrabacobg"
    )]
    AddressMap {
        /// What was given.
        map: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A field of the address would not be a whole number of bits.
    #[error("{what} is {value}: a field of the address needs a power of two")]
    PowerOfTwo {
        /// What is counted.
        what: &'static str,
        /// Its count.
        value: u64,
    },
    /// More address bits than an address has.
    #[error("the memory holds 2^{0} bytes: addresses have 64 bits")]
    AddressBits(u32),
    /// A parameter lies outside its range.
    #[error("`{key}` = {value} is outside {range}")]
    Range {
        /// Key of the parameter.
        key: &'static str,
        /// What was given.
        value: f64,
        /// The valid range, in words.
        range: &'static str,
    },
    /// A figure of the devices is impossible.
    #[error(transparent)]
    Device(#[from] crate::memory::energy::Error),
    /// Refresh leaves no time for anything else.
    #[error(
        "refresh takes {busy_cycles} of every {interval_cycles} cycles: `refi_ns` must be longer than `rfc_ns` and the time to close and open rows"
    )]
    Refresh {
        /// Cycles of one refresh, rows closed before and opened after it.
        busy_cycles: u64,
        /// Cycles from one refresh to the next.
        interval_cycles: u64,
    },
    /// A counter does not fit 64 bits.
    #[error("the {0} do not fit 64 bits")]
    Overflow(&'static str),
    /// A transfer begins before the one before it has ended.
    #[error("a transfer at cycle {start} begins before cycle {now}, which the replay has reached")]
    Past {
        /// When it should begin.
        start: u64,
        /// What the replay has reached.
        now: u64,
    },
}

#[cfg(test)]
mod reference_tests;
#[cfg(test)]
mod tests;
