//! The table of internal snapshots (specification: Snapshots).

use zerocopy::FromBytes;

use super::{
    format::RawSnapshot,
    geometry::Geometry,
    header::{Table, check_l1},
};
use crate::{
    block::{ReadAt, read_vec},
    bytes::be64,
    disk::snapshot_missing,
    error::FormatError,
    limits, num,
};

const NAME: &str = "qcow2 snapshot table";

/// An internal snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Snapshot {
    id: String,
    name: String,
    /// Its L1 table.
    pub(super) l1: Table,
    /// Bytes of the disk when it was taken, if it says so.
    pub(super) size: Option<u64>,
}

/// The snapshot with this id, or else with this name.
pub(super) fn find(
    file: &dyn ReadAt,
    table: Table,
    geometry: Geometry,
    wanted: &str,
) -> Result<Snapshot, FormatError> {
    if table.entries == 0 {
        return Err(snapshot_missing(format!("no snapshot {wanted:?}: the image has none")));
    }
    if geometry.within(table.offset) != 0 {
        return Err(FormatError::corrupt(NAME, table.offset, "not at the start of a cluster"));
    }
    let length = file.size().saturating_sub(table.offset).min(limits::QCOW2_SNAPSHOT_BYTES);
    let bytes = read_vec(file, NAME, table.offset, num::to_usize(length))?;
    let all = parse(&bytes, table)?;
    let by_id = all.iter().find(|snapshot| snapshot.id == wanted);
    let Some(found) = by_id.or_else(|| all.iter().find(|snapshot| snapshot.name == wanted)) else {
        let names: Vec<String> = all.iter().map(|s| format!("{} ({:?})", s.id, s.name)).collect();
        let what = format!("no snapshot {wanted:?}; the image has {}", names.join(", "));
        return Err(snapshot_missing(what));
    };
    if let Some(size) = found.size {
        check_l1(geometry, found.l1, size, table.offset)?;
    }
    Ok(found.clone())
}

fn parse(bytes: &[u8], table: Table) -> Result<Vec<Snapshot>, FormatError> {
    let mut all = Vec::new();
    let mut rest = bytes;
    for number in 0..table.entries {
        let parsed = RawSnapshot::ref_from_prefix(rest).ok().and_then(|(raw, tail)| entry(raw, tail));
        let Some((snapshot, length)) = parsed else {
            let problem = format!("entry {number} of {} is cut", table.entries);
            return Err(FormatError::corrupt(NAME, table.offset, problem));
        };
        all.push(snapshot);
        rest = rest.get(length.next_multiple_of(8)..).unwrap_or_default();
    }
    Ok(all)
}

/// An entry and its length without padding; `tail` is what follows its fixed part.
fn entry(raw: &RawSnapshot, tail: &[u8]) -> Option<(Snapshot, usize)> {
    let (extra, tail) = tail.split_at_checked(num::index(raw.extra_length.get()))?;
    let (id, tail) = tail.split_at_checked(usize::from(raw.id_length.get()))?;
    let name = tail.get(..usize::from(raw.name_length.get()))?;
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let length = [extra, id, name].iter().map(|part| part.len()).sum::<usize>();
    // After the 64-bit size of the VM state.
    let size = be64(extra, 8);
    let l1 = Table { offset: raw.l1_table_offset.get(), entries: raw.l1_size.get() };
    Some((
        Snapshot { id: text(id), name: text(name), l1, size },
        length.saturating_add(size_of::<RawSnapshot>()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Memory;

    const GEOMETRY: Geometry =
        Geometry { cluster_bits: 9, extended: false, zero_flag: true, data_file: false };

    fn raw(l1: u64, id: &str, name: &str, size: u64) -> Vec<u8> {
        let mut bytes = l1.to_be_bytes().to_vec();
        bytes.extend(1u32.to_be_bytes());
        bytes.extend(u16::try_from(id.len()).unwrap().to_be_bytes());
        bytes.extend(u16::try_from(name.len()).unwrap().to_be_bytes());
        bytes.extend([0; 20]);
        bytes.extend(16u32.to_be_bytes());
        bytes.extend([0; 8]);
        bytes.extend(size.to_be_bytes());
        bytes.extend(id.as_bytes());
        bytes.extend(name.as_bytes());
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }

    #[test]
    fn an_id_goes_before_a_name_and_an_unknown_one_names_all() {
        let bytes = [raw(512, "1", "2", 100), raw(1024, "2", "before", 200)].concat();
        let table = Table { offset: 0, entries: 2 };
        let find = |wanted| find(&Memory::new(bytes.clone()), table, GEOMETRY, wanted);
        assert_eq!(find("2").unwrap().l1.offset, 1024);
        assert_eq!(find("before").unwrap().size, Some(200));
        assert_eq!(
            find("after").unwrap_err().detail(),
            "no snapshot \"after\"; the image has 1 (\"2\"), 2 (\"before\")"
        );
    }

    #[test]
    fn a_cut_table_is_an_error() {
        let bytes = raw(512, "1", "name", 100);
        for length in 0..bytes.len() - 7 {
            let file = Memory::new(&bytes[..length]);
            assert!(find(&file, Table { offset: 0, entries: 1 }, GEOMETRY, "1").is_err(), "{length}");
        }
    }
}
