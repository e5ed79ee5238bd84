//! Meta pages: where the tree begins. There are two, written in turn.

use zerocopy::FromBytes;

use super::format::{MAGIC, META, PAGE_SIZES, RawMeta, RawPage, VERSION};
use crate::{
    block::{self, ReadAt},
    bytes::is_sound,
    error::FormatError,
};

pub(super) struct Meta {
    pub(super) page_size: u64,
    pub(super) root: u64,
    pub(super) high_water: u64,
    transaction: u64,
}

impl Meta {
    /// The newer of the two valid meta pages. The second one's place depends on the page size, which only
    /// the first tells: if that is damaged, every usual size is tried.
    pub(super) fn find(source: &dyn ReadAt) -> Result<Self, FormatError> {
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
        if !is_sound(sum == meta.checksum.get()) {
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
pub(super) fn fnv1a(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}
