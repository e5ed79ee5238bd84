# What the scripts that need another kernel than this machine's share, sourced by them: a small virtual machine, for which no
# root is needed. KERNEL_DIR is an unpacked package of a distribution's kernel (`dpkg -x linux-image-….deb KERNEL_DIR`).
# $GUEST_ACCELERATOR is tcg but for who has kvm, $GUEST_SECONDS how long the machine may run. Needs qemu-system-x86, cpio, zstd.
export PATH=$PATH:/usr/sbin:/sbin

# The guest's first tree: programs of this machine with their libraries, and modules of the kernel.
guest_tree() { # root kernel-dir init "program…" "folder of modules…"
  local root=$1 kernel=$2 init=$3 program path library modules version
  mkdir -p "$root"/{bin,proc,sys,dev,tmp,run,etc,mnt,usr/sbin,usr/bin,lib/modules}
  ln -s bin "$root/sbin"
  for program in $4; do
    path=$(type -P "$program") || continue
    cp -L "$path" "$root/bin/$program"
    ldd "$path" 2> /dev/null | grep -o '/[^ ]*' | while read -r library; do
      mkdir -p "$root$(dirname "$library")"
      cp -Lu "$library" "$root$library"
    done
  done
  ln -sf bash "$root/bin/sh"
  for program in "$root"/bin/*; do ln -s "/bin/$(basename "$program")" "$root/usr/sbin/"; done
  modules=$(echo "$kernel"/lib/modules/*)
  version=$(basename "$modules")
  mkdir -p "$root/lib/modules/$version"
  # Not every kernel has all of them.
  (cd "$modules" && { find $5 -name '*.ko*' 2> /dev/null || true; } | cpio -pdm --quiet "$root/lib/modules/$version"
    cp modules.{builtin,order}* "$root/lib/modules/$version")
  depmod -b "$root" "$version"
  cp "$init" "$root/init"
  chmod +x "$root/init"
}

# Runs the machine until it powers off; what it prints is in the log, and shown.
guest_run() { # root kernel-dir log mebibytes kernel-words qemu-options…
  local root=$1 kernel=$2 log=$3 memory=$4 words=$5
  shift 5
  (cd "$root" && find . | cpio -o -H newc --quiet | zstd -q -1) > "$root.initrd"
  timeout "${GUEST_SECONDS:-900}" qemu-system-x86_64 -machine "q35,accel=${GUEST_ACCELERATOR:-tcg}" -m "$memory" -smp 1 \
    -nographic -no-reboot -nic none -kernel "$kernel"/boot/vmlinuz-* -initrd "$root.initrd" \
    -append "console=ttyS0 panic=-1 quiet no_timer_check $words" "$@" < /dev/null | tee "$log" >&2
  grep -q '^guest: done' "$log"
}
