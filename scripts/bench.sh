#!/usr/bin/env bash
# bench.sh DISK [OUT.json]: icecore against the kernel's own work on one raw node disk (GPT, ext4 on its largest partition,
# containerd with overlayfs snapshots), in one run: a table with ratios, and the same figures as JSON.
# Needs root: the page cache is dropped, and the disk is mounted read-only for `find` and `cat`.
set -euo pipefail
cd "$(dirname "$0")/.."
disk=$(realpath "$1"); json=${2:-/dev/null}
[ "${INSIDE:-}" ] || exec env INSIDE=1 unshare --mount -- "$0" "$disk" "$json"
cargo build --release --quiet --locked
icecore=target/release/icecore; tmp=$(mktemp -d); mkdir "$tmp/mnt"
read -r start end < <(sfdisk -J "$disk" | python3 -c 'import json,sys; p=max(json.load(sys.stdin)["partitiontable"]["partitions"], key=lambda p: p["size"]); print(p["start"], p["start"]+p["size"])')
loop=$(losetup -f --show -r -o $((start*512)) --sizelimit $(((end-start)*512)) "$disk")
trap 'umount "$tmp/mnt" 2>/dev/null || true; losetup -d "$loop" 2>/dev/null || true; rm -rf "$tmp"' EXIT
tree=var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots
kernel() { mount -o ro,noload "$loop" "$tmp/mnt"; }
cold() { umount "$tmp/mnt" 2>/dev/null || true; sync; echo 3 > /proc/sys/vm/drop_caches; }
sectors() { awk -v d="$(basename "$(findmnt -no SOURCE -T "$disk")")" '$3 == d {print $6}' /proc/diskstats; }
measure() { # measure NAME COMMAND… : seconds, CPU seconds, peak KiB; for cold runs also MiB read from the host's disk
  local name=$1; shift; local before after begun ended; before=$(sectors); begun=$EPOCHREALTIME
  /usr/bin/time -o "$tmp/time" -f '%U %S %M' "$@" > "$tmp/out" 2> "$tmp/err" || [ $? = 3 ]
  ended=$EPOCHREALTIME; after=$(sectors)
  echo "$name $(awk "BEGIN { print $ended - $begun }") $(tail -1 "$tmp/time") $(((after-before)/2048))" >> "$tmp/rows"; }
best() { local name=$1; for _ in 1 2 3 4 5 6 7; do measure "$name" "${@:2}"; done; }

cold; kernel; measure find-cold find "$tmp/mnt/$tree"
best find-warm find "$tmp/mnt/$tree"
cold; measure scan-cold $icecore scan --no-vulnerabilities -f json -q "$disk"
scan=($icecore scan --no-vulnerabilities -f json -q)
best scan-warm "${scan[@]}" "$disk"; best scan-warm-1-thread "${scan[@]}" --threads 1 "$disk"
"${scan[@]}" --cache "$tmp/cache" --cache-unpacked "$disk" > /dev/null; best scan-cached "${scan[@]}" --cache "$tmp/cache" --cache-unpacked "$disk"
best ls-warm-1-thread $icecore ls -R "$disk" /$tree
kernel; big=$(find "$tmp/mnt" -xdev -type f -size +50M -printf '%s /%P\n' | sort -rn | head -1 | cut -d' ' -f2)
best cat-warm cat "$tmp/mnt$big"; best icecore-cat-warm $icecore cat "$disk" "$big"
bytes=$("${scan[@]}" "$disk" | python3 -c 'import json,sys; s=json.load(sys.stdin)["stats"]; print(s["bytes_read"], s["files_seen"])')
python3 - "$tmp/rows" "$json" $bytes <<'P'
import json, sys
rows = {}
for line in open(sys.argv[1]):
    name, *figures = line.split()
    figures = dict(zip(("seconds", "user", "system", "peak_kib", "read_mib"), map(float, figures)))
    if name not in rows or figures["seconds"] < rows[name]["seconds"]:
        rows[name] = figures
against = {"scan-cold": "find-cold", "scan-warm": "find-warm", "scan-warm-1-thread": "find-warm", "scan-cached": "find-warm",
           "ls-warm-1-thread": "find-warm", "icecore-cat-warm": "cat-warm"}
print(f"{'':20} {'seconds':>8} {'CPU':>6} {'peak MiB':>9} {'read MiB':>9}  ratio")
for name, f in rows.items():
    base = rows.get(against.get(name, ""))
    ratio = f"{f['seconds'] / max(base['seconds'], 0.001):.2f} × {against[name]}" if base else ""
    print(f"{name:20} {f['seconds']:8.3f} {f['user'] + f['system']:6.2f} {f['peak_kib'] / 1024:9.0f} {f['read_mib']:9.0f}  {ratio}")
print(f"two threads against one: {rows['scan-warm-1-thread']['seconds'] / rows['scan-warm']['seconds']:.2f} ×")
print(f"bytes read by a scan: {int(sys.argv[3]) / 2**20:.0f} MiB of {sys.argv[4]} names seen")
json.dump({"rows": rows, "bytes_read": int(sys.argv[3]), "files_seen": int(sys.argv[4])}, open(sys.argv[2], "w"), indent=1)
P
