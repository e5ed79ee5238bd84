#!/usr/bin/env bash
# Makes NTFS images of every kind with mkntfs, filled by ntfs-3g in user space, and next to each NAME.img what ntfs-3g lists,
# NAME.tsv. Needs root or fusermount, ntfs-3g, attr, python3.
#   scripts/make-ntfs.sh OUT_DIR            the full matrix
#   scripts/make-ntfs.sh --small OUT_DIR    the few small ones of disk-fixtures/ntfs, compressed
#   scripts/make-ntfs.sh --windows OUT_DIR  disk-fixtures/windows: a volume of Windows and hives of its registry, compressed (needs
#                                           python3-hivex)
#   scripts/make-ntfs.sh --in-use OUT_DIR   in-use-NAME: made, filled and listed by the kernel's ntfs3, copied while it was mounted and written;
#                                           in a guest (`in-guest.sh`) if this kernel has none
set -euo pipefail
small= windows= in_use=
if [ "${1:-}" = --small ]; then small=1; shift; fi
if [ "${1:-}" = --windows ]; then windows=1; shift; fi
if [ "${1:-}" = --in-use ]; then in_use=1; shift; fi
out=$(realpath -m "${1:?usage: make-ntfs.sh [--small | --windows | --in-use] OUT_DIR}")
. "$(dirname "$0")/kernel.sh"

drive() { # image options
  ntfs-3g -o "no_detach,$2" "$1" "$mnt"
}

# What ntfs-3g lists of an image.
ntfs_truth() { # image tsv
  mounted "$1" ro python3 "$tree" list "$mnt" | LC_ALL=C sort > "$2"
}

ntfs() { # name size profile mkntfs-options…
  local name=$1 size=$2 profile=$3
  shift 3
  echo "$name"
  rm -f "$out/$name.img"
  truncate -s "$size" "$out/$name.img"
  mkntfs -q -F -Q -L "$(cut -c1-30 <<< "$name")" "$@" "$out/$name.img" > "$work/mkntfs.log" 2>&1 || { cat "$work/mkntfs.log" >&2; return 1; }
  mounted "$out/$name.img" "compression${how:-}" python3 "$tree" "$profile" "$mnt"
  ntfs_truth "$out/$name.img" "$out/$name.tsv"
}

windows_volume() {
  python3 "$tree" windows_node "$mnt"
  cp "$out/software.hiv" "$mnt/Windows/System32/config/SOFTWARE"
  cp "$out/system.hiv" "$mnt/Windows/System32/config/SYSTEM"
}

if [ "$windows" ]; then
  out_dir=$out out=$work/out
  mkdir "$out"
  for kind in software system many; do
    /usr/bin/python3 "$(dirname "$0")/hive.py" make $kind "$out/$kind.hiv"
    /usr/bin/python3 "$(dirname "$0")/hive.py" list "$out/$kind.hiv" > "$out/$kind.tsv"
  done
  truncate -s 4M "$out/windows.img"
  mkntfs -q -F -Q -L Windows "$out/windows.img" > "$work/mkntfs.log" 2>&1 || { cat "$work/mkntfs.log" >&2; exit 1; }
  mounted "$out/windows.img" compression windows_volume
  mkdir -p "$out_dir"
  for file in "$out"/*; do zstd -q -f --ultra -22 "$file" -o "$out_dir/$(basename "$file").zst"; done
  exit
fi

if [ "$in_use" ]; then
  # Not the program that `mount` would call for this file system.
  export UNREADABLE=1
  mount() { command mount -t ntfs3 -o umask=0,iocharset=utf8 "$@"; }
  format() { # image size options…
    rm -f "$1"
    truncate -s "$2" "$1"
    mkntfs -q -F -Q "${@:3}" "$1" > "$work/mkntfs.log" 2>&1 || { cat "$work/mkntfs.log" >&2; return 1; }
  }
  for cluster in 512 4096 16384; do
    dirty in-use-ntfs-$cluster 24M in_use "" -c $cluster
    # It keeps modes as the Windows Subsystem for Linux does, which a mount without them does not show.
    sed -i -E '/^#/! s/\t[0-7]+\t([^\t]*\t[^\t]*\t[^\t]*\t[^\t]*\t[^\t]*\t[^\t]*)\t\$LX[^\t]*\t/\t777\t\1\t-\t/' "$out/in-use-ntfs-$cluster.tsv"
  done
  exit
fi

if [ "$small" ]; then
  out_dir=$out out=$work/out
  mkdir "$out"
  ntfs ntfs-512 3M windows_tiny -c 512
  ntfs ntfs-sector-4k 8M windows_tiny -s 4096
  pack "$out_dir"
  exit
fi

ntfs ntfs-default 256M windows
for cluster in 512 1024 2048 4096 8192 16384 32768 65536 131072 1048576; do ntfs "ntfs-$cluster" 512M windows -c $cluster; done
ntfs ntfs-2m 1G windows -c 2097152
ntfs ntfs-sector-1k 256M windows -s 1024
ntfs ntfs-sector-2k 256M windows -s 2048
ntfs ntfs-sector-4k 256M windows -s 4096
how=,special_files=wsl ntfs ntfs-wsl 16M windows_wsl
# Which have no permissions of their own; this driver shows them with none, and all else with all.
sed -i '/^.special.\(fifo\|socket\)\t/ s/\t0\t0\t0/\t777\t0\t0/' "$out/ntfs-wsl.tsv"
ntfs ntfs-scattered 16M windows_scattered
ntfs ntfs-scattered-512 12M windows_scattered -c 512

# Copied while ntfs-3g has them mounted, which keeps some of what it knows for itself, and marks no volume as in use.
for cluster in 512 4096; do
  name=live-ntfs-$cluster
  echo "$name"
  truncate -s 16M "$work/image"
  mkntfs -q -F -Q -c $cluster "$work/image" > "$work/mkntfs.log" 2>&1 || { cat "$work/mkntfs.log" >&2; exit 1; }
  mounted "$work/image" compression python3 "$tree" windows_in_use "$mnt" "$work/image" "$out/$name.img"
  rm "$work/image"
  # A copy: a driver may repair what it mounts.
  cp --sparse=always "$out/$name.img" "$work/copy.img"
  ntfs_truth "$work/copy.img" "$out/$name.tsv"
done
