//! rpm's header: "RPM Package format V4" (rpm.org/docs, section Header), as databases store it: without
//! magic, the lengths of index and data first. Big-endian.

use crate::{bytes::be32, error::FormatError, limits, num};

pub(super) const NAME: u32 = 1000;
pub(super) const VERSION: u32 = 1001;
pub(super) const RELEASE: u32 = 1002;
pub(super) const EPOCH: u32 = 1003;
pub(super) const VENDOR: u32 = 1011;
pub(super) const LICENSE: u32 = 1014;
pub(super) const URL: u32 = 1020;
pub(super) const ARCH: u32 = 1022;
pub(super) const SOURCERPM: u32 = 1044;
pub(super) const PROVIDENAME: u32 = 1047;
pub(super) const REQUIRENAME: u32 = 1049;
pub(super) const DIRINDEXES: u32 = 1116;
pub(super) const BASENAMES: u32 = 1117;
pub(super) const DIRNAMES: u32 = 1118;
pub(super) const MODULARITYLABEL: u32 = 5096;

const INT32: u32 = 4;
const STRING: u32 = 6;
const STRING_ARRAY: u32 = 8;
const I18N_STRING: u32 = 9;

/// Tag, type, offset, count.
const ENTRY: usize = 16;

/// A header whose index and data have the lengths that it states.
pub(super) struct Header<'a> {
    index: &'a [u8],
    data: &'a [u8],
    offset: u64,
}

/// An index entry of one tag.
struct Entry {
    kind: u32,
    /// Where its data begins.
    at: usize,
    /// How many values it has, as it says.
    count: usize,
}

impl<'a> Header<'a> {
    /// The header in these bytes, which lie at `offset` of the database.
    pub(super) fn parse(bytes: &'a [u8], offset: u64) -> Result<Self, FormatError> {
        let corrupt = |problem: String| FormatError::corrupt("rpm header", offset, problem);
        let lengths = be32(bytes, 0).zip(be32(bytes, 4));
        let (entries, length) = lengths.ok_or_else(|| corrupt(format!("{} bytes", bytes.len())))?;
        if entries > limits::RPM_HEADER_ENTRIES {
            return Err(corrupt(format!("{entries} entries")));
        }
        let rest = bytes.get(8..).unwrap_or_default();
        let parts = rest.split_at_checked(num::index(entries).saturating_mul(ENTRY));
        let (index, data) =
            parts.and_then(|(index, data)| Some((index, data.get(..num::index(length))?))).ok_or_else(
                || corrupt(format!("{entries} entries and {length} bytes of data in {}", bytes.len())),
            )?;
        Ok(Self { index, data, offset })
    }

    /// The text of a tag (of an array, or of translations, the first), `None` if the tag is absent or empty.
    /// What is not UTF-8 is replaced.
    pub(super) fn string(&self, tag: u32) -> Result<Option<String>, FormatError> {
        let Some(entry) = self.find(tag)? else { return Ok(None) };
        if !matches!(entry.kind, STRING | STRING_ARRAY | I18N_STRING) {
            return Err(self.corrupt(format!("tag {tag} has type {}", entry.kind)));
        }
        let rest = self.data.get(entry.at..).unwrap_or_default();
        let end = rest.iter().take(limits::RPM_STRING_BYTES).position(|byte| *byte == 0);
        let text = end.and_then(|end| rest.get(..end)).ok_or_else(|| {
            self.corrupt(format!("tag {tag} does not end within {} bytes", limits::RPM_STRING_BYTES))
        })?;
        Ok((!text.is_empty()).then(|| String::from_utf8_lossy(text).into_owned()))
    }

    /// The (first) number of a tag.
    pub(super) fn int32(&self, tag: u32) -> Result<Option<u32>, FormatError> {
        let Some(entry) = self.find(tag)? else { return Ok(None) };
        if entry.kind != INT32 {
            return Err(self.corrupt(format!("tag {tag} has type {}", entry.kind)));
        }
        let value = be32(self.data, entry.at);
        value.map(Some).ok_or_else(|| self.corrupt(format!("tag {tag} passes the end of the data")))
    }

    /// The texts of an array's tag, as far as the data go; none if the tag is absent.
    pub(super) fn strings(&self, tag: u32) -> Result<impl Iterator<Item = &'a [u8]>, FormatError> {
        let (data, count) = self.array(tag, STRING_ARRAY)?;
        Ok(data.split(|byte| *byte == 0).take(count))
    }

    /// The numbers of a tag, as far as the data go; none if the tag is absent.
    pub(super) fn numbers(&self, tag: u32) -> Result<impl Iterator<Item = u32>, FormatError> {
        let (data, count) = self.array(tag, INT32)?;
        Ok(data.chunks_exact(4).take(count).filter_map(|bytes| be32(bytes, 0)))
    }

    /// Where the values of a tag of this type begin, and how many there are.
    fn array(&self, tag: u32, kind: u32) -> Result<(&'a [u8], usize), FormatError> {
        let entry = self.find(tag)?.filter(|entry| entry.kind == kind);
        Ok(entry.map_or((&[], 0), |entry| (self.data.get(entry.at..).unwrap_or_default(), entry.count)))
    }

    /// The error for a header whose content makes no sense.
    pub(super) fn corrupt(&self, problem: impl Into<String>) -> FormatError {
        FormatError::corrupt("rpm header", self.offset, problem)
    }

    /// The last entry of a tag: what was added after the package was built comes after the region that the
    /// signature covers, and replaces what is in it.
    fn find(&self, tag: u32) -> Result<Option<Entry>, FormatError> {
        let entry = self.index.chunks_exact(ENTRY).rev().find(|entry| be32(entry, 0) == Some(tag));
        let Some(entry) = entry else { return Ok(None) };
        let field = |at| be32(entry, at).unwrap_or_default();
        let at = num::index(field(8));
        if at >= self.data.len() || field(12) == 0 {
            let problem = format!("tag {tag} has {} values at {at} of {}", field(12), self.data.len());
            return Err(self.corrupt(problem));
        }
        Ok(Some(Entry { kind: field(4), at, count: num::index(field(12)) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::rpm::tests::header as build;

    #[test]
    fn tags_by_type_and_order() {
        let bytes = build(&[
            (63, 7, b"x"),
            (NAME, STRING, b"a\0"),
            (EPOCH, INT32, &[0, 0, 1, 2]),
            (NAME, 9, b"b\0c\0"),
        ]);
        let header = Header::parse(&bytes, 0).unwrap();
        assert_eq!(header.string(NAME).unwrap().as_deref(), Some("b"), "the later entry counts");
        assert_eq!(header.int32(EPOCH).unwrap(), Some(258));
        assert_eq!(header.string(ARCH).unwrap(), None);
        assert!(header.int32(NAME).is_err());
        assert!(header.string(EPOCH).is_err());
    }

    #[test]
    fn bounds() {
        let bytes = build(&[(NAME, STRING, b"ab\0")]);
        assert!(Header::parse(&bytes, 0).is_ok());
        for length in 0..bytes.len() {
            assert!(Header::parse(&bytes[..length], 0).is_err(), "{length}");
        }
        let with = |at: usize, value: u8| {
            let mut bytes = bytes.clone();
            bytes[at] = value;
            Header::parse(&bytes, 0).and_then(|header| header.string(NAME))
        };
        assert_eq!(with(8, 0).unwrap().as_deref(), Some("ab"));
        assert_eq!(with(11, 1).unwrap(), None, "another tag");
        assert!(with(1, 1).is_err(), "65,537 entries");
        assert!(with(19, 3).is_err(), "past the data");
        assert!(with(23, 0).is_err(), "no values");
        assert!(with(26, 1).is_err(), "no end");
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            if let Ok(header) = Header::parse(&bytes, 0) {
                let _ = (header.string(NAME), header.int32(EPOCH));
            }
        }
    }
}
