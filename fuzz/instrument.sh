#!/usr/bin/env bash
# Cargo's RUSTC_WRAPPER for fuzzing: the gateway and the targets are compiled with libFuzzer's coverage, by stable Rust,
# and with `--cfg fuzzing`. What they depend on stays as it is, so that its code is shared with the ordinary build.
set -euo pipefail
case " $* " in
*' --crate-name empress_gateway '* | *"/fuzz/targets/"* | *' targets/'*)
    set -- "$@" --cfg fuzzing -Cpasses=sancov-module \
        -Cllvm-args=-sanitizer-coverage-level=4 \
        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
        -Cllvm-args=-sanitizer-coverage-pc-table \
        -Cllvm-args=-sanitizer-coverage-trace-compares
    ;;
esac
exec "$@"
