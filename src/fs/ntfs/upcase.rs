//! The upper case of names ("$UpCase"): a table of the upper case of each UTF-16 unit, by which names are compared.

use super::{
    attribute::DATA,
    data,
    volume::{UPCASE, Volume},
};
use crate::{bytes::units, error::FormatError};

/// Units of UTF-16.
const UNITS: usize = 1 << 16;

/// The table of a volume.
pub(super) struct Upcase(Vec<u16>);

/// Reads the table.
pub(super) fn read(volume: &Volume) -> Result<Upcase, FormatError> {
    let inode = volume.inode(UPCASE)?;
    let table = inode.attribute(DATA, &[]).filter(|data| data.size() == 2 << 16 && data.refused().is_none());
    let table = table.ok_or_else(|| inode.corrupt("the table of upper case has no 65536 entries"))?;
    let mut bytes = vec![0; UNITS.saturating_mul(2)];
    data::read_plain(&volume.source, &volume.boot, table, &mut bytes, 0)?;
    Ok(Upcase(units(&bytes)))
}

impl Upcase {
    /// A name in upper case.
    pub(super) fn fold(&self, name: &[u16]) -> Vec<u16> {
        name.iter().map(|unit| self.0.get(usize::from(*unit)).copied().unwrap_or(*unit)).collect()
    }
}
