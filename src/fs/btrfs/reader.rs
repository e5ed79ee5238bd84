//! The driver: opens devices and answers for their files.

use std::sync::Arc;

use super::{
    assembly, checksum,
    data::Data,
    directory,
    inode::Inode,
    key::{DIR_ITEM, FS_TREE, Key},
    listing, replay, superblock,
    volume::Volume,
    xattr,
};
use crate::{
    block::{ReadAt, Source, read_vec},
    error::FormatError,
    fs::{
        Branch, FileKind, FileSystem, Ino, Listing, Member, Opened, Stat, Subvolume, Xattr, symlink,
        uuid_text,
    },
};

/// Whether the source begins like a device of a btrfs file system.
pub fn probe(source: &dyn ReadAt) -> bool {
    superblock::is_there(source)
}

/// Which file system the source is a device of, if that can be read.
pub fn member(source: &dyn ReadAt) -> Option<Member> {
    let superblock = superblock::read(source, &mut Vec::new()).ok()?;
    Some(Member { set: superblock.fsid, device: superblock.device.id, count: superblock.devices })
}

/// Opens a btrfs file system of one device; of one that spans several, what this device has.
pub fn open(source: Source) -> Result<Opened, FormatError> {
    open_devices(&[source])
}

/// Opens a btrfs file system by its devices, in any order. Of missing ones it is noted that they are; what
/// does not need them is read. The root is the subvolume that the kernel mounts by default.
pub fn open_devices(sources: &[Source]) -> Result<Opened, FormatError> {
    let mut notes = Vec::new();
    let mut volume = assembly::assemble(sources, &mut notes)?;
    if let Some(log) = volume.superblock.log_root {
        match volume.superblock.unwritable {
            0 => replay::replay(&mut volume, log, &mut notes),
            bits => {
                let error = FormatError::unsupported(format!("read-only feature bits {bits:#x}"));
                notes.push(replay::not_replayed(&error));
            }
        }
    }
    let label = String::from_utf8_lossy(&volume.superblock.label).into_owned();
    let root = volume.subvolumes.list.first().and_then(|first| volume.subvolumes.root_of(first.id));
    Ok(Opened {
        kind: "btrfs",
        uuid: uuid_text(&volume.superblock.fsid),
        label: (!label.is_empty()).then_some(label),
        notes,
        fs: Arc::new(Btrfs { volume: Arc::new(volume), root: root.unwrap_or(Ino(0)) }),
    })
}

/// A subvolume as the root; the others are directories in it.
struct Btrfs {
    volume: Arc<Volume>,
    root: Ino,
}

impl Btrfs {
    /// An inode that is no absent subvolume.
    fn inode(&self, ino: Ino) -> Result<Inode, FormatError> {
        let place = self.volume.subvolumes.place(ino)?;
        let inode = self.volume.inode(place)?;
        match place.absent {
            true => Err(inode.corrupt("holds an empty directory, in place of a subvolume")),
            false => Ok(inode),
        }
    }

    fn with_root(&self, root: Ino) -> Self {
        Self { volume: Arc::clone(&self.volume), root }
    }

    fn named(&self, path: &[u8]) -> Result<Option<Ino>, FormatError> {
        let top = self.volume.subvolumes.root_of(FS_TREE);
        let mut at = top.ok_or_else(|| FormatError::corrupt("btrfs root item", 0, "no top subvolume"))?;
        for name in path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
            match self.lookup(at, name)? {
                Some(ino) => at = ino,
                None => return Ok(None),
            }
        }
        let place = self.volume.subvolumes.place(at)?;
        let is_root = !place.absent && place.number == super::key::FIRST_FREE;
        Ok(is_root.then_some(at))
    }
}

impl FileSystem for Btrfs {
    fn root(&self) -> Ino {
        self.root
    }

    fn stat(&self, ino: Ino) -> Result<Stat, FormatError> {
        let place = self.volume.subvolumes.place(ino)?;
        let inode = self.volume.inode(place)?;
        if place.absent { inode.stat_absent(ino) } else { inode.stat(ino) }
    }

    fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Option<Ino>, FormatError> {
        let place = self.volume.subvolumes.place(dir)?;
        if place.absent {
            return Ok(None);
        }
        let inode = self.volume.inode(place)?;
        if inode.kind()? != FileKind::Directory {
            return Err(inode.corrupt("is not a directory"));
        }
        let key = Key::new(place.number, DIR_ITEM, checksum::name_hash(name));
        let Some(item) = self.volume.tree(place)?.find(&self.volume.nodes, key)? else { return Ok(None) };
        let found = directory::find(&item, name)?;
        found.map(|named| self.volume.subvolumes.entry(place, &named, item.offset)).transpose()
    }

    fn read_dir(&self, dir: Ino) -> Result<Listing, FormatError> {
        listing::read(&self.volume, &[dir]).pop().unwrap_or_else(|| Ok(Listing::default()))
    }

    fn read_dirs(&self, dirs: &[Ino]) -> Vec<Result<Listing, FormatError>> {
        listing::read(&self.volume, dirs)
    }

    fn read_link(&self, ino: Ino) -> Result<Vec<u8>, FormatError> {
        let inode = self.inode(ino)?;
        let data = Data::new(Arc::clone(&self.volume), inode.clone());
        let read = |size| read_vec(&data, "symbolic link", 0, size);
        symlink::target(inode.kind()?, inode.size, |problem| inode.corrupt(problem), read)
    }

    fn xattrs(&self, ino: Ino) -> Result<Vec<Xattr>, FormatError> {
        match self.volume.subvolumes.place(ino)?.absent {
            true => Ok(Vec::new()),
            false => xattr::read(&self.volume, &self.inode(ino)?),
        }
    }

    fn xattr(&self, ino: Ino, name: &[u8]) -> Result<Option<Vec<u8>>, FormatError> {
        match self.volume.subvolumes.place(ino)?.absent {
            true => Ok(None),
            false => xattr::read_one(&self.volume, &self.inode(ino)?, name),
        }
    }

    fn open(&self, ino: Ino) -> Result<Source, FormatError> {
        let inode = self.inode(ino)?;
        match inode.kind()? {
            FileKind::Regular => Ok(Arc::new(Data::new(Arc::clone(&self.volume), inode))),
            _ => Err(inode.corrupt("is not a regular file")),
        }
    }

    fn subvolume(&self, which: Subvolume<'_>) -> Result<Option<Arc<dyn FileSystem>>, FormatError> {
        let root = match which {
            Subvolume::Id(id) => self.volume.subvolumes.root_of(id),
            Subvolume::Path(path) => self.named(path)?,
        };
        Ok(root.map(|root| -> Arc<dyn FileSystem> { Arc::new(self.with_root(root)) }))
    }

    fn subvolumes(&self) -> Vec<Branch> {
        self.volume.subvolumes.branches()
    }
}
