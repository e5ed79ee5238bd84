//! Conda's files: `environment.yml` (conda's "Creating an environment file manually", "Package match specifications"), of which
//! only what is pinned with `==` or with a build is taken, with pip's requirements in it; and conda-lock's `conda-lock.yml`.

use serde_json::Value;

use super::{document::Document, named::Named, requirements};
use crate::{
    error::FormatError,
    inventory::{Package, PackageKind},
};

/// Reads an environment.
pub(super) fn read_environment(file: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    file.yaml(&[&["dependencies"]], |record| match &record.value {
        Value::String(specification) => {
            if let Some(package) = pinned(specification) {
                named.add(package);
            }
        }
        other => {
            let requirements = other.get("pip").and_then(Value::as_array).into_iter().flatten();
            for package in requirements.filter_map(|line| requirements::pinned(line.as_str()?)) {
                named.add(package);
            }
        }
    })
}

/// Reads a lock file.
pub(super) fn read_lock(lock: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    lock.yaml(&[&["package"]], |record| {
        let kind = match record.text("manager") {
            Some("pip") => PackageKind::Pypi,
            _ => PackageKind::Conda,
        };
        match (record.text("name"), record.text("version")) {
            (Some(name), Some(version)) => named.add(Package::new(kind, name, version)),
            _ => named.lose(&format!("{} has no name or no version", record.place())),
        }
    })
}

/// The package of `[CHANNEL::]NAME==VERSION` or `NAME=VERSION=BUILD`; `NAME=VERSION` is any version that begins so.
fn pinned(specification: &str) -> Option<Package> {
    let specification = specification.rsplit_once("::").map_or(specification, |(_, rest)| rest);
    let (name, rest) = specification.split_once('=')?;
    let version = match rest.strip_prefix('=') {
        Some(exact) => exact.split('=').next()?,
        None => rest.split_once('=')?.0,
    };
    let is_version = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '!' | '-');
    let (name, version) = (name.trim(), version.trim());
    let is_name = name.chars().all(|c| is_version(c) && c != '!');
    (is_name && !version.is_empty() && version.chars().all(is_version))
        .then(|| Package::new(PackageKind::Conda, name, version))
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};
    use crate::inventory;

    #[test]
    fn only_what_is_pinned() {
        for (specification, expected) in [
            ("numpy==1.26.4", Some("numpy 1.26.4")),
            ("numpy=1.26.4=py312h_0", Some("numpy 1.26.4")),
            ("conda-forge::numpy = 1.26.4 = py312h_0", Some("numpy 1.26.4")),
            ("numpy=1.26", None),
            ("numpy==1.26.*", None),
            ("numpy>=1.26", None),
            ("numpy>=1.26,==1.27", None),
            ("numpy", None),
        ] {
            let package =
                pinned(specification).map(|package| format!("{} {}", package.name, package.version));
            assert_eq!(package.as_deref(), expected, "{specification}");
        }
    }

    #[test]
    fn an_environment_and_its_lock() {
        let of = |path: &str, text: &str| {
            let found =
                inventory::testing::extract(&super::super::Declared, path, text.as_bytes(), &[]).unwrap();
            let packages = found.packages().into_iter();
            let packages: Vec<_> = packages
                .map(|package| (package.kind, format!("{} {}", package.name, package.version)))
                .collect();
            (packages, found.damage.len())
        };
        let expected =
            vec![(PackageKind::Conda, "a 1.0".to_owned()), (PackageKind::Pypi, "b 2.0".to_owned())];
        let text = "name: x\nchannels:\n  - defaults\ndependencies:\n  - a=1.0=h0_0\n  - c\n  - pip:\n    - b==2.0\n    - d\n";
        assert_eq!(of("environment.yml", text), (expected.clone(), 0));
        let text = "version: 1\nmetadata: {}\npackage:\n- name: a\n  version: '1.0'\n  manager: conda\n- name: b\n  version: '2.0'\n  \
                    manager: pip\n- name: bad\n";
        assert_eq!(of("conda-lock.yml", text), (expected, 1));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(dependencies:|\n|  - |a|=|::|package:|pip:|[é{}1])*") {
            for path in ["environment.yml", "conda-lock.yml"] {
                testing::read(path, &text);
            }
        }
    }
}
