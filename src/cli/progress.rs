//! What is said on standard error while a command runs.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal as _, Write as _};

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
}
