#!/usr/bin/env bash
# Makes FAT and exFAT images of every kind, and next to each NAME.img the listing NAME.tsv of what was put in: FAT is made by
# mkfs.vfat and filled by mtools, exFAT is made by mkfs.exfat and filled and listed by exfat-fuse. Needs root, dosfstools, mtools,
# exfatprogs, exfat-fuse, python3.
#   scripts/make-fat.sh OUT_DIR            the full matrix, in OUT_DIR/fat and OUT_DIR/exfat
#   scripts/make-fat.sh --small OUT_DIR    the few small ones of disk-fixtures/fat and disk-fixtures/exfat, compressed
#   scripts/make-fat.sh --in-use OUT_DIR   in-use-NAME: made, filled and listed by the kernel's drivers, copied while they were mounted and
#                                          written; in a guest (`in-guest.sh`) if this kernel has none. Those of disk-fixtures are its.
set -euo pipefail
small= in_use=
if [ "${1:-}" = --small ]; then small=1; shift; fi
if [ "${1:-}" = --in-use ]; then in_use=1; shift; fi
out=$(realpath -m "${1:?usage: make-fat.sh [--small | --in-use] OUT_DIR}")
. "$(dirname "$0")/kernel.sh"
export LC_ALL=C.UTF-8 TZ=UTC MTOOLS_SKIP_CHECK=1

# A listing as FAT has it: two seconds, everything 0755 but what is read-only.
put_in() { # directory tsv
  (echo "# approximate, directories' times too"; python3 "$tree" list "$1" | python3 -c '
import sys
for line in sys.stdin:
    f = line.rstrip("\n").split("\t")
    f[2] = "555" if f[0] == "/SHORT.TXT" else "755"
    seconds = int(f[8].split(".")[0])
    f[8] = "%d.000000000" % (seconds - seconds % 2)
    print("\t".join(f))' | LC_ALL=C sort) > "$2"
}

vfat() { # name size profile mkfs.vfat-options…
  local name=$1 size=$2 profile=$3 image=$out/$1.img
  shift 3
  echo "$name"
  rm -rf "$image" "$work/tree"
  truncate -s "$size" "$image"
  mkfs.vfat -i 0123ABCD -n "$(tr a-z A-Z <<< "$name" | cut -c1-11)" "$@" "$image" > "$work/mkfs.log" 2>&1 || { cat "$work/mkfs.log" >&2; return 1; }
  mkdir "$work/tree"
  python3 "$tree" "$profile" "$work/tree"
  # mtools cuts letters beyond 16 bits.
  find "$work/tree" -name '*two units' -delete
  # Holes between what is deleted again, for what comes behind it.
  for i in $(seq 30); do head -c $((i * 300)) /dev/zero > "$work/hole$i"; done
  mcopy -i "$image" "$work"/hole* ::
  for i in $(seq 1 2 30); do mdel -i "$image" ::hole$i; done
  mcopy -s -m -Q -i "$image" "$work/tree"/* ::
  for i in $(seq 2 2 30); do mdel -i "$image" ::hole$i; done
  rm "$work"/hole*
  mattrib -i "$image" +r ::SHORT.TXT
  fsck.vfat -n "$image" > "$work/fsck.log" || { cat "$work/fsck.log" >&2; return 1; }
  put_in "$work/tree" "$out/$name.tsv"
}

device=
trap 'umount -q "$mnt" || true; [ -z "$device" ] || losetup -d "$device"; rm -rf "$work"' EXIT

drive() { # device options
  mount.exfat-fuse -d -o "$2,umask=022" "$1" "$mnt" # which is the kernel's default
}

# The driver takes devices only.
on_device() { # image options command…
  device=$(losetup -f --show "$1")
  mounted "$device" "${@:2}"
  losetup -d "$device"
  device=
}

exfat() { # name size profile mkfs.exfat-options…
  local name=$1 size=$2 profile=$3 image=$out/$1.img
  shift 3
  echo "$name"
  rm -f "$image"
  truncate -s "$size" "$image"
  mkfs.exfat -L "$(cut -c1-11 <<< "$name")" "$@" "$image" > "$work/mkfs.log" 2>&1 || { cat "$work/mkfs.log" >&2; return 1; }
  on_device "$image" rw python3 "$tree" "$profile" "$mnt"
  fsck.exfat -n "$image" > "$work/fsck.log" || { cat "$work/fsck.log" >&2; return 1; }
  on_device "$image" ro python3 "$tree" list "$mnt" > "$work/list"
  # The driver shows no time of some directories that have one.
  (echo "# approximate, directories' times too"; LC_ALL=C sort "$work/list") > "$out/$name.tsv"
}

if [ "$in_use" ]; then
  out_dir=$out
  format() { # image size program options…
    rm -f "$1"
    truncate -s "$2" "$1"
    "${@:3}" "$1" > "$work/mkfs.log" 2>&1 || { cat "$work/mkfs.log" >&2; return 1; }
  }
  for options in ,sync ,flush ""; do
    # Copied at once, or when the kernel had time to write some of it.
    out=$out_dir/fat
    mkdir -p "$out"
    kind=${options#,}
    fat() { dirty "in-use-$1${kind:+-$kind}" "$2" in_use "$options,utf8,tz=UTC" mkfs.vfat -i 0123ABCD "${@:3}"; }
    fat fat-12 3M -F 12
    fat fat-16 5M -F 16 -s 1
    fat fat-32 34M -F 32 -s 1
    fat fat-32-4k 300M -F 32 -s 8
    out=$out_dir/exfat
    mkdir -p "$out"
    [ "$kind" = flush ] || for row in 512:9M 4K:9M 32K:40M; do
      dirty "in-use-exfat-${row%:*}${kind:+-$kind}" "${row#*:}" in_use "$options" mkfs.exfat -c "${row%:*}"
    done
  done
  # The kernel counts a directory's subdirectories as it finds them, and says when the root was mounted.
  sed -i '1i # approximate' "$out_dir"/{fat,exfat}/*.tsv
  exit
fi

if [ "$small" ]; then
  out_dir=$out out=$work/fat
  mkdir "$out"
  vfat fat-12 1M fat_tiny -F 12
  vfat fat-16 5M fat_tiny -F 16 -s 1
  vfat fat-32 34M fat_tiny -F 32 -s 1
  pack "$out_dir/fat"
  if [ -z "${NO_EXFAT:-}" ]; then
    out=$work/exfat
    mkdir "$out"
    exfat exfat-4k 8M fat_tiny -c 4K
    exfat exfat-512 8M fat_tiny -c 512
    pack "$out_dir/exfat"
  fi
  exit
fi

out_dir=$out out=$out/fat
mkdir -p "$out"
vfat fat-default 64M fat
vfat fat-12-4k 8M fat_tiny -F 12 -s 8
vfat fat-12-32k 64M fat_tiny -F 12 -s 64
vfat fat-16-512 30M fat -F 16 -s 1
vfat fat-16-32k 256M fat -F 16 -s 64
vfat fat-32-512 64M fat -F 32 -s 1
vfat fat-32-4k 300M fat -F 32 -s 8
vfat fat-32-32k 3G fat -F 32 -s 64
vfat fat-32-sector-4k 600M fat -F 32 -S 4096 -s 1
vfat fat-16-sector-2k 64M fat -F 16 -S 2048 -s 1
vfat fat-one-table 64M fat -F 32 -s 1 -f 1
out=$out_dir/exfat
mkdir -p "$out"
for cluster in 512 4K 32K 128K; do exfat "exfat-$cluster" 300M fat -c $cluster; done
exfat exfat-1M 3G fat -c 1M
exfat exfat-default 1G fat
