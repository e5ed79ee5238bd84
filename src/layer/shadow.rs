//! The set of a layer's paths, in 16 bytes each: all that the fold asks of them is whether one is there.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use xxhash_rust::xxh3::xxh3_128;

use crate::fs::{FileKind, GuestPath};

/// Paths as 127 bits of their XXH3 and one bit that tells directories. Two paths of one layer meet by chance
/// once in 10^27 layers of a million paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shadow(Vec<u128>);

impl Shadow {
    /// Adds a path. [`Self::seal`] follows the last one.
    pub fn add(&mut self, path: &GuestPath, kind: FileKind) {
        self.0.push(Self::hash(path) | u128::from(kind == FileKind::Directory));
    }

    /// Sorts, so that paths can be looked up.
    pub fn seal(&mut self) {
        self.0.sort_unstable();
        self.0.dedup();
        self.0.shrink_to_fit();
    }

    /// The hash by which a path is looked up here.
    pub fn hash(path: &GuestPath) -> u128 {
        xxh3_128(path.as_bytes()) & !1
    }

    /// Whether the layer has anything at `path`.
    pub fn has(&self, path: &GuestPath) -> bool {
        self.has_hash(Self::hash(path))
    }

    /// Whether the layer has something at `path` that is no directory.
    pub fn has_other_than_directory(&self, path: &GuestPath) -> bool {
        self.has_hash_of_other_than_directory(Self::hash(path))
    }

    /// As [`Self::has`], of a path's hash.
    pub fn has_hash(&self, hash: u128) -> bool {
        self.contains(hash) || self.contains(hash | 1)
    }

    /// As [`Self::has_other_than_directory`], of a path's hash.
    pub fn has_hash_of_other_than_directory(&self, hash: u128) -> bool {
        self.contains(hash)
    }

    fn contains(&self, key: u128) -> bool {
        self.0.binary_search(&key).is_ok()
    }
}

impl Serialize for Shadow {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let hex: String = self.0.iter().map(|key| format!("{key:032x}")).collect();
        to.serialize_str(&hex)
    }
}

impl<'de> Deserialize<'de> for Shadow {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let hex = String::deserialize(from)?;
        let keys = hex.as_bytes().chunks(32).map(|digits| {
            let digits = str::from_utf8(digits).map_err(serde::de::Error::custom)?;
            u128::from_str_radix(digits, 16).map_err(serde::de::Error::custom)
        });
        Ok(Self(keys.collect::<Result<_, _>>()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_told_apart_and_survive_the_cache() {
        let mut shadow = Shadow::default();
        shadow.add(&GuestPath::new("usr/lib"), FileKind::Directory);
        shadow.add(&GuestPath::new("lib"), FileKind::Symlink);
        shadow.seal();
        let back: Shadow = serde_json::from_value(serde_json::to_value(&shadow).unwrap()).unwrap();
        assert_eq!(back, shadow);
        assert!(
            back.has(&GuestPath::new("usr/lib"))
                && !back.has_other_than_directory(&GuestPath::new("usr/lib"))
        );
        assert!(back.has_other_than_directory(&GuestPath::new("lib")) && !back.has(&GuestPath::new("bin")));
    }
}
