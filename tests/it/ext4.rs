//! ext2, ext3 and ext4 against the kernel's own listings and a corpus of damaged images.

mod corpus;

use std::sync::Arc;

use icecore::{block::Memory, gap::Code};
use proptest::prelude::*;

use crate::tree::{self, differences, image, open};

#[test]
#[ignore = "needs $ICECORE_EXT4, made by scripts/make-ext4.sh"]
fn images_read_as_the_kernel_shows_them() {
    tree::check_matrix("ICECORE_EXT4", 26);
}

#[test]
fn small_images_read_as_the_kernel_shows_them() {
    tree::check_small("ext4", 8);
}

#[test]
fn every_name_is_found_by_look_up() {
    tree::check_look_up("ext4");
}

#[test]
fn what_was_cut_off_is_told() {
    tree::check_cut("ext4", 16);
}

#[test]
fn a_failed_read_loses_only_what_it_hit() {
    tree::check_failed_reads("ext4");
}

/// With metadata checksums a flipped bit of metadata is never believed; data has no checksum.
#[test]
fn a_flipped_bit_of_metadata_is_noticed() {
    for name in ["ext4-1k", "ext4-4k-inline", "ext4-bigalloc", "ext4-64k"] {
        tree::check_flipped_bits(name, image("ext4", name).0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn no_mutation_panics_or_hangs(which in any::<usize>(), changes in tree::changes()) {
        tree::check_mutation("ext4", which, &changes);
    }
}

#[test]
fn without_its_journal_a_dirty_image_is_another_tree() {
    let (mut bytes, listing) = image("ext4", "ext3-dirty");
    // s_feature_incompat; ext3 has no checksum on it.
    assert_eq!(bytes[1024 + 0x60] & 4, 4, "needs_recovery");
    bytes[1024 + 0x60] &= !4;
    assert!(!differences("ext3-dirty", Arc::new(Memory::new(bytes)), &listing).is_empty());
}

#[test]
fn a_feature_that_is_not_read_is_refused_by_name() {
    let (mut bytes, _) = image("ext4", "ext2-1k");
    bytes[1024 + 0x61] |= 0x10;
    let Err(error) = open(Arc::new(Memory::new(bytes))) else { panic!("opened") };
    assert_eq!(error.code(), Code::UnsupportedFeature);
    assert_eq!(error.detail(), "ext4 feature dirdata");
}

#[test]
fn a_block_that_a_directory_has_many_times_is_listed_once() {
    let (mut bytes, listing) = image("ext4", "ext2-1k");
    let word = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let inode_size = word(&bytes, 1024 + 0x58) & 0xffff;
    let root = word(&bytes, 2048 + 8) * 1024 + inode_size;
    let block: [u8; 4] = bytes[root + 0x28..root + 0x2c].try_into().unwrap();
    bytes[root + 4..root + 8].copy_from_slice(&(12 * 1024u32).to_le_bytes());
    (0..12).for_each(|n| bytes[root + 0x28 + 4 * n..root + 0x2c + 4 * n].copy_from_slice(&block));
    let fs = open(Arc::new(Memory::new(bytes))).unwrap().fs;
    let root = fs.read_dir(fs.root()).unwrap();
    let names = listing.lines().filter(|line| line.split('\t').next().unwrap().matches('/').count() == 1);
    assert_eq!(root.entries.len(), names.count() - 1, "all of the root but itself");
    assert_eq!(root.damage.len(), 11);
    assert!(root.damage[0].detail().contains("belongs to a directory twice"), "{:?}", root.damage);
}

#[test]
fn a_wiped_superblock_is_replaced_by_its_copy() {
    let (mut bytes, listing) = image("ext4", "ext4-1k");
    bytes[1024..2048].fill(0);
    let differences = differences("ext4-1k", Arc::new(Memory::new(bytes)), &listing);
    assert_eq!(differences.len(), 1, "{differences:?}");
    assert!(differences[0].contains("the copy in group 1 is used"), "{differences:?}");
}

#[test]
fn wiped_descriptors_are_replaced_by_their_copies() {
    let (mut bytes, listing) = image("ext4", "ext4-1k");
    bytes[2048..3072].fill(0);
    let differences = differences("ext4-1k", Arc::new(Memory::new(bytes)), &listing);
    assert_eq!(differences.len(), 1, "{differences:?}");
    assert!(differences[0].contains("2 damaged, 0 without a sound backup copy"), "{differences:?}");
}
