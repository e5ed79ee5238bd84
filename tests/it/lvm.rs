//! LVM2 volumes against what was written to the extents that lvm says are theirs (`scripts/make-lvm.sh`).

use std::{collections::BTreeMap, path::Path, sync::Arc};

use icecore::{
    block::{self, Memory, Source},
    gap::Code,
    scan,
    volume::{self, Assembled},
};
use sha2::{Digest, Sha256};

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("disk-fixtures/lvm").join(name)).unwrap()
}

fn disk(number: usize) -> Vec<u8> {
    zstd::decode_all(&*fixture(&format!("pv{number}.img.zst"))).unwrap()
}

fn assemble(disks: &[Vec<u8>]) -> Assembled {
    let volumes = disks.iter().enumerate().flat_map(|(number, bytes)| {
        let source: Source = Arc::new(Memory::new(bytes.clone()));
        volume::volumes(&source, number).unwrap().volumes
    });
    volume::assemble(volumes.collect())
}

/// Size and SHA-256 of what a logical volume should begin with.
fn truth() -> BTreeMap<String, (u64, String)> {
    let text = String::from_utf8(fixture("truth.tsv")).unwrap();
    let lines = text.lines().map(|line| {
        let [name, size, sum] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        (name.to_owned(), (size.parse().unwrap(), sum.to_owned()))
    });
    lines.collect()
}

/// The same of those that were put together; `None` for one that cannot be read.
fn found(all: &Assembled) -> BTreeMap<String, Option<(u64, String)>> {
    let one = |volume: &volume::Volume| {
        let size = volume.source.size();
        let bytes = block::read_vec(&volume.source, "volume", 0, usize::try_from(size).unwrap());
        let sum = |bytes: Vec<u8>| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        (volume.id.clone(), bytes.ok().map(|bytes| (size, sum(bytes))))
    };
    all.volumes.iter().map(one).collect()
}

fn codes(all: &Assembled) -> Vec<(&str, Code)> {
    all.notes.iter().map(|(id, note)| (id.as_str(), note.code())).collect()
}

#[test]
fn every_volume_is_what_was_written_to_its_extents() {
    let expected: BTreeMap<_, _> = truth().into_iter().map(|(name, is)| (name, Some(is))).collect();
    assert_eq!(expected.len(), 4);
    for order in [[1, 2, 3], [3, 1, 2], [2, 3, 1]] {
        let all = assemble(&order.map(disk));
        assert_eq!(codes(&all), [], "{order:?}");
        assert_eq!(found(&all), expected, "{order:?}");
        assert_eq!(all.members.len(), 3);
    }
}

#[test]
fn without_a_disk_what_does_not_need_it_is_read_and_the_rest_is_named() {
    for (given, whole, lacking) in [
        ([1, 2], &["between", "both", "root"][..], &["var"][..]),
        ([2, 3], &["both"], &["between", "root", "var"]),
        ([1, 3], &["between", "both"], &["root", "var"]),
    ] {
        let all = assemble(&given.map(disk));
        let found = found(&all);
        for name in whole {
            let id = format!("vg-one/{name}");
            assert_eq!(found[&id].as_ref(), truth().get(&id), "{given:?} {name}");
        }
        let lacking: Vec<String> = lacking.iter().map(|name| format!("vg-one/{name}")).collect();
        assert!(lacking.iter().all(|id| found[id].is_none()), "{given:?}");
        let expected: Vec<_> = lacking.iter().map(|id| (id.as_str(), Code::MissingDisk)).collect();
        assert_eq!(codes(&all), expected, "{given:?}");
    }
}

#[test]
fn a_damaged_copy_of_the_metadata_is_noted_and_another_used() {
    let mut disks = [1, 2, 3].map(disk);
    // The checksum of the header of the first disk's metadata area.
    disks[0][4096] ^= 1;
    let all = assemble(&disks);
    assert_eq!(codes(&all), [("disk0", Code::CorruptStructure)]);
    assert_eq!(found(&all).len(), 4);
    // Of all disks: what they hold is named, and nothing of it read.
    disks.iter_mut().skip(1).for_each(|disk| disk[4096] ^= 1);
    let all = assemble(&disks);
    assert_eq!(codes(&all).iter().filter(|(_, code)| *code == Code::UnsupportedVolume).count(), 3);
    assert!(all.volumes.is_empty());
}

#[test]
fn any_flipped_byte_of_the_metadata_is_noticed_or_changes_nothing() {
    let disks = [1, 2, 3].map(disk);
    let expected = found(&assemble(&disks));
    // Behind the label's magic, without which a volume is none of LVM2.
    for at in (520..1024).chain(4096..4608).step_by(3) {
        let mut disks = disks.clone();
        disks.iter_mut().for_each(|disk| disk[at] ^= 0x10);
        let all = assemble(&disks);
        assert!(!all.notes.is_empty() || found(&all) == expected, "{at}");
    }
}

#[test]
fn a_node_on_logical_volumes_is_put_together() {
    let dir = tempfile::tempdir().unwrap();
    let disks = [2, 3, 1].map(|number| {
        let path = dir.path().join(format!("pv{number}.img"));
        std::fs::write(&path, disk(number)).unwrap();
        path
    });
    let node = scan::open(&scan::Inputs { disks: disks.to_vec(), ..scan::Inputs::default() }).unwrap();
    assert_eq!(node.machine.hostname.as_deref(), Some("lvm-node"));
    let mounts: Vec<_> =
        node.machine.mounts.iter().map(|mount| (mount.path.to_string(), mount.volume.as_str())).collect();
    assert_eq!(mounts, [("/".to_owned(), "vg-one/root"), ("/var".to_owned(), "vg-one/var")]);
    let root = node.machine.root.clone().unwrap();
    assert_eq!(root.read(b"var/lib/state", "file").unwrap().unwrap(), b"here\n");
    let contents: Vec<_> =
        node.volumes.iter().map(|volume| (volume.id.as_str(), volume.content.as_str())).collect();
    assert_eq!(contents[0], ("disk0", "LVM2 physical volume"));
    assert!(contents.contains(&("vg-one/root", "ext4")));
    let Err(error) = scan::view(&node, &scan::Where::Volume("disk1".to_owned())) else { panic!("shown") };
    let error = error.to_string();
    assert!(
        error.starts_with("volume \"disk1\" holds LVM2 physical volume; what is on it is read as volume ")
    );
    assert!(error.contains("vg-one/root") && !error.contains("disk0"), "{error}");
}

#[test]
fn a_file_system_under_a_label_is_told() {
    // The label lies in the first sectors, which are free in an ext4.
    let mut bytes = disk(1);
    let root = zstd::decode_all(&*std::fs::read("disk-fixtures/ext4/ext4-1k.img.zst").unwrap()).unwrap();
    bytes[1024..2048].copy_from_slice(&root[1024..2048]);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pv1");
    std::fs::write(&path, bytes).unwrap();
    let inputs = scan::Inputs { disks: vec![path], ..scan::Inputs::default() };
    let node = scan::open(&inputs).unwrap();
    let told = node.gaps.iter().filter(|gap| gap.detail.contains("LVM2 physical volume and begins like ext"));
    assert_eq!(told.count(), 1, "{:?}", node.gaps);
}
