//! Small disks by hand: what the tests of this folder change one field of.

/// Four blocks of 512 bytes: 1, never written, discarded, 2. The map is at 512, data at 1024.
pub(super) fn image() -> Vec<u8> {
    let mut bytes = vec![0; 1024];
    bytes.extend([[2; 512], [1; 512]].concat());
    let map: Vec<u8> = [1, u32::MAX, u32::MAX - 1, 0].iter().flat_map(|entry| entry.to_le_bytes()).collect();
    let rows: [(usize, &[u8]); 11] = [
        (0x40, &super::header::SIGNATURE),
        (0x44, &[1, 0, 1, 0, 0x90, 1, 0, 0, 1]),
        (0x154, &[0, 2, 0, 0, 0, 4]),
        (0x168, &[0, 2]),
        (0x170, &[0, 8]),
        (0x178, &[0, 2]),
        (0x180, &[4, 0, 0, 0, 2]),
        (0x188, &[7; 16]),
        (0x198, &[8; 16]),
        (0x1a8, &[0; 16]),
        (512, &map),
    ];
    changed(bytes, &rows)
}

/// On that: discarded, 9, not written, not written.
pub(super) fn child() -> Vec<u8> {
    let mut bytes = image();
    bytes.truncate(1024);
    bytes.extend([9; 512]);
    let map: Vec<u8> =
        [u32::MAX - 1, 0, u32::MAX, u32::MAX].iter().flat_map(|entry| entry.to_le_bytes()).collect();
    changed(bytes, &[(0x4c, &[4]), (0x188, &[5; 16]), (0x1a8, &[7; 16]), (0x1b8, &[8; 16]), (512, &map)])
}

/// The disk with bytes changed at offsets.
pub(super) fn changed(mut bytes: Vec<u8>, changes: &[(usize, &[u8])]) -> Vec<u8> {
    for (at, value) in changes {
        bytes[*at..at + value.len()].copy_from_slice(value);
    }
    bytes
}
