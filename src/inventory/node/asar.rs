//! Electron's archives: a header in JSON (Chromium's `Pickle` around it) with a tree of files, then their bytes ("asar" format).
//! The packages of an application lie in `node_modules` directories in one.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;

use super::{
    installed::is_installed,
    manifest::{self, MANIFEST},
};
use crate::{
    block::{self, Source},
    bytes::le32,
    error::FormatError,
    fs::{FileKind, GuestPath},
    inventory::{Extraction, Extractor, File, Package, zip},
    limits, num,
};

const ASAR: &str = "asar archive";
/// The lengths before the header: that of its own pickle's length, of the pickle, of what is in it, and of the text.
const LENGTHS: u64 = 16;

/// Applications of Electron.
pub(in crate::inventory) struct Asar;

impl Extractor for Asar {
    fn name(&self) -> &'static str {
        "asar"
    }

    fn version(&self) -> u32 {
        3
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        kind == FileKind::Regular && path.name().ends_with(b".asar")
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let source = file.content();
        let (header, data) = header(source)?;
        let root: Node = serde_json::from_slice(&header)
            .map_err(|error| FormatError::malformed(ASAR, error.to_string()))?;
        let mut manifests = Vec::new();
        root.collect(&GuestPath::ROOT, &mut manifests);
        manifests.sort_by_key(|(_, offset, _)| *offset);
        let mut found = Extraction::default();
        for (path, offset, size) in manifests {
            let member: Arc<str> = path.to_string().trim_start_matches('/').into();
            match data.checked_add(offset).ok_or_else(|| past(offset)).and_then(|at| read(source, at, size)) {
                Ok(Some(package)) => {
                    if !found.add_inside(package, &member) {
                        break;
                    }
                }
                Ok(None) => {}
                Err(error) => found.lose(zip::within(error, &member)),
            }
        }
        found.finish()
    }
}

/// The header, and where the files' bytes begin.
fn header(source: &Source) -> Result<(Vec<u8>, u64), FormatError> {
    let lengths = block::read_vec(source, ASAR, 0, num::to_usize(LENGTHS))?;
    let word = |at| u64::from(le32(&lengths, at).unwrap_or(0));
    let (own, pickle, text) = (word(0), word(4), word(12));
    if own != 4 || text.saturating_add(8) > pickle {
        let problem = format!("lengths {own}, {pickle} and {text} are those of no header");
        return Err(FormatError::corrupt(ASAR, 0, problem));
    }
    if text > limits::ASAR_HEADER_BYTES {
        let bound = limits::ASAR_HEADER_BYTES;
        return Err(FormatError::limit(format!("a header of {text} bytes in an {ASAR}, more than {bound}")));
    }
    let header = block::read_vec(source, ASAR, LENGTHS, num::to_usize(text))?;
    Ok((header, pickle.saturating_add(8)))
}

fn past(offset: u64) -> FormatError {
    FormatError::corrupt(ASAR, offset, "a file past all offsets")
}

fn read(source: &Source, at: u64, size: u64) -> Result<Option<Package>, FormatError> {
    if size > limits::PACKAGE_JSON_BYTES {
        let bound = limits::PACKAGE_JSON_BYTES;
        return Err(FormatError::limit(format!("{MANIFEST} of {size} bytes, more than {bound}")));
    }
    manifest::read(&block::read_vec(source, ASAR, at, num::to_usize(size))?)
}

/// A directory or file.
#[derive(Deserialize)]
struct Node {
    files: Option<BTreeMap<String, Node>>,
    /// Where its bytes begin behind the header, in decimal digits; those of a file that lies unpacked beside the archive are
    /// not in it.
    offset: Option<String>,
    size: Option<u64>,
}

impl Node {
    /// The manifests of packages below a directory: paths, offsets and sizes. The depth is bounded by the parser's own.
    fn collect(&self, dir: &GuestPath, into: &mut Vec<(GuestPath, u64, u64)>) {
        for (name, node) in self.files.iter().flatten() {
            let path = dir.join(name.as_bytes());
            node.collect(&path, into);
            let offset = node.offset.as_ref().and_then(|offset| offset.parse().ok());
            if let (Some(offset), Some(size)) = (offset, node.size)
                && is_installed(&path)
            {
                into.push((path, offset, size));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::testing;

    fn asar(header: &str, data: &str) -> Vec<u8> {
        let text = u32::try_from(header.len()).unwrap();
        let padded = text.next_multiple_of(4);
        let mut bytes: Vec<u8> =
            [4, padded + 8, padded + 4, text].iter().flat_map(|n| n.to_le_bytes()).collect();
        bytes.extend(header.as_bytes());
        bytes.resize(usize::try_from(padded).unwrap() + 16, 0);
        bytes.extend(data.as_bytes());
        bytes
    }

    #[test]
    fn packages_of_an_application() {
        let a = r#"{"name":"a","version":"1.0.0"}"#;
        let file = format!(r#"{{"size":{},"offset":"4"}}"#, a.len());
        let header = format!(
            r#"{{"files":{{"package.json":{file},"node_modules":{{"files":{{
                "a":{{"files":{{"package.json":{file},"index.js":{{"size":4,"offset":"0"}}}}}},
                "b":{{"files":{{"package.json":{{"size":9,"unpacked":true}}}}}},
                "c":{{"files":{{"package.json":{{"size":9,"offset":"999"}}}}}},
                "d":{{"link":"node_modules/a"}}}}}}}}}}"#
        );
        let found =
            testing::extract(&Asar, "opt/app/resources/app.asar", &asar(&header, &format!("0123{a}")), &[]);
        let found = found.unwrap();
        let shown: Vec<_> = found
            .shown
            .iter()
            .map(|one| (one.package.name.as_str(), one.inside.as_deref().unwrap()))
            .collect();
        assert_eq!(shown, [("a", "node_modules/a/package.json")]);
        assert_eq!(found.damage.len(), 1);
    }

    #[test]
    fn what_is_no_archive_is_an_error() {
        let deep = format!("{}{}", r#"{"files":{"a":"#.repeat(10_000), "}".repeat(20_000));
        for bytes in [Vec::new(), vec![0; 64], asar("{", ""), asar("[]", ""), asar(&deep, "")] {
            assert!(testing::extract(&Asar, "a.asar", &bytes, &[]).is_err());
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, header in "([{}\\[\\],:0]|\"files\"|\"size\"|\"offset\"|\"0\")*") {
            let _ = testing::extract(&Asar, "a.asar", &bytes, &[]);
            let _ = testing::extract(&Asar, "a.asar", &asar(&header, "{}"), &[]);
        }
    }
}
