#!/usr/bin/env bash
# Makes disk-fixtures/demo: the disk of a Kubernetes node, written by a real containerd through its CRI
# plugin on a loop-mounted image, and beside it what the kernel and the guests' own tools say of it.
#
# Needs root on Debian 12 and its packages containerd, runc, gdisk,
# qemu-utils, rpm and musl-tools; Go, npm and pip. Versions are pinned where a registry keeps old ones.
set -euo pipefail
repo=$(cd "$(dirname "$0")/.." && pwd)
if [ "${1:-}" != inside ]; then
  # A mount and pid namespace of its own: whatever containerd leaves running ends with it.
  exec unshare --mount --pid --fork --mount-proc --kill-child -- "$0" inside "${1:-$repo/disk-fixtures/demo}"
fi
out=$(realpath -m "$2"); mkdir -p "$out"
work=$(mktemp -d); cd "$work"
mount -t tmpfs tmpfs "$work" && cd "$work"
layer() { python3 "$repo/scripts/oci.py" layer "$1" "$2.tar"; }

# --- layers -----------------------------------------------------------------------------------------------
# A Debian with a dpkg database that dpkg wrote; of the files only what the containers run, to stay small.
# libc6 and base-files are left out: their scripts want to run inside the root, and nothing here is linked against libc.
mkdir -p debs base/var/lib/dpkg/{info,updates} base/{bin,etc,tmp,proc,sys,dev,run,usr/lib}; : > base/var/lib/dpkg/status
(cd debs && apt-get download -qq gcc-12-base zlib1g libxml2 libicu72 liblzma5 libssl3 libexpat1 libsqlite3-0 libtasn1-6 libcurl4)
dpkg --root="$work/base" --force-script-chrootless --force-depends --path-exclude='/usr/*' --path-exclude='/lib/*' \
  --install debs/*.deb >dpkg.log 2>&1 || { grep -A3 -i error dpkg.log >&2; exit 1; }
rm -rf base/var/{cache,log}/* base/var/lib/dpkg/{status-old,available} base/etc/os-release
find base/var/lib/dpkg/info -type f ! -name '*.list' ! -name '*.md5sums' -delete
printf 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nID=debian\n' > base/usr/lib/os-release
ln -s ../usr/lib/os-release base/etc/os-release
musl-gcc -Os -static -s -o tool "$repo/scripts/tool.c"; cp tool base/bin/tool; ln -s tool base/bin/printf
layer base base

site=usr/local/lib/python3.11/site-packages
pip() { python3 -m pip install -q --no-compile --no-deps --disable-pip-version-check --root-user-action=ignore --target "$@"; }
mkdir -p web/$site; pip web/$site jinja2==3.0.1 urllib3==1.26.4 requests==2.27.0 flask==2.0.1
rm -rf web/$site/bin; layer web web
# The next version: one package upgraded in place, one removed, a directory replaced by a link.
mkdir -p web2/$site; pip web2/$site jinja2==3.1.4
for gone in Jinja2-3.0.1.dist-info urllib3 urllib3-1.26.4.dist-info; do : > "web2/$site/.wh.$gone"; done
ln -s ../python3.11 web2/usr/local/lib/python3; layer web2 web2

mkdir -p front/srv/app; (cd front/srv/app; echo '{"name":"front","version":"2.0.0","private":true}' > package.json
  npm install --ignore-scripts --no-audit --no-fund --silent lodash@4.17.15 minimist@1.2.0 axios@0.21.1 @hapi/hoek@9.0.0 >/dev/null; rm -rf node_modules/lodash/fp)
layer front front
# An opaque directory: everything that was installed is gone but what this layer brings.
mkdir -p front2/srv/app/node_modules/lodash; : > front2/srv/app/node_modules/.wh..wh..opq
(mkdir n && cd n && npm install --ignore-scripts --no-audit --no-fund --silent --prefix . lodash@4.17.21 >/dev/null; cp node_modules/lodash/{package.json,LICENSE} ../front2/srv/app/node_modules/lodash/)
layer front2 front2

# An rpm database written by rpm, of packages that bear real names and hold nothing.
spec() { printf 'Name: %s\nEpoch: %s\nVersion: %s\nRelease: %s\nSummary: x\nLicense: %s\nVendor: AlmaLinux\nBuildArch: x86_64\n%%description\nx\n%%files\n' "$@" > "$1.spec"; rpmbuild -bb --quiet --target x86_64 --define "_topdir $work/rpm" --define "vendor AlmaLinux" "$1.spec" >rpm.log 2>&1 || { tail -3 rpm.log >&2; exit 1; }; }
spec openssl-libs 1 3.0.1 41.el9_0 ASL; spec glibc 0 2.34 28.el9_0 LGPLv2+; spec zlib 0 1.2.11 31.el9 zlib; spec bash 0 5.1.8 4.el9 GPLv3+
mkdir -p alma/usr/lib alma/etc; rpm --root "$work/alma" --dbpath /var/lib/rpm --nodeps --ignorearch --ignoreos -i rpm/RPMS/*/*.rpm
printf 'NAME="AlmaLinux"\nID="almalinux"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.0"\nPRETTY_NAME="AlmaLinux 9.0 (Emerald Puma)"\n' > alma/usr/lib/os-release; ln -s ../usr/lib/os-release alma/etc/os-release
layer alma alma

mkdir -p pause; cp tool pause/tool; layer pause pause

image() { python3 "$repo/scripts/oci.py" image images.tar "$@"; }
image registry.example/base/debian:12=base.tar registry.example/shop/web:1.0=base.tar+web.tar registry.example/shop/web:1.1=base.tar+web.tar+web2.tar \
  registry.example/shop/front:2.0=base.tar+front.tar registry.example/shop/front:2.1=base.tar+front.tar+front2.tar \
  registry.example/legacy/alma:9=alma.tar registry.k8s.io/pause:3.9=pause.tar

# --- the node ---------------------------------------------------------------------------------------------
truncate -s 512M node.raw
sgdisk -n 15:2048:+4M -t 15:ef00 -c 15:ESP -n 1:0:0 -t 1:8300 -c 1:root node.raw >/dev/null
read -r start end < <(sgdisk -i 1 node.raw | awk '/First sector/{f=$3} /Last sector/{l=$3} END{print f, l}')
loop=$(losetup -f --show -o $((start*512)) --sizelimit $(((end-start+1)*512)) node.raw)
mkfs.ext4 -q -m 0 -L demo-root -U 11111111-2222-4333-8444-555555555555 "$loop"
mkdir node; mount "$loop" node; losetup -d "$loop"
mkdir -p node/{etc/containerd,etc/default,usr/lib,var/lib/containerd,var/lib/dpkg,var/lib/kubelet,var/log/pods}
cp base/usr/lib/os-release node/usr/lib/; ln -s ../usr/lib/os-release node/etc/os-release
printf 'UUID=11111111-2222-4333-8444-555555555555 / ext4 defaults 0 1\n' > node/etc/fstab; echo demo-node-1 > node/etc/hostname
printf 'version = 2\nroot = "/var/lib/containerd"\n' > node/etc/containerd/config.toml
cp base/var/lib/dpkg/status node/var/lib/dpkg/status

(cd "$repo/scripts/cri" && go build -o "$work/cri" .)
mkdir -p run cni-conf; root=$work/node/var/lib/containerd
cat > run/config.toml <<X
version = 2
root = "$root"
state = "$work/run/state"
[grpc]
  address = "$work/run/c.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.k8s.io/pause:3.9"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
  [plugins."io.containerd.grpc.v1.cri".cni]
    conf_dir = "$work/cni-conf"
    bin_dir = "$work/cni-conf"
X
containerd --config run/config.toml > containerd.log 2>&1 & cpid=$!
ctr="ctr -a $work/run/c.sock"; cri="$work/cri $work/run/c.sock"
for _ in $(seq 100); do $ctr version >/dev/null 2>&1 && break; sleep .2; done
$ctr -n k8s.io images import --snapshotter overlayfs images.tar > import.log
for ref in $($ctr -n k8s.io images ls -q); do case $ref in sha256:*) ;; *) $ctr -n k8s.io images label "$ref" io.cri-containerd.image=managed >/dev/null;; esac; done

# The disk as a snapshot finds it right after the pull: names are journaled, the files' data never left memory.
cp --sparse=always node.raw crash.raw; qemu-img convert -O qcow2 -o compression_type=zstd -c crash.raw "$out/crash.qcow2"

pod() { # pod NAMESPACE NAME UID : runs a sandbox in the host's network
  printf '{"metadata":{"name":"%s","namespace":"%s","uid":"%s","attempt":0},"labels":{"app":"%s"},"log_directory":"%s","linux":{"security_context":{"namespace_options":{"network":2}}}}' "$2" "$1" "$3" "$2" "$work/logs" > "pod-$2.json"
  $cri runp "pod-$2.json"; }
start() { # start SANDBOX POD NAME IMAGE COMMAND
  printf '{"metadata":{"name":"%s","attempt":0},"image":{"image":"%s"},"command":["/bin/tool",%s],"log_path":"%s.log","linux":{}}' "$3" "$4" "$5" "$3" > "ctr-$3.json"
  id=$($cri create "$1" "ctr-$3.json" "pod-$2.json"); $cri start "$id" >/dev/null; echo "$id"; }
mkdir -p logs
web=$(pod shop web-7c9 0a4b5c6d-0001-4000-8000-000000000001)
site=/$site/evil-9.9.dist-info
start "$web" web-7c9 app registry.example/shop/web:1.0 '"mkdir","/data","write","/data/state","hello","write","/etc/motd","changed","remove","/bin/printf","mkdir","'$site'","write","'$site'/METADATA","Metadata-Version: 2.1\nName: evil\nVersion: 9.9","wait"' > id.web
front=$(pod kube-system front-0 0a4b5c6d-0002-4000-8000-000000000002)
start "$front" front-0 front registry.example/shop/front:2.1 '"fail"' > id.front
sleep 3
$cri ps > "$out/containers.json"; $cri pods > "$out/pods.json"
# The disk as a snapshot finds it: the pods still run, what was written is on the disk.
sync; sync -f node; sleep 1; cp --sparse=always node.raw dirty.raw
$cri stopp
kill "$cpid"; wait "$cpid" 2>/dev/null || true
for _ in $(seq 20); do umount node 2>/dev/null && break; sleep .5; done

# --- the truth: the copy, mounted and replayed by the kernel ---------------------------------------------------
cp --sparse=always dirty.raw replayed.raw
loop=$(losetup -f --show -o $((start*512)) --sizelimit $(((end-start+1)*512)) replayed.raw); mkdir check; mount "$loop" check
python3 "$repo/scripts/truth.py" check/var/lib/containerd | zstd -q -19 -f -o "$out/truth.json.zst"
umount check; losetup -d "$loop"
qemu-img convert -O qcow2 -o compression_type=zstd -c dirty.raw "$out/node.qcow2"
ls -l "$out"
