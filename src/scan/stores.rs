//! The stores of a machine's runtimes, opened and read.

use std::sync::Arc;

use super::OpenStore;
use crate::{
    FormatError, Gap,
    fs::Root,
    gap::{Code, Scope},
    node::{Machine, NodeVolume, Runtime, Site, StorageOptions},
    report,
    store::{
        Store,
        archive::Archive,
        containerd,
        containers_storage::{self, Setting},
    },
};

/// What the runtimes are, with whether each was read, and the stores of those that were.
pub(super) fn open(
    machine: &Machine,
    volumes: &[NodeVolume],
    gaps: &mut Vec<Gap>,
) -> (Vec<report::Runtime>, Vec<OpenStore>) {
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
        match store(site, machine.root.as_ref()) {
            Ok(store) => {
                let contents = store.contents();
                let partial = !contents.gaps.is_empty();
                record.status = if partial { report::Status::Partial } else { report::Status::Complete };
                gaps.extend(contents.gaps.iter().cloned());
                let on = |volume: &&NodeVolume| Arc::ptr_eq(&volume.opened.fs, &site.dir.fs);
                let volume = volumes.iter().find(on).map(|volume| volume.volume.id.clone());
                stores.push(OpenStore { store, contents, volume });
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
    (runtimes, stores)
}

fn store(site: &Site, node: Option<&Root>) -> Result<Box<dyn Store>, FormatError> {
    let nothing =
        |what: &str| FormatError::corrupt("runtime's state", 0, format!("the state directory holds {what}"));
    Ok(match site.runtime {
        Runtime::Containerd => {
            Box::new(containerd::open(&site.dir, node)?.ok_or_else(|| nothing("no meta.db"))?)
        }
        Runtime::ContainersStorage => {
            let StorageOptions { mount_program, image_stores, static_dir, has_crio } = site.storage.clone();
            let (is_unprivileged, owners) = (site.rootless, site.owners.clone());
            let setting =
                Setting { is_unprivileged, owners, mount_program, image_stores, static_dir, has_crio };
            let store = containers_storage::open(&site.dir, &setting)?;
            Box::new(store.ok_or_else(|| nothing("no records"))?)
        }
        Runtime::Docker => {
            let what = format!("a store of docker at {}", site.path);
            return Err(FormatError::Unsupported { code: Code::UnsupportedRuntime, what });
        }
    })
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
        runtimes.push(report::Runtime { name, volume: None, path, status });
        gaps.extend(contents.gaps.iter().cloned());
        stores.push(OpenStore { store: Box::new(archive), contents, volume: None });
    }
    runtimes.sort();
}
