//! A qcow2 image as a source: the virtual disk's bytes.

use std::{io, sync::Arc};

use super::{
    entry::{Compressed, Place},
    geometry::Geometry,
    tables::Tables,
};
use crate::{
    block::{Cache, Key, ReadAt, Source, check_range},
    disk::{inflate::Inflater, runs},
    error::FormatError,
    limits, num,
};

const CLUSTER: &str = "qcow2 cluster";
const COMPRESSED: &str = "compressed qcow2 cluster";

/// An opened image.
pub(super) struct Image {
    pub(super) geometry: Geometry,
    /// Bytes of the virtual disk.
    pub(super) size: u64,
    pub(super) tables: Tables,
    pub(super) inflater: Inflater,
    /// The image file.
    pub(super) file: Source,
    /// Where standard clusters are: the image file or the external data file.
    pub(super) data: Source,
    pub(super) backing: Option<Source>,
    /// Decompressed clusters.
    pub(super) clusters: Arc<Cache>,
    /// The image's number in its chain.
    pub(super) number: u64,
}

impl ReadAt for Image {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        check_range(self.size, offset, buf.len())?;
        let mut cursor = self.tables.cursor();
        let mut at = offset;
        let mut rest = buf;
        while !rest.is_empty() {
            let (place, length) = cursor.run(at, num::to_u64(rest.len()))?;
            let (part, after) =
                rest.split_at_mut_checked(num::to_usize(length)).ok_or(io::ErrorKind::InvalidData)?;
            self.fill(part, at, place)?;
            at = at.saturating_add(length);
            rest = after;
        }
        Ok(())
    }

    fn will_need(&self, offset: u64, length: u64) {
        let mut cursor = self.tables.cursor();
        let end = offset.saturating_add(length.min(limits::HINTED_BYTES)).min(self.size);
        let mut at = offset;
        let mut pending = runs::Hint::default();
        for _ in 0..limits::HINTED_RUNS {
            // Only a hint: a damaged entry is told by the read.
            let Some(Ok((place, length))) =
                end.checked_sub(at).filter(|left| *left > 0).map(|left| cursor.run(at, left))
            else {
                break;
            };
            let host = match place {
                Place::Data(host) => Some((host, length)),
                Place::Compressed(compressed) => Some((compressed.offset, compressed.length)),
                Place::Zero => None,
                Place::Hole => {
                    if let Some(backing) = &self.backing {
                        backing.will_need(at, length);
                    }
                    None
                }
            };
            if let Some((start, length)) = host {
                pending.add(&self.data, start, length);
            }
            at = at.saturating_add(length);
        }
        pending.flush(&self.data);
    }
}

impl Image {
    fn fill(&self, part: &mut [u8], at: u64, place: Place) -> Result<(), FormatError> {
        match place {
            Place::Zero => {
                part.fill(0);
                Ok(())
            }
            Place::Hole => runs::below(self.backing.as_ref(), part, at),
            Place::Data(host) => self.data.read_at(part, host).map_err(FormatError::reading(CLUSTER, host)),
            Place::Compressed(compressed) => self.compressed(part, at, compressed),
        }
    }

    fn compressed(&self, part: &mut [u8], at: u64, compressed: Compressed) -> Result<(), FormatError> {
        let key = Key { image: self.number, block: compressed.descriptor };
        let kept = self.clusters.find(key);
        let cluster = self.geometry.cluster();
        let cluster = match kept {
            Some(cluster) => cluster,
            // A whole cluster needs no place in between, and is seldom asked for twice.
            None if num::to_u64(part.len()) == cluster => return self.inflate(part, compressed),
            None => {
                let mut bytes = vec![0; num::to_usize(cluster)];
                self.inflate(&mut bytes, compressed)?;
                let bytes = Arc::new(bytes);
                self.clusters.keep(key, Arc::clone(&bytes));
                bytes
            }
        };
        let from = num::to_usize(self.geometry.within(at));
        if let Some(from) = cluster.get(from..from.saturating_add(part.len())) {
            part.copy_from_slice(from);
        }
        Ok(())
    }

    fn inflate(&self, cluster: &mut [u8], compressed: Compressed) -> Result<(), FormatError> {
        let Compressed { offset, length, .. } = compressed;
        // The last sector may be cut where the file ends; if it is needed, the data is.
        let there = self.file.size().saturating_sub(offset).min(length);
        self.inflater.with(|decoder| {
            decoder.input.resize(num::to_usize(there), 0);
            self.file
                .read_at(&mut decoder.input, offset)
                .map_err(FormatError::reading(COMPRESSED, offset))?;
            decoder.fill(cluster).map_err(|problem| match there < length {
                true => FormatError::reading(COMPRESSED, offset)(io::ErrorKind::UnexpectedEof.into()),
                false => FormatError::corrupt(COMPRESSED, offset, problem),
            })
        })
    }
}
