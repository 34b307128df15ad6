#!/usr/bin/env bash
# Runs every test of the project and ends with counts.
#
# Needs cargo. nginx is used where it is there, and installed where that is possible; its test skips with a word elsewhere.
# So is Python, for warcio and pywb.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

if ! command -v cargo > /dev/null; then
    say "cargo is not there: install Rust 1.95 or later, see https://www.rust-lang.org/tools/install"
    exit 2
fi

if ! command -v nginx > /dev/null && [ ! -x /usr/sbin/nginx ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
        say "installing nginx for tests/nginx.rs"
        export DEBIAN_FRONTEND=noninteractive
        { apt-get install -y --no-install-recommends nginx-light \
            || { apt-get update && apt-get install -y --no-install-recommends nginx-light; }; } > /dev/null 2>&1 < /dev/null \
            || say "nginx could not be installed: tests/nginx.rs will skip"
    else
        say "nginx is not there: tests/nginx.rs will skip"
    fi
fi

if [ ! -x target/warc-venv/bin/wayback ]; then
    say "installing warcio and pywb for tests/warc"
    { python3 -m venv target/warc-venv && target/warc-venv/bin/pip install --quiet warcio pywb; } > /dev/null 2>&1 < /dev/null \
        || say "warcio and pywb could not be installed: a test of tests/warc will skip"
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# All unit tests, integration tests, examples and documentation tests. `--no-fail-fast`, so that the counts are whole.
status=0
cargo test --workspace --no-fail-fast < /dev/null 2>&1 | tee "$log" || status=$?

# Every test binary says "test result: ok. 12 passed; 0 failed; …".
counts=$(awk '/^test result:/ { for (i = 2; i <= NF; i++) { if ($i == "passed;") p += $(i - 1); if ($i == "failed;") f += $(i - 1) } }
    END { printf "%d passed, %d failed", p, f }' "$log")
if [ "$status" -ne 0 ] && [ "${counts##*, }" = "0 failed" ]; then
    say "cargo test itself failed (exit code $status): see above"
    exit "$status"
fi
printf '\n%s\n' "$counts"
exit "$status"
