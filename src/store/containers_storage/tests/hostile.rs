use proptest::prelude::*;

use super::*;

/// A store with a good image and one that `spoil` spoils.
fn spoiled(spoil: impl FnOnce(&mut Made, &MadeImage)) -> ContainersStorage {
    let mut made = Made::new("overlay");
    made.image("good:1", &["base", "good"]);
    let bad = made.image("bad:1", &["base", "middle", "bad"]);
    spoil(&mut made, &bad);
    let store = made.open();
    let good = image(&store, "good:1");
    assert!(good.gaps.is_empty(), "{:?}", good.gaps);
    assert_eq!(files(&store, good), names(&["base", "good"]));
    store
}

/// The gaps of the image that was spoiled, and what there is of its layers.
fn bad(store: &ContainersStorage) -> (Vec<Code>, Vec<Result<Vec<String>, Code>>) {
    let bad = image(store, "bad:1");
    (codes(&bad.gaps), files(store, bad))
}

#[test]
fn a_layer_without_files_loses_itself() {
    let store = spoiled(|made, bad| {
        made.tree.remove(&GuestPath::new(format!("overlay/{}", bad.layers[1])));
    });
    let (gaps, files) = bad(&store);
    assert!(gaps.is_empty(), "{gaps:?}");
    assert_eq!(files[1], Err(Code::SnapshotMissing));
    assert_eq!([&files[0], &files[2]], [&names(&["base"])[0], &names(&["bad"])[0]]);
}

#[test]
fn a_layer_without_a_record_loses_those_below_it() {
    let store = spoiled(|made, bad| made.layers.retain(|layer| layer["id"] != json!(bad.layers[1])));
    let (gaps, files) = bad(&store);
    assert_eq!(gaps, [Code::SnapshotMissing]);
    // The base is known by the good image.
    let lost = Err(Code::LayerMissing);
    assert_eq!(files, [names(&["base"]).remove(0), lost, names(&["bad"]).remove(0)]);
}

#[test]
fn layers_in_a_circle_end() {
    let store = spoiled(|made, bad| {
        let middle = made.layers.iter_mut().find(|layer| layer["id"] == json!(bad.layers[1])).unwrap();
        middle["parent"] = json!(bad.layers[2]);
    });
    let (gaps, files) = bad(&store);
    assert_eq!(gaps, [Code::CorruptStructure]);
    assert_eq!(files[1..], names(&["middle", "bad"]));
    let own = spoiled(|made, bad| {
        let top = made.layers.iter_mut().find(|layer| layer["id"] == json!(bad.layers[2])).unwrap();
        top["parent"] = json!(bad.layers[2]);
    });
    assert_eq!(bad_codes(&own), [Code::CorruptStructure]);
}

fn bad_codes(store: &ContainersStorage) -> Vec<Code> {
    bad(store).0
}

#[test]
fn layers_without_end_are_cut() {
    let mut made = Made::new("overlay");
    let web = made.image("web:1", &["base"]);
    made.layers[0]["parent"] = json!("0");
    made.layers.extend((0..2000).map(|n| json!({"id": n.to_string(), "parent": (n + 1).to_string()})));
    let store = made.open();
    let found = image(&store, "web:1");
    assert_eq!((found.id.clone(), codes(&found.gaps)), (web.id, vec![Code::LimitReached]));
}

#[test]
fn a_layer_that_is_another_than_the_image_has_is_not_taken_for_it() {
    let store = spoiled(|made, bad| {
        let middle = made.layers.iter_mut().find(|layer| layer["id"] == json!(bad.layers[1])).unwrap();
        middle["diff-digest"] = json!(Digest::of(b"another"));
    });
    let (gaps, files) = bad(&store);
    assert_eq!(gaps, [Code::CorruptStructure]);
    assert_eq!(files[1], Err(Code::LayerMissing));
}

#[test]
fn documents_that_are_wrong_or_gone_are_told() {
    let config = |text: Option<&'static str>| {
        spoiled(move |made, bad| {
            let path = document("overlay", &bad.record, &bad.id.to_string());
            made.tree.remove(&GuestPath::new(&path));
            if let Some(text) = text {
                made.tree.file(&path, text);
            }
        })
    };
    // The layers are known without it.
    for (text, code) in [(None, Code::BlobMissing), (Some("{}"), Code::BlobDigestMismatch)] {
        let store = config(text);
        assert_eq!(bad(&store), (vec![code], names(&["base", "middle", "bad"])));
        assert_eq!(image(&store, "bad:1").platform, "");
    }
    let store =
        spoiled(|made, bad| made.tree.remove(&GuestPath::new(format!("overlay-images/{}", bad.record))));
    assert_eq!(bad(&store), (vec![Code::BlobMissing; 2], names(&["base", "middle", "bad"])));
    let store = spoiled(|made, bad| made.document(&bad.record.clone(), "manifest", "{\"config\""));
    assert_eq!(bad_codes(&store), [Code::BlobDigestMismatch]);
    // An image of the first schema has no configuration.
    let store = spoiled(|made, bad| {
        let old = "{\"schemaVersion\": 1, \"fsLayers\": []}";
        made.document(&bad.record.clone(), "manifest", old);
        made.images[1]["big-data-digests"]["manifest"] = json!(Digest::of(old.as_bytes()));
    });
    assert_eq!(bad_codes(&store), [Code::UnsupportedMediaType]);
}

#[test]
fn lists_that_are_cut_off_lose_what_is_behind_the_cut() {
    for kind in ["images", "layers", "containers"] {
        let mut made = Made::new("overlay");
        let good = made.image("good:1", &["base"]);
        made.container("c", &good, &json!({}));
        let list = match kind {
            "images" => &made.images,
            "layers" => &made.layers,
            _ => &made.containers,
        };
        let text = format!("[{},{{\"id\":\"cut", list[0]);
        made.tree.file(&format!("overlay-{kind}/{kind}.json"), text);
        let store = made.open();
        assert_eq!(codes(&store.contents.gaps), [Code::CorruptStructure], "{kind}");
        assert_eq!(files(&store, image(&store, "good:1")), names(&["base"]));
        assert_eq!(store.contents.containers.len(), 1);
    }
    for kind in ["images", "layers", "containers"] {
        let mut made = Made::new("overlay");
        let good = made.image("good:1", &["base"]);
        made.container("c", &good, &json!({}));
        made.tree.file(&format!("overlay-{kind}/{kind}.json"), "");
        let store = made.open();
        assert_eq!(codes(&store.contents.gaps), [Code::CorruptStructure], "{kind}");
    }
}

#[test]
fn links_lead_nowhere_out_of_the_store() {
    let store = spoiled(|made, bad| {
        let manifest = document("overlay", &bad.record, "manifest");
        for (path, target) in [
            (manifest, "/etc/passwd".to_owned()),
            (format!("overlay/{}/diff", bad.layers[1]), "/".to_owned()),
            (format!("overlay/{}", bad.layers[2]), format!("../overlay/{}", bad.layers[0])),
        ] {
            made.tree.remove(&GuestPath::new(&path));
            made.tree.link(&path, &target);
        }
    });
    let (gaps, files) = bad(&store);
    assert_eq!(gaps, [Code::CorruptStructure]);
    let missing = || Err(Code::SnapshotMissing);
    assert_eq!(files, [names(&["base"]).remove(0), missing(), missing()]);
    let mut tree = Tree::default();
    tree.link("overlay-images/images.json", "images.json");
    tree.link("overlay-layers/layers.json", "../../../../etc/shadow");
    tree.link("overlay-containers/containers.json", "/etc/shadow");
    let store = open(&Root::new(tree.build()), &Setting::default()).unwrap().unwrap();
    // What leads to itself or to nothing is told.
    assert_eq!(
        codes(&store.contents.gaps),
        [Code::CorruptStructure, Code::LimitReached, Code::CorruptStructure]
    );
}

#[test]
fn names_are_whatever_somebody_wrote_and_ids_are_not() {
    let mut made = Made::new("overlay");
    let web = made.image("a\nb:\u{1b}[31m1", &["base"]);
    made.container("c\nd", &web, &json!({"image-name": "../../x"}));
    made.layers.push(json!({"id": "../../etc", "parent": ""}));
    let layer = made.containers[0]["layer"].clone();
    made.containers.push(json!({"id": id("e"), "image": "../x", "layer": "../../etc"}));
    made.images.push(json!({"id": "../y", "names": ["bad"], "layer": layer}));
    let store = made.open();
    // Podman's container, and no database of Podman's.
    let lost =
        [Code::CorruptStructure, Code::CorruptStructure, Code::SnapshotMissing, Code::RuntimeStateUnreadable];
    assert_eq!(codes(&store.contents.gaps), lost);
    assert_eq!(image(&store, "a\nb:\u{1b}[31m1").layers.len(), 1);
    let find = |id: &str| store.contents.containers.iter().find(|one| one.id == id).unwrap();
    assert_eq!(find(&id("c\nd")).name, "c\nd");
    assert_eq!(store.writable_layers(find(&id("e"))).err().unwrap().code(), Code::CorruptStructure);
}

#[test]
fn layers_that_are_not_plain_trees_are_refused_by_name() {
    let refused = |file: &str| {
        let mut made = Made::new("overlay");
        let web = made.image("web:1", &["base"]);
        made.tree.file(&format!("overlay/{}/{file}", web.layers[0]), "");
        let store = made.open();
        let gaps = store.layer(&image(&store, "web:1").layers[0]).gaps;
        (gaps[0].code, gaps[0].detail.clone())
    };
    let (code, detail) = refused("composefs-data/composefs.blob");
    assert!(code == Code::UnsupportedFeature && detail.contains("composefs"), "{detail}");
    let (code, detail) = refused("additionallayer");
    assert!(code == Code::LazySnapshotter && detail.contains("additional layer store"), "{detail}");
    let mut made = Made::new("overlay");
    made.image("web:1", &["base"]);
    made.layers[0]["flags"] = json!({"incomplete": true});
    let store = made.open();
    assert_eq!(files(&store, image(&store, "web:1")), [Err(Code::SnapshotMissing)]);
    let mut made = Made::new("zfs");
    made.image("web:1", &["base"]);
    let store = made.open();
    assert_eq!(codes(&store.contents.gaps), [Code::UnsupportedSnapshotter]);
    assert_eq!(files(&store, image(&store, "web:1")), [Err(Code::UnsupportedSnapshotter)]);
}

#[test]
fn nothing_is_no_store() {
    let mut tree = Tree::default();
    tree.file("overlay/x/diff/y", "");
    assert!(open(&Root::new(tree.build()), &Setting::default()).unwrap().is_none());
}

#[test]
fn lists_may_be_cut_off_anywhere() {
    let list = |kind: &str| {
        let mut made = Made::new("overlay");
        let web = made.image("web:1", &["base"]);
        made.container("c", &web, &json!({"image-name": "web:1"}));
        let list = match kind {
            "images" => made.images,
            "layers" => made.layers,
            _ => made.containers,
        };
        Value::from(list).to_string()
    };
    for kind in ["images", "layers", "containers"] {
        let text = list(kind);
        for end in 0..text.len() {
            let mut made = Made::new("overlay");
            let web = made.image("web:1", &["base"]);
            made.container("c", &web, &json!({"image-name": "web:1"}));
            made.tree.file(&format!("overlay-{kind}/{kind}.json"), text.get(..end).unwrap());
            let store = made.open();
            let told =
                store.contents.gaps.iter().chain(store.contents.images.iter().flat_map(|image| &image.gaps));
            assert!(told.count() > 0, "{kind} cut at {end}");
        }
    }
}

/// The files of a store with every kind of record, and its layers.
fn whole() -> Vec<(String, Vec<u8>)> {
    let mut made = Made::new("overlay");
    let web = made.image("web:1", &["base", "web"]);
    let pod = json!({"pod-id": id("pod"), "pod-name": "p", "image-name": "web:1", "pod": true});
    let containers = [("pod", pod), ("podmans", json!({"image-name": "web:1"})), ("buildahs", json!({}))];
    let mut files = Vec::new();
    for (name, metadata) in containers {
        let container = made.container(name, &web, &metadata);
        let annotations = json!({"io.kubernetes.cri-o.ContainerType": "container",
            "io.kubernetes.cri-o.Metadata": "{\"name\":\"c\"}", "io.kubernetes.cri-o.Volumes": "[]"});
        let spec = json!({"process": {"args": ["a"]}, "annotations": annotations});
        files.push((made.beside(&container, "config.json"), spec.to_string()));
        files.push((made.beside(&container, "state.json"), json!({"status": "running"}).to_string()));
    }
    files.push((made.beside(&id("buildahs"), "buildah.json"), json!({"image": "web:1"}).to_string()));
    let lists = [("images", &made.images), ("layers", &made.layers), ("containers", &made.containers)];
    files.extend(
        lists.map(|(kind, list)| {
            (format!("overlay-{kind}/{kind}.json"), Value::from(list.clone()).to_string())
        }),
    );
    let root = Root::new(made.tree.build());
    for key in [web.id.to_string(), "manifest".to_owned(), format!("manifest-{}", web.manifest)] {
        let path = document("overlay", &web.record, &key);
        let text = root.read(path.as_bytes(), "document").unwrap().unwrap();
        files.push((path, String::from_utf8(text).unwrap()));
    }
    files.extend(web.layers.iter().map(|layer| (format!("overlay/{layer}/diff/x"), String::new())));
    files.into_iter().map(|(path, text)| (path, text.into_bytes())).collect()
}

proptest! {
    #[test]
    fn bytes_of_any_file_may_be_others(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..4)
    ) {
        let mut files = whole();
        for (file, at, byte) in changes {
            let text = &mut file.get_mut(&mut files[..]).1;
            if !text.is_empty() {
                *at.get_mut(&mut text[..]) = byte;
            }
        }
        let mut tree = Tree::default();
        files.into_iter().for_each(|(path, text)| tree.file(&path, text));
        let store = open(&Root::new(tree.build()), &Setting::default()).unwrap().unwrap();
        for image in &store.contents.images {
            for layer in &image.layers {
                let sources = store.layer(layer);
                // What is not there is told, by the layer or by the image.
                let told = !sources.gaps.is_empty() || !image.gaps.is_empty() || !store.contents.gaps.is_empty();
                prop_assert!(sources.snapshot.is_some() || told);
            }
        }
        for container in &store.contents.containers {
            let _ = store.writable_layers(container);
        }
    }
}
