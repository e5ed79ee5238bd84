//! An advisory in the one form into which every source's own is brought: what it says about packages, and
//! what it says about the vulnerability.

use serde::{Deserialize, Serialize};

use super::{cvss, matching::range::Range};

/// One record of a source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Advisory {
    /// The source's own id.
    pub id: String,
    /// When it last changed (RFC 3339, or a date). Of records with the same id and source the newest counts.
    pub modified: Option<String>,
    /// Whether it is withdrawn, or about a malicious package rather than a vulnerable one: it takes the place
    /// of older ones and says nothing.
    pub set_aside: bool,
    /// Other ids of the same vulnerability.
    pub aliases: Vec<String>,
    /// What it says about the vulnerability.
    pub rating: Rating,
    /// What it says for people.
    pub details: Details,
    /// What it says about packages.
    pub claims: Vec<Claim>,
}

/// How bad the vulnerability is, or the vulnerabilities are, as one source says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rating {
    /// The vulnerabilities that it is about, if it is a distribution's advisory about several.
    pub members: Vec<String>,
    /// CVSS vectors with who gave them, best first.
    pub cvss: Vec<(Provider, String)>,
    /// The source's own word for its severity.
    pub severity: Option<String>,
}

/// Who gave a CVSS vector, the one to believe first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Provider {
    /// The source of the advisory itself.
    #[default]
    Source,
    /// The National Vulnerability Database.
    Nvd,
    /// The authority that assigned the CVE id.
    Cna,
    /// Somebody else who is authorized to add to CVE records.
    Adp,
}

impl Provider {
    /// The vectors among some texts that it gave, best first, each once.
    pub(super) fn vectors<'a>(self, texts: impl IntoIterator<Item = &'a str>) -> Vec<(Self, String)> {
        cvss::sorted(texts.into_iter()).into_iter().map(|vector| (self, vector)).collect()
    }

    /// The word for it in reports.
    pub fn text(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Nvd => "nvd",
            Self::Cna => "cna",
            Self::Adp => "adp",
        }
    }
}

/// What a source says for people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// One line.
    pub title: Option<String>,
    /// Some sentences, at most [`crate::limits::DESCRIPTION_BYTES`].
    pub description: Option<String>,
    /// When it became known (RFC 3339, or a date).
    pub published: Option<String>,
    /// When the record last changed (RFC 3339, or a date).
    pub modified: Option<String>,
    /// The weaknesses behind it (`CWE-79`).
    pub weaknesses: Vec<String>,
    /// Where to read more, at most [`crate::limits::REFERENCES`].
    pub references: Vec<String>,
}

impl Details {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        let Self { title, description, published, modified: _, weaknesses, references } = self;
        title.is_none()
            && description.is_none()
            && published.is_none()
            && weaknesses.is_empty()
            && references.is_empty()
    }
}

/// A statement and the package that it is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Claim {
    /// The ecosystem as OSV names it, with the release after a colon (`Debian:12`, `PyPI`).
    pub ecosystem: String,
    /// The package's name in it.
    pub name: String,
    /// What is said.
    pub statement: Statement,
}

/// What an advisory says about a package.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Statement {
    /// Whether it is affected within the ranges and versions below.
    pub state: State,
    /// Ranges of versions. Neither these nor versions nor requirements: what is said holds for every version.
    pub ranges: Vec<Range>,
    /// Single versions that no range holds.
    pub versions: Vec<String>,
    /// What the source says in its ecosystem's own requirements instead.
    pub requirements: Option<Requirements>,
    /// Where a range without an end is known to reach (`<= 1.2.3`); the OSV schema does not know it.
    pub bound: Option<String>,
    /// The source's word for how urgent it is for this package.
    pub urgency: Option<String>,
    /// The rpm module (`name:stream`, or empty if the advisory does not tell) that it is about.
    pub module: Option<String>,
    /// The architectures that it is about; all if there is none.
    pub arches: Vec<String>,
    /// The line of updates that it is about, which a system must have been put on (`esm-infra`, `eus:9.2`,
    /// `fips`); `None` for the updates that every system gets.
    pub channel: Option<String>,
    /// Whether the name is the source package's, in an ecosystem that names binary packages elsewhere.
    pub is_source: bool,
    /// The source's reason, in its own words.
    pub note: Option<String>,
}

/// Versions as an ecosystem's own tools write them (`>= 1.2, < 2`, `~> 3.1`): a version is affected if one of
/// `affected` holds, or there is none, and none of the others does.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Requirements {
    /// Of affected versions.
    pub affected: Vec<String>,
    /// Of versions that have the fix.
    pub patched: Vec<String>,
    /// Of versions that never had the fault.
    pub unaffected: Vec<String>,
}

/// What a source says about a package and a vulnerability.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum State {
    /// Affected.
    #[default]
    Affected,
    /// Affected; the fix is put off.
    Deferred,
    /// Affected, and no fix is to come.
    WillNotFix,
    /// Not affected, whatever the version.
    NotAffected,
    /// Not known yet.
    UnderInvestigation,
    /// A remark that is no vulnerability: a package that nobody maintains any more.
    Informational,
}
