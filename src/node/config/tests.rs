use std::sync::Arc;

use super::*;
use crate::{
    fs::{liar::Liar, memory::Tree},
    gap::Code,
};

#[test]
fn roots_from_every_runtimes_configuration() {
    let mut tree = Tree::default();
    tree.file("etc/containerd/config.toml", "version = 2\nimports = [\"conf.d/*.toml\", \"config.toml\"]\n");
    tree.file("etc/containerd/conf.d/10-root.toml", "root = \"/mnt/data/containerd\"\n");
    tree.file("etc/containerd/conf.d/README", "root = \"/no\"\n");
    tree.file("etc/docker/daemon.json", "{\"data-root\": \"/mnt/docker\"}");
    tree.file("etc/containers/storage.conf", "[storage]\ngraphroot = \"/srv/containers\"\n");
    tree.file("etc/crio/crio.conf", "[crio]\nlog_dir = \"/var/log/crio/pods\"\n[crio.runtime]\n");
    tree.file("etc/crio/crio.conf.d/01-root.conf", "[crio]\nroot = \"/srv/crio\"\n");
    tree.file("etc/rancher/rke2/config.yaml", "token: x\n  data-dir: /no\ndata-dir: '/srv/rke2' # here\n");
    let (found, damage) = read(&Root::new(tree.build()));
    assert!(damage.is_empty());
    let shown: Vec<_> = found.iter().map(|c| (c.runtime, c.path.to_string(), c.file.to_string())).collect();
    let row = |runtime, path: &str, file: &str| (runtime, path.to_owned(), file.to_owned());
    assert_eq!(
        shown,
        [
            row(Runtime::Containerd, "/mnt/data/containerd", "/etc/containerd/conf.d/10-root.toml"),
            row(Runtime::Docker, "/mnt/docker", "/etc/docker/daemon.json"),
            row(Runtime::ContainersStorage, "/srv/containers", "/etc/containers/storage.conf"),
            row(Runtime::ContainersStorage, "/srv/crio", "/etc/crio/crio.conf.d/01-root.conf"),
            row(Runtime::Containerd, "/srv/rke2/agent/containerd", "/etc/rancher/rke2/config.yaml"),
        ]
    );
}

#[test]
fn a_broken_configuration_is_told() {
    let mut tree = Tree::default();
    tree.file("etc/docker/daemon.json", "{");
    let (found, damage) = read(&Root::new(tree.build()));
    assert!(found.is_empty());
    assert_eq!(damage[0].0.to_string(), "/etc/docker/daemon.json");
}

#[test]
fn imports_that_go_on_and_on_are_cut_and_told_once() {
    let mut tree = Tree::default();
    let next = |n: u32| format!("imports = [\"c{n}.toml\", \"c{n}.toml\"]\n");
    tree.file("etc/containerd/config.toml", next(0));
    (0..40).for_each(|n| tree.file(&format!("etc/containerd/c{n}.toml"), next(n + 1)));
    let (_, damage) = read(&Root::new(tree.build()));
    assert_eq!(damage.iter().map(|(_, error)| error.code()).collect::<Vec<_>>(), [Code::LimitReached]);

    let mut tree = Tree::default();
    tree.file("etc/containerd/config.toml", "imports = [\"d/*\"]\n");
    (0..limits::CONFIG_FILES).for_each(|n| tree.file(&format!("etc/containerd/d/{n}"), ""));
    let (_, damage) = read(&Root::new(tree.build()));
    assert_eq!(damage.iter().map(|(_, error)| error.code()).collect::<Vec<_>>(), [Code::LimitReached]);
}

#[test]
fn imports_without_end_are_cut_and_told() {
    let mut tree = Tree::default();
    let imports: Vec<String> = (0..5000).map(|n| format!("\"conf.d/{n}*\"")).collect();
    tree.file("etc/containerd/config.toml", format!("imports = [{}]\n", imports.join(",")));
    tree.file("etc/containerd/conf.d/x", "");
    let (_, damage) = read(&Root::new(tree.build()));
    assert_eq!(damage.iter().map(|(_, error)| error.code()).collect::<Vec<_>>(), [Code::LimitReached]);
}

#[test]
fn a_part_of_a_directory_of_configurations_that_is_lost_is_told() {
    let mut tree = Tree::default();
    tree.file("etc/containerd/config.toml", "imports = [\"conf.d/*.toml\"]\n");
    tree.file("etc/containerd/conf.d/10-root.toml", "root = \"/srv/ctrd\"\n");
    tree.file("etc/systemd/system/docker.service.d/a.conf", "");
    tree.file(
        "usr/lib/systemd/system/docker.service",
        "[Service]\nExecStart=dockerd --data-root /srv/docker\n",
    );
    let (found, damage) = read(&Root::new(Arc::new(Liar::damaged(tree.build()))));
    assert_eq!(found.len(), 2);
    for dir in ["/etc/containerd/conf.d", "/etc/systemd/system", "/etc/systemd/system/docker.service.d"] {
        assert!(damage.iter().any(|(path, _)| path.to_string() == dir), "{dir}: {damage:?}");
    }
}

#[test]
fn services_are_told_where_by_their_variables() {
    let mut tree = Tree::default();
    let unit =
        "[Service]\nEnvironmentFile=-/etc/default/%p\nExecStart=/usr/bin/containerd --root $CTRD_ROOT\n";
    tree.file("usr/local/lib/systemd/system/containerd.service", unit);
    tree.file(
        "usr/lib/systemd/system/containerd.service",
        "[Service]\nExecStart=containerd --root /before\n",
    );
    tree.file("etc/default/containerd", "CTRD_ROOT=/srv/ctrd\n");
    tree.file("usr/lib/systemd/system/docker.service", "[Service]\nExecStart=dockerd --data-root=${DATA}\n");
    tree.file("etc/systemd/system/docker.service.d/x.conf", "[Service]\nEnvironment=DATA=/srv/docker\n");
    tree.file("etc/systemd/system/crio.service", "[Service]\nExecStart=crio --root ${GONE}\n");
    let (found, damage) = read(&Root::new(tree.build()));
    let found: Vec<_> = found.iter().map(|one| (one.path.to_string(), one.in_use)).collect();
    let row = |path: &str, in_use| (path.to_owned(), in_use);
    assert_eq!(found, [row("/srv/ctrd", true), row("/before", false), row("/srv/docker", true)]);
    assert_eq!(damage.len(), 1, "{damage:?}");
    let (path, error) = &damage[0];
    assert_eq!(path.to_string(), "/etc/systemd/system/crio.service");
    let what = "crio.service: the disks do not tell what \"--root ${GONE}\" of its command line stands for";
    assert_eq!((error.code(), error.detail().as_str()), (Code::UnsupportedFeature, what));
}

#[test]
fn configurations_that_services_are_told_to_read() {
    let mut tree = Tree::default();
    let unit = |name: &str| format!("etc/systemd/system/{name}.service");
    tree.file(&unit("docker"), "[Service]\nExecStart=dockerd --config-file=/srv/d.json\n");
    tree.file("srv/d.json", "{\"data-root\": \"/srv/docker\"}");
    tree.file(&unit("crio"), "[Service]\nExecStart=crio -d /srv/crio.d\n");
    tree.file("srv/crio.d/1.conf", "[crio]\nroot = \"/srv/crio\"\n");
    tree.file(&unit("rke2-agent"), "[Service]\nEnvironment=RKE2_CONFIG_FILE=/srv/rke2.yaml\n");
    tree.file("srv/rke2.yaml", "data-dir: /srv/rke2\n");
    let (found, damage) = read(&Root::new(tree.build()));
    let found: Vec<_> = found.iter().map(|one| (one.runtime, one.path.to_string())).collect();
    let row = |runtime, path: &str| (runtime, path.to_owned());
    assert_eq!(
        found,
        [
            row(Runtime::Docker, "/srv/docker"),
            row(Runtime::ContainersStorage, "/srv/crio"),
            row(Runtime::Containerd, "/srv/rke2/agent/containerd"),
        ]
    );
    assert!(damage.is_empty(), "{damage:?}");
}

#[test]
fn what_may_be_any_flag_matters_where_no_state_is_found() {
    let unit = "[Service]\nEnvironmentFile=-/run/docker/runtimes.env\nExecStart=dockerd $ADD_RUNTIMES\n";
    let told = |file: &str| {
        let mut tree = Tree::default();
        tree.file("usr/lib/systemd/system/docker.service", unit);
        tree.file(file, "{}");
        codes(&read(&Root::new(tree.build())).1)
    };
    assert_eq!(told("var/lib/docker/engine-id"), [Code::UnsupportedFeature]);
    assert_eq!(told("var/lib/docker/image/overlay2/repositories.json"), []);
}

fn codes(damage: &[(GuestPath, FormatError)]) -> Vec<Code> {
    damage.iter().map(|(_, error)| error.code()).collect()
}

#[test]
fn files_of_variables_without_end_are_not_read_and_told_once() {
    let many = |files: usize, bytes: usize| {
        let mut tree = Tree::default();
        let unit = "[Service]\nEnvironmentFile=-/etc/x/*\nExecStart=dockerd --data-root $GONE\n";
        tree.file("etc/systemd/system/docker.service", unit);
        (0..files).for_each(|n| tree.file(&format!("etc/x/{n:05}"), "#".repeat(bytes)));
        read(&Root::new(tree.build())).1
    };
    // Nothing is known of what the variables are: that is told, too.
    let told = [Code::LimitReached, Code::UnsupportedFeature];
    let sorted = |damage: Vec<(GuestPath, FormatError)>| {
        let mut codes = codes(&damage);
        codes.sort_unstable_by_key(|code| *code != Code::LimitReached);
        codes
    };
    assert_eq!(sorted(many(3, limits::SERVICE_BYTES + 1)), told);
    assert_eq!(sorted(many(30, limits::SERVICE_BYTES / 10)), told);
    let damage = many(limits::CONFIG_FILES + 10, 1);
    assert!(
        damage.iter().any(|(_, error)| error.detail().contains("files that a pattern names")),
        "{damage:?}"
    );
    assert!(damage.len() <= 3, "{damage:?}");
}

#[test]
fn directories_are_not_listed_without_end() {
    let mut tree = Tree::default();
    let imports: Vec<String> = (0..1000).map(|n| format!("\"conf.d/x{n}*\"")).collect();
    tree.file("etc/containerd/config.toml", format!("imports = [{}]\n", imports.join(",")));
    (0..2000).for_each(|n| tree.file(&format!("etc/containerd/conf.d/{n}"), ""));
    let (_, damage) = read(&Root::new(tree.build()));
    assert_eq!(codes(&damage), [Code::LimitReached]);
}

#[test]
fn large_configurations_are_not_parsed() {
    let mut tree = Tree::default();
    let zeros = "0,".repeat(1 << 19);
    tree.file("etc/containerd/config.toml", format!("x=[{zeros}]\n"));
    tree.file("etc/docker/daemon.json", format!("{{\"x\":[{zeros}0]}}"));
    let (_, damage) = read(&Root::new(tree.build()));
    assert_eq!(codes(&damage), [Code::LimitReached, Code::LimitReached]);
}

#[test]
fn directories_are_read_as_the_runtimes_read_them() {
    let mut tree = Tree::default();
    let config = "Root = \"srv/ctrd\"\nIMPORTS = [\"*.d/x.toml\", \"c[0-9].toml\"]\n";
    tree.file("etc/containerd/config.toml", config);
    tree.file("etc/docker/daemon.json", "{\"data-root\": \"./srv/docker\"}");
    tree.file("etc/crio/crio.conf", "[Crio]\nROOT = \"/no\"\nroot = \"/srv/crio\"\n");
    let (found, damage) = read(&Root::new(tree.build()));
    let found: Vec<_> = found.iter().map(|one| one.path.to_string()).collect();
    assert_eq!(found, ["/srv/ctrd", "/srv/docker", "/srv/crio"]);
    let told: Vec<_> = damage.iter().map(|(_, error)| error.detail()).collect();
    assert!(told.len() == 2 && told[0].contains("*.d/x.toml") && told[1].contains("c[0-9].toml"), "{told:?}");
    for (text, expected) in [
        ("data-dir: /a\ndata-dir: /b\n", Some("/b")),
        ("\"data-dir\": /a # x", Some("/a")),
        ("data-dir : \"/a\"", Some("/a")),
        ("data-directory: /a", None),
        (" data-dir: /a", None),
    ] {
        assert_eq!(data_dir(text), expected, "{text}");
    }
}
