#!/bin/bash
# What runs in the virtual machine of make-lvm-kernel.sh, as its first process: it lets the kernel make logical volumes,
# copies the disks under them, and lists of each volume its bytes and their SHA-256 as that kernel reads them.
export PATH=/bin:/sbin LVM_SUPPRESS_FD_WARNINGS=1 DM_DISABLE_UDEV=1 HOME=/
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /run/lvm /run/lock/lvm /tmp/out
for module in virtio_pci virtio_blk ext4 dm-mod dm-mirror dm-thin-pool dm-raid dm-cache dm-cache-smq dm-snapshot dm-writecache \
  raid456 raid10 raid1 raid0; do modprobe $module; done
scenario=$(tr ' ' '\n' < /proc/cmdline | grep '^scenario=' | cut -d= -f2)
wanted() { [ "$scenario" = all ] || [ "$scenario" = "$1" ]; }
failed() { echo "guest: failed: $*"; }
# Text that says where it is, a line a sector.
pattern() { seq $(($2 / 512 + 1)) | awk -v words="$1" '{ printf "%-511s\n", words " " $1 }' | head -c "$2"; } # words bytes
fill() { pattern "$2" "$3" | dd of="$1" bs=64k iflag=fullblock oflag=direct conv=notrunc seek="${4:-0}" 2>/dev/null || failed "$@"; }
list() { # truth-file volume…
  local file=$1 volume
  shift
  sync
  for volume in "$@"; do
    echo 1 > /proc/sys/vm/drop_caches
    printf '%s\t%s\t%s\n' "$volume" "$(blockdev --getsize64 "/dev/$volume")" "$(sha256sum < "/dev/$volume" | cut -d' ' -f1)"
  done > "/tmp/out/$file"
}
copy() { # disk file
  sync
  blockdev --flushbufs "$1"
  dd if="$1" bs=1M iflag=direct 2>/dev/null | zstd -q -12 > "/tmp/out/$2.img.zst" || failed "$@"
}
physical() { lvm pvcreate -qq --metadatasize 128k "$@" && lvm vgcreate -qq -s 64k "${group:?}" "$@" || failed "$@"; }
create() { lvm lvcreate -qq -y -Wn -n "$@" || failed lvcreate "$@"; }

if wanted thin; then
  group=vgt physical /dev/vdg
  lvm lvcreate -qq -y --type thin-pool -L 34M -c 64k --poolmetadatasize 2M -n pool vgt || failed pool
  create base -V 96M --thinpool pool vgt
  mke2fs -q -t ext4 -b 1024 -m 0 -J size=1 -N 256 /dev/vgt/base
  mount /dev/vgt/base /mnt
  for number in $(seq 8); do pattern "first $number" 300000 > /mnt/file$number; done
  mkdir -p /mnt/etc; echo 'ID=thin' > /mnt/etc/os-release
  sync
  umount /mnt
  lvm lvcreate -qq -y -s -n snap vgt/base || failed snap
  mount /dev/vgt/base /mnt
  pattern second 300000 | dd of=/mnt/file2 conv=notrunc bs=4k 2>/dev/null
  rm /mnt/file4 /mnt/file5
  pattern third 500000 > /mnt/file9
  sync
  fstrim -v /mnt
  umount /mnt
  lvm lvcreate -qq -y -s -kn -n deeper vgt/snap || failed deeper
  lvm lvcreate -qq -y -s -kn -n gone vgt/snap || failed gone
  mount /dev/vgt/deeper /mnt
  pattern deeper 100000 > /mnt/deeper
  umount /mnt
  lvm lvremove -qq -y vgt/gone || failed lvremove
  # Of a volume outside the pool, which is shorter.
  create outside -l 24 vgt
  fill /dev/vgt/outside outside $((24 * 65536))
  lvm lvchange -qq -an vgt/outside && lvm lvchange -qq -pr vgt/outside
  lvm lvcreate -qq -y -s -kn --thinpool vgt/pool -n within vgt/outside || failed within
  lvm lvextend -qq -l 40 vgt/within || failed lvextend
  fill /dev/vgt/within within 70000 3
  pattern within 5000 | dd of=/dev/vgt/within bs=1000 seek=2000 conv=notrunc 2>/dev/null
  fill /dev/vgt/within behind 4096 30
  # More chunks than a leaf of the map has, in no order.
  create wide -V 64M --thinpool pool vgt
  for number in $(seq 0 299); do pattern "wide $number" 512 | dd of=/dev/vgt/wide seek=$((number * 7919 % 1021 * 128)) conv=notrunc 2>/dev/null; done
  # As dm-snapshot has them.
  create old -l 32 vgt
  fill /dev/vgt/old old $((32 * 65536))
  lvm lvcreate -qq -y -s -l 12 -c 4k -n oldsnap vgt/old || failed oldsnap
  for at in 0 5 9 1; do fill /dev/vgt/old changed 9000 $at; done
  fill /dev/vgt/oldsnap own 5000 7
  # A running pool, of which user space holds an older state too.
  dmsetup message vgt-pool-tpool 0 reserve_metadata_snap || failed reserve
  lvm lvchange -qq -ay -K vgt/snap
  lvm lvchange -qq -ay vgt/outside
  fill /dev/vgt/within after 65536 12
  list thin.tsv vgt/base vgt/snap vgt/deeper vgt/wide vgt/within vgt/outside vgt/old vgt/oldsnap
  copy /dev/vdg thin
  dmsetup status
  lvm lvs -a -o name,attr,size,segtype,thin_id,transaction_id,origin,snap_percent vgt
  lvm vgcfgbackup -qq -f /tmp/out/thin.txt vgt
  lvm vgchange -qq -an vgt
fi

synced() { # until every array is in sync
  local tries
  for tries in $(seq 300); do
    lvm lvs --noheadings -o sync_percent "$1" | grep -q '[0-9]' || return 0
    lvm lvs --noheadings -o sync_percent "$1" | grep '[0-9]' | grep -qv '100.00' || return 0
    sleep 1
  done
  failed "not in sync"
}
disks="/dev/vdb /dev/vdc /dev/vdd /dev/vde /dev/vdf"
copies() { local number=0 disk; for disk in $disks; do copy $disk "$1.$number"; number=$((number + 1)); done; }
if wanted raid; then
  group=vgr physical $disks
  raid() { create "$1" --type "$2" -l "$3" -I 4k "${@:4}" vgr; fill /dev/vgr/$1 "$1" $(($3 * 65536)); volumes="$volumes vgr/$1"; }
  volumes=
  raid r0 raid0 6 -i 3
  raid r0m raid0_meta 6 -i 3
  create r1 --type raid1 -l 4 -m 2 vgr; fill /dev/vgr/r1 r1 $((4 * 65536)); volumes="$volumes vgr/r1"
  raid r4 raid4 6 -i 3
  for kind in la ra ls rs n; do raid r5$kind raid5_$kind 6 -i 3; done
  for kind in zr nr nc ls_6 la_6 rs_6 ra_6 n_6; do raid r6$kind raid6_$kind 6 -i 3; done
  raid r10 raid10 6 -i 2 -m 1
  synced vgr
  list raid.tsv $volumes
  dmsetup status
  lvm lvs -a -o name,size,segtype,stripes,devices vgr
  lvm vgcfgbackup -qq -f /tmp/out/raid.txt vgr
  lvm vgchange -qq -an vgr
  copies raid
  lvm vgchange -qq -ay vgr
  # One disk is away while the others are written.
  wipe() { dd if=/dev/zero of=/dev/$1 bs=64k oflag=direct 2>/dev/null; lvm lvremove -qq -y $1; }
  for volume in r0 r0m r5la r5rs r6nr r6ls_6 r6ra_6; do wipe vgr/$volume; done
  volumes="vgr/r1 vgr/r4 vgr/r5ra vgr/r5ls vgr/r5n vgr/r6zr vgr/r6nc vgr/r6la_6 vgr/r6rs_6 vgr/r6n_6 vgr/r10"
  lvm vgchange -qq -an vgr
  away='devices{filter=["r|/dev/vdc|"]}'
  for volume in $volumes; do
    lvm lvchange -ay --activationmode degraded --config "$away" $volume || failed degraded $volume
    fill /dev/$volume "while away" 150000
  done
  list behind.tsv $volumes
  dmsetup status
  lvm vgchange -qq -an --config "$away" vgr
  copies behind
  # Of which one was brought into another layout, and the others are gone.
  lvm vgchange -qq -ay vgr
  for volume in $volumes; do
    [ $volume = vgr/r5ls ] && continue
    wipe $volume
  done
  lvm lvconvert -qq -y --stripesize 8k vgr/r5ls || failed reshape
  dmsetup status vgr-r5ls
  list reshape.tsv vgr/r5ls
  copies reshape
fi

if wanted mirror; then
  # Mirrors of dm-mirror, from before there was RAID: their log is in memory, on a disk, or on two.
  for disk in $disks; do dd if=/dev/zero of=$disk bs=1M count=8 oflag=direct 2>/dev/null; done
  group=vgo physical $disks
  volumes=
  mirror() { create "$1" --type mirror -R 64k "${@:3}" || return; fill /dev/vgo/$1 "$1" $(($2 * 65536)); volumes="$volumes vgo/$1"; }
  mirror core 9 -m 1 --mirrorlog core -l 9 vgo /dev/vdb /dev/vdc
  mirror logged 21 -m 1 --mirrorlog disk -l 21 vgo /dev/vdb /dev/vdc /dev/vdd
  mirror three 5 -m 2 --mirrorlog disk -l 5 vgo /dev/vdb /dev/vdc /dev/vdd /dev/vde
  mirror striped 12 -m 1 -i 2 -I 16k --mirrorlog core -l 12 vgo /dev/vdb /dev/vdc /dev/vdd /dev/vde
  # One that was never in use: the second leg is to be copied from the first, where something lies.
  create before -l 6 vgo /dev/vde
  fill /dev/vgo/before before $((6 * 65536))
  lvm lvremove -qq -y vgo/before
  lvm lvcreate -qq -y -an -Wn -Zn -n late --type mirror -R 64k -m 1 --mirrorlog disk -l 6 vgo /dev/vde /dev/vdf /dev/vdd || failed late
  until [ -z "$(lvm lvs --noheadings -o copy_percent vgo | grep -v '100\|^ *$')" ]; do sleep 1; done
  for volume in core logged three striped; do fill /dev/vgo/$volume "again $volume" 70000 1; done
  dmsetup status
  dmsetup table
  lvm lvs -a -o name,size,segtype,devices vgo
  lvm vgcfgbackup -qq -f /tmp/out/mirror.txt vgo
  lvm vgchange -qq -an vgo || failed vgchange
  copies mirror
  lvm vgchange -qq -ay vgo || failed vgchange
  list mirror.tsv $volumes vgo/late
fi

if wanted cache; then
  group=vgc physical /dev/vdh
  cached() { # name mode how format
    create "$1" -l 48 vgc
    fill "/dev/vgc/$1" "origin of $1" $((48 * 65536))
    if [ "$3" = volume ]; then
      create "$1fast" -l 48 vgc
      lvm lvconvert -qq -y --type cache --cachevol "$1fast" --cachemode "$2" --chunksize 32k --cachemetadataformat "$4" \
        --poolmetadatasize 2M --cachesettings migration_threshold=2048 "vgc/$1" || failed lvconvert "$1"
    else
      lvm lvcreate -qq -y --type cache-pool -l 16 --cachemode "$2" --chunksize 32k --cachemetadataformat "$4" \
        --poolmetadatasize 2M -n "$1fast" vgc || failed lvcreate "$1"
      lvm lvconvert -qq -y --type cache --cachepool "$1fast" --cachemode "$2" "vgc/$1" || failed lvconvert "$1"
    fi
    for round in 1 2 3 4 5 6 7 8; do
      dmsetup message "vgc-$1" 0 migration_threshold 20480
      for at in 3 4 9 20 21 22 35; do fill "/dev/vgc/$1" "$1 $round" 65536 $at; dd if="/dev/vgc/$1" bs=64k skip=$at count=1 iflag=direct of=/dev/null 2>/dev/null; done
      sleep 1
    done
    dmsetup message "vgc-$1" 0 migration_threshold 0
    for at in 3 20 22 40; do fill "/dev/vgc/$1" "$1 last" 40000 $at; done
    dmsetup status "vgc-$1"
  }
  cached back2 writeback volume 2
  cached back1 writeback pool 1
  cached through writethrough volume 2
  lvm lvs -a -o name,attr,size,segtype vgc
  sync
  # Writes through a store of their own.
  create later -l 32 vgc
  fill /dev/vgc/later "origin of later" $((32 * 65536))
  create laterfast -l 24 vgc
  lvm lvchange -qq -an vgc/laterfast
  lvm lvconvert -qq -y --type writecache --cachevol laterfast --cachesettings 'block_size=4096' vgc/later || failed writecache
  lvm lvchange -qq -ay vgc/later
  for at in 3 4 9 20; do fill /dev/vgc/later "later" 30000 $at; done
  fill /dev/vgc/later "again" 8192 3
  list cache.tsv vgc/back2 vgc/back1 vgc/through vgc/later
  copy /dev/vdh cache-live
  lvm vgcfgbackup -qq -f /tmp/out/cache.txt vgc
  dmsetup status
  lvm vgchange -qq -an vgc || failed vgchange
  copy /dev/vdh cache
fi

if wanted stack; then
  # On one another: a pool on RAID, cached; of chunks of three times 64 KiB; a thin volume with a snapshot that is not thin.
  for disk in $disks /dev/vdg; do dd if=/dev/zero of=$disk bs=1M count=8 oflag=direct 2>/dev/null; done
  group=vgs physical $disks /dev/vdg
  create data --type raid5 -i 3 -I 16k -l 54 vgs
  create meta --type raid1 -m 1 -l 32 vgs /dev/vdf /dev/vdg
  lvm lvconvert -qq -y --type thin-pool -c 192k --poolmetadata vgs/meta vgs/data || failed pool
  create under -V 6M --thinpool data vgs
  fill /dev/vgs/under under 2000000
  lvm lvcreate -qq -y -s -kn -n copy vgs/under || failed copy
  fill /dev/vgs/under again 300000 9
  lvm lvcreate -qq -y -s -l 24 -c 16k -n store vgs/under /dev/vdg || failed store
  fill /dev/vgs/under later 200000 11
  create fast -l 96 vgs /dev/vdg
  lvm lvchange -qq -an vgs/fast
  lvm lvconvert -qq -y --type cache --cachevol fast --cachemode writeback --poolmetadatasize 2M vgs/data || failed cached
  for round in 1 2 3 4 5 6; do fill /dev/vgs/copy "own $round" 400000 2; dd if=/dev/vgs/copy of=/dev/null bs=64k count=9 iflag=direct 2>/dev/null; sleep 1; done
  create three --type raid10 -i 3 -m 1 -I 8k -l 9 vgs
  fill /dev/vgs/three three $((9 * 65536))
  create wide --type raid6 -i 4 -I 64k -l 16 vgs
  fill /dev/vgs/wide wide $((16 * 65536))
  synced vgs
  list stack.tsv vgs/under vgs/copy vgs/store vgs/three vgs/wide
  dmsetup status
  lvm lvs -a -o name,size,segtype,devices vgs
  lvm vgcfgbackup -qq -f /tmp/out/stack.txt vgs
  copies stack
  copy /dev/vdg stack.5
fi

if wanted tree; then
  # Maps alone: what is written to the data is dropped.
  modprobe dm-zero
  dmsetup create nowhere --table "0 33554432 zero"
  dmsetup create pool --table "0 33554432 thin-pool /dev/vdi /dev/mapper/nowhere 128 0 1 skip_block_zeroing"
  device() { dmsetup create "thin$1" --table "0 ${2:-33554432} thin /dev/mapper/pool $1"; }
  touch_chunks() { perl -e 'open(D, "+<", $ARGV[0]) or die; my $x = 7; for my $n (0 .. $ARGV[1] - 1) {
    $x = ($x * 1103515245 + 12345) % 2147483648; my $chunk = $ARGV[2] eq "random" ? ($x >> 4) % 262144 : $n + $ARGV[3];
    sysseek(D, $chunk * 65536, 0); syswrite(D, "x" x 512) == 512 or die; }' "/dev/mapper/thin$1" "${@:2}" || failed touch "$@"; }
  dmsetup message pool 0 "create_thin 1"; device 1
  touch_chunks 1 20000 along 1000
  sync
  dmsetup suspend thin1
  dmsetup message pool 0 "create_snap 2 1"
  dmsetup resume thin1; device 2
  touch_chunks 2 2500 random
  touch_chunks 1 3000 along 30000
  sync
  dmsetup message pool 0 "create_thin 77"; device 77 8589934592
  touch_chunks 77 900 random
  for at in 3 900 1500 7000 12345 20000; do blkdiscard -o $((at * 65536)) -l $((at % 1000 * 65536)) /dev/mapper/thin1; done
  for at in $(seq 100 1000 200000); do blkdiscard -o $((at * 65536)) -l $((700 * 65536)) /dev/mapper/thin2; done
  dmsetup message pool 0 "create_thin 9"
  dmsetup message pool 0 "create_thin 10"; dmsetup message pool 0 "delete 9"
  sync
  dmsetup status
  copy /dev/vdi tree
fi
echo "guest: done"
tar -cf /dev/vda -C /tmp/out .
sync
poweroff -f
