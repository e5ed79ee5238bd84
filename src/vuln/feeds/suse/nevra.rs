//! The name of a package's file without its ending (rpm manual, "rpmbuild", `%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}`).

/// A package with its version.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Nevra<'a> {
    pub(super) name: &'a str,
    /// With the release, and without an epoch.
    pub(super) version: &'a str,
    pub(super) arch: Option<&'a str>,
}

/// What SUSE builds for, or built for once. A release may have letters in it.
const ARCHES: [&str; 17] = [
    "aarch64",
    "aarch64_ilp32",
    "armv6hl",
    "armv7hl",
    "i386",
    "i486",
    "i586",
    "i686",
    "ia64",
    "noarch",
    "ppc",
    "ppc64",
    "ppc64le",
    "riscv64",
    "s390",
    "s390x",
    "x86_64",
];

impl<'a> Nevra<'a> {
    /// The parts; `None` for a name without a version and a release.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (rest, arch) = match text.rsplit_once('.') {
            Some((rest, arch)) if ARCHES.contains(&arch) => (rest, Some(arch)),
            _ => (text, None),
        };
        let (at, _) = rest.rmatch_indices('-').nth(1)?;
        let (name, version) = rest.split_at_checked(at)?;
        let version = version.strip_prefix('-')?;
        (!name.is_empty() && !version.starts_with('-')).then_some(Self { name, version, arch })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_versions() {
        let of = |text| Nevra::parse(text).map(|Nevra { name, version, arch }| (name, version, arch));
        let glibc = ("glibc", "2.31-150300.74.1", Some("x86_64"));
        assert_eq!(of("glibc-2.31-150300.74.1.x86_64"), Some(glibc));
        assert_eq!(of("bind-libs-32bit-9.9.4P2-0.6.1"), Some(("bind-libs-32bit", "9.9.4P2-0.6.1", None)));
        for text in ["glibc", "a-1", "-1-2", "a--2", ""] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
