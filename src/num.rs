//! Conversions between `u64` and `usize` that cannot lose: icecore builds for 64-bit targets only.

#[cfg(not(target_pointer_width = "64"))]
compile_error!("icecore needs a 64-bit target: offsets of disks are indexed as usize");

/// An offset or length as an index into memory.
#[expect(clippy::as_conversions, reason = "usize is 64 bits wide here, see compile_error above")]
pub(crate) const fn to_usize(value: u64) -> usize {
    value as usize
}

/// A length of something in memory as an offset or length on a disk.
#[expect(clippy::as_conversions, reason = "usize is 64 bits wide here, see compile_error above")]
pub(crate) const fn to_u64(value: usize) -> u64 {
    value as u64
}

/// A 32-bit count or offset as an index into memory.
pub(crate) const fn index(value: u32) -> usize {
    #[expect(clippy::as_conversions, reason = "u32 fits in a 64-bit usize")]
    {
        value as usize
    }
}
