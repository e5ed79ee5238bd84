//! What a volume holds that is no file system icecore reads: recognised by its signature and named, never
//! passed over.

use crate::{block::ReadAt, gap::Code};

/// A recognised format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    /// Its usual name.
    pub name: &'static str,
    /// Under which code it is reported; `None` for what holds no files by design (swap).
    pub code: Option<Code>,
}

struct Row {
    offset: u64,
    magic: &'static [u8],
    name: &'static str,
    code: Option<Code>,
}

const fn row(offset: u64, magic: &'static [u8], name: &'static str, code: Option<Code>) -> Row {
    Row { offset, magic, name, code }
}

const VOLUME: Option<Code> = Some(Code::UnsupportedVolume);
const FILE_SYSTEM: Option<Code> = Some(Code::UnsupportedFileSystem);
const ENCRYPTED: Option<Code> = Some(Code::EncryptedVolume);

/// Offsets and magic numbers as each format documents them.
const TABLE: &[Row] = &[
    row(0, b"LUKS\xba\xbe", "LUKS", ENCRYPTED),
    row(3, b"-FVE-FS-", "BitLocker", ENCRYPTED),
    row(512, b"LABELONE", "LVM2 physical volume", VOLUME),
    row(4096, b"\xfc\x4e\x2b\xa9", "MD RAID 1.2", VOLUME),
    row(0, b"\xfc\x4e\x2b\xa9", "MD RAID 1.1", VOLUME),
    row(0, b"XFSB", "XFS", FILE_SYSTEM),
    row(65_600, b"_BHRfS_M", "btrfs", FILE_SYSTEM),
    row(3, b"NTFS    ", "NTFS", FILE_SYSTEM),
    row(3, b"EXFAT   ", "exFAT", FILE_SYSTEM),
    row(82, b"FAT32   ", "FAT32", FILE_SYSTEM),
    row(54, b"FAT16   ", "FAT16", FILE_SYSTEM),
    row(54, b"FAT12   ", "FAT12", FILE_SYSTEM),
    row(1024, b"\xe2\xe1\xf5\xe0", "EROFS", FILE_SYSTEM),
    row(0, b"hsqs", "squashfs", FILE_SYSTEM),
    row(32_769, b"CD001", "ISO 9660", FILE_SYSTEM),
    row(1024, b"\x10\x20\xf5\xf2", "F2FS", FILE_SYSTEM),
    row(3, b"\0\0\0\0ReFS", "ReFS", FILE_SYSTEM),
    row(32, b"NXSB", "APFS", FILE_SYSTEM),
    row(0, b"verity\0\0", "dm-verity hash device", VOLUME),
    row(4096, b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca", "bcache", VOLUME),
    row(32, b"ORCLDISK", "Oracle ASM", VOLUME),
    row(4086, b"SWAPSPACE2", "swap", None),
    row(4086, b"SWAP-SPACE", "swap", None),
    row(65_526, b"SWAPSPACE2", "swap", None),
];

/// What the volume begins like, `None` if it is like nothing that is known.
pub fn signature(source: &dyn ReadAt) -> Option<Signature> {
    let begins = |row: &&Row| {
        let mut bytes = vec![0; row.magic.len()];
        source.read_at(&mut bytes, row.offset).is_ok() && bytes == row.magic
    };
    let found = TABLE.iter().find(begins).map(|row| Signature { name: row.name, code: row.code });
    found.or_else(|| at_end(source))
}

/// What a partition's type says that holds no files by design: a boot loader's code, Microsoft's reserve.
pub fn by_type(kind: &str) -> Option<Signature> {
    let name = match kind {
        "21686148-6449-6E6F-744E-656564454649" => "BIOS boot",
        "E3C9E316-0B5C-4DB8-817D-F92DF00215AE" => "Microsoft reserved",
        _ => return None,
    };
    Some(Signature { name, code: None })
}

/// MD metadata 0.90 and 1.0 lie near the end, aligned; so does DRBD's.
fn at_end(source: &dyn ReadAt) -> Option<Signature> {
    const MD: [u8; 4] = [0xfc, 0x4e, 0x2b, 0xa9];
    let size = source.size();
    let old = (size & !0xffff).checked_sub(0x1_0000)?;
    let one = (size & !0xfff).checked_sub(0x2000)?;
    for (at, name) in [(old, "MD RAID 0.90"), (one, "MD RAID 1.0")] {
        let mut bytes = [0; 4];
        if source.read_at(&mut bytes, at).is_ok() && bytes == MD {
            return Some(Signature { name, code: VOLUME });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Memory;

    #[test]
    fn every_row_is_found_where_it_lies() {
        for row in TABLE {
            let mut bytes = vec![0; 128 << 10];
            let at = usize::try_from(row.offset).unwrap();
            bytes[at..at + row.magic.len()].copy_from_slice(row.magic);
            assert_eq!(signature(&Memory::new(bytes)).map(|found| found.name), Some(row.name));
        }
        assert_eq!(signature(&Memory::new(vec![0; 128 << 10])), None);
        assert_eq!(signature(&Memory::new(vec![])), None);
    }
}
