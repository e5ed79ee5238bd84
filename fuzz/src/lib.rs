//! What the fuzz targets share.

pub mod sparse;
pub mod stores;
pub mod tree;

use std::{collections::HashSet, sync::Arc};

use icecore::{
    block::{Memory, Source},
    fs::{Driver, FILE_SYSTEMS, FileKind, FileSystem, GuestPath, Ino, Opened, memory::Tree},
    inventory::{EXTRACTORS, File},
    node::{self, NodeVolume},
    volume::{self, Partition, Volume},
};

/// Paths that are looked at: a hostile tree has no end.
const PATHS: usize = 2000;
/// Paths of these that are looked up.
const LOOKED_UP: usize = 32;

/// Bytes as a source.
pub fn source(bytes: &[u8]) -> Source {
    Arc::new(Memory::new(bytes))
}

/// Extracts `data` as the file at `path`; `companion` is what every neighbour holds.
pub fn extract(path: &str, data: &[u8], companion: Option<&[u8]>) {
    let path = GuestPath::new(path);
    let extractor = EXTRACTORS.iter().find(|e| e.wants(&path, FileKind::Regular)).expect("an extractor");
    let _ = extractor.extract(&File::new(&path, &source(data), &|_| Ok(companion.map(source))));
}

/// Opens the disks of `data` as a file system of this name and walks it; every file is read a little.
pub fn volume(data: &[u8], name: &str) {
    let volumes = sparse::disks(data);
    let driver: &Driver = FILE_SYSTEMS.iter().find(|driver| driver.name == name).expect("a driver");
    if !(driver.probe)(&volumes[0]) {
        return;
    }
    let opened = match &driver.spans {
        Some(spans) if volumes.len() > 1 => {
            for volume in &volumes {
                let _ = (spans.member)(volume);
            }
            (spans.open)(&volumes)
        }
        _ => (driver.open)(Arc::clone(&volumes[0])),
    };
    if let Ok(opened) = opened {
        walk(&*opened.fs);
    }
}

/// The partitions and the volumes that are made of them, on the disks of `data`; each is read a little.
pub fn partitions(data: &[u8]) {
    let disks = sparse::disks(data).into_iter().zip(0..);
    let tables = disks.filter_map(|(disk, number)| volume::volumes(&disk, number).ok());
    let volumes = tables.flat_map(|table| table.volumes).collect();
    for volume in volume::assemble(volumes).volumes.into_iter().take(256) {
        let _ = volume::signature(&volume.source);
        let size = volume.source.size();
        volume.source.will_need(0, 1 << 20);
        let mut block = [0; 6000];
        for part in 0..16 {
            let at = size / 16 * part;
            let length = block.len().min((size - at) as usize);
            let _ = volume.source.read_at(&mut block[..length], at);
        }
    }
}

/// Bytes before the first extent of [`logical`]'s disk, and of an extent.
const START: usize = 8192;
const EXTENT: u64 = 65_536;
/// Bytes of metadata that are looked at.
const METADATA: u64 = 8 << 20;

/// A volume group whose volumes are all made of `data`: whatever one of them takes for its metadata or data begins there.
pub fn logical(data: &[u8]) {
    const VOLUMES: &str = r#"
        a { status=["READ"] segment1 { start_extent=0 extent_count=16 type="striped" stripes=["pv0", 0] } }
        b { status=["READ"] segment1 { start_extent=0 extent_count=8 type="striped" stripes=["pv0", 1] } }
        pool { status=["VISIBLE"] segment1 { start_extent=0 extent_count=8 type="thin-pool" metadata="a" pool="a" transaction_id=5 } }
        thin { status=["VISIBLE"] segment1 { start_extent=0 extent_count=4096 type="thin" thin_pool="pool" device_id=1 external_origin="b" } }
        snap { status=["VISIBLE"] segment1 { start_extent=0 extent_count=9 type="thin" thin_pool="pool" device_id=2 } }
        pool2 { status=["VISIBLE"] segment1 { start_extent=0 extent_count=8 type="cache-pool" metadata="a" data="b" cache_mode="writeback" } }
        cached { status=["VISIBLE"] segment1 { start_extent=0 extent_count=16 type="cache" cache_pool="pool2" origin="a" } }
        written { status=["VISIBLE"] segment1 { start_extent=0 extent_count=8 type="writecache" writecache="a" origin="b" } }
        old { status=["VISIBLE"] segment1 { start_extent=0 extent_count=8 type="snapshot" cow_store="a" origin="b" } }
        raid { status=["VISIBLE"] segment1 { start_extent=0 extent_count=16 type="raid5_ls" stripe_size=8 raids=["a", "b", "b", "a", "a", "a"] } }
    "#;
    let text = format!(
        "vg {{ id=\"g\" seqno=1 extent_size=128 physical_volumes {{ pv0 {{ id=\"{}\" pe_start=16 pe_count=64 }} }} \
         logical_volumes {{ {VOLUMES} }} }}",
        "p".repeat(32)
    );
    let mut bytes = vec![0; START];
    let mut put = |at: usize, with: &[u8]| bytes[at..at + with.len()].copy_from_slice(with);
    // Checksums are not compared while fuzzing.
    let areas = [0u64, 0, 1024, 7168, 0, 0].map(u64::to_le_bytes).concat();
    let label = [&32u32.to_le_bytes()[..], b"LVM2 001", "p".repeat(32).as_bytes(), &[0; 8], &areas].concat();
    put(512, &[b"LABELONE", &1u64.to_le_bytes()[..], &[0; 4], &label].concat());
    let numbers = [1024, 7168, 512, text.len() as u64].map(u64::to_le_bytes).concat();
    put(1024, &[&[0; 4], &b" LVM2 x[5A%r0N*>"[..], &1u32.to_le_bytes(), &numbers].concat());
    put(1536, text.as_bytes());
    // Parts of a volume may be behind the end of a disk, but then nothing of it is read.
    let metadata = sparse::disks(data).swap_remove(0);
    let size = metadata.size().min(METADATA) as usize;
    bytes.resize(START + size.max(1024 * 1024), 0);
    metadata.read_at(&mut bytes[START..START + size], 0).expect("memory");
    let disk = volume::volumes(&source(&bytes), 0).expect("a physical volume");
    let mut block = vec![0; 8192];
    for volume in volume::assemble(disk.volumes).volumes {
        volume.source.will_need(0, 1 << 30);
        for extent in 0..volume.source.size().div_ceil(EXTENT).min(64) {
            let _ = volume.source.read_at(&mut block, extent * EXTENT * 3 / 4);
        }
    }
}

/// The files of a machine that say what is mounted and where runtimes keep their state.
const MACHINE: &[&str] = &[
    "etc/fstab",
    "etc/systemd/system/var.mount",
    "usr/lib/systemd/system/local.mount",
    "etc/containerd/config.toml",
    "etc/containerd/conf.d/1.toml",
    "etc/crio/crio.conf",
    "etc/docker/daemon.json",
    "etc/rancher/k3s/config.yaml",
    "etc/systemd/system/containerd.service",
    "etc/default/kubelet",
    "usr/lib/os-release",
    "boot/loader/entries/1.conf",
];

/// Puts a machine together whose files `data` holds, one after the other with a NUL between, after a byte that says what its
/// volumes look like.
pub fn machine(data: &[u8]) {
    let Some((shape, data)) = data.split_first() else { return };
    let (mut root, mut other) = (Tree::default(), Tree::default());
    let below = if shape & 1 == 0 { "" } else { "ostree/deploy/a/deploy/b.0/" };
    for (path, text) in MACHINE.iter().zip(data.split(|byte| *byte == 0)) {
        let below = if path.starts_with("boot/") { "" } else { below };
        root.file(&format!("{below}{path}"), text);
    }
    root.link("ostree/boot.1", "deploy/a/deploy/b.0");
    root.file("srv/x", "");
    let state = ["", "lib/containerd/", "containerd/", "lib/os-release/"][usize::from(shape >> 1 & 3)];
    other.file(&format!("{state}io.containerd.metadata.v1.bolt/meta.db"), "x");
    let volumes = [node_volume(1, "STATE", *shape, root), node_volume(2, "EPHEMERAL", *shape, other)];
    let machine = node::assemble(&volumes, &[]);
    if let Some(root) = &machine.root {
        for path in ["var/lib/containerd", "srv/x", "etc/os-release"] {
            let _ = root.find(path.as_bytes());
        }
    }
}

/// A volume of a file system, on a partition with a name and attributes.
fn node_volume(number: u32, name: &str, attributes: u8, tree: Tree) -> NodeVolume {
    let partition = Partition {
        number,
        kind: "5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6".to_owned(),
        name: Some(name.to_owned()),
        attributes: u64::from(attributes) << 48,
        ..Partition::default()
    };
    let (names, parts) = (Vec::new(), Vec::new());
    let id = format!("disk0p{number}");
    let volume =
        Volume { id, disk: 0, start: 0, source: source(b""), partition: Some(partition), names, parts };
    let (uuid, label) = (Some("b".to_owned()), Some("b".to_owned()));
    NodeVolume { volume, opened: Opened { fs: tree.build(), kind: "memory", uuid, label, notes: Vec::new() } }
}

/// The files that tell which kernels a machine has, and which of them boots.
const KERNELS: &[&str] = &[
    "boot/vmlinuz-6.1.0-9-amd64",
    "boot/vmlinuz-6.1.0-10-amd64",
    "boot/grub/grub.cfg",
    "boot/grub/grubenv",
    "boot/grub/custom.cfg",
    "boot/extlinux/extlinux.conf",
    "boot/loader/loader.conf",
    "boot/loader/entries/a-6.1.0-9-amd64.conf",
    "boot/loader/entries/b-6.1.0-10-amd64+3-1.conf",
    "boot/EFI/Linux/a.efi",
    "var/log/wtmp",
    "var/log/wtmp.1",
    "var/log/kern.log",
];

/// Looks for the kernels of a machine whose files these are; a file that has no bytes is not there.
pub fn kernels(files: &[&[u8]]) {
    let (mut root, mut other) = (Tree::default(), Tree::default());
    root.file("etc/os-release", "ID=a\n");
    for (path, content) in KERNELS.iter().zip(files).filter(|(_, content)| !content.is_empty()) {
        root.file(path, *content);
        if let Some(below) = path.strip_prefix("boot/") {
            other.file(below, *content);
        }
    }
    let volumes = [node_volume(1, "root", 0, root), node_volume(2, "USR-A", 1, other)];
    let (kernels, _) = node::kernels(&node::assemble(&volumes, &[]), &volumes);
    assert!(kernels.iter().filter(|kernel| kernel.default == Some(true)).count() <= 1);
}

fn walk(fs: &dyn FileSystem) {
    let mut seen = HashSet::from([fs.root()]);
    let mut todo = vec![fs.root()];
    while let Some(dir) = todo.pop() {
        let Ok(listing) = fs.read_dir(dir) else { continue };
        for entry in listing.entries {
            if seen.len() > PATHS || !seen.insert(entry.ino) {
                continue;
            }
            // A look-up may read all of its directory.
            if seen.len() < LOOKED_UP {
                let _ = fs.lookup(dir, &entry.name);
            }
            look(fs, entry.ino, entry.kind);
            if entry.kind == FileKind::Directory {
                todo.push(entry.ino);
            }
        }
    }
}

fn look(fs: &dyn FileSystem, ino: Ino, kind: FileKind) {
    let _ = fs.stat(ino);
    let _ = fs.xattrs(ino);
    match kind {
        FileKind::Symlink => drop(fs.read_link(ino)),
        FileKind::Regular => {
            let Ok(file) = fs.open(ino) else { return };
            let mut buf = vec![0; usize::try_from(file.size().min(1 << 16)).unwrap_or(0)];
            let _ = file.read_at(&mut buf, 0);
            let _ = file.read_at(&mut buf, file.size() / 2);
        }
        _ => {}
    }
}
