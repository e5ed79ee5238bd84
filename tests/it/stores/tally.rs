//! How much was asked of each runtime's disks, and which answers were wrong.

use std::collections::{BTreeMap, BTreeSet};

use crate::{judged, tree};

#[derive(Default)]
pub(super) struct Tally {
    /// For each runtime, the disks that were asked, how much of what was compared, and the wrong answers.
    runtimes: BTreeMap<String, Figures>,
}

#[derive(Default)]
struct Figures {
    disks: BTreeSet<String>,
    compared: BTreeMap<&'static str, usize>,
    wrong: Vec<String>,
}

/// Answers of one disk to a question.
pub(super) struct Answers<'a> {
    pub(super) disk: &'a str,
    tally: &'a mut Tally,
}

impl Tally {
    pub(super) fn of<'a>(&'a mut self, disk: &'a str) -> Answers<'a> {
        Answers { disk, tally: self }
    }

    /// Tells the figures, and fails if an answer was wrong.
    pub(super) fn tell(self, question: &str) {
        let mut all = Vec::new();
        for (runtime, figures) in self.runtimes {
            let disks = if runtime.starts_with("archives") { "archives" } else { "disks" };
            let mut compared = vec![(figures.disks.len(), disks)];
            compared.extend(figures.compared.into_iter().map(|(what, count)| (count, what)));
            judged::tell(&format!("{runtime}, {question}"), &compared, figures.wrong.len());
            all.extend(figures.wrong);
        }
        tree::assert_same(&all);
    }
}

impl Answers<'_> {
    fn figures(&mut self, runtime: &str) -> &mut Figures {
        let figures = self.tally.runtimes.entry(runtime.to_owned()).or_default();
        if !figures.disks.contains(self.disk) {
            figures.disks.insert(self.disk.to_owned());
        }
        figures
    }

    /// So many more were compared.
    pub(super) fn count(&mut self, runtime: &str, what: &'static str, count: usize) {
        *self.figures(runtime).compared.entry(what).or_default() += count;
    }

    pub(super) fn wrong(&mut self, runtime: &str, line: &str) {
        let line = format!("{}: {line}", self.disk);
        self.figures(runtime).wrong.push(line);
    }

    pub(super) fn same<T: PartialEq + std::fmt::Debug>(
        &mut self,
        runtime: &str,
        what: &str,
        found: T,
        wanted: T,
    ) {
        if found != wanted {
            self.wrong(runtime, &format!("{what}: found {found:?}, wanted {wanted:?}"));
        }
    }
}
