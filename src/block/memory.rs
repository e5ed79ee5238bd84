//! Bytes in memory: fixtures of tests, decompressed or small files.

use std::io;

use super::{ReadAt, check_range};
use crate::num;

/// A source that owns its bytes.
#[derive(Debug, Clone, Default)]
pub struct Memory(Box<[u8]>);

impl Memory {
    /// A source of these bytes.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }
}

impl ReadAt for Memory {
    fn size(&self) -> u64 {
        num::to_u64(self.0.len())
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        check_range(self.size(), offset, buf.len())?;
        let start = num::to_usize(offset);
        if let Some(from) = self.0.get(start..start.saturating_add(buf.len())) {
            buf.copy_from_slice(from);
        }
        Ok(())
    }
}

/// So many zeros.
#[derive(Debug, Clone, Copy)]
pub struct Zeros(pub u64);

impl ReadAt for Zeros {
    fn size(&self) -> u64 {
        self.0
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        check_range(self.0, offset, buf.len())?;
        buf.fill(0);
        Ok(())
    }
}
