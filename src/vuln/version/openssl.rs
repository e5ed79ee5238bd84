//! OpenSSL's order: before 3.0 letters behind the three numbers are patches, and `-beta1` and `-pre1` come
//! before the release.

use super::digits::{self, Number};

/// Three numbers, a phase, the letters of a patch.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version<'a> {
    core: [Number<'a>; 3],
    phase: Phase<'a>,
    patch: &'a str,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase<'a> {
    PreRelease(&'a str, Number<'a>),
    Release,
}

impl<'a> Version<'a> {
    /// The parts, or `None` for what OpenSSL never called a release.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_suffix("-fips").unwrap_or(text);
        let (numbers, pre) = text.split_once('-').map_or((text, None), |(a, b)| (a, Some(b)));
        let mut parts = numbers.splitn(3, '.');
        let mut number = || Number(parts.next()?).checked();
        let (major, minor) = (number()?, number()?);
        let (fix, patch) = digits::take(parts.next()?);
        let fix = Number(fix).checked()?;
        if !patch.bytes().all(|byte| byte.is_ascii_lowercase()) {
            return None;
        }
        let phase = match pre {
            None => Phase::Release,
            Some(pre) => {
                let (word, number) = digits::take_while(pre, |byte| byte.is_ascii_alphabetic());
                let known = ["alpha", "beta", "dev", "pre"].contains(&word);
                let number = if number.is_empty() { Some(Number("0")) } else { Number(number).checked() };
                Phase::PreRelease(word, number.filter(|_| known)?)
            }
        };
        Some(Self { core: [major, minor, fix], phase, patch })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_pre_releases() {
        let texts =
            ["1.0.1-beta1", "1.0.1", "1.0.1h", "1.0.1z", "1.0.1za", "1.1.1-pre9", "1.1.1w", "3.0.0-alpha2"];
        let versions: Vec<_> = texts.iter().map(|text| Version::parse(text).unwrap()).collect();
        assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
        assert_eq!(Version::parse("1.0.2k-fips"), Version::parse("1.0.2k"));
        for text in ["", "1.0", "1.0.1.2", "1.0.x", "1.0.1-foo"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
