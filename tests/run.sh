#!/bin/sh
# Everything that `make test` runs. The suite runs twice, against a server with assertions and against
# the one that is shipped. All steps run, whatever fails before; what failed is told at the end.
set -eu
cd "$(dirname "$0")/.."

start=$(date +%s)
failed=""

# A step: its name, then its command.
step() {
    name=$1
    shift
    echo "== $name ($(($(date +%s) - start)) s)"
    "$@" || failed="$failed
   $name"
}

# With assertions on, but optimised, or the large tests would take minutes.
checked() {
    CARGO_PROFILE_QUICK_DEBUG_ASSERTIONS=true cargo "$@" --quiet --profile quick \
        --target-dir target/checked
}

unit_tests() {
    checked test --workspace --exclude tests --no-fail-fast
}

suite() {
    checked build -p server && checked test -p tests --no-fail-fast
}

suite_of_the_shipped() {
    cargo build --quiet --release -p server &&
        DRAGONFLY_BIN="$PWD/target/release/dragonfly" checked test -p tests --test suite
}

step "tools" tests/install.sh
step "unit tests" unit_tests
step "the suite, against a server with assertions" suite
step "the suite, against the server that is shipped" suite_of_the_shipped
step "the Tcl suites of Redis and Valkey" tests/conformance/run.py
step "unsafe code under AddressSanitizer and loom" tests/asan.sh
step "fuzzing" tests/fuzz.sh "${FUZZ_SECONDS:-10}"

echo "== done ($(($(date +%s) - start)) s)"
if [ -n "$failed" ]; then
    echo "failed:$failed"
    exit 1
fi
