//! One suite of questions for every store: disks that real runtimes wrote (`scripts/make-stores.sh`), with what the
//! runtimes themselves and the kernel's mounts said of them.

mod truth;

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use icecore::{
    report::ChangeKind,
    scan::{self, Inputs, OpenedNode, Where},
};

use self::truth::{Container, Truth};
use crate::{judged, tree};

fn disks() -> Vec<PathBuf> {
    let dir = std::env::var("ICECORE_STORES").expect("the directory that scripts/make-stores.sh fills");
    let only = std::env::var("ICECORE_STORES_ONLY").unwrap_or_default();
    let mut disks: Vec<PathBuf> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "raw"))
        .chain(archives(&dir))
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(&only))
        .collect();
    disks.sort();
    assert!(!disks.is_empty());
    disks
}

fn open(disk: &Path) -> OpenedNode {
    scan::open(&Inputs { disks: vec![disk.to_owned()], ..Inputs::default() }).unwrap()
}

/// Archives that the same runtimes wrote, each with its truth beside it.
fn archives(dir: &str) -> Vec<PathBuf> {
    let Ok(all) = std::fs::read_dir(Path::new(dir).join("archives")) else { return Vec::new() };
    let all = all.map(|entry| entry.unwrap().path());
    // What `docker export` writes is a tree of files, no image.
    let is_one =
        |path: &PathBuf| Truth::path(path).exists() && !path.to_string_lossy().ends_with(".export.tar");
    all.filter(is_one).collect()
}

/// Asks a question of every disk, and gathers all wrong answers.
fn ask(question: impl Fn(&Path, &OpenedNode, &Truth) -> Vec<String>) {
    let mut wrong = Vec::new();
    for disk in disks() {
        let truth = Truth::read(&disk);
        let name = disk.file_stem().unwrap().to_string_lossy().into_owned();
        wrong.extend(question(&disk, &open(&disk), &truth).into_iter().map(|line| format!("{name}: {line}")));
    }
    assert!(wrong.is_empty(), "{} wrong answers:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
#[ignore = "needs the disks of scripts/make-stores.sh"]
fn images_are_those_that_the_runtime_lists() {
    ask(|_, node, truth| {
        let mut wrong = Vec::new();
        let images: BTreeMap<String, _> = node
            .stores
            .iter()
            .flat_map(|store| &store.contents.images)
            .map(|image| (image.id.to_string(), image))
            .collect();
        let expected: BTreeSet<&str> =
            truth.images.iter().filter(|image| image.list.is_null()).map(|image| image.id.as_str()).collect();
        for extra in images.keys().filter(|id| !expected.contains(id.as_str())) {
            wrong.push(format!("image {extra} {:?} is not one of the runtime's", images[extra].references));
        }
        for image in truth.images.iter().filter(|image| image.list.is_null()) {
            let Some(found) = images.get(&image.id) else {
                wrong.push(format!("image {} {:?} is missing", image.id, image.names));
                continue;
            };
            for name in image.names.iter().filter(|name| !name.starts_with("sha256:")) {
                if !found.references.contains(name) {
                    wrong.push(format!("image {} is not called {name}: {:?}", image.id, found.references));
                }
            }
            let layers: Vec<String> = found.layers.iter().map(|layer| layer.diff_id.to_string()).collect();
            if layers != image.layers {
                wrong.push(format!("image {} has layers {layers:?}, not {:?}", image.id, image.layers));
            }
            let manifests: BTreeSet<String> = found.manifests.iter().map(ToString::to_string).collect();
            let digests = image.digests.iter().map(|digest| digest.rsplit('@').next().unwrap());
            let of_image = |digest: &&str| image.target.as_ref().is_none_or(|target| target == digest);
            for digest in digests.filter(of_image).filter(|digest| !manifests.contains(*digest)) {
                wrong.push(format!("image {} lacks manifest {digest}: {manifests:?}", image.id));
            }
            for (key, value) in &image.labels {
                if found.labels.get(key) != Some(value) {
                    wrong.push(format!("image {}: label {key}", image.id));
                }
            }
        }
        wrong.extend(node.gaps.iter().map(|gap| format!("{gap:?}")));
        wrong
    });
}

#[test]
#[ignore = "needs the disks of scripts/make-stores.sh"]
fn every_path_of_every_image_is_as_the_kernel_mounts_it() {
    compare_trees("images of stores", &|truth| {
        let images = truth.images.iter().filter(|image| image.list.is_null());
        images.map(|image| (Where::Image(image.id.clone()), image.id.clone(), image.tree.clone())).collect()
    });
}

#[test]
#[ignore = "needs the disks of scripts/make-stores.sh"]
fn every_path_of_every_container_is_as_the_kernel_mounts_it() {
    compare_trees("containers of stores", &|truth| {
        let containers = truth.containers.iter().filter(|container| !container.is_sandbox());
        containers.map(|c| (Where::Container(c.id.clone()), c.title(), c.tree.clone())).collect()
    });
}

/// Places of a disk with their titles, and the files with the kernel's listings.
type Places<'a> = &'a dyn Fn(&Truth) -> Vec<(Where, String, Option<String>)>;

fn compare_trees(what: &str, places: Places<'_>) {
    let (trees, paths) = (Cell::new(0), Cell::new(0));
    ask(|disk, node, truth| {
        let mut wrong = Vec::new();
        for (place, title, tree) in places(truth) {
            let Some(lines) = tree.map(|tree| truth::lines(disk, &tree)) else { continue };
            match tree_of(node, &place) {
                Ok(found) => wrong.extend(differences(&title, &lines, &found, truth)),
                Err(error) => wrong.push(format!("{title}: {error}")),
            }
            trees.set(trees.get() + 1);
            paths.set(paths.get() + lines.len());
        }
        wrong
    });
    judged::tell(what, &[(trees.get(), "trees"), (paths.get(), "paths")], 0);
}

#[test]
#[ignore = "needs the disks of scripts/make-stores.sh"]
fn containers_and_pods_are_those_that_the_runtime_lists() {
    ask(|disk, _, truth| {
        let inputs = Inputs { disks: vec![disk.to_owned()], ..Inputs::default() };
        let report = scan::inspect(&inputs).unwrap();
        let mut wrong = Vec::new();
        let found: BTreeMap<&str, _> = report.containers.iter().map(|c| (c.id.as_str(), c)).collect();
        let expected: Vec<&Container> = truth.containers.iter().filter(|c| !c.is_sandbox()).collect();
        for id in found.keys().filter(|id| expected.iter().all(|container| container.id != **id)) {
            wrong.push(format!("container {id} {} is not one of the runtime's", found[id].name));
        }
        for container in &expected {
            let Some(found) = found.get(container.id.as_str()) else {
                wrong.push(format!("container {} is missing", container.title()));
                continue;
            };
            let image = truth.images.iter().find(|image| Some(image.id.as_str()) == container.image());
            wrong.extend(container.compare(found, image));
        }
        for pod in &truth.pods {
            let is_it = |p: &&icecore::report::Pod| {
                p.uid == pod.uid() && p.name == pod.name && p.namespace == pod.namespace
            };
            let Some(found) = report.pods.iter().find(is_it) else {
                wrong.push(format!("pod {}/{} is missing", pod.namespace, pod.name));
                continue;
            };
            let sandboxes: BTreeSet<&str> =
                truth.containers.iter().filter(|c| c.is_sandbox()).map(|c| c.id.as_str()).collect();
            let expected: BTreeSet<&str> =
                pod.containers.iter().map(String::as_str).filter(|id| !sandboxes.contains(id)).collect();
            let found: BTreeSet<&str> = found.containers.iter().map(String::as_str).collect();
            if expected != found {
                wrong.push(format!(
                    "pod {}/{}: containers {found:?}, not {expected:?}",
                    pod.namespace, pod.name
                ));
            }
        }
        wrong
    });
}

#[test]
#[ignore = "needs the disks of scripts/make-stores.sh"]
fn changes_are_those_that_the_runtime_lists() {
    ask(|_, node, truth| {
        let mut wrong = Vec::new();
        for container in truth.containers.iter().filter(|container| !container.is_sandbox()) {
            let Some(changes) = &container.changes else { continue };
            let (record, gaps) = match scan::diff(node, &container.id, None) {
                Ok(answer) => answer,
                Err(error) => {
                    wrong.push(format!("container {}: {error}", container.title()));
                    continue;
                }
            };
            let found: BTreeSet<String> = record
                .changes
                .iter()
                .flat_map(|changes| &changes.paths)
                .map(|change| {
                    let letter = match change.change {
                        ChangeKind::Added => 'A',
                        ChangeKind::Modified => 'C',
                        ChangeKind::Deleted => 'D',
                    };
                    format!("{letter} {}", change.path)
                })
                .collect();
            let expected: BTreeSet<String> = changes.iter().cloned().collect();
            let title = container.title();
            wrong.extend(expected.difference(&found).map(|line| format!("{title}: lacks {line}")));
            wrong.extend(found.difference(&expected).map(|line| format!("{title}: has {line}")));
            wrong.extend(gaps.iter().map(|gap| format!("{title}: {gap:?}")));
        }
        wrong
    });
}

fn tree_of(node: &OpenedNode, place: &Where) -> Result<BTreeMap<String, String>, String> {
    let root = scan::view(node, place).map_err(|error| error.to_string())?;
    let top = root.top();
    let found = tree::walk_from(top.fs.as_ref(), top.ino, usize::MAX);
    match found.errors.first() {
        Some(error) => Err(error.to_string()),
        None => Ok(found.lines),
    }
}

/// What differs between the kernel's lines and ours; a dozen lines of it.
fn differences(
    title: &str,
    expected: &BTreeMap<String, String>,
    found: &BTreeMap<String, String>,
    truth: &Truth,
) -> Vec<String> {
    let mut all = Vec::new();
    for (path, line) in expected {
        match found.get(path) {
            None => all.push(format!("{title}: {path} is missing")),
            Some(other) => {
                let (line, other) = (truth.normal(line, true), truth.normal(other, false));
                if line != other {
                    all.push(format!("{title}:\n  kernel {line}\n  found  {other}"));
                }
            }
        }
    }
    all.extend(
        found
            .keys()
            .filter(|path| !expected.contains_key(*path))
            .map(|path| format!("{title}: {path} is extra")),
    );
    let more = all.len().saturating_sub(12);
    all.truncate(12);
    if more > 0 {
        all.push(format!("{title}: and {more} more"));
    }
    all
}
