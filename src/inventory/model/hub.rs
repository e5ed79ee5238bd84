//! Models that the client of the Hugging Face Hub fetched ("Understand caching", huggingface_hub's documentation): its cache has a
//! directory `models--OWNER--NAME` for each, in which `refs/BRANCH` holds the commit that the branch was at.

use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath},
    inventory::{Extraction, Extractor, File, Package, PackageKind},
    limits,
};

const REF: &str = "reference of a cached model";
const DIGITS: usize = 40;
/// Directories from a repository to a branch with slashes in its name (`refs/pr/1`).
const BRANCH_PARTS: usize = 5;

/// The Hugging Face Hub's models by their repositories and commits.
pub(in crate::inventory) struct Hub;

impl Extractor for Hub {
    fn name(&self) -> &'static str {
        "huggingface-hub"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        kind == FileKind::Regular && repository(path).is_some()
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let mut found = Extraction::default();
        let Some(name) = repository(file.path()) else { return Ok(found) };
        let bytes = file.read(REF, limits::MODEL_REFERENCE_BYTES)?;
        let commit = String::from_utf8_lossy(&bytes).trim().to_ascii_lowercase();
        if commit.len() != DIGITS || !commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(FormatError::malformed(REF, format!("no commit: {}", commit.escape_debug())));
        }
        found.add(Package::new(PackageKind::Huggingface, name, commit));
        Ok(found)
    }
}

/// The repository of the model whose branch is at a path. The oldest repositories have no owner.
fn repository(path: &GuestPath) -> Option<String> {
    let mut above = path.components().rev().skip(1).take(BRANCH_PARTS);
    let mut below = above.next()?;
    let name = above.find_map(|dir| {
        let is_refs = std::mem::replace(&mut below, dir) == b"refs";
        dir.strip_prefix(b"models--").filter(|_| is_refs)
    })?;
    let parts: Vec<_> = std::str::from_utf8(name).ok()?.split("--").collect();
    (parts.len() <= 2 && parts.iter().all(|part| !part.is_empty())).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{purl, testing};

    const AT: &str = "root/.cache/huggingface/hub/models--BAAI--bge-small-en-v1.5/refs/main";
    const COMMIT: &str = "5c38ec7c405ec4b44b94cc5a9bb96e735b38267a";

    #[test]
    fn wants_branches_of_models() {
        testing::wants(
            &Hub,
            &[AT, "srv/models--gpt2/refs/main", "srv/models--a--b/refs/refs/pr/7"],
            &[
                "srv/datasets--a--b/refs/main",
                "srv/models--a--b/snapshots/main",
                "srv/models--a--b--c/refs/main",
                "srv/models--/refs/main",
                "refs/main",
            ],
        );
    }

    #[test]
    fn a_repository_and_its_commit() {
        let extract = |path, text: &str| testing::extract(&Hub, path, text.as_bytes(), &[]);
        let purls = |path| {
            let found = extract(path, COMMIT).unwrap();
            found.packages().iter().map(|package| purl(package, None)).collect::<Vec<_>>()
        };
        assert_eq!(purls(AT), [format!("pkg:huggingface/BAAI/bge-small-en-v1.5@{COMMIT}")]);
        assert_eq!(purls("srv/models--gpt2/refs/main"), [format!("pkg:huggingface/gpt2@{COMMIT}")]);
        for text in ["", "main", &COMMIT[1..], &"g".repeat(DIGITS), &"0".repeat(5000)] {
            assert!(extract(AT, text).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(path: String, bytes: Vec<u8>) {
            let _ = testing::extract(&Hub, &format!("models--{path}/refs/main"), &bytes, &[]);
        }
    }
}
