#!/bin/bash
# Measures the gateway against a bare Pingora proxy: builds both, installs what is missing, and hands over to load.py.
#
#   benches/load.sh                  CPU time a request, requests a second, p99, memory; interleaved slices with oha
#   benches/load.sh --instructions   instructions a request by callgrind: repeats to a part in a thousand, takes minutes
#   benches/load.sh --changes        what fails under load while it is reloaded and new processes take over
#   benches/load.sh --help           the rest
#
# Two processors are needed: one for the proxies, one for the load and the upstream.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}

sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
missing=
command -v python3 >/dev/null || missing="$missing python3"
command -v taskset >/dev/null || missing="$missing util-linux"
case " $* " in *" --instructions "*) command -v valgrind >/dev/null || missing="$missing valgrind" ;; esac
if [ -n "$missing" ]; then
    # shellcheck disable=SC2086
    $sudo apt-get install -y --no-install-recommends $missing
fi
oha=$(command -v oha || echo "$target/tools/bin/oha")
[ -x "$oha" ] || cargo install --locked --root "$target/tools" oha

cargo build --locked --release --bin empress-gateway
cargo build --locked --release --example bench_upstream
CARGO_TARGET_DIR=$target cargo build --locked --release --manifest-path benches/bare-pingora/Cargo.toml

exec python3 benches/load.py --oha "$oha" --bin "$target/release" "$@"
