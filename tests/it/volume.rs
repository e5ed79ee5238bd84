//! Partition tables against what sfdisk says of them (`scripts/make-disks.sh`).

use std::{collections::BTreeMap, path::Path, sync::Arc};

use icecore::{
    block::{Memory, Source},
    volume::{self, Table},
};

use crate::judged;

fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("disk-fixtures/volume").join(name);
    std::fs::read(path).unwrap()
}

fn disk(name: &str) -> Source {
    Arc::new(Memory::new(zstd::decode_all(&*fixture(&format!("{name}.zst"))).unwrap()))
}

fn notes(table: &Table) -> Vec<String> {
    table.notes.iter().map(|note| note.detail()).collect()
}

#[test]
fn every_table_is_what_sfdisk_says() {
    let text = String::from_utf8(fixture("truth.tsv")).unwrap();
    let mut expected: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in text.lines() {
        let (name, partition) = line.split_once('\t').unwrap();
        expected.entry(name).or_default().push(partition);
    }
    assert_eq!(expected.len(), 12);
    let mut compared = 0;
    for (name, partitions) in expected {
        let table = volume::volumes(&disk(name), 3).unwrap();
        let found: Vec<String> = table
            .volumes
            .iter()
            .map(|volume| {
                let partition = volume.partition.as_ref().unwrap();
                assert_eq!(volume.id, format!("disk3p{}", partition.number));
                let uuid = partition.uuid.as_deref().unwrap_or_default();
                let name = partition.name.as_deref().unwrap_or_default();
                let (number, kind, size) = (partition.number, &partition.kind, volume.source.size());
                format!("{}\t{number}\t{}\t{size}\t{kind}\t{uuid}\t{name}", table.scheme, volume.start)
            })
            .collect();
        assert_eq!(found, partitions, "{name}");
        compared += found.len();
    }
    judged::tell("partition tables", &[(12, "images"), (compared, "partitions")], 0);
}

#[test]
fn what_is_not_as_it_should_be_is_noted() {
    let rows = [
        ("gpt.img", ""),
        ("gpt-4k.img", ""),
        ("gpt-hybrid.img", ""),
        ("gpt-header.img", "backup header at 0x17ffe00 used: GPT header at offset 0x200: CRC-32"),
        ("gpt-entries.img", "backup header at 0x17ffe00 used: GPT partition entries at offset 0x400: CRC-32"),
        ("gpt-both.img", "backup header at 0x17ffe00 used"),
        ("gpt-grown.img", "backup header at 0x17ffe00 used"),
        ("gpt-unprotected.img", "without a protective MBR"),
        ("gpt-cut.img", "disk0p130 ends at 0x17fae00, past the disk's end at 0x1400000"),
        ("mbr.img", ""),
        ("mbr-4k.img", ""),
        ("mbr-cut.img", "disk0p2 ends at 0xc00000, past the disk's end at 0x800000"),
    ];
    for (name, words) in rows {
        let notes = notes(&volume::volumes(&disk(name), 0).unwrap());
        assert_eq!(notes.len(), usize::from(!words.is_empty()), "{name}: {notes:?}");
        assert!(notes.iter().all(|note| note.contains(words)), "{name}: {notes:?}");
    }
}
