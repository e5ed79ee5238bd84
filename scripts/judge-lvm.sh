#!/usr/bin/env bash
# judge-lvm.sh DIR: what pvck says of each physical volume NAME.img.zst of DIR, as lines of DIR/pvck.tsv: name, identifier of the volume,
# checksum of the text of its metadata as the area's header has it, the text's bytes and SHA-256, the group's name and sequence number. With
# --round, makes DIR/round.img.zst first: its text begins at the end of the area and goes on at its beginning. pvck needs no
# driver and no root; the other needs root. Needs lvm2, zstd.
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin LVM_SUPPRESS_FD_WARNINGS=1
round=
if [ "${1:-}" = --round ]; then round=1; shift; fi
dir=$(realpath "${1:?usage: judge-lvm.sh [--round] DIR}")
work=$(mktemp -d)
loop=
trap '[ -z "$loop" ] || losetup -d "$loop"; rm -rf "$work"' EXIT
export LVM_SYSTEM_DIR=$work

if [ "$round" ]; then
  truncate -s 2M "$work/round.img"
  loop=$(losetup -f --show "$work/round.img")
  lvm() {
    command lvm "$@" --driverloaded n --config "devices{scan=[\"/dev\"] filter=[\"a|^$loop\$|\",\"r|.*|\"] use_devicesfile=0}" 2> "$work/log" ||
      { cat "$work/log" >&2; exit 1; }
  }
  lvm pvcreate -qq --metadatasize 16k --dataalignment 64k "$loop"
  lvm vgcreate -qq -s 64k vg-round "$loop"
  lvm lvcreate -qq -an -Zn -Wn -y -n data -l 2 vg-round
  number=0
  until pvck --dump headers "$work/round.img" 2> /dev/null | grep -q 'commit wrapped'; do
    number=$((number + 1))
    [ $number -lt 200 ]
    lvm lvrename -qq vg-round data "data$number"
    lvm lvrename -qq vg-round "data$number" data
  done
  sync
  zstd -q -f --ultra -22 "$work/round.img" -o "$dir/round.img.zst"
fi

for image in "$dir"/*.img.zst; do
  name=$(basename "$image" .img.zst)
  zstd -q -d -f "$image" -o "$work/disk.img"
  rm -f "$work/text" # which it would leave as it is
  pvck --dump headers "$work/disk.img" > "$work/headers" 2> /dev/null
  pvck --dump metadata -f "$work/text" "$work/disk.img" > "$work/said" 2> /dev/null
  read -r uuid < <(sed -n 's/^ *pv_header.pv_uuid //p' "$work/headers")
  read -r crc group seqno < <(sed -n 's/^ *metadata text at [0-9]* crc \(0x[0-9a-f]*\) # vgname \(.*\) seqno \([0-9]*\)$/\1 \2 \3/p' "$work/said")
  printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$name" "$uuid" "$crc" "$(stat -c %s "$work/text")" "$(sha256sum < "$work/text" | cut -c-64)" "$group" "$seqno"
done > "$dir/pvck.tsv"
