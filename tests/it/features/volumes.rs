//! The words of what volumes are made of: MD, thin pools, caches, LVM2's text.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use icecore::{
    FormatError,
    block::{Memory, Source},
    gap::Code,
    volume::{self, Assembled},
};

use super::{Seen, check, le, patched};
use crate::lvm_maps;

/// Bytes of each volume that are compared.
const COMPARED: u64 = 4 << 20;

fn fixture(name: &str) -> Source {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("disk-fixtures").join(format!("{name}.img.zst"));
    Arc::new(Memory::new(zstd::decode_all(&*std::fs::read(path).unwrap()).unwrap()))
}

fn bytes(source: &Source, at: usize, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    source.read_at(&mut bytes, at as u64).unwrap();
    bytes
}

fn assemble(disks: &[Source]) -> Assembled {
    let tables = disks.iter().zip(0..).map(|(disk, number)| volume::volumes(disk, number).unwrap());
    volume::assemble(tables.flat_map(|table| table.volumes).collect())
}

/// The beginnings of all volumes; `None` for one that cannot be read.
fn contents(all: &Assembled) -> BTreeMap<String, Option<Vec<u8>>> {
    let content = |source: &Source| {
        let mut bytes = vec![0; usize::try_from(source.size().min(COMPARED)).unwrap()];
        source.read_at(&mut bytes, 0).is_ok().then_some(bytes)
    };
    all.volumes.iter().map(|volume| (volume.id.clone(), content(&volume.source))).collect()
}

fn seen(whole: &BTreeMap<String, Option<Vec<u8>>>, all: &Assembled) -> Seen {
    let told: Vec<String> = all.notes.iter().map(|(id, note)| format!("{id}: {}", note.detail())).collect();
    let told = told.join(", ");
    let found = contents(all);
    if found.iter().any(|(id, bytes)| bytes.is_some() && whole.get(id) != Some(bytes)) {
        return Seen::Wrong(told);
    }
    let is_refusal =
        |note: &FormatError| matches!(note.code(), Code::UnsupportedFeature | Code::UnsupportedVolume);
    match (found == *whole, told.is_empty()) {
        (true, true) => Seen::Same,
        (true, false) => Seen::Told(told),
        (false, true) => Seen::Wrong("nothing is told".to_owned()),
        (false, false) if all.notes.iter().any(|(_, note)| is_refusal(note)) => Seen::Refused(told),
        (false, false) => Seen::Lost(told),
    }
}

#[test]
fn md() {
    for (name, row) in
        [("raid6-2", "S K L S2 R2 K S T S3 R19"), ("raid10-20201-4", "S K L S2 R2 K S T S3 R19")]
    {
        let count = if name == "raid6-2" { 5 } else { 4 };
        let members: Vec<Source> = (0..count).map(|number| fixture(&format!("md/{name}.{number}"))).collect();
        let whole = contents(&assemble(&members));
        assert!(whole.values().all(Option::is_some) && !whole.is_empty());
        let starts: Vec<usize> = members
            .iter()
            .map(|member| {
                let all = bytes(member, 0, usize::try_from(member.size()).unwrap());
                let at = all
                    .chunks(512)
                    .position(|sector| sector.starts_with(&[0xfc, 0x4e, 0x2b, 0xa9, 1, 0, 0, 0]));
                at.unwrap() * 512
            })
            .collect();
        let superblocks: Vec<u8> =
            members.iter().zip(&starts).flat_map(|(member, at)| bytes(member, *at, 1024)).collect();
        check(name, &superblocks, &[le("feature_map", 8, 32, row)], "MD", |changed| {
            let flipped = changed[8..12].to_vec();
            let disks: Vec<Source> = members
                .iter()
                .zip(superblocks.chunks(1024))
                .zip(&starts)
                .map(|((member, superblock), at)| {
                    let mut superblock = superblock.to_vec();
                    superblock[8..12].copy_from_slice(&flipped);
                    superblock[216..220].fill(0);
                    let length =
                        256 + 2 * u32::from_le_bytes(superblock[220..224].try_into().unwrap()) as usize;
                    let words = superblock[..length.next_multiple_of(4)].chunks(4);
                    let sum: u64 =
                        words.map(|word| u64::from(u32::from_le_bytes(word.try_into().unwrap()))).sum();
                    let sum = (sum & 0xffff_ffff) + (sum >> 32);
                    superblock[216..220].copy_from_slice(&sum.to_le_bytes()[..4]);
                    patched(member, *at, superblock)
                })
                .collect();
            seen(&whole, &assemble(&disks))
        });
    }
}

/// Where the device mapper's superblocks with this magic lie.
fn superblocks(disk: &Source, magic: u64) -> Vec<usize> {
    let all = bytes(disk, 0, usize::try_from(disk.size()).unwrap());
    let is_it = |block: &[u8]| block[8..16] == [0; 8] && block[32..40] == magic.to_le_bytes();
    all.chunks(4096).enumerate().filter(|(_, block)| is_it(block)).map(|(number, _)| number * 4096).collect()
}

fn seal(block: &mut [u8], salt: u32) {
    let sum = !crc32c::crc32c(&block[4..]) ^ salt;
    block[..4].copy_from_slice(&sum.to_le_bytes());
}

#[test]
fn thin_pools() {
    let disk = fixture("lvm/thin");
    let whole = contents(&assemble(&[Arc::clone(&disk)]));
    let [at] = superblocks(&disk, 27_022_010)[..] else { panic!("not one pool") };
    let words = [
        le("flags", 4, 32, "T R31"),
        le("version", 40, 32, "R32"),
        le("compat", 352, 32, "R32"),
        le("compat_ro", 356, 32, "R32"),
        le("incompat", 360, 32, "R32"),
    ];
    check("thin pool", &bytes(&disk, at, 4096), &words, "thin pool ", |mut block| {
        seal(&mut block, 160_774);
        seen(&whole, &assemble(&[patched(&disk, at, block)]))
    });
}

#[test]
fn caches() {
    let disk = fixture("lvm/cache");
    let whole = contents(&assemble(&[Arc::clone(&disk)]));
    let mut through = 0;
    for at in superblocks(&disk, 0o6_142_003) {
        let block = bytes(&disk, at, 4096);
        let seen = |mut block: Vec<u8>| {
            seal(&mut block, 9_031_977);
            seen(&whole, &assemble(&[patched(&disk, at, block)]))
        };
        // A cache that is written through is not needed: its volume is read without it, and that is told.
        let mut unknown = block.clone();
        unknown[7] = 0x80;
        let (flags, rest) = match seen(unknown) {
            Seen::Told(told) if told.starts_with("vgc/through: ") => ("S T31", "T32"),
            _ => ("S T R30", "R32"),
        };
        through += usize::from(rest == "T32");
        let words = [
            le("flags", 4, 32, flags),
            le("version", 40, 32, rest),
            le("compat", 244, 32, rest),
            le("compat_ro", 248, 32, rest),
            le("incompat", 252, 32, rest),
        ];
        check(&format!("cache at {at:#x}"), &block, &words, "cache", seen);
    }
    assert_eq!(through, 1);
}

/// LVM2 knows a segment with a flag that it does not know as one that it cannot read; flags of the list that is
/// called `flags` may be unknown.
#[test]
fn lvm2() {
    let text = |status: &str, flags: &str, kind: &str| {
        format!(
            "a {{ status=[{status}] flags=[{flags}] segment1 {{ start_extent=0 extent_count=4 type=\"{kind}\" stripes=[\"pv0\", 0] }} }}"
        )
    };
    let assemble = |text: String| lvm_maps::assemble(vec![7; 1 << 20], &text);
    let plain = |kind: &str| text("\"READ\", \"WRITE\", \"VISIBLE\"", "", kind);
    let whole = contents(&assemble(plain("striped")));
    assert_eq!(whole.len(), 1);
    let rows = [
        (plain("linear"), 'S'),
        (plain("striped+METADATA_FORMAT"), 'S'),
        (plain("striped+OTHER"), 'R'),
        (plain("striped+METADATA_FORMAT+OTHER"), 'R'),
        (plain("stripes"), 'R'),
        (text("\"READ\", \"VISIBLE\"", "\"OTHER\"", "striped"), 'S'),
    ];
    for (text, letter) in rows {
        let seen = seen(&whole, &assemble(text.clone()));
        assert_eq!(seen.letter(), letter, "{text}: {seen:?}");
    }
}
