#!/usr/bin/env bash
# make-lvm-kernel.sh OUT_DIR KERNEL_DIR: physical volumes whose thin pools, RAID, caches and snapshots a real kernel's
# device mapper made and wrote, in a small virtual machine: scripts/lvm-guest.sh runs in it and lists what the kernel
# reads. KERNEL_DIR is an unpacked package of a distribution's kernel (`dpkg -x linux-image-….deb KERNEL_DIR`). To be run
# by hand: SCENARIO=thin, raid, mirror, cache, tree or stack makes one of them. disk-fixtures/lvm is what it makes but for `tree`,
# which `make-thin.py` gives a table, and `stack`. Needs qemu-system-x86, lvm2, thin-provisioning-tools, e2fsprogs, cpio, zstd; no root.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
. "$here/guest.sh"
out=$(realpath -m "${1:?usage: make-lvm-kernel.sh OUT_DIR KERNEL_DIR}")
kernel=$(realpath "${2:?usage: make-lvm-kernel.sh OUT_DIR KERNEL_DIR}")
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

root=$work/root
programs="bash mount umount mkdir cat echo ls dd sha256sum find sort sync truncate stat rm cp seq sleep tr head tail wc cut
  lvm dmsetup mke2fs e2fsck fstrim insmod modprobe depmod thin_check thin_dump thin_restore thin_repair cache_check cache_dump
  cache_restore cache_repair cache_writeback poweroff fallocate sed grep awk basename blockdev mv printf tar uname env zstd blkdiscard perl touch"
guest_tree "$root" "$kernel" "$here/lvm-guest.sh" "$programs" \
  "kernel/drivers/md kernel/drivers/block kernel/drivers/virtio kernel/lib kernel/crypto kernel/fs/ext4 kernel/fs/jbd2 kernel/fs/mbcache.ko kernel/arch/x86/crypto"
mkdir -p "$root/run/lvm" "$root/etc/lvm"
printf 'devices{use_devicesfile=0}\nglobal{locking_type=1 use_lvmpolld=0 event_activation=0}\nactivation{udev_sync=0 udev_rules=0 monitoring=0 thin_pool_autoextend_threshold=100}\nbackup{backup=0 archive=0}\n' > "$root/etc/lvm/lvm.conf"

# vda is where the guest lists; vdb to vdi are the disks.
drives=()
truncate -s 64M "$work/listing"
drives+=(-drive "file=$work/listing,format=raw,if=virtio")
for size in 8M 8M 8M 8M 8M 48M 36M 8M; do
  name=$work/disk$((${#drives[@]} / 2)).img
  truncate -s "$size" "$name"
  drives+=(-drive "file=$name,format=raw,if=virtio,cache=unsafe")
done
ended=0
guest_run "$root" "$kernel" "$work/log" 768 "scenario=${SCENARIO:-all}" "${drives[@]}" || ended=$?
mkdir -p "$work/listed"
tar -xf "$work/listing" -C "$work/listed"
cp -r "$work/listed/." "$out/"
exit $ended
