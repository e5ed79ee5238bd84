//! What others may write into a data root, and what is lost by it.

use super::*;
use crate::{
    fs::{FileKind, memory::Entry},
    limits,
};

/// What is told of the layers of an image after a change.
fn layer_codes(driver: &'static str, change: impl Fn(&mut Made, &MadeImage)) -> Vec<Vec<Code>> {
    let mut made = Made::new(driver);
    let image = made.image("a:1", &["one", "two", "three"]);
    change(&mut made, &image);
    let docker = made.open();
    assert_eq!(docker.contents.images.len(), 1);
    image.layers.iter().map(|layer| codes(&docker.layer(layer).gaps)).collect()
}

#[test]
fn a_layer_that_is_lost_loses_only_itself() {
    use Code::{CorruptStructure as Corrupt, SnapshotMissing as Missing};
    let at = |made: &Made, image: &MadeImage, name: &str| made.of_layer(&image.layers[1], name);
    for driver in ["overlay2", "vfs"] {
        // A whole tree says nothing of a layer without the one below it.
        let above = |code: Code| if driver == "vfs" { vec![code] } else { vec![] };
        let no_tree = layer_codes(driver, |made, image| {
            let id = cache_id(&image.layers[1].chain_id);
            let place = Driver::named(driver).unwrap().place(&id);
            made.tree.remove(&GuestPath::new(&place));
        });
        assert_eq!(no_tree, [vec![], vec![Missing], above(Missing)], "{driver}");
        for cache_id in ["../../etc", "/etc", "a/b", "a\nb", "..", ".", "", "l/\0"] {
            let found =
                layer_codes(driver, |made, image| made.replace(&at(made, image, "cache-id"), cache_id));
            assert_eq!(found, [vec![], vec![Corrupt], above(Corrupt)], "{driver} {cache_id:?}");
        }
        let no_record = layer_codes(driver, |made, image| {
            made.tree.remove(&GuestPath::new(at(made, image, "")));
        });
        assert_eq!(no_record, [vec![], vec![], above(Missing)], "{driver}");
        let dangling = layer_codes(driver, |made, image| {
            made.replace(&at(made, image, "parent"), Digest::of(b"nowhere").to_string());
        });
        assert_eq!(dangling, [vec![], vec![Corrupt], above(Corrupt)], "{driver}");
        let cycle = layer_codes(driver, |made, image| {
            made.replace(&at(made, image, "parent"), image.layers[2].chain_id.to_string());
        });
        assert_eq!(cycle, [vec![], vec![Corrupt], above(Corrupt)], "{driver}");
        for (name, text) in
            [("diff", ""), ("diff", "sha256:12"), ("parent", "x y"), ("cache-id", &"a".repeat(5000))]
        {
            let found = layer_codes(driver, |made, image| made.replace(&at(made, image, name), text));
            let code = if text.len() > 4096 { Code::LimitReached } else { Corrupt };
            assert_eq!(found, [vec![], vec![code], above(code)], "{driver} {name}");
        }
    }
}

#[test]
fn links_in_the_place_of_files_are_not_followed() {
    for target in ["/secret", "../../../../../secret", "../secret"] {
        let found = layer_codes("overlay2", |made, image| {
            made.tree.file("secret", "sha256:0");
            made.tree.file("image/overlay2/layerdb/secret", "b");
            let (cache, size) =
                (made.of_layer(&image.layers[0], "cache-id"), made.of_layer(&image.layers[0], "size"));
            for path in [cache, size] {
                made.tree.remove(&GuestPath::new(&path));
                made.tree.link(&path, target);
            }
        });
        assert_eq!(found, [vec![Code::CorruptStructure], vec![], vec![]], "{target}");
    }
    let mut made = Made::new("overlay2");
    let image = made.image("a:1", &["one"]);
    made.tree.file("elsewhere/file", "x");
    let place = Driver::Overlay2.place(&cache_id(&image.layers[0].chain_id));
    made.tree.remove(&GuestPath::new(&place));
    made.tree.link(&place, "/elsewhere");
    let config = format!("image/overlay2/imagedb/content/sha256/{}", Digest::of(b"linked").hex());
    made.tree.file("config", "linked");
    made.tree.link(&config, "/config");
    made.container(ID, &image, &json!({}));
    let record = format!("containers/{ID}/config.v2.json");
    made.tree.remove(&GuestPath::new(&record));
    made.tree.link(&record, "/config");
    let docker = made.open();
    assert_eq!(codes(&docker.layer(&image.layers[0]).gaps), [Code::SnapshotMissing]);
    let linked = docker.contents.images.iter().find(|image| image.id == Digest::of(b"linked")).unwrap();
    assert_eq!(codes(&linked.gaps), [Code::CorruptStructure]);
    assert_eq!(codes(&docker.contents.gaps), [Code::CorruptStructure]);
}

#[test]
fn directories_that_are_links_are_followed_on_the_node() {
    let made = || {
        let mut made = Made::new("overlay2");
        let image = made.image("a:1", &["one", "two"]);
        made.container(ID, &image, &json!({}));
        made.tree.file("image/overlay2/repositories.json", json!({"Repositories": {}}).to_string());
        for name in ["containers", "image", "overlay2"] {
            made.tree.rename(name, &format!("var/lib/docker/{name}"));
        }
        made.tree
    };
    let found = |tree: Tree| {
        let node = Root::new(tree.build());
        let root = node.within(&node.find(b"var/lib/docker").unwrap().unwrap());
        let docker = crate::store::docker::open(&root, &Access::default(), &[]);
        let layers = docker.contents.images.iter().flat_map(|image| &image.layers);
        let layers = layers.filter(|layer| docker.layer(layer).snapshot.is_some()).count();
        let own = docker.contents.containers.iter().filter_map(|one| docker.writable_layers(one).ok());
        (
            docker.contents.images.len(),
            layers,
            own.map(|own| own.len()).sum::<usize>(),
            codes(&docker.contents.gaps),
        )
    };
    let container = format!("containers/{ID}");
    for moved in ["containers", &container, "image", "image/overlay2", "image/overlay2/layerdb", "overlay2"] {
        for target in ["/srv/moved", "../../../srv/moved"] {
            let up = "../".repeat(moved.split('/').count() - 1);
            let target = if target.starts_with('/') { target.to_owned() } else { format!("{up}{target}") };
            let (mut tree, place) = (made(), format!("var/lib/docker/{moved}"));
            tree.rename(&place, "srv/moved");
            tree.link(&place, &target);
            assert_eq!(found(tree), (1, 2, 2, vec![]), "{moved} -> {target}");
        }
        // What leads nowhere is told, by the store or by what it has lost.
        let (mut tree, place) = (made(), format!("var/lib/docker/{moved}"));
        tree.remove(&GuestPath::new(&place));
        tree.link(&place, "/srv/elsewhere");
        let lost = found(tree);
        assert!(lost.1 < 2 || !lost.3.is_empty(), "{moved}: {lost:?}");
    }
}

#[test]
fn what_is_no_file_or_directory_in_the_place_of_one_is_told() {
    let places = [
        format!("containers/{ID}"),
        format!("containers/{ID}/config.v2.json"),
        format!("containers/{ID}/hostconfig.json"),
        "containers".to_owned(),
        "image".to_owned(),
        "image/overlay2".to_owned(),
        "image/overlay2/repositories.json".to_owned(),
        "image/overlay2/imagedb/content/sha256".to_owned(),
    ];
    for place in places {
        for kind in [FileKind::Fifo, FileKind::Socket] {
            let mut made = Made::new("overlay2");
            let image = made.image("a:1", &["one"]);
            made.container(ID, &image, &json!({}));
            made.tree.remove(&GuestPath::new(&place));
            made.tree.insert(&GuestPath::new(&place), Entry::new(kind));
            let gaps = if place == "image" || place == "image/overlay2" {
                super::super::open(&Root::new(made.tree.build()), &Access::default(), &[]).contents.gaps
            } else {
                made.open().contents.gaps
            };
            assert!(gaps.iter().any(|gap| gap.detail.contains(kind.noun())), "{place}: {gaps:?}");
        }
    }
    let mut made = Made::new("overlay2");
    let image = made.image("a:1", &["one"]);
    made.container(ID, &image, &json!({}));
    made.tree.remove(&GuestPath::new("containers"));
    assert_eq!(codes(&made.open().contents.gaps), [Code::RuntimeStateUnreadable]);
}

#[test]
fn a_directory_that_several_records_name_is_told() {
    let found = layer_codes("overlay2", |made, image| {
        let cache_id = cache_id(&image.layers[0].chain_id);
        made.replace(&made.of_layer(&image.layers[1], "cache-id"), cache_id);
    });
    assert_eq!(found, [vec![Code::CorruptStructure], vec![Code::CorruptStructure], vec![]]);
    for other in ["m", "init"] {
        let mut made = Made::new("overlay2");
        let image = made.image("a:1", &["one"]);
        made.container(ID, &image, &json!({}));
        made.container(&"b".repeat(64), &image, &json!({}));
        let id =
            if other == "m" { cache_id(&image.layers[0].chain_id) } else { format!("m{}", "b".repeat(64)) };
        made.replace(&format!("image/overlay2/layerdb/mounts/{ID}/mount-id"), id);
        let docker = made.open();
        let [hostile, _] = docker.contents.containers.as_slice() else { panic!() };
        assert_eq!(docker.writable_layers(hostile).err().unwrap().code(), Code::CorruptStructure);
    }
}

#[test]
fn the_lower_file_of_a_layer_is_not_read() {
    let found = layer_codes("overlay2", |made, image| {
        let place = Driver::Overlay2.place(&cache_id(&image.layers[1].chain_id));
        made.tree.file(&place.replace("/diff", "/lower"), "../../../../etc:/etc:l/../../x");
        made.tree.file(&place.replace("/diff", "/link"), "../../../../etc");
    });
    assert_eq!(found, [vec![], vec![], vec![]]);
}

#[test]
fn documents_that_are_cut_or_changed_lose_only_what_they_tell() {
    let made = || {
        let mut made = Made::new("overlay2");
        let image = made.image("a:1", &["one"]);
        let other = made.image("b:1", &["two"]);
        made.container(ID, &image, &json!({}));
        made.container(&"b".repeat(64), &other, &json!({}));
        (made, image)
    };
    let config = |image: &MadeImage| format!("image/overlay2/imagedb/content/sha256/{}", image.id.hex());
    // A configuration of another image.
    let (mut one, image) = made();
    one.replace(&config(&image), "{}");
    let contents = one.open().contents;
    let lost = contents.images.iter().find(|found| found.id == image.id).unwrap();
    assert_eq!((codes(&lost.gaps), lost.references.len()), (vec![Code::BlobDigestMismatch], 1));
    assert!(contents.images.iter().any(|found| found.gaps.is_empty() && !found.layers.is_empty()));
    // One that is no configuration, and one that a name leads to and is not there.
    let (mut one, _) = made();
    one.tree.file(
        &format!("image/overlay2/imagedb/content/sha256/{}", Digest::of(b"{\"os\":").hex()),
        "{\"os\":",
    );
    one.names.entry("c".to_owned()).or_default().insert("c:1".to_owned(), Digest::of(b"gone").to_string());
    let contents = one.open().contents;
    let of = |bytes: &[u8]| {
        codes(&contents.images.iter().find(|image| image.id == Digest::of(bytes)).unwrap().gaps)
    };
    assert_eq!((of(b"{\"os\":"), of(b"gone")), (vec![Code::CorruptStructure], vec![Code::BlobMissing]));
    // An image of which the metadata is left, and a list of names that is gone.
    let (mut one, image) = made();
    one.tree.file(&format!("image/overlay2/imagedb/metadata/sha256/{}/parent", image.id.hex()), "x");
    one.tree.remove(&GuestPath::new(config(&image)));
    let contents = one.open().contents;
    let lost = contents.images.iter().find(|found| found.id == image.id).unwrap();
    assert_eq!((codes(&lost.gaps), contents.gaps), (vec![Code::BlobMissing], vec![]));
    let (mut one, _) = made();
    one.tree.link("image/overlay2/repositories.json", "/x");
    assert_eq!(codes(&one.open().contents.gaps), [Code::CorruptStructure]);
    // Names.
    for (text, names) in [
        ("{\"Repositories\": {\"a\": {\"a:1\"", 0),
        ("{\"Repositories\": {\"a\": {\"a:1\": \"../x\"}}}", 0),
        ("", 0),
    ] {
        let (mut one, _) = made();
        one.tree.file("image/overlay2/repositories.json", text);
        let contents = one.open().contents;
        assert_eq!(contents.images.iter().map(|image| image.references.len()).sum::<usize>(), names);
        assert_eq!(codes(&contents.gaps), [Code::CorruptStructure], "{text}");
    }
    // Records of containers.
    let other = json!({"ID": "c".repeat(64), "Name": "/x"}).to_string();
    for text in ["", "{\"ID\": \"aaaa", "[]", "null", "{}", "{\"Args\": 1}", &other, &"[".repeat(100_000)] {
        let (mut one, image) = made();
        one.replace(&format!("containers/{ID}/config.v2.json"), text);
        let docker = one.open();
        assert_eq!(codes(&docker.contents.gaps), [Code::CorruptStructure], "{text:.50}");
        let [lost, other] = docker.contents.containers.as_slice() else { panic!() };
        // What else is known of it: its layers, and so its image.
        assert_eq!(
            (lost.state, lost.name.as_str(), lost.image.as_ref()),
            (State::Unknown, ID, Some(&image.id))
        );
        assert_eq!(docker.writable_layers(lost).unwrap().len(), 2);
        assert_eq!(other.name, "name");
    }
    let (mut one, _) = made();
    one.replace(&format!("containers/{ID}/hostconfig.json"), "{");
    let contents = one.open().contents;
    assert_eq!(codes(&contents.gaps), [Code::CorruptStructure]);
    assert_eq!(
        (contents.containers[0].restart_policy.as_ref(), contents.containers[0].restarts),
        (None, Some(2))
    );
    let (mut one, _) = made();
    one.tree.remove(&GuestPath::new(format!("containers/{ID}/hostconfig.json")));
    let gaps = one.open().contents.gaps;
    assert_eq!(codes(&gaps), [Code::CorruptStructure]);
    assert!(gaps[0].detail.contains("hostconfig.json: is not there"), "{gaps:?}");
    for (name, text) in [("mount-id", "../x"), ("init-id", "a/b"), ("parent", "x")] {
        let (mut one, _) = made();
        one.replace(&format!("image/overlay2/layerdb/mounts/{ID}/{name}"), text);
        let docker = one.open();
        let [lost, other] = docker.contents.containers.as_slice() else { panic!() };
        assert_eq!(docker.writable_layers(lost).err().unwrap().code(), Code::CorruptStructure, "{name}");
        assert!(docker.writable_layers(other).is_ok());
    }
}

#[test]
fn a_container_whose_layers_are_of_another_image_is_not_compared_with_its_own() {
    let mut made = Made::new("overlay2");
    let (image, other) = (made.image("a:1", &["one"]), made.image("b:1", &["two"]));
    made.container(ID, &image, &json!({}));
    made.replace(&format!("image/overlay2/layerdb/mounts/{ID}/parent"), other.layers[0].chain_id.to_string());
    let docker = made.open();
    assert_eq!(codes(&docker.contents.gaps), [Code::CorruptStructure]);
    assert!(docker.writable_layers(&docker.contents.containers[0]).unwrap().is_empty());
}

#[test]
fn directories_that_are_no_containers_are_told() {
    let mut made = Made::new("overlay2");
    let image = made.image("a:1", &["one"]);
    made.container(ID, &image, &json!({}));
    made.tree.file("containers/a\nb/config.v2.json", "{}");
    made.tree.file(&format!("containers/{}/config.v2.json", "..".repeat(32)), "{}");
    let contents = made.open().contents;
    assert_eq!(codes(&contents.gaps), [Code::CorruptStructure; 2]);
    assert_eq!(contents.containers.len(), 1);
}

#[test]
fn drivers_that_are_not_read_are_named() {
    for driver in ["zfs", "aufs", "devicemapper", "windowsfilter"] {
        let mut made = Made::new(driver);
        let image = made.image("a:1", &["one"]);
        made.container(ID, &image, &json!({}));
        let docker = made.open();
        assert_eq!(codes(&docker.contents.gaps), [Code::UnsupportedSnapshotter], "{driver}");
        assert!(docker.contents.gaps[0].detail.contains(driver));
        assert_eq!(docker.contents.images[0].references.len(), 1);
        assert_eq!(codes(&docker.layer(&image.layers[0]).gaps), [Code::UnsupportedSnapshotter]);
        let error = docker.writable_layers(&docker.contents.containers[0]).err().unwrap();
        assert_eq!(error.code(), Code::UnsupportedSnapshotter);
    }
}

#[test]
fn a_container_whose_containerd_is_not_there_is_told_so() {
    let mut made = Made::new("overlay2");
    let image = made.image("a:1", &["one"]);
    made.container(ID, &image, &json!({"Driver": "overlayfs", "Image": Digest::of(b"index")}));
    let docker = made.open();
    let container = &docker.contents.containers[0];
    assert_eq!((container.image.as_ref(), container.image_name.as_str()), (None, "a:1"));
    assert_eq!(docker.writable_layers(container).err().unwrap().code(), Code::SnapshotMissing);
}

#[test]
fn more_containers_than_any_node_has_are_cut_and_told() {
    let mut made = Made::new("overlay2");
    for number in 0..limits::DOCKER_CONTAINERS + 1 {
        made.tree.file(&format!("containers/{number:064x}/x"), "");
    }
    let contents = made.open().contents;
    assert_eq!(contents.containers.len(), limits::DOCKER_CONTAINERS);
    assert_eq!(contents.gaps.iter().filter(|gap| gap.code == Code::LimitReached).count(), 1);
}

#[test]
fn images_for_windows_and_foreign_layers_are_named() {
    let mut made = Made::new("overlay2");
    let image = made.image("a:1", &["one"]);
    let descriptor = json!({"urls": ["https://elsewhere/layer"]});
    made.tree.file(&made.of_layer(&image.layers[0], "descriptor.json"), descriptor.to_string());
    let place = Driver::Overlay2.place(&cache_id(&image.layers[0].chain_id));
    made.tree.remove(&GuestPath::new(&place));
    let config =
        json!({"os": "windows", "architecture": "amd64", "rootfs": {"diff_ids": [image.layers[0].diff_id]}});
    let (config, windows) = (config.to_string(), Digest::of(config.to_string().as_bytes()));
    made.tree.file(&format!("image/overlay2/imagedb/content/sha256/{}", windows.hex()), config);
    let docker = made.open();
    let found = docker.contents.images.iter().find(|image| image.id == windows).unwrap();
    assert_eq!(codes(&found.gaps), [Code::UnsupportedMediaType]);
    let gaps = docker.layer(&image.layers[0]).gaps;
    assert_eq!(codes(&gaps), [Code::SnapshotMissing]);
    assert!(gaps[0].detail.contains("foreign layer"), "{gaps:?}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn changed_metadata_never_panics(
        which in 0usize..12,
        at in 0usize..400,
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..9),
        vfs in proptest::prelude::any::<bool>(),
    ) {
        let make = || {
            let mut made = Made::new(if vfs { "vfs" } else { "overlay2" });
            let image = made.image("a:1", &["one", "two"]);
            made.container(ID, &image, &json!({}));
            (made, image)
        };
        let (mut made, image) = make();
        let driver = made.driver;
        let layer = |name: &str| made.of_layer(&image.layers[1], name);
        let mount = |name: &str| format!("image/{driver}/layerdb/mounts/{ID}/{name}");
        let path = [
            layer("diff"), layer("parent"), layer("cache-id"), layer("size"), layer("descriptor.json"),
            mount("mount-id"), mount("init-id"), mount("parent"),
            format!("containers/{ID}/config.v2.json"), format!("containers/{ID}/hostconfig.json"),
            format!("image/{driver}/imagedb/content/sha256/{}", image.id.hex()),
            format!("image/{driver}/distribution/v2metadata-by-diffid/sha256/{}", image.layers[0].diff_id.hex()),
        ][which].clone();
        let old = Root::new(make().0.tree.build()).read(path.as_bytes(), "file").unwrap().unwrap_or_default();
        let at = at.min(old.len());
        let end = at.saturating_add(bytes.len()).min(old.len());
        made.replace(&path, [&old[..at], &bytes, &old[end..]].concat());
        let docker = made.open();
        for layer in &image.layers {
            docker.layer(layer);
            docker.is_bound(layer);
        }
        for container in &docker.contents.containers {
            let _ = docker.writable_layers(container);
        }
    }
}
