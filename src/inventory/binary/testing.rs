//! Programs for tests.

/// Where [`elf`] is loaded.
pub(super) const BASE: u64 = 0x40_0000;

/// An ELF with these sections, one after another from offset 0x100 on, all loaded and writable; then names and table.
pub(in crate::inventory) fn elf(big: bool, wide: bool, sections: &[(&str, &[u8])]) -> Vec<u8> {
    let number = |value: u64, length: usize| match big {
        true => value.to_be_bytes()[8 - length..].to_vec(),
        false => value.to_le_bytes()[..length].to_vec(),
    };
    let word = if wide { 8 } else { 4 };
    let (mut data, mut names, mut rows) = (Vec::new(), vec![0u8], Vec::new());
    let mut row = |name: u64, kind: u64, offset: u64, size: u64| {
        let fields = [(name, 4), (kind, 4), (3, word), (BASE + offset, word), (offset, word), (size, word)];
        let rest = if wide { 24 } else { 16 };
        rows.extend(fields.iter().flat_map(|(value, length)| number(*value, *length)));
        rows.extend(vec![0; rest]);
    };
    row(0, 0, 0, 0);
    for (name, bytes) in sections.iter().chain([&(".shstrtab", &[][..])]) {
        let start = names.len() as u64;
        names.extend(name.bytes().chain([0]));
        let bytes = if *name == ".shstrtab" { &names } else { *bytes };
        row(start, 1, 0x100 + data.len() as u64, bytes.len() as u64);
        data.extend_from_slice(bytes);
        data.resize(data.len().next_multiple_of(16), 0);
    }
    let (header, segment, section) = if wide { (64, 56, 64) } else { (52, 32, 40) };
    let size = 0x100 + data.len() as u64;
    let mut file = vec![0x7f, b'E', b'L', b'F', 1 + u8::from(wide), 1 + u8::from(big), 1, 0];
    file.resize(16, 0);
    let count = sections.len() as u64 + 2;
    let fields = [
        (2, 2),
        (62, 2),
        (1, 4),
        (BASE, word),
        (header, word),
        (size, word),
        (0, 4),
        (header, 2),
        (segment, 2),
    ];
    let counts = [(1, 2), (section, 2), (count, 2), (count - 1, 2)];
    file.extend(fields.iter().chain(&counts).flat_map(|(value, length)| number(*value, *length)));
    let load: &[(u64, usize)] = match wide {
        true => &[(1, 4), (6, 4), (0, 8), (BASE, 8), (BASE, 8), (size, 8), (size, 8), (16, 8)],
        false => &[(1, 4), (0, 4), (BASE, 4), (BASE, 4), (size, 4), (size, 4), (6, 4), (16, 4)],
    };
    file.extend(load.iter().flat_map(|(value, length)| number(*value, *length)));
    file.resize(0x100, 0);
    file.extend(data);
    file.extend(rows);
    file
}
