//! ruby-advisory-db: YAML, one gem and vulnerability a file (`gems/NAME/ID.yml`); a vulnerability of several gems
//! has several files.

use serde::Deserialize;

use super::{Feed, File, Output, text};
use crate::vuln::{
    advisory::{Advisory, Claim, Details, Provider, Rating, Requirements, Statement},
    version::Scheme,
};

#[derive(Deserialize)]
struct Record {
    #[serde(default)]
    gem: Option<String>,
    #[serde(default)]
    cve: Option<String>,
    #[serde(default)]
    ghsa: Option<String>,
    #[serde(default)]
    osvdb: Option<Number>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    date: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    cvss_v3_vector: Option<String>,
    #[serde(default)]
    patched_versions: Option<Vec<String>>,
    #[serde(default)]
    unaffected_versions: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Number(u64),
    Text(String),
}

impl Record {
    /// The ids, the one to call it by first.
    fn ids(&self) -> Vec<String> {
        let cve = self.cve.as_ref().map(|id| format!("CVE-{}", id.trim_start_matches("CVE-")));
        let ghsa = self.ghsa.as_ref().map(|id| format!("GHSA-{}", id.trim_start_matches("GHSA-")));
        let osvdb = self.osvdb.as_ref().map(|id| match id {
            Number::Number(number) => format!("OSVDB-{number}"),
            Number::Text(text) => format!("OSVDB-{text}"),
        });
        [cve, ghsa, osvdb].into_iter().flatten().collect()
    }
}

/// One record. Those of Ruby's engines (`rubies/`) are about no gem.
pub(super) fn read(_: &Feed, file: File<'_>, output: &mut Output) -> Result<(), String> {
    let record: Record = serde_saphyr::from_slice(file.bytes).map_err(|error| error.to_string())?;
    let stem = file
        .name
        .rsplit('/')
        .next()
        .and_then(|name| name.rsplit_once('.'))
        .map_or(file.name, |(stem, _)| stem);
    let mut ids = record.ids();
    if ids.is_empty() {
        ids.push(stem.to_owned());
    }
    let mut ids = ids.into_iter();
    let id = ids.next().unwrap_or_default();
    let requirements = Requirements {
        patched: record.patched_versions.unwrap_or_default(),
        unaffected: record.unaffected_versions.unwrap_or_default(),
        ..Requirements::default()
    };
    if let Some(problem) = requirements.unreadable(Scheme::RubyGems) {
        output.unordered.push((id, format!("requirement `{problem}`")));
        return Ok(());
    }
    let statement = Statement { requirements: Some(requirements), ..Statement::default() };
    let claim = |name| Claim { ecosystem: "RubyGems".to_owned(), name, statement };
    output.advisories.push(Advisory {
        id,
        aliases: ids.collect(),
        rating: Rating {
            cvss: Provider::Source.vectors(record.cvss_v3_vector.as_deref()),
            ..Rating::default()
        },
        details: Details {
            title: record.title.as_deref().and_then(text::title),
            description: record.description.as_deref().and_then(text::description),
            published: record.date,
            references: text::references(record.url.as_deref().into_iter()),
            ..Details::default()
        },
        claims: record.gem.map(claim).into_iter().collect(),
        ..Advisory::default()
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gem_and_what_has_no_number() {
        let read = |name, yaml: &str| {
            let mut output = Output::default();
            let file = File { name, bytes: yaml.as_bytes() };
            super::read(Feed::named("rubysec").unwrap(), file, &mut output)
                .map(|()| output.advisories.remove(0))
        };
        let yaml = "---\ngem: RedCloth\ncve: 2012-6684\nghsa: r23g-3qw4-gfh2\nosvdb: 115941\ndate: 2012-02-29
title: \"XSS\"\ncvss_v2: 4.3\npatched_versions:\n  - \">= 4.3.0\"\n";
        let advisory = read("gems/RedCloth/CVE-2012-6684.yml", yaml).unwrap();
        assert_eq!(advisory.id, "CVE-2012-6684");
        assert_eq!(advisory.aliases, ["GHSA-r23g-3qw4-gfh2", "OSVDB-115941"]);
        assert_eq!(advisory.claims[0].statement.requirements.as_ref().unwrap().patched, [">= 4.3.0"]);
        assert_eq!(advisory.details.published.as_deref(), Some("2012-02-29"));
        assert_eq!(read("gems/a/NONE-1.yml", "gem: a\ntitle: t\n").unwrap().id, "NONE-1");
        assert!(read("rubies/ruby/CVE-1.yml", "engine: ruby\ncve: 1-1\n").unwrap().claims.is_empty());
        assert!(read("gems/a/b.yml", "gem: [").is_err());
    }
}
