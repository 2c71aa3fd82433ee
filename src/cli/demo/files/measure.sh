#!/bin/sh
# One number: milliseconds of the duplicate search.
set -eu
rustc --edition 2021 -O bench.rs -o "$TMPDIR/bench"
"$TMPDIR/bench"
