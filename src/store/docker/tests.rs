mod hostile;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{driver::Driver, *};
use crate::{
    fs::{GuestPath, Root, memory::Tree},
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
        super::open(&Root::new(self.tree.build()), &Access::default(), &[])
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

#[test]
fn a_lost_image_has_the_layers_that_its_container_lies_on() {
    let mut made = Made::new("overlay2");
    let image = made.image("a:1", &["one", "two"]);
    let other = made.image("b:1", &["one"]);
    made.container(ID, &image, &json!({}));
    let config = format!("image/overlay2/imagedb/content/sha256/{}", image.id.hex());
    made.tree.remove(&GuestPath::new(&config));
    let docker = made.open();
    let found = docker.contents.images.iter().find(|found| found.id == image.id).unwrap();
    assert_eq!(
        (&found.layers, found.is_lost, codes(&found.gaps)),
        (&image.layers, true, vec![Code::BlobMissing])
    );
    assert_eq!(docker.contents.containers[0].image.as_ref(), Some(&image.id));
    assert!(image.layers.iter().all(|layer| docker.layer(layer).snapshot.is_some()));
    let whole = docker.contents.images.iter().find(|found| found.id == other.id).unwrap();
    assert!(!whole.is_lost && docker.contents.gaps.is_empty() && docker.contents.loose.is_empty());
}

#[test]
fn layers_of_nothing_are_named() {
    let mut made = Made::new("overlay2");
    let image = made.image("a:1", &["one", "two"]);
    made.container(ID, &image, &json!({}));
    made.tree.remove(&GuestPath::new(format!("image/overlay2/imagedb/content/sha256/{}", image.id.hex())));
    made.tree.remove(&GuestPath::new(format!("containers/{ID}")));
    made.tree.file("containers/x", "");
    made.files("built", "layer");
    made.names.clear();
    let loose = made.open().contents.loose;
    let mut ids: Vec<String> = image.layers.iter().map(|layer| layer.chain_id.to_string()).collect();
    ids.extend([format!("mounts/{ID}"), "overlay2/built".to_owned()]);
    ids.sort();
    assert_eq!(loose.iter().map(|layer| layer.id.clone()).collect::<Vec<_>>(), ids);
    assert_eq!(loose.iter().filter_map(|layer| layer.size).sum::<u64>(), 14);
}
