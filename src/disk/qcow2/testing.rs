//! A small image by hand: what the tests of this folder change one field of.

use std::io::Write;

use flate2::{Compression, write::DeflateEncoder};

/// Four clusters of 512 bytes: data (0x11), zeros, a hole, compressed (0x33). The L1 table is at 512, the L2
/// table at 1024, data at 1536, compressed data at 2048.
pub(super) fn image() -> Vec<u8> {
    let mut bytes = vec![0; 2048];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, b"QFI\xfb\0\0\0\x03");
    put(20, &9u32.to_be_bytes());
    put(24, &2048u64.to_be_bytes());
    put(36, &1u32.to_be_bytes());
    put(40, &512u64.to_be_bytes());
    put(96, &4u32.to_be_bytes());
    put(100, &112u32.to_be_bytes());
    put(512, &1024u64.to_be_bytes());
    put(1024, &1536u64.to_be_bytes());
    put(1032, &1u64.to_be_bytes());
    put(1048, &(1u64 << 62 | 2048).to_be_bytes());
    put(1536, &[0x11; 512]);
    let mut encoder = DeflateEncoder::new(bytes, Compression::default());
    encoder.write_all(&[0x33; 512]).unwrap();
    encoder.finish().unwrap()
}

/// The image with bytes changed at offsets.
pub(super) fn changed(changes: &[(usize, &[u8])]) -> Vec<u8> {
    let mut bytes = image();
    for (at, value) in changes {
        bytes[*at..at + value.len()].copy_from_slice(value);
    }
    bytes
}

/// The image with a backing file of this name and format.
pub(super) fn over(name: &str, format: Option<&str>) -> Vec<u8> {
    let format = format.unwrap_or_default();
    let length = u32::try_from(format.len()).unwrap().to_be_bytes();
    let kind: [u8; 4] = if format.is_empty() { [0; 4] } else { 0xe279_2acau32.to_be_bytes() };
    changed(&[
        (8, &256u64.to_be_bytes()),
        (16, &u32::try_from(name.len()).unwrap().to_be_bytes()),
        (112, &kind),
        (116, &length),
        (120, format.as_bytes()),
        (256, name.as_bytes()),
    ])
}
