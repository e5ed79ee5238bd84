//! The sources of advisories, one row each: by which names a folder, file or archive of the feed is known,
//! and how its files are read.

mod amazon;
mod arch;
mod azure;
mod claims;
mod csaf;
mod csv;
mod cve;
mod debian_lists;
mod debian_tracker;
mod distro_info;
mod echo;
mod epss;
mod exploitdb;
mod files;
mod friendsofphp;
mod glsa;
#[cfg(test)]
mod hostile;
mod json;
mod kev;
mod metasploit;
mod nodejs;
mod npm_ranges;
mod nvd;
mod oracle;
mod osv;
mod output;
mod oval;
mod photon;
mod redhat;
mod retirejs;
mod rocky;
mod rubysec;
mod rustsec;
mod secdb;
mod suse;
mod text;
mod threat;
mod ubuntu;

pub use files::{Summary, build};
pub use output::{Fact, File, Output};

/// Reads one file of a feed. An error is the problem with the file as a whole.
type Read = fn(&Feed, File<'_>, &mut Output) -> Result<(), String>;

/// A source of advisories.
pub struct Feed {
    /// The name in reports, in `--only`, and of its folder or archive.
    pub name: &'static str,
    /// Other beginnings of names under which its publisher ships it, in lower case.
    aliases: &'static [&'static str],
    /// The endings of its files' names.
    endings: &'static [&'static str],
    /// What the names of its files without an ending begin with.
    beginnings: &'static [&'static str],
    /// Whether its advisories list the vulnerabilities that they are about as `related`.
    related_are_members: bool,
    /// Whether several of its files speak of the same id, each of a part.
    pub(super) piecewise: bool,
    /// Whose words describe a vulnerability: the lower, the better.
    pub(super) eloquence: usize,
    read: Read,
}

/// The feeds that are read. Where two have a record of the same id about a release of a distribution, the one
/// that comes first counts.
pub static FEEDS: &[Feed] = &[
    // Distributions; of several sources for one of them, what is made by hand or first comes first.
    Feed { related_are_members: true, aliases: &["almalinux"], ..osv("almalinux-osv") },
    // Its records are made of secdb, but for what is older than they are.
    Feed { endings: SECDB, piecewise: true, read: secdb::read, ..osv("alpine-secdb-2025") },
    Feed { aliases: &["alpine"], ..osv("alpine-osv") },
    Feed { endings: SECDB, piecewise: true, read: secdb::read, ..osv("alpine-secdb") },
    Feed { aliases: &["alas"], endings: JSON_OR_XML, read: amazon::read, ..osv("amazon") },
    Feed { aliases: &["arch-security"], read: arch::read, ..osv("arch") },
    Feed { aliases: AZURE, endings: XML, piecewise: true, read: azure::read, ..osv("azurelinux-oval") },
    Feed { read: secdb::read, piecewise: true, ..osv("chainguard-secdb") },
    Feed { aliases: &["chainguard"], ..osv("chainguard-osv") },
    Feed { piecewise: true, read: debian_tracker::read, ..osv("debian-tracker") },
    Feed { aliases: &["debian"], related_are_members: true, ..osv("debian-osv") },
    Feed { endings: LISTS, read: debian_lists::read, ..osv("debian-dsa-dla") },
    Feed { aliases: &["distro-info-data"], endings: CSV, read: distro_info::read, ..osv("debian-support") },
    Feed { read: echo::read, ..osv("echo") },
    Feed { aliases: &["glsa", "glsa-master"], endings: XML, read: glsa::read, ..osv("gentoo-glsa") },
    Feed { aliases: &["mageia"], ..osv("mageia-osv") },
    Feed { read: secdb::read, piecewise: true, ..osv("minimos-secdb") },
    Feed { aliases: &["minimos"], ..osv("minimos-osv") },
    Feed { aliases: &["openeuler"], ..osv("openeuler-osv") },
    Feed { aliases: &["com.oracle.elsa-all"], endings: XML, read: oracle::read, ..osv("oracle-oval") },
    Feed { endings: JSON_OR_XML, piecewise: true, read: photon::read, ..osv("photon") },
    Feed { aliases: &["csaf_vex", "csaf_advisories"], read: redhat::read_csaf, ..osv("redhat-csaf") },
    Feed { aliases: &["redhat-cve-pre2014"], read: redhat::read_api, ..osv("redhat-cve") },
    Feed { read: rocky::read, ..osv("rocky-errata") },
    Feed { aliases: &["rocky linux"], related_are_members: true, ..osv("rocky-osv") },
    Feed { aliases: &["csaf-vex", "csaf"], read: suse::read_csaf, ..osv("suse-csaf") },
    Feed { aliases: CVRF, endings: XML, read: suse::read_cvrf, ..osv("suse-cvrf") },
    Feed { endings: XML, piecewise: true, read: suse::read_oval, ..osv("suse-oval") },
    Feed { aliases: &["opensuse", "suse"], ..osv("suse-osv") },
    Feed {
        aliases: &["ubuntu-cve-tracker-pre2016"],
        beginnings: &["CVE-"],
        read: ubuntu::read,
        ..osv("ubuntu-cve-tracker")
    },
    Feed { aliases: &["ubuntu"], ..osv("ubuntu-osv") },
    Feed { read: secdb::read, piecewise: true, ..osv("wolfi-secdb") },
    Feed { aliases: &["wolfi"], ..osv("wolfi-osv") },
    // Languages, by the ecosystem's own.
    Feed { aliases: &["bitnami"], ..osv("bitnami") },
    Feed { endings: YAML, read: friendsofphp::read, ..osv("friendsofphp") },
    Feed { aliases: &["hackage", "ghc"], ..osv("haskell-osv") },
    Feed { aliases: &["homebrew"], ..osv("homebrew-osv") },
    Feed { aliases: &["go"], ..osv("osv-go") },
    Feed { endings: YAML, read: osv::read_yaml, ..osv("pypa") },
    Feed { aliases: &["cran"], endings: YAML, read: osv::read_yaml, ..osv("r-osv") },
    Feed { endings: &[".yml"], piecewise: true, read: rubysec::read, ..osv("rubysec") },
    Feed { endings: &[".md"], read: rustsec::read, ..osv("rustsec") },
    Feed { aliases: &["crates"], ..osv("rustsec-osv") },
    // Languages, by GitHub.
    github("ghsa-cargo", &[]),
    github("ghsa-composer", &["packagist"]),
    github("ghsa-erlang", &["hex"]),
    github("ghsa-maven", &["maven"]),
    github("ghsa-npm", &["npm"]),
    github("ghsa-nuget", &["nuget"]),
    github("ghsa-pip", &["pypi"]),
    github("ghsa-pub", &["pub"]),
    github("ghsa-rubygems", &["rubygems"]),
    github("ghsa-swift", &["swifturl"]),
    Feed { related_are_members: true, ..osv("osv-from-fixtures") },
    osv("osv-git-nvd"),
    // JavaScript, by those who look at single files and at Node.js itself.
    Feed { aliases: &["security-wg"], read: nodejs::read, ..osv("nodejs") },
    Feed {
        aliases: &["jsrepository-v6"],
        endings: &["jsrepository-v6.json", "retirejs.json"],
        piecewise: true,
        read: retirejs::read,
        ..osv("retirejs")
    },
    // Vulnerabilities, whatever the package.
    Feed { aliases: &["nvdcve-2.0"], eloquence: THE_BEST, read: nvd::read, ..osv("nvd") },
    Feed { aliases: &["vulnrichment", "cvelistv5"], eloquence: THE_BEST, read: cve::read, ..osv("cve") },
    // Exploitation.
    Feed { aliases: &["kev", "known_exploited_vulnerabilities"], read: kev::read, ..osv("cisa-kev") },
    Feed { aliases: &["epss_scores"], endings: &[".csv"], read: epss::read, ..osv("epss") },
    Feed {
        aliases: &["exploitdb-index", "files_exploits"],
        endings: &[".csv", ".tsv"],
        read: exploitdb::read,
        ..osv("exploit-db")
    },
    Feed { aliases: &["modules_metadata_base"], read: metasploit::read, ..osv("metasploit") },
];

/// By the archives' names, which tell releases.
const AZURE: &[&str] = &["azurelinux-oval-mariner2", "azurelinuxvulnerabilitydata"];
const CSV: &[&str] = &[".csv"];
/// By advisory, in two versions of the format, and by vulnerability.
const CVRF: &[&str] = &["cvrf", "cvrf1.2", "cvrf-cve"];
const JSON_OR_XML: &[&str] = &[".json", ".xml"];
const LISTS: &[&str] = &["DSA/list", "DLA/list", "DTSA/list"];
const SECDB: &[&str] = &[".json", ".yaml", ".yml"];
const XML: &[&str] = &[".xml"];
const YAML: &[&str] = &[".yaml", ".yml"];

/// What others copy.
const THE_BEST: usize = 0;
/// GitHub's reviewers write for developers.
const GITHUB: usize = 1;
/// Others copy.
const OTHERS: usize = 2;

/// One ecosystem of GitHub's reviewed advisories.
const fn github(name: &'static str, aliases: &'static [&'static str]) -> Feed {
    Feed { aliases, eloquence: GITHUB, ..osv(name) }
}

const fn osv(name: &'static str) -> Feed {
    Feed {
        name,
        aliases: &[],
        endings: &[".json"],
        beginnings: &[],
        related_are_members: false,
        piecewise: false,
        eloquence: OTHERS,
        read: osv::read_json,
    }
}

impl Feed {
    /// Reads one file of the feed. An error is the problem with the file as a whole; what was read before it
    /// counts.
    pub fn read(&self, file: File<'_>, output: &mut Output) -> Result<(), String> {
        (self.read)(self, file, output)
    }

    /// Other names under which it is known.
    pub fn aliases(&self) -> &'static [&'static str] {
        self.aliases
    }

    /// Whether a file of this name is one of the feed's.
    pub(super) fn wants(&self, name: &str) -> bool {
        let file = name.rsplit('/').next().unwrap_or(name);
        let begins = |beginning: &&str| file.starts_with(*beginning) && !file.contains('.');
        self.endings.iter().any(|ending| name.ends_with(ending)) || self.beginnings.iter().any(begins)
    }

    /// The feed of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        FEEDS.iter().find(|feed| feed.name == name)
    }

    /// Its place in [`FEEDS`].
    pub(super) fn position(&self) -> usize {
        FEEDS.iter().position(|feed| feed.name == self.name).unwrap_or(usize::MAX)
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
        assert_eq!(name("exploitdb-index"), Some("exploit-db"));
        assert_eq!(name("nvdcve-2.0-2024"), Some("nvd"));
        assert_eq!(name("vulnrichment"), Some("cve"));
        assert_eq!(name("redhat-cve-pre2014"), Some("redhat-cve"));
        assert_eq!(name("azurelinux-oval-mariner2"), Some("azurelinux-oval"));
        for other in ["debian-notes", "alpine-ports", "kev-epss", "npmx"] {
            assert_eq!(name(other), None, "{other}");
        }
    }
}
