//! File systems that span several devices.

use std::{collections::BTreeMap, fs::read, path::Path, sync::Arc};

use icecore::{
    FormatError,
    block::{self, Memory, Source},
    fs::{self, Opened},
    gap::Code,
    scan::{self, Inputs, Where},
};

use crate::tree::{assert_same, compare, walk};

fn unpacked(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("disk-fixtures/btrfs");
    zstd::decode_all(&read(folder.join(format!("{name}.zst"))).unwrap()[..]).unwrap()
}

/// The two devices of one file system, and the kernel's listing.
fn raid() -> ([Source; 2], String) {
    let device = |n| -> Source { Arc::new(Memory::new(unpacked(&format!("raid.disk{n}")))) };
    ([device(1), device(2)], listing("raid"))
}

fn listing(name: &str) -> String {
    String::from_utf8(unpacked(&format!("{name}.list"))).unwrap()
}

fn codes(opened: &Opened) -> Vec<Code> {
    opened.notes.iter().map(FormatError::code).collect()
}

#[test]
fn two_devices_in_any_order_are_one_file_system() {
    let ([first, second], listing) = raid();
    assert_same(&compare("raid", &[Arc::clone(&first), Arc::clone(&second)], &listing));
    assert_same(&compare("raid", &[Arc::clone(&second), Arc::clone(&first)], &listing));
    let (one, two) = (fs::member(&first).unwrap(), fs::member(&second).unwrap());
    assert_eq!((one.device, two.device, one.count, one.set), (1, 2, 2, two.set));
}

/// Metadata is on both, so nothing but data is lost, and that is told.
#[test]
fn without_a_device_the_rest_is_read() {
    let (devices, listing) = raid();
    let mut lost = 0;
    for device in devices {
        let opened = fs::open(&device).unwrap().unwrap();
        assert_eq!(codes(&opened), [Code::MissingDisk]);
        let tree = walk(&*opened.fs, usize::MAX);
        let truth: BTreeMap<&str, &str> =
            listing.lines().map(|line| (line.split('\t').next().unwrap(), line)).collect();
        for line in tree.lines.values() {
            assert_eq!(truth.get(line.split('\t').next().unwrap()), Some(&line.as_str()));
        }
        assert_eq!(tree.lines.len() + tree.errors.len(), truth.len());
        lost += tree.errors.len();
        assert!(tree.errors.iter().all(|error| error.code() == Code::MissingDisk), "{:?}", tree.errors);
    }
    assert!(lost > 0);
}

/// RAID1 of which each sector of data is damaged on one device or the other: each is read where it is sound.
#[test]
fn data_is_read_from_the_device_where_it_is_sound() {
    const SECTOR: usize = 4096;
    let mut disks = [1, 2].map(|n| unpacked(&format!("mirror.disk{n}")));
    let listing = listing("mirror");
    let sources =
        |disks: &[Vec<u8>; 2]| disks.clone().map(|bytes| -> Source { Arc::new(Memory::new(bytes)) });
    assert_same(&compare("mirror", &sources(&disks), &listing));
    // Of a sector that is damaged on both, its file alone is lost, and that is told.
    let opened = fs::open_set(&sources(&disks)).unwrap().unwrap();
    let file = opened.fs.lookup(opened.fs.root(), b"text140000").unwrap().unwrap();
    let file = opened.fs.open(file).unwrap();
    let sector = block::read_vec(&file, "file", 20 * 4096, SECTOR).unwrap();
    for disk in &mut disks {
        let places = (0..disk.len()).step_by(SECTOR);
        let same: Vec<usize> = places.filter(|at| disk[at + 300..at + SECTOR] == sector[300..]).collect();
        assert_eq!(same.len(), 1);
        disk[same[0] + 300] ^= 1;
    }
    let found = compare("mirror", &sources(&disks), &listing);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("checksum of the sector at logical address"), "{found:?}");
    assert!(found[1].contains("kernel: /text140000\t"), "{found:?}");
    // Without a device, what it had sound is lost, and nothing is shown that is not.
    for disk in &sources(&disks) {
        let tree = walk(&*fs::open(disk).unwrap().unwrap().fs, usize::MAX);
        assert!(tree.lines.values().all(|line| listing.lines().any(|truth| truth == line)));
        assert_eq!(tree.lines.len() + tree.errors.len(), listing.lines().count());
        assert!(!tree.errors.is_empty());
    }
}

#[test]
fn a_device_twice_is_told() {
    let ([first, second], listing) = raid();
    let found = compare("raid", &[Arc::clone(&first), second, first], &listing);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("device 1 twice"), "{found:?}");
}

#[test]
fn a_scan_gathers_the_devices_of_all_disks() {
    let dir = tempfile::tempdir().unwrap();
    let disks: Vec<_> = [2, 1].map(|n| (n, dir.path().join(format!("disk{n}.img")))).into();
    for (n, path) in &disks {
        std::fs::write(path, unpacked(&format!("raid.disk{n}"))).unwrap();
    }
    let open = |disks: Vec<_>| scan::open(&Inputs { disks, ..Inputs::default() }).unwrap();
    let node = open(disks.iter().map(|(_, path)| path.clone()).collect());
    assert!(node.gaps.iter().all(|gap| gap.code != Code::MissingDisk), "{:?}", node.gaps);
    assert_eq!(node.file_systems.len(), 1);
    assert_eq!(node.file_systems[0].volume.id, "disk0");
    let content: Vec<_> =
        node.volumes.iter().map(|volume| (volume.content.as_str(), &volume.label)).collect();
    assert_eq!(content, [("btrfs", &Some("raid".to_owned())); 2]);
    let part_of: Vec<_> = node.volumes.iter().map(|volume| volume.part_of.as_deref()).collect();
    assert_eq!(part_of, [None, Some("disk0")]);
    // Whichever device is named, it is the file system that is shown.
    let names = |id: &str| -> Vec<Vec<u8>> {
        let root = scan::view(&node, &Where::Volume(id.to_owned())).unwrap();
        let fs = root.top();
        fs.read_dir().unwrap().entries.into_iter().map(|entry| entry.name).collect()
    };
    assert!(!names("disk0").is_empty());
    assert_eq!(names("disk1"), names("disk0"));
    let Err(error) = scan::view(&node, &Where::Volume("disk2".to_owned())) else { panic!("shown") };
    assert_eq!(error.to_string(), "no volume \"disk2\"; there are disk0, disk1");
    let node = open(vec![disks[0].1.clone()]);
    assert!(node.gaps.iter().any(|gap| gap.code == Code::MissingDisk), "{:?}", node.gaps);
    assert_eq!(node.file_systems.len(), 1);
}

/// Of a matrix's file systems with redundancy, each device may be missing in turn.
#[test]
#[ignore = "needs $ICECORE_BTRFS, made by scripts/make-btrfs.sh"]
fn what_is_on_several_devices_is_read_without_one() {
    let dir = crate::shared::directory("ICECORE_BTRFS");
    for (name, count) in [("raid1", 2), ("raid1c3", 3), ("raid1c4", 4), ("raid10", 4)] {
        let path = |n: usize| match n {
            1 => Path::new(&dir).join(format!("{name}.img")),
            n => Path::new(&dir).join(format!("{name}.img.{n}")),
        };
        let listing = std::fs::read_to_string(Path::new(&dir).join(format!("{name}.tsv"))).unwrap();
        for missing in 1..=count {
            let given = (1..=count).filter(|n| *n != missing).map(|n| block::open(&path(n)).unwrap());
            let found = compare(name, &given.collect::<Vec<_>>(), &listing);
            assert_eq!(found.len(), 1, "{name} without {missing}: {found:?}");
            assert!(found[0].contains(&format!("note: btrfs device {missing} (")), "{found:?}");
        }
    }
}

/// What the kernel cannot read, as both copies of it are damaged, is told; the rest is read.
#[test]
#[ignore = "needs $ICECORE_BTRFS, made by scripts/make-btrfs.sh"]
fn of_two_damaged_copies_the_file_alone_is_lost() {
    let dir = crate::shared::directory("ICECORE_BTRFS");
    let path = |suffix: &str| Path::new(&dir).join(format!("damaged-data-both.{suffix}"));
    let listing = std::fs::read_to_string(path("list")).unwrap();
    let found = compare("damaged-data-both", &[block::open(&path("img")).unwrap()], &listing);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("checksum of the sector at logical address"), "{found:?}");
}
