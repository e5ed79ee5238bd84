//! Where runtimes are configured to keep their state: containerd's `config.toml` with its imports, Docker's
//! `daemon.json`, containers/storage's `storage.conf`, CRI-O's `crio.conf`, and the data directories of k3s and RKE2.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{
    Runtime,
    configfiles::Files,
    services::{self, Flag},
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
    if let Some(config) = reader.files.json::<DockerConfig>("etc/docker/daemon.json") {
        reader.add(Runtime::Docker, config.data_root.or(config.graph), "etc/docker/daemon.json");
    }
    for file in ["usr/share/containers/storage.conf", "etc/containers/storage.conf"] {
        if let Some(config) = reader.files.toml::<StorageConfig>(&GuestPath::new(file)) {
            reader.add(Runtime::ContainersStorage, config.storage.graphroot, file);
        }
    }
    let mut crio = reader.files.matching(&GuestPath::new("etc/crio/crio.conf"), "crio.conf.d/*");
    crio.insert(0, GuestPath::new("etc/crio/crio.conf"));
    for file in crio {
        if let Some(config) = reader.files.toml::<CrioConfig>(&file) {
            reader.add(Runtime::ContainersStorage, config.crio.root, &file.to_string());
        }
    }
    for name in ["k3s", "rke2"] {
        reader.rancher(&GuestPath::new(format!("etc/rancher/{name}/config.yaml")));
    }
    reader.services();
    (reader.found, reader.files.damage)
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

    /// What the runtimes' services are told on their command lines and in their variables.
    fn services(&mut self) {
        let root = self.root;
        let mut units = Units::new(root);
        for service in services::ALL {
            let unit = units.unit(service.unit.as_bytes());
            let told = service.told(&unit, &mut |path, left| self.files.variables(path, left));
            self.files.damage.extend(told.damage);
            for (in_use, flags) in [(true, told.flags), (false, told.unused)] {
                let known = self.found.len();
                for (file, flag) in flags {
                    match flag {
                        Flag::Config(path) => self.containerd(&GuestPath::new(path), 0),
                        Flag::State(path) => self.add(service.runtime, Some(path), &file.to_string()),
                    }
                }
                self.found.iter_mut().skip(known).for_each(|one| one.in_use = in_use);
            }
        }
        self.files.damage.append(&mut units.damage);
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
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        fs::{liar::Liar, memory::Tree},
        gap::Code,
    };

    #[test]
    fn roots_from_every_runtimes_configuration() {
        let mut tree = Tree::default();
        tree.file(
            "etc/containerd/config.toml",
            "version = 2\nimports = [\"conf.d/*.toml\", \"config.toml\"]\n",
        );
        tree.file("etc/containerd/conf.d/10-root.toml", "root = \"/mnt/data/containerd\"\n");
        tree.file("etc/containerd/conf.d/README", "root = \"/no\"\n");
        tree.file("etc/docker/daemon.json", "{\"data-root\": \"/mnt/docker\"}");
        tree.file("etc/containers/storage.conf", "[storage]\ngraphroot = \"/srv/containers\"\n");
        tree.file("etc/crio/crio.conf", "[crio]\nlog_dir = \"/var/log/crio/pods\"\n[crio.runtime]\n");
        tree.file("etc/crio/crio.conf.d/01-root.conf", "[crio]\nroot = \"/srv/crio\"\n");
        tree.file(
            "etc/rancher/rke2/config.yaml",
            "token: x\n  data-dir: /no\ndata-dir: '/srv/rke2' # here\n",
        );
        let (found, damage) = read(&Root::new(tree.build()));
        assert!(damage.is_empty());
        let shown: Vec<_> =
            found.iter().map(|c| (c.runtime, c.path.to_string(), c.file.to_string())).collect();
        let row = |runtime, path: &str, file: &str| (runtime, path.to_owned(), file.to_owned());
        assert_eq!(
            shown,
            [
                row(Runtime::Containerd, "/mnt/data/containerd", "/etc/containerd/conf.d/10-root.toml"),
                row(Runtime::Docker, "/mnt/docker", "/etc/docker/daemon.json"),
                row(Runtime::ContainersStorage, "/srv/containers", "/etc/containers/storage.conf"),
                row(Runtime::ContainersStorage, "/srv/crio", "/etc/crio/crio.conf.d/01-root.conf"),
                row(Runtime::Containerd, "/srv/rke2/agent/containerd", "/etc/rancher/rke2/config.yaml"),
            ]
        );
    }

    #[test]
    fn a_broken_configuration_is_told() {
        let mut tree = Tree::default();
        tree.file("etc/docker/daemon.json", "{");
        let (found, damage) = read(&Root::new(tree.build()));
        assert!(found.is_empty());
        assert_eq!(damage[0].0.to_string(), "/etc/docker/daemon.json");
    }

    #[test]
    fn imports_that_go_on_and_on_are_cut_and_told_once() {
        let mut tree = Tree::default();
        let next = |n: u32| format!("imports = [\"c{n}.toml\", \"c{n}.toml\"]\n");
        tree.file("etc/containerd/config.toml", next(0));
        (0..40).for_each(|n| tree.file(&format!("etc/containerd/c{n}.toml"), next(n + 1)));
        let (_, damage) = read(&Root::new(tree.build()));
        assert_eq!(damage.iter().map(|(_, error)| error.code()).collect::<Vec<_>>(), [Code::LimitReached]);

        let mut tree = Tree::default();
        tree.file("etc/containerd/config.toml", "imports = [\"d/*\"]\n");
        (0..limits::CONFIG_FILES).for_each(|n| tree.file(&format!("etc/containerd/d/{n}"), ""));
        let (_, damage) = read(&Root::new(tree.build()));
        assert_eq!(damage.iter().map(|(_, error)| error.code()).collect::<Vec<_>>(), [Code::LimitReached]);
    }

    #[test]
    fn imports_without_end_are_cut_and_told() {
        let mut tree = Tree::default();
        let imports: Vec<String> = (0..5000).map(|n| format!("\"conf.d/{n}*\"")).collect();
        tree.file("etc/containerd/config.toml", format!("imports = [{}]\n", imports.join(",")));
        tree.file("etc/containerd/conf.d/x", "");
        let (_, damage) = read(&Root::new(tree.build()));
        assert_eq!(damage.iter().map(|(_, error)| error.code()).collect::<Vec<_>>(), [Code::LimitReached]);
    }

    #[test]
    fn a_part_of_a_directory_of_configurations_that_is_lost_is_told() {
        let mut tree = Tree::default();
        tree.file("etc/containerd/config.toml", "imports = [\"conf.d/*.toml\"]\n");
        tree.file("etc/containerd/conf.d/10-root.toml", "root = \"/srv/ctrd\"\n");
        tree.file("etc/systemd/system/docker.service.d/a.conf", "");
        tree.file(
            "usr/lib/systemd/system/docker.service",
            "[Service]\nExecStart=dockerd --data-root /srv/docker\n",
        );
        let (found, damage) = read(&Root::new(Arc::new(Liar::damaged(tree.build()))));
        assert_eq!(found.len(), 2);
        for dir in ["/etc/containerd/conf.d", "/etc/systemd/system", "/etc/systemd/system/docker.service.d"] {
            assert!(damage.iter().any(|(path, _)| path.to_string() == dir), "{dir}: {damage:?}");
        }
    }

    #[test]
    fn services_are_told_where_by_their_variables() {
        let mut tree = Tree::default();
        let unit =
            "[Service]\nEnvironmentFile=-/etc/default/%p\nExecStart=/usr/bin/containerd --root $CTRD_ROOT\n";
        tree.file("usr/local/lib/systemd/system/containerd.service", unit);
        tree.file(
            "usr/lib/systemd/system/containerd.service",
            "[Service]\nExecStart=containerd --root /before\n",
        );
        tree.file("etc/default/containerd", "CTRD_ROOT=/srv/ctrd\n");
        tree.file(
            "usr/lib/systemd/system/docker.service",
            "[Service]\nExecStart=dockerd --data-root=${DATA}\n",
        );
        tree.file("etc/systemd/system/docker.service.d/x.conf", "[Service]\nEnvironment=DATA=/srv/docker\n");
        tree.file("etc/systemd/system/crio.service", "[Service]\nExecStart=crio --root ${GONE}\n");
        let (found, damage) = read(&Root::new(tree.build()));
        let found: Vec<_> = found.iter().map(|one| (one.path.to_string(), one.in_use)).collect();
        let row = |path: &str, in_use| (path.to_owned(), in_use);
        assert_eq!(found, [row("/srv/ctrd", true), row("/before", false), row("/srv/docker", true)]);
        assert_eq!(damage.len(), 1, "{damage:?}");
        let (path, error) = &damage[0];
        assert_eq!(path.to_string(), "/etc/systemd/system/crio.service");
        let what =
            "crio.service: the disks do not tell what \"--root ${GONE}\" of its command line stands for";
        assert_eq!((error.code(), error.detail().as_str()), (Code::UnsupportedFeature, what));
    }

    fn codes(damage: &[(GuestPath, FormatError)]) -> Vec<Code> {
        damage.iter().map(|(_, error)| error.code()).collect()
    }

    #[test]
    fn files_of_variables_without_end_are_not_read_and_told_once() {
        let many = |files: usize, bytes: usize| {
            let mut tree = Tree::default();
            let unit = "[Service]\nEnvironmentFile=-/etc/x/*\nExecStart=dockerd --data-root $GONE\n";
            tree.file("etc/systemd/system/docker.service", unit);
            (0..files).for_each(|n| tree.file(&format!("etc/x/{n:05}"), "#".repeat(bytes)));
            read(&Root::new(tree.build())).1
        };
        // Nothing is known of what the variables are: that is told, too.
        let told = [Code::LimitReached, Code::UnsupportedFeature];
        let sorted = |damage: Vec<(GuestPath, FormatError)>| {
            let mut codes = codes(&damage);
            codes.sort_unstable_by_key(|code| *code != Code::LimitReached);
            codes
        };
        assert_eq!(sorted(many(3, limits::SERVICE_BYTES + 1)), told);
        assert_eq!(sorted(many(30, limits::SERVICE_BYTES / 10)), told);
        let damage = many(limits::CONFIG_FILES + 10, 1);
        assert!(
            damage.iter().any(|(_, error)| error.detail().contains("files that a pattern names")),
            "{damage:?}"
        );
        assert!(damage.len() <= 3, "{damage:?}");
    }

    #[test]
    fn directories_are_not_listed_without_end() {
        let mut tree = Tree::default();
        let imports: Vec<String> = (0..1000).map(|n| format!("\"conf.d/x{n}*\"")).collect();
        tree.file("etc/containerd/config.toml", format!("imports = [{}]\n", imports.join(",")));
        (0..2000).for_each(|n| tree.file(&format!("etc/containerd/conf.d/{n}"), ""));
        let (_, damage) = read(&Root::new(tree.build()));
        assert_eq!(codes(&damage), [Code::LimitReached]);
    }

    #[test]
    fn large_configurations_are_not_parsed() {
        let mut tree = Tree::default();
        let zeros = "0,".repeat(1 << 19);
        tree.file("etc/containerd/config.toml", format!("x=[{zeros}]\n"));
        tree.file("etc/docker/daemon.json", format!("{{\"x\":[{zeros}0]}}"));
        let (_, damage) = read(&Root::new(tree.build()));
        assert_eq!(codes(&damage), [Code::LimitReached, Code::LimitReached]);
    }

    #[test]
    fn directories_are_read_as_the_runtimes_read_them() {
        let mut tree = Tree::default();
        let config = "Root = \"srv/ctrd\"\nIMPORTS = [\"*.d/x.toml\", \"c[0-9].toml\"]\n";
        tree.file("etc/containerd/config.toml", config);
        tree.file("etc/docker/daemon.json", "{\"data-root\": \"./srv/docker\"}");
        tree.file("etc/crio/crio.conf", "[Crio]\nROOT = \"/no\"\nroot = \"/srv/crio\"\n");
        let (found, damage) = read(&Root::new(tree.build()));
        let found: Vec<_> = found.iter().map(|one| one.path.to_string()).collect();
        assert_eq!(found, ["/srv/ctrd", "/srv/docker", "/srv/crio"]);
        let told: Vec<_> = damage.iter().map(|(_, error)| error.detail()).collect();
        assert!(
            told.len() == 2 && told[0].contains("*.d/x.toml") && told[1].contains("c[0-9].toml"),
            "{told:?}"
        );
        for (text, expected) in [
            ("data-dir: /a\ndata-dir: /b\n", Some("/b")),
            ("\"data-dir\": /a # x", Some("/a")),
            ("data-dir : \"/a\"", Some("/a")),
            ("data-directory: /a", None),
            (" data-dir: /a", None),
        ] {
            assert_eq!(data_dir(text), expected, "{text}");
        }
    }
}
