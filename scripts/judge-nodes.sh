#!/usr/bin/env bash
# judge-nodes.sh SHARED WORK: scans the real node disks in SHARED/data/disks and holds the reports against their truth.
# Each must have every image, pod, container and OS, Python, npm, Maven package, Go module and crate.
# As images of other formats, and on a logical volume, each must give the same report. Needs root (loop devices), qemu-utils,
# lvm2.
set -euo pipefail
shared=$(realpath "$1"); work=$2; mkdir -p "$work"; work=$(realpath "$work")
cd "$(dirname "$0")/.."
icecore=target/release/icecore
[ -s "$work/data-ctrd17.raw" ] || zstd -dc --long=31 "$shared/data/disks/disks.tar.zst" | tar xS -C "$work"
[ -s "$work/data-ctrd17.truth.json" ] || zstd -dc --long=31 "$shared/data/disks/truth.tar.zst" | tar x -C "$work"
passed=0; failed=0
check() { if "${@:2}"; then passed=$((passed+1)); else echo "FAILED: $1" >&2; failed=$((failed+1)); fi; }
complete() { # complete DISK TRUTH : exit code 0 and nothing missing or extra of the kinds that are read
  "$icecore" scan -q --no-vulnerabilities --reproducible -f json "$1" > "$work/report.json" || return 1
  python3 "$shared/judge/from_icecore.py" "$work/report.json" > "$work/normalized.json"
  python3 "$shared/judge/judge.py" "$2" "$work/normalized.json" --extra "$shared/judge/extra.json" --json "$work/verdict.json" > "$work/judge.txt" || true
  python3 - "$work/judge.txt" "$2" "$work/report.json" <<'P'
import json, re, sys
total = open(sys.argv[1]).read().split("TOTAL")[1]
print("   TOTAL" + "\n   ".join(line for line in total.splitlines()[:9] if "missing:" not in line))
kinds = dict((m[1], (int(m[2]), int(m[3]))) for m in re.finditer(r"(\w+)\s+\d+/\d+\s+missing (\d+)\s+extra (\d+)", total))
truth, report = (json.load(open(name)) for name in sys.argv[2:])
own = {(pod["metadata"]["namespace"], pod["metadata"]["name"], pod["metadata"]["uid"]) for pod in truth["pods"]}
found = {(pod["namespace"], pod["name"], pod["uid"]) for pod in report["pods"]}
print("   pods", len(own & found), "missing", len(own - found), "extra", len(found - own))
sys.exit(own != found or any(kinds.get(kind, (0, 0)) != (0, 0) for kind in ("images", "containers", "deb", "apk", "rpm", "pypi", "npm", "maven", "golang", "cargo")))
P
}
same_report() { # same_report DISK FORMAT OPTIONS… : as an image of another format the disk gives the report in raw.json
  qemu-img convert -O "$2" "${@:3}" "$1" "$work/wrapped"
  "$icecore" scan -q --no-vulnerabilities --reproducible -f json "$work/wrapped" > "$work/report.json" || true
  rm "$work/wrapped"
  python3 - "$work/raw.json" "$work/report.json" <<'P'
import json, sys
a, b = (json.load(open(name)) for name in sys.argv[1:])
for report in (a, b):
    for disk in report["node"]["disks"]:
        del disk["name"], disk["format"]
sys.exit(a != b)
P
}
in_lvm() { # in_lvm DISK START : its file system, from START bytes on, as the logical volume node/root says the same
  local loop
  truncate -s $(($(stat -c %s "$1") + (64 << 20))) "$work/wrapped"
  loop=$(losetup -f --show "$work/wrapped")
  lvm() { command lvm "$@" --driverloaded n --config "devices{scan=[\"/dev\"] filter=[\"a|^$loop\$|\",\"r|.*|\"] use_devicesfile=0}" 2> "$work/lvm.log" || { cat "$work/lvm.log" >&2; return 1; }; }
  lvm pvcreate -qq "$loop" && lvm vgcreate -qq node "$loop" && lvm lvcreate -qq -an -Zn -Wn -y -n root -L "$(($(stat -c %s "$1") - $2))b" node
  dd if="$1" of="$loop" bs=1M iflag=skip_bytes oflag=seek_bytes skip="$2" conv=notrunc,sparse status=none \
    seek="$(lvm pvs --noheadings --nosuffix --units b -o pe_start "$loop" | tr -d ' ')"
  losetup -d "$loop"
  "$icecore" scan -q --no-vulnerabilities --reproducible -f json "$work/wrapped" > "$work/report.json" || true
  rm "$work/wrapped"
  python3 - "$work/raw.json" "$work/report.json" <<'P'
import json, sys
a, b = (json.load(open(name)) for name in sys.argv[1:])
same = lambda report: [report[key] for key in ("images", "containers", "pods")] + [
    report["verdict"]["status"], report["node"]["packages"], report["node"].get("os"), [gap["code"] for gap in report["gaps"]]]
sys.exit(same(a) != same(b) or all(volume["id"] != "node/root" for volume in b["node"]["volumes"]))
P
}
for disk in data-ctrd17 data-ctrd21-xfs-1k data-ctrd21-btrfs-zstd tiny-crio-xfs; do echo "$disk"; check "$disk" complete "$work/$disk.raw" "$work/$disk.truth.json"; done
for disk in data-ctrd17 data-ctrd21-xfs-1k data-ctrd21-btrfs-zstd tiny-crio-xfs; do
  "$icecore" scan -q --no-vulnerabilities --reproducible -f json "$work/$disk.raw" > "$work/raw.json" || true
  check "$disk as qcow2" same_report "$work/$disk.raw" qcow2
  check "$disk as qcow2 with zlib" same_report "$work/$disk.raw" qcow2 -c
  check "$disk as qcow2 with zstd" same_report "$work/$disk.raw" qcow2 -c -o compression_type=zstd
  check "$disk as qcow2 with extended L2" same_report "$work/$disk.raw" qcow2 -o extended_l2=on,cluster_size=128k
  check "$disk as VHD" same_report "$work/$disk.raw" vpc -o force_size=on
  check "$disk as VHDX" same_report "$work/$disk.raw" vhdx
  check "$disk as VMDK" same_report "$work/$disk.raw" vmdk -o subformat=streamOptimized
  check "$disk as VDI" same_report "$work/$disk.raw" vdi
  start=0; [ "$disk" != tiny-crio-xfs ] || start=$(sfdisk -J "$work/$disk.raw" | python3 -c 'import json, sys; print(json.load(sys.stdin)["partitiontable"]["partitions"][0]["start"] * 512)')
  check "$disk on LVM2" in_lvm "$work/$disk.raw" "$start"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
