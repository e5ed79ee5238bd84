#!/usr/bin/env bash
# Everything that is checked before a change lands; CI runs exactly this.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf '\n== %s\n' "$*"; }

say "format";  cargo fmt --all --check
say "lints";   cargo clippy --quiet --all-targets --locked -- -D warnings
say "tests";   cargo test --quiet --locked
say "docs";    RUSTDOCFLAGS="-D warnings" cargo doc --quiet --locked --no-deps --document-private-items
