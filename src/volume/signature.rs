//! What a volume holds that is no file system icecore reads: recognised by its signature and named, never
//! passed over.

use super::lvm::MEMBER;
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
const LVM: &[u8] = b"LABELONE";
/// A LUKS2 header's second copy, where the first is lost: after a metadata area of each size that there is.
const LUKS2: &[u8] = b"SKUL\xba\xbe";

/// BitLocker's GUID 4967d63b-2e29-4ad8-8399-f6a339e3d001, in what looks like a FAT boot sector (BitLocker To Go).
const FVE: &[u8] = b"\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01";
const TO_GO: u64 = 424;

/// Whether this is BitLocker's for removable disks: what looks like a FAT file system has only the program that asks for the
/// password.
pub fn is_to_go(source: &dyn ReadAt) -> bool {
    let mut guid = vec![0; FVE.len()];
    source.read_at(&mut guid, TO_GO).is_ok() && guid == FVE
}

/// Whether ISO 9660 is what the disk holds (ECMA-119, 8.4.2).
pub(super) fn is_iso_9660(source: &dyn ReadAt) -> bool {
    let mut identifier = [0; 5];
    source.read_at(&mut identifier, 32_769).is_ok() && &identifier == b"CD001"
}

/// Offsets and magic numbers as each format documents them.
const TABLE: &[Row] = &[
    row(0, b"LUKS\xba\xbe", "LUKS", ENCRYPTED),
    row(3, b"-FVE-FS-", "BitLocker", ENCRYPTED),
    row(TO_GO, FVE, "BitLocker", ENCRYPTED),
    // In any of the first four sectors.
    row(0, LVM, MEMBER, VOLUME),
    row(512, LVM, MEMBER, VOLUME),
    row(1024, LVM, MEMBER, VOLUME),
    row(1536, LVM, MEMBER, VOLUME),
    row(0, b"dmvdo001", "VDO", VOLUME),
    row(4096, b"\xfc\x4e\x2b\xa9", "MD RAID 1.2", VOLUME),
    row(0, b"\xfc\x4e\x2b\xa9", "MD RAID 1.1", VOLUME),
    row(0, b"sqsh", "squashfs (big-endian, before 4.0)", FILE_SYSTEM),
    row(32_769, b"CD001", "ISO 9660", FILE_SYSTEM),
    row(1024, b"\x10\x20\xf5\xf2", "F2FS", FILE_SYSTEM),
    row(3, b"ReFS\0\0\0\0", "ReFS", FILE_SYSTEM),
    row(32, b"NXSB", "APFS", FILE_SYSTEM),
    row(4096 + 24, b"\xc6\x85\x73\xf6\x66\xce\x90\xa9", "bcachefs", FILE_SYSTEM),
    // UFS 1, and UFS 2 in either of its usual places.
    row(8192 + 1372, b"\x54\x19\x01\0", "UFS", FILE_SYSTEM),
    row(8192 + 1372, b"\x19\x01\x54\x19", "UFS", FILE_SYSTEM),
    row(65_536 + 1372, b"\x19\x01\x54\x19", "UFS", FILE_SYSTEM),
    row(0, b"verity\0\0", "dm-verity hash device", VOLUME),
    row(0, b"integrt\0", "dm-integrity device", VOLUME),
    row(4096 + 24, b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca", "bcache", VOLUME),
    row(32, b"ORCLDISK", "Oracle ASM", VOLUME),
    row(4086, b"SWAPSPACE2", "swap", None),
    row(4086, b"SWAP-SPACE", "swap", None),
    // On machines with larger pages; and with the memory of one that sleeps.
    row(8182, b"SWAPSPACE2", "swap", None),
    row(16_374, b"SWAPSPACE2", "swap", None),
    row(32_758, b"SWAPSPACE2", "swap", None),
    row(65_526, b"SWAPSPACE2", "swap", None),
    row(4086, b"S1SUSPEND", "swap", None),
    row(0x4000, LUKS2, "LUKS", ENCRYPTED),
    row(0x8000, LUKS2, "LUKS", ENCRYPTED),
    row(0x1_0000, LUKS2, "LUKS", ENCRYPTED),
    row(0x2_0000, LUKS2, "LUKS", ENCRYPTED),
    row(0x4_0000, LUKS2, "LUKS", ENCRYPTED),
    row(0x8_0000, LUKS2, "LUKS", ENCRYPTED),
    row(0x10_0000, LUKS2, "LUKS", ENCRYPTED),
    row(0x20_0000, LUKS2, "LUKS", ENCRYPTED),
    row(0x40_0000, LUKS2, "LUKS", ENCRYPTED),
];

/// What the volume begins like, `None` if it is like nothing that is known.
pub fn signature(source: &dyn ReadAt) -> Option<Signature> {
    let begins = |row: &&Row| {
        let mut bytes = vec![0; row.magic.len()];
        source.read_at(&mut bytes, row.offset).is_ok() && bytes == row.magic
    };
    let found = TABLE.iter().find(begins).map(|row| Signature { name: row.name, code: row.code });
    found.or_else(|| zfs(source)).or_else(|| at_end(source))
}

/// The first label of a ZFS member: 128 KiB of uberblocks from 128 KiB on, in the byte order of who wrote it. As
/// for libblkid, four of them are enough.
fn zfs(source: &dyn ReadAt) -> Option<Signature> {
    const UBERBLOCK: u64 = 0x00ba_b10c;
    let mut label = vec![0; 128 << 10];
    source.read_at(&mut label, 128 << 10).ok()?;
    let magic = [UBERBLOCK.to_le_bytes(), UBERBLOCK.to_be_bytes()];
    let found = label.chunks_exact(1024).filter(|block| magic.iter().any(|magic| block.starts_with(magic)));
    (found.count() >= 4).then_some(Signature { name: "ZFS member", code: VOLUME })
}

/// MD metadata 0.90 and 1.0 lie near the end, aligned.
fn at_end(source: &dyn ReadAt) -> Option<Signature> {
    const MD: [u8; 4] = [0xfc, 0x4e, 0x2b, 0xa9];
    let size = source.size();
    let old = (size & !0xffff).checked_sub(0x1_0000)?;
    let one = (size & !0xfff).checked_sub(0x2000)?;
    let name = match (bytes_at(source, old), bytes_at(source, one)) {
        (Some(MD), _) => "MD RAID 0.90",
        (_, Some(MD)) => "MD RAID 1.0",
        _ if is_replicated(source) => "DRBD",
        _ => return None,
    };
    Some(Signature { name, code: VOLUME })
}

/// Whether DRBD's metadata lies in the last 4 KiB: what is before it begins where the device does, and may be a file
/// system like any other.
pub fn is_replicated(source: &dyn ReadAt) -> bool {
    // Versions 8, 8.4 when in use, and 9; magic at byte 60 of the superblock (drbd_main.c, md_on_disk).
    const DRBD: [[u8; 4]; 3] = [[0x83, 0x74, 0x02, 0x6b], [0x83, 0x74, 0x02, 0x6c], [0x83, 0x74, 0x02, 0x6d]];
    let at = (source.size() & !0xfff).checked_sub(4096 - 60);
    at.and_then(|at| bytes_at(source, at)).is_some_and(|magic| DRBD.contains(&magic))
}

fn bytes_at(source: &dyn ReadAt, offset: u64) -> Option<[u8; 4]> {
    let mut bytes = [0; 4];
    source.read_at(&mut bytes, offset).ok().map(|()| bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Memory;

    #[test]
    fn every_row_is_found_where_it_lies() {
        for row in TABLE {
            let mut bytes = vec![0; 5 << 20];
            let at = usize::try_from(row.offset).unwrap();
            bytes[at..at + row.magic.len()].copy_from_slice(row.magic);
            assert_eq!(signature(&Memory::new(bytes)).map(|found| found.name), Some(row.name));
        }
        assert_eq!(signature(&Memory::new(vec![0; 128 << 10])), None);
        assert_eq!(signature(&Memory::new(vec![])), None);
    }

    #[test]
    fn what_lies_near_the_end_is_found_on_odd_sizes() {
        let md = [0xfc, 0x4e, 0x2b, 0xa9];
        let drbd = [0x83, 0x74, 0x02, 0x6c];
        let rows: [(usize, &[u8], &str); 3] =
            [(0x2_0000, &md, "MD RAID 0.90"), (0x3_1000, &md, "MD RAID 1.0"), (0x3_2000 + 60, &drbd, "DRBD")];
        for (at, magic, name) in rows {
            let mut bytes = vec![0; 0x3_3200];
            bytes[at..at + 4].copy_from_slice(magic);
            assert_eq!(signature(&Memory::new(bytes)).map(|found| found.name), Some(name));
        }
    }

    #[test]
    fn zfs_is_found_in_either_byte_order() {
        for magic in [0x00ba_b10cu64.to_le_bytes(), 0x00ba_b10cu64.to_be_bytes()] {
            let mut bytes = vec![0; 1 << 20];
            for number in 0..4 {
                assert_eq!(signature(&Memory::new(bytes.clone())), None);
                let at = (128 << 10) + number * 4096;
                bytes[at..at + 8].copy_from_slice(&magic);
            }
            assert_eq!(signature(&Memory::new(bytes)).map(|found| found.name), Some("ZFS member"));
        }
    }
}
