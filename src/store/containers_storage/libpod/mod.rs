//! Podman's own state (libpod): containers, pods and volumes in a BoltDB (`bolt_state.db`, to 4.x) or in SQLite (`db.sql`,
//! from 4.8), as JSON documents in both.

mod bolt;
mod document;
mod sqlite;

use std::collections::BTreeMap;

pub(super) use self::document::{Config, Spec};
use self::document::{PodConfig, PodState, State, VolumeConfig};
use super::layers::Place;
use crate::{
    Gap,
    error::FormatError,
    fs::Root,
    gap::{Code, Scope},
    limits,
    store::Mount,
};

/// A container of Podman's.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Container {
    pub(super) config: Config,
    pub(super) state: State,
}

/// A pod of Podman's.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Pod {
    pub(super) config: PodConfig,
    pub(super) state: PodState,
}

/// What Podman knows, by ids; of volumes where they are, by names.
#[derive(Debug, Default)]
pub(super) struct Libpod {
    /// Whether there is a database at all: Podman ran here.
    pub(super) is_there: bool,
    pub(super) containers: BTreeMap<String, Container>,
    pub(super) pods: BTreeMap<String, Pod>,
    volumes: BTreeMap<String, String>,
    /// Whether a bound on their number was reached and told.
    is_full: bool,
    damage: Vec<FormatError>,
}

/// Where the databases may be: SQLite's in the store, or in the "static" directory that is in it by default. Of one
/// container in both databases, what SQLite's says counts: it was moved there.
const IN_STORE: [(&str, Reader); 3] =
    [("libpod/bolt_state.db", bolt::read), ("db.sql", sqlite::read), ("libpod/db.sql", sqlite::read)];
const IN_STATIC: [(&str, Reader); 2] = [("bolt_state.db", bolt::read), ("db.sql", sqlite::read)];

/// Reads a database if it is there.
type Reader = fn(&Root, &str, &mut Libpod) -> Result<(), FormatError>;

/// Reads the databases of a store, and of a static directory elsewhere.
pub(super) fn read(own: &Place, static_dir: Option<&Place>, gaps: &mut Vec<Gap>) -> Libpod {
    let mut libpod = Libpod::default();
    let elsewhere = static_dir.into_iter().flat_map(|place| IN_STATIC.map(|of| (place, of)));
    for (place, (path, read)) in IN_STORE.map(|of| (own, of)).into_iter().chain(elsewhere) {
        let read = read(&place.root, path, &mut libpod);
        let effect = "names, states, commands or pods of Podman's containers may be missing";
        let damage = std::mem::take(&mut libpod.damage);
        for error in damage.into_iter().chain(read.err()) {
            let gap = Gap::from_error(&error, Scope::Runtime, &place.path, effect).at(path);
            let code =
                if gap.code == Code::CorruptStructure { Code::RuntimeStateUnreadable } else { gap.code };
            gaps.push(Gap { code, ..gap });
        }
    }
    libpod
}

impl Libpod {
    /// What one table or bucket has of containers, pods and volumes: each document is parsed on its own.
    fn add(&mut self, kind: Kind, id: &str, json: &[u8]) {
        if !self.has_room(kind, id) {
            return;
        }
        let added = match kind {
            Kind::Container => document::parse(json).map(|config| self.container(id).config = config),
            Kind::ContainerState => document::parse(json).map(|state| self.container(id).state = state),
            Kind::Pod => document::parse(json).map(|config| self.pod(id).config = config),
            Kind::PodState => document::parse(json).map(|state| self.pod(id).state = state),
            Kind::Volume => document::parse::<VolumeConfig>(json).map(|volume| {
                self.volumes.insert(id.to_owned(), volume.mount_point);
            }),
        };
        if let Err(error) = added {
            let id = super::records::shown(id);
            self.lose(FormatError::malformed("Podman's state", format!("{kind:?} {id:?}: {error}")));
        }
    }

    fn lose(&mut self, error: FormatError) {
        crate::error::note(&mut self.damage, error);
    }

    /// Whether this one is known or there is room for it; if not, that is told once.
    fn has_room(&mut self, kind: Kind, id: &str) -> bool {
        let (is_known, count) = match kind {
            Kind::Container | Kind::ContainerState => {
                (self.containers.contains_key(id), self.containers.len())
            }
            Kind::Pod | Kind::PodState => (self.pods.contains_key(id), self.pods.len()),
            Kind::Volume => (self.volumes.contains_key(id), self.volumes.len()),
        };
        let has_room = is_known || count < limits::STORAGE_RECORDS;
        if !has_room && !std::mem::replace(&mut self.is_full, true) {
            let bound = limits::STORAGE_RECORDS;
            self.lose(FormatError::limit(format!(
                "more than {bound} containers, pods or volumes of Podman's"
            )));
        }
        has_room
    }

    fn container(&mut self, id: &str) -> &mut Container {
        self.containers.entry(id.to_owned()).or_default()
    }

    fn pod(&mut self, id: &str) -> &mut Pod {
        self.pods.entry(id.to_owned()).or_default()
    }

    /// What of the node a container sees: named volumes, and mounts that a user asked for (as `podman inspect` tells).
    pub(super) fn mounts(&self, config: &Config) -> Vec<Mount> {
        let is_read_only = |options: &[String]| options.iter().any(|option| option == "ro");
        let volumes = config.named_volumes.iter().map(|volume| Mount {
            kind: "volume".to_owned(),
            name: Some(volume.name.clone()),
            source: self.volumes.get(&volume.name).cloned().unwrap_or_default(),
            destination: volume.destination.clone(),
            read_only: is_read_only(&volume.options),
        });
        let asked = |mount: &&document::SpecMount| config.user_volumes.contains(&mount.destination);
        let others = config.spec.mounts.iter().filter(asked).map(|mount| Mount {
            kind: mount.kind.clone(),
            name: None,
            source: if mount.kind == "tmpfs" { String::new() } else { mount.source.clone() },
            destination: mount.destination.clone(),
            read_only: is_read_only(&mount.options),
        });
        volumes.chain(others).collect()
    }
}

/// What a document is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Container,
    ContainerState,
    Pod,
    PodState,
    Volume,
}
