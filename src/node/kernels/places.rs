//! Where kernels lie: `/boot` and what is mounted below it, the directories of modules, and partitions of the node's disks that
//! boot loaders read and nothing mounts.

use std::sync::Arc;

use super::KernelImage;
use crate::{
    error::FormatError,
    fs::{DirEntry, FileKind, FileSystem, GuestPath, Handle, Root},
    limits,
};

/// A tree with kernels: the machine's, or that of a volume which is not mounted.
pub(super) struct Base {
    /// The id of the volume; `None` for the machine's tree.
    pub(super) volume: Option<String>,
    /// The letter of the copy of the system that it belongs to, if that is known of all of it.
    pub(super) slot: Option<char>,
    pub(super) root: Root,
}

/// A file that may be a kernel's image.
pub(super) struct Candidate {
    pub(super) image: KernelImage,
    pub(super) file: Handle,
    /// The letter of the copy of the system that it belongs to.
    pub(super) slot: Option<char>,
    /// The release in its path.
    pub(super) named: Option<String>,
}

/// What looks like the name of an image, where other files lie beside it.
const NAMES: [&str; 5] = ["vmlinuz", "vmlinux", "bzImage", "Image", "kernel"];
/// Directories of images whose names say which copy of a system they are of (Flatcar, Container-Optimized OS, Talos).
const SLOTS: [&str; 5] = ["flatcar", "coreos", "syslinux", "A", "B"];
/// Where modules lie; one of them may be a link to the other.
pub(super) const MODULES: [&str; 2] = ["usr/lib/modules", "lib/modules"];

impl Base {
    /// Where boot loaders find files.
    pub(super) fn boots(&self) -> &'static [&'static str] {
        if self.volume.is_none() { &["boot", "boot/efi", "efi"] } else { &[""] }
    }

    /// Whether paths that begin at a file system's root begin at this directory.
    pub(super) fn is_own(&self, boot: &str) -> bool {
        let top = self.root.top();
        let dir = self.root.find(boot.as_bytes()).ok().flatten();
        dir.is_some_and(|dir| !Arc::<dyn FileSystem>::ptr_eq(&dir.fs, &top.fs))
    }
}

/// Looks for files that may be kernels.
pub(super) struct Search<'a> {
    base: &'a Base,
    pub(super) found: Vec<Candidate>,
    pub(super) damage: Vec<(String, FormatError)>,
    /// Whether there are more than are taken, which is told once.
    is_full: bool,
}

impl<'a> Search<'a> {
    /// Looks in all places of a tree.
    pub(super) fn new(base: &'a Base) -> Self {
        let mut search = Self { base, found: Vec::new(), damage: Vec::new(), is_full: false };
        for boot in base.boots() {
            search.boot(boot);
        }
        for modules in MODULES {
            for (dir, entry) in search.list(modules) {
                let release = String::from_utf8_lossy(&entry.name).into_owned();
                let below = dir.join(&entry.name);
                search.images(&below.to_string(), &is_image, &|_| Some(release.clone()));
            }
        }
        search
    }

    fn boot(&mut self, boot: &str) {
        let at = |below: &str| if boot.is_empty() { below.to_owned() } else { format!("{boot}/{below}") };
        self.images(boot, &is_image, &in_name);
        self.images(&at("EFI/Linux"), &|name| name.to_ascii_lowercase().ends_with(b".efi"), &|_| None);
        for slot in SLOTS {
            self.images(&at(slot), &is_image, &|_| None);
        }
        // ostree's have their deployments' digests in their directories.
        for (dir, entry) in self.list(&at("ostree")) {
            self.images(&dir.join(&entry.name).to_string(), &is_image, &in_name);
        }
        // kernel-install's lie in directories of machines and of releases.
        let is_machine = |name: &[u8]| name.len() == 32 && name.iter().all(u8::is_ascii_hexdigit);
        for (dir, machine) in self.list(boot) {
            if !is_machine(&machine.name) {
                continue;
            }
            for (dir, entry) in self.list(&dir.join(&machine.name).to_string()) {
                let release = String::from_utf8_lossy(&entry.name).into_owned();
                let below = dir.join(&entry.name).to_string();
                self.images(&below, &|name| name == b"linux", &|_| Some(release.clone()));
            }
        }
    }

    /// What a directory holds, and where it really is.
    fn list(&mut self, dir: &str) -> Vec<(GuestPath, DirEntry)> {
        match self.base.root.list(dir.as_bytes()) {
            Ok(Some((found, mut listing))) => {
                self.damage.extend(listing.damage.into_iter().take(1).map(|error| (dir.to_owned(), error)));
                listing.entries.sort_by(|a, b| a.name.cmp(&b.name));
                listing.entries.into_iter().map(|entry| (found.path.clone(), entry)).collect()
            }
            Ok(None) => Vec::new(),
            Err(error) => {
                self.damage.push((dir.to_owned(), error));
                Vec::new()
            }
        }
    }

    /// Takes files of a directory by their names.
    fn images(
        &mut self,
        dir: &str,
        is_one: &dyn Fn(&[u8]) -> bool,
        release: &dyn Fn(&[u8]) -> Option<String>,
    ) {
        if self.is_full {
            return;
        }
        for (dir, entry) in self.list(dir) {
            if entry.kind != FileKind::Regular || !is_one(&entry.name) {
                continue;
            }
            let path = dir.join(&entry.name);
            let is_known = |known: &Candidate| known.image.path == path;
            if self.found.iter().any(is_known) {
                continue;
            }
            if self.found.len() >= limits::KERNELS {
                self.is_full = true;
                let error = FormatError::limit(format!("more than {} kernels", limits::KERNELS));
                return self.damage.push((dir.to_string(), error));
            }
            match self.base.root.find_no_follow(path.as_bytes()) {
                Ok(Some(file)) => {
                    let image = KernelImage { volume: self.base.volume.clone(), path: path.clone() };
                    let slot = slot(&path).or(self.base.slot);
                    self.found.push(Candidate { image, file, slot, named: release(&entry.name) });
                }
                Ok(None) => {}
                Err(error) => self.damage.push((path.to_string(), error)),
            }
        }
    }
}

fn is_image(name: &[u8]) -> bool {
    NAMES.iter().any(|word| name.starts_with(word.as_bytes()))
}

/// The release behind the first hyphen of a name.
fn in_name(name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?;
    let (_, release) = name.split_once('-')?;
    super::image::release(release.as_bytes())
}

/// The letter by which a path says which copy of a system it belongs to.
fn slot(path: &GuestPath) -> Option<char> {
    let dir = path.parent()?;
    let name = std::str::from_utf8(path.name()).ok()?;
    let letter = match dir.name() {
        b"flatcar" | b"coreos" | b"syslinux" => name.rsplit_once(['-', '.'])?.1,
        b"A" => "A",
        b"B" => "B",
        _ => return None,
    };
    let mut letters = letter.chars();
    let first = letters.next().filter(char::is_ascii_alphabetic)?;
    letters.next().is_none().then(|| first.to_ascii_uppercase())
}
