//! What a differencing disk says of its parent: an identity, and its name in several spellings (Dynamic Disk
//! Header Format, Parent Locator Entry).

use super::{
    format::{RawHeader, RawLocator},
    header::NAME,
};
use crate::{
    block::{ReadAt, read_vec},
    bytes::{be_units, text, units},
    error::FormatError,
    limits, num,
};

/// The parent of a differencing disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parent {
    /// The identity in the parent's footer.
    pub(super) id: [u8; 16],
    /// Its path in all spellings, relative ones first; at least one.
    pub(super) names: Vec<String>,
}

/// Reads the locators of a header at `at`.
pub(super) fn read(file: &dyn ReadAt, raw: &RawHeader, at: u64) -> Result<Parent, FormatError> {
    let mut names = Vec::new();
    // Relative and absolute paths of Windows, a URL of a Macintosh; others are deprecated.
    for code in [b"W2ru", b"W2ku", b"MacX"] {
        for locator in raw.parent_locators.iter().filter(|locator| locator.platform_code == *code) {
            names.extend(path(file, locator)?);
        }
    }
    names.push(text(&be_units(&raw.parent_unicode_name)));
    names.retain(|name| !name.is_empty());
    if names.is_empty() {
        return Err(FormatError::corrupt(NAME, at, "a differencing disk that does not name its parent"));
    }
    Ok(Parent { id: raw.parent_unique_id, names })
}

fn path(file: &dyn ReadAt, locator: &RawLocator) -> Result<Option<String>, FormatError> {
    let (offset, length) = (locator.platform_data_offset.get(), locator.platform_data_length.get());
    if length > limits::VHD_NAME_BYTES {
        let what = format!("the parent's name has {length} bytes, more than {}", limits::VHD_NAME_BYTES);
        return Err(FormatError::limit(what));
    }
    if length == 0 {
        return Ok(None);
    }
    let bytes = read_vec(file, "VHD parent locator", offset, num::index(length))?;
    if &locator.platform_code == b"MacX" {
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        return Ok(bytes.get(..end).map(|url| String::from_utf8_lossy(url).into_owned()));
    }
    Ok(Some(text(&units(&bytes))))
}
