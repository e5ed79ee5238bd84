//! Subvolumes: trees of files, named in directories of each other ("On-disk format", root tree;
//! "Subvolumes").
//!
//! Inodes are numbered within their subvolume only. To be unique in the file system, an [`Ino`] holds 44 bits
//! of that number and above them the subvolume's place in the table below; the one that is mounted by default
//! has place 0, so that its inodes have the numbers that the kernel shows. The top bit marks the empty
//! directory that stands where a snapshot's subvolume did not come with it.

use std::{collections::HashMap, ops::ControlFlow};

use zerocopy::FromBytes;

use super::{
    checksum,
    directory::{self, Named},
    format::{RawRootItem, RawRootRef},
    key::{self, FIRST_FREE, FS_TREE, Key, ROOT_ITEM, ROOT_REF, ROOT_TREE_DIR},
    node::{LEVELS, Pointer},
    nodes::Nodes,
    tree::{Item, Tree},
};
use crate::{
    error::FormatError,
    fs::{Branch, Ino},
    limits, num,
};

const STRUCTURE: &str = "btrfs root item";
const NUMBER_BITS: u32 = 44;
const ABSENT: u64 = 1 << 63;

/// A tree of files.
pub(super) struct Subvolume {
    pub(super) id: u64,
    pub(super) tree: Tree,
    /// Where it is named.
    parent: Option<Parent>,
}

#[derive(PartialEq, Eq)]
struct Parent {
    subvolume: u64,
    dir: u64,
    name: Vec<u8>,
}

/// An inode, found by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The subvolume's place in the table.
    pub(super) subvolume: usize,
    pub(super) number: u64,
    /// Whether it is not that inode but an empty directory in it.
    pub(super) absent: bool,
}

/// All subvolumes; the one that is mounted by default is the first.
pub(super) struct Subvolumes {
    pub(super) list: Vec<Subvolume>,
    by_id: HashMap<u64, usize>,
    /// Whether there may be others, which could not be read.
    damaged: bool,
}

/// The root in a root item.
pub(super) fn root(item: &Item, tree: u64) -> Result<(Pointer, u32), FormatError> {
    let corrupt =
        |problem: String| FormatError::corrupt(STRUCTURE, item.offset, format!("{}: {problem}", item.key));
    let Ok((raw, _)) = RawRootItem::ref_from_prefix(item.data()) else {
        return Err(corrupt(format!("{} bytes", item.data().len())));
    };
    if raw.level >= LEVELS {
        return Err(corrupt(format!("level {}", raw.level)));
    }
    let root = Pointer::root((raw.bytenr.get(), raw.level), raw.generation.get(), tree);
    Ok((root, raw.refs.get()))
}

impl Subvolumes {
    /// The subvolumes that the root tree names; what of them is damaged is noted.
    pub(super) fn read(
        nodes: &Nodes,
        roots: &Tree,
        notes: &mut Vec<FormatError>,
    ) -> Result<Self, FormatError> {
        // Another than the one that is mounted must not be taken for it.
        let default = default(nodes, roots)?;
        let mut list: Vec<Subvolume> = Vec::new();
        let mut parents: HashMap<u64, Parent> = HashMap::new();
        let mut bad = Vec::new();
        let range = (Key::new(FS_TREE, ROOT_ITEM, 0), Key::new(key::LAST_FREE, ROOT_REF, u64::MAX));
        let damage = roots.scan(nodes, range, &mut |item| {
            let id = item.key.objectid;
            if item.key.kind == ROOT_ITEM && key::is_subvolume(id) {
                match root(&item, id) {
                    // Deleted, and not yet cleaned away.
                    Ok((_, 0)) => {}
                    Ok((root, _)) => {
                        // Of several, the last counts.
                        list.pop_if(|last| last.id == id);
                        list.push(Subvolume { id, tree: Tree::new(root), parent: None });
                    }
                    Err(error) => bad.push(error),
                }
            } else if item.key.kind == ROOT_REF {
                match parent(&item) {
                    Ok(parent) => drop(parents.insert(item.key.offset, parent)),
                    Err(error) => bad.push(error),
                }
            }
            match list.len() > limits::BTRFS_SUBVOLUMES {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        let damaged = !damage.is_empty() || !bad.is_empty();
        notes.extend(damage.into_iter().chain(bad).take(limits::DAMAGE_NOTES));
        if list.len() > limits::BTRFS_SUBVOLUMES {
            return Err(FormatError::limit(format!("more than {} subvolumes", limits::BTRFS_SUBVOLUMES)));
        }
        for subvolume in &mut list {
            subvolume.parent = parents.remove(&subvolume.id);
        }
        let Some(at) = list.iter().position(|subvolume| subvolume.id == default) else {
            let problem = format!("the default subvolume {default} is missing");
            let missing = FormatError::corrupt(STRUCTURE, nodes.space.offset(roots.root.logical, 0), problem);
            return Err(if damaged { notes.pop().unwrap_or(missing) } else { missing });
        };
        list.get_mut(..=at).unwrap_or_default().rotate_right(1);
        let by_id = list.iter().enumerate().map(|(at, subvolume)| (subvolume.id, at)).collect();
        Ok(Self { list, by_id, damaged })
    }

    /// The place of a subvolume's root directory.
    pub(super) fn root_of(&self, id: u64) -> Option<Ino> {
        let subvolume = *self.by_id.get(&id)?;
        Some(Ino(packed(subvolume, FIRST_FREE)))
    }

    /// All of them, by number.
    pub(super) fn branches(&self) -> Vec<Branch> {
        let at_top = |parent: &&Parent| parent.subvolume == FS_TREE && parent.dir == FIRST_FREE;
        let branch = |(at, subvolume): (usize, &Subvolume)| Branch {
            id: subvolume.id,
            root: Ino(packed(at, FIRST_FREE)),
            top_name: subvolume.parent.as_ref().filter(at_top).map(|parent| parent.name.clone()),
        };
        let mut all: Vec<Branch> = self.list.iter().enumerate().map(branch).collect();
        all.sort_by_key(|branch| branch.id);
        all
    }

    /// The place of a subvolume in the table.
    pub(super) fn find(&self, id: u64) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    /// The inode that a number means.
    pub(super) fn place(&self, ino: Ino) -> Result<Place, FormatError> {
        let absent = ino.0 & ABSENT != 0;
        let subvolume = num::to_usize((ino.0 & !ABSENT) >> NUMBER_BITS);
        let number = ino.0 & ((1 << NUMBER_BITS) - 1);
        match subvolume < self.list.len() {
            true => Ok(Place { subvolume, number, absent }),
            false => Err(FormatError::corrupt("btrfs inode", 0, format!("number {:#x}", ino.0))),
        }
    }

    /// What a name in a directory leads to: an inode beside it or another subvolume's root.
    pub(super) fn entry(&self, dir: Place, named: &Named<'_>, offset: u64) -> Result<Ino, FormatError> {
        let Key { objectid, kind, .. } = named.location;
        let corrupt = || {
            let problem = format!("\"{}\" leads to {}", named.name.escape_ascii(), named.location);
            FormatError::corrupt(directory::STRUCTURE, offset, problem)
        };
        match kind {
            key::INODE_ITEM if (FIRST_FREE..=key::LAST_FREE).contains(&objectid) => {
                if objectid >> NUMBER_BITS != 0 {
                    return Err(FormatError::limit(format!("btrfs inode number {objectid}")));
                }
                Ok(Ino(packed(dir.subvolume, objectid)))
            }
            ROOT_ITEM if key::is_subvolume(objectid) => {
                let here = |parent: &Parent| {
                    let subvolume = self.list.get(dir.subvolume).map(|subvolume| subvolume.id);
                    Some(parent.subvolume) == subvolume
                        && parent.dir == dir.number
                        && parent.name == named.name
                };
                let found = self.find(objectid).filter(|at| {
                    self.list.get(*at).and_then(|subvolume| subvolume.parent.as_ref()).is_some_and(here)
                });
                Ok(match found {
                    Some(at) => Ino(packed(at, FIRST_FREE)),
                    None if self.damaged => return Err(corrupt()),
                    None => Ino(ABSENT | packed(dir.subvolume, dir.number)),
                })
            }
            _ => Err(corrupt()),
        }
    }
}

/// The number of an inode of which [`Subvolumes::place`] is the inverse. The table is bounded by 19 bits.
pub(super) fn packed(subvolume: usize, number: u64) -> u64 {
    num::to_u64(subvolume) << NUMBER_BITS | number
}

fn parent(item: &Item) -> Result<Parent, FormatError> {
    let parsed = RawRootRef::ref_from_prefix(item.data()).ok().and_then(|(raw, names)| {
        let name = names.get(..usize::from(raw.name_len.get()))?;
        Some(Parent { subvolume: item.key.objectid, dir: raw.dirid.get(), name: name.to_vec() })
    });
    parsed.ok_or_else(|| FormatError::corrupt("btrfs root reference", item.offset, format!("{}", item.key)))
}

/// The subvolume that is mounted if none is named.
fn default(nodes: &Nodes, roots: &Tree) -> Result<u64, FormatError> {
    let key = Key::new(ROOT_TREE_DIR, key::DIR_ITEM, checksum::name_hash(b"default"));
    let Some(item) = roots.find(nodes, key)? else { return Ok(FS_TREE) };
    let named = directory::find(&item, b"default")?;
    Ok(named.map_or(FS_TREE, |named| named.location.objectid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_default_subvolume_are_the_kernels() {
        assert_eq!(packed(0, 257), 257);
        let last = packed(limits::BTRFS_SUBVOLUMES, (1 << NUMBER_BITS) - 1);
        assert_eq!(last & ABSENT, 0);
    }
}
