//! The kernels of a node: which lie on it, which of them boots next, and which was booted last.

mod boots;
mod extlinux;
mod grub;
mod image;
mod loader;
mod places;

use std::{collections::BTreeSet, sync::Arc};

use loader::Loaders;
use places::{Base, Candidate, MODULES, Search};

use super::{
    entries,
    machine::{Machine, NodeVolume},
    slots,
};
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath, Root},
    limits,
};

/// A kernel: its images and its modules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// What `uname -r` prints when it runs; `None` if nothing tells.
    pub release: Option<String>,
    /// What tells it.
    pub told_by: Teller,
    /// Its images: none if only its modules are there.
    pub images: Vec<KernelImage>,
    /// The directory of its modules, if there is one.
    pub modules: Option<GuestPath>,
    /// Whether it boots next if nobody chooses; `None` if that is not certain.
    pub default: Option<bool>,
    /// Whether the last boot of which the logs tell was of it; `None` if they tell of none.
    pub booted: Option<bool>,
}

/// An image of a kernel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KernelImage {
    /// The id of the volume, if it is not mounted in the machine's tree.
    pub volume: Option<String>,
    /// Where: a path of the machine, or of that volume.
    pub path: GuestPath,
}

/// What tells a kernel's release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Teller {
    /// The image itself.
    Image,
    /// The path of the image.
    Path,
    /// The directory of its modules.
    Modules,
}

/// The kernels of a machine, by their releases, and what could not be read.
pub fn kernels(machine: &Machine, volumes: &[NodeVolume]) -> (Vec<Kernel>, Vec<(String, FormatError)>) {
    let Some(root) = &machine.root else { return (Vec::new(), Vec::new()) };
    let bases = bases(machine, root, volumes);
    let mut damage = Vec::new();
    let mut found: Vec<(Candidate, usize)> = Vec::new();
    for (number, base) in bases.iter().enumerate() {
        let search = Search::new(base);
        damage.extend(search.damage);
        found.extend(search.found.into_iter().map(|candidate| (candidate, number)));
    }
    let modules = modules(root, &mut damage);
    let mut loaders = Loaders::read(&bases);
    damage.append(&mut loaders.damage);
    let mut kernels: Vec<Kernel> = Vec::new();
    let mut default = None;
    let mut slots: BTreeSet<(char, usize)> = BTreeSet::new();
    let mut budget = limits::KERNEL_SEARCH_BYTES;
    for (candidate, base) in found {
        let Candidate { image, file, slot, named } = candidate;
        let read = file.open().and_then(|file| image::read(&file, &mut budget));
        let is_known = matches!(&read, Ok(Some(_)));
        let told = match read {
            Ok(read) => read.and_then(|image| image.release),
            Err(error) => {
                damage.push((image.path.to_string(), error));
                None
            }
        };
        let has_modules =
            named.as_ref().is_some_and(|named| modules.iter().any(|(release, _)| release == named));
        let (release, told_by) = match (told, named) {
            (Some(release), _) => (Some(release), Teller::Image),
            (None, named) if is_known || has_modules => (named, Teller::Path),
            _ => continue,
        };
        let is_default =
            loaders.chosen().is_some_and(|(number, path)| *number == base && *path == image.path);
        let place = take(&mut kernels, release, told_by, image);
        slots.extend(slot.map(|slot| (slot, place)));
        if is_default {
            default = Some(place);
        }
    }
    for (release, path) in modules {
        match kernels.iter_mut().find(|kernel| kernel.release.as_ref() == Some(&release)) {
            Some(kernel) => kernel.modules = Some(path),
            None => kernels.push(Kernel {
                release: Some(release),
                told_by: Teller::Modules,
                images: Vec::new(),
                modules: Some(path),
                default: None,
                booted: None,
            }),
        }
    }
    // Of copies of a system, the partition table says which one boots.
    let mut copies = slots.iter().filter(|(slot, _)| Some(*slot) == machine.slot).map(|(_, place)| *place);
    let default = copies.next().filter(|_| machine.slot.is_some()).or(default);
    let last = boots::last(root, &mut damage);
    for (number, kernel) in kernels.iter_mut().enumerate() {
        kernel.images.sort();
        kernel.default = default.map(|default| default == number);
        kernel.booted = last.as_ref().zip(kernel.release.as_ref()).map(|(last, release)| last == release);
    }
    kernels.sort_by(|a, b| {
        let release = |kernel: &Kernel| kernel.release.clone().unwrap_or_default();
        entries::compare(&release(a), &release(b))
            .then_with(|| (a.release.as_ref(), &a.images).cmp(&(b.release.as_ref(), &b.images)))
    });
    (kernels, damage)
}

/// The trees that may have kernels: the machine's, and volumes of its disks that are not mounted in it.
fn bases(machine: &Machine, root: &Root, volumes: &[NodeVolume]) -> Vec<Base> {
    let is_mounted =
        |volume: &&NodeVolume| machine.mounts.iter().any(|mount| mount.volume == volume.volume.id);
    let disks: BTreeSet<usize> = volumes.iter().filter(is_mounted).map(|volume| volume.volume.disk).collect();
    let others = volumes.iter().filter(|volume| !is_mounted(volume) && disks.contains(&volume.volume.disk));
    let own = Base { volume: None, slot: None, root: root.clone() };
    let other = |volume: &NodeVolume| Base {
        volume: Some(volume.volume.id.clone()),
        slot: volume.volume.partition.as_ref().and_then(slots::of),
        root: Root::new(Arc::clone(&volume.opened.fs)),
    };
    [own].into_iter().chain(others.map(other)).collect()
}

/// The directories of modules by their releases; what a removed kernel left has none of its own.
fn modules(root: &Root, damage: &mut Vec<(String, FormatError)>) -> Vec<(String, GuestPath)> {
    let mut found: Vec<(String, GuestPath)> = Vec::new();
    for place in MODULES {
        let (dir, listing) = match root.list(place.as_bytes()) {
            Ok(Some(listed)) => listed,
            // What cannot be listed is told where images are looked for.
            Ok(None) | Err(_) => continue,
        };
        for entry in listing.entries.iter().filter(|entry| entry.kind == FileKind::Directory) {
            let Some(release) = image::release(&entry.name) else { continue };
            let path = dir.path.join(&entry.name);
            let has = |name: &[u8]| matches!(root.find(path.join(name).as_bytes()), Ok(Some(_)));
            if !has(b"kernel") && !has(b"modules.builtin") || found.iter().any(|(known, _)| *known == release)
            {
                continue;
            }
            if found.len() >= limits::KERNELS {
                let error = FormatError::limit(format!("modules of more than {} kernels", limits::KERNELS));
                damage.push((dir.path.to_string(), error));
                return found;
            }
            found.push((release, path));
        }
    }
    found
}

/// Takes an image of a kernel, and gives the kernel's number.
fn take(kernels: &mut Vec<Kernel>, release: Option<String>, told_by: Teller, image: KernelImage) -> usize {
    let known = kernels.iter().position(|kernel| release.is_some() && kernel.release == release);
    if let Some((place, kernel)) = known.and_then(|place| Some((place, kernels.get_mut(place)?))) {
        kernel.told_by = kernel.told_by.min(told_by);
        kernel.images.push(image);
        return place;
    }
    kernels.push(Kernel {
        release,
        told_by,
        images: vec![image],
        modules: None,
        default: None,
        booted: None,
    });
    kernels.len().saturating_sub(1)
}

#[cfg(test)]
mod tests;
