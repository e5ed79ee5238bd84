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
fn inputs() -> Option<Vec<(String, Option<Vec<u8>>)>> {
    let path = shared::path("data/corpus/corpus.tar.zst")?;
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
    Some(found)
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
fn nothing_hostile_takes_long() {
    let Some(inputs) = inputs() else { return };
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

#[test]
fn foreign_formats_are_refused_by_name_and_valid_ones_are_read() {
    let Some(inputs) = inputs() else { return };
    let (mut refused, mut valid) = (0, 0);
    for (name, bytes) in inputs {
        let Some(bytes) = bytes else { continue };
        // Text that only claims to be an image.
        let is_text = bytes.starts_with(b"Yuvraj Saxena");
        let opened = open(bytes);
        match name.split('/').next().unwrap() {
            "vhd" | "vhdx" | "vmdk" if !is_text => {
                // What was cut or damaged in its magic is no longer known.
                let code = opened.err().map(|error| error.code());
                if !name.contains("/mutated/") || code.is_some() {
                    assert_eq!(code, Some(Code::UnsupportedDiskFormat), "{name}");
                }
                refused += 1;
            }
            "qcow2" if name.contains("/valid_") => {
                let disk = opened.unwrap().source;
                let mut raw = vec![0; usize::try_from(disk.size()).unwrap()];
                disk.read_at(&mut raw, 0).unwrap();
                assert_eq!(format!("{:x}", Sha256::digest(&raw))[..16], *"b9dfe1cf4ae1dfeb", "{name}");
                valid += 1;
            }
            // A cut file and wrongly set extended L2 show only where they are read.
            "qcow2" if name.contains("/hostile/") && !["trunc", "extl2"].iter().any(|s| name.contains(s)) => {
                assert!(opened.is_err(), "{name}");
            }
            _ => {}
        }
    }
    assert!(refused > 30 && valid == 4, "{refused} refused, {valid} valid");
}

#[test]
fn references_and_encryption_are_refused_under_their_codes() {
    let Some(inputs) = inputs() else { return };
    let rows = [
        ("own/overlay_needs_backing", Code::BackingFileNotGiven),
        ("hostile/backing_dev_zero", Code::BackingFileNotGiven),
        ("hostile/backing_proc_environ", Code::BackingFileNotGiven),
        ("hostile/backing_self", Code::BackingFileNotGiven),
        ("hostile/backing_json_nbd", Code::UnsupportedFeature),
        ("hostile/datafile_etc_passwd", Code::BackingFileNotGiven),
        ("hostile/incompat_unknown40", Code::UnsupportedFeature),
        ("encrypted-legacy-aes", Code::EncryptedVolume),
    ];
    for (part, code) in rows {
        let (name, bytes) = inputs.iter().find(|(name, _)| name.contains(part)).unwrap();
        let error = open(bytes.clone().unwrap()).err().unwrap();
        assert_eq!(error.code(), code, "{name}: {}", error.detail());
    }
}
