//! What a differencing disk says of its parent: identities of its content, and its name in several spellings
//! ([MS-VHDX] 2.6.2.6).

use zerocopy::FromBytes;

use super::format::{LOCATOR_TYPE, RawKeyValue, RawLocator};
use crate::{
    bytes::{part, units},
    disk::guid::Guid,
    error::FormatError,
    num,
};

const NAME: &str = "VHDX parent locator";

/// The parent of a differencing disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parent {
    /// The identities that the parent's content may have, as text; at least one.
    linkages: Vec<String>,
    /// Its path in all spellings, relative ones first; at least one.
    pub(super) names: Vec<String>,
}

impl Parent {
    /// Parses a locator that was read at `at`.
    pub(super) fn parse(bytes: &[u8], at: u64) -> Result<Self, FormatError> {
        let corrupt = |problem: &str| FormatError::corrupt(NAME, at, problem);
        let (raw, rest) = RawLocator::ref_from_prefix(bytes).map_err(|_| corrupt("it is cut"))?;
        if raw.locator_type != LOCATOR_TYPE {
            let what = format!("a VHDX with a parent locator of type {}", Guid(raw.locator_type));
            return Err(FormatError::unsupported(what));
        }
        let mut pairs = Vec::new();
        for entry in rest.chunks_exact(size_of::<RawKeyValue>()).take(usize::from(raw.key_value_count.get()))
        {
            let Ok(raw) = RawKeyValue::ref_from_bytes(entry) else { break };
            let key = text(bytes, raw.key_offset.get(), raw.key_length.get());
            let value = text(bytes, raw.value_offset.get(), raw.value_length.get());
            pairs.push(key.zip(value).ok_or_else(|| corrupt("an entry that is not in it"))?);
        }
        let values = |keys: &[&str]| -> Vec<String> {
            let of =
                |key: &&str| pairs.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone());
            keys.iter().filter_map(of).filter(|value| !value.is_empty()).collect()
        };
        let linkages = values(&["parent_linkage", "parent_linkage2"]);
        let names = values(&["relative_path", "volume_path", "absolute_win32_path"]);
        if linkages.is_empty() || names.is_empty() {
            return Err(corrupt("it does not tell the parent's identity and name"));
        }
        Ok(Self { linkages, names })
    }

    /// Whether a disk with this identity of its content is the parent.
    pub(super) fn is(&self, data_write: Guid) -> bool {
        let identity = data_write.to_string();
        let bare = |text: &str| text.trim_matches(['{', '}']).to_ascii_lowercase();
        self.linkages.iter().any(|linkage| bare(linkage) == identity)
    }

    /// The identities, for an error.
    pub(super) fn linkages(&self) -> String {
        self.linkages.join(" or ")
    }
}

/// UTF-16 at a place within the locator.
fn text(bytes: &[u8], offset: u32, length: u16) -> Option<String> {
    Some(String::from_utf16_lossy(&units(part(bytes, num::index(offset), length.into())?)))
}
