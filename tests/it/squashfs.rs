//! Squashfs against the kernel's own listings.

use std::sync::Arc;

use icecore::{block::Memory, gap::Code};
use proptest::prelude::*;

use crate::tree::{self, differences, image, open};

/// Fields of the superblock.
const COMPRESSION: usize = 20;
const FLAGS: usize = 24;
const MAJOR: usize = 28;

#[test]
#[ignore = "needs $ICECORE_SQUASHFS, made by scripts/make-squashfs.sh"]
fn images_read_as_the_kernel_shows_them() {
    tree::check_matrix("ICECORE_SQUASHFS", 30);
}

#[test]
fn small_images_read_as_the_kernel_shows_them() {
    tree::check_small("squashfs", 7);
}

#[test]
fn every_name_is_found_by_look_up() {
    tree::check_look_up("squashfs");
}

#[test]
fn what_was_cut_off_is_told() {
    // What fills up the last block is none of it.
    tree::check_cut("squashfs", 2);
}

#[test]
fn a_failed_read_loses_only_what_it_hit() {
    tree::check_failed_reads("squashfs");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_mutation_panics_or_hangs(which in any::<usize>(), changes in tree::changes()) {
        tree::check_mutation("squashfs", which, &changes);
    }
}

/// Every flag either changes nothing that is shown, or is refused by its name; so is every compression and version.
#[test]
fn flags_compressions_and_versions_are_known_or_refused_by_name() {
    let (image, listing) = image("squashfs", "squashfs-gzip");
    let refusal = |at: usize, value: u16| {
        let mut bytes = image.clone();
        bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
        match open(Arc::new(Memory::new(bytes.clone()))) {
            Ok(_) => Err(bytes),
            Err(error) => {
                assert_eq!(error.code(), Code::UnsupportedFeature, "{value}: {}", error.detail());
                Ok(error.detail())
            }
        }
    };
    let flags = u16::from_le_bytes([image[FLAGS], image[FLAGS + 1]]);
    for bit in 0..16 {
        match refusal(FLAGS, flags ^ 1 << bit) {
            Ok(error) => assert!(bit >= 12 && error == format!("squashfs flag bit {bit}"), "{error}"),
            Err(bytes) => {
                assert!(bit < 12, "{bit}");
                assert_eq!(differences("flag", Arc::new(Memory::new(bytes)), &listing), Vec::<String>::new());
            }
        }
    }
    for compression in [0, 7, 8, 100, 65_535] {
        assert_eq!(refusal(COMPRESSION, compression).unwrap(), format!("squashfs compression {compression}"));
    }
    for version in [1, 3, 5] {
        assert_eq!(refusal(MAJOR, version).unwrap(), format!("squashfs version {version}.0"));
    }
}

#[test]
fn a_volume_that_is_cut_is_told() {
    let (image, _) = image("squashfs", "squashfs-zstd");
    let opened = open(Arc::new(Memory::new(image[..image.len() / 2].to_vec()))).unwrap();
    assert_eq!(opened.notes.iter().map(icecore::FormatError::code).collect::<Vec<_>>(), [Code::Truncated]);
}

#[test]
fn a_directory_that_poses_as_a_file_is_one() {
    crate::damage::check_posing("squashfs", "squashfs-stored", "many", |bytes| {
        // Where its inode is, its number, its kind, the length of its name, and its name.
        let entry = [&[1, 0, 3, 0][..], b"many"].concat();
        let places: Vec<usize> = (0..bytes.len() - 8).filter(|at| bytes[*at..*at + 8] == *entry).collect();
        assert_eq!(places.len(), 1);
        bytes[places[0]] = 2;
    });
}
