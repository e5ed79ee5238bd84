//! One entry and one version (OSV schema, "Evaluation").

use super::{Hit, Subject};
use crate::vuln::{database::Entry, finding::Why};

/// The hit, if the entry says that the version is affected. A version that its scheme rejects is affected
/// only if it is listed as it is.
pub(super) fn hit(subject: &Subject<'_>, entry: Entry) -> Option<Hit> {
    let Subject { scheme, version, .. } = *subject;
    let in_range = entry.ranges.iter().find_map(|range| range.stretch(scheme, version).ok().flatten());
    if let Some(stretch) = in_range {
        return Some(subject.hit(entry, stretch.text, stretch.fixed, scheme.name()));
    }
    if entry.versions.iter().any(|listed| listed == version) {
        let scheme = if scheme.accepts(version) { scheme.name() } else { "exact" };
        return Some(subject.hit(entry, format!("= {version}"), None, scheme));
    }
    let same = |listed: &&String| scheme.compare(listed, version).is_ok_and(std::cmp::Ordering::is_eq);
    let listed = entry.versions.iter().find(same)?.clone();
    Some(subject.hit(entry, format!("= {listed}"), None, scheme.name()))
}

impl Subject<'_> {
    fn hit(&self, entry: Entry, range: String, fixed: Option<String>, scheme: &str) -> Hit {
        let why = Why {
            record: entry.record.clone(),
            source: entry.feed.clone(),
            ecosystem: self.ecosystem.to_owned(),
            name: self.name.to_owned(),
            version: self.version.to_owned(),
            range,
            scheme: scheme.to_owned(),
        };
        Hit { entry, fixed, why }
    }
}
