//! What is said on standard error while a command runs.

use indicatif::{ProgressBar, ProgressStyle};

use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Speaks on standard error, unless it was told to be quiet.
#[derive(Clone, Copy, Debug)]
pub struct Voice {
    quiet: bool,
}

impl Voice {
    /// A voice; a quiet one says nothing.
    pub fn new(quiet: bool) -> Self {
        Self { quiet }
    }

    /// Says one line.
    pub fn say(self, line: &str) {
        if !self.quiet {
            // Nobody to hear it is no failure.
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }

    /// A bar over `steps` steps of `what`; silent when standard error is no terminal.
    pub fn bar(self, steps: u64, what: &'static str) -> ProgressBar {
        if self.quiet || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}, {eta} left")
            .expect("the template is valid");
        ProgressBar::new(steps).with_style(style).with_message(what)
    }

    /// Says what is being done.
    pub fn teller(self) -> Teller {
        let is_shown = !self.quiet && std::io::stderr().is_terminal();
        let style =
            ProgressStyle::with_template("{elapsed_precise} {wide_msg}").expect("the template is valid");
        let spinner =
            if is_shown { ProgressBar::new_spinner().with_style(style) } else { ProgressBar::hidden() };
        let start = Instant::now();
        Teller { voice: self, spinner, is_shown, start, last: Mutex::new(start) }
    }
}

/// Seconds between two lines where standard error is no terminal.
const PAUSE_S: u64 = 20;

/// What is being done: a line that changes or, where standard error is no terminal, a line now and then.
pub struct Teller {
    voice: Voice,
    spinner: ProgressBar,
    is_shown: bool,
    start: Instant,
    last: Mutex<Instant>,
}

impl Teller {
    /// Tells what is being done now.
    pub fn tell(&self, line: &str) {
        if self.is_shown {
            self.spinner.set_message(line.to_owned());
            return;
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed().as_secs() >= PAUSE_S {
            *last = Instant::now();
            self.voice.say(&format!("{} s: {line}", self.start.elapsed().as_secs()));
        }
    }

    /// Nothing is done any more.
    pub fn finish(self) {
        self.spinner.finish_and_clear();
    }
}
