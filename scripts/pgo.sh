#!/usr/bin/env bash
# Builds the program with the compiler knowing what it does under load (profile-guided optimisation): an instrumented build,
# a minute of load on it, a second build. For who installs by hand and wants the last percents; releases are built without,
# since a profile is another each time and everybody is to get the same bytes.
#
#   scripts/pgo.sh [native]     target/pgo/release/empress-gateway; with `native` for this machine's processor alone
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/packages.sh
. scripts/packages.sh

target=${CARGO_TARGET_DIR:-$PWD/target}
profile=$target/pgo/profile
flags=
[ "${1:-}" != native ] || flags='-Ctarget-cpu=native'
# What is measured is what is trained: forwarding of every kind, and the refusal of junk.
rows=(gateway log rules-10 cookie junk unknown post tls h2)

# The one that reads what this compiler writes: rustup's, or LLVM's of the same number.
profdata() {
    local number sysroot
    number=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
    sysroot=$(rustc --print sysroot)
    compgen -G "$sysroot/lib/rustlib/*/bin/llvm-profdata" || compgen -G "/usr/lib/llvm-$number/bin/llvm-profdata" || true
}

install_profdata() {
    local number
    number=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
    rustup component add llvm-tools >/dev/null 2>&1 || true
    [ -n "$(profdata)" ] || { missing_packages+=("llvm-$number") && install_missing >&2; }
}

build() {
    RUSTFLAGS="$flags $1" cargo build --locked --release --target-dir "$2" "${@:3}"
}

find_cargo
[ -n "$(profdata)" ] || install_profdata
profdata=$(profdata | head -n 1)
[ -n "$profdata" ] || {
    say 'llvm-profdata of this compiler can not be had: rustup component add llvm-tools' >&2
    exit 1
}

rm -rf "$profile"
build "-Cprofile-generate=$profile" "$target/pgo/instrumented" --bin empress-gateway
build '' "$target" --example bench_upstream
build '' "$target" --manifest-path benches/bare-pingora/Cargo.toml
trained=$target/pgo/instrumented/release
mkdir -p "$trained/examples"
cp "$target/release/bare-pingora" "$trained/"
cp "$target/release/examples/bench_upstream" "$trained/examples/"
CARGO_TARGET_DIR=$target/pgo/instrumented PATH=$target/tools/bin:$PATH \
    benches/load.sh --no-build --rounds 3 --only "${rows[@]}" >/dev/null

"$profdata" merge -o "$profile/merged.profdata" "$profile"
build "-Cprofile-use=$profile/merged.profdata" "$target/pgo" --bin empress-gateway
say "built $target/pgo/release/empress-gateway"
