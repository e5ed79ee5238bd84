//! Names of a log: what it adds to directories, removes from them, and how links are counted afterwards.

use std::ops::ControlFlow;

use super::{
    checksum,
    directory::{self, Named},
    format::{RawHeader, RawInode, RawItem},
    key::{DIR_INDEX, DIR_ITEM, DIR_LOG_INDEX, INODE_EXTREF, INODE_ITEM, INODE_REF, Key},
    refs::{self, Ref},
    replay::{self, Replay, STRUCTURE},
    tree::Item,
};
use crate::{error::FormatError, fs::FileKind, limits, num};

impl Replay<'_> {
    /// Removes from a directory the names that the log does not have, in the ranges that it has whole.
    pub(super) fn delete_names(&mut self, dir: u64) -> Result<(), FormatError> {
        if !self.exists(dir)? {
            return Ok(());
        }
        for range in self.log.items(self.nodes, Key::all(dir, DIR_LOG_INDEX), limits::BTRFS_REPLAY_ITEMS)? {
            let end = range.data().first_chunk().map(|end| u64::from_le_bytes(*end));
            let cut = || FormatError::corrupt(STRUCTURE, range.offset, format!("{} is cut off", range.key));
            let last = Key::new(dir, DIR_INDEX, end.ok_or_else(cut)?);
            for (target, name) in self.unlogged(Key::new(dir, DIR_INDEX, range.key.offset), last)? {
                self.fix_later(target)?;
                self.unlink(dir, target, &name)?;
            }
        }
        Ok(())
    }

    /// The names of a directory in a range that the log does not have, with the inodes that they lead to.
    fn unlogged(&self, from: Key, last: Key) -> Result<Vec<(u64, Vec<u8>)>, FormatError> {
        let mut found = Vec::new();
        let mut look = |item: &Item| {
            let (named, _) = directory::listed(item.key, item.data(), item.offset)?;
            let logged = self.log.find(self.nodes, item.key)?;
            let logged = logged.as_ref().map(|logged| directory::find(logged, named.name)).transpose()?;
            if logged.flatten().is_none() {
                found.push((inode_of(&named, item.offset)?, named.name.to_vec()));
            }
            Ok(())
        };
        let mut failed = None;
        let damage = self.tree.scan(self.nodes, (from, last), &mut |item| match look(&item) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        });
        match damage.into_iter().next().or(failed) {
            Some(error) => Err(error),
            None if found.len() > limits::BTRFS_REPLAY_ITEMS => Err(replay::too_much()),
            None => Ok(found),
        }
    }

    /// Adds a name that a directory's listing in the log has, unless its inode's reference in the log will.
    pub(super) fn directory_item(&mut self, item: &Item) -> Result<(), FormatError> {
        let (named, kind) = directory::listed(item.key, item.data(), item.offset)?;
        let dir = item.key.objectid;
        if !self.exists(dir)? {
            return Err(replay::missing(dir));
        }
        let target = named.location.objectid;
        // A subvolume is no inode of this tree.
        let exists = named.location.kind == INODE_ITEM && self.exists(target)?;
        let by_name = self.drop_conflict(dir, self.by_name(dir, named.name)?, &named, exists)?;
        let index = self.by_index(dir, item.key.offset, named.name)?;
        let by_index = self.drop_conflict(dir, index, &named, exists)?;
        if by_name && by_index {
            return Ok(());
        }
        let name = Ref { parent: dir, index: item.key.offset, name: named.name };
        if self.is_logged(target, &name)? || !exists {
            return Ok(());
        }
        let added = self.add_reference(target, &name)? && self.add_name(target, &name)?;
        if added && kind != FileKind::Directory {
            self.fix_later(target)?;
        }
        Ok(())
    }

    /// Removes what else a name or number leads to. Whether it leads to the same already.
    fn drop_conflict(
        &mut self,
        dir: u64,
        found: Option<Item>,
        logged: &Named<'_>,
        exists: bool,
    ) -> Result<bool, FormatError> {
        let Some(item) = found else { return Ok(false) };
        let Some(named) = directory::find(&item, logged.name)? else { return Ok(false) };
        if (named.location, named.kind) == (logged.location, logged.kind) {
            return Ok(true);
        }
        if exists {
            self.drop_name(dir, &named, item.offset)?;
        }
        Ok(false)
    }

    fn drop_name(&mut self, dir: u64, named: &Named<'_>, offset: u64) -> Result<(), FormatError> {
        let number = inode_of(named, offset)?;
        self.fix_later(number)?;
        self.unlink(dir, number, named.name)
    }

    /// The references of an inode: its names as they were when it was synced.
    pub(super) fn references(&mut self, item: &Item) -> Result<(), FormatError> {
        let number = item.key.objectid;
        let logged = refs::all(item.key, item.data(), item.offset)?;
        // Of a directory that was not logged, the names are left as they are.
        match logged.first() {
            Some(first) if self.exists(first.parent)? => {}
            _ => return Ok(()),
        }
        if !self.exists(number)? {
            return Err(replay::missing(number));
        }
        for name in &logged {
            if !self.exists(name.parent)? || self.is_in_directory(number, name)? {
                continue;
            }
            if item.key.kind == INODE_REF && number == name.parent {
                // The root's reference to itself.
                return Ok(());
            }
            self.drop_conflicting_references(number, name)?;
            self.add_name(number, name)?;
        }
        // Names that the subvolume's item has and the log's has not.
        if let Some(old) = self.find(item.key)? {
            for name in refs::all(old.key, old.data(), old.offset)? {
                if !logged.iter().any(|logged| logged.is_named_as(&name)) {
                    self.unlink(name.parent, number, name.name)?;
                }
            }
        }
        self.overwrite(item)
    }

    /// Whether a directory has a name both in its look-up and in its listing.
    fn is_in_directory(&self, number: u64, name: &Ref<'_>) -> Result<bool, FormatError> {
        let leads = |item: Option<Item>| {
            let Some(item) = item else { return Ok(false) };
            Ok(directory::find(&item, name.name)?.is_some_and(|named| named.location.objectid == number))
        };
        let listed = leads(self.by_index(name.parent, name.index, name.name)?)?;
        Ok(listed && leads(self.by_name(name.parent, name.name)?)?)
    }

    /// Removes names of the inode in that directory which the log does not have, and what has the place of
    /// the new one.
    fn drop_conflicting_references(&mut self, number: u64, name: &Ref<'_>) -> Result<(), FormatError> {
        for key in name.keys(number) {
            let Some(old) = self.find(key)? else { continue };
            // Of a hash's references, those that are of this name lead to it.
            let all = refs::all(old.key, old.data(), old.offset)?;
            if key.kind == INODE_EXTREF && !all.iter().any(|old| old.is_named_as(name)) {
                continue;
            }
            for victim in all.iter().filter(|victim| victim.parent == name.parent) {
                let [plain, extended] = victim.keys(number);
                let logged = if key.kind == INODE_EXTREF { extended } else { plain };
                let logged = self.log.find(self.nodes, logged)?;
                let logged = match &logged {
                    Some(item) => refs::all(item.key, item.data(), item.offset)?,
                    None => Vec::new(),
                };
                if !logged.iter().any(|logged| logged.is_named_as(victim)) {
                    self.unlink(victim.parent, number, victim.name)?;
                }
            }
        }
        for item in
            [self.by_index(name.parent, name.index, name.name)?, self.by_name(name.parent, name.name)?]
        {
            // The first may have taken the second with it.
            if let Some(item) = item
                && let Some(named) = directory::find(&item, name.name)?
                && self.by_name(name.parent, name.name)?.is_some()
            {
                self.drop_name(name.parent, &named, item.offset)?;
            }
        }
        Ok(())
    }

    /// Whether the log has a name among the references of an inode.
    fn is_logged(&self, number: u64, name: &Ref<'_>) -> Result<bool, FormatError> {
        for key in name.keys(number) {
            if let Some(item) = self.log.find(self.nodes, key)?
                && refs::all(item.key, item.data(), item.offset)?
                    .iter()
                    .any(|logged| logged.is_named_as(name))
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The item by which a name is looked up, if the name is in it.
    fn by_name(&self, dir: u64, name: &[u8]) -> Result<Option<Item>, FormatError> {
        let item = self.find(Key::new(dir, DIR_ITEM, checksum::name_hash(name)))?;
        having(item, name)
    }

    /// The item by which a name is listed, if the name is in it.
    fn by_index(&self, dir: u64, index: u64, name: &[u8]) -> Result<Option<Item>, FormatError> {
        having(self.find(Key::new(dir, DIR_INDEX, index))?, name)
    }

    /// Removes a name: from the look-up, the listing and the inode's references.
    fn unlink(&mut self, dir: u64, number: u64, name: &[u8]) -> Result<(), FormatError> {
        let absent = |what: &str| {
            let problem = format!("no {what} \"{}\" of {number} in {dir}", name.escape_ascii());
            FormatError::corrupt(STRUCTURE, 0, problem)
        };
        let item = self.by_name(dir, name)?.ok_or_else(|| absent("name"))?;
        let all = directory::all(item.key, item.data(), item.offset)?;
        let rest: Vec<u8> = all.iter().filter(|n| n.name != name).flat_map(|n| n.bytes).copied().collect();
        self.put_or_remove(item.key, rest)?;
        let wanted = Ref { parent: dir, index: 0, name };
        let mut index = None;
        for key in wanted.keys(number) {
            let Some(item) = self.find(key)?.filter(|_| index.is_none()) else { continue };
            let all = refs::all(key, item.data(), item.offset)?;
            index = all.iter().find(|old| old.is_named_as(&wanted)).map(|old| old.index);
            if index.is_some() {
                let rest = all.iter().filter(|old| !old.is_named_as(&wanted)).flat_map(|old| old.stored(key));
                let rest = rest.collect();
                self.put_or_remove(key, rest)?;
            }
        }
        self.remove(Key::new(dir, DIR_INDEX, index.ok_or_else(|| absent("reference"))?))?;
        self.grow(dir, |size| size.saturating_sub(num::to_u64(name.len()).saturating_mul(2)))
    }

    /// Adds a reference; false if it is there.
    fn add_reference(&mut self, number: u64, name: &Ref<'_>) -> Result<bool, FormatError> {
        let overhead = size_of::<RawHeader>().saturating_add(size_of::<RawItem>());
        let most = num::index(self.nodes.common.size).saturating_sub(overhead);
        for key in name.keys(number) {
            let mut bytes = match self.find(key)? {
                Some(item)
                    if refs::all(key, item.data(), item.offset)?.iter().any(|old| old.is_named_as(name)) =>
                {
                    return Ok(false);
                }
                Some(item) => item.data().to_vec(),
                None => Vec::new(),
            };
            bytes.extend(name.stored(key));
            // What no longer fits goes to the other kind of reference.
            if bytes.len() <= most {
                self.put(key, bytes)?;
                return Ok(true);
            }
        }
        Err(FormatError::corrupt(STRUCTURE, 0, format!("too many references of inode {number}")))
    }

    /// Adds a name to a directory; false if it is there.
    fn add_name(&mut self, number: u64, name: &Ref<'_>) -> Result<bool, FormatError> {
        let Some(item) = self.find(Key::new(number, INODE_ITEM, 0))? else {
            return Err(replay::missing(number));
        };
        let mode = replay::inode(&item)?.mode.get();
        let kind = FileKind::from_mode(mode).ok_or_else(|| {
            FormatError::corrupt(STRUCTURE, item.offset, format!("{}: mode {mode:o}", item.key))
        })?;
        if self.by_name(name.parent, name.name)?.is_some() {
            return Ok(false);
        }
        let bytes = directory::stored(Key::new(number, INODE_ITEM, 0), kind, name.name);
        let key = Key::new(name.parent, DIR_ITEM, checksum::name_hash(name.name));
        let before = self.find(key)?.map(|item| item.data().to_vec()).unwrap_or_default();
        self.put(key, [&before[..], &bytes].concat())?;
        self.put(Key::new(name.parent, DIR_INDEX, name.index), bytes)?;
        self.grow(name.parent, |size| size.saturating_add(num::to_u64(name.name.len()).saturating_mul(2)))?;
        Ok(true)
    }

    /// Changes the size of a directory: twice the bytes of its names.
    fn grow(&mut self, dir: u64, size: impl FnOnce(u64) -> u64) -> Result<(), FormatError> {
        let key = Key::new(dir, INODE_ITEM, 0);
        let Some(item) = self.find(key)? else { return Err(replay::missing(dir)) };
        let size = size(replay::inode(&item)?.size.get());
        self.put(key, replay::sized(item.data().to_vec(), size))
    }

    /// Sets the links of inodes to the number of their names. A directory without any loses its names.
    pub(super) fn count_links(&mut self) -> Result<(), FormatError> {
        while let Some(number) = self.fixups.pop_last() {
            let key = Key::new(number, INODE_ITEM, 0);
            let Some(item) = self.find(key)? else { return Err(replay::missing(number)) };
            let mut links: usize = 0;
            for kind in [INODE_REF, INODE_EXTREF] {
                for item in self.items(Key::all(number, kind))? {
                    links = links.saturating_add(refs::all(item.key, item.data(), item.offset)?.len());
                }
            }
            let mut bytes = item.data().to_vec();
            const AT: usize = std::mem::offset_of!(RawInode, nlink);
            if let Some(field) = bytes.get_mut(AT..AT.saturating_add(4)) {
                field.copy_from_slice(&u32::try_from(links).unwrap_or(u32::MAX).to_le_bytes());
            }
            let is_dir = FileKind::from_mode(replay::inode(&item)?.mode.get()) == Some(FileKind::Directory);
            // The kernel refuses what its own replay has made of such a log.
            if links > 1 && is_dir {
                let problem = format!("directory {number} has {links} names");
                return Err(FormatError::corrupt(STRUCTURE, item.offset, problem));
            }
            self.put(key, bytes)?;
            if links == 0 && is_dir {
                for item in self.items(Key::all(number, DIR_INDEX))? {
                    let (named, _) = directory::listed(item.key, item.data(), item.offset)?;
                    self.drop_name(number, &named, item.offset)?;
                }
            }
        }
        Ok(())
    }
}

fn having(item: Option<Item>, name: &[u8]) -> Result<Option<Item>, FormatError> {
    match item {
        Some(item) if directory::find(&item, name)?.is_some() => Ok(Some(item)),
        _ => Ok(None),
    }
}

/// The inode that a name leads to. The log never removes the name of a subvolume: that is committed at once.
fn inode_of(named: &Named<'_>, offset: u64) -> Result<u64, FormatError> {
    match named.location {
        Key { objectid, kind: INODE_ITEM, .. } => Ok(objectid),
        other => {
            let problem = format!("\"{}\" leads to {other}", named.name.escape_ascii());
            Err(FormatError::corrupt(STRUCTURE, offset, problem))
        }
    }
}
