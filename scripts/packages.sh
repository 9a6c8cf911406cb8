# shellcheck shell=bash
# Sourced by the other scripts: finds cargo, and installs the Debian packages that are missing.

# What was found missing by `need`.
missing_packages=()

say() {
    printf '%s\n' "$*"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        say "not root, and there is no sudo: run as root: $*" >&2
        return 1
    fi
}

# need COMMAND PACKAGE...: the packages are installed by `install_missing` if there is no such command.
need() {
    local command=$1
    shift
    command -v "$command" >/dev/null || missing_packages+=("$@")
}

install_missing() {
    [ "${#missing_packages[@]}" -gt 0 ] || return 0
    say "installing ${missing_packages[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing_packages[@]}" >/dev/null
    missing_packages=()
}

# install_tool NAME VERSION: a program of crates.io, below the target folder; at once if this version is there already.
install_tool() {
    local tools=${CARGO_TARGET_DIR:-target}/tools
    # Unoptimised: it is built faster than it could ever repay here.
    CARGO_PROFILE_DEV_DEBUG=0 cargo install "$1" --version "$2" --locked --debug --quiet \
        --root "$tools" --target-dir "$tools/build"
}

# What the crates that hold C code are built with: cc for all, make for jemalloc, cmake for zlib-ng.
need_build_tools() {
    need cc gcc libc6-dev
    need make make
    need cmake cmake g++
}

find_cargo() {
    local home=${CARGO_HOME:-$HOME/.cargo}
    if ! command -v cargo >/dev/null && [ -x "$home/bin/cargo" ]; then
        PATH=$home/bin:$PATH
    fi
    if ! command -v cargo >/dev/null; then
        say "cargo is neither in PATH nor in $home/bin: install Rust first (https://rustup.rs)" >&2
        return 1
    fi
    # Where `cargo install` puts what it builds.
    case ":$PATH:" in *":$home/bin:"*) ;; *) PATH=$PATH:$home/bin ;; esac
    export PATH
}
