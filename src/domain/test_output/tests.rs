//! Tables for each form, recorded from the real runners where they were at hand (cargo, nextest, unittest, node).

use super::*;
use crate::domain::build::{Outcome, TestsVerdict, Verdict};
use crate::domain::settings::Better;
use proptest::prelude::*;

fn read_counts(output: &str) -> TestCounts {
    let mut reader = OutputReader::default();
    // In pieces, as it is read from a log.
    output.as_bytes().chunks(97).for_each(|piece| reader.push(piece));
    reader.finish()
}

fn counts(passed: Option<u32>, failed: Option<u32>, failing: &[&str]) -> TestCounts {
    TestCounts { passed, failed, failing: failing.iter().map(|n| (*n).to_string()).collect() }
}

const CARGO: &str = "\
     Running unittests src/lib.rs (/t/debug/deps/demo-8348ca7a80742723)

running 4 tests
test tests::good ... ok
test tests::ig ... ignored
test tests::bad ... FAILED
test tests::sp - should panic ... ok

failures:

---- tests::bad stdout ----

thread 'tests::bad' (15994) panicked at src/lib.rs:5:63:
no

failures:
    tests::bad

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.09s

error: test failed, to rerun pass `--lib`
     Running tests/x.rs (/t/debug/deps/x-225eed97fc66f714)

running 2 tests
test other ... ok
test tests::bad ... FAILED

failures:
    tests::bad

test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.08s

   Doc-tests demo

running 1 test
test src/lib.rs - f (line 1) ... FAILED

failures:
    src/lib.rs - f (line 1)

test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.08s
";

const NEXTEST: &str = "\
────────────
 Nextest run ID 369f5ddd with nextest profile: default
    Starting 5 tests across 2 binaries (1 test skipped)
        PASS [   0.015s] (1/5) demo tests::good
        FAIL [   0.097s] (2/5) demo tests::bad
  stdout ───

running 1 test
test tests::bad ... FAILED
test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.09s

  TRY 1 FAIL [   0.100s] (3/5) demo tests::sp
        PASS [   0.100s] (3/5) demo tests::sp
        PASS [   0.007s] (4/5) demo::x other
     TIMEOUT [   0.092s] (5/5) demo::x bad
────────────
     Summary [   0.191s] 5 tests run: 3 passed, 1 failed, 1 timed out, 1 skipped
        FAIL [   0.097s] (2/5) demo tests::bad
     TIMEOUT [   0.092s] (5/5) demo::x bad
error: test run failed
   Doc-tests demo

running 1 test
test src/lib.rs - f (line 1) ... ok

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.08s
";

const PYTEST: &str = "\
tests/test_a.py::test_ok PASSED                      [ 25%]
tests/test_a.py::test_no FAILED                      [ 50%]
=========================== short test summary info ============================
FAILED tests/test_a.py::test_no - AssertionError: assert 1 == 2
FAILED tests/test_a.py::test_p[a - b] - ValueError: x - y
ERROR tests/test_b.py - ImportError: no module
============ 2 failed, 12 passed, 1 skipped, 3 warnings, 1 error in 62.12s (0:01:02) =============
";

const UNITTEST: &str = "\
.FFsE
======================================================================
ERROR: test_e (test_u.T.test_e)
----------------------------------------------------------------------
ValueError
======================================================================
FAIL: test_b (test_u.T.test_b)
----------------------------------------------------------------------
AssertionError: x
======================================================================
FAIL: test_c (test_u.T.test_c) (i=1)
----------------------------------------------------------------------
Ran 5 tests in 0.003s

FAILED (failures=2, errors=1, skipped=1)
";

const GO: &str = "\
=== RUN   TestA
--- PASS: TestA (0.00s)
=== RUN   TestB
--- FAIL: TestB (0.00s)
    b_test.go:5: no
    --- FAIL: TestB/sub_case (0.00s)
FAIL
FAIL\texample.com/a\t0.003s
ok  \texample.com/b\t0.002s
?   \texample.com/c\t[no test files]
--- FAIL: TestB (0.00s)
FAIL\texample.com/d\t0.010s
FAIL\texample.com/e [build failed]
FAIL
";

const TAP: &str = "TAP version 13\n1..5\nok 1 - x\nnot ok 2 - y\nok 3 z # SKIP no net\nnot ok 4 - later # TODO\nok 5\n";

const NODE_TAP: &str = "\
TAP version 13
# Subtest: adds
ok 1 - adds
# Subtest: fails
not ok 2 - fails
  ---
  failureType: 'testCodeFailure'
  ...
# Subtest: suite
    # Subtest: inner bad
    not ok 2 - inner bad
      ---
      failureType: 'testCodeFailure'
      ...
    1..2
not ok 3 - suite
  ---
  type: 'suite'
  ...
1..3
# tests 4
# suites 1
# pass 2
# fail 2
# cancelled 0
# skipped 0
";

const NODE_SPEC: &str = "\
✔ adds (0.5ms)
✖ fails (1.2ms)
▶ suite
  ✖ inner bad (0.9ms)
✖ suite (1.5ms)
ℹ tests 3
ℹ suites 1
ℹ pass 1
ℹ fail 2

✖ failing tests:

test at a.test.mjs:2:23
✖ fails (1.2ms)
  AssertionError
test at a.test.mjs:3:49
✖ inner bad (0.9ms)
";

const JEST: &str = "\
PASS src/b.test.js
FAIL src/a.test.js (5.1 s)
  ● sums › adds negatives

    expect(received).toBe(expected)

FAIL src/c.test.js
  ● Test suite failed to run

    SyntaxError

Summary of all failing tests
FAIL src/a.test.js
  ● sums › adds negatives

Test Suites: 2 failed, 1 passed, 3 total
Tests:       1 failed, 2 skipped, 12 passed, 15 total
Snapshots:   0 total
";

const VITEST: &str = "\
 ❯ src/a.test.ts (2 tests | 1 failed) 12ms
   × sums > adds 5ms
 FAIL  src/a.test.ts > sums > adds
AssertionError: expected 1 to be 2
 Test Files  1 failed | 1 passed (2)
      Tests  1 failed | 12 passed (13)
";

#[test]
fn each_known_form_is_read() {
    let table = [
        (CARGO, counts(Some(3), Some(3), &["demo tests::bad", "src/lib.rs - f (line 1)", "x tests::bad"])),
        (NEXTEST, counts(Some(4), Some(2), &["demo tests::bad", "demo::x bad"])),
        (
            PYTEST,
            counts(
                Some(12),
                Some(3),
                &["tests/test_a.py::test_no", "tests/test_a.py::test_p[a - b]", "tests/test_b.py"],
            ),
        ),
        (
            UNITTEST,
            counts(
                Some(1),
                Some(3),
                &["test_b (test_u.T.test_b)", "test_c (test_u.T.test_c) (i=1)", "test_e (test_u.T.test_e)"],
            ),
        ),
        (
            GO,
            counts(
                Some(1),
                Some(4),
                &["TestB/sub_case", "example.com/a TestB", "example.com/d TestB", "example.com/e [build failed]"],
            ),
        ),
        (TAP, counts(Some(2), Some(1), &["y"])),
        (NODE_TAP, counts(Some(2), Some(2), &["fails", "inner bad"])),
        (NODE_SPEC, counts(Some(1), Some(2), &["fails", "inner bad"])),
        (JEST, counts(Some(12), Some(2), &["src/c.test.js", "sums › adds negatives"])),
        (VITEST, counts(Some(12), Some(1), &["sums > adds"])),
        ("\n  12 passing (34ms)\n  1 failing\n", counts(Some(12), Some(1), &[])),
        ("12 passed in 0.03s", counts(Some(12), Some(0), &[])),
        ("Ran 3 tests in 0.1s\n\nOK (skipped=1)", counts(Some(2), Some(0), &[])),
    ];
    for (output, expected) in table {
        assert_eq!(read_counts(output), expected, "{output}");
    }
}

#[test]
fn two_runners_in_one_output_are_added() {
    let both = format!("{CARGO}\n{PYTEST}");
    assert_eq!(read_counts(&both).passed, Some(15));
    assert_eq!(read_counts(&both).failed, Some(6));
    let with_go = format!("ok  \texample.com/b\t0.002s\n{PYTEST}");
    assert_eq!(read_counts(&with_go).passed, None, "go without -v does not say");
}

#[test]
fn colours_and_carriage_returns_are_no_obstacle() {
    let output = "\u{1b}[1mrunning 1 test\u{1b}[0m\r\ncompiling 10%\rtest a ... \u{1b}[31mFAILED\u{1b}(B\n\
        test result: \u{1b}]8;;http://x\u{7}FAILED\u{1b}]8;;\u{1b}\\. 0 passed; 1 failed; 0 ignored";
    assert_eq!(read_counts(output), counts(Some(0), Some(1), &["a"]));
}

#[test]
fn what_is_cut_off_gives_no_counts() {
    let crashed =
        "running 3 tests\ntest a ... ok\ntest b ... FAILED\nerror: process didn't exit successfully (signal: 11)";
    assert_eq!(read_counts(crashed), counts(None, None, &["b"]));
    assert_eq!(read_counts("1..4\nok 1 - a\nnot ok 2 - b\n"), counts(None, None, &["b"]));
    let mut reader = OutputReader::default();
    reader.push(CARGO.as_bytes());
    reader.push(b"a line that lost its ");
    reader.gap();
    reader.push(b"test tests::late ... FAILED\n");
    let read = reader.finish();
    assert_eq!((read.passed, read.failed, read.failing.len()), (None, None, 4));
}

#[test]
fn what_is_remembered_of_an_endless_list_of_tests_is_bounded() {
    let mut reader = OutputReader::default();
    reader.push(b"1..400000\n");
    for n in 0..400_000 {
        reader.push(format!("not ok {n} - it is broken in way {n}\n").as_bytes());
    }
    assert!(reader.taken < limits::TAKEN_BYTES + limits::LINE_BYTES + limits::LINE_COSTS);
    let read = reader.finish();
    assert_eq!((read.passed, read.failed, read.failing.len()), (None, None, limits::NAMES));
}

#[test]
fn unknown_output_gives_nothing() {
    for output in
        ["", "all good", "ok then\nRunning late (sorry)\nFAIL: not a test", "5 failed attempts in total", "ok"]
    {
        assert_eq!(read_counts(output), TestCounts::default(), "{output}");
    }
}

#[test]
fn names_are_capped_and_then_not_called_complete() {
    let lines: Vec<String> = (0..300).map(|n| format!("test t{n:03} ... FAILED")).collect();
    let tests = lines.join("\n");
    let read =
        read_counts(&format!("running 300 tests\n{tests}\ntest result: FAILED. 0 passed; 300 failed; 0 ignored\n"));
    assert_eq!((read.failed, read.failing.len()), (Some(300), limits::NAMES));
    assert!(!fully_named(&read));
}

fn verdict(tests: TestsVerdict, counts: TestCounts) -> Verdict {
    Verdict { tests, counts, measure: None, trouble: None, cut_short: false }
}

fn red(passed: u32, failing: &[&str]) -> Verdict {
    verdict(TestsVerdict::Failed, counts(Some(passed), u32::try_from(failing.len()).ok(), failing))
}

fn green(passed: u32) -> Verdict {
    verdict(TestsVerdict::Passed, counts(Some(passed), Some(0), &[]))
}

#[test]
fn a_result_is_judged_against_its_base() {
    let nameless = verdict(TestsVerdict::Failed, TestCounts::default());
    let failed_count = |n| verdict(TestsVerdict::Failed, counts(None, Some(n), &[]));
    let uncounted = verdict(TestsVerdict::Failed, counts(None, Some(1), &["a"]));
    let table = [
        (Some(green(48)), green(48), Outcome::Verified, "48 tests pass"),
        (Some(green(48)), green(40), Outcome::Verified, "40 tests pass, 8 fewer than before"),
        (None, green(1), Outcome::Verified, "1 test passes"),
        (Some(red(8, &["a", "b"])), green(10), Outcome::Verified, "mends 2 tests that failed before; 10 tests pass"),
        (
            Some(red(8, &["a", "b"])),
            green(8),
            Outcome::Verified,
            "8 tests pass; 2 tests that failed before may have been removed, as no more pass than before",
        ),
        (Some(nameless.clone()), green(8), Outcome::Verified, "8 tests pass; they failed before this change"),
        (Some(green(9)), red(8, &["a"]), Outcome::TestsFailed, "1 test fails: a; it passed before this change"),
        (Some(red(8, &["a"])), red(7, &["a", "b"]), Outcome::TestsFailed, "breaks 1 test: b"),
        (
            Some(red(8, &["a", "b"])),
            red(9, &["b"]),
            Outcome::Verified,
            "mends 1 test that failed before; 1 still red as before",
        ),
        (Some(red(8, &["a"])), red(8, &["a"]), Outcome::Verified, "no new failures; 1 still red as before"),
        (
            Some(red(8, &["a"])),
            red(6, &["a"]),
            Outcome::Unverified,
            "no new failures, but 2 passing tests fewer than before",
        ),
        (
            Some(red(8, &["a", "b"])),
            red(8, &["b"]),
            Outcome::Unverified,
            "1 test that failed before may have been removed",
        ),
        (
            Some(uncounted.clone()),
            uncounted,
            Outcome::Unverified,
            "no new failures by name, but the output does not say how many tests pass",
        ),
        (
            Some(nameless.clone()),
            nameless.clone(),
            Outcome::Unverified,
            "the base was red already and its output names no tests",
        ),
        (
            Some(failed_count(2)),
            failed_count(5),
            Outcome::TestsFailed,
            "5 tests fail where 2 failed before this change",
        ),
        (
            Some(red(8, &["a"])),
            nameless.clone(),
            Outcome::Unverified,
            "the base was red already and the result's output names no tests",
        ),
        (None, red(8, &["a"]), Outcome::TestsFailed, "1 test fails: a; whether they did before is not known"),
        (
            Some(green(1)),
            verdict(TestsVerdict::Flaky, TestCounts::default()),
            Outcome::Flaky,
            "the tests failed once and passed once on the very same commit",
        ),
        (
            None,
            verdict(TestsVerdict::NoCommand, TestCounts::default()),
            Outcome::Unverified,
            "the project has no verify command, so nothing was checked",
        ),
        (
            None,
            Verdict { trouble: Some("no space".into()), ..verdict(TestsVerdict::Impossible, TestCounts::default()) },
            Outcome::Failed,
            "the check could not be done: no space",
        ),
    ];
    for (base, result, outcome, text) in table {
        let judgement = judge(base.as_ref(), &result);
        assert_eq!((judgement.outcome, judgement.text.as_str()), (outcome, text));
    }
    let judgement = judge(Some(&red(8, &["a", "c"])), &red(8, &["b", "c"]));
    assert_eq!((judgement.broke, judgement.mended), (vec!["b".to_string()], vec!["a".to_string()]));
}

#[test]
fn a_measure_is_compared_in_the_words_of_its_unit() {
    let table = [
        (210.0, 40.0, Better::Lower, "ms", Some("5.2× faster (210 ms → 40 ms)")),
        (40.0, 52.0, Better::Lower, "ms", Some("1.3× slower (40 ms → 52 ms)")),
        (100.0, 104.0, Better::Lower, "s", Some("no difference (100 s → 104 s)")),
        (100.0, 1900.0, Better::Higher, "req/s", Some("19× faster (100 req/s → 1900 req/s)")),
        (10.0, 5.0, Better::Lower, "MiB", Some("2.0× smaller (10 MiB → 5 MiB)")),
        (10.0, 5.0, Better::Higher, "points", Some("2.0× worse (10 points → 5 points)")),
        (0.0, 5.0, Better::Lower, "ms", None),
        (f64::NAN, 5.0, Better::Lower, "ms", None),
    ];
    for (base, result, better, unit, text) in table {
        assert_eq!(speed(base, result, better, unit).as_deref(), text);
    }
}

#[test]
fn the_last_number_is_found() {
    let table = [
        ("warm-up 3\nmedian: 40.2ms\n\n", Some(40.2)),
        ("time=1.5e-3s", Some(0.0015)),
        ("total 1,234.5 req/s", Some(1234.5)),
        ("40\np95 of v2 on 2026-03-14 at 10:30 with 1.2.3", Some(40.0)),
        ("mean:12ms", Some(12.0)),
        ("delta -3", Some(-3.0)),
        ("\u{1b}[32m7\u{1b}[0m", Some(7.0)),
        ("no number, NaN, inf, 1,2,3", None),
        ("", None),
    ];
    for (output, number) in table {
        assert_eq!(last_number(output), number, "{output}");
    }
}

proptest! {
    #[test]
    fn no_output_is_too_strange(output in "(\\PC|[\u{1b}\n\r\t]|test |ok |not ok |FAIL|--- FAIL: | passed|1\\.\\.|\\(|=){0,300}") {
        let counts = read_counts(&output);
        prop_assert!(counts.failing.len() <= limits::NAMES);
        let _number = last_number(&output);
        let red = verdict(TestsVerdict::Failed, counts);
        // Nothing can be called broken by comparing an output with itself.
        prop_assert!(judge(Some(&red), &red).broke.is_empty());
    }

    #[test]
    fn a_red_result_with_a_new_failure_is_never_verified(
        before in proptest::collection::btree_set("[a-e]", 0..4),
        after in proptest::collection::btree_set("[a-g]", 1..5),
        passed in 0u32..5, passed_after in 0u32..5,
    ) {
        let names = |set: &BTreeSet<String>| set.iter().map(String::as_str).map(str::to_string).collect::<Vec<_>>();
        let (before, after) = (names(&before), names(&after));
        let of = |passed, names: &[String]| red(passed, &names.iter().map(String::as_str).collect::<Vec<_>>());
        let judgement = judge(Some(&of(passed, &before)), &of(passed_after, &after));
        if after.iter().any(|name| !before.contains(name)) {
            prop_assert_ne!(judgement.outcome, Outcome::Verified);
        }
        if judgement.outcome == Outcome::Verified {
            prop_assert!(judgement.broke.is_empty() && passed_after >= passed);
        }
    }
}
