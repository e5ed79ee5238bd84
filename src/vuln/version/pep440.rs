//! Python's order (PEP 440). Strings outside it are rejected: they are matched exactly only.

use std::str::FromStr;

use pep440_rs::Version;

/// The version, or `None` for what is not PEP 440.
pub(super) fn parse(text: &str) -> Option<Version> {
    Version::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_in_order() {
        let texts = ["1.dev1", "1a1", "1b1", "1rc1", "1", "1+local", "1.post1", "1!0"];
        let versions: Vec<_> = texts.iter().map(|text| parse(text).unwrap()).collect();
        assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
        assert_eq!(parse("1.0"), parse("1"));
        assert_eq!(parse("0.1-bulbasaur"), None);
    }
}
