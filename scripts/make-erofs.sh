#!/usr/bin/env bash
# Makes EROFS images of every kind with mkfs.erofs, and next to each NAME.img the kernel's own listing NAME.tsv. Needs root,
# erofs-utils, e2fsprogs, python3. Variants that mkfs.erofs ($MKFS_EROFS, if another than the installed one is meant) is too old
# for, or was built without, are left out and said to be.
#   unshare -m scripts/make-erofs.sh OUT_DIR            the full matrix
#   unshare -m scripts/make-erofs.sh --small OUT_DIR    the few small ones of disk-fixtures/erofs, compressed
set -euo pipefail
small=
if [ "${1:-}" = --small ]; then small=1; shift; fi
out=$(realpath -m "${1:?usage: make-erofs.sh [--small] OUT_DIR}")
. "$(dirname "$0")/kernel.sh"
mkfs=${MKFS_EROFS:-mkfs.erofs}
trees 1G

# mkfs.erofs 1.5 does not find a file whose name has all of 255 bytes.
longest=$(printf 'x%.0s' {1..255})
mkdir "$work/probe"
touch "$work/probe/$longest"
if "$mkfs" "$work/probe.img" "$work/probe" > /dev/null 2>&1; then longest=; fi

lean() { # name profile: a tree without what would make images large
  local folder=$work/trees/$1
  filled "$@"
  find "$folder" -size +64M -delete
  # Their blocks would be most of the image.
  find "$folder" -size +2M -path '*/holes/*' -delete
  find "$folder" -name fragments -delete
  if [ "$longest" ]; then find "$folder" -name "$longest" -delete; fi
  # The format's lengths of values have 16 bits, which mkfs.erofs does not notice.
  python3 -c 'import os, sys; [os.removexattr(f, "user.d") for f in sys.argv[1:] if os.path.exists(f)]' "$folder/xattrs/huge"
}

build() { # image folder mkfs-options…
  # Times of compact inodes are those of the image.
  "$mkfs" -T 1700000000 -U 01234567-89ab-cdef-0123-456789abcdef "${@:3}" "$1" "$2"
}

# With its data on another device, which the image alone has not.
blob() { # name tree mkfs-options…
  local name=$1 from=$2
  shift 2
  : > "$work/blob"
  if made "$name" "$from" --blobdev="$work/blob" "$@"; then
    local device; device=$(losetup -f --show -r "$work/blob")
    mount -o "loop,ro,device=$device" "$out/$name.img" "$mnt"
    python3 "$tree" list "$mnt" | LC_ALL=C sort > "$out/$name.tsv"
    umount "$mnt"
    losetup -d "$device"
  fi
}

# Different sizes of compressed data, and different algorithms, in one image.
hints() { # algorithms: of even and of odd files
  printf '%s %s text\n' 4096 "${1:-}" 65536 "${2:-}" | sed 's/ \+/ /g; 1s/text$/(mixed|same)/' > "$work/hints"
}

if [ "$small" ]; then
  out_dir=$out out=$work/out
  mkdir "$out"
  lean small small
  python3 - "$work/trees/small" <<'PY'
import os, random, sys
random.seed(20261124)
words = [random.randbytes(4).hex() for _ in range(30)]
text = lambda n: " ".join(random.choice(words) for _ in range(n // 4))[:n].encode()
again = text(9000)
for name, data in {"text": again + text(40000), "noise": random.randbytes(5000), "zeros": bytes(100000),
                   "mixed": text(7000) + random.randbytes(5000) + text(6000), "again": b"a" + again + bytes(9000)}.items():
    with open(os.path.join(sys.argv[1], name), "wb") as file:
        file.write(data)
PY
  image_of erofs-plain small
  image_of erofs-chunks-512 small -b512 --chunksize=4096
  image_of erofs-legacy small -zlz4 -Elegacy-compress,force-inode-extended
  image_of erofs-lz4-big small -zlz4hc -C65536 -Eztailpacking
  image_of erofs-fragments small -zlz4hc -C16384 -Efragments,dedupe
  image_of erofs-zstd small -zzstd -C65536
  image_of erofs-lzma small -zlzma -C65536
  image_of erofs-deflate small -zdeflate -C16384 -Eall-fragments
  pack "$out_dir"
  rm "$out"/*
  blob blob small --chunksize=4096
  pack "$out_dir/devices"
  exit
fi

lean std std+packed
lean large large
lean small small
cp -a "$work/trees/small" "$work/trees/times"
find "$work/trees/times" -exec touch -h -d @1700000000 {} +

image_of plain std
image_of plain-large large
image_of plain-shared-attributes std -x1
image_of plain-inline-attributes std -x1000
image_of plain-no-attributes std -x-1
image_of plain-extended std -Eforce-inode-extended
image_of plain-compact std -Eforce-inode-compact --ignore-mtime --all-root
image_of plain-compact-times times
image_of plain-no-inline std -Enoinline_data
image_of plain-no-checksum std -Enosbcrc
image_of plain-name-filter std -Exattr-name-filter
image_of plain-long-prefixes std --xattr-prefix=user.n --xattr-prefix=trusted.overlay.
image_of chunks-4k std --chunksize=4096
image_of chunks-64k std --chunksize=65536
image_of chunks-1m std --chunksize=1048576
image_of chunks-indexes-4k std --chunksize=4096 -Eforce-chunk-indexes
image_of chunks-indexes-64k std --chunksize=65536 -Eforce-chunk-indexes
image_of chunks-dedupe std --chunksize=4096 -Ededupe
image_of lz4 std -zlz4
image_of lz4-large large -zlz4
image_of lz4hc std -zlz4hc,12
image_of lz4-legacy std -zlz4 -Elegacy-compress
image_of lz4-compact std -zlz4 -Eforce-inode-compact --ignore-mtime --all-root
image_of lz4-8k std -zlz4 -C8192
image_of lz4-16k std -zlz4hc -C16384
image_of lz4-64k std -zlz4hc -C65536
image_of lz4-1m std -zlz4hc -C1048576
image_of lz4-legacy-64k std -zlz4hc -C65536 -Elegacy-compress
image_of lz4-max-extent std -zlz4hc -C65536 --max-extent-bytes=65536
image_of lz4-tail std -zlz4 -Eztailpacking
image_of lz4-tail-legacy std -zlz4 -Eztailpacking,legacy-compress
image_of lz4-tail-64k std -zlz4hc -C65536 -Eztailpacking
image_of lz4-fragments std -zlz4hc -Efragments
image_of lz4-fragments-64k std -zlz4hc -C65536 -Efragments
image_of lz4-fragments-legacy std -zlz4hc -Efragments,legacy-compress
image_of lz4-all-fragments std -zlz4hc -C65536 -Eall-fragments
image_of lz4-dedupe std -zlz4hc -Ededupe
image_of lz4-dedupe-64k std -zlz4hc -C65536 -Ededupe
image_of lz4-dedupe-tail std -zlz4hc -C65536 -Ededupe,ztailpacking
image_of lz4-dedupe-fragments std -zlz4hc -C65536 -Ededupe,fragments
image_of lz4-all std -zlz4hc -C65536 -Ededupe,fragments,ztailpacking
image_of lz4-all-prefixes std -zlz4hc -C65536 -Ededupe,fragments --xattr-prefix=user.n --xattr-prefix=trusted.overlay.
hints "" ""
image_of lz4-hints std -zlz4hc -C65536 --compress-hints="$work/hints"
hints 0 1
image_of lz4-lzma-hints std -zlz4hc:lzma -C65536 --compress-hints="$work/hints"
hints 1 0
image_of zstd-lz4-hints std -zlz4:zstd -C65536 --compress-hints="$work/hints"
for algorithm in lzma deflate libdeflate zstd; do
  image_of $algorithm std -z$algorithm
  image_of $algorithm-64k std -z$algorithm -C65536
  image_of $algorithm-tail std -z$algorithm -C65536 -Eztailpacking
  image_of $algorithm-fragments std -z$algorithm -C65536 -Efragments,dedupe
  image_of $algorithm-all-fragments std -z$algorithm -C65536 -Eall-fragments
done
image_of lzma-1m std -zlzma,level=9,dictsize=8388608 -C1048576
image_of zstd-1m std -zzstd,level=19 -C1048576
for block in 512 1024 2048; do
  image_of plain-$block std -b$block
  image_of chunks-$block std -b$block --chunksize=4096
  image_of lz4-$block std -b$block -zlz4hc
  image_of lz4-16k-$block std -b$block -zlz4hc -C16384
  image_of lz4-tail-$block std -b$block -zlz4hc -C16384 -Eztailpacking
  image_of lz4-fragments-$block std -b$block -zlz4hc -C16384 -Efragments
  image_of zstd-$block std -b$block -zzstd -C16384 -Ededupe
done
# As containerd's snapshotter makes them of a layer's tar.
tar -C "$work/trees/small" --xattrs --xattrs-include='*' -cf "$work/layer.tar" .
mkdir -p "$work/trees/none"
if "$mkfs" --help 2>&1 | grep -q -- --tar; then
  echo layer-tar
  "$mkfs" --quiet --tar=f -Enoinline_data "$out/layer-tar.img" "$work/layer.tar" > "$work/log" 2>&1 || cat "$work/log"
  truth "$out/layer-tar.img" "$out/layer-tar.tsv"
fi
