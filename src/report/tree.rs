//! What lies on what: from each disk over its partitions and volumes to the file systems and where they are mounted.

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Node, Style, Volume,
    columns::shorten,
    table::{bytes, clean},
};

/// What a branch of the tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BranchKind {
    /// A disk.
    Disk,
    /// A part of a disk.
    Partition,
    /// A volume that others make: a logical volume, an array or a part of one. Below a further device of a file system
    /// that spans several, the volume at which that is shown.
    Volume,
    /// What a volume holds: a file system, or another format.
    Content,
    /// A place in the machine's tree where it is mounted.
    Mount,
}

/// A branch of the tree that `inspect` gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Branch {
    /// What it is.
    pub kind: BranchKind,
    /// The id of a disk or volume, the name of a format, the path of a mount.
    pub name: String,
    /// The disk image's file name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub file: Option<String>,
    /// The disk image's format.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub format: Option<String>,
    /// The name of a partition or the label of a file system.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub label: Option<String>,
    /// Bytes of a disk or volume.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub size: Option<u64>,
    /// The disk's partition table: `gpt`, `mbr` or `none`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub partition_table: Option<String>,
    /// What says that it is mounted there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub spec: Option<String>,
    /// The UUID of a partition or file system.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub uuid: Option<String>,
    /// Whether it was shown before, a volume that is made of several or holds a file system that spans several: what is
    /// on it is told at the first place.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub again: bool,
    /// What lies on it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub children: Vec<Branch>,
}

impl Branch {
    fn new(kind: BranchKind, name: &str) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            file: None,
            format: None,
            label: None,
            size: None,
            partition_table: None,
            spec: None,
            uuid: None,
            again: false,
            children: Vec::new(),
        }
    }

    /// What else there is to say of it, most telling first.
    fn details(&self) -> Vec<String> {
        let again = self.again.then(|| "see above".to_owned());
        let words = [&self.file, &self.format, &self.label].map(Option::clone).into_iter().flatten();
        let size = self.size.map(bytes);
        let after = [&self.partition_table, &self.spec, &self.uuid].map(Option::clone).into_iter().flatten();
        let all = words.chain(size).chain(after).chain(again).map(|word| clean(&word));
        all.filter(|word| !word.is_empty()).collect()
    }
}

/// The tree of a node's disks.
pub fn tree(node: &Node) -> Vec<Branch> {
    let mut seen = BTreeSet::new();
    let mut disks = Vec::new();
    for disk in &node.disks {
        let is_part = |volume: &&Volume| {
            let number = volume.id.strip_prefix(disk.id.as_str()).and_then(|rest| rest.strip_prefix('p'));
            let is_partition = number.is_some_and(|n| n.bytes().all(|digit| digit.is_ascii_digit()));
            volume.parts.is_empty() && (volume.id == disk.id || is_partition)
        };
        let mut children = Vec::new();
        for volume in node.volumes.iter().filter(is_part) {
            let branch = volume_branch(node, volume, &mut seen);
            // A disk without a partition table is its own only volume.
            if volume.id == disk.id { children.extend(branch.children) } else { children.push(branch) }
        }
        disks.push(Branch {
            file: Some(disk.name.clone()),
            format: Some(disk.format.clone()),
            size: Some(disk.size),
            partition_table: Some(disk.partition_table.clone()),
            children,
            ..Branch::new(BranchKind::Disk, &disk.id)
        });
    }
    // What no disk leads to would not be shown otherwise.
    let rest: Vec<&Volume> = node.volumes.iter().filter(|volume| !seen.contains(&volume.id)).collect();
    for volume in rest {
        if !seen.contains(&volume.id) {
            disks.push(volume_branch(node, volume, &mut seen));
        }
    }
    disks
}

fn volume_branch(node: &Node, volume: &Volume, seen: &mut BTreeSet<String>) -> Branch {
    let kind = if volume.parts.is_empty() { BranchKind::Partition } else { BranchKind::Volume };
    let again = !seen.insert(volume.id.clone());
    let mut children = Vec::new();
    if !again {
        let made: Vec<&Volume> = node.volumes.iter().filter(|made| made.parts.contains(&volume.id)).collect();
        let mut upper: Vec<Branch> = made.into_iter().map(|made| volume_branch(node, made, seen)).collect();
        upper.extend(
            volume.part_of.as_ref().map(|first| Branch {
                again: seen.contains(first),
                ..Branch::new(BranchKind::Volume, first)
            }),
        );
        let mounts = node.mounts.iter().filter(|mount| mount.volume == volume.id);
        let mounts = mounts.map(|mount| Branch {
            spec: Some(mount.spec.clone()),
            ..Branch::new(BranchKind::Mount, &mount.path)
        });
        children.push(Branch {
            label: volume.label.clone(),
            uuid: volume.uuid.clone(),
            children: upper.into_iter().chain(mounts).collect(),
            ..Branch::new(BranchKind::Content, &volume.content)
        });
    }
    let (label, uuid) = (volume.partition_name.clone(), volume.partition_uuid.clone());
    Branch { label, size: Some(volume.size), uuid, again, children, ..Branch::new(kind, &volume.id) }
}

/// Draws the tree, a branch a line. What a narrow terminal has no room for is left out, the least telling first.
pub(super) fn draw(tree: &[Branch], style: Style, to: &mut dyn Write) -> io::Result<()> {
    for disk in tree {
        line(disk, "", style, to)?;
        draw_below(&disk.children, "", style, to)?;
    }
    Ok(())
}

fn draw_below(branches: &[Branch], before: &str, style: Style, to: &mut dyn Write) -> io::Result<()> {
    for (number, branch) in (1..).zip(branches) {
        let (corner, beside) =
            if number == branches.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        line(branch, &format!("{before}{corner}"), style, to)?;
        draw_below(&branch.children, &format!("{before}{beside}"), style, to)?;
    }
    Ok(())
}

/// Columns in which the end of a name still tells something.
const SHORT: usize = 12;

fn line(branch: &Branch, before: &str, style: Style, to: &mut dyn Write) -> io::Result<()> {
    let mut text = format!("{before}{}", clean(&branch.name));
    let mut between = "  ";
    for detail in branch.details() {
        let room = style.width.saturating_sub(text.chars().count()).saturating_sub(between.chars().count());
        if detail.chars().count() <= room || room >= SHORT {
            text = format!("{text}{between}{}", shorten(&detail, room));
        } else if text.chars().count().saturating_add(2) <= style.width {
            text.push_str(" …");
        }
        if detail.chars().count() > room {
            break;
        }
        between = " · ";
    }
    writeln!(to, "{}", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Disk, Mount};

    fn node() -> Node {
        let volume = |id: &str, content: &str, parts: &[&str]| Volume {
            id: id.to_owned(),
            offset: 0,
            size: 5 << 20,
            content: content.to_owned(),
            uuid: (content == "ext4").then(|| "1111-2222".to_owned()),
            label: None,
            partition_name: id.starts_with("disk0p").then(|| "a name\u{1b}[2J".to_owned()),
            partition_uuid: None,
            parts: parts.iter().map(|part| (*part).to_owned()).collect(),
            part_of: None,
        };
        let disk = |id: &str| Disk {
            id: id.to_owned(),
            name: format!("{id}.raw"),
            format: "raw".to_owned(),
            size: 10 << 20,
            partition_table: "gpt".to_owned(),
        };
        let mount = |path: &str, volume: &str| Mount {
            path: path.to_owned(),
            volume: volume.to_owned(),
            spec: "UUID=1111-2222".to_owned(),
        };
        Node {
            disks: vec![disk("disk0"), disk("disk1"), disk("disk10")],
            volumes: vec![
                volume("disk0p1", "LVM2 physical volume", &[]),
                volume("disk0p2", "swap", &[]),
                volume("disk1", "LVM2 physical volume", &[]),
                volume("vg/root", "ext4", &["disk0p1", "disk1"]),
                volume("vg/var", "ext4", &["disk1"]),
                volume("md/lost", "xfs", &["nothing"]),
            ],
            mounts: vec![mount("/", "vg/root"), mount("/var", "vg/var")],
            ..Node::default()
        }
    }

    fn drawn(width: usize) -> String {
        let mut out = Vec::new();
        draw(&tree(&node()), Style { colour: false, width }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_tree_for_a_wide_terminal() {
        assert_eq!(
            drawn(100),
            "disk0  disk0.raw · raw · 10.0 MiB · gpt\n\
             ├─ disk0p1  a name\\u{1b}[2J · 5.0 MiB\n\
             │  └─ LVM2 physical volume\n\
             │     └─ vg/root  5.0 MiB\n\
             │        └─ ext4  1111-2222\n\
             │           └─ /  UUID=1111-2222\n\
             └─ disk0p2  a name\\u{1b}[2J · 5.0 MiB\n   \
                └─ swap\n\
             disk1  disk1.raw · raw · 10.0 MiB · gpt\n\
             └─ LVM2 physical volume\n   \
                ├─ vg/root  5.0 MiB · see above\n   \
                └─ vg/var  5.0 MiB\n      \
                   └─ ext4  1111-2222\n         \
                      └─ /var  UUID=1111-2222\n\
             disk10  disk10.raw · raw · 10.0 MiB · gpt\n\
             md/lost  5.0 MiB\n\
             └─ xfs\n"
        );
    }

    #[test]
    fn a_further_device_leads_to_the_volume_that_its_file_system_is_shown_at() {
        let mut node = node();
        node.disks.drain(1..);
        node.volumes.truncate(2);
        for volume in &mut node.volumes {
            "btrfs".clone_into(&mut volume.content);
            volume.partition_name = None;
        }
        node.volumes[1].part_of = Some("disk0p1".to_owned());
        node.mounts = vec![Mount { volume: "disk0p1".to_owned(), ..node.mounts[0].clone() }];
        let mut out = Vec::new();
        draw(&tree(&node), Style { colour: false, width: 100 }, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "disk0  disk0.raw · raw · 10.0 MiB · gpt\n\
             ├─ disk0p1  5.0 MiB\n\
             │  └─ btrfs\n\
             │     └─ /  UUID=1111-2222\n\
             └─ disk0p2  5.0 MiB\n   \
                └─ btrfs\n      \
                   └─ disk0p1  see above\n"
        );
    }

    #[test]
    fn a_narrow_terminal_loses_what_tells_least() {
        let narrow = drawn(20);
        assert!(narrow.lines().all(|line| line.chars().count() <= 27), "{narrow}");
        assert!(narrow.starts_with("disk0  disk0.raw …\n"), "{narrow}");
        assert!(narrow.contains("         └─ /var …\n"), "{narrow}");
        let wider = drawn(31);
        assert!(wider.contains("         └─ /var  …ID=1111-2222\n"), "{wider}");
    }
}
