#!/usr/bin/env bash
# Makes qcow2 images of every kind with qemu-img and qemu-io, and their truth: `truth.tsv` has a line for each
# disk with its name, options for the reader, size and the SHA-256 of every MiB as qemu reads it.
# Usage: make-disks.sh OUT_DIR
set -euo pipefail

out=${1:?usage: make-disks.sh OUT_DIR}
mkdir -p "$out"
cd "$out"
rm -f -- *.qcow2 *.raw truth.tsv
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

io() { qemu-io "$@" >/dev/null; }

# 12 MiB and a bit of files, random bytes and holes: compresses in parts, odd in size.
base=base.raw
python3 - "$base" <<'PY'
import random, sys
rng = random.Random(20261124)
size = 12 * 1024 * 1024 + 512 * 3
with open(sys.argv[1], "wb") as disk:
    disk.truncate(size)
    at = 0
    while at < size:
        length = min(rng.choice([512, 4096, 40_000, 65_536, 300_000, 1_000_000]), size - at)
        kind = rng.randrange(4)
        disk.seek(at)
        if kind == 0:
            disk.write(rng.randbytes(length))
        elif kind == 1:
            words = [rng.randbytes(8) for _ in range(50)]
            disk.write(b"".join(rng.choice(words) for _ in range(length // 8 + 1))[:length])
        elif kind == 2:
            disk.write(bytes([rng.randrange(1, 256)]) * length)
        at += length
PY

# A line of truth: name of the disk, raw file that it must equal, options as key=value,…
truth() {
    local name=$1 raw=$2 options=${3:--}
    python3 - "$name" "$raw" "$options" >>truth.tsv <<'PY'
import hashlib, sys
name, raw, options = sys.argv[1:]
sums, size = [], 0
with open(raw, "rb") as disk:
    while chunk := disk.read(1 << 20):
        size += len(chunk)
        sums.append(hashlib.sha256(chunk).hexdigest()[:32])
print(name, options, size, ",".join(sums), sep="\t")
PY
}

# What qemu reads of a disk is its truth.
judge() {
    local name=$1 options=${2:--}
    qemu-img convert -O raw "$name" "$work/truth.raw"
    truth "$name" "$work/truth.raw" "$options"
}

# Every cluster size, version, compression, and extended L2 entries.
for bits in 9 10 12 14 16 18 21; do
    cluster=$((1 << bits))
    for version in 0.10 1.1; do
        for compression in none zlib zstd; do
            for extended in off on; do
                options="compat=$version,cluster_size=$cluster"
                if [ "$version" = 0.10 ] && { [ $compression = zstd ] || [ $extended = on ]; }; then continue; fi
                if [ $extended = on ]; then
                    [ $bits -ge 14 ] || continue
                    options+=",extended_l2=on"
                fi
                flags=()
                if [ $compression != none ]; then flags=(-c); fi
                if [ $compression = zstd ]; then options+=",compression_type=zstd"; fi
                name="c$cluster-v$version-$compression-$extended.qcow2"
                qemu-img convert -f raw -O qcow2 "${flags[@]}" -o "$options" "$base" "$name"
                qemu-img compare -q "$name" "$base"
                truth "$name" "$base"
            done
        done
    done
done
