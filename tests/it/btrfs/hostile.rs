//! Damage whose checksums are right: what only a hostile hand makes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use icecore::{block::Memory, gap::Code};
use proptest::prelude::*;

use super::SUPERBLOCK;
use crate::tree::{self, image, open, walk};

const NODE_SIZE: usize = SUPERBLOCK + 0x94;
const SYSTEM_CHUNKS: usize = SUPERBLOCK + 0x32b;

fn word(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

/// Where the nodes of an image lie: blocks that have its UUID where headers do.
pub(crate) fn nodes(bytes: &[u8]) -> Vec<usize> {
    let uuid = &bytes[SUPERBLOCK + 0x20..SUPERBLOCK + 0x30];
    let size = word(bytes, NODE_SIZE);
    let is_node =
        |at: &usize| at + size <= bytes.len() && bytes[at + 0x20..at + 0x30] == *uuid && bytes[at + 100] < 8;
    let superblocks = [64 << 10, 64 << 20];
    (0..bytes.len()).step_by(4096).filter(|at| !superblocks.contains(at)).filter(is_node).collect()
}

/// Makes the checksums of the superblocks and nodes of an image right; it must have crc32c.
pub(crate) fn resum(bytes: &mut [u8]) {
    let size = word(bytes, NODE_SIZE);
    let superblocks =
        [64 << 10, 64 << 20].into_iter().filter(|at| at + 4096 <= bytes.len()).map(|at| (at, 4096));
    let all: Vec<_> = superblocks.chain(nodes(bytes).into_iter().map(|at| (at, size))).collect();
    for (at, size) in all {
        let sum = crc32c::crc32c(&bytes[at + 32..at + size]);
        bytes[at..at + 4].copy_from_slice(&sum.to_le_bytes());
    }
}

/// Changes of an image's nodes: which node, where in it, to which value, over how many bytes.
fn changes() -> impl Strategy<Value = Vec<(usize, usize, u8, usize)>> {
    proptest::collection::vec((any::<usize>(), any::<usize>(), any::<u8>(), 1usize..9), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn no_mutation_panics_or_hangs(which in any::<usize>(), changes in tree::changes()) {
        tree::check_mutation("btrfs", which, &changes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_mutation_with_right_checksums_panics_or_hangs(which in any::<bool>(), changes in changes()) {
        let (mut bytes, _) = image("btrfs", if which { "dirty-log" } else { "dirty" });
        let places = nodes(&bytes);
        for (node, at, value, length) in changes {
            let node = places[node % places.len()];
            // Headers, keys and items lie at the ends; what is zero in between is of no use.
            let used: Vec<usize> = (node + 48..node + 4096).filter(|at| bytes[*at] != 0).collect();
            let at = used[at % used.len()];
            bytes.iter_mut().skip(at).take(length).for_each(|byte| *byte = value);
        }
        resum(&mut bytes);
        let started = Instant::now();
        if let Ok(opened) = open(Arc::new(Memory::new(bytes))) {
            walk(&*opened.fs, 5000);
        }
        prop_assert!(started.elapsed() < Duration::from_secs(20));
    }
}

/// The image of `dirty` with its superblock changed.
fn with_superblock(change: impl FnOnce(&mut [u8])) -> Result<icecore::fs::Opened, icecore::FormatError> {
    let (mut bytes, _) = image("btrfs", "dirty");
    change(&mut bytes);
    resum(&mut bytes);
    open(Arc::new(Memory::new(bytes)))
}

fn problem(opened: Result<icecore::fs::Opened, icecore::FormatError>) -> String {
    let Err(error) = opened else { panic!("opened") };
    assert_eq!(error.code(), Code::CorruptStructure, "{}", error.detail());
    error.detail()
}

#[test]
fn levels_and_sizes_that_cannot_be_are_refused() {
    for (at, value, told) in [
        (0xc6, 7, "level 0 instead of 7"),
        (0xc7, 8, "levels"),
        (0x91, 0x30, "sectorsize"),
        (0x96, 2, "nodesize"),
        (0xa1, 0xff, "sys_chunk_array_size"),
        (0x88, 0, "num_devices 0"),
        (0x30, 1, "bytenr"),
    ] {
        let found = problem(with_superblock(|bytes| bytes[SUPERBLOCK + at] = value));
        assert!(found.contains(told), "{at:#x}: {found}");
    }
}

/// A key, a chunk of 48 bytes, and stripes of 32.
#[test]
fn system_chunks_that_contradict_are_refused() {
    for (at, value, told) in [
        (8, 1, "in sys_chunk_array"),
        (17 + 2, 0, "length"),
        (17 + 18, 2, "stripe_len"),
        (17 + 24, 0xff, "type"),
        (17 + 44, 0, "stripes"),
        (17 + 45, 0xff, "stripes"),
    ] {
        let found = problem(with_superblock(|bytes| bytes[SYSTEM_CHUNKS + at] = value));
        assert!(found.contains(told), "{at}: {found}");
    }
    // Past the end of the device.
    let Err(error) = with_superblock(|bytes| bytes[SYSTEM_CHUNKS + 17 + 48 + 8 + 6] = 0x10) else {
        panic!("opened")
    };
    assert_eq!(error.code(), Code::Truncated);
}

#[test]
fn a_root_that_is_its_own_child_ends() {
    let (mut bytes, _) = image("btrfs", "dirty-log");
    let at = nodes(&bytes);
    // Every internal node leads to itself only, at every level that a node may have.
    for at in at {
        if bytes[at + 100] == 0 {
            continue;
        }
        let own: [u8; 8] = bytes[at + 48..at + 56].try_into().unwrap();
        let count = word(&bytes, at + 96);
        for child in 0..count {
            bytes[at + 101 + child * 33 + 17..at + 101 + child * 33 + 25].copy_from_slice(&own);
        }
    }
    resum(&mut bytes);
    let opened = open(Arc::new(Memory::new(bytes))).unwrap();
    let tree = walk(&*opened.fs, 5000);
    let told: Vec<String> = tree.errors.iter().chain(&opened.notes).map(|error| error.detail()).collect();
    assert!(told.iter().any(|told| told.contains("level 1 instead of 0")), "{told:?}");
}
