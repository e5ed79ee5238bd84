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

#[test]
fn a_backup_is_used_where_the_beginning_was_wiped_and_nothing_else_lies_there() {
    let shown = |bytes: &[u8]| {
        let table = volume::volumes(&(Arc::new(Memory::new(bytes.to_vec())) as Source), 0).unwrap();
        let places: Vec<(String, u64)> = table.volumes.iter().map(|v| (v.id.clone(), v.start)).collect();
        (places, notes(&table))
    };
    let mut bytes = zstd::decode_all(&*fixture("gpt.img.zst")).unwrap();
    let (places, _) = shown(&bytes);
    assert!(places.len() > 1);
    bytes[..34 * 512].fill(0);
    let (wiped, told) = shown(&bytes);
    assert_eq!(wiped, places);
    assert!(told.len() == 1 && told[0].contains("backup header at 0x17ffe00 used"), "{told:?}");
    // An ext file system on the whole disk leaves the first sectors, and what lies at the end.
    bytes[1024 + 56..1024 + 58].copy_from_slice(&[0x53, 0xef]);
    assert_eq!(shown(&bytes), (vec![("disk0".to_owned(), 0)], vec![]));
}
