//! What Python's installers write of a package: packaging.python.org, "Recording installed projects"
//! (`*.dist-info/METADATA`, PEP 610 `direct_url.json`, `RECORD`), and setuptools' older `*.egg-info`.

use serde::Deserialize;

use super::{
    metadata,
    requirement::{Version, python_of, required},
};
use crate::{
    block,
    error::FormatError,
    fs::{FileKind, GuestPath},
    inventory::{Extraction, Extractor, File, Owner, Requirement, lines::Lines},
    limits,
};

const DIRECT_URL: &str = "direct_url.json";
const RECORD: &str = "RECORD";
const REQUIRES: &str = "requires.txt";
/// Files of a package that are looked for: whoever removes it by hand leaves none of them.
const WITNESSES: usize = 8;

/// Python's packages, under the names as written; PEP 503 normalisation belongs to matching.
pub(in crate::inventory) struct Python;

impl Extractor for Python {
    fn name(&self) -> &'static str {
        "python"
    }

    fn version(&self) -> u32 {
        5
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        if kind != FileKind::Regular {
            return false;
        }
        let mut above = path.components().rev();
        match above.next() {
            Some(b"METADATA") => above.next().is_some_and(|dir| dir.ends_with(b".dist-info")),
            Some(b"PKG-INFO") => match above.next() {
                Some(b"EGG-INFO") => above.next().is_some_and(|egg| egg.ends_with(b".egg")),
                dir => dir.is_some_and(|dir| dir.ends_with(b".egg-info")),
            },
            name => name.is_some_and(|name| name.ends_with(b".egg-info")),
        }
    }

    fn companions(&self) -> &'static [&'static str] {
        &[DIRECT_URL, RECORD, REQUIRES]
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let python = python_of(file.path());
        let mut package = metadata::read(file.content(), python)?;
        if package.requires.is_empty() {
            package.requires = read_requires(file, python)?;
        }
        package.vendored = is_vendored(file.path());
        let mut found = Extraction::default();
        match read_origin(file) {
            Ok(origin) => package.origin = origin,
            Err(error) => found.lose(error),
        }
        let owner = Owner::of(&package);
        found.add(package);
        if let Err(error) = read_record(file, owner, &mut found) {
            found.lose(error);
        }
        Ok(found)
    }
}

/// Whether a package that was installed brought this one along: a `_vendor` directory anywhere, or a
/// `vendor` one below the directory that packages are installed in.
fn is_vendored(path: &GuestPath) -> bool {
    path.components().any(|dir| dir == b"_vendor")
        || path
            .components()
            .skip_while(|dir| !matches!(*dir, b"site-packages" | b"dist-packages"))
            .any(|dir| dir == b"vendor")
}

/// PEP 610: where the package was installed from, if that was named on the command line.
#[derive(Deserialize)]
struct DirectUrl {
    url: String,
    vcs_info: Option<VcsInfo>,
}

#[derive(Deserialize)]
struct VcsInfo {
    vcs: String,
    commit_id: String,
}

/// The origin as a requirement spells it: `git+URL@COMMIT`, or the URL.
fn read_origin(file: &File<'_>) -> Result<Option<String>, FormatError> {
    if file.path().name() != b"METADATA" {
        return Ok(None);
    }
    let Some(source) = file.companion(DIRECT_URL)? else { return Ok(None) };
    let bytes = block::read_all(&source, DIRECT_URL, limits::TEXT_FILE_BYTES)?;
    let direct: DirectUrl = serde_json::from_slice(&bytes)
        .map_err(|error| FormatError::malformed(DIRECT_URL, error.to_string()))?;
    Ok(Some(match direct.vcs_info {
        Some(vcs) => format!("{}+{}@{}", vcs.vcs, direct.url, vcs.commit_id),
        None => direct.url,
    }))
}

/// What setuptools notes beside the headers of an older package: requirements, a line each; those of an extra or a marker
/// stand below `[EXTRA:MARKER]`.
fn read_requires(file: &File<'_>, python: Option<Version>) -> Result<Vec<Requirement>, FormatError> {
    let mut requires = Vec::new();
    if file.path().name() != b"PKG-INFO" {
        return Ok(requires);
    }
    let Some(source) = file.companion(REQUIRES)? else { return Ok(requires) };
    let mut lines = Lines::new(&source, REQUIRES, 4096, limits::METADATA_HEADER_BYTES);
    let mut marker = Some(String::new());
    while let Some(line) = lines.next()? {
        let Ok(text) = std::str::from_utf8(line.bytes) else { continue };
        if let Some(section) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            // An extra's are needed by those who ask for it.
            marker = section.strip_prefix(':').map(|marker| format!(";{marker}"));
        } else if let Some(marker) = &marker {
            requires.extend(required(&format!("{text}{marker}"), python).map(Requirement::named));
        }
    }
    Ok(requires)
}

/// Takes what the record of an installation lists: all files are its package's, and the first modules tell whether it is
/// there. What is compiled when it is first used tells nothing, nor what is not beside the packages.
fn read_record(file: &File<'_>, mut owner: Owner, found: &mut Extraction) -> Result<(), FormatError> {
    let dir = file.path().parent().filter(|_| file.path().name() == b"METADATA");
    let Some((dir, site)) = dir.and_then(|dir| dir.parent().map(|site| (dir, site))) else { return Ok(()) };
    let Some(source) = file.companion(RECORD)? else { return Ok(()) };
    let mut lines = Lines::new(&source, RECORD, 4096, limits::TEXT_FILE_BYTES);
    let read = loop {
        let line = match lines.next() {
            Ok(Some(line)) => line,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        };
        // `path,hash,size`; a path that is quoted has a comma in it.
        let path = line.bytes.split(|byte| *byte == b',').next().unwrap_or_default();
        if path.is_empty() || path.starts_with(b"\"") || line.cut {
            continue;
        }
        let at = if path.starts_with(b"/") { GuestPath::new(path) } else { below(&site, path) };
        owner.take(at.as_bytes());
        let is_beside = !path.starts_with(b"/") && !path.starts_with(b"../");
        let is_module = is_beside && !path.ends_with(b".pyc") && !path.starts_with(dir.name());
        if is_module && found.witnesses.len() < WITNESSES {
            found.witnesses.push(at);
        }
    };
    found.own(owner);
    read
}

/// A path from a directory, with the steps upwards at its beginning.
fn below(dir: &GuestPath, mut path: &[u8]) -> GuestPath {
    let mut dir = dir.clone();
    while let Some(rest) = path.strip_prefix(b"../") {
        (dir, path) = (dir.parent().unwrap_or_default(), rest);
    }
    dir.concat(&GuestPath::new(path))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        block::{Counted, Counter, Memory, Source},
        inventory::{Package, PackageKind, owned::key, testing},
    };

    const SITE: &str = "usr/lib/python3.11/site-packages";

    #[test]
    fn wants_metadata_of_every_layout() {
        testing::wants(
            &Python,
            &[
                "usr/lib/python3/dist-packages/six-1.16.dist-info/METADATA",
                "app/x.egg-info/PKG-INFO",
                "app/x-1-py3.11.egg-info",
                "app/x-1-py2.7.egg/EGG-INFO/PKG-INFO",
            ],
            &["app/METADATA", "app/PKG-INFO", "EGG-INFO/PKG-INFO", "app/x.dist-info/RECORD", "METADATA"],
        );
    }

    #[test]
    fn headers_only() {
        let text = "Metadata-Version: 2.1\r\nName: Foo.Bar\r\nVersion: 1.0rc1\r\nHome-page: https://a.example\r\nLicense: BSD\r\n        \r\n  \
                    more\r\nClassifier: x\r\n\r\nName: no\r\n";
        let found =
            testing::extract(&Python, &format!("{SITE}/a.dist-info/METADATA"), text.as_bytes(), &[]).unwrap();
        let package = Package {
            license: Some("BSD".into()),
            url: Some("https://a.example".into()),
            ..Package::new(PackageKind::Pypi, "Foo.Bar", "1.0rc1")
        };
        assert_eq!(found.packages(), [package]);
        assert!(testing::extract(&Python, "a.egg-info", b"Name: a\n\nVersion: 1\n", &[]).is_err());
        assert!(testing::extract(&Python, "a.egg-info", b"", &[]).is_err());
    }

    #[test]
    fn what_a_package_requires_of_others() {
        let requirements = |path: &str, text: &str, beside: &str| {
            let beside: &[(&str, &[u8])] = &[(REQUIRES, beside.as_bytes())];
            testing::requirements(&testing::extract(&Python, path, text.as_bytes(), beside).unwrap())
        };
        let text = "Name: a\nVersion: 1\nRequires-Dist: six >=1\nRequires-Dist: x; extra == 'y'\n\
                    Requires-Dist: tomli ; python_version < '3.11'\nRequires-Dist: B[c]\n\nRequires-Dist: no\n";
        assert_eq!(requirements(&format!("{SITE}/a-1.dist-info/METADATA"), text, "no"), ["a: six B"]);
        let beside = "six>=1\n\n[:python_version < '3']\nold\n\n[:sys_platform == 'linux']\nnew\n\n[y]\nx\n";
        let path = format!("{SITE}/a.egg-info/PKG-INFO");
        assert_eq!(requirements(&path, "Name: a\nVersion: 1\n", beside), ["a: six new"]);
    }

    #[test]
    fn the_description_is_not_read() {
        let counter = Arc::new(Counter::default());
        let text = format!("Name: a\nVersion: 1\n\n{}", "x\n".repeat(100_000));
        let content: Source =
            Arc::new(Counted::new(Arc::new(Memory::new(text.into_bytes())), Arc::clone(&counter)));
        let path = GuestPath::new("a.egg-info");
        assert_eq!(Python.extract(&File::new(&path, &content, &|_| Ok(None))).unwrap().packages().len(), 1);
        assert_eq!(counter.bytes(), 4096);
    }

    #[test]
    fn origin_of_a_direct_install() {
        let metadata = b"Name: a\nVersion: 1\n";
        let path = format!("{SITE}/a-1.dist-info/METADATA");
        let origin = |json: &str| {
            let found = testing::extract(&Python, &path, metadata, &[(DIRECT_URL, json.as_bytes())]).unwrap();
            (found.packages()[0].origin.clone(), found.damage.len())
        };
        let git = r#"{"url":"https://x/y.git","vcs_info":{"vcs":"git","commit_id":"abc","requested_revision":"m"}}"#;
        assert_eq!(origin(git), (Some("git+https://x/y.git@abc".into()), 0));
        assert_eq!(origin(r#"{"url":"file:///src/a","dir_info":{}}"#), (Some("file:///src/a".into()), 0));
        assert_eq!(origin("{"), (None, 1));
    }

    #[test]
    fn files_of_a_record_are_its_package_s_and_the_first_modules_are_looked_for() {
        let record = "a-1.dist-info/METADATA,sha256=x,1\n../../../bin/a,,\n__pycache__/a.cpython-311.pyc,,\n\
                      \"a,b.py\",,\na/__init__.py,sha256=y,0\na/b.py,,\na-1.dist-info/RECORD,,\n";
        let path = format!("{SITE}/a-1.dist-info/METADATA");
        let found =
            testing::extract(&Python, &path, b"Name: a\nVersion: 1\n", &[(RECORD, record.as_bytes())])
                .unwrap();
        let expected = ["a/__init__.py", "a/b.py"].map(|name| GuestPath::new(format!("{SITE}/{name}")));
        assert_eq!(found.witnesses, expected);
        let files = [
            "a-1.dist-info/METADATA",
            "../../../bin/a",
            "__pycache__/a.cpython-311.pyc",
            "a/__init__.py",
            "a/b.py",
            "a-1.dist-info/RECORD",
        ];
        let files = files.map(|name| key(&below(&GuestPath::new(SITE), name.as_bytes()))).into();
        assert_eq!(found.owners, [Owner { files, ..Owner::of(&found.packages()[0]) }]);
        assert_eq!(below(&GuestPath::new(SITE), b"../../../bin/a"), GuestPath::new("usr/bin/a"));
    }

    #[test]
    fn vendored_copies_are_marked() {
        for (path, vendored) in [
            (format!("{SITE}/setuptools/_vendor/tomli-2.0.1.dist-info/METADATA"), true),
            (format!("{SITE}/pkg_resources/_vendor/a.egg-info/PKG-INFO"), true),
            (format!("{SITE}/x/vendor/a-1.dist-info/METADATA"), true),
            (format!("{SITE}/a-1.dist-info/METADATA"), false),
            (format!("app/vendor/{SITE}/a-1.dist-info/METADATA"), false),
        ] {
            assert_eq!(is_vendored(&GuestPath::new(&path)), vendored, "{path}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, json: Vec<u8>) {
            let _ = testing::extract(&Python, "a.dist-info/METADATA", &bytes, &[]);
            let _ = testing::extract(&Python, "a.dist-info/METADATA", b"Name:a\nVersion:1", &[(DIRECT_URL, &json)]);
        }
    }
}
