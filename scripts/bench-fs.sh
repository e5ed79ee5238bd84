#!/usr/bin/env bash
# bench-fs.sh [DIR]: each file system against the kernel's own driver, warm, in one run: a walk of 200,000 files on one
# thread against `find`, and reading all of them against `cat`. Needs root and 6 GB in DIR (default: a temporary one).
set -euo pipefail
cd "$(dirname "$0")/.."
[ "${INSIDE:-}" ] || exec env INSIDE=1 unshare --mount -- "$0" "$@"
dir=${1:-}; [ "$dir" ] && mkdir -p "$dir" || dir=$(mktemp -d)
mkdir -p "$dir/mnt"
trap 'umount -q "$dir/mnt" || true; [ "${1:-}" ] || rm -rf "$dir"' EXIT
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

filled() { # image size mkfs…: made by the kernel
  [ -e "$1" ] && return
  truncate -s "$2" "$1"; "${@:3}" "$1" > /dev/null
  mount -o "loop${options:-}" "$1" "$dir/mnt"; cp -a "$dir/tree/." "$dir/mnt"; umount "$dir/mnt"
}
filled "$dir/ext4" 3G mkfs.ext4 -q -N 400000
filled "$dir/xfs" 3G mkfs.xfs -q
filled "$dir/btrfs" 3G mkfs.btrfs -q
options=,compress=zstd filled "$dir/btrfs-zstd" 3G mkfs.btrfs -q
[ -e "$dir/erofs" ] || mkfs.erofs --quiet "$dir/erofs" "$dir/tree" > /dev/null 2>&1
[ -e "$dir/erofs-lz4" ] || mkfs.erofs --quiet -zlz4 "$dir/erofs-lz4" "$dir/tree" > /dev/null 2>&1
[ -e "$dir/squashfs-zstd" ] || mksquashfs "$dir/tree" "$dir/squashfs-zstd" -comp zstd -quiet -no-progress > /dev/null

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
for image in "$dir"/{ext4,xfs,btrfs,btrfs-zstd,erofs,erofs-lz4,squashfs-zstd}; do
  cat "$image" > /dev/null
  mount -o loop,ro "$image" "$dir/mnt"
  find=$(seconds find "$dir/mnt")
  cat=$(seconds bash -c 'find "$1" -type f -print0 | xargs -0 cat' - "$dir/mnt")
  umount "$dir/mnt"
  for _ in 1 2 3 4; do "$bench" --bench "$image"; done | python3 -c '
import sys
name, find, cat = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
rows = [line.split() for line in sys.stdin]
walk, read, bytes = min(float(row[2]) for row in rows), min(float(row[5]) for row in rows), int(rows[0][4])
print(f"{name:14} {walk:8.3f} {find:8.3f} {walk / find:6.2f}  {read:8.3f} {cat:8.3f} {cat / read:6.2f}  {bytes / 1e6 / read:.0f}")' "$(basename "$image")" "$find" "$cat"
done
echo "walk: seconds here / find (less is better); read: throughput here / cat (more is better)"
