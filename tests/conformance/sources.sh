#!/bin/sh
# Gets the Tcl suites of Redis and Valkey out of Debian's source packages into .cache, and Valkey's
# tools, which bookworm has in its backports only, unless they are installed. It uses the mirror that
# this machine already uses, and leaves apt's configuration and the installed packages as they are.
# Does nothing when all is there. Needs apt, dpkg and tar.
set -eu
cd "$(dirname "$0")"
mkdir -p .cache
cd .cache

# Package and suite of Debian. A suite that a mirror does not have is replaced by the next line's.
REDIS="redis/bookworm"
VALKEY="valkey/bookworm-backports valkey/trixie"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

have() {
    ls -d "$1"-[0-9]*/tests >/dev/null 2>&1
}

# The base address of the mirror that Debian's own packages come from.
mirror() {
    # shellcheck disable=SC2016 # the parentheses are apt's
    apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(REPO_URI)' \
        'Created-By: Packages' | sed -n 's/^Debian|Debian|main|//p' | head -n 1
}

# apt with lists of its own below apt/, so that no root is needed and nothing stays behind.
own_apt() {
    apt-get -q -o Dir::Etc::SourceList="$PWD/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$PWD/apt/lists" -o Dir::Cache="$PWD/apt/cache" \
        -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none "$@"
}

# Gets the first of these source packages that the mirror has, and unpacks its tests.
get() {
    for package in "$@"; do
        rm -f ./*.orig.tar.*
        if own_apt source --download-only --tar-only "$package" >/dev/null; then
            tar -xf ./*.orig.tar.* --wildcards '*/tests'
            rm -f ./*.orig.tar.*
            return
        fi
        echo "the mirror has no source of $package" >&2
    done
    return 1
}

have_tools() {
    command -v valkey-cli >/dev/null || [ -x tools/usr/bin/valkey-cli ]
}

# Unpacks Valkey's tools and server, without installing them.
get_tools() {
    own_apt download valkey-tools/bookworm-backports valkey-server/bookworm-backports
    for package in ./valkey-*.deb; do
        dpkg-deb -x "$package" tools
        rm "$package"
    done
}

have redis && have valkey && have_tools && exit

base=$(mirror)
if [ -z "$base" ]; then
    if [ "$(id -u)" -eq 0 ]; then apt-get update -q; else sudo apt-get update -q; fi
    base=$(mirror)
fi
[ -n "$base" ] || { echo "apt knows no mirror of Debian" >&2; exit 1; }

signed=""
[ ! -e "$keyring" ] || signed="[signed-by=$keyring]"
mkdir -p apt/lists apt/cache
{
    echo "deb $signed $base bookworm-backports main"
    for suite in bookworm bookworm-backports trixie; do
        echo "deb-src $signed $base $suite main"
    done
} >apt/sources.list
own_apt update
# shellcheck disable=SC2086 # a list of words
have redis || get $REDIS
# shellcheck disable=SC2086 # a list of words
have valkey || get $VALKEY
have_tools || get_tools
rm -rf apt
