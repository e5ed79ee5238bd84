//! A small disk by hand: what the tests of this folder change one field of.

use super::{
    checksum::checksum,
    format::{
        BAT, FILE_PARAMETERS, HEADER_BYTES, HEADERS, LOCATOR_TYPE, LOGICAL_SECTOR, METADATA, PARENT_LOCATOR,
        REGION_TABLE_BYTES, REGION_TABLES, VIRTUAL_DISK_SIZE,
    },
};

/// Bytes of a MiB; the log, metadata, the table and two payload blocks begin at 1 to 5 of them.
pub(super) const MIB: usize = 1 << 20;
/// Where the items of the metadata are.
pub(super) const PARAMETERS: usize = 2 * MIB + 65536;
pub(super) const SIZE: usize = PARAMETERS + 8;
pub(super) const SECTOR: usize = SIZE + 8;
pub(super) const LOCATOR: usize = SECTOR + 4;

/// The disk with bytes changed at offsets, and its checksums made right again.
pub(super) fn resealed(bytes: Vec<u8>, changes: &[(usize, &[u8])]) -> Vec<u8> {
    let mut bytes = changed(bytes, changes);
    let headers = HEADERS.map(|at| (at, HEADER_BYTES));
    let tables = REGION_TABLES.map(|at| (at, REGION_TABLE_BYTES));
    for (at, length) in headers.into_iter().chain(tables) {
        let at = usize::try_from(at).unwrap();
        let sum = checksum(&bytes[at..at + length]).to_le_bytes();
        bytes[at + 4..at + 8].copy_from_slice(&sum);
    }
    bytes
}

/// The same, with the checksums as they were.
pub(super) fn changed(mut bytes: Vec<u8>, changes: &[(usize, &[u8])]) -> Vec<u8> {
    for (at, value) in changes {
        bytes[*at..at + value.len()].copy_from_slice(value);
    }
    bytes
}

/// Four blocks of 1 MiB: 1, not present, zeros, 2. The second header is current.
pub(super) fn image() -> Vec<u8> {
    let mut bytes = [vec![0; 4 * MIB], vec![1; MIB], vec![2; MIB]].concat();
    bytes = changed(bytes, &[(0, b"vhdxfile")]);
    for (sequence, at) in [(5, 65536), (6, 131_072)] {
        let header =
            [(0, &b"head"[..]), (8, &[sequence]), (32, &[7; 16]), (66, &[1]), (70, &[16]), (74, &[16])];
        bytes = changed(bytes, &header.map(|(offset, value)| (at + offset, value)));
    }
    let region = |guid: [u8; 16], mib: u8| {
        [&guid[..], &[0, 0, mib << 4, 0, 0, 0, 0, 0, 0, 0, 16, 0, 1, 0, 0, 0]].concat()
    };
    let table = [b"regi\0\0\0\0\x02\0\0\0\0\0\0\0", &region(METADATA, 2)[..], &region(BAT, 3)].concat();
    let mut metadata = b"metadata\0\0\x04\0".to_vec();
    metadata.resize(32, 0);
    let items = [
        (FILE_PARAMETERS, PARAMETERS, 8u32),
        (VIRTUAL_DISK_SIZE, SIZE, 8),
        (LOGICAL_SECTOR, SECTOR, 4),
        (PARENT_LOCATOR, LOCATOR, 1000),
    ];
    for (guid, at, length) in items {
        let offset = u32::try_from(at - 2 * MIB).unwrap().to_le_bytes();
        metadata.extend([&guid[..], &offset, &length.to_le_bytes(), &[4, 0, 0, 0, 0, 0, 0, 0]].concat());
    }
    let bat: Vec<u8> =
        [4 << 20 | 6, 0, 2, 5 << 20 | 6].iter().flat_map(|entry: &u64| entry.to_le_bytes()).collect();
    let rows: [(usize, &[u8]); 7] = [
        (196_608, &table),
        (262_144, &table),
        (2 * MIB, &metadata),
        (PARAMETERS, &[0, 0, 16]),
        (SIZE, &[0, 0, 64]),
        (SECTOR, &[0, 2]),
        (3 * MIB, &bat),
    ];
    resealed(bytes, &rows)
}

/// On that: the second half of the first block is 2; the rest is the parent's, zeros, the parent's.
pub(super) fn child(linkage: &str) -> Vec<u8> {
    let pairs = [("parent_linkage", linkage), ("absolute_win32_path", r"C:\x\base.vhdx")];
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let (mut entries, mut strings) = (Vec::new(), Vec::new());
    for text in pairs.iter().flat_map(|(key, value)| [utf16(key), utf16(value)]) {
        entries.push((u32::try_from(44 + strings.len()).unwrap(), u16::try_from(text.len()).unwrap()));
        strings.extend(text);
    }
    let mut locator = [&LOCATOR_TYPE[..], &[0, 0, 2, 0]].concat();
    for pair in entries.chunks(2) {
        locator.extend([pair[0].0.to_le_bytes(), pair[1].0.to_le_bytes()].concat());
        locator.extend([pair[0].1.to_le_bytes(), pair[1].1.to_le_bytes()].concat());
    }
    locator.extend(strings);
    // The bitmap's block is the first one, with half of the bits for 2048 sectors.
    let bitmap = [vec![0; 128], vec![0xff; 128], vec![0; MIB - 256]].concat();
    let chunk: usize = 4096;
    let rows: [(usize, &[u8]); 6] = [
        (PARAMETERS + 4, &[2]),
        (LOCATOR, &locator),
        (3 * MIB, &(5u64 << 20 | 7).to_le_bytes()),
        (3 * MIB + 24, &[0; 8]),
        (3 * MIB + chunk * 8, &(4u64 << 20 | 6).to_le_bytes()),
        (4 * MIB, &bitmap),
    ];
    resealed(image(), &rows)
}

/// A log entry that lays sectors of these bytes over places of the file.
pub(super) fn entry(sequence: u64, tail: u32, sectors: &[(u64, [u8; 4096])]) -> Vec<u8> {
    let count = u32::try_from(sectors.len()).unwrap();
    let length = u32::try_from(4096 * (1 + sectors.len())).unwrap();
    let mut bytes = [&b"loge\0\0\0\0"[..], &length.to_le_bytes(), &tail.to_le_bytes()].concat();
    bytes.extend([&sequence.to_le_bytes()[..], &count.to_le_bytes(), &[0; 4], &[3; 16]].concat());
    bytes.extend(
        [u64::try_from(MIB).unwrap().to_le_bytes(), u64::try_from(7 * MIB).unwrap().to_le_bytes()].concat(),
    );
    for (at, data) in sectors {
        let [at, sequence] = [at, &sequence].map(|value| value.to_le_bytes());
        bytes.extend([b"desc", &data[4092..], &data[..8], &at, &sequence].concat());
    }
    bytes.resize(4096, 0);
    let [low, high] = sequence.to_le_bytes().as_chunks::<4>().0[..] else { panic!("eight bytes") };
    for (_, data) in sectors {
        bytes.extend([b"data", &high[..], &data[8..4092], &low].concat());
    }
    resummed(bytes)
}

/// A log entry with its checksum made right again.
pub(super) fn resummed(entry: Vec<u8>) -> Vec<u8> {
    let sum = checksum(&entry).to_le_bytes();
    changed(entry, &[(4, &sum)])
}

/// The disk with a log of entries at places of it, in use.
pub(super) fn logged(entries: &[(usize, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = image();
    for (at, entry) in entries {
        bytes = changed(bytes, &[(MIB + at, entry)]);
    }
    resealed(bytes, &[(131_072 + 48, &[3; 16])])
}
