#!/usr/bin/env bash
# Makes disk images of every format and kind with qemu-img, qemu-io and the writers in disks/, and their truth: `truth.tsv` has a line for each
# disk with its name, options for the reader, size, the SHA-256 of every MiB as qemu reads it or as it was written, and who has
# read just that: qemu, and the readers of disks/judge.py. Needs qemu-utils, gdisk, fdisk, zstd, 7zip, python3-libvhdi,
# python3-libvmdk, python3-libqcow, and PyPI for dissect.hypervisor, which is of $DISSECT if that is a folder that has it.
# Usage: make-disks.sh OUT_DIR
set -euo pipefail

out=${1:?usage: make-disks.sh OUT_DIR}
parts=$(realpath "$(dirname "$0")/disks")
mkdir -p "$out"
cd "$out"
rm -f -- *.qcow2 *.vhd *.vdi *.vmdk *.vhdx *.raw truth.tsv
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

io() { qemu-io "$@" >/dev/null; }

# 12 MiB and a bit of files, random bytes and holes: compresses in parts, odd in size.
base=base.raw
python3 - "$base" <<'PY'
import random, sys
rng = random.Random(20261124)
size = 12 * 1024 * 1024 + 512 * 3
with open(sys.argv[1], "wb") as disk:
    disk.truncate(size)
    at = 0
    while at < size:
        length = min(rng.choice([512, 4096, 40_000, 65_536, 300_000, 1_000_000]), size - at)
        kind = rng.randrange(4)
        disk.seek(at)
        if kind == 0:
            disk.write(rng.randbytes(length))
        elif kind == 1:
            words = [rng.randbytes(8) for _ in range(50)]
            disk.write(b"".join(rng.choice(words) for _ in range(length // 8 + 1))[:length])
        elif kind == 2:
            disk.write(bytes([rng.randrange(1, 256)]) * length)
        at += length
PY

# A line of truth: name of the disk, raw file that it must equal, options as key=value,…, who has read that of it
truth() {
    local name=$1 raw=$2 options=${3:--} judges=${4:--}
    python3 - "$name" "$raw" "$options" "$judges" >>truth.tsv <<'PY'
import hashlib, sys
name, raw, options, judges = sys.argv[1:]
sums, size = [], 0
with open(raw, "rb") as disk:
    while chunk := disk.read(1 << 20):
        size += len(chunk)
        sums.append(hashlib.sha256(chunk).hexdigest()[:32])
print(name, options, size, ",".join(sums), judges, sep="\t")
PY
}

# The other readers' names, in the truth of a folder.
others() {
    local dissect=${DISSECT:-$work/dissect}
    if [ ! -d "$dissect" ] && ! python3 -m pip install -q --disable-pip-version-check --target "$dissect" dissect.hypervisor==3.21; then
        echo "NOT RUN: dissect.hypervisor as a judge, which PyPI does not give here" >&2
    fi
    PYTHONPATH=$dissect /usr/bin/python3 "$parts/judge.py" "$1"
}

# What qemu calls the format of a disk with this name.
format_of() {
    case $1 in
        *.vhd) echo vpc ;;
        *) echo "${1##*.}" ;;
    esac
}

# What qemu reads of a disk is its truth.
judge() {
    local name=$1 options=${2:--} format
    format=$(format_of "$name")
    qemu-img convert -f "$format" -O raw "$name" "$work/truth.raw"
    truth "$name" "$work/truth.raw" "$options" qemu
}

# The same for some MiB of a disk that is too large for all: the option `mib` numbers those of the sums.
judge_parts() {
    local name=$1 numbers sums="" size format
    format=$(format_of "$name")
    shift
    numbers=$(IFS=:; echo "$*")
    size=$(qemu-img info -f "$format" --output json "$name" | python3 -c 'import json, sys; print(json.load(sys.stdin)["virtual-size"])')
    for number in "$@"; do
        qemu-img dd -f "$format" -O raw bs=1M skip="$number" count=$((number + 1)) if="$name" of="$work/part.raw"
        sums+=,$(sha256sum <"$work/part.raw" | head -c 32)
    done
    printf '%s\t%s\t%s\t%s\tqemu\n' "$name" "mib=$numbers" "$size" "${sums#,}" >>truth.tsv
}

# Every cluster size, version, compression, and extended L2 entries.
for bits in 9 10 12 14 16 18 21; do
    cluster=$((1 << bits))
    for version in 0.10 1.1; do
        for compression in none zlib zstd; do
            for extended in off on; do
                options="compat=$version,cluster_size=$cluster"
                if [ "$version" = 0.10 ] && { [ $compression = zstd ] || [ $extended = on ]; }; then continue; fi
                if [ $extended = on ]; then
                    [ $bits -ge 14 ] || continue
                    options+=",extended_l2=on"
                fi
                flags=()
                if [ $compression != none ]; then flags=(-c); fi
                if [ $compression = zstd ]; then options+=",compression_type=zstd"; fi
                name="c$cluster-v$version-$compression-$extended.qcow2"
                qemu-img convert -f raw -O qcow2 "${flags[@]}" -o "$options" "$base" "$name"
                qemu-img compare -q "$name" "$base"
                truth "$name" "$base" - qemu
            done
        done
    done
done

# Preallocation; with falloc and full every cluster lies in the file in order.
for mode in off metadata falloc full; do
    for extended in off on; do
        name="prealloc-$mode-$extended.qcow2"
        qemu-img create -q -f qcow2 -o "preallocation=$mode,extended_l2=$extended" "$name" 5000k
        io -c 'write -P 7 100k 300k' -c 'write -P 8 4999k 1k' "$name"
        judge "$name"
    done
done

# Nothing at all, odd sizes, no bytes, more than one L1 entry.
for size in 0 512 1536 65535 65536 66048 1000001 34359738880; do
    name="holes-$size.qcow2"
    qemu-img create -q -f qcow2 "$name" "$size"
    if [ "$size" -lt 1000000000 ]; then judge "$name"; fi
done
name=wide-512.qcow2
qemu-img create -q -f qcow2 -o cluster_size=512 "$name" 40M
for at in 0 32k 33k 8M 16777k 40959k; do io -c "write -P 9 $at 1k" "$name"; done
judge "$name"

# Zeros that are written, discarded and written over, compressed beside uncompressed.
for options in compat=0.10 compat=1.1 compat=1.1,extended_l2=on compat=1.1,compression_type=zstd; do
    name="zeros-${options//[,=.]/-}.qcow2"
    qemu-img create -q -f qcow2 -o "$options" "$name" 8M
    io -c 'write -P 1 0 6M' -c 'write -P 1 7M 1M' -c 'write -z 64k 200k' -c 'write -z -u 1M 1M' -c 'discard 3M 1M' \
        -c 'write -P 2 3500k 3k' -c 'write -z 5M 2k' -c 'discard 5200k 2k' \
        "$name"
    io -c 'write -c -P 3 6M 64k' -c 'write -c -P 4 6400k 64k' -c 'write -P 5 6410k 2k' "$name"
    judge "$name"
done

# Backing chains of three, with and without subclusters, compressed in the middle.
for extended in off on; do
    bottom="bottom-$extended.qcow2" middle="middle-$extended.qcow2" top="top-$extended.qcow2"
    qemu-img convert -f raw -O qcow2 -c "$base" "$bottom"
    qemu-img create -q -f qcow2 -b "$bottom" -F qcow2 -o "extended_l2=$extended,compression_type=zstd" "$middle"
    io -c 'write -c -P 11 1M 64k' -c 'write -P 12 2000k 3k' -c 'write -z 3M 100k' "$middle"
    qemu-img create -q -f qcow2 -b "$middle" -F qcow2 -o "extended_l2=$extended" "$top"
    io -c 'write -P 13 1030k 5k' -c 'write -P 14 12M 1k' -c 'discard 2M 64k' "$top"
    judge "$middle"
    judge "$top"
done
qemu-img create -q -f qcow2 -b "$base" -F raw over-raw.qcow2
io -c 'write -P 15 77k 100k' over-raw.qcow2
judge over-raw.qcow2
# A disk that grew past its backing file, and one that is smaller than it.
qemu-img create -q -f qcow2 -b "$base" -F raw grown.qcow2 20M
io -c 'write -P 16 12280k 20k' grown.qcow2
judge grown.qcow2
qemu-img create -q -f qcow2 -b "$base" -F raw -o cluster_size=4k shrunk.qcow2 3000k
judge shrunk.qcow2
# Version 2 has the format's extension too; an image that does not say it is probed.
qemu-img create -q -f qcow2 -o compat=0.10 -b bottom-off.qcow2 -F qcow2 v2-over.qcow2
judge v2-over.qcow2
cp over-raw.qcow2 probed.qcow2
qemu-img rebase -u -b bottom-off.qcow2 -F qcow2 probed.qcow2
python3 - probed.qcow2 <<'PY'
import sys
with open(sys.argv[1], "r+b") as disk:
    head = disk.read(65536)
    at = head.index(bytes.fromhex("e2792aca"))
    disk.seek(at)
    disk.write(bytes.fromhex("12345678"))
PY
judge probed.qcow2
json="json:{\"driver\":\"qcow2\",\"file\":{\"driver\":\"file\",\"filename\":\"$PWD/bottom-off.qcow2\"}}"
qemu-img create -q -f qcow2 -b "$json" -F qcow2 json.qcow2
judge json.qcow2

# External data files.
for raw in off on; do
    name="external-$raw.qcow2"
    qemu-img create -q -f qcow2 -o "data_file=external-$raw.data.raw,data_file_raw=$raw" "$name" 12584448
    qemu-img convert -n -f raw -O qcow2 "$base" "$name"
    io -c 'write -z 1M 70k' -c 'discard 2M 64k' "$name"
    judge "$name"
done

# Internal snapshots, by id and by name, one before the disk grew.
for version in 0.10 1.1; do
    name="snapshots-$version.qcow2"
    qemu-img convert -f raw -O qcow2 -o "compat=$version" "$base" "$name"
    qemu-img snapshot -c first "$name"
    io -c 'write -P 21 0 1M' -c 'write -P 22 10M 3k' "$name"
    qemu-img snapshot -c second "$name"
    io -c 'write -P 23 512k 1M' "$name"
    qemu-img convert -l snapshot.name=first -O raw "$name" "$work/snapshot.raw"
    cmp "$base" "$work/snapshot.raw"
    truth "$name" "$base" snapshot=first qemu
    truth "$name" "$base" snapshot=1 qemu
    qemu-img convert -l snapshot.name=second -O raw "$name" "$work/snapshot.raw"
    truth "$name" "$work/snapshot.raw" snapshot=second qemu
    judge "$name"
done
qemu-img convert -f raw -O qcow2 "$base" snapshot-grown.qcow2
qemu-img snapshot -c small snapshot-grown.qcow2
qemu-img resize -q snapshot-grown.qcow2 30M
io -c 'write -P 24 0 25M' snapshot-grown.qcow2
qemu-img convert -l snapshot.name=small -O raw snapshot-grown.qcow2 "$work/snapshot.raw"
# A snapshot has the size that the disk had; qemu shows zeros behind it.
cmp -n "$(stat -c %s "$base")" "$base" "$work/snapshot.raw"
truth snapshot-grown.qcow2 "$base" snapshot=small qemu
judge snapshot-grown.qcow2

# A writer that was killed, and a bit that says damage.
qemu-img create -q -f qcow2 -o lazy_refcounts=on dirty.qcow2 4M
(ulimit -c 0; qemu-io -c 'write -P 31 0 1M' -c 'write -P 32 3M 64k' -c flush -c abort dirty.qcow2 ) >/dev/null 2>&1 || true
judge dirty.qcow2 note=dirty-image
qemu-img convert -f raw -O qcow2 "$base" corrupt-bit.qcow2
printf '\x02' | dd of=corrupt-bit.qcow2 bs=1 seek=79 conv=notrunc status=none
judge corrupt-bit.qcow2 note=corrupt-structure

# Files that end too early: what is read must be right, what is cut must be an error.
cut_files() {
    local source size part name
    for source in "$@"; do
        size=$(stat -c %s "$source")
        for part in ${cuts:-30 60 99}; do
            name="cut$part-$source"
            head -c $((size * part / 100)) "$source" >"$name"
            truth "$name" "$base" cut=yes
        done
    done
}
cut_files c65536-v1.1-none-off.qcow2 c65536-v1.1-zstd-off.qcow2 c512-v0.10-zlib-off.qcow2 c65536-v1.1-none-on.qcow2

for format in vhd vdi vmdk vhdx; do
    if [ -e "$parts/$format.sh" ]; then . "$parts/$format.sh"; fi
done
others .

# Small disks for the repository's disk-fixtures/disk: one of each way to store a cluster.
mkdir -p small
cd small
rm -f -- *
python3 - small.raw <<'PY'
import random, sys
rng = random.Random(7)
words = [rng.randbytes(6) for _ in range(40)]
with open(sys.argv[1], "wb") as disk:
    disk.truncate(150_000 // 512 * 512)
    for at, length in [(0, 3000), (20_000, 30_000), (70_000, 5), (100_000, 40_000)]:
        disk.seek(at)
        disk.write(b"".join(rng.choice(words) for _ in range(length // 6 + 1)))
PY
qemu-img convert -f raw -O qcow2 -o compat=0.10,cluster_size=4k small.raw plain.qcow2
qemu-img convert -f raw -O qcow2 -c -o cluster_size=8k small.raw zlib.qcow2
qemu-img convert -f raw -O qcow2 -c -o cluster_size=4k,compression_type=zstd small.raw zstd.qcow2
qemu-img snapshot -c before zstd.qcow2
io -c 'write -P 1 20k 4k' -c 'write -z 100k 10k' zstd.qcow2
qemu-img create -q -f qcow2 -b zlib.qcow2 -F qcow2 -o extended_l2=on,cluster_size=16k over.qcow2 200k
io -c 'write -P 2 24k 512' -c 'write -z 30k 1k' -c 'write -P 3 140k 10k' over.qcow2
qemu-img create -q -f qcow2 -o cluster_size=512 zeros.qcow2 100k
io -c 'write -P 4 1k 50k' -c 'write -z 10k 512' -c 'discard 20k 3k' zeros.qcow2
judge plain.qcow2
judge zlib.qcow2
qemu-img convert -l snapshot.name=before -O raw zstd.qcow2 "$work/snapshot.raw"
truth zstd.qcow2 "$work/snapshot.raw" snapshot=before qemu
judge zstd.qcow2
judge over.qcow2
judge zeros.qcow2
# The other formats: plain, compressed or in parts, on a parent, and with a log.
python3 - tiny.raw <<'PY'
import random, sys
rng = random.Random(8)
words = [rng.randbytes(6) for _ in range(40)]
with open(sys.argv[1], "wb") as disk:
    disk.truncate(99_840)
    for at, length in [(0, 2000), (40_000, 5), (70_000, 4000), (99_000, 840)]:
        disk.seek(at)
        disk.write(b"".join(rng.choice(words) for _ in range(length // 6)))
PY
cp tiny.raw child.raw
qemu-img convert -f raw -O vpc -o force_size=on tiny.raw dynamic.vhd
qemu-img convert -f raw -O vpc -o subformat=fixed,force_size=on tiny.raw fixed.vhd
python3 "$parts/vhd.py" child child.vhd child.raw 4096 dynamic.vhd 1
judge dynamic.vhd
judge fixed.vhd
truth child.vhd child.raw
qemu-img convert -f raw -O vdi tiny.raw dynamic.vdi
judge dynamic.vdi
qemu-img convert -f raw -O vmdk tiny.raw sparse.vmdk
qemu-img convert -f raw -O vmdk -o subformat=streamOptimized tiny.raw stream.vmdk
qemu-img convert -f raw -O vmdk -o subformat=twoGbMaxExtentFlat tiny.raw split.vmdk
qemu-img create -q -f vmdk -b sparse.vmdk -F vmdk -o zeroed_grain=on delta.vmdk
io -f vmdk -c 'write -P 5 66k 1k' delta.vmdk
for name in sparse stream split delta; do judge $name.vmdk; done
qemu-img convert -f raw -O vhdx -o block_size=1M tiny.raw dynamic.vhdx
judge dynamic.vhdx
cp dynamic.vhdx dirty.vhdx
python3 "$parts/vhdx.py" dirty dirty.vhdx plain
cp dirty.vhdx "$work/copy.vhdx"
qemu-img check -q -r all "$work/copy.vhdx"
qemu-img compare -q "$work/copy.vhdx" tiny.raw
truth dirty.vhdx tiny.raw - qemu
cp tiny.raw child.raw
python3 "$parts/vhdx.py" child child.vhdx child.raw 1048576 512 dynamic.vhdx 2
truth child.vhdx child.raw
others .
rm small.raw tiny.raw child.raw
zstd -q -19 --rm -- *.qcow2 *.vhd *.vdi *.vmdk *.vhdx

# Partition tables for disk-fixtures/volume: what sfdisk says of them is the truth.
cd ..
mkdir -p volumes
cd volumes
rm -f -- *

# Lines of truth.tsv: image, scheme, then number, start, bytes, type, PARTUUID and name of a partition.
partitions() {
    sfdisk -J "$1" | python3 -c '
import json, re, sys
image, said = sys.argv[1], sys.argv[2] or sys.argv[1]
table = json.load(sys.stdin)["partitiontable"]
scheme = {"gpt": "gpt", "dos": "mbr"}[table["label"]]
for part in table["partitions"]:
    kind = part["type"] if scheme == "gpt" else part["type"].zfill(2)
    number = int(re.search(r"(\d+)$", part["node"])[1])
    # The extended partition is a frame for the logical ones.
    if scheme == "mbr" and kind in ("05", "0f", "85"):
        continue
    uuid = part.get("uuid", "").lower()
    if scheme == "mbr":
        uuid = "%08x-%02x" % (int(table["id"], 16), number)
    sector = table.get("sectorsize", 512)
    print(said, scheme, number, part["start"] * sector, part["size"] * sector, kind, uuid, part.get("name", ""), sep="\t")
' "$1" "${2:-}" >>truth.tsv
}

truncate -s 24M gpt.img
sgdisk -S 160 -n 1:2048:+4M -t 1:ef00 -c 1:ESP -n 2:0:+8M -c 2:root -n 130:0:0 -c '130:dåtä 2' gpt.img >/dev/null
partitions gpt.img
# The first header, or its entries, or the disk's first sector are damaged.
for case in header:520 entries:1030 both:520; do
    cp gpt.img "gpt-${case%:*}.img"
    printf '\xff\xff\xff\xff' | dd of="gpt-${case%:*}.img" bs=1 seek="${case#*:}" conv=notrunc status=none
    partitions gpt.img "gpt-${case%:*}.img"
done
printf '\xff' | dd of=gpt-both.img bs=1 seek=1030 conv=notrunc status=none
cp gpt.img gpt-unprotected.img
dd if=/dev/zero of=gpt-unprotected.img bs=512 count=1 conv=notrunc status=none
partitions gpt.img gpt-unprotected.img
# The disk grew: the backup is no longer at its end, and only the first header knows where.
cp gpt-entries.img gpt-grown.img
truncate -s 40M gpt-grown.img
partitions gpt.img gpt-grown.img
# A hybrid: the MBR names one of the partitions too.
cp gpt.img gpt-hybrid.img
sgdisk -h 2 gpt-hybrid.img >/dev/null 2>&1
partitions gpt.img gpt-hybrid.img
# Sectors of 4096 bytes, which only a device tells.
truncate -s 24M gpt-4k.img
loop=$(losetup -b 4096 -f --show gpt-4k.img)
sgdisk -n 1:256:+4M -t 1:ef00 -c 1:ESP -n 2:0:0 -c 2:root "$loop" >/dev/null
partitions "$loop" gpt-4k.img
losetup -d "$loop"
# Cut off within the last partition.
cp gpt.img gpt-cut.img
truncate -s 20M gpt-cut.img
partitions gpt.img gpt-cut.img

truncate -s 40M mbr.img
sfdisk -q mbr.img <<'PT'
label: dos
label-id: 0x1ce0c04e
start=2048, size=8192, type=83, bootable
start=10240, size=4096, type=82
start=14336, size=60000, type=5
start=16384, size=4096, type=83
start=22528, size=8192, type=8e
start=34816, size=2048, type=7
PT
partitions mbr.img
# Sectors of 4096 bytes: that something begins where the record says in these is all that tells.
truncate -s 40M mbr-4k.img
loop=$(losetup -b 4096 -f --show mbr-4k.img)
sfdisk -q "$loop" <<'PT'
label: dos
label-id: 0x4bc0c04e
start=256, size=1024, type=83, bootable
start=1280, size=8000, type=5
start=1536, size=1024, type=83
start=4096, size=2048, type=83
PT
partitions "$loop" mbr-4k.img
losetup -d "$loop"
mkfs.ext4 -q -E offset=1048576 mbr-4k.img 4M
# Only two primary partitions, one past the disk's end.
truncate -s 8M mbr-cut.img
truncate -s 16M whole.img
sfdisk -q whole.img <<'PT'
label: dos
label-id: 0x0badcafe
start=2048, size=4096, type=83
start=8192, size=16384, type=83
PT
partitions whole.img mbr-cut.img
dd if=whole.img of=mbr-cut.img bs=1M count=8 conv=notrunc status=none
rm whole.img
zstd -q -19 --rm -- *.img
