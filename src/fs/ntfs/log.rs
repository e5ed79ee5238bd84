//! Whether the log ("$LogFile") was closed: its restart area, of which there are two, says whether a volume is in use.

use super::{
    attribute::DATA,
    data, fixup,
    volume::{LOG, Volume},
};
use crate::{
    bytes::{le16, le32, le64},
    error::FormatError,
    limits, num,
};

/// No client of the log.
const NONE: u16 = u16::MAX;
/// The volume was unmounted: the log is of no use any more.
const CLEAN: u16 = 0x2;
/// Where the second restart area lies if the first is damaged: the usual page.
const PAGE: u64 = 4096;

/// Whether the log was closed.
pub(super) fn is_closed(volume: &Volume) -> Result<bool, FormatError> {
    let inode = volume.inode(LOG)?;
    let log = inode.attribute(DATA, &[]).ok_or_else(|| inode.corrupt("the log has no data"))?;
    let read = |start: u64, length: u64| {
        let mut bytes = vec![0; num::to_usize(length)];
        data::read_plain(&volume.source, &volume.boot, log, &mut bytes, start).map(|()| bytes)
    };
    if log.size() < PAGE.saturating_mul(2) {
        return Err(inode.corrupt(format!("the log has {} bytes", log.size())));
    }
    let head = read(0, 512)?;
    let page = le32(&head, 16).map_or(PAGE, u64::from);
    let is_page = page.is_power_of_two() && (512..=limits::NTFS_RECORD_BYTES).contains(&page);
    let page = if is_page && head.starts_with(b"RSTR") { page } else { PAGE };
    let pages = [read(0, page)?, read(page, page)?];
    // Emptied by who made or repaired the volume.
    if pages.iter().all(|page| page.iter().all(|byte| *byte == 0xff)) {
        return Ok(true);
    }
    let areas = pages.into_iter().filter_map(area);
    let newest = areas.max_by_key(|(newest, _)| *newest);
    newest.map(|(_, closed)| closed).ok_or_else(|| inode.corrupt("the log has no sound restart area"))
}

/// How new a restart area is, and whether it says that the log was closed.
fn area(mut page: Vec<u8>) -> Option<(u64, bool)> {
    if !page.starts_with(b"RSTR") && !page.starts_with(b"CHKD") {
        return None;
    }
    fixup::apply(&mut page).ok()?;
    let area = page.get(usize::from(le16(&page, 24)?)..)?;
    let (clients, flags) = (le16(area, 12)?, le16(area, 14)?);
    Some((le64(area, 0)?, clients == NONE || flags & CLEAN != 0))
}
