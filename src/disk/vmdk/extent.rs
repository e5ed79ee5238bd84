//! A sparse extent as a source: the part of the disk that it holds.

use std::{io, sync::Arc};

use zerocopy::FromBytes;

use super::{
    format::RawMarker,
    layout::{Entries, Layout, SECTOR},
    tables::Tables,
};
use crate::{
    block::{Cache, Key, ReadAt, Source},
    disk::{
        inflate::{Decoder, Inflater},
        runs::{self, Place},
    },
    error::FormatError,
    num,
};

const GRAIN: &str = "VMDK grain";
const COMPRESSED: &str = "compressed VMDK grain";
/// Deflate does not make data much larger.
const SLACK: u64 = 4096;

/// An opened sparse extent.
pub(super) struct Extent {
    pub(super) layout: Layout,
    pub(super) tables: Tables,
    pub(super) file: Source,
    /// The same part of the parent.
    pub(super) parent: Option<Source>,
    pub(super) inflater: Inflater,
    /// Decompressed grains.
    pub(super) grains: Arc<Cache>,
    /// The extent's number in its chain.
    pub(super) number: u64,
}

impl ReadAt for Extent {
    fn size(&self) -> u64 {
        self.layout.capacity
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        runs::read(self.size(), buf, offset, self.tables.lookup(), |part, at, place| match place {
            Place::Zero => runs::below(None, part, at),
            Place::Hole => runs::below(self.parent.as_ref(), part, at),
            Place::Data(host) => self.file.read_at(part, host).map_err(FormatError::reading(GRAIN, host)),
            Place::Packed(host) => self.packed(part, at, host),
        })
    }

    fn will_need(&self, offset: u64, length: u64) {
        let end = offset.saturating_add(length).min(self.size());
        let sources = (&self.file, self.parent.as_ref());
        runs::announce((offset, end), self.tables.lookup(), sources, self.layout.grain);
    }
}

impl Extent {
    /// Copies what the grain that begins at `host` holds of the disk's bytes at `at`.
    fn packed(&self, part: &mut [u8], at: u64, host: u64) -> Result<(), FormatError> {
        let grain = self.layout.grain;
        let within = at & grain.wrapping_sub(1);
        let start = at.saturating_sub(within);
        // The last grain may end with the disk.
        let length = num::to_usize(grain.min(self.size().saturating_sub(start)));
        if part.len() == length {
            return self.inflate(part, start, host);
        }
        let key = Key { image: self.number, block: host };
        let bytes = match self.grains.find(key).filter(|kept| kept.len() >= length) {
            Some(kept) => kept,
            None => {
                let mut bytes = vec![0; length];
                self.inflate(&mut bytes, start, host)?;
                let bytes = Arc::new(bytes);
                self.grains.keep(key, Arc::clone(&bytes));
                bytes
            }
        };
        let from = num::to_usize(within);
        if let Some(from) = bytes.get(from..from.saturating_add(part.len())) {
            part.copy_from_slice(from);
        }
        Ok(())
    }

    fn inflate(&self, grain: &mut [u8], start: u64, host: u64) -> Result<(), FormatError> {
        self.inflater.with(|decoder| {
            let whole = self.load(decoder, start, host)?;
            decoder.fill(grain).map_err(|problem| match whole {
                true => FormatError::corrupt(COMPRESSED, host, problem),
                false => FormatError::reading(COMPRESSED, host)(io::ErrorKind::UnexpectedEof.into()),
            })
        })
    }

    /// Reads the compressed data of a grain; false if the file ends before it may.
    fn load(&self, decoder: &mut Decoder, start: u64, host: u64) -> Result<bool, FormatError> {
        let most = self.layout.grain.saturating_mul(2).saturating_add(SLACK);
        let left = self.file.size().saturating_sub(host);
        let marked = matches!(self.layout.entries, Entries::Compressed { markers: true, .. });
        if !marked {
            // How long it is is known to its end only.
            self.read(&mut decoder.input, 0, host, most.min(left))?;
            return Ok(most <= left);
        }
        // Streams have sectors; the first one holds the marker and the data's beginning.
        self.read(&mut decoder.input, 0, host, SECTOR)?;
        let corrupt = |problem: String| FormatError::corrupt(COMPRESSED, host, problem);
        let marker = RawMarker::ref_from_prefix(&decoder.input);
        let (lba, size) = marker
            .map(|(m, _)| (m.lba.get(), u64::from(m.size.get())))
            .map_err(|_| corrupt("it is cut".into()))?;
        if lba.checked_mul(SECTOR) != Some(start) {
            let expected = start.checked_div(SECTOR).unwrap_or(0);
            return Err(corrupt(format!("it is marked as that of sector {lba}, not {expected}")));
        }
        if size == 0 || size > most {
            return Err(corrupt(format!("{size} bytes of compressed data")));
        }
        let length = size.saturating_add(num::to_u64(size_of::<RawMarker>()));
        if let Some(more) = length.checked_sub(SECTOR).filter(|more| *more > 0) {
            self.read(&mut decoder.input, num::to_usize(SECTOR), host.saturating_add(SECTOR), more)?;
        }
        decoder.input.truncate(num::to_usize(length));
        decoder.input.drain(..size_of::<RawMarker>());
        Ok(true)
    }

    /// Reads into `input` from index `from`.
    fn read(&self, input: &mut Vec<u8>, from: usize, at: u64, length: u64) -> Result<(), FormatError> {
        input.resize(from.saturating_add(num::to_usize(length)), 0);
        let part = input.get_mut(from..).unwrap_or_default();
        self.file.read_at(part, at).map_err(FormatError::reading(COMPRESSED, at))
    }
}
