//! Structures that contradict themselves on purpose, with sound checksums where there are any: errors, and bounded work.

use std::sync::Arc;

use icecore::{
    block::Memory,
    fs::{FileKind, Ino},
    gap::Code,
};
use proptest::prelude::*;

use crate::tree::{image, open, walk};

/// What is needed of a superblock.
struct Geometry {
    block: usize,
    inode: usize,
    /// Where the root's inode lies.
    root: usize,
    log: std::ops::Range<usize>,
}

fn number(bytes: &[u8], at: usize, length: usize) -> usize {
    bytes[at..at + length].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
}

impl Geometry {
    fn of(image: &[u8]) -> Self {
        let (block, inode) = (number(image, 4, 4), number(image, 104, 2));
        let (per_group, bits, inode_bits) = (number(image, 84, 4), image[124], image[123]);
        let linear = |fsb: usize| (fsb >> bits) * per_group + (fsb & ((1 << bits) - 1));
        let place = |ino: usize| linear(ino >> inode_bits) * block + (ino & ((1 << inode_bits) - 1)) * inode;
        let log = linear(number(image, 48, 8)) * block;
        Self { block, inode, root: place(number(image, 56, 8)), log: log..log + number(image, 96, 4) * block }
    }
}

fn seal_inode(image: &mut [u8], at: usize, size: usize) {
    image[at + 100..at + 104].fill(0);
    let sum = crc32c::crc32c(&image[at..at + size]);
    image[at + 100..at + 104].copy_from_slice(&sum.to_le_bytes());
}

/// The places of the inodes of a kind, by their magic numbers.
fn inodes(image: &[u8], geometry: &Geometry, mode: u8) -> Vec<usize> {
    let places = (0..image.len()).step_by(geometry.inode);
    let is = |at: &usize| {
        &image[*at..*at + 2] == b"IN" && image[at + 2] >> 4 == mode && !geometry.log.contains(at)
    };
    places.filter(is).collect()
}

fn errors(bytes: Vec<u8>) -> Vec<String> {
    let opened = open(Arc::new(Memory::new(bytes))).unwrap();
    let tree = walk(&*opened.fs, 5000);
    tree.errors.iter().chain(&opened.notes).map(|error| error.detail()).collect()
}

fn extent(logical: u128, start: u128, count: u128) -> [u8; 16] {
    (logical << 73 | start << 21 | count).to_be_bytes()
}

/// Puts extents in the root directory in place of what it has.
fn with_root_extents(extents: &[[u8; 16]], size: usize) -> Vec<u8> {
    let (mut bytes, _) = image("xfs", "xfs-1k");
    let geometry = Geometry::of(&bytes);
    let root = geometry.root;
    bytes[root + 5] = 2;
    bytes[root + 76..root + 80].copy_from_slice(&u32::try_from(extents.len()).unwrap().to_be_bytes());
    bytes[root + 56..root + 64].copy_from_slice(&u64::try_from(size).unwrap().to_be_bytes());
    for (index, extent) in extents.iter().enumerate() {
        bytes[root + 176 + index * 16..root + 192 + index * 16].copy_from_slice(extent);
    }
    seal_inode(&mut bytes, root, geometry.inode);
    bytes
}

#[test]
fn extents_that_overlap_or_leave_the_volume_are_told() {
    for (extents, what) in [
        (vec![extent(0, 20, 1), extent(0, 21, 1)], "overlap"),
        (vec![extent(3, 20, 1), extent(1, 21, 1)], "overlap"),
        (vec![extent(0, 20, 0)], "overlap or are none"),
        (vec![extent(0, 1 << 40, 1)], "are not of a group"),
        (vec![extent(0, 20, 1 << 20)], "are not of a group"),
    ] {
        let told = errors(with_root_extents(&extents, 1024));
        assert!(told.iter().any(|error| error.contains(what)), "{what}: {told:?}");
    }
}

#[test]
fn a_block_that_a_directory_has_many_times_is_listed_once() {
    // A directory of blocks of four blocks of the file system: its first, as often as there is room for extents.
    let (mut bytes, _) = image("xfs", "xfs-1k");
    let geometry = Geometry::of(&bytes);
    let dirs = inodes(&bytes, &geometry, 4);
    let at = dirs.into_iter().find(|at| bytes[at + 5] == 2).expect("a directory of blocks");
    let record = u128::from_be_bytes(bytes[at + 176..at + 192].try_into().unwrap());
    let start = record >> 21 & ((1 << 52) - 1);
    for n in 0..10 {
        let place = at + 176 + n * 16;
        bytes[place..place + 16].copy_from_slice(&extent(4 * u128::try_from(n).unwrap(), start, 4));
    }
    bytes[at + 56..at + 64].copy_from_slice(&(40 * 1024u64).to_be_bytes());
    bytes[at + 76..at + 80].copy_from_slice(&10u32.to_be_bytes());
    seal_inode(&mut bytes, at, geometry.inode);
    let told = errors(bytes);
    let twice = told.iter().filter(|error| error.contains("belongs to a directory twice"));
    assert_eq!(twice.count(), 9, "{told:?}");
}

#[test]
fn a_directory_without_end_is_refused() {
    let extents: Vec<[u8; 16]> = (0..10).map(|n| extent(n << 20, 8, 1 << 20)).collect();
    let told = errors(with_root_extents(&extents, 1 << 34));
    assert!(!told.is_empty());
}

/// Roots of trees that lead to themselves, to nothing, or are as deep as can be said.
#[test]
fn trees_of_extents_that_lead_nowhere_end() {
    let (plain, _) = image("xfs", "xfs-1k");
    let geometry = Geometry::of(&plain);
    let trees: Vec<usize> =
        inodes(&plain, &geometry, 8).into_iter().filter(|at| plain[at + 5] == 3).collect();
    assert!(!trees.is_empty(), "a file with a tree of extents");
    for (level, pointer) in [(1u16, 0u64), (1, 8), (1, 1 << 50), (2, 20), (16, 20), (17, 20), (u16::MAX, 20)]
    {
        let mut bytes = plain.clone();
        for at in &trees {
            let fork = at + 176;
            let room = match bytes[at + 82] {
                0 => geometry.inode - 176,
                words => usize::from(words) * 8,
            };
            let pointers = fork + 4 + (room - 4) / 16 * 8;
            bytes[fork..fork + 2].copy_from_slice(&level.to_be_bytes());
            bytes[pointers..pointers + 8].copy_from_slice(&pointer.to_be_bytes());
            seal_inode(&mut bytes, *at, geometry.inode);
        }
        let told = errors(bytes);
        assert!(told.len() >= trees.len(), "level {level}, pointer {pointer}: {told:?}");
    }
}

/// A node of attributes whose children are itself, and counts that pass the end of the block.
#[test]
fn trees_of_attributes_that_lead_to_themselves_end() {
    for (name, header, entries, counts, magic) in
        [("xfs-1k", 12, 64, 56, [0x3b, 0xee]), ("xfs-directory-8k", 12, 64, 56, [0x3b, 0xee])]
    {
        let (plain, _) = image("xfs", name);
        let geometry = Geometry::of(&plain);
        let places = (0..plain.len()).step_by(geometry.block);
        let leaves: Vec<usize> =
            places.filter(|at| plain[at + 8..at + 10] == magic && !geometry.log.contains(at)).collect();
        assert!(!leaves.is_empty(), "{name}");
        for (level, count, child) in
            [(1u16, 1u16, 0u32), (5, 3, 0), (u16::MAX, 2, 0), (1, u16::MAX, 0), (1, 1, 77)]
        {
            let mut bytes = plain.clone();
            for at in &leaves {
                bytes[at + 8..at + 10].copy_from_slice(&[0x3e, 0xbe]);
                bytes[at + counts..at + counts + 2].copy_from_slice(&count.to_be_bytes());
                bytes[at + counts + 2..at + counts + 4].copy_from_slice(&level.to_be_bytes());
                for index in 0..3 {
                    let entry = at + entries + index * 8 + 4;
                    bytes[entry..entry + 4].copy_from_slice(&child.to_be_bytes());
                }
                bytes[at + header..at + header + 4].fill(0);
                let sum = crc32c::crc32c(&bytes[*at..at + geometry.block]);
                bytes[at + header..at + header + 4].copy_from_slice(&sum.to_le_bytes());
            }
            assert!(!errors(bytes).is_empty(), "{name}: level {level}, {count} entries, child {child}");
        }
    }
}

/// Where the records of a log begin; those without operations only mark what is out of date.
fn records(image: &[u8], log: std::ops::Range<usize>) -> Vec<usize> {
    let is = |at: &usize| image[*at..at + 4] == [0xfe, 0xed, 0xba, 0xbe] && number(image, at + 12, 4) > 0;
    log.step_by(512).filter(is).collect()
}

/// Makes the checksum of a record of one header anew.
fn seal_record(image: &mut [u8], at: usize) {
    let length = number(image, at + 12, 4);
    image[at + 32..at + 36].fill(0);
    let sum = crc32c::crc32c(&image[at..at + 328]);
    let sum = crc32c::crc32c_append(sum, &image[at + 512..at + 512 + length]);
    image[at + 32..at + 36].copy_from_slice(&sum.to_le_bytes());
}

#[test]
fn a_record_that_was_sealed_again_is_the_same() {
    let (plain, _) = image("xfs", "xfs-dirty");
    let mut bytes = plain.clone();
    let mut records = records(&plain, Geometry::of(&plain).log);
    // The first, which mkfs wrote, has none.
    records.retain(|at| number(&plain, at + 32, 4) != 0);
    assert!(records.iter().all(|at| number(&plain, at + 12, 4) <= 32 << 10));
    records.into_iter().for_each(|at| seal_record(&mut bytes, at));
    assert!(bytes == plain);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Operations, items and regions of the log say anything, with sound checksums.
    #[test]
    fn no_item_of_the_log_panics_or_hangs(
        which in any::<bool>(),
        changes in proptest::collection::vec((any::<usize>(), any::<usize>(), any::<u8>(), 1usize..5), 1..40),
    ) {
        let (mut bytes, _) = image("xfs", if which { "xfs-dirty" } else { "xfs-dirty-4k" });
        let records = records(&bytes, Geometry::of(&bytes).log);
        for (record, at, value, length) in changes {
            let record = records[record % records.len()];
            let payload = number(&bytes, record + 12, 4);
            let start = record + 512 + at % payload;
            bytes[start..(start + length).min(record + 512 + payload)].fill(value);
        }
        records.iter().for_each(|record| seal_record(&mut bytes, *record));
        if let Ok(opened) = open(Arc::new(Memory::new(bytes))) {
            walk(&*opened.fs, 3000);
        }
    }
}

#[test]
fn a_file_on_the_realtime_device_is_refused_by_name_and_no_other() {
    let (mut bytes, _) = image("xfs", "xfs-1k");
    let geometry = Geometry::of(&bytes);
    let files = inodes(&bytes, &geometry, 8);
    let (one, other) = (files[0], files[1]);
    bytes[one + 91] |= 1;
    seal_inode(&mut bytes, one, geometry.inode);
    let ino = |at: usize| Ino(u64::try_from(number(&bytes, at + 152, 8)).unwrap());
    let (one, other) = (ino(one), ino(other));
    let fs = open(Arc::new(Memory::new(bytes))).unwrap().fs;
    let Err(error) = fs.open(one) else { panic!("opened") };
    assert_eq!(error.code(), Code::UnsupportedFeature);
    assert!(error.detail().contains("realtime"), "{}", error.detail());
    assert!(fs.stat(one).is_ok() && fs.open(other).is_ok());
}

/// Each byte of the first headers of records takes each of some values: the log ends or is told to be damaged.
#[test]
fn records_of_absurd_lengths_are_survived() {
    let (plain, _) = image("xfs", "xfs-dirty");
    let geometry = Geometry::of(&plain);
    let records = records(&plain, geometry.log);
    assert!(records.len() > 10);
    let (mut told, mut changed) = (0, 0);
    for field in [4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 300, 304, 320] {
        for value in [0u32, 1, 0x200, 0x7fff_ffff, u32::MAX] {
            for record in [records[1], records[records.len() / 2], records[records.len() - 1]] {
                let mut bytes = plain.clone();
                bytes[record + field..record + field + 4].copy_from_slice(&value.to_be_bytes());
                let opened = open(Arc::new(Memory::new(bytes))).unwrap();
                let root = opened.fs.read_dir(opened.fs.root()).unwrap();
                told += usize::from(!opened.notes.is_empty());
                changed += usize::from(root.entries.iter().all(|entry| entry.kind != FileKind::Directory));
            }
        }
    }
    assert!(told > 50, "{told} told, {changed} without directories");
}
