//! By which names an fstab line means a volume.

use std::collections::BTreeSet;

use super::{fstab::Line, machine::NodeVolume};
use crate::{bytes, fs::GuestPath};

/// A disk as the kernel counts: the driver's prefix and the disk's number.
type Counted = (&'static str, usize);

/// Which disk each of the kernel's names means. The kernel counts disks as it finds them, which no disk tells: the disk
/// with the root is the one that its own fstab says, or else the first, and the others are taken in the order in which
/// they were given.
pub(super) struct Names {
    disks: Vec<(Counted, usize)>,
    /// Whether no other order fits.
    pub(super) is_certain: bool,
}

impl Names {
    /// What the names in some lines mean, of these disks, `own` being the one with the root.
    pub(super) fn of(lines: &[Line], own: usize, given: &BTreeSet<usize>) -> Self {
        let counted = |line: &Line| device(&line.spec).map(|(disk, _)| disk);
        let root = lines.iter().filter(|line| line.at == GuestPath::ROOT).find_map(counted);
        let is_root = |(driver, number): &Counted| match root {
            Some(root) if root.0 == *driver => root.1 == *number,
            _ => *number == 0,
        };
        let (root, named): (BTreeSet<Counted>, BTreeSet<Counted>) =
            lines.iter().filter_map(counted).partition(is_root);
        let others = || given.iter().copied().filter(|disk| *disk != own);
        let mut disks: Vec<(Counted, usize)> = root.iter().map(|name| (*name, own)).collect();
        if named.len() == others().count() {
            disks.extend(named.iter().copied().zip(others()));
        } else {
            let before = |(driver, number): &Counted| {
                let root = root.iter().find(|(other, _)| other == driver).map_or(0, |(_, root)| *root);
                if *number > root { number.saturating_sub(1) } else { *number }
            };
            disks.extend(named.iter().filter_map(|name| Some((*name, others().nth(before(name))?))));
        }
        Self { disks, is_certain: named.len() <= 1 && others().count() <= 1 }
    }

    /// No name of the kernel's means anything.
    pub(super) fn none() -> Self {
        Self { disks: Vec::new(), is_certain: true }
    }
}

/// Whether a volume is what an fstab line names.
pub(super) fn is_on(candidate: &NodeVolume, line: &Line, names: &Names) -> bool {
    if candidate.volume.names.contains(&line.spec) {
        return true;
    }
    if let Some((counted, _)) = device(&line.spec) {
        let disk = candidate.volume.disk;
        return has_number(candidate, line) && names.disks.contains(&(counted, disk));
    }
    let partition = candidate.volume.partition.as_ref();
    let spec = line.spec.strip_prefix("/dev/disk/by-").and_then(|by| by.split_once('/'));
    let (key, value) = match (spec, line.spec.split_once('=')) {
        (Some((key, value)), _) => (key, unescaped(value)),
        (None, Some((key, value))) => (key, value.trim_matches('"').to_owned()),
        (None, None) => return false,
    };
    let same = |own: Option<&String>| own.is_some_and(|own| own.eq_ignore_ascii_case(&value));
    match key.to_ascii_uppercase().as_str() {
        "UUID" => same(candidate.opened.uuid.as_ref()),
        "LABEL" => candidate.opened.label.as_ref() == Some(&value),
        "PARTUUID" => same(partition.and_then(|p| p.uuid.as_ref())),
        "PARTLABEL" => partition.and_then(|p| p.name.as_ref()) == Some(&value),
        _ => false,
    }
}

/// Whether a volume is the partition of its disk, or the whole disk, that a line calls as the kernel counts. A name of a
/// disk is none of what several make.
pub(super) fn has_number(candidate: &NodeVolume, line: &Line) -> bool {
    let volume = &candidate.volume;
    let number = volume.partition.as_ref().map(|partition| partition.number);
    volume.parts.is_empty() && device(&line.spec).is_some_and(|(_, named)| named == number)
}

/// A link of udev's without the escapes of what a file name may not hold: `\x20` is a space.
fn unescaped(value: &str) -> String {
    String::from_utf8_lossy(&bytes::unescaped(value, "\\x")).into_owned()
}

/// The disk and the partition's number in a kernel name: `sdb1`, `vda`, `nvme1n1p2`, `xvdf`.
fn device(spec: &str) -> Option<(Counted, Option<u32>)> {
    let name = spec.strip_prefix("/dev/")?;
    if let Some(rest) = name.strip_prefix("nvme") {
        let (disk, rest) = rest.split_once('n')?;
        let number = rest.split_once('p').map(|(_, number)| number.parse()).transpose().ok()?;
        return Some((("nvme", disk.parse().ok()?), number));
    }
    let drivers = ["sd", "vd", "xvd", "hd"];
    let (driver, rest) = drivers.iter().find_map(|driver| Some((*driver, name.strip_prefix(driver)?)))?;
    let letter = rest.bytes().next().filter(u8::is_ascii_lowercase)?;
    let number = rest.get(1..).filter(|number| !number.is_empty()).map(str::parse).transpose().ok()?;
    Some(((driver, usize::from(letter.checked_sub(b'a')?)), number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_udev_are_read_without_their_escapes() {
        for (link, name) in
            [("my\\x20var", "my var"), ("a\\x2fb\\xc3\\xa9", "a/bé"), ("x\\xzz", "x\\xzz"), ("\\x2", "\\x2")]
        {
            assert_eq!(unescaped(link), name);
        }
    }
}
