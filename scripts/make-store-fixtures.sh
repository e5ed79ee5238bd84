#!/usr/bin/env bash
# make-store-fixtures.sh STORES: packs the little disks and some archives that make-stores.sh made in STORES into disk-fixtures/stores,
# with what the runtimes said of them.
set -euo pipefail
stores=$(realpath "$1"); cd "$(dirname "$0")/../disk-fixtures"; mkdir -p stores
for disk in docker docker28 podman podman-rootless podman58; do
  zstd -q -f -19 --long=27 "$stores/little-$disk.raw" -o "stores/$disk.img.zst"
  python3 -c 'import json, sys; json.dump(json.load(open(sys.argv[1])), open(sys.argv[2], "w"), indent=1, sort_keys=True)' \
    "$stores/little-$disk.json" "stores/$disk.json"
done
zstd -q -f -19 "$stores/archives/docker-overlay2-ext4-by-id.docker.tar" -o stores/docker-save.tar.zst
zstd -q -f -19 "$stores/archives/podman-overlay-ext4-save.oci-archive.tar" -o stores/oci-archive.tar.zst
chmod 644 stores/*
