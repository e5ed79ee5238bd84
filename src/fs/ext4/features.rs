//! Feature bits of the superblock (super.rst, "s_feature_compat" and its siblings).

/// The superblock's three sets of feature bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Features {
    pub(super) compat: u32,
    pub(super) incompat: u32,
    pub(super) ro_compat: u32,
}

pub(super) const HAS_JOURNAL: u32 = 0x4;
pub(super) const SPARSE_SUPER2: u32 = 0x200;

pub(super) const FILETYPE: u32 = 0x2;
pub(super) const RECOVER: u32 = 0x4;
pub(super) const META_BG: u32 = 0x10;
pub(super) const EXTENTS: u32 = 0x40;
pub(super) const SIXTY_FOUR_BIT: u32 = 0x80;
pub(super) const MMP: u32 = 0x100;
pub(super) const EA_INODE: u32 = 0x400;
pub(super) const CSUM_SEED: u32 = 0x2000;
pub(super) const LARGEDIR: u32 = 0x4000;
pub(super) const INLINE_DATA: u32 = 0x8000;

pub(super) const SPARSE_SUPER: u32 = 0x1;
pub(super) const GDT_CSUM: u32 = 0x10;
pub(super) const BIGALLOC: u32 = 0x200;
pub(super) const METADATA_CSUM: u32 = 0x400;

/// Incompatible features by the names that `mke2fs` and `dumpe2fs` give them, and whether they are read.
const INCOMPAT: &[(u32, &str, bool)] = &[
    (0x1, "compression", false),
    (FILETYPE, "filetype", true),
    (RECOVER, "needs_recovery", true),
    (0x8, "journal_dev", false),
    (META_BG, "meta_bg", true),
    (EXTENTS, "extent", true),
    (SIXTY_FOUR_BIT, "64bit", true),
    (MMP, "mmp", true),
    (0x200, "flex_bg", true),
    (EA_INODE, "ea_inode", true),
    (0x1000, "dirdata", false),
    (CSUM_SEED, "metadata_csum_seed", true),
    (LARGEDIR, "large_dir", true),
    (INLINE_DATA, "inline_data", true),
    (0x1_0000, "encrypt", true),
    (0x2_0000, "casefold", true),
];

impl Features {
    pub(super) fn compat(self, bit: u32) -> bool {
        self.compat & bit != 0
    }

    pub(super) fn incompat(self, bit: u32) -> bool {
        self.incompat & bit != 0
    }

    pub(super) fn ro_compat(self, bit: u32) -> bool {
        self.ro_compat & bit != 0
    }

    /// The names of incompatible features that are not read; a bit without a name is shown as a number.
    pub(super) fn unread(self) -> Vec<String> {
        let bits = (0..u32::BITS).map(|shift| 1 << shift).filter(|bit| self.incompat(*bit));
        bits.filter_map(|bit| match INCOMPAT.iter().find(|(known, ..)| *known == bit) {
            Some((_, _, true)) => None,
            Some((_, name, false)) => Some((*name).to_owned()),
            None => Some(format!("FEATURE_I{}", u32::trailing_zeros(bit))),
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_that_are_not_read_are_named() {
        let with = |incompat| Features { compat: 0, incompat, ro_compat: u32::MAX };
        assert_eq!(with(0x3_e7d6).unread(), Vec::<String>::new());
        assert_eq!(with(0x8000_1001).unread(), ["compression", "dirdata", "FEATURE_I31"]);
    }
}
