#!/usr/bin/env bash
# Everything that is checked before a change lands; CI runs exactly this. The larger suites need root, Debian's packages,
# and the shared data beside the checkout (or $ICECORE_SHARED); without these they are skipped and said to be.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf '\n== %s (%d s)\n' "$*" "$SECONDS"; }

say "format"; cargo fmt --all --check
say "lints";  cargo clippy --quiet --all-targets --locked -- -D warnings
say "tests";  cargo test --quiet --locked
say "docs";   RUSTDOCFLAGS="-D warnings" cargo doc --quiet --locked --no-deps --document-private-items

say "dependencies"
if command -v cargo-deny >/dev/null; then
  # It looks at the crates of all targets in deny.toml; a build has fetched those of this one.
  cargo fetch --quiet --locked
  cargo deny --offline check bans licenses sources
else echo "skipped: cargo-deny is not installed"; fi

shared=${ICECORE_SHARED:-../shared}
if [ ! -d "$shared/data" ]; then echo "skipped: the larger suites, no shared data"; exit 0; fi
if [ "$(id -u)" != 0 ]; then echo "skipped: the larger suites, not root"; exit 0; fi

say "packages for the larger suites"
missing=()
for pair in qemu-img:qemu-utils mkfs.ext4:e2fsprogs mkfs.xfs:xfsprogs mkfs.btrfs:btrfs-progs mkfs.erofs:erofs-utils mksquashfs:squashfs-tools sfdisk:fdisk sgdisk:gdisk zstd:zstd xz:xz-utils mdadm:mdadm dpkg-query:dpkg rpm:rpm sqlite3:sqlite3 \
  mkntfs:ntfs-3g mkfs.vfat:dosfstools mcopy:mtools mkfs.exfat:exfatprogs mount.exfat-fuse:exfat-fuse openssl:openssl python3:python3 nginx:nginx-light; do
  command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
done
if [ ${#missing[@]} -gt 0 ]; then
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

say "disks of every kind, made by the kernel and qemu"
suites=$PWD/target/suites; mkdir -p "$suites"
unshare -m bash scripts/make-ext4.sh "$suites/ext4" > "$suites/ext4.log" 2>&1 || { tail -5 "$suites/ext4.log"; exit 1; }
unshare -m bash scripts/make-xfs.sh "$suites/xfs" > "$suites/xfs.log" 2>&1 || { tail -5 "$suites/xfs.log"; exit 1; }
unshare -m bash scripts/make-btrfs.sh "$suites/btrfs" > "$suites/btrfs.log" 2>&1 || { tail -5 "$suites/btrfs.log"; exit 1; }
unshare -m bash scripts/make-erofs.sh "$suites/erofs" > "$suites/erofs.log" 2>&1 || { tail -5 "$suites/erofs.log"; exit 1; }
unshare -m bash scripts/make-squashfs.sh "$suites/squashfs" > "$suites/squashfs.log" 2>&1 || { tail -5 "$suites/squashfs.log"; exit 1; }
bash scripts/make-ntfs.sh "$suites/ntfs" > "$suites/ntfs.log" 2>&1 || { tail -5 "$suites/ntfs.log"; exit 1; }
bash scripts/make-fat.sh "$suites/fat" > "$suites/fat.log" 2>&1 || { tail -5 "$suites/fat.log"; exit 1; }
python3 scripts/make-md.py "$suites/md" > "$suites/md.log" 2>&1 || { tail -5 "$suites/md.log"; exit 1; }
bash scripts/make-nodes.sh "$suites/nodes-made" > "$suites/nodes.log" 2>&1 || { tail -5 "$suites/nodes.log"; exit 1; }
bash scripts/make-disks.sh "$suites/disks" > "$suites/disks.log" 2>&1 || { tail -5 "$suites/disks.log"; exit 1; }

say "the larger suites"
ICECORE_SHARED=$(realpath "$shared") ICECORE_EXT4=$suites/ext4 ICECORE_XFS=$suites/xfs ICECORE_BTRFS=$suites/btrfs ICECORE_EROFS=$suites/erofs ICECORE_SQUASHFS=$suites/squashfs ICECORE_NTFS=$suites/ntfs ICECORE_FAT=$suites/fat/fat ICECORE_EXFAT=$suites/fat/exfat ICECORE_DISKS=$suites/disks ICECORE_MD=$suites/md ICECORE_NODES=$suites/nodes-made cargo test --quiet --locked --test it -- --include-ignored

say "fuzz targets, some seconds each"
CARGO_TARGET_DIR=$PWD/target/fuzz bash scripts/fuzz.sh "${ICECORE_FUZZ_SECONDS:-3}"

say "a corpus of hostile inputs in 256 MiB, real node disks"
cargo build --quiet --release --locked
python3 scripts/corpus.py target/release/icecore "$shared/data/corpus/corpus.tar.zst" > "$suites/corpus.log" || { tail -50 "$suites/corpus.log"; exit 1; }
bash scripts/judge-nodes.sh "$shared" "$suites/nodes"
say "disks behind URLs"
bash scripts/judge-urls.sh "$suites/urls" disk-fixtures/demo/node.qcow2 "$suites/nodes/data-ctrd17.raw"
say "done"
