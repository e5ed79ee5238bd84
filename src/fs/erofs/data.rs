//! A file's bytes.

use std::{
    io,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use super::{
    chunks, compressed,
    extents::{self, Body, Extent},
    index::Index,
    inode::{Inode, Layout},
    volume::Volume,
};
use crate::{
    block::{ReadAt, check_range},
    error::FormatError,
    num,
};

/// A file's or symbolic link's data as a source.
pub(super) struct Data {
    volume: Arc<Volume>,
    file: File,
}

/// An inode with data, and what is known of where it lies.
pub(super) struct File {
    inode: Inode,
    /// Of a compressed file, when it was needed.
    index: OnceLock<Index>,
    /// The extent that was found last: small reads in order need no other.
    last: Mutex<Option<Extent>>,
}

impl Data {
    pub(super) fn new(volume: Arc<Volume>, inode: Inode) -> Self {
        Self { volume, file: File::new(inode) }
    }
}

impl File {
    pub(super) fn new(inode: Inode) -> Self {
        Self { inode, index: OnceLock::new(), last: Mutex::default() }
    }

    /// Fills `buf` with the bytes from `offset` on, which the file has or this is an error.
    pub(super) fn read(&self, volume: &Volume, buf: &mut [u8], offset: u64) -> Result<(), FormatError> {
        check_range(self.inode.size, offset, buf.len()).map_err(|problem| self.inode.corrupt(problem))?;
        match self.inode.layout {
            Layout::Plain | Layout::Inline => self.read_flat(volume, buf, offset),
            Layout::Chunks { bits, entry } => self.read_chunks(volume, buf, offset, (bits, entry)),
            Layout::Full | Layout::Compact => self.read_compressed(volume, buf, offset),
        }
    }

    fn read_flat(&self, volume: &Volume, buf: &mut [u8], offset: u64) -> Result<(), FormatError> {
        const STRUCTURE: &str = "EROFS data";
        let mut rest = buf;
        let mut at = offset;
        while !rest.is_empty() {
            let (place, length) = self.inode.flat(&volume.superblock, at)?;
            let length = num::to_usize(length).min(rest.len());
            let (part, after) = rest.split_at_mut(length);
            let end = place.saturating_add(num::to_u64(length));
            volume.devices.check(0, &(place..end))?;
            // What lies behind the inode was probably read with it.
            let is_behind =
                place.checked_sub(self.inode.body()).is_some_and(|far| far < volume.superblock.block_size());
            let source: &dyn ReadAt = if is_behind { &volume.cached } else { &volume.source };
            source.read_at(part, place).map_err(FormatError::reading(STRUCTURE, place))?;
            at = at.saturating_add(num::to_u64(length));
            rest = after;
            if length == 0 {
                return Err(self.inode.corrupt("has no data at its end"));
            }
        }
        Ok(())
    }

    fn read_chunks(
        &self,
        volume: &Volume,
        buf: &mut [u8],
        offset: u64,
        form: (u32, u64),
    ) -> Result<(), FormatError> {
        const STRUCTURE: &str = "EROFS chunk";
        let mut rest = buf;
        let mut at = offset;
        while !rest.is_empty() {
            let end = at.saturating_add(num::to_u64(rest.len()));
            for part in chunks::parts(volume, &self.inode, form, at..end)? {
                let length = part.range.end.saturating_sub(part.range.start);
                let (bytes, after) = rest.split_at_mut(num::to_usize(length).min(rest.len()));
                match part.place {
                    None => bytes.fill(0),
                    Some(place) => {
                        let reading = FormatError::reading(STRUCTURE, place);
                        volume.source.read_at(bytes, place).map_err(reading)?;
                    }
                }
                at = part.range.end;
                rest = after;
            }
        }
        Ok(())
    }

    fn read_compressed(&self, volume: &Volume, buf: &mut [u8], offset: u64) -> Result<(), FormatError> {
        let mut rest = buf;
        let mut at = offset;
        while !rest.is_empty() {
            let extent = self.extent(volume, at)?;
            let left = num::to_usize(extent.end.saturating_sub(at));
            let (part, after) = rest.split_at_mut(left.min(rest.len()));
            let skipped = at.saturating_sub(extent.start);
            match extent.body {
                Body::Stored { place, length, form } => {
                    compressed::read(volume, &extent, (place, length, form), skipped, part)?;
                }
                Body::Fragment(place) => self.read_fragment(volume, place.saturating_add(skipped), part)?,
            }
            at = at.saturating_add(num::to_u64(part.len()));
            rest = after;
        }
        Ok(())
    }

    fn read_fragment(&self, volume: &Volume, place: u64, part: &mut [u8]) -> Result<(), FormatError> {
        // That of the packed inode itself would be without end.
        let packed = volume.superblock.packed.filter(|number| *number != self.inode.number);
        let packed = packed.ok_or_else(|| self.inode.corrupt("a fragment without a packed inode"))?;
        volume.packed(packed)?.read(volume, part, place)
    }

    /// The extent that has a byte.
    fn extent(&self, volume: &Volume, offset: u64) -> Result<Extent, FormatError> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(extent) = last.filter(|extent| (extent.start..extent.end).contains(&offset)) {
            return Ok(extent);
        }
        let extent = extents::at(volume, &self.inode, self.index(volume)?, offset)?;
        *last = Some(extent);
        Ok(extent)
    }

    fn index(&self, volume: &Volume) -> Result<&Index, FormatError> {
        match self.index.get() {
            Some(index) => Ok(index),
            None => {
                let index = Index::read(volume, &self.inode)?;
                Ok(self.index.get_or_init(|| index))
            }
        }
    }
}

impl ReadAt for Data {
    fn size(&self) -> u64 {
        self.file.inode.size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        check_range(self.file.inode.size, offset, buf.len())?;
        Ok(self.file.read(&self.volume, buf, offset)?)
    }

    fn will_need(&self, offset: u64, length: u64) {
        let inode = &self.file.inode;
        if !matches!(inode.layout, Layout::Plain | Layout::Inline) {
            return;
        }
        // An error shows when the bytes are read.
        if let Ok((place, follow)) = inode.flat(&self.volume.superblock, offset) {
            self.volume.source.will_need(place, length.min(follow));
        }
    }
}
