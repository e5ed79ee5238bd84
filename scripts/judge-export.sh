#!/usr/bin/env bash
# judge-export.sh ICECORE STORES OUT [DISK…]: exports images of the disks that make-stores.sh made, and lets skopeo, Podman and
# containerd take each archive in; what they then show is held against what the kernel showed of the image on its own disk. Of images
# whose layers' tars Docker and Podman can make again, the id and every layer must be the image's own, byte for byte.
# IMAGES (a pattern of a name, or of an id) judges only those, ANEW=yes copies of the disks of which nothing of
# those tars is kept. Needs root, skopeo, podman, containerd, and 2 GB in OUT.
set -euo pipefail
icecore=$(realpath "$1"); stores=$(realpath "$2"); mkdir -p "$3"; out=$(realpath "$3"); shift 3
here=$(dirname "$(realpath "$0")")
# With ANEW not those of fuse-overlayfs, which shows other files than the image has, and not one with times that no tar has.
own="docker-fuse podman-moved-fuse podman58-chunked"; [ -z "${ANEW:-}" ] || own=
[ $# -gt 0 ] || set -- docker-overlay2-ext4 docker-vfs-ext4 docker-btrfs podman-overlay-xfs podman-vfs-ext4 podman-rootless \
  docker-remapped docker28-overlay2-xfs podman54-overlay-ext4 podman58-userns $own \
  containerd-overlayfs-ext4 containerd-native-ext4 containerd-discard containerd21-erofs containerd21-soci \
  docker28-containerd-ext4
# What is mounted and started here ends with its namespaces.
exec unshare --mount --pid --fork --kill-child --mount-proc --propagation private \
  python3 "$here/judge-export.py" "$icecore" "$stores" "$out" "$@"
