//! `approxmem reproduce`: the paper's tables and figures, ours beside them.

use super::arguments::{Reproducing, ReproductionPart};
use super::failure::{Failure, Mistake};
use super::output;
use super::progress::Voice;
use super::run::in_pool;
use super::session;
use crate::config::Document;
use crate::network::spelling;
use crate::report::SCHEMA_VERSION;
use crate::reproduction::{
    self, DOMINANT, FOLDER, Files, Folders, Given, Home, Measurement, NetworkFigures, Parts, Plan, RunTime,
    SOURCES, Sheet, Source, Subject, Times,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The document.
const DOCUMENT: &str = "reproduction.md";

/// Run times, in [`FOLDER`].
const TIMES: &str = "times.json";

/// Tables and claims as JSON, in [`FOLDER`].
const TABLES: &str = "tables.json";

/// Where results go when no folder is named.
const DEFAULT_FOLDER: &str = "results/reproduction";

/// Measures the networks that were asked for, as far as they and their images are there, and prints or writes what was asked for.
///
/// # Errors
/// Exit code 2 for names, folders and files that are none, exit code 1 if a network cannot be measured or a file not be written.
pub fn reproduce(asked: &Reproducing, voice: Voice) -> Result<(), Failure> {
    let request = Request::read(asked)?;
    let saved = if let Some(folder) = &asked.from {
        let saved = Saved::read(folder, &SOURCES.iter().collect::<Vec<_>>())?;
        let is_defined = matches!(
            asked.part,
            ReproductionPart::Table1 | ReproductionPart::Table2 | ReproductionPart::Table4
        );
        if saved.measurements.is_empty() && !is_defined {
            let names: Vec<_> = SOURCES.iter().map(|source| format!("{}.json", source.name)).collect();
            let message = format!("--from: `{}` holds no measurement", folder.display());
            let help = format!("measurements are named {}", names.join(", "));
            return Err(Failure::bad_input(vec![Mistake::new(message).with_help(help)]));
        }
        saved
    } else {
        let mut saved = request.saved_of_others()?;
        request.measure(&mut saved, voice)?;
        saved
    };
    let subjects = request.subjects(&saved, voice)?;
    request.refuse_missing(&subjects)?;
    request.deliver(&subjects, &saved, voice)
}

/// The command line, checked.
struct Request<'a> {
    asked: &'a Reproducing,
    networks: Vec<&'static Source>,
    /// Whether the networks were named.
    are_named: bool,
    folders: Folders,
    weights: BTreeMap<&'static str, PathBuf>,
    given: Given,
}

/// Measurements and run times by network.
#[derive(Default)]
struct Saved {
    measurements: BTreeMap<String, Measurement>,
    times: Times,
}

impl<'a> Request<'a> {
    fn read(asked: &'a Reproducing) -> Result<Self, Failure> {
        let folders = Folders { checkout: asked.checkout.clone(), data: asked.data.clone() };
        for (option, folder) in
            [("--data", &asked.data), ("--from", &asked.from), ("--checkout", &Some(asked.checkout.clone()))]
        {
            if let Some(folder) = folder.as_ref().filter(|folder| !folder.is_dir()) {
                let message = format!("{option}: `{}` is no folder", folder.display());
                return Err(Failure::bad_input(vec![Mistake::new(message)]));
            }
        }
        let mut weights = BTreeMap::new();
        for text in &asked.weights {
            let (name, file) = assignment("--weights", text, "NETWORK=FILE")?;
            let source = named("--weights", name)?;
            if !Path::new(file).is_file() {
                let message = format!("--weights: `{file}` is no file");
                return Err(Failure::bad_input(vec![Mistake::new(message)]));
            }
            weights.insert(source.name, PathBuf::from(file));
        }
        let mut given = Given::new();
        for text in &asked.paper_widths {
            let (name, widths) = assignment("--paper-widths", text, "NETWORK=B1,B2,B3,B4,B5")?;
            given.insert(published(name)?.into(), paper_widths(text, widths)?);
        }
        let mut networks = Vec::new();
        for name in &asked.networks {
            networks.push(named("--networks", name)?);
        }
        let are_named = !networks.is_empty();
        if !are_named {
            let is_there = |source: &&Source| source.home == Home::Checkout || asked.data.is_some();
            networks = SOURCES.iter().filter(is_there).collect();
        }
        Ok(Self { asked, networks, are_named, folders, weights, given })
    }

    fn part(&self) -> ReproductionPart {
        self.asked.part
    }

    /// What the part that was asked for needs; `None`: definitions alone.
    fn parts(&self) -> Option<Parts> {
        use ReproductionPart as P;
        let parts = |single, joint, random| Some(Parts { single, joint, random });
        match self.part() {
            P::Table1 => parts(false, false, false),
            P::Table2 => None,
            P::Table3 | P::Figure4 => parts(true, false, false),
            P::Table4 | P::Figure5 | P::Figure6 => parts(true, true, false),
            P::Figure7 | P::Figure8 => parts(false, false, true),
            P::All => parts(true, true, true),
        }
    }

    /// The folder of the document, where one is written.
    fn document_folder(&self) -> Option<PathBuf> {
        (self.part() == ReproductionPart::All).then(|| self.out()).flatten()
    }

    /// The folder to write to. Charts and the document are files; tables are printed, and written where a folder is named.
    fn out(&self) -> Option<PathBuf> {
        let is_printed = self.asked.json || self.part().is_table();
        self.asked.out.clone().or_else(|| (!is_printed).then(|| PathBuf::from(DEFAULT_FOLDER)))
    }

    /// What the folder of the document already holds of networks that are not measured.
    fn saved_of_others(&self) -> Result<Saved, Failure> {
        let Some(folder) = self.document_folder() else { return Ok(Saved::default()) };
        let others = SOURCES.iter().filter(|source| !self.networks.contains(source));
        Saved::read(&folder.join(FOLDER), &others.collect::<Vec<_>>())
    }

    /// Measures every network of the request; saves each as soon as it is measured, where a document is written.
    fn measure(&self, saved: &mut Saved, voice: Voice) -> Result<(), Failure> {
        let Some(parts) = self.parts() else { return Ok(()) };
        for source in &self.networks {
            let weights = self.weights.get(source.name).map(PathBuf::as_path);
            let files = match self.folders.files(source, weights) {
                Ok(files) => files,
                Err(absent) => {
                    voice.say(&format!("{} is not measured: {}", source.name, absent.0));
                    continue;
                }
            };
            let (measurement, time) = self.measure_one(source, &files, parts, voice)?;
            if let Some(folder) = self.document_folder() {
                saved.times.insert(source.name.into(), time.clone());
                let files = [
                    (format!("{}.json", source.name), output::json(&measurement)),
                    (TIMES.to_owned(), output::json(&saved.times)),
                ];
                output::write_files(&folder.join(FOLDER), files)?;
            }
            saved.times.insert(source.name.into(), time);
            saved.measurements.insert(source.name.into(), measurement);
        }
        Ok(())
    }

    fn measure_one(
        &self,
        source: &'static Source,
        files: &Files,
        parts: Parts,
        voice: Voice,
    ) -> Result<(Measurement, RunTime), Failure> {
        let start = Instant::now();
        let configuration = files.configuration(self.asked.images, self.asked.seed);
        let document = Document::parse(Path::new(source.name), &configuration)?;
        let (network, resolved) = session::load(&document, voice)?;
        let plan = Plan::of(source.size, parts, self.asked.trials, self.command(source), self.given.clone());
        let teller = voice.teller();
        let progress = |line: &str| teller.tell(&format!("{}: {line}", source.name));
        let measured = in_pool(self.asked.threads, || {
            let prepared = super::run::prepare(network, &resolved.experiment)?;
            let read = start.elapsed().as_secs_f64();
            let threads = rayon::current_num_threads() as u64;
            let measured = reproduction::measure(source, &resolved.experiment, &prepared, &plan, &progress);
            let (measurement, mut seconds) = measured.map_err(|error| Failure::broken(&error))?;
            seconds.insert("read".into(), read);
            Ok((measurement, RunTime { threads, seconds }))
        })?;
        teller.finish();
        measured
    }

    /// The command that measures `source`, without the folders of this machine.
    fn command(&self, source: &Source) -> String {
        let mut command =
            format!("approxmem reproduce --networks {} --seed {}", source.name, self.asked.seed);
        for (option, value) in [("--images", self.asked.images), ("--trials", self.asked.trials)] {
            command.extend(value.map(|value| format!(" {option} {value}")));
        }
        if self.weights.contains_key(source.name) {
            command.extend([" --weights ", source.name, "=FILE"]);
        }
        if let Some(widths) =
            source.published.and_then(|name| self.given.get(name).map(|widths| (name, widths)))
        {
            let bits: Vec<_> = widths.1.iter().map(u32::to_string).collect();
            command.extend([" --paper-widths ", widths.0, "=", &bits.join(",")]);
        }
        if self.asked.data.is_some() {
            command.push_str(" --data DATA");
        }
        command
    }

    /// All networks that there is something to tell of.
    fn subjects<'s>(&self, saved: &'s Saved, voice: Voice) -> Result<Vec<Subject<'s>>, Failure> {
        let mut subjects = Vec::new();
        for source in &SOURCES {
            let measured = saved.measurements.get(source.name);
            let is_asked = self.networks.contains(&source);
            if !is_asked && (measured.is_none() || self.are_named && self.document_folder().is_none()) {
                continue;
            }
            let definition = match (measured, self.folders.definition(source)) {
                (Some(measured), _) => measured.definition.clone(),
                (None, Some(path)) => definition(&path)?,
                (None, None) => {
                    voice.say(&format!("{} is left out: it is in the folder that --data names", source.name));
                    continue;
                }
            };
            subjects.push(Subject { source, definition, measured });
        }
        Ok(subjects)
    }

    /// Networks that were named must be there: with a definition, and where the part shows measurements, measured.
    fn refuse_missing(&self, subjects: &[Subject<'_>]) -> Result<(), Failure> {
        use ReproductionPart as P;
        let shows_definitions = matches!(self.part(), P::Table1 | P::Table2 | P::Table4 | P::All);
        let is_there = |source: &&&Source| {
            let subject = subjects.iter().find(|subject| subject.source.name == source.name);
            subject.is_some_and(|subject| shows_definitions || subject.measured.is_some())
        };
        let (there, missing): (Vec<&&Source>, Vec<&&Source>) = self.networks.iter().partition(is_there);
        if missing.is_empty() || !(self.are_named || there.is_empty()) {
            return Ok(());
        }
        let names: Vec<_> = missing.iter().map(|source| source.name).collect();
        let message = format!("{}: nothing to show of {}", self.part().name(), names.join(", "));
        let help = match &self.asked.from {
            Some(folder) => format!("`{}` holds no measurement of it", folder.display()),
            None => "the notes above say what is missing: --data DIR or --weights NETWORK=FILE".to_owned(),
        };
        Err(Failure::bad_input(vec![Mistake::new(message).with_help(help)]))
    }

    /// Prints and writes what was asked for.
    fn deliver(&self, subjects: &[Subject<'_>], saved: &Saved, voice: Voice) -> Result<(), Failure> {
        let value = self.value(subjects);
        if self.asked.json {
            output::print(&output::json(&value))?;
        }
        let (folder, files) = match self.out() {
            Some(folder) => (folder.clone(), self.files(subjects, saved, &value)?),
            None => (PathBuf::new(), Vec::new()),
        };
        if !files.is_empty() {
            output::write_files(&folder, files.iter().map(|(name, text)| (name, text)))?;
        }
        if self.asked.json {
            return Ok(());
        }
        let text = self.text(subjects);
        output::print(&text)?;
        for (name, _) in &files {
            voice.say(&format!("written: {}", folder.join(name).display()));
        }
        Ok(())
    }

    /// Tables and claims as JSON; figures as the measurements that they show.
    fn value(&self, subjects: &[Subject<'_>]) -> Value {
        use ReproductionPart as P;
        let measured: Vec<&Measurement> = subjects.iter().filter_map(|subject| subject.measured).collect();
        let (table1, table2) = (json!(reproduction::table1(subjects)), json!(reproduction::table2(subjects)));
        let (table3, claims) = (json!(reproduction::table3(subjects)), json!(reproduction::claims(subjects)));
        let table4 = json!(reproduction::table4(subjects, &self.given));
        match self.part() {
            P::Table1 => json!({ "schema_version": SCHEMA_VERSION, "table1": table1 }),
            P::Table2 => json!({ "schema_version": SCHEMA_VERSION, "table2": table2 }),
            P::Table3 => json!({ "schema_version": SCHEMA_VERSION, "table3": table3 }),
            P::Table4 => json!({ "schema_version": SCHEMA_VERSION, "table4": table4 }),
            P::Figure4 | P::Figure5 | P::Figure6 => {
                json!({ "schema_version": SCHEMA_VERSION, "measurements": measured })
            }
            P::Figure7 | P::Figure8 => {
                json!({ "schema_version": SCHEMA_VERSION, "claims": claims, "measurements": measured })
            }
            P::All => json!({
                "schema_version": SCHEMA_VERSION,
                "table1": table1,
                "table2": table2,
                "table3": table3,
                "table4": table4,
                "claims": claims,
            }),
        }
    }

    /// What stands on the terminal.
    fn text(&self, subjects: &[Subject<'_>]) -> String {
        use ReproductionPart as P;
        let table4 = || {
            let table = reproduction::table4(subjects, &self.given);
            vec![reproduction::table4_sheet(&table), reproduction::schemes_sheet(&table)]
        };
        let sheets = match self.part() {
            P::Table1 => vec![reproduction::table1_sheet(&reproduction::table1(subjects))],
            P::Table2 => vec![reproduction::table2_sheet(&reproduction::table2(subjects))],
            P::Table3 | P::Figure4 => reproduction::table3_sheets(&reproduction::table3(subjects)),
            P::Table4 | P::Figure5 | P::Figure6 => table4(),
            P::Figure7 | P::Figure8 => reproduction::claims_sheets(subjects, &reproduction::claims(subjects)),
            P::All => {
                let mut sheets = vec![
                    reproduction::table1_sheet(&reproduction::table1(subjects)),
                    reproduction::table2_sheet(&reproduction::table2(subjects)),
                ];
                sheets.extend(reproduction::table3_sheets(&reproduction::table3(subjects)));
                sheets.extend(table4());
                sheets.extend(reproduction::claims_sheets(subjects, &reproduction::claims(subjects)));
                sheets
            }
        };
        let shown: Vec<String> =
            sheets.iter().filter(|sheet| !sheet.rows.is_empty()).map(Sheet::text).collect();
        if shown.is_empty() {
            return "nothing was measured: see the notes on standard error\n".into();
        }
        shown.join("\n")
    }

    /// Files in the folder: for all parts the document with its charts, for a figure its charts, for a table its JSON.
    fn files(
        &self,
        subjects: &[Subject<'_>],
        saved: &Saved,
        value: &Value,
    ) -> Result<Vec<(String, String)>, Failure> {
        let broken = |error: crate::report::chart::ChartError| Failure::broken(&error);
        if self.part() == ReproductionPart::All {
            let document = reproduction::document(subjects, &self.given, &saved.times).map_err(broken)?;
            let charts = document.charts.into_iter().map(|(name, svg)| (format!("{FOLDER}/{name}"), svg));
            let mut files = vec![(DOCUMENT.to_owned(), document.text)];
            files.push((format!("{FOLDER}/{TABLES}"), output::json(value)));
            files.extend(charts);
            return Ok(files);
        }
        let mut files = vec![(format!("{}.json", self.part().name()), output::json(value))];
        if let Some(number) = self.part().figure() {
            for figure in reproduction::figures(number, subjects) {
                files.push((figure.file.clone(), figure.svg().map_err(broken)?));
            }
        }
        Ok(files)
    }
}

impl Saved {
    /// What `folder` holds of `sources`.
    fn read(folder: &Path, sources: &[&Source]) -> Result<Self, Failure> {
        let mut saved = Self::default();
        for source in sources {
            let file = folder.join(format!("{}.json", source.name));
            if let Some(text) = text_of(&file)? {
                let measurement = Measurement::parse(&file.display().to_string(), &text);
                let measurement = measurement.map_err(|error| Failure::refused(&error))?;
                saved.measurements.insert(source.name.into(), measurement);
            }
        }
        let file = folder.join(TIMES);
        if let Some(text) = text_of(&file)? {
            saved.times = serde_json::from_str(&text).map_err(|error| {
                let message = format!("`{}` holds no run times: {error}", file.display());
                Failure::bad_input(vec![Mistake::new(message)])
            })?;
        }
        Ok(saved)
    }
}

/// What the definition at `path` tells.
fn definition(path: &Path) -> Result<NetworkFigures, Failure> {
    if !path.is_file() {
        let message = format!("`{}` is missing", path.display());
        let help = "run in a checkout of the project, or name it with --checkout DIR; see --help for what --data names";
        return Err(Failure::bad_input(vec![Mistake::new(message).with_help(help)]));
    }
    Ok(NetworkFigures::of(&session::read_definition(path, Voice::new(true))?))
}

/// The text of `file`; `None` if there is no such file.
fn text_of(file: &Path) -> Result<Option<String>, Failure> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let message = format!("`{}` cannot be read: {error}", file.display());
            Err(Failure::bad_input(vec![Mistake::new(message)]))
        }
    }
}

/// `NAME=VALUE`.
fn assignment<'t>(option: &str, text: &'t str, expected: &str) -> Result<(&'t str, &'t str), Failure> {
    text.split_once('=').filter(|(name, value)| !name.is_empty() && !value.is_empty()).ok_or_else(|| {
        Failure::bad_input(vec![Mistake::new(format!("{option}: found `{text}`, expected {expected}"))])
    })
}

/// The network called `name`.
fn named(option: &str, name: &str) -> Result<&'static Source, Failure> {
    reproduction::source(name).ok_or_else(|| unknown(option, name, SOURCES.iter().map(|source| source.name)))
}

/// The network of the paper called `name`.
fn published(name: &str) -> Result<&'static str, Failure> {
    let known = || reproduction::NETWORKS.iter().map(|network| network.name);
    known().find(|known| *known == name).ok_or_else(|| unknown("--paper-widths", name, known()))
}

fn unknown<'n>(option: &str, name: &str, known: impl Iterator<Item = &'n str> + Clone) -> Failure {
    let names = known.clone().collect::<Vec<_>>().join(", ");
    let help = match spelling::nearest(name, known) {
        Some(nearest) => format!("did you mean `{nearest}`? The networks are {names}"),
        None => format!("the networks are {names}"),
    };
    Failure::bad_input(vec![Mistake::new(format!("{option}: no network is called `{name}`")).with_help(help)])
}

/// Five numbers of bits.
fn paper_widths(text: &str, widths: &str) -> Result<reproduction::Widths, Failure> {
    let bits = |field: &str| field.trim().parse().ok().filter(|bits| (1..=32).contains(bits));
    let widths: Option<Vec<u32>> = widths.split(',').map(bits).collect();
    widths.and_then(|widths| widths.try_into().ok()).ok_or_else(|| {
        let message =
            format!("--paper-widths: found `{text}`, expected NETWORK= and {DOMINANT} numbers from 1 to 32");
        Failure::bad_input(vec![Mistake::new(message)])
    })
}
