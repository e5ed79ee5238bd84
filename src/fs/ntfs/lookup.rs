//! Names are found by descending the tree, in the order of their upper case. A name in other letters is found if there is
//! none that is exactly as asked for.

use std::{cmp::Ordering, collections::HashSet};

use super::{
    index::{Entries, Index},
    listing::directory,
    record::number,
    volume::{FIRST, Volume},
};
use crate::{error::FormatError, fs::utf16};

/// The reference of a name in a directory; `None` if there is none.
pub(super) fn look_up(volume: &Volume, dir: u64, name: &[u8]) -> Result<Option<u64>, FormatError> {
    let inode = directory(volume, dir)?;
    let Some(name) = utf16::from_bytes(name) else { return Ok(None) };
    let index = Index::of(volume, &inode)?;
    let upcase = volume.upcase()?;
    let wanted = upcase.fold(&name);
    let mut close = None;
    let mut seen = HashSet::new();
    // Each block is read once, so this ends.
    let mut todo: Vec<u64> = Vec::new();
    let mut visit = |entries: &Entries, todo: &mut Vec<u64>| {
        for entry in &entries.list {
            let order = entry.name.as_ref().map(|key| wanted.cmp(&upcase.fold(&key.units)));
            let order = order.unwrap_or(Ordering::Less);
            // Names that differ by their letters' case are side by side, also in the block before.
            if order != Ordering::Greater {
                todo.extend(entry.child);
            }
            if let Some(key) = entry.name.as_ref().filter(|_| order == Ordering::Equal)
                && number(entry.reference) >= FIRST
                && number(key.parent) == inode.record.number
            {
                if key.units == name && !key.is_dos {
                    return Some(entry.reference);
                }
                close.get_or_insert(entry.reference);
            }
            if order == Ordering::Less {
                break;
            }
        }
        None
    };
    if let Some(problem) = &index.root.problem {
        return Err(inode.corrupt(format!("the root of its index: {problem}")));
    }
    if let Some(found) = visit(&index.root, &mut todo) {
        return Ok(Some(found));
    }
    while let Some(child) = todo.pop() {
        let block = index.number(child).ok_or_else(|| {
            inode.corrupt(format!("its index: an entry leads to cluster {child} of it, where no block is"))
        })?;
        if !seen.insert(block) {
            return Err(index.corrupt(block, "the tree leads to it twice"));
        }
        let entries = index.read(block)?;
        if let Some(problem) = entries.problem {
            return Err(index.corrupt(block, problem));
        }
        if let Some(found) = visit(&entries, &mut todo) {
            return Ok(Some(found));
        }
    }
    Ok(close)
}
