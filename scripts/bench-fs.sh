#!/usr/bin/env bash
# bench-fs.sh [DIR [KIND…]]: each file system against the kernel's own driver, warm, in one run: a walk of 200,000 files on one
# thread against `find`, and reading all of them against `cat`. NTFS and exFAT are set against their drivers in user space,
# FAT against none. Needs root, ntfs-3g, exfat-fuse, mtools, and 12 GB in DIR (default: a temporary one).
set -euo pipefail
cd "$(dirname "$0")/.."
[ "${INSIDE:-}" ] || exec env INSIDE=1 unshare --mount -- "$0" "$@"
dir=${1:-} temporary=
if [ ! "$dir" ]; then dir=$(mktemp -d) temporary=yes; fi
mkdir -p "$dir/mnt"
trap 'umount -q "$dir/mnt" || true; if [ "$temporary" ]; then rm -rf "$dir"; fi' EXIT
cargo build --release --quiet --locked --benches
bench=$(cargo bench --quiet --locked --no-run --bench files --message-format json 2>/dev/null | python3 -c '
import json, sys
found = [json.loads(line) for line in sys.stdin if line.startswith("{")]
print([row["executable"] for row in found if row.get("target", {}).get("name") == "files" and row.get("executable")][-1])')

if [ ! -d "$dir/tree" ]; then python3 - "$dir/tree" <<'P'
import os, random, sys
random.seed(1)
words = [bytes(random.choices(b"abcdefghijklmnopqrstuvwxyz", k=random.randrange(2, 9))) for _ in range(4000)]
for top in range(40):
    for below in range(50):
        path = f"{sys.argv[1]}/package{top}/module{below}"
        os.makedirs(path)
        for number in range(100):
            with open(f"{path}/file{number}.js", "wb") as file:
                file.write(b" ".join(random.choices(words, k=random.randrange(0, 1500))))
P
fi

kinds=(ext4 xfs btrfs btrfs-zstd btrfs-lzo btrfs-zlib erofs erofs-lz4 squashfs-zstd squashfs-gzip ntfs exfat fat32)
[ $# -gt 1 ] && kinds=("${@:2}")

filled() { # mount options: the image, filled by the driver that mounts it
  mounted "$@"; cp -r "$dir/tree/." "$dir/mnt"; umount "$dir/mnt"
}
mounted() {
  case $kind in
    ntfs) ntfs-3g -o "big_writes,${1:-rw}" "$image" "$dir/mnt" ;;
    exfat)
      local loop; loop=$(losetup -f --show "$image")
      mount.exfat-fuse -o "${1:-rw}" "$loop" "$dir/mnt" 2> /dev/null > /dev/null
      # When it is not mounted any more.
      losetup -d "$loop" ;;
    *) mount -o "loop,${1:-rw}" "$image" "$dir/mnt" ;;
  esac
}
make() {
  case $kind in
    erofs) mkfs.erofs --quiet "$image" "$dir/tree" > /dev/null 2>&1; return ;;
    erofs-*) mkfs.erofs --quiet "-z${kind#*-}" "$image" "$dir/tree" > /dev/null 2>&1; return ;;
    squashfs-*) mksquashfs "$dir/tree" "$image" -comp "${kind#*-}" -quiet -no-progress > /dev/null; return ;;
  esac
  truncate -s 3G "$image"
  case $kind in
    ext4) mkfs.ext4 -q -N 400000 "$image"; filled ;;
    xfs) mkfs.xfs -q "$image"; filled ;;
    btrfs) mkfs.btrfs -q "$image" > /dev/null 2>&1; filled ;;
    btrfs-*) mkfs.btrfs -q "$image" > /dev/null 2>&1; filled "compress=${kind#*-}" ;;
    ntfs) mkntfs -q -Q -F "$image" 2> /dev/null > /dev/null; filled ;;
    exfat) mkfs.exfat "$image" > /dev/null; filled ;;
    fat32) mkfs.vfat -F 32 -s 8 "$image" > /dev/null; mcopy -s -Q -i "$image" "$dir"/tree/* :: ;;
  esac
}

seconds() { # COMMAND…: the best of three
  python3 - "$@" <<'P'
import subprocess, sys, time
def once():
    begun = time.monotonic()
    subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - begun
once()
print(f"{min(once() for _ in range(3)):.3f}")
P
}
printf '%-14s %8s %8s %6s  %8s %8s %6s  %s\n' "" walk find ratio read cat ratio "MB/s"
for kind in "${kinds[@]}"; do
  image=$dir/$kind
  if [ ! -e "$image" ]; then make; fi
  cat "$image" > /dev/null
  find=nan cat=nan
  if [ "$kind" != fat32 ]; then
    mounted ro
    find=$(seconds find "$dir/mnt")
    cat=$(seconds bash -c 'find "$1" -type f -print0 | xargs -0 cat' - "$dir/mnt")
    umount "$dir/mnt"
  fi
  for _ in 1 2 3 4; do "$bench" --bench "$image"; done | python3 -c '
import sys
name, find, cat = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
rows = [line.split() for line in sys.stdin]
walk, read, bytes = min(float(row[2]) for row in rows), min(float(row[5]) for row in rows), int(rows[0][4])
print(f"{name:14} {walk:8.3f} {find:8.3f} {walk / find:6.2f}  {read:8.3f} {cat:8.3f} {cat / read:6.2f}  {bytes / 1e6 / read:.0f}")' "$kind" "$find" "$cat"
done
echo "walk: seconds here / find (less is better); read: throughput here / cat (more is better)"
