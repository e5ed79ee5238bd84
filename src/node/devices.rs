//! By which names an fstab line means a volume.

use super::{fstab::Line, machine::NodeVolume};

/// Whether a volume is what an fstab line names.
pub(super) fn is_on(candidate: &NodeVolume, line: &Line) -> bool {
    let partition = candidate.volume.partition.as_ref();
    if candidate.volume.names.contains(&line.spec) {
        return true;
    }
    let spec = line.spec.strip_prefix("/dev/disk/by-").and_then(|by| by.split_once('/'));
    let (key, value) = match spec {
        Some((key, value)) => (key.to_ascii_uppercase(), value),
        None => match line.spec.split_once('=') {
            Some((key, value)) => (key.to_ascii_uppercase(), value.trim_matches('"')),
            None => {
                // A name of a disk is none of what several make.
                let is_of_disk = candidate.volume.parts.is_empty();
                return device(&line.spec).is_some_and(|(disk, number)| {
                    is_of_disk
                        && candidate.volume.disk == disk
                        && partition.map(|partition| partition.number) == number
                });
            }
        },
    };
    let same = |own: Option<&String>| own.is_some_and(|own| own.eq_ignore_ascii_case(value));
    match key.as_str() {
        "UUID" => same(candidate.opened.uuid.as_ref()),
        "LABEL" => candidate.opened.label.as_deref() == Some(value),
        "PARTUUID" => same(partition.and_then(|p| p.uuid.as_ref())),
        "PARTLABEL" => partition.and_then(|p| p.name.as_deref()) == Some(value),
        _ => false,
    }
}

/// The disk's position and the partition's number in a kernel name: `sdb1`, `vda`, `nvme1n1p2`, `xvdf`.
fn device(spec: &str) -> Option<(usize, Option<u32>)> {
    let name = spec.strip_prefix("/dev/")?;
    if let Some(rest) = name.strip_prefix("nvme") {
        let (disk, rest) = rest.split_once('n')?;
        let number = rest.split_once('p').map(|(_, number)| number.parse()).transpose().ok()?;
        return Some((disk.parse().ok()?, number));
    }
    let rest = ["sd", "vd", "xvd", "hd"].iter().find_map(|prefix| name.strip_prefix(prefix))?;
    let letter = rest.bytes().next().filter(u8::is_ascii_lowercase)?;
    let number = rest.get(1..).filter(|number| !number.is_empty()).map(str::parse).transpose().ok()?;
    Some((usize::from(letter.checked_sub(b'a')?), number))
}
