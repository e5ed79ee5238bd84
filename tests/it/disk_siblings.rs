//! Files of one name that disk images refer to: each image gets the one that it means, or none.

use std::{
    fs,
    path::{Path, PathBuf},
};

use icecore::scan::{self, Inputs};

/// A qcow2 image of 1 MiB, with clusters of 512 bytes, over `backing`; its first cluster is one of zeros if it is to have one.
fn overlay(backing: &str, has_cluster: bool) -> Vec<u8> {
    let mut image = vec![0; 6 * 512];
    let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"QFI\xfb\0\0\0\x02");
    put(8, &256u64.to_be_bytes());
    put(16, &u32::try_from(backing.len()).unwrap().to_be_bytes());
    put(20, &9u32.to_be_bytes());
    put(24, &(1u64 << 20).to_be_bytes());
    put(36, &32u32.to_be_bytes());
    put(40, &512u64.to_be_bytes());
    put(48, &1024u64.to_be_bytes());
    put(56, &1u32.to_be_bytes());
    put(256, backing.as_bytes());
    if has_cluster {
        put(512, &(1u64 << 63 | 1536).to_be_bytes());
        put(1536, &(1u64 << 63 | 2048).to_be_bytes());
    }
    image
}

/// A disk of 1 MiB with a partition.
fn partitioned() -> Vec<u8> {
    let mut disk = vec![0; 1 << 20];
    disk[446..462].copy_from_slice(&[0, 0, 0, 0, 0x83, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0, 0]);
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk
}

struct Files(tempfile::TempDir);

impl Files {
    fn new(files: &[(&str, Vec<u8>)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The partition table of a disk, or why it is not read.
    fn table(&self, disk: &Path, backing: &[&str], siblings: bool) -> String {
        let backing = backing.iter().map(|name| self.path(name)).collect();
        let inputs = Inputs { disks: vec![disk.to_owned()], backing, siblings, ..Inputs::default() };
        let node = scan::open(&inputs).unwrap();
        match node.gaps.first() {
            Some(gap) => gap.detail.clone(),
            None => node.disks[0].partition_table.clone(),
        }
    }
}

#[test]
fn files_of_one_name_in_one_chain_are_told_apart() {
    let files = Files::new(&[
        ("c/top.qcow2", overlay("../a/disk.qcow2", false)),
        ("a/disk.qcow2", overlay("../b/disk.qcow2", true)),
        ("b/disk.qcow2", overlay("base.raw", false)),
        ("b/base.raw", partitioned()),
    ]);
    let top = files.path("c/top.qcow2");
    for backing in [
        ["a/disk.qcow2", "b/disk.qcow2", "b/base.raw"],
        ["b/disk.qcow2", "b/base.raw", "a/disk.qcow2"],
        ["c/../b/disk.qcow2", "b/base.raw", "a/../a/disk.qcow2"],
    ] {
        assert_eq!(files.table(&top, &backing, false), "none", "the cluster of the middle hides the table");
        assert_eq!(files.table(&files.path("a/disk.qcow2"), &backing, false), "none");
        assert_eq!(files.table(&files.path("b/disk.qcow2"), &backing, false), "mbr");
    }
    // Elsewhere than the image says, the path that is most like the one that it says counts.
    let moved = files.path("top.qcow2");
    fs::rename(&top, &moved).unwrap();
    assert_eq!(files.table(&moved, &["b/disk.qcow2", "b/base.raw", "a/disk.qcow2"], false), "none");
    let lacking = files.table(&moved, &["a/disk.qcow2"], false);
    assert!(lacking.contains("needs its backing file"), "{lacking}");
}

#[test]
fn which_of_several_is_meant_is_not_guessed() {
    let files = Files::new(&[
        ("top.qcow2", overlay("/elsewhere/disk.raw", false)),
        ("a/disk.raw", partitioned()),
        ("b/disk.raw", vec![0; 1 << 20]),
        ("itself.qcow2", overlay("itself.qcow2", false)),
    ]);
    let top = files.path("top.qcow2");
    let words = files.table(&top, &["a/disk.raw", "b/disk.raw"], false);
    assert!(
        words.contains("2 of the files that were given") && words.contains("give only the right one"),
        "{words}"
    );
    assert_eq!(files.table(&top, &["a/disk.raw", "b/../a/disk.raw"], false), "mbr", "one file, named twice");
    assert_eq!(files.table(&top, &["a/disk.raw"], false), "mbr");
    let words = files.table(&files.path("itself.qcow2"), &["itself.qcow2"], false);
    assert!(words.contains("of itself"), "{words}");
}

#[test]
fn an_extent_is_that_beside_its_descriptor() {
    let text = b"# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\nRW 2048 FLAT \"s001.vmdk\" 0\n";
    let files = Files::new(&[
        ("b/vm.vmdk", text.to_vec()),
        ("b/s001.vmdk", vec![0; 1 << 20]),
        ("c/vm.vmdk", text.to_vec()),
        ("c/s001.vmdk", partitioned()),
    ]);
    for backing in [["b/s001.vmdk", "c/s001.vmdk"], ["c/s001.vmdk", "b/s001.vmdk"]] {
        assert_eq!(files.table(&files.path("b/vm.vmdk"), &backing, false), "none");
        assert_eq!(files.table(&files.path("c/vm.vmdk"), &backing, false), "mbr");
    }
    assert_eq!(
        files.table(&files.path("c/vm.vmdk"), &["b/s001.vmdk"], true),
        "mbr",
        "what lies beside is named, too"
    );
    assert_eq!(files.table(&files.path("c/vm.vmdk"), &["b/s001.vmdk"], false), "none", "the caller said so");
}
