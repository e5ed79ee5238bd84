#!/usr/bin/env bash
# Builds icecore and scans the bundled node disk against the bundled advisories.
set -euo pipefail
cd "$(dirname "$0")/.."
set -x
exec cargo run --release --quiet --locked -- scan --db disk-fixtures/demo/advisories.db "$@" disk-fixtures/demo/node.qcow2
