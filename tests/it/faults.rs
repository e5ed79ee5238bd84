//! Reads that fail, below volumes of every kind and below a scan of whole nodes: only what they hit is lost, and that is told
//! with its place.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use icecore::{
    Gap,
    block::{
        Memory, ReadAt, Source,
        fault::{Fault, Faulty, When},
    },
    fs,
    gap::Code,
    report::Report,
    scan::{self, Inputs, Options},
    volume,
};
use sha2::{Digest, Sha256};

use crate::tree::walk;

/// How many reads of a disk fail, one at a time: spread over all that are made.
const SOME: u64 = 30;
/// All that are made.
const ALL: u64 = u64::MAX;
/// Bytes of a piece of a volume, and of a volume that are read.
const PIECE: usize = 64 << 10;
const READ: u64 = 1 << 20;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("disk-fixtures").join(name)
}

fn disk(name: &str) -> Source {
    Arc::new(Memory::new(
        zstd::decode_all(&*std::fs::read(fixture(&format!("{name}.zst"))).unwrap()).unwrap(),
    ))
}

/// The disks of a kind: a name with `?` for their numbers.
fn disks(name: &str, numbers: std::ops::RangeInclusive<u32>) -> Vec<Source> {
    numbers.map(|number| disk(&name.replace('?', &number.to_string()))).collect()
}

/// The beginning of each volume in pieces (`None` for what cannot be read), and what is told.
#[derive(Default)]
struct Found {
    volumes: BTreeMap<String, Vec<Option<[u8; 32]>>>,
    told: BTreeSet<String>,
}

fn find(disks: &[Source]) -> Found {
    let mut found = Found::default();
    let mut volumes = Vec::new();
    for (disk, number) in disks.iter().zip(0..) {
        match volume::volumes(disk, number) {
            Ok(table) => {
                volumes.extend(table.volumes);
                found.told.extend(table.notes.iter().map(|note| format!("disk{number}: {}", note.detail())));
            }
            Err(error) => drop(found.told.insert(format!("disk{number}: {}", error.detail()))),
        }
    }
    let all = volume::assemble(volumes);
    for volume in &all.volumes {
        let size = volume.source.size().min(READ);
        let piece = |at: u64| {
            let mut bytes = vec![0; PIECE.min(usize::try_from(size - at).unwrap())];
            volume.source.read_at(&mut bytes, at).ok().map(|()| Sha256::digest(&bytes).into())
        };
        found.volumes.insert(volume.id.clone(), (0..size).step_by(PIECE).map(piece).collect());
    }
    found.told.extend(all.notes.iter().map(|(id, note)| format!("{id}: {}", note.detail())));
    found
}

#[test]
fn a_failed_read_below_volumes_loses_only_what_it_hit() {
    check_volumes(SOME);
}

#[test]
#[ignore = "takes half a minute; scripts/check.sh has it"]
fn any_failed_read_below_volumes_loses_only_what_it_hit() {
    check_volumes(ALL);
}

fn check_volumes(failed: u64) {
    let kinds = [
        ("gpt", disks("volume/gpt.img", 1..=1)),
        ("gpt of 4 KiB", disks("volume/gpt-4k.img", 1..=1)),
        ("mbr", disks("volume/mbr.img", 1..=1)),
        ("lvm", disks("lvm/pv?.img", 1..=3)),
        ("lvm raid", disks("lvm/raid.?.img", 0..=4)),
        ("thin", disks("lvm/thin.img", 1..=1)),
        ("cache", disks("lvm/cache.img", 1..=1)),
        ("md", disks("md/raid6-2.?.img", 0..=4)),
        ("md raid 1", disks("md/raid1-big.?.img", 0..=2)),
        ("md with partitions", disks("md/parted.?.img", 0..=1)),
    ];
    let mut wrong = Vec::new();
    for (kind, disks) in kinds {
        let truth = find(&disks);
        assert!(!truth.volumes.is_empty(), "{kind}: {:?}", truth.told);
        for which in 0..disks.len() {
            let with = |fault, when| {
                let faulty = Arc::new(Faulty::new(Arc::clone(&disks[which]), fault, when));
                let mut disks = disks.clone();
                disks[which] = Arc::clone(&faulty) as Source;
                (find(&disks), faulty.reads())
            };
            let (_, reads) = with(Fault::Error, When::Nth(u64::MAX));
            // All that tell what there is, and some of the rest.
            let chosen =
                (0..reads.min(12)).chain((12..reads).step_by(usize::try_from(reads / failed + 1).unwrap()));
            for (nth, fault) in chosen.flat_map(|nth| [(nth, Fault::Error), (nth, Fault::Short)]) {
                let (found, _) = with(fault, When::Nth(nth));
                let told: Vec<&String> = found.told.difference(&truth.told).collect();
                let place =
                    format!("{kind}: read {nth} of {reads} of disk {which}, {fault:?}; told: {told:?}");
                // Where the storage fails its place is named; a member that ends before its superblock is none.
                let is_place = |told: &&&String| told.contains("disk") && told.contains(" at ");
                let named = told.iter().any(|told| fault == Fault::Short || is_place(&told));
                for (id, pieces) in &truth.volumes {
                    // What an array or a logical volume lacks is told of itself.
                    let named = named || told.iter().any(|told| told.starts_with(&format!("{id}: ")));
                    match found.volumes.get(id) {
                        None if !named => wrong.push(format!("{id} is silently missing: {place}")),
                        None => {}
                        Some(found) => {
                            let other = found
                                .iter()
                                .zip(pieces)
                                .any(|(found, piece)| found.is_some() && found != piece);
                            if (other || found.len() != pieces.len()) && !named {
                                wrong.push(format!("{id} is another: {place}"));
                            }
                        }
                    }
                }
                if found.volumes.keys().any(|id| !truth.volumes.contains_key(id)) && !named {
                    wrong.push(format!("volumes {:?}: {place}", found.volumes.keys()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
}

#[test]
fn a_failed_read_of_a_device_of_several_loses_only_what_it_hit() {
    check_devices(SOME);
}

#[test]
#[ignore = "takes half a minute; scripts/check.sh has it"]
fn any_failed_read_of_a_device_of_several_loses_only_what_it_hit() {
    check_devices(ALL);
}

fn check_devices(failed: u64) {
    let devices = disks("btrfs/raid.disk?", 1..=2);
    let whole = walk(&*fs::open_set(&devices).unwrap().unwrap().fs, 10_000);
    for which in 0..2 {
        let with = |when| {
            let faulty = Arc::new(Faulty::new(Arc::clone(&devices[which]), Fault::Error, when));
            let mut devices = devices.clone();
            devices[which] = Arc::clone(&faulty) as Source;
            let opened = fs::open_set(&devices).expect("a failed read is no unknown file system");
            (opened.map(|opened| (walk(&*opened.fs, 10_000), opened.notes.len())), faulty.reads())
        };
        let (_, reads) = with(When::Nth(u64::MAX));
        let mut refused = 0;
        for nth in (0..reads).step_by(usize::try_from(reads / failed + 1).unwrap()) {
            let (tree, notes) = match with(When::Nth(nth)).0 {
                Ok(found) => found,
                Err(error) => {
                    assert_eq!(error.code(), Code::ReadError, "{}", error.detail());
                    refused += 1;
                    continue;
                }
            };
            tree.lines.iter().for_each(|(path, line)| assert_eq!(whole.lines.get(path), Some(line)));
            let all = tree.lines.len() == whole.lines.len();
            assert!(all || notes + tree.errors.len() > 0, "read {nth} of device {which} is silently lost");
            // Metadata is on both devices; of data each read is of one file.
            assert!(
                tree.lines.len() + 2 > whole.lines.len(),
                "read {nth} of device {which}: {:?}",
                tree.errors
            );
        }
        // The superblocks and the roots of the trees.
        assert!(refused <= if failed == ALL { 40 } else { 8 }, "{refused} reads of device {which}");
    }
}

/// The places of a qcow2 image's L2 entries in use, one for each cluster of the disk that is not zeros.
fn entries(image: &[u8]) -> Vec<usize> {
    let long = |at: usize| u64::from_be_bytes(image[at..at + 8].try_into().unwrap());
    let word = |at: usize| u32::from_be_bytes(image[at..at + 4].try_into().unwrap());
    let place = |entry: u64| usize::try_from(entry & 0x00ff_ffff_ffff_fe00).unwrap();
    let (count, l1) = (word(36), place(long(40)));
    let tables = (0..count).map(|n| place(long(l1 + n as usize * 8))).filter(|table| *table != 0);
    let per_table = (1usize << word(20)) / 8;
    let all = tables.flat_map(|table| (0..per_table).map(move |n| table + n * 8));
    all.filter(|at| long(*at) >> 1 != 0).collect()
}

fn scanned(path: &Path) -> Report {
    let inputs = Inputs { disks: vec![path.to_owned()], ..Inputs::default() };
    let options = Options { inputs, reproducible: true, ..Options::default() };
    scan::scan(&options, &scan::Silent).unwrap()
}

/// The report but its gaps and the verdict on them.
fn facts(report: &Report) -> serde_json::Value {
    let mut value = serde_json::to_value(report).unwrap();
    for key in ["gaps", "verdict", "run"] {
        value.as_object_mut().unwrap().remove(key);
    }
    // A layer's blob stands in for what was unpacked of it, and says the same.
    for layer in value["images"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .flat_map(|image| image["layers"].as_array_mut().unwrap())
    {
        layer.as_object_mut().unwrap().remove("source");
    }
    value
}

/// Clusters of a node's disk cannot be read, one after the other: whatever that changes in the report comes with a gap that
/// names a place. Gives how many clusters cost images, and how many were tried.
fn check_node(image: &Path, most: usize) -> (usize, usize) {
    let bytes = std::fs::read(image).unwrap();
    let whole = scanned(image);
    let told: BTreeSet<&Gap> = whole.gaps.iter().collect();
    let entries = entries(&bytes);
    assert!(!whole.images.is_empty() && entries.len() > 5, "{}: {}", image.display(), entries.len());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(image.file_name().unwrap());
    let (mut hurt, mut tried) = (0, 0);
    for at in entries.iter().step_by(entries.len().div_ceil(most)) {
        let mut bytes = bytes.clone();
        // A cluster far behind the end of the file.
        bytes[*at..*at + 8].copy_from_slice(&(1u64 << 63 | 1 << 50).to_be_bytes());
        std::fs::write(&path, &bytes).unwrap();
        let mut report = scanned(&path);
        for (disk, before) in report.node.disks.iter_mut().zip(&whole.node.disks) {
            disk.name.clone_from(&before.name);
        }
        let new: Vec<&Gap> = report.gaps.iter().filter(|gap| !told.contains(gap)).collect();
        let place = format!("{}: entry at {at:#x}: {new:?}", image.display());
        if facts(&report) != facts(&whole) {
            let named =
                |gap: &&Gap| gap.offset.is_some() || gap.path.is_some() || gap.detail.contains(" at ");
            assert!(new.iter().any(named), "{place}\n{:?}", report.verdict);
        }
        tried += 1;
        hurt += usize::from(facts(&report)["images"] != facts(&whole)["images"]);
    }
    (hurt, tried)
}

#[test]
fn a_cluster_that_cannot_be_read_is_told_in_the_report_of_a_node() {
    let mut all = Vec::new();
    for (name, most) in [("cos", 60), ("lvm", 30), ("btrfs", 30), ("k3s", 30), ("flatcar", 30)] {
        let (hurt, tried) = check_node(&fixture(&format!("nodes/{name}.qcow2")), most);
        all.push((name, hurt, tried));
    }
    // What is on a disk of one image is mostly of no use to a scan.
    assert!(all.iter().all(|(_, hurt, tried)| hurt * 2 < *tried), "{all:?}");
}

#[test]
fn a_cluster_that_cannot_be_read_leaves_other_images_as_they_are() {
    let (hurt, tried) = check_node(&fixture("demo/node.qcow2"), 20);
    assert!(hurt * 2 < tried, "{hurt} of {tried} clusters cost images");
}
