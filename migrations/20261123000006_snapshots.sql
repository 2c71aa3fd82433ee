-- What was kept of a day, before a session's first build.
CREATE TABLE snapshot (
    session_id     INTEGER NOT NULL PRIMARY KEY REFERENCES session (id), -- by which session
    date           TEXT    NOT NULL,              -- its scheduled local date: its folder and refs are called so
    taken_at       INTEGER NOT NULL,              -- when
    copy_path      TEXT,                          -- copy of this database; NULL: there is none
    copy_bytes     INTEGER,                       -- its size
    copy_sha256    TEXT,                          -- hash of that file
    copy_rows      TEXT,                          -- JSON: rows of each table, the same in the original
    copy_content   TEXT,                          -- hash of all rows, the same in the original
    removed_at     INTEGER,                       -- when folder and refs were removed; NULL: they are kept
    CHECK ((copy_path IS NULL) = (copy_sha256 IS NULL))
) STRICT;
CREATE INDEX snapshot_by_date ON snapshot (date);

-- Of each project.
CREATE TABLE snapshot_project (
    session_id     INTEGER NOT NULL REFERENCES snapshot (session_id), -- by which session
    project        TEXT    NOT NULL,              -- which
    commit_sha     TEXT,                          -- its files as a commit in its vault; NULL: that failed
    files          INTEGER NOT NULL,              -- how many files that commit took from the disk
    skipped        TEXT    NOT NULL,              -- JSON: files that are not in it, and why
    bundle_path    TEXT,                          -- its whole vault as one file; NULL: there is none
    bundle_bytes   INTEGER,                       -- its size
    bundle_sha256  TEXT,                          -- hash of that file
    bundle_tips    TEXT,                          -- hash of the commits it leads to
    bundle_trouble TEXT,                          -- why there is none, or why it could not be verified; NULL: verified
    PRIMARY KEY (session_id, project)
) STRICT, WITHOUT ROWID;

-- Restores from the newest snapshot into a temporary folder, once a week.
CREATE TABLE restore_drill (
    session_id INTEGER NOT NULL PRIMARY KEY REFERENCES session (id), -- in which session
    date       TEXT    NOT NULL,                  -- that session's scheduled local date
    at         INTEGER NOT NULL,                  -- when it ended
    vaults     INTEGER NOT NULL,                  -- vaults that were restored
    bytes      INTEGER NOT NULL,                  -- size of what was restored from
    trouble    TEXT                               -- what can't be restored, and why; NULL: all of it can
) STRICT;

-- Builds begin once this is recorded.
ALTER TABLE session ADD COLUMN snapshot_done INTEGER NOT NULL DEFAULT 0; -- 1: the day was kept, or why not is recorded
