# VDI images; part of make-disks.sh, which defines what is used here.

for static in off on; do
    qemu-img convert -f raw -O vdi -o "static=$static" "$base" "static-$static.vdi"
    judge "static-$static.vdi"
done
# Sizes that are no whole blocks, written here and there in any order.
for size in 512 1048576 1048577 5000k 100000256; do
    qemu-img create -q -f vdi "sparse-$size.vdi" "$size"
    case $size in
        5000k | 100000256) io -f vdi -c 'write -P 51 4M 100k' -c 'write -P 52 512 1M' "sparse-$size.vdi" ;;
    esac
    judge "sparse-$size.vdi"
done
# Discarded blocks.
cp static-on.vdi zeroed.vdi
for block in 0 3 12; do python3 "$parts/vdi.py" zero zeroed.vdi $block; done
judge zeroed.vdi
# Differencing disks on each other: no tool here makes them, and dissect judges them.
cp static-off.vdi parent.vdi
python3 "$parts/vdi.py" identity parent.vdi 1
cp "$base" "$work/child.raw"
python3 "$parts/vdi.py" child child-1.vdi "$work/child.raw" parent.vdi 2
truth child-1.vdi "$work/child.raw"
python3 "$parts/vdi.py" child child-2.vdi "$work/child.raw" child-1.vdi 3
truth child-2.vdi "$work/child.raw"
cuts="30 60 80" cut_files static-on.vdi static-off.vdi
