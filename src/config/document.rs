//! A configuration as typed: one file and its overrides.

use super::key::{Assignment, quoted};
use super::problem::{Location, Problem, Problems, Source};
use super::reader::Section;
use super::tree::{Entry, Node, Table, Value};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toml::de::{DeTable, DeValue};

/// Largest configuration file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 4 << 20;
/// Most keys and list items in it. The most detailed configurations have three or so per data subset and setting.
const MAX_ENTRIES: usize = 100_000;
/// Most errors of the TOML parser that are looked at: a file of another kind has one on each line.
const MAX_SYNTAX_ERRORS: usize = 1000;
/// Most of them that are reported.
const MAX_SYNTAX_PROBLEMS: usize = 20;

/// A configuration file with the overrides applied to it; nothing but its syntax has been checked.
#[derive(Clone, Debug)]
pub struct Document {
    root: Table,
    /// Where the file starts.
    start: Location,
    /// The file, then each override, in the order of application.
    sources: Vec<Arc<Source>>,
}

impl Document {
    /// Reads the configuration file at `path`. Relative paths in it start at its folder.
    ///
    /// # Errors
    /// If it cannot be read, is no UTF-8 text, is larger than 4 MiB, or breaks the syntax of TOML (the first 20 places that do).
    pub fn read(path: &Path) -> Result<Self, Problems> {
        let refused = |message: String| {
            let source =
                Source { name: path.display().to_string(), text: "".into(), directory: PathBuf::new() };
            let at = Location { source: Arc::new(source), span: 0..0 };
            Problems::from(Problem::new(&at, message, "cannot be read"))
        };
        let file = open_regular(path).map_err(|reason| refused(format!("cannot read the file: {reason}")))?;
        let mut bytes = Vec::new();
        file.take(MAX_FILE_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| refused(format!("cannot read the file: {error}")))?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(refused("the file is larger than 4 MiB: it is no configuration".into()));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Self::parse(path, &text),
            Err(error) => Err(refused(format!(
                "the file is not UTF-8 text: byte {} starts no character",
                error.utf8_error().valid_up_to()
            ))),
        }
    }

    /// The configuration `text` of the file at `path`, which is not read: messages name it and relative paths start at its
    /// folder.
    ///
    /// # Errors
    /// The first 20 places that break the syntax of TOML; more than 100,000 keys and list items.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Problems> {
        let source = Arc::new(Source {
            name: path.display().to_string(),
            text: text.into(),
            directory: path.parent().map(Path::to_path_buf).unwrap_or_default(),
        });
        let (table, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            return Err(syntax_problems(&source, &errors, 0));
        }
        let root = Table::from_toml(table.get_ref(), &source, 0);
        if root.entries_within() > MAX_ENTRIES {
            let at = Location { source, span: 0..0 };
            let message =
                format!("the file has more than {MAX_ENTRIES} keys and list items: it is no configuration");
            return Err(Problem::new(&at, message, "here").into());
        }
        let start = Location { source: Arc::clone(&source), span: 0..0 };
        Ok(Self { root, start, sources: vec![source] })
    }

    /// Applies an override as typed after `--set`: `dotted.key=value`. Names that contain a dot are quoted
    /// (`formats."weight_*".bits=8`); the value is a TOML value, or else a string. Missing tables are created, an existing
    /// value is replaced. Relative paths start at the working directory.
    ///
    /// # Errors
    /// If the text is no such assignment, or the key leads through a value that is no table.
    pub fn set(&mut self, assignment: &str) -> Result<(), Problems> {
        self.assign("--set", assignment)
    }

    /// [`Document::set`] with the name of the option that the user typed: `assign("--seed", "experiment.seed=7")`.
    ///
    /// # Errors
    /// As [`Document::set`].
    pub fn assign(&mut self, option: &str, assignment: &str) -> Result<(), Problems> {
        self.assign_routed(option, assignment, |_, parsed| Ok(parsed))
    }

    /// [`Document::assign`] of a key that `route` leads to where it belongs.
    pub(super) fn assign_routed(
        &mut self,
        option: &str,
        assignment: &str,
        route: impl FnOnce(&Arc<Source>, Assignment) -> Result<Assignment, Problem>,
    ) -> Result<(), Problems> {
        let source =
            Arc::new(Source { name: option.to_owned(), text: assignment.into(), directory: PathBuf::new() });
        let parsed = Assignment::parse(assignment).map_err(|error| {
            let at = Location { source: Arc::clone(&source), span: error.span };
            Problem::new(&at, error.message, "here")
                .with_help("write `dotted.key=value`, for example `memories.dram.ber=1e-3`")
        })?;
        let parsed = route(&source, parsed)?;
        let value = typed_value(&source, &parsed)?;
        self.insert(&source, &parsed, value)?;
        self.sources.push(source);
        Ok(())
    }

    fn insert(&mut self, source: &Arc<Source>, assignment: &Assignment, value: Node) -> Result<(), Problem> {
        let at = |span: &std::ops::Range<usize>| Location { source: Arc::clone(source), span: span.clone() };
        let Some(((last, last_span), path)) = assignment.segments.split_last() else {
            return Ok(());
        };
        let mut table = &mut self.root;
        let mut walked = Vec::new();
        for (name, span) in path {
            walked.push(quoted(name));
            let entry = table.find_or_insert_with(name, || Entry {
                key: name.clone(),
                key_location: at(span),
                node: Node { value: Value::Table(Table::default()), location: at(span) },
            });
            let description = entry.node.description();
            let Value::Table(inner) = &mut entry.node.value else {
                let message = format!("`{}` is {description}, not a table: it has no keys", walked.join("."));
                return Err(Problem::new(&at(span), message, "not a table")
                    .with_related(&entry.node.location, "set here"));
            };
            table = inner;
        }
        let entry = table.find_or_insert_with(last, || Entry {
            key: last.clone(),
            key_location: at(last_span),
            node: value.clone(),
        });
        entry.node = value;
        Ok(())
    }

    /// Every setting as typed, file and overrides together: dotted key and value, in the order of the text. A list is one value.
    pub fn settings(&self) -> Vec<(String, String)> {
        fn walk(path: &str, table: &Table, settings: &mut Vec<(String, String)>) {
            for entry in &table.entries {
                let key = if path.is_empty() {
                    quoted(&entry.key)
                } else {
                    format!("{path}.{}", quoted(&entry.key))
                };
                match &entry.node.value {
                    Value::Table(inner) => walk(&key, inner, settings),
                    Value::Text(text) => settings.push((key, text.clone())),
                    _ => settings.push((key, entry.node.location.text().to_owned())),
                }
            }
        }
        let mut settings = Vec::new();
        walk("", &self.root, &mut settings);
        settings
    }

    /// The top level as a section.
    pub(super) fn root(&self) -> Section<'_> {
        Section::new(String::new(), &self.root, &self.start)
    }

    /// Sorts problems by where they were typed: the file first, then the overrides.
    pub(super) fn sorted(&self, mut problems: Problems) -> Problems {
        let rank = |source: &Arc<Source>| self.sources.iter().position(|known| Arc::ptr_eq(known, source));
        problems.0.sort_by_key(|problem| (rank(&problem.source), problem.span.start));
        problems
    }
}

/// The value of an override: a TOML value, or the text itself unless it starts like a string, list or table.
fn typed_value(source: &Arc<Source>, assignment: &Assignment) -> Result<Node, Problems> {
    let span = assignment.value.clone();
    let text = &source.text[span.clone()];
    let (value, errors) = DeValue::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(Node::from_toml(&value, source, span.start));
    }
    if text.starts_with(['"', '\'', '[', '{']) {
        return Err(syntax_problems(source, &errors, span.start));
    }
    Ok(Node { value: Value::Text(text.to_owned()), location: Location { source: Arc::clone(source), span } })
}

/// One problem per line that breaks the syntax: what follows on the same line is mostly a consequence. So is every line
/// after an inline table that is not closed.
pub(super) fn syntax_problems(source: &Arc<Source>, errors: &[toml::de::Error], start: usize) -> Problems {
    let is_inside_table = |message: &str| {
        message.starts_with("missing comma between key-value pairs")
            || message.starts_with("missing key for inline table element")
    };
    let end = source.text.len();
    let mut problems = Problems::default();
    for error in &errors[..errors.len().min(MAX_SYNTAX_ERRORS)] {
        let span = error.span().map_or(end..end, |span| span.start + start..span.end + start);
        let at = Location { source: Arc::clone(source), span };
        let problem = Problem::new(&at, format!("TOML syntax: {}", error.message()), "not valid TOML");
        problems.push(if is_inside_table(error.message()) {
            problem.with_help("is a `{` before this place not closed?")
        } else {
            problem
        });
    }
    problems.0.sort_by_key(|problem| problem.span.start);
    problems.0.dedup_by_key(|problem| problem.line());
    let mut is_first = true;
    problems.0.retain(|problem| problem.help.is_none() || std::mem::take(&mut is_first));
    problems.0.truncate(MAX_SYNTAX_PROBLEMS);
    problems
}

/// Opens `path` if it is a regular file; a pipe or device could block or never end.
///
/// # Errors
/// The reason, for a message.
pub(super) fn open_regular(path: &Path) -> Result<std::fs::File, String> {
    let metadata = std::fs::metadata(path).map_err(|error| reason(&error))?;
    if metadata.is_dir() {
        return Err("it is a folder".into());
    }
    if !metadata.is_file() {
        return Err("it is no regular file".into());
    }
    std::fs::File::open(path).map_err(|error| reason(&error))
}

/// What the system says, for a message.
pub(super) fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "it does not exist".into(),
        std::io::ErrorKind::PermissionDenied => "permission denied".into(),
        _ => error.to_string(),
    }
}
