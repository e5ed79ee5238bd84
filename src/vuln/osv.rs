//! The parts of an OSV record that matching needs (OSV schema 1.7). Fields that are not named here are
//! passed over, as the schema asks of readers.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// One advisory as its source published it.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Record {
    /// The source's own id.
    pub id: String,
    /// When it last changed (RFC 3339).
    #[serde(default)]
    pub modified: Option<String>,
    /// When it was found to be no vulnerability (RFC 3339).
    #[serde(default)]
    pub withdrawn: Option<String>,
    /// Ids of the same vulnerability elsewhere.
    #[serde(default, deserialize_with = "nullable")]
    pub aliases: Vec<String>,
    /// Ids of the vulnerabilities that a distribution's advisory is about.
    #[serde(default, deserialize_with = "nullable")]
    pub upstream: Vec<String>,
    /// Ids that have something to do with it; never the same vulnerability by themselves.
    #[serde(default, deserialize_with = "nullable")]
    pub related: Vec<String>,
    /// When it became known (RFC 3339).
    #[serde(default)]
    pub published: Option<String>,
    /// One line for people.
    #[serde(default)]
    pub summary: Option<String>,
    /// Some paragraphs for people.
    #[serde(default)]
    pub details: Option<String>,
    /// Where to read more.
    #[serde(default, deserialize_with = "nullable")]
    pub references: Vec<Reference>,
    /// How bad it is, by one or several systems.
    #[serde(default, deserialize_with = "nullable")]
    pub severity: Vec<Severity>,
    /// Which packages it is about.
    #[serde(default, deserialize_with = "nullable")]
    pub affected: Vec<Affected>,
    /// What the source adds.
    #[serde(default)]
    pub database_specific: Option<Value>,
}

/// Where to read more.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Reference {
    /// The address.
    #[serde(default)]
    pub url: String,
}

/// A rating: a CVSS vector, or a distribution's word.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Severity {
    /// The system (`CVSS_V3`, `Ubuntu`, …).
    #[serde(rename = "type", default)]
    pub system: String,
    /// The vector or the word.
    #[serde(default)]
    pub score: String,
}

/// One package and its versions that are affected.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Affected {
    /// How bad it is for this package, where a source says so here.
    #[serde(default, deserialize_with = "nullable")]
    pub severity: Vec<Severity>,
    /// Which package; absent where only commits are known.
    #[serde(default)]
    pub package: Option<Package>,
    /// Ranges of versions.
    #[serde(default, deserialize_with = "nullable")]
    pub ranges: Vec<Range>,
    /// Single versions.
    #[serde(default, deserialize_with = "nullable")]
    pub versions: Vec<String>,
    /// What the ecosystem adds (`urgency` in Debian).
    #[serde(default)]
    pub ecosystem_specific: Option<Value>,
    /// What the source adds.
    #[serde(default)]
    pub database_specific: Option<Value>,
}

/// A package's name in its ecosystem.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Package {
    /// The ecosystem, with the release after a colon.
    #[serde(default)]
    pub ecosystem: String,
    /// The name.
    #[serde(default)]
    pub name: String,
}

/// Versions between events.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Range {
    /// `SEMVER`, `ECOSYSTEM` or `GIT`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// What happens at which version.
    #[serde(default, deserialize_with = "nullable")]
    pub events: Vec<Event>,
}

/// What happens at one version; exactly one field is set in a valid record.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Event {
    /// Affected from here.
    #[serde(default)]
    pub introduced: Option<String>,
    /// No longer affected from here.
    #[serde(default)]
    pub fixed: Option<String>,
    /// No longer affected after this.
    #[serde(default)]
    pub last_affected: Option<String>,
    /// The range says nothing from here.
    #[serde(default)]
    pub limit: Option<String>,
}

/// Sources write `null` for an empty list.
fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// A text of a free-form object.
pub(super) fn text<'a>(object: Option<&'a Value>, name: &str) -> Option<&'a str> {
    object?.get(name)?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_fields_and_nulls_are_passed_over() {
        let text = r#"{"id":"X-1","aliases":null,"new":{"a":[1]},"database_specific":{"severity":"LOW"},
            "affected":[{"ranges":[{"type":"GIT","repo":"r","events":[{"introduced":"0"}]}]}]}"#;
        let record: Record = serde_json::from_str(text).unwrap();
        assert_eq!(record.id, "X-1");
        assert!(record.aliases.is_empty());
        assert_eq!(super::text(record.database_specific.as_ref(), "severity"), Some("LOW"));
        assert!(record.affected[0].package.is_none());
    }
}
