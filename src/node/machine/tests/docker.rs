//! Where Docker keeps its state: with its containerd, for users of their own, in homes.

use super::*;

const META: &str = "io.containerd.metadata.v1.bolt/meta.db";

fn found(files: &[(&str, &str)]) -> Vec<(Runtime, String, bool, Vec<u32>)> {
    let machine = assemble(&[root("", files)], &[]);
    assert!(machine.gaps.is_empty(), "{:?}", machine.gaps);
    let row = |site: &Site| {
        let roots =
            [&site.owners.users, &site.owners.groups].map(|ranges| ranges.first().map_or(0, |r| r.outside));
        (site.runtime, site.path.to_string(), site.rootless, roots.to_vec())
    };
    let mut rows: Vec<_> = machine.sites.iter().map(row).collect();
    rows.sort();
    rows
}

fn row(runtime: Runtime, path: &str, rootless: bool, roots: [u32; 2]) -> (Runtime, String, bool, Vec<u32>) {
    (runtime, path.to_owned(), rootless, roots.to_vec())
}

#[test]
fn a_docker_whose_images_are_a_containerds_is_known_by_its_containers() {
    let id = "a".repeat(64);
    let record = format!("var/lib/docker/containers/{id}/config.v2.json");
    assert_eq!(found(&[(&record, "{}")]), [row(Runtime::Docker, "/var/lib/docker", false, [0, 0])]);
    // Directories alone are made by packages.
    for path in ["containers/x/config.v2.json", "containers/hosts", &format!("containers/{id}/hosts")] {
        assert_eq!(found(&[(&format!("var/lib/docker/{path}"), "")]), [], "{path}");
    }
}

#[test]
fn a_data_root_that_was_moved_has_its_containerd_with_it() {
    let meta = format!("data/docker/containerd/daemon/{META}");
    let rows = found(&[
        ("etc/docker/daemon.json", "{\"data-root\": \"/data/docker\"}"),
        ("data/docker/image/overlay2/repositories.json", "{}"),
        (&meta, "x"),
    ]);
    assert_eq!(
        rows,
        [
            row(Runtime::Containerd, "/data/docker/containerd/daemon", false, [0, 0]),
            row(Runtime::Docker, "/data/docker", false, [0, 0]),
        ]
    );
}

#[test]
fn a_daemon_that_maps_users_has_a_data_root_for_them() {
    let rows = found(&[
        ("etc/subuid", "u:100000:65536\ndockremap:300000:65536\n"),
        ("var/lib/docker/300000.300001/image/vfs/repositories.json", "{}"),
        ("var/lib/docker/x.y/image/vfs/repositories.json", "{}"),
    ]);
    assert_eq!(rows, [row(Runtime::Docker, "/var/lib/docker/300000.300001", false, [300_000, 300_001])]);
}

#[test]
fn users_may_run_docker_without_privileges() {
    let rows = found(&[
        (
            "etc/passwd",
            "root:x:0:0::/root:/bin/sh\nu:x:1000:1001::/home/u:/bin/sh\nv:x:1002:1002::/home/v:/bin/sh\n",
        ),
        ("etc/subuid", "u:100000:65536\n"),
        ("home/u/.local/share/docker/image/overlay2/repositories.json", "{}"),
        ("home/v/.config/docker/daemon.json", "{\"data-root\": \"/srv/v\"}"),
        ("srv/v/image/overlay2/repositories.json", "{}"),
        (&format!("home/v/.local/share/containerd/{META}"), "x"),
        ("root/.local/share/docker/image/overlay2/repositories.json", "{}"),
    ]);
    assert_eq!(
        rows,
        [
            row(Runtime::Containerd, "/home/v/.local/share/containerd", true, [1002, 1002]),
            row(Runtime::Docker, "/home/u/.local/share/docker", true, [1000, 1001]),
            row(Runtime::Docker, "/srv/v", true, [1002, 1002]),
        ]
    );
}
