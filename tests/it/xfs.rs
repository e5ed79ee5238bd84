//! XFS against the kernel's own listings and a corpus of damaged images.

mod corpus;
mod hostile;

use std::sync::Arc;

use icecore::{block::Memory, gap::Code};
use proptest::prelude::*;

use crate::tree::{self, differences, image, open};

/// Where `sb_crc` lies in the superblock.
const CRC: usize = 224;

/// Makes the checksum of the first superblock anew.
fn seal(image: &mut [u8]) {
    image[CRC..CRC + 4].fill(0);
    let sum = crc32c::crc32c(&image[..512]);
    image[CRC..CRC + 4].copy_from_slice(&sum.to_le_bytes());
}

#[test]
#[ignore = "needs $ICECORE_XFS, made by scripts/make-xfs.sh"]
fn images_read_as_the_kernel_shows_them() {
    tree::check_matrix("ICECORE_XFS", 70);
}

#[test]
fn small_images_read_as_the_kernel_shows_them() {
    tree::check_small("xfs", 10);
}

#[test]
fn every_name_is_found_by_look_up() {
    tree::check_look_up("xfs");
}

#[test]
fn what_was_cut_off_is_told() {
    tree::check_cut("xfs", 16);
}

#[test]
fn a_failed_read_loses_only_what_it_hit() {
    tree::check_failed_reads("xfs");
}

/// In version 5 a flipped bit of metadata is never believed; data has no checksum.
#[test]
fn a_flipped_bit_of_metadata_is_noticed() {
    for name in ["xfs-1k", "xfs-directory-8k"] {
        tree::check_flipped_bits(name, image("xfs", name).0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn no_mutation_panics_or_hangs(which in any::<usize>(), changes in tree::changes()) {
        tree::check_mutation("xfs", which, &changes);
    }
}

#[test]
fn a_log_that_cannot_be_recovered_is_told_and_the_rest_is_shown() {
    for name in ["xfs-dirty", "xfs-dirty-4k", "xfs-dirty-quota"] {
        let (mut bytes, listing) = image("xfs", name);
        // A bit of log incompatibility that nobody knows.
        bytes[0xdc] |= 0x80;
        seal(&mut bytes);
        let opened = open(Arc::new(Memory::new(bytes.clone()))).unwrap();
        let codes: Vec<Code> = opened.notes.iter().map(icecore::FormatError::code).collect();
        assert_eq!(codes, [Code::JournalNotReplayed], "{name}");
        assert!(opened.fs.read_dir(opened.fs.root()).is_ok(), "{name}");
        // Without it, it is another tree: the log is needed.
        assert!(differences(name, Arc::new(Memory::new(bytes)), &listing).len() > 10, "{name}");
    }
}

/// Of version 4, the log of which has no bits of features: with no record that counts, it is another tree.
#[test]
fn without_its_log_a_dirty_image_of_version_4_is_another_tree() {
    for name in ["xfs-dirty-v4", "xfs-dirty-v4-log-1", "xfs-dirty-v4-quota", "xfs-dirty-v4-round"] {
        let (mut bytes, listing) = image("xfs", name);
        let records: Vec<usize> = (0..bytes.len())
            .step_by(512)
            .filter(|at| bytes[*at..].starts_with(&[0xfe, 0xed, 0xba, 0xbe]))
            .collect();
        assert!(records.len() > 10, "{name}: {}", records.len());
        records.iter().for_each(|at| bytes[at + 8] = 7);
        let found = differences(name, Arc::new(Memory::new(bytes)), &listing);
        assert!(found.len() > 10 && found[0].contains("not recovered"), "{name}: {:?}", found.first());
    }
}

/// Every bit of every word of features is either refused by its name, told in a note, or changes nothing.
#[test]
fn every_bit_of_features_is_known_or_refused_by_name() {
    // sb_versionnum without its number, sb_features2, and those of version 5: ro_compat, incompat, log_incompat.
    let words = [(100, 2, 4), (200, 4, 0), (208, 4, 0), (212, 4, 0), (216, 4, 0), (220, 4, 0)];
    let (mut refused, mut noted) = (0, 0);
    for name in ["xfs-1k", "xfs-v4-512"] {
        let (image, listing) = image("xfs", name);
        let v5 = image[101] & 0xf == 5;
        for (at, length, from) in words {
            for bit in from..length * 8 {
                let mut bytes = image.clone();
                let byte = at + length - 1 - bit / 8;
                if bytes[byte] >> (bit % 8) & 1 == 1 {
                    continue;
                }
                bytes[byte] |= 1 << (bit % 8);
                if v5 {
                    seal(&mut bytes);
                }
                match open(Arc::new(Memory::new(bytes.clone()))) {
                    Err(error) => {
                        assert_eq!(
                            error.code(),
                            Code::UnsupportedFeature,
                            "{name} {at} {bit}: {}",
                            error.detail()
                        );
                        assert!(error.detail().starts_with("XFS feature "), "{}", error.detail());
                        refused += 1;
                    }
                    Ok(opened) if !opened.notes.is_empty() => noted += 1,
                    Ok(_) => {
                        let same = differences(name, Arc::new(Memory::new(bytes)), &listing);
                        // Names with kinds where there are none cannot be read; a bit of a number is no feature.
                        let damage = same.iter().all(|line| !line.contains("ours:"));
                        assert!(damage, "{name}: bit {bit} at {at}: {same:?}");
                    }
                }
            }
        }
    }
    // All but the few known ones are refused; unknown ones that only writers must know, and needsrepair, are told.
    assert!(refused > 60 && noted == 29, "{refused} refused, {noted} noted");
}

#[test]
fn a_feature_that_is_not_read_is_refused_by_name() {
    let (mut bytes, _) = image("xfs", "xfs-1k");
    bytes[0xda] |= 1;
    seal(&mut bytes);
    let Err(error) = open(Arc::new(Memory::new(bytes))) else { panic!("opened") };
    assert_eq!(error.detail(), "XFS feature metadir");
}

#[test]
fn a_wiped_or_damaged_superblock_is_replaced_by_a_copy() {
    for (name, range, value) in
        [("xfs-directory-8k", 0..512, 0), ("xfs-directory-8k", 8..16, 7), ("xfs-v4-512", 0..512, 0)]
    {
        let (mut bytes, listing) = image("xfs", name);
        bytes[range].fill(value);
        let differences = differences(name, Arc::new(Memory::new(bytes)), &listing);
        assert_eq!(differences.len(), 1, "{name}: {differences:?}");
        assert!(differences[0].contains("damaged, the copy at 0x"), "{differences:?}");
    }
}
