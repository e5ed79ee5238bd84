#!/usr/bin/env bash
# fuzz.sh [SECONDS [TARGET…]]: runs the fuzz targets for some seconds each (10 by default) with libFuzzer, on the stable
# toolchain: the compiler's own coverage counters are enough, as the project has no unsafe code for a sanitizer to watch.
# The corpus grows in fuzz/corpus/TARGET, beginning with the bundled fixtures; what crashes is in fuzz/artifacts/TARGET.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"
seconds=${1:-10}; shift || true
mapfile -t targets < <(if [ $# -gt 0 ]; then printf '%s\n' "$@"; else basename -s .rs fuzz_targets/*.rs; fi)
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
  -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Coverflow-checks=on -Cdebug-assertions=on"
host=$(rustc -vV | sed -n 's/^host: //p')
cargo build --quiet --release --target "$host" $(printf -- '--bin %s ' "${targets[@]}")
# The beginnings of the fixtures that a target's format has.
seeds() { # target
  local folders=("$1") fixture
  if [ "$1" = partitions ]; then folders=(volume md); fi
  if [ "$1" = lvm ]; then folders=(dm); fi
  for fixture in $(printf '../disk-fixtures/%s/*.img.zst ' "${folders[@]}"); do
    if [ -e "$fixture" ]; then head -c 1M < <(zstd -dcq "$fixture") > "corpus/$1/$(basename "$fixture" .img.zst)"; fi
  done
  if [ "$1" = registry ]; then
    for fixture in software system; do zstd -dcq "../disk-fixtures/windows/$fixture.hiv.zst" > "corpus/$1/$fixture"; done
  fi
}
for target in "${targets[@]}"; do
  mkdir -p "corpus/$target" "artifacts/$target"
  seeds "$target"
  "$CARGO_TARGET_DIR/$host/release/$target" "corpus/$target" -artifact_prefix="artifacts/$target/" \
    -max_total_time="$seconds" -max_len=1048576 -rss_limit_mb=2048 -timeout=20 -print_final_stats=1 2> "artifacts/$target.log" ||
    { tail -n 40 "artifacts/$target.log" >&2; echo "$target failed" >&2; exit 1; }
  awk -v target="$target" '/number_of_executed_units/ {print target ": " $2 " executions"}' "artifacts/$target.log"
done
