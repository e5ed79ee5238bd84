//! Version orders, one file a scheme. Each is a total preorder over the strings that its scheme accepts:
//! advisories are only as good as the comparison that they are read with.

mod apk;
mod digits;
mod dpkg;
mod pep440;
mod rpm;
mod semver;

use std::cmp::Ordering;

use thiserror::Error;

/// Which rules order two versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// Debian and its relatives.
    Dpkg,
    /// Red Hat, SUSE and other users of rpm: `[epoch:]version[-release]`.
    Rpm,
    /// Alpine and its relatives.
    Apk,
    /// Python.
    Pep440,
    /// Semantic Versioning 2.0.0, a leading `v` accepted.
    SemVer,
    /// Node.js: Semantic Versioning; parts that are left out count as 0.
    Npm,
}

/// A string that its scheme rejects.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{version}` is no {} version", scheme.name())]
pub struct VersionError {
    /// The scheme that rejects it.
    pub scheme: Scheme,
    /// The string.
    pub version: String,
}

impl Scheme {
    /// Every scheme, in the order in which they are listed for people.
    pub const ALL: &[Self] = &[Self::Dpkg, Self::Rpm, Self::Apk, Self::Pep440, Self::SemVer, Self::Npm];

    /// The name by which the command line and reports call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dpkg => "dpkg",
            Self::Rpm => "rpm",
            Self::Apk => "apk",
            Self::Pep440 => "pep440",
            Self::SemVer => "semver",
            Self::Npm => "npm",
        }
    }

    /// The scheme of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|scheme| scheme.name() == name)
    }

    /// How `a` stands to `b`. The error names the first that the scheme rejects.
    pub fn compare(self, a: &str, b: &str) -> Result<Ordering, VersionError> {
        match self {
            Self::Dpkg => self.order(a, b, dpkg::Version::parse),
            Self::Rpm => self.order(a, b, rpm::Version::parse),
            Self::Apk => self.order(a, b, apk::Version::parse),
            Self::Pep440 => self.order(a, b, pep440::parse),
            Self::SemVer => self.order(a, b, semver::Version::parse),
            Self::Npm => self.order(a, b, semver::Version::parse_partial),
        }
    }

    /// Whether the scheme accepts the string.
    pub fn accepts(self, version: &str) -> bool {
        self.compare(version, version).is_ok()
    }

    fn order<'a, V: Ord>(
        self,
        a: &'a str,
        b: &'a str,
        parse: impl Fn(&'a str) -> Option<V>,
    ) -> Result<Ordering, VersionError> {
        let parse = |text| parse(text).ok_or_else(|| VersionError { scheme: self, version: text.to_owned() });
        Ok(parse(a)?.cmp(&parse(b)?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_unique_and_found_again() {
        for scheme in Scheme::ALL {
            assert_eq!(Scheme::from_name(scheme.name()), Some(*scheme));
        }
        assert_eq!(Scheme::from_name("roman"), None);
    }

    #[test]
    fn a_rejected_version_is_named() {
        let error = Scheme::Pep440.compare("1.0", "1.0-bulbasaur").unwrap_err();
        assert_eq!(error.to_string(), "`1.0-bulbasaur` is no pep440 version");
    }

    /// Strings that look like versions, and some that do not.
    fn version() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => "([0-2]:)?[0-3]{1,2}(\\.[0-2]{1,2}){0,3}[a-c]?(_(rc|p|alpha)[0-2]?)?(-r?[01])?",
            3 => "[0-2](\\.[0-2]){2}(-[0-2a-b.]{1,3})?(\\+[01])?",
            2 => "[0-2.~^+:_r-]{0,8}",
            1 => ".{0,8}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn every_scheme_is_a_total_preorder(a in version(), b in version(), c in version()) {
            for scheme in Scheme::ALL {
                let Ok(ab) = scheme.compare(&a, &b) else { continue };
                prop_assert_eq!(scheme.compare(&b, &a), Ok(ab.reverse()));
                prop_assert_eq!(scheme.compare(&a, &a), Ok(Ordering::Equal));
                let (Ok(bc), Ok(ac)) = (scheme.compare(&b, &c), scheme.compare(&a, &c)) else { continue };
                if ab == bc || bc == Ordering::Equal {
                    prop_assert_eq!(ac, ab, "{:?}: {} {} {}", scheme, a, b, c);
                } else if ab == Ordering::Equal {
                    prop_assert_eq!(ac, bc, "{:?}: {} {} {}", scheme, a, b, c);
                }
            }
        }
    }
}
