#!/usr/bin/env bash
# Sends requests made from the two OpenAPI documents to a server of its own, and compares the answers with what the
# documents tell: statuses, media types, headers and bodies. Ends with 1 where something differs.
#
#   scripts/schemathesis.sh [PATH-OF-WEIR]      default: target/release/weir
#
# Needs Python 3.10 or later with venv and pip, and the Python package registry the first time.
#
#   SCHEMATHESIS_EXAMPLES   how many requests of each operation are made up, 50 where nothing is said
#   SCHEMATHESIS_SEED       a number: the requests of an earlier run
#   XDG_CACHE_HOME          where the virtual environment is kept; without it, under target/
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=4.32.5
weir=${1:-target/release/weir}
examples=${SCHEMATHESIS_EXAMPLES:-50}
checks=not_a_server_error,status_code_conformance,content_type_conformance
checks+=,response_headers_conformance,response_schema_conformance

if [ ! -x "$weir" ]; then
    echo "$weir is no program: build it with cargo build --release, or name another one" >&2
    exit 2
fi

repository=$PWD
folder=$(mktemp -d)
server=
# Ends the server that was started here, and nothing else.
stop() {
    local code=$?
    trap - EXIT
    if [ -n "$server" ] && kill -0 "$server" 2>/dev/null; then
        kill -TERM "$server"
        wait "$server" || echo "the server ended with $?" >&2
    fi
    rm -rf "$folder"
    exit "$code"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The environment is made once for each version; one that was left half done has no mark and is made anew.
venv="${XDG_CACHE_HOME:+$XDG_CACHE_HOME/weir}"
venv="${venv:-$PWD/target}/schemathesis-$version"
if [ ! -e "$venv/complete" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version"
    touch "$venv/complete"
fi

# The server takes free ports, and says in its log which.
log="$folder/log"
env -i PATH="$PATH" HOME="$folder" "$weir" serve --data-dir "$folder/data" --host 127.0.0.1 \
    --events-port 0 --config-port 0 --log-format json --log-level info 2>"$log" &
server=$!

# Prints the two addresses when the line with them is there; fails where the server ends or does not begin within 60 s.
addresses() {
    "$venv/bin/python" - "$log" "$server" <<'PYTHON'
import json, os, sys, time

path, server = sys.argv[1], int(sys.argv[2])
until = time.monotonic() + 60
while time.monotonic() < until:
    with open(path, encoding="utf-8", errors="replace") as log:
        for line in log:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            fields = {**entry, **(entry.get("fields") or {})}
            if "events" in fields and "configuration" in fields:
                print(fields["events"], fields["configuration"])
                sys.exit(0)
    try:
        os.kill(server, 0)
    except ProcessLookupError:
        break
    time.sleep(0.1)
sys.exit("the server does not run; its log:\n" + open(path, encoding="utf-8", errors="replace").read())
PYTHON
}
found=$(addresses)
read -r events configuration <<<"$found"
echo "events: $events, configuration: $configuration"

# compare NAME DOCUMENT URL: the document from the server, the requests to the URL.
failed=0
compare() {
    local name=$1 document=$2 url=$3 code=0
    printf '\n=== %s\n' "$name"
    # From the folder that goes with the server: what it keeps of a run is written where it stands.
    (cd "$folder" && "$venv/bin/st" --config-file "$repository/scripts/schemathesis.toml" run "$document" --url "$url" \
        --checks "$checks" --phases examples,coverage,fuzzing --mode all --max-examples "$examples" \
        --suppress-health-check all --continue-on-failure --request-timeout 45 --generation-database none \
        ${SCHEMATHESIS_SEED:+--seed "$SCHEMATHESIS_SEED"} --no-color) || code=$?
    if [ "$code" -ne 0 ]; then
        failed=1
    fi
    # Whatever was sent, the server is still there.
    if ! kill -0 "$server" 2>/dev/null; then
        echo "the server ended; its log:" >&2
        tail -n 50 "$log" >&2
        exit 1
    fi
}

# The events first: the other run may delete what they need.
compare 'Events API' "$configuration/openapi/events.json" "$events"
compare 'Configuration API' "$configuration/openapi.json" "$configuration"
exit "$failed"
