#!/usr/bin/env bash
# bench-disks.sh [DIR]: each form of disk image against a raw one, warm, on one thread: MB/s for reads in order, microseconds
# for a read of 4 KiB at random. The images hold an ext4 of this machine's /usr. Then the memory for images of 2040 GiB of which
# 4 KiB in each 512 MiB are written, by 20,000 reads at random. Needs root, qemu-utils and 8 GB in DIR.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=${1:-}; [ "$dir" ] && mkdir -p "$dir" || { dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; }
cargo build --release --quiet --locked --benches
bench=$(cargo bench --quiet --locked --no-run --bench disks --message-format json 2>/dev/null | python3 -c '
import json, sys
found = [json.loads(line) for line in sys.stdin if line.startswith("{")]
print([row["executable"] for row in found if row.get("target", {}).get("name") == "disks" and row.get("executable")][-1])')
raw=$dir/raw
if [ ! -e "$raw" ]; then
  mkdir "$dir/tree"; tar -C /usr -cf - bin lib share | head -c 900M | tar -C "$dir/tree" -xf - 2>/dev/null || true
  truncate -s 1G "$raw"; mkfs.ext4 -q -d "$dir/tree" "$raw"; rm -rf "$dir/tree"
fi
image() { [ -e "$dir/$1" ] || qemu-img convert -O "${@:2}" "$raw" "$dir/$1"; }
image qcow2 qcow2; image qcow2-zlib qcow2 -c; image qcow2-zstd qcow2 -c -o compression_type=zstd
image vhd vpc; image vhdx vhdx; image vdi vdi; image vmdk vmdk; image vmdk-stream vmdk -o subformat=streamOptimized
printf '%-12s %14s %14s %16s\n' "" "1 MiB, MB/s" "4 KiB, MB/s" "4 KiB random, µs"
for image in "$dir"/{raw,qcow2,vhd,vhdx,vdi,vmdk,qcow2-zlib,qcow2-zstd,vmdk-stream}; do
  cat "$image" > /dev/null
  for _ in 1 2 3; do "$bench" --bench "$image"; done | awk -F'\t' -v name="$(basename "$image")" '
    $2 > a {a = $2} $3 > b {b = $3} c == "" || $4 < c {c = $4} END {printf "%-12s %14d %14d %16.2f\n", name, a, b, c}'
done

printf '\n%-12s %16s %14s\n' "2040 GiB" "4 KiB random, µs" "peak MiB"
writes() { for ((at = 0; at < 2040 * 2; at++)); do echo "write -q $((at * 512))M 4k"; done; }
for format in qcow2 vpc vhdx vdi vmdk; do
  image=$dir/large.$format
  qemu-img create -q -f "$format" "$image" 2040G
  writes | qemu-io -f "$format" "$image" > /dev/null
  /usr/bin/time -o "$dir/time" -f %M "$bench" --bench --random "$image" > "$dir/micros"
  awk -F'\t' -v name="$format" -v kib="$(tail -1 "$dir/time")" '{printf "%-12s %16.2f %14.0f\n", name, $2, kib / 1024}' "$dir/micros"
  rm "$image"
  # Memory is not to depend on the size of a disk.
  [ "$(tail -1 "$dir/time")" -le 65536 ] || { echo "$format: more than 64 MiB"; exit 1; }
done
