//! A layer's tree as a tar, as runtimes write layers (OCI image-spec, layer.md): whiteouts as `.wh.` files,
//! opaque directories by a marker in them, names in order.

use std::{
    collections::HashMap,
    ffi::OsStr,
    io::{self, Read, Write},
    os::unix::ffi::OsStrExt,
    path::Path,
};

use tar::{Builder, EntryType, Header};

use super::overlay;
use crate::{
    block::Ahead,
    error::FormatError,
    fs::{FileKind, GuestPath, Handle, Ino, Stat, Xattr},
};

/// Writes the tree below `top` as a layer tar; large files are read by this many threads.
pub fn pack(top: &Handle, threads: usize, to: &mut dyn Write) -> io::Result<()> {
    let mut packer = Packer { tar: Builder::new(to), threads, links: HashMap::new() };
    packer.directory(top, &GuestPath::ROOT)?;
    packer.tar.finish()
}

struct Packer<'a> {
    tar: Builder<&'a mut dyn Write>,
    threads: usize,
    /// Files with several names, by inode: the first name has the data.
    links: HashMap<Ino, GuestPath>,
}

impl Packer<'_> {
    fn directory(&mut self, top: &Handle, at: &GuestPath) -> io::Result<()> {
        let mut todo = vec![(top.clone(), at.clone())];
        while let Some((dir, path)) = todo.pop() {
            let listing = dir.read_dir()?;
            // Half a directory would be another image.
            if let Some(error) = listing.damage.into_iter().next() {
                return Err(error.into());
            }
            let mut entries = listing.entries;
            entries.sort();
            for entry in entries {
                let here = path.join(&entry.name);
                if entry.name.starts_with(b".wh.") {
                    // Whoever unpacks the tar would remove another file for it.
                    let what = format!("a layer's tar cannot have a file of the name {here}");
                    return Err(FormatError::unsupported(what).into());
                }
                let file = Handle { fs: dir.fs.clone(), ino: entry.ino, path: here.clone() };
                if entry.kind == FileKind::Directory {
                    // A directory is its own ancestor only in a damaged tree.
                    if self.links.insert(entry.ino, here.clone()).is_some() {
                        return Err(
                            FormatError::malformed("directory", format!("{here} is reached twice")).into()
                        );
                    }
                    self.entry(&file, &here, EntryType::Directory, None)?;
                    todo.push((file, here));
                } else {
                    self.other(&file, &here, entry.kind)?;
                }
            }
        }
        Ok(())
    }

    fn other(&mut self, file: &Handle, path: &GuestPath, kind: FileKind) -> io::Result<()> {
        let stat = file.stat()?;
        if overlay::is_whiteout(&stat) {
            let marker = [b".wh.".as_slice(), path.name()].concat();
            return self.marker(&path.parent().unwrap_or_default().join(&marker));
        }
        if stat.links > 1 {
            if let Some(first) = self.links.get(&file.ino).cloned() {
                return self.entry(file, path, EntryType::Link, Some(first.as_bytes()));
            }
            self.links.insert(file.ino, path.clone());
        }
        match kind {
            FileKind::Regular => self.entry(file, path, EntryType::Regular, None),
            FileKind::Symlink => {
                let target = file.fs.read_link(file.ino)?;
                self.entry(file, path, EntryType::Symlink, Some(&target))
            }
            FileKind::CharDevice => self.entry(file, path, EntryType::Char, None),
            FileKind::BlockDevice => self.entry(file, path, EntryType::Block, None),
            FileKind::Fifo => self.entry(file, path, EntryType::Fifo, None),
            // A tar has no sockets; runtimes leave them out of layers too.
            FileKind::Socket | FileKind::Directory => Ok(()),
        }
    }

    fn entry(
        &mut self,
        file: &Handle,
        path: &GuestPath,
        kind: EntryType,
        target: Option<&[u8]>,
    ) -> io::Result<()> {
        let stat = file.stat()?;
        let xattrs = if kind == EntryType::Link { Vec::new() } else { file.fs.xattrs(file.ino)? };
        let opaque = self.extensions(path, &xattrs)?;
        let mut header = header(&stat, kind);
        let name = Path::new(OsStr::from_bytes(path.as_bytes()));
        let written = match (kind, target) {
            (_, Some(target)) => self.tar.append_link(&mut header, name, OsStr::from_bytes(target)),
            (EntryType::Regular, None) => {
                header.set_size(stat.size);
                let data = Ahead::new(file.open()?, self.threads);
                self.tar.append_data(&mut header, name, data.take(stat.size))
            }
            _ => self.tar.append_data(&mut header, name, io::empty()),
        };
        written?;
        if opaque { self.marker(&path.join(b".wh..wh..opq")) } else { Ok(()) }
    }

    /// Writes the attributes that belong to the file; whether the overlay's own say that it is opaque.
    fn extensions(&mut self, path: &GuestPath, xattrs: &[Xattr]) -> io::Result<bool> {
        if let Some(error) = overlay::indirection(xattrs) {
            return Err(error.into());
        }
        if overlay::is_indirect(xattrs) {
            let what = "an overlay's file that is made of something in the layers below, in a layer's tar";
            return Err(FormatError::unsupported(what).into());
        }
        let shown = overlay::shown(xattrs.to_vec());
        let mut own: Vec<(String, &[u8])> = Vec::new();
        for xattr in &shown {
            // A record ends its key at the first `=`, and its key is text.
            let name = str::from_utf8(&xattr.name).ok().filter(|name| !name.contains('='));
            let name = name.ok_or_else(|| {
                let name = String::from_utf8_lossy(&xattr.name).into_owned();
                FormatError::unsupported(format!(
                    "a tar cannot have the extended attribute {name:?} of {path}"
                ))
            })?;
            own.push((format!("SCHILY.xattr.{name}"), &xattr.value));
        }
        if !own.is_empty() {
            let records = own.iter().map(|(name, value)| (name.as_str(), *value));
            self.tar.append_pax_extensions(records)?;
        }
        Ok(overlay::is_opaque(xattrs))
    }

    fn marker(&mut self, path: &GuestPath) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(0);
        let name = Path::new(OsStr::from_bytes(path.as_bytes()));
        self.tar.append_data(&mut header, name, io::empty())
    }
}

fn header(stat: &Stat, kind: EntryType) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(stat.mode);
    header.set_uid(u64::from(stat.uid));
    header.set_gid(u64::from(stat.gid));
    // Times before 1970 have no place in this header.
    header.set_mtime(u64::try_from(stat.mtime.seconds).unwrap_or(0));
    header.set_size(0);
    // A header of this kind has these fields.
    let _ = header.set_device_major(stat.rdev.major).and(header.set_device_minor(stat.rdev.minor));
    header
}
