//! Hits in, findings out: one for each vulnerability, whatever number of records speak of it.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BTreeMap, BTreeSet},
};

use super::{Found, Hit, Miss, NearMiss, Question, Reason};
use crate::{
    error::FormatError,
    vuln::{
        advisory::{Provider, Rating, State},
        cvss,
        database::{Database, Entry, Known},
        finding::{Cvss, Elsewhere, Epss, Finding, Fix, Kev, Severity, Status},
        priority::{Exploitability, Priority},
    },
};

/// The hits of one vulnerability, with what their feeds say about it.
#[derive(Default)]
struct Group<'a> {
    ids: Vec<String>,
    hits: Vec<(Hit<'a>, Rating)>,
    elsewhere: BTreeSet<Elsewhere>,
}

/// One finding for each vulnerability that the hits are about, sorted by id; the misses likewise, if they are
/// wanted. A distribution's advisory about several vulnerabilities is a record of each of them, but for those
/// that a record of their own clears: an advisory names one version for all its vulnerabilities, though some
/// may have been fixed before.
pub(super) fn fold(
    database: &Database,
    question: &Question<'_>,
    found: Found<'_>,
) -> Result<(Vec<Finding>, Vec<NearMiss>), FormatError> {
    let Found { hits, misses, cleared, elsewhere } = found;
    let mut near = Vec::new();
    let mut groups: BTreeMap<String, Group<'_>> = BTreeMap::new();
    for hit in hits {
        let known = database.known(&hit.entry.record)?.unwrap_or_default();
        let rating = rating(&known, hit.entry);
        let (gone, mut members): (Vec<_>, Vec<_>) =
            rating.members.iter().partition(|id| cleared.contains(id.as_str()));
        if question.asked.near_misses {
            near.extend(gone.into_iter().map(|id| hit.near(question, id, Reason::Cleared)));
        }
        if members.is_empty() && reported_by_itself(question, &hit, &rating) {
            members.push(&hit.entry.record);
        }
        for member in members {
            let ids = names(database, member)?;
            let Some(primary) = ids.first().cloned() else { continue };
            let group = groups.entry(primary).or_default();
            group.ids = ids;
            group.hits.push((hit.clone(), rating.clone()));
        }
    }
    for (entry, fix) in elsewhere {
        for group in groups.values_mut().filter(|group| group.ids.contains(&entry.record)) {
            group.elsewhere.insert(fix.clone());
        }
    }
    let mut findings = Vec::new();
    for (id, group) in groups {
        match question.suppressed {
            None => findings.push(finding(database, question, group)?),
            Some(reason) if question.asked.near_misses => {
                near.extend(group.hits.iter().map(|(hit, _)| hit.near(question, &id, reason)));
            }
            Some(_) => {}
        }
    }
    for miss in misses {
        near.extend(near_misses(database, question, miss)?);
    }
    near.sort();
    near.dedup();
    Ok((findings, near))
}

/// What the feed of an entry says about the vulnerability.
fn rating(known: &Known, entry: &Entry) -> Rating {
    let ours = known.ratings.iter().find(|(feed, _)| *feed == entry.feed);
    ours.map(|(_, rating)| rating.clone()).unwrap_or_default()
}

/// Whether an advisory without vulnerabilities of its own is a finding: a fix of bugs or an enhancement is
/// none, nor is an update whose vulnerabilities are all fixed already. The OSV schema has no such rule.
fn reported_by_itself(question: &Question<'_>, hit: &Hit<'_>, rating: &Rating) -> bool {
    let no_security = ["ALBA-", "ALEA-"].iter().any(|prefix| hit.entry.record.starts_with(prefix));
    question.by_records || (rating.members.is_empty() && !no_security)
}

/// The ids of a vulnerability, the one to call it by first. Sources that alias one id of theirs to several
/// CVE ids make those one set; a record that is about a CVE id is about that one all the same.
fn names(database: &Database, member: &str) -> Result<Vec<String>, FormatError> {
    let mut ids = database.known(member)?.map(|known| known.ids).unwrap_or_default();
    if ids.is_empty() {
        ids.push(member.to_owned());
    }
    if member.starts_with("CVE-") {
        ids.retain(|id| id == member || !id.starts_with("CVE-"));
    }
    ids.sort_by_cached_key(|id| rank(id));
    Ok(ids)
}

/// CVE ids first, then those of GitHub, then by name.
fn rank(id: &str) -> (Reverse<bool>, Reverse<bool>, String) {
    (Reverse(id.starts_with("CVE-")), Reverse(id.starts_with("GHSA-")), id.to_owned())
}

impl Hit<'_> {
    fn near(&self, question: &Question<'_>, id: &str, reason: Reason) -> NearMiss {
        NearMiss {
            id: id.to_owned(),
            package: question.package.to_owned(),
            reason,
            note: self.statement.note.clone(),
            why: self.why.clone(),
        }
    }
}

/// A miss of an advisory about several vulnerabilities is one of each of them.
fn near_misses(
    database: &Database,
    question: &Question<'_>,
    miss: Miss<'_>,
) -> Result<Vec<NearMiss>, FormatError> {
    let known = database.known(&miss.entry.record)?.unwrap_or_default();
    let mut ids = rating(&known, miss.entry).members;
    if ids.is_empty() {
        ids.extend(names(database, &miss.entry.record)?.into_iter().next());
    }
    let note = miss.statement.note.as_ref();
    let near = ids.into_iter().map(|id| NearMiss {
        id,
        package: question.package.to_owned(),
        reason: miss.reason,
        note: note.cloned(),
        why: miss.why.clone(),
    });
    Ok(near.collect())
}

fn finding(database: &Database, question: &Question<'_>, group: Group<'_>) -> Result<Finding, FormatError> {
    let Group { ids, hits, elsewhere } = group;
    let mut others = Vec::new();
    for id in &ids {
        let known = database.known(id)?.unwrap_or_default();
        others.extend(known.ratings.into_iter().map(|(_, rating)| rating));
    }
    let own: BTreeSet<_> = hits.iter().flat_map(|(_, rating)| rating.cvss.iter().cloned()).collect();
    let vectors =
        if own.is_empty() { others.iter().flat_map(|rating| rating.cvss.clone()).collect() } else { own };
    let cvss = rated(&vectors);
    let words: Vec<_> = others.into_iter().filter_map(|rating| rating.severity).collect();
    let (mut kev, mut epss, mut exploits) = (None, None, Vec::new());
    for cve in ids.iter().filter(|id| id.starts_with("CVE-")) {
        let known = database.exploitation(cve)?.unwrap_or_default();
        kev = kev.or(known.kev);
        epss = epss.or(known.epss);
        exploits.extend(known.exploits);
    }
    exploits.sort();
    exploits.dedup();
    let why: BTreeSet<_> = hits.iter().map(|(hit, _)| hit.why.clone()).collect();
    let records: BTreeSet<_> = hits.iter().map(|(hit, _)| hit.entry.record.clone()).collect();
    let fixed_in = fixed_in(question, &hits);
    let fix = fix(&hits, &fixed_in);
    let mut ids = ids.into_iter();
    let kev = kev.map(|kev| Kev { date_added: kev.added, due_date: kev.due, ransomware: kev.ransomware });
    let exploitability = Exploitability::of(&exploits, kev.as_ref());
    let mut finding = Finding {
        id: ids.next().unwrap_or_default(),
        aliases: ids.collect(),
        records: records.into_iter().collect(),
        package: question.package.to_owned(),
        severity: severity(&hits, &cvss, &words),
        cvss,
        status: if fix == Fix::Never { Status::WillNotFix } else { Status::Affected },
        fixed_in,
        fix,
        fixed_elsewhere: elsewhere.into_iter().collect(),
        note: hits.iter().find_map(|(hit, _)| hit.statement.note.clone()),
        kev,
        epss: epss.map(|(score, percentile)| Epss {
            score: share(score),
            percentile: share(percentile),
            date: database.epss_date().map(str::to_owned),
        }),
        exploits,
        exploitability,
        priority: Priority::default(),
        declared: false,
        kernel_not_running: false,
        suppressed: None,
        why: why.into_iter().collect(),
    };
    finding.priority = Priority::of(&finding);
    Ok(finding)
}

/// A number of 10^-9.
fn share(billionths: u32) -> f64 {
    f64::from(billionths) / 1e9
}

/// The vectors with their scores, the best first: by the version of the specification, then by who gave them.
fn rated(vectors: &BTreeSet<(Provider, String)>) -> Vec<Cvss> {
    let rated =
        vectors.iter().filter_map(|(provider, vector)| Some((cvss::rate(vector)?, *provider, vector)));
    let mut rated: Vec<_> = rated.collect();
    rated.sort_by_key(|(rating, provider, vector)| {
        (Reverse(rating.version), *provider, Reverse(rating.score), Reverse(*vector))
    });
    rated
        .into_iter()
        .map(|(rating, provider, vector)| Cvss {
            version: rating.version,
            score: rating.score.value(),
            vector: vector.clone(),
            provider: provider.text().to_owned(),
        })
        .collect()
}

/// The distribution's own word for the package, then the matching records' own, then their CVSS, then what
/// others say about the same vulnerability.
fn severity(hits: &[(Hit<'_>, Rating)], cvss: &[Cvss], others: &[String]) -> Severity {
    let word = |text: &String| Severity::from_word(text);
    let urgency = hits.iter().filter_map(|(hit, _)| hit.statement.urgency.as_ref().and_then(word)).max();
    let stated = || hits.iter().filter_map(|(_, rating)| rating.severity.as_ref().and_then(word)).max();
    let scored = || cvss.first().and_then(|best| cvss::rate(&best.vector)).map(Severity::from_rating);
    let other = || others.iter().filter_map(word).max();
    urgency.or_else(stated).or_else(scored).or_else(other).unwrap_or(Severity::Unknown)
}

/// What is done about it: what any record promises, but for a fix that is there.
fn fix(hits: &[(Hit<'_>, Rating)], fixed_in: &[String]) -> Fix {
    let states = || hits.iter().map(|(hit, _)| hit.statement.state);
    match () {
        () if !fixed_in.is_empty() => Fix::Available,
        () if states().all(|state| state == State::WillNotFix) => Fix::Never,
        () if states().any(|state| state == State::Deferred) => Fix::Deferred,
        () => Fix::NotAvailable,
    }
}

/// The fixes, lowest first. Of a distribution's fixes only the highest counts: earlier ones were not enough.
fn fixed_in(question: &Question<'_>, hits: &[(Hit<'_>, Rating)]) -> Vec<String> {
    let order = |a: &String, b: &String| {
        question.scheme.compare(a, b).unwrap_or(Ordering::Equal).then_with(|| a.cmp(b))
    };
    let mut fixed: Vec<_> = hits.iter().filter_map(|(hit, _)| hit.fixed.clone()).collect();
    question.scheme.sort(&mut fixed, order);
    fixed.dedup();
    match question.ecosystem.contains(':') {
        true => fixed.pop().into_iter().collect(),
        false => fixed,
    }
}
