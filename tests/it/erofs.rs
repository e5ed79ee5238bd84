//! EROFS against the kernel's own listings.

use std::{collections::BTreeMap, sync::Arc};

use icecore::{
    block::Memory,
    fs::{self, FileKind},
    gap::Code,
};
use proptest::prelude::*;

use crate::tree::{self, differences, image, open};

/// Where the superblock begins, and its fields.
const SUPERBLOCK: usize = 1024;
const COMPAT: usize = SUPERBLOCK + 8;
const INCOMPAT: usize = SUPERBLOCK + 80;

/// Makes the checksum of the superblock anew.
fn seal(image: &mut [u8]) {
    let block = 1usize << image[SUPERBLOCK + 12];
    let length = if block > SUPERBLOCK { block - SUPERBLOCK } else { block };
    image[SUPERBLOCK + 4..SUPERBLOCK + 8].fill(0);
    let sum = !crc32c::crc32c(&image[SUPERBLOCK..SUPERBLOCK + length]);
    image[SUPERBLOCK + 4..SUPERBLOCK + 8].copy_from_slice(&sum.to_le_bytes());
}

#[test]
#[ignore = "needs $ICECORE_EROFS, made by scripts/make-erofs.sh"]
fn images_read_as_the_kernel_shows_them() {
    tree::check_matrix("ICECORE_EROFS", 20);
}

#[test]
fn small_images_read_as_the_kernel_shows_them() {
    tree::check_small("erofs", 8);
}

#[test]
fn every_name_is_found_by_look_up() {
    tree::check_look_up("erofs");
}

#[test]
fn what_was_cut_off_is_told() {
    tree::check_cut("erofs", 16);
}

#[test]
fn a_failed_read_loses_only_what_it_hit() {
    tree::check_failed_reads("erofs");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_mutation_panics_or_hangs(which in any::<usize>(), changes in tree::changes()) {
        tree::check_mutation("erofs", which, &changes);
    }
}

/// Every bit is either refused by its name, or changes nothing that is shown.
#[test]
fn every_bit_of_features_is_known_or_refused_by_name() {
    let mut refused = 0;
    for name in ["erofs-plain", "erofs-chunks-512", "erofs-legacy", "erofs-fragments"] {
        let (image, listing) = image("erofs", name);
        for (word, bit) in [COMPAT, INCOMPAT].into_iter().flat_map(|word| (0..32).map(move |bit| (word, bit)))
        {
            let mut bytes = image.clone();
            if bytes[word + bit / 8] >> (bit % 8) & 1 == 1 {
                continue;
            }
            bytes[word + bit / 8] |= 1 << (bit % 8);
            seal(&mut bytes);
            match open(Arc::new(Memory::new(bytes.clone()))) {
                Err(error) => {
                    assert_eq!(error.code(), Code::UnsupportedFeature, "{name} {bit}: {}", error.detail());
                    assert!(error.detail().starts_with("EROFS feature "), "{}", error.detail());
                    assert!(word == INCOMPAT && bit > 6, "{name}: {bit}");
                    refused += 1;
                }
                Ok(_) => {
                    assert!(word == COMPAT || bit <= 6, "{name}: {bit}");
                    let differences = differences(name, Arc::new(Memory::new(bytes)), &listing);
                    assert!(
                        differences.iter().all(|line| !line.contains("ours:")),
                        "{name}: {bit}: {differences:?}"
                    );
                }
            }
        }
    }
    assert_eq!(refused, 4 * 25);
}

#[test]
fn a_damaged_superblock_is_noticed() {
    let (image, _) = image("erofs", "erofs-plain");
    for at in (SUPERBLOCK + 4..4096).step_by(7) {
        let mut bytes = image.clone();
        bytes[at] ^= 0x10;
        // Without its bit the checksum is not looked at.
        let is_bit = at == COMPAT;
        let Err(error) = open(Arc::new(Memory::new(bytes))) else {
            assert!(is_bit, "{at}");
            continue;
        };
        assert_eq!(error.code(), Code::CorruptStructure, "{at}: {}", error.detail());
    }
}

#[test]
fn a_volume_that_is_cut_is_told() {
    let (image, _) = image("erofs", "erofs-plain");
    let opened = open(Arc::new(Memory::new(image[..image.len() / 2].to_vec()))).unwrap();
    assert_eq!(opened.notes.iter().map(icecore::FormatError::code).collect::<Vec<_>>(), [Code::Truncated]);
}

/// Without the blob that has the data, everything but the data is shown, and each file says what it lacks.
#[test]
fn data_on_another_device_is_named() {
    let (image, listing) = image("erofs/devices", "blob");
    let opened = open(Arc::new(Memory::new(image))).unwrap();
    assert_eq!(opened.notes.iter().map(icecore::FormatError::code).collect::<Vec<_>>(), [Code::MissingDisk]);
    let (mut missing, mut read) = (0, 0);
    let lines: BTreeMap<&str, &str> =
        listing.lines().map(|line| (line.split('\t').next().unwrap(), line)).collect();
    let mut todo = vec![(String::new(), opened.fs.root())];
    while let Some((path, dir)) = todo.pop() {
        for entry in opened.fs.read_dir(dir).unwrap().entries {
            let path = format!("{path}/{}", tree::text(&entry.name));
            let stat = opened.fs.stat(entry.ino).unwrap();
            let fields: Vec<&str> = lines[path.as_str()].split('\t').collect();
            assert_eq!(fields[5], stat.size.to_string(), "{path}");
            match entry.kind {
                FileKind::Directory => todo.push((path, entry.ino)),
                FileKind::Regular if stat.size > 0 => {
                    let mut bytes = vec![0; usize::try_from(stat.size).unwrap()];
                    match opened.fs.open(entry.ino).unwrap().read_at(&mut bytes, 0) {
                        // Holes and what is in the inode.
                        Ok(()) => read += 1,
                        Err(error) => {
                            let error = icecore::FormatError::reading("file", 0)(error);
                            assert_eq!(error.code(), Code::MissingDisk, "{path}: {}", error.detail());
                            missing += 1;
                        }
                    }
                }
                _ => {}
            }
        }
    }
    assert!(missing > 10, "{missing} missing, {read} read");
}

/// A second name of a directory's blocks, and a size that no directory has.
#[test]
fn a_directory_without_end_or_listed_twice_is_told() {
    let (image, _) = image("erofs", "erofs-chunks-512");
    let fs = open(Arc::new(Memory::new(image.clone()))).unwrap().fs;
    let dir = |name: &[u8]| fs.lookup(fs.root(), name).unwrap().unwrap();
    let place = |ino: icecore::fs::Ino| {
        let meta = u32::from_le_bytes(image[SUPERBLOCK + 40..SUPERBLOCK + 44].try_into().unwrap());
        usize::try_from(ino.0).unwrap() * 32 + usize::try_from(meta).unwrap() * 512
    };
    let (several, many) = (dir(b"several"), dir(b"many"));
    // `i_size` and `i_u` of both forms of inodes.
    let mut bytes = image.clone();
    let from = image[place(several) + 16..place(several) + 20].to_vec();
    bytes[place(many) + 16..place(many) + 20].copy_from_slice(&from);
    let changed = open(Arc::new(Memory::new(bytes))).unwrap().fs;
    let damage =
        |listing: &fs::Listing| listing.damage.iter().map(icecore::FormatError::detail).collect::<Vec<_>>();
    let both: Vec<_> = changed.read_dirs(&[many, several]).into_iter().map(Result::unwrap).collect();
    let told: Vec<String> = both.iter().flat_map(damage).collect();
    assert!(told.iter().any(|text| text.ends_with("belongs to a directory twice")), "{told:?}");
    let mut bytes = image.clone();
    bytes[place(many) + 8..place(many) + 12].copy_from_slice(&[0xff, 0xff, 0xff, 0x3f]);
    let changed = open(Arc::new(Memory::new(bytes))).unwrap().fs;
    let error = changed.read_dir(many).unwrap_err();
    assert!(error.detail().ends_with("a directory of 1073741823 bytes"), "{}", error.detail());
}

#[test]
fn a_directory_that_poses_as_a_file_is_one() {
    for name in ["erofs-plain", "erofs-chunks-512"] {
        let (bytes, _) = image("erofs", name);
        let fs = open(Arc::new(Memory::new(bytes))).unwrap().fs;
        let dir = fs.lookup(fs.root(), b"many").unwrap().unwrap();
        crate::damage::check_posing("erofs", name, "many", |bytes| {
            // Its number, where its name begins, its kind.
            let is =
                |at: &usize| bytes[*at..*at + 8] == dir.0.to_le_bytes() && bytes[at + 10..at + 12] == [2, 0];
            let places: Vec<usize> = (0..bytes.len() - 12).step_by(4).filter(is).collect();
            // One is its own `.`.
            assert!(places.len() >= 2);
            places.into_iter().for_each(|at| bytes[at + 10] = 1);
            seal(bytes);
        });
    }
}

/// An attribute of 64 KiB that one inode has 255 times.
#[test]
fn attributes_that_share_their_bytes_are_not_shown_without_end() {
    let (image, _) = image("erofs", "erofs-plain");
    let fs = open(Arc::new(Memory::new(image.clone()))).unwrap().fs;
    let empty = fs.lookup(fs.root(), b"empty").unwrap().unwrap().0;
    let told = crate::damage::told("erofs", "erofs-plain", &["/empty"], |bytes| {
        let word =
            |at: usize| usize::try_from(u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())).unwrap();
        let block = 1 << bytes[SUPERBLOCK + 12];
        let (meta, shared) = (word(SUPERBLOCK + 40) * block, word(SUPERBLOCK + 44) * block);
        let entries: Vec<usize> = (0..bytes.len() - 12)
            .step_by(4)
            .filter(|at| bytes[*at..*at + 8] == empty.to_le_bytes() && bytes[at + 10] == 1)
            .collect();
        assert_eq!(entries.len(), 1);
        // The inode once more, behind all others, with a list of 255 shared attributes that are one.
        let old = meta + usize::try_from(empty).unwrap() * 32;
        let length = if bytes[old] & 1 == 0 { 32 } else { 64 };
        let mut inode = bytes[old..old + length].to_vec();
        inode[2..4].copy_from_slice(&256u16.to_le_bytes());
        let new = bytes.len();
        assert!((new - meta).is_multiple_of(32));
        let attribute = (new + 4096 - shared) / 4;
        bytes.extend(inode);
        bytes.extend([0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend(u32::try_from(attribute).unwrap().to_le_bytes().repeat(255));
        bytes.resize(new + 4096, 0);
        bytes.extend([255, 1, 0xff, 0xff]);
        bytes.extend([b'x'].repeat(255 + 65_535));
        bytes.resize(bytes.len().next_multiple_of(block), 0);
        let number = u64::try_from((new - meta) / 32).unwrap();
        bytes[entries[0]..entries[0] + 8].copy_from_slice(&number.to_le_bytes());
        let blocks = u32::try_from(bytes.len() / block).unwrap();
        bytes[SUPERBLOCK + 36..SUPERBLOCK + 40].copy_from_slice(&blocks.to_le_bytes());
        seal(bytes);
    });
    assert_eq!(
        told.iter().map(icecore::FormatError::code).collect::<Vec<_>>(),
        [Code::LimitReached],
        "{told:?}"
    );
    crate::damage::assert_told(&told, &["extended attributes of inode"]);
}
