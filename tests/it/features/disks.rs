//! The disk images' words.

use std::{path::Path, sync::Arc};

use icecore::{
    block::{self, Memory, Source},
    disk::{self, NoSiblings, Options},
};

use super::{Seen, Word, be, check, le};

fn image(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("disk-fixtures/disk").join(format!("{name}.zst"));
    zstd::decode_all(&*std::fs::read(path).unwrap()).unwrap()
}

fn open(bytes: Vec<u8>, format: &str) -> Result<disk::Disk, icecore::FormatError> {
    disk::open(Arc::new(Memory::new(bytes)), Some(format), &Options { siblings: &NoSiblings, snapshot: None })
}

fn content(source: &Source) -> Result<Vec<u8>, icecore::FormatError> {
    block::read_vec(source, "disk", 0, usize::try_from(source.size()).unwrap().min(64 << 20))
}

/// Flips the words of an image, whose checksums `seal` makes anew.
fn flip(name: &str, words: &[Word], by: &str, seal: impl Fn(&mut [u8])) {
    let format = name.rsplit('.').next().unwrap();
    let format = if format == "vhd" { "vpc" } else { format };
    let bytes = image(name);
    let whole = content(&open(bytes.clone(), format).unwrap().source).unwrap();
    check(name, &bytes, words, by, |mut bytes| {
        seal(&mut bytes);
        let disk = match open(bytes, format) {
            Ok(disk) => disk,
            Err(error) => return Seen::error(&error),
        };
        match content(&disk.source) {
            Err(error) => Seen::error(&error),
            Ok(content) if content != whole => Seen::Wrong("other content".to_owned()),
            Ok(_) if disk.notes.is_empty() => Seen::Same,
            Ok(_) => Seen::Told(disk.notes.iter().map(icecore::FormatError::detail).collect()),
        }
    });
}

#[test]
fn qcow2() {
    let words = [
        be("incompatible_features", 72, 64, "T2 K3 R59"),
        be("compatible_features", 80, 64, "S64"),
        be("autoclear_features", 88, 64, "S64"),
        be("version", 4, 32, "K R31"),
        be("crypt_method", 32, 32, "R2 L30"),
    ];
    flip("zlib.qcow2", &words, "qcow", |_| {});
}

#[test]
fn vhd() {
    for name in ["dynamic.vhd", "fixed.vhd"] {
        let at = image(name).len() - 512;
        let words = [
            // "Temporary", a bit that is always set, and bits that are reserved and should be 0: the specification asks nothing
            // of a reader, and qemu and VirtualBox do not look at them. What changes the layout has another version.
            be("features", at + 8, 32, "S32"),
            be("file format version", at + 12, 32, "R32"),
            be("disk type", at + 60, 32, "K R31"),
        ];
        flip(name, &words, "VHD", |bytes| {
            let (data, footer) = bytes.split_at_mut(at);
            footer[64..68].fill(0);
            let sum: u32 = footer.iter().map(|byte| u32::from(*byte)).sum();
            footer[64..68].copy_from_slice(&(!sum).to_be_bytes());
            if data.starts_with(b"conectix") {
                data[..512].copy_from_slice(footer);
            }
        });
    }
}

fn seal_crc32c(bytes: &mut [u8]) {
    bytes[4..8].fill(0);
    let sum = crc32c::crc32c(bytes);
    bytes[4..8].copy_from_slice(&sum.to_le_bytes());
}

#[test]
fn vhdx() {
    let bytes = image("dynamic.vhdx");
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let regions: Vec<usize> = (0..word((192 << 10) + 8)).map(|n| (192 << 10) + 16 + n * 32).collect();
    let metadata =
        regions.iter().map(|at| word(at + 16)).find(|at| bytes[*at..].starts_with(b"metadata")).unwrap();
    let items: Vec<usize> = (0..usize::from(bytes[metadata + 10])).map(|n| metadata + 32 + n * 32).collect();
    let parameters = items.iter().find(|at| bytes[**at..].starts_with(&[0x37, 0x67, 0xa1, 0xca])).unwrap();
    let mut words = vec![le("file parameters", metadata + word(parameters + 16) + 4, 32, "S K R30")];
    // An item of a user is another one. The two bits behind it tell a writer what to copy, and who does not know the item to
    // refuse; the rest is reserved ([MS-VHDX] 2.6.1.2).
    words.extend(items.iter().map(|at| le("flags of a metadata item", at + 24, 32, "R S31")));
    // "Required" is of those only who do not know the region: both are known ([MS-VHDX] 2.2.3.2), and it has no other bits.
    words.extend(regions.iter().map(|at| le("flags of a region", at + 28, 32, "S32")));
    // Of both headers the newer one counts.
    let newer = if word((64 << 10) + 8) > word((128 << 10) + 8) { 64 << 10 } else { 128 << 10 };
    words.push(le("version", newer + 66, 16, "R16"));
    // There is no log to replay, and of an empty one the version says nothing ([MS-VHDX] 2.2.2).
    words.push(le("log version", newer + 64, 16, "S16"));
    flip("dynamic.vhdx", &words, "VHDX", |bytes| {
        [64 << 10, 128 << 10].into_iter().for_each(|at| seal_crc32c(&mut bytes[at..at + 4096]));
        seal_crc32c(&mut bytes[192 << 10..256 << 10]);
    });
}

#[test]
fn vmdk() {
    for (name, version, flags, compression) in [
        ("sparse.vmdk", "R S R30", "S3 R14 S R14", "K R15"),
        ("stream.vmdk", "S2 R30", "S3 R13 S K R14", "R16"),
    ] {
        // Line ends that are whole whether they are looked at or not, a second directory that is the same, grains of zeros that
        // none of these disks has, and markers, which a stream is read without: all that is known. The others are reserved.
        let words = [
            le("version", 4, 32, version),
            le("flags", 8, 32, flags),
            le("compression", 77, 16, compression),
        ];
        flip(name, &words, "VMDK", |_| {});
    }
}

#[test]
fn vdi() {
    // Its flags tell how the image is to be made larger; they say nothing of what it holds.
    let words =
        [le("version", 0x44, 32, "R32"), le("image type", 0x4c, 32, "R32"), le("flags", 0x50, 32, "S32")];
    flip("dynamic.vdi", &words, "VDI", |_| {});
}
