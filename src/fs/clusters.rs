//! Chains of clusters, as FAT and exFAT have them: a table says for each cluster of a volume which one follows it.

use std::{
    collections::HashMap,
    io,
    ops::Range,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use super::{
    blocks::Blocks,
    map::{Data, Map, Mapped, Run},
};
use crate::{
    block::{Cached, Memory, ReadAt, Slice, Source, check_range, read_vec},
    bytes::{le16, le32},
    error::FormatError,
    gap::Code,
    limits, num,
};

const STRUCTURE: &str = "file allocation table";
/// The number of the first cluster.
pub(in crate::fs) const FIRST: u32 = 2;
/// Bytes of the table that are read at once.
const CHUNK: u32 = 4096;

/// Bits of an entry of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::fs) enum Width {
    Twelve,
    Sixteen,
    /// Of 32 bits, the upper four of which are not used.
    TwentyEight,
    ThirtyTwo,
}

/// What follows a cluster.
enum Next {
    Cluster(u32),
    End,
    Free,
    Bad,
}

/// The clusters of a volume and the table of what follows each.
pub(in crate::fs) struct Clusters {
    /// The volume, through a cache.
    table: Source,
    offset: u64,
    width: Width,
    /// How many clusters there are; their numbers begin with [`FIRST`].
    count: u32,
    blocks: Blocks,
    /// Where the first cluster lies in the volume, and bytes of each.
    heap: u64,
    pub(in crate::fs) size: u32,
    /// Which directory has a cluster, of those that were read, and which cluster follows in it: none has one of another's.
    owners: Mutex<HashMap<u32, (u64, Option<u32>)>>,
}

/// Where a volume has its table and its clusters, in bytes.
pub(in crate::fs) struct Layout {
    pub(in crate::fs) table: u64,
    pub(in crate::fs) width: Width,
    pub(in crate::fs) heap: u64,
    pub(in crate::fs) size: u32,
    pub(in crate::fs) count: u32,
}

impl Layout {
    /// Where the last cluster ends.
    pub(in crate::fs) fn end(&self) -> u64 {
        self.heap.saturating_add(u64::from(self.size).saturating_mul(u64::from(self.count)))
    }
}

impl Clusters {
    pub(in crate::fs) fn new(source: &Source, layout: &Layout) -> Self {
        let heap = Slice::new(Arc::clone(source), layout.heap, source.size().saturating_sub(layout.heap));
        Self {
            table: Arc::new(Cached::new(Arc::clone(source), CHUNK, limits::FAT_CACHE_BYTES)),
            offset: layout.table,
            width: layout.width,
            count: layout.count,
            blocks: Blocks::new(Arc::new(heap), layout.size, 0),
            heap: layout.heap,
            size: layout.size,
            owners: Mutex::default(),
        }
    }

    /// The volume, through a cache.
    pub(in crate::fs) fn cached(&self) -> &Source {
        &self.table
    }

    /// Where a cluster lies in the volume, if it is one.
    pub(in crate::fs) fn place(&self, cluster: u32) -> Option<u64> {
        let index = cluster.checked_sub(FIRST).filter(|index| *index < self.count)?;
        u64::from(index).checked_mul(self.size.into())?.checked_add(self.heap)
    }

    /// Clusters that so many bytes need.
    pub(in crate::fs) fn needed(&self, bytes: u64) -> u64 {
        bytes.div_ceil(u64::from(self.size).max(1))
    }

    /// The entry of the table for a cluster: the first two say something of the volume.
    pub(in crate::fs) fn entry(&self, cluster: u32) -> Result<u32, FormatError> {
        let cluster = u64::from(cluster);
        let (at, length) = match self.width {
            Width::Twelve => (cluster.saturating_add(cluster >> 1), 2),
            Width::Sixteen => (cluster.saturating_mul(2), 2),
            Width::TwentyEight | Width::ThirtyTwo => (cluster.saturating_mul(4), 4),
        };
        let raw = read_vec(&self.table, STRUCTURE, self.offset.saturating_add(at), length)?;
        let word = u32::from(le16(&raw, 0).unwrap_or(0));
        Ok(match self.width {
            Width::Twelve if cluster & 1 == 1 => word >> 4,
            Width::Twelve => word & 0xfff,
            Width::Sixteen => word,
            Width::TwentyEight => le32(&raw, 0).unwrap_or(0) & 0x0fff_ffff,
            Width::ThirtyTwo => le32(&raw, 0).unwrap_or(0),
        })
    }

    fn next(&self, cluster: u32) -> Result<Next, FormatError> {
        let mark = match self.width {
            Width::Twelve => 0xff8,
            Width::Sixteen => 0xfff8,
            Width::TwentyEight => 0x0fff_fff8,
            Width::ThirtyTwo => 0xffff_fff8,
        };
        Ok(match self.entry(cluster)? {
            0 => Next::Free,
            end if end >= mark => Next::End,
            bad if bad == mark.saturating_sub(1) => Next::Bad,
            next => Next::Cluster(next),
        })
    }

    /// The clusters of a chain, as far as they can be known.
    fn walk(&self, chain: &Chain, wanted: u64, to_end: bool) -> (Vec<Run>, Option<FormatError>) {
        let mut runs = Map::default();
        let first = chain.first;
        let corrupt = |cluster: u32, problem: String| {
            let at = self.place(cluster).unwrap_or(0);
            FormatError::corrupt("chain of clusters", at, format!("from cluster {first}: {problem}"))
        };
        if chain.contiguous {
            let last =
                u32::try_from(wanted).ok().and_then(|wanted| first.checked_add(wanted)?.checked_sub(1));
            if wanted > 0
                && (self.place(first).is_none() || last.is_none_or(|last| self.place(last).is_none()))
            {
                return (Vec::new(), Some(corrupt(first, format!("{wanted} clusters pass the end"))));
            }
            let physical = first.saturating_sub(FIRST).into();
            let run = Run { logical: 0, physical, count: wanted };
            return (if wanted == 0 { Vec::new() } else { vec![run] }, None);
        }
        let (mut cluster, mut logical) = (first, 0);
        let mut problem = None;
        while logical < wanted {
            if self.place(cluster).is_none() {
                problem = Some(corrupt(first, format!("cluster {cluster} of {} is none", self.count)));
                break;
            }
            if logical >= u64::from(self.count) {
                let what = format!("it has more than the {} clusters that there are", self.count);
                problem = Some(corrupt(first, what));
                break;
            }
            if runs.runs.len() >= limits::FAT_RUNS {
                problem =
                    Some(FormatError::limit(format!("more than {} pieces of a file", limits::FAT_RUNS)));
                break;
            }
            runs.push(Run { logical, physical: cluster.saturating_sub(FIRST).into(), count: 1 });
            logical = logical.saturating_add(1);
            if logical == wanted && !to_end {
                break;
            }
            match self.next(cluster) {
                Ok(Next::Cluster(next)) => cluster = next,
                Ok(Next::End) if to_end => break,
                Ok(Next::End) => {
                    problem = Some(corrupt(cluster, format!("it ends after {logical} of {wanted} clusters")));
                }
                Ok(Next::Free) => {
                    problem = Some(corrupt(cluster, format!("cluster {cluster} in it is free")))
                }
                Ok(Next::Bad) => problem = Some(corrupt(cluster, format!("after {cluster} it is bad"))),
                Err(error) => problem = Some(error),
            }
            if problem.is_some() {
                break;
            }
        }
        if to_end && logical == wanted && problem.is_none() {
            let what = format!("a directory of more than {wanted} clusters");
            problem = Some(FormatError::limit(what));
        }
        // A cycle is a chain that has one cluster twice.
        let mut sorted: Vec<(u64, u64)> = runs.runs.iter().map(|run| (run.physical, run.count)).collect();
        sorted.sort_unstable();
        let pairs = sorted.iter().zip(sorted.iter().skip(1));
        let twice = pairs.map(|(a, b)| (a.0.saturating_add(a.1), b.0)).find(|(end, next)| next < end);
        if let Some((_, twice)) = twice {
            let number = twice.saturating_add(FIRST.into());
            return (Vec::new(), Some(corrupt(first, format!("it has cluster {number} twice"))));
        }
        (runs.runs, problem)
    }

    /// The clusters of a directory, each with its place in the volume and its bytes, in their order; with what could not be
    /// read. What belongs to another directory is not: a small hostile volume would list as an endless one.
    pub(in crate::fs) fn directory(
        &self,
        chain: &Chain,
        owner: u64,
        most: u64,
        mut each: impl FnMut(u64, &[u8]),
    ) -> Vec<FormatError> {
        let (wanted, to_end) = match chain.size {
            None => (self.needed(most), true),
            Some(size) => (self.needed(size.min(most)), false),
        };
        let (runs, problem) = self.walk(chain, wanted, to_end);
        let mut damage: Vec<FormatError> = problem.into_iter().collect();
        if chain.size.is_some_and(|size| size > most) {
            damage.push(FormatError::limit(format!("a directory of more than {most} bytes")));
        }
        let all = runs.iter().flat_map(|run| run.physical..run.physical.saturating_add(run.count));
        let mut all =
            all.map(|cluster| u32::try_from(cluster).unwrap_or(u32::MAX).saturating_add(FIRST)).peekable();
        while let Some(number) = all.next() {
            let place = self.place(number).unwrap_or(0);
            let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
            if owners.len() >= limits::FAT_RUNS && !owners.contains_key(&number) {
                let what = format!("directories of more than {} clusters together", limits::FAT_RUNS);
                crate::error::note(&mut damage, FormatError::limit(what));
                break;
            }
            if owners.entry(number).or_insert((owner, all.peek().copied())).0 != owner {
                let problem = format!("cluster {number} belongs to two directories");
                crate::error::note(&mut damage, FormatError::corrupt("directory", place, problem));
                break;
            }
            drop(owners);
            match read_vec(&self.table, "directory", place, num::index(self.size)) {
                Ok(bytes) => each(place, &bytes),
                Err(error) => {
                    crate::error::note(&mut damage, error);
                    each(place, &[]);
                }
            }
        }
        damage
    }

    /// `length` bytes at `offset` of the volume, of a directory: where its cluster ends they go on in the next.
    pub(in crate::fs) fn across(&self, offset: u64, length: usize) -> Result<Vec<u8>, FormatError> {
        let size = u64::from(self.size).max(1);
        let index = offset.saturating_sub(self.heap).checked_div(size).unwrap_or(0);
        let end = index.saturating_add(1).saturating_mul(size).saturating_add(self.heap);
        let here = num::to_usize(end.saturating_sub(offset)).min(length);
        let mut bytes = read_vec(&self.table, "directory", offset, here)?;
        if here < length {
            let number = u32::try_from(index).unwrap_or(u32::MAX).saturating_add(FIRST);
            let next = match self.owners.lock().unwrap_or_else(PoisonError::into_inner).get(&number) {
                Some((_, Some(next))) => *next,
                _ => {
                    let problem = format!("nothing follows cluster {number}");
                    return Err(FormatError::corrupt("directory", offset, problem));
                }
            };
            let place = self.place(next).unwrap_or(0);
            bytes.extend(read_vec(&self.table, "directory", place, length.saturating_sub(here))?);
        }
        Ok(bytes)
    }

    /// Bytes of the clusters of a directory whose size nothing says.
    pub(in crate::fs) fn length(&self, chain: &Chain, most: u64) -> Result<u64, FormatError> {
        let (runs, problem) = self.walk(chain, self.needed(most), true);
        let clusters: u64 = runs.iter().map(|run| run.count).sum();
        problem.map_or(Ok(clusters.saturating_mul(self.size.into())), Err)
    }

    /// The bytes of a file, of which only the first `written` were; the others are zeros. An empty file has no clusters.
    pub(in crate::fs) fn file(self: &Arc<Self>, chain: Chain, written: u64) -> Source {
        match chain.size.unwrap_or(0) {
            0 => Arc::new(Memory::default()),
            size => {
                let data: Source = Arc::new(Data::new(Arc::clone(self), chain));
                if written >= size { data } else { Arc::new(Written { data, size, written }) }
            }
        }
    }
}

type Known = (Vec<Run>, Option<(Code, String)>);

/// A file's clusters.
pub(in crate::fs) struct Chain {
    pub(in crate::fs) first: u32,
    /// Bytes of its data; `None` if only the chain's end tells.
    pub(in crate::fs) size: Option<u64>,
    /// The clusters lie side by side, and the table says nothing of them.
    pub(in crate::fs) contiguous: bool,
    /// Its runs, once they were looked for, and why there are no more of them.
    runs: OnceLock<Known>,
}

impl Chain {
    pub(in crate::fs) fn new(first: u32, size: Option<u64>, contiguous: bool) -> Self {
        Self { first, size, contiguous, runs: OnceLock::new() }
    }
}

impl Mapped for Clusters {
    type Inode = Chain;

    fn blocks(&self) -> &Blocks {
        &self.blocks
    }

    fn size(chain: &Chain) -> u64 {
        chain.size.unwrap_or(0)
    }

    fn map(&self, chain: &Chain, wanted: Range<u64>) -> Map {
        let mut map = Map::default();
        let again =
            |(code, what): &(Code, String)| FormatError::Unsupported { code: *code, what: what.clone() };
        let unfinished;
        let (runs, problem) = match chain.runs.get() {
            Some((runs, problem)) => (runs, problem.as_ref().map(again)),
            None => match self.walk(chain, self.needed(chain.size.unwrap_or(0)), false) {
                // Another try may succeed.
                (runs, Some(error)) if error.is_host_io() => {
                    unfinished = runs;
                    (&unfinished, Some(error))
                }
                (runs, problem) => {
                    let told = problem.as_ref().map(|error| (error.code(), error.detail()));
                    (&chain.runs.get_or_init(|| (runs, told)).0, problem)
                }
            },
        };
        // What is asked for may be there all the same.
        if let Some(error) = problem.filter(|_| wanted.end > runs.last().map_or(0, |run| run.logical_end())) {
            map.damaged(error);
        }
        for run in runs {
            let (from, to) = (run.logical.max(wanted.start), run.logical_end().min(wanted.end));
            if from < to {
                let physical = run.physical.saturating_add(from.saturating_sub(run.logical));
                map.push(Run { logical: from, physical, count: to.saturating_sub(from) });
            }
        }
        map
    }
}

/// A file of which only the first bytes were written; the others are zeros.
struct Written {
    data: Source,
    size: u64,
    written: u64,
}

impl ReadAt for Written {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        check_range(self.size, offset, buf.len())?;
        let there = num::to_usize(self.written.saturating_sub(offset)).min(buf.len());
        let (data, zeros) = buf.split_at_mut(there);
        zeros.fill(0);
        if data.is_empty() { Ok(()) } else { self.data.read_at(data, offset) }
    }

    fn will_need(&self, offset: u64, length: u64) {
        self.data.will_need(offset, length.min(self.written.saturating_sub(offset)));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use super::*;
    use crate::block::{Memory, Zeros};

    #[test]
    fn clusters_of_all_directories_are_bounded() {
        let source: Source = Arc::new(Zeros(2 << 30));
        let layout = Layout { table: 0, width: Width::ThirtyTwo, heap: 0, size: 512, count: 4 << 20 };
        let clusters = Clusters::new(&source, &layout);
        let read = |first: u32, owner: u64| {
            let mut seen: usize = 0;
            let chain = Chain::new(first, Some(256 << 20), true);
            let damage = clusters.directory(&chain, owner, 256 << 20, |_, _| seen += 1);
            (seen, damage.iter().map(FormatError::detail).collect::<Vec<_>>())
        };
        let half = limits::FAT_RUNS / 2;
        assert_eq!(read(2, 1), (half, vec![]));
        assert_eq!(read(2 + (1 << 19), 2), (half, vec![]));
        let what = "directories of more than 1048576 clusters together".to_owned();
        assert_eq!(read(2 + (2 << 19), 3), (0, vec![what]));
        assert_eq!(read(2, 1), (half, vec![]), "those that are known are read again");
        let twice = "directory at offset 0x0: cluster 2 belongs to two directories".to_owned();
        assert_eq!(read(2, 4), (0, vec![twice]));
    }

    /// A source whose first two reads fail: a cache asks a second time for less.
    struct Failing(Memory, AtomicU32);

    impl ReadAt for Failing {
        fn size(&self) -> u64 {
            self.0.size()
        }

        fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
            match self.1.fetch_add(1, Relaxed) {
                0 | 1 => Err(io::Error::from_raw_os_error(5)),
                _ => self.0.read_at(buf, offset),
            }
        }
    }

    #[test]
    fn a_host_that_fails_once_is_asked_again() {
        let table: Vec<u8> = [0u16, 0, 3, 4, 0xffff].iter().flat_map(|entry| entry.to_le_bytes()).collect();
        let source: Source = Arc::new(Failing(Memory::new(table), AtomicU32::new(0)));
        let layout = Layout { table: 0, width: Width::Sixteen, heap: 0, size: 2, count: 3 };
        let clusters = Clusters::new(&source, &layout);
        let chain = Chain::new(2, Some(6), false);
        assert!(clusters.map(&chain, 0..3).damage[0].is_host_io());
        assert!(clusters.map(&chain, 0..3).damage.is_empty());
    }

    /// A table of 16 bits with these entries from cluster 2 on.
    fn volume(entries: &[u16]) -> Clusters {
        let table: Vec<u8> = [0, 0].iter().chain(entries).flat_map(|entry| entry.to_le_bytes()).collect();
        let count = u32::try_from(entries.len()).unwrap();
        let mut bytes = table;
        bytes.resize(4096 + entries.len() * 512, 7);
        let source: Source = Arc::new(Memory::new(bytes));
        Clusters::new(&source, &Layout { table: 0, width: Width::Sixteen, heap: 4096, size: 512, count })
    }

    #[test]
    fn a_chain_is_followed_once_and_what_is_wrong_with_it_is_told_each_time() {
        let clusters = volume(&[4, 0xffff, 3, 5, 0xffff]);
        let chain = Chain::new(2, Some(1 << 40), false);
        for _ in 0..2 {
            let map = clusters.map(&chain, 0..4);
            assert_eq!((map.runs.len(), map.damage.len()), (3, 1));
            assert!(
                map.damage[0].detail().contains("it ends after 3 of 2147483648 clusters"),
                "{:?}",
                map.damage
            );
            assert!(clusters.map(&chain, 0..3).damage.is_empty(), "what is asked for is there");
        }
        // Round and round.
        let clusters = volume(&[4, 2, 3]);
        for size in [1 << 20, u64::MAX] {
            let chain = Chain::new(2, Some(size), false);
            let map = clusters.map(&chain, 0..4);
            assert!(map.damage[0].detail().contains("it has more than the 3 clusters"), "{:?}", map.damage);
            assert!(clusters.map(&chain, 0..3).damage.is_empty(), "what is asked for is there");
        }
    }
}
