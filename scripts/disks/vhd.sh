# VHD images; part of make-disks.sh, which defines what is used here.

for subformat in dynamic fixed; do
    for force in off on; do
        name="$subformat-force-$force.vhd"
        qemu-img convert -f raw -O vpc -o "subformat=$subformat,force_size=$force" "$base" "$name"
        judge "$name"
    done
done
# Sizes that are no whole blocks or cylinders, written here and there.
for size in 512 1536 2M 2097664 5000k 100000256; do
    for force in off on; do
        name="sparse-$size-$force.vhd"
        qemu-img create -q -f vpc -o "force_size=$force" "$name" "$size"
        if [ "$size" != 512 ]; then io -f vpc -c 'write -P 41 512 1k' "$name"; fi
        case $size in 5000k | 100000256) io -f vpc -c 'write -P 42 4M 100k' -c 'write -P 43 2000k 100k' "$name" ;; esac
        judge "$name"
    done
done
# Larger than any geometry, and with data past 4 GiB.
for force in off on; do
    name="wide-$force.vhd"
    qemu-img create -q -f vpc -o "force_size=$force" "$name" 200G
    io -f vpc -c 'write -P 44 4095M 2M' -c 'write -P 45 199G 1M' "$name"
    judge_parts "$name" 0 4095 4096 4097 203776
done
# The size as other creators mean it; what is unknown to this qemu must have all that was written.
for creator in vpc win d2v CTXS; do
    name="creator-$creator.vhd"
    cp dynamic-force-on.vhd "$name"
    python3 "$parts/vhd.py" creator "$name" "$(printf %-4s "$creator")"
    judge "$name"
done
cp dynamic-force-on.vhd creator-wa.vhd
python3 "$parts/vhd.py" creator creator-wa.vhd wa
truth creator-wa.vhd "$base"
for kind in fixed dynamic; do
    cp "$kind-force-on.vhd" "old-$kind.vhd"
    python3 "$parts/vhd.py" old "old-$kind.vhd"
    truth "old-$kind.vhd" "$base"
done
# The footer is damaged, and its copy is not.
cp dynamic-force-on.vhd damaged-footer.vhd
printf '\xff\xff' | dd of=damaged-footer.vhd bs=1 seek=$(($(stat -c %s damaged-footer.vhd) - 400)) conv=notrunc status=none
judge damaged-footer.vhd note=corrupt-structure
# Other sizes of blocks; qemu reads them.
for block in 4096 8192 524288 4194304; do
    python3 "$parts/vhd.py" dynamic "block-$block.vhd" "$base" "$block"
    qemu-img compare -q -f vpc -F raw "block-$block.vhd" "$base"
    truth "block-$block.vhd" "$base" - qemu
done
# Differencing disks on each other: no tool here makes them, and 7-Zip judges them.
cp "$base" "$work/child.raw"
parent=block-524288.vhd
for row in 2097152:1 4096:2 1048576:3; do
    name="child-${row%:*}.vhd"
    python3 "$parts/vhd.py" child "$name" "$work/child.raw" "${row%:*}" "$parent" "${row#*:}"
    truth "$name" "$work/child.raw"
    parent=$name
done
cut_files fixed-force-on.vhd block-4096.vhd
# Its last block is hardly used.
cuts="30 60 80" cut_files dynamic-force-on.vhd
