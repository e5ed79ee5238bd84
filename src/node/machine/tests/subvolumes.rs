//! Roots and state in subvolumes.

use std::collections::BTreeMap;

use super::*;
use crate::fs::{FileSystem, Ino, Listing, Stat, Subvolume, Xattr};

/// A file system with subvolumes by their paths; their numbers count from 256, and are the upper half of their inodes'.
struct Subvolumes {
    number: u64,
    all: Arc<BTreeMap<Vec<u8>, Arc<dyn FileSystem>>>,
}

impl Subvolumes {
    fn open(all: Vec<(&str, Tree)>) -> Arc<dyn FileSystem> {
        let all = all.into_iter().map(|(name, tree)| (name.as_bytes().to_vec(), tree.build()));
        Arc::new(Self { number: 0, all: Arc::new(all.collect()) })
    }

    fn shown(&self) -> &dyn FileSystem {
        self.all.values().nth(self.number as usize).unwrap().as_ref()
    }

    fn outer(&self, ino: Ino) -> Ino {
        Ino(self.number << 32 | ino.0)
    }

    fn inner(ino: Ino) -> Ino {
        Ino(ino.0 & 0xffff_ffff)
    }
}

impl FileSystem for Subvolumes {
    fn root(&self) -> Ino {
        self.outer(self.shown().root())
    }
    fn stat(&self, ino: Ino) -> Result<Stat, FormatError> {
        self.shown().stat(Self::inner(ino))
    }
    fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Option<Ino>, FormatError> {
        Ok(self.shown().lookup(Self::inner(dir), name)?.map(|ino| self.outer(ino)))
    }
    fn read_dir(&self, dir: Ino) -> Result<Listing, FormatError> {
        let mut listing = self.shown().read_dir(Self::inner(dir))?;
        listing.entries.iter_mut().for_each(|entry| entry.ino = self.outer(entry.ino));
        Ok(listing)
    }
    fn read_link(&self, ino: Ino) -> Result<Vec<u8>, FormatError> {
        self.shown().read_link(Self::inner(ino))
    }
    fn xattrs(&self, ino: Ino) -> Result<Vec<Xattr>, FormatError> {
        self.shown().xattrs(Self::inner(ino))
    }
    fn open(&self, ino: Ino) -> Result<block::Source, FormatError> {
        self.shown().open(Self::inner(ino))
    }
    fn subvolume(&self, which: Subvolume<'_>) -> Result<Option<Arc<dyn FileSystem>>, FormatError> {
        let number = match which {
            Subvolume::Id(5) => Some(0),
            Subvolume::Id(id) => id.checked_sub(256).filter(|number| *number < self.all.len() as u64),
            Subvolume::Path(path) => {
                let path = path.strip_prefix(b"/").unwrap_or(path);
                (0..).zip(self.all.keys()).find_map(|(number, name)| (name == path).then_some(number))
            }
        };
        Ok(number
            .map(|number| -> Arc<dyn FileSystem> { Arc::new(Self { number, all: Arc::clone(&self.all) }) }))
    }
    fn subvolumes(&self) -> Vec<Branch> {
        let at_top = |name: &&Vec<u8>| !name.is_empty() && !name.contains(&b'/');
        let branch = |(number, name): (u64, &Vec<u8>)| Branch {
            id: if number == 0 { 5 } else { 256 + number },
            root: Self { number, all: Arc::clone(&self.all) }.root(),
            top_name: Some(name).filter(at_top).cloned(),
        };
        (0..).zip(self.all.keys()).map(branch).collect()
    }
}

#[test]
fn subvolumes_are_mounted_where_fstab_says() {
    let fstab = "UUID=aaaa / btrfs defaults,subvol=@ 0 0\nUUID=aaaa /home btrfs subvol=/@home 0 0\n\
                 UUID=aaaa /var btrfs compress=zstd,subvol=@var 0 0\nUUID=aaaa /gone btrfs subvol=@gone 0 0\n";
    let os = |name: &str| {
        let mut tree = Tree::default();
        tree.file("usr/lib/os-release", "ID=debian\n");
        tree.file("etc/fstab", fstab);
        tree.file("etc/hostname", name);
        tree
    };
    let (mut top, mut home, mut var) = (Tree::default(), Tree::default(), Tree::default());
    for name in ["@", "@home", "@old", "@var"] {
        top.file(&format!("{name}/x"), "");
    }
    home.file("user/file", "here");
    var.file("lib/containerd/io.containerd.metadata.v1.bolt/meta.db", "x");
    let trees = vec![("", top), ("@", os("now")), ("@old", os("before")), ("@home", home), ("@var", var)];
    let machine = assemble(&[with_subvolumes("disk0p1", 0, trees)], &[]);
    assert_eq!(machine.hostname.as_deref(), Some("now"));
    assert_eq!(sites(&machine), [(None, "/var/lib/containerd".to_owned())]);
    let root = machine.root.unwrap();
    assert_eq!(root.read(b"home/user/file", "file").unwrap().unwrap(), b"here");
    assert_eq!(machine.gaps.iter().map(|gap| gap.code).collect::<Vec<_>>(), [Code::MissingDisk]);
}

fn with_subvolumes(id: &str, disk: usize, trees: Vec<(&str, Tree)>) -> NodeVolume {
    let mut only = volume(id, disk, "aaaa", Tree::default());
    only.opened.fs = Subvolumes::open(trees);
    only
}

#[test]
fn the_subvolume_that_its_own_fstab_calls_the_root_is_it() {
    let os = |name: &str, fstab: &str| {
        let mut tree = Tree::default();
        tree.file("usr/lib/os-release", "ID=debian\n");
        tree.file("etc/fstab", fstab);
        tree.file("etc/hostname", name);
        tree
    };
    // In the order of names: the top is number 5, then come 257, 258, …
    for (fstab, told) in [
        ("UUID=aaaa / btrfs subvolid=257 0 0\n", 0),
        ("UUID=aaaa / btrfs subvol=/@now,subvolid=257 0 0\n", 0),
        ("UUID=aaaa / btrfs subvolid=257,subvol=@now 0 0\n", 0),
        ("UUID=aaaa / btrfs defaults 0 0\n", 1),
    ] {
        let trees = vec![("", Tree::default()), ("@now", os("now", fstab)), ("@old", os("old", fstab))];
        let machine = assemble(&[with_subvolumes("disk0p1", 0, trees)], &[]);
        assert_eq!((machine.hostname.as_deref(), machine.gaps.len()), (Some("now"), told), "{fstab}");
    }
    // Deeper, it counts only if it says so: images are unpacked to subvolumes, too.
    let deep = |fstab: &str| {
        let trees = vec![("", Tree::default()), ("roots/current", os("deep", fstab))];
        assemble(&[with_subvolumes("disk0p1", 0, trees)], &[]).hostname
    };
    assert_eq!(deep("UUID=aaaa / btrfs subvol=/roots/current 0 0\n").as_deref(), Some("deep"));
    assert_eq!(deep("UUID=aaaa / btrfs defaults 0 0\n"), None);
    let usual = vec![("", Tree::default()), ("@", os("usual", "")), ("#", os("other", ""))];
    assert_eq!(assemble(&[with_subvolumes("disk0p1", 0, usual)], &[]).hostname.as_deref(), Some("usual"));
}

#[test]
fn state_in_subvolumes_that_nothing_mounts_is_found_once() {
    let state = |path: &str| {
        let mut tree = Tree::default();
        tree.file(&format!("{path}io.containerd.metadata.v1.bolt/meta.db"), "x");
        tree
    };
    let trees =
        || vec![("", Tree::default()), ("@containerd", state("")), ("@var", state("lib/containerd/"))];
    let machine = assemble(&[root("", &[]), with_subvolumes("disk1", 1, trees())], &[]);
    let disk1 = Some("disk1".to_owned());
    assert_eq!(
        sites(&machine),
        [(disk1.clone(), "/".to_owned()), (disk1.clone(), "/lib/containerd".to_owned())]
    );
    // A copy of it deeper down is another's, unless it is all there is.
    let copies = || ("backups/1", state("lib/containerd/"));
    let machine = assemble(
        &[root("", &[]), with_subvolumes("disk1", 1, trees().into_iter().chain([copies()]).collect())],
        &[],
    );
    assert_eq!(sites(&machine).len(), 2);
    let machine =
        assemble(&[root("", &[]), with_subvolumes("disk1", 1, vec![("", Tree::default()), copies()])], &[]);
    assert_eq!(sites(&machine), [(disk1, "/lib/containerd".to_owned())]);
}
