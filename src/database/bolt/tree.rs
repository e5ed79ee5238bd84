//! The trees of pages and the buckets in them.

use std::collections::HashSet;

use zerocopy::{FromBytes, little_endian::U64};

use super::{
    Bucket,
    format::{BRANCH, BUCKET, LEAF, RawBranch, RawLeaf, RawPage},
    meta::Meta,
};
use crate::{
    block::{self, Cached, ReadAt},
    error::{self, FormatError},
    limits, num,
};

pub(super) struct Reader {
    source: Cached,
    meta: Meta,
    /// Pages met so far: each belongs to one tree, a second visit is a cycle.
    seen: HashSet<u64>,
    /// Bytes of keys and values held.
    held: u64,
    pub(super) damage: Vec<FormatError>,
}

impl Reader {
    pub(super) fn new(source: Cached, meta: Meta) -> Self {
        Self { source, meta, seen: HashSet::new(), held: 0, damage: Vec::new() }
    }

    /// Adds what a tree of pages holds to `bucket`; what is bad is recorded and left out.
    pub(super) fn page_tree(&mut self, page: u64, bucket: &mut Bucket, depth: usize) {
        match self.load(page, depth) {
            Ok((bytes, at)) => self.page(&bytes, at, bucket, depth),
            Err(error) => self.lost(error),
        }
    }

    fn lost(&mut self, error: FormatError) {
        error::note(&mut self.damage, error);
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
                        if let Err(error) = self.element(&Leaf { body, at, number }, element, bucket, depth) {
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
        leaf: &Leaf<'_>,
        element: &RawLeaf,
        bucket: &mut Bucket,
        depth: usize,
    ) -> Result<(), FormatError> {
        let Leaf { body, at, number } = *leaf;
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

/// Where an element of a leaf page lies.
struct Leaf<'a> {
    /// The page behind its header.
    body: &'a [u8],
    /// The page's offset in the file.
    at: u64,
    number: usize,
}

fn too_many(structure: &'static str, at: u64, count: usize) -> FormatError {
    FormatError::corrupt(structure, at, format!("{count} elements pass the page's end"))
}
