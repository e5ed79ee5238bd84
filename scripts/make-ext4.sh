#!/usr/bin/env bash
# Makes ext2, ext3 and ext4 images of every kind with the kernel, and next to each NAME.img the kernel's own
# listing NAME.tsv (of a dirty image: after the kernel has replayed its journal). Needs root, e2fsprogs, python3.
#   unshare -m scripts/make-ext4.sh OUT_DIR            the full matrix
#   unshare -m scripts/make-ext4.sh --small OUT_DIR    the few small ones of disk-fixtures/ext4, compressed
set -euo pipefail
small=
if [ "${1:-}" = --small ]; then small=1; shift; fi
out=$(realpath -m "${1:?usage: make-ext4.sh [--small] OUT_DIR}")
. "$(dirname "$0")/kernel.sh"

format() { # image size mke2fs-options…
  local image=$1 size=$2
  shift 2
  rm -f "$image"
  truncate -s "$size" "$image"
  mke2fs -q -F -U 01234567-89ab-cdef-0123-456789abcdef -L "$(basename "$image" .img)" "$@" "$image" 2> >(grep -v "128-byte inodes\|label too long\|blocksize\|-byte blocks\|^$" >&2)
}

# With a feature that tune2fs adds, as this kernel may not write to such a file system.
tuned() { # name size profile tune2fs-features mke2fs-options…
  local name=$1 features=$4
  image "$1" "$2" "$3" "" "${@:5}"
  tune2fs -O "$features" "$out/$name.img" > /dev/null
  truth "$out/$name.img" "$out/$name.tsv"
}

# Filled by mke2fs from a directory, for what this kernel cannot mount: sizes of directories are its own.
offline() { # name size mke2fs-options…
  local name=$1 size=$2
  shift 2
  echo "$name"
  rm -rf "$work/tree"
  mkdir "$work/tree"
  python3 "$tree" tiny "$work/tree"
  find "$work/tree" -depth -exec touch -h -d '2001-02-03 04:05:06' {} +
  format "$out/$name.img" "$size" -d "$work/tree" "$@"
  (echo "# approximate"; python3 "$tree" list "$work/tree" | LC_ALL=C sort) > "$out/$name.tsv"
}

# Transactions that debugfs writes, with the journal checksums that the kernel no longer makes: a block written,
# revoked and written again, and one that must be escaped.
written() { # name size checksum-version mke2fs-options…
  local name=$1 version=$3 first
  image "$1" "$2" tiny "" "${@:4}"
  first=$(debugfs -R 'bmap /size5000 0' "$out/$name.img" 2> /dev/null)
  head -c 1024 /dev/zero | tr '\0' J > "$work/plain"
  { printf '\xc0\x3b\x39\x98'; head -c 1020 /dev/zero | tr '\0' K; } > "$work/escaped"
  printf '%s\n' "jo -c -v $version" "jw -b $first $work/plain" "jw -b $((first + 1)) $work/escaped" \
    "jw -b $((first + 2)) $work/plain" "jw -r $((first + 2))" "jw -r $first" "jw -b $first $work/escaped" jc |
    debugfs -w -f - "$out/$name.img" > /dev/null 2>&1
  truth "$out/$name.img" "$out/$name.tsv"
}

# Sets the number of the journal's next transaction, so that it wraps (journals without checksums only).
sequence() { # image number-in-hex
  local block size
  block=$(debugfs -R 'bmap <8> 0' "$1" 2>/dev/null)
  size=$(dumpe2fs -h "$1" 2>/dev/null | sed -n 's/^Block size: *//p')
  printf "$(sed 's/../\\x&/g' <<< "$2")" | dd of="$1" bs=1 seek=$((block * size + 24)) conv=notrunc status=none
}

# Files with inline data that are longer than it, as the kernel leaves them until it has taken blocks for what was written behind
# (`truncate(2)` did so on its own before 6.18). It reads zeros.
longer() { # name size mke2fs-options…
  local name=$1 path
  image "$name" "$2" tiny "" "${@:3}"
  for path in size1 size60 size61 empty; do debugfs -w -R "sif /$path size 81028" "$out/$name.img" 2> /dev/null; done
  truth "$out/$name.img" "$out/$name.tsv"
}

if [ "$small" ]; then
  out_dir=$out out=$work/out
  mkdir "$out"
  image ext2-1k 1M tiny "" -t ext2 -b 1024 -N 128
  image ext3-no-filetype 4M tiny "" -t ext3 -b 1024 -I 128 -N 128 -O ^filetype
  image ext4-1k 12M tiny "" -t ext4 -b 1024 -N 256
  image ext4-4k-inline 8M tiny "" -t ext4 -b 4096 -N 128 -O inline_data,^resize_inode
  longer ext4-inline-longer 2M -t ext4 -b 1024 -I 256 -N 128 -O inline_data,^resize_inode
  image ext4-bigalloc 16M tiny "" -t ext4 -b 4096 -C 16384 -N 128 -O bigalloc,ea_inode,^has_journal,^resize_inode
  dirty ext4-dirty 4M dirty "" -t ext4 -b 1024 -N 384
  dirty ext3-dirty 6M dirty ",data=journal" -t ext3 -b 1024 -N 384
  dirty dirty-fast-commit-attributes 6M fast "" -t ext4 -b 1024 -I 256 -N 128 -O fast_commit,^resize_inode -J size=1
  offline ext4-64k 8M -t ext4 -b 65536 -N 128 -O ^has_journal
  pack "$out_dir"
  exit
fi

longer ext4-inline-longer 32M -t ext4 -O inline_data
image ext4-default 256M large "" -t ext4 -N 70000
image ext4-1k 128M std+two_levels "" -t ext4 -b 1024 -N 20000
image ext4-2k 128M std "" -t ext4 -b 2048
image ext2-1k 128M std "" -t ext2 -b 1024
image ext2-4k 128M std "" -t ext2 -b 4096
image ext2-revision-0 64M tiny "" -t ext2 -r 0 -b 1024
image ext3-1k 128M std "" -t ext3 -b 1024
image ext3-4k 128M std "" -t ext3 -b 4096
image ext4-no-extents 128M std "" -t ext4 -O ^extent,^64bit
image ext4-inline-256 128M std "" -t ext4 -O inline_data -I 256
image ext4-inline-1024 128M std "" -t ext4 -O inline_data -I 1024
image ext4-inline-1k-512 128M std "" -t ext4 -b 1024 -O inline_data -I 512
image ext4-meta-bg 256M std "" -t ext4 -b 1024 -O meta_bg,^resize_inode
image ext4-bigalloc 256M std "" -t ext4 -O bigalloc -C 65536
image ext4-bigalloc-1k 128M std "" -t ext4 -b 1024 -O bigalloc -C 16384
image ext4-large-dir 128M std+two_levels "" -t ext4 -b 1024 -N 20000 -O large_dir
image ext4-ea-inode 128M std "" -t ext4 -O ea_inode
image ext4-ea-inode-inline 128M std "" -t ext4 -O ea_inode,inline_data,metadata_csum_seed
image ext4-no-filetype 128M std "" -t ext4 -O ^filetype
image ext4-inode-128 128M std "" -t ext4 -I 128
image ext4-no-csum 128M std "" -t ext4 -O ^metadata_csum
image ext4-uninit-bg 128M std "" -t ext4 -O ^metadata_csum,uninit_bg
image ext4-uninit-bg-64bit 128M std "" -t ext4 -O ^metadata_csum,uninit_bg,64bit
image ext4-32bit 128M std "" -t ext4 -O ^64bit
image ext4-no-flex-bg 128M std "" -t ext4 -b 1024 -O ^flex_bg
image ext4-sparse-super2 128M std "" -t ext4 -b 1024 -O sparse_super2,^resize_inode
image ext4-no-sparse-super 128M std "" -t ext4 -b 1024 -O ^sparse_super,^resize_inode
image ext4-orphan-file 128M std "" -t ext4 -O orphan_file
tuned ext4-quota 128M std quota,project -t ext4
image ext4-stable-inodes 128M std "" -t ext4 -O stable_inodes,metadata_csum_seed
tuned ext4-verity 128M std verity -t ext4
image ext4-mmp 128M tiny "" -t ext4 -O mmp
image ext4-no-journal 128M std "" -t ext4 -O ^has_journal
image ext4-dir-nlink 128M links "" -t ext4 -O inline_data,^has_journal -N 70000
image ext4-encrypt 64M encrypt "" -t ext4 -O encrypt
offline ext4-64k 64M -t ext4 -b 65536
offline ext4-64k-ext2 64M -t ext2 -b 65536
offline ext4-16k 64M -t ext4 -b 16384
offline ext4-casefold 32M -t ext4 -O casefold -E encoding=utf8
debugfs -w -R 'set_inode_field /many flags 0x40080000' "$out/ext4-casefold.img" 2> /dev/null

dirty dirty-v3 64M dirty "" -t ext4
dirty dirty-v3-1k 32M dirty "" -t ext4 -b 1024
dirty dirty-async 64M dirty ",journal_async_commit,data=writeback" -t ext4
dirty dirty-no-csum 64M dirty "" -t ext4 -O ^metadata_csum
dirty dirty-v1-csum 64M dirty ",journal_checksum" -t ext4 -O ^metadata_csum
dirty dirty-v1-async 64M dirty ",journal_async_commit,data=writeback" -t ext4 -O ^metadata_csum,^64bit
dirty dirty-data-journal 64M dirty ",data=journal" -t ext4
dirty dirty-data-journal-ext3 64M dirty ",data=journal" -t ext3 -b 1024
dirty dirty-ext3 64M dirty "" -t ext3
dirty dirty-inline 64M dirty "" -t ext4 -O inline_data
dirty dirty-orphan-file 64M dirty "" -t ext4 -O orphan_file
dirty dirty-bigalloc 64M dirty "" -t ext4 -O bigalloc -C 16384
dirty dirty-wrap 32M wrap "" -t ext4 -b 1024 -J size=1
written journal-v2-csum 32M 2 -t ext4 -b 1024
written journal-v2-csum-32bit 32M 2 -t ext4 -b 1024 -O ^64bit
written journal-v3-csum 32M 3 -t ext4 -b 1024
format "$work/image" 32M -t ext3 -b 1024 -J size=1
sequence "$work/image" fffffff0
dirty dirty-sequence-wraps 32M wrap ""
dirty dirty-fast-commit 64M fast "" -t ext4 -O fast_commit
dirty dirty-fast-commit-1k 64M fast "" -t ext4 -b 1024 -O fast_commit,inline_data
# What is not replayed must be told; there is nothing to compare.
echo unreplayed-external-journal
truncate -s 8M "$work/journal"
mke2fs -q -F -b 4096 -O journal_dev "$work/journal"
loop=$(losetup -f --show "$work/journal")
format "$out/unreplayed-external-journal.img" 16M -t ext4 -b 4096 -J "device=$loop"
losetup -d "$loop"
debugfs -w -R 'feature needs_recovery' "$out/unreplayed-external-journal.img" > /dev/null 2>&1
: > "$out/unreplayed-external-journal.tsv"
# A journal in many pieces: made where every other block is taken.
format "$work/image" 16M -t ext4 -b 1024 -O ^has_journal
mount -o loop "$work/image" "$mnt"
python3 - "$mnt" <<'PY'
import os, sys
for i in range(4000):
    fd = os.open("%s/f%d" % (sys.argv[1], i), os.O_WRONLY | os.O_CREAT)
    os.write(fd, b"x" * 3000)
    os.close(fd)
PY
sync -f "$mnt"
python3 -c 'import os,sys; [os.unlink("%s/f%d" % (sys.argv[1], i)) for i in range(0, 4000, 2)]' "$mnt"
umount "$mnt"
tune2fs -j -J size=2 "$work/image" > /dev/null
dirty dirty-fragmented-journal 16M dirty ""
