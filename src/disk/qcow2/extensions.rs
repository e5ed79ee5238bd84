//! Header extensions (specification: Header extensions, Feature name table).

use zerocopy::FromBytes;

use super::format::{BACKING_FORMAT, DATA_FILE_NAME, END, FEATURE_NAMES, RawFeatureName};
use crate::{error::FormatError, num};

/// What the extensions say that a reader needs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Extensions {
    /// The backing file's format, as `qemu-img -f` spells it.
    pub(super) backing_format: Option<String>,
    /// The external data file's name.
    pub(super) data_file: Option<String>,
    /// Names of incompatible features by bit.
    names: Vec<(u8, String)>,
}

impl Extensions {
    /// Parses the extensions between the header's end and `end`.
    pub(super) fn parse(bytes: &[u8], start: usize, end: usize) -> Result<Self, FormatError> {
        let mut found = Self::default();
        let mut rest = bytes.get(..end).unwrap_or(bytes).get(start..).unwrap_or_default();
        while let Some((kind, length, after)) = split(rest) {
            let Some(data) = after.get(..length) else {
                let at = num::to_u64(end.saturating_sub(rest.len()));
                let problem = format!("extension {kind:#010x} of {length} bytes does not fit");
                return Err(FormatError::corrupt("qcow2 header extension", at, problem));
            };
            let text = || String::from_utf8_lossy(data).into_owned();
            match kind {
                END => break,
                BACKING_FORMAT => found.backing_format = Some(text()),
                DATA_FILE_NAME => found.data_file = Some(text()),
                FEATURE_NAMES => found.names = names(data),
                _ => {}
            }
            rest = after.get(length.next_multiple_of(8)..).unwrap_or_default();
        }
        Ok(found)
    }

    /// An image with an incompatible feature that is not in `known` must not be read.
    pub(super) fn refuse_unknown(&self, features: u64, known: u64) -> Result<(), FormatError> {
        let unknown = features & !known;
        if unknown == 0 {
            return Ok(());
        }
        let bits = (0..64u8).filter(|bit| unknown.unbounded_shr(u32::from(*bit)) & 1 != 0);
        let spelled: Vec<String> = bits
            .map(|bit| match self.names.iter().find(|(named, _)| *named == bit) {
                Some((_, name)) => format!("{name:?} (bit {bit})"),
                None => format!("bit {bit}"),
            })
            .collect();
        Err(FormatError::unsupported(format!("qcow2 with the incompatible feature {}", spelled.join(", "))))
    }
}

/// The first extension's type and length, and its data with all that follows.
fn split(bytes: &[u8]) -> Option<(u32, usize, &[u8])> {
    let (kind, rest) = bytes.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    Some((u32::from_be_bytes(*kind), num::index(u32::from_be_bytes(*length)), rest))
}

fn names(data: &[u8]) -> Vec<(u8, String)> {
    let entries = data.chunks_exact(size_of::<RawFeatureName>());
    let entries = entries.filter_map(|bytes| RawFeatureName::ref_from_bytes(bytes).ok());
    entries
        .filter(|entry| entry.kind == 0)
        .map(|entry| {
            let name = entry.name.split(|byte| *byte == 0).next().unwrap_or_default();
            (entry.bit, String::from_utf8_lossy(name).into_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extension(kind: u32, data: &[u8]) -> Vec<u8> {
        let mut bytes = kind.to_be_bytes().to_vec();
        bytes.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }

    fn feature(kind: u8, bit: u8, name: &str) -> Vec<u8> {
        let mut bytes = vec![kind, bit];
        bytes.extend(name.as_bytes());
        bytes.resize(48, 0);
        bytes
    }

    #[test]
    fn strings_and_names_are_found_between_unknown_extensions() {
        let table = [feature(1, 9, "other"), feature(0, 9, "time travel")].concat();
        let bytes = [
            extension(0x1234_5678, b"ignored"),
            extension(BACKING_FORMAT, b"qcow2"),
            extension(FEATURE_NAMES, &table),
            extension(DATA_FILE_NAME, b"data.raw"),
            extension(END, b""),
            extension(BACKING_FORMAT, b"raw"),
        ]
        .concat();
        let found = Extensions::parse(&bytes, 0, bytes.len()).unwrap();
        assert_eq!(found.backing_format.as_deref(), Some("qcow2"));
        assert_eq!(found.data_file.as_deref(), Some("data.raw"));
        let error = found.refuse_unknown(1 << 9 | 1 << 40 | 1, 1).unwrap_err();
        assert_eq!(error.detail(), "qcow2 with the incompatible feature \"time travel\" (bit 9), bit 40");
        assert!(found.refuse_unknown(1, 1).is_ok());
    }

    #[test]
    fn an_extension_past_the_end_is_an_error() {
        let mut bytes = extension(BACKING_FORMAT, b"qcow2");
        bytes[4..8].copy_from_slice(&0xffff_fff0u32.to_be_bytes());
        assert!(Extensions::parse(&bytes, 0, bytes.len()).is_err());
    }
}
