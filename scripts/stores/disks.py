"""The disks: for each its file system, its size, and the steps in which it is filled: a part (a file beside this) and its options.

`fill` says if a part only of what there is to be filled with is wanted, few or little; `running` has the disk copied too while containers run; `archives` saves images in
every form; `suite` is the system whose programs do it, if not this one's."""

DISKS = {}


def disk(name, file_system, *steps, size="512M"):
    DISKS[name] = (file_system, size, steps)


def docker(driver, **options):
    return "docker", {"driver": driver, **options}


def podman(driver, **options):
    return "podman", {"driver": driver, **options}


def containerd(snapshotter, **options):
    return "containerd", {"snapshotter": snapshotter, **options}


few, little = {"fill": "few"}, {"fill": "little"}
rootless = {"fill": "few", "user": "u"}
fuse = {"fill": "few", "mount_program": "/usr/bin/fuse-overlayfs"}
trixie, sid = {"suite": "trixie"}, {"suite": "sid"}

disk("docker-overlay2-ext4", "ext4", docker("overlay2", running=True, archives=True))
disk("docker-overlay2-xfs", "xfs", docker("overlay2", running=True))
disk("podman-overlay-xfs", "xfs", podman("overlay", mountopt="nodev,metacopy=on"))
disk("podman-overlay-ext4", "ext4", podman("overlay", pods=True, running=True, archives=True))
disk("docker-vfs-ext4", "ext4", docker("vfs"), size="1G")
disk("podman-vfs-ext4", "ext4", podman("vfs"))
disk("docker-btrfs", "btrfs", docker("btrfs"))
disk("podman-btrfs", "btrfs", podman("btrfs"), size="1G")

disk("podman-rootless", "ext4", podman("overlay", **rootless))
disk("podman-rootless-fuse", "xfs", podman("overlay", user="u", **fuse))
disk("podman-rootless-vfs", "ext4", podman("vfs", **rootless))
disk("podman-buildah", "ext4", podman("overlay", buildah=True, **few))
disk("podman-additional", "ext4", podman("overlay", additional="/srv/images", **few))
disk("podman-userns", "ext4", podman("overlay", userns=True, **few))
disk("podman-moved-fuse", "ext4", podman("overlay", root="/data/containers", **fuse))
disk("docker-moved", "ext4", docker("overlay2", root="/data/docker", **few))
disk("docker-fuse", "ext4", docker("fuse-overlayfs", **few))
disk("docker-rootless", "ext4", docker("overlay2", **rootless))
disk("docker-remapped", "ext4", docker("overlay2", settings={"userns-remap": "u"}, **few))

disk("containerd-overlayfs-ext4", "ext4", containerd("overlayfs", running=True, archives=True))
disk("containerd-overlayfs-xfs", "xfs", containerd("overlayfs"))
disk("containerd-native-ext4", "ext4", containerd("native"), size="1G")
disk("containerd-btrfs", "btrfs", containerd("btrfs"), size="1G")
disk("containerd-discard", "ext4", containerd("overlayfs", discard=True))
disk("all-ext4", "ext4", docker("overlay2", **few), podman("overlay", **few), podman("overlay", **rootless), containerd("overlayfs", **few),
     size="1G")

# Small ones, for disk-fixtures.
disk("little-docker", "ext4", docker("overlay2", **little), size="24M")
disk("little-podman", "ext4", podman("overlay", **little), size="24M")
disk("little-podman-rootless", "ext4", podman("overlay", user="u", **little), size="24M")
disk("little-containerd", "ext4", containerd("overlayfs", **little), size="24M")

# By newer ones, which are named after the versions that the suites had when this was written.
disk("docker26-overlay2-ext4", "ext4", docker("overlay2", buildkit=True, **trixie))
disk("docker26-containerd-ext4", "ext4", docker("overlayfs", containerd="own", buildkit=True, running=True, **trixie))
disk("docker28-overlay2-xfs", "xfs", docker("overlay2", buildkit=True, archives=True, **sid))
disk("docker28-containerd-ext4", "ext4", docker("overlayfs", containerd="own", buildkit=True, archives=True, **sid))
disk("docker28-containerd-system", "xfs", docker("overlayfs", containerd="system", buildkit=True, **sid))
disk("docker28-btrfs", "btrfs", docker("btrfs", **few, **sid))
disk("docker28-containerd-btrfs", "btrfs", docker("btrfs", containerd="own", **few, **sid))
disk("docker28-rootless", "ext4", docker("overlay2", **rootless, **sid))
disk("docker-upgraded", "ext4", docker("overlay2", **few), docker("overlayfs", containerd="own", **few, **sid))
disk("podman54-overlay-ext4", "ext4", podman("overlay", pods=True, running=True, **trixie))
disk("podman54-rootless", "xfs", podman("overlay", **rootless, **trixie))
disk("podman54-btrfs", "btrfs", podman("btrfs", **few, **trixie))
disk("podman58-overlay-xfs", "xfs", podman("overlay", mountopt="nodev,metacopy=on", pods=True, archives=True, **sid))
disk("podman58-vfs-ext4", "ext4", podman("vfs", **few, **sid))
disk("podman58-rootless", "ext4", podman("overlay", **rootless, **sid))
disk("podman58-buildah", "ext4", podman("overlay", buildah=True, **few, **sid))
disk("podman58-userns", "ext4", podman("overlay", userns=True, **few, **sid))
disk("podman58-composefs", "ext4", podman("overlay", composefs=True, **few, **sid))
disk("podman58-chunked", "xfs", podman("overlay", chunked=True, **few, **sid))
disk("podman-upgraded", "ext4", podman("overlay", pods=True, **few), podman("overlay", buildah=True, upgraded=True, **sid))
disk("containerd17-overlayfs-ext4", "ext4", containerd("overlayfs", **trixie))
disk("containerd21-overlayfs-xfs", "xfs", containerd("overlayfs", running=True, archives=True, **sid))
disk("containerd21-erofs", "ext4", containerd("erofs", **sid))
disk("containerd21-native", "ext4", containerd("native", **sid), size="1G")
disk("containerd21-btrfs", "btrfs", containerd("btrfs", **sid), size="1G")

disk("containerd21-soci", "ext4", containerd("soci", **sid))
disk("little-docker28", "ext4", docker("overlayfs", containerd="own", **little, **sid), size="24M")
disk("little-podman58", "ext4", podman("overlay", **little, **sid), size="24M")

NEWER = {name for name, (_, _, steps) in DISKS.items() if any("suite" in options for _, options in steps)}
