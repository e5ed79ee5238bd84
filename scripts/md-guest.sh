#!/bin/bash
# What runs in the virtual machine of make-md-kernel.sh, as its first process: it lets mdadm make arrays and begin to reshape
# them, stops halfway, copies the members, and lists what the kernel reads of an array that it assembled from copies of these,
# without going on. reshape.tsv has for each: variant, members, position in sectors, the array's bytes as it was made and
# their SHA-256, its bytes halfway, the SHA-256 of so many bytes of what was written to it, and the SHA-256 of what the kernel
# reads; `-` if it refuses the array, `ended` if it reads what was written only when
# it has gone on to the end, and `lost` if not even then.
export PATH=/bin:/sbin HOME=/ MDADM_NO_UDEV=1 MDADM_NO_SYSTEMCTL=1
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /run/mdadm /tmp/out /tmp/disks
mount -t tmpfs -o size=700m tmp /tmp/disks
for module in virtio_pci virtio_blk md-mod raid456 raid10 raid1 raid0; do modprobe $module; done
modprobe loop max_loop=0
variants=$(tr ' ' '\n' < /proc/cmdline | grep '^variants=' | cut -d= -f2)
wanted() { case ",$variants," in *,all,* | *,"$1",*) true ;; *) false ;; esac; }
failed() { echo "guest: failed: $*"; }
# Text that says where it is, a line a sector.
pattern() { seq $(($2 / 512 + 1)) | awk -v words="$1" '{ printf "%-511s\n", words " " $1 }' | head -c "$2"; } # words bytes
sum() { sha256sum | cut -d' ' -f1; }
md=/sys/block/md9/md
now() { cat $md/reshape_position; }

calm() { sleep 0.3; until [ ! -e $md/sync_action ] || [ "$(cat $md/sync_action)" = idle ]; do sleep 0.1; done; }

attach() { # files…: their devices, in $devices
  devices=()
  for file in "$@"; do devices+=("$(losetup -f --show "$file")"); done
}
detach() { for device in "${devices[@]}"; do losetup -d "$device"; done; }

# name, KiB of a member, members that the array is made of, how many more are added, and where to stop: after so many sectors
# of each member, of which the superblocks then tell; or, if it is 0, whenever that is, as a machine does that loses its power.
# Then mdadm's words for making the array, `--`, and those for changing it. $before may be a command that is run first.
variant() {
  local name=$1 size=$2 count=$3 more=$4 stop=$5 number bytes state files=() make=() waited
  shift 5
  wanted "$name" || return 0
  while [ "$1" != -- ]; do make+=("$1"); shift; done
  shift
  echo "guest: $name"
  for number in $(seq 0 $((count + more - 1))); do
    files+=("/tmp/disks/$number.img")
    rm -f "/tmp/disks/$number.img"
    truncate -s "${size}K" "/tmp/disks/$number.img"
  done
  attach "${files[@]}"
  ln -sf "${devices[-1]}" /tmp/added
  mdadm --create /dev/md9 --quiet --run --assume-clean --name="box:$name" --homehost=box "${make[@]}" \
    --raid-devices="$count" "${devices[@]:0:$count}" || { failed "$name" create; detach; return; }
  bytes=$(blockdev --getsize64 /dev/md9)
  pattern "$name" "$bytes" | dd of=/dev/md9 bs=64k iflag=fullblock conv=fsync 2>/dev/null || failed "$name" fill
  local first
  first=$(sum < /dev/md9)
  # Parity of what mdadm took for clean: all rows were written whole but the last.
  echo repair > $md/sync_action 2>/dev/null; calm
  $before
  calm
  rm -f /tmp/backup
  if [ "$more" -gt 0 ] && [ -z "$added" ]; then mdadm --add /dev/md9 "${devices[@]:$count}" 2>/dev/null || failed "$name" add; fi
  mdadm --readwrite /dev/md9 2>/dev/null
  if [ "$stop" != 0 ]; then
    # mdadm would let it go on: what it writes there goes elsewhere.
    echo max > /tmp/sync_max
    # Of a RAID 0 there is none yet.
    { until [ -e $md/sync_max ] && echo "$stop" > $md/sync_max; do :; done
      mount --bind /tmp/sync_max $md/sync_max; } 2> /dev/null &
    [ ! -e $md/sync_max ] || wait $!
  else
    echo 1 > $md/sync_speed_min
    echo 1 > $md/sync_speed_max
  fi
  mdadm --grow /dev/md9 "$@" > /tmp/said 2>&1 < /dev/null || { failed "$name" grow; cat /tmp/said; }
  if [ "$stop" = 0 ]; then
    for waited in $(seq 1000); do [ "$(now)" != none ] && break; done
    sleep "${patience:-0.2}"
  else
    # RAID 10 may stop a little earlier.
    for waited in $(seq 25); do
      sleep 0.2
      [ "$(cut -d' ' -f1 $md/sync_completed)" = "$stop" ] && break
    done
  fi
  echo "guest: $name at $(now), $(cat $md/sync_completed), $(cat $md/level) $(cat $md/raid_disks)"
  local copies=()
  for state in $(grep -l mdadm /proc/[0-9]*/comm 2>/dev/null | sed "s,[^0-9],,g"); do kill -9 "$state" 2>/dev/null; done
  echo frozen > $md/sync_action
  [ "$stop" = 0 ] || umount $md/sync_max
  for waited in 1 2 3 4 5; do mdadm --stop --quiet /dev/md9 && break; sleep 0.5; done
  for number in $(seq 0 $((count + more - 1))); do
    cp "/tmp/disks/$number.img" "/tmp/disks/copy.$number.img"
    cp "/tmp/disks/$number.img" "/tmp/out/$name.$number.img"
    copies+=("/tmp/disks/copy.$number.img")
  done
  cp /tmp/backup /tmp/backup.copy 2> /dev/null
  detach
  attach "${copies[@]}"
  local position half=- wrote=-
  seen=-
  position=$(mdadm --examine "${devices[0]}" | sed -n 's/.*Reshape pos.n : \([0-9]*\).*/\1/p')
  echo 1 > /sys/module/md_mod/parameters/start_ro
  mdadm --assemble /dev/md9 --run --readonly --freeze-reshape --invalid-backup --backup-file=/tmp/none "${devices[@]}" > /tmp/said 2>&1 < /dev/null || {
    echo "guest: $name is refused"; cat /tmp/said; }
  if [ -e $md/array_state ] && [ "$(cat $md/array_state)" != inactive ] && [ "$(blockdev --getsize64 /dev/md9)" != 0 ]; then
    echo "guest: $name is $(cat $md/array_state) $(cat $md/sync_action) at $(now)"
    half=$(blockdev --getsize64 /dev/md9)
    seen=$(sum < /dev/md9)
    wrote=$({ pattern "$name" "$bytes"; cat /dev/zero; } 2>/dev/null | head -c "$half" | sum)
    [ "$seen" = "$wrote" ] || echo "guest: $name reads otherwise than it was written"
  fi
  mdadm --stop --quiet /dev/md9 2>/dev/null
  echo 0 > /sys/module/md_mod/parameters/start_ro
  # A reshape of RAID 10 is read as it should only while it goes on, and mdadm starts none in place that stands still: these
  # are brought to their end, by the backup if there is one.
  if [ "$seen" = - ] || [ "$seen" != "$wrote" ]; then
    [ -e /tmp/backup.copy ] || : > /tmp/backup.copy
    mdadm --assemble /dev/md9 --run --invalid-backup --backup-file=/tmp/backup.copy "${devices[@]}" > /tmp/said 2>&1 < /dev/null || cat /tmp/said
    [ "$half" != - ] || half=$(blockdev --getsize64 /dev/md9)
    [ "$half" -le "$bytes" ] || half=$bytes
    wrote=$({ pattern "$name" "$bytes"; cat /dev/zero; } 2>/dev/null | head -c "$half" | sum)
    calm
    seen=$(head -c "$half" /dev/md9 | sum)
    echo "guest: $name has ended at $(now)"
    if [ "$seen" = "$wrote" ]; then seen=ended; else seen=lost; fi
  fi
  rm -f /tmp/backup.copy
  printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$name" $((count + more)) "$((position * 2))" "$bytes" "$first" "$half" "$wrote" "$seen" \
    >> /tmp/out/reshape.tsv
  mdadm --stop --quiet /dev/md9 2>/dev/null
  detach
  mdadm --zero-superblock "${copies[@]}" 2>/dev/null
}
old="--bitmap=none -e 0.90"
end="--bitmap=none -e 1.0"
new="--bitmap=none -e 1.2 --data-offset=512"
variant r5-grow 1024 3 1 256 $new -l 5 -c 16 -- -n 4
variant r5-grow-2 1024 3 2 256 $new -l 5 -c 16 -- -n 5
variant r6-grow 1024 4 1 256 $new -l 6 -c 16 -- -n 5
variant r4-grow 1024 3 1 256 $new -l 4 -c 16 -- -n 4
variant r5-grow-10 1024 3 1 256 $end -l 5 -c 16 -- -n 4 --backup-file=/tmp/backup
variant r5-grow-old 1024 3 1 256 $old -l 5 -c 16 -- -n 4 --backup-file=/tmp/backup
variant r5-chunk 1024 3 0 256 $new -l 5 -c 16 -- -c 32
# With room behind their data only, they go from the end to the beginning.
back="--bitmap=none -e 1.2 --data-offset=32 -z 512"
variant r5-chunk-back 1024 3 0 256 $back -l 5 -c 16 -- -c 32
variant r5-6-back 1024 3 1 256 $back -l 5 -c 16 -- -l 6 -n 4
variant r10-chunk-back 1024 4 0 512 $back -l 10 -p n2 -c 16 -- -c 32
variant r5-layout 1024 4 0 256 $new -l 5 -c 16 -p la -- -p rs
variant r6-layout 1024 5 0 256 $new -l 6 -c 16 -p ls -- -p ddf-zero-restart
variant r5-6 1024 3 1 256 $new -l 5 -c 16 -- -l 6 -n 4
variant r5-6-grow 1024 3 2 256 $new -l 5 -c 16 -- -l 6 -n 5
added=1 variant r0-grow 1024 2 1 256 -e 1.2 --data-offset=512 -l 0 -c 16 -- -n 3 --add /tmp/added
variant r10-grow 1024 4 2 512 $new -l 10 -p n2 -c 16 -- -n 6
variant r10-odd 1024 3 1 512 $new -l 10 -p n2 -c 16 -- -n 4
variant r10-chunk 1024 4 0 1024 $new -l 10 -p n2 -c 16 -- -c 32
variant r10-offset 1024 4 0 1024 $new -l 10 -p n2 -c 16 -- -p o2
smaller() { mdadm --grow /dev/md9 --array-size="$less" --quiet; }
less=1024 before=smaller variant r5-shrink 1024 4 0 256 $new -l 5 -c 16 -- -n 3 --backup-file=/tmp/backup
less=512 before=smaller variant r10-shrink 1024 6 0 1024 $new -l 10 -p n2 -c 16 -- -n 4
variant r5-chunk-old 2048 3 0 512 $old -l 5 -c 16 -- -c 32 --backup-file=/tmp/backup
variant r5-layout-10 2048 3 0 512 $end -l 5 -c 16 -- -p la --backup-file=/tmp/backup
variant r5-grow-crash 4096 3 1 0 $new -l 5 -c 16 -- -n 4
variant r5-chunk-crash 4096 3 0 0 $new -l 5 -c 16 -- -c 32
variant r10-crash 4096 4 2 0 $new -l 10 -p n2 -c 16 -- -n 6
patience=0.1 variant r5-chunk-old-crash 16384 3 0 0 $old -l 5 -c 16 -- -c 32 --backup-file=/tmp/backup
patience=0 variant r5-grow-old-crash 1024 3 1 0 $old -l 5 -c 64 -- -n 4 --backup-file=/tmp/backup
sync
(cd /tmp/out && tar -cf /dev/vda ./*)
sync
echo "guest: done"
poweroff -f
