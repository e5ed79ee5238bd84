#!/usr/bin/env bash
# bench-advisories.sh FEEDS LINES [WORK]: builds a database of all feeds of a directory and asks it for packages (a file of
# `ecosystem<TAB>name<TAB>version` lines): seconds, memory and bytes of the build, seconds of opening and of the first answer from a
# cold page cache (as root), lookups and matches a second on one thread, and `match` of 100,000 of the lines on all.
set -euo pipefail
cd "$(dirname "$0")/.."
feeds=$(realpath "$1"); lines=$(realpath "$2"); work=$(realpath "${3:-$(mktemp -d)}")
cargo build --release --quiet --locked
target=${CARGO_TARGET_DIR:-target}; icecore=$target/release/icecore; database=$work/advisories.db
timed() { /usr/bin/time -f "$1 %e s, %U s of one processor, %M KiB" "${@:2}" 2> >(grep -E "^$1 " >&2) > /dev/null; }
timed build $icecore db build --feeds "$feeds" -o "$database"
cp "$database" "$work/first.db"; timed again $icecore db build --feeds "$feeds" -o "$database"
cmp "$work/first.db" "$database" && echo "the same feeds make the same bytes"
stat -c '%s bytes' "$database"
cold() { sync; echo 3 > /proc/sys/vm/drop_caches 2>/dev/null || true; }
cold; head -1 "$lines" > "$work/one"; cargo bench --quiet --locked --bench advisories -- "$database" "$work/one" | sed -n 's/^open|^first/cold &/p' -E
# A mixed inventory: what is asked for is not sorted.
shuf --random-source=<(yes) "$lines" > "$work/mixed"
cargo bench --quiet --locked --bench advisories -- "$database" "$work/mixed"
awk '{ line[NR] = $0 } END { for (n = 0; n < 100000; n++) print line[n % NR + 1] }' "$work/mixed" > "$work/many"
timed match $icecore match --db "$database" -f ndjson "$work/many" || [ $? = 3 ]
