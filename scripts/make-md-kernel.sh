#!/usr/bin/env bash
# make-md-kernel.sh OUT_DIR KERNEL_DIR: members of MD arrays whose reshape a real kernel has begun and not finished, in a
# small virtual machine: scripts/md-guest.sh runs in it and lists what that kernel reads. KERNEL_DIR is an unpacked package of
# a distribution's kernel (`dpkg -x linux-image-….deb KERNEL_DIR`). To be run by hand; VARIANTS="r5-grow …" makes some of them.
# disk-fixtures/md/reshape has a few. Needs qemu-system-x86, mdadm, cpio, zstd; no root.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
. "$here/guest.sh"
out=$(realpath -m "${1:?usage: make-md-kernel.sh OUT_DIR KERNEL_DIR}")
kernel=$(realpath "${2:?usage: make-md-kernel.sh OUT_DIR KERNEL_DIR}")
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

root=$work/root
programs="bash mount umount mkdir cat echo ls dd sha256sum sync truncate rm cp seq sleep tr head cut insmod modprobe depmod
  mdadm losetup poweroff sed grep awk blockdev mv ln tar zstd cmp"
guest_tree "$root" "$kernel" "$here/md-guest.sh" "$programs" \
  "kernel/drivers/md kernel/drivers/block kernel/drivers/virtio kernel/lib kernel/crypto kernel/arch/x86/crypto"
mkdir -p "$root/run/mdadm"

# vda is where the guest lists.
truncate -s 512M "$work/listing"
ended=0
GUEST_SECONDS=${GUEST_SECONDS:-1500} guest_run "$root" "$kernel" "$work/log" 1024 "variants=$(echo "${VARIANTS:-all}" | tr ' ' ,)" \
  -drive "file=$work/listing,format=raw,if=virtio" || ended=$?
mkdir -p "$work/listed"
tar -xf "$work/listing" -C "$work/listed"
for image in "$work"/listed/*.img; do zstd -q -f -19 "$image" -o "$out/$(basename "$image").zst"; done
cp "$work/listed/reshape.tsv" "$out/reshape.tsv"
exit $ended
