-- Real agents: usage limits, questions, budgets, several rounds of one build, and what isolation held.

-- The agent a build is worked on by, for the whole of it: a session can't be resumed by another one. NULL: an action, or a
-- build of the first version.
ALTER TABLE build ADD COLUMN agent TEXT;
-- How often its agent was started again after waiting: 0 while the first round runs.
ALTER TABLE build ADD COLUMN round INTEGER NOT NULL DEFAULT 0;
-- JSON domain::build::Wait: what a parked build waits for. NULL when it does not wait.
ALTER TABLE build ADD COLUMN waits_for TEXT CHECK ((step = 'parked') = (waits_for IS NOT NULL));
-- JSON domain::build::Wait: what it had waited for when the round it is in began. NULL: it is the first.
ALTER TABLE build ADD COLUMN went_on TEXT;
-- What its agent has used so far, over all rounds: tokens, US dollars, turns. As far as its CLI reports it.
ALTER TABLE build ADD COLUMN spent_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE build ADD COLUMN spent_usd REAL NOT NULL DEFAULT 0;
ALTER TABLE build ADD COLUMN spent_turns INTEGER NOT NULL DEFAULT 0;
-- Milliseconds it was parked, over all waits that have ended: not building time.
ALTER TABLE build ADD COLUMN waited_ms INTEGER NOT NULL DEFAULT 0;
-- What isolation did not hold while its agent ran, in words for the owner. NULL: it was held as asked.
ALTER TABLE build ADD COLUMN loose TEXT;
-- Hosts its agent tried to reach and may not, with commas between. NULL: none.
ALTER TABLE build ADD COLUMN refused TEXT;
-- Streams are read from their beginning after a restart; how far they were read is kept in memory.
ALTER TABLE build DROP COLUMN log_offset;

-- Which round of its build an agent's run is; 0 for all other runs.
ALTER TABLE run ADD COLUMN round INTEGER NOT NULL DEFAULT 0;
-- JSON domain::agent::AgentReport of an agent's run, once it has ended.
ALTER TABLE run ADD COLUMN report TEXT;
DROP INDEX one_run_a_step;
CREATE UNIQUE INDEX one_run_a_step ON run (owner_kind, owner_id, step, round);

-- What is known of the account behind an agent. A row appears when a limit or a usage window is first seen.
CREATE TABLE provider (
    agent   TEXT NOT NULL PRIMARY KEY,            -- name of the agent
    block   TEXT,                                 -- JSON domain::provider::Block while it can't be used; NULL: it can
    windows TEXT NOT NULL DEFAULT '[]',           -- JSON list of domain::agent::Window, as last reported
    seen_at INTEGER NOT NULL                      -- when this was last learned
) STRICT, WITHOUT ROWID;

-- Times when an agent's account could not be used, for the brief and its picture.
CREATE TABLE closure (
    id      INTEGER NOT NULL PRIMARY KEY,         -- row number
    agent   TEXT    NOT NULL,                     -- name of the agent
    detail  TEXT    NOT NULL,                     -- what was said
    since   INTEGER NOT NULL,                     -- when it was seen
    until   INTEGER                               -- when it was seen to be over
) STRICT;
CREATE UNIQUE INDEX one_open_closure_an_agent ON closure (agent) WHERE until IS NULL;
CREATE INDEX closure_by_time ON closure (since);
