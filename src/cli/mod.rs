//! The command line: arguments, progress, exit codes.

mod arguments;
mod check;
mod failure;
mod inspect;
mod output;
mod progress;
mod run;
mod session;
mod sweep;

use arguments::{Arguments, Command};
use clap::Parser as _;
use failure::Failure;
use progress::Voice;
use std::io::IsTerminal as _;
use std::process::ExitCode;
use tracing::Level;
use tracing_subscriber::fmt::format::FmtSpan;

/// Runs the command that was typed. Exit codes: 0 done, 1 the run failed, 2 bad input.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    start_logging(&arguments);
    let voice = Voice::new(arguments.quiet);
    match execute(arguments.command, voice) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print();
            ExitCode::from(failure.code())
        }
    }
}

fn execute(command: Command, voice: Voice) -> Result<(), Failure> {
    match command {
        Command::Run { config, overrides, output } => run::run(&config, &overrides, &output, voice),
        Command::Sweep { config, over, overrides, output } => {
            sweep::sweep(&config, &over, &overrides, &output, voice)
        }
        Command::Inspect { network, weights, json } => {
            inspect::inspect(&network, weights.as_deref(), json, voice)
        }
        Command::Check { config, overrides, json } => check::check(&config, &overrides, json, voice),
    }
}

fn start_logging(arguments: &Arguments) {
    let level = match (arguments.quiet, arguments.verbose) {
        (true, _) => Level::ERROR,
        (false, false) => Level::WARN,
        (false, true) => Level::INFO,
    };
    let subscriber = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(level)
        .with_ansi(std::io::stderr().is_terminal())
        .without_time()
        .with_span_events(FmtSpan::CLOSE)
        .with_target(false);
    subscriber.init();
}
