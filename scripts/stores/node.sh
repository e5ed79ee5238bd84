#!/bin/sh
# node.sh DISK SYSTEM WORK PART ARGUMENTS…: runs PART.py as if the machine had been started from DISK, a mounted file system, so that what
# runtimes write down (their own paths, mounts) is what a node's would be. Programs come from SYSTEM/usr. WORK is seen as /run/stores, these
# scripts as /run/scripts. To be started in mount and process namespaces of its own.
set -e
disk=$1 system=$2 work=$3 part=$4; shift 4
scripts=$(dirname "$(dirname "$(realpath "$0")")")
mount --make-rprivate /
mount --bind "$system/usr" "$disk/usr"
mount -t proc proc "$disk/proc"
mount --rbind /dev "$disk/dev"
mount -t tmpfs -o mode=1777 tmpfs "$disk/dev/shm" # Podman counts its locks there, of all nodes together
mount -t sysfs sysfs "$disk/sys"
case $part in
  containerd) mount --rbind /sys/fs/cgroup "$disk/sys/fs/cgroup";; # it wants controllers
  *) mount -t cgroup2 cgroup2 "$disk/sys/fs/cgroup";; # the others want no mixture of old and new ones, as some machines have
esac
mount -t tmpfs -o mode=755 tmpfs "$disk/run"
mount -t tmpfs -o mode=1777 tmpfs "$disk/tmp"
mkdir "$disk/run/stores" "$disk/run/scripts" "$disk/run/old" "$disk/run/lock"
mount --bind "$work" "$disk/run/stores"
mount --bind "$scripts" "$disk/run/scripts"
cd "$disk"
pivot_root . run/old
umount -l /run/old
cd /
exec env -i PATH=/usr/sbin:/usr/bin HOME=/root LC_ALL=C.UTF-8 TMPDIR=/tmp PYTHONDONTWRITEBYTECODE=1 python3 "/run/scripts/stores/$part.py" "$@"
