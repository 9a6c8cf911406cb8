#!/bin/bash
# Measures the release binary where tokens are issued, looked up and purged: builds it, and hands over to issue.py.
#
#   benches/issue.sh                  tokens a second, durable, and p99: code, client_credentials, refresh; ES256, RS256
#   benches/issue.sh --store 1000000  a store of so many tokens: size, start, memory, issuing, purging without pauses
#   benches/issue.sh --flood          the hit rate of known tokens while unknown ones and junk come in
#   benches/issue.sh --help           the rest
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}

cargo build --locked --release --bin empress-gateway
cargo build --locked --release --example bench_upstream --example token_load --example fill_store

exec python3 benches/issue.py --bin "$target/release" "$@"
