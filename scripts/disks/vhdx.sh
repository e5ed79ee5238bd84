# VHDX images; part of make-disks.sh, which defines what is used here.

for subformat in dynamic fixed; do
    for block in 1 8 256; do
        name="$subformat-$block.vhdx"
        [ "$subformat-$block" != fixed-256 ] || continue
        qemu-img convert -f raw -O vhdx -o "subformat=$subformat,block_size=${block}M" "$base" "$name"
        judge "$name"
    done
done
# Sizes that are no whole blocks, blocks that are said to be zeros or not, a larger log.
for size in 512 1048576 1049088 5000k 100000256; do
    name="sparse-$size.vhdx"
    qemu-img create -q -f vhdx -o "block_size=1M,block_state_zero=$([ "$size" = 5000k ] && echo off || echo on),log_size=2M" "$name" "$size"
    case $size in
        5000k | 100000256) io -f vhdx -c 'write -P 71 4M 100k' -c 'write -P 72 512 1M' -c 'write -P 73 2000k 1k' "$name" ;;
    esac
    judge "$name"
done
# Data past 4 GiB and 8 GiB, where entries for sector bitmaps lie between those for blocks.
for block in 1 32; do
    name="wide-$block.vhdx"
    qemu-img create -q -f vhdx -o "block_size=${block}M" "$name" 20G
    io -f vhdx -c 'write -P 74 4095M 2M' -c 'write -P 75 8191M 2M' -c 'write -P 76 10G 1M' -c 'write -P 77 20479M 1M' "$name"
    judge_parts "$name" 0 4095 4096 4097 8191 8192 10240 20479
done
# Sectors of 4096 bytes.
python3 "$parts/vhdx.py" new sectors-4096.vhdx "$base" 2097152 4096
python3 - "$base" "$work/padded.raw" <<'PY'
import sys
data = open(sys.argv[1], "rb").read()
open(sys.argv[2], "wb").write(data + bytes(-len(data) % 4096))
PY
truth sectors-4096.vhdx "$work/padded.raw"
python3 "$parts/vhdx.py" new sectors-512.vhdx "$base" 1048576 512
judge sectors-512.vhdx
# Logs that were not replayed: qemu replays that of a copy, and must read what it read before.
for kind in plain wrapped torn payload; do
    name="dirty-$kind.vhdx"
    cp dynamic-1.vhdx "$name"
    python3 "$parts/vhdx.py" dirty "$name" $kind
    cp "$name" "$work/copy.vhdx"
    qemu-img check -q -r all "$work/copy.vhdx"
    qemu-img compare -q "$work/copy.vhdx" "$base"
    truth "$name" "$base" - qemu
done
# One header or region table is damaged.
for row in 65536 131072; do
    cp dynamic-8.vhdx "damaged-$row.vhdx"
    printf '\xff' | dd of="damaged-$row.vhdx" bs=1 seek=$((row + 200)) conv=notrunc status=none
    judge "damaged-$row.vhdx" note=corrupt-structure
done
cp dynamic-8.vhdx damaged-regions.vhdx
printf '\xff' | dd of=damaged-regions.vhdx bs=1 seek=$((196608 + 60000)) conv=notrunc status=none
truth damaged-regions.vhdx "$base" note=corrupt-structure
# Differencing disks on each other: no tool here makes them, and libvhdi judges them.
cp "$work/padded.raw" "$work/child.raw"
parent=sectors-4096.vhdx
for row in 2097152:512:1 1048576:4096:2 33554432:512:3; do
    IFS=: read -r block sector seed <<<"$row"
    name="child-$seed.vhdx"
    python3 "$parts/vhdx.py" child "$name" "$work/child.raw" "$block" "$sector" "$parent" "$seed"
    truth "$name" "$work/child.raw"
    parent=$name
done
cuts="50 70 90" cut_files dynamic-1.vhdx fixed-1.vhdx
# Disks of other formats under a qcow2.
for below in dynamic-1.vhdx delta-2.vmdk static-off.vdi dynamic-force-on.vhd; do
    format=$(format_of "$below")
    qemu-img create -q -f qcow2 -b "$below" -F "$format" "over-$format.qcow2"
    io -c 'write -P 79 3M 70k' "over-$format.qcow2"
    judge "over-$format.qcow2"
done
