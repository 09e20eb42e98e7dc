#!/usr/bin/env bash
# Installs what the tests of crates/weir/tests/it/interop.rs run against Weir: the official CloudEvents SDKs for Python
# and JavaScript, and the Node client of the Event Gateway; and moto, with whose event patterns those of Weir are compared
# in crates/routing/tests/it/moto.rs. Each is in the version that is written down beside the tests.
#
#   scripts/interop-setup.sh [FOLDER]     FOLDER is `interop` in the build folder where nothing is said
#
# Needs python3 with venv, node with npm, and their package registries. What is there already is not installed again. The
# tests skip what they do not find, so only who wants them runs this.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

lists=crates/weir/tests/interop
folder="${1:-${CARGO_TARGET_DIR:-target}/interop}"
mkdir -p "$folder"

# installed NAME FILE...: whether NAME was installed from these very files.
installed() {
    local stamp="$folder/$1.installed"
    shift
    [ -f "$stamp" ] && cat "$@" | cmp -s - "$stamp"
}

# python NAME LIST: an environment of this name with the packages of a list.
python() {
    if installed "$1" "$2"; then
        return
    fi
    rm -rf "${folder:?}/$1" "$folder/$1.installed"
    python3 -m venv "$folder/$1" &&
        "$folder/$1/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$2" &&
        cp "$2" "$folder/$1.installed"
}

javascript() {
    if installed node_modules "$lists/package.json" "$lists/package-lock.json"; then
        return
    fi
    rm -rf "$folder/node_modules" "$folder/node_modules.installed"
    cp "$lists/package.json" "$lists/package-lock.json" "$folder/" &&
        npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund &&
        cat "$lists/package.json" "$lists/package-lock.json" >"$folder/node_modules.installed"
}

# One may lack what the other does not need. Called in a condition, where `set -e` sleeps: hence the `&&` above.
failed=0
python venv "$lists/requirements.txt" || failed=1
python moto crates/routing/tests/requirements.txt || failed=1
javascript || failed=1
[ "$failed" -eq 0 ] && echo "installed in $folder"
exit "$failed"
