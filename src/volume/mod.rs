//! The disks of a node in, its volumes out: partitions, or the whole disk where there is no partition table.

mod by_type;
mod dm;
mod gpt;
mod lvm;
mod mapped;
mod mbr;
mod md;
mod raid;
mod runs;
mod signature;
mod stack;
mod whole;

use std::sync::Arc;

pub use by_type::{by_type, is_efi_system};
pub use lvm::MEMBER as LVM_MEMBER;
pub use signature::{Signature, is_replicated, is_to_go, signature};

use crate::{
    block::{ReadAt, Slice, Source},
    error::FormatError,
    limits,
};

/// A part of a disk that may hold a file system.
#[derive(Clone)]
pub struct Volume {
    /// How reports and `--volume` name it: `disk0` for a whole disk, `disk0p1` for a partition, `vg/root` for a
    /// logical volume, `md/data` for an array and `md/datap1` for a partition of one.
    pub id: String,
    /// The number of the disk (of what is made of several, the first), in the order in which the disks were given.
    pub disk: usize,
    /// Where a partition begins on its disk or array, in bytes; 0 for all else.
    pub start: u64,
    /// Its bytes.
    pub source: Source,
    /// What the partition table says, for a partition.
    pub partition: Option<Partition>,
    /// Names under which fstab may call it, for a logical volume (`/dev/vg/root`) or an array.
    pub names: Vec<String>,
    /// The ids of the volumes that it is made of, for a logical volume or an array.
    pub parts: Vec<String>,
}

/// A partition table's entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Partition {
    /// Its number, as the kernel counts.
    pub number: u32,
    /// The type: a GUID in upper case for GPT, two hexadecimal digits for MBR.
    pub kind: String,
    /// GPT's unique GUID in lower case, or MBR's `disk signature-number`: what fstab calls `PARTUUID`.
    pub uuid: Option<String>,
    /// GPT's name, what fstab calls `PARTLABEL`.
    pub name: Option<String>,
    /// GPT's attribute bits; from bit 48 on they mean what the type says. 0 for MBR.
    pub attributes: u64,
}

/// A disk's volumes.
pub struct Table {
    /// `gpt`, `mbr` or `none`.
    pub scheme: &'static str,
    /// The volumes, in the order of their numbers.
    pub volumes: Vec<Volume>,
    /// What is to be told: a damaged header whose backup was used, an entry that reaches past the end.
    pub notes: Vec<FormatError>,
}

/// An entry of a partition table: where it is, in bytes, and what the table says of it.
struct Extent {
    start: u64,
    length: u64,
    partition: Partition,
}

/// Volumes of several disks, put together.
#[derive(Default)]
pub struct Assembled {
    /// What may hold file systems: volumes that are part of nothing, and what others make together.
    pub volumes: Vec<Volume>,
    /// The volumes that others are made of, and what they are.
    pub members: Vec<(Volume, &'static str)>,
    /// What could not be read or is missing, each with the volume that it is about.
    pub notes: Vec<(String, FormatError)>,
}

/// Puts together what volumes of any number of disks, in any order, make: MD's arrays with their partitions and LVM2's
/// logical volumes, each of which may lie on the other. What is complete comes first, as what it makes may be what the rest
/// waits for.
pub fn assemble(volumes: Vec<Volume>) -> Assembled {
    let mut all = Assembled::default();
    let mut stack = stack::Stack::default();
    let (mut arrays, mut groups) = (md::Arrays::default(), lvm::Groups::default());
    let mut fresh = volumes;
    let mut are_logical = false;
    // Each round puts arrays or groups together, none of them twice.
    loop {
        let rest = arrays.sort(fresh, &mut all);
        // A physical volume on a logical one is a virtual machine's: LVM2 does not look there.
        if are_logical {
            all.volumes.extend(rest);
        } else {
            rest.into_iter().for_each(|volume| groups.sort(volume, &mut all));
        }
        let mut made = None;
        for complete in [true, false] {
            made = made.or_else(|| Some((arrays.build(complete, &mut stack, &mut all)?, false)));
            made = made.or_else(|| Some((groups.build(complete, &mut stack, &mut all)?, true)));
        }
        let Some(next) = made else { break };
        (fresh, are_logical) = next;
    }
    groups.end(&mut all);
    all
}

/// The volumes of disk number `disk`. A disk without partition table is one volume.
pub fn volumes(source: &Source, disk: usize) -> Result<Table, FormatError> {
    table(source, &format!("disk{disk}"), disk)
}

/// The volumes of a disk or array by its id.
fn table(source: &Source, name: &str, disk: usize) -> Result<Table, FormatError> {
    let mut notes = Vec::new();
    let (scheme, extents) = match gpt::read(source, &mut notes)? {
        Some(extents) => ("gpt", extents),
        None => match mbr::read(source, &mut notes)? {
            Some(extents) => ("mbr", extents),
            None => {
                return Ok(Table { scheme: "none", volumes: vec![whole_volume(source, name, disk)], notes });
            }
        },
    };
    // A file system or an array that was made on the whole disk leaves an old table in place, and the other way round:
    // both are told, and neither is lost.
    let also = match md::under(source, &extents) {
        md::Under::Array => {
            let volumes = vec![whole_volume(source, name, disk)];
            return Ok(Table { scheme: "none", volumes, notes: Vec::new() });
        }
        md::Under::OldTable => Some("the whole disk is a member of an array, too"),
        md::Under::Nothing if scheme == "mbr" && whole::is_file_system(source) => {
            Some("the whole disk holds a file system too")
        }
        md::Under::Nothing => None,
    };
    let mut volumes = Vec::new();
    if let Some(problem) = also {
        volumes.push(whole_volume(source, name, disk));
        notes.push(FormatError::corrupt("partition table", 0, problem));
    }
    if extents.len() > limits::PARTITIONS {
        let what = format!("{} partitions on {name}, more than {}", extents.len(), limits::PARTITIONS);
        notes.push(FormatError::limit(what));
    }
    for Extent { start, length, partition } in extents.into_iter().take(limits::PARTITIONS) {
        let id = format!("{name}p{}", partition.number);
        if start.saturating_add(length) > source.size() {
            let problem = format!(
                "{id} ends at {:#x}, past the disk's end at {:#x}",
                start.saturating_add(length),
                source.size()
            );
            notes.push(FormatError::corrupt("partition entry", start, problem));
        }
        let source: Source = Arc::new(Slice::new(Arc::clone(source), start, length));
        volumes.push(Volume {
            id,
            disk,
            start,
            source,
            partition: Some(partition),
            names: Vec::new(),
            parts: Vec::new(),
        });
    }
    Ok(Table { scheme, volumes, notes })
}

fn whole_volume(source: &Source, name: &str, disk: usize) -> Volume {
    let (id, source) = (name.to_owned(), Arc::clone(source));
    Volume { id, disk, start: 0, source, partition: None, names: Vec::new(), parts: Vec::new() }
}
