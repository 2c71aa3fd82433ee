-- The first schema. Times are INTEGER milliseconds since 1970-01-01 UTC; words are the domain's stored words;
-- JSON columns hold the domain type named beside them.

-- Single values: 'installed_at' (ms), 'paused' (who and when, JSON; absent when not paused).
CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,              -- name of the value
    value TEXT NOT NULL                           -- the value
) STRICT;

-- What the owner queued.
CREATE TABLE task (
    id               INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, -- shown as #12; never used twice
    title            TEXT    NOT NULL,            -- one line
    details          TEXT    NOT NULL,            -- more for the agent; data, never a command
    project          TEXT,                        -- name of a configured project
    kind             TEXT    NOT NULL,            -- code, artifact, action
    category         TEXT    NOT NULL,            -- performance, bug_fix, …
    priority         TEXT    NOT NULL,            -- LOW, MEDIUM, HIGH, CRITICAL
    estimate_minutes INTEGER NOT NULL,            -- the owner's estimate
    not_before       INTEGER,                     -- not to be started before
    agent            TEXT,                        -- name of a configured agent; NULL takes the project's
    command          TEXT    NOT NULL,            -- JSON array: an action's argv, an artifact's check command
    state            TEXT    NOT NULL,            -- draft, open, done, dropped
    revision         INTEGER NOT NULL,            -- counts edits, 1 at first
    text_lock        TEXT,                        -- why the text itself asks for something locked
    source           TEXT    NOT NULL,            -- who queued it: owner, pattern
    created_at       INTEGER NOT NULL,            -- when it was queued
    attempts         INTEGER NOT NULL DEFAULT 0,  -- builds started for this revision
    retry_at         INTEGER,                     -- after a transient failure: not again before
    ended_at         INTEGER                      -- when it became done or dropped
) STRICT;
CREATE INDEX task_by_state ON task (state, id);
CREATE INDEX task_by_creation ON task (created_at);

-- Tasks that must have completed before another may start.
CREATE TABLE task_dependency (
    task_id  INTEGER NOT NULL REFERENCES task (id), -- the one that waits
    needs_id INTEGER NOT NULL REFERENCES task (id), -- the one it waits for
    PRIMARY KEY (task_id, needs_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX task_dependency_by_needs ON task_dependency (needs_id);

-- The owner's decisions about locked tasks.
CREATE TABLE approval (
    id            INTEGER NOT NULL PRIMARY KEY,            -- row number
    task_id       INTEGER NOT NULL REFERENCES task (id), -- which task
    revision_hash TEXT    NOT NULL,               -- SHA-256 of what was shown
    approver      TEXT    NOT NULL,               -- platform and numeric id
    decided_at    INTEGER NOT NULL,               -- when
    used_at       INTEGER,                        -- when a build used it
    voided_at     INTEGER,                        -- when an edit, a withdrawal or the task's end voided it
    void_reason   TEXT                            -- why
) STRICT;
CREATE INDEX approval_by_task ON approval (task_id, voided_at);

-- What each button means; a chat carries only the nonce.
CREATE TABLE button (
    nonce      TEXT    NOT NULL PRIMARY KEY,      -- 32 hex digits, 128 bits
    meaning    TEXT    NOT NULL,                  -- JSON of domain::button::Meaning
    created_at INTEGER NOT NULL,                  -- when it was made
    expires_at INTEGER NOT NULL,                  -- not obeyed after
    used_at    INTEGER,                           -- when it was obeyed
    answer     TEXT                               -- what was answered then; repeated to a second tap
) STRICT, WITHOUT ROWID;
CREATE INDEX button_by_expiry ON button (expires_at);
CREATE INDEX button_by_meaning ON button (meaning) WHERE used_at IS NULL;

-- Sessions. At most one nightly row a scheduled date: this index is what makes a second night impossible.
CREATE TABLE session (
    id            INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, -- row number
    kind          TEXT    NOT NULL,               -- nightly, manual, single
    date          TEXT    NOT NULL,               -- scheduled local date, YYYY-MM-DD
    phase         TEXT    NOT NULL,               -- health … closed, or missed
    started_at    INTEGER NOT NULL,               -- when it really started, or when the miss was noticed
    patterns_at   INTEGER NOT NULL,               -- when phase 2 may begin
    spawn_at      INTEGER NOT NULL,               -- when builds may begin
    spawn_until   INTEGER NOT NULL,               -- when spawning ends
    brief_at      INTEGER NOT NULL,               -- when the brief is due
    health_done   INTEGER NOT NULL DEFAULT 0,     -- 1 once phase 1 is recorded
    patterns_done INTEGER NOT NULL DEFAULT 0,     -- 1 once phase 2 is recorded
    progress_at   INTEGER,                        -- scheduled moment of the last progress check told
    only_task     INTEGER REFERENCES task (id),   -- for a single-task session
    keep_until    INTEGER,                        -- keep building: spawning goes on until then
    reported_at   INTEGER,                        -- when the report was written
    report_path   TEXT,                           -- where
    briefed_at    INTEGER,                        -- when the brief was put into the outbox
    stopped       INTEGER NOT NULL DEFAULT 0,     -- 1 when the owner ended it early
    late_minutes  INTEGER NOT NULL DEFAULT 0,     -- how late it started
    missed_reason TEXT                            -- for a missed night
) STRICT;
CREATE UNIQUE INDEX one_nightly_session_a_date ON session (date) WHERE kind = 'nightly';
CREATE INDEX session_by_phase ON session (phase);

-- One attempt at a task.
CREATE TABLE build (
    id             INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, -- names logs/subagent_<id>.log
    task_id        INTEGER NOT NULL REFERENCES task (id), -- which task
    session_id     INTEGER NOT NULL REFERENCES session (id), -- started in which session
    attempt        INTEGER NOT NULL,              -- 1 for the first
    slot           INTEGER NOT NULL,              -- 0, 1, … unique among its project's open builds: its port range
    step           TEXT    NOT NULL,              -- preparing … ended
    started_at     INTEGER NOT NULL,              -- when it started: also its lease on a permit, held until ended
    step_at        INTEGER NOT NULL,              -- when the step it is in began
    on_top_of      TEXT,                          -- commit of the task it depends on, instead of the base
    base           TEXT,                          -- commit it builds on
    prepared       INTEGER NOT NULL DEFAULT 0,    -- 1 once its clone is made
    host_failure   TEXT,                          -- JSON HostFailure
    result         TEXT,                          -- commit the host made
    change         TEXT,                          -- JSON Change, once collected
    check_id       INTEGER REFERENCES checks (id), -- check of the result
    progress       INTEGER,                       -- 0–100, claimed by the agent
    progress_text  TEXT,                          -- its words
    log_offset     INTEGER NOT NULL DEFAULT 0,    -- how far its log was read for progress
    stop_requested TEXT,                          -- owner, time_limit, disk
    outcome        TEXT,                          -- set exactly when step is 'ended'
    reason         TEXT    NOT NULL DEFAULT '',   -- why it ended so
    ended_at       INTEGER,                       -- when
    told_at        INTEGER,                       -- when its end was told after the brief was out
    CHECK ((step = 'ended') = (outcome IS NOT NULL))
) STRICT;
-- One open build a task: no crash and no race can start a second.
CREATE UNIQUE INDEX one_open_build_a_task ON build (task_id) WHERE step <> 'ended';
CREATE INDEX open_build ON build (id) WHERE step <> 'ended';
CREATE INDEX build_by_session ON build (session_id, id);
CREATE INDEX build_by_task ON build (task_id, id);
CREATE INDEX build_by_end ON build (ended_at);

-- Verification of one commit.
CREATE TABLE checks (
    id           INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, -- row number
    session_id   INTEGER NOT NULL REFERENCES session (id), -- in which session
    project      TEXT    NOT NULL,                -- which project
    commit_sha   TEXT    NOT NULL,                -- which commit; '' until a base is resolved
    purpose      TEXT    NOT NULL,                -- base, result
    build_id     INTEGER REFERENCES build (id),   -- the build it judges
    step         TEXT    NOT NULL,                -- waiting … ended
    step_at      INTEGER NOT NULL,                -- when the step it is in began
    prepared     INTEGER NOT NULL DEFAULT 0,      -- 1 once its clone is made
    host_failure TEXT,                            -- JSON HostFailure
    verdict      TEXT                             -- JSON Verdict, once ended
) STRICT;
CREATE UNIQUE INDEX one_base_check_a_session ON checks (session_id, project) WHERE purpose = 'base';
CREATE UNIQUE INDEX one_check_a_build ON checks (build_id) WHERE build_id IS NOT NULL;
CREATE INDEX open_check ON checks (id) WHERE step <> 'ended';

-- One supervised command.
CREATE TABLE run (
    id             INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, -- names its folder
    owner_kind     TEXT    NOT NULL,              -- build, check
    owner_id       INTEGER NOT NULL,              -- build.id or checks.id
    step           TEXT    NOT NULL,              -- setup, agent, verify, verify_again, measure
    started_at     INTEGER NOT NULL,              -- when it was launched
    stop_requested TEXT,                          -- owner, time_limit, disk
    ended_at       INTEGER,                       -- when its end was seen
    ending         TEXT,                          -- JSON RunEnding
    elapsed_ms     INTEGER,                       -- run time by the supervisor's monotonic clock
    leftovers      INTEGER NOT NULL DEFAULT 0,    -- stray processes that had to be ended
    log_path       TEXT    NOT NULL,              -- its output
    counts         TEXT,                          -- JSON TestCounts of a verify run
    measured       REAL                           -- number a measure run printed
) STRICT;
CREATE UNIQUE INDEX one_run_a_step ON run (owner_kind, owner_id, step);
CREATE INDEX open_run ON run (id) WHERE ended_at IS NULL;

-- What the health check found and did.
CREATE TABLE problem (
    id         INTEGER NOT NULL PRIMARY KEY,               -- row number
    session_id INTEGER NOT NULL REFERENCES session (id), -- found in which session
    kind       TEXT    NOT NULL,                  -- old_logs, large_log, database_bloat, …
    severity   TEXT    NOT NULL,                  -- info, warning, critical
    subject    TEXT    NOT NULL,                  -- which file or folder
    detail     TEXT    NOT NULL,                  -- what is wrong
    fixed      TEXT,                              -- what was done about it; NULL: nothing
    why_not    TEXT,                              -- why it was not fixed
    freed      INTEGER NOT NULL DEFAULT 0,        -- bytes freed on disk
    fixable    INTEGER NOT NULL,                  -- 1: there is a safe fix for it
    UNIQUE (session_id, kind, subject)
) STRICT;

-- Habits seen in a session's pattern check.
CREATE TABLE pattern (
    id         INTEGER NOT NULL PRIMARY KEY,               -- row number
    session_id INTEGER NOT NULL REFERENCES session (id), -- seen in which session
    title      TEXT    NOT NULL,                  -- title of the latest such task
    said_when  TEXT    NOT NULL,                  -- such as 'Thursday'
    support    INTEGER NOT NULL,                  -- how many times it happened
    chances    INTEGER NOT NULL,                  -- of how many
    confidence REAL    NOT NULL,                  -- 0–1
    action     TEXT    NOT NULL,                  -- what was done about it
    task_id    INTEGER REFERENCES task (id)       -- the task it queued
) STRICT;
CREATE INDEX pattern_by_session ON pattern (session_id);

-- Times when a resource was short.
CREATE TABLE throttle (
    id         INTEGER NOT NULL PRIMARY KEY,               -- row number
    kind       TEXT    NOT NULL,                  -- disk, memory, memory_pressure
    detail     TEXT    NOT NULL,                  -- what was seen
    since      INTEGER NOT NULL,                  -- when it began
    until      INTEGER                            -- when it ended
) STRICT;
CREATE UNIQUE INDEX one_open_throttle_a_kind ON throttle (kind) WHERE until IS NULL;
CREATE INDEX throttle_by_time ON throttle (since);

-- Resource samples; old ones are thinned out.
CREATE TABLE sample (
    at   INTEGER NOT NULL PRIMARY KEY,            -- when
    data TEXT    NOT NULL                         -- JSON Sample
) STRICT;

-- Times when the machine, or the bot, was not awake although it should have been.
CREATE TABLE gap (
    since INTEGER NOT NULL PRIMARY KEY,           -- last sign of life before
    until INTEGER NOT NULL                        -- first sign of life after
) STRICT;

-- Scheduled dates the owner asked to skip.
CREATE TABLE skipped_night (
    date     TEXT    NOT NULL PRIMARY KEY,        -- YYYY-MM-DD
    asked_at INTEGER NOT NULL                     -- when
) STRICT, WITHOUT ROWID;

-- Which message of a person became which task: an edit of the message edits the task.
CREATE TABLE task_message (
    chat    TEXT    NOT NULL,                     -- address it was written in
    message TEXT    NOT NULL,                     -- the platform's id of the person's message
    place   INTEGER NOT NULL,                     -- 0 for the first task of the message
    task_id INTEGER NOT NULL REFERENCES task (id), -- what became of it
    PRIMARY KEY (chat, message, place)
) STRICT, WITHOUT ROWID;

-- Locked tasks the owner does not want to be asked about for now.
CREATE TABLE snooze (
    task_id INTEGER NOT NULL PRIMARY KEY REFERENCES task (id), -- which
    until   INTEGER NOT NULL                      -- asked again after
) STRICT;

-- What came in from a chat, stored before it is confirmed to the platform.
CREATE TABLE inbox (
    id          INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, -- order of arrival
    chat        TEXT    NOT NULL,                 -- address to answer to: platform, or platform:chat[/topic]
    key         TEXT    NOT NULL,                 -- the platform's exact id of the update
    body        TEXT    NOT NULL,                 -- JSON Incoming
    received_at INTEGER NOT NULL,                 -- when
    handled_at  INTEGER,                          -- when it was handled
    trouble     TEXT,                             -- what went wrong while handling it
    UNIQUE (chat, key)
) STRICT;
CREATE INDEX inbox_open ON inbox (id) WHERE handled_at IS NULL;

-- What the owner is shown. A row is one message; changing it edits the message in place.
CREATE TABLE outbox (
    id             INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, -- order of saying
    chat           TEXT    NOT NULL,              -- address: platform, or platform:chat[/topic]
    key            TEXT    NOT NULL,              -- unique for ever: brief:2026-03-14, reply:17, card:12:1
    message        TEXT    NOT NULL,              -- JSON Message
    silent         INTEGER NOT NULL,              -- 1: no sound
    tap            TEXT,                          -- the platform's id of the tap this answers
    revision       INTEGER NOT NULL DEFAULT 1,    -- counts changes
    shown_revision INTEGER NOT NULL DEFAULT 0,    -- the revision the chat has
    state          TEXT    NOT NULL DEFAULT 'pending', -- pending, sending, sent, gone
    attempts       INTEGER NOT NULL DEFAULT 0,    -- tries of the current revision
    next_at        INTEGER NOT NULL,              -- not to be tried before
    ref            TEXT,                          -- where the chat keeps it
    created_at     INTEGER NOT NULL,              -- when it was first said
    sent_at        INTEGER,                       -- when it last arrived
    trouble        TEXT,                          -- the last error
    UNIQUE (chat, key)
) STRICT;
CREATE INDEX outbox_due ON outbox (chat, id) WHERE state IN ('pending', 'sending');

-- Every decision, append-only.
CREATE TABLE audit (
    id      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,    -- order
    at      INTEGER NOT NULL,                     -- when
    actor   TEXT    NOT NULL,                     -- planner, host, cli, or who tapped
    kind    TEXT    NOT NULL,                     -- spawned, approved, throttled, …
    task_id INTEGER,                              -- about which task
    text    TEXT    NOT NULL                      -- what was decided and why
) STRICT;
CREATE INDEX audit_by_task ON audit (task_id, id);
CREATE TRIGGER audit_is_append_only_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TRIGGER audit_is_append_only_delete BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;

-- One row before each mutation of a repository or of the owner's files.
CREATE TABLE operation (
    id       INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,   -- order
    at       INTEGER NOT NULL,                    -- when it was about to happen
    kind     TEXT    NOT NULL,                    -- set_ref, fix_log, vacuum, …
    subject  TEXT    NOT NULL,                    -- repository and ref, or file
    before   TEXT,                                -- state before
    after    TEXT,                                -- state after
    task_id  INTEGER,                             -- for which task
    done_at  INTEGER                              -- when it was seen to have happened
) STRICT;
CREATE INDEX operation_open ON operation (subject) WHERE done_at IS NULL;
