//! Arrays: blocks of values, found by a tree (kernel, `dm-array.c`).

use super::{
    blocks::{BLOCK, Blocks, Kind, le32, le64, start},
    tree::Tree,
};
use crate::{error::FormatError, num};

const KIND: Kind = Kind { name: "dm array block", salt: 595_846_735, number: 16, check };
const HEADER: usize = 24;
/// Bytes of a value: all arrays that are read have such.
const VALUE: usize = 8;
/// Values of a block; all but the last block are full.
pub(super) const VALUES: u64 = num::to_u64((BLOCK - HEADER) / VALUE);

/// The values of block number `number` of the array, which has `expected`.
pub(super) fn values(
    blocks: &Blocks,
    root: u64,
    number: u64,
    expected: u64,
) -> Result<Vec<u64>, FormatError> {
    let found = Tree::<8> { blocks, root }.find(number)?;
    let missing = || FormatError::corrupt(KIND.name, start(root), format!("the array has no block {number}"));
    let place = u64::from_le_bytes(found.ok_or_else(missing)?);
    let block = blocks.read(place, &KIND)?;
    let entries = le32(&block, 8);
    if u64::from(entries) < expected {
        let problem = format!("{entries} values, expected {expected}");
        return Err(FormatError::corrupt(KIND.name, start(place), problem));
    }
    let values = block.get(HEADER..).unwrap_or_default().chunks_exact(VALUE);
    Ok(values.take(num::to_usize(expected)).map(|value| le64(value, 0)).collect())
}

fn check(block: &[u8]) -> Result<(), String> {
    let [room, entries, value] = [4, 8, 12].map(|at| le32(block, at));
    if entries > room || u64::from(room) != VALUES || num::index(value) != VALUE {
        return Err(format!("{entries} of {room} entries with values of {value} bytes"));
    }
    Ok(())
}
