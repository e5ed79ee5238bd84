//! Progress on a terminal.

use std::{
    fmt,
    io::{self, IsTerminal},
    sync::Arc,
    time::Duration,
};

use clap::ValueEnum;
use icecore::{block::Counter, scan::Progress};
use indicatif::{HumanBytes, ProgressBar, ProgressState, ProgressStyle};

/// When it is shown.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    Auto,
    Always,
    Never,
}

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
        bar.set_style(style(Arc::default()));
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

/// What is being read, how much of it is done, and the bytes that were read.
fn style(counter: Arc<Counter>) -> ProgressStyle {
    let show = move |_: &ProgressState, to: &mut dyn fmt::Write| {
        // A line that cannot be drawn is drawn again.
        let _ = write!(to, "{}", HumanBytes(counter.bytes()));
    };
    let style = ProgressStyle::with_template("{msg:>12} [{bar:30}] {pos}/{len} {read} {elapsed}");
    style.unwrap_or_else(|_| ProgressStyle::default_bar()).with_key("read", show).progress_chars("=> ")
}

impl Progress for Bar {
    fn reading(&self, counter: &Arc<Counter>) {
        if let Some(bar) = &self.0 {
            bar.set_style(style(Arc::clone(counter)));
        }
    }

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
