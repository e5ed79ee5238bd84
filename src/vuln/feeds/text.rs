//! Texts for people, cut to what is kept of them.

use std::collections::HashSet;

use crate::{limits, vuln::finding::Severity};

/// Bytes of a line for people that are kept.
const TITLE_BYTES: usize = 300;
/// Bytes of an address; longer ones are left out.
const ADDRESS_BYTES: usize = 500;
/// How CVE records of different years are rejected, in lower case.
const REJECTED: [&str; 4] = [
    "** reject **",
    "do not use this candidate number",
    "do not use this cve record",
    "has been rejected or withdrawn",
];

/// One line.
pub(super) fn title(text: &str) -> Option<String> {
    cut(&text.split_whitespace().collect::<Vec<_>>().join(" "), TITLE_BYTES)
}

/// One line about a record, unless it only names it.
pub(super) fn title_of(text: &str, id: &str) -> Option<String> {
    title(text).filter(|title| !title.ends_with(id))
}

/// Some sentences.
pub(super) fn description(text: &str) -> Option<String> {
    cut(text.trim(), limits::DESCRIPTION_BYTES)
}

/// Addresses in the order in which the source gives them, each once.
pub(super) fn references<'a>(urls: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut seen = HashSet::new();
    let urls = urls.map(str::trim).filter(|url| !url.is_empty() && url.len() <= ADDRESS_BYTES);
    urls.filter(|url| seen.insert(*url)).take(limits::REFERENCES).map(str::to_owned).collect()
}

/// The worst of some words for severities.
pub(super) fn worst<'a>(words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    words.into_iter().max_by_key(|word| Severity::from_word(word))
}

/// Whether a description says that its CVE id is to be used no more, in the words of the CVE Program.
pub(super) fn is_rejected(description: &str) -> bool {
    let description = description.to_ascii_lowercase();
    REJECTED.iter().any(|words| description.contains(words))
}

/// The CVE id of a year and a number (`2017-2616`).
pub(super) fn cve(number: &str) -> Option<String> {
    let (year, number) = number.split_once(['-', '_'])?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(year) && digits(number)).then(|| format!("CVE-{year}-{number}"))
}

/// At most `bytes` of a text, with a sign that there is more; `None` for an empty one.
fn cut(text: &str, bytes: usize) -> Option<String> {
    let end = (0..=bytes.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    let kept = text.get(..end.unwrap_or_default()).unwrap_or_default();
    let more = if kept.len() < text.len() { "…" } else { "" };
    (!kept.is_empty()).then(|| format!("{kept}{more}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(title(" a\n b "), Some("a b".to_owned()));
        assert_eq!(description("  "), None);
        assert_eq!(cut("éé", 3), Some("é…".to_owned()));
        assert_eq!(references(["u", "", "v", "u"].into_iter()), ["u", "v"]);
    }

    #[test]
    fn what_texts_say() {
        assert_eq!(title_of("SUSE CVE CVE-2010-1323", "CVE-2010-1323"), None);
        assert_eq!(worst(["low", "important", "?", "moderate"]), Some("important"));
        assert!(is_rejected("** REJECT ** DO NOT USE THIS CANDIDATE NUMBER. ConsultIDs: none."));
        assert!(!is_rejected("** DISPUTED ** A flaw"));
    }
}
