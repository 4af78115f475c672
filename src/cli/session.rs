//! From the command line to a resolved experiment with its network.

use super::arguments::Overrides;
use super::failure::{Failure, MISTAKES_SHOWN, Mistake};
use super::progress::Voice;
use crate::config::{Document, Problem, Resolved};
use crate::experiment::Experiment;
use crate::network::{self, Network};
use crate::report::EnergyFigures;
use std::path::Path;

/// A resolved experiment, and the network that it names.
#[derive(Debug)]
pub struct Session {
    /// The network; its weights are loaded where the configuration names them.
    pub network: Network,
    /// The experiment.
    pub resolved: Resolved,
}

impl Session {
    /// Reads and checks everything that `config` names.
    ///
    /// # Errors
    /// Exit code 2 with every mistake found.
    pub fn open(config: &Path, overrides: &Overrides, voice: Voice) -> Result<Self, Failure> {
        let document = document(config, overrides)?;
        let (network, resolved) = resolve(&document, voice)?;
        Ok(Self { network, resolved })
    }
}

/// The configuration with its overrides.
///
/// # Errors
/// Exit code 2 if it cannot be read or an override is no assignment.
pub fn document(config: &Path, overrides: &Overrides) -> Result<Document, Failure> {
    let mut document = Document::read(config)?;
    for (option, assignment) in overrides.assignments() {
        document.assign(option, &assignment)?;
    }
    Ok(document)
}

/// Reads the network of `document` and resolves the experiment on it; says what is doubtful about it.
///
/// # Errors
/// Exit code 2 with every mistake found.
pub fn resolve(document: &Document, voice: Voice) -> Result<(Network, Resolved), Failure> {
    let (network, resolved) = load(document, voice)?;
    warn(&resolved.warnings.0, voice);
    Ok((network, resolved))
}

/// [`resolve`], the warnings left to the caller.
///
/// # Errors
/// Exit code 2 with every mistake found.
pub fn load(document: &Document, voice: Voice) -> Result<(Network, Resolved), Failure> {
    let source = document.network_source()?;
    let mut network = read_definition(&source.definition.path, voice)?;
    let resolved = document.resolve(&network)?;
    check_cost(&resolved.experiment)?;
    if let Some(weights) = &source.weights {
        load_weights(&mut network, &weights.path, voice)?;
    }
    Ok((network, resolved))
}

/// Says `warnings`, of a great many the first.
pub fn warn(warnings: &[Problem], voice: Voice) {
    for warning in warnings.iter().take(MISTAKES_SHOWN) {
        voice.say(Mistake::from(warning).into_warning().rendered().trim_end());
    }
    if warnings.len() > MISTAKES_SHOWN {
        voice.say(&format!("{} warnings, {MISTAKES_SHOWN} shown", warnings.len()));
    }
}

/// Refuses energies that do not fit the operating point, before anything is run.
///
/// # Errors
/// Exit code 2.
pub fn check_cost(experiment: &Experiment) -> Result<(), Failure> {
    EnergyFigures::of(experiment).map(drop).map_err(|error| Failure::refused(&error))
}

/// Reads a network definition and says what the importer left out.
///
/// # Errors
/// Exit code 2 at the place in the definition.
pub fn read_definition(path: &Path, voice: Voice) -> Result<Network, Failure> {
    let network = network::read_definition(path).map_err(|error| refused(path, &error))?;
    for note in &network.notes {
        voice.say(&format!("note: {note}"));
    }
    Ok(network)
}

/// Loads trained weights into `network` and says what the file holds beside them.
///
/// # Errors
/// Exit code 2 if they do not fit the definition or the file is damaged.
pub fn load_weights(network: &mut Network, path: &Path, voice: Voice) -> Result<(), Failure> {
    let notes = network::load_weights(network, path).map_err(|error| refused(path, &error))?;
    for note in &notes {
        voice.say(&format!("note: {note}"));
    }
    Ok(())
}

fn refused(path: &Path, error: &network::Error) -> Failure {
    match error.source_span() {
        Some((text, span)) => {
            let mistake = Mistake::new(error.detail());
            Failure::bad_input(vec![mistake.at(&path.display().to_string(), &text, span, "here")])
        }
        None => Failure::refused(error),
    }
}
