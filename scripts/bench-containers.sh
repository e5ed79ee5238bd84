#!/usr/bin/env bash
# bench-containers.sh ICECORE [DISK]: how long a node with 1,000 stopped containers and 100 images that share their layers takes.
# DISK is made by a real Podman if it is not there, which takes some minutes. Needs root, podman and hyperfine.
set -euo pipefail
repo=$(cd "$(dirname "$0")/.." && pwd)
if [ "${1:-}" != inside ]; then
  icecore=$(realpath "${1:?}"); disk=$(realpath -m "${2:-$repo/target/bench/containers.raw}"); mkdir -p "$(dirname "$disk")"
  if [ ! -s "$disk" ]; then unshare --mount --pid --fork --mount-proc --kill-child -- "$0" inside "$disk"; fi
  inspected=$("$icecore" inspect -f json "$disk" | python3 -c 'import json,sys; r = json.load(sys.stdin); print(len(r["images"]), len(r["containers"]))')
  [ "$inspected" = "100 1000" ] || { echo "not what was made: $inspected" >&2; exit 1; }
  hyperfine -N -w 2 -m 10 "$icecore inspect -f json $disk" "$icecore scan --no-vulnerabilities -q -f json $disk"
  /usr/bin/time -f 'scan: %M KiB at most' "$icecore" scan --no-vulnerabilities -q -f json "$disk" > /dev/null
  exit
fi
disk=$2; work=$(mktemp -d); mount -t tmpfs tmpfs "$work"; cd "$work"
# Locks of its own.
mount -t tmpfs tmpfs /dev/shm
mkdir root mnt layer; truncate -s 2G "$disk"; mkfs.ext4 -q -O ^has_journal "$disk"; mount -o loop "$disk" mnt
mkdir -p mnt/etc mnt/var/lib/containers/storage
printf 'ID=debian\nVERSION_ID="12"\n' > mnt/etc/os-release; echo bench > mnt/etc/hostname; : > mnt/etc/fstab
mkdir -p layer/var/lib/dpkg layer/bin; echo x > layer/bin/sh; chmod 755 layer/bin/sh
for n in $(seq 200); do printf 'Package: p%s\nStatus: install ok installed\nArchitecture: all\nVersion: 1.%s\n\n' "$n" "$n"; done > layer/var/lib/dpkg/status
tar -C layer -cf base.tar .
podman() { command podman --root "$work/mnt/var/lib/containers/storage" --runroot "$work/run" --storage-driver overlay --cgroup-manager=cgroupfs "$@"; }
podman import -q base.tar base:0 > /dev/null
# A hundred configurations of the same layers.
for n in $(seq 99); do podman import -q -c "LABEL number=$n" base.tar "base:$n" > /dev/null; done
for n in $(seq 1000); do podman create --network none --name "c$n" "base:$((n % 100))" /bin/sh > /dev/null; done
umount mnt
