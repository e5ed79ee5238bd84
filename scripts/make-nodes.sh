#!/usr/bin/env bash
# make-nodes.sh OUT_DIR: the disks of nodes of every kind, small, each with what is to be found on it (NAME.json, which
# tests/it/node.rs reads): managed Kubernetes with state on the OS disk, on data disks and on disks that no snapshot holds,
# the layouts of COS, Bottlerocket, Flatcar, Talos and of ostree, distributions of Kubernetes, and nodes that are not analyzed.
# The partition tables are sgdisk's, the file systems mkfs's and the kernel's, the deployments ostree's, the logical
# volumes lvm's, and the state is what a real containerd wrote. Needs root on Debian 12; takes what it lacks from there.
#   disk-fixtures/nodes is   scripts/make-nodes.sh disk-fixtures/nodes
set -euo pipefail
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [ "${1:-}" != inside ]; then
  missing=()
  for pair in qemu-img:qemu-utils qemu-io:qemu-utils mkfs.ext4:e2fsprogs mkfs.xfs:xfsprogs mkfs.btrfs:btrfs-progs mkfs.vfat:dosfstools mkswap:util-linux \
    sgdisk:gdisk lvm:lvm2 cryptsetup:cryptsetup-bin veritysetup:cryptsetup-bin ostree:ostree containerd:containerd runc:runc drbdmeta:drbd-utils make-bcache:bcache-tools mkapfs:apfsprogs makefs:makefs zfs-fuse:zfs-fuse zstd:zstd; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  fi
  # Namespaces of its own: what it mounts and starts ends with it.
  work=$(mktemp -d); trap 'rmdir "$work"' EXIT
  unshare --mount --pid --fork --mount-proc --kill-child -- "$0" inside "${1:?usage: make-nodes.sh OUT_DIR}" "$work"
  exit
fi
out=$(realpath -m "$2") work=$3; mkdir -p "$out/signatures"; rm -f "$out"/*.qcow2 "$out"/*.json "$out"/signatures/*; mount -t tmpfs tmpfs "$work"; cd "$work"
export LVM_SUPPRESS_FD_WARNINGS=1 LVM_SYSTEM_DIR=$work SOURCE_DATE_EPOCH=1767225600

# --- a store that a real containerd wrote ------------------------------------------------------------------------
mkdir -p layer/etc layer/lib/apk/db run mnt tree
printf 'ID=alpine\nVERSION_ID=3.20.0\nPRETTY_NAME="Alpine Linux v3.20"\n' > layer/etc/os-release
printf 'P:musl\nV:1.2.5-r0\nA:x86_64\no:musl\nL:MIT\n\n' > layer/lib/apk/db/installed
python3 "$repo/scripts/oci.py" layer layer layer.tar
python3 "$repo/scripts/oci.py" image images.tar registry.example/app/tiny:1=layer.tar
truncate -s 64M state.img; mkfs.ext4 -q state.img; mkdir containerd; mount -o loop state.img containerd
cat > run/config.toml <<X
version = 2
root = "$work/containerd/root"
state = "$work/run/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
  address = "$work/run/c.sock"
X
containerd --config run/config.toml > containerd.log 2>&1 & daemon=$!
ctr="ctr -a $work/run/c.sock -n k8s.io"
for _ in $(seq 100); do $ctr version >/dev/null 2>&1 && break; sleep .1; done
$ctr images import --snapshotter overlayfs images.tar > import.log
kill "$daemon"; wait "$daemon" 2>/dev/null || true
store() { mkdir -p "$1"; cp -a containerd/root/. "$1"; } # store DIR

# --- file systems, partitions, disks --------------------------------------------------------------------------------
uuid() { printf '%08d-1111-4222-8333-444444444444' "$1"; }
made=0
# fs FILE KIND SIZE OPTIONS… : a file system with what lies in tree/, which is empty afterwards
fs() {
  local file=$1 kind=$2 size=$3; shift 3
  made=$((made + 1))
  rm -f "$file"; truncate -s "$size" "$file"
  case $kind in
    ext4) mkfs.ext4 -q -b 1024 -m 0 -O ^has_journal,^resize_inode -N 512 -U "$(uuid $((500 + made)))" "$@" "$file";;
    ext2) mkfs.ext2 -q -b 1024 -m 0 -O ^resize_inode -N 512 -U "$(uuid $((500 + made)))" "$@" "$file";;
    xfs)
      case "$*" in *uuid=*) ;; *) set -- -m "uuid=$(uuid $((500 + made)))" "$@";; esac
      TEST_DIR=1 TEST_DEV=1 QA_CHECK_FS=1 mkfs.xfs -q -b size=1024 -d agcount=1 "$@" "$file" 2> >(grep -v "^$" >&2);;
  esac
  mount -o loop "$file" mnt
  cp -a tree/. mnt/
  umount mnt
  find tree -mindepth 1 -delete
}
# disk NAME PART… : a GPT disk as $out/NAME.qcow2; PART is FILE|NUMBER|TYPE|NAME|UUID|ATTRIBUTES (bits with commas between). sgdisk waits
# a second whenever it has written: it goes on in the background.
disk() {
  local name=$1 at=2048 part file number kind label id bits bit size options=(-o -U 00000000-0000-4000-8000-00000000d15c)
  shift
  rm -f "$name.raw"; truncate -s 1M "$name.raw"
  for part; do
    IFS='|' read -r file number kind label id bits <<< "$part"
    size=$(($(stat -c %s "$file") / 512))
    options+=(-n "$number:$at:$((at + size - 1))" -t "$number:${kind:-8300}" -c "$number:$label" -u "$number:${id:-$(uuid "$((900 + number))")}")
    for bit in ${bits//,/ }; do options+=(-A "$number:set:$bit"); done
    dd if="$file" of="$name.raw" bs=512 seek="$at" conv=notrunc,sparse status=none
    at=$((((at + size - 1) / 2048 + 1) * 2048))
  done
  truncate -s $(((at + 2048) * 512)) "$name.raw"
  (sgdisk "${options[@]}" "$name.raw" > /dev/null; whole "$name" "$name.raw"; rm "$name.raw") &
  jobs+=($!)
}
jobs=()
# whole NAME FILE : a disk without partitions
whole() { qemu-img convert -O qcow2 -o cluster_size=4k,compression_type=zstd -c "$2" "$out/$1.qcow2"; }
expect() { cat > "$out/$1.json"; } # expect NAME < JSON

os() { # os ID VERSION NAME : an operating system without packages in tree/
  mkdir -p tree/etc tree/usr/lib tree/var/lib
  printf 'ID=%s\nVERSION_ID="%s"\nPRETTY_NAME="%s"\n' "$@" > tree/usr/lib/os-release
  ln -s ../usr/lib/os-release tree/etc/os-release
}
node() { os debian 12 "Debian GNU/Linux 12 (bookworm)"; echo "$1" > tree/etc/hostname; printf "$2" > tree/etc/fstab; } # node NAME FSTAB
ubuntu() { os ubuntu 22.04 "Ubuntu 22.04.5 LTS"; echo "$1" > tree/etc/hostname; printf "LABEL=cloudimg-rootfs / ext4 discard,errors=remount-ro 0 1\n$2" > tree/etc/fstab; }

truncate -s 64K boot.bin; printf 'GRUB' > boot.bin.head; dd if=boot.bin.head of=boot.bin conv=notrunc status=none # a boot loader's code
truncate -s 1M esp.fat; mkfs.vfat -n UEFI -i 11112222 esp.fat > /dev/null

# --- managed Kubernetes: AKS -------------------------------------------------------------------------------------------
aks() { # aks NAME PROFILE
  ubuntu "$1" "LABEL=UEFI /boot/efi vfat umask=0077 0 1\n"
  mkdir -p tree/etc/default tree/etc/containerd
  printf 'KUBELET_CONFIG=--config=/etc/default/kubeletconfig.json\nKUBELET_NODE_LABELS=agentpool=nodepool1,kubernetes.azure.com/agentpool=nodepool1,%skubernetes.azure.com/storagetier=Premium_LRS\n' "$2" > tree/etc/default/kubelet
}
azure() { disk "$1" "root.fs|1|8300||$(uuid 1)" "boot.bin|14|ef02" "esp.fat|15|ef00"; } # azure NAME
aks aks-managed-0 kubernetes.azure.com/storageprofile=managed,
store tree/var/lib/containerd; fs root.fs ext4 8M -L cloudimg-rootfs; azure aks-managed
expect aks-managed <<'X'
{ "disks": ["aks-managed"], "exit": 0, "status": "complete", "os": "ubuntu", "hostname": "aks-managed-0",
  "mounts": [["/", "disk0p1"], ["/boot/efi", "disk0p15"]], "runtimes": [["containerd", null, "/var/lib/containerd"]] }
X
aks aks-ephemeral-0 kubernetes.azure.com/storageprofile=ephemeral,
store tree/var/lib/containerd; fs root.fs ext4 8M -L cloudimg-rootfs; azure aks-ephemeral
expect aks-ephemeral <<'X'
{ "disks": ["aks-ephemeral"], "exit": 4, "status": "skipped", "os": "ubuntu", "hostname": "aks-ephemeral-0",
  "reasons": [["ephemeral-os-disk", "/etc/default/kubelet: KUBELET_NODE_LABELS=agentpool=nodepool1"]],
  "mounts": [["/", "disk0p1"], ["/boot/efi", "disk0p15"]], "runtimes": [["containerd", null, "/var/lib/containerd"]] }
X

# The runtime's root on Azure's temporary disk: cloud-init mounts it at /mnt by a name that only udev knows.
aks aks-temp-0 kubernetes.azure.com/storageprofile=managed,
printf '/dev/disk/cloud/azure_resource-part1 /mnt auto defaults,nofail,x-systemd.requires=cloud-init.service,_netdev,comment=cloudconfig 0 2\n' >> tree/etc/fstab
mkdir -p tree/etc/containerd/conf.d tree/var/lib/containerd tree/mnt
printf 'version = 2\nimports = ["conf.d/*.toml"]\noom_score = -999\n' > tree/etc/containerd/config.toml
printf 'version = 2\nroot = "/mnt/aks/containers"\n' > tree/etc/containerd/conf.d/10-temp-disk.toml
fs root.fs ext4 2M -L cloudimg-rootfs; azure aks-temp
store tree/aks/containers; fs temp.fs ext4 4M; disk aks-temp-resource "temp.fs|1|0700"
expect aks-temp-missing <<'X'
{ "disks": ["aks-temp"], "exit": 4, "status": "skipped", "os": "ubuntu", "hostname": "aks-temp-0",
  "reasons": [["ephemeral-os-disk", "/etc/containerd/conf.d/10-temp-disk.toml says /mnt/aks/containers"]],
  "mounts": [["/", "disk0p1"], ["/boot/efi", "disk0p15"]], "runtimes": [] }
X
expect aks-temp-given <<'X'
{ "disks": ["aks-temp", "aks-temp-resource"], "exit": 0, "status": "complete", "os": "ubuntu", "hostname": "aks-temp-0",
  "mounts": [["/", "disk0p1"], ["/boot/efi", "disk0p15"]], "runtimes": [["containerd", "disk1p1", "/aks/containers"]] }
X

# The image of the node brought a store in the usual place, which is no longer the node's.
aks aks-temp-1 kubernetes.azure.com/storageprofile=managed,
printf 'version = 2\nroot = "/mnt/aks/containers"\n' > tree/etc/containerd/config.toml; store tree/var/lib/containerd
fs root.fs ext4 8M -L cloudimg-rootfs; azure aks-temp-left
expect aks-temp-left <<'X'
{ "disks": ["aks-temp-left"], "exit": 4, "status": "skipped", "os": "ubuntu", "hostname": "aks-temp-1",
  "reasons": [["ephemeral-os-disk", "/etc/containerd/config.toml says /mnt/aks/containers"]],
  "mounts": [["/", "disk0p1"], ["/boot/efi", "disk0p15"]], "runtimes": [["containerd", null, "/var/lib/containerd"]] }
X

# --- managed Kubernetes: EKS, with the state on an instance store by mount units ------------------------------------------
os amzn 2023 "Amazon Linux 2023"; echo eks-0 > tree/etc/hostname
printf 'LABEL=/ / xfs defaults,noatime 1 1\n' > tree/etc/fstab
units=tree/etc/systemd/system; mkdir -p $units/multi-user.target.wants tree/var/lib/containerd tree/var/lib/kubelet tree/mnt/k8s-disks/0
printf '[Unit]\nDescription=Mount EC2 Instance Store NVMe disk RAID0\n[Mount]\nWhat=UUID=%s\nWhere=/mnt/k8s-disks/0\nType=xfs\nOptions=defaults,noatime\n[Install]\nWantedBy=multi-user.target\n' "$(uuid 20)" > "$units/mnt-k8s\\x2ddisks-0.mount"
ln -s "/etc/systemd/system/mnt-k8s\\x2ddisks-0.mount" $units/multi-user.target.wants/
for unit in containerd kubelet; do
  printf '[Unit]\nDescription=Mount %s on EC2 Instance Store NVMe RAID0\n[Mount]\nWhat=/mnt/k8s-disks/0/%s\nWhere=/var/lib/%s\nType=none\nOptions=bind\n[Install]\nWantedBy=multi-user.target\n' $unit $unit $unit > $units/var-lib-$unit.mount
  ln -s /etc/systemd/system/var-lib-$unit.mount $units/multi-user.target.wants/
done
fs root.fs xfs 16M -L /; disk eks "root.fs|1|8300|Linux" "esp.fat|128|ef00|EFI System Partition"
store tree/containerd; mkdir tree/kubelet; fs data.fs xfs 16M -m "uuid=$(uuid 20)"; whole eks-instance-store data.fs
expect eks-instance-store-missing <<'X'
{ "disks": ["eks"], "exit": 4, "status": "skipped", "os": "amzn", "hostname": "eks-0",
  "reasons": [["ephemeral-os-disk", "/etc/systemd/system/mnt-k8s\\\\x2ddisks-0.mount mounts UUID=00000020-1111-4222-8333-444444444444 at /mnt/k8s-disks/0"]],
  "gaps": [["missing-disk", "disk0p1", "UUID=00000020-1111-4222-8333-444444444444"]],
  "mounts": [["/", "disk0p1"]], "runtimes": [] }
X
expect eks-instance-store-given <<'X'
{ "disks": ["eks", "eks-instance-store"], "exit": 0, "status": "complete", "os": "amzn", "hostname": "eks-0",
  "mounts": [["/", "disk0p1"], ["/mnt/k8s-disks/0", "disk1"], ["/var/lib/containerd", "disk1"], ["/var/lib/kubelet", "disk1"]],
  "runtimes": [["containerd", null, "/var/lib/containerd"]] }
X

# --- a separate /var and a separate state directory by every name ------------------------------------------------------------
store tree/lib/containerd; fs var.fs ext4 4M -L var -U "$(uuid 30)"; disk var "var.fs|1|8300|var|$(uuid 31)"
for spec in "uuid UUID=$(uuid 30)" "label LABEL=var" "partuuid PARTUUID=$(uuid 31)" "partlabel PARTLABEL=var" "device /dev/sdb1" \
  "nvme /dev/nvme1n1p1" "by-id /dev/disk/by-uuid/$(uuid 30)" "quoted UUID=\"$(uuid 30)\""; do
  read -r name what <<< "$spec"
  node "var-$name" "# /etc/fstab\nUUID=$(uuid 1) / ext4 defaults 0 1\n$what /var ext4 defaults 0 2\n"
  fs root.fs ext4 1M -U "$(uuid 1)"; disk "var-$name" "root.fs|1"
  expect "var-$name" <<X
{ "disks": ["var-$name", "var"], "exit": 0, "status": "complete", "os": "debian", "hostname": "var-$name",
  "mounts": [["/", "disk0p1"], ["/var", "disk1p1"]], "runtimes": [["containerd", null, "/var/lib/containerd"]] }
X
done
expect var-missing <<X
{ "disks": ["var-uuid"], "exit": 4, "status": "skipped", "os": "debian", "hostname": "var-uuid",
  "reasons": [["missing-disk", "/etc/fstab mounts UUID=$(uuid 30) at /var"]],
  "gaps": [["missing-disk", "disk0p1", "UUID=$(uuid 30) at /var"]], "mounts": [["/", "disk0p1"]], "runtimes": [] }
X
expect var-alone <<'X'
{ "disks": ["var"], "exit": 0, "status": "complete", "runtimes": [["containerd", "disk0p1", "/lib/containerd"]] }
X
store tree; fs state.fs ext4 4M -L state; whole state state.fs
expect state-alone <<'X'
{ "disks": ["state"], "exit": 0, "status": "complete", "runtimes": [["containerd", "disk0", "/"]] }
X
node state-0 "UUID=$(uuid 1) / ext4 defaults 0 1\nLABEL=state /var/lib/containerd ext4 defaults,nofail 0 2\n"
mkdir -p tree/var/lib/containerd; fs root.fs ext4 1M -U "$(uuid 1)"; disk state-root "root.fs|1"
expect state-mounted <<'X'
{ "disks": ["state-root", "state"], "exit": 0, "status": "complete", "os": "debian", "hostname": "state-0",
  "mounts": [["/", "disk0p1"], ["/var/lib/containerd", "disk1"]], "runtimes": [["containerd", null, "/var/lib/containerd"]] }
X
expect state-missing <<'X'
{ "disks": ["state-root"], "exit": 4, "status": "skipped", "os": "debian", "hostname": "state-0",
  "reasons": [["missing-disk", "/etc/fstab mounts LABEL=state at /var/lib/containerd"]],
  "gaps": [["missing-disk", "disk0p1", "LABEL=state at /var/lib/containerd"]], "mounts": [["/", "disk0p1"]], "runtimes": [] }
X
# A directory of a data disk shown at the usual place, and the same by a symbolic link.
store tree/k8s/containerd; fs data.fs ext4 4M -L data; disk data "data.fs|1"
node bind-0 "UUID=$(uuid 1) / ext4 defaults 0 1\nLABEL=data /data ext4 defaults 0 2\n/data/k8s/containerd /var/lib/containerd none bind 0 0\n"
mkdir -p tree/var/lib/containerd tree/data; fs root.fs ext4 1M -U "$(uuid 1)"; disk bind "root.fs|1"
expect bind <<'X'
{ "disks": ["bind", "data"], "exit": 0, "status": "complete", "os": "debian", "hostname": "bind-0",
  "mounts": [["/", "disk0p1"], ["/data", "disk1p1"], ["/var/lib/containerd", "disk1p1"]],
  "runtimes": [["containerd", null, "/var/lib/containerd"]] }
X
expect bind-missing <<'X'
{ "disks": ["bind"], "exit": 4, "status": "skipped", "os": "debian", "hostname": "bind-0",
  "reasons": [["missing-disk", "/etc/fstab mounts LABEL=data at /data"]],
  "gaps": [["missing-disk", "disk0p1", "LABEL=data at /data"]], "mounts": [["/", "disk0p1"]], "runtimes": [] }
X
node link-0 "UUID=$(uuid 1) / ext4 defaults 0 1\nLABEL=data /data ext4 defaults 0 2\n"
mkdir -p tree/data; ln -s /data/k8s/containerd tree/var/lib/containerd; fs root.fs ext4 1M -U "$(uuid 1)"; disk link "root.fs|1"
expect link <<'X'
{ "disks": ["link", "data"], "exit": 0, "status": "complete", "os": "debian", "hostname": "link-0",
  "mounts": [["/", "disk0p1"], ["/data", "disk1p1"]], "runtimes": [["containerd", null, "/data/k8s/containerd"]] }
X
expect link-missing <<'X'
{ "disks": ["link"], "exit": 4, "status": "skipped", "os": "debian", "hostname": "link-0",
  "reasons": [["missing-disk", "/etc/fstab mounts LABEL=data at /data"]],
  "gaps": [["missing-disk", "disk0p1", "LABEL=data at /data"]], "mounts": [["/", "disk0p1"]], "runtimes": [] }
X

# --- logical volumes -----------------------------------------------------------------------------------------------------------
node lvm-0 "/dev/mapper/vg--node-root / ext4 defaults 0 1\n/dev/vg-node/var /var ext4 defaults 0 2\n"
fs root.fs ext4 1M; store tree/lib/containerd; fs var.fs ext4 4M
truncate -s 8M pv.img; loop=$(losetup -f --show pv.img)
lvm() { command lvm "$@" --driverloaded n --config "devices{scan=[\"/dev\"] filter=[\"a|^$loop\$|\",\"r|.*|\"] use_devicesfile=0}" 2>> lvm.log || { cat lvm.log >&2; exit 1; }; }
lvm pvcreate -qq --metadatasize 128k "$loop"; lvm vgcreate -qq -s 64k vg-node "$loop"
lvm lvcreate -qq -an -Zn -Wn -y -n root -l 16 vg-node; lvm lvcreate -qq -an -Zn -Wn -y -n var -l 64 vg-node
start=$(lvm pvs --noheadings --units b --nosuffix -o pe_start | tr -d ' ')
for name in root var; do
  first=$(lvm lvs --noheadings -o seg_pe_ranges vg-node/$name | sed 's/.*:\([0-9]*\)-.*/\1/')
  dd if=$name.fs of="$loop" bs=64K seek=$((start + first * 65536))B oflag=seek_bytes conv=notrunc status=none
done
sync; losetup -d "$loop"; disk lvm "esp.fat|1|ef00" "pv.img|2|8e00"
expect lvm <<'X'
{ "disks": ["lvm"], "exit": 0, "status": "complete", "os": "debian", "hostname": "lvm-0",
  "mounts": [["/", "vg-node/root"], ["/var", "vg-node/var"]], "runtimes": [["containerd", null, "/var/lib/containerd"]] }
X

# --- subvolumes ----------------------------------------------------------------------------------------------------------------
rm -f root.fs; truncate -s 32M root.fs; mkfs.btrfs -q --mixed -U "$(uuid 1)" root.fs > /dev/null 2>&1; mount -o loop root.fs mnt
btrfs -q subvolume create mnt/@; btrfs -q subvolume create mnt/@var
node btrfs-0 "UUID=$(uuid 1) / btrfs subvol=@ 0 0\nUUID=$(uuid 1) /var btrfs subvol=@var,compress=zstd 0 0\n"
cp -a tree/. mnt/@/; store mnt/@var/lib/containerd; umount mnt; find tree -mindepth 1 -delete; disk btrfs "root.fs|1"
expect btrfs <<'X'
{ "disks": ["btrfs"], "exit": 0, "status": "complete", "os": "debian", "hostname": "btrfs-0",
  "mounts": [["/", "disk0p1"], ["/var", "disk0p1"]], "runtimes": [["containerd", null, "/var/lib/containerd"]] }
X

# --- COS: no fstab; /var is a directory of the stateful partition; the slot of the kernel with the highest priority -------------
KERNEL=fe3a2a5d-4f32-41a7-b725-accc3285a309 ROOTFS=3cb8e202-3b7e-47dd-8a3c-7ff2a13cfcec
for slot in a b; do
  os cos $([ $slot = a ] && echo 113 || echo 117) "Container-Optimized OS from Google"; mkdir -p tree/mnt/stateful_partition tree/home
  fs root-$slot.fs ext2 1M
done
printf 'CHROMEOS' > kernel.bin; truncate -s 64K kernel.bin
mkdir -p tree/var/lib tree/home tree/var_overlay; store tree/var/lib/containerd; fs stateful.fs ext4 4M -L STATE
disk cos "stateful.fs|1|8300|STATE" "kernel.bin|2|$KERNEL|KERN-A||48,56" "root-a.fs|3|$ROOTFS|ROOT-A" "kernel.bin|4|$KERNEL|KERN-B||49,56" "root-b.fs|5|$ROOTFS|ROOT-B" "esp.fat|12|ef00|EFI-SYSTEM"
expect cos <<'X'
{ "disks": ["cos"], "exit": 0, "status": "complete", "os": "cos", "os_version": "117",
  "mounts": [["/", "disk0p5"], ["/home", "disk0p1"], ["/mnt/stateful_partition", "disk0p1"], ["/var", "disk0p1"]],
  "runtimes": [["containerd", null, "/var/lib/containerd"]] }
X

# GKE's local SSDs hold the state: what the image brought is in its usual place still.
os cos 117 "Container-Optimized OS from Google"; mkdir -p tree/mnt/stateful_partition tree/home; fs root-a.fs ext2 1M
store tree/var/lib/containerd; mkdir -p tree/kube-ephemeral-ssd; fs stateful.fs ext4 4M -L STATE
disk cos-local-ssd "stateful.fs|1|8300|STATE" "kernel.bin|2|$KERNEL|KERN-A||48,56" "root-a.fs|3|$ROOTFS|ROOT-A"
expect cos-local-ssd <<'X'
{ "disks": ["cos-local-ssd"], "exit": 4, "status": "skipped", "os": "cos", "os_version": "117",
  "reasons": [["ephemeral-os-disk", "Container-Optimized OS mounts /dev/md0 at /mnt/stateful_partition/kube-ephemeral-ssd"]],
  "gaps": [["missing-disk", "disk0p3", "kube-ephemeral-ssd"]],
  "mounts": [["/", "disk0p3"], ["/mnt/stateful_partition", "disk0p1"], ["/var", "disk0p1"]], "runtimes": [["containerd", null, "/var/lib/containerd"]] }
X
# Two copies, and nothing that says which is booted.
disk cos-unsure "root-a.fs|3|$ROOTFS|ROOT-A" "root-b.fs|5|$ROOTFS|ROOT-B" "stateful.fs|1|8300|STATE"
expect cos-unsure <<'X'
{ "disks": ["cos-unsure"], "exit": 4, "status": "skipped", "os": "cos", "os_version": "117",
  "reasons": [["ephemeral-os-disk", "Container-Optimized OS mounts /dev/md0 at /mnt/stateful_partition/kube-ephemeral-ssd"]],
  "gaps": [["missing-disk", "disk0p3", "kube-ephemeral-ssd"], ["missing-disk", "disk0p5", "disk0p3 is taken for the node's"]],
  "mounts": [["/", "disk0p3"], ["/mnt/stateful_partition", "disk0p1"], ["/var", "disk0p1"]], "runtimes": [["containerd", null, "/var/lib/containerd"]] }
X

# --- Bottlerocket: two disks; mount units in the image; the slot by its boot partition ---------------------------------------------
BOOT=6b636168-7420-6568-2070-6c616e657421 ROOT=5526016a-1a97-4ea4-b39a-b7c8c6ca4502 HASH=598f10af-c955-4456-6a99-7720068a6cea
RESERVED=0c5d99a5-d331-4147-baef-08e2b855bdc9 PRIVATE=440408bb-eb0b-4328-a6e5-a29038fad706 DATA=626f7474-6c65-6474-6861-726d61726b73
for slot in a b; do
  mkdir -p tree/x86_64-bottlerocket-linux-gnu/sys-root/usr/lib/systemd/system tree/{etc,var,local,mnt,opt}
  ln -s x86_64-bottlerocket-linux-gnu/sys-root/usr tree/usr
  printf 'NAME=Bottlerocket\nID=bottlerocket\nVERSION_ID=%s\nPRETTY_NAME="Bottlerocket OS"\nVARIANT_ID=aws-k8s-1.33\n' $([ $slot = a ] && echo 1.44.0 || echo 1.43.0) > tree/usr/lib/os-release
  units=tree/usr/lib/systemd/system
  printf '[Unit]\nDescription=Local Directory (/local)\nDefaultDependencies=no\n[Mount]\nWhat=/dev/disk/by-partlabel/BOTTLEROCKET-DATA\nWhere=/local\nType=xfs\nOptions=defaults,noatime,nosuid,nodev\n[Install]\nWantedBy=preconfigured.target\n' > $units/local.mount
  for at in var opt mnt; do printf '[Unit]\nRequiresMountsFor=/local\n[Mount]\nWhat=/local/%s\nWhere=/%s\nType=none\nOptions=rbind,rshared\n[Install]\nWantedBy=local-fs.target\n' $at $at > $units/$at.mount; done
  printf '[Mount]\nWhat=tmpfs\nWhere=/tmp\nType=tmpfs\n' > $units/tmp.mount
  fs root-$slot.fs ext4 1M
done
veritysetup format root-a.fs hash.img --salt=00 --uuid="$(uuid 40)" > /dev/null
fs boot.fs ext4 256K; truncate -s 64K zero.img; fs private.fs ext4 256K
store tree/var/lib/containerd; mkdir -p tree/opt tree/mnt; fs data.fs xfs 16M
disk bottlerocket "boot.bin|1|ef02|BIOS-BOOT" "esp.fat|2|ef00|EFI-SYSTEM" "boot.fs|3|$BOOT|BOTTLEROCKET-BOOT-A||49,56" "root-a.fs|4|$ROOT|BOTTLEROCKET-ROOT-A" "hash.img|5|$HASH|BOTTLEROCKET-HASH-A" \
  "zero.img|6|$RESERVED|BOTTLEROCKET-RESERVED-A" "boot.fs|7|$BOOT|BOTTLEROCKET-BOOT-B||48,56" "root-b.fs|8|$ROOT|BOTTLEROCKET-ROOT-B" "zero.img|9|$HASH|BOTTLEROCKET-HASH-B" "zero.img|10|$RESERVED|BOTTLEROCKET-RESERVED-B" \
  "private.fs|11|$PRIVATE|BOTTLEROCKET-PRIVATE"
disk bottlerocket-data "data.fs|1|$DATA|BOTTLEROCKET-DATA"
expect bottlerocket <<'X'
{ "disks": ["bottlerocket", "bottlerocket-data"], "exit": 0, "status": "complete", "os": "bottlerocket", "os_version": "1.44.0",
  "mounts": [["/", "disk0p4"], ["/local", "disk1p1"], ["/mnt", "disk1p1"], ["/opt", "disk1p1"], ["/var", "disk1p1"]],
  "runtimes": [["containerd", null, "/var/lib/containerd"]] }
X
expect bottlerocket-without-data <<'X'
{ "disks": ["bottlerocket"], "exit": 4, "status": "skipped", "os": "bottlerocket", "os_version": "1.44.0",
  "reasons": [["missing-disk", "/usr/lib/systemd/system/local.mount mounts /dev/disk/by-partlabel/BOTTLEROCKET-DATA at /local"]],
  "gaps": [["missing-disk", "disk0p4", "BOTTLEROCKET-DATA at /local"]], "mounts": [["/", "disk0p4"]], "runtimes": [] }
X
expect bottlerocket-data-alone <<'X'
{ "disks": ["bottlerocket-data"], "exit": 0, "status": "complete", "runtimes": [["containerd", "disk0p1", "/var/lib/containerd"]] }
X

# --- Flatcar: /usr is the slot of the highest priority; the root has everything else -------------------------------------------------
USR=5dfbf5f4-2848-4bac-aa5e-0d9a20b745a6
for slot in a b; do
  mkdir -p tree/lib tree/bin tree/share/flatcar/etc
  printf 'NAME="Flatcar Container Linux by Kinvolk"\nID=flatcar\nID_LIKE=coreos\nVERSION_ID=%s\nPRETTY_NAME="Flatcar Container Linux by Kinvolk"\n' $([ $slot = a ] && echo 4081.2.0 || echo 4230.2.1) > tree/lib/os-release
  fs usr-$slot.fs ext4 1M
done
mkdir -p tree/etc tree/usr tree/var/lib tree/home; ln -s ../usr/lib/os-release tree/etc/os-release; echo flatcar-0 > tree/etc/hostname
store tree/var/lib/containerd; fs root.fs ext4 4M -L ROOT; fs oem.fs ext4 256K -L OEM
disk flatcar "esp.fat|1|ef00|EFI-SYSTEM" "boot.bin|2|ef02|BIOS-BOOT" "usr-a.fs|3|$USR|USR-A||48,56" "usr-b.fs|4|$USR|USR-B||49,56" "oem.fs|6|8300|OEM" "root.fs|9|8300|ROOT"
expect flatcar <<'X'
{ "disks": ["flatcar"], "exit": 0, "status": "complete", "os": "flatcar", "os_version": "4230.2.1", "hostname": "flatcar-0",
  "mounts": [["/", "disk0p9"], ["/usr", "disk0p4"]], "runtimes": [["containerd", null, "/var/lib/containerd"]] }
X

# --- Talos: the system is in memory; EPHEMERAL is its /var ---------------------------------------------------------------------------
printf 'not read' > tree/config.yaml; fs state.fs xfs 16M -L STATE; store tree/lib/containerd; fs ephemeral.fs xfs 16M -L EPHEMERAL; truncate -s 64K meta.img
disk talos "esp.fat|1|ef00|EFI" "boot.bin|2|ef02|BIOS" "meta.img|4|8300|META" "state.fs|5|8300|STATE" "ephemeral.fs|6|8300|EPHEMERAL"
expect talos <<'X'
{ "disks": ["talos"], "exit": 0, "status": "complete", "os": "talos", "mounts": [["/var", "disk0p6"]],
  "runtimes": [["containerd", null, "/var/lib/containerd"]] }
X

# --- ostree: two deployments and the boot loader's entries, by ostree itself -----------------------------------------------------------
ostree_node() { # ostree_node NAME ID VERSIONS… : sysroot/ with a deployment of each version, the last one booted
  local name=$1 id=$2 version; shift 2
  rm -rf sysroot; mkdir -p sysroot/boot commit; ostree admin init-fs --modern sysroot 2>/dev/null || ostree admin init-fs sysroot
  ostree admin os-init --sysroot=sysroot "$name" > /dev/null
  for version; do
    rm -rf commit; mkdir -p commit/usr/lib/modules/6.1.0 commit/usr/etc commit/var commit/sysroot commit/{proc,sys,dev,run,tmp,boot}
    ln -s sysroot/ostree commit/ostree
    printf 'ID=%s\nVARIANT_ID=coreos\nVERSION_ID=%s\nPRETTY_NAME="%s %s"\n' "$id" "$version" "$name" "$version" > commit/usr/lib/os-release
    ln -s ../usr/lib/os-release commit/usr/etc/os-release; : > commit/usr/etc/hostname
    echo kernel > commit/usr/lib/modules/6.1.0/vmlinuz; echo initramfs > commit/usr/lib/modules/6.1.0/initramfs.img
    ostree --repo=sysroot/ostree/repo commit --owner-uid=0 --owner-gid=0 -b stable -s "$version" commit > /dev/null
    ostree admin deploy --sysroot=sysroot --os="$name" ${more:-} --karg=root=LABEL=root --karg=rw stable > /dev/null 2>> ostree.log
    for etc in sysroot/ostree/deploy/"$name"/deploy/*/etc; do echo "$name-$version" > "${etc}/hostname.$version"; done
  done
  rm -rf sysroot/ostree/repo/{objects,refs,tmp,state}
  chattr -i sysroot/ostree/deploy/*/deploy/*/ 2>/dev/null || true
}
ostree_disk() { # ostree_disk DISK : its root and /boot
  rm -rf tree/* && cp -a sysroot/boot/. tree/ && fs boot.fs ext4 1M -L boot && rm -rf sysroot/boot/* && cp -a sysroot/. tree/
}
ostree_node rhcos rhcos 414.92 415.92
state=sysroot/ostree/deploy/rhcos/var; mkdir -p $state/lib/containers/storage/overlay-images; echo '[]' > $state/lib/containers/storage/overlay-images/images.json
ostree_disk; fs root.fs xfs 16M -L root; disk rhcos "boot.bin|1|ef02|BIOS-BOOT" "esp.fat|2|ef00|EFI-SYSTEM" "boot.fs|3|8300|boot" "root.fs|4|8300|root"
expect rhcos <<'X'
{ "disks": ["rhcos"], "exit": 0, "status": "complete", "os": "rhcos", "os_version": "415.92",
  "mounts": [["/", "disk0p4"], ["/boot", "disk0p3"], ["/sysroot", "disk0p4"], ["/var", "disk0p4"]], "runtimes": [["containers-storage", null, "/var/lib/containers/storage"]] }
X
# A newer deployment is there, and the older one is the default; /var is a partition of its own by a mount unit.
more=--not-as-default ostree_node fedora-coreos fedora 41.1 42.2
for etc in sysroot/ostree/deploy/fedora-coreos/deploy/*/etc; do
  mkdir -p "$etc/systemd/system/local-fs.target.requires"
  printf '# Generated by Butane\n[Unit]\nRequires=systemd-fsck@dev-disk-by\\x2dpartlabel-var.service\n[Mount]\nWhere=/var\nWhat=/dev/disk/by-partlabel/var\nType=ext4\n[Install]\nRequiredBy=local-fs.target\n' > "$etc/systemd/system/var.mount"
  ln -s ../var.mount "$etc/systemd/system/local-fs.target.requires/var.mount"
done
ostree_disk; fs root.fs xfs 16M -L root
store tree/lib/containerd; fs var.fs ext4 4M
disk fcos "boot.bin|1|ef02|BIOS-BOOT" "esp.fat|2|ef00|EFI-SYSTEM" "boot.fs|3|8300|boot" "root.fs|4|8300|root" "var.fs|5|8300|var"
expect fcos <<'X'
{ "disks": ["fcos"], "exit": 0, "status": "complete", "os": "fedora", "os_version": "41.1",
  "mounts": [["/", "disk0p4"], ["/boot", "disk0p3"], ["/sysroot", "disk0p4"], ["/var", "disk0p5"]], "runtimes": [["containerd", null, "/var/lib/containerd"]] }
X
# Without the boot partition nobody knows which one is booted.
ostree_node fedora-coreos fedora 41.1 42.2
ostree_disk; fs root.fs xfs 16M -L root; store tree/lib/containerd; fs var.fs ext4 4M; disk fcos-no-boot "root.fs|4|8300|root" "var.fs|5|8300|var"
expect fcos-no-boot <<'X'
{ "disks": ["fcos-no-boot"], "exit": 3, "status": "partial", "os": "fedora",
  "reasons": [["missing-disk", "volume disk0p4"]], "gaps": [["missing-disk", "disk0p4", "2 deployments"]],
  "mounts": [["/", "disk0p4"], ["/sysroot", "disk0p4"], ["/var", "disk0p4"]], "runtimes": [["containerd", "disk0p5", "/lib/containerd"]] }
X

# --- distributions of Kubernetes ---------------------------------------------------------------------------------------------------
for place in k3s:/var/lib/rancher/k3s/agent/containerd rke2:/var/lib/rancher/rke2/agent/containerd microk8s:/var/snap/microk8s/common/var/lib/containerd k0s:/var/lib/k0s/containerd; do
  name=${place%%:*} path=${place#*:}
  node "$name-0" "UUID=$(uuid 1) / ext4 defaults 0 1\n"; store "tree$path"
  fs root.fs ext4 4M -U "$(uuid 1)"; disk "$name" "root.fs|1"
  expect "$name" <<X
{ "disks": ["$name"], "exit": 0, "status": "complete", "os": "debian", "hostname": "$name-0",
  "mounts": [["/", "disk0p1"]], "runtimes": [["containerd", null, "$path"]] }
X
done
# k3s and CRI-O with their data elsewhere, as their own configuration says.
node k3s-data-0 "UUID=$(uuid 1) / ext4 defaults 0 1\n"; mkdir -p tree/etc/rancher/k3s
printf 'write-kubeconfig-mode: "0644"\ndata-dir: "/srv/k3s" # not the usual place\n' > tree/etc/rancher/k3s/config.yaml
store tree/srv/k3s/agent/containerd; fs root.fs ext4 4M -U "$(uuid 1)"; disk k3s-data "root.fs|1"
expect k3s-data <<'X'
{ "disks": ["k3s-data"], "exit": 0, "status": "complete", "os": "debian", "hostname": "k3s-data-0",
  "mounts": [["/", "disk0p1"]], "runtimes": [["containerd", null, "/srv/k3s/agent/containerd"]] }
X

# Told on the command lines of their services.
node flags-0 "UUID=$(uuid 1) / ext4 defaults 0 1\n"; units=tree/etc/systemd/system; mkdir -p $units/containerd.service.d tree/usr/lib/systemd/system
printf '[Service]\nExecStartPre=-/sbin/modprobe overlay\nExecStart=/usr/bin/containerd\n' > tree/usr/lib/systemd/system/containerd.service
printf '[Service]\nExecStart=\nExecStart=/usr/bin/containerd --config /etc/ctrd.toml \\\n  --root=/srv/ctrd\n' > $units/containerd.service.d/10-root.conf
store tree/srv/ctrd; fs root.fs ext4 4M -U "$(uuid 1)"; disk flags "root.fs|1"
expect flags <<'X'
{ "disks": ["flags"], "exit": 0, "status": "complete", "os": "debian", "hostname": "flags-0",
  "mounts": [["/", "disk0p1"]], "runtimes": [["containerd", null, "/srv/ctrd"]] }
X

# --- other runtimes, none, and nothing that can be read --------------------------------------------------------------------------------
node docker-0 "UUID=$(uuid 1) / ext4 defaults 0 1\n"; mkdir -p tree/var/lib/docker/image/overlay2/imagedb tree/var/lib/docker/containers; echo '{"Repositories":{}}' > tree/var/lib/docker/image/overlay2/repositories.json
fs root.fs ext4 1M -U "$(uuid 1)"; disk docker "root.fs|1"
expect docker <<'X'
{ "disks": ["docker"], "exit": 0, "status": "complete", "os": "debian", "hostname": "docker-0", "mounts": [["/", "disk0p1"]],
  "runtimes": [["docker", null, "/var/lib/docker"]] }
X
node crio-0 "UUID=$(uuid 1) / ext4 defaults 0 1\n"; mkdir -p tree/etc/crio/crio.conf.d tree/srv/crio/overlay-images
printf '[crio]\nroot = "/srv/crio"\n' > tree/etc/crio/crio.conf.d/10-root.conf; echo '[]' > tree/srv/crio/overlay-images/images.json
fs root.fs ext4 1M -U "$(uuid 1)"; disk crio "root.fs|1"
expect crio <<'X'
{ "disks": ["crio"], "exit": 0, "status": "complete", "os": "debian", "hostname": "crio-0", "mounts": [["/", "disk0p1"]], "runtimes": [["containers-storage", null, "/srv/crio"]] }
X
node none-0 "UUID=$(uuid 1) / ext4 defaults 0 1\n"; mkdir -p tree/var/lib/containerd tree/etc/containerd; printf 'version = 2\nroot = "/var/lib/containerd"\n' > tree/etc/containerd/config.toml
fs root.fs ext4 1M -U "$(uuid 1)"; disk no-runtime "root.fs|1"
expect no-runtime <<'X'
{ "disks": ["no-runtime"], "exit": 4, "status": "skipped", "os": "debian", "hostname": "none-0", "mounts": [["/", "disk0p1"]],
  "reasons": [["no-container-runtime", "searched the usual places on disk0p1"]], "runtimes": [] }
X
truncate -s 17M luks.img; printf key | cryptsetup luksFormat -q --type luks2 --uuid "$(uuid 50)" --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --luks2-keyslots-size 256k luks.img - > /dev/null 2>&1
truncate -s 2M luks-head.img; dd if=luks.img of=luks-head.img bs=32K count=1 conv=notrunc status=none
disk luks "esp.fat|1|ef00" "luks-head.img|2|8309"
expect luks <<'X'
{ "disks": ["luks"], "exit": 4, "status": "skipped", "reasons": [["encrypted-volume", "disk0p2: the volume holds LUKS"]],
  "gaps": [["encrypted-volume", "disk0p2", "LUKS"]], "runtimes": [] }
X

node luks-var-0 "UUID=$(uuid 1) / ext4 defaults 0 1\n/dev/mapper/var /var ext4 defaults 0 2\n"; printf 'var UUID=%s none luks\n' "$(uuid 50)" > tree/etc/crypttab
fs root.fs ext4 1M -U "$(uuid 1)"; disk luks-var "root.fs|1" "luks-head.img|2|8309"
expect luks-var <<'X'
{ "disks": ["luks-var"], "exit": 4, "status": "skipped", "os": "debian", "hostname": "luks-var-0", "mounts": [["/", "disk0p1"]],
  "reasons": [["missing-disk", "/etc/fstab mounts /dev/mapper/var at /var"], ["encrypted-volume", "disk0p2: the volume holds LUKS"]],
  "gaps": [["encrypted-volume", "disk0p2", "LUKS"], ["missing-disk", "disk0p1", "/dev/mapper/var at /var"]], "runtimes": [] }
X

# --- what other tools leave on a volume, the first and last bytes of it: tests/it/node.rs names each ------------------------------------
signature() { zstd -q --ultra -22 "$2" -o "$out/signatures/$1.zst"; } # signature NAME FILE
truncate -s 4M swap.img; mkswap -q -U "$(uuid 60)" swap.img > /dev/null; signature swap swap.img
truncate -s 4M swap.img; mkswap -q -p 16384 -U "$(uuid 60)" swap.img > /dev/null 2>&1; signature swap-16k swap.img
mkdir ffs; echo here > ffs/file; for version in 1 2; do makefs -t ffs -o version=$version -s 2m ufs.img ffs > /dev/null; signature ufs$version ufs.img; done
truncate -s 4M data.img; fs data.fs ext4 1M; rm -f hash.img; veritysetup format data.fs hash.img --salt=00 --uuid="$(uuid 61)" > /dev/null; signature dm-verity hash.img
truncate -s 8M bcache.img; loop=$(losetup -f --show bcache.img); make-bcache -B "$loop" > /dev/null; losetup -d "$loop"; signature bcache bcache.img
for version in v08 v09; do
  truncate -s 8M drbd.img; loop=$(losetup -f --show drbd.img)
  echo yes | drbdmeta --force 0 $version "$loop" internal create-md $([ $version = v09 ] && echo 1) > drbd.log 2>&1 || { cat drbd.log >&2; exit 1; }
  losetup -d "$loop"; signature drbd-$version drbd.img; rm drbd.img
done
truncate -s 600M apfs.img; mkapfs -U "$(uuid 62)" apfs.img; truncate -s 1M apfs.img; signature apfs apfs.img
truncate -s 64M zfs.img; mkdir -p /var/run/zfs /var/lock/zfs; zfs-fuse --no-daemon > zfs.log 2>&1 & daemon=$!
for _ in $(seq 50); do zpool list > /dev/null 2>&1 && break; sleep .1; done
zpool create -f -m none tank "$work/zfs.img"; zpool export tank; kill "$daemon"; wait "$daemon" 2>/dev/null || true; signature zfs zfs.img
# A node's data disk that DRBD replicates: the file system begins where the device does.
truncate -s 8M drbd.img; loop=$(losetup -f --show drbd.img); echo yes | drbdmeta --force 0 v09 "$loop" internal create-md 1 > drbd.log 2>&1; losetup -d "$loop"
store tree; fs data.fs ext4 4M; dd if=data.fs of=drbd.img conv=notrunc,sparse status=none; whole drbd drbd.img
expect drbd <<'X'
{ "disks": ["drbd"], "exit": 3, "status": "partial", "reasons": [["unsupported-volume", "volume "]],
  "gaps": [["unsupported-volume", "disk0", "DRBD"]], "runtimes": [["containerd", "disk0", "/"]] }
X
# --- an internal snapshot, with another name of the host in it than now ----------------------------------------------------------------
node before "UUID=$(uuid 1) / ext4 defaults 0 1\n"; fs before.fs ext4 1M -U "$(uuid 1)"
node after "UUID=$(uuid 1) / ext4 defaults 0 1\n"; fs after.fs ext4 1M -U "$(uuid 1)"
qemu-img convert -O qcow2 -o cluster_size=4k,compression_type=zstd -c before.fs "$out/snapshot.qcow2"
qemu-img snapshot -c before "$out/snapshot.qcow2"
python3 - "$out/snapshot.qcow2" <<'P'
import subprocess, sys
before, after = (open(name, "rb").read() for name in ("before.fs", "after.fs"))
for at in range(0, len(after), 4096):
    if before[at:at + 4096] != after[at:at + 4096]:
        open("block", "wb").write(after[at:at + 4096])
        subprocess.run(["qemu-io", "-c", "write -q -s block %d 4k" % at, sys.argv[1]], check=True, stdout=subprocess.DEVNULL)
P
umount containerd
for job in "${jobs[@]}"; do wait "$job"; done
du -sh "$out"; ls -l "$out" | awk '{print $5, $9}' | sort -n | tail -5
