#!/bin/bash
# in-guest.sh KERNEL_DIR OUT_DIR COMMAND…: runs a command under another kernel, in a small virtual machine (`guest.sh`) that
# sees this machine's files, read-only, and may write below $TMPDIR and to OUT_DIR, whose path is the last word of the command.
# Needs root, for what the files of this machine are read with, qemu-system-x86, e2fsprogs, cpio, zstd.
set -euo pipefail
if [ $$ = 1 ]; then # the guest
  export PATH=/bin:/sbin
  mount -t proc proc /proc
  mount -t sysfs sys /sys
  mount -t devtmpfs dev /dev
  for module in virtio_pci virtio_blk 9p 9pnet_virtio ext4 xfs btrfs vfat exfat ntfs3 nls_cp437 nls_ascii loop; do modprobe -q $module || true; done
  mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=524288 host /mnt
  for one in proc sys dev; do mount --bind /$one /mnt/$one; done
  ln -sf /proc/self/fd /dev/fd
  mount -t ext4 /dev/vda /mnt/mnt
  mkdir /mnt/mnt/{tmp,out,share}
  mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288 out /mnt/mnt/share
  export PATH=/usr/sbin:/usr/bin:/sbin:/bin TMPDIR=/mnt/tmp HOME=/mnt/tmp
  set +e
  chroot /mnt bash -c "$(cat /mnt/mnt/share/.command)" && chroot /mnt cp -r --sparse=always /mnt/out/. /mnt/share && echo "guest: done"
  sync
  poweroff -f
fi
here=$(dirname "$(realpath "$0")")
kernel=$(realpath "${1:?usage: in-guest.sh KERNEL_DIR OUT_DIR COMMAND…}")
out=$(realpath -m "${2:?usage: in-guest.sh KERNEL_DIR OUT_DIR COMMAND…}")
shift 2
. "$here/guest.sh"
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work" "$out/.command"' EXIT
printf '%q ' "$@" /mnt/out > "$out/.command"
guest_tree "$work/root" "$kernel" "$0" "bash mount mkdir ln cat chroot modprobe sync poweroff" \
  "kernel/drivers/block kernel/drivers/virtio kernel/net/9p kernel/fs/9p kernel/fs/fscache kernel/fs/netfs kernel/fs/ext4 kernel/fs/jbd2
  kernel/fs/mbcache.ko* kernel/fs/xfs kernel/fs/btrfs kernel/fs/fat kernel/fs/exfat kernel/fs/ntfs3 kernel/fs/nls kernel/lib kernel/crypto kernel/arch/x86/crypto"
truncate -s 16G "$work/scratch"
mke2fs -q -t ext4 -E lazy_itable_init=1,lazy_journal_init=1 "$work/scratch"
guest_run "$work/root" "$kernel" "$work/log" 2048 "" \
  -drive "file=$work/scratch,format=raw,if=virtio,cache=unsafe" \
  -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
  -virtfs "local,path=$out,mount_tag=out,security_model=none"
