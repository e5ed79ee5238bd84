"""main.py WORK [--newer CACHE] OUT [NAME…]: makes the disks, two at a time. Run by make-stores.sh in namespaces of its own."""
import argparse
import concurrent.futures
import os
import shutil
import subprocess
import sys
import time

import layers
import registry
from disk import Disk, NotMade

DISKS = {}


def disk(name, file_system, part, **options):
    DISKS[name] = (file_system, part, options)


disk("docker-overlay2-ext4", "ext4", "docker", driver="overlay2", running=True, archives=True)
disk("docker-overlay2-xfs", "xfs", "docker", driver="overlay2", running=True)
disk("docker-vfs-ext4", "ext4", "docker", driver="vfs", size="1G")
disk("docker-btrfs", "btrfs", "docker", driver="btrfs")
disk("podman-overlay-ext4", "ext4", "podman", driver="overlay", pods=True, running=True, archives=True)
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
disk("docker-rootless", "ext4", "docker", driver="overlay2", few=True, user="u")
disk("docker-remapped", "ext4", "docker", driver="overlay2", few=True, settings={"userns-remap": "u"})
disk("containerd-overlayfs-ext4", "ext4", "containerd", snapshotter="overlayfs", running=True, archives=True)
disk("containerd-overlayfs-xfs", "xfs", "containerd", snapshotter="overlayfs")
disk("containerd-native-ext4", "ext4", "containerd", snapshotter="native", size="1G")
disk("containerd-btrfs", "btrfs", "containerd", snapshotter="btrfs", size="1G")
disk("containerd-discard", "ext4", "containerd", snapshotter="overlayfs", discard=True)
# Of several runtimes on one node.
disk("all-ext4", "ext4", "docker", driver="overlay2", few=True, size="1G", then=[
    ("podman", dict(driver="overlay", few=True)), ("podman", dict(driver="overlay", few=True, user="u")), ("containerd", dict(snapshotter="overlayfs", few=True))])
# By newer ones.
disk("docker-upgraded", "ext4", "docker", driver="overlay2", few=True, then=[("docker", dict(suite="sid", driver="overlayfs", containerd="own", few=True))])
disk("podman-upgraded", "ext4", "podman", driver="overlay", few=True, pods=True, then=[
    ("podman", dict(suite="sid", driver="overlay", buildah=True, upgraded=True, nothing=True))])
disk("docker28-rootless", "ext4", "docker", suite="sid", driver="overlay2", few=True, user="u")
disk("docker26-overlay2-ext4", "ext4", "docker", suite="trixie", driver="overlay2", buildkit=True)
disk("docker26-containerd-ext4", "ext4", "docker", suite="trixie", driver="overlayfs", containerd="own", buildkit=True, running=True)
disk("docker28-overlay2-xfs", "xfs", "docker", suite="sid", driver="overlay2", buildkit=True, archives=True)
disk("docker28-containerd-ext4", "ext4", "docker", suite="sid", driver="overlayfs", containerd="own", buildkit=True, archives=True)
disk("docker28-containerd-system", "xfs", "docker", suite="sid", driver="overlayfs", containerd="system", buildkit=True)
disk("docker28-btrfs", "btrfs", "docker", suite="sid", driver="btrfs", few=True)
disk("docker28-containerd-btrfs", "btrfs", "docker", suite="sid", driver="btrfs", containerd="own", few=True)
disk("podman54-overlay-ext4", "ext4", "podman", suite="trixie", driver="overlay", pods=True, running=True)
disk("podman54-rootless", "xfs", "podman", suite="trixie", driver="overlay", few=True, user="u")
disk("podman54-btrfs", "btrfs", "podman", suite="trixie", driver="btrfs", few=True)
disk("podman58-overlay-xfs", "xfs", "podman", suite="sid", driver="overlay", mountopt="nodev,metacopy=on", pods=True, archives=True)
disk("podman58-vfs-ext4", "ext4", "podman", suite="sid", driver="vfs", few=True)
disk("podman58-rootless", "ext4", "podman", suite="sid", driver="overlay", few=True, user="u")
disk("podman58-buildah", "ext4", "podman", suite="sid", driver="overlay", few=True, buildah=True)
disk("podman58-userns", "ext4", "podman", suite="sid", driver="overlay", few=True, userns=True)
disk("podman58-composefs", "ext4", "podman", suite="sid", driver="overlay", few=True, composefs=True, odd="registry.example/odd/named:1")
disk("containerd17-overlayfs-ext4", "ext4", "containerd", suite="trixie", snapshotter="overlayfs")
disk("containerd21-overlayfs-xfs", "xfs", "containerd", suite="sid", snapshotter="overlayfs", running=True, archives=True)
disk("containerd21-erofs", "ext4", "containerd", suite="sid", snapshotter="erofs")
disk("containerd21-native", "ext4", "containerd", suite="sid", snapshotter="native", size="1G")
disk("containerd21-btrfs", "btrfs", "containerd", suite="sid", snapshotter="btrfs", size="1G")


def make(work, out, name, cache):
    began = time.monotonic()
    file_system, part, options = DISKS[name]
    try:
        made = Disk(work, out, name, file_system, options.get("size", "512M"))
        for step, (part, options) in enumerate([(part, options), *options.get("then", [])]):
            if "suite" in options and not cache:
                raise NotMade("it needs --newer")
            system = f"{cache}/{options['suite']}" if "suite" in options else "/"
            if not os.path.exists(system + "/usr/bin/python3"):
                raise NotMade(f"there is no {options['suite']}")
            if part == "containerd" and not os.path.exists(work + "/cri"):
                raise NotMade("there is no client of the CRI")
            if step == 0:
                made.minimal(system, name)
            made.run(system, part, options)
            if options.get("upgraded"):  # it has what was there before
                made.facts = made.facts[-1:]
        made.done([name + "-running"] if options.get("running") else [])
        print(f"{name} ({time.monotonic() - began:.0f} s)", flush=True)
        return True
    except (NotMade, OSError, ValueError, subprocess.SubprocessError) as why:
        print(f"NOT MADE: {name}: {why}", flush=True)
        subprocess.run(["umount", "-q", f"{work}/{name}.mnt"])
        return False


def main():
    options = argparse.ArgumentParser()
    options.add_argument("work")
    options.add_argument("--newer", metavar="CACHE")
    options.add_argument("out")
    options.add_argument("names", nargs="*")
    options = options.parse_args()
    out = os.path.abspath(options.out)
    os.makedirs(out, exist_ok=True)
    unknown = set(options.names) - set(DISKS)
    if unknown:
        raise SystemExit("no such disk: " + ", ".join(sorted(unknown)))
    work = options.work + "/memory"
    os.mkdir(work)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", work], check=True)
    if os.path.exists(options.work + "/cri"):
        shutil.copy(options.work + "/cri", work)
    os.mkdir(work + "/images")
    layers.images(work + "/images")
    registry.serve(work + "/images")
    # Of a newer system none, or, if asked for, only those.
    newer = {name for name, (_, _, more) in DISKS.items() if any("suite" in each for each in (more, *(step[1] for step in more.get("then", []))))}
    names = options.names or [name for name in DISKS if (name in newer) == bool(options.newer)]
    with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("JOBS", "2"))) as pool:
        done = list(pool.map(lambda name: make(work, out, name, options.newer and os.path.abspath(options.newer)), names))
    if not all(done):
        sys.exit(1)


main()
