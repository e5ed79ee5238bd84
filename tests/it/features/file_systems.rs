//! The file systems' words.

use std::sync::Arc;

use icecore::{
    FormatError,
    block::{self, Memory, Source},
    gap::Code,
};

use super::{Seen, be, check, le, patched};
use crate::tree::{Tree, image, open, walk};

fn memory(folder: &str, name: &str) -> Source {
    Arc::new(Memory::new(image(folder, name).0))
}

fn bytes(source: &Source, at: usize, length: usize) -> Vec<u8> {
    block::read_vec(source, "structure", at as u64, length).unwrap()
}

/// What is seen of a changed volume whose tree was `whole`.
fn seen(whole: &Tree, changed: Source) -> Seen {
    let opened = match open(changed) {
        Ok(opened) => opened,
        Err(error) => return Seen::error(&error),
    };
    if let Some(note) = opened.notes.iter().find(|note| note.code() == Code::JournalNotReplayed)
        && !note.detail().starts_with("NTFS")
    {
        return Seen::NotReplayed(note.detail());
    }
    let tree = walk(&*opened.fs, 10_000);
    let told: Vec<String> = opened.notes.iter().chain(&tree.errors).map(FormatError::detail).collect();
    for (path, line) in &tree.lines {
        if whole.lines.get(path) != Some(line) {
            return Seen::Wrong(format!("{line}; told: {told:?}"));
        }
    }
    match (tree.lines.len() == whole.lines.len(), told.is_empty()) {
        (true, true) => Seen::Same,
        (true, false) => Seen::Told(told.join(", ")),
        (false, true) => Seen::Wrong("some is silently missing".to_owned()),
        (false, false) if tree.errors.iter().all(|error| error.code() == Code::UnsupportedFeature) => {
            Seen::Refused(told.join(", "))
        }
        (false, false) => Seen::Lost(told.join(", ")),
    }
}

fn whole(source: &Source) -> Tree {
    walk(&*open(Arc::clone(source)).unwrap().fs, 10_000)
}

/// ext4's crc32c of a superblock.
fn seal_ext4(superblock: &mut [u8]) {
    let sum = !crc32c::crc32c(&superblock[..1020]);
    superblock[1020..1024].copy_from_slice(&sum.to_le_bytes());
}

#[test]
fn ext4() {
    for (name, compat, incompat, ro_compat) in [
        ("ext4-1k", "S32", "R S2 R S R S K T S2 R2 K S4 R14", "S32"),
        ("ext2-1k", "S32", "R S K R S R S K T S2 R2 S5 R14", "S4 K S5 K S21"),
        ("ext4-bigalloc", "S32", "R S K R S R S K T S2 R2 K S4 R14", "S9 K S22"),
    ] {
        let source = memory("ext4", name);
        let whole = whole(&source);
        let words = [
            le("s_feature_compat", 0x5c, 32, compat),
            le("s_feature_incompat", 0x60, 32, incompat),
            le("s_feature_ro_compat", 0x64, 32, ro_compat),
        ];
        check(name, &bytes(&source, 1024, 1024), &words, "ext4 feature ", |mut superblock| {
            seal_ext4(&mut superblock);
            seen(&whole, patched(&source, 1024, superblock))
        });
    }
}

#[test]
fn jbd2() {
    for (name, compat, incompat, ro_compat) in
        [("ext4-dirty", "S32", "S4 K S J26", "J32"), ("ext3-dirty", "K S31", "S K S K3 J26", "J32")]
    {
        let source = memory("ext4", name);
        let whole = whole(&source);
        let all = bytes(&source, 0, usize::try_from(source.size()).unwrap());
        let at = all.chunks(1024).position(|block| block.starts_with(&[0xc0, 0x3b, 0x39, 0x98, 0, 0, 0, 4]));
        let at = at.unwrap() * 1024;
        let words = [
            be("s_feature_compat", 0x24, 32, compat),
            be("s_feature_incompat", 0x28, 32, incompat),
            be("s_feature_ro_compat", 0x2c, 32, ro_compat),
        ];
        check(name, &all[at..at + 1024], &words, "features 0x", |mut superblock| {
            superblock[0xfc..0x100].fill(0);
            let sum = !crc32c::crc32c(&superblock);
            superblock[0xfc..0x100].copy_from_slice(&sum.to_be_bytes());
            seen(&whole, patched(&source, at, superblock))
        });
    }
}

#[test]
fn btrfs() {
    for (name, compat_ro) in [("dup-lzo", "S64"), ("dirty-log", "S4 J60")] {
        let source = memory("btrfs", name);
        let whole = whole(&source);
        let superblock = bytes(&source, 64 << 10, 4096);
        assert_eq!(superblock[0xc4..0xc6], [0, 0], "crc32c");
        let words = [
            le("flags", 0x38, 64, "S2 T R29 S T2 R29"),
            le("compat_flags", 0xac, 64, "S64"),
            le("compat_ro_flags", 0xb4, 64, compat_ro),
            le("incompat_flags", 0xbc, 64, "S10 K S R4 S R47"),
        ];
        check(name, &superblock, &words, "btrfs ", |mut superblock| {
            let sum = crc32c::crc32c(&superblock[32..]);
            superblock[..4].copy_from_slice(&sum.to_le_bytes());
            seen(&whole, patched(&source, 64 << 10, superblock))
        });
    }
}

fn le16(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

fn le32(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

/// Where the attributes of an NTFS file record begin within it.
fn attributes(record: &[u8]) -> Vec<usize> {
    let mut all = Vec::new();
    let mut at = le16(record, 20);
    while record.starts_with(b"FILE") && le32(record, at) != 0xffff_ffff {
        all.push(at);
        at += le32(record, at + 4);
    }
    all
}

#[test]
fn ntfs() {
    let source = memory("ntfs", "ntfs-512");
    let whole = whole(&source);
    let all = bytes(&source, 0, usize::try_from(source.size()).unwrap());
    let table = le32(&all, 48) * 512 * usize::from(all[13]);
    let records: Vec<&[u8]> = all[table..].chunks(1024).take(100).collect();
    let information = attributes(records[3]).into_iter().find(|at| le32(records[3], *at) == 0x70).unwrap();
    let at = table + 3 * 1024;
    let flags = information + le16(records[3], information + 0x14) + 10;
    let words = [le("volume flags", flags, 16, "T S15")];
    check("ntfs-512", records[3], &words, "NTFS ", |record| seen(&whole, patched(&source, at, record)));
    // An unnamed value of a file in its record, and one in clusters.
    for (resident, row) in [(true, "S R14 S"), (false, "K R14 S")] {
        let found = records.iter().enumerate().skip(24).find_map(|(number, record)| {
            let is_it = |at: &usize| {
                le32(record, *at) == 0x80
                    && record[at + 8] == u8::from(!resident)
                    && record[at + 9] == 0
                    && le16(record, at + 12) == 0
            };
            let usable = record.starts_with(b"FILE") && record[22] & 1 == 1;
            Some((number, attributes(record).into_iter().find(is_it).filter(|_| usable)?))
        });
        let (number, attribute) = found.unwrap();
        let words = [le("attribute flags", attribute + 12, 16, row)];
        check(&format!("resident: {resident}"), records[number], &words, "NTFS ", |record| {
            seen(&whole, patched(&source, table + number * 1024, record))
        });
    }
}

#[test]
fn exfat() {
    let source = memory("exfat", "exfat-512");
    let whole = whole(&source);
    let words = [le("revision", 104, 16, "S8 R8"), le("VolumeFlags", 106, 16, "S T2 S13")];
    check("exfat-512", &bytes(&source, 0, 12 * 512), &words, "exFAT revision ", |mut region| {
        let summed = region[..11 * 512].iter().enumerate().filter(|(at, _)| ![106, 107, 112].contains(at));
        let sum = summed.fold(0u32, |sum, (_, byte)| sum.rotate_right(1).wrapping_add(u32::from(*byte)));
        region[11 * 512..].chunks_mut(4).for_each(|word| word.copy_from_slice(&sum.to_le_bytes()));
        seen(&whole, patched(&source, 0, region))
    });
}

#[test]
fn fat() {
    let source = memory("fat", "fat-32");
    let whole = whole(&source);
    let words = [le("flags", 40, 16, "S16"), le("version", 42, 16, "R16"), le("state", 65, 8, "T2 S6")];
    check("fat-32", &bytes(&source, 0, 512), &words, "FAT32 version ", |sector| {
        seen(&whole, patched(&source, 0, sector))
    });
    let source = memory("fat", "fat-16");
    let whole = self::whole(&source);
    check("fat-16", &bytes(&source, 0, 512), &[le("state", 37, 8, "T2 S6")], "FAT ", |sector| {
        seen(&whole, patched(&source, 0, sector))
    });
}

#[test]
fn squashfs() {
    let source = memory("squashfs", "squashfs-gzip");
    let whole = whole(&source);
    // What is compressed, each block says; how the writer was called changes nothing that is read.
    let words = [
        le("flags", 24, 16, "S12 R4"),
        le("major version", 28, 16, "R16"),
        le("minor version", 30, 16, "R16"),
    ];
    check("squashfs-gzip", &bytes(&source, 0, 96), &words, "squashfs ", |superblock| {
        seen(&whole, patched(&source, 0, superblock))
    });
}
