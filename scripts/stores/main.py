"""main.py [--newer CACHE] OUT [NAME…]: makes the disks, two at a time. Run by make-stores.sh in namespaces of its own."""
import argparse
import concurrent.futures
import os
import subprocess
import sys
import tempfile
import time

import layers
import registry
from disk import Disk, NotMade

DISKS = {}


def disk(name, file_system, part, **options):
    DISKS[name] = (file_system, part, options)


disk("docker-overlay2-ext4", "ext4", "docker", driver="overlay2", running=True)
disk("docker-overlay2-xfs", "xfs", "docker", driver="overlay2", running=True)
disk("docker-vfs-ext4", "ext4", "docker", driver="vfs", size="1G")
disk("docker-btrfs", "btrfs", "docker", driver="btrfs")
disk("podman-overlay-ext4", "ext4", "podman", driver="overlay", pods=True, running=True)
disk("podman-overlay-xfs", "xfs", "podman", driver="overlay", mountopt="nodev,metacopy=on")
disk("podman-vfs-ext4", "ext4", "podman", driver="vfs")
disk("podman-btrfs", "btrfs", "podman", driver="btrfs", size="1G")
disk("podman-buildah", "ext4", "podman", driver="overlay", few=True, buildah=True)
disk("podman-additional", "ext4", "podman", driver="overlay", few=True, additional="/srv/images")
disk("podman-userns", "ext4", "podman", driver="overlay", few=True, userns=True)
disk("podman-rootless", "ext4", "podman", driver="overlay", few=True, user="u")
disk("podman-rootless-fuse", "xfs", "podman", driver="overlay", few=True, user="u", mount_program="/usr/bin/fuse-overlayfs")
disk("podman-rootless-vfs", "ext4", "podman", driver="vfs", few=True, user="u")
disk("podman-moved-fuse", "ext4", "podman", driver="overlay", few=True, root="/data/containers", mount_program="/usr/bin/fuse-overlayfs")
disk("docker-moved", "ext4", "docker", driver="overlay2", few=True, root="/data/docker")
disk("docker-fuse", "ext4", "docker", driver="fuse-overlayfs", few=True)
disk("docker-remapped", "ext4", "docker", driver="overlay2", few=True, settings={"userns-remap": "u"})
disk("containerd-overlayfs-ext4", "ext4", "containerd", snapshotter="overlayfs", running=True)
disk("containerd-overlayfs-xfs", "xfs", "containerd", snapshotter="overlayfs")
disk("containerd-native-ext4", "ext4", "containerd", snapshotter="native", size="1G")
disk("containerd-btrfs", "btrfs", "containerd", snapshotter="btrfs", size="1G")
disk("containerd-discard", "ext4", "containerd", snapshotter="overlayfs", discard=True)


def make(work, out, name):
    began = time.monotonic()
    file_system, part, options = DISKS[name]
    try:
        made = Disk(work, out, name, file_system, options.get("size", "512M"))
        made.minimal("/", name)
        made.run("/", part, options)
        made.done([name + "-running"] if options.get("running") else [])
        print(f"{name} ({time.monotonic() - began:.0f} s)", flush=True)
        return True
    except (NotMade, OSError, ValueError, subprocess.SubprocessError) as why:
        print(f"NOT MADE: {name}: {why}", flush=True)
        subprocess.run(["umount", "-q", f"{work}/{name}.mnt"])
        return False


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--newer", metavar="CACHE")
    options.add_argument("out")
    options.add_argument("names", nargs="*")
    options = options.parse_args()
    out = os.path.abspath(options.out)
    os.makedirs(out, exist_ok=True)
    unknown = set(options.names) - set(DISKS)
    if unknown:
        raise SystemExit("no such disk: " + ", ".join(sorted(unknown)))
    work = tempfile.mkdtemp()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", work], check=True)
    os.mkdir(work + "/images")
    layers.images(work + "/images")
    registry.serve(work + "/images")
    if "CRI" in os.environ:
        subprocess.run(["cp", os.environ["CRI"], work + "/cri"], check=True)
    with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("JOBS", "2"))) as pool:
        done = list(pool.map(lambda name: make(work, out, name), options.names or DISKS))
    if not all(done):
        sys.exit(1)


main()
