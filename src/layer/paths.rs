//! Paths as the layer cache spells them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fs::GuestPath;

/// A guest path that serializes as its bytes: what is no UTF-8 survives.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Paths(pub GuestPath);

impl Serialize for Paths {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match str::from_utf8(self.0.as_bytes()) {
            Ok(text) => to.serialize_str(text),
            Err(_) => self.0.as_bytes().serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Paths {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Spelling {
            Text(String),
            Bytes(Vec<u8>),
        }
        Ok(Self(match Spelling::deserialize(from)? {
            Spelling::Text(text) => GuestPath::new(text),
            Spelling::Bytes(bytes) => GuestPath::new(bytes),
        }))
    }
}
