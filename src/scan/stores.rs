//! The stores of a machine's runtimes, opened and read.

use std::{collections::BTreeSet, sync::Arc};

use super::OpenStore;
use crate::{
    FormatError, Gap,
    fs::Root,
    gap::{Code, Scope},
    limits,
    node::{Machine, NodeVolume, Runtime, Site, StorageOptions},
    num, report,
    store::{
        Container, Contents, Store,
        archive::Archive,
        containerd::{self, Containerd},
        containers_storage::{self, Setting},
        docker::{self, Access, Beside},
    },
};

/// What the runtimes are, with whether each was read, and the stores of those that were.
pub(super) fn open(
    machine: &Machine,
    volumes: &[NodeVolume],
    gaps: &mut Vec<Gap>,
) -> (Vec<report::Runtime>, Vec<OpenStore>) {
    let mut runtimes = Vec::new();
    let mut opened = Opened::default();
    // Docker may leave its images and layers to a containerd.
    let (first, then): (Vec<&Site>, Vec<&Site>) =
        machine.sites.iter().partition(|site| site.runtime == Runtime::Containerd);
    for site in first.into_iter().chain(then) {
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
            loose_layers: None,
        };
        let subject = format!("{name}:{}", site.path);
        let effect = "its images and containers are not reported";
        match opened.store(site, machine.root.as_ref()) {
            Ok(store) => {
                let contents = store.contents();
                let partial = !contents.gaps.is_empty();
                record.status = if partial { report::Status::Partial } else { report::Status::Complete };
                record.loose_layers = loose(&contents);
                gaps.extend(contents.gaps.iter().cloned());
                let on = |volume: &&NodeVolume| Arc::ptr_eq(&volume.opened.fs, &site.dir.fs);
                let volume = volumes.iter().find(on).map(|volume| volume.volume.id.clone());
                opened.stores.push(OpenStore { store, contents, volume });
            }
            Err(error) => {
                let gap = Gap::from_error(&error, Scope::Runtime, subject, effect);
                // Another try may read what the host could not.
                let is_told = error.is_host_io() || error.code() == Code::UnsupportedRuntime;
                let code = if is_told { gap.code } else { Code::RuntimeStateUnreadable };
                gaps.push(Gap { code, ..gap });
            }
        }
        runtimes.push(record);
    }
    runtimes.sort();
    (runtimes, opened.finish())
}

/// What a report says of the layers of a store that belong to nothing.
fn loose(contents: &Contents) -> Option<report::LooseLayers> {
    let all = &contents.loose;
    let size = all.iter().filter_map(|layer| layer.size).fold(0, u64::saturating_add);
    let ids = all.iter().take(limits::LOOSE_LAYERS).map(|layer| layer.id.clone()).collect();
    (!all.is_empty()).then(|| report::LooseLayers { count: num::to_u64(all.len()), size, ids })
}

/// The stores that were opened so far.
#[derive(Default)]
struct Opened {
    stores: Vec<OpenStore>,
    /// Those that are a containerd's, with their numbers.
    containerds: Vec<(Arc<Containerd>, usize)>,
}

impl Opened {
    fn store(&mut self, site: &Site, node: Option<&Root>) -> Result<Arc<dyn Store>, FormatError> {
        let nothing = |what: &str| FormatError::Unsupported {
            code: Code::RuntimeStateUnreadable,
            what: format!("the state directory holds {what}"),
        };
        match site.runtime {
            Runtime::Containerd => {
                let store = containerd::open(&site.root, node)?.ok_or_else(|| nothing("no meta.db"))?;
                let store = if site.rootless { store.of_user(site.owners.clone()) } else { store };
                let store = Arc::new(store);
                self.containerds.push((Arc::clone(&store), self.stores.len()));
                Ok(store)
            }
            Runtime::Docker => {
                let beside = |(store, at): &(Arc<Containerd>, usize)| {
                    let images = self.stores.get(*at).map(|open| open.contents.images.as_slice());
                    Beside { store: Arc::clone(store), images: images.unwrap_or_default() }
                };
                let beside: Vec<Beside<'_>> = self.containerds.iter().map(beside).collect();
                let access = Access { owners: site.owners.clone(), rootless: site.rootless };
                Ok(Arc::new(docker::open(&site.root, &access, &beside)))
            }
            Runtime::ContainersStorage => {
                let StorageOptions { mount_program, image_stores, static_dir, has_crio } =
                    site.storage.clone();
                let (is_unprivileged, owners) = (site.rootless, site.owners.clone());
                let setting =
                    Setting { is_unprivileged, owners, mount_program, image_stores, static_dir, has_crio };
                let store = containers_storage::open(&site.root, &setting)?;
                Ok(Arc::new(store.ok_or_else(|| nothing("no records"))?))
            }
        }
    }

    /// The stores, each container in one: a containerd knows Docker's while they run, and Docker knows more of them.
    fn finish(mut self) -> Vec<OpenStore> {
        let dockers = self.stores.iter().filter(|open| open.store.runtime() == "docker");
        let ids = dockers.flat_map(|open| {
            let Contents { containers, pods, .. } = &open.contents;
            containers.iter().map(|one| one.id.clone()).chain(pods.iter().map(|pod| pod.sandbox.clone()))
        });
        let ids: BTreeSet<String> = ids.collect();
        for (_, at) in &self.containerds {
            if let Some(open) = self.stores.get_mut(*at) {
                let is_dockers = |container: &Container| {
                    containerd::is_dockers(&container.namespace) && ids.contains(&container.id)
                };
                open.contents.containers.retain(|container| !is_dockers(container));
            }
        }
        self.stores
    }
}

/// Adds archives of images to the stores of the node.
pub(super) fn add_archives(
    archives: Vec<(String, Archive)>,
    runtimes: &mut Vec<report::Runtime>,
    stores: &mut Vec<OpenStore>,
    gaps: &mut Vec<Gap>,
) {
    for (path, archive) in archives {
        let contents = archive.contents();
        let status =
            if contents.gaps.is_empty() { report::Status::Complete } else { report::Status::Partial };
        let name = archive.runtime().to_owned();
        runtimes.push(report::Runtime { name, volume: None, path, status, loose_layers: None });
        gaps.extend(contents.gaps.iter().cloned());
        stores.push(OpenStore { store: Arc::new(archive), contents, volume: None });
    }
    runtimes.sort();
}
