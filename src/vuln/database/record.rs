//! An OSV record in the form in which it is stored: only what matching needs, with its ranges in order.

use super::schema::{Advisory, Entry};
use crate::vuln::{
    cvss, ecosystem,
    feeds::Feed,
    matching::range::Range,
    osv::{self, Affected, Record},
    version::Scheme,
};

/// A record in the form in which it is stored.
pub(super) struct Kept {
    /// When it last changed.
    pub(super) modified: String,
    pub(super) advisory: Advisory,
    /// The record's id and its aliases.
    pub(super) names: Vec<String>,
    /// What it says about packages, by ecosystem and name.
    pub(super) entries: Vec<((String, String), Entry)>,
}

impl Kept {
    /// The stored form. Ranges whose versions their scheme rejects are left out and named in `unordered`.
    pub(super) fn new(feed: &Feed, record: &Record, unordered: &mut Vec<String>) -> Self {
        let mut kept = Self {
            modified: record.modified.clone().unwrap_or_default(),
            advisory: Advisory {
                members: members(feed, record),
                cvss: cvss::sorted(record.severity.iter().map(|severity| severity.score.as_str())),
                severity: severity(record),
            },
            names: Vec::new(),
            entries: Vec::new(),
        };
        // One that is set aside still takes the place of an older one that was not.
        if !is_set_aside(record) {
            kept.names = std::iter::once(&record.id).chain(&record.aliases).cloned().collect();
            let entries = record.affected.iter().filter_map(|part| entry(feed, record, part, unordered));
            kept.entries = entries.collect();
        }
        kept
    }
}

/// Whether a record is withdrawn, or is about a malicious package rather than a vulnerable one.
pub(super) fn is_set_aside(record: &Record) -> bool {
    record.withdrawn.is_some() || record.id.starts_with("MAL-")
}

fn entry(
    feed: &Feed,
    record: &Record,
    part: &Affected,
    unordered: &mut Vec<String>,
) -> Option<((String, String), Entry)> {
    let package = part.package.as_ref()?;
    let scheme = ecosystem::scheme(&package.ecosystem)?;
    let specific = |name| osv::text(part.database_specific.as_ref(), name);
    // RustSec's notices: unmaintained, unsound.
    if specific("informational").is_some() {
        return None;
    }
    let mut ranges = Vec::new();
    for range in part.ranges.iter().filter(|range| range.kind != "GIT") {
        match Range::new(scheme, range) {
            Ok(range) if !range.is_empty() => ranges.push(range),
            Ok(_) => {}
            Err(error) => unordered.push(format!("{}: {error}", package.name)),
        }
    }
    ranges.sort();
    ranges.dedup();
    let bound = specific("last_known_affected_version_range").map(str::to_owned);
    let mut versions = part.versions.clone();
    if bound.is_none() {
        versions.retain(|version| !is_held(&ranges, scheme, version));
    }
    versions.sort();
    versions.dedup();
    if ranges.is_empty() && versions.is_empty() {
        return None;
    }
    let urgency = osv::text(part.ecosystem_specific.as_ref(), "urgency");
    let entry = Entry {
        record: record.id.clone(),
        feed: feed.name.to_owned(),
        ranges,
        bound,
        versions,
        urgency: urgency.filter(|word| *word != "not yet assigned").map(str::to_owned),
        module: module(record, part),
    };
    Some(((package.ecosystem.clone(), ecosystem::name(&package.ecosystem, &package.name)), entry))
}

/// Whether a range answers for a version already, and for every version that is equal to it.
fn is_held(ranges: &[Range], scheme: Scheme, version: &str) -> bool {
    ranges.iter().any(|range| matches!(range.stretch(scheme, version), Ok(Some(_))))
}

/// The vulnerabilities that a distribution's advisory is about. Where a source has no `upstream` field it
/// lists them as related.
fn members(feed: &Feed, record: &Record) -> Vec<String> {
    let is_cve = |id: &&String| id.starts_with("CVE-");
    if is_cve(&&record.id) || record.aliases.iter().any(|id| is_cve(&id)) {
        return Vec::new();
    }
    let mut members: Vec<_> = record.upstream.iter().filter(is_cve).cloned().collect();
    if members.is_empty() && feed.related_are_members {
        members = record.related.iter().filter(is_cve).cloned().collect();
    }
    members.sort();
    members.dedup();
    members
}

/// The source's own word: GitHub's field, or the first word of a Red Hat style summary.
fn severity(record: &Record) -> Option<String> {
    let stated = osv::text(record.database_specific.as_ref(), "severity");
    let word = stated.or_else(|| {
        let (word, _) = record.summary.as_deref()?.split_once(": ")?;
        ["Low", "Moderate", "Important", "Critical"].contains(&word).then_some(word)
    })?;
    Some(word.to_ascii_lowercase())
}

/// The rpm module that an entry is about. Records have no field for it: the fixed release tells that there
/// is one, and the summary names it (`Moderate: nodejs:14 security update`).
fn module(record: &Record, part: &Affected) -> Option<String> {
    let events = part.ranges.iter().flat_map(|range| &range.events);
    let modular = |version: &Option<String>| version.as_ref().is_some_and(|v| v.contains(".module"));
    if !events.clone().any(|event| modular(&event.fixed)) {
        return None;
    }
    let words = record.summary.as_deref().unwrap_or("").split([' ', '/', ',']);
    let mut streams = words.filter(|word| {
        word.split_once(':').is_some_and(|(name, stream)| !name.is_empty() && !stream.is_empty())
    });
    // A summary that names two modules does not tell which of them a package belongs to.
    let first = streams.next();
    let only = first.filter(|_| streams.next().is_none());
    Some(only.unwrap_or("").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vuln::feeds::FEEDS;

    fn record(text: &str) -> Record {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_is_no_vulnerability_leaves_no_entry() {
        let kept = |id: &str, extra: &str, specific: &str| {
            let record = record(&format!(
                r#"{{"id":"{id}","aliases":["CVE-1"]{extra},"affected":[{{"package":{{"ecosystem":"npm","name":"a"}},
                "versions":["1.0.0"],"database_specific":{specific}}}]}}"#
            ));
            let kept = Kept::new(&FEEDS[0], &record, &mut Vec::new());
            (kept.entries.len(), kept.names.len())
        };
        assert_eq!(kept("GHSA-1", "", "{}"), (1, 2));
        assert_eq!(kept("GHSA-1", r#","withdrawn":"2024-01-01T00:00:00Z""#, "{}"), (0, 0));
        assert_eq!(kept("MAL-2024-1", "", "{}"), (0, 0));
        assert_eq!(kept("RUSTSEC-1", "", r#"{"informational":"unmaintained"}"#), (0, 2));
    }

    #[test]
    fn the_module_is_in_the_summary() {
        let of = |summary: &str, fixed: &str| {
            let record = record(&format!(
                r#"{{"id":"A","summary":"{summary}","affected":[{{"ranges":[{{"events":[{{"fixed":"{fixed}"}}]}}]}}]}}"#
            ));
            module(&record, &record.affected[0])
        };
        assert_eq!(of("Moderate: nodejs:14 security update", "1-1.module_el8").as_deref(), Some("nodejs:14"));
        assert_eq!(of("Low: virt:rhel and virt-devel:rhel update", "1-1.module_el8").as_deref(), Some(""));
        assert_eq!(of("Moderate: nodejs:14 security update", "1-1.el8"), None);
    }
}
