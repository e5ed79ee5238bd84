#!/usr/bin/env bash
# Makes btrfs images of every kind with the kernel, and next to each NAME.img the kernel's own listing NAME.tsv (of a
# dirty image: after the kernel has replayed its log). Further devices of a file system are NAME.img.2, NAME.img.3, …
# Needs root, btrfs-progs, python3.
#   unshare -m scripts/make-btrfs.sh OUT_DIR            the full matrix
#   unshare -m scripts/make-btrfs.sh --small OUT_DIR    the few small ones of disk-fixtures/btrfs, compressed
set -euo pipefail
small=
if [ "${1:-}" = --small ]; then small=1; shift; fi
out=$(realpath -m "${1:?usage: make-btrfs.sh [--small] OUT_DIR}")
. "$(dirname "$0")/kernel.sh"

# The kernel remembers unmounted devices and refuses an older copy of one.
mount() {
  btrfs device scan --forget > /dev/null 2>&1 || true
  command mount "$@"
}

format() { # image size mkfs.btrfs-options…
  local image=$1 size=$2 name
  shift 2
  name=$(basename "$image" .img)
  rm -f "$image"
  truncate -s "$size" "$image"
  mkfs.btrfs -q -f -U "$(md5sum <<< "$name" | sed -E 's/(.{8})(.{4})(.{4})(.{4})(.{12}).*/\1-\2-\3-\4-\5/')" -L "$name" \
    "$@" "$image" > /dev/null
}

# Filled by mkfs.btrfs from a directory, for what this kernel cannot mount: sizes and links of directories are its own.
# Files with several names and the numbers of devices it does not copy.
offline() { # name size mkfs.btrfs-options…
  local name=$1 size=$2
  shift 2
  echo "$name"
  rm -rf "$work/tree"
  mkdir "$work/tree"
  python3 "$tree" tiny "$work/tree"
  rm "$work/tree/dir/linked" "$work/tree/device"
  find "$work/tree" -depth -exec touch -h -d '2001-02-03 04:05:06' {} +
  format "$out/$name.img" "$size" --rootdir "$work/tree" "$@"
  (echo "# approximate"; python3 "$tree" list "$work/tree" | LC_ALL=C sort) > "$out/$name.tsv"
}

devices=()
trap 'umount -q "$mnt" || true; detach; rm -rf "$work"' EXIT
attach() { # image… : loop devices, kept in $devices
  local file
  devices=()
  for file; do devices+=("$(losetup -f --show "$file")"); done
}

detach() {
  if [ ${#devices[@]} -gt 0 ]; then losetup -d "${devices[@]}"; fi
  devices=()
}

files() { # image number : its devices' files
  local n
  echo "$1"
  for n in $(seq 2 "$2"); do echo "$1.$n"; done
}

# A file system of several devices; the first is listed in NAME.tsv.
spanning() { # name devices size profile mount-options mkfs.btrfs-options…
  local name=$1 count=$2 size=$3 profile=$4 options=$5 image=$out/$1.img list file
  shift 5
  echo "$name"
  mapfile -t list < <(files "$image" "$count")
  for file in "${list[@]}"; do rm -f "$file"; truncate -s "$size" "$file"; done
  attach "${list[@]}"
  mkfs.btrfs -q -f -L "$name" "$@" "${devices[@]}" > /dev/null
  mount_all "$options"
  python3 "$tree" "$profile" "$mnt"
  umount "$mnt"
  mount_all ",ro"
  python3 "$tree" list "$mnt" | LC_ALL=C sort > "$out/$name.tsv"
  umount "$mnt"
  detach
}

mount_all() { # mount-options
  btrfs device scan --forget > /dev/null 2>&1 || true
  btrfs device scan "${devices[@]}" > /dev/null
  command mount -o "rw$1" "${devices[0]}" "$mnt"
}

# Overwrites the first copy of the nodes of a tree: the kernel reads the other, so there must be two.
damage() { # image tree-id
  local bytenr physical
  btrfs inspect-internal dump-tree --follow -t "$2" "$1" | sed -n 's/^\(leaf\|node\) \([0-9]*\) .*/\2/p' |
    while read -r bytenr; do
      physical=$(btrfs-map-logical -l "$bytenr" "$1" | sed -n 's/^mirror 1 .* physical \([0-9]*\) .*/\1/p')
      printf 'damaged' | dd of="$1" bs=1 seek=$((physical + 200)) conv=notrunc status=none
    done
}

# Overwrites bytes of every sector of the files' data, in one copy ("1", "2"), in one and the other in turn ("turn"), or in both
# ("both"); with the number of an inode, of that file's data alone. The kernel reads what is sound.
damage_data() { # which inode-or-nothing device…
  python3 - "$@" <<'PY'
import re, subprocess, sys
which, only, devices = sys.argv[1], sys.argv[2], sys.argv[3:]
def dump(which):
    words = ["btrfs", "inspect-internal", "dump-tree", "-t", which, devices[0]]
    return subprocess.run(words, check=True, capture_output=True, text=True, errors="replace").stdout.splitlines()
chunks, extents, inode = [], set(), None
for line in dump("chunk"):
    if found := re.search(r"CHUNK_ITEM (\d+)\)", line):
        chunks.append((int(found[1]), []))
    elif found := re.search(r"stripe \d+ devid (\d+) offset (\d+)", line):
        chunks[-1][1].append((int(found[1]), int(found[2])))
for line in dump("5"):
    if key := re.search(r"key \((\d+) EXTENT_DATA", line):
        inode = key[1]
    elif (found := re.search(r"extent data disk byte (\d+) nr (\d+)", line)) and found[1] != "0" and only in ("", inode):
        extents.add((int(found[1]), int(found[2])))
assert extents
for number, (logical, length) in enumerate(sorted(extents)):
    start, stripes = max(chunk for chunk in chunks if chunk[0] <= logical)
    assert len(stripes) == 2, stripes
    for mirror, (device, offset) in enumerate(stripes, 1):
        with open(devices[device - 1], "r+b") as file:
            for sector in range(length // 4096):
                turn = mirror == 1 + (number + sector) % 2
                if which in (str(mirror), "both") or which == "turn" and turn:
                    file.seek(offset + logical - start + sector * 4096 + 200)
                    file.write(b"damaged")
PY
}

# An image of which data is damaged; of "both", that of one file, which the kernel then cannot read: NAME.list is the listing
# without it.
damaged() { # name size profile mount-options which mkfs.btrfs-options…
  local name=$1 which=$5 inode
  image "$1" "$2" "$3" "$4" "${@:6}"
  if [ "$which" != both ]; then
    damage_data "$which" "" "$out/$name.img"
    truth "$out/$name.img" "$out/$name.tsv"
    return
  fi
  inode=$(inode_of "$out/$name.img" size5000)
  damage_data both "$inode" "$out/$name.img"
  grep -v -P '^/size5000\t' "$out/$name.tsv" > "$out/$name.list"
  rm "$out/$name.tsv"
  cp --sparse=always "$out/$name.img" "$work/copy.img"
  mount -o loop "$work/copy.img" "$mnt"
  if cat "$mnt/size5000" > /dev/null 2>&1; then echo "$name is read" >&2; exit 1; fi
  rm "$mnt/size5000"
  # Of the directory that it was in, the time is another.
  python3 "$tree" list "$mnt" | LC_ALL=C sort | diff <(grep -v -P '^/\t' "$out/$name.list") <(grep -v -P '^/\t' -) >&2
  umount "$mnt"
  rm "$work/copy.img"
}

inode_of() { # image path
  mount -o loop,ro "$1" "$mnt"
  stat -c %i "$mnt/$2"
  umount "$mnt"
}

# A file system of two devices, with the data damaged.
spanning_damaged() { # name size profile mount-options which mkfs.btrfs-options…
  local name=$1 file list
  spanning "$1" 2 "$2" "$3" "$4" "${@:6}"
  mapfile -t list < <(files "$out/$name.img" 2)
  attach "${list[@]}"
  btrfs device scan "${devices[@]}" > /dev/null
  damage_data "$5" "" "${devices[@]}"
  sync
  detach
  # The kernel may mend what it reads.
  for file in "${list[@]}"; do cp --sparse=always "$file" "$file.kept"; done
  attach "${list[@]}"
  mount_all ",ro"
  python3 "$tree" list "$mnt" | LC_ALL=C sort > "$out/$name.tsv"
  umount "$mnt"
  detach
  for file in "${list[@]}"; do mv "$file.kept" "$file"; done
}

# What an old mkfs.btrfs does not make: Debian's backports have a newer one.
block_groups() { # name size profile mkfs.btrfs-options…
  if [[ $(mkfs.btrfs -O list-all 2>&1) = *block-group-tree* ]]; then image "$1" "$2" "$3" "" -O block-group-tree "${@:4}";
  else echo "$1 is left out: mkfs.btrfs is too old"; fi
}

if [ "$small" ]; then
  out_dir=$out out=$work/out
  mkdir -p "$out" "$out_dir"
  image dup-lzo 110M tiny+text ",compress-force=lzo" -m dup -d single
  image zstd 16M tiny+text ",compress-force=zstd" -M -n 4096 -m single --csum blake2 -O ^no-holes
  image subvolumes 16M tiny+subvolumes "" -M -n 4096 -m single --csum xxhash
  dirty dirty 24M dirty "" -M -n 4096 -m single
  dirty dirty-log 24M logged "" -M -n 4096 -m single
  damaged dup-damaged 160M tiny+text ",compress=zlib" turn -M -n 4096 -m dup -d dup
  block_groups block-group-tree 32M tiny -M -n 4096 -m single
  spanning raid 2 128M tiny "" -m raid1 -d raid0
  spanning_damaged mirror 128M tiny+text "" turn -n 4096 -m raid1 -d raid1
  # Not images of one volume.
  for name in raid mirror; do
    mv "$out/$name.img" "$out/$name.disk1"
    mv "$out/$name.img.2" "$out/$name.disk2"
    mv "$out/$name.tsv" "$out/$name.list"
    for file in "$out/$name".*; do zstd -q -f --ultra -22 "$file" -o "$out_dir/$(basename "$file").zst"; done
    rm "$out/$name".*
  done
  pack "$out_dir"
  exit
fi

image default 256M large+reflinks "" -n 16384
image nodes-4k 256M std+two_levels+reflinks "" -n 4096
image nodes-32k 256M std "" -n 32768
image nodes-64k 256M std+reflinks "" -n 65536
image csum-xxhash 256M std "" --csum xxhash
image csum-sha256 256M std "" --csum sha256
image csum-blake2 256M std "" --csum blake2
image no-data-sums 256M std ",nodatasum" -n 16384
image no-cow 256M std+reflinks ",nodatacow" -n 16384
image zlib 256M std+compressible+reflinks ",compress-force=zlib" -n 16384
image zlib-9 256M std+compressible ",compress-force=zlib:9" -n 16384
image lzo 256M std+compressible+reflinks ",compress-force=lzo" -n 16384
image zstd 256M std+compressible+reflinks ",compress-force=zstd" -n 16384
image zstd-15 256M std+compressible ",compress=zstd:15" -n 16384
image large-inline 256M std+compressible ",max_inline=4095,compress-force=lzo" -n 16384
image no-inline 256M std+compressible ",max_inline=0" -n 16384
image mixed 200M std "" -M -n 4096
image mixed-dup 200M std "" -M -m dup -d dup
image holes 256M std+reflinks "" -O ^no-holes
image holes-compressed 256M std+compressible ",compress-force=zlib" -O ^no-holes
image old-format 256M std "" -O ^no-holes,^skinny-metadata,^extref -R ^free-space-tree
image space-cache 256M std ",space_cache=v1" -R ^free-space-tree
image quota 256M std+subvolumes "" -R quota
image dup-data 256M std "" -m dup -d dup
image single 256M std "" -m single
image subvolumes 256M std+subvolumes "" -n 16384
image subvolumes-4k 256M tiny+subvolumes+compressible ",compress-force=zstd" -n 4096
image default-subvolume 256M tiny+subvolumes+default_subvolume "" -n 16384
image many-subvolumes 256M tiny+many_subvolumes "" -n 16384
image large-directories 512M two_levels+large "" -n 4096
image uuid-changed 256M std "" -n 16384
btrfstune -f -M 11111111-2222-3333-4444-555555555555 "$out/uuid-changed.img" > /dev/null
truth "$out/uuid-changed.img" "$out/uuid-changed.tsv"
image uuid-rewritten 256M std "" -n 16384
btrfstune -f -U 11111111-2222-3333-4444-666666666666 "$out/uuid-rewritten.img" > /dev/null
truth "$out/uuid-rewritten.img" "$out/uuid-rewritten.tsv"
image damaged-mirror 256M std "" -m dup -d single
for tree_id in root chunk 5 csum; do damage "$out/damaged-mirror.img" $tree_id; done
truth "$out/damaged-mirror.img" "$out/damaged-mirror.tsv"
damaged damaged-data 256M std+reflinks "" 1 -m dup -d dup
damaged damaged-data-2 256M std "" 2 -m dup -d dup
damaged damaged-data-turn 256M std "" turn -m dup -d dup
damaged damaged-data-turn-zstd 256M std+compressible ",compress-force=zstd" turn -m dup -d dup
damaged damaged-data-turn-mixed 200M tiny+text "" turn -M -n 4096 -m dup -d dup
damaged damaged-data-turn-sha256 256M tiny+text "" turn --csum sha256 -m dup -d dup
damaged damaged-data-both 256M tiny+text "" both -m dup -d dup
spanning_damaged raid1-damaged 256M std "" 1 -m raid1 -d raid1
spanning_damaged raid1-damaged-2 256M std "" 2 -m raid1 -d raid1
spanning_damaged raid1-damaged-turn 256M std+compressible ",compress=lzo" turn -m raid1 -d raid1
block_groups block-group-tree 256M std+subvolumes+reflinks -n 16384
block_groups block-group-tree-4k 128M tiny+compressible -M -n 4096
offline sectors-64k 256M -s 65536 -n 65536
offline sectors-16k 256M -s 16384 -n 16384
offline rootdir 128M -s 4096 -n 16384

spanning raid0 2 256M std "" -m raid0 -d raid0
spanning raid0-5 5 128M std+compressible ",compress-force=zstd" -m raid0 -d raid0
spanning raid1 2 256M std+compressible "" -m raid1 -d raid1
spanning raid1c3 3 256M std "" -m raid1c3 -d raid1c3
spanning raid1c4 4 256M std "" -m raid1c4 -d raid1c4
spanning raid10 4 256M std "" -m raid10 -d raid10
spanning raid10-6 6 128M std "" -m raid10 -d raid10
spanning raid5 3 256M std "" -m raid5 -d raid5
spanning raid5-4 4 256M std+compressible ",compress-force=lzo" -m raid1 -d raid5
spanning raid6 4 256M std "" -m raid6 -d raid6
spanning raid6-5 5 256M std "" -m raid1c3 -d raid6
spanning single-2 2 256M std+subvolumes "" -m single -d single

dirty dirty 128M dirty "" -n 16384
dirty dirty-4k 128M dirty "" -n 4096
dirty dirty-fast 128M fast "" -n 16384
dirty dirty-wrap 128M wrap "" -n 16384
dirty dirty-log 128M logged "" -n 16384
dirty dirty-log-4k 128M logged "" -M -n 4096
dirty dirty-log-holes 128M logged "" -O ^no-holes
dirty dirty-log-zstd 128M logged ",compress-force=zstd" -n 16384
dirty dirty-log-xxhash 128M logged+logged_subvolumes "" --csum xxhash
dirty dirty-subvolumes 128M tiny+logged_subvolumes "" -n 16384
dirty dirty-links 128M logged_links "" -n 16384
dirty dirty-links-4k 128M logged_links "" -M -n 4096
for seed in 1 2 3 4 5 6 7 8; do
  RANDOM_SEED=$seed dirty "dirty-random-$seed" 24M random_logged "" -M -n 4096 -m single
done
dirty dirty-nodatasum 128M logged ",nodatasum" -n 16384
