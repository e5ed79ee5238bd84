#!/usr/bin/env bash
# make-md-kernel.sh OUT_DIR KERNEL_DIR: members of MD arrays whose reshape a real kernel has begun and not finished, in a
# small virtual machine: scripts/md-guest.sh runs in it and lists what that kernel reads. KERNEL_DIR is an unpacked package of
# a distribution's kernel (`dpkg -x linux-image-….deb KERNEL_DIR`). To be run by hand; VARIANTS="r5-grow …" makes some of them.
# disk-fixtures/md/reshape has a few. Needs qemu-system-x86, mdadm, cpio, zstd; no root. GUEST_ACCELERATOR=kvm is faster.
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin
here=$(dirname "$(realpath "$0")")
out=$(realpath -m "${1:?usage: make-md-kernel.sh OUT_DIR KERNEL_DIR}")
kernel=$(realpath "${2:?usage: make-md-kernel.sh OUT_DIR KERNEL_DIR}")
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The guest's tree: this machine's programs with their libraries, and the kernel's modules for block devices.
root=$work/root
mkdir -p "$root"/{bin,proc,sys,dev,tmp,run/mdadm,etc,usr/sbin,usr/bin,lib/modules}
ln -s bin "$root/sbin"
programs="bash mount umount mkdir cat echo ls dd sha256sum sync truncate rm cp seq sleep tr head cut insmod modprobe depmod
  mdadm losetup poweroff sed grep awk blockdev mv ln tar zstd cmp"
for program in $programs; do
  path=$(type -P "$program") || { echo "no $program" >&2; exit 1; }
  cp -L "$path" "$root/bin/$program"
  ldd "$path" 2>/dev/null | grep -o '/[^ ]*' | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -Lu "$library" "$root$library"
  done
done
ln -sf bash "$root/bin/sh"
# mdadm runs itself by its usual path.
ln -s /bin/mdadm "$root/usr/sbin/mdadm"
modules=$(echo "$kernel"/lib/modules/*)
version=$(basename "$modules")
mkdir -p "$root/lib/modules/$version"
(cd "$modules" && find kernel/drivers/{md,block,virtio} kernel/lib kernel/crypto kernel/arch/x86/crypto -name '*.ko*' \
  | cpio -pdm --quiet "$root/lib/modules/$version"; cp modules.{builtin,order}* "$root/lib/modules/$version")
depmod -b "$root" "$version"
cp "$here/md-guest.sh" "$root/init"
chmod +x "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet | zstd -q -1) > "$work/initrd"

# vda is where the guest lists.
truncate -s 512M "$work/listing"
timeout "${GUEST_SECONDS:-1500}" qemu-system-x86_64 -machine "q35,accel=${GUEST_ACCELERATOR:-tcg}" -m 1024 -smp 1 -nographic \
  -no-reboot -nic none -kernel "$kernel"/boot/vmlinuz-* -initrd "$work/initrd" \
  -append "console=ttyS0 panic=-1 quiet variants=$(echo "${VARIANTS:-all}" | tr ' ' ,)" \
  -drive "file=$work/listing,format=raw,if=virtio" < /dev/null | tee "$work/log" >&2
mkdir -p "$work/listed"
tar -xf "$work/listing" -C "$work/listed"
for image in "$work"/listed/*.img; do zstd -q -f -19 "$image" -o "$out/$(basename "$image").zst"; done
cp "$work/listed/reshape.tsv" "$out/reshape.tsv"
grep -q '^guest: done' "$work/log"
