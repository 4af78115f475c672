//! How a command fails: what is printed on standard error, and the exit code.

use crate::config::{Problem, Problems, Related};
use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, Severity, SourceCode,
    ThemeCharacters, ThemeStyles,
};
use std::error::Error;
use std::fmt::{self, Write as _};
use std::io::{IsTerminal as _, Write as _};
use std::ops::Range;
use std::sync::Arc;

/// Most mistakes, and most warnings, that are shown.
pub const MISTAKES_SHOWN: usize = 100;

/// Most bytes of a text that are shown around a place.
const PICTURE_BYTES: usize = 4_000;

/// Whether the lines of `span`, with the ones before and behind them, can be shown.
fn is_showable(text: &str, span: Range<usize>) -> bool {
    let (before, behind) = (text.get(..span.start), text.get(span.end..));
    let (Some(before), Some(behind)) = (before, behind) else { return false };
    let start = before.rmatch_indices('\n').nth(1).map_or(0, |(at, _)| at);
    let end = behind.match_indices('\n').nth(1).map_or(behind.len(), |(at, _)| at);
    span.end - start + end <= PICTURE_BYTES
}

/// Why a command ended without its result.
#[derive(Debug)]
pub struct Failure {
    exit_code: u8,
    mistakes: Vec<Mistake>,
}

impl Failure {
    /// The configuration, the network or the data set is wrong: exit code 2.
    pub fn bad_input(mistakes: Vec<Mistake>) -> Self {
        Self { exit_code: 2, mistakes }
    }

    /// Bad input told by an error of the library and what caused it.
    pub fn refused(error: &(dyn Error + 'static)) -> Self {
        Self::bad_input(vec![Mistake::of(error)])
    }

    /// The run failed: exit code 1.
    pub fn run(mistake: Mistake) -> Self {
        Self { exit_code: 1, mistakes: vec![mistake] }
    }

    /// A failed run told by an error and what caused it.
    pub fn broken(error: &(dyn Error + 'static)) -> Self {
        Self::run(Mistake::of(error))
    }

    /// The exit code.
    pub fn code(&self) -> u8 {
        self.exit_code
    }

    /// Prints every mistake on standard error.
    pub fn print(&self) {
        let mut text: String = self.mistakes.iter().take(MISTAKES_SHOWN).map(Mistake::rendered).collect();
        let count = self.mistakes.len();
        if count > 1 {
            let shown =
                if count > MISTAKES_SHOWN { format!(", {MISTAKES_SHOWN} shown") } else { String::new() };
            writeln!(text, "{count} mistakes found{shown}; nothing was run or written")
                .expect("writing to a string does not fail");
        }
        // Nobody to hear it changes nothing: the exit code tells.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::bad_input(problems.0.iter().map(Mistake::from).collect())
    }
}

/// One thing that is wrong, with the place where it was typed if there is one.
#[derive(Debug)]
pub struct Mistake {
    message: String,
    severity: Severity,
    help: Option<String>,
    source: Option<NamedSource<Arc<str>>>,
    labels: Vec<LabeledSpan>,
}

impl Mistake {
    /// A mistake without a place.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            severity: Severity::Error,
            help: None,
            source: None,
            labels: Vec::new(),
        }
    }

    /// The mistake with a piece of advice.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The mistake at a place of a text.
    #[must_use]
    pub fn at(mut self, name: &str, text: &Arc<str>, span: Range<usize>, label: &str) -> Self {
        self.source = Some(NamedSource::new(name, Arc::clone(text)));
        self.labels = vec![LabeledSpan::new_with_span(Some(label.to_owned()), span)];
        self
    }

    /// The mistake without a picture of its places where that would fill the screen, as of a line of a megabyte: their
    /// lines and columns go before the message.
    fn without_large_pictures(&self) -> Option<Self> {
        let source = self.source.as_ref()?;
        let text = source.inner();
        let spans = || self.labels.iter().map(|label| label.offset()..label.offset() + label.len());
        if spans().all(|span| is_showable(text, span)) {
            return None;
        }
        let place = |offset: usize| {
            let before = &text[..text.floor_char_boundary(offset)];
            let line = before.rfind('\n').map_or(before, |newline| &before[newline + 1..]);
            format!("{}:{}:{}", source.name(), before.matches('\n').count() + 1, line.chars().count() + 1)
        };
        let places: Vec<_> = spans().map(|span| place(span.start)).collect();
        let message = format!("{}: {}", places.join(", "), self.message);
        Some(Self {
            message,
            severity: self.severity,
            help: self.help.clone(),
            source: None,
            labels: Vec::new(),
        })
    }

    fn of(error: &(dyn Error + 'static)) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message = format!("{message}: {error}");
            cause = error.source();
        }
        Self::new(message)
    }

    /// The mistake as a warning: nothing is refused for it.
    #[must_use]
    pub fn into_warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// The mistake as standard error shows it: in colour and with line drawing only if that is a terminal.
    pub fn rendered(&self) -> String {
        if let Some(plain) = self.without_large_pictures() {
            return plain.rendered();
        }
        let mut theme = GraphicalTheme { characters: ThemeCharacters::ascii(), styles: ThemeStyles::none() };
        if std::io::stderr().is_terminal() {
            theme = GraphicalTheme::unicode();
        }
        theme.characters.error = "error:".into();
        theme.characters.warning = "warning:".into();
        let mut text = String::new();
        let handler = GraphicalReportHandler::new_themed(theme).with_width(110);
        handler.render_report(&mut text, self).expect("writing to a string does not fail");
        // The renderer indents the whole report; the severity belongs to the start of the line.
        text.trim_start().to_owned()
    }
}

impl From<&Problem> for Mistake {
    fn from(problem: &Problem) -> Self {
        let mut mistake = Self::new(problem.message.clone());
        mistake.help.clone_from(&problem.help);
        if problem.source.text.is_empty() {
            mistake.message = format!("{}: {}", problem.source.name, problem.message);
            return mistake;
        }
        mistake =
            mistake.at(&problem.source.name, &problem.source.text, problem.span.clone(), &problem.label);
        for Related { label, source, span } in &problem.related {
            if *source == problem.source {
                mistake.labels.push(LabeledSpan::new_with_span(Some(label.clone()), span.clone()));
            } else {
                let text = source.text.get(span.clone()).unwrap_or_default();
                let elsewhere = format!("{label} in {}: {text}", source.name);
                mistake.help =
                    Some(mistake.help.map_or(elsewhere.clone(), |help| format!("{help}\n{elsewhere}")));
            }
        }
        mistake
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Mistake {}

impl Diagnostic for Mistake {
    fn severity(&self) -> Option<Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }
}
