//! Berkeley DB in its hash form, as rpm's `Packages` had it until 4.16: Oracle's `db_page.h` (page and item
//! layout) and `hash.h` (buckets). Either byte order. Reads the buckets' pages and the overflow chains of
//! their values, no others.

use std::collections::HashSet;

use super::order::Order;
use crate::{
    block::{self, ReadAt, Source},
    bytes::part,
    error::FormatError,
    limits, num,
};

const META: &str = "berkeley db metadata page";
const PAGE: &str = "berkeley db page";
const ITEM: &str = "berkeley db item";
const HASH_MAGIC: u32 = 0x0006_1561;
const BTREE_MAGIC: u32 = 0x0005_3162;
/// The part of the metadata page that is read.
const META_BYTES: usize = 512;
/// The header of every page but the metadata page.
const PAGE_HEADER: usize = 26;

/// A hash database.
pub struct Hash {
    source: Source,
    order: Order,
    page_size: usize,
    /// Pages that the file has room for.
    pages: u64,
    max_bucket: u32,
    /// For each doubling of the table, what is added to a bucket's number to get its page's.
    spares: Vec<u32>,
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
    /// Where the value (or its first overflow page) lies in the file.
    pub offset: u64,
    /// The byte order of the machine that wrote the file, as integers in keys have it.
    pub big_endian: bool,
}

impl Hash {
    /// Reads the metadata page. A database in another form than hash is refused by name.
    pub fn open(source: Source) -> Result<Self, FormatError> {
        let corrupt = |problem: String| FormatError::corrupt(META, 0, problem);
        let meta = block::read_vec(&source, META, 0, META_BYTES)?;
        let magic = |order: Order| order.u32(&meta, 12).unwrap_or_default();
        let order = [Order::Little, Order::Big]
            .into_iter()
            .find(|order| matches!(magic(*order), HASH_MAGIC | BTREE_MAGIC))
            .ok_or_else(|| corrupt(format!("magic {:#010x}", magic(Order::Little))))?;
        if magic(order) == BTREE_MAGIC {
            return Err(FormatError::unsupported("berkeley db in b-tree form"));
        }
        let word = |at| order.u32(&meta, at).unwrap_or_default();
        let (version, size, flags) = (word(16), word(20), word(24));
        if !(7..=10).contains(&version) {
            return Err(FormatError::unsupported(format!("berkeley db hash version {version}")));
        }
        // Bytes 24 (encryption) and 26 (flags: checksums) change the layout of pages; rpm sets neither.
        let [encryption, _, meta_flags, _] = match order {
            Order::Little => flags.to_le_bytes(),
            Order::Big => flags.to_be_bytes(),
        };
        if encryption != 0 || meta_flags & 1 != 0 {
            return Err(FormatError::unsupported("berkeley db with encryption or checksums"));
        }
        if !(512..=65_536).contains(&size) || !size.is_power_of_two() {
            return Err(corrupt(format!("page size {size}")));
        }
        let spares = (0..32).map(|n: usize| word(96_usize.saturating_add(n.saturating_mul(4)))).collect();
        let pages = source.size().div_ceil(u64::from(size));
        Ok(Self { order, page_size: num::index(size), pages, max_bucket: word(72), spares, source })
    }

    /// All entries, bucket by bucket. An error is a part that could not be read; the rest follows.
    pub fn entries(&self) -> Entries<'_> {
        Entries { db: self, bucket: Some(0), page: None, visited: HashSet::new() }
    }

    fn offset(&self, page: u32) -> u64 {
        u64::from(page).saturating_mul(num::to_u64(self.page_size))
    }

    /// `BUCKET_TO_PAGE` of hash.h.
    fn bucket_page(&self, bucket: u32) -> Option<u32> {
        let doublings = bucket.checked_add(1)?.checked_next_power_of_two()?.trailing_zeros();
        self.spares.get(num::index(doublings))?.checked_add(bucket)
    }
}

/// The entries of a hash database.
pub struct Entries<'a> {
    db: &'a Hash,
    bucket: Option<u32>,
    page: Option<Page>,
    visited: HashSet<u32>,
}

/// A page of a bucket, and how far it has been read.
struct Page {
    bytes: Vec<u8>,
    offset: u64,
    next_page: u32,
    items: u16,
    next: u16,
}

impl Entries<'_> {
    fn visit(&mut self, number: u32) -> Result<Vec<u8>, FormatError> {
        let offset = self.db.offset(number);
        if number == 0 || !self.visited.insert(number) {
            return Err(FormatError::corrupt(PAGE, offset, format!("page {number} is used twice")));
        }
        block::read_vec(&self.db.source, PAGE, offset, self.db.page_size)
    }

    fn load(&mut self, number: u32) -> Result<Page, FormatError> {
        let bytes = self.visit(number)?;
        let offset = self.db.offset(number);
        let order = self.db.order;
        // P_HASH_UNSORTED, P_HASH.
        let kind = bytes.get(25).copied().unwrap_or_default();
        if !matches!(kind, 2 | 13) {
            return Err(FormatError::corrupt(PAGE, offset, format!("type {kind} in a bucket")));
        }
        let items = order.u16(&bytes, 20).unwrap_or_default();
        let next_page = order.u32(&bytes, 16).unwrap_or_default();
        Ok(Page { bytes, offset, next_page, items, next: 0 })
    }

    /// The next page of this bucket, or the first of the next; `None` after the last bucket.
    fn turn(&mut self) -> Option<Result<(), FormatError>> {
        let number = match self.page.take() {
            Some(page) if page.next_page != 0 => page.next_page,
            _ => {
                let bucket = self.bucket.filter(|bucket| *bucket <= self.db.max_bucket)?;
                // A bucket's page has a higher number than the bucket.
                if u64::from(bucket) >= self.db.pages {
                    self.bucket = None;
                    let problem = format!("{} buckets in {} pages", self.db.max_bucket, self.db.pages);
                    return Some(Err(FormatError::corrupt(META, 72, problem)));
                }
                self.bucket = bucket.checked_add(1);
                let Some(number) = self.db.bucket_page(bucket) else {
                    return Some(Err(FormatError::corrupt(META, 96, format!("no page for bucket {bucket}"))));
                };
                number
            }
        };
        Some(self.load(number).map(|page| self.page = Some(page)))
    }

    /// Reads a key and its value, which are two items after each other.
    fn read_pair(&mut self, page: &Page, n: u16) -> Result<Entry, FormatError> {
        let (key, _) = self.read_item(page, n)?;
        let (value, offset) = self.read_item(page, n.saturating_add(1))?;
        Ok(Entry { key, value, offset, big_endian: self.db.order == Order::Big })
    }

    fn read_item(&mut self, page: &Page, n: u16) -> Result<(Vec<u8>, u64), FormatError> {
        let order = self.db.order;
        let (start, item) = page.item(n, order).ok_or_else(|| {
            FormatError::corrupt(ITEM, page.offset, format!("item {n} passes the end of its page"))
        })?;
        let offset = page.offset.saturating_add(num::to_u64(start));
        match item.split_first() {
            // H_KEYDATA.
            Some((1, data)) => Ok((data.to_vec(), offset)),
            // H_OFFPAGE: page and length.
            Some((3, _)) => {
                let (Some(first), Some(length)) = (order.u32(item, 4), order.u32(item, 8)) else {
                    return Err(FormatError::corrupt(ITEM, offset, format!("{} bytes", item.len())));
                };
                Ok((self.read_chain(first, length)?, self.db.offset(first)))
            }
            kind => {
                let kind = kind.map(|(kind, _)| *kind);
                Err(FormatError::corrupt(ITEM, offset, format!("type {kind:?}")))
            }
        }
    }

    /// A value on overflow pages. Each belongs to one value only, so a walk is never longer than the file.
    fn read_chain(&mut self, first: u32, length: u32) -> Result<Vec<u8>, FormatError> {
        if u64::from(length) > limits::RPM_HEADER_BYTES {
            return Err(FormatError::limit(format!("a berkeley db value of {length} bytes")));
        }
        let order = self.db.order;
        let mut value = Vec::new();
        let mut number = first;
        while value.len() < num::index(length) {
            let page = self.visit(number)?;
            let kind = page.get(25).copied().unwrap_or_default();
            let used = usize::from(order.u16(&page, 22).unwrap_or_default());
            let data = part(&page, PAGE_HEADER, used).filter(|data| kind == 7 && !data.is_empty());
            let data = data.ok_or_else(|| {
                let problem = format!("type {kind} with {used} bytes in an overflow chain");
                FormatError::corrupt(PAGE, self.db.offset(number), problem)
            })?;
            value.extend_from_slice(data);
            number = order.u32(&page, 16).unwrap_or_default();
        }
        value.truncate(num::index(length));
        Ok(value)
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry, FormatError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(mut page) = self.page.take() {
                let n = page.next;
                if n.saturating_add(1) < page.items {
                    page.next = n.saturating_add(2);
                    let entry = self.read_pair(&page, n);
                    self.page = Some(page);
                    return Some(entry);
                }
                self.page = Some(page);
            }
            if let Err(error) = self.turn()? {
                return Some(Err(error));
            }
        }
    }
}

impl Page {
    /// Items grow down from the end of the page, each up to where the one before it begins.
    fn item(&self, n: u16, order: Order) -> Option<(usize, &[u8])> {
        let index = |n: u16| {
            let at = PAGE_HEADER.checked_add(usize::from(n).checked_mul(2)?)?;
            order.u16(&self.bytes, at).map(usize::from)
        };
        let start = index(n)?;
        let end = n.checked_sub(1).map_or(Some(self.bytes.len()), index)?;
        Some((start, self.bytes.get(start..end)?))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::block::Memory;

    /// A metadata page of 512 bytes, and a page of one bucket with these items from its end.
    fn database(change: impl FnOnce(&mut Vec<u8>), items: &[&[u8]]) -> Source {
        let mut bytes = vec![0; 1024];
        for (at, value) in [(12, HASH_MAGIC), (16, 9), (20, 512), (72, 0), (96, 1)] {
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        bytes[512 + 25] = 13;
        bytes[512 + 20] = u8::try_from(items.len()).unwrap();
        let mut end: usize = 512;
        for (n, item) in items.iter().enumerate() {
            end -= item.len();
            bytes[512 + end..512 + end + item.len()].copy_from_slice(item);
            let at = 512 + PAGE_HEADER + 2 * n;
            bytes[at..at + 2].copy_from_slice(&u16::try_from(end).unwrap().to_le_bytes());
        }
        change(&mut bytes);
        Arc::new(Memory::new(bytes))
    }

    fn entries(source: Source) -> Vec<Result<Vec<u8>, String>> {
        let db = Hash::open(source).unwrap();
        db.entries().map(|e| e.map(|e| e.value).map_err(|e| e.detail())).collect()
    }

    #[test]
    fn inline_entries_and_chains_that_bite_their_tail() {
        let off_page: &[u8] = &[3, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0];
        let found =
            entries(database(|_| {}, &[b"\x01k", b"\x01value", b"\x01l", off_page, b"\x01m", b"\x02x"]));
        assert_eq!(
            found,
            [
                Ok(b"value".to_vec()),
                Err("berkeley db page at offset 0x200: page 1 is used twice".into()),
                Err("berkeley db item at offset 0x3e6: type Some(2)".into()),
            ]
        );
        let looped = entries(database(|bytes| bytes[512 + 16] = 1, &[]));
        assert_eq!(looped.len(), 1);
    }

    #[test]
    fn other_forms_are_refused_by_name() {
        let refused = |at: usize, value: u8| {
            let source = database(|bytes| bytes[at] = value, &[]);
            Hash::open(source).err().map(|error| error.detail()).unwrap_or_default()
        };
        assert_eq!(refused(24, 1), "berkeley db with encryption or checksums");
        assert_eq!(refused(16, 3), "berkeley db hash version 3");
        assert!(refused(20, 1).contains("page size"));
        assert!(refused(12, 0).contains("magic"));
        let btree = database(|bytes| bytes[12..16].copy_from_slice(&BTREE_MAGIC.to_be_bytes()), &[]);
        assert_eq!(Hash::open(btree).err().unwrap().detail(), "berkeley db in b-tree form");
    }

    #[test]
    fn more_buckets_than_pages_end() {
        let found = entries(database(|bytes| bytes[72..76].fill(0xff), &[b"\x01k", b"\x01v"]));
        assert_eq!(found.first().unwrap().as_deref(), Ok(&b"v"[..]));
        assert!(found.len() <= 4 && found.last().unwrap().is_err());
    }

    proptest::proptest! {
        #[test]
        fn never_panics(at in 0usize..1024, bytes: Vec<u8>) {
            let change = |all: &mut Vec<u8>| all.splice(at.min(all.len()).., bytes).for_each(drop);
            if let Ok(db) = Hash::open(database(change, &[b"\x01k", b"\x01v"])) {
                db.entries().for_each(drop);
            }
        }
    }
}
