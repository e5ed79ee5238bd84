#!/usr/bin/env bash
# make-lvm-kernel.sh OUT_DIR KERNEL_DIR: physical volumes whose thin pools, RAID, caches and snapshots a real kernel's
# device mapper made and wrote, in a small virtual machine: scripts/lvm-guest.sh runs in it and lists what the kernel
# reads. KERNEL_DIR is an unpacked package of a distribution's kernel (`dpkg -x linux-image-….deb KERNEL_DIR`). To be run
# by hand: SCENARIO=thin, raid, cache, tree or stack makes one of them. disk-fixtures/lvm is what it makes but for `tree`,
# which `make-thin.py` gives a table, and `stack`. Needs qemu-system-x86, lvm2, thin-provisioning-tools, e2fsprogs, cpio, zstd; no root.
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin
here=$(dirname "$(realpath "$0")")
out=$(realpath -m "${1:?usage: make-lvm-kernel.sh OUT_DIR KERNEL_DIR}")
kernel=$(realpath "${2:?usage: make-lvm-kernel.sh OUT_DIR KERNEL_DIR}")
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The guest's tree: this machine's programs with their libraries, and the kernel's modules for block devices.
root=$work/root
mkdir -p "$root"/{bin,proc,sys,dev,tmp,run/lvm,etc/lvm,mnt,usr/sbin,usr/bin,lib/modules}
ln -s bin "$root/sbin"
programs="bash mount umount mkdir cat echo ls dd sha256sum find sort sync truncate stat rm cp seq sleep tr head tail wc cut
  lvm dmsetup mke2fs e2fsck fstrim insmod modprobe depmod thin_check thin_dump thin_restore thin_repair cache_check cache_dump
  cache_restore cache_repair cache_writeback poweroff fallocate sed grep awk basename blockdev mv printf tar uname env zstd blkdiscard perl touch"
for program in $programs; do
  path=$(type -P "$program") || continue
  cp -L "$path" "$root/bin/$program"
  ldd "$path" 2>/dev/null | grep -o '/[^ ]*' | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -Lu "$library" "$root$library"
  done
done
ln -sf bash "$root/bin/sh"
for program in "$root"/bin/*; do ln -s "/bin/$(basename "$program")" "$root/usr/sbin/"; done
modules=$(echo "$kernel"/lib/modules/*)
version=$(basename "$modules")
mkdir -p "$root/lib/modules/$version"
(cd "$modules" && find kernel/drivers/{md,block,virtio} kernel/lib kernel/crypto kernel/fs/{ext4,jbd2,mbcache*} kernel/arch/x86/crypto \
  -name '*.ko*' 2>/dev/null | cpio -pdm --quiet "$root/lib/modules/$version"; cp modules.{builtin,order}* "$root/lib/modules/$version")
depmod -b "$root" "$version"
cp "$here/lvm-guest.sh" "$root/init"
chmod +x "$root/init"
printf 'devices{use_devicesfile=0}\nglobal{locking_type=1 use_lvmpolld=0 event_activation=0}\nactivation{udev_sync=0 udev_rules=0 monitoring=0 thin_pool_autoextend_threshold=100}\nbackup{backup=0 archive=0}\n' > "$root/etc/lvm/lvm.conf"
(cd "$root" && find . | cpio -o -H newc --quiet | zstd -q -1) > "$work/initrd"

# vda is where the guest lists; vdb to vdi are the disks.
drives=()
truncate -s 64M "$work/listing"
drives+=(-drive "file=$work/listing,format=raw,if=virtio")
for size in 8M 8M 8M 8M 8M 48M 36M 8M; do
  name=$work/disk$((${#drives[@]} / 2)).img
  truncate -s "$size" "$name"
  drives+=(-drive "file=$name,format=raw,if=virtio,cache=unsafe")
done
accel=${GUEST_ACCELERATOR:-tcg}
timeout "${GUEST_SECONDS:-900}" qemu-system-x86_64 -machine "q35,accel=$accel" -m 768 -smp 1 -nographic -no-reboot -nic none \
  -kernel "$kernel"/boot/vmlinuz-* -initrd "$work/initrd" \
  -append "console=ttyS0 panic=-1 quiet scenario=${SCENARIO:-all}" "${drives[@]}" < /dev/null | tee "$work/log" >&2
mkdir -p "$work/listed"
tar -xf "$work/listing" -C "$work/listed"
cp -r "$work/listed/." "$out/"
grep -q '^guest: done' "$work/log"
