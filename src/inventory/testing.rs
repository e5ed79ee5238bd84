//! What the tests of all extractors do.

use std::sync::Arc;

use super::{Extraction, Extractor, File};
use crate::{
    block::{Memory, Source},
    error::FormatError,
    fs::{FileKind, GuestPath},
};

/// Extracts a file of these bytes, with companions by name.
pub(super) fn extract(
    extractor: &dyn Extractor,
    path: &str,
    bytes: &[u8],
    companions: &[(&str, &[u8])],
) -> Result<Extraction, FormatError> {
    let path = GuestPath::new(path);
    let source = |bytes: &[u8]| -> Source { Arc::new(Memory::new(bytes)) };
    let find = |name: &str| {
        assert!(extractor.companions().contains(&name), "{name} was not declared");
        Ok(companions.iter().find(|(known, _)| *known == name).map(|(_, bytes)| source(bytes)))
    };
    extractor.extract(&File::new(&path, &source(bytes), &find))
}

/// Checks which paths an extractor wants.
pub(super) fn wants(extractor: &dyn Extractor, yes: &[&str], no: &[&str]) {
    for (paths, wanted) in [(yes, true), (no, false)] {
        for path in paths {
            assert_eq!(extractor.wants(&GuestPath::new(path), FileKind::Regular), wanted, "{path}");
        }
    }
    for path in yes {
        assert!(!extractor.wants(&GuestPath::new(path), FileKind::Symlink), "{path} as a link");
    }
}
