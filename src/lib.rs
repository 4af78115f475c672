//! `approxmem`: what a CNN accelerator loses in accuracy, and saves in traffic, cycles and energy, when its memories may
//! err or move fewer bits.
//!
//! The modules stand on floors; a lower one never imports a higher one:
//!
//! | floor | modules |
//! |---|---|
//! | 0 | [`number`], [`random`], [`units`] |
//! | 1 | [`network`], [`memory`], [`dataset`] |
//! | 2 | [`accelerator`], [`fault`], [`inference`] |
//! | 3 | [`experiment`], [`campaign`] |
//! | 4 | [`resilience`] |
//! | 5 | [`config`], [`report`], [`reproduction`] |
//! | 6 | [`cli`] |

pub mod accelerator;
pub mod campaign;
pub mod cli;
pub mod config;
pub mod dataset;
pub mod experiment;
pub mod fault;
pub mod inference;
pub mod memory;
pub mod network;
pub mod number;
pub mod random;
pub mod report;
pub mod reproduction;
pub mod resilience;
pub mod units;
