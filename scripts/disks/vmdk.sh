# VMDK images; part of make-disks.sh, which defines what is used here.

for subformat in monolithicSparse monolithicFlat twoGbMaxExtentSparse twoGbMaxExtentFlat streamOptimized; do
    qemu-img convert -f raw -O vmdk -o "subformat=$subformat" "$base" "$subformat.vmdk"
    judge "$subformat.vmdk"
    # Several extents of 2 GiB, nearly empty.
    case $subformat in
        twoGb*)
            qemu-img create -q -f vmdk -o "subformat=$subformat" "wide-$subformat.vmdk" 4300M
            io -f vmdk -c 'write -P 61 2047M 2M' -c 'write -P 62 4299M 1M' "wide-$subformat.vmdk"
            judge_parts "wide-$subformat.vmdk" 0 2047 2048 2049 4095 4299
            ;;
    esac
done
# Zeroed grains, written over; sizes that are no whole grains or tables.
for size in 512 65536 66048 5000k 34M; do
    qemu-img create -q -f vmdk -o zeroed_grain=on "sparse-$size.vmdk" "$size"
    case $size in
        5000k | 34M)
            io -f vmdk -c 'write -P 63 1M 2M' -c 'write -z 1500k 640k' -c 'write -P 64 1600k 1k' -c 'write -P 65 4999k 1k' \
                "sparse-$size.vmdk"
            ;;
    esac
    judge "sparse-$size.vmdk"
done
# Delta disks on each other; the one in the middle has zeros on what is below.
qemu-img create -q -f vmdk -b monolithicSparse.vmdk -F vmdk -o zeroed_grain=on delta-1.vmdk
io -f vmdk -c 'write -P 66 1M 200k' -c 'write -z 2M 1M' delta-1.vmdk
qemu-img create -q -f vmdk -b delta-1.vmdk -F vmdk delta-2.vmdk
io -f vmdk -c 'write -P 67 2500k 1k' -c 'write -P 68 12M 1k' delta-2.vmdk
judge delta-1.vmdk
judge delta-2.vmdk
# Extents of vSphere, with descriptors and without; the parts of a disk in all forms.
sectors=$(($(stat -c %s "$base") / 512))
for grain in 1 8 128; do
    python3 "$parts/vmdk.py" cowd "cowd-$grain-delta.vmdk" "$base" $grain
    python3 "$parts/vmdk.py" describe "cowd-$grain.vmdk" ffffffff "" "RW $sectors VMFSSPARSE \"cowd-$grain-delta.vmdk\""
    judge "cowd-$grain.vmdk"
    truth "cowd-$grain-delta.vmdk" "$base" note=missing-disk
done
python3 "$parts/vmdk.py" sesparse sesparse-delta.vmdk "$base"
python3 "$parts/vmdk.py" describe sesparse.vmdk ffffffff "" "RW $sectors SESPARSE \"sesparse-delta.vmdk\""
judge sesparse.vmdk
head -c 1M "$base" >"$work/small.raw"
python3 "$parts/vmdk.py" sesparse sesparse-small.vmdk "$work/small.raw"
cid=$(sed -n 's/^CID=//p' cowd-8.vmdk)
python3 "$parts/vmdk.py" describe mixed.vmdk "$cid" cowd-8.vmdk "RW 5000 FLAT \"$base\" 77" \
    "RW 2048 SESPARSE \"sesparse-small.vmdk\"" "RW $sectors VMFSSPARSE \"cowd-1-delta.vmdk\"" "RW 9 FLAT \"$base\" 0"
judge mixed.vmdk
# qemu gives up at grains that do not become smaller, and so does nobody else judge them.
python3 "$parts/vmdk.py" unmarked unmarked-noise.vmdk "$base"
truth unmarked-noise.vmdk "$base"
python3 - "$base" "$work/words.raw" <<'PY'
import sys, zlib
data = open(sys.argv[1], "rb").read()
grains = (data[at:at + 65536] for at in range(0, len(data), 65536))
open(sys.argv[2], "wb").write(b"".join(g if len(zlib.compress(g)) < 60000 else g[:100] * 655 + g[:36] for g in grains)[:len(data)])
PY
python3 "$parts/vmdk.py" unmarked unmarked.vmdk "$work/words.raw"
qemu-img compare -q unmarked.vmdk "$work/words.raw"
judge unmarked.vmdk
# The grain directory is damaged, and the redundant one is not.
cp monolithicSparse.vmdk damaged-directory.vmdk
python3 "$parts/vmdk.py" zap damaged-directory.vmdk \
    $(($(od -An -tu8 -j56 -N8 damaged-directory.vmdk) * 512)) 4
truth damaged-directory.vmdk "$base" note=corrupt-structure
cuts="30 60 90" cut_files monolithicSparse.vmdk cowd-8-delta.vmdk sesparse-delta.vmdk
