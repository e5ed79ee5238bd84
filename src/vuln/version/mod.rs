//! Version orders, one file a scheme. Each is antisymmetric, and but for those that say so a total preorder, over
//! the strings that its scheme accepts: advisories are only as good as the comparison that they are read with.

/// Comparison and equality of types whose order is written down in `Ord`: both are what that says.
macro_rules! by_order {
    ($($type:ty),+) => {
        $(
            impl PartialOrd for $type {
                fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                    Some(self.cmp(other))
                }
            }

            impl PartialEq for $type {
                fn eq(&self, other: &Self) -> bool {
                    self.cmp(other).is_eq()
                }
            }

            impl Eq for $type {}
        )+
    };
}

mod alpm;
mod apk;
mod bitnami;
mod composer;
mod conan;
mod conda;
mod digits;
mod dpkg;
mod gentoo;
mod maven;
mod nuget;
mod numbers;
mod openssl;
mod pep440;
mod rpm;
mod rubygems;
mod semver;

use std::cmp::Ordering;

use thiserror::Error;

/// Declares the schemes, each with its name and what reads its versions.
macro_rules! schemes {
    ($($variant:ident $name:literal $parse:path, $meaning:literal)*) => {
        /// Which rules order two versions.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Scheme {
            $(
                #[doc = $meaning]
                $variant,
            )*
        }

        impl Scheme {
            /// Every scheme, in the order in which they are listed for people.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name by which the command line and reports call it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// How `a` stands to `b`. The error names the first that the scheme rejects.
            pub fn compare(self, a: &str, b: &str) -> Result<Ordering, VersionError> {
                match self {
                    $(Self::$variant => self.order(a, b, $parse),)*
                }
            }
        }
    };
}

schemes! {
    Dpkg "dpkg" dpkg::Version::parse, "Debian and its relatives."
    Rpm "rpm" rpm::Version::parse, "Red Hat, SUSE and other users of rpm: `[epoch:]version[-release]`."
    RpmWithoutEpoch "rpm-without-epoch" rpm::Version::parse_without_epoch, "The same without looking at epochs, for versions whose epoch is not known."
    Apk "apk" apk::Version::parse, "Alpine and its relatives."
    Alpm "alpm" alpm::Version::parse, "Arch Linux."
    Gentoo "gentoo" gentoo::Version::parse, "Gentoo."
    Pep440 "pep440" pep440::parse, "Python."
    SemVer "semver" semver::Version::parse, "Semantic Versioning 2.0.0, a leading `v` accepted."
    Npm "npm" semver::Version::parse_partial, "Node.js: Semantic Versioning; parts that are left out count as 0."
    Maven "maven" maven::Version::parse, "Java."
    RubyGems "rubygems" rubygems::Version::parse, "Ruby, and CocoaPods."
    Composer "composer" composer::Version::parse, "PHP."
    NuGet "nuget" nuget::Version::parse, ".NET."
    Go "go" semver::Version::parse_go, "Go's modules and its own releases."
    Hex "hex" semver::Version::parse_strict, "Elixir and Erlang: Semantic Versioning to the letter."
    Pub "pub" semver::Version::parse_with_build, "Dart: Semantic Versioning in which build metadata counts."
    Hackage "hackage" numbers::Version::parse_hackage, "Haskell."
    Cran "cran" numbers::Version::parse_cran, "R."
    Conda "conda" conda::Version::parse, "Conda."
    Conan "conan" conan::Version::parse, "Conan (C and C++). Its order of words and numbers is not transitive."
    OpenSsl "openssl" openssl::Version::parse, "OpenSSL."
    Bitnami "bitnami" bitnami::Version::parse, "Bitnami: Semantic Versioning without the image's revision."
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
    /// The scheme of that name. Gentoo's is also known by its package manager's.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = if name == "portage" { "gentoo" } else { name };
        Self::ALL.iter().copied().find(|scheme| scheme.name() == name)
    }

    /// Whether its order is one: some programs compare versions in a way that goes in circles.
    pub fn is_total(self) -> bool {
        !matches!(self, Self::Alpm | Self::Conan | Self::Maven)
    }

    /// Sorts by versions, those that the scheme rejects as if they were equal to all. Holds for schemes that
    /// are not total too, which the standard library's sorting may refuse.
    pub(super) fn sort<T>(self, items: &mut Vec<T>, compare: impl Fn(&T, &T) -> Ordering) {
        if self.is_total() {
            items.sort_by(compare);
            return;
        }
        let unsorted = std::mem::take(items);
        for item in unsorted {
            let at = items.iter().rposition(|other| compare(other, &item).is_le());
            items.insert(at.map_or(0, |at| at.saturating_add(1)), item);
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
                if !scheme.is_total() {
                    continue;
                }
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
