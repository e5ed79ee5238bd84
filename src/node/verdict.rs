//! What on the disks speaks against an analysis: nodes whose runtime state is on no disk that can be
//! snapshotted, and nodes that run Windows.

use super::{Site, config::Configured, fstab::Line, machine::NodeVolume, mounting::Absent};
use crate::{
    fs::{GuestPath, Root},
    gap::{Code, Reason},
    volume::{Signature, Volume},
};

/// Where only clouds' own programs mount something, and that a disk that ends with the virtual machine: Azure's agent and AKS
/// the temporary disk, EKS's scripts and cloud-init instance stores, Container-Optimized OS local SSDs.
const TEMPORARY: [&str; 5] = [
    "mnt/resource",
    "mnt/aks",
    "mnt/k8s-disks",
    "mnt/stateful_partition/kube-ephemeral-ssd",
    "media/ephemeral0",
];
/// Below which GKE mounts each local SSD as `ssd0`, `ssd1`, …, and people other disks.
const LOCAL_SSDS: &str = "mnt/disks";
/// Where cloud-init mounts a temporary disk, and people other disks.
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

/// A configured state directory that is not on the given disks: on a temporary disk, if something shows that there is one, or
/// on one that is missing.
pub(super) fn elsewhere(root: &Root, configured: &Configured, absent: &[Absent]) -> Reason {
    let says = format!("{} says {}", configured.file, configured.path);
    let above = absent.iter().map(|one| &one.line).filter(|line| configured.path.starts_with(&line.at));
    // What is mounted last is what the path leads to.
    let line = above.max_by_key(|line| line.at.components().count());
    let evidence = match line {
        Some(line) if !is_temporary(line) => None,
        _ if is_clouds(&configured.path) => Some(says.clone()),
        Some(line) => Some(format!("{says}, and {}", line.text())),
        None => resource_disk(root)
            .filter(|at| configured.path.starts_with(at))
            .map(|at| format!("{says}, and /{WAAGENT} has Azure's temporary disk mounted at {at}")),
    };
    match evidence {
        Some(evidence) => {
            let detail =
                "a container runtime keeps its state on a temporary disk, which was not given".to_owned();
            Reason { code: Code::EphemeralOsDisk, detail, evidence }
        }
        None => {
            let detail =
                "a container runtime keeps its state in a directory that is on none of the given disks"
                    .to_owned();
            Reason { code: Code::MissingDisk, detail, evidence: says }
        }
    }
}

/// What Azure's agent is told of the virtual machine.
const WAAGENT: &str = "etc/waagent.conf";

/// Where Azure's agent mounts the temporary disk, if it is told to.
fn resource_disk(root: &Root) -> Option<GuestPath> {
    let text = root.read(WAAGENT.as_bytes(), "waagent.conf").ok().flatten()?;
    let text = String::from_utf8_lossy(&text);
    let set = |name: &str| {
        let mut pairs = text.lines().rev().filter_map(|line| line.split_once('='));
        pairs.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned())
    };
    set("ResourceDisk.Format").filter(|word| word == "y")?;
    let place = set("ResourceDisk.MountPoint").filter(|place| place.starts_with('/'));
    Some(GuestPath::new(place.as_deref().unwrap_or("/mnt/resource")))
}

/// Whether the disk of a mount is one that ends with the virtual machine.
fn is_temporary(line: &Line) -> bool {
    let is_cloud_inits = line.options.iter().any(|option| option == "comment=cloudconfig");
    let is_named = ["azure_resource", "ephemeral0", "local-ssd"].iter().any(|name| line.spec.contains(name));
    is_named || is_cloud_inits && line.at == GuestPath::new(MNT) || is_clouds(&line.at)
}

/// Whether a path is one at which only clouds' programs mount temporary disks.
fn is_clouds(path: &GuestPath) -> bool {
    let is_ssd = |name: &[u8]| {
        name.strip_prefix(b"ssd").is_some_and(|rest| !rest.is_empty() && rest.iter().all(u8::is_ascii_digit))
    };
    let ssds = GuestPath::new(LOCAL_SSDS);
    let below = || path.components().nth(ssds.components().count());
    TEMPORARY.iter().any(|place| path.starts_with(&GuestPath::new(place)))
        || path.starts_with(&ssds) && below().is_some_and(is_ssd)
}

/// A mount whose disk was not given, where no state was found that it does not hide: it may hold what was not found.
/// Over a temporary disk's place only what was there before it is seen.
pub(super) fn absent(absent: &Absent, sites: &[Site]) -> Option<Reason> {
    let hides =
        |site: &Site| site.volume.is_none() && absent.places.iter().any(|place| site.path.starts_with(place));
    let is_temporary = is_temporary(&absent.line);
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
