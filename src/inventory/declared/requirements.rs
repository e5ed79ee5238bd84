//! pip's lists of requirements and constraints (pip's "Requirements File Format", PEP 508): those with `==` or `===` and a
//! whole version. Files that one includes are read by their own names.

use super::{document::Document, named::Named};
use crate::{
    error::FormatError,
    inventory::{Package, PackageKind},
};

/// Reads a list.
pub(super) fn read(list: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    // A line goes on after a backslash at its end.
    let text = list.text().replace("\\\r\n", " ").replace("\\\n", " ");
    for package in text.lines().filter_map(pinned) {
        named.add(package);
    }
    Ok(())
}

/// The package that a requirement pins, `NAME [extras] == VERSION ; marker --option`.
pub(super) fn pinned(requirement: &str) -> Option<Package> {
    let requirement = requirement.trim_start();
    let comment = requirement.find(" #").or_else(|| requirement.find("\t#"));
    let requirement = comment.and_then(|at| requirement.get(..at)).unwrap_or(requirement);
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let name = requirement.get(..requirement.find(|c| !is_name(c))?)?;
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let rest = requirement.strip_prefix(name)?.trim_start();
    let rest = rest.strip_prefix('[').map_or(Some(rest), |rest| Some(rest.split_once(']')?.1))?;
    let clauses = rest.split(';').next()?.split(" --").next()?;
    let clauses = clauses.trim().trim_start_matches('(').trim_end_matches(')');
    let version = clauses.split(',').find_map(|clause| {
        let version = clause.trim().strip_prefix("==")?;
        Some(version.strip_prefix('=').unwrap_or(version).trim())
    })?;
    let is_version = |c: char| is_name(c) || matches!(c, '+' | '!');
    let is_whole =
        version.starts_with(|c: char| c.is_ascii_alphanumeric()) && version.chars().all(is_version);
    is_whole.then(|| Package::new(PackageKind::Pypi, name, version))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Declared, testing},
        *,
    };

    #[test]
    fn only_what_is_pinned() {
        for (line, expected) in [
            ("requests==2.31.0", Some("requests 2.31.0")),
            ("  Zope.Interface [a, b] === 6.1 ; python_version < '3.11'  # why", Some("Zope.Interface 6.1")),
            ("a==1.0 --hash=sha256:00  --hash=sha256:11", Some("a 1.0")),
            ("a (==1!2.0+cpu)", Some("a 1!2.0+cpu")),
            ("a>=1,==1.2.3", Some("a 1.2.3")),
            ("a==1.*", None),
            ("a>=1", None),
            ("a", None),
            ("a~=1.0; python_version=='3'", None),
            ("a @ git+https://example.com/a.git@0f1e", None),
            ("-e git+https://example.com/a.git@0f1e#egg=a", None),
            ("--extra-index-url https://example.com/==1", None),
            ("-r other.txt", None),
            ("# a==1", None),
            ("a=={{ version }}", None),
            ("é==1", None),
            ("", None),
        ] {
            let package = pinned(line).map(|package| format!("{} {}", package.name, package.version));
            assert_eq!(package.as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn lines_that_go_on() {
        let text = "a==1.0 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n    # via b\nb==\\\r\n2.0\r\n";
        for path in ["requirements.txt", "requirements-dev.txt", "dev-requirements.txt", "constraints.txt"] {
            assert_eq!(
                testing::named(PackageKind::Pypi, path, text),
                (vec!["a 1.0".into(), "b 2.0".into()], 0)
            );
        }
    }

    #[test]
    fn what_powershell_writes() {
        let utf16: Vec<u8> = "\u{feff}a==1.0\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let found = crate::inventory::testing::extract(&Declared, "requirements.txt", &utf16, &[]).unwrap();
        assert_eq!(
            found.packages(),
            [Package { declared: true, ..Package::new(PackageKind::Pypi, "a", "1.0") }]
        );
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "[a=.;\\[\\]()é #\\\\\n1,-]*") {
            testing::read("requirements.txt", &text);
        }
    }
}
