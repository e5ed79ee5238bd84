//! Progress on a terminal.

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use icecore::scan::Progress;
use indicatif::{ProgressBar, ProgressStyle};

use super::args::When;

/// A bar on standard error, or nothing.
pub(crate) struct Bar(Option<ProgressBar>);

impl Bar {
    pub(crate) fn new(when: When, quiet: bool) -> Self {
        let show = match when {
            When::Always => true,
            When::Auto => io::stderr().is_terminal(),
            When::Never => false,
        };
        if quiet || !show {
            return Self(None);
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{msg:>12} [{bar:30}] {pos}/{len} {elapsed}") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        bar.set_message("disks");
        Self(Some(bar))
    }

    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Bar {
    fn stage(&self, name: &'static str, steps: u64) {
        if let Some(bar) = &self.0 {
            bar.reset();
            bar.set_length(steps);
            bar.set_message(name);
        }
    }

    fn step(&self) {
        if let Some(bar) = &self.0 {
            bar.inc(1);
        }
    }
}
