//! RustSec's advisories: Markdown whose first block is TOML (advisory-db, "EXAMPLE_ADVISORY.md").

use serde::Deserialize;
use toml::value::Datetime;

use super::{Feed, File, Output, text};
use crate::vuln::{
    advisory::{Advisory, Claim, Details, Provider, Rating, Requirements, State, Statement},
    version::Scheme,
};

#[derive(Deserialize)]
struct Front {
    advisory: Head,
    #[serde(default)]
    versions: Versions,
}

#[derive(Deserialize)]
struct Head {
    id: String,
    package: String,
    #[serde(default)]
    date: Option<StringOrDate>,
    #[serde(default)]
    withdrawn: Option<StringOrDate>,
    #[serde(default)]
    informational: Option<String>,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    cvss: Option<String>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    references: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum StringOrDate {
    String(String),
    Date(Datetime),
}

#[derive(Deserialize, Default)]
struct Versions {
    #[serde(default)]
    patched: Vec<String>,
    #[serde(default)]
    unaffected: Vec<String>,
}

/// One advisory. Those of Rust itself (`rust/`) are about no crate.
pub(super) fn read(_: &Feed, file: File<'_>, output: &mut Output) -> Result<(), String> {
    let markdown = std::str::from_utf8(file.bytes).map_err(|error| error.to_string())?;
    let Some((_, rest)) = markdown.split_once("```toml") else {
        return Err("no block of TOML".to_owned());
    };
    let (front, body) = rest.split_once("\n```").ok_or("the block of TOML has no end")?;
    let Front { advisory, versions } = toml::from_str(front).map_err(|error| error.message().to_owned())?;
    let requirements = Requirements {
        patched: versions.patched,
        unaffected: versions.unaffected,
        ..Requirements::default()
    };
    if let Some(problem) = requirements.unreadable(Scheme::SemVer) {
        output.unordered.push((advisory.id, format!("{}: requirement `{problem}`", advisory.package)));
        return Ok(());
    }
    let statement = Statement {
        state: if advisory.informational.is_some() { State::Informational } else { State::Affected },
        requirements: Some(requirements),
        note: advisory.informational,
        ..Statement::default()
    };
    let claim = Claim { ecosystem: "crates.io".to_owned(), name: advisory.package, statement };
    let body = body.trim();
    let (title, description) =
        match body.strip_prefix("# ").map(|body| body.split_once('\n').unwrap_or((body, ""))) {
            Some((title, description)) => (title, description),
            None => ("", body),
        };
    output.advisories.push(Advisory {
        id: advisory.id,
        modified: None,
        set_aside: advisory.withdrawn.is_some(),
        aliases: advisory.aliases,
        rating: Rating { cvss: Provider::Source.vectors(advisory.cvss.as_deref()), ..Rating::default() },
        details: Details {
            title: text::title(title),
            description: text::description(description),
            published: advisory.date.map(|date| match date {
                StringOrDate::String(date) => date,
                StringOrDate::Date(date) => date.to_string(),
            }),
            references: text::references(advisory.url.iter().chain(&advisory.references).map(String::as_str)),
            ..Details::default()
        },
        claims: if file.name.contains("rust/") && !file.name.contains("crates/") {
            Vec::new()
        } else {
            vec![claim]
        },
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advisory_with_two_lines_of_fixes() {
        let markdown = "```toml\n[advisory]\nid = \"RUSTSEC-2017-0002\"\npackage = \"hyper\"\naliases = [\"CVE-2017-18587\"]
cvss = \"CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:L/A:N\"\ndate = \"2017-01-23\"\n
[versions]\npatched = [\">= 0.10.2\", \"< 0.10.0, >= 0.9.18\"]\n```\n\n# headers can split messages\n\nSerializing of headers.\n";
        let read = |name, markdown: &str| {
            let mut output = Output::default();
            let file = File { name, bytes: markdown.as_bytes() };
            super::read(Feed::named("rustsec").unwrap(), file, &mut output).map(|()| output)
        };
        let output = read("crates/hyper/RUSTSEC-2017-0002.md", markdown).unwrap();
        let advisory = &output.advisories[0];
        assert_eq!((advisory.id.as_str(), advisory.claims[0].name.as_str()), ("RUSTSEC-2017-0002", "hyper"));
        assert_eq!(advisory.details.title.as_deref(), Some("headers can split messages"));
        assert_eq!(advisory.details.published.as_deref(), Some("2017-01-23"));
        assert_eq!(advisory.rating.cvss.len(), 1);
        let odd = read("a.md", &markdown.replace(">= 0.10.2", "newer")).unwrap();
        assert_eq!((odd.advisories.len(), odd.unordered.len()), (0, 1));
        assert!(read("a.md", "# no block").is_err());
        assert!(read("rust/std/a.md", markdown).unwrap().advisories[0].claims.is_empty());
    }
}
