//! What files of a node tell it to run, whether it is there or not: Podman's quadlets (podman-systemd.unit(5)), services that
//! start containers, and the kubelet's static pods.

use serde::Deserialize;

use super::{commands, specifiers, unitfiles::File, users::Users};
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath, Root},
    limits,
};

/// Something that a file tells to run.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Declared {
    /// `quadlet`, `unit` or `static-pod`.
    pub kind: &'static str,
    /// The file.
    pub path: GuestPath,
    /// The systemd unit that it is or makes.
    pub unit: Option<String>,
    /// The name of the container or pod, if it is told.
    pub name: String,
    /// A pod's namespace.
    pub namespace: String,
    /// The images, as they are spelled there.
    pub images: Vec<String>,
}

/// Where quadlets are, of root and of all users; that in `/run` is in memory.
const QUADLETS: [&str; 2] = ["etc/containers/systemd", "usr/share/containers/systemd"];
/// Those of a user, in the home.
const USERS_QUADLETS: &str = ".config/containers/systemd";
/// Where a machine's own units are, not those of packages; of users, in the home.
const UNITS: [&str; 2] = ["etc/systemd/system", "etc/systemd/user"];
const USERS_UNITS: &str = ".config/systemd/user";
/// Where the kubelet is usually told to look for static pods, and where k3s and RKE2 do.
const MANIFESTS: [&str; 3] = [
    "etc/kubernetes/manifests",
    "var/lib/rancher/k3s/agent/pod-manifests",
    "var/lib/rancher/rke2/agent/pod-manifests",
];
/// Directories below one of quadlets.
const DEPTH: usize = 4;

/// What is told to run, sorted, and what could not be read.
pub fn declared(root: &Root) -> (Vec<Declared>, Vec<(GuestPath, FormatError)>) {
    let mut reader =
        Reader { root, left: limits::UNIT_BYTES, files: 0, found: Vec::new(), damage: Vec::new() };
    QUADLETS.iter().for_each(|dir| reader.directory(&GuestPath::new(dir), DEPTH, Reader::quadlet));
    UNITS.iter().for_each(|dir| reader.directory(&GuestPath::new(dir), 0, Reader::service));
    MANIFESTS.iter().for_each(|dir| reader.directory(&GuestPath::new(dir), 0, Reader::static_pod));
    for user in &Users::read(root).all {
        reader.directory(&user.home.concat(&GuestPath::new(USERS_QUADLETS)), DEPTH, Reader::quadlet);
        reader.directory(&user.home.concat(&GuestPath::new(USERS_UNITS)), 0, Reader::service);
    }
    let Reader { mut found, damage, .. } = reader;
    found.sort();
    found.dedup();
    (found, damage)
}

struct Reader<'a> {
    root: &'a Root,
    /// Bytes that are still read.
    left: usize,
    /// Files that were read.
    files: usize,
    found: Vec<Declared>,
    damage: Vec<(GuestPath, FormatError)>,
}

impl Reader<'_> {
    /// Reads the files in a directory, and in those below it to a depth.
    fn directory(&mut self, dir: &GuestPath, depth: usize, read: fn(&mut Self, &GuestPath)) {
        let listing = match self.root.list(dir.as_bytes()) {
            Ok(Some((_, listing))) => listing,
            Ok(None) => return,
            Err(error) => return self.damage.push((dir.clone(), error)),
        };
        self.damage.extend(listing.damage.into_iter().map(|error| (dir.clone(), error)));
        let mut entries: Vec<_> =
            listing.entries.into_iter().filter(|entry| !entry.name.starts_with(b".")).collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        for entry in entries {
            let path = dir.join(&entry.name);
            match (entry.kind, depth.checked_sub(1)) {
                (FileKind::Directory, Some(depth)) => self.directory(&path, depth, read),
                (FileKind::Regular | FileKind::Symlink, _) => read(self, &path),
                _ => {}
            }
        }
    }

    /// The text of a file that is there.
    fn text(&mut self, path: &GuestPath) -> Option<String> {
        self.files = self.files.saturating_add(1);
        let told = match () {
            () if self.files == limits::DECLARED_FILES => {
                format!("more than {} such files", limits::DECLARED_FILES)
            }
            () if self.files > limits::DECLARED_FILES || self.left == 0 => return None,
            () => match self.root.read_within(path.as_bytes(), "configuration file", limits::CONFIG_BYTES) {
                Ok(bytes) => {
                    let bytes = bytes?;
                    let left = self.left.saturating_sub(bytes.len().max(1));
                    self.left = left;
                    if left > 0 {
                        return Some(String::from_utf8_lossy(&bytes).into_owned());
                    }
                    format!("such files of more than {} bytes", limits::UNIT_BYTES)
                }
                Err(error) => {
                    self.damage.push((path.clone(), error));
                    return None;
                }
            },
        };
        self.damage.push((path.clone(), FormatError::limit(told)));
        None
    }

    /// A quadlet of a container or pod; those of volumes, networks and images run nothing.
    fn quadlet(&mut self, path: &GuestPath) {
        let file = String::from_utf8_lossy(path.name()).into_owned();
        let (section, key, suffix) = match file.rsplit_once('.').map(|(_, kind)| kind) {
            Some("container") => ("Container", "ContainerName", ""),
            Some("pod") => ("Pod", "PodName", "-pod"),
            Some("kube") => ("Kube", "", ""),
            _ => return,
        };
        let Some(text) = self.text(path) else { return };
        let own = File { path: path.clone(), text };
        let stem = file.rsplit_once('.').map_or(file.as_str(), |(stem, _)| stem);
        let all = own.section(section);
        let told = |key: &str| all.iter().rev().find(|one| one.key == key).map(|one| one.value.clone());
        let service = told("ServiceName").unwrap_or_else(|| format!("{stem}{suffix}"));
        let unit = format!("{service}.service");
        let name = told(key).map(|name| specifiers::expand(&name, &unit).unwrap_or(name));
        let name =
            name.unwrap_or_else(|| if section == "Kube" { String::new() } else { format!("systemd-{stem}") });
        let images = told("Image").into_iter().collect();
        let declared = Declared {
            kind: "quadlet",
            path: path.clone(),
            unit: Some(unit),
            name,
            images,
            ..Declared::default()
        };
        let yaml = told("Yaml").filter(|_| section == "Kube").map(|yaml| match yaml.starts_with('/') {
            true => GuestPath::new(&yaml),
            false => path.parent().unwrap_or_default().concat(&GuestPath::new(&yaml)),
        });
        let Some(yaml) = yaml else { return self.found.push(declared) };
        let Some(text) = self.text(&yaml) else { return self.found.push(declared) };
        for Pod { name, namespace, images } in self.pods(&yaml, &text) {
            self.found.push(Declared { name, namespace, images, ..declared.clone() });
        }
    }

    /// A service that starts a container by the command line of an engine.
    fn service(&mut self, path: &GuestPath) {
        let unit = String::from_utf8_lossy(path.name()).into_owned();
        // Links are to units of packages.
        let is_file = || {
            matches!(self.root.find_no_follow(path.as_bytes()), Ok(Some(file))
            if matches!(file.stat(), Ok(stat) if stat.kind == FileKind::Regular))
        };
        if !unit.ends_with(".service") || !is_file() {
            return;
        }
        let Some(text) = self.text(path) else { return };
        let file = File { path: path.clone(), text };
        for one in file.section("Service").into_iter().filter(|one| one.key == "ExecStart") {
            let command = specifiers::expand(&one.value, &unit).unwrap_or(one.value);
            if let Some(name) = started(&commands::split(&command)) {
                let (path, unit) = (path.clone(), Some(unit.clone()));
                self.found.push(Declared { kind: "unit", path, unit, name, ..Declared::default() });
            }
        }
    }

    fn static_pod(&mut self, path: &GuestPath) {
        let Some(text) = self.text(path) else { return };
        for Pod { name, namespace, images } in self.pods(path, &text) {
            let path = path.clone();
            self.found.push(Declared { kind: "static-pod", path, unit: None, name, namespace, images });
        }
    }

    /// The pods that a manifest of Kubernetes describes; JSON is YAML, too.
    fn pods(&mut self, path: &GuestPath, text: &str) -> Vec<Pod> {
        let mut pods = Vec::new();
        for document in documents(text) {
            match serde_saphyr::from_str::<Option<Manifest>>(&document) {
                Ok(manifest) => pods.extend(manifest.and_then(Manifest::pod)),
                Err(error) => {
                    let problem: String = error.to_string().chars().take(200).collect();
                    self.damage.push((path.clone(), FormatError::corrupt("manifest", 0, problem)));
                }
            }
        }
        pods
    }
}

/// The name of the container that a command line starts; empty if it has none there. `None` for another command.
fn started(words: &[String]) -> Option<String> {
    let mut words = words.iter().map(String::as_str);
    let program = words.next()?.trim_start_matches(['-', '@', ':', '+', '!']);
    if !["podman", "docker", "nerdctl"].contains(&program.rsplit('/').next()?) {
        return None;
    }
    let verb = words.find(|word| ["run", "create", "start"].contains(word))?;
    let rest: Vec<&str> = words.collect();
    if verb == "start" {
        return Some(
            rest.iter()
                .rev()
                .find(|word| !word.starts_with('-'))
                .map_or_else(String::new, |name| (*name).to_owned()),
        );
    }
    let attached = rest.iter().find_map(|word| word.strip_prefix("--name="));
    let next =
        || rest.windows(2).find_map(|pair| pair.first().filter(|word| **word == "--name").and(pair.last()));
    Some(attached.or_else(|| next().copied()).unwrap_or_default().to_owned())
}

/// The documents of a YAML file.
fn documents(text: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    for line in text.lines() {
        if line.trim_end() == "---" || line.starts_with("--- ") {
            all.push(String::new());
        } else if let Some(last) = all.last_mut() {
            last.push_str(line);
            last.push('\n');
        }
    }
    all.retain(|document| {
        document.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
    });
    all.truncate(limits::CONFIG_FILES);
    all
}

/// A pod of a manifest.
struct Pod {
    name: String,
    namespace: String,
    images: Vec<String>,
}

/// A Pod of Kubernetes, or something with a template of one, as far as it is used.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Manifest {
    metadata: Metadata,
    spec: Spec,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    init_containers: Option<Vec<Of>>,
    containers: Option<Vec<Of>>,
    template: Option<Box<Manifest>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Of {
    image: Option<String>,
}

impl Manifest {
    /// The pod, if it is one or has a template of one.
    fn pod(self) -> Option<Pod> {
        let Self { metadata: Metadata { name, namespace }, spec } = self;
        let of = |spec: Spec| (spec.init_containers, spec.containers);
        let (init, own) =
            spec.template.map_or((spec.init_containers, spec.containers), |inner| of(inner.spec));
        own.as_ref()?;
        let images = init.into_iter().chain(own).flatten().filter_map(|container| container.image).collect();
        Some(Pod { name: name.unwrap_or_default(), namespace: namespace.unwrap_or_default(), images })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::memory::Tree;

    fn shown(declared: &Declared) -> String {
        let Declared { kind, path, unit, name, namespace, images } = declared;
        format!("{kind} {path} {} {namespace}/{name} {}", unit.as_deref().unwrap_or("-"), images.join(","))
    }

    #[test]
    fn quadlets_services_and_static_pods_are_told() {
        let mut tree = Tree::default();
        tree.file("etc/passwd", "u:x:1000:1000::/home/u:/bin/sh\n");
        tree.file(
            "etc/containers/systemd/web.container",
            "[Container]\nImage=shop/web:1\nContainerName=web\n",
        );
        tree.file("etc/containers/systemd/data.volume", "[Volume]\n");
        tree.file("home/u/.config/containers/systemd/sub/own.container", "[Container]\nImage=own\n");
        tree.file("usr/share/containers/systemd/shop.kube", "[Kube]\nYaml=shop.yaml\n");
        tree.file(
            "usr/share/containers/systemd/shop.yaml",
            "kind: ConfigMap\nmetadata:\n  name: x\n---\nkind: Deployment\nmetadata:\n  name: shop\nspec:\n  template:\n    spec:\n      containers:\n      - image: a\n",
        );
        tree.file(
            "etc/systemd/system/c.service",
            "[Service]\nExecStartPre=/bin/true\nExecStart=/usr/bin/podman run --rm --name mounts -v /a:/b img\n",
        );
        tree.file("etc/systemd/system/d.service", "[Service]\nExecStart=-/usr/bin/docker start -a %N\n");
        tree.file("etc/systemd/system/other.service", "[Service]\nExecStart=/bin/sleep 1\n");
        tree.link("etc/systemd/system/linked.service", "d.service");
        tree.file(
            "etc/kubernetes/manifests/etcd.yaml",
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: etcd\n  namespace: kube-system\nspec:\n  initContainers:\n  - image: i\n  containers:\n  - name: etcd\n    image: registry.k8s.io/etcd:3.5\n",
        );
        tree.file("etc/kubernetes/manifests/broken.json", "{\"spec\": [");
        let (found, damage) = declared(&Root::new(tree.build()));
        let expected = [
            "quadlet /etc/containers/systemd/web.container web.service /web shop/web:1",
            "quadlet /home/u/.config/containers/systemd/sub/own.container own.service /systemd-own own",
            "quadlet /usr/share/containers/systemd/shop.kube shop.service /shop a",
            "static-pod /etc/kubernetes/manifests/etcd.yaml - kube-system/etcd i,registry.k8s.io/etcd:3.5",
            "unit /etc/systemd/system/c.service c.service /mounts ",
            "unit /etc/systemd/system/d.service d.service /d ",
        ];
        assert_eq!(found.iter().map(shown).collect::<Vec<_>>(), expected);
        assert_eq!(damage.len(), 1, "{damage:?}");
    }

    #[test]
    fn hostile_manifests_end() {
        let mut text = "a: &a [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for (one, next) in "abcdefgh".chars().zip("bcdefghi".chars()) {
            text.push_str(&format!("{next}: &{next} [{}]\n", vec![format!("*{one}"); 10].join(",")));
        }
        let mut tree = Tree::default();
        tree.file("etc/kubernetes/manifests/bomb.yaml", text);
        tree.file("etc/kubernetes/manifests/deep.yaml", "[".repeat(100_000));
        tree.file("etc/kubernetes/manifests/deeper.yaml", "spec: {template: ".repeat(50_000));
        let (found, _) = declared(&Root::new(tree.build()));
        assert!(found.is_empty(), "{found:?}");
    }
}
