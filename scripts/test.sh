#!/usr/bin/env bash
# Installs what is missing, then formats, lints and tests everything.
#
#   scripts/test.sh [rust] [supply] [clients] [browser] [systemd] [fuzz] [soak]      all of them if none is named
#
# A failed step does not keep the next ones from running, except that nothing more is run when the build fails. Ends with
# a summary, and with 0 only if nothing failed; what can't be done on this machine is called skipped. What is installed besides Debian packages and cargo-nextest goes
# into the target folder; so do the browser's screenshots.
# shellcheck disable=SC2317  # it does not see that `run` calls the functions
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/packages.sh
. scripts/packages.sh

nextest_version=0.9.128
deny_version=0.20.2
target=${CARGO_TARGET_DIR:-target}
demo=$target/debug/examples/demo
deny=$target/tools/bin/cargo-deny
steps=(rust supply clients browser systemd fuzz soak)
# What a step returns that can't be done here.
not_here=77
summary=()
passed=0
failed=0
skipped=0

usage() {
    sed -n '2,9s/^# \{0,1\}//p' "$0"
}

wants() {
    case " ${steps[*]} " in *" $1 "*) ;; *) return 1 ;; esac
}

# run NAME COMMAND...: notes how it went, and goes on.
run() {
    local name=$1 began=$SECONDS code=0 outcome
    shift
    printf '\n==== %s\n' "$name"
    "$@" || code=$?
    case $code in
    0) outcome=ok passed=$((passed + 1)) ;;
    "$not_here") outcome=skipped skipped=$((skipped + 1)) ;;
    *) outcome=FAILED failed=$((failed + 1)) ;;
    esac
    summary+=("$(printf '%-7s %5d s  %s' "$outcome" $((SECONDS - began)) "$name")")
    [ "$outcome" != FAILED ]
}

finish() {
    printf '\n==== summary\n'
    printf '%s\n' "${summary[@]}"
    printf '%-7s %5d s  %s\n' '' "$SECONDS" 'in all'
    printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
    [ "$failed" = 0 ] || exit 1
    exit 0
}

install_packages() {
    if wants rust || wants supply || wants clients || wants browser; then
        need_build_tools
    fi
    if wants supply; then
        need git git
    fi
    if wants rust; then
        need python3 python3
    fi
    if wants clients; then
        # openid-client needs Node 18 at least; Debian 12 has 18.20.
        node_is_new_enough || missing_packages+=(nodejs)
        need npm npm
        /usr/bin/env python3 -c 'import ensurepip, venv' 2>/dev/null || missing_packages+=(python3 python3-venv)
    fi
    if wants browser; then
        need python3 python3
        need chromium chromium fonts-dejavu-core
        need chromedriver chromium-driver
        # What Arabic, Devanagari and Chinese are shown with.
        local font
        for font in fonts-noto-core fonts-wqy-microhei; do
            dpkg-query -W -f '${db:Status-Abbrev}' "$font" 2>/dev/null | grep -q '^ii' || missing_packages+=("$font")
        done
    fi
    if wants systemd; then
        need systemd-analyze systemd
    fi
    install_missing
}

node_is_new_enough() {
    command -v node >/dev/null && node -e 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)'
}

build() {
    cargo build --locked --bin empress-gateway --example demo
}

install_nextest() {
    cargo nextest --version >/dev/null 2>&1 && return 0
    say "installing cargo-nextest $nextest_version (once; this takes some minutes)"
    # Unoptimised: it is built faster than it could ever repay here.
    CARGO_PROFILE_DEV_DEBUG=0 cargo install cargo-nextest --version "$nextest_version" --locked --debug --quiet \
        --target-dir "$target/tools"
}

rust_tests() {
    if install_nextest; then
        cargo nextest run --locked --no-fail-fast
    else
        say 'cargo-nextest can not be installed: cargo test takes its place'
        cargo test --locked --no-fail-fast
    fi
}

documentation() {
    RUSTDOCFLAGS=-Dwarnings cargo doc --locked --no-deps
}

# The shipped file works as it is, once the one file that it names is there.
shipped_configuration() {
    local folder
    folder=$(mktemp -d) || return 1
    (umask 077 && printf 'key:secret\n' >"$folder/erpnext.key") &&
        sed "s|^api_key_file = .*|api_key_file = \"$folder/erpnext.key\"|" conf/empress-gateway.toml \
            >"$folder/empress-gateway.toml" &&
        "$target/debug/empress-gateway" check --config "$folder/empress-gateway.toml"
    local code=$?
    rm -rf "$folder"
    return "$code"
}

cargo_deny() {
    install_tool cargo-deny "$deny_version"
}

# Licences, duplicates, sources: .deny.toml.
dependencies() {
    "$deny" --locked check --hide-inclusion-graph bans licenses sources
}

# What is known against the dependencies today. It is fetched anew, since it changes from day to day.
advisories() {
    if ! timeout 120 "$deny" --locked fetch db; then
        say 'NOT CHECKED: the database of advisories (https://rustsec.org) can not be had here'
        return "$not_here"
    fi
    "$deny" --locked check advisories
}

# The libraries that the tests of one language use, as their lock file has them.
javascript_libraries() {
    local folder=$target/clients/javascript
    mkdir -p "$folder" &&
        cp tests/clients/javascript/* tests/clients/javascript/.npmrc "$folder/" &&
        npm ci --prefix "$folder" --silent --no-audit --no-fund
}

javascript() {
    # Node 18 has WebCrypto behind this option; later ones have it anyhow.
    NODE_OPTIONS=--experimental-global-webcrypto node "$target/clients/javascript/$1.mjs" "$demo"
}

python_libraries() {
    local folder=$target/clients/python
    [ -x "$folder/bin/python" ] || python3 -m venv "$folder" || return 1
    "$folder/bin/pip" install --quiet --disable-pip-version-check -r tests/clients/python/requirements.txt
}

python() {
    "$target/clients/python/bin/python" -B "tests/clients/python/test_$1.py" "$demo"
}

# A package of its own, so that the gateway's Cargo.lock does not have what it needs.
rust_library() {
    cargo fmt --check --manifest-path tests/clients/rust/Cargo.toml &&
        CARGO_TARGET_DIR=$target/clients/rust \
            cargo build --locked --quiet --manifest-path tests/clients/rust/Cargo.toml
}

openidconnect() {
    "$target/clients/rust/debug/empress-gateway-rust-test" "$demo"
}

browser() {
    python3 -B tests/browser/test.py "$demo" "$target/screenshots"
}

demo_flow() {
    "$demo" --once >"$target/demo.log" || {
        cat "$target/demo.log"
        return 1
    }
    tail -n 1 "$target/demo.log"
}

systemd_unit() {
    if ! command -v systemd-analyze >/dev/null; then
        say 'systemd-analyze can not be had here: skipped'
        return "$not_here"
    fi
    bash systemd/verify.sh
}

# As scripts/soak.sh, with the binaries of the tests.
soak() {
    find_cargo
    SOAK_SECONDS=${SOAK_SECONDS:-120} cargo test --locked --quiet --test it -- --exact --nocapture \
        soak::under_a_mixed_load_nothing_fails_and_neither_memory_descriptors_nor_threads_grow
}

if [ "$#" -gt 0 ]; then
    steps=("$@")
fi
for step in "${steps[@]}"; do
    case $step in
    rust | supply | clients | browser | systemd | fuzz | soak) ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
    esac
done

run 'Debian packages' install_packages || true
if wants rust || wants clients || wants browser; then
    find_cargo
    run 'build' build || finish
fi
if wants rust; then
    run 'cargo fmt --check' cargo fmt --check || true
    run 'cargo clippy' cargo clippy --locked --all-targets -- -D warnings || true
    run 'tests' rust_tests || true
    run 'cargo doc' documentation || true
    run 'the table of threats' scripts/threats.py --check || true
    run 'the reckoning of the yardstick' benches/load.sh --self-test || true
    run 'the shipped configuration' shipped_configuration || true
    run 'the demo' demo_flow || true
fi
if wants supply; then
    find_cargo
    if run 'cargo-deny' cargo_deny; then
        run 'licences, duplicates and sources' dependencies || true
        run 'advisories' advisories || true
    fi
fi
if wants clients; then
    if run 'the libraries of npm' javascript_libraries; then
        run 'openid-client' javascript openid-client || true
        run 'oauth4webapi' javascript oauth4webapi || true
    fi
    if run 'the libraries of PyPI' python_libraries; then
        run 'Authlib' python authlib || true
        run 'requests-oauthlib' python requests_oauthlib || true
    fi
    if run 'the library of crates.io' rust_library; then
        run 'openidconnect' openidconnect || true
    fi
fi
if wants browser; then
    run 'Chromium' browser || true
fi
if wants systemd; then
    run 'the systemd unit' systemd_unit || true
fi
if wants fuzz; then
    run "fuzzing, ${FUZZ_SECONDS:-15} s each" scripts/fuzz.sh --seed 1 --seconds "${FUZZ_SECONDS:-15}" || true
fi
if wants soak; then
    run "the soak, ${SOAK_SECONDS:-120} s" soak || true
fi
finish
