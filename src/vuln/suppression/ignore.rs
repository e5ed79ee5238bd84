//! A file of what to ignore (TOML):
//!
//! ```toml
//! [[ignore]]
//! id = "CVE-2024-0001"            # of a vulnerability; `*` and `?` stand for others, as below
//! package = "pkg:deb/debian/curl" # a purl, of which what is left out may be anything; or a name
//! path = "/opt/vendor/*"          # a file by which the package shows
//! image = "registry.example/*"    # a name or digest of the image
//! expiry = 2025-06-30             # the last day on which it holds
//! reason = "not reachable"
//! ```
//!
//! All that an entry names must fit, and it must name something.

use serde::Deserialize;
use wildmatch::WildMatch;

use super::{By, Place, Purl, Suppressed};
use crate::{error::FormatError, vuln::Finding};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    ignore: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: Option<String>,
    package: Option<String>,
    path: Option<String>,
    image: Option<String>,
    expiry: Option<toml::Value>,
    reason: Option<String>,
}

/// What to ignore, and what is said of it then.
pub(super) struct Rule {
    id: Option<WildMatch>,
    package: Option<Package>,
    path: Option<WildMatch>,
    image: Option<WildMatch>,
    pub(super) verdict: Suppressed,
}

enum Package {
    Purl(Purl),
    Name(WildMatch),
}

/// The entries of a file that hold on a day, and those that have expired in words. The error names the line or
/// the entry.
pub(super) fn rules(name: &str, text: &str, today: &str) -> Result<(Vec<Rule>, Vec<String>), FormatError> {
    let file: File = toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count().saturating_add(1);
        malformed(format!("line {line}: {}", error.message()))
    })?;
    let (mut rules, mut expired) = (Vec::new(), Vec::new());
    for (number, entry) in file.ignore.into_iter().enumerate() {
        let place = format!("entry {}", number.saturating_add(1));
        let until = entry.expiry.as_ref().map(|expiry| {
            date(expiry).ok_or_else(|| malformed(format!("{place}: expiry {expiry} is no date (2025-06-30)")))
        });
        let until = until.transpose()?;
        let rule =
            entry.rule(name, until.clone()).map_err(|problem| malformed(format!("{place}: {problem}")))?;
        match until.filter(|until| until.as_str() < today) {
            Some(until) => expired.push(format!("{name}: {place} ({}) expired on {until}", rule.shown)),
            None => rules.push(rule.rule),
        }
    }
    Ok((rules, expired))
}

struct Shown {
    rule: Rule,
    /// What it is about, for people.
    shown: String,
}

impl Entry {
    fn rule(self, name: &str, until: Option<String>) -> Result<Shown, String> {
        let fields = [&self.id, &self.package, &self.path, &self.image];
        let shown = fields.into_iter().flatten().cloned().collect::<Vec<_>>().join(", ");
        if shown.is_empty() {
            return Err("it names neither id nor package, path or image".to_owned());
        }
        let package = match self.package {
            Some(text) if text.starts_with("pkg:") => Some(Package::Purl(
                Purl::parse(&text).ok_or_else(|| format!("package `{text:.80}` is no purl"))?,
            )),
            text => text.map(|text| Package::Name(WildMatch::new(&text))),
        };
        let pattern = |text: Option<String>| text.map(|text| WildMatch::new(&text));
        let verdict = Suppressed {
            by: By::IgnoreFile,
            source: name.to_owned(),
            status: "ignored".to_owned(),
            justification: None,
            reason: self.reason,
            until,
        };
        let rule = Rule {
            id: pattern(self.id),
            package,
            path: pattern(self.path),
            image: pattern(self.image),
            verdict,
        };
        Ok(Shown { rule, shown })
    }
}

impl Rule {
    pub(super) fn holds(&self, finding: &Finding, purl: Option<&Purl>, place: &Place<'_>) -> bool {
        let Self { id, package, path, image, verdict: _ } = self;
        let mut ids = [&finding.id].into_iter().chain(&finding.aliases).chain(&finding.records);
        let paths = || place.paths.get(finding.package.as_str()).into_iter().flatten();
        let images = || place.references.iter().chain(&place.digests);
        id.as_ref().is_none_or(|pattern| ids.any(|id| pattern.matches(id)))
            && package.as_ref().is_none_or(|package| purl.is_some_and(|purl| package.is(purl)))
            && path.as_ref().is_none_or(|pattern| paths().any(|path| pattern.matches(path)))
            && image.as_ref().is_none_or(|pattern| images().any(|image| pattern.matches(image)))
    }
}

impl Package {
    /// A name is that of the package, with or without what its distribution or scope puts before it.
    fn is(&self, purl: &Purl) -> bool {
        match self {
            Self::Purl(pattern) => pattern.holds(purl),
            Self::Name(pattern) => {
                let last = purl.name.rsplit('/').next().unwrap_or_default();
                pattern.matches(&purl.name) || pattern.matches(last)
            }
        }
    }
}

/// A day, as a date or in quotes.
fn date(value: &toml::Value) -> Option<String> {
    let text = match value {
        toml::Value::Datetime(date) => date.to_string(),
        toml::Value::String(text) => text.clone(),
        _ => return None,
    };
    let day = text.get(..10)?;
    let form = time::macros::format_description!("[year]-[month]-[day]");
    time::Date::parse(day, form).ok().map(|_| day.to_owned())
}

fn malformed(problem: String) -> FormatError {
    FormatError::malformed("ignore file", problem)
}
