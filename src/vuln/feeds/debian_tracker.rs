//! Debian's security tracker, as the one JSON file that it publishes: by source package and issue, what is
//! known of each release (Debian, "security-tracker", `data/json`).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    Feed, File, Output,
    claims::{Claims, Part},
    text,
};
use crate::vuln::{
    advisory::{Advisory, Details, State, Statement},
    ecosystem,
};

/// By source package, then by issue.
type Tracker = BTreeMap<String, BTreeMap<String, Part<Issue>>>;

#[derive(Deserialize)]
struct Issue {
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    releases: BTreeMap<String, Part<Release>>,
}

#[derive(Deserialize)]
struct Release {
    status: String,
    #[serde(default)]
    fixed_version: Option<String>,
    #[serde(default)]
    urgency: Option<String>,
    #[serde(default)]
    nodsa: Option<String>,
    #[serde(default)]
    nodsa_reason: Option<String>,
}

/// The file. An issue is told by each of its packages.
pub(super) fn read(_: &Feed, file: File<'_>, output: &mut Output) -> Result<(), String> {
    let tracker: Tracker = serde_json::from_slice(file.bytes).map_err(|error| error.to_string())?;
    let mut advisories: BTreeMap<String, Advisory> = BTreeMap::new();
    for (name, issues) in tracker {
        for (id, issue) in issues {
            let Some(issue) = issue.read(&mut output.malformed, || format!("{name}: {id}")) else { continue };
            let mut claims = Claims::new(&id, &mut output.unordered);
            for (codename, release) in issue.releases {
                let release = release.read(&mut output.malformed, || format!("{name}: {id} in {codename}"));
                if let (Some(release), Some(ecosystem)) = (release, ecosystem::debian(&codename)) {
                    state(&mut claims, &ecosystem, &name, release);
                }
            }
            let claims = claims.done();
            let advisory = advisories.entry(id.clone()).or_insert_with(|| Advisory {
                id,
                details: Details {
                    description: issue.description.as_deref().and_then(text::description),
                    ..Details::default()
                },
                ..Advisory::default()
            });
            advisory.claims.extend(claims);
        }
    }
    output.advisories.extend(advisories.into_values());
    Ok(())
}

fn state(claims: &mut Claims<'_>, ecosystem: &str, name: &str, release: Release) {
    let urgency = release.urgency.as_deref().map(|word| word.trim_end_matches('*'));
    let urgency = urgency.filter(|word| !word.is_empty() && *word != "not yet assigned");
    let ended = urgency == Some("end-of-life");
    let statement =
        Statement { urgency: urgency.filter(|_| !ended).map(str::to_owned), ..Statement::default() };
    match (release.status.as_str(), release.fixed_version.as_deref()) {
        // The note says that no advisory is planned; the release is affected all the same.
        ("open", _) => {
            let (state, note) = match release.nodsa_reason.as_deref() {
                _ if ended => (State::WillNotFix, Some("end of life".to_owned())),
                Some("ignored") => (State::WillNotFix, release.nodsa),
                Some("postponed") => (State::Deferred, release.nodsa),
                _ => (State::Affected, release.nodsa),
            };
            claims.all(ecosystem, name, Statement { state, note, ..statement });
        }
        ("resolved", Some("0")) => claims.never(ecosystem, name, statement),
        ("resolved", Some(version)) => claims.fixed(ecosystem, name, version, statement),
        ("resolved", None) => claims.left_out(name, "resolved without a version"),
        ("undetermined", _) => {
            claims.all(ecosystem, name, Statement { state: State::UnderInvestigation, ..statement });
        }
        (other, _) => claims.left_out(name, &format!("status `{other:.40}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_of_releases() {
        let text = r#"{"a":{"CVE-2008-1":{"description":"d","releases":{
            "stretch":{"status":"resolved","fixed_version":"1.6.0.2-1","urgency":"high**"},
            "buster":{"status":"resolved","fixed_version":"0","urgency":"unimportant"},
            "bookworm":{"status":"open","urgency":"not yet assigned","nodsa":"Minor issue","nodsa_reason":"postponed"},
            "bullseye":{"status":"open","urgency":"end-of-life"},"trixie":{"status":"undetermined"},
            "jessie":{"status":"resolved"},"sid":{"status":"open"},"wheezy":7}}},
            "b":{"CVE-2008-1":{"releases":{"stretch":{"status":"open","nodsa_reason":"ignored"}}}}}"#;
        let mut output = Output::default();
        let feed = Feed::named("debian-tracker").unwrap();
        read(feed, File { name: "debian.json", bytes: text.as_bytes() }, &mut output).unwrap();
        assert_eq!((output.malformed.len(), output.unordered.len(), output.advisories.len()), (1, 1, 1));
        let said = output.advisories[0].claims.iter().map(|claim| {
            let one = &claim.statement;
            let range = one.ranges.first().map(ToString::to_string).unwrap_or_default();
            format!("{} {} {:?} {range} {:?}", claim.ecosystem, claim.name, one.state, one.urgency.as_deref())
        });
        assert_eq!(
            said.collect::<Vec<_>>(),
            [
                "Debian:12 a Deferred  None",
                "Debian:11 a WillNotFix  None",
                "Debian:10 a NotAffected  Some(\"unimportant\")",
                "Debian:9 a Affected < 1.6.0.2-1 Some(\"high\")",
                "Debian:13 a UnderInvestigation  None",
                "Debian:9 b WillNotFix  None",
            ]
        );
    }
}
