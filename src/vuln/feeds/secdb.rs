//! secdb, as Alpine and those who build with apk write it: fixed versions of origins with the ids that each
//! fixes, one file a repository, JSON or YAML (Alpine, "secdb"; `0` stands for a package that never was
//! affected).
//!
//! What is written beside an id is for people; an entry without a CVE or GHSA id is passed over.

use std::collections::BTreeMap;

use serde::{Deserialize, de::DeserializeOwned};

use super::{
    Feed, File, Output,
    claims::{Claims, Part},
    text,
};
use crate::vuln::advisory::{Advisory, Statement};

#[derive(Deserialize)]
struct Repository {
    #[serde(default)]
    distroversion: Option<String>,
    #[serde(default)]
    packages: Option<Vec<Part<Entry>>>,
}

#[derive(Deserialize)]
struct Entry {
    pkg: Package,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    #[serde(default)]
    secfixes: Option<BTreeMap<String, Part<Option<Vec<String>>>>>,
}

/// A repository of one of the distributions that have no releases, or of a release of Alpine.
pub(super) fn read(feed: &Feed, file: File<'_>, output: &mut Output) -> Result<(), String> {
    let repository: Repository = match file.name.ends_with(".json") {
        true => json(file.bytes)?,
        false => serde_saphyr::from_slice(file.bytes).map_err(|error| error.to_string())?,
    };
    let ecosystem = match (feed.name, repository.distroversion) {
        ("wolfi-secdb", _) => "Wolfi".to_owned(),
        ("chainguard-secdb", _) => "Chainguard".to_owned(),
        ("minimos-secdb", _) => "MinimOS".to_owned(),
        (_, Some(release)) => format!("Alpine:{release}"),
        (_, None) => return Err("no distroversion".to_owned()),
    };
    let mut advisories: BTreeMap<String, Advisory> = BTreeMap::new();
    for (number, entry) in (0_usize..).zip(repository.packages.unwrap_or_default()) {
        let entry = entry.read(&mut output.malformed, || format!("{}: package {number}", file.name));
        let Some(Entry { pkg }) = entry else { continue };
        for (version, texts) in pkg.secfixes.unwrap_or_default() {
            let name = || format!("{}: {} {version}", file.name, pkg.name);
            let texts = texts.read(&mut output.malformed, name).flatten().unwrap_or_default();
            for id in texts.iter().flat_map(|text| ids(text)) {
                let mut claims = Claims::new(&id, &mut output.unordered);
                match version.as_str() {
                    "0" => claims.never(&ecosystem, &pkg.name, Statement::default()),
                    _ => claims.fixed(&ecosystem, &pkg.name, &version, Statement::default()),
                }
                let claims = claims.done();
                let new = || Advisory { id: id.clone(), ..Advisory::default() };
                advisories.entry(id.clone()).or_insert_with(new).claims.extend(claims);
            }
        }
    }
    output.advisories.extend(advisories.into_values());
    Ok(())
}

fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

/// The CVE ids of an entry, or else its GHSA ids.
fn ids(text: &str) -> Vec<String> {
    let words = || text.split([' ', ',', '(', ')', '[', ']', ';', '/']).map(str::trim);
    let cves = words()
        .filter_map(|word| text::cve(word.strip_prefix("CVE-").or_else(|| word.strip_prefix("CVE_"))?));
    let cves: Vec<_> = cves.collect();
    match cves.is_empty() {
        true => words().filter(|word| word.starts_with("GHSA-")).map(str::to_owned).collect(),
        false => cves,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vuln::advisory::State;

    #[test]
    fn ids_among_words() {
        assert_eq!(ids("CVE-2017-2616 (+ regression fix)"), ["CVE-2017-2616"]);
        assert_eq!(ids("CVE-2024-22195 GHSA-h5c8-rqwp-cp95"), ["CVE-2024-22195"]);
        assert_eq!(ids("CVE_2020-1"), ["CVE-2020-1"]);
        assert_eq!(ids("GHSA-f7r5-w49x-gxm3"), ["GHSA-f7r5-w49x-gxm3"]);
        assert!(ids("XSA-248").is_empty());
    }

    #[test]
    fn a_repository_in_both_forms() {
        let json = r#"{"distroversion":"v3.20","packages":[{"pkg":{"name":"xen","secfixes":{
            "0":["CVE-2020-29568 XSA-349"],"4.10.0-r1":["XSA-248"],"4.10.0-r2":["CVE-2018-7540 XSA-252"],
            "1":null,"2":{}}}},{"pkg":7}]}"#;
        let yaml = "distroversion: v3.5\npackages:\n- pkg:\n    name: xen\n    secfixes:\n      4.7.1-r1:\n      - CVE-2016-9932 XSA-200\n";
        let read = |feed, name, text: &str| {
            let mut output = Output::default();
            super::read(Feed::named(feed).unwrap(), File { name, bytes: text.as_bytes() }, &mut output)
                .unwrap();
            output
        };
        let output = read("alpine-secdb", "v3.20/main.json", json);
        assert_eq!((output.malformed.len(), output.unordered.len()), (2, 0));
        let said = output.advisories.iter().flat_map(|advisory| &advisory.claims);
        let said: Vec<_> = said.map(|claim| (claim.ecosystem.as_str(), claim.statement.state)).collect();
        assert_eq!(said, [("Alpine:v3.20", State::Affected), ("Alpine:v3.20", State::NotAffected)]);
        assert_eq!(read("alpine-secdb", "main.yaml", yaml).advisories[0].claims[0].ecosystem, "Alpine:v3.5");
        assert_eq!(read("wolfi-secdb", "security.json", json).advisories[0].claims[0].ecosystem, "Wolfi");
    }
}
