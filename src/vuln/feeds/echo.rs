//! Echo's advisories: one JSON file, by source package and vulnerability, with the version that has the fix
//! if there is one.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    Feed, File, Output,
    claims::{Claims, Part},
};
use crate::vuln::advisory::{Advisory, Statement};

#[derive(Deserialize)]
struct Issue {
    #[serde(default)]
    fixed_version: Option<String>,
}

/// The file.
pub(super) fn read(_: &Feed, file: File<'_>, output: &mut Output) -> Result<(), String> {
    let all: BTreeMap<String, BTreeMap<String, Part<Issue>>> =
        serde_json::from_slice(file.bytes).map_err(|error| error.to_string())?;
    let mut advisories: BTreeMap<String, Advisory> = BTreeMap::new();
    for (name, issues) in all {
        for (id, issue) in issues {
            let Some(issue) = issue.read(&mut output.malformed, || format!("{name}: {id}")) else { continue };
            let mut claims = Claims::new(&id, &mut output.unordered);
            match issue.fixed_version.as_deref() {
                Some("0") => claims.never("Echo", &name, Statement::default()),
                Some(version) => claims.fixed("Echo", &name, version, Statement::default()),
                None => claims.all("Echo", &name, Statement::default()),
            }
            let claims = claims.done();
            let new = || Advisory { id: id.clone(), ..Advisory::default() };
            advisories.entry(id.clone()).or_insert_with(new).claims.extend(claims);
        }
    }
    output.advisories.extend(advisories.into_values());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vuln::advisory::State;

    #[test]
    fn packages_and_their_vulnerabilities() {
        let text = r#"{"nginx":{"CVE-2021-3618":{"fixed_version":"1.21.0"},"CVE-2":{"fixed_version":"0"},"CVE-3":7},
            "python":{"CVE-2021-3618":{}}}"#;
        let mut output = Output::default();
        let feed = Feed::named("echo").unwrap();
        read(feed, File { name: "data.json", bytes: text.as_bytes() }, &mut output).unwrap();
        assert_eq!(output.malformed.len(), 1);
        let said = output.advisories.iter().flat_map(|advisory| &advisory.claims);
        let said: Vec<_> = said.map(|one| (one.statement.state, one.statement.ranges.len())).collect();
        assert_eq!(said, [(State::NotAffected, 0), (State::Affected, 1), (State::Affected, 0)]);
    }
}
