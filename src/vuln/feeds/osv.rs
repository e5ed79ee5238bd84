//! OSV records, one a file, or a list of them in one file; JSON, or YAML as PyPA writes it.

use serde_json::Value;

use super::{Feed, File, Output, text};
use crate::vuln::{
    advisory::{Advisory, Claim, Details, Provider, Rating, State, Statement},
    ecosystem,
    matching::range::Range,
    osv::{self, Affected, Record},
    version::Scheme,
};

/// A JSON file.
pub(super) fn read_json(feed: &Feed, file: File<'_>, output: &mut Output) -> Result<(), String> {
    if file.bytes.trim_ascii_start().starts_with(b"[") {
        let records: Vec<Value> = serde_json::from_slice(file.bytes).map_err(|error| error.to_string())?;
        for (number, record) in records.into_iter().enumerate() {
            match serde_json::from_value(record) {
                Ok(record) => add(feed, &record, output),
                Err(error) => output.malformed.push((format!("record {number}"), error.to_string())),
            }
        }
        return Ok(());
    }
    let record: Record = serde_json::from_slice(file.bytes).map_err(|error| error.to_string())?;
    add(feed, &record, output);
    Ok(())
}

/// A YAML file.
pub(super) fn read_yaml(feed: &Feed, file: File<'_>, output: &mut Output) -> Result<(), String> {
    let record: Record = serde_saphyr::from_slice(file.bytes).map_err(|error| error.to_string())?;
    add(feed, &record, output);
    Ok(())
}

/// Brings a record into the form in which all sources are kept. Ranges whose versions their scheme rejects
/// are left out and named.
fn add(feed: &Feed, record: &Record, output: &mut Output) {
    let mut advisory = Advisory {
        id: record.id.clone(),
        modified: record.modified.clone(),
        set_aside: record.withdrawn.is_some() || record.id.starts_with("MAL-"),
        aliases: record.aliases.clone(),
        ..Advisory::default()
    };
    if !advisory.set_aside {
        advisory.rating = rating(feed, record);
        advisory.details = details(record);
        for part in &record.affected {
            let unordered = &mut |problem| output.unordered.push((record.id.clone(), problem));
            advisory.claims.extend(claim(record, part, unordered));
        }
    }
    output.advisories.push(advisory);
}

fn rating(feed: &Feed, record: &Record) -> Rating {
    let given = record.severity.iter().chain(record.affected.iter().flat_map(|part| &part.severity));
    Rating {
        members: members(feed, record),
        cvss: Provider::Source.vectors(given.map(|severity| severity.score.as_str())),
        severity: severity(record),
    }
}

fn details(record: &Record) -> Details {
    let specific = record.database_specific.as_ref();
    let weaknesses = specific.and_then(|specific| specific.get("cwe_ids")).and_then(Value::as_array);
    let weaknesses = weaknesses.into_iter().flatten().filter_map(Value::as_str);
    Details {
        title: record.summary.as_deref().and_then(text::title),
        description: record.details.as_deref().and_then(text::description),
        published: record.published.clone(),
        modified: record.modified.clone(),
        weaknesses: weaknesses.map(str::to_owned).collect(),
        references: text::references(record.references.iter().map(|reference| reference.url.as_str())),
    }
}

fn claim(record: &Record, part: &Affected, unordered: &mut impl FnMut(String)) -> Option<Claim> {
    let package = part.package.as_ref()?;
    let (ecosystem, channel) = ecosystem::osv(&package.ecosystem);
    let scheme = ecosystem::scheme(&ecosystem)?;
    let specific = |name| osv::text(part.database_specific.as_ref(), name);
    let mut ranges = Vec::new();
    for range in part.ranges.iter().filter(|range| range.kind != "GIT") {
        match Range::new(scheme, range) {
            Ok(range) if !range.is_empty() => ranges.push(range),
            Ok(_) => {}
            Err(error) => unordered(format!("{}: {error}", package.name)),
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
    // An entry without any is no decision; kept, it would hold for every version.
    if ranges.is_empty() && versions.is_empty() {
        return None;
    }
    let urgency = osv::text(part.ecosystem_specific.as_ref(), "urgency");
    // RustSec's notices: unmaintained, unsound.
    let informational = specific("informational").map(str::to_owned);
    let ended = urgency == Some("end-of-life");
    let state = match (&informational, ended) {
        (Some(_), _) => State::Informational,
        (None, true) => State::WillNotFix,
        (None, false) => State::Affected,
    };
    let statement = Statement {
        state,
        ranges,
        versions,
        bound,
        urgency: urgency.filter(|word| *word != "not yet assigned" && !ended).map(str::to_owned),
        module: module(record, part),
        channel,
        // SUSE names binary packages elsewhere.
        is_source: matches!(ecosystem::family(&ecosystem).0, "SUSE" | "openSUSE"),
        note: informational.or_else(|| ended.then(|| "end of life".to_owned())),
        ..Statement::default()
    };
    let name = ecosystem::name(&ecosystem, &package.name);
    Some(Claim { ecosystem, name, statement })
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

/// The rpm module that a record is about. Records have no field for it: the fixed release tells that there
/// is one, and the summary names it (`Moderate: nodejs:14 security update`).
fn module(record: &Record, part: &Affected) -> Option<String> {
    let events = part.ranges.iter().flat_map(|range| &range.events);
    let modular = |version: &Option<String>| version.as_ref().is_some_and(|v| v.contains(".module"));
    if !events.clone().any(|event| modular(&event.fixed)) {
        return None;
    }
    Some(stream(record.summary.as_deref().unwrap_or_default()).to_owned())
}

/// The module (`nodejs:14`) that the summary of an advisory names, if it names one only: one that names two
/// does not tell which of them a package belongs to.
pub(super) fn stream(summary: &str) -> &str {
    let mut streams = summary.split([' ', '/', ',']).filter(|word| {
        word.split_once(':').is_some_and(|(name, stream)| !name.is_empty() && !stream.is_empty())
    });
    let first = streams.next();
    first.filter(|_| streams.next().is_none()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vuln::feeds::FEEDS;

    fn record(text: &str) -> Record {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_is_no_vulnerability_makes_no_claim_of_one() {
        let kept = |id: &str, extra: &str, specific: &str| {
            let record = record(&format!(
                r#"{{"id":"{id}","aliases":["CVE-1"]{extra},"affected":[{{"package":{{"ecosystem":"npm","name":"a"}},
                "versions":["1.0.0"],"database_specific":{specific}}}]}}"#
            ));
            let mut output = Output::default();
            add(&FEEDS[0], &record, &mut output);
            let advisory = output.advisories.remove(0);
            (advisory.set_aside, advisory.claims.first().map(|claim| claim.statement.state))
        };
        assert_eq!(kept("GHSA-1", "", "{}"), (false, Some(State::Affected)));
        assert_eq!(kept("GHSA-1", r#","withdrawn":"2024-01-01T00:00:00Z""#, "{}"), (true, None));
        assert_eq!(kept("MAL-2024-1", "", "{}"), (true, None));
        let unmaintained = r#"{"informational":"unmaintained"}"#;
        assert_eq!(kept("RUSTSEC-1", "", unmaintained), (false, Some(State::Informational)));
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

    #[test]
    fn what_a_range_holds_is_not_listed_again() {
        let record = record(
            r#"{"id":"CVE-1","affected":[{"package":{"ecosystem":"Debian:12","name":"a"},"versions":["1","9"],
            "ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"2"}]}]}]}"#,
        );
        let claim = claim(&record, &record.affected[0], &mut |problem| panic!("{problem}")).unwrap();
        assert_eq!(claim.statement.versions, ["9"]);
    }
}
