//! Which entries of the log count ([MS-VHDX] 2.3.2): the sequence whose last entry has the largest number, if it is
//! whole from the tail that this entry names.

use std::collections::HashMap;

use super::log::{Entry, Ring};
use crate::{error::FormatError, limits};

/// The active sequence, first entry first; `None` if no entry ends a whole one.
pub(super) fn active(ring: &Ring<'_>, entries: &[Entry]) -> Result<Option<Vec<Entry>>, FormatError> {
    let by_place: HashMap<u64, Entry> = entries.iter().map(|entry| (entry.at, *entry)).collect();
    let mut heads = entries.to_vec();
    heads.sort_by_key(|entry| std::cmp::Reverse(entry.sequence));
    let mut steps = 0usize;
    for head in heads {
        let mut sequence = Vec::new();
        let mut next = by_place.get(&head.tail);
        while let Some(entry) = next {
            steps = steps.saturating_add(1);
            if steps > limits::VHDX_LOG_STEPS {
                return Err(FormatError::limit("a VHDX log of many broken sequences"));
            }
            let follows = |before: &Entry| before.sequence.checked_add(1) == Some(entry.sequence);
            if !sequence.last().is_none_or(follows) || entry.sequence > head.sequence {
                break;
            }
            sequence.push(*entry);
            if entry.at == head.at {
                return Ok(Some(sequence));
            }
            next = by_place.get(&ring.behind(entry.at, entry.length));
        }
    }
    Ok(None)
}
