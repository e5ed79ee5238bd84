//! A segment of a logical volume as its text describes it (lvm2, the `text_import` of each of `lib/*/*.c`).

use super::{
    super::dm::Mode,
    text::{Section, Value},
};

const SECTOR: u64 = 512;
/// Flags of a type (lvm2, `lib/format_text/flags.c`): none says where data lies but those of RAID whose layout changes, of which
/// its superblocks tell.
const FLAGS: [&str; 8] = [
    "CACHE_USES_CACHEVOL",
    "CROP_METADATA",
    "METADATA_FORMAT",
    "REMOVE_AFTER_RESHAPE",
    "RESHAPE",
    "RESHAPE_DATA_OFFSET",
    "RESHAPE_DELTA_DISKS_MINUS",
    "RESHAPE_DELTA_DISKS_PLUS",
];

/// A run of extents that are stored alike.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Segment {
    pub(super) start: u64,
    pub(super) count: u64,
    pub(super) kind: Kind,
}

/// How a segment is stored.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// Chunks of `size` bytes, one area after the other; of one area a plain run.
    Striped { areas: Vec<Area>, size: u64 },
    /// Each area holds everything.
    Mirrored(Mirror),
    /// What the kernel's dm-raid makes.
    Raid(Raid),
    /// Reads as zeros.
    Zero,
    /// A pool for thin volumes; it holds no file system itself.
    ThinPool { data: String, metadata: String, transaction: u64 },
    /// A volume of a pool.
    Thin { pool: String, device: u64, origin: Option<String>, merging: Option<String> },
    /// A cache that is not in use, or by a volume that names it.
    CachePool { data: String, metadata: String, mode: Option<Mode> },
    /// A volume behind a cache.
    Cached { pool: String, origin: String, parts: Option<CacheParts> },
    /// A volume whose writes go to a cache first.
    WriteCached { cache: String, origin: String },
    /// What describes a snapshot: `store` is the volume that shows `origin` as it was.
    Snapshot { store: String, origin: String },
    /// What describes that a snapshot is being written back into its origin, which shows the snapshot.
    Merging { origin: String },
    /// What is not read, by its own name.
    Other(String),
}

/// A run of extents on a physical volume or of another logical volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) name: String,
    /// Its first extent there.
    pub(super) start: u64,
}

/// A mirror as they were before RAID: each area holds everything, once it was copied from the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mirror {
    pub(super) areas: Vec<Area>,
    /// The volume that says what was copied; of one without, that was kept in memory.
    pub(super) log: Option<String>,
    /// Bytes of a region of the log.
    pub(super) region: u64,
}

/// A RAID of legs; each leg's state is in a volume of its own.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Raid {
    pub(super) legs: Vec<String>,
    pub(super) states: Vec<String>,
    /// Bytes of a chunk; of no meaning for mirrors.
    pub(super) chunk: u64,
    /// Extents of each leg that hold no data, but are free for changing the layout.
    pub(super) spare: u64,
    /// MD's numbers for it.
    pub(super) level: i32,
    pub(super) layout: u32,
}

/// Where a volume that is a cache has which part of it, in bytes: where it begins, and how long it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CacheParts {
    pub(super) metadata: (u64, u64),
    pub(super) data: (u64, u64),
    pub(super) mode: Option<Mode>,
}

impl Segment {
    pub(super) fn parse(section: &Section, extent: u64) -> Option<Self> {
        let (start, count) = (section.number("start_extent")?, section.number("extent_count")?);
        // Bytes must be countable.
        start.checked_add(count)?.checked_mul(extent)?;
        let name = section.text("type")?;
        let kind = Kind::parse(section).or_else(|| {
            // What the group's other volumes are made of must be known; what only this one needs need not.
            let is_plain = ["striped", "linear", "mirror"].contains(&name.split('+').next()?);
            (!is_plain).then(|| Kind::Other(format!("{name} with values that are not understood")))
        })?;
        Some(Self { start, count, kind })
    }
}

impl Kind {
    fn parse(section: &Section) -> Option<Self> {
        let text = |name: &str| section.text(name).map(str::to_owned);
        let bytes = |name: &str| section.number(name)?.checked_mul(SECTOR);
        // A type may have flags behind it; with one that is not known it is another type, as for LVM2.
        let whole = section.text("type")?;
        let mut words = whole.split('+');
        let kind = words.next()?;
        if words.any(|flag| !FLAGS.contains(&flag)) {
            return Some(Self::Other(whole.to_owned()));
        }
        Some(match kind {
            "striped" | "linear" => {
                let areas = areas(section.list("stripes"))?;
                let size = section.number("stripe_size").unwrap_or(0).checked_mul(SECTOR)?;
                let sound = !areas.is_empty() && (areas.len() == 1 || size > 0);
                sound.then_some(Self::Striped { areas, size })?
            }
            "mirror" => Self::Mirrored(Mirror {
                areas: areas(section.list("mirrors"))?,
                log: text("mirror_log"),
                region: section.number("region_size").unwrap_or(0).checked_mul(SECTOR)?,
            }),
            "zero" => Self::Zero,
            "thin-pool" => Self::ThinPool {
                data: text("pool")?,
                metadata: text("metadata")?,
                transaction: section.number("transaction_id")?,
            },
            "thin" => Self::Thin {
                pool: text("thin_pool")?,
                device: section.number("device_id")?,
                origin: text("external_origin"),
                merging: text("merge"),
            },
            "cache-pool" => {
                Self::CachePool { data: text("data")?, metadata: text("metadata")?, mode: mode(section)? }
            }
            "cache" => Self::Cached {
                pool: text("cache_pool")?,
                origin: text("origin")?,
                parts: match bytes("metadata_start") {
                    None => None,
                    Some(start) => Some(CacheParts {
                        metadata: (start, bytes("metadata_len")?),
                        data: (bytes("data_start")?, bytes("data_len")?),
                        mode: mode(section)?,
                    }),
                },
            },
            "writecache" => Self::WriteCached { cache: text("writecache")?, origin: text("origin")? },
            "snapshot" => match text("cow_store") {
                Some(store) => Self::Snapshot { store, origin: text("origin")? },
                None => Self::Merging { origin: text("origin")? },
            },
            other => match raid(other, section.number("data_copies").unwrap_or(2)) {
                Some((level, layout)) => {
                    let (states, legs) = legs(section)?;
                    let chunk = if level == 1 { 4096 } else { bytes("stripe_size")? };
                    let spare = section.number("reshape_count").unwrap_or(0);
                    let sound = chunk >= 4096 && chunk.is_power_of_two() && !legs.is_empty();
                    sound.then_some(Self::Raid(Raid { legs, states, chunk, spare, level, layout }))?
                }
                None => Self::Other(other.to_owned()),
            },
        })
    }
}

/// The level and layout of a type of segment, as the kernel's dm-raid has them (`drivers/md/dm-raid.c`, `raid_types`).
fn raid(kind: &str, copies: u64) -> Option<(i32, u32)> {
    Some(match kind {
        "raid0" | "raid0_meta" => (0, 0),
        "raid1" => (1, 0),
        "raid4" | "raid5_0" => (5, 4),
        "raid5_n" => (5, 5),
        "raid5" | "raid5_ls" => (5, 2),
        "raid5_rs" => (5, 3),
        "raid5_la" => (5, 0),
        "raid5_ra" => (5, 1),
        "raid6" | "raid6_zr" => (6, 8),
        "raid6_nr" => (6, 9),
        "raid6_nc" => (6, 10),
        "raid6_n_6" => (6, 5),
        "raid6_0_6" => (6, 20),
        "raid6_ls_6" => (6, 18),
        "raid6_rs_6" => (6, 19),
        "raid6_la_6" => (6, 16),
        "raid6_ra_6" => (6, 17),
        // Copies near each other; there are no others.
        "raid10" | "raid10_near" => (10, 0x100 | u32::from(u8::try_from(copies).ok()?)),
        _ => return None,
    })
}

/// A cache's mode: `None` inside if it says none, `None` if it is unknown.
#[expect(clippy::option_option, reason = "what is not said differs from what is not known")]
fn mode(section: &Section) -> Option<Option<Mode>> {
    match section.text("cache_mode") {
        None => Some(None),
        Some("writethrough") => Some(Some(Mode::Through)),
        Some("writeback") => Some(Some(Mode::Back)),
        Some("passthrough") => Some(Some(Mode::Around)),
        Some(_) => None,
    }
}

/// Pairs of a name and an extent.
fn areas(list: &[Value]) -> Option<Vec<Area>> {
    list.chunks(2)
        .map(|pair| match pair {
            [Value::Text(name), Value::Number(start)] => {
                Some(Area { name: name.clone(), start: u64::try_from(*start).ok()? })
            }
            _ => None,
        })
        .collect()
}

/// The volumes of a RAID's legs, for their states and for their data.
fn legs(section: &Section) -> Option<(Vec<String>, Vec<String>)> {
    let name = |value: &Value| match value {
        Value::Text(name) => Some(name.clone()),
        _ => None,
    };
    // RAID 0 may have no states.
    let plain: Vec<String> = section.list("raid0_lvs").iter().map(name).collect::<Option<_>>()?;
    if !plain.is_empty() {
        return Some((Vec::new(), plain));
    }
    let all: Vec<String> = section.list("raids").iter().map(name).collect::<Option<_>>()?;
    let (states, legs): (Vec<_>, Vec<_>) = all
        .chunks_exact(2)
        .filter_map(|pair| match pair {
            [state, leg] => Some((state.clone(), leg.clone())),
            _ => None,
        })
        .unzip();
    (all.len() == legs.len().saturating_mul(2)).then_some((states, legs))
}
