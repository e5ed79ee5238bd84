//! From the caller's disks to an assembled machine and its runtimes' stores.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use thiserror::Error;

use super::{pods, siblings::Named, stores, volumes};
use crate::{
    FormatError, Gap,
    block::{self, Counted, Counter, ReadAt, Source},
    disk,
    fs::{self, Root},
    gap::{Code, Scope},
    limits,
    node::{self, Declared, Machine, NodeVolume},
    report,
    store::{
        self, Contents, KubeletPod, Store,
        archive::{self, Archive},
    },
    volume,
};

/// What the caller gives: the disks of one node, and how to read them.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// Disk images, block devices, directories, or URLs of disk images.
    pub disks: Vec<PathBuf>,
    /// The format that all images have; detected if absent.
    pub format: Option<String>,
    /// Files that a disk image may refer to.
    pub backing: Vec<PathBuf>,
    /// Whether it may refer to files that lie beside it, too.
    pub siblings: bool,
    /// Archives of images, to be examined with what is on the disks.
    pub archives: Vec<PathBuf>,
    /// The internal snapshot to read, of the disks that have it.
    pub snapshot: Option<String>,
}

/// Why nothing could be opened at all.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The input does not exist or is no disk.
    #[error("{path}: {problem}")]
    NotADisk {
        /// As the caller spelled it.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The host could not read it; another try may succeed.
    #[error("{path} cannot be read")]
    Io {
        /// As the caller spelled it.
        path: String,
        /// What the host said.
        source: io::Error,
    },
}

/// A runtime's store, opened and read.
pub struct OpenStore {
    /// The store.
    pub store: Arc<dyn Store>,
    /// What it holds.
    pub contents: Contents,
    /// The volume that it lies on, if that is one and not a part of one.
    pub volume: Option<String>,
}

/// A node, opened.
pub struct OpenedNode {
    /// Its disks.
    pub disks: Vec<report::Disk>,
    /// Its volumes.
    pub volumes: Vec<report::Volume>,
    /// The volumes whose file systems are read.
    pub file_systems: Vec<NodeVolume>,
    /// The machine.
    pub machine: Machine,
    /// The runtimes, with whether each was read.
    pub runtimes: Vec<report::Runtime>,
    /// The stores that were read.
    pub stores: Vec<OpenStore>,
    /// What files of the node tell it to run.
    pub declared: Vec<Declared>,
    /// The pods that the kubelet's directories tell of, by UID.
    pub kubelet: BTreeMap<String, KubeletPod>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
    /// Those of the gaps that are disks or volumes of which nothing was read.
    pub unread: Vec<Gap>,
    /// What is read of the disks.
    pub counter: Arc<Counter>,
}

/// Opens the disks of one node.
pub fn open(inputs: &Inputs) -> Result<OpenedNode, OpenError> {
    let mut opening = Opening {
        inputs,
        counter: Arc::new(Counter::default()),
        disks: Vec::new(),
        volumes: Vec::new(),
        file_systems: Vec::new(),
        pending: Vec::new(),
        spanning: Vec::new(),
        recognised: Vec::new(),
        archives: Vec::new(),
        gaps: Vec::new(),
        unread: Vec::new(),
        has_snapshot: false,
        without_snapshot: Vec::new(),
    };
    if inputs.disks.len() > limits::DISKS {
        let problem = format!("{} disks, more than {}", inputs.disks.len(), limits::DISKS);
        return Err(OpenError::NotADisk { path: "command line".to_owned(), problem });
    }
    for (number, path) in inputs.disks.iter().enumerate() {
        if path.is_dir() {
            opening.directory(number, path)?;
        } else {
            opening.disk(number, path)?;
        }
    }
    for path in &inputs.archives {
        opening.named_archive(path)?;
    }
    opening.check_snapshot()?;
    opening.assemble();
    opening.spanning();
    let Opening { counter, disks, volumes, file_systems, recognised, archives, mut gaps, unread, .. } =
        opening;
    let machine = node::assemble(&file_systems, &recognised);
    gaps.extend(unread.iter().cloned());
    gaps.extend(machine.gaps.iter().cloned());
    let (mut runtimes, mut stores) = stores::open(&machine, &file_systems, &mut gaps);
    stores::add_archives(archives, &mut runtimes, &mut stores, &mut gaps);
    let (kubelet, lost) = machine.root.as_ref().map(store::kubelet_pods).unwrap_or_default();
    gaps.extend(lost.iter().map(|error| {
        let effect = "pods that only the kubelet's directories tell of are missing";
        Gap::from_error(error, Scope::Runtime, "kubelet", effect)
    }));
    gaps.extend(pods::virtual_machines(&stores));
    let (declared, lost) = machine.root.as_ref().map(node::declared).unwrap_or_default();
    gaps.extend(lost.iter().map(|(path, error)| {
        let effect = "containers and pods that it tells to run may not be named";
        Gap::from_error(error, Scope::Volume, "node", effect).at(path.to_string())
    }));
    for store in &mut stores {
        pods::complete(&mut store.contents.containers, &kubelet);
        pods::set_units(&mut store.contents.containers, store.store.runtime(), &declared);
    }
    Ok(OpenedNode {
        disks,
        volumes,
        file_systems,
        machine,
        runtimes,
        stores,
        declared,
        kubelet,
        gaps,
        unread,
        counter,
    })
}

pub(super) struct Opening<'a> {
    inputs: &'a Inputs,
    counter: Arc<Counter>,
    disks: Vec<report::Disk>,
    pub(super) volumes: Vec<report::Volume>,
    pub(super) file_systems: Vec<NodeVolume>,
    /// Volumes of the disks, until all are known: they may be parts of others.
    pub(super) pending: Vec<volume::Volume>,
    /// Volumes whose file system spans several, until all of them are known.
    pub(super) spanning: Vec<(fs::Member, volume::Volume)>,
    /// Volumes that are recognised and not read.
    pub(super) recognised: Vec<(volume::Volume, volume::Signature)>,
    /// Archives of images, with where they lie.
    archives: Vec<(String, Archive)>,
    pub(super) gaps: Vec<Gap>,
    /// Gaps that are whole disks or volumes.
    pub(super) unread: Vec<Gap>,
    /// Whether a disk has the snapshot that the caller named.
    has_snapshot: bool,
    /// The disks that do not have it, and why.
    without_snapshot: Vec<(String, FormatError)>,
}

const DISK_UNREAD: &str = "nothing on this disk is examined";

impl Opening<'_> {
    fn directory(&mut self, number: usize, path: &Path) -> Result<(), OpenError> {
        let spelled = path.display().to_string();
        let fs = fs::host::open(path, Arc::clone(&self.counter));
        let fs = fs.map_err(|source| OpenError::Io { path: spelled, source })?;
        match archive::open_directory(Root::new(Arc::clone(&fs))) {
            Ok(None) => {}
            opened => return self.archive(number, path, 0, opened),
        }
        let id = format!("disk{number}");
        if self.inputs.snapshot.is_some() {
            let what = "a directory has no snapshots".to_owned();
            let error = FormatError::Unsupported { code: Code::DiskSnapshotMissing, what };
            self.without_snapshot.push((id.clone(), error));
        }
        self.disks.push(self.described(number, path, "directory", 0, "none"));
        self.volumes.push(volumes::record(&id, 0, 0, "directory"));
        let source: Source = Arc::new(block::Memory::default());
        for note in fs::host::notes() {
            let effect = "files that an upper layer hides may show";
            self.gaps.push(Gap::from_error(&note, Scope::Volume, &id, effect));
        }
        let (names, parts) = (Vec::new(), Vec::new());
        let volume = volume::Volume { id, disk: number, start: 0, source, partition: None, names, parts };
        let opened = fs::Opened { fs, kind: "directory", uuid: None, label: None, notes: Vec::new() };
        self.file_systems.push(NodeVolume { volume, opened });
        Ok(())
    }

    /// Notes an archive of images in the place of a disk.
    fn archive(
        &mut self,
        number: usize,
        path: &Path,
        size: u64,
        opened: Result<Option<Archive>, FormatError>,
    ) -> Result<(), OpenError> {
        let place = block::shown(path);
        let form = match opened {
            Ok(archive) => {
                let form = archive.as_ref().map_or("unknown", Store::runtime);
                self.archives.extend(archive.map(|archive| (place, archive)));
                form
            }
            Err(error) => {
                self.host_failed(path, &error)?;
                let id = format!("disk{number}");
                self.unread.push(Gap::from_error(&error, Scope::Disk, id, DISK_UNREAD));
                "unknown"
            }
        };
        self.disks.push(self.described(number, path, form, size, "none"));
        Ok(())
    }

    /// Notes an archive of images that the caller named beside the disks.
    fn named_archive(&mut self, path: &Path) -> Result<(), OpenError> {
        let place = block::shown(path);
        let opened = if path.is_dir() {
            let fs = fs::host::open(path, Arc::clone(&self.counter));
            let fs = fs.map_err(|source| OpenError::Io { path: place.clone(), source })?;
            archive::open_directory(Root::new(fs))
        } else {
            archive::open_tar(&self.source(path)?)
        };
        match opened {
            Ok(Some(archive)) => self.archives.push((place, archive)),
            Ok(None) => {
                let problem = "neither an OCI image layout nor what `docker save` writes".to_owned();
                return Err(OpenError::NotADisk { path: place, problem });
            }
            Err(error) => {
                self.host_failed(path, &error)?;
                let effect = "the images of this archive are not examined";
                self.gaps.push(Gap::from_error(&error, Scope::Runtime, place, effect));
            }
        }
        Ok(())
    }

    fn disk(&mut self, number: usize, path: &Path) -> Result<(), OpenError> {
        let id = format!("disk{number}");
        let source = self.source(path)?;
        if self.inputs.format.is_none() {
            match archive::open_tar(&source) {
                Ok(None) => {}
                opened => return self.archive(number, path, source.size(), opened),
            }
        }
        let mut opened = self.image(path, &source, self.inputs.snapshot.as_deref());
        match opened {
            Err(error) if error.code() == Code::DiskSnapshotMissing => {
                self.without_snapshot.push((id.clone(), error));
                opened = self.image(path, &source, None);
            }
            Ok(_) => self.has_snapshot |= self.inputs.snapshot.is_some(),
            Err(_) => {}
        }
        let disk = match opened {
            Ok(disk) => disk,
            Err(error) => {
                self.host_failed(path, &error)?;
                self.unread.push(Gap::from_error(&error, Scope::Disk, &id, DISK_UNREAD));
                self.disks.push(self.described(number, path, "unknown", source.size(), "none"));
                return Ok(());
            }
        };
        for note in &disk.notes {
            self.gaps.push(Gap::from_error(note, Scope::Disk, &id, "the disk is read as it is"));
        }
        let size = disk.source.size();
        match volume::volumes(&disk.source, number) {
            Ok(table) => {
                if disk.format == "raw" && table.scheme == "none" && is_no_disk(&disk.source) {
                    let problem = format!("{size} bytes of no known format");
                    return Err(OpenError::NotADisk { path: block::shown(path), problem });
                }
                self.disks.push(self.described(number, path, disk.format, size, table.scheme));
                for note in &table.notes {
                    self.gaps.push(Gap::from_error(
                        note,
                        Scope::Disk,
                        &id,
                        "partitions may be missing or cut",
                    ));
                }
                self.pending.extend(table.volumes);
            }
            Err(error) => {
                self.host_failed(path, &error)?;
                self.disks.push(self.described(number, path, disk.format, size, "none"));
                self.unread.push(Gap::from_error(&error, Scope::Disk, &id, DISK_UNREAD));
            }
        }
        Ok(())
    }

    /// The virtual disk of an image, at a snapshot.
    fn image(&self, path: &Path, source: &Source, snapshot: Option<&str>) -> Result<disk::Disk, FormatError> {
        let beside = path.parent().filter(|_| self.inputs.siblings && block::url(path).is_none());
        let siblings = Named { disk: path, backing: &self.inputs.backing, beside, opening: self };
        let options = disk::Options { siblings: &siblings, snapshot };
        disk::open(Arc::clone(source), self.inputs.format.as_deref(), &options)
    }

    /// A snapshot that no disk has is a mistake of the caller's; a disk that lacks one which others have is told.
    fn check_snapshot(&mut self) -> Result<(), OpenError> {
        if let Some((_, error)) = self.without_snapshot.first().filter(|_| !self.has_snapshot) {
            let (path, problem) = ("--disk-snapshot".to_owned(), format!("of no disk; {}", error.detail()));
            return Err(OpenError::NotADisk { path, problem });
        }
        let effect = "the disk is read as it is now, which may be of another time than the others";
        let gap = |(id, error): &(String, FormatError)| Gap::from_error(error, Scope::Disk, id, effect);
        self.gaps.extend(self.without_snapshot.iter().map(gap));
        Ok(())
    }

    pub(super) fn source(&self, path: &Path) -> Result<Source, OpenError> {
        let source = block::open_place(path, &self.counter).map_err(|error| not_opened(path, error))?;
        if source.size() == 0 {
            let problem = "an empty file".to_owned();
            return Err(OpenError::NotADisk { path: block::shown(path), problem });
        }
        Ok(self.counted(source))
    }

    pub(super) fn counted(&self, source: Source) -> Source {
        Arc::new(Counted::new(source, Arc::clone(&self.counter)))
    }

    /// A host that cannot read the very beginning of a disk is worth another try, not a report.
    fn host_failed(&self, path: &Path, error: &FormatError) -> Result<(), OpenError> {
        if error.is_host_io() {
            let source = io::Error::other(error.detail());
            return Err(OpenError::Io { path: block::shown(path), source });
        }
        Ok(())
    }

    fn described(&self, number: usize, path: &Path, format: &str, size: u64, table: &str) -> report::Disk {
        report::Disk {
            id: format!("disk{number}"),
            name: block::file_name(path).unwrap_or_else(|| path.into()).to_string_lossy().into_owned(),
            format: format.to_owned(),
            size,
            partition_table: table.to_owned(),
        }
    }
}

/// An input that could not be opened.
fn not_opened(path: &Path, error: io::Error) -> OpenError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::InvalidInput | io::ErrorKind::PermissionDenied => {
            let problem = scheme_refused(path).map_or_else(|| error.to_string(), str::to_owned);
            OpenError::NotADisk { path: block::shown(path), problem }
        }
        _ => OpenError::Io { path: block::shown(path), source: error },
    }
}

/// What is wrong with a place that is a URL of a scheme that is not read, and so no path that there is.
fn scheme_refused(path: &Path) -> Option<&'static str> {
    let (scheme, _) = path.to_str()?.split_once("://")?;
    let is_scheme = |letter: char| letter.is_ascii_alphanumeric() || "+-.".contains(letter);
    match scheme.to_ascii_lowercase().as_str() {
        "http" | "https" => None,
        "file" => Some("no path: give the path alone, without `file://`"),
        scheme if !scheme.is_empty() && scheme.chars().all(is_scheme) => {
            Some("no path, and of URLs only those of http and https are read")
        }
        _ => None,
    }
}

/// Whether a file is none that any machine had as a disk: no format, and no whole number of sectors.
fn is_no_disk(source: &Source) -> bool {
    !source.size().is_multiple_of(512) && fs::open(source).is_none() && volume::signature(source).is_none()
}
