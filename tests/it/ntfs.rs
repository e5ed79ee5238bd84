//! NTFS against what ntfs-3g lists, what another reader sees, and a corpus of damaged images.

mod second;

use std::sync::Arc;

use icecore::{block::Memory, gap::Code};
use proptest::prelude::*;

use crate::{
    damage::{self, assert_told, put},
    tree::{self, Survived, image, open},
};

#[test]
#[ignore = "needs $ICECORE_NTFS, made by scripts/make-ntfs.sh"]
fn images_read_as_ntfs_3g_shows_them() {
    // Those of `--in-use` may lie beside them.
    tree::check_matrix("ICECORE_NTFS", 20);
}

#[test]
fn small_images_read_as_ntfs_3g_shows_them() {
    tree::check_small("ntfs", 2);
}

#[test]
fn every_name_is_found_by_look_up() {
    tree::check_look_up("ntfs");
}

#[test]
fn what_was_cut_off_is_told() {
    tree::check_cut("ntfs", 16);
}

#[test]
fn a_failed_read_loses_only_what_it_hit() {
    tree::check_failed_reads("ntfs");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn no_mutation_panics_or_hangs(which in any::<usize>(), changes in tree::changes()) {
        tree::check_mutation("ntfs", which, &changes);
    }
}

#[test]
#[ignore = "needs $ICECORE_SHARED"]
fn damaged_images_of_the_corpus_are_survived() {
    let Survived { opened, files, errors } = tree::survive_corpus("ntfs");
    assert!(opened > 30 && files > 4000 && errors > 30, "{opened} {files} {errors}");
}

#[test]
#[ignore = "needs $ICECORE_SHARED"]
fn whole_images_of_the_corpus_read_as_expected() {
    for name in ["ntfs/own/s_ntfs.img.zst", "ntfs/own/valid_compressed.img.zst"] {
        assert!(tree::check_expected("ntfs", name) > 150, "{name}");
    }
}

/// What is to be said of it, and of what an image changed by `change` shows.
fn told(name: &str, change: impl Fn(&mut Vec<u8>)) -> (Result<(), String>, Vec<String>) {
    let (mut bytes, listing) = image("ntfs", name);
    change(&mut bytes);
    let source = Arc::new(Memory::new(bytes));
    let opened = open(Arc::clone(&source) as _).map(drop).map_err(|error| error.detail());
    (opened, tree::differences(name, source, &listing))
}

/// Where file records lie: by their number.
fn record(bytes: &[u8], number: usize) -> usize {
    let word =
        |at: usize| usize::try_from(u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())).unwrap();
    let cluster = usize::from(u16::from_le_bytes([bytes[11], bytes[12]])) * usize::from(bytes[13]);
    let size = match bytes[64] {
        power @ 0x80.. => 1 << (256 - usize::from(power)),
        clusters => usize::from(clusters) * cluster,
    };
    word(48) * cluster + number * size
}

/// Where the attribute of a type begins in a record.
fn attribute(bytes: &[u8], record: usize, kind: u8) -> usize {
    let mut at = record + usize::from(bytes[record + 20]);
    while bytes[at] != kind {
        assert_ne!(bytes[at], 0xff, "no attribute {kind:#x}");
        at += usize::from(bytes[at + 4]) + 256 * usize::from(bytes[at + 5]);
    }
    at
}

#[test]
fn a_wiped_or_damaged_boot_sector_or_first_record_is_replaced_by_its_copy() {
    for name in ["ntfs-512", "ntfs-sector-4k"] {
        for (range, value) in [(0..512, 0), (11..12, 7), (510..511, 0), (64..65, 3), (64..65, 0xf3)] {
            let (opened, differences) = told(name, |bytes| bytes[range.clone()].fill(value));
            assert_eq!(opened, Ok(()), "{name} {range:?}");
            assert!(differences.len() == 1 && differences[0].contains("the copy at 0x"), "{differences:?}");
        }
        let (opened, differences) = told(name, |bytes| {
            let at = record(bytes, 0);
            bytes[at + 100] ^= 0xff;
            bytes[at + 510] ^= 0xff;
        });
        assert_eq!(opened, Ok(()));
        assert!(differences.len() == 1 && differences[0].contains("its copy is used"), "{differences:?}");
    }
}

#[test]
fn a_volume_that_was_in_use_is_told() {
    let (_, differences) = told("ntfs-512", |bytes| {
        let at = record(bytes, 3);
        let flags = attribute(bytes, at, 0x70) + 24 + 10;
        bytes[flags] |= 1;
    });
    assert_eq!(differences, ["ntfs-512: note: NTFS: the volume is marked to be checked"]);
    let (bytes, _) = image("ntfs", "ntfs-512");
    // The log: its first pages are as mkntfs leaves them.
    let log =
        (0..bytes.len()).step_by(512).find(|at| bytes[*at..*at + 8192].iter().all(|byte| *byte == 0xff));
    let log = log.expect("the log");
    for (flags, clients, closed) in [(0u16, 0u16, false), (2, 0, true), (0, u16::MAX, true)] {
        let (_, differences) = told("ntfs-512", |bytes| {
            for page in [log, log + 4096] {
                bytes[page..page + 4096].fill(0);
                bytes[page..page + 8].copy_from_slice(b"RSTR\x1e\0\x09\0");
                bytes[page + 17] = 0x10;
                bytes[page + 21] = 0x10;
                bytes[page + 24] = 0x30;
                bytes[page + 48 + 12..page + 48 + 14].copy_from_slice(&clients.to_le_bytes());
                bytes[page + 48 + 14..page + 48 + 16].copy_from_slice(&flags.to_le_bytes());
            }
        });
        let note = "ntfs-512: note: NTFS: its log was not closed and is not replayed";
        let expected: &[&str] = if closed { &[] } else { &[note] };
        assert_eq!(differences, expected);
    }
}

#[test]
fn what_is_not_read_is_refused_by_name() {
    for (major, minor, known) in [(3, 1, true), (3, 0, true), (1, 2, true), (3, 2, false), (4, 0, false)] {
        let (opened, _) = told("ntfs-512", |bytes| {
            let at = attribute(bytes, record(bytes, 3), 0x70) + 24 + 8;
            bytes[at..at + 2].copy_from_slice(&[major, minor]);
        });
        assert_eq!(opened, if known { Ok(()) } else { Err(format!("NTFS version {major}.{minor}")) });
    }
    let (bytes, _) = image("ntfs", "ntfs-512");
    let fs = open(Arc::new(Memory::new(bytes.clone()))).unwrap().fs;
    let ino = fs.lookup(fs.root(), b"size70000").unwrap().unwrap();
    let at = attribute(&bytes, record(&bytes, usize::try_from(ino.0 & 0xffff_ffff).unwrap()), 0x80);
    for (flags, what) in [
        (0x4000u16, "NTFS encryption (EFS) of record"),
        (0x0002, "NTFS compression method 2 of record"),
        (0x0100, "NTFS attribute flags 0x0100 of record"),
    ] {
        let mut bytes = bytes.clone();
        bytes[at + 12..at + 14].copy_from_slice(&flags.to_le_bytes());
        let fs = open(Arc::new(Memory::new(bytes))).unwrap().fs;
        let Err(error) = fs.open(ino) else { panic!("{what}") };
        assert!(error.code() == Code::UnsupportedFeature && error.detail().starts_with(what), "{error}");
        assert!(fs.stat(ino).is_ok());
    }
}

#[test]
fn names_are_found_in_other_letters_unless_one_is_exact() {
    let (bytes, _) = image("ntfs", "ntfs-512");
    let fs = open(Arc::new(Memory::new(bytes))).unwrap().fs;
    let dir = fs.lookup(fs.root(), b"DIR").unwrap().unwrap();
    assert_eq!(fs.lookup(fs.root(), b"dir").unwrap(), Some(dir));
    let case: Vec<_> = [&b"Case"[..], b"CASE", b"case"].map(|name| fs.lookup(dir, name).unwrap()).into();
    assert!(case.iter().all(Option::is_some) && case[0] != case[1] && case[1] != case[2]);
    assert!(fs.lookup(dir, b"cAsE").unwrap().is_some());
    assert_eq!(
        fs.lookup(dir, "\u{c4}\u{20ac}".as_bytes()).unwrap(),
        fs.lookup(dir, "\u{e4}\u{20ac}".as_bytes()).unwrap()
    );
    assert_eq!(fs.lookup(fs.root(), b"$MFT").unwrap(), None);
}

/// An entry of the last block of a directory leads to that block.
#[test]
fn an_index_that_leads_to_itself_ends() {
    let (bytes, _) = image("ntfs", "ntfs-512");
    let blocks = (0..bytes.len()).step_by(512).filter(|at| bytes[*at..*at + 4] == *b"INDX");
    let mut changed = 0;
    for at in blocks {
        let header = at + 24;
        let size = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let first = header + usize::try_from(size(header)).unwrap();
        // A last entry with room for a child: as long as the block lets it be.
        let mut entry = first;
        while bytes[entry + 12] & 2 == 0 {
            entry += usize::from(bytes[entry + 8]) + 256 * usize::from(bytes[entry + 9]);
        }
        let mut bytes = bytes.clone();
        let vcn: [u8; 8] = bytes[at + 16..at + 24].try_into().unwrap();
        bytes[entry + 8] = 24;
        bytes[entry + 12] |= 1;
        bytes[entry + 16..entry + 24].copy_from_slice(&vcn);
        let used = u32::try_from(entry + 24 - header).unwrap();
        bytes[header + 4..header + 8].copy_from_slice(&used.to_le_bytes());
        let fs = open(Arc::new(Memory::new(bytes))).unwrap().fs;
        let tree = tree::walk(&*fs, usize::MAX);
        let twice = tree.errors.iter().any(|error| error.detail().contains("entries lead to block"));
        let lone = tree.errors.iter().any(|error| error.detail().contains("half written"));
        assert!(twice || lone, "{:?}", tree.errors);
        for dir in ["many", "dir", "directory"] {
            if let Ok(Some(dir)) = fs.lookup(fs.root(), dir.as_bytes()) {
                let _ = fs.lookup(dir, b"zzzz");
            }
        }
        changed += usize::from(twice);
    }
    assert!(changed > 3, "{changed}");
}

/// The reference of what a path leads to, and of the directory that it is in.
fn references(name: &str, path: &str) -> (u64, u64) {
    let fs = open(Arc::new(Memory::new(image("ntfs", name).0))).unwrap().fs;
    let (mut dir, mut at) = (fs.root(), fs.root());
    for part in path.split('/').filter(|part| !part.is_empty()) {
        dir = at;
        at = fs.lookup(dir, part.as_bytes()).unwrap().unwrap();
    }
    (at.0, dir.0)
}

/// Where the entries of an index are that name a file in a directory.
fn entries(bytes: &[u8], (reference, parent): (u64, u64)) -> Vec<usize> {
    let is = |at: &usize| {
        bytes[*at..*at + 8] == reference.to_le_bytes() && bytes[at + 16..at + 24] == parent.to_le_bytes()
    };
    (0..bytes.len() - 128).step_by(8).filter(is).collect()
}

/// A directory whose name says that it is a file would hide what is below it from a walk; a file whose name says that it
/// is a directory, itself.
#[test]
fn what_a_name_says_of_its_file_does_not_count() {
    for name in ["ntfs-512", "ntfs-sector-4k"] {
        let mut changed = 0;
        for path in ["/dir", "/many", "/dir/sub/deep", "/compressed/text4096", "/size700", "/size70000"] {
            let names = references(name, path);
            let told = damage::told("ntfs", name, &[], |bytes| {
                // One whose number lies at the end of a sector is not found.
                let places = entries(bytes, names);
                changed += usize::from(!places.is_empty());
                // Of the flags of a name, the one of a directory.
                places.into_iter().for_each(|at| bytes[at + 16 + 59] ^= 0x10);
            });
            assert!(told.is_empty(), "{path}: {told:?}");
        }
        assert!(changed > 3, "{name}: {changed}");
    }
}

#[test]
fn a_name_whose_record_is_damaged_is_told_and_the_others_are_what_they_are() {
    let path = "/many/name012xxxxxxxxxxxxxxxxxxxx";
    let number = usize::try_from(references("ntfs-512", path).0 & 0xffff_ffff).unwrap();
    let told = damage::told("ntfs", "ntfs-512", &[path], |bytes| {
        let at = record(bytes, number);
        put(bytes, at, b"BAAD");
    });
    assert_told(&told, &["NTFS file record at offset 0x", &format!("record {number}: magic")]);
}

/// Puts attributes behind those of a record that come before its data.
fn with_attributes(bytes: &mut [u8], at: usize, attributes: &[u8]) {
    let half = |bytes: &[u8], at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let (fixups, count) = (at + half(bytes, at + 4), half(bytes, at + 6));
    let ends: Vec<(usize, usize)> = (1..count).map(|n| (at + n * 512 - 2, fixups + n * 2)).collect();
    ends.iter().for_each(|(end, kept)| bytes.copy_within(*kept..kept + 2, *end));
    let data = attribute(bytes, at, 0x80);
    put(bytes, data, attributes);
    put(bytes, data + attributes.len(), &[0xff; 4]);
    let used = u32::try_from(data + attributes.len() + 8 - at).unwrap();
    put(bytes, at + 24, &used.to_le_bytes());
    ends.iter().for_each(|(end, kept)| bytes.copy_within(*end..end + 2, *kept));
    ends.iter().for_each(|(end, _)| bytes.copy_within(fixups..fixups + 2, *end));
}

/// A stream of 1 MiB that has no cluster.
fn hole(name: u8) -> Vec<u8> {
    let mut raw = vec![0; 72];
    put(&mut raw, 0, &[0x80, 0, 0, 0, 72, 0, 0, 0, 1, 1, 64]);
    raw[14] = name;
    // Its last cluster, the place of its runs, its size.
    put(&mut raw, 24, &255u64.to_le_bytes());
    raw[32] = 66;
    put(&mut raw, 48, &(1u64 << 20).to_le_bytes());
    raw[64] = name;
    put(&mut raw, 66, &[0x02, 0x00, 0x01, 0]);
    raw
}

#[test]
fn streams_that_take_nothing_on_the_disk_are_not_shown_without_end() {
    let reference = references("ntfs-sector-4k", "/size700").0;
    let number = usize::try_from(reference & 0xffff_ffff).unwrap();
    let streams: Vec<u8> = (b'a'..b'a' + 20).flat_map(hole).collect();
    let mut changed = Vec::new();
    let told = damage::told("ntfs", "ntfs-sector-4k", &["/size700"], |bytes| {
        let at = record(bytes, number);
        with_attributes(bytes, at, &streams);
        changed.clone_from(bytes);
    });
    assert_told(&told, &[&format!("streams of record {number}")]);
    let fs = open(Arc::new(Memory::new(changed))).unwrap().fs;
    let ino = icecore::fs::Ino(reference);
    assert_eq!(fs.xattrs(ino).unwrap_err().code(), Code::LimitReached);
    assert_eq!(fs.xattr(ino, b"user.c").unwrap(), Some(vec![0; 1 << 20]));
}
