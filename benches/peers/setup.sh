#!/usr/bin/env bash
# What the race needs, by package name, under PEERS_DIR. A second call keeps what is there; what cannot be had is said, and the race
# leaves it out. The pages and Python cannot be done without.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
: "${PEERS_DIR:?set PEERS_DIR to a work folder}"
mkdir -p "$PEERS_DIR"/{tree,deb,js,log}

say() { printf '%s\n' "$*" >&2; }
# quiet NAME COMMAND…: what the command says goes to a log.
quiet() {
    local log="$PEERS_DIR/log/$1.log"
    shift
    "$@" > "$log" 2>&1 < /dev/null || { say "failed: $* (see $log)"; return 1; }
}
have() { command -v "$1" > /dev/null || [ -x "/usr/sbin/$1" ]; }
apt() {
    have apt-get || return 1
    DEBIAN_FRONTEND=noninteractive apt-get "$@"
}

# Programs.
missing=()
have nginx || missing+=(nginx-light)
have wget2 || missing+=(wget2)
if [ ${#missing[@]} -gt 0 ]; then
    say "installing ${missing[*]}"
    quiet apt-update apt update -qq || true
    for package in "${missing[@]}"; do
        quiet "apt-$package" apt install -y -qq --no-install-recommends "$package" || say "$package cannot be had"
    done
fi
have nginx || { say "nginx is needed: install it and try again"; exit 2; }

# Pages: documentation, unpacked and not installed. Of each line the first package that there is.
pages() {
    local package
    for package in "$@"; do [ -d "$PEERS_DIR/tree/$package" ] && return; done
    for package in "$@"; do
        (cd "$PEERS_DIR/deb" && quiet "deb-$package" apt download "$package") 2> /dev/null || continue
        rm -rf "$PEERS_DIR/tree/$package.part"
        dpkg-deb -x "$PEERS_DIR/deb/$package"_*.deb "$PEERS_DIR/tree/$package.part"
        mv "$PEERS_DIR/tree/$package.part" "$PEERS_DIR/tree/$package"
        rm -f "$PEERS_DIR/deb/$package"_*.deb
        return
    done
    say "none of these packages can be had: $*"
}
while read -r line; do
    # shellcheck disable=SC2086 # words on purpose
    case "$line" in '' | '#'*) ;; *) pages ${line#*:} ;; esac
done < "$here/pages.txt"

# Scrapy and Crawlee for Python. lxml walks the pages for what is there to be found.
if [ ! -x "$PEERS_DIR/py/bin/python" ]; then
    say "making a Python environment"
    quiet venv python3 -m venv "$PEERS_DIR/py"
fi
python="$PEERS_DIR/py/bin/python"
"$python" -c 'import lxml' 2> /dev/null || quiet pip-lxml "$PEERS_DIR/py/bin/pip" install -q lxml
"$python" -c 'import scrapy, uvloop' 2> /dev/null || quiet pip-scrapy "$PEERS_DIR/py/bin/pip" install -q scrapy uvloop || true
"$python" -c 'import crawlee, parsel' 2> /dev/null || quiet pip-crawlee "$PEERS_DIR/py/bin/pip" install -q 'crawlee[parsel]' || true

# Crawlee for JavaScript.
if ! have npm; then
    say "npm is not there: the race runs without Crawlee for JavaScript"
elif [ ! -d "$PEERS_DIR/js/node_modules/@crawlee/cheerio" ]; then
    say "installing Crawlee for JavaScript"
    (cd "$PEERS_DIR/js" && quiet npm npm install --silent --ignore-scripts --no-save @crawlee/cheerio) || true
fi
cp "$here/crawlers/crawlee.mjs" "$PEERS_DIR/js/"

# The spider crate.
if ! have cargo; then
    say "cargo is not there: the race runs without spider"
elif [ ! -x "$PEERS_DIR/spider/target/release/race-spider" ] ||
    ! cmp -s "$here/crawlers/spider/Cargo.toml" "$PEERS_DIR/spider/Cargo.toml" ||
    ! cmp -s "$here/crawlers/spider/src/main.rs" "$PEERS_DIR/spider/src/main.rs"; then
    say "building the spider crate: some minutes"
    mkdir -p "$PEERS_DIR/spider/src"
    cp "$here/crawlers/spider/Cargo.toml" "$PEERS_DIR/spider/"
    cp "$here/crawlers/spider/src/main.rs" "$PEERS_DIR/spider/src/"
    (cd "$PEERS_DIR/spider" && quiet spider cargo build --release --target-dir target) || true
fi

# Colly.
if ! have go; then
    say "go is not there: the race runs without Colly"
elif [ ! -x "$PEERS_DIR/colly/race-colly" ] || ! cmp -s "$here/crawlers/colly/main.go" "$PEERS_DIR/colly/main.go"; then
    say "building Colly"
    mkdir -p "$PEERS_DIR/colly"
    cp "$here/crawlers/colly/main.go" "$here/crawlers/colly/go.mod" "$PEERS_DIR/colly/"
    (cd "$PEERS_DIR/colly" && quiet colly bash -c 'go mod tidy && go build -o race-colly .') || true
fi
