//! exFAT against what exfat-fuse lists, and a kernel of volumes that were in use.

use std::sync::Arc;

use icecore::{block::Memory, gap::Code};
use proptest::prelude::*;

use crate::{
    damage::{self, assert_told, put},
    tree::{self, differences, image, open},
};

#[test]
#[ignore = "needs $ICECORE_EXFAT, made by scripts/make-fat.sh"]
fn images_read_as_exfat_fuse_shows_them() {
    tree::check_matrix("ICECORE_EXFAT", 6);
}

#[test]
fn small_images_read_as_exfat_fuse_shows_them() {
    tree::check_small("exfat", 3);
}

#[test]
fn every_name_is_found_by_look_up() {
    tree::check_look_up("exfat");
}

#[test]
fn what_was_cut_off_is_told() {
    tree::check_cut("exfat", 16);
}

#[test]
fn a_failed_read_loses_only_what_it_hit() {
    tree::check_failed_reads("exfat");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn no_mutation_panics_or_hangs(which in any::<usize>(), changes in tree::changes()) {
        tree::check_mutation("exfat", which, &changes);
    }
}

fn changed(name: &str, change: impl Fn(&mut Vec<u8>)) -> Vec<String> {
    let (mut bytes, listing) = image("exfat", name);
    change(&mut bytes);
    differences(name, Arc::new(Memory::new(bytes)), &listing)
}

#[test]
fn a_volume_that_was_in_use_is_told() {
    for (flag, what) in [(2, "the volume was not unmounted"), (4, "the medium had errors")] {
        let differences = changed("exfat-512", |bytes| bytes[106] |= flag);
        assert_eq!(differences, [format!("exfat-512: note: exFAT: {what}")]);
    }
}

#[test]
fn a_damaged_boot_region_is_replaced_by_its_copy() {
    for at in [64, 96, 108, 600, 11 * 512] {
        let differences = changed("exfat-4k", |bytes| bytes[at] ^= 0x20);
        assert!(differences.len() == 1 && differences[0].contains("the copy at 0x1800"), "{differences:?}");
    }
}

/// Makes the sum of the boot region anew.
fn seal(bytes: &mut [u8]) {
    let summed = bytes[..11 * 512].iter().enumerate().filter(|(at, _)| ![106, 107, 112].contains(at));
    let sum = summed.fold(0u32, |sum, (_, byte)| sum.rotate_right(1).wrapping_add(u32::from(*byte)));
    bytes[11 * 512..12 * 512].chunks_exact_mut(4).for_each(|word| word.copy_from_slice(&sum.to_le_bytes()));
}

#[test]
fn what_is_not_read_is_refused_by_name() {
    let (mut bytes, _) = image("exfat", "exfat-4k");
    bytes[105] = 2;
    seal(&mut bytes);
    let Err(error) = open(Arc::new(Memory::new(bytes))) else { panic!("opened") };
    assert_eq!((error.code(), error.detail()), (Code::UnsupportedFeature, "exFAT revision 2.00".to_owned()));
}

#[test]
fn a_flipped_bit_of_an_entry_is_noticed() {
    let (bytes, _) = image("exfat", "exfat-512");
    let sets: Vec<usize> =
        (0..bytes.len() - 64).step_by(32).filter(|at| bytes[*at] == 0x85 && bytes[at + 32] == 0xc0).collect();
    assert!(sets.len() > 100);
    for at in sets.into_iter().step_by(9) {
        // A set may go on in another cluster.
        for byte in [4, 12, 33, 35, 52, 56, 70].into_iter().filter(|byte| at % 512 + byte < 512) {
            let mut bytes = bytes.clone();
            bytes[at + byte] ^= 1;
            let tree = tree::walk(&*open(Arc::new(Memory::new(bytes))).unwrap().fs, usize::MAX);
            assert!(!tree.errors.is_empty(), "{at:#x} {byte}");
        }
    }
}

#[test]
fn names_are_found_in_other_letters() {
    let (bytes, _) = image("exfat", "exfat-4k");
    let opened = open(Arc::new(Memory::new(bytes))).unwrap();
    assert_eq!(opened.label.as_deref(), Some("exfat-4k"));
    let fs = opened.fs;
    let dir = fs.lookup(fs.root(), b"DIR").unwrap().unwrap();
    let find = |name: &str| fs.lookup(dir, name.as_bytes()).unwrap();
    assert!(find("A LONG NAME with spaces.TEXT").is_some());
    assert_eq!(find("\u{c4}\u{20ac} SMALL"), find("\u{e4}\u{20ac} small"));
}

/// The set of the file of a name: where it lies. Its own sum is made anew by [`sum`].
fn set(bytes: &[u8], path: &str) -> usize {
    let fs = open(Arc::new(Memory::new(bytes.to_vec()))).unwrap().fs;
    let parts = path.split('/').filter(|part| !part.is_empty());
    let found = parts.fold(fs.root(), |dir, part| fs.lookup(dir, part.as_bytes()).unwrap().unwrap());
    usize::try_from(found.0).unwrap() * 32
}

fn sum(bytes: &mut [u8], at: usize) {
    let length = (usize::from(bytes[at + 1]) + 1) * 32;
    let summed = bytes[at..at + length].iter().enumerate().filter(|(at, _)| !matches!(at, 2 | 3));
    let sum = summed.fold(0u16, |sum, (_, byte)| sum.rotate_right(1).wrapping_add(u16::from(*byte)));
    put(bytes, at + 2, &sum.to_le_bytes());
}

#[test]
fn sizes_without_end_are_told_with_their_place() {
    let path = "/size33000";
    for (contiguous, size, what) in [
        (true, 1u64 << 40, "clusters pass the end"),
        (true, u64::MAX, "clusters pass the end"),
        (false, 1 << 40, "from cluster"),
        (false, u64::MAX, "from cluster"),
    ] {
        let told = damage::told("exfat", "exfat-4k", &[path], |bytes| {
            let at = set(bytes, path);
            bytes[at + 33] = bytes[at + 33] & !2 | if contiguous { 2 } else { 0 };
            put(bytes, at + 40, &size.to_le_bytes());
            put(bytes, at + 56, &size.to_le_bytes());
            sum(bytes, at);
        });
        assert_told(&told, &["chain of clusters at offset 0x", what]);
    }
    let told = damage::told("exfat", "exfat-4k", &["/many"], |bytes| {
        let at = set(bytes, "/many");
        put(bytes, at + 40, &(1u64 << 30).to_le_bytes());
        put(bytes, at + 56, &(1u64 << 30).to_le_bytes());
        sum(bytes, at);
    });
    assert_told(&told, &["a directory of more than 268435456 bytes"]);
}
