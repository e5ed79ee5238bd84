//! One suite of questions for every store: disks and archives that real runtimes wrote (`scripts/make-stores.sh`), with what the
//! runtimes themselves and the kernel's mounts said of them. `$ICECORE_STORES_ONLY` is the beginning of the names of those to ask.

mod containers;
mod databases;
mod images;
mod special;
mod tally;
mod trees;
mod truth;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use icecore::{
    fs::GuestPath,
    report::ChangeKind,
    scan::{self, Inputs, OpenedNode, Where},
};

use self::{
    special::Case,
    tally::{Answers, Tally},
    trees::Place,
    truth::Truth,
};
use crate::shared;

/// A disk or an archive, opened, and what is true of it.
struct Disk {
    path: PathBuf,
    name: String,
    node: OpenedNode,
    truths: Vec<Truth>,
}

impl Disk {
    fn open(path: PathBuf) -> Self {
        let file = path.file_name().unwrap().to_string_lossy();
        let name = file.strip_suffix(".raw").unwrap_or(&file).to_owned();
        let node = scan::open(&inputs(&path)).unwrap();
        Self { name, node, truths: Truth::read(&path), path }
    }

    fn is(&self, case: Case) -> bool {
        special::is(&self.name, case)
    }
}

fn inputs(disk: &Path) -> Inputs {
    Inputs { disks: vec![disk.to_owned()], ..Inputs::default() }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// The disks, and the archives that the same runtimes wrote, each with its truth beside it.
fn disks() -> Vec<PathBuf> {
    let folder = shared::directory("ICECORE_STORES");
    let only = std::env::var("ICECORE_STORES_ONLY").unwrap_or_default();
    let mut disks = entries(&folder);
    disks.retain(|path| path.extension().is_some_and(|extension| extension == "raw"));
    let mut archives = entries(&folder.join("archives"));
    // What `docker export` writes is a tree of files, no image.
    archives.retain(|path| Truth::path(path).exists() && !path.to_string_lossy().ends_with(".export.tar"));
    assert!(disks.len() >= 10 && !archives.is_empty(), "{} disks, {} archives", disks.len(), archives.len());
    disks.append(&mut archives);
    disks.retain(|path| path.file_name().unwrap().to_string_lossy().starts_with(&only));
    disks.sort();
    disks
}

/// Asks a question of every disk, and gathers all wrong answers.
fn ask(question: &str, asked: impl Fn(&Disk, &mut Answers<'_>)) {
    let mut tally = Tally::default();
    for path in disks() {
        let disk = Disk::open(path);
        asked(&disk, &mut tally.of(&disk.name));
    }
    tally.tell(question);
}

#[test]
#[ignore = "asks for disks that scripts/make-stores.sh makes"]
fn stores_are_where_the_runtimes_have_them_and_without_gaps() {
    ask("stores", |disk, answers| {
        let title = disk.truths[0].title();
        let gaps: Vec<String> = disk.node.gaps.iter().map(|gap| format!("{gap:?}")).collect();
        answers.same(&title, "gaps", &gaps, &Vec::new());
        answers.count(&title, "stores", disk.node.stores.len());
        if disk.truths[0].kind.is_some() {
            return;
        }
        let roots = disk.truths.iter().flat_map(|truth| [&truth.root, &truth.containerd_root]);
        let wanted: BTreeSet<String> = roots.flatten().cloned().collect();
        let sites = disk.node.machine.sites.iter().map(|site| site.path.to_string());
        // Docker starts a containerd of its own, also where that has no images.
        let of_docker =
            |site: &str| site.strip_suffix("/containerd/daemon").is_some_and(|root| wanted.contains(root));
        let sites = sites.filter(|site| wanted.contains(site) || !of_docker(site));
        answers.same(&title, "roots", &sites.collect(), &wanted);
        let used = disk
            .node
            .stores
            .iter()
            .filter(|open| open.store.runtime() != "containerd" || !open.contents.images.is_empty());
        let found = used.map(|open| open.store.runtime());
        let wanted = disk.truths.iter().flat_map(|truth| [truth.runtime.as_str(), truth.of_images()]);
        answers.same(&title, "runtimes", found.collect::<BTreeSet<_>>(), wanted.collect());
    });
}

#[test]
#[ignore = "asks for disks that scripts/make-stores.sh makes"]
fn images_are_those_that_the_runtime_lists() {
    ask("images", |disk, answers| images::judge(&disk.node, &disk.truths, answers));
}

#[test]
#[ignore = "asks for disks that scripts/make-stores.sh makes"]
fn every_path_of_every_image_is_as_the_kernel_mounts_it() {
    ask("files of images", |disk, answers| {
        let is_shown = |truth: &&Truth| !(truth.is_rootless() && disk.is(Case::OtherCopyOfRootless));
        for truth in disk.truths.iter().filter(is_shown) {
            let judge = trees::Judge::new(&disk.path, &disk.name, truth);
            for image in truth.images() {
                let Some(list) = &image.tree else { continue };
                let at = Where::Image(image.id.clone());
                let place = Place { at, title: image.id.clone(), list, own: Default::default() };
                judge.judge(&disk.node, &place, answers);
            }
        }
    });
}

#[test]
#[ignore = "asks for disks that scripts/make-stores.sh makes"]
fn every_path_of_every_container_is_as_the_kernel_mounts_it() {
    ask("files of containers", |disk, answers| {
        for truth in &disk.truths {
            let own = trees::own_owners(&disk.node, truth);
            let judge = trees::Judge::new(&disk.path, &disk.name, truth);
            for container in truth.containers() {
                let Some(list) = &container.tree else { continue };
                let own = own.get(&container.id).cloned().unwrap_or_default();
                let at = Where::Container(container.id.clone());
                judge.judge(&disk.node, &Place { at, title: container.title(), list, own }, answers);
            }
        }
    });
}

#[test]
#[ignore = "asks for disks that scripts/make-stores.sh makes"]
fn containers_and_pods_are_those_that_the_runtime_lists() {
    ask("containers", |disk, answers| {
        let report = scan::inspect(&inputs(&disk.path)).unwrap();
        containers::judge(&report, &disk.truths, answers);
    });
}

#[test]
#[ignore = "asks for disks that scripts/make-stores.sh makes"]
fn changes_are_those_that_the_runtime_lists() {
    ask("changes", |disk, answers| {
        if disk.is(Case::Refused) {
            return;
        }
        for truth in &disk.truths {
            for container in truth.containers() {
                let Some(wanted) = &container.changes else { continue };
                let (runtime, title) = (truth.title(), container.title());
                let (record, gaps) = match scan::diff(&disk.node, &container.id, None) {
                    Ok(answer) => answer,
                    Err(error) => {
                        answers.wrong(&runtime, &format!("{title}: {error}"));
                        continue;
                    }
                };
                let changes = record.changes.iter().flat_map(|changes| &changes.paths).map(|change| {
                    let letter = match change.change {
                        ChangeKind::Added => 'A',
                        ChangeKind::Modified => 'C',
                        ChangeKind::Deleted => 'D',
                    };
                    format!("{letter} {}", change.path)
                });
                let found: BTreeSet<String> = changes.collect();
                // A path is shown so that two never look the same.
                let shown =
                    wanted.iter().map(|line| format!("{} {}", &line[..1], GuestPath::new(&line[2..])));
                let wanted: BTreeSet<String> = shown.collect();
                answers.count(&runtime, "containers", 1);
                answers.count(&runtime, "changes", wanted.len());
                let mut wrong = |what: &str| answers.wrong(&runtime, &format!("{title}: {what}"));
                // Podman tells of a directory that was made again that it is gone, and not what was in it nor where it lies; and
                // of one in which only the runtime's own mount points were made, that it changed.
                let is_gone = |path: &str| wanted.contains(&format!("D {path}"));
                let again =
                    |line: &str| line.starts_with("D ") && found.contains(&format!("C {}", &line[2..]));
                let alone = |line: &str| {
                    let below = format!("{}/", &line[2..]);
                    line.starts_with("C ") && !wanted.iter().any(|other| other[2..].starts_with(&below))
                };
                let lacking = wanted.difference(&found).filter(|line| !again(line) && !alone(line));
                lacking.for_each(|line| wrong(&format!("lacks {line}")));
                // What an overlay copied up was changed, even where only an attribute or a link count was.
                let more = found.difference(&wanted).filter(|line| !line.starts_with("C "));
                let within =
                    |line: &&String| line.rsplit_once('/').is_some_and(|(dir, _)| is_gone(&dir[2..]));
                more.filter(|line| !within(line)).for_each(|line| wrong(&format!("has {line}")));
                gaps.iter().for_each(|gap| wrong(&format!("{gap:?}")));
            }
        }
    });
}

#[test]
#[ignore = "asks for disks that scripts/make-stores.sh makes"]
fn a_layer_of_composefs_is_refused() {
    for path in disks() {
        let disk = Disk::open(path);
        if !disk.is(Case::Refused) {
            continue;
        }
        let store = &disk.node.stores[0];
        let layers = store.contents.images.iter().flat_map(|image| &image.layers);
        let gaps: Vec<_> = layers.flat_map(|layer| store.store.layer(layer).gaps).collect();
        assert!(!gaps.is_empty() && gaps.iter().all(|gap| gap.detail.contains("composefs")), "{gaps:?}");
    }
}
