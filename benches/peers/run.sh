#!/usr/bin/env bash
# The race: this crawler beside others, on the same nginx, with the same pages, in turn. docs/speed.md tells how to read it.
#
#   PEERS_DIR=/var/tmp/peers benches/peers/run.sh --quick     some minutes
#   PEERS_DIR=/var/tmp/peers benches/peers/run.sh --docs      all of it, and the tables of docs/speed.md written anew
#   benches/peers/run.sh --help                               what else there is
#
# PEERS_DIR is a work folder of about 2 GB, kept from one run to the next. CRAWL_BIN names the crawler's program; without it the
# release build of this tree is made.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
case "${1:-}" in -h | --help) exec python3 "$here/race.py" --help ;; esac
: "${PEERS_DIR:?set PEERS_DIR to a work folder for what is installed: about 2 GB, kept from run to run}"
export PEERS_DIR

if [ -z "${CRAWL_BIN:-}" ]; then
    (cd "$root" && cargo build --release)
    CRAWL_BIN=${CARGO_TARGET_DIR:-$root/target}/release/crawl
fi
export CRAWL_BIN

bash "$here/setup.sh"
exec "$PEERS_DIR/py/bin/python" "$here/race.py" "$@"
