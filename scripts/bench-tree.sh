#!/usr/bin/env bash
# bench-tree.sh IMAGE…: a walk with all attributes, and reading all files, of images of file systems: icecore's (one thread) and,
# through a loop mount, the kernel's with warm and with dropped caches. Needs root.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "${INSIDE:-}" ] || exec env INSIDE=1 unshare --mount -- "$0" "$@"
tmp=$(mktemp -d)
trap 'umount -q "$tmp" || true; rmdir "$tmp"' EXIT
seconds() { local start=$EPOCHREALTIME; "$@" > /dev/null; echo "$start $EPOCHREALTIME" | awk '{printf "%.3f", $2 - $1}'; }
images=(); for image in "$@"; do images+=("$(realpath "$image")"); done
for image in "${images[@]}"; do
  cat "$image" > /dev/null
  cargo bench --quiet --bench tree -- "$image"
  # Unpacking is what is compared: a new mount has the image in the page cache, and nothing of its files.
  mount -o loop,ro "$image" "$tmp"
  walk=$(seconds find "$tmp" -printf '%s %m %U %T@')
  bytes=$(find "$tmp" -type f -printf "%s\n" | awk '{sum += $1} END {print sum}')
  read=$(seconds find "$tmp" -type f -exec cat {} +)
  again=$(seconds find "$tmp" -printf '%s %m %U %T@')
  reread=$(seconds find "$tmp" -type f -exec cat {} +)
  umount "$tmp"
  awk -v w="$walk" -v a="$again" -v r="$read" -v n="$reread" -v b="$bytes" 'BEGIN {
    printf "  kernel: names in %s s, again %s s; data at %.0f MB/s, again at %.0f MB/s\n", w, a, b / 1e6 / r, b / 1e6 / n}'
done
