use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{driver::Driver, *};
use crate::{
    fs::{GuestPath, Root, memory::Tree},
    limits,
    store::{Form, Mount, Pod, PodRef, State},
};

const ID: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// A data root under construction.
struct Made {
    tree: Tree,
    driver: &'static str,
    names: BTreeMap<String, BTreeMap<String, String>>,
}

/// An image that was made, and the chain ids of its layers.
struct MadeImage {
    id: Digest,
    layers: Vec<LayerRef>,
}

impl Made {
    fn new(driver: &'static str) -> Self {
        Self { tree: Tree::default(), driver, names: BTreeMap::new() }
    }

    /// An image of layers with one file each.
    fn image(&mut self, name: &str, layers: &[&str]) -> MadeImage {
        let diff_ids: Vec<Digest> = layers.iter().map(|layer| Digest::of(layer.as_bytes())).collect();
        let config = json!({"os": "linux", "architecture": "amd64", "created": "2026-01-01T00:00:00Z",
            "config": {"Labels": {"of": "image"}}, "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "history": null});
        let text = config.to_string();
        let id = Digest::of(text.as_bytes());
        let driver = self.driver;
        self.tree.file(&format!("image/{driver}/imagedb/content/sha256/{}", id.hex()), text);
        let config = serde_json::from_value(config).unwrap();
        let layers = LayerRef::all(&id, &config, |_, _| None).unwrap();
        let mut parent: Option<&LayerRef> = None;
        for layer in &layers {
            let at = format!("image/{driver}/layerdb/sha256/{}", layer.chain_id.hex());
            self.tree.file(&format!("{at}/diff"), layer.diff_id.to_string());
            self.tree.file(&format!("{at}/cache-id"), cache_id(&layer.chain_id));
            self.tree.file(&format!("{at}/size"), "7");
            if let Some(parent) = parent {
                self.tree.file(&format!("{at}/parent"), parent.chain_id.to_string());
            }
            self.files(&cache_id(&layer.chain_id), "layer");
            parent = Some(layer);
        }
        if !name.is_empty() {
            let repository = name.split(':').next().unwrap().to_owned();
            self.names.entry(repository).or_default().insert(name.to_owned(), id.to_string());
        }
        MadeImage { id, layers }
    }

    /// A directory of the driver with one file.
    fn files(&mut self, id: &str, name: &str) {
        let place =
            Driver::named(self.driver).map_or_else(|_| format!("{}/{id}", self.driver), |d| d.place(id));
        self.tree.file(&format!("{place}/{name}"), name);
    }

    /// A container of an image, whose record has these members, too.
    fn container(&mut self, id: &str, image: &MadeImage, more: &Value) {
        let mut record = json!({"ID": id, "Name": "/name", "Driver": self.driver, "Image": image.id,
            "Created": "2026-02-01T00:00:00.5Z", "Path": "/bin/sh", "Args": ["-c", "x"], "Config": {"Image": "a:1",
            "Labels": {"of": "image", "own": "label"}}, "State": {"Running": false, "ExitCode": 3,
            "StartedAt": "2026-02-01T00:00:01Z", "FinishedAt": "2026-02-01T00:00:02Z"}, "RestartCount": 2,
            "MountPoints": {"/data": {"Type": "volume", "Name": "v", "Source": "/s", "Destination": "/data", "RW": true}}});
        for (key, value) in more.as_object().unwrap() {
            record[key] = value.clone();
        }
        self.tree.file(&format!("containers/{id}/config.v2.json"), record.to_string());
        let host =
            json!({"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}, "Tmpfs": {"/tmp": "ro"}});
        self.tree.file(&format!("containers/{id}/hostconfig.json"), host.to_string());
        let at = format!("image/{}/layerdb/mounts/{id}", self.driver);
        self.tree.file(&format!("{at}/mount-id"), format!("m{id}"));
        self.tree.file(&format!("{at}/init-id"), format!("m{id}-init"));
        if let Some(top) = image.layers.last() {
            self.tree.file(&format!("{at}/parent"), top.chain_id.to_string());
        }
        self.files(&format!("m{id}"), "upper");
        self.files(&format!("m{id}-init"), "init");
    }

    fn open(mut self) -> Docker {
        let names = json!({ "Repositories": self.names });
        let path = format!("image/{}/repositories.json", self.driver);
        if !self.tree.contains(&GuestPath::new(&path)) {
            self.tree.file(&path, names.to_string());
        }
        super::open(&Root::new(self.tree.build()).top(), &Access::default(), &[]).unwrap()
    }

    fn replace(&mut self, path: &str, text: impl Into<Vec<u8>>) {
        self.tree.remove(&GuestPath::new(path));
        self.tree.file(path, text);
    }

    fn of_layer(&self, layer: &LayerRef, name: &str) -> String {
        format!("image/{}/layerdb/sha256/{}/{name}", self.driver, layer.chain_id.hex())
    }
}

fn cache_id(chain: &Digest) -> String {
    Digest::of(chain.hex().as_bytes()).hex()
}

fn codes(gaps: &[Gap]) -> Vec<Code> {
    gaps.iter().map(|gap| gap.code).collect()
}

fn names(unpacked: &Unpacked) -> Vec<String> {
    let entries = unpacked.dir.read_dir().unwrap().entries;
    entries.into_iter().map(|entry| String::from_utf8(entry.name).unwrap()).collect()
}

#[test]
fn images_and_containers_of_each_driver() {
    for driver in ["overlay2", "fuse-overlayfs", "vfs", "btrfs"] {
        let mut made = Made::new(driver);
        let image = made.image("a:1", &["one", "two"]);
        let dangling = made.image("", &["one"]);
        made.container(ID, &image, &json!({}));
        let docker = made.open();
        assert_eq!(docker.contents.gaps, [], "{driver}");
        let found =
            |id: &Digest| docker.contents.images.iter().find(|image| image.id == *id).unwrap().clone();
        assert_eq!(found(&image.id).references, ["a:1".to_owned()].into());
        assert!(found(&dangling.id).references.is_empty());
        assert_eq!(found(&image.id).layers, image.layers);
        for (layer, has_below) in image.layers.iter().zip([false, true]) {
            let LayerSources { snapshot, snapshot_size, blob, gaps } = docker.layer(layer);
            let snapshot = snapshot.unwrap();
            assert_eq!((names(&snapshot), snapshot_size, gaps), (vec!["layer".to_owned()], Some(7), vec![]));
            assert!(blob.is_none());
            let whole = matches!(driver, "vfs" | "btrfs");
            assert_eq!(matches!(snapshot.form, Form::Whole(Some(_))), whole && has_below, "{driver}");
        }
        let [container] = docker.contents.containers.as_slice() else { panic!("{driver}") };
        assert_eq!(container.image.as_ref(), Some(&image.id));
        let own = docker.writable_layers(container).unwrap();
        assert_eq!(own.iter().map(names).collect::<Vec<_>>(), [["init"], ["upper"]]);
        assert!(docker.document(&image.id).unwrap().is_some());
        assert!(docker.document(&Digest::of(b"other")).unwrap().is_none());
    }
}

#[test]
fn a_containers_record_is_all_told() {
    let mut made = Made::new("overlay2");
    let image = made.image("a:1", &["one"]);
    made.container(ID, &image, &json!({}));
    let docker = made.open();
    let mount = |kind: &str, name: Option<&str>, source: &str, destination: &str, read_only| Mount {
        kind: kind.to_owned(),
        name: name.map(str::to_owned),
        source: source.to_owned(),
        destination: destination.to_owned(),
        read_only,
    };
    let expected = Container {
        id: ID.to_owned(),
        name: "name".to_owned(),
        image: Some(image.id),
        image_name: "a:1".to_owned(),
        state: State::Exited,
        created: Some("2026-02-01T00:00:00.5Z".to_owned()),
        command: ["/bin/sh", "-c", "x"].map(str::to_owned).to_vec(),
        started: Some("2026-02-01T00:00:01Z".to_owned()),
        finished: Some("2026-02-01T00:00:02Z".to_owned()),
        exit_code: Some(3),
        restarts: Some(2),
        restart_policy: Some("on-failure:3".to_owned()),
        labels: [("own".to_owned(), "label".to_owned())].into(),
        mounts: vec![
            mount("tmpfs", None, "", "/tmp", true),
            mount("volume", Some("v"), "/s", "/data", false),
        ],
        snapshot: Some(("overlay2".to_owned(), format!("m{ID}"))),
        ..Container::default()
    };
    assert_eq!(docker.contents.containers, [expected]);
}

#[test]
fn states_are_those_that_docker_shows() {
    let never = "0001-01-01T00:00:00Z";
    let (began, ended) = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
    for (state, expected, exit) in [
        (json!({"StartedAt": never, "FinishedAt": never}), State::Created, None),
        (json!({"Running": true, "StartedAt": began, "FinishedAt": never}), State::Running, None),
        (
            json!({"Running": true, "Paused": true, "StartedAt": began, "FinishedAt": ended}),
            State::Running,
            None,
        ),
        (
            json!({"Restarting": true, "ExitCode": 1, "StartedAt": began, "FinishedAt": ended}),
            State::Running,
            None,
        ),
        (json!({"ExitCode": 137, "StartedAt": began, "FinishedAt": ended}), State::Exited, Some(137)),
        (json!({"Dead": true, "StartedAt": never, "FinishedAt": never}), State::Exited, None),
        (Value::Null, State::Created, None),
    ] {
        let mut made = Made::new("overlay2");
        let image = made.image("a:1", &["one"]);
        made.container(ID, &image, &json!({ "State": state }));
        let docker = made.open();
        let container = &docker.contents.containers[0];
        assert_eq!((container.state, container.exit_code), (expected, exit), "{state}");
    }
}

#[test]
fn pods_are_known_by_the_labels_of_their_containers() {
    let mut made = Made::new("overlay2");
    let image = made.image("a:1", &["one"]);
    let labels = |kind: &str, name: &str, more: &Value| {
        let mut labels = json!({"io.kubernetes.pod.namespace": "ns", "io.kubernetes.pod.name": "p",
            "io.kubernetes.pod.uid": "u", "io.kubernetes.docker.type": kind, "io.kubernetes.container.name": name});
        labels.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "Labels": labels })
    };
    let (sandbox, inside, other) = ("0".repeat(64), "1".repeat(64), "2".repeat(64));
    let more =
        json!({"Name": "/k8s_POD_p_ns_u_0", "Config": labels("podsandbox", "POD", &json!({"app": "x"}))});
    made.container(&sandbox, &image, &more);
    let own =
        json!({"io.kubernetes.sandbox.id": sandbox, "annotation.io.kubernetes.container.restartCount": "4"});
    made.container(
        &inside,
        &image,
        &json!({"Name": "/k8s_c_p_ns_u_4", "Config": labels("container", "c", &own)}),
    );
    // Anybody may give these labels.
    made.container(&other, &image, &json!({"Config": labels("podsandbox", "POD", &json!({}))}));
    let Contents { containers, pods, .. } = made.open().contents;
    let pod = PodRef { namespace: "ns".to_owned(), name: "p".to_owned(), uid: "u".to_owned() };
    assert_eq!(containers.iter().map(|c| c.id.as_str()).collect::<Vec<_>>(), [&inside, &other]);
    assert_eq!((containers[0].name.as_str(), containers[0].restarts), ("c", Some(4)));
    assert_eq!((containers[0].pod.as_ref(), containers[1].pod.as_ref()), (Some(&pod), None));
    let expected = Pod {
        id: pod,
        sandbox,
        sandbox_image: Some(image.id),
        labels: [("app".to_owned(), "x".to_owned())].into(),
        containers: vec![inside],
        ..Pod::default()
    };
    assert_eq!(pods, [expected]);
}

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
    assert_eq!(codes(&linked.gaps), [Code::BlobMissing]);
    assert_eq!(codes(&docker.contents.gaps), [Code::CorruptStructure]);
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
