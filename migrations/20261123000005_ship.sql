-- Landings: a build's result shipped to its project's branch, or one taken back.
CREATE TABLE ship (
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, -- order in its project's queue
    kind       TEXT    NOT NULL,                  -- ship, revert
    build_id   INTEGER NOT NULL REFERENCES build (id), -- whose result
    project    TEXT    NOT NULL,                  -- of which project
    branch     TEXT,                              -- onto which branch; NULL for a build from before this was kept
    step       TEXT    NOT NULL,                  -- queued, picking, checking, checking_base, landing, waiting, ended
    step_at    INTEGER NOT NULL,                  -- when the step it is in began
    asked_by   TEXT    NOT NULL,                  -- platform and numeric id
    asked_at   INTEGER NOT NULL,                  -- when
    asked_onto TEXT,                              -- commit the branch was at then; only our landings may move it since
    from_sha   TEXT    NOT NULL,                  -- the change begins here
    to_sha     TEXT    NOT NULL,                  -- and leads here
    verified   INTEGER NOT NULL,                  -- 1: to_sha was verified as it is
    found      TEXT,                              -- JSON domain::ship::Found: what the host's last step came to
    onto       TEXT,                              -- where the branch was when the change was carried over
    commit_sha TEXT,                              -- what shall land
    check_id   INTEGER REFERENCES checks (id),    -- the check of that
    base_check_id INTEGER REFERENCES checks (id), -- the check of the branch itself, after that failed
    red        TEXT,                              -- commit of the branch whose own tests failed
    waits      TEXT,                              -- what the owner has to do before it goes on
    retry_at   INTEGER,                           -- when it is tried again
    outcome    TEXT,                              -- landed, moved, conflict, …; set exactly when step is 'ended'
    reason     TEXT    NOT NULL DEFAULT '',       -- why it ended so
    ended_at   INTEGER,                           -- when
    CHECK ((step = 'ended') = (outcome IS NOT NULL))
) STRICT;
-- No crash and no double tap ships a result twice at once.
CREATE UNIQUE INDEX one_open_ship_a_build ON ship (build_id) WHERE step <> 'ended';
-- Serial: one of a project at a time.
CREATE UNIQUE INDEX one_ship_at_work_a_project ON ship (project) WHERE step NOT IN ('queued', 'ended');
CREATE INDEX ship_by_build ON ship (build_id, id);
CREATE INDEX landed_ship ON ship (project, id) WHERE outcome = 'landed';

-- Results the owner does not want.
CREATE TABLE discarded (
    build_id     INTEGER NOT NULL PRIMARY KEY REFERENCES build (id), -- whose
    discarded_by TEXT    NOT NULL,                -- platform and numeric id
    discarded_at INTEGER NOT NULL                 -- when
) STRICT;

-- A mutation that was announced and seen not to have happened, such as a landing on a checkout with changes.
ALTER TABLE operation ADD COLUMN dropped_at INTEGER; -- when that was seen

-- A result lands on the branch it was built on, whatever the owner has checked out since.
ALTER TABLE build ADD COLUMN branch TEXT; -- the owner's branch its base was the tip of
