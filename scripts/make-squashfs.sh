#!/usr/bin/env bash
# Makes squashfs images of every kind with mksquashfs, and next to each NAME.img the kernel's own listing NAME.tsv. Needs root,
# squashfs-tools, e2fsprogs, python3. Variants that mksquashfs ($MKSQUASHFS, if another than the installed one is meant) is too
# old for, or was built without, are left out and said to be.
#   unshare -m scripts/make-squashfs.sh OUT_DIR            the full matrix
#   unshare -m scripts/make-squashfs.sh --small OUT_DIR    the few small ones of disk-fixtures/squashfs, compressed
set -euo pipefail
small=
if [ "${1:-}" = --small ]; then small=1; shift; fi
out=$(realpath -m "${1:?usage: make-squashfs.sh [--small] OUT_DIR}")
. "$(dirname "$0")/kernel.sh"
mksquashfs=${MKSQUASHFS:-mksquashfs}
trees 2G

build() { # image folder mksquashfs-options…
  "$mksquashfs" "$2" "$1" -noappend -no-progress -quiet "${@:3}"
}

# What the kernel does not read: judged by what unsquashfs unpacks, whose directories have sizes of their own.
unpacked() { # name tree mksquashfs-options…
  if made "$@"; then
    rm -rf "$work/trees/unpacked"
    unsquashfs -no-progress -quiet -d "$work/trees/unpacked" "$out/$1.img" > /dev/null
    (echo "# approximate"; python3 "$tree" list "$work/trees/unpacked" | LC_ALL=C sort) > "$out/$1.tsv"
  fi
}

if [ "$small" ]; then
  out_dir=$out out=$work/out
  mkdir "$out"
  filled small small
  python3 - "$work/trees/small" <<'PY'
import os, random, sys
random.seed(20261124)
words = [random.randbytes(4).hex() for _ in range(30)]
text = lambda n: " ".join(random.choice(words) for _ in range(n // 4))[:n].encode()
for name, data in {"text": text(40000), "noise": random.randbytes(9000), "zeros": bytes(100000),
                   "mixed": text(7000) + random.randbytes(5000) + text(6000)}.items():
    with open(os.path.join(sys.argv[1], name), "wb") as file:
        file.write(data)
PY
  image_of squashfs-gzip small -b 4096
  image_of squashfs-zstd small -comp zstd
  image_of squashfs-xz small -comp xz -b 8192 -Xbcj x86
  image_of squashfs-lz4 small -comp lz4 -b 16384 -no-fragments
  image_of squashfs-lzo small -comp lzo -b 4096 -always-use-fragments
  image_of squashfs-stored small -noI -noD -noF -noX -b 4096
  unpacked squashfs-lzma small -comp lzma
  pack "$out_dir"
  exit
fi

filled std std+packed
find "$work/trees/std" -size +100M -delete
filled large large
filled links small
filled sparse small
truncate -s 5G "$work/trees/sparse/five"
printf last | dd of="$work/trees/sparse/five" bs=1 seek=5000000000 conv=notrunc status=none
filled small small

for compression in gzip xz zstd lz4 lzo; do
  image_of $compression std -comp $compression
  image_of $compression-4k std -comp $compression -b 4096
  image_of $compression-1m std -comp $compression -b 1048576
  image_of $compression-no-fragments std -comp $compression -no-fragments
done
unpacked lzma std -comp lzma
unpacked lzma-4k std -comp lzma -b 4096
image_of gzip-64k std -b 65536 -always-use-fragments
image_of gzip-strategies std -Xcompression-level 1 -Xwindow-size 9 -Xstrategy huffman_only,fixed
image_of xz-filters std -comp xz -Xbcj x86,arm,armthumb,powerpc,sparc,ia64
image_of xz-dictionary std -comp xz -Xdict-size 8192 -b 16384
image_of zstd-22 std -comp zstd -Xcompression-level 22
image_of lz4-hc std -comp lz4 -Xhc
image_of lzo-1 std -comp lzo -Xalgorithm lzo1x_1
image_of large large
image_of large-4k-zstd large -comp zstd -b 4096
image_of stored std -noI -noD -noF -noX
image_of stored-inodes std -noI
image_of stored-ids std -noId
image_of stored-data std -noD
image_of stored-fragments std -noF
image_of stored-attributes std -noX
image_of no-attributes std -no-xattrs
image_of no-duplicates std -no-duplicates
image_of no-exports std -no-exports
image_of no-sparse std -no-sparse -b 4096
# mksquashfs 4.5.1 writes fragments that nothing can unpack in some runs if equal files are to share small ones.
image_of always-fragments std -always-use-fragments -b 4096 -no-duplicates
image_of owners std -force-uid 4000000000 -force-gid 3
image_of all-root std -all-root
image_of sparse sparse
image_of sparse-4k sparse -b 4096
image_of small small -nopad
