#!/usr/bin/env bash
# Everything that is checked before a change lands; CI runs exactly this. The larger suites need root, Debian's packages,
# and the shared data beside the checkout (or $ICECORE_SHARED); without these they are skipped and said to be.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf '\n== %s (%d s)\n' "$*" "$SECONDS"; }

shared=${ICECORE_SHARED:-../shared}
left_out=
if [ "$(id -u)" != 0 ]; then left_out="not root"; fi
if [ ! -d "$shared/data" ]; then left_out="no shared data"; fi

# Packages, and the disks of every kind, which the kernel, qemu and container runtimes make while other things are checked.
prepare() {
  missing=()
  for pair in qemu-img:qemu-utils sfdisk:fdisk sgdisk:gdisk mdadm:mdadm lvm:lvm2 thin_restore:thin-provisioning-tools zstd:zstd xz:xz-utils \
    mkfs.ext4:e2fsprogs mkfs.xfs:xfsprogs mkfs.btrfs:btrfs-progs mkfs.erofs:erofs-utils mksquashfs:squashfs-tools \
    mkntfs:ntfs-3g mkfs.vfat:dosfstools mcopy:mtools mkfs.exfat:exfatprogs mount.exfat-fuse:exfat-fuse \
    dpkg-query:dpkg rpm:rpm sqlite3:sqlite3 openssl:openssl python3:python3 nginx:nginx-light 7zz:7zip; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
  done
  for pair in pyvhdi:python3-libvhdi pyvmdk:python3-libvmdk pyqcow:python3-libqcow; do
    /usr/bin/python3 -c "import ${pair%%:*}" 2>/dev/null || missing+=("${pair#*:}")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  fi
  bash scripts/make-stores.sh --packages

  made() { # NAME COMMAND…: makes the disks of a suite
    "${@:2}" "$suites/$1" > "$suites/$1.log" 2>&1 || { grep -A 30 "^NOT MADE:" "$suites/$1.log" || tail -5 "$suites/$1.log"; return 1; }
  }
  # In three lanes, each of which is told to fail by its end.
  (
    for kind in ext4 xfs btrfs erofs squashfs; do made $kind unshare -m bash scripts/make-$kind.sh; done
    for kind in ntfs nodes disks; do made $kind bash scripts/make-$kind.sh; done
  ) & local one=$!
  (
    made md python3 scripts/make-md.py
    made dm python3 scripts/make-thin.py
    made fat bash scripts/make-fat.sh
  ) & local other=$!
  # What the runtimes of this system write; those of newer systems are not made here.
  # A daemon may be late on a busy machine: once more before that fails.
  (
    made stores bash scripts/make-stores.sh || made stores bash scripts/make-stores.sh
  ) & local runtimes=$!
  local failed=
  wait $one || failed=yes
  wait $other || failed=yes
  wait $runtimes || failed=yes
  [ ! "$failed" ]
}
suites=$PWD/target/suites
if [ ! "$left_out" ]; then
  mkdir -p "$suites"
  prepare > "$suites/prepare.log" 2>&1 & prepared=$!
  # Whatever fails before that, no disk stays mounted.
  trap 'wait' EXIT
fi

say "format"; cargo fmt --all --check
say "lints";  cargo clippy --quiet --all-targets --locked -- -D warnings
say "lints without the network"; cargo clippy --quiet --no-default-features --lib --bins --locked -- -D warnings
say "tests";  cargo test --quiet --locked
say "docs";   RUSTDOCFLAGS="-D warnings" cargo doc --quiet --locked --no-deps --document-private-items

say "dependencies"
if command -v cargo-deny >/dev/null; then
  # It looks at the crates of all targets in deny.toml; a build has fetched those of this one.
  cargo fetch --quiet --locked
  cargo deny --offline check bans licenses sources
else echo "skipped: cargo-deny is not installed"; fi

if [ "$left_out" ]; then echo "skipped: the larger suites, $left_out"; exit 0; fi

say "disks of every kind, made by the kernel, qemu and container runtimes"
wait $prepared || { cat "$suites/prepare.log"; exit 1; }

mkdir -p "$suites/judged"
if [ ! -s "$suites/judged/data-ctrd17.raw" ]; then zstd -dc --long=31 "$shared/data/disks/disks.tar.zst" | tar xS -C "$suites/judged"; fi

say "the larger suites"
export ICECORE_JUDGED=$suites/judged
export ICECORE_FAT=$suites/fat/fat ICECORE_EXFAT=$suites/fat/exfat
for kind in ext4 xfs btrfs erofs squashfs ntfs nodes disks md dm stores; do export "ICECORE_${kind^^}=$suites/$kind"; done
ICECORE_SHARED=$(realpath "$shared"); export ICECORE_SHARED
cargo test --quiet --locked --test it -- --ignored
# With more disks than are bundled.
cargo test --quiet --locked --test it -- md:: node:: lvm_maps::

say "fuzz targets, some seconds each"
CARGO_TARGET_DIR=$PWD/target/fuzz bash scripts/fuzz.sh "${ICECORE_FUZZ_SECONDS:-3}"

say "a corpus of hostile inputs in 256 MiB, real node disks"
# As users build it, but for what only makes it faster.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=0
cargo build --quiet --release --locked
python3 scripts/corpus.py target/release/icecore "$shared/data/corpus/corpus.tar.zst" > "$suites/corpus.log" || { tail -50 "$suites/corpus.log"; exit 1; }
bash scripts/judge-nodes.sh "$shared" "$suites/judged"
say "bills of materials"
bash scripts/judge-bills.sh target/release/icecore "$suites/bills" disk-fixtures/demo/node.qcow2 "$suites/judged"/data-ctrd17.raw | tee "$suites/bills.log"
say "disks behind URLs"
bash scripts/judge-urls.sh "$suites/urls" disk-fixtures/demo/node.qcow2 "$suites/nodes"/{btrfs,talos}.qcow2 \
  "$suites/judged"/data-{ctrd17,ctrd21-xfs-1k,ctrd21-btrfs-zstd}.raw | tee "$suites/urls.log"
say "done"
# What a run leaves out is the last that it says.
grep -h "^NOT RUN:" "$suites/urls.log" "$suites/bills.log" || true
grep "^NOT MADE:" "$suites/stores.log" || true
