//! What records about vulnerabilities say in passing: exploits among their references, and weaknesses.

use super::{Fact, Output, text};
use crate::vuln::finding::{Exploit, ExploitKind};

/// Whether a reference is said to hold an exploit (CVE record format: `exploit`; NVD: `Exploit`).
pub(super) fn is_exploit(tags: &[String]) -> bool {
    tags.iter().any(|tag| tag.eq_ignore_ascii_case("exploit"))
}

/// Exploits at the addresses that a record about a vulnerability names, each once.
pub(super) fn references<'a>(cve: &str, urls: impl Iterator<Item = &'a str>, output: &mut Output) {
    for url in text::references(urls) {
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
