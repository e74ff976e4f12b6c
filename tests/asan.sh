#!/bin/sh
# The unit tests of the crates with `unsafe` code, under AddressSanitizer, and the model of borrowing
# under loom, which tries all interleavings.
set -eu
cd "$(dirname "$0")/.."
host=$(rustc -vV | sed -n 's/^host: //p')

# Fewer random cases than usual: each is some five times slower here.
RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address" CARGO_TARGET_DIR=target/asan PROPTEST_CASES=16 \
    cargo test --quiet --target "$host" -p table -p values -p keyspace -p protocol --lib

RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=target/loom \
    cargo test --quiet --release -p keyspace --lib borrow
