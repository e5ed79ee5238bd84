#!/usr/bin/env bash
# make-lvm.sh OUT_DIR: three physical volumes of one LVM2 volume group, made by lvm, which no kernel driver helps: what a
# logical volume holds is written to the extents that lvm says are its. Next to them truth.tsv: a logical volume a line,
# with its bytes and their SHA-256. Needs root, lvm2, e2fsprogs, python3.
set -euo pipefail
out=$(realpath -m "${1:?usage: make-lvm.sh OUT_DIR}")
mkdir -p "$out"
work=$(mktemp -d)
loops=()
trap 'for loop in "${loops[@]}"; do losetup -d "$loop"; done; rm -rf "$work"' EXIT
cd "$work"

export LVM_SUPPRESS_FD_WARNINGS=1 LVM_SYSTEM_DIR=$work
for number in 1 2 3; do
  truncate -s 5M "pv$number.img"
  loops+=("$(losetup -f --show "pv$number.img")")
done
filter=$(printf '"a|^%s$|",' "${loops[@]}")
lvm() {
  command lvm "$@" --driverloaded n --config "devices{scan=[\"/dev\"] filter=[$filter\"r|.*|\"] use_devicesfile=0}" 2>lvm.log || { cat lvm.log >&2; exit 1; }
}
create() { lvm lvcreate -qq -an -Zn -Wn -y -n "$1" vg-one "${@:2}"; }

lvm pvcreate -qq --metadatasize 128k "${loops[@]}"
lvm vgcreate -qq -s 64k vg-one "${loops[@]}"
create first -l 8 "${loops[0]}"
create root -l 20 "${loops[0]}"
create between -l 3 "${loops[0]}"
create var --type striped -i 3 -I 16k -l 42
lvm lvremove -qq -y vg-one/first
# In three pieces: behind the others, at the beginning, on another disk.
lvm lvextend -qq -l +24 vg-one/root "${loops[0]}"
lvm lvextend -qq -l +6 vg-one/root "${loops[1]}"
# The text moves on in its area: it is written anew with each change.
for number in $(seq 40); do lvm lvrename -qq vg-one between "between$number" && lvm lvrename -qq vg-one "between$number" between; done
# A RAID 1 as lvm describes one; making it takes the kernel's driver.
lvm vgcfgbackup -qq -f described vg-one
python3 - described <<'PY'
import re, sys
text = open(sys.argv[1]).read()
leg = lambda name, pv, at, count: '''
		%s {
			id = "%s"
			status = ["READ", "WRITE"]
			flags = []
			segment_count = 1
			segment1 {
				start_extent = 0
				extent_count = %d
				type = "striped"
				stripe_count = 1
				stripes = ["%s", %d]
			}
		}''' % (name, ident(name), count, pv, at)
def ident(name):
    digits = (name.replace("_", "") * 16)[:32]
    return "-".join(digits[a:b] for a, b in ((0, 6), (6, 10), (10, 14), (14, 18), (18, 22), (22, 26), (26, 32)))
added = '''
		both {
			id = "%s"
			status = ["READ", "WRITE", "VISIBLE"]
			flags = []
			segment_count = 1
			segment1 {
				start_extent = 0
				extent_count = 8
				type = "raid1"
				device_count = 2
				region_size = 1024
				raids = ["both_rmeta_0", "both_rimage_0", "both_rmeta_1", "both_rimage_1"]
			}
		}''' % ident("both")
for number, pv in ((0, "pv1"), (1, "pv2")):
    added += leg("both_rmeta_%d" % number, pv, 50, 1) + leg("both_rimage_%d" % number, pv, 51, 8)
text = re.sub(r"(logical_volumes \{\n)", lambda match: match[1] + added, text)
open(sys.argv[1], "w").write(text)
PY
lvm vgcfgrestore -qq -y -f described vg-one

mkdir -p root/etc root/usr root/var var/lib
printf 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian of a volume group"\n' > root/etc/os-release
printf '/dev/mapper/vg--one-root / ext4 defaults 0 1\n/dev/vg-one/var /var ext4 defaults 0 2\n' > root/etc/fstab
echo lvm-node > root/etc/hostname
echo here > var/lib/state
mke2fs -q -t ext4 -O ^has_journal -b 1024 -d root root.ext4 $((50 * 64))k
mke2fs -q -t ext4 -O ^has_journal -b 1024 -d var var.ext4 $((42 * 64))k
python3 -c 'import sys; sys.stdout.write("".join("between %06d\n" % n for n in range(3 * 4400)))' | head -c $((3 * 65536)) > between.ext4
python3 -c 'import sys; sys.stdout.write("".join("both %09d\n" % n for n in range(8 * 4400)))' | head -c $((8 * 65536)) > both.ext4

lvm lvs -a --reportformat json --units b --nosuffix \
  -o lv_name,lv_size,segtype,seg_start_pe,seg_size_pe,stripes,stripe_size,seg_pe_ranges vg-one > segments.json
lvm pvs --reportformat json --units b --nosuffix -o pv_name,pe_start > physical.json
python3 - "$out/truth.tsv" <<'PY'
import hashlib, json, re, sys
EXTENT = 65536
read = lambda name, kind: [row for part in json.load(open(name))["report"] for row in part[kind]]
begin = {row["pv_name"]: int(row["pe_start"]) for row in read("physical.json", "pv")}
segments = read("segments.json", "seg") if "seg" in json.load(open("segments.json"))["report"][0] else read("segments.json", "lv")
truth = open(sys.argv[1], "w")
def write(data, row):
    stripes, chunk = int(row["stripes"]), int(row["stripe_size"]) or len(data)
    areas = []
    for name, first, last in re.findall(r"(\S+):(\d+)-(\d+)", row["seg_pe_ranges"]):
        areas.append((open(name, "r+b", buffering=0), begin[name] + int(first) * EXTENT))
    for number, at in enumerate(range(0, len(data), chunk)):
        device, start = areas[number % stripes]
        device.seek(start + number // stripes * chunk)
        device.write(data[at:at + chunk])
for name in sorted({row["lv_name"].strip("[]") for row in segments}):
    source = re.sub(r"_rimage_\d$", "", name)
    if "_rmeta_" in name or any(r["segtype"] == "raid1" for r in segments if r["lv_name"] == name):
        continue
    data = open(source + ".ext4", "rb").read()
    for row in (row for row in segments if row["lv_name"].strip("[]") == name):
        first, count = int(row["seg_start_pe"] or 0), int(row["seg_size_pe"])
        write(data[first * EXTENT:(first + count) * EXTENT], row)
for name in ("between", "both", "root", "var"):
    data = open(name + ".ext4", "rb").read()
    print("vg-one/" + name, len(data), hashlib.sha256(data).hexdigest(), sep="\t", file=truth)
PY
sync
for number in 1 2 3; do zstd -q -f --ultra -22 "pv$number.img" -o "$out/pv$number.img.zst"; done
