//! What the file name of a jar says: Maven's repository calls it `artifact-version(-classifier).jar`.

/// An artifact and its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named<'a> {
    /// The artifact's id.
    pub artifact: &'a str,
    /// The version.
    pub version: &'a str,
}

/// Words behind a number that belong to a version; digits may follow them (`rc1`).
const QUALIFIERS: [&str; 28] = [
    "a",
    "alpha",
    "android",
    "b",
    "beta",
    "build",
    "cr",
    "dev",
    "ea",
    "final",
    "ga",
    "hotfix",
    "incubating",
    "incubator",
    "jbossorg",
    "jre",
    "m",
    "milestone",
    "patch",
    "pre",
    "preview",
    "rc",
    "redhat",
    "release",
    "sec",
    "snapshot",
    "sp",
    "stable",
];

/// Splits a file name without its extension where its version begins: at the first number behind a hyphen, unless behind
/// that stands a word which is part of no version and then another number (`log4j-1.2-api-2.17.1`). A word behind the
/// version is a classifier (`netty-4.1-linux-x86_64`).
pub(super) fn split(stem: &str) -> Option<Named<'_>> {
    let mut start = None;
    let mut end = stem.len();
    let mut ended = false;
    let mut at = 0usize;
    for (number, part) in stem.split('-').enumerate() {
        let begins = at;
        at = at.saturating_add(part.len()).saturating_add(1);
        if number == 0 {
            continue;
        }
        let is_number = part.starts_with(|c: char| c.is_ascii_digit());
        if is_number && (start.is_none() || ended && !is_revision(part)) {
            (start, ended, end) = (Some(begins), false, stem.len());
        } else if start.is_some() && !ended && !is_number && !is_qualifier(part) {
            (ended, end) = (true, begins.saturating_sub(1));
        }
    }
    let start = start?;
    let artifact = stem.get(..start.checked_sub(1)?).filter(|artifact| !artifact.is_empty())?;
    Some(Named { artifact, version: stem.get(start..end)? })
}

/// Splits a file name where a version stands that is known from elsewhere, unless it goes on there (`2.2.3-1`).
pub(super) fn split_at<'a>(stem: &'a str, version: &str) -> Option<Named<'a>> {
    let (at, _) = stem.match_indices(version).find(|(at, found)| {
        let before = at.checked_sub(1).and_then(|before| stem.get(before..*at));
        let after = stem.get(at.saturating_add(found.len())..);
        let is_end = |after: &str| match after.strip_prefix('-') {
            Some(more) => !more.starts_with(|c: char| c.is_ascii_digit()),
            None => after.is_empty(),
        };
        before == Some("-") && after.is_some_and(is_end)
    })?;
    let artifact = stem.get(..at.checked_sub(1)?).filter(|artifact| !artifact.is_empty())?;
    Some(Named { artifact, version: stem.get(at..at.saturating_add(version.len()))? })
}

/// Whether a number behind a classifier belongs to that (`linux-x86-64`, `jdk-8`): a version has a dot.
fn is_revision(part: &str) -> bool {
    !part.contains('.')
}

fn is_qualifier(part: &str) -> bool {
    let word = part.split('.').next().unwrap_or(part).trim_end_matches(|c: char| c.is_ascii_digit());
    QUALIFIERS.iter().any(|known| word.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn artifact_and_version() {
        for (stem, expected) in [
            ("commons-io-2.11.0", Some(("commons-io", "2.11.0"))),
            ("guava-31.1-jre", Some(("guava", "31.1-jre"))),
            ("log4j-1.2-api-2.17.1", Some(("log4j-1.2-api", "2.17.1"))),
            ("netty-epoll-4.1.74.Final-linux-x86_64", Some(("netty-epoll", "4.1.74.Final"))),
            ("a-1.0-SNAPSHOT", Some(("a", "1.0-SNAPSHOT"))),
            ("a-1.0-20220101.123456-1", Some(("a", "1.0-20220101.123456-1"))),
            ("a-3.0-alpha-1-sources", Some(("a", "3.0-alpha-1"))),
            ("a-2.0-b05", Some(("a", "2.0-b05"))),
            ("native-1.0-linux-x86-64", Some(("native", "1.0"))),
            ("kafka_2.13-3.1.0", Some(("kafka_2.13", "3.1.0"))),
            (
                "plexus-container-default-1.0-alpha-9-stable-1",
                Some(("plexus-container-default", "1.0-alpha-9-stable-1")),
            ),
            ("tools", None),
            ("-1.0", None),
            ("a-b", None),
            ("1.0", None),
        ] {
            let found = split(stem).map(|named| (named.artifact, named.version));
            assert_eq!(found, expected, "{stem}");
        }
    }

    #[test]
    fn a_version_that_is_known() {
        let at = |stem, version| split_at(stem, version).map(|named| (named.artifact, named.version));
        assert_eq!(at("a-1.0-stable-1-x", "1.0-stable-1"), Some(("a", "1.0-stable-1")));
        assert_eq!(at("a-1-11", "1"), None);
        assert_eq!(at("a-1-x", "1"), Some(("a", "1")));
        assert_eq!(at("a-11", "1"), None);
        assert_eq!(at("1.0", "1.0"), None);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(stem in "([a-z0-9.ä]|-|rc1)*", version in "[0-9a.-]*") {
            let _ = (split(&stem), split_at(&stem, &version));
        }
    }
}
