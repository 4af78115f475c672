//! The command line: arguments, progress, exit codes.

mod arguments;
mod check;
mod compare;
mod failure;
mod inspect;
mod map;
mod memory;
mod output;
mod presets;
mod progress;
mod reproduce;
mod resilience;
mod run;
mod session;
mod stream;
mod sweep;
mod trace;

use arguments::{Arguments, Command, PresetsCommand};
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
        Command::Run { config, attribute, overrides, output } => {
            run::run(&config, attribute, &overrides, &output, voice)
        }
        Command::Sweep { config, over, overrides, output } => {
            sweep::sweep(&config, &over, &overrides, &output, voice)
        }
        Command::Compare { configs, variation_trials, overrides, output } => {
            compare::compare(&configs, variation_trials, &overrides, &output, voice)
        }
        Command::Inspect { network, weights, json } => {
            inspect::inspect(&network, weights.as_deref(), json, voice)
        }
        Command::Map { config, memory, trial, export, overrides, json } => {
            map::map(&config, memory.as_deref(), trial, export.as_deref(), &overrides, json, voice)
        }
        Command::Reproduce(asked) => reproduce::reproduce(&asked, voice),
        Command::Resilience(evaluating) => resilience::resilience(&evaluating, voice),
        Command::Trace(tracing) => trace::trace(&tracing, voice),
        Command::Memory { presets, stream, bytes, export, over, set, csv, json } => {
            let form = match (csv, json) {
                (true, _) => memory::Form::Csv,
                (false, true) => memory::Form::Json,
                (false, false) => memory::Form::Text,
            };
            match stream.zip(bytes) {
                Some((kind, bytes)) => {
                    let options = stream::Options { kind, bytes, export: export.as_deref() };
                    stream::stream(&presets, &options, &over, &set, form, voice)
                }
                None => memory::memory(&presets, &over, &set, form, voice),
            }
        }
        Command::Presets { command: None, json } => presets::list(json),
        Command::Presets { command: Some(PresetsCommand::Show { name, json }), .. } => {
            presets::show(&name, json)
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
