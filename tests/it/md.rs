//! MD arrays against what was laid out over their members (`scripts/make-md.py`). `$ICECORE_MD` is a directory of all
//! variants; a few are fixtures.

#[path = "md/reshape.rs"]
mod reshape;
#[path = "md/stack.rs"]
mod stack;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use icecore::{
    block::{
        self, Memory, ReadAt, Source,
        fault::{Fault, Faulty, When},
    },
    gap::Code,
    scan,
    volume::{self, Assembled},
};
use sha2::{Digest, Sha256};

use crate::judged;

/// What is not read as a whole array even with all members, or is told of: see the tests below.
const SPECIAL: [&str; 10] = [
    "raid0-zones-unknown",
    "reshape",
    "unknown",
    "stale",
    "failed",
    "journal",
    "parted",
    "parted-end",
    "over",
    "replacing",
];

/// Members that lack something, which the others have.
const HURT: [&str; 3] = ["bad-blocks", "bad-blocks-end", "recovering"];

struct Variant {
    dir: PathBuf,
    name: String,
    id: String,
    size: u64,
    sum: String,
    count: usize,
    /// Sets of members without which it is read.
    spared: BTreeSet<Vec<usize>>,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("disk-fixtures/md")
}

fn directory() -> PathBuf {
    std::env::var_os("ICECORE_MD").map_or_else(fixtures, PathBuf::from)
}

fn variants(dir: &Path) -> Vec<Variant> {
    let text = std::fs::read_to_string(dir.join("truth.tsv")).unwrap();
    let of = |line: &str| {
        let [name, id, size, sum, count, spared] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let set = |set: &str| set.split(',').map(|number| number.parse().unwrap()).collect();
        Variant {
            dir: dir.to_owned(),
            name: name.to_owned(),
            id: id.to_owned(),
            size: size.parse().unwrap(),
            sum: sum.to_owned(),
            count: count.parse().unwrap(),
            spared: spared.split(';').filter(|set| !set.is_empty()).map(set).collect(),
        }
    };
    text.lines().map(of).collect()
}

fn variant(name: &str) -> Option<Variant> {
    variants(&directory()).into_iter().find(|variant| variant.name == name)
}

impl Variant {
    fn members(&self) -> Vec<Vec<u8>> {
        let member = |number| {
            let path = self.dir.join(format!("{}.{number}.img.zst", self.name));
            zstd::decode_all(&*std::fs::read(path).unwrap()).unwrap()
        };
        (0..self.count).map(member).collect()
    }
}

fn memory(bytes: &[u8]) -> Source {
    Arc::new(Memory::new(bytes.to_vec()))
}

fn assemble(disks: Vec<Source>) -> Assembled {
    let volumes = disks.iter().enumerate();
    let volumes = volumes.flat_map(|(number, source)| volume::volumes(source, number).unwrap().volumes);
    volume::assemble(volumes.collect())
}

fn without(members: &[Vec<u8>], lost: &[usize]) -> Assembled {
    let given = members.iter().enumerate().filter(|(number, _)| !lost.contains(number));
    assemble(given.map(|(_, bytes)| memory(bytes)).collect())
}

fn read(source: &dyn ReadAt) -> Option<Vec<u8>> {
    block::read_vec(source, "volume", 0, usize::try_from(source.size()).unwrap()).ok()
}

fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn codes(all: &Assembled) -> Vec<(&str, Code)> {
    all.notes.iter().map(|(id, note)| (id.as_str(), note.code())).collect()
}

/// The one volume that was put together.
fn only(all: &Assembled) -> &volume::Volume {
    let [only] = &all.volumes[..] else { panic!("{} volumes, {:?}", all.volumes.len(), all.notes) };
    only
}

#[test]
fn every_array_is_what_was_laid_out() {
    let (mut arrays, mut kibibytes) = (0, 0);
    for variant in variants(&directory()).iter().filter(|variant| !SPECIAL.contains(&variant.name.as_str())) {
        let mut members = variant.members();
        arrays += 1;
        kibibytes += usize::try_from(variant.size >> 10).unwrap();
        for _ in 0..2 {
            let all = without(&members, &[]);
            let name = &variant.name;
            let array = only(&all);
            assert_eq!(codes(&all), [], "{name}");
            assert_eq!((&array.id, array.source.size()), (&variant.id, variant.size), "{name}");
            assert_eq!(sum(&read(&array.source).unwrap()), variant.sum, "{name}");
            assert_eq!(all.members.len(), variant.count, "{name}");
            members.reverse();
        }
    }
    judged::tell("md", &[(arrays, "arrays"), (kibibytes, "KiB")], 0);
}

#[test]
fn an_old_partition_table_does_not_hide_an_array() {
    let variant = variants(&fixtures()).into_iter().find(|variant| variant.name == "raid6-2").unwrap();
    let disks = variant.members().into_iter().map(|mut bytes| {
        // A partition of type 83 from sector 16 on, of 8 sectors.
        bytes[450] = 0x83;
        bytes[454..462].copy_from_slice(&[16, 0, 0, 0, 8, 0, 0, 0]);
        bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
        memory(&bytes)
    });
    let disks: Vec<Source> = disks.collect();
    let table = volume::volumes(&disks[0], 0).unwrap();
    let ids: Vec<&str> = table.volumes.iter().map(|volume| volume.id.as_str()).collect();
    assert_eq!((ids, table.notes.len()), (vec!["disk0", "disk0p1"], 1));
    let all = assemble(disks);
    let array = all.volumes.iter().find(|volume| volume.id == variant.id).unwrap();
    assert_eq!(sum(&read(&array.source).unwrap()), variant.sum);
}

#[test]
fn reads_of_any_place_and_length_agree() {
    for variant in variants(&directory()).iter().filter(|variant| !SPECIAL.contains(&variant.name.as_str())) {
        let members = variant.members();
        let lost = variant.spared.iter().next_back().filter(|_| !HURT.contains(&variant.name.as_str()));
        let lost = lost.cloned().unwrap_or_default();
        let (all, degraded) = (without(&members, &[]), without(&members, &lost));
        let whole = read(&only(&all).source).unwrap();
        let source = &only(&degraded).source;
        source.will_need(0, u64::MAX);
        for number in 0..200usize {
            let at = number * 7919 % whole.len();
            let length = (number * 911 % 30_000 + 1).min(whole.len() - at);
            let bytes = block::read_vec(source, "volume", u64::try_from(at).unwrap(), length).unwrap();
            assert!(bytes == whole[at..at + length], "{} {at} {length}", variant.name);
        }
    }
}

#[test]
fn without_members_all_is_read_that_the_level_allows() {
    let mut sets = 0;
    for variant in variants(&directory()).iter().filter(|variant| !SPECIAL.contains(&variant.name.as_str())) {
        let members = variant.members();
        let name = &variant.name;
        let whole = read(&only(&without(&members, &[])).source).unwrap();
        // A spare is none.
        let roles = if name == "spare" { variant.count - 1 } else { variant.count };
        for lost in (0..roles).flat_map(|one| (one..roles).map(move |two| vec![one, two])) {
            let lost: Vec<usize> = BTreeSet::from_iter(lost).into_iter().collect();
            if lost.len() == variant.count {
                continue;
            }
            sets += 1;
            let all = without(&members, &lost);
            assert!(
                all.notes.iter().any(|(id, note)| *id == variant.id && note.code() == Code::MissingDisk),
                "{name} {lost:?} {:?}",
                all.notes
            );
            let Some(array) = all.volumes.first() else {
                assert!(["linear", "raid0"].iter().any(|level| name.starts_with(level)), "{name} {lost:?}");
                continue;
            };
            let spared = variant.spared.contains(&lost);
            let hurt = HURT.contains(&name.as_str());
            let whole_size = array.source.size() == variant.size;
            assert!((whole_size && read(&array.source).is_some()) == spared || hurt, "{name} {lost:?}");
            let mut pages = 0;
            for (at, expected) in
                (0u64..).step_by(4096).zip(whole.chunks(4096)).take_while(|(at, _)| *at < array.source.size())
            {
                match block::read_vec(&array.source, "volume", at, expected.len()) {
                    Ok(bytes) => {
                        pages += 1;
                        assert!(bytes == expected, "{name} {lost:?} {at}");
                    }
                    Err(error) => assert!(error.detail().contains(&variant.id), "{name} {error:?}"),
                }
            }
            let none = name.starts_with("raid6") || (lost.len() > 1 && name.starts_with("raid10"));
            assert!(pages > 0 || none || hurt, "{name} {lost:?}");
        }
    }
    assert!(sets > 30, "{sets}");
}

#[test]
fn an_unreadable_place_of_a_member_is_read_from_the_others() {
    let variant = variants(&fixtures()).into_iter().find(|variant| variant.name == "raid6-2").unwrap();
    let members = variant.members();
    let disks = members.iter().enumerate().map(|(number, bytes)| -> Source {
        // Not at the same place on three of them.
        let at = 40_000 + u64::try_from(number).unwrap() / 2 * 8192;
        Arc::new(Faulty::new(memory(bytes), Fault::Error, When::Touches(at)))
    });
    let all = assemble(disks.collect());
    assert_eq!(sum(&read(&only(&all).source).unwrap()), variant.sum);
}

#[test]
fn what_is_in_no_state_to_be_read_is_named() {
    for (name, what) in [
        ("raid0-zones-unknown", "RAID 0 of members of different sizes without a layout"),
        ("unknown", "MD feature_map bits 0x100000"),
    ] {
        let Some(variant) = variant(name) else { continue };
        let all = without(&variant.members(), &[]);
        assert_eq!((all.volumes.len(), all.members.len()), (0, variant.count), "{name}");
        assert_eq!(codes(&all), [(variant.id.as_str(), Code::UnsupportedFeature)], "{name}");
        assert!(all.notes[0].1.detail().contains(what), "{name} {:?}", all.notes);
    }
}

#[test]
fn a_member_that_is_behind_is_not_used() {
    for name in ["stale", "failed"] {
        let Some(variant) = variant(name) else { continue };
        let all = without(&variant.members(), &[]);
        let expected = [("disk1", Code::CorruptStructure), (variant.id.as_str(), Code::MissingDisk)];
        assert_eq!(codes(&all), expected, "{name}");
        assert_eq!(sum(&read(&only(&all).source).unwrap()), variant.sum, "{name}");
        assert!(all.notes[1].1.detail().contains("(1 failed or removed before)"), "{:?}", all.notes);
    }
}

#[test]
#[ignore = "needs $ICECORE_MD, made by scripts/make-md.py"]
fn a_replacement_serves_as_far_as_it_is_made() {
    let variant = variant("replacing").unwrap();
    // Without what it replaces, the rest is computed; without itself, nothing is missing.
    for lost in [&[][..], &[1], &[3]] {
        let all = without(&variant.members(), lost);
        assert_eq!(codes(&all), [], "{lost:?}");
        assert_eq!(sum(&read(&only(&all).source).unwrap()), variant.sum, "{lost:?}");
    }
    let all = without(&variant.members(), &[0, 1]);
    let error = block::read_vec(&only(&all).source, "volume", 131_072, 65_536).unwrap_err();
    assert!(error.detail().contains("not recovered yet, on member 1 of MD array md/replacing"), "{error:?}");
}

#[test]
#[ignore = "needs $ICECORE_MD, made by scripts/make-md.py"]
fn logs_that_are_not_read_are_told() {
    let journal = variant("journal").unwrap();
    let all = without(&journal.members(), &[]);
    assert_eq!(codes(&all), [(journal.id.as_str(), Code::JournalNotReplayed)]);
    assert_eq!(sum(&read(&only(&all).source).unwrap()), journal.sum);
    let ppl = variant("ppl").unwrap();
    let all = without(&ppl.members(), &[0]);
    let id = ppl.id.as_str();
    assert_eq!(codes(&all), [(id, Code::MissingDisk), (id, Code::DirtyImage)]);
    assert!(all.notes[1].1.detail().contains("partial parity log"), "{:?}", all.notes);
}

#[test]
fn partitions_of_an_array_are_volumes() {
    for name in ["parted", "parted-end"] {
        let Some(variant) = variant(name) else { continue };
        let all = without(&variant.members(), &[]);
        assert_eq!(codes(&all), [], "{name}");
        let found: Vec<_> =
            all.volumes.iter().map(|volume| (volume.id.clone(), volume.source.size())).collect();
        let id = |number| format!("{}p{number}", variant.id);
        assert_eq!(found, [(id(1), 128 * 512), (id(2), 256 * 512)], "{name}");
        assert!(read(&all.volumes[1].source).unwrap().starts_with(b"p2 0000000\n"), "{name}");
        assert_eq!(all.volumes[0].names[0], format!("/dev/{}1", variant.id), "{name}");
        assert_eq!(all.volumes[0].parts, ["disk0", "disk1"]);
    }
}

#[test]
#[ignore = "needs $ICECORE_MD, made by scripts/make-md.py"]
fn arrays_of_arrays_are_put_together() {
    let variant = variant("over").unwrap();
    let members = variant.members();
    for lost in [&[][..], &[0], &[1, 2]] {
        let all = without(&members, lost);
        let array = only(&all);
        assert_eq!((array.id.as_str(), sum(&read(&array.source).unwrap())), ("md/over", variant.sum.clone()));
        assert_eq!(array.parts, ["md/under0", "md/under1"]);
        assert_eq!(codes(&all).len(), lost.len());
        assert_eq!(all.members.len(), 6 - lost.len());
    }
    let all = without(&members, &[0, 1]);
    assert!(codes(&all).contains(&("md/over", Code::MissingDisk)), "{:?}", all.notes);
}

#[test]
fn the_same_member_twice_is_used_once() {
    let variant = variants(&fixtures()).into_iter().find(|variant| variant.name == "node").unwrap();
    let mut members = variant.members();
    members.push(members[2].clone());
    let all = without(&members, &[]);
    assert_eq!(codes(&all), [("disk4", Code::CorruptStructure)]);
    assert_eq!(sum(&read(&only(&all).source).unwrap()), variant.sum);
}

#[test]
fn any_flipped_byte_of_a_superblock_is_noticed_or_changes_nothing() {
    for (name, at) in [("raid6-2", 4096), ("raid1-big", 256 << 10)] {
        let variant = variants(&fixtures()).into_iter().find(|variant| variant.name == name).unwrap();
        let members = variant.members();
        // Behind the magic, without which it is no member.
        for at in (at + 4..at + 272).step_by(3) {
            let mut members = members.clone();
            members.iter_mut().for_each(|member| member[at] ^= 0x10);
            let all = without(&members, &[]);
            let same = || read(&only(&all).source).map(|bytes| sum(&bytes)) == Some(variant.sum.clone());
            assert!(!all.notes.is_empty() || same(), "{name} {at}");
        }
    }
}

/// Makes the checksum of a superblock of version 1 right.
fn summed(superblock: &mut [u8]) {
    let count = usize::from(u16::from_le_bytes(superblock[220..222].try_into().unwrap()));
    superblock[216..220].fill(0);
    let mut bytes = superblock[..(256 + count * 2).min(superblock.len())].to_vec();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    let sum: u64 =
        bytes.chunks_exact(4).map(|word| u64::from(u32::from_le_bytes(word.try_into().unwrap()))).sum();
    let sum = (sum & 0xffff_ffff).wrapping_add(sum >> 32) & 0xffff_ffff;
    superblock[216..220].copy_from_slice(&u32::try_from(sum).unwrap().to_le_bytes());
}

#[test]
fn superblocks_that_claim_anything_end_in_an_error_or_a_bounded_volume() {
    const WILD: [u32; 14] =
        [0, 1, 2, 4, 5, 6, 10, 0x102, 0xff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, u32::MAX];
    let mut seed = 1u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    };
    let mut read = 0;
    for variant in variants(&fixtures()).iter().filter(|variant| variant.name != "raid1-big") {
        let original = variant.members();
        for _ in 0..600 {
            let mut members = original.clone();
            let changes: Vec<(usize, u32)> =
                (0..=random(3)).map(|_| (8 + random(64) * 4, WILD[random(WILD.len())])).collect();
            for member in &mut members {
                for (at, word) in &changes {
                    // The array is what all of them say; sometimes one does not.
                    if random(9) > 0 {
                        member[4096 + at..4100 + at].copy_from_slice(&word.to_le_bytes());
                    }
                }
                summed(&mut member[4096..8192]);
            }
            let all = without(&members, &[]);
            for volume in &all.volumes {
                let size = volume.source.size();
                volume.source.will_need(0, u64::MAX);
                for at in [0, 1, size / 2, size.saturating_sub(70_000)] {
                    let length = usize::try_from(size.saturating_sub(at).min(70_000)).unwrap();
                    read += usize::from(block::read_vec(&volume.source, "volume", at, length).is_ok());
                }
            }
        }
    }
    assert!(read > 1000, "{read}");
}

#[test]
fn an_array_is_no_member_of_itself() {
    // A RAID 1 whose data begins with its own superblock.
    let variant = variants(&fixtures()).into_iter().find(|variant| variant.name == "node").unwrap();
    let mut member = variant.members().swap_remove(0);
    for (at, value) in [(72, 1u64), (76, 0), (80, 512), (92, 1), (128, 0), (136, 512)] {
        let length = if [80, 128, 136].contains(&at) { 8 } else { 4 };
        member[4096 + at..4096 + at + length].copy_from_slice(&value.to_le_bytes()[..length]);
    }
    summed(&mut member[4096..8192]);
    let all = assemble(vec![memory(&member)]);
    assert_eq!(codes(&all), [("md/0", Code::CorruptStructure)]);
    assert!(all.notes[0].1.detail().contains("its array is put together without it"), "{:?}", all.notes);
    assert_eq!((all.volumes.len(), all.members.len()), (0, 2));
}

#[test]
fn a_physical_volume_of_lvm_may_lie_on_an_array() {
    let lvm = fixtures().join("../lvm");
    let mut disks: Vec<Vec<u8>> = [1, 2, 3]
        .map(|number| {
            zstd::decode_all(&*std::fs::read(lvm.join(format!("pv{number}.img.zst"))).unwrap()).unwrap()
        })
        .into();
    let expected = assemble(disks.iter().map(|bytes| memory(bytes)).collect());
    // The first of them on a RAID 1 of one member: its superblock in front, its data behind.
    let variant = variants(&fixtures()).into_iter().find(|variant| variant.name == "node").unwrap();
    let mut member = variant.members().swap_remove(0)[..64 * 512].to_vec();
    let sectors = u64::try_from(disks[0].len() / 512).unwrap();
    for (at, value) in [(72, 1u64), (76, 0), (80, sectors), (92, 1), (128, 64), (136, sectors)] {
        let length = if [80, 128, 136].contains(&at) { 8 } else { 4 };
        member[4096 + at..4096 + at + length].copy_from_slice(&value.to_le_bytes()[..length]);
    }
    summed(&mut member[4096..8192]);
    member.extend_from_slice(&disks[0]);
    disks[0] = member;
    let all = assemble(disks.iter().map(|bytes| memory(bytes)).collect());
    assert_eq!(codes(&all), []);
    for (one, other) in expected.volumes.iter().zip(&all.volumes) {
        assert_eq!(one.id, other.id);
        assert!(read(&one.source) == read(&other.source), "{}", one.id);
    }
    assert_eq!(
        all.volumes.iter().find(|volume| volume.id == "vg-one/root").unwrap().parts,
        ["disk1", "disk2", "md/0"]
    );
}

#[test]
fn a_node_on_an_array_without_a_member_is_put_together() {
    let variant = variants(&fixtures()).into_iter().find(|variant| variant.name == "node").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let given = variant.members().into_iter().enumerate().filter(|(number, _)| *number != 1);
    let disks = given.map(|(number, bytes)| {
        let path = dir.path().join(format!("disk{number}.img"));
        std::fs::write(&path, bytes).unwrap();
        path
    });
    let node = scan::open(&scan::Inputs { disks: disks.collect(), ..scan::Inputs::default() }).unwrap();
    assert_eq!(node.machine.hostname.as_deref(), Some("md-node"));
    let mounts: Vec<_> =
        node.machine.mounts.iter().map(|mount| (mount.path.to_string(), mount.volume.as_str())).collect();
    assert_eq!(mounts, [("/".to_owned(), "md/0")]);
    let root = node.machine.root.unwrap();
    assert_eq!(root.read(b"var/lib/state", "file").unwrap().unwrap(), b"here\n");
    assert_eq!(root.read(b"usr/lines", "file").unwrap().unwrap().len(), 60_000);
    let contents: Vec<_> =
        node.volumes.iter().map(|volume| (volume.id.as_str(), volume.content.as_str())).collect();
    let member = |id| (id, "MD RAID member");
    assert_eq!(contents, [member("disk0"), member("disk1"), member("disk2"), ("md/0", "ext4")]);
    let gap = node.gaps.iter().find(|gap| gap.subject == "md/0").unwrap();
    assert_eq!(gap.code, Code::MissingDisk);
    assert!(
        gap.detail.contains("MD array md/0 without some of its 4 members (1 not given)"),
        "{}",
        gap.detail
    );
    assert!(node.unread.is_empty());
}
