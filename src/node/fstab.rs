//! What is mounted where, as `/etc/fstab` says it (fstab(5)).

use crate::fs::{GuestPath, Subvolume};

/// One line of it, or what says the same elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Which file says so, or what else.
    pub(super) from: String,
    /// What: `UUID=…`, `LABEL=…`, a device, or a directory for a bind mount.
    pub(super) spec: String,
    /// Where.
    pub(super) at: GuestPath,
    /// The file system's type.
    pub(super) kind: String,
    /// The options.
    pub(super) options: Vec<String>,
}

impl Line {
    /// Which tree of the volume it mounts, if it says; of several options the kernel takes the last.
    pub(super) fn subvolume(&self) -> Option<Subvolume<'_>> {
        self.options.iter().rev().find_map(|option| match option.split_once('=')? {
            ("subvol", path) => Some(Subvolume::Path(path.as_bytes())),
            ("subvolid", id) => id.parse().ok().map(Subvolume::Id),
            _ => None,
        })
    }

    /// The file that says so; what a system does on its own is known by its name.
    pub(super) fn file(&self) -> &str {
        if self.from.starts_with('/') { &self.from } else { "/etc/os-release" }
    }

    /// In words.
    pub(super) fn text(&self) -> String {
        format!("{} mounts {} at {}", self.from, self.spec, self.at)
    }

    /// Whether it shows a directory at a second place. The root is mounted before fstab is read.
    pub(super) fn is_bind(&self) -> bool {
        let binds = self.options.iter().any(|option| option == "bind" || option == "rbind");
        binds && self.at != GuestPath::ROOT
    }

    /// Whether it is about a disk that this node mounts when it starts: not memory, the network, swap, or a drive
    /// for media.
    pub(super) fn is_disk(&self) -> bool {
        let is_device = self.spec.contains('=') || self.spec.starts_with("/dev/");
        is_device && self.is_own() && !self.is_opaque()
    }

    /// Whether it mounts when the node starts what is not read as one of its disks: a place on the network, ZFS, or
    /// directories over each other. What is in memory, or the kernel's, is none.
    pub(super) fn is_opaque(&self) -> bool {
        const KERNELS: [&str; 23] = [
            "autofs",
            "binfmt_misc",
            "bpf",
            "cgroup",
            "cgroup2",
            "configfs",
            "debugfs",
            "devpts",
            "devtmpfs",
            "efivarfs",
            "fusectl",
            "hugetlbfs",
            "ignore",
            "mqueue",
            "none",
            "proc",
            "pstore",
            "ramfs",
            "rpc_pipefs",
            "securityfs",
            "sysfs",
            "tmpfs",
            "tracefs",
        ];
        const STACKED: [&str; 7] = ["zfs", "overlay", "overlayfs", "aufs", "mergerfs", "9p", "virtiofs"];
        // Units need not say a type; that of what is no disk is then its name, too.
        let kind = if self.kind.is_empty() { self.spec.as_str() } else { self.kind.as_str() };
        if !self.is_own() || self.is_file() || KERNELS.contains(&kind) {
            return false;
        }
        let is_network = kind.starts_with("nfs") || kind.starts_with("fuse") || kind == "cifs";
        let is_device = self.spec.contains('=') || self.spec.starts_with("/dev/");
        is_network || STACKED.contains(&kind) || !is_device
    }

    /// Whether it mounts, when the node starts, a disk in a file of the node's tree (snaps, images of disks).
    pub(super) fn is_file(&self) -> bool {
        const IN_FILES: [&str; 3] = ["squashfs", "fuse.squashfuse", "erofs"];
        let is_loop = self.options.iter().any(|option| option == "loop" || option.starts_with("loop="));
        let is_path = self.spec.starts_with('/') && !self.spec.starts_with("/dev/");
        is_path && self.is_own() && (is_loop || IN_FILES.contains(&self.kind.as_str()))
    }

    /// Whether this node mounts it when it starts, at a place of its own: not swap, nor a drive for media.
    fn is_own(&self) -> bool {
        const MEDIA: [&str; 4] = ["/dev/sr", "/dev/cdrom", "/dev/fd", "/dev/floppy"];
        let is_media = MEDIA.iter().any(|drive| self.spec.starts_with(drive));
        // An automount is there as soon as somebody looks.
        let has = |wanted: &str| self.options.iter().any(|option| option == wanted);
        let on_demand = has("noauto") && !has("x-systemd.automount");
        !self.is_bind() && !is_media && !on_demand && self.kind != "swap" && self.at != GuestPath::ROOT
    }
}

/// The lines that name a file system, in order.
pub(super) fn parse(text: &str) -> Vec<Line> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let parsed = lines.filter_map(|line| {
        let mut fields = line.split_ascii_whitespace().map(unescape);
        let (spec, at, kind) = (fields.next()?, fields.next()?, fields.next()?);
        let options = fields.next().unwrap_or_default().split(',').map(str::to_owned).collect();
        let from = "/etc/fstab".to_owned();
        at.starts_with('/').then(|| Line { from, spec, at: GuestPath::new(&at), kind, options })
    });
    parsed.collect()
}

/// Blanks are spelled `\040` and `\011`.
fn unescape(field: &str) -> String {
    field.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_mounted_when_the_node_starts_is_no_disk_of_it() {
        let lines = parse("/dev/sr0 /media/cdrom0 udf,iso9660 user 0 0\nUUID=x /backup ext4 noauto 0 0\n");
        assert_eq!(lines.iter().filter(|line| line.is_disk()).count(), 0);
        assert!(parse("UUID=x /data ext4 noauto,x-systemd.automount 0 0\n")[0].is_disk());
    }

    #[test]
    fn what_is_no_disk_and_not_in_memory_is_opaque() {
        let text = "/srv/d.img /a xfs loop\noverlay /b overlay lowerdir=/x\ntank/d /c zfs\nh:/x /d nfs4\n\
            tmpfs /e tmpfs\nproc /f proc\nUUID=x /g ext4\n/x /h none bind\n/dev/sdb /i ext4 noauto\n";
        let opaque: Vec<_> =
            parse(text).into_iter().filter(Line::is_opaque).map(|line| line.at.to_string()).collect();
        assert_eq!(opaque, ["/b", "/c", "/d"]);
        let files = parse(text).into_iter().filter(Line::is_file).map(|line| line.at.to_string());
        assert_eq!(files.collect::<Vec<_>>(), ["/a"]);
        assert_eq!(parse(text).iter().filter(|line| line.is_disk()).count(), 1);
        let line = &parse("UUID=x /a btrfs subvol=a,subvol=b\n")[0];
        assert!(matches!(line.subvolume(), Some(Subvolume::Path(b"b"))));
    }

    #[test]
    fn lines_that_matter() {
        let lines = parse(
            "# c\nUUID=a / ext4 defaults 0 1\nLABEL=d /mnt/my\\040disk ext4 nofail\n/x /y none bind\nproc /proc proc\n/dev/sdb1 none swap sw\n",
        );
        let shown: Vec<_> = lines.iter().map(|l| (l.at.to_string(), l.is_disk(), l.is_bind())).collect();
        assert_eq!(
            shown,
            [
                ("/".to_owned(), false, false),
                ("/mnt/my disk".to_owned(), true, false),
                ("/y".to_owned(), false, true),
                ("/proc".to_owned(), false, false),
            ]
        );
    }
}
