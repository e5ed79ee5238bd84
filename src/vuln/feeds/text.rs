//! Texts for people, cut to what is kept of them.

use std::collections::HashSet;

use crate::limits;

/// Bytes of a line for people that are kept.
const TITLE_BYTES: usize = 300;
/// Bytes of an address; longer ones are left out.
const ADDRESS_BYTES: usize = 500;

/// One line.
pub(super) fn title(text: &str) -> Option<String> {
    cut(&text.split_whitespace().collect::<Vec<_>>().join(" "), TITLE_BYTES)
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
}
