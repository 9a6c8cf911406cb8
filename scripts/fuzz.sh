#!/usr/bin/env bash
# Fuzzes with libFuzzer and stable Rust; docs/fuzzing.md says what each target shows.
#
#   scripts/fuzz.sh [--seconds N] [--jobs N] [--seed N] [TARGET...]    60 seconds each, two at once, all targets if none is named
#   scripts/fuzz.sh --repeat TARGET FILE                      runs one input once more
#   scripts/fuzz.sh --minimise [TARGET...]                    takes what was found into fuzz/corpus/, as little as covers the same
#
# Exits with 0 only if no target found anything. What is found while it runs is kept in target/fuzz/TARGET/corpus, an
# input that a target fails on in target/fuzz/TARGET/.
# shellcheck disable=SC2317  # it does not see what `wait` leads to
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/packages.sh
. scripts/packages.sh

target=${CARGO_TARGET_DIR:-$PWD/target}
[[ $target = /* ]] || target=$PWD/$target
mapfile -t all < <(sed -n 's|^path = "targets/\(.*\)\.rs"$|\1|p' fuzz/Cargo.toml)
seconds=60
jobs=2
# 0: another way each time. With a seed the same machine goes the same way again.
seed=0
mode=run
named=()

usage() {
    sed -n '2,9s/^# \{0,1\}//p' "$0"
}

install_packages() {
    need_build_tools
    need g++ g++
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing_packages+=(python3 python3-venv)
    install_missing
}

# werkzeug and gunicorn, against which two of the targets are held.
make_python() {
    local folder=$target/fuzz/python
    export EMPRESS_FUZZ_PYTHON=$folder/bin/python
    [ -x "$EMPRESS_FUZZ_PYTHON" ] || python3 -m venv "$folder"
    cmp -s fuzz/python/requirements.txt "$folder/requirements.txt" && return 0
    "$EMPRESS_FUZZ_PYTHON" -m pip install --quiet --disable-pip-version-check -r fuzz/python/requirements.txt
    cp fuzz/python/requirements.txt "$folder/requirements.txt"
}

build() {
    if ! cargo metadata --locked --format-version 1 --manifest-path fuzz/Cargo.toml >/dev/null; then
        say 'fuzz/Cargo.lock is behind Cargo.toml. Make it anew and commit it:' >&2
        say '  cp Cargo.lock fuzz/ && cargo update --workspace --manifest-path fuzz/Cargo.toml' >&2
        return 1
    fi
    RUSTC_WRAPPER=$PWD/fuzz/instrument.sh CARGO_TARGET_DIR=$target \
        cargo build --locked --quiet --manifest-path fuzz/Cargo.toml
}

# options NAME: sets `options` to libFuzzer's for this target.
options() {
    options=(-timeout=25 -rss_limit_mb=2048 -max_len=4096 "-artifact_prefix=$target/fuzz/$1/")
    [ ! -e "fuzz/dictionaries/$1.txt" ] || options+=("-dict=fuzz/dictionaries/$1.txt")
}

fuzz() {
    local name=$1 folder=$target/fuzz/$1
    mkdir -p "$folder/corpus" "fuzz/corpus/$name"
    options "$name"
    RUST_BACKTRACE=${RUST_BACKTRACE:-0} "$target/debug/$name" "${options[@]}" -max_total_time="$seconds" -print_final_stats=1 -seed="$seed" \
        "$folder/corpus" "fuzz/corpus/$name" >"$folder/log" 2>&1
}

# report NAME: a line of figures from the log; what was found, and how to repeat it.
report() {
    local name=$1 log=$target/fuzz/$1/log runs rate coverage input
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    rate=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")
    coverage=$(grep -oE 'cov: [0-9]+ ft: [0-9]+ corp: [0-9]+' "$log" | tail -n 1 || true)
    input=$(sed -n 's/^artifact_prefix=.*Test unit written to //p' "$log" | tail -n 1 || true)
    printf '%-7s %-14s %10s runs %7s/s  %s\n' "$2" "$name" "${runs:-?}" "${rate:-?}" "$coverage"
    [ "$2" = FAILED ] || return 0
    # What the panic said, without its stack.
    sed -n '/panicked at\|ERROR: libFuzzer/,$p' "$log" | grep -vE '^ +([0-9]+:|at) |^stat::' | head -n 25 | cut -c 1-1000 || true
    say "the whole log: $log"
    if [ -n "$input" ]; then
        say "the input: $input"
        say "to repeat: scripts/fuzz.sh --repeat $name $input"
    fi
}

run_all() {
    local failed=0 name process ended
    declare -A running=()
    # finish_one: waits for any of those that run.
    finish_one() {
        local code=0
        wait -n -p process "${!running[@]}" || code=$?
        ended=${running[$process]}
        unset "running[$process]"
        if [ "$code" = 0 ]; then
            report "$ended" ok
        else
            failed=1
            report "$ended" FAILED
        fi
    }
    for name in "${named[@]}"; do
        [ "${#running[@]}" -lt "$jobs" ] || finish_one
        fuzz "$name" &
        running[$!]=$name
    done
    while [ "${#running[@]}" -gt 0 ]; do
        finish_one
    done
    return "$failed"
}

minimise() {
    local name fresh
    for name in "${named[@]}"; do
        mkdir -p "$target/fuzz/$name/corpus" "fuzz/corpus/$name"
        fresh=$(mktemp -d)
        options "$name"
        "$target/debug/$name" "${options[@]}" -set_cover_merge=1 "$fresh" "fuzz/corpus/$name" "$target/fuzz/$name/corpus" \
            >"$target/fuzz/$name/log" 2>&1 || {
            tail -n 20 "$target/fuzz/$name/log"
            return 1
        }
        rm -rf "fuzz/corpus/$name"
        mv "$fresh" "fuzz/corpus/$name"
        chmod 755 "fuzz/corpus/$name"
        say "$(printf '%-14s %5d inputs, %s' "$name" "$(find "fuzz/corpus/$name" -type f | wc -l)" "$(du -sh --apparent-size "fuzz/corpus/$name" | cut -f 1)")"
    done
}

while [ "$#" -gt 0 ]; do
    case $1 in
    --seconds) seconds=${2:?} && shift 2 ;;
    --jobs) jobs=${2:?} && shift 2 ;;
    --seed) seed=${2:?} && shift 2 ;;
    --repeat) mode=repeat && shift ;;
    --minimise) mode=minimise && shift ;;
    -h | --help) usage && exit 0 ;;
    -*) usage >&2 && exit 2 ;;
    *) named+=("$1") && shift ;;
    esac
done
file=
if [ "$mode" = repeat ]; then
    [ "${#named[@]}" = 2 ] || { usage >&2 && exit 2; }
    file=${named[1]}
    named=("${named[0]}")
fi
for name in "${named[@]}"; do
    case " ${all[*]} " in *" $name "*) ;; *) say "there is no target $name; there are: ${all[*]}" >&2 && exit 2 ;; esac
done
[ "${#named[@]}" -gt 0 ] || named=("${all[@]}")

install_packages
find_cargo
make_python
build
case $mode in
run) run_all ;;
minimise) minimise ;;
repeat) "$target/debug/${named[0]}" "$file" ;;
esac
