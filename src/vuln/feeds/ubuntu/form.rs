//! The tracker's own form of an issue: fields with their values on the same line or, indented, on those that
//! follow (ubuntu-cve-tracker, "README", "Format of CVE files").

use std::collections::BTreeMap;

use super::{Issue, Package, Part};

impl Issue {
    /// The issue in a file of the tracker. Fields that are not known here are passed over.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut issue = Self::default();
        let mut priorities: BTreeMap<(String, Option<String>), String> = BTreeMap::new();
        for (name, value, lines) in fields(text) {
            let all = || value.into_iter().chain(lines.iter().copied());
            match name {
                "Candidate" => issue.candidate = value.unwrap_or_default().to_owned(),
                "PublicDate" => issue.public_date = value.map(str::to_owned),
                "References" => issue.references = Some(all().map(str::to_owned).collect()),
                "Description" => issue.description = Some(all().collect::<Vec<_>>().join("\n")),
                "Priority" => issue.priority = value.map(str::to_owned),
                "CVSS" => {
                    let vectors = all().filter_map(|line| line.split_once(':'));
                    issue.cvss.extend(vectors.map(|(giver, text)| (giver.to_owned(), text.to_owned())));
                }
                name => {
                    let (Some((key, package)), Some(value)) = (name.split_once('_'), value) else { continue };
                    if key == "Priority" {
                        let (package, release) = match package.split_once('_') {
                            Some((package, release)) => (package, Some(release.to_owned())),
                            None => (package, None),
                        };
                        priorities.insert((package.to_owned(), release), value.to_owned());
                    } else if !["Patches", "Tags", "Assigned-to", "Discovered-by"].contains(&key) {
                        let packages = issue.packages.entry(key.to_owned()).or_default();
                        packages.insert(package.to_owned(), Part::Read(status(value)));
                    }
                }
            }
        }
        for (release, packages) in &mut issue.packages {
            for (name, package) in packages {
                let of = |release| priorities.get(&(name.clone(), release)).cloned();
                if let Part::Read(package) = package {
                    package.priority = of(Some(release.clone())).or_else(|| of(None));
                }
            }
        }
        if issue.candidate.is_empty() { Err("no candidate".to_owned()) } else { Ok(issue) }
    }
}

/// `released (5.6.4-9)`.
fn status(value: &str) -> Package {
    let (status, note) = value.split_once(char::is_whitespace).unwrap_or((value, ""));
    let note = note.trim();
    let note = note.strip_prefix('(').map_or(note, |note| note.strip_suffix(')').unwrap_or(note));
    Package { status: status.to_owned(), note: note.to_owned(), priority: None }
}

/// Fields with the value on their line and the lines that follow.
fn fields(text: &str) -> Vec<(&str, Option<&str>, Vec<&str>)> {
    let mut fields: Vec<(&str, Option<&str>, Vec<&str>)> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if line.starts_with(char::is_whitespace) {
            if let Some((.., lines)) = fields.last_mut() {
                lines.push(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            fields.push((name, Some(value.trim()).filter(|value| !value.is_empty()), Vec::new()));
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issue() {
        let text = "Candidate: CVE-2019-14318\nPublicDate: 2019-07-30 17:15:00 UTC\nReferences:\n https://eprint.iacr.org/2011/232.pdf\n\
            Description:\n Crypto++ 8.3.0 and earlier\n contains a timing side channel\nNotes:\nPriority: medium\nCVSS:\n nvd: CVSS:3.1/AV:N\n\n\
            Patches_libcrypto++:\n upstream: x\nPriority_libcrypto++: low\nPriority_libcrypto++_xenial: high\n\
            upstream_libcrypto++: released (5.6.4-9)\ntrusty_libcrypto++: ignored (out of standard support)\n\
            trusty/esm_libcrypto++: needed\nxenial_libcrypto++: released (5.6.1-6ubuntu2)\n";
        let issue = Issue::parse(text).unwrap();
        assert_eq!(
            issue.description.as_deref(),
            Some("Crypto++ 8.3.0 and earlier\ncontains a timing side channel")
        );
        assert_eq!(issue.cvss["nvd"], " CVSS:3.1/AV:N");
        let said = issue.packages.iter().map(|(release, packages)| {
            let Part::Read(package) = &packages["libcrypto++"] else { panic!() };
            format!("{release} {} {} {:?}", package.status, package.note, package.priority.as_deref())
        });
        assert_eq!(
            said.collect::<Vec<_>>(),
            [
                "trusty ignored out of standard support Some(\"low\")",
                "trusty/esm needed  Some(\"low\")",
                "upstream released 5.6.4-9 Some(\"low\")",
                "xenial released 5.6.1-6ubuntu2 Some(\"high\")",
            ]
        );
        assert!(Issue::parse("Priority: low\n").is_err());
    }
}
