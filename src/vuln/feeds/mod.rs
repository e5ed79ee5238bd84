//! The sources of advisories, one row each: by which names a folder, file or archive of the feed is known,
//! and how its files are read.

mod epss;
mod files;
mod kev;
mod osv;

pub use files::{Summary, build};

use super::database::Builder;

/// Reads one file of a feed into the builder. An error is the problem with the file as a whole.
type Read = fn(&Feed, &mut Builder, &[u8]) -> Result<(), String>;

/// A source of advisories.
pub struct Feed {
    /// The name in reports, in `--only`, and of its folder or archive.
    pub name: &'static str,
    /// Other beginnings of names under which its publisher ships it, in lower case.
    aliases: &'static [&'static str],
    /// The ending of its files' names.
    extension: &'static str,
    /// Whether its advisories list the vulnerabilities that they are about as `related`.
    pub(super) related_are_members: bool,
    read: Read,
}

/// The feeds that are read.
pub static FEEDS: &[Feed] = &[
    Feed { aliases: &["debian"], related_are_members: true, ..osv("debian-osv") },
    Feed { aliases: &["alpine"], ..osv("alpine-osv") },
    Feed { aliases: &["almalinux"], related_are_members: true, ..osv("almalinux-osv") },
    Feed { aliases: &["npm"], ..osv("ghsa-npm") },
    Feed { aliases: &[], ..osv("ghsa-pip") },
    Feed { extension: "yaml", read: osv::read_yaml, ..osv("pypa") },
    Feed { aliases: &["kev", "known_exploited_vulnerabilities"], read: kev::read, ..osv("cisa-kev") },
    Feed { aliases: &["epss_scores"], extension: "csv", read: epss::read, ..osv("epss") },
];

const fn osv(name: &'static str) -> Feed {
    Feed { name, aliases: &[], extension: "json", related_are_members: false, read: osv::read_json }
}

impl Feed {
    /// Reads one file of the feed into a builder. An error is the problem with the file as a whole.
    pub fn read(&self, builder: &mut Builder, bytes: &[u8]) -> Result<(), String> {
        (self.read)(self, builder, bytes)
    }

    /// The feed of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        FEEDS.iter().find(|feed| feed.name == name)
    }

    /// The feed that a folder, file or archive of this name (without its endings) is of.
    pub(super) fn of(stem: &str) -> Option<&'static Self> {
        let stem = stem.to_ascii_lowercase();
        let known = |alias: &&str| {
            let rest = stem.strip_prefix(*alias);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']) && dated(rest))
        };
        let other = |feed: &&Self| feed.aliases.iter().any(known);
        Self::named(&stem).or_else(|| FEEDS.iter().find(other))
    }
}

/// Whether the rest of a name is a date or `current`, as publishers add.
fn dated(rest: &str) -> bool {
    rest == "-current" || rest.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_folders_and_archives() {
        let name = |stem| Feed::of(stem).map(|feed| feed.name);
        assert_eq!(name("debian-osv"), Some("debian-osv"));
        assert_eq!(name("epss_scores-2026-11-24"), Some("epss"));
        assert_eq!(name("epss_scores-current"), Some("epss"));
        assert_eq!(name("known_exploited_vulnerabilities"), Some("cisa-kev"));
        assert_eq!(name("AlmaLinux"), Some("almalinux-osv"));
        for other in ["debian-dsa-dla", "alpine-secdb", "debian-support", "kev-epss-nvd", "osv-go", "npmx"] {
            assert_eq!(name(other), None, "{other}");
        }
    }
}
