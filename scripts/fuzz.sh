#!/usr/bin/env bash
# fuzz.sh [SECONDS [TARGET…]]: runs the fuzz targets for some seconds each (10 by default) with libFuzzer, on the stable
# toolchain: the compiler's own coverage counters are enough, as the project has no unsafe code for a sanitizer to watch.
# The corpus grows in fuzz/corpus/TARGET, beginning with the bundled fixtures; what crashes is in fuzz/artifacts/TARGET.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"
seconds=${1:-10}; shift || true
mapfile -t targets < <(if [ $# -gt 0 ]; then printf '%s\n' "$@"; else basename -s .rs fuzz_targets/*.rs; fi)
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
  -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=16 -Coverflow-checks=on -Cdebug-assertions=on"
host=$(rustc -vV | sed -n 's/^host: //p')
cargo build --quiet --release --target "$host" $(printf -- '--bin %s ' "${targets[@]}")
# The fixtures that a target's format has: a disk, or several that belong together, as one input (fuzz/src/sparse.rs).
seeds() { # target
  local fixtures=../disk-fixtures target=$1 fixture first
  seed() { # name disk…
    if [ ! -e "corpus/$target/$1" ]; then python3 ../scripts/fuzz-seeds.py "corpus/$target/$1" 786432 "${@:2}"; fi
  }
  case $target in
    ext4 | xfs | btrfs | erofs | squashfs | ntfs | exfat | fat)
      for fixture in "$fixtures/$target"/*.img.zst; do seed "$(basename "$fixture" .img.zst)" "$fixture"; done
      if [ "$target" = btrfs ]; then seed raid "$fixtures"/btrfs/raid.disk?.zst; fi
      if [ "$target" = ntfs ]; then seed windows "$fixtures/windows/windows.img.zst"; fi ;;
    disk)
      for fixture in "$fixtures"/disk/*.{qcow2,vhd,vhdx,vmdk,vdi}.zst; do seed "$(basename "$fixture" .zst)" "$fixture"; done
      seed child-of.vhd "$fixtures"/disk/{child,dynamic}.vhd.zst
      seed child-of.vhdx "$fixtures"/disk/{child,dynamic}.vhdx.zst
      seed over-plain "$fixtures"/disk/{over,plain}.qcow2.zst
      seed delta-of.vmdk "$fixtures"/disk/{delta,sparse}.vmdk.zst
      seed split-in.vmdk "$fixtures"/disk/split{,-f001}.vmdk.zst ;;
    partitions)
      for fixture in "$fixtures"/volume/*.img.zst "$fixtures"/lvm/{thin,cache,cache-live}.img.zst; do
        seed "$(basename "$fixture" .img.zst)" "$fixture"
      done
      for first in "$fixtures"/md/*.0.img.zst "$fixtures"/lvm/*.0.img.zst; do
        seed "$(basename "$first" .0.img.zst)" "${first%.0.img.zst}".?.img.zst
      done
      seed pv "$fixtures"/lvm/pv?.img.zst ;;
    lvm) for fixture in "$fixtures"/dm/*.img.zst; do seed "$(basename "$fixture" .img.zst)" "$fixture"; done ;;
    store_* | tar_split) stores "$target" ;;
    dpkg) head -c 20000 "$fixtures/inventory/dpkg-status" > "corpus/$target/status" ;;
    rpm_header)
      zstd -dcqf "$fixtures/inventory/rpmdb.sqlite.zst" > "artifacts/$target.sqlite"
      python3 - "artifacts/$target.sqlite" "corpus/$target" <<'P'
import sqlite3, sys
for number, blob in sqlite3.connect(sys.argv[1]).execute("select hnum, blob from Packages"):
    with open(f"{sys.argv[2]}/header{number}", "wb") as file:
        file.write(blob)
P
      ;;
    jar) cp -n "$fixtures"/inventory/{app.jar,shop.ear,tools-1.0-all.jar} "corpus/$target/" ;;
    binary)
      for fixture in "$fixtures"/programs/*.zst; do seed "$(basename "$fixture" .zst)" "$fixture"; done ;;
    registry)
      for fixture in software system; do zstd -dcqf "$fixtures/windows/$fixture.hiv.zst" > "corpus/$target/$fixture"; done ;;
  esac
}
# The state directories of real stores.
stores() { # target
  local fixtures=../disk-fixtures/stores storage=/var/lib/containers/storage
  tree() { # name how path [disk]
    [ -e "corpus/$target/$1" ] || python3 ../scripts/fuzz-tree.py "corpus/$target/$1" "${@:2}"
  }
  case $1 in
    store_docker) for disk in docker docker28; do tree "$disk" 0 /var/lib/docker "$fixtures/$disk.img.zst"; done ;;
    store_containerd) tree docker28 0 /var/lib/docker/containerd/daemon "$fixtures/docker28.img.zst" ;;
    store_containers_storage)
      for disk in podman podman58; do tree "$disk" 0 "$storage" "$fixtures/$disk.img.zst"; done
      tree podman-rootless 129 /home/u/.local/share/containers/storage "$fixtures/podman-rootless.img.zst" ;;
    store_archive)
      for archive in docker-save oci-archive; do
        local work; work=$(mktemp -d)
        zstd -dcqf "$fixtures/$archive.tar.zst" > "$work/tar"
        mkdir "$work/top"; tar xf "$work/tar" -C "$work/top"
        tree "$archive-directory" 0 "$work/top"
        printf '\1' | cat - "$work/tar" > "corpus/store_archive/$archive"
        rm -rf "$work"
      done ;;
    tar_split)
      for size in 3 5; do
        printf '{"type":2,"payload":"AAAA"}\n{"type":1,"name":"dir/b","size":%d,"payload":"AAAAAAAAAAA="}\n' "$size"
        printf '{"type":1,"name_raw":"bGluay9j","size":5,"payload":"AAAAAAAAAAA="}\n{"type":1,"name":"a/","payload":null,"position":1}\n'
      done > corpus/tar_split/lines
      gzip -c corpus/tar_split/lines > corpus/tar_split/gzip ;;
  esac
}
# What readers look for: the constants of their sources.
words=$(mktemp)
trap 'rm -f "$words"' EXIT
grep -rhoE --include='*.rs' '"[A-Za-z_#!<-][A-Za-z0-9_ .:/<>=!-]{1,30}"' ../src/inventory ../src/node | sort -u > "$words"
for target in "${targets[@]}"; do
  mkdir -p "corpus/$target" "artifacts/$target"
  seeds "$target"
  "$CARGO_TARGET_DIR/$host/release/$target" "corpus/$target" -artifact_prefix="artifacts/$target/" \
    -max_total_time="$seconds" -max_len=1048576 -rss_limit_mb=2048 -timeout=20 -dict="$words" -print_final_stats=1 2> "artifacts/$target.log" ||
    { tail -n 40 "artifacts/$target.log" >&2; echo "$target failed" >&2; exit 1; }
  awk -v target="$target" '/number_of_executed_units/ {print target ": " $2 " executions"}' "artifacts/$target.log"
done
