//! Arch Linux's groups of vulnerabilities, as its security tracker lists them in one JSON file: packages, the
//! version known to be affected, and the one with the fix.

use serde::Deserialize;

use super::{
    Feed, File, Output,
    claims::{Claims, Part},
    text,
};
use crate::vuln::advisory::{Advisory, Details, Rating, State, Statement};

const ECOSYSTEM: &str = "Arch Linux";

#[derive(Deserialize)]
struct Group {
    name: String,
    packages: Vec<String>,
    status: String,
    #[serde(default)]
    severity: Option<String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    fixed: Option<String>,
    #[serde(default)]
    issues: Vec<String>,
}

/// The list.
pub(super) fn read(_: &Feed, file: File<'_>, output: &mut Output) -> Result<(), String> {
    let groups: Vec<Part<Group>> = serde_json::from_slice(file.bytes).map_err(|error| error.to_string())?;
    for (number, group) in (0_usize..).zip(groups) {
        let group = group.read(&mut output.malformed, || format!("group {number}"));
        let Some(group) = group else { continue };
        let mut claims = Claims::new(&group.name, &mut output.unordered);
        for name in &group.packages {
            match (group.status.as_str(), group.fixed.as_deref()) {
                ("Not affected", _) => claims.never(ECOSYSTEM, name, Statement::default()),
                ("Unknown", _) => {
                    let state = State::UnderInvestigation;
                    claims.all(ECOSYSTEM, name, Statement { state, ..Statement::default() });
                }
                ("Fixed" | "Testing" | "Vulnerable", Some(version)) => {
                    claims.fixed(ECOSYSTEM, name, version, Statement::default());
                }
                ("Vulnerable", None) => claims.all(ECOSYSTEM, name, Statement::default()),
                (other, _) => claims.left_out(name, &format!("status `{other:.40}` without a version")),
            }
        }
        let claims = claims.done();
        let members = group.issues.into_iter().filter(|id| id.starts_with("CVE-"));
        output.advisories.push(Advisory {
            rating: Rating {
                members: members.collect(),
                severity: group.severity.as_deref().map(str::to_ascii_lowercase),
                ..Rating::default()
            },
            details: Details { title: group.kind.as_deref().and_then(text::title), ..Details::default() },
            claims,
            id: group.name,
            ..Advisory::default()
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups() {
        let text = r#"[{"name":"AVG-1234","packages":["curl","lib32-curl"],"affected":"8.4.0-1","fixed":"8.5.0-1",
            "severity":"High","status":"Fixed","type":"arbitrary code execution","issues":["CVE-2024-1234"]},
            {"name":"AVG-9999","packages":["pam"],"fixed":null,"severity":"Medium","status":"Vulnerable"},
            {"name":"AVG-1","packages":["a"],"status":"Not affected"},{"name":"AVG-2","packages":["a"],"status":"Odd"},{}]"#;
        let mut output = Output::default();
        let feed = Feed::named("arch").unwrap();
        read(feed, File { name: "all.json", bytes: text.as_bytes() }, &mut output).unwrap();
        assert_eq!((output.malformed.len(), output.unordered.len()), (1, 1));
        let said = output.advisories.iter().flat_map(|advisory| &advisory.claims);
        let said: Vec<_> = said.map(|one| (one.statement.state, one.statement.ranges.len())).collect();
        let affected = State::Affected;
        assert_eq!(said, [(affected, 1), (affected, 1), (affected, 0), (State::NotAffected, 0)]);
        assert_eq!(output.advisories[0].rating.members, ["CVE-2024-1234"]);
    }
}
