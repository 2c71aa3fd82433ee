#!/bin/sh
# The project's own tests: what "verified" means here.
set -eu
rustc --edition 2021 -C debuginfo=0 --test src/lib.rs -o "$TMPDIR/tests"
"$TMPDIR/tests"
