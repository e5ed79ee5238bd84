mod docker;
mod subvolumes;

use std::collections::BTreeSet;

use super::*;
use crate::{
    block,
    fs::{liar::Liar, memory::Tree},
    limits,
};

fn volume(id: &str, disk: usize, uuid: &str, tree: Tree) -> NodeVolume {
    let source: block::Source = Arc::new(block::Memory::default());
    let volume = Volume {
        id: id.to_owned(),
        disk,
        start: 0,
        source,
        partition: None,
        names: Vec::new(),
        parts: Vec::new(),
    };
    let opened = Opened {
        fs: tree.build(),
        kind: "memory",
        uuid: Some(uuid.to_owned()),
        label: None,
        notes: Vec::new(),
    };
    NodeVolume { volume, opened }
}

fn root(fstab: &str, files: &[(&str, &str)]) -> NodeVolume {
    let mut tree = Tree::default();
    tree.file("usr/lib/os-release", "ID=debian\n");
    tree.file("etc/fstab", fstab);
    for (path, content) in files {
        tree.file(path, *content);
    }
    volume("disk0p1", 0, "aaaa", tree)
}

fn data(path: &str) -> NodeVolume {
    let mut tree = Tree::default();
    tree.file(&format!("{path}/io.containerd.metadata.v1.bolt/meta.db"), "x");
    volume("disk1", 1, "bbbb", tree)
}

fn sites(machine: &Machine) -> Vec<(Option<String>, String)> {
    machine.sites.iter().map(|site| (site.volume.clone(), site.path.to_string())).collect()
}

#[test]
fn a_separate_var_is_mounted_by_uuid_or_device() {
    for spec in ["UUID=BBBB", "/dev/disk/by-uuid/bbbb", "/dev/sdb", "/dev/nvme1n1"] {
        let machine =
            assemble(&[root(&format!("{spec} /var ext4 defaults 0 2\n"), &[]), data("lib/containerd")], &[]);
        assert_eq!(sites(&machine), [(None, "/var/lib/containerd".to_owned())], "{spec}");
        assert!(machine.gaps.is_empty() && machine.reasons.is_empty());
    }
}

#[test]
fn a_data_disk_that_nothing_mounts_is_searched() {
    for path in ["", "containerd", "lib/containerd", "var/lib/containerd"] {
        let machine = assemble(&[root("", &[]), data(path)], &[]);
        assert_eq!(sites(&machine), [(Some("disk1".to_owned()), format!("/{path}"))], "{path}");
    }
}

#[test]
fn state_that_is_on_no_given_disk_is_a_reason() {
    let config = |root: &str| format!("root = \"{root}\"\n");
    for (path, code) in [("/mnt/aks/containers", Code::EphemeralOsDisk), ("/data/ctrd", Code::MissingDisk)] {
        let machine = assemble(&[root("", &[("etc/containerd/config.toml", &config(path))])], &[]);
        assert_eq!(machine.reasons.iter().map(|r| r.code).collect::<Vec<_>>(), [code], "{path}");
    }
    // A disk of its own below the place of Azure's temporary disk is none that ends with the machine.
    let files = [("etc/containerd/config.toml", "root = \"/mnt/data/ctrd\"\n")];
    for (fstab, codes) in [
        ("LABEL=data /mnt/data ext4 nofail\n", vec![Code::MissingDisk]),
        ("LABEL=data /mnt/data ext4 defaults\n", vec![Code::MissingDisk, Code::MissingDisk]),
        ("/dev/disk/cloud/azure_resource-part1 /mnt auto nofail\n", vec![Code::EphemeralOsDisk]),
        ("/dev/sdb1 /mnt auto nofail,comment=cloudconfig\n", vec![Code::EphemeralOsDisk]),
        ("UUID=dddd /mnt ext4 nofail\n", vec![Code::MissingDisk]),
    ] {
        let machine = assemble(&[root(fstab, &files)], &[]);
        assert_eq!(machine.reasons.iter().map(|r| r.code).collect::<Vec<_>>(), codes, "{fstab}");
    }
    // Nothing shows that a machine has a temporary disk but what a cloud's own programs say.
    for (agent, code) in [
        ("", Code::MissingDisk),
        ("ResourceDisk.Format=n\nResourceDisk.MountPoint=/mnt\n", Code::MissingDisk),
        ("ResourceDisk.Format=y\n", Code::MissingDisk),
        ("# x\nResourceDisk.Format=y\nResourceDisk.MountPoint=/mnt\n", Code::EphemeralOsDisk),
    ] {
        let machine = assemble(&[root("", &[files[0], ("etc/waagent.conf", agent)])], &[]);
        assert_eq!(machine.reasons.iter().map(|r| r.code).collect::<Vec<_>>(), [code], "{agent}");
    }
    for (path, code) in
        [("/mnt/disks/ssd0/ctrd", Code::EphemeralOsDisk), ("/mnt/disks/data", Code::MissingDisk)]
    {
        let machine = assemble(&[root("", &[("etc/containerd/config.toml", &config(path))])], &[]);
        assert_eq!(machine.reasons.iter().map(|r| r.code).collect::<Vec<_>>(), [code], "{path}");
    }
    let label = "KUBELET_NODE_LABELS=agentpool=a,kubernetes.azure.com/storageprofile=ephemeral,x=y\n";
    let machine = assemble(&[root("", &[("etc/default/kubelet", label)])], &[]);
    assert_eq!(machine.reasons[0].code, Code::EphemeralOsDisk);
    assert!(machine.reasons[0].evidence.contains("storageprofile=ephemeral"));
}

#[test]
fn a_system_on_a_data_disk_does_not_take_the_roots_place() {
    let planted = || {
        volume("disk0", 0, "cccc", {
            let mut tree = Tree::default();
            tree.file("etc/os-release", "ID=other\n");
            tree
        })
    };
    let own = |fstab: &str| {
        let mut own = root(fstab, &[]);
        (own.volume.id, own.volume.disk) = ("vg/root".to_owned(), 1);
        own
    };
    let named = assemble(&[planted(), own("UUID=aaaa / ext4 defaults 0 1\n")], &[]);
    assert_eq!((named.os.unwrap().id.as_str(), named.gaps.len()), ("debian", 0));
    let unnamed = assemble(&[planted(), own("")], &[]);
    assert_eq!(unnamed.gaps.iter().map(|gap| gap.subject.as_str()).collect::<Vec<_>>(), ["vg/root"]);
}

#[test]
fn two_volumes_that_fit_one_line_are_told() {
    let machine = assemble(
        &[root("UUID=bbbb /var ext4 defaults 0 2\n", &[]), data("lib/containerd"), {
            let mut other = data("lib/containerd");
            other.volume.id = "disk2".to_owned();
            other
        }],
        &[],
    );
    assert_eq!(machine.gaps.iter().map(|gap| gap.code).collect::<Vec<_>>(), [Code::CorruptStructure]);
}

#[test]
fn a_second_runtime_that_is_not_there_is_a_gap_and_no_reason_to_stop() {
    let state = ("var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db", "x");
    let docker = |root: &str| format!("{{\"data-root\": \"{root}\"}}");
    let machine =
        |data: &str| assemble(&[root("", &[state, ("etc/docker/daemon.json", &docker(data))])], &[]);
    let elsewhere = machine("/data/docker");
    assert!(elsewhere.reasons.is_empty());
    assert_eq!(elsewhere.gaps.iter().map(|gap| gap.code).collect::<Vec<_>>(), [Code::MissingDisk]);
    assert!(machine("/var/lib/docker").gaps.is_empty(), "one that never ran");
}

#[test]
fn a_configured_store_goes_before_one_on_a_volume_that_is_not_mounted() {
    let config = ("etc/containerd/config.toml", "root = \"/srv/ctrd\"\n");
    let state = ("srv/ctrd/io.containerd.metadata.v1.bolt/meta.db", "x");
    let machine = assemble(&[data("containerd"), root("", &[config, state])], &[]);
    let order: Vec<_> = sites(&machine).into_iter().map(|(volume, _)| volume).collect();
    assert_eq!(order, [None, Some("disk1".to_owned())]);
}

#[test]
fn a_volume_that_fstab_names_and_nobody_gave_is_a_gap() {
    let machine = assemble(&[root("UUID=cccc /var/lib/containerd ext4 defaults 0 2\n", &[])], &[]);
    assert_eq!(machine.gaps[0].code, Code::MissingDisk);
}

#[test]
fn a_missing_disk_that_the_machine_does_without_is_none_unless_it_holds_a_runtimes_state() {
    let gaps =
        |at: &str| assemble(&[root(&format!("LABEL=x {at} auto defaults,nofail 0 2\n"), &[])], &[]).gaps;
    assert_eq!(gaps("/mnt").len(), 0);
    assert_eq!(gaps("/var").len(), 1);
}

#[test]
fn disks_named_as_the_kernel_counts_may_be_given_in_any_order() {
    let place = |disk: usize, mut volume: NodeVolume| {
        volume.volume.disk = disk;
        volume.volume.id = format!("disk{disk}");
        volume
    };
    let plain = || volume("", 0, "cccc", Tree::default());
    let fstab = "UUID=aaaa / ext4\n/dev/sdb /var ext4\n/dev/sdc /srv ext4\n";
    // Of two, either may be meant; whatever is mounted, the state is found.
    for (var, srv) in [(1, 2), (2, 1)] {
        let all = [place(0, root(fstab, &[])), place(var, data("lib/containerd")), place(srv, plain())];
        let machine = assemble(&all, &[]);
        assert_eq!(machine.sites.len(), 1, "{:?}", sites(&machine));
        assert!(machine.reasons.is_empty());
        let told: Vec<_> = machine.gaps.iter().map(|gap| (gap.code, gap.subject.as_str())).collect();
        assert_eq!(told, [(Code::MissingDisk, "disk1"), (Code::MissingDisk, "disk2")], "{:?}", machine.gaps);
    }
    // One is no other, wherever it stands and however it is counted.
    for (own, var) in [(0, 1), (1, 0)] {
        for spec in ["/dev/sdb", "/dev/sdc", "/dev/nvme1n1"] {
            let fstab = format!("UUID=aaaa / ext4\n{spec} /var ext4\n");
            let machine = assemble(&[place(own, root(&fstab, &[])), place(var, data("lib/containerd"))], &[]);
            assert_eq!(sites(&machine), [(None, "/var/lib/containerd".to_owned())], "{own} {spec}");
            assert_eq!(machine.gaps, []);
        }
    }
    // Of two that are named and one that was given, nobody knows which it is.
    let machine = assemble(&[root(fstab, &[]), place(1, data("lib/containerd"))], &[]);
    assert_eq!(sites(&machine), [(None, "/var/lib/containerd".to_owned())]);
    assert!(
        machine
            .gaps
            .iter()
            .any(|gap| gap.subject == "disk1" && gap.detail.ends_with("a disk that was not given"))
    );
}

#[test]
fn a_second_place_of_a_mounted_volume_is_no_guess() {
    // By position `/dev/sda1` is the root: it is not shown at another place because of that.
    let machine = assemble(&[root("UUID=aaaa / ext4\n/dev/sda1 /data ext4 defaults 0 2\n", &[])], &[]);
    assert_eq!(machine.mounts.iter().map(|mount| mount.path.to_string()).collect::<Vec<_>>(), ["/"]);
    assert_eq!(machine.gaps.iter().map(|gap| gap.code).collect::<Vec<_>>(), [Code::MissingDisk]);
}

fn with_directories(fstab: &str) -> NodeVolume {
    root(fstab, &[("srv/x", "here"), ("b/y", ""), ("c/y", "")])
}

#[test]
fn directories_are_shown_at_second_places_in_any_order() {
    let fstab = "/c /d none bind\n/b /c none bind\n/srv /b none bind\n/gone /e none bind\n";
    let machine = assemble(&[root(fstab, &[("srv/x", "here"), ("b/y", ""), ("c/y", ""), ("d/y", "")])], &[]);
    let root = machine.root.unwrap();
    assert_eq!(root.read(b"d/x", "file").unwrap().unwrap(), b"here");
    let shown: Vec<_> =
        machine.mounts.iter().filter_map(|mount| mount.shows.as_ref().map(ToString::to_string)).collect();
    assert_eq!(shown.len(), 3, "{shown:?}");
    assert_eq!(machine.gaps, []);
    // Those that need each other are shown as they are; a long chain is told.
    let machine = assemble(&[with_directories("/b /c none bind\n/c /b none bind\n")], &[]);
    assert_eq!((machine.mounts.len(), machine.gaps.len()), (3, 0));
    let chain: String = (0..20).rev().map(|n| format!("/m{n} /m{} none bind\n", n + 1)).collect();
    let machine = assemble(&[with_directories(&format!("{chain}/srv /m0 none bind\n"))], &[]);
    assert_eq!(machine.gaps.iter().map(|gap| gap.code).collect::<Vec<_>>(), [Code::LimitReached]);
    // What lies below the place of a disk that was not given is not what the machine sees there.
    let machine = assemble(&[with_directories("LABEL=x /srv ext4\n/srv /b none bind\n")], &[]);
    assert_eq!(machine.mounts.len(), 1);
}

#[test]
fn of_two_systems_that_call_themselves_the_root_the_other_is_told() {
    let mut other = root("UUID=cccc / ext4\n", &[]);
    (other.volume.id, other.volume.disk, other.opened.uuid) =
        ("disk1".to_owned(), 1, Some("cccc".to_owned()));
    let machine = assemble(&[root("UUID=aaaa / ext4\n", &[]), other], &[]);
    assert_eq!(machine.mounts[0].volume, "disk0p1");
    assert_eq!(machine.gaps.iter().map(|gap| gap.subject.as_str()).collect::<Vec<_>>(), ["disk1"]);
}

#[test]
fn a_bind_mount_does_not_replace_the_root() {
    let machine = assemble(&[root("/srv / none bind\n", &[("srv/x", ""), ("etc/hostname", "a\n")])], &[]);
    assert_eq!(machine.hostname.as_deref(), Some("a"));
}

#[test]
fn a_long_fstab_is_cut_and_told() {
    let fstab: String = (0..20_000).map(|n| format!("/srv /m{n} none bind\n")).collect();
    let machine = assemble(&[root(&fstab, &[("srv/x", "")])], &[]);
    assert_eq!(machine.gaps.iter().map(|gap| gap.code).collect::<Vec<_>>(), [Code::LimitReached]);
}

#[test]
fn a_unit_of_the_machines_own_goes_before_its_fstab() {
    let fstab = "UUID=bbbb /var ext4 defaults 0 2\n";
    let unit = ("etc/systemd/system/var.mount", "[Mount]\nWhat=LABEL=gone\nOptions=nofail\n");
    let machine = assemble(&[root(fstab, &[unit]), data("lib/containerd")], &[]);
    assert_eq!(machine.mounts.len(), 1);
    assert_eq!(sites(&machine), [(Some("disk1".to_owned()), "/lib/containerd".to_owned())]);
    assert_eq!(machine.gaps.iter().map(|gap| gap.code).collect::<Vec<_>>(), [Code::MissingDisk]);
    // One of the system's does not.
    let unit = ("usr/lib/systemd/system/var.mount", unit.1);
    let machine = assemble(&[root(fstab, &[unit]), data("lib/containerd")], &[]);
    assert_eq!((machine.mounts.len(), machine.gaps.len()), (2, 0));
}

/// A volume of ostree of which one file cannot be read, or a part of every directory.
fn ostree(files: &[(&str, &str)], unreadable: Option<&str>) -> Machine {
    let mut tree = Tree::default();
    for (path, content) in files {
        tree.file(path, *content);
    }
    let mut one = volume("disk0p1", 0, "aaaa", tree);
    let found =
        |path: &str| Root::new(Arc::clone(&one.opened.fs)).find(path.as_bytes()).unwrap().unwrap().ino;
    let bad = unreadable.map(found);
    let mut liar = match bad {
        Some(_) => Liar::new(one.opened.fs, |_, _| {}),
        None => Liar::damaged(one.opened.fs),
    };
    liar.unreadable = bad;
    one.opened.fs = Arc::new(liar);
    assemble(&[one], &[])
}

fn codes(machine: &Machine) -> Vec<Code> {
    machine.gaps.iter().map(|gap| gap.code).collect()
}

#[test]
fn what_of_ostree_cannot_be_read_is_told_whatever_comes_of_it() {
    let os = ("ostree/deploy/a/deploy/x.0/usr/lib/os-release", "ID=fedora\n");
    let entry = |name: &str| format!("options ostree=/ostree/deploy/a/deploy/{name}\n");
    let (good, bad) = (entry("x.0"), entry("y.0"));
    let (one, two) = ("loader/entries/1.conf", ("loader/entries/2.conf", good.as_str()));
    // Of two entries, one cannot be read: the other counts.
    let machine = ostree(&[(one, &bad), two, os], Some(one));
    assert_eq!(machine.os.as_ref().map(|os| os.id.as_str()), Some("fedora"));
    assert_eq!(codes(&machine), [Code::ReadError]);
    // The only one cannot be read, and no deployment holds a system.
    let machine = ostree(&[(one, &good), ("ostree/deploy/a/deploy/x.0/f", "")], Some(one));
    assert!(machine.root.is_none());
    assert_eq!(codes(&machine), [Code::ReadError]);
    // There are no deployments, or the system is another one, or a deployment.
    for files in [
        &[("ostree/deploy/a/x", ""), ("usr/lib/os-release", "ID=debian\n")][..],
        &[("ostree/deploy/a/x", ""), ("f", "")],
        &[two, os],
    ] {
        let machine = ostree(files, None);
        let effect = "the node's own system may be another one";
        let told =
            machine.gaps.iter().filter(|gap| gap.effect == effect && gap.detail.ends_with("a lost block"));
        assert!(told.count() >= 1, "{:?}", machine.gaps);
    }
    let long = "x".repeat(crate::num::to_usize(limits::BOOT_ENTRY_BYTES) + 1);
    let machine = ostree(&[(one, &long), two, os], None);
    assert!(codes(&machine).contains(&Code::LimitReached), "{:?}", machine.gaps);
    assert!(machine.os.is_some());
}

#[test]
fn boot_loaders_entries_without_end_are_cut_and_told() {
    let paths: Vec<String> = (0..=limits::BOOT_ENTRIES).map(|n| format!("loader/entries/{n}.conf")).collect();
    let mut files: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), "title x\n")).collect();
    files.push(("ostree/deploy/a/deploy/x.0/usr/lib/os-release", "ID=fedora\n"));
    let machine = ostree(&files, Some("loader/entries/0.conf"));
    assert_eq!(machine.os.as_ref().map(|os| os.id.as_str()), Some("fedora"));
    assert_eq!(codes(&machine), [Code::LimitReached]);
}

#[test]
fn a_directory_that_would_tell_the_system_and_cannot_be_read_is_told() {
    let mut tree = Tree::default();
    tree.file("lib/os-release", "ID=flatcar\n");
    let mut usr = volume("disk0p3", 0, "cccc", tree);
    let lib = usr.opened.fs.lookup(usr.opened.fs.root(), b"lib").unwrap();
    let mut liar = Liar::new(usr.opened.fs, |_, _| {});
    liar.unreadable = lib;
    usr.opened.fs = Arc::new(liar);
    let machine = assemble(&[usr], &[]);
    assert!(machine.root.is_none());
    let effect = "whether the node's own system is on it is not known";
    // A report tells equal gaps once.
    let told: BTreeSet<_> =
        machine.gaps.iter().filter(|gap| gap.subject == "disk0p3" && gap.effect == effect).collect();
    assert_eq!(told.len(), 1, "{:?}", machine.gaps);
}

#[test]
fn of_two_lines_for_one_place_the_first_is_mounted_and_the_other_told() {
    let mut other = data("lib/docker/containerd/daemon");
    other.opened.uuid = Some("cccc".to_owned());
    other.volume.id = "disk2".to_owned();
    let fstab = "UUID=bbbb /var ext4\nUUID=cccc /var ext4\n";
    let machine = assemble(&[root(fstab, &[]), data("lib/containerd"), other], &[]);
    let mounts: Vec<_> = machine.mounts.iter().map(|mount| mount.volume.as_str()).collect();
    assert_eq!(mounts, ["disk0p1", "disk1"]);
    assert!(
        machine.gaps.iter().any(|gap| gap.detail.contains("UUID=cccc at /var, which an earlier line does"))
    );
    let row = |volume: Option<&str>, path: &str| (volume.map(str::to_owned), path.to_owned());
    let found = sites(&machine);
    assert!(found.contains(&row(None, "/var/lib/containerd")), "{found:?}");
    assert!(found.iter().any(|(volume, _)| volume.as_deref() == Some("disk2")), "{found:?}");
}

#[test]
fn what_is_mounted_and_no_disk_is_a_gap_where_it_may_hold_state() {
    let fstab = "/srv/d.img /var/lib/docker xfs loop\nh:/x /var/lib/containerd nfs\nh:/y /home nfs\n\
        tmpfs /var/lib/containers tmpfs\n";
    let unit = "[Mount]\nWhat=tank/c\nType=zfs\nWhere=/var/lib/rancher\n";
    let machine = assemble(&[root(fstab, &[("etc/systemd/system/var-lib-rancher.mount", unit)])], &[]);
    let gaps: Vec<_> = machine.gaps.iter().filter(|gap| gap.code == Code::UnsupportedVolume).collect();
    let details: Vec<_> = gaps.iter().map(|gap| gap.detail.as_str()).collect();
    assert_eq!(
        details,
        [
            "/etc/fstab mounts h:/x at /var/lib/containerd (nfs)",
            "/etc/systemd/system/var-lib-rancher.mount mounts tank/c at /var/lib/rancher (zfs)",
        ]
    );
    let missing = machine.gaps.iter().find(|gap| gap.code == Code::MissingDisk).unwrap();
    assert_eq!(missing.detail, "/etc/fstab mounts /srv/d.img at /var/lib/docker, and there is no such file");
}
