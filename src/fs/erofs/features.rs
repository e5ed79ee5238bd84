//! Feature bits of the superblock.

/// The superblock has a checksum.
pub(super) const CHECKSUM: u32 = 0x1;
/// Names of extended attributes are kept as if there were no packed inode.
pub(super) const PLAIN_XATTR_PREFIXES: u32 = 0x10;

/// Compressed data ends with its blocks, with zeros before it.
pub(super) const ZERO_PADDING: u32 = 0x1;
/// Compressed data may have several blocks; algorithms are configured behind the superblock.
pub(super) const BIG_PCLUSTER: u32 = 0x2;
pub(super) const CHUNKED_FILE: u32 = 0x4;
pub(super) const DEVICE_TABLE: u32 = 0x8;
pub(super) const ZTAILPACKING: u32 = 0x10;
pub(super) const FRAGMENTS: u32 = 0x20;

/// Incompatible features by their bits, with the kernel's names, and whether they are read. Some bits have two names.
const INCOMPAT: &[(u32, &str, bool)] = &[
    (0, "zero_padding", true),
    (1, "big_pcluster", true),
    (2, "chunked_file", true),
    (3, "device_table", true),
    (4, "ztailpacking", true),
    (5, "fragments", true),
    (6, "xattr_prefixes", true),
    (7, "48bit", false),
    (8, "metabox", false),
];

/// The names of features without which files are not read rightly.
pub(super) fn unread(incompat: u32) -> Vec<String> {
    let bits = (0..u32::BITS).filter(|bit| incompat >> bit & 1 == 1);
    bits.filter_map(|bit| match INCOMPAT.iter().find(|(known, ..)| *known == bit) {
        Some((_, _, true)) => None,
        Some((_, name, false)) => Some((*name).to_owned()),
        None => Some(format!("incompatible bit {bit}")),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_that_are_not_read_are_named() {
        assert_eq!(unread(0x7f), Vec::<String>::new());
        assert_eq!(unread(0x8000_0181), ["48bit", "metabox", "incompatible bit 31"]);
    }
}
