//! A vulnerability of one package, as reports show it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    cvss,
    priority::{Exploitability, Priority},
    suppression::Suppressed,
};

/// How bad it is, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// No source says.
    Unknown,
    /// No impact worth a fix.
    Negligible,
    /// Low.
    Low,
    /// Medium, or moderate.
    Medium,
    /// High, or important.
    High,
    /// Critical.
    Critical,
}

impl Severity {
    /// The word for it, as reports spell it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Negligible => "negligible",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The severity that a vendor's word, in any case, means.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "unimportant" | "negligible" => Self::Negligible,
            "low" => Self::Low,
            "medium" | "moderate" => Self::Medium,
            "high" | "important" => Self::High,
            "critical" => Self::Critical,
            _ => return None,
        })
    }

    /// The severity of a score by its version's scale; 2.0 has no critical.
    pub fn from_rating(rating: cvss::Rating) -> Self {
        match rating.score.tenths() {
            0 => Self::Negligible,
            1..40 => Self::Low,
            40..70 => Self::Medium,
            70..90 => Self::High,
            _ if rating.version == cvss::Version::V2 => Self::High,
            _ => Self::Critical,
        }
    }
}

/// What the source of the record says about the package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The installed version is affected.
    Affected,
    /// The installed version has the fix.
    Fixed,
    /// The package never had it.
    NotAffected,
    /// Affected, and no fix is to come.
    WillNotFix,
    /// The source does not know yet.
    UnderInvestigation,
}

/// What is done about a vulnerability of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fix {
    /// A newer version has the fix.
    Available,
    /// There is no fix yet.
    NotAvailable,
    /// The fix is put off.
    Deferred,
    /// No fix is to come.
    #[serde(rename = "will_not_fix")]
    Never,
}

/// A fix that only systems on another line of updates get.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Elsewhere {
    /// The line of updates (`esm-infra`).
    pub channel: String,
    /// The version that has the fix.
    pub version: String,
}

/// A vulnerability of one package.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The CVE id if there is one, else the source's own.
    pub id: String,
    /// Its other ids.
    pub aliases: Vec<String>,
    /// The ids of the upstream records that matched.
    pub records: Vec<String>,
    /// The package (purl).
    pub package: String,
    /// How bad it is, by the most specific source that says.
    pub severity: Severity,
    /// Its CVSS vectors, best first.
    pub cvss: Vec<Cvss>,
    /// What the source says about the package.
    pub status: Status,
    /// The versions that have the fix, lowest first; empty if there is none.
    pub fixed_in: Vec<String>,
    /// What is done about it.
    pub fix: Fix,
    /// Fixes that only systems on another line of updates get.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixed_elsewhere: Vec<Elsewhere>,
    /// What the source says about it for this package, in its own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Its entry in the catalogue of known exploited vulnerabilities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kev: Option<Kev>,
    /// How likely it is to be exploited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epss: Option<Epss>,
    /// Published exploits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exploits: Vec<Exploit>,
    /// What the exploits and the catalogue come to.
    #[serde(default)]
    pub exploitability: Exploitability,
    /// Its place in the order of what to fix first.
    #[serde(default)]
    pub priority: Priority,
    /// Whether the package is only named by a lock file or a manifest, and may not be there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub declared: bool,
    /// Whether the package is of a kernel of the node that certainly does not run: it was not booted last, and does not boot next.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kernel_not_running: bool,
    /// Who says that it is none here, or need not be heeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppressed: Option<Suppressed>,
    /// Why each record matched.
    pub why: Vec<Why>,
}

impl Finding {
    /// Whether the package has the vulnerability, whatever its vendor means to do, and the user has not said
    /// otherwise.
    pub fn is_open(&self) -> bool {
        self.suppressed.is_none() && matches!(self.status, Status::Affected | Status::WillNotFix)
    }
}

/// A CVSS vector with its score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cvss {
    /// The version of the specification.
    pub version: cvss::Version,
    /// The vector.
    pub vector: String,
    /// The base score, computed from the vector.
    pub score: f64,
    /// Who gave the vector: `source` (of the record), `nvd`, `cna` or `adp`.
    pub provider: String,
}

/// An entry of CISA's catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Kev {
    /// When it was listed (a date).
    pub date_added: String,
    /// Until when US federal agencies must act (a date).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_date: Option<String>,
    /// Whether it is known from ransomware campaigns.
    pub ransomware: bool,
}

/// FIRST's estimate that it is exploited within 30 days.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Epss {
    /// The probability.
    pub score: f64,
    /// The share of vulnerabilities that score lower or the same.
    pub percentile: f64,
    /// The day of the score, if the feed says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
}

/// A published exploit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Exploit {
    /// The collection that holds it (`exploit-db`, `metasploit`), or where it was told of: `reference` of a
    /// record about the vulnerability, or `ssvc`, CISA's assessment.
    pub source: String,
    /// Its id there, or its URL; the assessment's word (`poc`, `active`).
    pub id: String,
    /// How it is used.
    pub kind: ExploitKind,
    /// Whether the collection, or a public authority, saw it work.
    pub verified: bool,
    /// Whether it is part of a kit that runs it.
    pub in_kit: bool,
    /// When it was published (a date).
    pub date: Option<String>,
}

/// How an exploit is used.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ExploitKind {
    /// It is not told.
    #[default]
    Unknown,
    /// It makes a service fail.
    Dos,
    /// From an account on the machine.
    Local,
    /// It gives an account more rights.
    PrivilegeEscalation,
    /// Over the network.
    Remote,
    /// Against a web application.
    WebApps,
}

impl ExploitKind {
    /// Whether an exploit's title says that it gives an account more rights.
    pub(crate) fn raises_rights(title: &str) -> bool {
        let title = title.to_ascii_lowercase();
        ["privilege escalation", "elevation of privilege", "privilege elevation", "priv esc", "privesc"]
            .iter()
            .any(|words| title.contains(words))
    }
}

/// Why a record matched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Why {
    /// The record's id.
    pub record: String,
    /// The feed that it came with.
    pub source: String,
    /// The ecosystem in which the package was looked up.
    pub ecosystem: String,
    /// The name under which it was looked up.
    pub name: String,
    /// The installed version that was compared.
    pub version: String,
    /// The versions that the record says are affected.
    pub range: String,
    /// The order by which it was compared; `exact` if the version does not follow its scheme.
    pub scheme: String,
}

#[cfg(test)]
pub(super) mod testing {
    //! Findings for tests.

    use super::*;

    /// A finding of which nothing else is known, of high severity.
    pub(in crate::vuln) fn finding(id: &str, package: &str) -> Finding {
        Finding {
            id: id.to_owned(),
            aliases: Vec::new(),
            records: Vec::new(),
            package: package.to_owned(),
            severity: Severity::High,
            cvss: Vec::new(),
            status: Status::Affected,
            fixed_in: Vec::new(),
            fix: Fix::NotAvailable,
            fixed_elsewhere: Vec::new(),
            note: None,
            kev: None,
            epss: None,
            exploits: Vec::new(),
            exploitability: Exploitability::default(),
            priority: Priority::default(),
            declared: false,
            kernel_not_running: false,
            suppressed: None,
            why: Vec::new(),
        }
    }
}
