//! What speaks for which category, and how much: the whole model, to be read and argued with.
//!
//! Weights were set by hand and checked on the tuning half of the titles in `tests/fixtures/titles`. Words stand in their
//! base form; `evidence` also finds their `-s`, `-ed` and `-ing`. Left out on purpose: what needs a lock; `lock` finds
//! orders for that first, and here a locked category only has to outweigh the others.

use crate::domain::category::Category::{
    self, BugFix, ConfigChange, Documentation, ExternalAction, Infrastructure, NewFeature, Performance,
};

/// Words that count for a category, with their weight.
pub(super) type Row = (Category, u32, &'static str);

/// Before a colon, with or without a scope, or in brackets: `fix(parser): …`, `[Bug] …`. A label the writer chose.
pub(super) const LABELS: &[Row] = &[
    (BugFix, 12, "fix bug bugfix hotfix bugs crash regression revert"),
    (Performance, 12, "perf performance speed"),
    (Documentation, 12, "docs doc documentation readme changelog wiki manual guide tutorial faq javadoc rustdoc jsdoc"),
    (
        Infrastructure,
        12,
        "chore ci build refactor refactoring test tests style deps dependencies cleanup lint infra infrastructure \
         maintenance makefile dockerfile tooling housekeeping techdebt types renovate dependabot backups backup",
    ),
    (NewFeature, 12, "feat feature enhancement request rfe wish wishlist idea proposal i18n l10n"),
    (ConfigChange, 12, "config settings conf permissions credentials"),
    (ExternalAction, 12, "release deploy deployment announcement"),
];

/// The first verb of the title: it nearly always names the kind of work.
pub(super) const VERBS: &[Row] = &[
    (BugFix, 9, "fix repair resolve correct debug hotfix patch unbreak"),
    (BugFix, 9, "can't cant cannot couldn't won't wont doesn't doesnt unable fails failed"),
    (BugFix, 7, "revert retry handle prevent escape sanitize sanitise guard catch tolerate"),
    // New behaviour as often as a fault: another word has to say that something is wrong.
    (BugFix, 4, "validate"),
    (BugFix, 7, "ensure respect reject restore treat honour honor"),
    (BugFix, 3, "avoid stop check return don't dont never"),
    (
        Performance,
        9,
        "optimize optimise speed accelerate parallelize parallelise profile benchmark cache memoize memoise batch \
         debounce throttle preload prefetch precompile precompute lazyload lazy-load lazy lazily vectorize minify \
         tree-shake treeshake coalesce denormalize shard compress tune stream gzip",
    ),
    (Performance, 6, "reduce minimize minimise shrink defer"),
    (Performance, 7, "avoid"),
    (Performance, 5, "skip fetch reuse"),
    (Performance, 3, "improve cut use limit don't dont stop send load"),
    (Documentation, 12, "document explain describe clarify comment proofread"),
    (Documentation, 4, "translate"),
    (Documentation, 7, "mention summarize summarise annotate outline reword"),
    (Documentation, 5, "write rewrite note"),
    (
        Infrastructure,
        9,
        "refactor rename bump upgrade vacuum rotate prune reindex tidy clean cleanup dedupe deduplicate lint reformat \
         modernize modernise unit-test restructure reorganize reorganise archive pin unpin downgrade vendor",
    ),
    (Infrastructure, 7, "migrate extract split consolidate simplify unify test refresh decouple analyze-tables mock"),
    (Infrastructure, 5, "remove replace move port format run convert drop regenerate delete inline"),
    (Infrastructure, 4, "update switch clear merge"),
    (NewFeature, 8, "implement support let introduce offer redesign provide integrate develop design"),
    (NewFeature, 16, "show display"),
    (NewFeature, 9, "allow highlight filter sort search group select choose"),
    (NewFeature, 5, "add create build extend include have"),
    (
        ConfigChange,
        7,
        "enable disable turn configure revoke grant whitelist allowlist blacklist renew activate deactivate block unblock ban unban",
    ),
    (ConfigChange, 7, "set raise lower increase decrease point"),
    (ConfigChange, 5, "change adjust swap"),
    (ExternalAction, 7, "cancel order book wire contact hire announce"),
];

/// Words wherever they stand; the noun the title is about counts most, see `evidence`.
pub(super) const WORDS: &[Row] = &[
    (
        BugFix,
        4,
        "crash segfault panic exception deadlock traceback stacktrace regression bug hang freeze stuck flaky garbled \
         corrupt corrupted infinite off-by-one overflow underflow leak race vanish disappear unreadable \
         xss injection vulnerability cve nan misaligned flicker malformed incorrect incorrectly wrongly silently glitch \
         edge-case wrong duplicate duplicated mismatch robust robustness incompatible unusable issue problem trouble weird strange blurry unescaped uninitialized uninitialised dangling skew conflict inconsistent unexpected bogus mojibake",
    ),
    (BugFix, 5, "broken crashes crashing crashed"),
    (
        BugFix,
        3,
        "fail failure error lose lost ignored blank truncated overlap overlapping cannot unable never invisible",
    ),
    (BugFix, 3, "missing"),
    (BugFix, 2, "invalid undefined unresponsive null nil nothing twice warning empty escape eintr"),
    (
        Performance,
        4,
        "slow slower slowly slowness sluggish laggy lag janky jank performance perf latency throughput faster quicker \
         speedup bottleneck optimization optimisation quadratic allocation overhead inefficient redundant lazily lazy \
         forever cpu memory gc ram heap battery recompute refetch reparse rerender re-render reallocate allocate stutter excessive oom",
    ),
    (
        Performance,
        3,
        "optimize optimise polling unchanged cache caching memoization benchmark parallel efficient expensive costly linear pooling \
         unnecessary repeated fewer speed debounce batching prefetch ages hashmap concurrency",
    ),
    (
        Performance,
        2,
        "query index indexes scan batch bundle startup spike pause clone quick fast complexity profiling trip load pool \
         size recalculate seconds minutes ms",
    ),
    (
        Documentation,
        4,
        "doc documentation readme changelog docstring jsdoc javadoc rustdoc godoc guide tutorial manual handbook wiki \
         faq howto how-to walkthrough diagram glossary quickstart typo grammar spelling cookbook runbook manpage \
         contributing swagger troubleshooting instruction",
    ),
    (Documentation, 2, "comment"),
    (Documentation, 3, "architecture overview wording unclear outdated screenshot explanation chapter"),
    (Documentation, 2, "example sample description reference section explain"),
    (
        Infrastructure,
        4,
        "test ci refactor refactoring cleanup dependency deps lint linter clippy eslint prettier rustfmt coverage fixture \
         dockerfile makefile lockfile deprecated unused pre-commit dependabot renovate housekeeping maintenance \
         infrastructure vacuum rotation toolchain obsolete formatting vitest jest pytest mocha editorconfig .editorconfig \
         gitignore .gitignore tsconfig eslintrc annotation typing imports",
    ),
    (
        Infrastructure,
        3,
        "npm pnpm yarn webpack vite gulp gradle maven cmake bazel docker docker-compose podman buildkit ruff flake8 mypy \
         black isort poetry pipenv tox reproducible constant dead temp temporary tmp stale legacy helper boilerplate edition prune tidy jquery expired circular \
         useless",
    ),
    (
        Infrastructure,
        2,
        "log backup disk hook license copyright workflow pipeline library lib module version monorepo crate reindex purge archive util class code \
         function method variable callback async enum script compatibility python",
    ),
    (NewFeature, 5, "ability wizard redesign feature keybinding shortcut"),
    (NewFeature, 4, "new support plugin dashboard option theme onboarding integration wish"),
    (
        NewFeature,
        4,
        "reporting analytics tracking statistics viewer editor picker gallery playlist avatar emoji calendar chat sharing \
         widget map sidebar sticker reminder bookmark favourite favorite form screen tour in-app searchable sortable customizable customisable",
    ),
    (NewFeature, 3, "more additional multiple several custom optional another configurable"),
    (NewFeature, 2, "page button mode endpoint translation bulk filter ui recurring export"),
    (
        ConfigChange,
        3,
        "permission credential password secret firewall dns certificate apikey sshkey privatekey env envvar config \
         configuration featureflag setting",
    ),
    (ExternalAction, 3, "newsletter campaign announcement tweet subscriber"),
];

/// Several words that mean one thing.
pub(super) const PHRASES: &[Row] = &[
    (BugFix, 10, "memory leak|race condition|not working|doesn't work|doesnt work|does not work|use after free"),
    (
        BugFix,
        8,
        "no longer|does nothing|undefined behaviour|undefined behavior|double free|by zero|out of sync|false positive|leap year|out of range|out of bounds|off by one|off by|stack overflow|data loss|edge case|null check",
    ),
    (Performance, 9, "o n^2|o n|n+1|takes forever|takes too long|takes ages|too slow|event loop|main thread|ui thread"),
    (
        Performance,
        7,
        "round trip|round trips|full scan|seq scan|table scan|hot path|hot loop|memory usage|memory use|\
         memory consumption|cpu usage|load time|response time|cold start|at 100%|in a loop|lazy load|binary search|too many|too much|load times",
    ),
    (Performance, 4, "on every|each time|every time|per row|in memory|per request|whole tree|instead of one|at once"),
    (Documentation, 10, "man page|doc comment|release notes|upgrade guide|migration guide|getting started"),
    (Documentation, 8, "how do i|how does|write up|write down|docs for|documentation for"),
    (Documentation, 4, "code sample|out of date|how to"),
    (
        Infrastructure,
        8,
        "get rid of|dead code|tech debt|technical debt|clean up|log rotation|type hints|unit test|unit tests|type annotations|strict mode|license header",
    ),
    (
        NewFeature,
        12,
        "is it possible|would be nice|feature request|i'd love|i would love|i wish|ability to|option to|please add|\
         it would be great|would be great|any plans|would be cool",
    ),
    (NewFeature, 8, "no way to|could we|can we|could you|can you|a way to|support for|add support"),
];

/// Verbs of a statement: with one of them in its main clause a title tells what happens, and mostly what goes wrong.
pub(super) const STATEMENT: &str = "is not are was were isn't isnt aren't arent does doesn't doesnt don't dont did didn't \
    didnt has hasn't can't cant cannot won't wont stays stay jumps shows drops loses ignores covers overlaps breaks returns \
    throws exits accepts rejects chokes disappears appears freezes hangs flickers resets duplicates forgets swallows \
    truncates overwrites skips prints gets get leaks sticks closes opens renders displays leaves keeps goes fails fail \
    crashes crash panics raises uses lacks lack misses contains contain takes took scans blocks fires feels becomes \
    triggers creates deletes sends arrive arrives matches match eats hides moves reports reads writes logs produces \
    segfaults deadlocks causes counts converts crops cuts turns stops starts works assumes expects logged vanishes sees \
    removes sorts rounds replaces retries reloads strips escapes misses claims says refuses happens fetches grows \
    recomputes rerenders dominates eats spends shown treated swallowed mangled cleared adds leads conflicts conflict look looks makes ends \
    end blinks blurs wraps scrolls flashes repeats differs lags stutters drains blows compiles builds loads can";

/// Of these, those that are as often the plural of a noun; right behind the first word they are that.
pub(super) const ALSO_PLURALS: &str = "logs reports counts matches sorts scans blocks uses prints reads writes cuts turns \
    stops starts sends moves shows triggers works claims replaces retries escapes renders displays fires drops builds loads ends looks conflicts wraps repeats makes";

/// Of these, those that start a title as an order, whatever follows.
pub(super) const SELDOM_NOUNS: &str = "upgrade update lint fetch load limit use vendor pin set move show display filter \
    sort search group select";

/// With one of these a statement tells what is to happen rather than what goes wrong.
pub(super) const OCCASIONS: &str = "due overdue waiting wants asked asks expires expired expiring must should tomorrow today \
    tonight monday tuesday wednesday thursday friday saturday sunday ready pending unpaid deadline soon owed owe owes \
    needs need want";

/// Verbs that are as often a noun: with a statement behind them they are its subject.
pub(super) const ALSO_NOUNS: &str = "search build test cache log comment import export sort release profile batch index \
    scroll upload download query load link tag stream format patch debug check return point design support show display \
    guard document comment profile crash throttle preload retry speed cleanup notify group select order set run port drop change switch move lint split update upgrade merge archive mock vendor benchmark \
    throttle pin use cut limit fetch send delete clean filter request";
