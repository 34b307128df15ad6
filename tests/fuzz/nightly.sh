#!/usr/bin/env bash
# Runs the fuzzer's targets, one after the other.
#
#   tests/fuzz/nightly.sh                  every target for a minute
#   tests/fuzz/nightly.sh 600 url robots   these for ten minutes each
#
# Needs a nightly toolchain, a C++ compiler and cargo-fuzz (`cargo install cargo-fuzz`).
#
# An input that breaks something is made smaller and put into tests/fuzz/regressions/TARGET: give it a name that says what it is,
# mend what it breaks, and keep both. From then on tests/fuzz_regressions.rs runs it with every build. The script then ends with 1.
#
# All other inputs that reached something new stay in target/fuzz/corpus, from where the next night goes on. With KEEP=12 the
# twelve smallest of them that reach what no seed reaches are put into tests/fuzz/seeds/TARGET.
#
# SANITIZER=address looks after the C and unsafe code of libraries too, and is several times slower. This project has none of its own.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=60
case "${1:-}" in [0-9]*) seconds=$1; shift ;; esac
sanitizer=${SANITIZER:-none}
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(cargo +nightly fuzz list --fuzz-dir tests/fuzz)

# The versions that are fuzzed are those of the program; cargo adds what the fuzzer itself needs.
cp Cargo.lock tests/fuzz/Cargo.lock
for target in "${targets[@]}"; do
    cargo +nightly fuzz build --fuzz-dir tests/fuzz --target-dir target/fuzz --sanitizer "$sanitizer" "$target"
done
host=$(rustc -vV | sed -n 's/^host: //p')
[ ! -d /dev/shm ] || export TMPDIR=/dev/shm

# Tells how a target is run: within a GiB of memory and five seconds an input.
run() {
    local target=$1
    shift
    local limits=(-timeout=5 -rss_limit_mb=1024 -max_len=4096)
    [ ! -f "tests/fuzz/dictionaries/$target.dict" ] || limits+=("-dict=tests/fuzz/dictionaries/$target.dict")
    "target/fuzz/$host/release/$target" "${limits[@]}" "$@"
}

keep() {
    local target=$1 merged
    merged=$(mktemp -d)
    cp "tests/fuzz/seeds/$target/"* "$merged"
    run "$target" -set_cover_merge=1 "$merged" "target/fuzz/corpus/$target" 2> /dev/null || true
    for seed in "tests/fuzz/seeds/$target/"*; do rm -f "$merged/$(basename "$seed")"; done
    find "$merged" -type f -size -1 -o -type f -size 1 | xargs -r ls -Sr | head -n "$KEEP" | while read -r input; do
        cp "$input" "tests/fuzz/seeds/$target/found-$(basename "$input" | cut -c1-12)"
    done
    rm -r "$merged"
}

status=0
for target in "${targets[@]}"; do
    log=target/fuzz/$target.log
    crashes=target/fuzz/crashes/$target
    mkdir -p "target/fuzz/corpus/$target" "$crashes"
    rm -f "$crashes"/*
    run "$target" "-max_total_time=$seconds" -print_final_stats=1 "-artifact_prefix=$crashes/" \
        "target/fuzz/corpus/$target" "tests/fuzz/seeds/$target" > "$log" 2>&1 || true
    printf '%-10s %10s inputs' "$target" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
    found=$(find "$crashes" -type f | head -n 1)
    if [ -z "$found" ]; then
        printf '\n'
        [ -z "${KEEP:-}" ] || keep "$target"
        continue
    fi
    status=1
    mkdir -p "tests/fuzz/regressions/$target"
    kept="tests/fuzz/regressions/$target/$(basename "$found" | cut -c1-18)"
    run "$target" -minimize_crash=1 -max_total_time=30 "-exact_artifact_path=$kept" "$found" > /dev/null 2>&1 || true
    [ -f "$kept" ] || cp "$found" "$kept"
    printf '  BROKEN by %s: see %s\n' "$kept" "$log"
done
exit "$status"
