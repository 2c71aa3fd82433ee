#!/bin/sh
# The project's own tests, in TAP: what "verified" means here.
failed=0
test_that() { # test_that NUMBER NAME FILE: fails while FILE is there
    if [ -e "$3" ]; then echo "not ok $1 - $2"; failed=1; else echo "ok $1 - $2"; fi
}
echo 1..3
test_that 1 "adds up" broken
test_that 2 "reads names" unread
if [ -e flaky ] && [ ! -e "$TMPDIR/seen" ]; then
    : > "$TMPDIR/seen"
    echo "not ok 3 - is steady"
    failed=1
else
    echo "ok 3 - is steady"
fi
exit $failed
