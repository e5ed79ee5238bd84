#!/usr/bin/env bash
# make-stores.sh [--newer CACHE] OUT [NAME…]: disks of nodes on which real container runtimes wrote their stores, OUT/NAME.raw, and
# what is true of each, OUT/NAME.json and OUT/NAME.trees/, as the runtime and the kernel tell it; OUT/archives holds what they save of
# images. The disks are those of scripts/stores/disks.py. Without names, all that the packages of Debian 12 can make; with --newer, all
# that those of Debian's later suites can, which are put into CACHE. Needs root; takes what it lacks from Debian
# (with --packages, only that). JOBS are made at once, or 2.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
missing=()
for pair in dockerd:docker.io podman:podman buildah:buildah skopeo:skopeo fuse-overlayfs:fuse-overlayfs crun:crun runc:runc \
  rootlesskit:rootlesskit slirp4netns:slirp4netns newuidmap:uidmap containerd:containerd catatonit:catatonit musl-gcc:musl-tools debootstrap:debootstrap \
  mkfs.ext4:e2fsprogs mkfs.xfs:xfsprogs mkfs.btrfs:btrfs-progs ip:iproute2 fsfreeze:util-linux zstd:zstd; do
  command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
done
if [ ${#missing[@]} -gt 0 ]; then
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
if [ "${1:-}" = --packages ]; then exit; fi
# What it leaves in memory, in /tmp and of control groups goes with it; what it mounts and starts, with its namespaces.
work=$(mktemp -d) groups=$(find /sys/fs/cgroup -type d | sort)
clean() {
  if [ "${inside:-}" ]; then kill -KILL "$inside" 2> /dev/null && wait "$inside" 2> /dev/null || true; fi
  comm -13 <(echo "$groups") <(find /sys/fs/cgroup -type d | sort) | sort -r | xargs -r -d '\n' rmdir 2> /dev/null || true
  rm -rf "$work"
}
trap clean EXIT; trap 'exit 143' TERM INT
# A client of the CRI, while there is a network to fetch what it is made of.
(cd "$here/cri" && go build -o "$work/cri" .) || true
if [ "${1:-}" = --newer ]; then
  for suite in trixie sid; do
    bash "$here/stores/suite.sh" "${2:?}" $suite || echo "not to be had: $suite: $(tail -n 1 "$2/$suite.log")"
  done
fi
# No runtime sees the machine's network.
unshare --mount --pid --net --fork --mount-proc --kill-child \
  bash -c 'ip link set lo up; exec /usr/bin/python3 "$@"' - "$here/stores/main.py" "$work" "$@" & inside=$!
wait "$inside" && inside= || { status=$? inside=; exit "$status"; }
