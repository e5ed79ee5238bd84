//! Why a package has a vulnerability, or has it not: every record that speaks of it, with the versions that were
//! compared.

use std::io::{self, Write};

use super::{Finding, Place, Report, clean};
use crate::vuln::{
    Why,
    matching::{Matches, NearMiss},
};

/// What is to be explained: a package, by its name or purl, or a vulnerability, by any of its ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained(String);

impl Explained {
    /// What a caller wrote.
    pub fn new(what: &str) -> Self {
        Self(what.trim().to_owned())
    }

    /// Whether a finding is of the package or the vulnerability.
    pub fn is_about(&self, finding: &Finding) -> bool {
        let ids = [&finding.id].into_iter().chain(&finding.aliases).chain(&finding.records);
        self.is_package(&finding.package, &finding.why) || self.is_id(ids)
    }

    /// The same of a record that is no finding.
    pub fn is_near(&self, near: &NearMiss) -> bool {
        self.is_package(&near.package, std::slice::from_ref(&near.why))
            || self.is_id([&near.id, &near.why.record])
    }

    fn is_id<'a>(&self, ids: impl IntoIterator<Item = &'a String>) -> bool {
        ids.into_iter().any(|id| id.eq_ignore_ascii_case(&self.0))
    }

    /// By the purl as a whole, by its name, or by the name under which advisories know it.
    fn is_package(&self, purl: &str, why: &[Why]) -> bool {
        let path = purl.split(['?', '#']).next().unwrap_or(purl);
        let path = path.rsplit_once('@').map_or(path, |(path, _)| path);
        let name = path.rsplit('/').next().unwrap_or(path);
        self.0 == purl || self.0 == name || why.iter().any(|why| why.name == self.0)
    }
}

/// Explains the findings and near misses of a report; those of the same package in several places once.
pub fn explain(report: &Report, what: &Explained, to: &mut dyn Write) -> io::Result<()> {
    let mut findings: Vec<(&Finding, Vec<Place<'_>>)> = Vec::new();
    for (place, finding) in report.findings().filter(|(_, finding)| what.is_about(finding)) {
        match findings.iter_mut().find(|(held, _)| *held == finding) {
            Some((_, places)) => places.push(place),
            None => findings.push((finding, vec![place])),
        }
    }
    for (finding, places) in &findings {
        self::finding(finding, &self::places(places), to)?;
    }
    let mut near: Vec<(&NearMiss, Vec<Place<'_>>)> = Vec::new();
    for one in report.near_misses.iter().filter(|one| what.is_near(&one.near_miss)) {
        let place = match (&one.image, &one.container) {
            (Some(image), _) => Place::Image(image),
            (None, Some(container)) => Place::Container(container),
            (None, None) => Place::Node,
        };
        match near.iter_mut().find(|(held, _)| **held == one.near_miss) {
            Some((_, places)) => places.push(place),
            None => near.push((&one.near_miss, vec![place])),
        }
    }
    for (one, places) in &near {
        near_miss(one, &self::places(places), to)?;
    }
    if findings.is_empty() && near.is_empty() {
        writeln!(to, "{}: no package of that name and no record of that id", clean(&what.0))?;
    }
    Ok(())
}

/// Explains what is known of a package without a disk.
pub fn explain_matches(matches: &Matches, to: &mut dyn Write) -> io::Result<()> {
    matches.findings.iter().try_for_each(|one| finding(one, "", to))?;
    matches.near_misses.iter().try_for_each(|one| near_miss(one, "", to))
}

/// Explains one finding; `places` says where the package is, if that is not known already.
fn finding(finding: &Finding, places: &str, to: &mut dyn Write) -> io::Result<()> {
    let fix = match finding.fixed_in.as_slice() {
        [] => String::new(),
        fixed => format!(", fixed in {}", fixed.join(", ")),
    };
    let severity = finding.severity.text();
    let there = if finding.declared { " if it is there, as a lock file or manifest names it" } else { "" };
    let line = format!("{} in {}: affected{there}, {severity}{fix}{places}", finding.id, finding.package);
    writeln!(to, "{}", clean(&line))?;
    for why in &finding.why {
        record(why, "holds", to)?;
    }
    for fix in &finding.fixed_elsewhere {
        writeln!(to, "  {}", clean(&format!("{} has the fix in {}", fix.channel, fix.version)))?;
    }
    if let Some(note) = &finding.note {
        writeln!(to, "  {}", clean(&format!("the source says: {note}")))?;
    }
    Ok(())
}

/// Explains one record that is no finding.
fn near_miss(near: &NearMiss, places: &str, to: &mut dyn Write) -> io::Result<()> {
    let line = format!("{} in {}: no finding, {}{places}", near.id, near.package, near.reason.text());
    writeln!(to, "{}", clean(&line))?;
    record(&near.why, "against", to)?;
    match &near.note {
        Some(note) => writeln!(to, "  {}", clean(&format!("the source says: {note}"))),
        None => Ok(()),
    }
}

fn record(why: &Why, verb: &str, to: &mut dyn Write) -> io::Result<()> {
    let Why { record, source, ecosystem, name, version, range, scheme } = why;
    let line = format!("{record} ({source}): {ecosystem} {name} {range}, {verb} {version} by {scheme}");
    writeln!(to, "  {}", clean(&line))
}

fn places(places: &[Place<'_>]) -> String {
    let words = places.iter().map(|place| match place {
        Place::Image(id) => format!("image {id}"),
        Place::Container(id) => format!("container {id}"),
        Place::Node => "the node".to_owned(),
    });
    format!("; in {}", words.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vuln::matching::Reason;

    #[test]
    fn packages_and_ids_are_known_by_any_name() {
        let why = Why {
            record: "DSA-1".to_owned(),
            source: "debian-osv".to_owned(),
            ecosystem: "Debian:12".to_owned(),
            name: "glibc".to_owned(),
            version: "1".to_owned(),
            range: "< 1".to_owned(),
            scheme: "dpkg".to_owned(),
        };
        let near = NearMiss {
            id: "CVE-2023-1".to_owned(),
            package: "pkg:deb/debian/libc6@1?distro=debian-12".to_owned(),
            reason: Reason::OtherVersion,
            note: Some("fixed long ago".to_owned()),
            why,
        };
        for what in ["libc6", "glibc", "cve-2023-1", "DSA-1", "pkg:deb/debian/libc6@1?distro=debian-12"] {
            assert!(Explained::new(what).is_near(&near), "{what}");
        }
        assert!(!Explained::new("libc").is_near(&near));
        let mut text = Vec::new();
        near_miss(&near, "; in the node", &mut text).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "CVE-2023-1 in pkg:deb/debian/libc6@1?distro=debian-12: no finding, other-version; in the node\n  \
             DSA-1 (debian-osv): Debian:12 glibc < 1, against 1 by dpkg\n  the source says: fixed long ago\n"
        );
    }
}
