//! What nearly matched: records about a package that are no finding, and why not.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::vuln::finding::Why;

/// Why a record about a package is no finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The installed version is outside the affected ones: it has the fix, or never had the fault.
    OtherVersion,
    /// The source says that the package is not affected.
    NotAffected,
    /// The source does not know yet.
    UnderInvestigation,
    /// The record is a remark (unmaintained, unsound), not a vulnerability.
    Informational,
    /// It is about another rpm module or stream, or about packages of none.
    OtherModule,
    /// It is about other architectures.
    OtherArchitecture,
    /// It is about a line of updates that the package is not of (extended support, FIPS, ksplice).
    OtherChannel,
    /// Another record of the same source says that this vulnerability does not affect the version.
    Cleared,
    /// The package is of a kernel that does not run here: containers use the node's, and headers are not it.
    KernelNotRunning,
    /// A package of the distribution installed it, and the distribution's advisories speak of that one.
    OwnedByDistribution,
}

impl Reason {
    /// The word for it, as reports spell it.
    pub fn text(self) -> &'static str {
        match self {
            Self::OtherVersion => "other-version",
            Self::NotAffected => "not-affected",
            Self::UnderInvestigation => "under-investigation",
            Self::Informational => "informational",
            Self::OtherModule => "other-module",
            Self::OtherArchitecture => "other-architecture",
            Self::OtherChannel => "other-channel",
            Self::Cleared => "cleared",
            Self::KernelNotRunning => "kernel-not-running",
            Self::OwnedByDistribution => "owned-by-distribution",
        }
    }
}

/// A record about a package that is no finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct NearMiss {
    /// The CVE id if there is one, else the source's own.
    pub id: String,
    /// The package (purl).
    pub package: String,
    /// Why it is no finding.
    pub reason: Reason,
    /// What the source says for a reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The record, its versions and how they were compared.
    pub why: Why,
}
