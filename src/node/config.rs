//! Where runtimes are configured to keep their state: containerd's `config.toml` with its imports, Docker's
//! `daemon.json`, containers/storage's `storage.conf`, CRI-O's `crio.conf`, and the data directories of k3s and RKE2.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{
    Runtime,
    configfiles::Files,
    services::{self, Flag},
    sites,
    unitfiles::Units,
};
use crate::{
    error::FormatError,
    fs::{GuestPath, Root},
    limits,
};

/// A configured state directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Configured {
    pub(super) runtime: Runtime,
    /// Where the state is to be.
    pub(super) path: GuestPath,
    /// Which file says so.
    pub(super) file: GuestPath,
    /// Whether the file counts; what others go before may have made state once, which is missed by nobody.
    pub(super) in_use: bool,
}

/// containerd's own places, and those of distributions that bring it along.
const CONTAINERD: &[&str] = &[
    "etc/containerd/config.toml",
    "var/lib/rancher/k3s/agent/etc/containerd/config.toml",
    "var/lib/rancher/rke2/agent/etc/containerd/config.toml",
    "var/snap/microk8s/current/args/containerd.toml",
    "etc/k0s/containerd.toml",
];

#[derive(Deserialize, Default)]
#[serde(default)]
struct ContainerdConfig {
    root: Option<String>,
    imports: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct DockerConfig {
    #[serde(rename = "data-root")]
    data_root: Option<String>,
    /// Its name before Docker 17.05.
    graph: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct StorageConfig {
    storage: Storage,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Storage {
    graphroot: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct CrioConfig {
    crio: Crio,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Crio {
    root: Option<String>,
}

/// The configured state directories, and the configuration files that could not be read.
pub(super) fn read(root: &Root) -> (Vec<Configured>, Vec<(GuestPath, FormatError)>) {
    let mut reader = Reader {
        root,
        files: Files::new(root),
        found: Vec::new(),
        seen: BTreeSet::new(),
        imports: 0,
        cut: false,
    };
    for file in CONTAINERD {
        reader.containerd(&GuestPath::new(file), 0);
    }
    reader.docker(&GuestPath::new("etc/docker/daemon.json"));
    for file in ["usr/share/containers/storage.conf", "etc/containers/storage.conf"] {
        if let Some(config) = reader.files.toml::<StorageConfig>(&GuestPath::new(file)) {
            reader.add(Runtime::ContainersStorage, config.storage.graphroot, file);
        }
    }
    let mut crio = reader.files.matching(&GuestPath::new("etc/crio/crio.conf"), "crio.conf.d/*");
    crio.insert(0, GuestPath::new("etc/crio/crio.conf"));
    for file in crio {
        reader.crio(&file);
    }
    for name in ["k3s", "rke2"] {
        reader.rancher(&GuestPath::new(format!("etc/rancher/{name}/config.yaml")));
    }
    reader.services();
    (reader.found, reader.files.damage)
}

/// The data root of a Docker that a user runs without privileges, and the configuration that could not be read.
pub(super) fn of_user(root: &Root, home: &GuestPath) -> (Option<String>, Vec<(GuestPath, FormatError)>) {
    let mut files = Files::new(root);
    let docker = files.json::<DockerConfig>(&home.concat(&GuestPath::new(".config/docker/daemon.json")));
    let data = docker.and_then(|config| config.data_root.or(config.graph));
    (data.filter(|path| path.starts_with('/')), files.damage)
}

struct Reader<'a> {
    root: &'a Root,
    files: Files<'a>,
    found: Vec<Configured>,
    /// Files read so far: imports may name each other.
    seen: BTreeSet<GuestPath>,
    /// Imports named so far: a pattern lists a directory.
    imports: usize,
    /// Whether a bound on imports was reached and told.
    cut: bool,
}

impl Reader<'_> {
    fn containerd(&mut self, file: &GuestPath, depth: usize) {
        if self.seen.contains(file) {
            return;
        }
        if depth > limits::CONFIG_IMPORTS || self.seen.len() >= limits::CONFIG_FILES {
            return self.cut(file);
        }
        self.seen.insert(file.clone());
        let Some(config) = self.files.toml::<ContainerdConfig>(file) else { return };
        self.add(Runtime::Containerd, config.root, &file.to_string());
        for import in config.imports {
            self.imports = self.imports.saturating_add(1);
            if self.imports > limits::CONFIG_FILES {
                self.cut(file);
            }
            if self.cut {
                return;
            }
            for path in self.files.matching(file, &import) {
                self.containerd(&path, depth.saturating_add(1));
            }
        }
    }

    /// The data directory that k3s or RKE2 is told to use. Of YAML only `data-dir: PATH` at the beginning of a line is read.
    fn rancher(&mut self, file: &GuestPath) {
        let mut files = self.files.matching(file, "config.yaml.d/*.yaml");
        files.insert(0, file.clone());
        for file in files {
            let text = self.files.text(&file, limits::CONFIG_BYTES).unwrap_or_default();
            let Some(data) = data_dir(&text).map(GuestPath::new) else { continue };
            self.containerd(&data.join(b"agent/etc/containerd/config.toml"), 0);
            let path = data.join(b"agent/containerd").to_string();
            self.add(Runtime::Containerd, Some(path), &file.to_string());
        }
    }

    /// A configuration that a service is told to read; CRI-O may be told a directory of them.
    fn configuration(&mut self, service: &services::Service, path: &GuestPath) {
        match service.runtime {
            Runtime::Docker => self.docker(path),
            Runtime::ContainersStorage => {
                for file in self.files.matching(path, &format!("{path}/*")) {
                    self.crio(&file);
                }
                self.crio(path);
            }
            Runtime::Containerd if service.unit == "containerd.service" => self.containerd(path, 0),
            Runtime::Containerd => self.rancher(path),
        }
    }

    fn docker(&mut self, file: &GuestPath) {
        if let Some(config) = self.files.json::<DockerConfig>(file) {
            self.add(Runtime::Docker, config.data_root.or(config.graph), &file.to_string());
        }
    }

    fn crio(&mut self, file: &GuestPath) {
        if let Some(config) = self.files.toml::<CrioConfig>(file) {
            self.add(Runtime::ContainersStorage, config.crio.root, &file.to_string());
        }
    }

    /// What the runtimes' services are told on their command lines and in their variables.
    fn services(&mut self) {
        let root = self.root;
        let mut units = Units::new(root);
        let mut doubts = Vec::new();
        for service in services::ALL {
            let unit = units.unit(service.unit.as_bytes());
            let told = service.told(&unit, &mut |path, left| self.files.variables(path, left));
            self.files.damage.extend(told.damage);
            if !told.doubts.is_empty() {
                doubts.push((service.runtime, told.doubts));
            }
            for (in_use, flags) in [(true, told.flags), (false, told.unused)] {
                let known = self.found.len();
                for (file, flag) in flags {
                    match flag {
                        Flag::Config(path) => self.configuration(service, &GuestPath::new(path)),
                        Flag::State(path) => self.add(service.runtime, Some(path), &file.to_string()),
                    }
                }
                self.found.iter_mut().skip(known).for_each(|one| one.in_use = in_use);
            }
        }
        for (runtime, doubts) in doubts {
            if !self.has_state(runtime) {
                self.files.damage.extend(doubts);
            }
        }
        self.files.damage.append(&mut units.damage);
    }

    /// Whether a runtime has state where it is configured to be, or in its usual places.
    fn has_state(&self, runtime: Runtime) -> bool {
        let configured = self.found.iter().map(|one| (one.runtime, one.path.to_string()));
        let usual = sites::PLACES.iter().map(|(runtime, place)| (*runtime, (*place).to_owned()));
        let mut places = configured.chain(usual).filter(|(other, _)| *other == runtime);
        places.any(|(_, place)| matches!(sites::at(self.root, runtime, &place), Ok(Some(_))))
    }

    /// Tells once that imports are not followed further.
    fn cut(&mut self, file: &GuestPath) {
        if !std::mem::replace(&mut self.cut, true) {
            let (depth, files) = (limits::CONFIG_IMPORTS, limits::CONFIG_FILES);
            let what =
                format!("configuration imports nested deeper than {depth}, or more than {files} files");
            self.files.damage.push((file.clone(), FormatError::limit(what)));
        }
    }

    /// Notes a directory; one that is relative is so to the directory that services run in, the root.
    fn add(&mut self, runtime: Runtime, path: Option<String>, file: &str) {
        let Some(path) = path.filter(|path| !path.is_empty()).map(GuestPath::new) else { return };
        // Several files may say the same.
        if self.found.iter().all(|known| known.runtime != runtime || known.path != path) {
            self.found.push(Configured { runtime, path, file: GuestPath::new(file), in_use: true });
        }
    }
}

/// What `data-dir` is in k3s' or RKE2's YAML, if a line says it: the last one counts.
fn data_dir(text: &str) -> Option<&str> {
    let mut values = text.lines().filter_map(|line| {
        let key = ["data-dir", "\"data-dir\"", "'data-dir'"].iter().find_map(|key| line.strip_prefix(key))?;
        let value = key.trim_start().strip_prefix(':').filter(|value| value.starts_with([' ', '\t']))?;
        Some(value.split(" #").next()?.trim().trim_matches(['"', '\'']))
    });
    values.rfind(|value| !value.is_empty())
}

#[cfg(test)]
mod tests;
