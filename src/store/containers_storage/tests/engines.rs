use super::*;
use crate::store::{PodRef, State};

fn crio_metadata(pod: &str) -> Value {
    json!({"pod-name": "k8s_p", "pod-id": pod, "image-name": "web:1", "name": "k8s_c", "uid": "u", "namespace": "n"})
}

/// A store with a pod of CRI-O's, and a container in it that has these files.
fn crio(files: &[(&str, &str)]) -> ContainersStorage {
    let mut made = Made::new("overlay");
    let web = made.image("web:1", &["base"]);
    let mut metadata = crio_metadata(&id("sandbox"));
    metadata["pod"] = json!(true);
    metadata["metadata-name"] = json!("p");
    made.container("sandbox", &web, &metadata);
    let container = made.container("k8s_c", &web, &crio_metadata(&id("sandbox")));
    let path = made.beside(&id("sandbox"), "config.json");
    made.tree
        .file(&path, json!({"annotations": {"io.kubernetes.cri-o.ContainerType": "sandbox"}}).to_string());
    for (file, text) in files {
        let path = made.beside(&container, file);
        made.tree.file(&path, *text);
    }
    let containers = std::mem::take(&mut made.containers);
    made.tree.file("overlay-containers/volatile-containers.json", Value::from(containers).to_string());
    made.open()
}

fn spec() -> Value {
    json!({"process": {"args": ["/bin/web", "-v"]}, "annotations": {
        "io.container.manager": "cri-o", "io.kubernetes.cri-o.ContainerType": "container",
        "io.kubernetes.cri-o.SandboxID": id("sandbox"), "io.kubernetes.cri-o.ImageName": "web:1",
        "io.kubernetes.cri-o.Created": "2026-02-01T00:00:01Z",
        "io.kubernetes.cri-o.Labels": "{\"app\":\"web\"}",
        "io.kubernetes.cri-o.Metadata": "{\"name\":\"c\",\"attempt\":3}",
        "io.kubernetes.cri-o.Volumes":
            "[{\"container_path\":\"/data\",\"host_path\":\"/srv\",\"readonly\":true,\"propagation\":0}]",
        "io.kubernetes.pod.name": "p", "io.kubernetes.pod.namespace": "n", "io.kubernetes.pod.uid": "u"}})
}

#[test]
fn a_container_of_cri_o_is_what_its_specification_and_state_say() {
    let state = json!({"status": "stopped", "created": "2026-02-01T00:00:01Z", "exitCode": 7,
        "started": "2026-02-01T00:00:02Z", "finished": "2026-02-01T00:00:03Z"});
    let store = crio(&[("config.json", &spec().to_string()), ("state.json", &state.to_string())]);
    assert!(store.contents.gaps.is_empty(), "{:?}", store.contents.gaps);
    assert_eq!(store.runtime(), "cri-o");
    let [pod] = store.contents.pods.as_slice() else { panic!("{:?}", store.contents.pods) };
    let reference = PodRef { namespace: "n".to_owned(), name: "p".to_owned(), uid: "u".to_owned() };
    assert_eq!((&pod.id, &pod.sandbox, &pod.containers), (&reference, &id("sandbox"), &vec![id("k8s_c")]));
    let [container] = store.contents.containers.as_slice() else { panic!("{:?}", store.contents.containers) };
    assert_eq!((container.name.as_str(), container.image_name.as_str()), ("c", "web:1"));
    assert_eq!((container.state, container.exit_code, container.restarts), (State::Exited, Some(7), Some(3)));
    assert_eq!(container.pod.as_ref(), Some(&reference));
    assert_eq!(container.command, ["/bin/web", "-v"]);
    assert_eq!(container.labels["app"], "web");
    let times = [&container.created, &container.started, &container.finished];
    let expected = ["2026-02-01T00:00:01Z", "2026-02-01T00:00:02Z", "2026-02-01T00:00:03Z"];
    assert_eq!(times.map(|time| time.as_deref().unwrap()), expected);
    let [mount] = container.mounts.as_slice() else { panic!("{:?}", container.mounts) };
    assert_eq!((mount.source.as_str(), mount.destination.as_str(), mount.read_only), ("/srv", "/data", true));
}

#[test]
fn what_the_monitor_wrote_goes_before_a_state_that_was_written_before() {
    let running = json!({"status": "running", "started": "2026-02-01T00:00:02Z"}).to_string();
    let state = |files: &[(&str, &str)]| {
        let container = crio(files).contents.containers[0].clone();
        (container.state, container.exit_code)
    };
    assert_eq!(state(&[("state.json", &running)]), (State::Running, None));
    assert_eq!(state(&[("state.json", &running), ("exit", "137\n")]), (State::Exited, Some(137)));
    assert_eq!(state(&[("state.json", &running), ("exit", "x")]), (State::Running, None));
    assert_eq!(state(&[]), (State::Unknown, None));
}

#[test]
fn what_of_cri_os_documents_is_lost_is_told_and_the_record_stands_in() {
    let mut broken = spec();
    broken["annotations"]["io.kubernetes.cri-o.Labels"] = json!("{");
    let text = broken.to_string();
    let (corrupt, gone) = (Code::CorruptStructure, Code::RuntimeStateUnreadable);
    for (files, lost) in [
        (vec![("config.json", "{\"process\":"), ("state.json", "[")], vec![corrupt; 2]),
        (vec![("config.json", text.as_str())], vec![corrupt, gone]),
        (vec![], vec![gone; 2]),
    ] {
        let store = crio(&files);
        let container = &store.contents.containers[0];
        assert_eq!(codes(&store.contents.gaps), lost);
        assert_eq!(container.pod.as_ref().map(|pod| pod.uid.as_str()), Some("u"));
        assert_eq!(container.image_name, "web:1");
        assert_eq!(store.contents.pods.len(), 1);
    }
}

#[test]
fn containers_of_podman_and_buildah_are_told_apart() {
    let mut made = Made::new("vfs");
    let web = made.image("web:1", &["base"]);
    let podmans = made.container("mine", &web, &json!({"image-name": "web:1", "name": "mine"}));
    let path = made.beside(&podmans, "config.json");
    made.tree.file(&path, json!({"process": {"args": ["a"]}}).to_string());
    let buildahs = made.container("web-working", &web, &json!({}));
    let path = made.beside(&buildahs, "buildah.json");
    made.tree.file(&path, json!({"type": "buildah 0.0.1", "image": "docker.io/web:1"}).to_string());
    let scratch = made.container("scratch-working", &web, &json!({}));
    made.containers[2]["image"] = json!("");
    let path = made.beside(&scratch, "buildah.json");
    made.tree.file(&path, json!({"type": "buildah 0.0.1", "image": ""}).to_string());
    let store = made.open();
    assert_eq!(store.runtime(), "podman");
    let by_name = |name: &str| store.contents.containers.iter().find(|one| one.name == name).unwrap();
    assert_eq!(by_name("mine").command, ["a"]);
    assert_eq!(by_name("mine").created.as_deref(), Some("2026-01-31T22:00:00.5Z"));
    assert_eq!(by_name("web-working").image_name, "docker.io/web:1");
    assert_eq!(by_name("web-working").image.as_ref(), Some(&web.id));
    assert!(by_name("scratch-working").is_from_scratch() && !by_name("web-working").is_from_scratch());
}

#[test]
fn a_database_that_cannot_be_read_is_told_and_the_records_stand_in() {
    for (path, text) in
        [("libpod/bolt_state.db", &[0; 4096][..]), ("db.sql", b"SQLite format 3\0"), ("db.sql", b"x")]
    {
        let mut made = Made::new("overlay");
        let web = made.image("web:1", &["base"]);
        made.container("mine", &web, &json!({"image-name": "web:1", "name": "mine"}));
        made.tree.file(path, text);
        let store = made.open();
        assert_eq!(store.runtime(), "podman");
        assert_eq!(store.contents.gaps.len(), 1, "{path}");
        assert_eq!(store.contents.gaps[0].path.as_deref(), Some(path));
        let container = &store.contents.containers[0];
        assert_eq!((container.name.as_str(), container.image_name.as_str()), ("mine", "web:1"));
        assert_eq!(store.contents.images.len(), 1);
    }
}
