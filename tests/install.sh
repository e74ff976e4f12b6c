#!/bin/sh
# Installs what the tests need and is missing: Debian's redis-server to compare with, redis-cli and
# redis-benchmark, Tcl and the Tcl suites of Redis and Valkey, and the client libraries of Python and
# Node. Does nothing when all is there. Needs rust, python3, node and npm.
set -eu
cd "$(dirname "$0")"

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# Installs packages without letting Debian start the services in them.
install_packages() {
    export DEBIAN_FRONTEND=noninteractive
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
        trap 'as_root rm -f "$policy"' EXIT
    fi
    as_root apt-get update -q
    as_root apt-get install -y -q --no-install-recommends "$@"
    # Nor at the next start of the machine: the tests start their own.
    if [ -d /run/systemd/system ]; then
        as_root systemctl disable --now redis-server >/dev/null 2>&1 || true
    fi
}

packages=""
command -v redis-server >/dev/null || packages="$packages redis-server"
command -v redis-cli >/dev/null && command -v redis-benchmark >/dev/null ||
    packages="$packages redis-tools"
python3 -c 'import ensurepip, venv' 2>/dev/null || packages="$packages python3-venv"
command -v tclsh >/dev/null || packages="$packages tcl"
# shellcheck disable=SC2086 # a list of words
[ -z "$packages" ] || install_packages $packages

conformance/sources.sh

cd clients
if ! cmp -s requirements.txt .venv/installed.txt; then
    rm -rf .venv
    python3 -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
    cp requirements.txt .venv/installed.txt
fi
if ! cmp -s package-lock.json node_modules/installed.json; then
    npm ci --silent
    cp package-lock.json node_modules/installed.json
fi
