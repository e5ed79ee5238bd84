#!/usr/bin/env bash
# Makes XFS images of every kind with the kernel, and next to each NAME.img the kernel's own listing NAME.tsv (of a dirty
# image: after the kernel has recovered its log). Needs root, xfsprogs, python3.
#   unshare -m scripts/make-xfs.sh OUT_DIR            the full matrix
#   unshare -m scripts/make-xfs.sh --small OUT_DIR    the few small ones of disk-fixtures/xfs, compressed
#   unshare -m scripts/make-xfs.sh --old [--small] OUT_DIR    only those for which the kernel must mount version 4 and have quotas
#   (those of --small too, if it is given; with --unpacked, not compressed)
# Where this machine's kernel does not, another makes them, in a virtual machine (`in-guest.sh`): of $GUEST_KERNEL, an unpacked
# package of a distribution's kernel, as Debian's 6.1. Without one, version 4 is left to prototypes of mkfs.xfs.
set -euo pipefail
small= old= unpacked=
while [[ "${1:-}" = --* ]]; do
  case $1 in
    --small) small=1 ;;
    --old) old=1 ;;
    --unpacked) unpacked=1 ;;
    *) break ;;
  esac
  shift
done
here=$(dirname "$(realpath "$0")")
out=$(realpath -m "${1:?usage: make-xfs.sh [--small] [--old] [--unpacked] OUT_DIR}")
. "$here/kernel.sh"
# mkfs.xfs makes nothing below 300 MB, but for its own tests.
export TEST_DIR=1 TEST_DEV=1 QA_CHECK_FS=1

format() { # image size mkfs.xfs-options…
  local image=$1 size=$2
  shift 2
  rm -f "$image"
  truncate -s "$size" "$image"
  truncate -s 32M "$work/log" # for who wants a log of its own
  mkfs.xfs -q -f -m uuid=01234567-89ab-cdef-0123-456789abcdef -L "$(basename "$image" .img | cut -c1-12)" "$@" "$image" > >(grep -v "deprecated\|^$") 2>&1
}

# Filled by mkfs.xfs from a prototype of a directory, for what this kernel does not mount (version 4) or has not mounted yet: directories have
# their own sizes, and there are no extended attributes.
offline() { # name size profile mkfs.xfs-options…
  local name=$1 size=$2 profile=$3
  shift 3
  echo "$name"
  rm -rf "$work/tree"
  mkdir "$work/tree"
  python3 "$tree" "$profile" "$work/tree"
  find "$work/tree" -name '*[[:space:]]*' -delete
  find "$work/tree" \( -type s -o -size +64M -o -path '*/nodes/max' \) -delete
  find "$work/tree" -perm -1000 -exec chmod -t {} +
  python3 "$here/xfs-prototype.py" "$work/tree" > "$work/prototype"
  format "$out/$name.img" "$size" -p "$work/prototype" "$@"
  (echo "# approximate, times too"; python3 "$tree" list "$work/tree" | LC_ALL=C sort) > "$out/$name.tsv"
}

# Sets incompatible features that this mkfs.xfs does not know on an empty file system, so that the kernel does the rest.
set_features() { # image features
  python3 - "$@" <<'PY'
import sys
with open(sys.argv[1], "r+b") as image:
    sector = bytearray(image.read(512))
    sector[216:220] = (int.from_bytes(sector[216:220], "big") | int(sys.argv[2], 0)).to_bytes(4, "big")
    sector[224:228] = bytes(4)
    crc = 0xFFFFFFFF
    for byte in sector:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    sector[224:228] = (crc ^ 0xFFFFFFFF).to_bytes(4, "little")
    image.seek(0)
    image.write(sector)
PY
}

featured() { # name size profile features mkfs.xfs-options…
  local name=$1 size=$2 profile=$3 features=$4
  shift 4
  echo "$name"
  format "$out/$name.img" "$size" "$@"
  set_features "$out/$name.img" "$features"
  mount -o loop "$out/$name.img" "$mnt"
  python3 "$tree" "$profile" "$mnt"
  umount "$mnt"
  truth "$out/$name.img" "$out/$name.tsv"
}

dirty_featured() { # name size profile mount-options features mkfs.xfs-options…
  format "$work/image" "$2" "${@:6}"
  set_features "$work/image" "$5"
  dirty "$1" "$2" "$3" "$4"
}

# A dirty image whose last record did not reach the disk whole: the last byte before the log's head is another ("sum"), or its
# last sectors are what was there before ("gap") or zeros ("zeros"); or the log ends with an earlier record ("cut").
torn() { # name from how
  local name=$1 how=$3 ends
  echo "$name"
  cp --sparse=always "$out/$2.img" "$out/$name.img"
  ends=$(log_ends "$out/$name.img")
  python3 - "$out/$name.img" $ends "$how" <<'PY'
import sys
tail, head, how = int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
with open(sys.argv[1], "r+b") as image:
    sector = image.read(512)
    number = lambda at, length: int.from_bytes(sector[at:at + length], "big")
    log, bits = number(48, 8), sector[124]
    start = ((log >> bits) * number(84, 4) + (log & (1 << bits) - 1)) * number(4, 4)
    def at(block):
        image.seek(start + block * 512)
    at(head - 1)
    last = bytearray(image.read(512))
    if how == "sum":
        last[300] ^= 1
        at(head - 1)
        image.write(last)
    elif how == "gap":
        cycle = int.from_bytes(last[:4], "big") - 1
        last[:4] = cycle.to_bytes(4, "big")
        at(head - 1)
        image.write(last)
    elif how == "zeros":
        at(head - 2)
        image.write(bytes(1024))
    else:
        end = tail
        while end < tail + (head - tail) * 2 // 3:  # of logs that have not wrapped
            at(end)
            sector = image.read(512)
            end += max(-(-number(320, 4) // 32768), 1) + -(-number(12, 4) // 512)
        at(end)
        image.write(bytes((head - end) * 512))
PY
  truth "$out/$name.img" "$out/$name.tsv"
}

# A dirty image whose log ends with changes of a file's map that were begun and not finished: five blocks of one extent are to go,
# and three of another to take their place.
intent() { # name from
  local name=$1 ends number one other
  echo "$name"
  cp --sparse=always "$out/$2.img" "$out/$name.img"
  cp --sparse=always "$out/$2.img" "$work/copy.img"
  mount -o loop "$work/copy.img" "$mnt"
  number=$(stat -c %i "$mnt/clone1")
  other=$(xfs_io -r -c bmap "$mnt/clone2" | sed -n 's/.*0: \[0\.\.[0-9]*\]: \([0-9]*\)\.\..*/\1/p')
  umount "$mnt"
  rm "$work/copy.img"
  ends=$(log_ends "$out/$name.img")
  python3 - "$out/$name.img" "${ends#* }" "$number" "$other" <<'PY'
import struct, sys
head, number, other = map(int, sys.argv[2:])
with open(sys.argv[1], "r+b") as image:
    sector = image.read(512)
    field = lambda at, length, of=sector: int.from_bytes(of[at:at + length], "big")
    log, bits, group = field(48, 8), sector[124], field(84, 4)
    start = ((log >> bits) * group + (log & (1 << bits) - 1)) * field(4, 4)
    block = other * 512 // field(4, 4)
    block = (block // group << bits) | block % group
    last = head
    while True:  # the header of the last record
        last -= 1
        image.seek(start + last * 512)
        header = bytearray(image.read(512))
        if header[:4] == b"\xfe\xed\xba\xbe":
            break
    def intent(id, kind, start, length):
        return struct.pack("<HHIQQQQII", 0x1244, 1, 1, id, number, start, 40, length, kind)
    operations = [(b"", 1), (struct.pack("<IIII", 0x5452414E, 40, 7, 2), 0), (intent(77, 2, block, 5), 0),
                  (intent(78, 1, block, 3), 0), (b"", 2)]
    payload = bytearray()
    for data, flags in operations:
        payload += struct.pack(">IIBBH", 0x77777777, len(data), 0x69, flags, 0) + data
    cycle = field(4, 4, header)
    header[12:16] = len(payload).to_bytes(4, "big")
    header[16:24] = struct.pack(">II", cycle, head)
    header[36:44] = struct.pack(">II", last, len(operations))
    header[44:300] = payload[:4] + bytes(252)
    payload[:4] = cycle.to_bytes(4, "big")
    header[32:36] = bytes(4)
    crc = 0xFFFFFFFF
    for byte in header[:328] + payload:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    header[32:36] = (crc ^ 0xFFFFFFFF).to_bytes(4, "little")
    image.seek(start + head * 512)
    image.write(header + payload + bytes(-len(payload) % 512))
PY
  truth "$out/$name.img" "$out/$name.tsv"
}

# Dirty, with a log that goes round in the middle of what is to be recovered; of the log's other sectors, only the numbers of
# their cycles are kept, so that it is small.
round() { # name size mkfs.xfs-options…
  local name=$1 size=$2 blocks head=0 number
  shift 2
  format "$work/image" "$size" "$@"
  blocks=$(($(xfs_db -r -c 'sb 0' -c 'p logblocks' -c 'p blocksize' "$work/image" | sed 's/.*= //' | paste -sd '*') / 512))
  while [ "$head" -lt $((blocks - 350)) ]; do
    mount -o loop "$work/image" "$mnt"
    if [ "$head" -lt $((blocks - 3000)) ]; then python3 "$tree" wrap "$mnt"; fi
    for number in $(seq 20); do echo "$head" > "$mnt/turn$number"; sync -f "$mnt/turn$number"; done
    umount "$mnt"
    head=$(log_ends "$work/image" | sed 's/.* //')
  done
  dirty "$name" "$size" dirty ""
  python3 - "$out/$name.img" $(log_ends "$out/$name.img") <<'PY'
import sys
tail, head = map(int, sys.argv[2:])
assert head < tail, "the log does not go round"
with open(sys.argv[1], "r+b") as image:
    sector = image.read(512)
    number = lambda at, length: int.from_bytes(sector[at:at + length], "big")
    log, bits = number(48, 8), sector[124]
    start = ((log >> bits) * number(84, 4) + (log & (1 << bits) - 1)) * number(4, 4)
    for block in range(head, tail):
        image.seek(start + block * 512)
        words = image.read(8)
        cycle = words[4:] if words[:4] == b"\xfe\xed\xba\xbe" else words[:4]
        image.seek(start + block * 512)
        image.write(cycle + bytes(508))
PY
  truth "$out/$name.img" "$out/$name.tsv"
}

log_ends() { # image: its tail and head
  xfs_logprint -t "$1" 2> /dev/null | sed -n 's/.* tail: \([0-9]*\) head: \([0-9]*\) .*/\1 \2/p'
}

# Dirty, with quotas that an earlier mount had begun to count.
counted() { # name size mount-options mkfs.xfs-options…
  format "$work/image" "$2" "${@:4}"
  mount -o "loop$3" "$work/image" "$mnt"
  python3 "$tree" std "$mnt"
  umount "$mnt"
  dirty "$1" "$2" dirty "$3"
}

mounts_version_4() {
  format "$work/image" 64M -m crc=0
  mount -o loop "$work/image" "$mnt" 2> /dev/null && umount "$mnt"
}

version_4() {
  image v4-default 256M std "" -m crc=0
  image v4-1k 256M std+two_levels "" -m crc=0 -b size=1024
  image v4-512 256M std+attributes "" -m crc=0 -b size=512
  image v4-no-ftype 256M std "" -m crc=0 -n ftype=0
  image v4-no-ftype-1k 256M std+attributes "" -m crc=0 -n ftype=0 -b size=1024 -i size=512
  image v4-attr1 256M std+attributes "" -m crc=0 -i attr=1
  image v4-projid16 256M std "" -m crc=0 -i projid32bit=0
  image v4-directory-64k 256M std+two_levels "" -m crc=0 -n size=65536 -i size=2048
  image quota 256M std ",uquota,gquota,pquota" -b size=4096
  image v4-quota 256M std ",uquota,gquota" -m crc=0
  dirty dirty-v4 256M dirty "" -m crc=0
  dirty dirty-v4-1k 256M attributes+dirty "" -m crc=0 -b size=1024
  dirty dirty-v4-512 256M dirty "" -m crc=0 -b size=512
  dirty dirty-v4-log-1 256M dirty "" -m crc=0 -l version=1
  dirty dirty-v4-log-1-many 256M many_changes ",logbsize=16384" -m crc=0 -l version=1,size=10m -b size=1024
  dirty dirty-v4-log-stripe 256M dirty "" -m crc=0 -l su=65536
  dirty dirty-v4-no-ftype 256M dirty "" -m crc=0 -n ftype=0
  dirty dirty-v4-many 256M many_changes+many_changes "" -m crc=0 -l size=6m
  dirty dirty-v4-wrap 64M wrap_often "" -m crc=0 -l size=6m
  dirty dirty-v4-log-1-wrap 64M wrap_often "" -m crc=0 -l version=1,size=6m
  dirty dirty-v4-attr1 256M attributes+dirty "" -m crc=0 -i attr=1
  dirty dirty-v4-projid16 256M dirty "" -m crc=0 -i projid32bit=0
  dirty dirty-v4-sectors-4k 256M dirty "" -m crc=0 -s size=4096
  dirty dirty-quota 256M dirty ",uquota,gquota,pquota" -b size=4096
  dirty dirty-v4-quota 256M dirty ",uquota,gquota" -m crc=0
  counted dirty-quota-counted 256M ",uquota,gquota,pquota" -b size=1024
  counted dirty-v4-quota-counted 256M ",uquota,pquota" -m crc=0
  for how in sum gap zeros cut; do
    torn "dirty-torn-v4-$how" dirty-v4 $how
    torn "dirty-torn-v4-log-1-$how" dirty-v4-log-1 $how
  done
  torn dirty-torn-v4-stripe-sum dirty-v4-log-stripe sum
  torn dirty-torn-v4-wrap-sum dirty-v4-wrap sum
  torn dirty-torn-v4-wrap-gap dirty-v4-log-1-wrap gap
}

version_4_small() {
  dirty xfs-dirty-quota 16M dirty ",uquota,gquota,pquota" -b size=1024 -d agcount=1
  dirty xfs-dirty-v4 16M dirty "" -m crc=0 -b size=1024 -d agcount=1
  dirty xfs-dirty-v4-log-1 16M dirty "" -m crc=0 -b size=512 -l version=1 -n ftype=0 -i attr=1,projid32bit=0 -d agcount=1
  dirty xfs-dirty-v4-quota 16M dirty ",uquota,gquota" -m crc=0 -b size=512 -d agcount=1
  round xfs-dirty-v4-round 16M -m crc=0 -b size=512 -d agcount=1
}

version_4_offline() {
  offline v4-default 256M std -m crc=0
  offline v4-1k 256M std+two_levels -m crc=0 -b size=1024
  offline v4-512 64M std -m crc=0 -b size=512
  offline v4-no-ftype 256M std -m crc=0 -n ftype=0
  offline v4-log-1 256M tiny -m crc=0 -l version=1
}

# As this script makes it, under the kernel that can.
in_guest() { # out-dir options…
  bash "$here/in-guest.sh" "$(realpath "${GUEST_KERNEL:?is not set: this kernel does not mount version 4}")" "$1" \
    unshare -m bash "$here/make-xfs.sh" "${@:2}"
}

if [ "$small" ]; then
  packed=$out
  if [ ! "$unpacked" ]; then out=$work/out; mkdir "$out"; fi
  if [ ! "$old" ]; then
    image xfs-1k 16M small "" -b size=1024
    image xfs-directory-8k 40M small "" -b size=1024 -n size=8192 -i nrext64=1 -m rmapbt=1,bigtime=0,inobtcount=0 -d agcount=2
    dirty xfs-dirty 16M dirty "" -b size=1024
    dirty xfs-dirty-4k 20M dirty "" -m rmapbt=1
    # The last change has an intent without an end: the log was written before the pointer to the parent was.
    dirty_featured xfs-dirty-parent 32M tiny ",wsync" 0x80 -b size=1024 -d agcount=1 -l size=10m
    offline xfs-v4-512 40M tiny -m crc=0 -b size=512 -n ftype=0 -d agcount=2
  elif mounts_version_4; then version_4_small;
  else in_guest "$out" --old --small --unpacked; fi
  if [ ! "$unpacked" ]; then pack "$packed"; fi
  exit
fi

if [ "$old" ]; then
  if mounts_version_4; then version_4; else in_guest "$out" --old; fi
  exit
fi

image xfs-default 512M large ""
image xfs-1k 256M std+two_levels "" -b size=1024
image xfs-2k 256M std "" -b size=2048
image xfs-16k 512M std "" -b size=16384
image xfs-64k 1G std "" -b size=65536
image xfs-inode-1024 256M std "" -i size=1024
image xfs-inode-2048 256M std "" -i size=2048
image xfs-inode-2048-64k 1G std "" -b size=65536 -i size=2048
image xfs-directory-64k 512M large "" -n size=65536
image xfs-directory-8k-1k 256M std+two_levels "" -b size=1024 -n size=8192
image xfs-no-reflink 256M std "" -m reflink=0
image xfs-rmapbt 256M std "" -m rmapbt=1
image xfs-no-bigtime 256M std "" -m bigtime=0,inobtcount=0
image xfs-nrext64 256M std "" -i nrext64=1
image xfs-nrext64-1k 256M std "" -b size=1024 -i nrext64=1
image xfs-no-sparse 256M std "" -i sparse=0
image xfs-no-finobt 256M std "" -m finobt=0,inobtcount=0
image xfs-sectors-4k 256M std "" -s size=4096
image xfs-many-groups 512M std "" -d agcount=16
image xfs-stripes 512M std "" -d su=65536,sw=4
image xfs-attributes 256M std+attributes ""
image xfs-attributes-1k 256M std+attributes "" -b size=1024
image xfs-shared 256M shared ""
image xfs-fragments-1k 256M fragments "" -b size=1024
image xfs-sparse-inodes 64M sparse_inodes "" -i size=2048
featured xfs-parent 512M std 0xc0 -l size=96m
featured xfs-exchange 256M std 0x40

dirty dirty-default 256M dirty "" -b size=4096
dirty dirty-1k 128M dirty "" -b size=1024
dirty dirty-4k-log-sectors 256M dirty "" -s size=4096
dirty dirty-log-stripe 256M dirty "" -l su=32768
dirty dirty-log-stripe-256k 256M dirty "" -l su=262144
dirty dirty-large-records 256M dirty ",logbsize=262144" -b size=4096
dirty dirty-small-records 256M dirty ",logbsize=16384,logbufs=2" -b size=4096
dirty dirty-rmapbt 256M dirty "" -m rmapbt=1
dirty dirty-no-reflink-no-bigtime 256M dirty "" -m reflink=0,bigtime=0,inobtcount=0
dirty dirty-nrext64 256M dirty "" -i nrext64=1
dirty_featured dirty-parent 256M dirty ",wsync" 0xc0 -l size=32m
dirty_featured dirty-parent-many 256M many_changes "" 0xc0 -b size=1024 -l size=20m
dirty dirty-directory-64k 256M dirty "" -n size=65536
dirty dirty-64k 1G dirty "" -b size=65536
dirty dirty-inode-1024-2k 256M dirty "" -b size=2048 -i size=1024
dirty dirty-fast 256M fast "" -b size=4096
dirty dirty-wrap 64M wrap_often "" -l size=1368b
dirty dirty-wrap-1k 64M wrap_often "" -b size=1024 -l size=6m
dirty dirty-many 256M std+many_changes "" -b size=4096
dirty dirty-many-1k 256M std+many_changes "" -b size=1024
dirty dirty-many-wraps 256M many_changes+many_changes "" -l size=6m -b size=1024
dirty dirty-shared 256M shared+dirty "" -b size=4096
dirty dirty-attributes 256M attributes+dirty "" -b size=4096
for how in sum gap zeros; do
  torn "dirty-torn-$how" dirty-default $how
  torn "dirty-torn-many-$how" dirty-many-1k $how
done
torn dirty-torn-wrap-sum dirty-wrap sum
torn dirty-torn-wrap-gap dirty-wrap-1k gap
torn dirty-torn-stripe dirty-log-stripe sum
for name in default attributes rmapbt shared large-records; do torn "dirty-cut-$name" "dirty-$name" cut; done
intent dirty-intent dirty-shared
offline xfs-never-mounted 512M tiny -b size=4096
offline xfs-never-mounted-1k 64M tiny -b size=1024
# What is not recovered must be told; there is nothing to compare.
echo unreplayed-external-log
format "$out/unreplayed-external-log.img" 64M -l "logdev=$work/log,size=32m"
: > "$out/unreplayed-external-log.tsv"
if mounts_version_4; then version_4;
elif [ -n "${GUEST_KERNEL:-}" ]; then in_guest "$out" --old;
else version_4_offline; fi
