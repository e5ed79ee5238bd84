//! What the database's tables hold, in postcard's encoding (postcard wire format 1.0): numbers in as few bytes
//! as they need, no names of fields. A field that is added, moved or removed is another format.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::vuln::{
    advisory::{Rating, Statement},
    finding::Exploit,
};

/// What one advisory says about one package: an item of the list at `family\0name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entry {
    /// The advisory's id.
    pub record: String,
    /// The feed that it came with: its place in [`About::sources`].
    pub feed: u16,
    /// What it says, by release.
    pub statements: Vec<Stated>,
}

/// A statement and for which releases of the distribution it holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stated {
    /// Their places in [`About::releases`], ascending; empty in a family that has none.
    pub releases: Vec<u16>,
    /// What is said.
    pub statement: Statement,
}

/// What is known of a vulnerability by one of its ids, at that id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// All its ids, this one included; empty if it has no other.
    pub ids: Vec<String>,
    /// What feeds say under this id.
    pub ratings: Vec<(u16, Rating)>,
}

/// What is known of a vulnerability's exploitation, at its CVE id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exploitation {
    /// Its entry in the catalogue of known exploited vulnerabilities.
    pub kev: Option<Exploited>,
    /// EPSS score and percentile in units of 10^-9.
    pub epss: Option<(u32, u32)>,
    /// Published exploits.
    pub exploits: Vec<Exploit>,
}

/// An entry of CISA's catalogue of known exploited vulnerabilities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exploited {
    /// When it was listed (a date).
    pub added: String,
    /// Until when US federal agencies must act (a date).
    pub due: Option<String>,
    /// Whether it is known from ransomware campaigns.
    pub ransomware: bool,
}

/// Until when a release of a distribution gets fixes.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Lifetime {
    /// The last day of fixes for everybody (a date).
    pub ends: Option<String>,
    /// The last days of prolonged support by its name (`lts`, `elts`, `esm`), which may need a contract.
    pub prolonged: BTreeMap<String, String>,
}

/// What the database is made of: small, read when it is opened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The feeds that were read, sorted by name.
    pub sources: Vec<Source>,
    /// How many statements about packages each ecosystem has, by its full name.
    pub ecosystems: BTreeMap<String, u64>,
    /// The ecosystems that are releases of a distribution, sorted.
    pub releases: Vec<String>,
    /// Until when releases get fixes, by ecosystem.
    pub lifetimes: BTreeMap<String, Lifetime>,
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
