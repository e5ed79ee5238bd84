//! Packages and a database in, findings out.

mod fold;
mod judge;
mod near;
pub mod range;
pub(super) mod requirement;
mod rules;

use std::collections::{BTreeMap, BTreeSet};

pub use near::{NearMiss, Reason};

use self::{
    judge::{Held, Judgement},
    rules::Subject,
};
use super::{
    advisory::Statement,
    database::{Database, Entry},
    ecosystem,
    finding::{Elsewhere, Finding, Why},
    version::Scheme,
};
use crate::{
    error::FormatError,
    inventory::{self, Os, Package, PackageKind},
};

/// Whether the database can say anything about packages of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Coverage {
    /// It has advisories for them: no finding means that none applies.
    Covered,
    /// It has none for this distribution or ecosystem: no finding means nothing.
    NoAdvisories,
    /// It has some for the distribution, but another vendor made the package: no finding means nothing.
    Foreign,
    /// Its ecosystem files advisories under names that have a part which is not known of the package (Maven's group): no
    /// finding means nothing.
    Unnamed,
}

/// What the database says about a package.
#[derive(Debug, Clone, PartialEq)]
pub struct Matches {
    /// The findings, sorted by id.
    pub findings: Vec<Finding>,
    /// The records that are no finding, if they were asked for, sorted by id.
    pub near_misses: Vec<NearMiss>,
    /// Whether the database has advisories for the package's distribution or ecosystem.
    pub coverage: Coverage,
    /// Whether the version does not follow its scheme, so that only exact matches were found.
    pub unordered: bool,
}

impl Matches {
    /// The answer for a package that no advisories are about.
    pub fn nothing() -> Self {
        Self {
            findings: Vec::new(),
            near_misses: Vec::new(),
            coverage: Coverage::NoAdvisories,
            unordered: false,
        }
    }
}

/// How a package is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    /// Whether records that are no finding are wanted too.
    pub near_misses: bool,
    /// Whether a kernel of this package can be the one that runs: not in an image.
    pub kernel_runs: bool,
    /// Whether a package of the distribution installed it, and the distribution's advisories speak of that one.
    pub is_owned: bool,
}

impl Default for Asked {
    fn default() -> Self {
        Self { near_misses: false, kernel_runs: true, is_owned: false }
    }
}

/// A record that holds a package's version.
#[derive(Debug, Clone)]
struct Hit<'a> {
    entry: &'a Entry,
    statement: &'a Statement,
    fixed: Option<String>,
    why: Why,
}

/// A record that does not.
#[derive(Debug, Clone)]
struct Miss<'a> {
    entry: &'a Entry,
    statement: &'a Statement,
    reason: Reason,
    why: Why,
}

/// What records say about a package.
#[derive(Default)]
struct Found<'a> {
    hits: Vec<Hit<'a>>,
    /// Only if they were asked for.
    misses: Vec<Miss<'a>>,
    /// Records that say that the version is not affected.
    cleared: BTreeSet<&'a str>,
    /// Fixes that only systems on another line of updates get.
    elsewhere: Vec<(&'a Entry, Elsewhere)>,
}

/// What is asked about a package.
struct Question<'a> {
    ecosystem: &'a str,
    /// What findings call it.
    package: &'a str,
    scheme: Scheme,
    /// Whether an advisory without vulnerabilities of its own is reported by its own id, whatever it is about.
    by_records: bool,
    /// Why nothing of it is a finding.
    suppressed: Option<Reason>,
    asked: Asked,
}

impl Database {
    /// The findings for an installed package.
    pub fn matches(&self, package: &Package, os: Option<&Os>) -> Result<Matches, FormatError> {
        self.answer(package, os, Asked::default())
    }

    /// What there is to say about an installed package.
    pub fn answer(&self, package: &Package, os: Option<&Os>, asked: Asked) -> Result<Matches, FormatError> {
        let Some(ecosystem) = ecosystem::of(package.kind, os) else { return Ok(Matches::nothing()) };
        let Some(scheme) = ecosystem::scheme(&ecosystem) else { return Ok(Matches::nothing()) };
        if !rules::is_the_distributions(package, os) {
            return Ok(Matches { coverage: Coverage::Foreign, ..Matches::nothing() });
        }
        if package.kind == PackageKind::Maven && !package.name.contains(':') {
            return Ok(Matches { coverage: Coverage::Unnamed, ..Matches::nothing() });
        }
        let names = ecosystem::names(&ecosystem, package);
        let channel = rules::channel(&ecosystem, package);
        let subjects = names.iter().map(|name| Subject {
            name: &name.name,
            version: &name.version,
            scheme: name.scheme,
            is_source: name.is_source,
            channel,
            installed: Some(package),
        });
        let question = Question {
            ecosystem: &ecosystem,
            package: &inventory::purl(package, os),
            scheme,
            by_records: false,
            suppressed: rules::suppressed(package, asked),
            asked,
        };
        let mut matches = self.find(&question, &subjects.collect::<Vec<_>>())?;
        matches.findings.iter_mut().for_each(|finding| finding.declared = package.declared);
        Ok(matches)
    }

    /// The findings for a name and version of an ecosystem, exactly as the OSV schema evaluates records.
    /// `package` is what the findings call it.
    pub fn evaluate(
        &self,
        ecosystem: &str,
        name: &str,
        version: &str,
        package: &str,
        asked: Asked,
    ) -> Result<Matches, FormatError> {
        let (ecosystem, channel) = ecosystem::osv(ecosystem);
        let Some(scheme) = ecosystem::scheme(&ecosystem) else {
            return Ok(Matches { coverage: self.coverage(&ecosystem), ..Matches::nothing() });
        };
        let name = &ecosystem::name(&ecosystem, name);
        let channel = channel.as_deref();
        let subject = |is_source| Subject { name, version, scheme, is_source, channel, installed: None };
        let ecosystem = ecosystem.as_str();
        let question = Question { ecosystem, package, scheme, by_records: true, suppressed: None, asked };
        self.find(&question, &[subject(false), subject(true)])
    }

    /// Whether there are advisories for packages of a kind, of a distribution if it is one of its own.
    pub fn covers(&self, os: Option<&Os>, kind: PackageKind) -> Coverage {
        ecosystem::of(kind, os).map_or(Coverage::NoAdvisories, |ecosystem| self.coverage(&ecosystem))
    }

    /// Whether vulnerabilities of a distribution's package are found by the distribution's own advisories: what it brought
    /// along is then the distribution's to fix, and its versions say nothing of fixes.
    pub fn speaks_of(&self, package: &Package, os: Option<&Os>) -> bool {
        rules::is_the_distributions(package, os) && self.covers(os, package.kind) == Coverage::Covered
    }

    fn coverage(&self, ecosystem: &str) -> Coverage {
        match self.about().ecosystems.get(ecosystem) {
            Some(1..) => Coverage::Covered,
            _ => Coverage::NoAdvisories,
        }
    }

    fn find(&self, question: &Question<'_>, subjects: &[Subject<'_>]) -> Result<Matches, FormatError> {
        let mut matches = Matches {
            coverage: self.coverage(question.ecosystem),
            unordered: subjects.iter().any(|subject| !subject.scheme.accepts(subject.version)),
            ..Matches::nothing()
        };
        let Ok(release) = self.release(question.ecosystem) else { return Ok(matches) };
        let (family, _) = ecosystem::family(question.ecosystem);
        let held: Vec<_> =
            subjects.iter().map(|subject| self.entries(family, subject.name)).collect::<Result<_, _>>()?;
        let mut found = Found::default();
        for (subject, entries) in subjects.iter().zip(&held) {
            for entry in entries.iter() {
                self.look(question, subject, release, entry, &mut found);
            }
        }
        if !(found.hits.is_empty() && found.misses.is_empty()) {
            (matches.findings, matches.near_misses) = fold::fold(self, question, found)?;
        }
        Ok(matches)
    }

    /// Puts what an entry says about a release among the hits or the misses.
    fn look<'a>(
        &self,
        question: &Question<'_>,
        subject: &Subject<'_>,
        release: Option<u16>,
        entry: &'a Entry,
        found: &mut Found<'a>,
    ) {
        let why = |range: String, scheme: &str| Why {
            record: entry.record.clone(),
            source: self.feed(entry).to_owned(),
            ecosystem: question.ecosystem.to_owned(),
            name: subject.name.to_owned(),
            version: subject.version.to_owned(),
            range,
            scheme: scheme.to_owned(),
        };
        let (mut is_hit, mut is_cleared) = (false, false);
        // By the reason: a record may have a range for each branch of a package.
        let mut missed: BTreeMap<Reason, (&Statement, Vec<String>)> = BTreeMap::new();
        for (statement, barred) in subject.statements(entry, release) {
            let judgement = barred.map_or_else(|| subject.judge(statement), Judgement::Clear);
            match judgement {
                Judgement::Affected(Held { range, fixed, scheme }) => {
                    is_hit = true;
                    found.hits.push(Hit { entry, statement, fixed, why: why(range, scheme) });
                }
                Judgement::Clear(reason) => {
                    is_cleared |= matches!(reason, Reason::OtherVersion | Reason::NotAffected);
                    if reason == Reason::OtherChannel {
                        found.elsewhere.extend(statement.elsewhere().map(|fix| (entry, fix)));
                    }
                    if question.asked.near_misses {
                        let held = missed.entry(reason).or_insert_with(|| (statement, Vec::new()));
                        held.1.push(statement.versions_text());
                    }
                }
            }
        }
        if is_hit {
            return;
        }
        if is_cleared {
            found.cleared.insert(&entry.record);
        }
        found.misses.extend(missed.into_iter().map(|(reason, (statement, ranges))| {
            let why = why(ranges.join(" or "), subject.scheme.name());
            Miss { entry, statement, reason, why }
        }));
    }
}
