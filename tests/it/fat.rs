//! FAT against what mtools put in, and what a kernel listed of volumes that were in use.

use std::sync::Arc;

use icecore::{block::Memory, gap::Code};
use proptest::prelude::*;

use crate::{
    damage::{self, assert_told, put},
    tree::{self, differences, image, open},
};

#[test]
#[ignore = "needs $ICECORE_FAT, made by scripts/make-fat.sh"]
fn images_read_as_they_were_filled() {
    tree::check_matrix("ICECORE_FAT", 11);
}

#[test]
fn small_images_read_as_they_were_filled() {
    tree::check_small("fat", 4);
}

#[test]
fn every_name_is_found_by_look_up() {
    tree::check_look_up("fat");
}

#[test]
fn what_was_cut_off_is_told() {
    tree::check_cut("fat", 16);
}

#[test]
fn a_failed_read_loses_only_what_it_hit() {
    tree::check_failed_reads("fat");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn no_mutation_panics_or_hangs(which in any::<usize>(), changes in tree::changes()) {
        tree::check_mutation("fat", which, &changes);
    }
}

fn changed(name: &str, change: impl Fn(&mut Vec<u8>)) -> Vec<String> {
    let (mut bytes, listing) = image("fat", name);
    change(&mut bytes);
    differences(name, Arc::new(Memory::new(bytes)), &listing)
}

/// Where the first table begins.
fn table(bytes: &[u8]) -> usize {
    usize::from(bytes[14]) * 512
}

#[test]
fn a_volume_that_was_in_use_is_told() {
    for (name, at) in [("fat-12", 37), ("fat-16", 37), ("fat-32", 65)] {
        let differences = changed(name, |bytes| bytes[at] |= 1);
        assert_eq!(differences, [format!("{name}: note: FAT: the volume was not unmounted")]);
    }
    for (name, at) in [("fat-16", 3), ("fat-32", 7)] {
        let mask = if name == "fat-16" { 0x7f } else { 0xf7 };
        let differences = changed(name, |bytes| {
            let at = table(bytes) + at;
            bytes[at] &= mask;
        });
        assert_eq!(differences, [format!("{name}: note: FAT: the volume was not unmounted, by its table")]);
    }
}

#[test]
fn a_damaged_boot_sector_of_fat32_is_replaced_by_its_copy() {
    // Not its number of sectors, of which the rest is believed.
    let differences = changed("fat-32", |bytes| bytes[36..40].fill(0));
    assert_eq!(differences.len(), 1, "{differences:?}");
    assert!(differences[0].contains("the copy at 0xc00 is used"));
}

#[test]
fn what_is_not_read_is_refused_by_name() {
    let (mut bytes, _) = image("fat", "fat-32");
    bytes[42] = 1;
    let Err(error) = open(Arc::new(Memory::new(bytes))) else { panic!("opened") };
    assert_eq!((error.code(), error.detail()), (Code::UnsupportedFeature, "FAT32 version 0x0001".to_owned()));
}

#[test]
fn chains_that_end_early_or_in_themselves_are_told() {
    let (bytes, _) = image("fat", "fat-16");
    let fs = open(Arc::new(Memory::new(bytes.clone()))).unwrap().fs;
    let ino = fs.lookup(fs.root(), b"size33000").unwrap().unwrap();
    let entry = usize::try_from(ino.0).unwrap() * 32;
    let first = usize::from(u16::from_le_bytes([bytes[entry + 26], bytes[entry + 27]]));
    for (value, what) in [
        (0xffffu16, "it ends after 1 of 65 clusters"),
        (0, "in it is free"),
        (0xfff7, "it is bad"),
        (1, "cluster 1 of"),
        (0xff00, "cluster 65280 of"),
        (u16::try_from(first).unwrap(), "twice"),
    ] {
        let mut bytes = bytes.clone();
        let at = table(&bytes) + first * 2;
        bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
        let fs = open(Arc::new(Memory::new(bytes))).unwrap().fs;
        let file = fs.open(ino).unwrap();
        let read = icecore::block::read_all(&file, "file", 1 << 20);
        assert!(read.is_err_and(|error| error.detail().contains(what)), "{what}");
        let begin = icecore::block::read_vec(&file, "file", 0, 512);
        assert!(begin.is_ok() || what == "twice", "{what}");
    }
}

/// A directory that is its own child, and two names of one directory.
#[test]
fn a_directory_with_two_places_is_listed_once() {
    for (name, target) in [("fat-16", "dir"), ("fat-32", "dir")] {
        let (mut bytes, _) = image("fat", name);
        let fs = open(Arc::new(Memory::new(bytes.clone()))).unwrap().fs;
        let dir = fs.lookup(fs.root(), target.as_bytes()).unwrap().unwrap();
        let sub = fs.lookup(dir, b"sub").unwrap().unwrap();
        let [dir, sub] = [dir, sub].map(|ino| usize::try_from(ino.0).unwrap() * 32);
        bytes.copy_within(dir + 26..dir + 28, sub + 26);
        bytes.copy_within(dir + 20..dir + 22, sub + 20);
        let tree = tree::walk(&*open(Arc::new(Memory::new(bytes))).unwrap().fs, 10_000);
        assert!(tree.lines.len() < 500, "{}", tree.lines.len());
        let told = tree.errors.iter().filter(|error| error.detail().contains("belongs to two directories"));
        assert_eq!(told.count(), 1, "{:?}", tree.errors);
    }
}

#[test]
fn names_are_found_in_other_letters_and_by_their_short_form() {
    let (bytes, _) = image("fat", "fat-12");
    let opened = open(Arc::new(Memory::new(bytes))).unwrap();
    assert_eq!((opened.uuid.as_deref(), opened.label.as_deref()), (Some("0123-ABCD"), Some("FAT-12")));
    let fs = opened.fs;
    let dir = fs.lookup(fs.root(), b"DIR").unwrap().unwrap();
    let find = |name: &str| fs.lookup(dir, name.as_bytes()).unwrap();
    assert_eq!(find("A LONG NAME with spaces.TEXT"), find("a long name with spaces.text"));
    assert!(find("A LONG NAME with spaces.TEXT").is_some());
    assert_eq!(find("alongn~1.tex"), find("a long name with spaces.text"));
    assert_eq!(find("\u{c4}\u{20ac} SMALL"), find("\u{e4}\u{20ac} small"));
}

/// Where the entry of a path lies.
fn place(bytes: &[u8], path: &str) -> usize {
    let fs = open(Arc::new(Memory::new(bytes.to_vec()))).unwrap().fs;
    let parts = path.split('/').filter(|part| !part.is_empty());
    let found = parts.fold(fs.root(), |dir, part| fs.lookup(dir, part.as_bytes()).unwrap().unwrap());
    usize::try_from(found.0).unwrap() * 32
}

/// Linux passes over an entry that begins with a zero, and so what lies behind one is there on a node.
#[test]
fn what_lies_behind_an_end_is_listed_as_linux_does() {
    for name in ["fat-12", "fat-16", "fat-32"] {
        for path in ["/SHORT.TXT", "/dir/lower.txt", "/many/name001x"] {
            let told = damage::told("fat", name, &[path], |bytes| {
                let at = place(bytes, path);
                bytes[at] = 0;
            });
            assert!(told.is_empty(), "{name} {path}: {told:?}");
        }
    }
}

#[test]
fn a_file_without_end_is_told_with_its_place() {
    for name in ["fat-12", "fat-16", "fat-32"] {
        let told = damage::told("fat", name, &["/size33000"], |bytes| {
            let at = place(bytes, "/size33000");
            let first = usize::from(u16::from_le_bytes([bytes[at + 26], bytes[at + 27]]));
            put(bytes, at + 28, &[0xff; 4]);
            // Its second cluster leads to its first.
            if name == "fat-16" {
                let next = table(bytes) + first * 2;
                put(bytes, next + 2, &u16::try_from(first).unwrap().to_le_bytes());
            }
        });
        let what = if name == "fat-16" { "twice" } else { "it ends after" };
        assert_told(&told, &["chain of clusters at offset 0x", what]);
    }
}
