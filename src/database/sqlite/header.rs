//! The database header, section 1.3 of the file format.

use crate::{database::order::Order, error::FormatError, num};

/// The header's length; the first page's b-tree follows it.
pub(super) const LENGTH: usize = 100;
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const HEADER: &str = "sqlite header";

/// How text is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Utf16Le,
    Utf16Be,
}

/// What the header says that a reader needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// 512 to 65,536, a power of two.
    pub page_size: u32,
    /// Bytes of a page that the b-trees use, at least 480.
    pub usable: usize,
    /// Pages of the database, `None` if the writer was too old to keep the count.
    pub pages: Option<u32>,
    pub encoding: Encoding,
}

impl Header {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        let corrupt = |problem: String| FormatError::corrupt(HEADER, 0, problem);
        let bytes: &[u8; LENGTH] =
            bytes.first_chunk().ok_or_else(|| corrupt(format!("{} bytes", bytes.len())))?;
        if !bytes.starts_with(MAGIC) {
            return Err(corrupt("no SQLite header string".to_owned()));
        }
        let word = |at| Order::Big.u32(bytes, at).unwrap_or_default();
        let half = |at| Order::Big.u16(bytes, at).unwrap_or_default();
        let [read_version, reserved, fractions @ ..] =
            [bytes[19], bytes[20], bytes[21], bytes[22], bytes[23]];
        let page_size = page_size(half(16)).ok_or_else(|| corrupt(format!("page size {}", half(16))))?;
        if read_version > 2 {
            return Err(FormatError::unsupported(format!("sqlite read version {read_version}")));
        }
        if fractions != [64, 32, 32] {
            return Err(corrupt(format!("payload fractions {fractions:?}")));
        }
        let usable = num::index(page_size).saturating_sub(usize::from(reserved));
        if usable < 480 {
            return Err(corrupt(format!("{reserved} reserved bytes in pages of {page_size}")));
        }
        let encoding = match word(56) {
            // 0: a database into which nothing was written yet.
            0 | 1 => Encoding::Utf8,
            2 => Encoding::Utf16Le,
            3 => Encoding::Utf16Be,
            other => return Err(corrupt(format!("text encoding {other}"))),
        };
        // Section 1.3.7: the count is valid if the change counter is the one it was written with.
        let pages = Some(word(28)).filter(|pages| *pages != 0 && word(24) == word(92));
        Ok(Self { page_size, usable, pages, encoding })
    }
}

/// The two bytes of the header; 1 stands for 65,536.
fn page_size(field: u16) -> Option<u32> {
    match u32::from(field) {
        1 => Some(65_536),
        size => valid_page_size(size),
    }
}

/// A size that a page can have.
pub(super) fn valid_page_size(size: u32) -> Option<u32> {
    ((512..=65_536).contains(&size) && size.is_power_of_two()).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[..16].copy_from_slice(MAGIC);
        bytes[16..24].copy_from_slice(&[0x10, 0, 1, 1, 0, 64, 32, 32]);
        bytes[27] = 7;
        bytes[31] = 3;
        bytes[59] = 1;
        bytes[95] = 7;
        bytes
    }

    #[test]
    fn one_field_at_a_time() {
        let good = Header { page_size: 4096, usable: 4096, pages: Some(3), encoding: Encoding::Utf8 };
        assert_eq!(Header::parse(&header()).unwrap(), good);
        let with = |at: usize, value: u8| {
            let mut bytes = header();
            bytes[at] = value;
            Header::parse(&bytes)
        };
        assert_eq!(with(27, 8).unwrap(), Header { pages: None, ..good });
        assert_eq!(with(20, 32).unwrap(), Header { usable: 4064, ..good });
        assert_eq!(with(59, 3).unwrap(), Header { encoding: Encoding::Utf16Be, ..good });
        for (at, value) in [(0, 0), (16, 0x11), (16, 0), (19, 3), (21, 63), (59, 4)] {
            assert!(with(at, value).is_err(), "{at} {value}");
        }
        let mut bytes = header();
        bytes[16..18].copy_from_slice(&[0, 1]);
        assert_eq!(Header::parse(&bytes).unwrap().page_size, 65_536);
        bytes[16..18].copy_from_slice(&[2, 0]);
        bytes[20] = 40;
        assert!(Header::parse(&bytes).is_err(), "472 usable bytes");
        assert!(Header::parse(&bytes[..99]).is_err());
    }
}
