# What the scripts that make images of file systems share: sourced with $out set, by a script that has a function
# `format IMAGE SIZE MKFS-OPTIONS…`. Next to each $out/NAME.img lies NAME.tsv, the kernel's own listing.
tree=$(dirname "${BASH_SOURCE[0]}")/tree.py
mkdir -p "$out"
work=$(mktemp -d)
mnt=$work/mnt
mkdir "$mnt"
trap 'umount -q "$mnt" || true; rm -rf "$work"' EXIT

# The kernel's listing of an image (of a dirty one: after the kernel has recovered it), by mounting a copy that it may change.
truth() { # image tsv
  cp --sparse=always "$1" "$work/copy.img"
  truncate -s %4096 "$work/copy.img" # a loop device has no part of a sector
  mount -o loop "$work/copy.img" "$mnt" 2>/dev/null || mount -o loop,ro "$work/copy.img" "$mnt"
  python3 "$tree" list "$mnt" | LC_ALL=C sort > "$2"
  umount "$mnt"
  rm "$work/copy.img"
}

# Made and filled by the kernel, cleanly unmounted.
image() { # name size profile mount-options mkfs-options…
  local name=$1 size=$2 profile=$3 options=$4
  shift 4
  echo "$name"
  format "$out/$name.img" "$size" "$@"
  mount -o "loop$options" "$out/$name.img" "$mnt"
  python3 "$tree" "$profile" "$mnt"
  umount "$mnt"
  truth "$out/$name.img" "$out/$name.tsv"
}

# Copied while mounted: the journal holds what the rest does not.
dirty() { # name size profile mount-options mkfs-options… (an existing $work/image is used if no options)
  local name=$1 size=$2 profile=$3 options=$4
  shift 4
  echo "$name"
  if [ $# -gt 0 ]; then format "$work/image" "$size" "$@"; fi
  mount -o "loop$options" "$work/image" "$mnt"
  python3 "$tree" "$profile" "$mnt" "$work/image" "$out/$name.img"
  umount "$mnt"
  rm "$work/image"
  truth "$out/$name.img" "$out/$name.tsv"
}

# The images of $out as they lie in disk-fixtures/.
pack() { # folder
  local file
  mkdir -p "$1"
  for file in "$out"/*.img "$out"/*.tsv; do zstd -q -f --ultra -22 "$file" -o "$1/$(basename "$file").zst"; done
}
