//! What the database's tables hold, as JSON: short names, since there are hundreds of thousands.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::vuln::matching::range::Range;

/// What one advisory says about one package: an item of the list at `ecosystem\0name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entry {
    /// The advisory's id.
    #[serde(rename = "r")]
    pub record: String,
    /// The feed that it came with.
    #[serde(rename = "f")]
    pub feed: String,
    /// Ranges of versions.
    #[serde(rename = "g", default, skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<Range>,
    /// Where a range without an end is known to reach (`<= 1.2.3`); the OSV schema does not know it.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<String>,
    /// Single versions that no range holds.
    #[serde(rename = "v", default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<String>,
    /// The distribution's word for how urgent it is.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub urgency: Option<String>,
    /// The rpm module (`name:stream`, or empty if the advisory does not tell) that it is about.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
}

/// An advisory without its packages, at `id\0feed`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advisory {
    /// The vulnerabilities that it is about, if it is a distribution's advisory about several.
    #[serde(rename = "m", default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<String>,
    /// CVSS vectors, best first.
    #[serde(rename = "c", default, skip_serializing_if = "Vec::is_empty")]
    pub cvss: Vec<String>,
    /// The source's own word for its severity.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
}

/// An entry of the catalogue of known exploited vulnerabilities, at the CVE id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exploited {
    /// When it was listed (a date).
    pub added: String,
    /// Until when US federal agencies must act (a date).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
    /// Whether it is known from ransomware campaigns.
    #[serde(default)]
    pub ransomware: bool,
}

/// What the database is made of: small, read when it is opened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The feeds that were read.
    pub sources: Vec<Source>,
    /// How many entries each ecosystem has.
    pub ecosystems: BTreeMap<String, u64>,
    /// The day of the EPSS scores, if the feed says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epss_date: Option<String>,
}

/// One feed that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    /// Its name in [`crate::vuln::feeds::FEEDS`].
    pub name: String,
    /// Its newest record's date, as the source writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// Records that were read.
    pub records: u64,
    /// Records among them that are withdrawn or no vulnerability.
    #[serde(default)]
    pub set_aside: u64,
    /// Records that could not be read.
    pub malformed: u64,
    /// Ranges whose versions their ecosystem's scheme rejects.
    #[serde(default)]
    pub unordered: u64,
}
