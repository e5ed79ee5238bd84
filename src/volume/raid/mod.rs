//! How RAID levels lay bytes over their parts, whoever describes them: MD's superblocks or LVM2's metadata (`md(4)`;
//! kernel, `drivers/md/{raid0,raid5,raid10}.c`). What a part does not give is computed from the others.

mod copies;
mod field;
mod parity;
mod rotation;
mod zones;

pub(super) use copies::Copies;
pub(super) use parity::Parity;
pub(super) use rotation::Rotation;
pub(super) use zones::{ZoneOrder, zones};

use std::io;

use crate::num;

/// Bytes that are tried at once where a part fails: the kernel's own unit of repair.
const PAGE: usize = 4096;

/// Fills `buf` by `read`, at once or, if that fails, page by page: parts may fail at different places.
pub(super) fn by_pages(
    buf: &mut [u8],
    at: u64,
    read: impl Fn(&mut [u8], u64) -> io::Result<()>,
) -> io::Result<()> {
    let failure = match read(buf, at) {
        Ok(()) => return Ok(()),
        Err(failure) => failure,
    };
    if buf.len() <= PAGE {
        return Err(failure);
    }
    let mut position = at;
    let mut rest = buf;
    while !rest.is_empty() {
        // Pages as the parts have them.
        let inside = num::to_usize(position.checked_rem(num::to_u64(PAGE)).unwrap_or(0));
        let length = PAGE.saturating_sub(inside).min(rest.len());
        let (page, behind) = rest.split_at_mut(length);
        read(page, position)?;
        position = position.saturating_add(num::to_u64(length));
        rest = behind;
    }
    Ok(())
}
