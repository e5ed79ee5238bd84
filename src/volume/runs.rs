//! Requests that are served run by run: how far one goes is known when it is looked for.

use std::io;

use crate::{limits, num};

/// Fills `buf` from `at`: `run` says where the bytes at an offset are and how many of those wanted follow there, and `fill`
/// reads them.
pub(super) fn read<P>(
    buf: &mut [u8],
    at: u64,
    run: impl Fn(u64, u64) -> io::Result<(P, u64)>,
    fill: impl Fn(P, &mut [u8], u64) -> io::Result<()>,
) -> io::Result<()> {
    let (mut rest, mut at) = (buf, at);
    while !rest.is_empty() {
        let (place, length) = run(at, num::to_u64(rest.len()))?;
        let (piece, behind) = rest.split_at_mut(num::to_usize(length));
        fill(place, piece, at)?;
        at = at.saturating_add(length);
        rest = behind;
    }
    Ok(())
}

/// Passes on a hint for `length` bytes from `at`: `pass` does so for the run at an offset, of the bytes that are left, and
/// says how many these were; `None` ends it.
pub(super) fn hint(at: u64, length: u64, mut pass: impl FnMut(u64, u64) -> Option<u64>) {
    let mut done = 0;
    for _ in 0..limits::HINTED_RUNS {
        if done >= length {
            return;
        }
        let Some(here) = pass(at.saturating_add(done), length.saturating_sub(done)) else { return };
        done = done.saturating_add(here.max(1));
    }
}
