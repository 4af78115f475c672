//! `[network]` and `[dataset]`: files and how they are read.

use super::document::open_regular;
use super::problem::{Problem, Problems};
use super::reader::{Section, number, text, unexpected};
use super::tree::{Entry, Value};
use crate::dataset;
use crate::experiment::{DatasetSource, InputFile, NetworkSource};
use crate::network::Network;
use std::path::PathBuf;

const FINITE: &str = "a finite binary32 number";
const FINITE_NON_ZERO: &str = "a finite binary32 number other than 0";

/// Reads `[network]`.
pub(super) fn network(root: &Section<'_>, problems: &mut Problems) -> Option<NetworkSource> {
    let section = root.required_section(
        "network",
        "`network.definition` names the file that defines the network",
        problems,
    )?;
    section.check_keys(&["definition", "weights"], problems);
    section.require("definition", "the file that defines the network, for example a .prototxt", problems);
    let definition = file(&section, "definition", problems);
    let weights = section.find("weights").map(|_| file(&section, "weights", problems));
    match weights {
        None => Some(NetworkSource { definition: definition?, weights: None }),
        Some(weights) => Some(NetworkSource { definition: definition?, weights: Some(weights?) }),
    }
}

/// Reads `[dataset]`; `network` tells how many channels there are.
pub(super) fn dataset(
    root: &Section<'_>,
    network: Option<&Network>,
    problems: &mut Problems,
) -> Option<DatasetSource> {
    let section = root.required_section(
        "dataset",
        "`dataset.kind`, `dataset.images` and `dataset.labels` name the evaluation images",
        problems,
    )?;
    section.check_keys(&["kind", "images", "labels", "scale", "mean", "std"], problems);
    for (key, purpose) in [
        ("kind", "the kind of the files: `mnist`"),
        ("images", "the file that holds the images"),
        ("labels", "the file that holds the labels"),
    ] {
        section.require(key, purpose, problems);
    }
    let kind = section.choice("kind", &[("mnist", dataset::Kind::Mnist)], problems);
    let images = file(&section, "images", problems);
    let labels = file(&section, "labels", problems);
    let scale = section.number("scale", FINITE_NON_ZERO, is_finite_non_zero, problems).unwrap_or(1.0) as f32;
    let channels = network.map(|network| network.blob(network.input()).shape.channels);
    let mean = per_channel(&section, "mean", FINITE, is_finite, channels, problems);
    let std = per_channel(&section, "std", FINITE_NON_ZERO, is_finite_non_zero, channels, problems);
    Some(DatasetSource {
        kind: kind?,
        images: images?,
        labels: labels?,
        scale,
        mean: mean.unwrap_or_else(|| vec![0.0]),
        std: std.unwrap_or_else(|| vec![1.0]),
    })
}

/// Whether the binary32 number that will be used is finite.
fn is_finite(value: f64) -> bool {
    (value as f32).is_finite()
}

/// Whether the binary32 number that will be used is finite and not 0.
fn is_finite_non_zero(value: f64) -> bool {
    is_finite(value) && value as f32 != 0.0
}

/// One number, or a list of one number per channel.
fn per_channel(
    section: &Section<'_>,
    key: &str,
    expected: &str,
    is_valid: fn(f64) -> bool,
    channels: Option<usize>,
    problems: &mut Problems,
) -> Option<Vec<f32>> {
    let node = &section.find(key)?.node;
    let name = section.key(key);
    let Value::List(items) = &node.value else {
        let expected = format!("{expected}, or a list of one per channel");
        return number(&name, node, &expected, is_valid, problems).map(|value| vec![value as f32]);
    };
    if items.is_empty() {
        problems.push(unexpected(&name, node, &format!("{expected}, or a list of one per channel")));
    } else if let Some(channels) = channels
        && ![1, channels].contains(&items.len())
    {
        let message = format!(
            "`{name}` lists {} numbers, but the network's input has {}",
            items.len(),
            if channels == 1 { "1 channel".into() } else { format!("{channels} channels") }
        );
        problems.push(
            Problem::new(&node.location, message, format!("{} numbers", items.len()))
                .with_help("give one number, or one per channel"),
        );
    }
    let values = items.iter().map(|item| number(&name, item, expected, is_valid, problems));
    // Every item is looked at, so that each wrong one is noted.
    values.collect::<Vec<_>>().into_iter().map(|value| value.map(|value| value as f32)).collect()
}

/// The regular, readable file that `key` names.
fn file(section: &Section<'_>, key: &str, problems: &mut Problems) -> Option<InputFile> {
    let entry = section.find(key)?;
    let name = section.key(key);
    let typed = text(&name, &entry.node, "a string: the path of a file", problems)?;
    if typed.is_empty() || typed.contains('\0') {
        problems.push(unexpected(&name, &entry.node, "the path of a file"));
        return None;
    }
    let path = resolved(entry, typed);
    match open_regular(&path) {
        Ok(_) => Some(InputFile { typed: typed.to_owned(), path }),
        Err(reason) => {
            let message = format!("`{name}`: cannot read the file {}: {reason}", path.display());
            let problem = Problem::new(&entry.node.location, message, reason);
            let starts_here = entry.node.location.source.directory.as_os_str().is_empty();
            let start = if starts_here { "working directory" } else { "folder of the configuration file" };
            problems.push(problem.with_help(format!("relative paths start at the {start}")));
            None
        }
    }
}

/// `typed`, starting at the folder of the configuration file or, in an override, at the working directory.
fn resolved(entry: &Entry, typed: &str) -> PathBuf {
    entry.node.location.source.directory.join(typed)
}
