//! The stores of a machine's runtimes, opened and read.

use std::sync::Arc;

use super::OpenStore;
use crate::{
    Gap,
    gap::{Code, Scope},
    node::{Machine, NodeVolume, Runtime},
    report,
    store::{Store, containerd},
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
        match site.runtime {
            Runtime::Containerd => match containerd::open(&site.dir) {
                Ok(Some(store)) => {
                    let contents = store.contents();
                    let partial = !contents.gaps.is_empty();
                    record.status = if partial { report::Status::Partial } else { report::Status::Complete };
                    gaps.extend(contents.gaps.iter().cloned());
                    let on = |volume: &&NodeVolume| Arc::ptr_eq(&volume.opened.fs, &site.dir.fs);
                    let volume = volumes.iter().find(on).map(|volume| volume.volume.id.clone());
                    stores.push(OpenStore { store: Arc::new(store), contents, volume });
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
                    // Another try may read what the host could not.
                    let code = if error.is_host_io() { gap.code } else { Code::RuntimeStateUnreadable };
                    gaps.push(Gap { code, ..gap });
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
