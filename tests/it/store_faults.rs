//! Reads that fail below runtimes' stores, one after the other: what is lost for it is told, of what has lost it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use icecore::{
    Gap,
    block::{
        Memory, Source,
        fault::{Fault, Faulty, When},
    },
    fs::{self, Root},
    gap::Scope,
    layer::{self, Sameness, Walk},
    report::Report,
    scan::{self, Inputs, Options},
    store::{
        Contents, Store, archive, containerd,
        containers_storage::{self, Setting},
        docker::{self, Access, Beside},
    },
};
use serde_json::Value;

/// How many reads or blocks fail, one at a time, unless all do.
const SOME: u64 = 40;
/// Bytes of a cluster, which is a block of the file systems.
const CLUSTER: usize = 1024;

fn unpacked(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("disk-fixtures/stores").join(format!("{name}.zst"));
    zstd::decode_all(std::fs::read(path).unwrap().as_slice()).unwrap()
}

const DISKS: [(&str, &str); 5] = [
    ("docker", "var/lib/docker"),
    ("docker28", "var/lib/docker"),
    ("podman", "var/lib/containers/storage"),
    ("podman-rootless", "home/u/.local/share/containers/storage"),
    ("podman58", "var/lib/containers/storage"),
];

/// What is found on a source, each by its name, and what is told of it: where nothing is found for an error, that is all.
#[derive(Default)]
struct Found {
    things: BTreeMap<String, String>,
    /// The digests and names by which something is told of them.
    subjects: BTreeMap<String, BTreeSet<String>>,
    told: Vec<Gap>,
    error: Option<String>,
}

/// Opens a disk's stores and asks for all that there is.
fn find(source: &Source, name: &str, path: &str) -> Found {
    let mut found = Found::default();
    match stores(source, name, path) {
        Ok(stores) => stores.into_iter().for_each(|(store, contents)| found.ask(store.as_ref(), contents)),
        Err(error) => found.error = Some(error),
    }
    found
}

/// A store, with what it holds: that is asked for once, as each time it is read again.
type Opened = (Arc<dyn Store>, Contents);

fn opened(store: impl Store + 'static) -> Opened {
    let contents = store.contents();
    (Arc::new(store), contents)
}

fn stores(source: &Source, name: &str, path: &str) -> Result<Vec<Opened>, String> {
    let told = |error: icecore::FormatError| error.detail();
    if path.is_empty() {
        let archive = archive::open_tar(source).map_err(told)?;
        return Ok(vec![opened(archive.ok_or("no archive")?)]);
    }
    let volume = fs::open(source).ok_or("no file system")?.map_err(told)?;
    if let Some(note) = volume.notes.first() {
        return Err(note.detail());
    }
    let root = Root::new(volume.fs);
    let dir = root.within(&root.find(path.as_bytes()).map_err(told)?.ok_or("no directory")?);
    if name.starts_with("podman") {
        let setting = Setting { is_unprivileged: name.contains("rootless"), ..Setting::default() };
        let store = containers_storage::open(&dir, &setting).map_err(told)?;
        return Ok(vec![opened(store.ok_or("no records")?)]);
    }
    let below = dir.within(&dir.find(b"containerd/daemon").map_err(told)?.ok_or("no containerd")?);
    let lent = containerd::open(&below, Some(&root)).map_err(told)?.ok_or("no containerd")?;
    let contents = lent.contents();
    let lent = Arc::new(lent);
    let beside = [Beside { store: Arc::clone(&lent), images: &contents.images }];
    let docker = docker::open(&dir, &Access::default(), &beside);
    // The containers are of the images of the first.
    Ok(vec![(lent, contents), opened(docker)])
}

impl Found {
    fn ask(&mut self, store: &dyn Store, contents: Contents) {
        // Of a layer that nobody has, a size that cannot be read is no loss.
        let Contents { images, containers, sandboxes, pods, gaps, loose: _ } = contents;
        self.told.extend(gaps);
        for mut image in images {
            self.told.append(&mut image.gaps);
            let id = image.id.to_string();
            let document = store.document(&image.id);
            match document {
                Ok(document) => drop(self.things.insert(format!("document {id}"), format!("{document:?}"))),
                Err(error) => self.told.push(Gap::from_error(&error, Scope::Image, &id, "")),
            }
            for layer in &image.layers {
                let name = layer.diff_id.to_string();
                let sources = store.layer(layer);
                self.told.extend(sources.gaps);
                let mut thing = format!("{:?}", sources.snapshot_size);
                if let Some(unpacked) = &sources.snapshot {
                    match layer::changes(unpacked, Sameness::Content) {
                        Ok(tree) => {
                            let mut facts = layer::analyze(&tree, Walk::whole(&name, Scope::Layer));
                            self.told.append(&mut facts.gaps);
                            thing += &format!("{facts:?}");
                        }
                        Err(error) => self.told.push(Gap::from_error(&error, Scope::Layer, &name, "")),
                    }
                }
                if let Some(blob) = &sources.blob {
                    match layer::open_blob(&blob.bytes, &blob.digest, &layer.diff_id, &layer::wants) {
                        Ok(tree) => {
                            for note in &tree.notes {
                                self.told.push(Gap::from_error(note, Scope::Layer, &name, ""));
                            }
                            let top = Root::new(tree.fs).top();
                            let mut facts = layer::analyze(&top, Walk::whole(&name, Scope::Layer));
                            self.told.append(&mut facts.gaps);
                            thing += &format!("{facts:?}");
                        }
                        Err(error) => self.told.push(Gap::from_error(&error, Scope::Layer, &name, "")),
                    }
                }
                self.things.insert(format!("layer {name}"), thing);
            }
            let names = [&image.id].into_iter().chain(&image.manifests).map(ToString::to_string);
            let names: BTreeSet<String> = names.chain(image.references.iter().cloned()).collect();
            let layers = image.layers.iter().map(|layer| format!("layer {}", layer.diff_id));
            for thing in layers.chain([format!("document {id}"), format!("image {id}")]) {
                self.subjects.entry(thing).or_default().extend(names.clone());
            }
            self.things.insert(format!("image {id}"), format!("{image:?}"));
        }
        for container in containers.into_iter().chain(sandboxes) {
            match store.writable_layers(&container) {
                Ok(layers) => {
                    let forms = layers.iter().map(|layer| (layer.dir.ino, layer.owners.clone()));
                    let forms: Vec<_> = forms.collect();
                    self.things.insert(format!("writable {}", container.id), format!("{forms:?}"));
                }
                Err(error) => self.told.push(Gap::from_error(&error, Scope::Container, &container.id, "")),
            }
            // Labels that its image has, too, are not its own; and layers that are not over those of its image neither.
            let of_image = container.image.as_ref().map(|image| self.subjects.get(&format!("image {image}")));
            let names = of_image.flatten().cloned().unwrap_or_default();
            for thing in ["container", "writable"] {
                self.subjects.entry(format!("{thing} {}", container.id)).or_default().extend(names.clone());
            }
            self.things.insert(format!("container {}", container.id), format!("{container:?}"));
        }
        for pod in pods {
            self.things.insert(format!("pod {}", pod.id.name), format!("{pod:?}"));
        }
    }

    /// What of the whole is not there, or is another, and nothing is told of that.
    fn silent<'a>(&self, whole: &'a Found) -> Vec<&'a str> {
        if self.error.is_some() {
            return Vec::new();
        }
        let new: Vec<&Gap> = self.told.iter().filter(|gap| !whole.told.contains(gap)).collect();
        let lost = whole.things.iter().filter(|(name, thing)| self.things.get(*name) != Some(thing));
        let is_told = |name: &str| {
            // What the store itself has lost may be anything; else it is told of the thing, or of the image that has it: by its
            // names, or by the file of an archive that is its configuration.
            let of_image = |gap: &Gap| {
                let names = whole.subjects.get(name).into_iter().flatten();
                let file = gap.subject.strip_suffix(".json");
                let mut names = names.map(String::as_str);
                names.any(|name| name == gap.subject || file.is_some_and(|file| name.ends_with(file)))
            };
            new.iter().any(|gap| gap.scope == Scope::Runtime || name.ends_with(&gap.subject) || of_image(gap))
        };
        lost.map(|(name, _)| name.as_str()).filter(|name| !is_told(name)).collect()
    }
}

fn check_reads(failed: u64) {
    let archives = [("docker-save.tar", ""), ("oci-archive.tar", "")];
    let disks = DISKS.map(|(name, path)| (name, path, format!("{name}.img")));
    let archives = archives.map(|(name, path)| (name, path, name.to_owned()));
    let mut wrong = Vec::new();
    for (name, path, file) in disks.into_iter().chain(archives) {
        let source: Source = Arc::new(Memory::new(unpacked(&file)));
        let with = |fault, when| {
            let faulty = Arc::new(Faulty::new(Arc::clone(&source), fault, when));
            (find(&(Arc::clone(&faulty) as Source), name, path), faulty.reads())
        };
        let (whole, reads) = with(Fault::Error, When::Nth(u64::MAX));
        assert!(whole.error.is_none() && whole.told.is_empty(), "{name}: {:?} {:?}", whole.error, whole.told);
        assert!(whole.things.len() > 4 && reads > 20, "{name}: {reads} {:?}", whole.things.keys());
        let step = usize::try_from((reads / failed).max(1)).unwrap();
        for nth in (0..reads).step_by(step) {
            for fault in [Fault::Error, Fault::Short] {
                let (found, _) = with(fault, When::Nth(nth));
                let silent = found.silent(&whole);
                if !silent.is_empty() {
                    wrong.push(format!(
                        "{name}: read {nth} of {reads}, {fault:?}: {silent:?}; told {:?}",
                        found.told
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} reads:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_failed_read_below_a_store_loses_nothing_silently() {
    check_reads(SOME);
}

#[test]
#[ignore = "takes a minute; scripts/check.sh has it"]
fn any_failed_read_below_a_store_loses_nothing_silently() {
    check_reads(u64::MAX);
}

/// A disk as a qcow2 image in which each block is a cluster of its own, and the places of the entries of those that are not
/// zeros (qemu's docs/interop/qcow2.rst).
fn clusters(disk: &[u8]) -> (Vec<u8>, Vec<usize>) {
    let per_table = CLUSTER / 8;
    let tables = disk.len().div_ceil(CLUSTER * per_table);
    let first_table = CLUSTER + (tables * 8).next_multiple_of(CLUSTER);
    let mut image = vec![0; first_table + tables * CLUSTER];
    let put =
        |image: &mut Vec<u8>, at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
    put(&mut image, 0, b"QFI\xfb\0\0\0\x02");
    put(&mut image, 20, &CLUSTER.ilog2().to_be_bytes());
    put(&mut image, 24, &(disk.len() as u64).to_be_bytes());
    put(&mut image, 36, &(tables as u32).to_be_bytes());
    put(&mut image, 40, &(CLUSTER as u64).to_be_bytes());
    let mut entries = Vec::new();
    for table in 0..tables {
        let at = first_table + table * CLUSTER;
        put(&mut image, CLUSTER + table * 8, &(at as u64 | 1 << 63).to_be_bytes());
    }
    for (number, block) in disk.chunks(CLUSTER).enumerate() {
        if block.iter().any(|byte| *byte != 0) {
            let (entry, at) = (first_table + number * 8, image.len() as u64);
            put(&mut image, entry, &(at | 1 << 63).to_be_bytes());
            image.extend_from_slice(block);
            entries.push(entry);
        }
    }
    (image, entries)
}

fn scanned(path: &Path) -> Report {
    let inputs = Inputs { disks: vec![path.to_owned()], ..Inputs::default() };
    let options = Options { inputs, reproducible: true, ..Options::default() };
    scan::scan(&options, &scan::Silent).unwrap()
}

/// The records of a list of a report by their ids, without where a layer was read from.
fn records(report: &Report, list: &str) -> BTreeMap<String, Value> {
    let mut value = serde_json::to_value(report).unwrap();
    let records = value[list].as_array_mut().unwrap();
    for layer in records.iter_mut().filter_map(|image| image["layers"].as_array_mut()).flatten() {
        layer.as_object_mut().unwrap().remove("source");
    }
    records.iter().map(|record| (record["id"].as_str().unwrap_or("pod").to_owned(), record.clone())).collect()
}

/// The digests and names that a gap may have as its subject to be about a record.
fn subjects(id: &str, record: &Value, images: &BTreeMap<String, Value>) -> BTreeSet<String> {
    let mut all = BTreeSet::from([id.to_owned()]);
    let image = record["image"].as_str().and_then(|id| images.get(id)).unwrap_or(record);
    for text in [&image["id"], &image["references"], &image["manifests"], &image["used_by"]] {
        all.extend(text.as_str().map(str::to_owned));
        all.extend(text.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
    }
    let layers = image["layers"].as_array().into_iter().flatten();
    all.extend(layers.filter_map(|layer| layer["diff_id"].as_str()).map(str::to_owned));
    all
}

fn check_blocks(failed: u64) {
    let dir = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for (name, store) in DISKS {
        let (image, entries) = clusters(&unpacked(&format!("{name}.img")));
        let path = dir.path().join("disk.qcow2");
        std::fs::write(&path, &image).unwrap();
        let whole = scanned(&path);
        assert!(whole.gaps.is_empty(), "{name}: {:?}", whole.gaps);
        let lists = ["images", "containers", "pods"].map(|list| (list, records(&whole, list)));
        let images = &lists[0].1;
        assert!(!images.is_empty() && !lists[1].1.is_empty(), "{name}");
        let step = usize::try_from((entries.len() as u64 / failed).max(1)).unwrap();
        for entry in entries.iter().step_by(step) {
            let mut image = image.clone();
            image[*entry..*entry + 8].copy_from_slice(&(1u64 << 63 | 1 << 50).to_be_bytes());
            std::fs::write(&path, &image).unwrap();
            let report = scanned(&path);
            // Of what was sought on the node itself, only what is on the way to the store or in it.
            let is_near = |path: &str| {
                let path = path.trim_start_matches('/');
                let tells_homes = ["etc/passwd", "etc/subuid", "etc/subgid"].contains(&path);
                path.starts_with(store)
                    || store.starts_with(path)
                    || store.starts_with("home/") && tells_homes
            };
            let of_all = |gap: &Gap| match gap.scope {
                Scope::Volume if gap.subject == "node" => gap.path.as_deref().is_some_and(is_near),
                scope => matches!(scope, Scope::Disk | Scope::Volume | Scope::Runtime),
            };
            if report.gaps.iter().any(of_all) {
                continue;
            }
            let mut lost = Vec::new();
            for (list, records_of_whole) in &lists {
                let now = records(&report, list);
                for (id, record) in
                    records_of_whole.iter().filter(|(id, record)| now.get(*id) != Some(record))
                {
                    let subjects = subjects(id, record, images);
                    if !report.gaps.iter().any(|gap| subjects.contains(&gap.subject)) {
                        lost.push(format!("{list} {id}"));
                    }
                }
            }
            let mut nodes = [&report, &whole].map(|report| serde_json::to_value(&report.node).unwrap());
            nodes.iter_mut().for_each(|node| drop(node.as_object_mut().unwrap().remove("runtimes")));
            if nodes[0] != nodes[1] && report.gaps.is_empty() {
                lost.push("node".to_owned());
            }
            if !lost.is_empty() {
                wrong.push(format!("{name}: entry {entry:#x}: {lost:?}; told {:?}", report.gaps));
            }
        }
    }
    assert!(wrong.is_empty(), "{} blocks:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_block_that_cannot_be_read_below_a_store_costs_nothing_silently() {
    check_blocks(SOME);
}

#[test]
#[ignore = "takes minutes; scripts/check.sh has it"]
fn any_block_that_cannot_be_read_below_a_store_costs_nothing_silently() {
    check_blocks(u64::MAX);
}
