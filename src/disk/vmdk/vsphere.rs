//! Sparse extents of vSphere: redo logs (ESXi Host Sparse Extents) and seSparse, of which only what qemu's driver
//! knows is known. What that driver has never seen is refused.

use zerocopy::FromBytes;

use super::{
    format::{COWD, RawCowd, RawSeSparse, RawVolatile, SE_SPARSE},
    layout::{Entries, Layout, bytes, region},
};
use crate::{
    block::{ReadAt, read_vec},
    error::FormatError,
};

const COWD_NAME: &str = "COWD header";
const COWD_TABLE: u64 = 4096;
const SE_NAME: &str = "seSparse header";
const SE_VERSION: u64 = 0x2_0000_0001;
const VOLATILE_MAGIC: u64 = 0xcafe_cafe;

/// Reads the header of a redo log.
pub(super) fn cowd(file: &dyn ReadAt) -> Result<Layout, FormatError> {
    let read = read_vec(file, COWD_NAME, 0, size_of::<RawCowd>())?;
    let raw = RawCowd::ref_from_bytes(&read).map_err(|_| FormatError::corrupt(COWD_NAME, 0, "it is cut"))?;
    if raw.magic != COWD {
        return Err(FormatError::corrupt(COWD_NAME, 0, format!("magic {:02x?}", raw.magic)));
    }
    if raw.version.get() != 1 {
        return Err(FormatError::unsupported(format!("a COWD extent of version {}", raw.version)));
    }
    let layout = Layout {
        capacity: bytes(COWD_NAME, "a capacity", raw.num_sectors.get().into())?,
        grain: bytes(COWD_NAME, "grains", raw.grain_size.get().into())?,
        per_table: COWD_TABLE,
        directory: bytes(COWD_NAME, "a grain directory at the end", raw.gd_offset.get().into())?,
        redundant: None,
        entries: Entries::Sectors { zeroed: false },
    };
    layout.checked(COWD_NAME)
}

/// Reads the headers of a seSparse extent.
pub(super) fn se_sparse(file: &dyn ReadAt) -> Result<Layout, FormatError> {
    let read = read_vec(file, SE_NAME, 0, size_of::<RawSeSparse>())?;
    let raw =
        RawSeSparse::ref_from_bytes(&read).map_err(|_| FormatError::corrupt(SE_NAME, 0, "it is cut"))?;
    if raw.magic != SE_SPARSE {
        return Err(FormatError::corrupt(SE_NAME, 0, format!("magic {:02x?}", raw.magic)));
    }
    let known = [
        ("version", raw.version.get(), SE_VERSION),
        ("grain size", raw.grain_size.get(), 8),
        ("grain table size", raw.grain_table_size.get(), 64),
        ("flags", raw.flags.get(), 0),
        ("reserved field", raw.reserved.iter().fold(0, |all, field| all | field.get()), 0),
    ];
    if let Some((what, value, _)) = known.iter().find(|(_, value, known)| value != known) {
        return Err(FormatError::unsupported(format!("a seSparse extent with the {what} {value:#x}")));
    }
    let at = region(SE_NAME, "a volatile header at the end", &raw.volatile_header)?;
    let read = read_vec(file, "seSparse volatile header", at, size_of::<RawVolatile>())?;
    let cut = |_| FormatError::corrupt("seSparse volatile header", at, "it is cut");
    let volatile = RawVolatile::ref_from_bytes(&read).map_err(cut)?;
    if volatile.magic.get() != VOLATILE_MAGIC {
        let problem = format!("magic {:#x}", volatile.magic);
        return Err(FormatError::corrupt("seSparse volatile header", at, problem));
    }
    if volatile.replay_journal.get() != 0 {
        return Err(FormatError::unsupported("a seSparse extent whose journal must be replayed"));
    }
    let layout = Layout {
        capacity: bytes(SE_NAME, "a capacity", raw.capacity.get())?,
        grain: 4096,
        per_table: 4096,
        directory: region(SE_NAME, "a grain directory at the end", &raw.grain_directory)?,
        redundant: None,
        entries: Entries::Typed {
            tables: region(SE_NAME, "grain tables at the end", &raw.grain_tables)?,
            grains: region(SE_NAME, "grains at the end", &raw.grains)?,
        },
    };
    layout.checked(SE_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{block::Memory, disk::vmdk::testing};

    #[test]
    fn every_bit_of_version_flags_and_reserved_fields_is_refused_by_name() {
        let whole = testing::se_sparse();
        assert!(se_sparse(&Memory::new(whole.clone())).is_ok());
        for (at, what) in
            [(8, "version"), (40, "flags"), (48, "reserved"), (56, "reserved"), (64, "reserved")]
        {
            for bit in 0..64 {
                let mut bytes = whole.clone();
                bytes[at + bit / 8] ^= 1 << (bit % 8);
                let error = se_sparse(&Memory::new(bytes)).unwrap_err();
                assert!(
                    error.detail().starts_with(&format!("a seSparse extent with the {what}")),
                    "{at} {bit}"
                );
            }
        }
    }
}
