#!/usr/bin/env bash
# Builds icecore and scans the bundled node disk against the bundled advisories.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release --quiet --locked
set -x
exec target/release/icecore scan --db disk-fixtures/demo/advisories.db "$@" disk-fixtures/demo/node.qcow2
