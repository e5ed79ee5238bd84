//! Hits in, findings out: one for each vulnerability, whatever number of records speak of it.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BTreeMap, BTreeSet},
};

use super::{Hit, Rules, Subject};
use crate::{
    error::FormatError,
    vuln::{
        cvss,
        database::{Advisory, Database},
        finding::{Cvss, Epss, Finding, Kev, Severity, Status},
    },
};

/// The hits of one vulnerability, with what their feeds say about them.
#[derive(Default)]
struct Group {
    ids: Vec<String>,
    hits: Vec<(Hit, Advisory)>,
}

/// One finding for each vulnerability that the hits are about, sorted by id. A distribution's advisory about
/// several vulnerabilities is a record of each of them, but for those `cleared` by a record of their own: an
/// advisory names one version for all its vulnerabilities, though some may have been fixed before.
pub(super) fn findings(
    database: &Database,
    subject: &Subject<'_>,
    package: &str,
    rules: &Rules<'_>,
    hits: Vec<Hit>,
    cleared: &BTreeSet<String>,
) -> Result<Vec<Finding>, FormatError> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for hit in hits {
        let advisory = database.advisory(&hit.entry.record, &hit.entry.feed)?.unwrap_or_default();
        let mut members: Vec<_> = advisory.members.iter().filter(|id| !cleared.contains(*id)).collect();
        if members.is_empty() && reported_by_itself(rules, &hit, &advisory) {
            members.push(&hit.entry.record);
        }
        for member in members {
            let ids = names(database, member)?;
            let Some(primary) = ids.first().cloned() else { continue };
            let group = groups.entry(primary).or_default();
            group.ids = ids;
            group.hits.push((hit.clone(), advisory.clone()));
        }
    }
    groups.into_values().map(|group| finding(database, subject, package, group)).collect()
}

/// Whether an advisory without vulnerabilities of its own is a finding: a fix of bugs or an enhancement is
/// none, nor is an update whose vulnerabilities are all fixed already. The OSV schema has no such rule.
fn reported_by_itself(rules: &Rules<'_>, hit: &Hit, advisory: &Advisory) -> bool {
    let no_security = ["ALBA-", "ALEA-"].iter().any(|prefix| hit.entry.record.starts_with(prefix));
    matches!(rules, Rules::Osv) || (advisory.members.is_empty() && !no_security)
}

/// The ids of a vulnerability, the one to call it by first. Sources that alias one id of theirs to several
/// CVE ids make those one set; a record that is about a CVE id is about that one all the same.
fn names(database: &Database, member: &str) -> Result<Vec<String>, FormatError> {
    let mut ids = database.group(member)?;
    if member.starts_with("CVE-") {
        ids.retain(|id| id == member || !id.starts_with("CVE-"));
    }
    ids.sort_by_key(|id| rank(id));
    Ok(ids)
}

/// CVE ids first, then those of GitHub, then by name.
fn rank(id: &str) -> (Reverse<bool>, Reverse<bool>, String) {
    (Reverse(id.starts_with("CVE-")), Reverse(id.starts_with("GHSA-")), id.to_owned())
}

fn finding(
    database: &Database,
    subject: &Subject<'_>,
    package: &str,
    group: Group,
) -> Result<Finding, FormatError> {
    let Group { ids, hits } = group;
    let mut vectors: BTreeSet<String> = hits.iter().flat_map(|(_, advisory)| advisory.cvss.clone()).collect();
    let mut words = Vec::new();
    if vectors.is_empty() {
        for id in &ids {
            for other in database.advisories(id)? {
                vectors.extend(other.cvss);
                words.extend(other.severity);
            }
        }
    }
    let cvss = rated(&vectors);
    let (mut kev, mut epss) = (None, None);
    for cve in ids.iter().filter(|id| id.starts_with("CVE-")) {
        kev = kev.or(database.exploited(cve)?);
        epss = epss.or(database.epss(cve)?);
    }
    let why: BTreeSet<_> = hits.iter().map(|(hit, _)| hit.why.clone()).collect();
    let records: BTreeSet<_> = hits.iter().map(|(hit, _)| hit.entry.record.clone()).collect();
    let fixed_in = fixed_in(subject, &hits);
    let mut ids = ids.into_iter();
    Ok(Finding {
        id: ids.next().unwrap_or_default(),
        aliases: ids.collect(),
        records: records.into_iter().collect(),
        package: package.to_owned(),
        severity: severity(&hits, &cvss, &words),
        cvss,
        status: status(&hits, &fixed_in),
        fixed_in,
        kev: kev.map(|kev| Kev { date_added: kev.added, due_date: kev.due, ransomware: kev.ransomware }),
        epss: epss.map(|(score, percentile)| Epss {
            score,
            percentile,
            date: database.about().epss_date.clone(),
        }),
        why: why.into_iter().collect(),
    })
}

fn rated(vectors: &BTreeSet<String>) -> Vec<Cvss> {
    let rated = cvss::sorted(vectors.iter().map(String::as_str)).into_iter();
    rated
        .filter_map(|vector| {
            let rating = cvss::rate(&vector)?;
            Some(Cvss { version: rating.version, score: rating.score.value(), vector })
        })
        .collect()
}

/// The distribution's own word for the package, then the matching records' own, then their CVSS, then what
/// others say about the same vulnerability.
fn severity(hits: &[(Hit, Advisory)], cvss: &[Cvss], others: &[String]) -> Severity {
    let word = |text: &String| Severity::from_word(text);
    let urgency = hits.iter().filter_map(|(hit, _)| hit.entry.urgency.as_ref().and_then(word)).max();
    let stated = || hits.iter().filter_map(|(_, advisory)| advisory.severity.as_ref().and_then(word)).max();
    let scored = || cvss.first().and_then(|best| cvss::rate(&best.vector)).map(Severity::from_rating);
    let other = || others.iter().filter_map(word).max();
    urgency.or_else(stated).or_else(scored).or_else(other).unwrap_or(Severity::Unknown)
}

fn status(hits: &[(Hit, Advisory)], fixed_in: &[String]) -> Status {
    let ended = hits.iter().any(|(hit, _)| hit.entry.urgency.as_deref() == Some("end-of-life"));
    if ended && fixed_in.is_empty() { Status::WillNotFix } else { Status::Affected }
}

/// The fixes, lowest first. Of a distribution's fixes only the highest counts: earlier ones were not enough.
fn fixed_in(subject: &Subject<'_>, hits: &[(Hit, Advisory)]) -> Vec<String> {
    let order = |a: &String, b: &String| {
        subject.scheme.compare(a, b).unwrap_or(Ordering::Equal).then_with(|| a.cmp(b))
    };
    let mut fixed: Vec<_> = hits.iter().filter_map(|(hit, _)| hit.fixed.clone()).collect();
    fixed.sort_by(order);
    fixed.dedup();
    match subject.ecosystem.contains(':') {
        true => fixed.pop().into_iter().collect(),
        false => fixed,
    }
}
