#!/usr/bin/env bash
# suite.sh CACHE SUITE: CACHE/SUITE, a Debian of another suite with the container runtimes it has, whose programs run on the nodes.
# What kept it from being made is told at the end of CACHE/SUITE.log.
set -euo pipefail
root=$1/$2 suite=$2
if [ -e "$root/made" ]; then exit; fi
rm -rf "$root"; mkdir -p "$root"
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' | awk '!/security/ && !n++')
debootstrap --variant=minbase "$suite" "$root" ${mirror:+"$mirror"} > "$1/$suite.log" 2>&1
printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"; chmod +x "$root/usr/sbin/policy-rc.d"
cp /etc/resolv.conf "$root/etc/"; cp /etc/hosts "$root/etc/"
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
echo 'Acquire::Check-Valid-Until "false";' > "$root/etc/apt/apt.conf.d/90old" # a mirror may be behind
chroot "$root" apt-get update -qq >> "$1/$suite.log" 2>&1
wanted=()
for name in python3 docker.io docker-cli docker-buildx podman buildah skopeo containerd runc crun conmon catatonit fuse-overlayfs \
  uidmap iptables netavark aardvark-dns passt composefs soci-snapshotter rootlesskit slirp4netns \
  erofs-utils btrfs-progs xfsprogs iproute2 zstd; do
  if chroot "$root" apt-cache show "$name" > /dev/null 2>&1; then wanted+=("$name"); fi
done
chroot "$root" apt-get install -y -qq --no-install-recommends "${wanted[@]}" >> "$1/$suite.log" 2>&1
chroot "$root" apt-get clean
touch "$root/made"
