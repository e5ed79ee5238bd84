//! What a member says of itself and its array, in whichever version of the metadata.

use super::{old, one};
use crate::{
    block::{ReadAt, read_vec},
    error::FormatError,
};

/// The specification's name of the structure.
pub(super) const NAME: &str = "MD superblock";
/// Its first bytes, in the byte order of who wrote it.
pub(super) const MAGIC: u32 = 0xa92b_4efc;
/// Bytes of a superblock with room for all roles.
pub(super) const SIZE: usize = 4096;

/// A superblock of any version. Offsets and sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Superblock {
    /// `0.90`, `1.0`, `1.1` or `1.2`.
    pub(super) version: &'static str,
    /// Where it lies on the member.
    pub(super) at: u64,
    pub(super) array: Geometry,
    /// `host:name` or `name`, of metadata 1.
    pub(super) name: String,
    /// The minor number that the array had, of metadata 0.90.
    pub(super) minor: Option<u32>,
    /// Raised with each change of the array's state.
    pub(super) events: u64,
    /// When the array was last used, in the units of its version.
    pub(super) updated: u64,
    /// Whether the array was stopped, or idle for a while.
    pub(super) clean: bool,
    /// A log of writes, by its name, that the kernel reads before the array.
    pub(super) log: Option<&'static str>,
    /// Why the array cannot be read: a feature that it has, by its name.
    pub(super) refused: Option<String>,
    /// The member's number, which it keeps whatever its role is.
    pub(super) number: u32,
    pub(super) role: Role,
    /// The roles of all members by their numbers, as this one knows them.
    pub(super) roles: Vec<Role>,
    /// Where its data begins, …
    pub(super) data: u64,
    /// … and where it does in the shape that the array is being given.
    pub(super) new_data: u64,
    /// Of an array that is being reshaped, the byte of it up to which, or back to which, that was done.
    pub(super) position: u64,
    /// Bytes of it that are for data, …
    pub(super) data_size: u64,
    /// … of which these are up to date.
    pub(super) recovered: u64,
    /// Whether it is a copy in the making of another member of the same role.
    pub(super) replacement: bool,
    /// Where on the member its list of bad blocks is, how many bytes it has, and how many sectors of 512 bytes, as a
    /// power of two, its unit has.
    pub(super) bad_blocks: Option<(u64, u64, u8)>,
}

/// What all members of an array must agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Geometry {
    /// In the order in which mdadm prints it.
    pub(super) uuid: [u8; 16],
    /// When the array was made; mdadm believes the newest of several superblocks on one member.
    pub(super) created: u64,
    /// Whether the shape's layout tells the order of a RAID 0's zones.
    pub(super) has_zone_order: bool,
    /// Bytes that are used of each member; no meaning for linear arrays and RAID 0.
    pub(super) size: u64,
    pub(super) shape: Shape,
    /// What is being made of it.
    pub(super) reshape: Option<Reshape>,
}

/// How an array lies on its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) level: i32,
    pub(super) layout: u32,
    /// Bytes of a chunk.
    pub(super) chunk: u64,
    /// Roles that it has.
    pub(super) disks: u32,
}

/// A change of shape that is not finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reshape {
    /// What the array becomes.
    pub(super) shape: Shape,
    /// Whether it goes from the array's end to its beginning.
    pub(super) backwards: bool,
}

impl Geometry {
    /// Roles of the array in either shape.
    pub(super) fn roles(&self) -> u32 {
        self.reshape.map_or(0, |reshape| reshape.shape.disks).max(self.shape.disks)
    }
}

impl Reshape {
    /// A change of `old` that the metadata tells of, and the shape that the array has still. The metadata's count of members is
    /// the new one, `more` of which are added. `None` if they are less than none.
    pub(super) fn of(old: Shape, new: Shape, more: u32, backwards: bool) -> Option<(Shape, Self)> {
        let more = more.cast_signed();
        let disks = old.disks.checked_sub_signed(more)?;
        let backwards = more < 0 || (more == 0 && backwards);
        Some((Shape { disks, ..old }, Self { shape: new, backwards }))
    }
}

/// What a member is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Active(u32),
    Spare,
    Faulty,
    Journal,
}

impl Superblock {
    /// Finds a member's superblock: of several the one of the array that was made last, as mdadm does. `None` if there
    /// is none.
    pub(super) fn read(source: &dyn ReadAt) -> Result<Option<Self>, FormatError> {
        let mut found: Option<Self> = None;
        let mut failure = None;
        let size = source.size();
        let places = [
            ("1.1", Some(0)),
            ("1.2", Some(4096)),
            // The last 8 KiB and what is needed to be aligned (`super_1_load`).
            ("1.0", size.checked_sub(8192).map(|at| at & !0xfff)),
            // The last 64 KiB that are aligned (`MD_NEW_SIZE_SECTORS`).
            ("0.90", (size & !0xffff).checked_sub(0x1_0000)),
        ];
        for (version, at) in places.into_iter().filter_map(|(version, at)| Some((version, at?))) {
            let bytes = match candidate(source, at) {
                Ok(Some(bytes)) => bytes,
                Ok(None) => continue,
                Err(error) => {
                    failure = failure.or(Some(error));
                    continue;
                }
            };
            let parsed = match version {
                "0.90" => old::parse(&bytes, at),
                version => one::parse(&bytes, version, at),
            };
            match parsed {
                Ok(superblock)
                    if found.as_ref().is_none_or(|f| f.array.created < superblock.array.created) =>
                {
                    found = Some(superblock);
                }
                Ok(_) => {}
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        match (found, failure) {
            (Some(found), _) => Ok(Some(found)),
            (None, Some(failure)) => Err(failure),
            (None, None) => Ok(None),
        }
    }
}

/// The bytes at a place where a superblock may be, if its magic is there.
fn candidate(source: &dyn ReadAt, at: u64) -> Result<Option<Vec<u8>>, FormatError> {
    let mut magic = [0; 4];
    match source.read_at(&mut magic, at).map_err(FormatError::reading(NAME, at)) {
        Err(error) if error.is_host_io() => return Err(error),
        Err(_) => return Ok(None),
        Ok(()) => {}
    }
    if ![MAGIC.to_le_bytes(), MAGIC.to_be_bytes()].contains(&magic) {
        return Ok(None);
    }
    read_vec(source, NAME, at, SIZE).map(Some)
}

/// Adds 32-bit words and the carry to the sum, as both versions do.
pub(super) fn fold(sum: u64) -> u32 {
    let folded = (sum & 0xffff_ffff).wrapping_add(sum >> 32);
    u32::try_from(folded & 0xffff_ffff).unwrap_or(0)
}
