//! The lock file of R's renv, `renv.lock` (renv's "Lockfiles"): packages by name with their source. Bioconductor's have no
//! type of purl; those of a repository of sources say which.

use super::{document::Document, named::Named, records::Record};
use crate::{
    error::FormatError,
    inventory::{Package, PackageKind},
};

/// Reads a lock file.
pub(super) fn read(lock: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    lock.json(&[&["Packages"]], |record| {
        let (Some(name), Some(version)) = (record.text("Package"), record.text("Version")) else {
            return named.lose(&format!("{} has no name or no version", record.place()));
        };
        let origin = match record.text("Source") {
            Some("Bioconductor" | "Local" | "unknown") => return,
            Some("GitHub") => origin(&record),
            _ => None,
        };
        named.add(Package { origin, ..Package::new(PackageKind::Cran, name, version) });
    })
}

fn origin(record: &Record<'_>) -> Option<String> {
    let (user, repository) = (record.text("RemoteUsername")?, record.text("RemoteRepo")?);
    Some(format!("git+https://github.com/{user}/{repository}@{}", record.text("RemoteSha")?))
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use crate::inventory::PackageKind;

    #[test]
    fn packages_of_each_source() {
        let text = r#"{"R":{"Version":"4.3.2","Repositories":[{"Name":"CRAN"}]},"Packages":{
            "R6":{"Package":"R6","Version":"2.5.1","Source":"Repository","Repository":"CRAN"},
            "g":{"Package":"g","Version":"0.1-2","Source":"GitHub","RemoteUsername":"o","RemoteRepo":"g","RemoteSha":"0f1e"},
            "BiocGenerics":{"Package":"BiocGenerics","Version":"0.48.1","Source":"Bioconductor"},"bad":{"Package":"bad"}}}"#;
        let expected = ["R6 2.5.1", "g 0.1-2 git+https://github.com/o/g@0f1e"];
        assert_eq!(
            testing::named(PackageKind::Cran, "renv.lock", text),
            (expected.map(str::to_owned).to_vec(), 1)
        );
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "([{}\\[\\],:0]|\"Packages\"|\"Package\"|\"Version\"|\"a\")*") {
            testing::read("renv.lock", &text);
        }
    }
}
