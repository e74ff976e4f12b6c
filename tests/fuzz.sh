#!/bin/sh
# Fuzzes each target of fuzz/ for some seconds: fuzz.sh [SECONDS [TARGET…]]. With AddressSanitizer and
# debug assertions. What is learned stays in fuzz/corpus, what fails in fuzz/artifacts.
set -eu
cd "$(dirname "$0")/../fuzz"
seconds=${1:-10}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- $(sed -n 's/^name = "\(.*\)"/\1/p' Cargo.toml | grep -v dragonfly)

host=$(rustc -vV | sed -n 's/^host: //p')
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="-Zsanitizer=address -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing"
export CARGO_TARGET_DIR=../target/fuzz
cargo build --release --quiet --target "$host"

for target in "$@"; do
    mkdir -p "corpus/$target" "artifacts/$target"
    echo "fuzzing $target for $seconds s"
    log="$CARGO_TARGET_DIR/$target.log"
    if ! "$CARGO_TARGET_DIR/$host/release/$target" "corpus/$target" -max_total_time="$seconds" \
        -artifact_prefix="artifacts/$target/" -max_len=4096 -timeout=20 -rss_limit_mb=4096 \
        -print_final_stats=1 >"$log" 2>&1; then
        tail -n 60 "$log"
        exit 1
    fi
    sed -n 's/^stat::number_of_executed_units: */    runs: /p' "$log"
done
