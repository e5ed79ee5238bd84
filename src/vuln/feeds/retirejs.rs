//! Retire.js' repository of JavaScript libraries (`repository/jsrepository-v6.json`): by library, what is wrong
//! `atOrAbove` a version and `below` another. Several files say the same in older forms; only the newest is
//! read. A library's npm package is `npmname`, or else of the library's own name; what is no npm package
//! (`basePurl`) is left out, as are files that lie about without a package.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Feed, File, Output, npm_ranges, text};
use crate::vuln::advisory::{Advisory, Claim, Details, Rating, Statement};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Library {
    #[serde(default)]
    npmname: Option<String>,
    #[serde(default)]
    base_purl: Option<String>,
    #[serde(default)]
    vulnerabilities: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    #[serde(default)]
    at_or_above: Option<String>,
    #[serde(default)]
    below: Option<String>,
    /// Single versions that are not affected.
    #[serde(default)]
    excludes: Vec<String>,
    #[serde(default)]
    severity: Option<String>,
    #[serde(default)]
    cwe: Vec<String>,
    #[serde(default)]
    identifiers: Ids,
    #[serde(default)]
    info: Vec<String>,
    #[serde(default)]
    details: Option<String>,
}

#[derive(Default, Deserialize)]
struct Ids {
    #[serde(default)]
    summary: Option<String>,
    #[serde(default, rename = "CVE")]
    cve: Vec<String>,
    #[serde(default, rename = "githubID")]
    github: Option<String>,
    #[serde(default)]
    retid: Option<String>,
    #[serde(default)]
    issue: Option<String>,
    #[serde(default)]
    bug: Option<String>,
}

/// The repository.
pub(super) fn read(_: &Feed, file: File<'_>, output: &mut Output) -> Result<(), String> {
    let libraries: BTreeMap<String, Value> =
        serde_json::from_slice(file.bytes).map_err(|error| error.to_string())?;
    for (key, library) in libraries {
        let library: Library = match serde_json::from_value(library) {
            Ok(library) => library,
            Err(error) => {
                output.malformed.push((key, error.to_string()));
                continue;
            }
        };
        let elsewhere = library.base_purl.is_some_and(|purl| !purl.starts_with("pkg:npm/"));
        let name = library.npmname.unwrap_or_else(|| key.clone());
        // Their own example and a list of files to pass over.
        if elsewhere || !is_npm_name(&name) || key == "retire-example" {
            continue;
        }
        for (number, record) in library.vulnerabilities.into_iter().enumerate() {
            match serde_json::from_value::<Record>(record) {
                Ok(record) => add(&name, record, output),
                Err(error) => output.malformed.push((format!("{key} {number}"), error.to_string())),
            }
        }
    }
    Ok(())
}

/// Whether npm could have a package of this name (npm, "package.json", `name`).
fn is_npm_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.@/".contains(c);
    !name.is_empty() && name.chars().all(plain)
}

fn add(name: &str, record: Record, output: &mut Output) {
    let Ids { summary, cve, github, retid, issue, bug } = record.identifiers;
    let below = record.below.as_deref().map(spelled);
    let (from, until) = (record.at_or_above.as_deref().map(spelled), below.as_deref());
    let own = retid.or(issue).or(bug).unwrap_or_else(|| until.unwrap_or("all").to_owned());
    let mut cves: Vec<String> = cve.into_iter().filter(|id| id.starts_with("CVE-")).collect();
    let several = cves.len() > 1;
    let github = github.filter(|id| id.starts_with("GHSA-"));
    let first = || if several { None } else { cves.first().cloned() };
    let id = github.clone().or_else(first).unwrap_or_else(|| format!("retire:{name}:{own}"));
    let ranges = match pieces(from.as_deref(), until, &record.excludes) {
        Ok(ranges) => ranges,
        Err(problem) => {
            output.unordered.push((id, format!("{name}: {problem}")));
            return;
        }
    };
    cves.retain(|cve| *cve != id);
    // Several are not the same vulnerability.
    let members = if several { std::mem::take(&mut cves) } else { Vec::new() };
    output.advisories.push(Advisory {
        id,
        aliases: cves,
        rating: Rating { members, severity: record.severity, ..Rating::default() },
        details: Details {
            title: summary.as_deref().and_then(text::title),
            description: record.details.as_deref().and_then(text::description),
            weaknesses: record.cwe,
            references: text::references(record.info.iter().map(String::as_str)),
            ..Details::default()
        },
        claims: vec![Claim {
            ecosystem: "npm".to_owned(),
            name: name.to_owned(),
            statement: Statement { ranges, ..Statement::default() },
        }],
        ..Advisory::default()
    });
}

fn pieces(
    from: Option<&str>,
    below: Option<&str>,
    excludes: &[String],
) -> Result<Vec<crate::vuln::matching::range::Range>, String> {
    if excludes.is_empty() {
        return Ok(vec![npm_ranges::between(from, below)?]);
    }
    let bounds = [from.map(|from| format!(">={from}")), below.map(|below| format!("<{below}"))];
    let all = bounds.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let spared: Vec<_> = excludes.iter().map(|version| spelled(version)).collect();
    npm_ranges::affected(&all, Some(&spared.join(" || ")))
}

/// `1.9.0b1` as npm spells it, `1.9.0-b1`; `1.12.4.1` of libraries that have four numbers stays, and is refused.
fn spelled(version: &str) -> String {
    let end = version.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(version.len());
    match version.split_at_checked(end) {
        Some((numbers, rest))
            if rest.starts_with(|c: char| c.is_ascii_alphabetic()) && !numbers.is_empty() =>
        {
            format!("{}-{rest}", numbers.trim_end_matches('.'))
        }
        _ => version.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_that_npm_has() {
        let text = r#"{"jquery":{"npmname":"jquery","vulnerabilities":[
            {"below":"1.9.0b1","severity":"medium","cwe":["CWE-79"],"identifiers":{"summary":"s","CVE":["CVE-2012-6708"],"bug":"11290",
             "githubID":"GHSA-2pqj-h3vj-pqgw"},"info":["http://a"]},
            {"atOrAbove":"2.0.0","below":"3.0.0","severity":"low","identifiers":{"issue":"2432","summary":"x"}},
            {"below":"4.0.0","excludes":["3.5.0"],"identifiers":{"CVE":["CVE-1","CVE-2"]}},
            {"below":"1.2.3.4","identifiers":{}}, 7]},
            "YUI":{"vulnerabilities":[{"below":"1.0.0"}]}, "x":{"basePurl":"pkg:github/x/x","vulnerabilities":[{"below":"1.0.0"}]}}"#;
        let mut output = Output::default();
        let file = File { name: "jsrepository-v6.json", bytes: text.as_bytes() };
        read(Feed::named("retirejs").unwrap(), file, &mut output).unwrap();
        let shown: Vec<_> = output
            .advisories
            .iter()
            .map(|found| {
                let ranges = found.claims[0].statement.ranges.iter().map(ToString::to_string);
                format!("{} {:?} {}", found.id, found.aliases, ranges.collect::<Vec<_>>().join(" or "))
            })
            .collect();
        assert_eq!(
            shown,
            [
                "GHSA-2pqj-h3vj-pqgw [\"CVE-2012-6708\"] < 1.9.0-b1",
                "retire:jquery:2432 [] >= 2.0.0, < 3.0.0",
                "retire:jquery:4.0.0 [] < 3.5.0 or >= 3.5.1-0, < 4.0.0",
            ]
        );
        assert_eq!(output.advisories[2].rating.members, ["CVE-1", "CVE-2"]);
        assert_eq!((output.unordered.len(), output.malformed.len()), (1, 1));
    }
}
