//! Records of feeds in, the database's bytes out.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{
    ABOUT, ADVISORIES, ALIASES, EPSS, KEV, PACKAGES,
    aliases::Aliases,
    container, packed,
    record::{Kept, is_set_aside},
    schema::{About, Advisory, Entry, Exploited, Source},
    table::Writer,
};
use crate::{
    error::FormatError,
    vuln::{feeds::Feed, osv::Record},
};

/// A record that was left out, or a part of one, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The feed's name.
    pub feed: String,
    /// The file, or the record's id.
    pub record: String,
    /// What is wrong with it.
    pub detail: String,
}

/// Collects records. The same records give the same bytes, in whatever order they come.
#[derive(Default)]
pub struct Builder {
    sources: BTreeMap<&'static str, Source>,
    /// By feed and id: the newest is kept.
    records: BTreeMap<(&'static str, String), Kept>,
    kev: BTreeMap<String, Exploited>,
    epss: BTreeMap<String, (f64, f64)>,
    epss_date: Option<String>,
    problems: BTreeSet<Problem>,
}

impl Builder {
    /// Counts a feed as read even if it turns out to be empty.
    pub fn source(&mut self, feed: &Feed) -> &mut Source {
        self.sources
            .entry(feed.name)
            .or_insert_with(|| Source { name: feed.name.to_owned(), ..Source::default() })
    }

    /// Notes a record that could not be read.
    pub fn malformed(&mut self, feed: &Feed, record: impl Into<String>, detail: impl Into<String>) {
        let source = self.source(feed);
        source.malformed = source.malformed.saturating_add(1);
        self.problem(feed, record.into(), detail.into());
    }

    fn problem(&mut self, feed: &Feed, record: String, detail: String) {
        self.problems.insert(Problem { feed: feed.name.to_owned(), record, detail });
    }

    /// What was left out, sorted.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter()
    }

    /// The feeds that were read, with their counts.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.sources.values()
    }

    /// Adds an entry of the catalogue of known exploited vulnerabilities.
    pub fn exploited(&mut self, feed: &Feed, cve: String, entry: Exploited) {
        self.counted(feed, None);
        self.kev.insert(cve, entry);
    }

    /// Adds an EPSS score and its percentile, both in [0, 1].
    pub fn epss(&mut self, feed: &Feed, cve: String, score: f64, percentile: f64) {
        self.counted(feed, None);
        self.epss.insert(cve, (score, percentile));
    }

    /// Says of which day the EPSS scores are.
    pub fn epss_date(&mut self, date: String) {
        self.epss_date = self.epss_date.take().max(Some(date));
    }

    /// Counts a record of a feed, dated if it says when it changed.
    fn counted(&mut self, feed: &Feed, date: Option<&str>) -> &mut Source {
        let source = self.source(feed);
        source.records = source.records.saturating_add(1);
        if let Some(date) = date.filter(|date| source.date.as_deref().is_none_or(|held| held < *date)) {
            source.date = Some(date.to_owned());
        }
        source
    }

    /// Adds an OSV record.
    pub fn record(&mut self, feed: &Feed, record: &Record) {
        let modified = record.modified.as_deref().unwrap_or_default();
        let source = self.counted(feed, Some(modified).filter(|date| !date.is_empty()));
        if is_set_aside(record) {
            source.set_aside = source.set_aside.saturating_add(1);
        }
        let key = (feed.name, record.id.clone());
        if self.records.get(&key).is_some_and(|held| held.modified.as_str() > modified) {
            return;
        }
        let mut unordered = Vec::new();
        let kept = Kept::new(feed, record, &mut unordered);
        self.records.insert(key, kept);
        for detail in unordered {
            let source = self.source(feed);
            source.unordered = source.unordered.saturating_add(1);
            self.problem(feed, record.id.clone(), detail);
        }
    }

    /// The database's bytes.
    pub fn finish(self) -> Result<Vec<u8>, FormatError> {
        let mut newest: BTreeMap<(&str, &str), (&str, &str)> = BTreeMap::new();
        for ((feed, id), kept) in &self.records {
            for ((ecosystem, _), _) in &kept.entries {
                let best = newest.entry((ecosystem, id)).or_insert((&kept.modified, feed));
                if best.0 < kept.modified.as_str() {
                    *best = (&kept.modified, feed);
                }
            }
        }
        let mut aliases = Aliases::default();
        let mut packages: BTreeMap<String, Vec<&Entry>> = BTreeMap::new();
        let mut advisories: BTreeMap<String, &Advisory> = BTreeMap::new();
        let mut ecosystems: BTreeMap<String, u64> = BTreeMap::new();
        for ((feed, id), kept) in &self.records {
            aliases.join(&kept.names);
            let mut used = !kept.advisory.cvss.is_empty() && !kept.names.is_empty();
            for ((ecosystem, name), entry) in &kept.entries {
                if newest.get(&(ecosystem.as_str(), id.as_str())).is_some_and(|best| best.1 == *feed) {
                    packages.entry(format!("{ecosystem}\0{name}")).or_default().push(entry);
                    let count = ecosystems.entry(ecosystem.clone()).or_default();
                    *count = count.saturating_add(1);
                    used = true;
                }
            }
            if used {
                advisories.insert(format!("{id}\0{feed}"), &kept.advisory);
            }
        }
        for entries in packages.values_mut() {
            entries.sort();
            entries.dedup();
        }
        let about = About {
            sources: self.sources.values().cloned().collect(),
            ecosystems,
            epss_date: self.epss_date.clone(),
        };
        let mut about_bytes = Vec::new();
        let about_root = packed::append(&mut about_bytes, &json(&about)?)?;
        container::write(vec![
            (ABOUT, true, about_bytes, about_root),
            table(PACKAGES, true, &packages)?,
            table(ADVISORIES, true, &advisories)?,
            table(ALIASES, true, &aliases.groups())?,
            table(KEV, false, &self.kev)?,
            table(EPSS, false, &self.epss)?,
        ])
    }
}

fn table<T: Serialize>(
    name: &'static str,
    required: bool,
    rows: &BTreeMap<String, T>,
) -> Result<container::Part, FormatError> {
    let mut writer = Writer::new();
    for (key, value) in rows {
        writer.add(key, &json(value)?)?;
    }
    let (bytes, root) = writer.finish()?;
    Ok((name, required, bytes, root))
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, FormatError> {
    serde_json::to_vec(value).map_err(|error| FormatError::malformed("database entry", error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vuln::feeds::FEEDS;

    fn record(text: &str) -> Record {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_order_of_records_does_not_show_and_the_newest_counts() {
        let feed = &FEEDS[0];
        let text = |modified: &str, fixed: &str| {
            record(&format!(
                r#"{{"id":"CVE-1","modified":"{modified}","affected":[{{"package":{{"ecosystem":"Debian:12","name":"a"}},
                "ranges":[{{"type":"ECOSYSTEM","events":[{{"introduced":"0"}},{{"fixed":"{fixed}"}}]}}],"versions":["1","9"]}}]}}"#
            ))
        };
        let (old, new) = (text("2024-01-01T00:00:00Z", "2"), text("2024-02-01T00:00:00Z", "3"));
        let build = |records: &[&Record]| {
            let mut builder = Builder::default();
            records.iter().for_each(|record| builder.record(feed, record));
            builder
        };
        let builder = build(&[&old, &new]);
        let kept = builder.records.values().next().unwrap();
        assert_eq!(kept.entries[0].1.versions, ["9"], "1 is held by the range");
        assert_eq!(build(&[&old, &new]).finish().unwrap(), build(&[&new, &old]).finish().unwrap());
        assert_ne!(build(&[&old]).finish().unwrap(), build(&[&new]).finish().unwrap());
    }
}
