//! The network of a resolved experiment run on its accelerator, so that every figure of it is known.

use super::accelerator;
use super::document::Document;
use super::files;
use super::problem::{Location, Problem, Problems, Source};
use crate::accelerator::Trace;
use crate::accelerator::lowering;
use crate::accelerator::trace_file::{self, Format};
use crate::experiment::{Experiment, InputFile};
use crate::network::Network;
use std::sync::Arc;

/// Largest file of a layer trace, in bytes: a million rows.
const MOST_TRACE_BYTES: u64 = 256 << 20;

impl Document {
    /// Runs `network` on the accelerator of `experiment`, if it has one.
    pub(super) fn start(&self, experiment: &mut Experiment, network: &Network) -> Result<(), Problems> {
        let given = experiment.trace.as_ref().map(given_trace).transpose()?;
        let Some(accelerator) = &experiment.accelerator else {
            return match given {
                None => Ok(()),
                Some(_) => Err(self.problem_at(
                    files::TRACE,
                    "a layer trace needs the accelerator that it is of: [accelerator] is missing".to_owned(),
                )),
            };
        };
        let operations = lowering::operations(network, &accelerator.fuse)
            .map_err(|error| self.problem_at(accelerator::TABLE, error.to_string()))?;
        let table = if given.is_some() { files::TRACE } else { accelerator::TABLE };
        experiment.start(operations, given).map_err(|error| self.problem_at(table, error.to_string()))
    }

    /// A problem of the table `table`.
    fn problem_at(&self, table: &str, message: String) -> Problems {
        let root = self.root();
        let place = root.find(table).map_or(root.location(), |entry| &entry.key_location);
        Problems(vec![Problem::new(place, message, "this table")])
    }
}

/// The layer trace in `file`: TOML or CSV by its extension.
///
/// # Errors
/// Every mistake in it, with its place.
pub fn given_trace(file: &InputFile) -> Result<Trace, Problems> {
    let source = |text: &str| {
        Arc::new(Source { name: file.typed.clone(), text: text.into(), directory: std::path::PathBuf::new() })
    };
    let refused = |message: String| {
        Problems(vec![Problem::new(&Location { source: source(""), span: 0..0 }, message, "this file")])
    };
    let extension = file.path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let format = Format::of_extension(extension).ok_or_else(|| {
        refused(format!(
            "layer trace `{}`: found the extension `{extension}`, expected .toml or .csv",
            file.typed
        ))
    })?;
    let length = std::fs::metadata(&file.path).map(|metadata| metadata.len());
    if let Ok(length) = length
        && length > MOST_TRACE_BYTES
    {
        let message = format!("found {length} bytes, expected a layer trace of at most {MOST_TRACE_BYTES}");
        return Err(refused(format!("`{}`: {message}", file.typed)));
    }
    let text = std::fs::read_to_string(&file.path)
        .map_err(|error| refused(format!("cannot read the layer trace `{}`: {error}", file.typed)))?;
    trace_file::read(&text, format).map_err(|problems| {
        let source = source(&text);
        let of = |problem: crate::accelerator::problem::Problem| {
            let place = Location { source: Arc::clone(&source), span: problem.span };
            let problem_here = Problem::new(&place, problem.message, "here");
            match problem.help {
                Some(help) => problem_here.with_help(help),
                None => problem_here,
            }
        };
        Problems(problems.0.into_iter().map(of).collect())
    })
}
