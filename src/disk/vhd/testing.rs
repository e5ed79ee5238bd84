//! Small disks by hand: what the tests of this folder change one field of.

use super::format::{COOKIE, DYNAMIC_COOKIE, FOOTER_CHECKSUM, HEADER_CHECKSUM, checksum};

fn footer(kind: u8, id: u8) -> Vec<u8> {
    let mut bytes = vec![0; 512];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, &COOKIE);
    put(12, &[0, 1, 0, 0]);
    put(16, &512u64.to_be_bytes());
    put(28, b"win ");
    put(48, &3072u64.to_be_bytes());
    put(63, &[kind]);
    put(68, &[id; 16]);
    bytes
}

/// A disk of three blocks of 1024 bytes with the table at 1536. Blocks are a bitmap and two sectors each.
fn disk(kind: u8, id: u8, table: [u32; 3], blocks: &[(u8, [u8; 2])]) -> Vec<u8> {
    let mut bytes = [footer(kind, id), vec![0; 1536]].concat();
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(512, &DYNAMIC_COOKIE);
    put(528, &1536u64.to_be_bytes());
    put(536, &[0, 1, 0, 0, 0, 0, 0, 3, 0, 0, 4, 0]);
    put(552, &[7; 16]);
    let name: Vec<u8> = r"C:\x\base.vhd".encode_utf16().flat_map(u16::to_be_bytes).collect();
    put(576, &name);
    for (at, entry) in (1536..).step_by(4).zip(table) {
        put(at, &entry.to_be_bytes());
    }
    for (bitmap, sectors) in blocks {
        bytes.extend([[*bitmap; 512], [sectors[0]; 512], [sectors[1]; 512]].concat());
    }
    bytes.extend(footer(kind, id));
    resealed(bytes, &[])
}

/// Sectors of 1, 2, nothing, nothing, 3, 4; the blocks lie in the other order.
pub(super) fn dynamic() -> Vec<u8> {
    disk(3, 7, [7, u32::MAX, 4], &[(0xff, [3, 4]), (0xff, [1, 2])])
}

/// On that, with 9 for the second sector.
pub(super) fn child() -> Vec<u8> {
    disk(4, 8, [4, u32::MAX, u32::MAX], &[(0x40, [8, 9])])
}

/// The disk with bytes changed at offsets, its checksums made right again.
pub(super) fn resealed(mut bytes: Vec<u8>, changes: &[(usize, &[u8])]) -> Vec<u8> {
    for (at, value) in changes {
        bytes[*at..at + value.len()].copy_from_slice(value);
    }
    let end = bytes.len();
    for (at, length, cookie, field) in [
        (0, 512, &COOKIE, FOOTER_CHECKSUM),
        (512, 1024, &DYNAMIC_COOKIE, HEADER_CHECKSUM),
        (end - 512, 512, &COOKIE, FOOTER_CHECKSUM),
        (end - 511, 511, &COOKIE, FOOTER_CHECKSUM),
    ] {
        if bytes[at..].starts_with(cookie) {
            let sum = checksum(&bytes[at..end.min(at + length)], field).to_be_bytes();
            bytes[at + field..at + field + 4].copy_from_slice(&sum);
        }
    }
    bytes
}
