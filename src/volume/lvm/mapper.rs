//! Logical volumes whose bytes the device mapper's own metadata places: thin volumes, snapshots and caches (lvm2,
//! `lib/thin/thin.c`, `lib/cache_segtype/cache.c`, `lib/snapshot/snapshot.c`, `lib/writecache/writecache.c`).

use std::sync::Arc;

use super::{
    super::dm::{Cache, Mode, Pool, Snapshot, Thin, Writecache},
    assembly::{Assembly, Lacks, OpenedPool},
    segment::{CacheParts, Kind, Segment},
};
use crate::{
    block::{Slice, Source},
    error::FormatError,
};

const METADATA: &str = "LVM2 metadata";

impl Assembly<'_> {
    /// The volume whose segment this is; `None` if its kind is not read.
    pub(super) fn mapped(
        &self,
        segment: &Segment,
        lacks: &mut Lacks,
        depth: usize,
    ) -> Result<Option<Source>, FormatError> {
        let below = |name: &str, lacks: &mut Lacks| self.source(name, lacks, depth.saturating_add(1));
        Ok(Some(match &segment.kind {
            Kind::Thin { .. } if self.is_part.get() => {
                return Err(FormatError::unsupported("thin volume that other volumes are made of"));
            }
            Kind::Thin { pool, device, origin, merging } => {
                let origin = origin.as_ref().map(|origin| below(origin, lacks)).transpose()?;
                let pool = self.pool(pool, lacks, depth)?;
                if let Some(into) = merging {
                    let what = format!("merge of a thin snapshot into {into} that was not carried out yet");
                    lacks.errors.push(FormatError::unsupported(what));
                }
                let end = segment.start.saturating_add(segment.count);
                Arc::new(Thin::open(pool, *device, end.saturating_mul(self.group.extent), origin)?)
            }
            Kind::Snapshot { store, origin } => {
                let store = below(store, lacks)?;
                Snapshot::open(store, below(origin, lacks)?, self.kept)?
            }
            Kind::WriteCached { cache, origin } => {
                let cache = below(cache, lacks)?;
                Writecache::open(cache, below(origin, lacks)?, self.kept)?
            }
            Kind::Cached { pool, origin, parts } => {
                let origin = below(origin, lacks)?;
                self.cached(pool, parts.as_ref(), origin, lacks, depth)?
            }
            _ => return Ok(None),
        }))
    }

    fn pool(&self, name: &str, lacks: &mut Lacks, depth: usize) -> Result<Arc<Pool>, FormatError> {
        let kind = self.group.logical.get(name).and_then(|logical| logical.segments.first());
        let Some(Kind::ThinPool { data, metadata, transaction }) = kind.map(|segment| &segment.kind) else {
            return Err(FormatError::corrupt(METADATA, 0, format!("no thin pool {name:?}")));
        };
        if let Some(OpenedPool { pool, missing, unread, reads }) = self.pools.borrow().get(name) {
            lacks.missing.extend(missing.iter().cloned());
            lacks.unread = lacks.unread.take().or_else(|| unread.clone());
            lacks.reads = lacks.reads.max(*reads);
            return Ok(Arc::clone(pool));
        }
        let mut own = Lacks::default();
        let (data, metadata) = self.as_part(|| {
            let mut below = |name: &str| self.source(name, &mut own, depth.saturating_add(1));
            Ok::<_, FormatError>((below(data)?, below(metadata)?))
        })?;
        let (missing, unread, reads) = (own.missing.clone(), own.unread.clone(), own.reads);
        // Told even if the pool cannot be opened: it may be why.
        lacks.add(own);
        let pool = Arc::new(Pool::open(metadata, data, self.kept)?);
        let opened = OpenedPool { pool: Arc::clone(&pool), missing, unread, reads };
        self.pools.borrow_mut().insert(name.to_owned(), opened);
        if pool.transaction != *transaction {
            let problem = format!(
                "thin pool {name} is at transaction {}, its group at {transaction}",
                pool.transaction
            );
            lacks.errors.push(FormatError::corrupt("thin pool superblock", 0, problem));
        }
        if pool.needs_check {
            let problem = format!("thin pool {name} says that it needs to be checked");
            lacks.errors.push(FormatError::corrupt("thin pool superblock", 0, problem));
        }
        Ok(pool)
    }

    fn cached(
        &self,
        name: &str,
        parts: Option<&CacheParts>,
        origin: Source,
        lacks: &mut Lacks,
        depth: usize,
    ) -> Result<Source, FormatError> {
        let depth = depth.saturating_add(1);
        let mut own = Lacks::default();
        let kind = self.group.logical.get(name).and_then(|logical| logical.segments.first());
        let (mode, opened) = match (parts, kind.map(|segment| &segment.kind)) {
            (Some(CacheParts { metadata, data, mode }), _) => {
                let slice = |source: &Source, (start, length): (u64, u64)| -> Source {
                    Arc::new(Slice::new(Arc::clone(source), start, length))
                };
                let source = self.source(name, &mut own, depth);
                (*mode, source.map(|source| (slice(&source, *metadata), slice(&source, *data))))
            }
            (None, Some(Kind::CachePool { metadata, data, mode })) => {
                let metadata = self.source(metadata, &mut own, depth);
                (*mode, metadata.and_then(|metadata| Ok((metadata, self.source(data, &mut own, depth)?))))
            }
            _ => return Err(FormatError::corrupt(METADATA, 0, format!("no cache {name:?}"))),
        };
        // What is written late is the one for which more is read from the cache.
        let mode = mode.unwrap_or(Mode::Back);
        let opened = opened
            .and_then(|(metadata, data)| Cache::open(metadata, data, Arc::clone(&origin), mode, self.kept));
        match opened {
            Ok(cache) => {
                if cache.needs_check {
                    let problem = format!("cache {name} says that it needs to be checked");
                    own.errors.push(FormatError::corrupt("dm-cache superblock", 0, problem));
                }
                lacks.add(own);
                Ok(cache.volume)
            }
            // The origin holds everything.
            Err(error) if mode != Mode::Back => {
                lacks.unread = lacks.unread.take().or(own.unread);
                lacks.errors.push(error);
                Ok(origin)
            }
            Err(error) => {
                lacks.add(own);
                Err(error)
            }
        }
    }
}
