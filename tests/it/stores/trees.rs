//! Files of images and containers, path by path, as the kernel shows them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use icecore::{
    fs::{IdRange, Owners},
    scan::{self, OpenedNode, Where},
};

use super::{
    special::{self, Case},
    tally::Answers,
    truth::Truth,
};
use crate::tree;

/// What Docker puts between an image and a container.
const INIT: [&str; 11] = [
    "/.dockerenv",
    "/dev",
    "/dev/console",
    "/dev/pts",
    "/dev/shm",
    "/etc",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/mtab",
    "/etc/resolv.conf",
    "/",
];

/// A tree of a disk: where it is, and the kernel's list of it.
pub(super) struct Place<'a> {
    pub(super) at: Where,
    pub(super) title: String,
    pub(super) list: &'a str,
    /// Owners of a container with a user namespace of its own.
    pub(super) own: Owners,
}

/// Compares lines of one disk.
pub(super) struct Judge<'a> {
    disk: &'a str,
    folder: PathBuf,
    truth: &'a Truth,
    owners: Owners,
}

impl<'a> Judge<'a> {
    pub(super) fn new(path: &Path, disk: &'a str, truth: &'a Truth) -> Self {
        Self { disk, folder: path.parent().unwrap().to_owned(), truth, owners: truth.owners() }
    }

    /// Every path is as the kernel shows it.
    pub(super) fn judge(&self, node: &OpenedNode, place: &Place<'_>, answers: &mut Answers<'_>) {
        let (runtime, title) = (self.truth.title(), &place.title);
        if special::is(self.disk, Case::Refused) {
            return;
        }
        let root = match scan::view(node, &place.at) {
            Ok(root) => root,
            Err(error) => return answers.wrong(&runtime, &format!("{title}: {error}")),
        };
        let ours = tree::walk(&*root.top().fs, usize::MAX);
        for error in &ours.errors {
            answers.wrong(&runtime, &format!("{title}: {}", error.detail()));
        }
        let theirs = std::fs::read_to_string(self.folder.join(place.list)).unwrap();
        let theirs: Vec<&str> = theirs.lines().filter(|line| !line.starts_with('#')).collect();
        answers.count(&runtime, "trees", 1);
        answers.count(&runtime, "paths", theirs.len());
        let mut both: BTreeMap<String, i32> = BTreeMap::new();
        for line in theirs.into_iter().filter_map(|line| self.comparable(line, Some(&place.own))) {
            *both.entry(line).or_default() -= 1;
        }
        for line in ours.lines.values().filter_map(|line| self.comparable(line, None)) {
            *both.entry(line).or_default() += 1;
        }
        for (line, count) in both.into_iter().filter(|(_, count)| *count != 0) {
            let side = if count > 0 { "ours" } else { "kernel" };
            answers.wrong(&runtime, &format!("{title}: {side}: {line}"));
        }
    }

    /// A line as both sides must have it, `None` for what is not compared. The kernel's has the owners that are on the disk. Sizes and
    /// links of directories are the file system's affair.
    fn comparable(&self, line: &str, of_kernel: Option<&Owners>) -> Option<String> {
        let is = |case| special::is(self.disk, case);
        let mut fields: Vec<String> = line.split('\t').map(str::to_owned).collect();
        if is(Case::InitNotSaved) && INIT.contains(&fields[0].as_str()) {
            return None;
        }
        if fields[1] == "d" {
            (fields[5], fields[6]) = ("*".to_owned(), "*".to_owned());
            if self.is_implied(&fields[8]) {
                "*".clone_into(&mut fields[8]);
            }
        }
        if fields[0] == "/" && is(Case::ModeOfRoot) {
            "*".clone_into(&mut fields[2]);
            "*".clone_into(&mut fields[8]);
        }
        if is(Case::LinksNotCounted) {
            "*".clone_into(&mut fields[6]);
        }
        if is(Case::WholeSeconds) {
            let seconds = fields[8].find('.').unwrap_or(fields[8].len());
            fields[8].truncate(seconds);
        }
        if is(Case::EmptyAttributes) {
            let kept: Vec<&str> = fields[9].split(',').filter(|xattr| !xattr.ends_with('=')).collect();
            fields[9] = if kept.is_empty() { "-".to_owned() } else { kept.join(",") };
        }
        if let Some(own) = of_kernel {
            let id = |field: usize| fields[field].parse().unwrap();
            let user = self.owners.user(id(3));
            let group = self.owners.group(id(4));
            fields[3] = inside(&own.users, user).to_string();
            fields[4] = inside(&own.groups, group).to_string();
            if self.owners.user(0) != 0 {
                fields[9] = plain_capability(&fields[9]);
            }
        }
        Some(fields.join("\t"))
    }

    /// Whether a directory's time is that of its making: no tar names it. It was made when its layer was unpacked, over each layer
    /// below anew, but once by Docker; of an archive it has none.
    fn is_implied(&self, time: &str) -> bool {
        if special::is(self.disk, Case::TimesOfDirectories) {
            return true;
        }
        self.truth.title() != "docker" && (!time.ends_with(".000000000") || time == "0.000000000")
    }
}

/// Capabilities as a user namespace shows those that its root gave: version 2, without that root's id (capabilities(7)).
fn plain_capability(xattrs: &str) -> String {
    let plain = xattrs.split(',').map(|xattr| match xattr.strip_prefix("security.capability=") {
        Some(value) if value.len() == 48 => format!("security.capability={}02{}", &value[..6], &value[8..40]),
        _ => xattr.to_owned(),
    });
    plain.collect::<Vec<_>>().join(",")
}

/// An owner in a container's own namespace; those of its image's files are not all in it.
fn inside(ranges: &[IdRange], id: u32) -> u32 {
    let of = |range: &IdRange| {
        id.checked_sub(range.outside).filter(|at| *at < range.count).map(|at| range.inside + at)
    };
    ranges.iter().find_map(of).unwrap_or(id)
}

/// Owners of containers with user namespaces of their own, by the containers' ids, as the records of containers/storage tell them.
pub(super) fn own_owners(node: &OpenedNode, truth: &Truth) -> BTreeMap<String, Owners> {
    let (Some(root), "podman") = (&truth.root, truth.runtime.as_str()) else { return BTreeMap::new() };
    let tree = scan::view(node, &Where::Node).unwrap();
    let mut all = BTreeMap::new();
    for list in ["containers", "volatile-containers"] {
        for driver in ["overlay", "vfs", "btrfs"] {
            let path = format!("{root}/{driver}-containers/{list}.json");
            let Some(text) = tree.read(path.as_bytes(), "containers").unwrap() else { continue };
            for record in serde_json::from_slice::<Vec<serde_json::Value>>(&text).unwrap() {
                let ranges = |key: &str| -> Vec<IdRange> {
                    let number = |range: &serde_json::Value, key: &str| {
                        u32::try_from(range[key].as_u64().unwrap()).unwrap()
                    };
                    let of = |range: &serde_json::Value| IdRange {
                        inside: number(range, "container_id"),
                        outside: number(range, "host_id"),
                        count: number(range, "size"),
                    };
                    record[key].as_array().into_iter().flatten().map(of).collect()
                };
                let owners = Owners { users: ranges("uidmap"), groups: ranges("gidmap") };
                all.insert(record["id"].as_str().unwrap().to_owned(), owners);
            }
        }
    }
    all
}
