//! Feature bits of the superblock (XFS Algorithms & Data Structures, "Superblocks"; names as `xfs_info` and the
//! kernel's `xfs_format.h` have them).

/// The superblock's words of feature bits; those of version 5 are zeros before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Features {
    /// `sb_versionnum`: the version in its low four bits, then the oldest features.
    pub(super) version: u16,
    pub(super) features2: u32,
    pub(super) ro_compat: u32,
    pub(super) incompat: u32,
    pub(super) log_incompat: u32,
}

const VERSION: u16 = 0xf;
const NLINK: u16 = 0x20;
const ALIGN: u16 = 0x80;
const LOG_V2: u16 = 0x400;
const EXTENT_FLAG: u16 = 0x1000;
const DIRECTORY_V2: u16 = 0x2000;
const MORE_BITS: u16 = 0x8000;

const LAZY_COUNT: u32 = 0x2;
const ATTR2: u32 = 0x8;
const PROJECT_32: u32 = 0x80;
const CRC: u32 = 0x100;
const FILE_TYPE_V4: u32 = 0x200;

const FILE_TYPE: u32 = 0x1;
pub(super) const META_UUID: u32 = 0x4;
pub(super) const NEEDS_REPAIR: u32 = 0x10;

/// Bits by name, and whether they are read.
type Table<T> = &'static [(T, &'static str, bool)];

const VERSION_BITS: Table<u16> = &[
    (0x10, "attr", true),
    (NLINK, "nlink", true),
    (0x40, "quota", true),
    (ALIGN, "align", true),
    (0x100, "dalign", true),
    (0x200, "shared", false),
    (LOG_V2, "logv2", true),
    (0x800, "sector", true),
    (EXTENT_FLAG, "extflg", true),
    (DIRECTORY_V2, "dirv2", true),
    (0x4000, "ascii-ci", true),
    (MORE_BITS, "morebits", true),
];

const FEATURES2: Table<u32> = &[
    (LAZY_COUNT, "lazy-count", true),
    (ATTR2, "attr2", true),
    (0x10, "parent (before version 5)", false),
    (PROJECT_32, "projid32bit", true),
    (CRC, "crc", true),
    (FILE_TYPE_V4, "ftype", true),
];

const INCOMPAT: Table<u32> = &[
    (FILE_TYPE, "ftype", true),
    (0x2, "sparse", true),
    (META_UUID, "metauuid", true),
    (0x8, "bigtime", true),
    (NEEDS_REPAIR, "needsrepair", true),
    (0x20, "nrext64", true),
    (0x40, "exchange", true),
    (0x80, "parent", true),
    (0x100, "metadir", false),
    (0x200, "zoned", false),
    (0x400, "zone-gaps", false),
];

const RO_COMPAT: Table<u32> =
    &[(0x1, "finobt", true), (0x2, "rmapbt", true), (0x4, "reflink", true), (0x8, "inobtcount", true)];

/// Attributes that are logged as intents: known, and only of use to a log that needs recovery.
const LOG_INCOMPAT: Table<u32> = &[(0x1, "log-xattrs", true)];

impl Features {
    /// Whether metadata describes itself and has checksums (version 5).
    pub(super) fn crc(self) -> bool {
        self.version & VERSION == 5
    }

    pub(super) fn incompat(self, bit: u32) -> bool {
        self.incompat & bit != 0
    }

    /// Whether names hold the kind of what they name.
    pub(super) fn file_types(self) -> bool {
        match self.crc() {
            true => self.incompat(FILE_TYPE),
            false => self.more(FILE_TYPE_V4),
        }
    }

    /// Whether the log is of version 2.
    pub(super) fn log_v2(self) -> bool {
        self.version & LOG_V2 != 0
    }

    fn more(self, bit: u32) -> bool {
        self.version & MORE_BITS != 0 && self.features2 & bit != 0
    }

    /// The names of features without which files are not read rightly.
    pub(super) fn unread(self) -> Vec<String> {
        let version = self.version & VERSION;
        if version != 4 && version != 5 {
            return vec![format!("version {version}")];
        }
        let mut unread = unread("version bit", VERSION_BITS, self.version & !VERSION);
        if self.version & DIRECTORY_V2 == 0 {
            unread.push("directories of version 1".to_owned());
        }
        if self.version & MORE_BITS != 0 {
            unread.extend(self::unread("features2 bit", FEATURES2, self.features2));
        }
        if self.crc() {
            unread.extend(self::unread("incompatible bit", INCOMPAT, self.incompat));
        } else if self.more(CRC) {
            unread.push("crc before version 5".to_owned());
        }
        unread
    }

    /// The names of features that only writers must know, and that this reader does not.
    pub(super) fn unknown_to_writers(self) -> Vec<String> {
        unread("read-only compatible bit", RO_COMPAT, if self.crc() { self.ro_compat } else { 0 })
    }

    /// The names of features of the log that are not known.
    pub(super) fn unread_in_log(self) -> Vec<String> {
        unread("log incompatible bit", LOG_INCOMPAT, if self.crc() { self.log_incompat } else { 0 })
    }

    /// Whether version 5 lacks a bit that it always has.
    pub(super) fn contradict(self) -> bool {
        const VERSION_5: u16 = NLINK | ALIGN | LOG_V2 | EXTENT_FLAG | DIRECTORY_V2 | MORE_BITS;
        const FEATURES2_5: u32 = LAZY_COUNT | ATTR2 | PROJECT_32 | CRC;
        self.crc() && (self.version & VERSION_5 != VERSION_5 || self.features2 & FEATURES2_5 != FEATURES2_5)
    }
}

fn unread<T: Copy + Into<u32>>(what: &str, table: Table<T>, word: T) -> Vec<String> {
    let word: u32 = word.into();
    let bits = (0..u32::BITS).map(|shift| (shift, 1 << shift)).filter(|(_, bit)| word & bit != 0);
    bits.filter_map(|(shift, bit)| match table.iter().find(|(known, ..)| (*known).into() == bit) {
        Some((_, _, true)) => None,
        Some((_, name, false)) => Some((*name).to_owned()),
        None => Some(format!("{what} {shift}")),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const V5: Features =
        Features { version: 0xb4a5, features2: 0x18a, ro_compat: 0xf, incompat: 0xff, log_incompat: 1 };
    const V4: Features =
        Features { version: 0xfdf4, features2: 0x28a, ro_compat: 0, incompat: 0, log_incompat: 0 };

    #[test]
    fn features_that_are_not_read_are_named() {
        for known in [V4, V5] {
            assert_eq!(known.unread(), Vec::<String>::new());
            assert!(known.unknown_to_writers().is_empty() && known.unread_in_log().is_empty());
            assert!(!known.contradict() && known.file_types());
        }
        assert_eq!(Features { version: 0xb4a3, ..V5 }.unread(), ["version 3"]);
        assert_eq!(Features { incompat: 0x8000_0101, ..V5 }.unread(), ["metadir", "incompatible bit 31"]);
        assert_eq!(Features { version: 0x9ef4, ..V4 }.unread(), ["shared", "directories of version 1"]);
        assert_eq!(
            Features { features2: 0x111, ..V4 }.unread(),
            ["features2 bit 0", "parent (before version 5)", "crc before version 5"]
        );
        assert_eq!(Features { ro_compat: 0x10, ..V5 }.unknown_to_writers(), ["read-only compatible bit 4"]);
        assert_eq!(Features { log_incompat: 2, ..V5 }.unread_in_log(), ["log incompatible bit 1"]);
        assert!(Features { features2: 0x8a, ..V5 }.contradict());
    }
}
