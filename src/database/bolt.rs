//! BoltDB (bbolt file format, version 2): containerd's `meta.db` and its snapshotters' `metadata.db`.
//!
//! A file of pages: two meta pages, of which the valid one with the higher transaction id counts, then
//! B+trees of buckets. A bucket is a tree of its own or, if small, a page inlined in its parent's value. The
//! free list is not needed to read, and newer versions do not write it. Numbers are in the writer's byte
//! order, which is little-endian on every platform that runs containers.

use std::collections::{BTreeMap, HashSet};

use zerocopy::{
    FromBytes, Immutable, KnownLayout, Unaligned,
    little_endian::{U16, U32, U64},
};

use crate::{
    block::{self, Cached, ReadAt, Source},
    error::FormatError,
    limits, num,
};

const MAGIC: u32 = 0xED0C_DAED;
const VERSION: u32 = 2;
const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
const META: u16 = 0x04;
const BUCKET: u32 = 0x01;
const PAGE_SIZES: [u64; 8] = [4096, 8192, 16_384, 65_536, 32_768, 2048, 1024, 512];

#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawPage {
    id: U64,
    flags: U16,
    count: U16,
    overflow: U32,
}

#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawMeta {
    magic: U32,
    version: U32,
    page_size: U32,
    flags: U32,
    root: U64,
    sequence: U64,
    freelist: U64,
    high_water: U64,
    transaction: U64,
    checksum: U64,
}

#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawBranch {
    position: U32,
    key_size: U32,
    page: U64,
}

#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawLeaf {
    flags: U32,
    position: U32,
    key_size: U32,
    value_size: U32,
}

/// A bucket with all that it holds.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Plain values by key.
    pub values: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Nested buckets by key.
    pub buckets: BTreeMap<Vec<u8>, Bucket>,
}

impl Bucket {
    /// A nested bucket.
    pub fn bucket(&self, key: &str) -> Option<&Self> {
        self.buckets.get(key.as_bytes())
    }

    /// A plain value.
    pub fn value(&self, key: &str) -> Option<&[u8]> {
        self.values.get(key.as_bytes()).map(Vec::as_slice)
    }

    /// A plain value that is text.
    pub fn text(&self, key: &str) -> Option<String> {
        self.value(key).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// All plain values as text: a bucket of labels.
    pub fn texts(&self) -> BTreeMap<String, String> {
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        self.values.iter().map(|(key, value)| (text(key), text(value))).collect()
    }
}

/// A database in memory, and the pages that could not be read.
#[derive(Debug, Default)]
pub struct Database {
    /// The root bucket.
    pub root: Bucket,
    /// What of it was lost.
    pub damage: Vec<FormatError>,
}

/// Reads a whole database of at most [`limits::BOLT_BYTES`].
pub fn read(source: Source) -> Result<Database, FormatError> {
    let size = source.size();
    if size > limits::BOLT_BYTES {
        return Err(FormatError::limit(format!(
            "a bolt database of {size} bytes, more than {}",
            limits::BOLT_BYTES
        )));
    }
    let source = Cached::new(source, 64 << 10, 4 << 20);
    let meta = Meta::find(&source)?;
    let mut reader = Reader { source, meta, seen: HashSet::new(), held: 0, damage: Vec::new() };
    let root_page = reader.meta.root;
    let mut root = Bucket::default();
    reader.page_tree(root_page, &mut root, 0);
    Ok(Database { root, damage: reader.damage })
}

struct Meta {
    page_size: u64,
    root: u64,
    high_water: u64,
    transaction: u64,
}

impl Meta {
    /// The newer of the two valid meta pages. The second one's place depends on the page size, which only
    /// the first tells: if that is damaged, every usual size is tried.
    fn find(source: &dyn ReadAt) -> Result<Self, FormatError> {
        let first = Self::read(source, 0);
        let sizes = match &first {
            Ok(meta) => vec![meta.page_size],
            Err(_) => PAGE_SIZES.to_vec(),
        };
        let second =
            sizes.into_iter().find_map(|at| Self::read(source, at).ok().filter(|m| m.page_size == at));
        match (first, second) {
            (Ok(a), Some(b)) => Ok(if b.transaction > a.transaction { b } else { a }),
            (Ok(a), None) => Ok(a),
            (Err(_), Some(b)) => Ok(b),
            (Err(error), None) => Err(error),
        }
    }

    fn read(source: &dyn ReadAt, at: u64) -> Result<Self, FormatError> {
        const NAME: &str = "bolt meta page";
        let bytes =
            block::read_vec(source, NAME, at, size_of::<RawPage>().saturating_add(size_of::<RawMeta>()))?;
        let corrupt = |problem: String| FormatError::corrupt(NAME, at, problem);
        let short = || corrupt("too short".to_owned());
        let (page, rest) = RawPage::ref_from_prefix(&bytes).map_err(|_| short())?;
        let (meta, _) = RawMeta::ref_from_prefix(rest).map_err(|_| short())?;
        if meta.magic.get() != MAGIC {
            return Err(corrupt(format!("magic {:#010x}", meta.magic)));
        }
        if page.flags.get() & META == 0 {
            return Err(corrupt(format!("page flags {:#x}", page.flags)));
        }
        if meta.version.get() != VERSION {
            return Err(FormatError::unsupported(format!("bolt format version {}", meta.version)));
        }
        let summed = rest.get(..std::mem::offset_of!(RawMeta, checksum)).ok_or_else(short)?;
        let sum = fnv1a(summed);
        if sum != meta.checksum.get() {
            return Err(corrupt(format!("checksum {:#018x}, computed {sum:#018x}", meta.checksum)));
        }
        let page_size = u64::from(meta.page_size.get());
        if !PAGE_SIZES.contains(&page_size) {
            return Err(corrupt(format!("page size {page_size}")));
        }
        let (root, high_water) = (meta.root.get(), meta.high_water.get());
        Ok(Self { page_size, root, high_water, transaction: meta.transaction.get() })
    }
}

/// FNV-1a, 64 bits, as bbolt sums its meta pages.
fn fnv1a(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

struct Reader {
    source: Cached,
    meta: Meta,
    /// Pages met so far: each belongs to one tree, a second visit is a cycle.
    seen: HashSet<u64>,
    /// Bytes of keys and values held.
    held: u64,
    damage: Vec<FormatError>,
}

impl Reader {
    /// Adds what a tree of pages holds to `bucket`; what is bad is recorded and left out.
    fn page_tree(&mut self, page: u64, bucket: &mut Bucket, depth: usize) {
        match self.load(page, depth) {
            Ok((bytes, at)) => self.page(&bytes, at, bucket, depth),
            Err(error) => self.lost(error),
        }
    }

    /// Notes what was lost; of very much, that there is more.
    fn lost(&mut self, error: FormatError) {
        match self.damage.len().saturating_add(1) {
            count if count < limits::DAMAGE_NOTES => self.damage.push(error),
            limits::DAMAGE_NOTES => {
                let what = format!("more than {} damaged places, which are not listed", limits::DAMAGE_NOTES);
                self.damage.push(FormatError::limit(what));
            }
            _ => {}
        }
    }

    fn load(&mut self, page: u64, depth: usize) -> Result<(Vec<u8>, u64), FormatError> {
        const NAME: &str = "bolt page";
        let at = page.saturating_mul(self.meta.page_size);
        if depth > limits::BOLT_DEPTH {
            return Err(FormatError::limit(format!("bolt pages nested deeper than {}", limits::BOLT_DEPTH)));
        }
        if page < 2 || page >= self.meta.high_water {
            let problem = format!("page {page} is outside 2..{}", self.meta.high_water);
            return Err(FormatError::corrupt(NAME, at, problem));
        }
        if !self.seen.insert(page) {
            return Err(FormatError::corrupt(NAME, at, format!("page {page} is reached twice")));
        }
        let header = block::read_vec(&self.source, NAME, at, size_of::<RawPage>())?;
        let raw =
            RawPage::ref_from_bytes(&header).map_err(|_| FormatError::corrupt(NAME, at, "too short"))?;
        if raw.id.get() != page {
            return Err(FormatError::corrupt(NAME, at, format!("page id {}, expected {page}", raw.id)));
        }
        let overflow = u64::from(raw.overflow.get());
        let end = page.saturating_add(overflow).saturating_add(1);
        if end > self.meta.high_water {
            let problem = format!("{overflow} overflow pages pass the end at {}", self.meta.high_water);
            return Err(FormatError::corrupt(NAME, at, problem));
        }
        // Pages that share their overflow would make a small file large.
        let held = self.source.size().div_ceil(self.meta.page_size);
        for next in page.saturating_add(1)..end.min(held) {
            if !self.seen.insert(next) {
                let problem = format!("overflow page {next} is reached twice");
                return Err(FormatError::corrupt(NAME, at, problem));
            }
        }
        let pages = overflow.saturating_add(1);
        let length = pages.saturating_mul(self.meta.page_size).min(self.source.size().saturating_sub(at));
        Ok((block::read_vec(&self.source, NAME, at, num::to_usize(length))?, at))
    }

    /// A page's elements; `at` is its offset in the file, for messages.
    fn page(&mut self, bytes: &[u8], at: u64, bucket: &mut Bucket, depth: usize) {
        let Ok((header, body)) = RawPage::ref_from_prefix(bytes) else {
            self.lost(FormatError::corrupt("bolt page", at, "too short"));
            return;
        };
        let count = usize::from(header.count.get());
        match header.flags.get() & (BRANCH | LEAF) {
            BRANCH => match <[RawBranch]>::ref_from_prefix_with_elems(body, count) {
                Ok((elements, _)) => {
                    for child in elements {
                        self.page_tree(child.page.get(), bucket, depth.saturating_add(1));
                    }
                }
                Err(_) => self.lost(too_many("bolt branch page", at, count)),
            },
            LEAF => match <[RawLeaf]>::ref_from_prefix_with_elems(body, count) {
                Ok((elements, _)) => {
                    for (number, element) in elements.iter().enumerate() {
                        if let Err(error) = self.element(body, number, element, at, bucket, depth) {
                            self.lost(error);
                        }
                    }
                }
                Err(_) => self.lost(too_many("bolt leaf page", at, count)),
            },
            flags => {
                self.lost(FormatError::corrupt("bolt page", at, format!("flags {flags:#x}")));
            }
        }
    }

    fn element(
        &mut self,
        body: &[u8],
        number: usize,
        element: &RawLeaf,
        at: u64,
        bucket: &mut Bucket,
        depth: usize,
    ) -> Result<(), FormatError> {
        const NAME: &str = "bolt leaf element";
        let corrupt = |problem: String| FormatError::corrupt(NAME, at, problem);
        // Positions count from the element itself.
        let start =
            number.saturating_mul(size_of::<RawLeaf>()).saturating_add(num::index(element.position.get()));
        let data = body.get(start..).unwrap_or_default();
        let (key_size, value_size) =
            (num::index(element.key_size.get()), num::index(element.value_size.get()));
        let split =
            data.split_at_checked(key_size).and_then(|(key, rest)| Some((key, rest.get(..value_size)?)));
        let (key, value) = split.ok_or_else(|| {
            corrupt(format!(
                "element {number} of {key_size}+{value_size} bytes at {start} passes the page's end"
            ))
        })?;
        // Several elements may name the same bytes: what is held can exceed the file.
        self.held = self.held.saturating_add(num::to_u64(key_size.saturating_add(value_size)));
        if self.held > limits::BOLT_BYTES {
            return Err(FormatError::limit(format!(
                "bolt elements of more than {} bytes",
                limits::BOLT_BYTES
            )));
        }
        if element.flags.get() & BUCKET == 0 {
            bucket.values.insert(key.to_vec(), value.to_vec());
            return Ok(());
        }
        let (root, inline) = U64::ref_from_prefix(value)
            .map_err(|_| corrupt(format!("bucket {number} of {value_size} bytes")))?;
        let mut nested = Bucket::default();
        match root.get() {
            // The sequence (8 bytes) precedes the inlined page.
            0 if depth < limits::BOLT_DEPTH => {
                let page = inline.get(8..).unwrap_or_default();
                self.page(page, at, &mut nested, depth.saturating_add(1));
            }
            0 => {
                return Err(FormatError::limit(format!(
                    "bolt buckets nested deeper than {}",
                    limits::BOLT_DEPTH
                )));
            }
            page => self.page_tree(page, &mut nested, depth.saturating_add(1)),
        }
        bucket.buckets.insert(key.to_vec(), nested);
        Ok(())
    }
}

fn too_many(structure: &'static str, at: u64, count: usize) -> FormatError {
    FormatError::corrupt(structure, at, format!("{count} elements pass the page's end"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::block::Memory;

    const PAGE: usize = 4096;

    fn meta(id: u64, transaction: u64, root: u64) -> Vec<u8> {
        let mut page = vec![0; PAGE];
        page[0..8].copy_from_slice(&id.to_le_bytes());
        page[8..10].copy_from_slice(&META.to_le_bytes());
        page[16..20].copy_from_slice(&MAGIC.to_le_bytes());
        page[20..24].copy_from_slice(&VERSION.to_le_bytes());
        page[24..28].copy_from_slice(&4096u32.to_le_bytes());
        page[32..40].copy_from_slice(&root.to_le_bytes());
        page[48..56].copy_from_slice(&u64::MAX.to_le_bytes());
        page[56..64].copy_from_slice(&8u64.to_le_bytes());
        page[64..72].copy_from_slice(&transaction.to_le_bytes());
        let sum = fnv1a(&page[16..72]);
        page[72..80].copy_from_slice(&sum.to_le_bytes());
        page
    }

    fn leaf(id: u64, elements: &[(u32, &[u8], &[u8])], length: usize) -> Vec<u8> {
        let mut page = Vec::new();
        page.extend(id.to_le_bytes());
        page.extend(LEAF.to_le_bytes());
        page.extend(u16::try_from(elements.len()).unwrap().to_le_bytes());
        page.extend(0u32.to_le_bytes());
        let mut data = Vec::new();
        for (number, (flags, key, value)) in elements.iter().enumerate() {
            let position = (elements.len() - number) * 16 + data.len();
            for field in [*flags, position as u32, key.len() as u32, value.len() as u32] {
                page.extend(field.to_le_bytes());
            }
            data.extend_from_slice(key);
            data.extend_from_slice(value);
        }
        page.extend(data);
        page.resize(page.len().max(length), 0);
        page
    }

    fn branch(id: u64, pages: &[u64]) -> Vec<u8> {
        let mut page = Vec::new();
        page.extend(id.to_le_bytes());
        page.extend(BRANCH.to_le_bytes());
        page.extend((pages.len() as u16).to_le_bytes());
        page.extend(0u32.to_le_bytes());
        for child in pages {
            page.extend([0; 8]);
            page.extend(child.to_le_bytes());
        }
        page.resize(PAGE, 0);
        page
    }

    fn inline(elements: &[(u32, &[u8], &[u8])]) -> Vec<u8> {
        [vec![0; 16], leaf(0, elements, 0)].concat()
    }

    fn sample() -> Vec<u8> {
        let small = inline(&[(0, b"k", b"v")]);
        let tree = [3u64.to_le_bytes(), [0; 8]].concat();
        let root = leaf(2, &[(0, b"a", b"1"), (BUCKET, b"in", &small), (BUCKET, b"tree", &tree)], PAGE);
        let parts = [
            meta(0, 1, 7),
            meta(1, 2, 2),
            root,
            branch(3, &[4, 5]),
            leaf(4, &[(0, b"x", b"10")], PAGE),
            leaf(5, &[(0, b"y", b"20")], PAGE),
        ];
        parts.concat()
    }

    fn parse(bytes: Vec<u8>) -> Result<Database, FormatError> {
        read(Arc::new(Memory::new(bytes)))
    }

    #[test]
    fn the_newer_meta_page_and_every_kind_of_bucket() {
        let db = parse(sample()).unwrap();
        assert!(db.damage.is_empty(), "{:?}", db.damage);
        assert_eq!(db.root.value("a"), Some(&b"1"[..]));
        assert_eq!(db.root.bucket("in").unwrap().value("k"), Some(&b"v"[..]));
        assert_eq!(
            db.root.bucket("tree").unwrap().texts().into_iter().collect::<Vec<_>>(),
            [("x".to_owned(), "10".to_owned()), ("y".to_owned(), "20".to_owned())]
        );
    }

    #[test]
    fn a_damaged_first_meta_page_is_replaced_by_the_second() {
        let mut bytes = sample();
        bytes[17] ^= 1;
        assert_eq!(parse(bytes).unwrap().root.value("a"), Some(&b"1"[..]));
    }

    #[test]
    fn a_bad_page_loses_only_what_it_holds() {
        for (at, seen) in [(4 * PAGE, "page id"), (4 * PAGE + 8, "flags"), (4 * PAGE + 20, "passes")] {
            let mut bytes = sample();
            bytes[at] = 0xfc;
            bytes[at + 1] = 0xff;
            let db = parse(bytes).unwrap();
            assert_eq!(db.root.bucket("tree").unwrap().texts().len(), 1, "{seen}");
            assert_eq!(db.damage.len(), 1);
            assert!(db.damage[0].detail().contains(seen), "{}", db.damage[0].detail());
        }
    }

    #[test]
    fn a_cycle_ends() {
        let mut bytes = sample();
        bytes[3 * PAGE + 24..3 * PAGE + 32].copy_from_slice(&3u64.to_le_bytes());
        let db = parse(bytes).unwrap();
        assert!(db.damage[0].detail().contains("reached twice"));
    }

    #[test]
    fn pages_that_claim_each_others_bytes_are_refused() {
        // Each of 60 nested branch pages claims the whole rest of the file as its overflow.
        let mut parts = vec![meta(0, 1, 2), meta(1, 2, 2)];
        for id in 2..62u64 {
            let mut page = branch(id, &[id + 1]);
            page[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
            parts.push(page);
        }
        for page in parts.iter_mut().take(2) {
            page[56..64].copy_from_slice(&1000u64.to_le_bytes());
            let sum = fnv1a(&page[16..72]);
            page[72..80].copy_from_slice(&sum.to_le_bytes());
        }
        let db = parse(parts.concat()).unwrap();
        assert!(db.damage[0].detail().contains("overflow"), "{:?}", db.damage);
    }

    #[test]
    fn damage_is_bounded() {
        let mut page = leaf(2, &[], 0);
        page[10..12].copy_from_slice(&5000u16.to_le_bytes());
        page[12..16].copy_from_slice(&19u32.to_le_bytes());
        // 5000 elements whose data lie outside the page.
        page.resize(20 * PAGE, 0xff);
        let mut parts = vec![meta(0, 1, 2), meta(1, 2, 2)];
        for page in &mut parts {
            page[56..64].copy_from_slice(&22u64.to_le_bytes());
            let sum = fnv1a(&page[16..72]);
            page[72..80].copy_from_slice(&sum.to_le_bytes());
        }
        parts.push(page);
        let db = parse(parts.concat()).unwrap();
        assert!(db.damage.len() <= limits::DAMAGE_NOTES, "{}", db.damage.len());
        assert!(db.damage.last().unwrap().detail().contains("more"));
    }

    proptest! {
        #[test]
        fn never_panics(at in 0usize..6 * PAGE, value: u8, cut in 0usize..6 * PAGE) {
            let mut bytes = sample();
            bytes[at] = value;
            bytes.truncate(bytes.len() - cut / 8);
            let _ = parse(bytes);
        }
    }
}
