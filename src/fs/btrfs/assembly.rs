//! From devices to a volume: the newest superblock, the chunks, the trees.

use std::{collections::BTreeMap, ops::ControlFlow, sync::Arc};

use zerocopy::FromBytes;

use super::{
    chunks::{Chunk, Chunks},
    features,
    format::RawDeviceItem,
    key::{CHUNK_ITEM, CHUNK_TREE, CSUM_TREE, DEV_ITEM, FIRST_FREE, Key, ROOT_ITEM, ROOT_TREE},
    node::{Common, Pointer},
    nodes::Nodes,
    slots::Slots,
    space::{Devices, Space},
    subvolumes::{self, Subvolumes},
    superblock::{self, Device, OFFSETS, STRUCTURE, Superblock},
    tree::Tree,
    volume::Volume,
};
use crate::{block::Source, error::FormatError, fs::uuid_text, gap::Code, limits, num};

/// Opens the devices of one file system, in any order; what is damaged or missing is noted.
pub(super) fn assemble(sources: &[Source], notes: &mut Vec<FormatError>) -> Result<Volume, FormatError> {
    let (superblock, devices) = devices(sources, notes)?;
    let common = Common::of(&superblock);
    let chunks = Chunks::of_system(&superblock.system_chunks, OFFSETS[0])?;
    let system = Nodes::new(Space { devices, chunks }, common);
    let chunks = read_chunks(&superblock, &system, notes)?;
    let nodes = Nodes::new(Space { devices: system.space.devices, chunks }, common);
    let roots = Tree::new(Pointer::root(superblock.root, superblock.generation, ROOT_TREE));
    let subvolumes = Subvolumes::read(&nodes, &roots, notes)?;
    let sums = sums(&nodes, &roots).unwrap_or_else(|error| {
        notes.push(error);
        None
    });
    let kept = num::to_usize(num::to_u64(limits::BTRFS_UNPACKED_CACHE_BYTES) / limits::BTRFS_UNPACKED_BYTES);
    notes.extend(flags(&superblock));
    Ok(Volume {
        superblock,
        nodes,
        subvolumes,
        sums,
        logged_sums: BTreeMap::new(),
        unpacked: Slots::new(kept),
    })
}

/// The newest superblock, and the devices by their ids.
fn devices(sources: &[Source], notes: &mut Vec<FormatError>) -> Result<(Superblock, Devices), FormatError> {
    let mut found: Vec<(Superblock, Source)> = Vec::new();
    let mut failed = Vec::new();
    for source in sources {
        match superblock::read(source, notes) {
            // Ids begin at 1; 0 is that of a device that is being replaced, whose copy is not whole.
            Ok(superblock) if superblock.device.id == 0 => {
                failed.push(FormatError::corrupt(STRUCTURE, OFFSETS[0], "a device of number 0"));
            }
            Ok(superblock) => found.push((superblock, Arc::clone(source))),
            Err(error) => failed.push(error),
        }
    }
    // The newest first; of those, the order of their ids.
    found.sort_by_key(|(superblock, _)| (std::cmp::Reverse(superblock.generation), superblock.device.id));
    let Some((newest, _)) = found.first() else {
        let none = || FormatError::corrupt(STRUCTURE, OFFSETS[0], "none");
        return Err(failed.into_iter().next().unwrap_or_else(none));
    };
    notes.append(&mut failed);
    let newest = newest.clone();
    let mut devices: Vec<(Device, Source)> = Vec::new();
    for (superblock, source) in found {
        let Device { id, .. } = superblock.device;
        if superblock.fsid != newest.fsid || superblock.metadata_uuid != newest.metadata_uuid {
            let fsid = uuid_text(&superblock.fsid).unwrap_or_default();
            notes.push(FormatError::corrupt(STRUCTURE, OFFSETS[0], format!("device {id} is of {fsid}")));
        } else if devices.iter().any(|(device, _)| device.id == id) {
            let problem =
                format!("device {id} twice, the one of generation {} is left out", superblock.generation);
            notes.push(FormatError::corrupt(STRUCTURE, OFFSETS[0], problem));
        } else {
            if superblock.generation != newest.generation {
                let (old, new) = (superblock.generation, newest.generation);
                notes.push(FormatError::Unsupported {
                    code: Code::DirtyImage,
                    what: format!("btrfs device {id} is of generation {old}, the file system of {new}"),
                });
            }
            let name = format!("btrfs device {id}");
            notes.extend(crate::fs::cut(&name, superblock.device_bytes, source.size()));
            devices.push((superblock.device, source));
        }
    }
    if num::to_u64(devices.len()) > newest.devices {
        let problem = format!("{} devices of a file system that has {}", devices.len(), newest.devices);
        notes.push(FormatError::corrupt(STRUCTURE, OFFSETS[0], problem));
    }
    Ok((newest, Devices::new(devices)))
}

/// The chunks of the chunk tree, with those of the superblock; devices that were not given are noted.
fn read_chunks(
    superblock: &Superblock,
    system: &Nodes,
    notes: &mut Vec<FormatError>,
) -> Result<Chunks, FormatError> {
    let root = Pointer::root(superblock.chunk_root, superblock.chunk_root_generation, CHUNK_TREE);
    let tree = Tree::new(root);
    // A tree whose root cannot be read has nothing to tell.
    system.read(&root)?;
    let mut chunks = system.space.chunks.clone();
    let mut missing: BTreeMap<u64, Device> = BTreeMap::new();
    let mut bad = Vec::new();
    let range = (Key::new(0, 0, 0), Key::new(FIRST_FREE, CHUNK_ITEM, u64::MAX));
    let damage = tree.scan(system, range, &mut |item| {
        if item.key.kind == CHUNK_ITEM {
            let chunk = Chunk::parse(item.key, item.data(), item.offset);
            bad.extend(chunk.and_then(|(chunk, _)| chunks.add(item.key.offset, chunk, item.offset)).err());
        } else if item.key.kind == DEV_ITEM
            && let Ok((raw, _)) = RawDeviceItem::ref_from_prefix(item.data())
        {
            let device = Device::of(raw);
            missing.insert(device.id, device);
        }
        match bad.len() < limits::DAMAGE_NOTES {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    });
    notes.extend(damage.into_iter().chain(bad));
    missing.extend(chunks.devices().map(|device| (device.id, device)));
    missing.retain(|_, device| system.space.devices.find(*device).is_none());
    notes.extend(missing.values().take(limits::DAMAGE_NOTES).map(|device| FormatError::Unsupported {
        code: Code::MissingDisk,
        what: format!(
            "btrfs device {} ({}) was not given",
            device.id,
            uuid_text(&device.uuid).unwrap_or_default()
        ),
    }));
    Ok(chunks)
}

/// The tree of checksums of data.
fn sums(nodes: &Nodes, roots: &Tree) -> Result<Option<Tree>, FormatError> {
    let item = roots.find(nodes, Key::new(CSUM_TREE, ROOT_ITEM, 0))?;
    item.map(|item| Ok(Tree::new(subvolumes::root(&item, CSUM_TREE)?.0))).transpose()
}

fn flags(superblock: &Superblock) -> impl Iterator<Item = FormatError> {
    let errors = superblock.flags & features::FLAG_ERROR != 0;
    let error = "the kernel recorded errors on this file system";
    let dump = superblock.flags & features::FLAGS_METADUMP != 0;
    let error = errors.then(|| FormatError::corrupt(STRUCTURE, OFFSETS[0], error));
    let what = "btrfs metadata dump: the data of files is not in it";
    error.into_iter().chain(dump.then(|| FormatError::unsupported(what)))
}
