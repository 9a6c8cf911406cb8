#!/usr/bin/env bash
# Builds the gateway and shows the whole main job on 127.0.0.1: a stand-in for ERPNext, the real gateway before it, one
# OAuth flow step by step; then stays up for curl and a browser until Ctrl-C.
#
#   scripts/demo.sh [--release] [--port N] [--dir FOLDER] [--once]
#
# --release builds as for production: slow to build, fast to run. Without it the build is for development.
# All other arguments go to the demo; --help lists them.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/packages.sh
. scripts/packages.sh

profile=debug
build=(build --locked --bin empress-gateway --example demo)
arguments=()
for argument in "$@"; do
    if [ "$argument" = --release ]; then
        profile=release
        build+=(--release)
    else
        arguments+=("$argument")
    fi
done

need_build_tools
install_missing
find_cargo

if [ "$profile" = debug ]; then
    say "building for development (the first time this takes some minutes; --release would build for production)"
else
    say "building for production: this takes several minutes"
fi
# Standard output belongs to the demo: with --machine it is read by a program.
cargo "${build[@]}" >&2

exec "${CARGO_TARGET_DIR:-target}/$profile/examples/demo" ${arguments[@]+"${arguments[@]}"}
