//! What on the disks speaks against an analysis: nodes whose runtime state is on no disk that can be
//! snapshotted, and nodes that run Windows.

use super::{Site, config::Configured, machine::NodeVolume, mounting::Absent};
use crate::{
    fs::{GuestPath, Root},
    gap::{Code, Reason},
    volume::{Signature, Volume},
};

/// Where clouds mount a disk that ends with the virtual machine: Azure's temporary disk, instance stores, local SSDs.
const TEMPORARY: &[&str] = &[
    "mnt/resource",
    "mnt/aks",
    "mnt/k8s-disks",
    "mnt/disks",
    "mnt/stateful_partition/kube-ephemeral-ssd",
    "media/ephemeral0",
];
/// Azure's, too. Other disks are mounted below it.
const MNT: &str = "mnt";

/// An AKS node tells in its kubelet's labels that its OS disk is ephemeral.
pub(super) fn ephemeral(root: &Root) -> Option<Reason> {
    const FILE: &str = "etc/default/kubelet";
    const LABEL: &str = "kubernetes.azure.com/storageprofile=ephemeral";
    // An unreadable file says nothing against the node; what is missing shows in the stores.
    let text = root.read(FILE.as_bytes(), "kubelet defaults").ok().flatten()?;
    let text = String::from_utf8_lossy(&text);
    let has_label = |line: &&str| {
        let labels = line.trim_start().strip_prefix("KUBELET_NODE_LABELS=");
        labels.is_some_and(|labels| labels.split([',', '"', '\'', ' ']).any(|label| label == LABEL))
    };
    let line = text.lines().find(has_label)?;
    Some(Reason {
        code: Code::EphemeralOsDisk,
        detail: "the node keeps its OS on a disk that ends with the virtual machine".to_owned(),
        evidence: format!("/{FILE}: {}", line.chars().take(200).collect::<String>()),
    })
}

/// A configured state directory that is not on the given disks: on a temporary disk, or on one that is missing.
pub(super) fn elsewhere(configured: &Configured, absent: &[Absent]) -> Reason {
    let evidence = format!("{} says {}", configured.file, configured.path);
    let is_other =
        absent.iter().any(|one| configured.path.starts_with(&one.line.at) && !is_temporary(&one.line.at));
    let is_below = configured.path.starts_with(&GuestPath::new(MNT)) || is_temporary(&configured.path);
    if is_below && !is_other {
        let detail =
            "a container runtime keeps its state on a temporary disk, which was not given".to_owned();
        return Reason { code: Code::EphemeralOsDisk, detail, evidence };
    }
    let detail =
        "a container runtime keeps its state in a directory that is on none of the given disks".to_owned();
    Reason { code: Code::MissingDisk, detail, evidence }
}

/// Whether a disk that is mounted at a path is one that ends with the virtual machine.
fn is_temporary(path: &GuestPath) -> bool {
    *path == GuestPath::new(MNT) || TEMPORARY.iter().any(|place| path.starts_with(&GuestPath::new(place)))
}

/// A mount whose disk was not given, where no state was found that it does not hide: it may hold what was not found.
/// Over a temporary disk's place only what was there before it is seen.
pub(super) fn absent(absent: &Absent, sites: &[Site]) -> Option<Reason> {
    let hides =
        |site: &Site| site.volume.is_none() && absent.places.iter().any(|place| site.path.starts_with(place));
    let is_temporary = is_temporary(&absent.line.at);
    let is_hidden = || sites.iter().any(hides) && sites.iter().all(|site| site.volume.is_none());
    if !(sites.is_empty() || is_temporary && is_hidden()) {
        return None;
    }
    let (code, detail) = if is_temporary {
        (
            Code::EphemeralOsDisk,
            "a container runtime keeps its state on a temporary disk, which was not given",
        )
    } else {
        (Code::MissingDisk, "no container runtime's state was found, and a disk of the node was not given")
    };
    Some(Reason { code, detail: detail.to_owned(), evidence: absent.line.text() })
}

/// A disk of a Windows node: NTFS on a disk that Windows partitioned, and no other operating system.
pub(super) fn windows(volumes: &[NodeVolume], unread: &[(Volume, Signature)]) -> Option<Reason> {
    let mut ntfs = volumes.iter().filter(|volume| volume.opened.kind == "ntfs").map(|volume| &volume.volume);
    // The type of MBR partitions with NTFS, and a partition that only Windows makes on GPT disks.
    let is_mbr = |one: &Volume| one.partition.as_ref().is_some_and(|partition| partition.kind == "07");
    let is_reserve = |one: &Volume, (volume, signature): &(Volume, Signature)| {
        volume.disk == one.disk && signature.name == "Microsoft reserved"
    };
    let found = ntfs.find(|one| is_mbr(one) || unread.iter().any(|other| is_reserve(one, other)))?;
    Some(Reason {
        code: Code::WindowsNode,
        detail: "the node runs Windows".to_owned(),
        evidence: format!(
            "{} holds NTFS on a disk that Windows partitioned, and no other system was found",
            found.id
        ),
    })
}
