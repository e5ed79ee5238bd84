//! Blocks of directories ("On-disk details", Directories): entries of twelve bytes each, then their names.

use zerocopy::FromBytes;

use super::format::RawEntry;
use crate::fs::{DirEntry, FileKind, Ino};

pub(super) const STRUCTURE: &str = "EROFS directory block";
const NAME_BYTES: usize = 255;
const ENTRY: usize = size_of::<RawEntry>();

/// The entries of a block without `.` and `..`, and what contradicts the format.
pub(super) fn entries(block: &[u8]) -> (Vec<DirEntry>, Vec<String>) {
    let mut entries = Vec::new();
    let mut problems = Vec::new();
    let start = |number: usize| {
        let raw = block.get(number.checked_mul(ENTRY)?..)?;
        let (raw, _) = RawEntry::ref_from_prefix(raw).ok()?;
        Some((raw, usize::from(raw.nameoff.get())))
    };
    // The first name lies behind the last entry.
    let names = start(0).map_or(0, |(_, names)| names);
    if names < ENTRY || names > block.len() || names.checked_rem(ENTRY) != Some(0) {
        return (entries, vec![format!("the first name at {names}")]);
    }
    let count = names.checked_div(ENTRY).unwrap_or(0);
    let mut before = names;
    for number in 0..count {
        let Some((raw, at)) = start(number) else { break };
        let next = number.checked_add(1).filter(|next| *next < count).and_then(start);
        let end = next.map_or(block.len(), |(_, next)| next);
        let name = match block.get(at..end).filter(|_| at >= before) {
            Some(name) if next.is_none() => name.split(|byte| *byte == 0).next().unwrap_or_default(),
            Some(name) => name,
            None => {
                problems.push(format!("entry {number} has a name from {at} to {end}"));
                continue;
            }
        };
        before = at;
        if matches!(name, b"." | b"..") {
            continue;
        }
        let is_name =
            !name.is_empty() && name.len() <= NAME_BYTES && !name.contains(&0) && !name.contains(&b'/');
        match FileKind::from_entry(raw.file_type).filter(|_| is_name) {
            Some(kind) => entries.push(DirEntry { name: name.to_vec(), ino: Ino(raw.nid.get()), kind }),
            None => problems.push(format!(
                "entry {number} has kind {} and a name of {} bytes",
                raw.file_type,
                name.len()
            )),
        }
    }
    (entries, problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(entries: &[(&[u8], u8)]) -> Vec<u8> {
        let mut names = Vec::new();
        let mut block = Vec::new();
        for (number, (name, kind)) in entries.iter().enumerate() {
            let at = u16::try_from(entries.len() * ENTRY + names.len()).unwrap();
            block.extend((number as u64 + 36).to_le_bytes());
            block.extend(at.to_le_bytes());
            block.extend([*kind, 0]);
            names.extend_from_slice(name);
        }
        block.extend(names);
        block
    }

    #[test]
    fn a_block_is_read_and_each_lie_loses_only_its_entry() {
        let whole = block(&[(b".", 2), (b"..", 2), (b"a", 1), (b"bc", 7), (b"d", 2)]);
        let entry = |name: &[u8], ino, kind| DirEntry { name: name.to_vec(), ino: Ino(ino), kind };
        let truth = vec![
            entry(b"a", 38, FileKind::Regular),
            entry(b"bc", 39, FileKind::Symlink),
            entry(b"d", 40, FileKind::Directory),
        ];
        assert_eq!(entries(&whole), (truth.clone(), vec![]));
        let padded = [&whole[..], &[0; 100]].concat();
        assert_eq!(entries(&padded), (truth.clone(), vec![]));
        // A kind that there is not, a name that begins behind the block, names that lie before others'.
        for (at, value) in [(2 * ENTRY + 10, 9), (3 * ENTRY + 9, 0xff), (2 * ENTRY + 8, 0)] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            let (found, problems) = entries(&bytes);
            assert!(!problems.is_empty() && found.contains(&truth[2]), "{at}: {found:?} {problems:?}");
        }
        for first in [0, 7, 13, 200] {
            let mut bytes = whole.clone();
            bytes[8] = first;
            assert_eq!(entries(&bytes).0, vec![], "{first}");
        }
        assert_eq!(entries(&[]).1.len(), 1);
    }
}
