//! Where results go: standard output, and files that appear whole or not at all.

use super::failure::{Failure, Mistake};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Folder of the results when none is asked for.
const DEFAULT_PARENT: &str = "results";

/// The folder into which result files will be written.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    files: &'static [&'static str],
}

impl Folder {
    /// The folder asked for, or `results/NAME` of the configuration; `None` when only JSON on standard output is wanted.
    /// Tried before anything is run: it must be possible to create `files` there.
    ///
    /// # Errors
    /// Exit code 1 if a part of the path is no folder or cannot be written.
    pub fn choose(
        asked: Option<&Path>,
        json: bool,
        config: &Path,
        files: &'static [&'static str],
    ) -> Result<Option<Self>, Failure> {
        let path = match asked {
            Some(path) => path.to_owned(),
            None if json => return Ok(None),
            None => Path::new(DEFAULT_PARENT).join(config.file_stem().unwrap_or(config.as_os_str())),
        };
        let existing = path.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("."));
        let existing = if existing.as_os_str().is_empty() { Path::new(".") } else { existing };
        if let Err(error) = tempfile::tempfile_in(existing) {
            return Err(refused(&path, &error));
        }
        if let Some(folder) = files.iter().map(|file| path.join(file)).find(|file| file.is_dir()) {
            return Err(refused(&folder, &io::ErrorKind::IsADirectory.into()));
        }
        Ok(Some(Self { path, files }))
    }

    /// Writes each file whole, all under other names first, then renamed; `contents` in the order of the names.
    ///
    /// # Errors
    /// Exit code 1 if the folder or a file cannot be written; files that had not been renamed are removed.
    pub fn write(&self, contents: &[&str]) -> Result<(), Failure> {
        let files = self.files.iter().zip(contents);
        write_files(&self.path, files.map(|(name, content)| (*name, *content)))
    }

    /// Where the results are, for the user.
    pub fn summary(&self) -> String {
        format!("results: {}/{{{}}}\n", self.path.display(), self.files.join(", "))
    }
}

/// Writes each of `files`, pairs of a path in `folder` and a content, whole: all under other names first, then renamed.
///
/// # Errors
/// Exit code 1 if a folder or file cannot be written; files that had not been renamed are removed.
pub fn write_files<N: AsRef<Path>, C: AsRef<str>>(
    folder: &Path,
    files: impl IntoIterator<Item = (N, C)>,
) -> Result<(), Failure> {
    let refused = |error: io::Error| refused(folder, &error);
    let mut complete = Vec::new();
    for (name, content) in files {
        let path = folder.join(name);
        let own = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(own).map_err(refused)?;
        let mut file = tempfile::Builder::new().tempfile_in(own).map_err(refused)?;
        file.write_all(content.as_ref().as_bytes()).map_err(refused)?;
        readable_by_all(file.as_file()).map_err(refused)?;
        complete.push((path, file));
    }
    for (path, file) in complete {
        file.persist(path).map_err(|error| refused(error.error))?;
    }
    Ok(())
}

/// Temporary files are private; results are not.
#[cfg(unix)]
pub fn readable_by_all(file: &std::fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
pub fn readable_by_all(_: &std::fs::File) -> io::Result<()> {
    Ok(())
}

fn refused(path: &Path, error: &io::Error) -> Failure {
    let message = format!("cannot write results to `{}`: {error}", path.display());
    Failure::run(Mistake::new(message).with_help("name a folder that can be written with --out DIR"))
}

/// Prints `text` on standard output; a reader that has gone away is no failure.
///
/// # Errors
/// Exit code 1 if standard output cannot be written for another reason.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::broken(&error)),
        _ => Ok(()),
    }
}

/// A value as indented JSON with a final newline.
///
/// # Panics
/// Never for the result types: their keys are strings and their numbers finite or null.
pub fn json(value: &impl serde::Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("result types serialise");
    text.push('\n');
    text
}
