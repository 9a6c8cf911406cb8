#!/usr/bin/env bash
# Makes a release: the program, and with it a list of all that is in it and the sums that tell whether it arrived whole.
#
#   scripts/release.sh [FOLDER]      FOLDER is target/dist if it is not given
#
# Whoever runs this on the same commit with the same compilers gets the same bytes, wherever the repository and cargo's
# own folder lie; BUILD in the archive names the compilers. Nothing is taken from files that are not committed. It makes
#   empress-gateway-VERSION-TARGET.tar.gz       program, unit, sample configurations, documentation, licences
#   empress-gateway-VERSION-TARGET.cdx.json     SBOM: every crate in the program, in CycloneDX 1.5
#   SHA256SUMS                                  of both, and of the program alone
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/packages.sh
. scripts/packages.sh

rust_version=1.95.0
cyclonedx_version=0.5.9

refuse() {
    say "$*" >&2
    exit 2
}

check_toolchain() {
    local found
    found=$(rustc --version | cut -d' ' -f2)
    [ "$found" = "$rust_version" ] ||
        refuse "a release is built with Rust $rust_version, and this is $found: rustup run $rust_version scripts/release.sh"
}

check_tree() {
    [ -z "$(git status --porcelain)" ] || refuse 'there are changes that are not committed: a release is built from a commit'
}

# Without --target the flags would count for what only runs during the build, too.
build() {
    local home=${CARGO_HOME:-$HOME/.cargo} sysroot
    sysroot=$(rustc --print sysroot)
    # Whatever was set for other builds.
    unset CARGO_BUILD_RUSTFLAGS CARGO_ENCODED_RUSTFLAGS "${!CARGO_PROFILE_@}" "${!CARGO_TARGET_X@}" "${!CARGO_TARGET_A@}"
    unset CPPFLAGS CXXFLAGS LDFLAGS
    export RUSTFLAGS="--remap-path-prefix=$PWD=/empress-gateway --remap-path-prefix=$home=/cargo \
--remap-path-prefix=$build=/build --remap-path-prefix=$sysroot/lib/rustlib/src/rust=/rustc/$rust_version"
    export CFLAGS="-ffile-prefix-map=$PWD=/empress-gateway -ffile-prefix-map=$home=/cargo -ffile-prefix-map=$build=/build"
    export CXXFLAGS=$CFLAGS
    CARGO_INCREMENTAL=0 CARGO_PROFILE_RELEASE_STRIP=symbols \
        cargo build --locked --release --target "$machine" --target-dir "$build" --bin empress-gateway
}

# The list names our own package by where it lies here.
sbom() {
    local file=.sbom-$$
    "$tools/cargo-cyclonedx" cyclonedx --quiet --format json --spec-version 1.5 --target "$machine" \
        --override-filename "$file"
    sed "s|path+file://$PWD|path+file:///empress-gateway|g" "$file.json" >"$1"
    rm -f "$file.json"
}

# What it takes to build the same again.
recipe() {
    printf 'commit %s\nSOURCE_DATE_EPOCH=%s\ntarget %s\n' "$(git rev-parse HEAD)" "$SOURCE_DATE_EPOCH" "$machine"
    rustc --version
    cargo --version
    cc --version | head -n 1
    ld --version | head -n 1
}

pack() {
    local folder=$1
    mkdir -p "$folder/bin" "$folder/systemd" "$folder/conf"
    cp "$program" "$folder/bin/"
    cp systemd/empress-gateway.* "$folder/systemd/"
    cp conf/*.toml "$folder/conf/"
    cp -R docs "$folder/"
    cp README.md CHANGELOG.md SECURITY.md LICENSE "$folder/"
    cp "$sbom" "$folder/empress-gateway.cdx.json"
    python3 -B scripts/licences.py "$sbom" >"$folder/LICENCES-OF-OTHERS"
    recipe >"$folder/BUILD"
    tar --create --format=ustar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
        --mode=u+rw,a+rX,go-w --directory="$(dirname "$folder")" "$(basename "$folder")" | gzip -n -9 >"$2"
}

case ${1:-} in -*) sed -n '2,10s/^# \{0,1\}//p' "$0" && exit 2 ;; esac
need_build_tools
need git git
need python3 python3
install_missing
find_cargo
check_toolchain
check_tree

target=${CARGO_TARGET_DIR:-$PWD/target}
mkdir -p "$target" "${1:-$target/dist}"
dist=$(cd "${1:-$target/dist}" && pwd)
target=$(cd "$target" && pwd)
tools=$target/tools/bin
build=$target/release-build
machine=$(rustc -vV | sed -n 's/^host: //p')
program=$build/$machine/release/empress-gateway
version=$(cargo pkgid --locked | sed 's/.*[#@]//')
name=empress-gateway-$version-$machine
sbom=$dist/$name.cdx.json
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC

say "installing cargo-cyclonedx $cyclonedx_version, if it is not there"
install_tool cargo-cyclonedx "$cyclonedx_version"
say "building $name"
build
scratch=$(mktemp -d)
trap 'rm -rf "$scratch" .sbom-$$.json' EXIT
sbom "$sbom"
pack "$scratch/$name" "$dist/$name.tar.gz"
cp "$program" "$scratch/empress-gateway"
(cd "$dist" && sha256sum "$name.tar.gz" "$name.cdx.json" && cd "$scratch" && sha256sum empress-gateway) >"$dist/SHA256SUMS"
cat "$dist/SHA256SUMS"
