//! Packages and a database in, findings out.

mod evaluate;
mod fold;
pub mod range;

use std::collections::BTreeSet;

use super::{
    database::{Database, Entry},
    ecosystem,
    finding::{Finding, Why},
    version::Scheme,
};
use crate::{
    error::FormatError,
    inventory::{self, Os, Package, PackageKind},
};

/// Whether the database can say anything about packages of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// It has advisories for them: no finding means that none applies.
    Covered,
    /// It has none for this distribution or ecosystem: no finding means nothing.
    NoAdvisories,
    /// It has some for the distribution, but another vendor made the package: no finding means nothing.
    Foreign,
}

/// What the database says about a package.
#[derive(Debug, Clone, PartialEq)]
pub struct Matches {
    /// The findings, sorted by id.
    pub findings: Vec<Finding>,
    /// Whether the database has advisories for the package's distribution or ecosystem.
    pub coverage: Coverage,
    /// Whether the version does not follow its scheme, so that only exact matches were found.
    pub unordered: bool,
}

impl Matches {
    /// The answer for a package that no advisories are about.
    pub fn nothing() -> Self {
        Self { findings: Vec::new(), coverage: Coverage::NoAdvisories, unordered: false }
    }
}

/// A record that holds a package's version.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hit {
    entry: Entry,
    fixed: Option<String>,
    why: Why,
}

/// By which rules records are read.
enum Rules<'a> {
    /// The OSV schema's alone: every record whose ranges or versions hold the version.
    Osv,
    /// Those, and what distributions mean by their records, for an installed package.
    Installed(&'a Package),
}

impl Rules<'_> {
    fn want(&self, entry: &Entry) -> bool {
        match self {
            Self::Osv => true,
            Self::Installed(package) => applies(entry, package),
        }
    }
}

/// What is looked up.
struct Subject<'a> {
    ecosystem: &'a str,
    name: &'a str,
    version: &'a str,
    scheme: Scheme,
}

impl Database {
    /// The findings for an installed package.
    pub fn matches(&self, package: &Package, os: Option<&Os>) -> Result<Matches, FormatError> {
        let Some(ecosystem) = ecosystem::of(package.kind, os) else { return Ok(Matches::nothing()) };
        if !is_the_distributions(package, os) {
            return Ok(Matches { coverage: Coverage::Foreign, ..Matches::nothing() });
        }
        let (name, version) = ecosystem::subject(package);
        let purl = inventory::purl(package, os);
        self.find(&ecosystem, name, version, &purl, Rules::Installed(package))
    }

    /// The findings for a name and version of an ecosystem, exactly as the OSV schema evaluates records.
    /// `package` is what the findings call it.
    pub fn evaluate(
        &self,
        ecosystem: &str,
        name: &str,
        version: &str,
        package: &str,
    ) -> Result<Matches, FormatError> {
        self.find(ecosystem, name, version, package, Rules::Osv)
    }

    /// Whether there are advisories for packages of a kind, of a distribution if it is one of its own.
    pub fn covers(&self, os: Option<&Os>, kind: PackageKind) -> Coverage {
        ecosystem::of(kind, os).map_or(Coverage::NoAdvisories, |ecosystem| self.coverage(&ecosystem))
    }

    fn coverage(&self, ecosystem: &str) -> Coverage {
        match self.about().ecosystems.get(ecosystem) {
            Some(1..) => Coverage::Covered,
            _ => Coverage::NoAdvisories,
        }
    }

    fn find(
        &self,
        ecosystem: &str,
        name: &str,
        version: &str,
        package: &str,
        rules: Rules<'_>,
    ) -> Result<Matches, FormatError> {
        let coverage = self.coverage(ecosystem);
        let Some(scheme) = ecosystem::scheme(ecosystem) else {
            return Ok(Matches { findings: Vec::new(), coverage, unordered: false });
        };
        let name = ecosystem::name(ecosystem, name);
        let subject = Subject { ecosystem, name: &name, version, scheme };
        let (mut hits, mut cleared) = (Vec::new(), BTreeSet::new());
        self.entries(ecosystem, &name, |entry| {
            if rules.want(&entry) {
                let record = entry.record.clone();
                match evaluate::hit(&subject, &rules, entry) {
                    Some(hit) => hits.push(hit),
                    None => drop(cleared.insert(record)),
                }
            }
        })?;
        for hit in &hits {
            cleared.remove(&hit.entry.record);
        }
        let findings = fold::findings(self, &subject, package, &rules, hits, &cleared)?;
        Ok(Matches { findings, coverage, unordered: !scheme.accepts(version) })
    }
}

/// Packages of others (their vendor says so) are not the distribution's to fix. dpkg names a person, so
/// that only rpm tells.
fn is_the_distributions(package: &Package, os: Option<&Os>) -> bool {
    let (PackageKind::Rpm, Some(vendor), Some(os)) = (package.kind, &package.vendor, os) else { return true };
    let known = [("almalinux", "almalinux"), ("rocky", "rocky")];
    let word = known.iter().find(|(id, _)| *id == os.id).map(|(_, word)| word);
    word.is_none_or(|word| vendor.to_ascii_lowercase().contains(word))
}

/// Fixes of an rpm module are for packages of that module and stream only, other fixes for packages of no
/// module only: versions of different streams do not compare.
fn applies(entry: &Entry, package: &Package) -> bool {
    if package.kind != PackageKind::Rpm {
        return true;
    }
    let modular = package.module.is_some() || package.version.contains(".module");
    match (&entry.module, &package.module) {
        (None, _) => !modular,
        (Some(stream), Some(label)) if !stream.is_empty() => {
            label.strip_prefix(stream.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        }
        (Some(_), _) => modular,
    }
}
