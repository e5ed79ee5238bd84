//! Ubuntu's CVE tracker, in its own form or as JSON, one file a vulnerability: what is known of each source
//! package, by release and line of updates (ubuntu-cve-tracker, "README", statuses).

mod form;

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    Feed, File, Output,
    claims::{Claims, Part},
    text,
};
use crate::vuln::{
    advisory::{Advisory, Details, Provider, Rating, State, Statement},
    ecosystem,
    matching::range::EventKind,
};

#[derive(Deserialize, Default)]
struct Issue {
    candidate: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    priority: Option<String>,
    #[serde(default)]
    cvss: BTreeMap<String, String>,
    #[serde(default)]
    references: Option<Vec<String>>,
    #[serde(default)]
    public_date: Option<String>,
    /// By release, then by source package.
    packages: BTreeMap<String, BTreeMap<String, Part<Package>>>,
}

#[derive(Deserialize)]
struct Package {
    status: String,
    #[serde(default)]
    note: String,
    #[serde(default)]
    priority: Option<String>,
}

/// One vulnerability.
pub(super) fn read(_: &Feed, file: File<'_>, output: &mut Output) -> Result<(), String> {
    let issue: Issue = match file.name.ends_with(".json") {
        true => serde_json::from_slice(file.bytes).map_err(|error| error.to_string())?,
        false => Issue::parse(std::str::from_utf8(file.bytes).map_err(|error| error.to_string())?)?,
    };
    let id = issue.candidate;
    let mut claims = Claims::new(&id, &mut output.unordered);
    for (release, packages) in issue.packages {
        let Some((ecosystem, channel)) = line(&release) else { continue };
        for (name, package) in packages {
            let package = package.read(&mut output.malformed, || format!("{id}: {name} in {release}"));
            if let Some(package) = package {
                state(&mut claims, &ecosystem, &name, &channel, &package);
            }
        }
    }
    let claims = claims.done();
    let mut vectors = Vec::new();
    for (giver, text) in &issue.cvss {
        let provider = if giver == "nvd" { Provider::Nvd } else { Provider::Source };
        vectors.extend(provider.vectors(text.split_whitespace()));
    }
    output.advisories.push(Advisory {
        rating: Rating {
            cvss: vectors,
            severity: issue.priority.as_deref().and_then(word),
            ..Rating::default()
        },
        details: Details {
            description: issue.description.as_deref().and_then(text::description),
            published: issue.public_date,
            references: text::references(issue.references.iter().flatten().map(String::as_str)),
            ..Details::default()
        },
        claims,
        id,
        ..Advisory::default()
    });
    Ok(())
}

/// The first word of a priority: reasons follow it.
fn word(priority: &str) -> Option<String> {
    priority.split_whitespace().next().filter(|word| *word != "untriaged").map(str::to_owned)
}

/// The release and the line of updates that a key of the tracker names: `jammy`, `esm-infra/xenial`,
/// `trusty/esm`. What is no release of a distribution (`upstream`, `devel`, `snap`) is none.
fn line(key: &str) -> Option<(String, Option<String>)> {
    match key.split_once('/') {
        None => Some((ecosystem::ubuntu(key)?, None)),
        // Of phones and of what the core was then.
        Some(("vivid", _)) => None,
        Some((channel, codename)) => match ecosystem::ubuntu(codename) {
            Some(ecosystem) => Some((ecosystem, Some(channel.to_owned()))),
            None => Some((ecosystem::ubuntu(channel)?, Some(codename.to_owned()))),
        },
    }
}

fn state(claims: &mut Claims<'_>, ecosystem: &str, name: &str, channel: &Option<String>, package: &Package) {
    let note = Some(package.note.trim()).filter(|note| !note.is_empty());
    let statement = |state, note: Option<&str>| Statement {
        state,
        channel: channel.clone(),
        urgency: package.priority.as_deref().and_then(word),
        note: note.map(str::to_owned),
        ..Statement::default()
    };
    let version = note.map(|note| note.trim_matches(['(', ')', ' ']));
    match package.status.as_str() {
        "DNE" => {}
        // The note is a version that upstream or the archive had, or a reason.
        "not-affected" => claims.never(ecosystem, name, statement(State::NotAffected, None)),
        "released" => match version {
            Some(version) => claims.fixed(ecosystem, name, version, statement(State::Affected, None)),
            None => claims.left_out(name, "released without a version"),
        },
        // The fix has a version, but nobody can have it yet.
        "pending" => match version.filter(|version| version.starts_with(|c: char| c.is_ascii_digit())) {
            Some(version) => {
                let events = [(EventKind::Introduced, "0"), (EventKind::Limit, version)];
                claims.range(ecosystem, name, &events, statement(State::Affected, Some("pending")));
            }
            None => claims.all(ecosystem, name, statement(State::Affected, Some("pending"))),
        },
        "needed" | "active" | "in-progress" => claims.all(ecosystem, name, statement(State::Affected, None)),
        "deferred" => claims.all(ecosystem, name, statement(State::Deferred, note)),
        "ignored" => claims.all(ecosystem, name, statement(State::WillNotFix, note)),
        "needs-triage" => claims.all(ecosystem, name, statement(State::UnderInvestigation, None)),
        other => claims.left_out(name, &format!("status `{other:.40}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advisory(text: &str) -> (Advisory, Output) {
        let mut output = Output::default();
        let file = File { name: "CVE.json", bytes: text.as_bytes() };
        read(Feed::named("ubuntu-cve-tracker").unwrap(), file, &mut output).unwrap();
        (output.advisories.remove(0), output)
    }

    #[test]
    fn states_and_lines_of_updates() {
        let (advisory, output) = advisory(
            r#"{"candidate":"CVE-2019-1","priority":"medium because","cvss":{"nvd":" CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H [9.8 CRITICAL]"},
            "packages":{"upstream":{"a":{"status":"released","note":"3"}},"devel":{"a":{"status":"needed"}},
            "vivid/ubuntu-core":{"a":{"status":"needed"}},
            "jammy":{"a":{"status":"released","note":"1.2-3ubuntu1","priority":"low"},"b":{"status":"DNE"},"c":7,
              "d":{"status":"released"},"e":{"status":"lost"}},
            "noble":{"a":{"status":"pending","note":"2-1"}},
            "trusty/esm":{"a":{"status":"ignored","note":"end of life"}},
            "esm-infra/xenial":{"a":{"status":"not-affected","note":"code not present"}}}}"#,
        );
        assert_eq!(advisory.rating.severity.as_deref(), Some("medium"));
        assert_eq!(advisory.rating.cvss.len(), 1);
        assert_eq!((output.malformed.len(), output.unordered.len()), (1, 2));
        let said: Vec<_> = advisory
            .claims
            .iter()
            .map(|claim| {
                let one = &claim.statement;
                let ranges: Vec<_> = one.ranges.iter().map(ToString::to_string).collect();
                (claim.ecosystem.as_str(), one.channel.as_deref(), one.state, ranges.concat())
            })
            .collect();
        assert_eq!(
            said,
            [
                ("Ubuntu:16.04:LTS", Some("esm-infra"), State::NotAffected, String::new()),
                ("Ubuntu:22.04:LTS", None, State::Affected, "< 1.2-3ubuntu1".to_owned()),
                ("Ubuntu:24.04:LTS", None, State::Affected, "< 2-1".to_owned()),
                ("Ubuntu:14.04:LTS", Some("esm"), State::WillNotFix, String::new()),
            ]
        );
        assert_eq!(advisory.claims[1].statement.urgency.as_deref(), Some("low"));
    }
}
