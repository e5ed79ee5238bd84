#!/usr/bin/env bash
# judge-ntfs.sh IMAGES OUT_DIR: what the kernel's ntfs3 lists of each NAME.img of IMAGES, against NAME.tsv, what ntfs-3g lists: two drivers that
# share no code. Few kernels have ntfs3; Debian's 6.12 does, in a guest (`in-guest.sh`). It has other modes by default, takes the files by which
# ntfs-3g keeps links and devices for files, and shows no streams; but for that, a path that differs is an error. Needs root, python3.
set -euo pipefail
images=$(realpath "${1:?usage: judge-ntfs.sh IMAGES OUT_DIR}")
out=$(realpath -m "${2:?usage: judge-ntfs.sh IMAGES OUT_DIR}")
. "$(dirname "$0")/kernel.sh"
wrong=0
for image in "$images"/*.img; do
  name=$(basename "$image" .img)
  case $name in *-wsl) echo "$name is left out: ntfs3 cannot read links of WSL"; continue ;; esac
  # A copy: the folder may be one that only shows its files.
  cp --sparse=always "$image" "$work/copy.img"
  if mount -t ntfs3 -o loop,ro,iocharset=utf8 "$work/copy.img" "$mnt" 2> "$work/log"; then
    python3 "$tree" list "$mnt" | LC_ALL=C sort > "$out/$name.ntfs3"
    umount "$mnt"
    python3 - "$name" "$images/$name.tsv" "$out/$name.ntfs3" <<'PY' || wrong=1
import sys
name, *lists = sys.argv[1:]
theirs, kernels = ({row[0]: row for row in (line.rstrip("\n").split("\t") for line in open(path)) if row[0][0] != "#"} for path in lists)
differ = sorted(set(theirs) ^ set(kernels))
special = 0
for path in sorted(set(theirs) & set(kernels)):
    one, other = theirs[path], kernels[path]
    if one[1] in "lcbps" and other[1] == "-":
        special += 1  # its time and links are the same
        one, other = one[6:7] + one[8:9], other[6:7] + other[8:9]
    else:
        one, other = one[:2] + one[3:9] + one[10:], other[:2] + other[3:9] + other[10:]
    if one != other:
        differ.append(path)
print(f"judged {name} by ntfs3: {len(kernels)} files, {special} of them links and devices of ntfs-3g, {len(differ)} differences", *differ[:10], flush=True)
sys.exit(len(differ) > 0)
PY
  else
    echo "$name is left out: $(tail -1 "$work/log")"
  fi
  rm "$work/copy.img"
done
exit $wrong
