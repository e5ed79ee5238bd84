//! What records about vulnerabilities say in passing: exploits among their references, and weaknesses.

use serde::Deserialize;

use super::{Fact, Output, text};
use crate::vuln::finding::{Exploit, ExploitKind};

/// A text, as CVE records and NVD have it.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Text {
    /// Its language (`en`, `en-US`).
    pub(super) lang: String,
    pub(super) value: String,
}

/// A reference, as CVE records and NVD have it.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Reference {
    pub(super) url: String,
    tags: Vec<String>,
}

impl Reference {
    /// Whether it is said to hold an exploit (CVE record format: `exploit`; NVD: `Exploit`).
    fn is_exploit(&self) -> bool {
        self.tags.iter().any(|tag| tag.eq_ignore_ascii_case("exploit"))
    }
}

/// Exploits at the addresses that a record about a vulnerability names, each once.
pub(super) fn references<'a>(cve: &str, all: impl Iterator<Item = &'a Reference>, output: &mut Output) {
    let exploits = all.filter(|reference| reference.is_exploit());
    for url in text::references(exploits.map(|reference| reference.url.as_str())) {
        let exploit = Exploit {
            source: "reference".to_owned(),
            id: url,
            kind: ExploitKind::Unknown,
            verified: false,
            in_kit: false,
            date: None,
        };
        output.facts.push((cve.to_owned(), Fact::Exploit(exploit)));
    }
}

/// The weaknesses among some texts, each once, in their order.
pub(super) fn weaknesses<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for text in texts {
        let number = text.strip_prefix("CWE-").filter(|number| !number.is_empty());
        if number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
            && !found.iter().any(|held| held == text)
        {
            found.push(text.to_owned());
        }
    }
    found
}
