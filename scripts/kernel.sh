# What the scripts that make images of file systems share: sourced with $out set, by a script that has a function
# `format IMAGE SIZE MKFS-OPTIONS…`; or `build IMAGE FOLDER MKFS-OPTIONS…` for formats that are made of a tree at once; or
# `drive IMAGE OPTIONS`, which runs a driver in user space until $mnt is unmounted. Next to each $out/NAME.img lies NAME.tsv, the
# listing of the kernel or that driver.
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

# The trees for `build` lie in a file system that has all kinds of attributes.
trees() { # size
  mkdir "$work/trees"
  truncate -s "$1" "$work/trees.img"
  mkfs.ext4 -q -I 1024 -O ea_inode "$work/trees.img"
  mount -o loop "$work/trees.img" "$work/trees"
  trap 'umount -q "$mnt" || true; umount -q "$work/trees" || true; rm -rf "$work"' EXIT
}

filled() { # name profile: a tree
  mkdir "$work/trees/$1"
  python3 "$tree" "$2" "$work/trees/$1"
}

# By `build`; what that is too old for, or was built without, is left out and said to be.
made() { # name tree mkfs-options…
  local name=$1 from=$2
  shift 2
  if ! build "$out/$name.img" "$work/trees/$from" "$@" > "$work/log" 2>&1; then
    echo "$name is left out: $(grep -m 1 -i "err\|invalid\|unrec\|unsup\|not supported" "$work/log" || tail -1 "$work/log")"
    rm -f "$out/$name.img"
    return 1
  fi
  echo "$name"
}

# The same, with the kernel's listing.
image_of() { # name tree mkfs-options…
  if made "$@"; then truth "$out/$1.img" "$out/$1.tsv"; fi
}

# Runs a command while `drive` shows an image. The driver writes its last when it ends: that is waited for.
mounted() { # image options command…
  local driver
  drive "$1" "$2" > "$work/driver.log" 2>&1 &
  driver=$!
  shift 2
  until mountpoint -q "$mnt"; do
    kill -0 $driver 2> /dev/null || { cat "$work/driver.log" >&2; return 1; }
    sleep 0.05
  done
  "$@"
  umount "$mnt"
  wait $driver
}

# The images of $out as they lie in disk-fixtures/.
pack() { # folder
  local file
  mkdir -p "$1"
  for file in "$out"/*.img "$out"/*.tsv; do zstd -q -f --ultra -22 "$file" -o "$1/$(basename "$file").zst"; done
}
