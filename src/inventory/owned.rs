//! Which package installed which file: what belongs to one of the distribution is that package's, whatever else its content
//! shows; what belongs to one of a language came with it.

use xxhash_rust::xxh3::xxh3_64;

use super::{Package, PackageKind};
use crate::{fs::GuestPath, limits};

/// A package, and the files that it installed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owner {
    /// The kind of a language's package; `None` if it is one of the distribution, which has but one.
    pub kind: Option<PackageKind>,
    /// The package's name.
    pub name: String,
    /// Its files, as [`key`] spells them.
    pub files: Vec<u64>,
}

/// A path at which one package has its file, while those of the others that list it lie elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diversion {
    /// The path that packages list, as [`key`] spells it.
    pub from: u64,
    /// Where the files of the others lie.
    pub to: u64,
    /// The package whose file lies at the path; `None` if that is nobody's.
    pub by: Option<String>,
}

/// A path by which files and their owners find each other. Where `/lib` and its like are links into `/usr`, databases
/// still list files under either name.
pub fn key(path: &GuestPath) -> u64 {
    xxh3_64(plain(path.as_bytes()))
}

fn plain(path: &[u8]) -> &[u8] {
    let below = path.strip_prefix(b"usr/").filter(|rest| {
        let first = rest.split(|byte| *byte == b'/').next().unwrap_or_default();
        first == b"bin" || first == b"sbin" || first.starts_with(b"lib") && first != b"libexec"
    });
    below.unwrap_or(path)
}

impl Owner {
    /// A package of the distribution, without files.
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self { kind: None, name: name.into(), files: Vec::new() }
    }

    /// A package of a language, without files.
    pub(super) fn of(package: &Package) -> Self {
        Self { kind: Some(package.kind), ..Self::new(&package.name) }
    }

    /// Takes a file by its path from the root.
    pub(super) fn take(&mut self, path: &[u8]) {
        self.files.push(key(&GuestPath::new(path)));
    }

    /// Takes a file by its directory, with a slash at its end, and its name. No file has a longer path than Linux allows.
    pub(super) fn take_in(&mut self, dir: &[u8], name: &[u8]) {
        if dir.len().saturating_add(name.len()) <= limits::PATH_BYTES {
            self.take(&[dir, name].concat());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_key_wherever_lib_is() {
        let key = |path: &str| key(&GuestPath::new(path));
        assert_eq!(key("/lib/x/y"), key("usr/lib/x/y"));
        assert_eq!(key("usr/lib64/x"), key("/lib64/x"));
        assert_ne!(key("usr/share/x"), key("share/x"));
        assert_ne!(key("usr/libexec/x"), key("libexec/x"));
        assert_ne!(key("usr/local/lib/x"), key("lib/x"));
    }
}
