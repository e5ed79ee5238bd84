//! Hostile and foreign disks from the shared corpus: each is read or refused by name, in bounded time.

use std::{
    io::Read,
    sync::Arc,
    time::{Duration, Instant},
};

use icecore::{
    block::{Memory, ReadAt, Source},
    disk::{self, Disk, NoSiblings, Options},
    gap::Code,
    volume,
};
use sha2::{Digest, Sha256};

use crate::shared;

const KINDS: [&str; 6] = ["qcow2/", "partition/", "otherimg/", "vhd/", "vhdx/", "vmdk/"];
/// Unpacked bytes of one input; the rest is left out.
const INPUT_BYTES: u64 = 64 << 20;
const READ_BYTES: u64 = 256 << 20;

/// The inputs of these kinds, unpacked: `None` for compressions that this crate does not read (bzip2).
fn inputs() -> Vec<(String, Option<Vec<u8>>)> {
    let path = shared::path("data/corpus/corpus.tar.zst");
    let file = zstd::Decoder::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut found = Vec::new();
    for entry in tar::Archive::new(file).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_string_lossy().trim_start_matches("./").to_owned();
        if !entry.header().entry_type().is_file() || !KINDS.iter().any(|kind| name.starts_with(kind)) {
            continue;
        }
        let mut packed = Vec::new();
        entry.read_to_end(&mut packed).unwrap();
        found.push((name.clone(), unpacked(&name, &packed)));
    }
    found
}

fn unpacked(name: &str, packed: &[u8]) -> Option<Vec<u8>> {
    let reader: Box<dyn Read> = match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("zst") => Box::new(zstd::Decoder::new(packed).unwrap()),
        Some("gz") => Box::new(flate2::read::GzDecoder::new(packed)),
        Some("bz2" | "xz" | "tgz") => return None,
        _ => Box::new(packed),
    };
    let mut bytes = Vec::new();
    reader.take(INPUT_BYTES).read_to_end(&mut bytes).unwrap();
    Some(bytes)
}

fn open(bytes: Vec<u8>) -> Result<Disk, icecore::FormatError> {
    let source: Source = Arc::new(Memory::new(bytes));
    disk::open(source, None, &Options { siblings: &NoSiblings, snapshot: None })
}

/// Reads what can be read, and asks for its volumes.
fn exercise(disk: &Disk) {
    let source = &disk.source;
    let mut buf = vec![0; 1 << 20];
    for at in (0..source.size().min(READ_BYTES)).step_by(buf.len()) {
        let length = usize::try_from(source.size() - at).unwrap().min(buf.len());
        source.will_need(at, length as u64);
        let _ = source.read_at(&mut buf[..length], at);
    }
    for at in (0..source.size()).step_by(usize::try_from(source.size() / 500 + 1).unwrap()) {
        let _ = source.read_at(&mut buf[..1], at);
    }
    if let Ok(table) = volume::volumes(source, 0) {
        for volume in table.volumes {
            let _ = volume::signature(&volume.source);
        }
    }
}

#[test]
#[ignore = "needs $ICECORE_SHARED"]
fn nothing_hostile_takes_long() {
    let inputs = inputs();
    let mut left_out = 0;
    let mut slowest = (Duration::ZERO, String::new());
    for (name, bytes) in inputs {
        let Some(bytes) = bytes else {
            left_out += 1;
            continue;
        };
        let start = Instant::now();
        if let Ok(disk) = open(bytes) {
            exercise(&disk);
        }
        slowest = slowest.max((start.elapsed(), name));
    }
    eprintln!("slowest: {slowest:?}; {left_out} packed in other ways");
    assert!(slowest.0 < Duration::from_secs(5), "{slowest:?}");
}

/// Every MiB of a disk, if it can be read.
fn parts(disk: &Disk) -> impl Iterator<Item = Option<Vec<u8>>> {
    let size = disk.source.size();
    (0..size).step_by(1 << 20).map(move |at| {
        let mut part = vec![0; usize::try_from((size - at).min(1 << 20)).unwrap()];
        disk.source.read_at(&mut part, at).is_ok().then_some(part)
    })
}

/// Valid disks with the beginning of the SHA-256 of what qemu-img reads of them, and the codes of what is told.
const VALID: [(&str, u64, &str, &[Code]); 12] = [
    ("qcow2/own/valid_", 2_097_152, "b9dfe1cf4ae1dfeb", &[]),
    ("vhd/dfvfs/ext2", 4_212_736, "870be7ae16c1fa8f", &[]),
    // qemu refuses it: its checksums are wrong in the same way.
    ("vhd/dfvfs/image.vhd", 104_448, "c6db12a7db548e19", &[Code::CorruptStructure]),
    ("vhd/sleuthkit/", 104_448, "84c172cd6e864e2a", &[]),
    ("vhdx/own/valid_", 2_097_152, "b9dfe1cf4ae1dfeb", &[]),
    ("vmdk/dfvfs/ext2", 4_194_304, "a6c2f0e39afe6c6a", &[]),
    ("vmdk/go-vmdk-parser/vmdk-monolith", 65_536, "de2f256064a0af79", &[]),
    ("vmdk/go-vmdk-parser/vmdk-streamoptimized", 65_536, "de2f256064a0af79", &[]),
    ("vmdk/osv-scalibr/valid", 268_435_456, "10808edfbc61762f", &[]),
    ("vmdk/sleuthkit/", 102_400, "854c3db1c4a07a24", &[]),
    // It lacks what lies behind its log.
    ("vhdx/own/v_dirtylog", 3_221_225_472, "", &[Code::Truncated]),
    ("vhdx/own/v_40g", 42_949_672_960, "", &[]),
];

#[test]
#[ignore = "needs $ICECORE_SHARED"]
fn valid_disks_are_what_qemu_reads() {
    let inputs = inputs();
    let mut seen = 0;
    for (name, bytes) in inputs {
        let Some((bytes, (_, size, sum, codes))) =
            bytes.zip(VALID.iter().find(|(part, ..)| name.starts_with(part)))
        else {
            continue;
        };
        let disk = open(bytes).unwrap_or_else(|error| panic!("{name}: {}", error.detail()));
        let told: Vec<Code> = disk.notes.iter().map(|note| note.code()).collect();
        assert_eq!((disk.source.size(), &told[..]), (*size, *codes), "{name}");
        if !sum.is_empty() {
            let mut sha = Sha256::new();
            parts(&disk).for_each(|part| sha.update(part.unwrap()));
            assert_eq!(format!("{:x}", sha.finalize())[..16], **sum, "{name}");
        }
        seen += 1;
    }
    assert_eq!(seen, 15);
}

#[test]
#[ignore = "needs $ICECORE_SHARED"]
fn a_damaged_vhdx_is_what_it_was_or_an_error() {
    let inputs = inputs();
    let whole = inputs.iter().find(|(name, _)| name.contains("vhdx/own/valid_")).unwrap();
    let whole: Vec<_> = parts(&open(whole.1.clone().unwrap()).unwrap()).map(Option::unwrap).collect();
    let (mut right, mut wrong) = (0, 0);
    for (name, bytes) in inputs.into_iter().filter(|(name, _)| name.starts_with("vhdx/mutated/")) {
        match open(bytes.unwrap()) {
            Ok(disk) if disk.format == "vhdx" => {
                for (found, expected) in parts(&disk).zip(&whole) {
                    assert!(found.as_ref().is_none_or(|found| found == expected), "{name}");
                    right += u32::from(found.is_some());
                }
            }
            // What was damaged in its magic is no longer known.
            Ok(_) | Err(_) => wrong += 1,
        }
    }
    assert!(right > 20 && wrong > 5, "{right} right, {wrong} refused");
}

#[test]
#[ignore = "needs $ICECORE_SHARED"]
fn hostile_disks_are_refused_or_fail_where_they_are_read() {
    let inputs = inputs();
    let mut refused = 0;
    for (name, bytes) in inputs {
        let kind = name.split('/').next().unwrap();
        let Some(bytes) = bytes.filter(|_| name.contains("/hostile/") && kind != "partition") else {
            continue;
        };
        match open(bytes) {
            Err(_) => refused += 1,
            // A cut file, wrongly set extended L2, and blocks that are nowhere show only where they are read.
            Ok(disk) if ["trunc", "extl2", "bat_4G", "bat_self"].iter().any(|part| name.contains(part)) => {
                assert!(kind == "qcow2" || parts(&disk).any(|part| part.is_none()), "{name}");
            }
            Ok(_) => panic!("{name} was opened"),
        }
    }
    assert!(refused > 20, "{refused}");
}

#[test]
#[ignore = "needs $ICECORE_SHARED"]
fn references_and_encryption_are_refused_under_their_codes() {
    let inputs = inputs();
    let rows = [
        ("own/overlay_needs_backing", Code::BackingFileNotGiven),
        ("hostile/backing_dev_zero", Code::BackingFileNotGiven),
        ("hostile/backing_proc_environ", Code::BackingFileNotGiven),
        ("hostile/backing_self", Code::BackingFileNotGiven),
        ("hostile/backing_json_nbd", Code::UnsupportedFeature),
        ("hostile/datafile_etc_passwd", Code::BackingFileNotGiven),
        ("hostile/incompat_unknown40", Code::UnsupportedFeature),
        ("encrypted-legacy-aes", Code::EncryptedVolume),
        ("vhd/dfvfs/fat-differential", Code::BackingFileNotGiven),
        ("vmdk/hostile/descriptor_abs_extent", Code::BackingFileNotGiven),
        ("vmdk/hostile/descriptor_device", Code::BackingFileNotGiven),
    ];
    for (part, code) in rows {
        let (name, bytes) = inputs.iter().find(|(name, _)| name.contains(part)).unwrap();
        let error = open(bytes.clone().unwrap()).err().unwrap();
        assert_eq!(error.code(), code, "{name}: {}", error.detail());
    }
}
