//! Files that the configuration names, and `[network]` and `[trace]`, which are nothing else.

use super::document::{open_regular, reason};
use super::problem::{Problem, Problems};
use super::reader::{Section, text, unexpected};
use super::tree::Node;
use crate::experiment::{InputFile, NetworkSource};
use std::path::Path;

/// Table of a layer trace that takes the place of the computed one.
pub(super) const TRACE: &str = "trace";

/// Reads `[network]`.
pub(super) fn network(root: &Section<'_>, problems: &mut Problems) -> Option<NetworkSource> {
    let section = network_section(root, problems)?;
    let definition = file(&section, "definition", problems);
    let weights = section.find("weights").map(|_| file(&section, "weights", problems));
    match weights {
        None => Some(NetworkSource { definition: definition?, weights: None }),
        Some(weights) => Some(NetworkSource { definition: definition?, weights: Some(weights?) }),
    }
}

/// Reads the definition of the network, whatever its weights.
pub(super) fn definition(root: &Section<'_>, problems: &mut Problems) -> Option<InputFile> {
    let section = network_section(root, problems)?;
    file(&section, "definition", problems)
}

fn network_section<'d>(root: &Section<'d>, problems: &mut Problems) -> Option<Section<'d>> {
    let purpose = "`network.definition` names the file that defines the network";
    let section = root.required_section("network", purpose, problems)?;
    section.check_keys(&["definition", "weights"], problems);
    section.require("definition", "the file that defines the network, for example a .prototxt", problems);
    Some(section)
}

/// Reads `[trace]`: the inner `None` if there is none, the outer one if something is wrong (noted).
#[expect(clippy::option_option, reason = "left out, wrong and right are three things")]
pub(super) fn trace(root: &Section<'_>, problems: &mut Problems) -> Option<Option<InputFile>> {
    if root.find(TRACE).is_none() {
        return Some(None);
    }
    let section = root.section(TRACE, problems)?;
    section.check_keys(&["file"], problems);
    section.require("file", "the layer trace: TOML or CSV", problems);
    file(&section, "file", problems).map(Some)
}

/// The regular, readable file that `key` names.
pub(super) fn file(section: &Section<'_>, key: &str, problems: &mut Problems) -> Option<InputFile> {
    file_at(&section.key(key), &section.find(key)?.node, problems)
}

/// The regular, readable file that `node`, the value of `name`, is the path of.
pub(super) fn file_at(name: &str, node: &Node, problems: &mut Problems) -> Option<InputFile> {
    let is_readable = |path: &Path| open_regular(path).map(drop);
    path(name, node, "file", is_readable, problems)
}

/// The readable folder that `key` names.
pub(super) fn folder(section: &Section<'_>, key: &str, problems: &mut Problems) -> Option<InputFile> {
    let is_readable = |path: &Path| match std::fs::metadata(path) {
        Ok(metadata) if !metadata.is_dir() => Err("it is no folder".into()),
        Ok(_) => std::fs::read_dir(path).map(drop).map_err(|error| reason(&error)),
        Err(error) => Err(reason(&error)),
    };
    path(&section.key(key), &section.find(key)?.node, "folder", is_readable, problems)
}

/// The path in `node`, of a thing called `what` for which `check` gives no reason against it. It starts at the folder of
/// the configuration file or, in an override, at the working directory.
fn path(
    name: &str,
    node: &Node,
    what: &str,
    check: impl Fn(&Path) -> Result<(), String>,
    problems: &mut Problems,
) -> Option<InputFile> {
    let typed = text(name, node, &format!("a string: the path of a {what}"), problems)?;
    if typed.is_empty() || typed.contains('\0') {
        problems.push(unexpected(name, node, &format!("the path of a {what}")));
        return None;
    }
    let directory = &node.location.source.directory;
    let path = directory.join(typed);
    match check(&path) {
        Ok(()) => Some(InputFile { typed: typed.to_owned(), path }),
        Err(reason) => {
            let message = format!("`{name}`: cannot read the {what} {}: {reason}", path.display());
            let problem = Problem::new(&node.location, message, reason);
            let starts_here = directory.as_os_str().is_empty();
            let start = if starts_here { "working directory" } else { "folder of the configuration file" };
            problems.push(problem.with_help(format!("relative paths start at the {start}")));
            None
        }
    }
}
