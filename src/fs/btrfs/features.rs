//! Feature bits and flags of the superblock ("On-disk format", superblock).

pub(super) const NO_HOLES: u64 = 1 << 9;
pub(super) const METADATA_UUID: u64 = 1 << 10;

/// Incompatible features by their bits, with the kernel's names, and whether they are read.
const INCOMPAT: &[(u32, &str, bool)] = &[
    (0, "mixed_backref", true),
    (1, "default_subvol", true),
    (2, "mixed_groups", true),
    (3, "compress_lzo", true),
    (4, "compress_zstd", true),
    (5, "big_metadata", true),
    (6, "extended_iref", true),
    (7, "raid56", true),
    (8, "skinny_metadata", true),
    (9, "no_holes", true),
    (10, "metadata_uuid", true),
    (11, "raid1c34", true),
    (12, "zoned", false),
    (13, "extent_tree_v2", false),
    (14, "raid_stripe_tree", false),
    (16, "simple_quota", true),
    (17, "remap_tree", false),
];

/// Flags of a superblock by their bits. What the kernel refuses is in the middle of a change that only
/// `btrfstune` can finish.
const FLAGS: &[(u32, &str, bool)] = &[
    (0, "written", true),
    (1, "reloc", true),
    (2, "error", true),
    (32, "seeding", true),
    (33, "metadump", true),
    (34, "metadump_v2", true),
    (35, "changing_fsid", false),
    (36, "changing_fsid_v2", false),
    (38, "changing_bg_tree", false),
    (39, "changing_data_csum", false),
    (40, "changing_meta_csum", false),
];

pub(super) const FLAG_ERROR: u64 = 1 << 2;
pub(super) const FLAGS_METADUMP: u64 = 3 << 33;

/// Features by which an older kernel may read and not write: free_space_tree, free_space_tree_valid, verity, block_group_tree.
const COMPAT_RO: u64 = 0b1111;

/// The features among `bits` with which the kernel replays no log, which would be to write.
pub(super) fn unwritable(bits: u64) -> u64 {
    bits & !COMPAT_RO
}

/// The incompatible features among `bits` that are not read; one without a name is shown by its number.
pub(super) fn unread(bits: u64) -> Vec<String> {
    refused(bits, INCOMPAT, "feature bit")
}

/// The flags among `bits` with which a file system is not read.
pub(super) fn unread_flags(bits: u64) -> Vec<String> {
    refused(bits, FLAGS, "superblock flag bit")
}

fn refused(bits: u64, known: &[(u32, &str, bool)], what: &str) -> Vec<String> {
    let set = (0..u64::BITS).filter(|bit| bits.unbounded_shr(*bit) & 1 == 1);
    set.filter_map(|bit| match known.iter().find(|(known, ..)| *known == bit) {
        Some((_, _, true)) => None,
        Some((_, name, false)) => Some((*name).to_owned()),
        None => Some(format!("{what} {bit}")),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_is_read_or_named() {
        assert_eq!(unread(0x1_0fff), Vec::<String>::new());
        for bit in (12..16).chain(17..64) {
            let names = unread(1 << bit | 0x341);
            assert_eq!(names.len(), 1, "{bit}");
            assert!(bit <= 17 || names[0] == format!("feature bit {bit}"));
        }
        assert_eq!(unread(1 << 12 | 1 << 13 | 1 << 63), ["zoned", "extent_tree_v2", "feature bit 63"]);
        assert_eq!(unread_flags(0x7_0000_0007), Vec::<String>::new());
        assert_eq!(unread_flags(1 << 36 | 8), ["superblock flag bit 3", "changing_fsid_v2"]);
    }
}
