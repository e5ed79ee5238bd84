//! Replay, to come.
use super::volume::Volume;
use crate::{error::FormatError, gap::Code};
pub(super) fn not_replayed(error: &FormatError) -> FormatError {
    let what = format!("the btrfs log is not replayed: {}", error.detail());
    FormatError::Unsupported { code: Code::JournalNotReplayed, what }
}
pub(super) fn replay(_volume: &mut Volume, _log: (u64, u8)) -> Result<(), FormatError> {
    Err(FormatError::unsupported("later"))
}
