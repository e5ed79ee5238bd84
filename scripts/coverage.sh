#!/usr/bin/env bash
# coverage.sh CORPUS.tar.zst [WORK]: which share of each room's lines the hostile inputs of `corpus.py` run through, by the
# compiler's own counters. Needs llvm-profdata and llvm-cov of the toolchain (`rustup component add llvm-tools`).
set -euo pipefail
corpus=$(realpath "$1"); work=$(realpath -m "${2:-target/coverage}")
cd "$(dirname "$0")/.."
tools=$(rustc --print target-libdir)/../bin
mkdir -p "$work"; rm -f "$work"/*.prof*
RUSTFLAGS=-Cinstrument-coverage CARGO_TARGET_DIR=$work/target LLVM_PROFILE_FILE=/dev/null cargo build --quiet --release --locked
icecore=$work/target/release/icecore
LLVM_PROFILE_FILE=$work/%m.profraw python3 scripts/corpus.py "$icecore" "$corpus" > "$work/corpus.log" || tail -5 "$work/corpus.log"
"$tools/llvm-profdata" merge -o "$work/all.profdata" "$work"/*.profraw
"$tools/llvm-cov" export -summary-only -instr-profile "$work/all.profdata" "$icecore" "$PWD/src" | python3 -c '
import collections, json, sys
rooms = collections.defaultdict(lambda: [0, 0])
root = sys.argv[1] + "/src/"
for file in json.load(sys.stdin)["data"][0]["files"]:
    parts = file["filename"].removeprefix(root).split("/")
    # Readers of file systems and disk images are counted one by one.
    room = "/".join(parts[:2]) if parts[0] in ("fs", "disk", "volume", "database") and len(parts) > 2 else parts[0]
    for name in (room, "all"):
        rooms[name][0] += file["summary"]["lines"]["covered"]
        rooms[name][1] += file["summary"]["lines"]["count"]
for room, (covered, lines) in sorted(rooms.items()):
    print(f"{room:24} {covered:6} of {lines:6} lines  {100 * covered / max(lines, 1):3.0f} %")' "$PWD"
