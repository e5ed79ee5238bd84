//! From the caller's disks to an assembled machine and its runtimes' stores.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use thiserror::Error;

use crate::{
    FormatError, Gap,
    block::{self, Counted, Counter, ReadAt, Source},
    disk, fs,
    gap::{Code, Scope},
    limits,
    node::{self, Machine, NodeVolume, Runtime},
    report,
    store::{Contents, Store, containerd},
    volume,
};

/// What the caller gives: the disks of one node, and how to read them.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// Disk images, block devices or directories.
    pub disks: Vec<PathBuf>,
    /// The format that all images have; detected if absent.
    pub format: Option<String>,
    /// Files that a disk image may refer to.
    pub backing: Vec<PathBuf>,
    /// The internal snapshot to read.
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
    pub store: Box<dyn Store>,
    /// What it holds.
    pub contents: Contents,
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
    /// What could not be read.
    pub gaps: Vec<Gap>,
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
        spanning: Vec::new(),
        unread: Vec::new(),
        gaps: Vec::new(),
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
    opening.sets();
    let Opening { counter, disks, volumes, file_systems, unread, mut gaps, .. } = opening;
    let machine = node::assemble(&file_systems, &unread);
    gaps.extend(machine.gaps.iter().cloned());
    let (runtimes, stores) = stores(&machine, &mut gaps);
    Ok(OpenedNode { disks, volumes, file_systems, machine, runtimes, stores, gaps, counter })
}

struct Opening<'a> {
    inputs: &'a Inputs,
    counter: Arc<Counter>,
    disks: Vec<report::Disk>,
    volumes: Vec<report::Volume>,
    file_systems: Vec<NodeVolume>,
    /// Volumes whose file system spans several, until all of them are known.
    spanning: Vec<(fs::Member, volume::Volume)>,
    /// Volumes that are recognised and not read.
    unread: Vec<(volume::Volume, volume::Signature)>,
    gaps: Vec<Gap>,
}

impl Opening<'_> {
    fn directory(&mut self, number: usize, path: &Path) -> Result<(), OpenError> {
        let spelled = path.display().to_string();
        let fs = fs::host::open(path).map_err(|source| OpenError::Io { path: spelled, source })?;
        let id = format!("disk{number}");
        self.disks.push(self.described(number, path, "directory", 0, "none"));
        self.volumes.push(volume_record(&id, 0, 0, "directory"));
        let source: Source = Arc::new(block::Memory::default());
        let volume = volume::Volume { id, disk: number, start: 0, source, partition: None };
        let opened = fs::Opened { fs, kind: "directory", uuid: None, label: None, notes: Vec::new() };
        self.file_systems.push(NodeVolume { volume, opened });
        Ok(())
    }

    fn disk(&mut self, number: usize, path: &Path) -> Result<(), OpenError> {
        let id = format!("disk{number}");
        let source = self.source(path)?;
        let siblings = Named { backing: &self.inputs.backing, opening: self };
        let options = disk::Options { siblings: &siblings, snapshot: self.inputs.snapshot.as_deref() };
        let effect = "nothing on this disk is examined";
        let disk = match disk::open(Arc::clone(&source), self.inputs.format.as_deref(), &options) {
            Ok(disk) => disk,
            Err(error) => {
                self.host_failed(path, &error)?;
                self.gaps.push(Gap::from_error(&error, Scope::Disk, &id, effect));
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
                    return Err(OpenError::NotADisk { path: path.display().to_string(), problem });
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
                for volume in table.volumes {
                    self.volume(volume);
                }
            }
            Err(error) => {
                self.host_failed(path, &error)?;
                self.disks.push(self.described(number, path, disk.format, size, "none"));
                self.gaps.push(Gap::from_error(&error, Scope::Disk, &id, effect));
            }
        }
        Ok(())
    }

    fn source(&self, path: &Path) -> Result<Source, OpenError> {
        let spelled = || path.display().to_string();
        let source = block::open(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::InvalidInput | io::ErrorKind::PermissionDenied => {
                OpenError::NotADisk { path: spelled(), problem: error.to_string() }
            }
            _ => OpenError::Io { path: spelled(), source: error },
        })?;
        if source.size() == 0 {
            return Err(OpenError::NotADisk { path: spelled(), problem: "an empty file".to_owned() });
        }
        Ok(Arc::new(Counted::new(source, Arc::clone(&self.counter))))
    }

    /// A host that cannot read the very beginning of a disk is worth another try, not a report.
    fn host_failed(&self, path: &Path, error: &FormatError) -> Result<(), OpenError> {
        if error.is_host_io() {
            let source = io::Error::other(error.detail());
            return Err(OpenError::Io { path: path.display().to_string(), source });
        }
        Ok(())
    }

    fn volume(&mut self, volume: volume::Volume) {
        let mut record = volume_record(&volume.id, volume.start, volume.source.size(), "unknown");
        if let Some(partition) = &volume.partition {
            record.partition_name.clone_from(&partition.name);
            record.partition_uuid.clone_from(&partition.uuid);
        }
        let effect = "nothing on this volume is examined";
        if let Some(member) = fs::member(&volume.source) {
            self.volumes.push(record);
            return self.spanning.push((member, volume));
        }
        match fs::open(&volume.source) {
            Some(Ok(opened)) => {
                describe(&mut record, &opened);
                self.opened(volume, opened);
            }
            Some(Err(error)) => self.gaps.push(Gap::from_error(&error, Scope::Volume, &volume.id, effect)),
            None => {
                let by_type = || volume::by_type(&volume.partition.as_ref()?.kind);
                let found = volume::signature(&volume.source).or_else(by_type);
                if found.is_none() && holds_data(&volume) {
                    let detail = "the volume holds data of no known format";
                    self.gaps.push(Gap::new(
                        Code::UnsupportedFileSystem,
                        Scope::Volume,
                        &volume.id,
                        detail,
                        effect,
                    ));
                }
                if let Some(found) = found {
                    found.name.clone_into(&mut record.content);
                    if let Some(code) = found.code {
                        let detail = format!("the volume holds {}", found.name);
                        self.gaps.push(Gap::new(code, Scope::Volume, &volume.id, detail, effect));
                    }
                    self.unread.push((volume, found));
                }
            }
        }
        self.volumes.push(record);
    }

    /// Opens the file systems that span several volumes; each is named by the first of them.
    fn sets(&mut self) {
        let mut rest = std::mem::take(&mut self.spanning);
        while let Some((first, _)) = rest.first() {
            let set = first.set;
            let (members, others): (Vec<_>, Vec<_>) =
                rest.into_iter().partition(|(member, _)| member.set == set);
            rest = others;
            let sources: Vec<Source> = members.iter().map(|(_, volume)| Arc::clone(&volume.source)).collect();
            let ids: Vec<String> = members.iter().map(|(_, volume)| volume.id.clone()).collect();
            let Some((_, volume)) = members.into_iter().next() else { continue };
            match fs::open_set(&sources) {
                Some(Ok(opened)) => {
                    let records = self.volumes.iter_mut().filter(|record| ids.contains(&record.id));
                    records.for_each(|record| describe(record, &opened));
                    self.opened(volume, opened);
                }
                Some(Err(error)) => {
                    let effect = format!("nothing on {} is examined", ids.join(", "));
                    self.gaps.push(Gap::from_error(&error, Scope::Volume, &volume.id, effect));
                }
                None => {}
            }
        }
    }

    fn opened(&mut self, volume: volume::Volume, opened: fs::Opened) {
        let gap = |note| Gap::from_error(note, Scope::Volume, &volume.id, "the volume is read as it is");
        self.gaps.extend(opened.notes.iter().map(gap));
        self.file_systems.push(NodeVolume { volume, opened });
    }

    fn described(&self, number: usize, path: &Path, format: &str, size: u64, table: &str) -> report::Disk {
        report::Disk {
            id: format!("disk{number}"),
            name: path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
            format: format.to_owned(),
            size,
            partition_table: table.to_owned(),
        }
    }
}

/// What a volume's file system says of itself.
fn describe(record: &mut report::Volume, opened: &fs::Opened) {
    opened.kind.clone_into(&mut record.content);
    record.uuid.clone_from(&opened.uuid);
    record.label.clone_from(&opened.label);
}

/// Whether an unknown volume has anything in its first 128 KiB, where every known format begins.
fn holds_data(volume: &volume::Volume) -> bool {
    let length = usize::try_from(volume.source.size().min(128 << 10)).unwrap_or(0);
    let mut head = vec![0; length];
    // What cannot be read may hold anything.
    volume.source.read_at(&mut head, 0).is_err() || head.iter().any(|byte| *byte != 0)
}

/// Whether a file is none that any machine had as a disk: no format, and no whole number of sectors.
fn is_no_disk(source: &Source) -> bool {
    !source.size().is_multiple_of(512) && fs::open(source).is_none() && volume::signature(source).is_none()
}

fn volume_record(id: &str, offset: u64, size: u64, content: &str) -> report::Volume {
    report::Volume {
        id: id.to_owned(),
        offset,
        size,
        content: content.to_owned(),
        uuid: None,
        label: None,
        partition_name: None,
        partition_uuid: None,
    }
}

/// Opens what an image refers to, if the caller named a file of that name.
struct Named<'a> {
    backing: &'a [PathBuf],
    opening: &'a Opening<'a>,
}

impl disk::Siblings for Named<'_> {
    fn open(&self, name: &str) -> io::Result<Source> {
        let wanted = Path::new(name).file_name();
        let named = self.backing.iter().find(|path| path.file_name() == wanted);
        let path = named.ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("{name:?} was not named by the caller"))
        })?;
        self.opening.source(path).map_err(io::Error::other)
    }
}

fn stores(machine: &Machine, gaps: &mut Vec<Gap>) -> (Vec<report::Runtime>, Vec<OpenStore>) {
    let mut runtimes = Vec::new();
    let mut stores = Vec::new();
    for site in &machine.sites {
        let name = match site.runtime {
            Runtime::Containerd => "containerd",
            Runtime::Docker => "docker",
            Runtime::ContainersStorage => "containers-storage",
        };
        let mut record = report::Runtime {
            name: name.to_owned(),
            volume: site.volume.clone(),
            path: site.path.to_string(),
            status: report::Status::Failed,
        };
        let subject = format!("{name}:{}", site.path);
        let effect = "its images and containers are not reported";
        match site.runtime {
            Runtime::Containerd => match containerd::open(&site.dir) {
                Ok(Some(store)) => {
                    let contents = store.contents();
                    let partial = !contents.gaps.is_empty();
                    record.status = if partial { report::Status::Partial } else { report::Status::Complete };
                    gaps.extend(contents.gaps.iter().cloned());
                    stores.push(OpenStore { store: Box::new(store), contents });
                }
                Ok(None) => {
                    let detail = "the state directory holds no meta.db";
                    gaps.push(Gap::new(
                        Code::RuntimeStateUnreadable,
                        Scope::Runtime,
                        subject,
                        detail,
                        effect,
                    ));
                }
                Err(error) => {
                    let gap = Gap::from_error(&error, Scope::Runtime, subject, effect);
                    gaps.push(Gap { code: Code::RuntimeStateUnreadable, ..gap });
                }
            },
            Runtime::Docker | Runtime::ContainersStorage => {
                let detail = format!("a store of {name} at {}", site.path);
                gaps.push(Gap::new(Code::UnsupportedRuntime, Scope::Runtime, subject, detail, effect));
            }
        }
        runtimes.push(record);
    }
    runtimes.sort();
    (runtimes, stores)
}
