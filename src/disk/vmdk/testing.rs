//! Small disks by hand: what the tests of this folder change one field of.

use std::io::Write;

use flate2::{Compression, write::ZlibEncoder};

/// The disk with bytes changed at offsets; it grows where they are past its end.
pub(super) fn changed(mut bytes: Vec<u8>, changes: &[(usize, &[u8])]) -> Vec<u8> {
    for (at, value) in changes {
        let end = at + value.len();
        bytes.resize(bytes.len().max(end), 0);
        bytes[*at..end].copy_from_slice(value);
    }
    bytes
}

/// A descriptor file.
pub(super) fn described(parent: &str, extents: &str) -> Vec<u8> {
    let text = format!("# Disk DescriptorFile\nversion=1\nCID=beef\nparentCID={parent}\n{extents}\n");
    text.into_bytes()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn sector(number: usize) -> usize {
    number * 512
}

/// A header of six grains of one sector each, in tables of four, with its descriptor in sector 1.
fn header(flags: u32, directory: u64) -> Vec<u8> {
    let descriptor = described("ffffffff", "RW 6 SPARSE \"disk.vmdk\"");
    let rows: [(usize, &[u8]); 9] = [
        (0, b"KDMV\x01"),
        (8, &flags.to_le_bytes()),
        (12, &[6]),
        (20, &[1]),
        (28, &[1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 3]),
        (56, &directory.to_le_bytes()),
        (73, b"\n \r\n"),
        (77, &[u8::from(flags & 0x1_0000 != 0)]),
        (sector(1), &descriptor),
    ];
    changed(vec![0; sector(3)], &rows)
}

/// Sectors of 1, nothing, zeros, 2, 3, nothing. Directories are in sectors 3 and 4, tables in 5 to 8.
pub(super) fn sparse() -> Vec<u8> {
    let tables = [words(&[9, 0, 1, 10]), words(&[11])];
    let rows: [(usize, &[u8]); 9] = [
        (sector(3), &words(&[5, 6])),
        (sector(4), &words(&[7, 8])),
        (sector(5), &tables[0]),
        (sector(6), &tables[1]),
        (sector(7), &tables[0]),
        (sector(8), &tables[1]),
        (sector(9), &[1; 512]),
        (sector(10), &[2; 512]),
        (sector(11), &[3; 512]),
    ];
    changed(header(7, 4), &rows)
}

/// The same as a stream: grains from sector 3 on, their tables and directory, footer, end.
pub(super) fn stream() -> Vec<u8> {
    let grain = |lba: u64, byte: u8| {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&[byte; 512]).unwrap();
        let data = encoder.finish().unwrap();
        let size = u32::try_from(data.len()).unwrap();
        [&lba.to_le_bytes()[..], &size.to_le_bytes(), &data].concat()
    };
    let footer = header(0x3_0005, 8);
    let rows: [(usize, &[u8]); 9] = [
        (sector(3), &grain(0, 1)),
        (sector(4), &grain(3, 2)),
        (sector(5), &grain(4, 3)),
        (sector(6), &words(&[3, 0, 1, 4])),
        (sector(7), &words(&[5])),
        (sector(8), &words(&[6, 7])),
        (sector(9) + 12, &[3]),
        (sector(10), &footer[..512]),
        (sector(12) - 1, &[0]),
    ];
    let bytes = changed(header(0x3_0005, u64::MAX), &rows);
    changed(bytes, &[(sector(12) - 1, &[0])])
}

/// Three grains of one sector: nothing, 5, nothing.
pub(super) fn cowd() -> Vec<u8> {
    let rows: [(usize, &[u8]); 4] = [
        (0, b"COWD"),
        (4, &words(&[1, 3, 3, 1, 4, 1, 0])),
        (sector(4), &words(&[5])),
        (sector(5), &words(&[0, 40])),
    ];
    changed(changed(Vec::new(), &rows), &[(sector(40), &[5; 512])])
}

/// Two grains of eight sectors: 6, zeros.
pub(super) fn se_sparse() -> Vec<u8> {
    let long = |value: u64| value.to_le_bytes();
    let rows: [(usize, &[u8]); 12] = [
        (0, &long(0xcafe_babe)),
        (8, &long(0x2_0000_0001)),
        (16, &[16]),
        (24, &[8]),
        (32, &[64]),
        (80, &[1]),
        (128, &[2]),
        (144, &[3]),
        (192, &[80]),
        (sector(1), &long(0xcafe_cafe)),
        (sector(2), &long(0x1000_0000_0000_0000)),
        (sector(3), &[long(0x3001_0000_0000_0000), long(0x2000_0000_0000_0000)].concat()),
    ];
    changed(changed(Vec::new(), &rows), &[(sector(88), &[6; 4096])])
}
