#!/usr/bin/env bash
# Runs everything at once against the real binary for a long time, and fails if a request does, or if memory,
# descriptors or threads grow.
#
#   scripts/soak.sh [SECONDS]      86400 (a day) if none is given
set -euo pipefail
cd "$(dirname "$0")/.."
export SOAK_SECONDS=${1:-86400}
exec cargo test --locked --release --test it -- --exact --nocapture \
    soak::under_a_mixed_load_nothing_fails_and_neither_memory_descriptors_nor_threads_grow
