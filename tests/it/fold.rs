//! fold(layers) == walk(merged): the inventory of an image does not depend on how it is computed.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use icecore::{
    block::Memory,
    fs::{
        FileKind, FileSystem, GuestPath, Handle, Root, Xattr,
        memory::{Entry, Tree},
    },
    gap::Scope,
    image, layer,
    scan::{self, Inputs, Options, Where},
};
use proptest::prelude::*;

/// Few names, so that layers meet: directories, files and links of the same path in several layers.
const PATHS: &[&str] = &[
    "etc",
    "etc/os-release",
    "usr",
    "usr/lib",
    "usr/lib/os-release",
    "lib",
    "lib/apk",
    "lib/apk/db",
    "lib/apk/db/installed",
    "srv",
    "srv/node_modules",
    "srv/node_modules/x",
    "srv/node_modules/x/package.json",
    "srv/node_modules/x/node_modules/y/package.json",
    // A file whose neighbour says something of its packages, and may be another layer's.
    "srv/a.dist-info",
    "srv/a.dist-info/METADATA",
    "srv/a.dist-info/direct_url.json",
];

#[derive(Debug, Clone)]
enum Step {
    File(usize, u8),
    Directory(usize, bool),
    Link(usize, usize),
    Whiteout(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let path = 0..PATHS.len();
    prop_oneof![
        4 => (path.clone(), 0u8..3).prop_map(|(path, version)| Step::File(path, version)),
        2 => (path.clone(), any::<bool>()).prop_map(|(path, opaque)| Step::Directory(path, opaque)),
        1 => (path.clone(), path.clone()).prop_map(|(path, target)| Step::Link(path, target)),
        2 => path.prop_map(Step::Whiteout),
    ]
}

fn content(path: &str, version: u8) -> String {
    match path {
        "lib/apk/db/installed" => format!("P:musl\nV:1.2.{version}-r0\nA:x86_64\n\n"),
        path if path.ends_with("package.json") => format!("{{\"name\":\"x\",\"version\":\"{version}.0.0\"}}"),
        path if path.ends_with("METADATA") => {
            format!("Metadata-Version: 2.1\nName: a\nVersion: 1.{version}\n")
        }
        path if path.ends_with("direct_url.json") => {
            format!("{{\"url\":\"https://example.org/{version}\",\"archive_info\":{{}}}}")
        }
        path if path.ends_with("os-release") => format!("ID=alpine\nVERSION_ID=3.{version}\n"),
        _ => String::new(),
    }
}

fn build(steps: &[Step]) -> Handle {
    let mut tree = Tree::default();
    for step in steps {
        let (path, entry) = match *step {
            Step::File(path, version) => {
                let content = content(PATHS[path], version);
                let mut entry = Entry::new(FileKind::Regular);
                entry.stat.size = content.len() as u64;
                entry.content = Some(Arc::new(Memory::new(content.into_bytes())));
                (path, entry)
            }
            Step::Directory(path, opaque) => {
                let mut entry = Entry::new(FileKind::Directory);
                if opaque {
                    entry
                        .xattrs
                        .push(Xattr { name: b"trusted.overlay.opaque".to_vec(), value: b"y".to_vec() });
                }
                (path, entry)
            }
            Step::Link(path, target) => {
                let mut entry = Entry::new(FileKind::Symlink);
                entry.target = format!("/{}", PATHS[target]).into_bytes();
                (path, entry)
            }
            Step::Whiteout(path) => (path, Entry::new(FileKind::CharDevice)),
        };
        tree.insert(&GuestPath::new(PATHS[path]), entry);
    }
    Root::new(tree.build()).top()
}

fn facts(top: &Handle) -> Arc<layer::LayerFacts> {
    Arc::new(layer::analyze(top, layer::Walk::whole("test", Scope::Layer)))
}

fn inventory(layers: &[Handle]) -> (image::Inventory, Vec<(GuestPath, icecore::inventory::Package)>) {
    let facts: Vec<_> = layers.iter().map(facts).collect();
    let inventory = image::fold(&facts, "test", &|| Ok(layers.to_vec()));
    let packages = inventory.packages.iter().map(|l| ((*l.path).clone(), (*l.package).clone())).collect();
    (inventory, packages)
}

fn merged(layers: &[Handle]) -> Handle {
    let fs: Arc<dyn FileSystem> = image::merge(layers);
    Root::new(fs).top()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]
    #[test]
    fn fold_of_layers_is_walk_of_merged(layers in prop::collection::vec(prop::collection::vec(step(), 0..8), 1..5)) {
        let layers: Vec<Handle> = layers.iter().map(|steps| build(steps)).collect();
        let (folded, packages) = inventory(&layers);
        let (walked, expected) = inventory(&[merged(&layers)]);
        prop_assert_eq!(packages, expected);
        prop_assert_eq!(folded.os, walked.os);
    }
}

/// The images of a node, each folded from its layers by a scan, and walked as one merged tree here.
fn images(disk: PathBuf) -> usize {
    let inputs = Inputs { disks: vec![disk.clone()], ..Inputs::default() };
    let options =
        Options { inputs: inputs.clone(), no_containers: true, no_node: true, ..Options::default() };
    let report = scan::scan(&options, &scan::Silent).unwrap();
    let node = scan::open(&inputs).unwrap();
    for image in &report.images {
        let (root, _) = scan::whole_view(&node, &Where::Image(image.id.clone())).unwrap();
        let walked = inventory(&[root.top()]).0;
        let rows = |kind: &str, name: &str, version: &str, path: String| {
            (kind.to_owned(), name.to_owned(), version.to_owned(), path)
        };
        let folded: BTreeSet<_> = image
            .packages
            .iter()
            .flatten()
            .flat_map(|p| {
                p.locations.iter().map(|at| rows(p.kind.text(), &p.name, &p.version, at.path.clone()))
            })
            .collect();
        let expected: BTreeSet<_> = walked
            .packages
            .iter()
            .map(|at| {
                let p = &at.package;
                rows(p.kind.text(), &p.name, &p.version, at.path.to_string())
            })
            .collect();
        assert_eq!(folded, expected, "{} {:?}", disk.display(), image.references);
        assert_eq!(image.os, walked.os, "{} {:?}", disk.display(), image.references);
    }
    report.images.len()
}

#[test]
fn every_image_of_the_bundled_nodes_folds_to_what_its_merged_tree_shows() {
    assert_eq!(images(crate::demo::fixture("node.qcow2")), 7);
    assert_eq!(images(crate::demo::fixture("crash.qcow2")), 7);
}

#[test]
#[ignore = "needs $ICECORE_JUDGED, a folder of node disks (scripts/judge-nodes.sh unpacks some)"]
fn every_image_of_node_disks_folds_to_what_its_merged_tree_shows() {
    let folder = std::env::var_os("ICECORE_JUDGED").map(PathBuf::from).unwrap();
    let disks = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let raw = disks.filter(|path| path.extension().is_some_and(|extension| extension == "raw"));
    let all: usize = raw.map(images).sum();
    assert!(all >= 30, "{all} images");
}

#[test]
fn what_a_neighbour_in_another_layer_says_is_seen() {
    let metadata = PATHS.iter().position(|path| path.ends_with("METADATA")).unwrap();
    let base = build(&[Step::File(metadata, 1)]);
    let top = build(&[Step::File(metadata + 1, 2)]);
    let origin = |layers: &[Handle]| inventory(layers).1[0].1.origin.clone();
    assert_eq!(origin(std::slice::from_ref(&base)), None);
    assert_eq!(origin(&[base, top]).as_deref(), Some("https://example.org/2"));
}

#[test]
fn a_database_behind_a_link_is_read() {
    let mut tree = Tree::default();
    tree.file(
        "opt/dpkg/status",
        "Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n",
    );
    tree.link("var/lib/dpkg", "/opt/dpkg");
    tree.link("lib", "usr/lib");
    tree.file("usr/lib/apk/db/installed", "P:musl\nV:1.2.3-r0\nA:x86_64\n\n");
    let layer = Root::new(tree.build()).top();
    let (inventory, packages) = inventory(&[layer]);
    assert!(inventory.gaps.is_empty());
    let shown: Vec<_> =
        packages.iter().map(|(path, package)| (path.to_string(), package.name.as_str())).collect();
    assert_eq!(
        shown,
        [("/opt/dpkg/status".to_owned(), "a"), ("/usr/lib/apk/db/installed".to_owned(), "musl")]
    );
}

#[test]
fn what_a_directory_hides_by_becoming_a_file_is_gone() {
    let base = build(&[Step::File(12, 1), Step::File(8, 2)]);
    let top = build(&[Step::File(9, 0)]);
    let (_, packages) = inventory(&[base, top]);
    let paths: Vec<String> = packages.iter().map(|(path, _)| path.to_string()).collect();
    assert_eq!(paths, ["/lib/apk/db/installed"]);
}
