//! What stands below the help of each subcommand: examples that can be copied.

pub(super) const OVERNIGHT: &str = "First try: overnight demo\nThen:      overnight init";

pub(super) const INIT: &str = "\
Examples:
  overnight init                          asks everything
  overnight init --projects ~/src         looks for git repositories there
  TELEGRAM_BOT_TOKEN=… overnight init --yes --owner 123456789 --projects ~/src
                                          asks nothing, for scripts
  overnight init --yes --no-telegram --no-projects --no-service
                                          the least there is";

pub(super) const DOCTOR: &str = "\
Examples:
  overnight doctor            one line for each thing; exit status 1: something will not work
  overnight doctor --json     the same for a program
  overnight doctor --fix      removes lock files that a crash left in vaults";

pub(super) const RUN: &str = "\
Examples:
  overnight run               the bot, until Ctrl-C
  overnight run 12            the bot that runs already builds #12 now
  overnight run --rehearse-from 2026-03-14T22:55:00Z --speed 60
                              a night in nine minutes; builds take the time they take";

pub(super) const DEMO: &str = "Example:\n  overnight demo";

pub(super) const START: &str = "Example, in a crontab:\n  0 23 * * * cd ~ && overnight start";

pub(super) const AGENT: &str = "Example:\n  overnight agent list";

pub(super) const AGENT_LIST: &str = "Examples:\n  overnight agent list\n  overnight agent list --json";

pub(super) const AGENT_INSPECT: &str = "\
Examples:
  overnight agent inspect --agent claude --exit-status 1 stream.jsonl
  codex exec --json - <task.md | overnight agent inspect --agent codex --exit-status 0 -

Prints outcome, reset_at, summary, session_id, tokens, cost_usd, denials, progress and question. Outcomes: success,
denied, question, limit, transient, account, budget, interrupted, hung, failed.";

pub(super) const QUEUE: &str = "\
Examples:
  overnight queue add \"Optimize the report query\" \"It takes 9 s\" 4.0 \"Performance optimization\" HIGH
  overnight queue add \"Document the API\" --in documentation --estimate 2 --project app
  overnight queue list locked
  overnight queue list --page 2
  overnight queue edit 3 --estimate 2
  overnight queue drop 3 4";

pub(super) const APPROVE: &str = "Example:\n  overnight approve 3 5";

pub(super) const REJECT: &str = "Example:\n  overnight reject 3 too early";

pub(super) const UNDO: &str = "Example:\n  overnight undo 3";

pub(super) const ANSWER: &str = "Example:\n  overnight answer 12 \"keep version 1\"";

pub(super) const SNOOZE: &str = "Example:\n  overnight snooze 3";

pub(super) const STOP: &str = "Examples:\n  overnight stop 12\n  overnight stop all";

pub(super) const RETRY: &str = "Example:\n  overnight retry 12";

pub(super) const KEEP: &str = "Examples:\n  overnight keep\n  overnight keep 11:30";

pub(super) const REVIEW: &str = "Example:\n  overnight review";

pub(super) const STATUS: &str = "Examples:\n  overnight status\n  overnight status --json";

pub(super) const IS_OVERNIGHT: &str = "Example:\n  overnight is-overnight && echo \"quiet, please\"";

pub(super) const REPORT: &str = "Example, in a crontab:\n  30 6 * * * cd ~ && overnight report";

pub(super) const BRIEF: &str = "Example, in a crontab:\n  0 7 * * * cd ~ && overnight brief";

pub(super) const HEALTH: &str = "Examples:\n  overnight health\n  overnight health --fix";

pub(super) const METRICS: &str = "Examples:\n  overnight metrics\n  overnight metrics --json";

pub(super) const LOG: &str = "Example:\n  overnight log 12 100";

pub(super) const WHY: &str = "Example:\n  overnight why 12";

pub(super) const AUDIT: &str = "Example:\n  overnight audit 100";

pub(super) const COMPLETIONS: &str = "\
Examples:
  overnight completions bash > ~/.local/share/bash-completion/completions/overnight
  overnight completions zsh > ~/.zfunc/_overnight       (with ~/.zfunc in $fpath)
  overnight completions fish > ~/.config/fish/completions/overnight.fish";

pub(super) const SHIP: &str = "Examples:\n  overnight ship 12\n  overnight ship 12 --anyway\n  overnight ship all";

pub(super) const REVERT: &str = "Example:\n  overnight revert 12";

pub(super) const DIFF: &str = "Example:\n  overnight diff 12";

pub(super) const DISCARD: &str = "Example:\n  overnight discard 12";

pub(super) const OPLOG: &str = "Example:\n  overnight oplog 50";
pub(super) const PLAN: &str = "\
Examples:
  overnight plan              what tonight will probably look like
  overnight plan --json       the same for a program
  python3 nightbench.py drive nights.jsonl.gz out.jsonl -- overnight plan --drive";

pub(super) const SIMULATE: &str = "Example:\n  overnight simulate --nights nights.jsonl.gz --out schedules.jsonl";

pub(super) const FORECAST: &str = "Example:\n  overnight forecast replay history.csv";

pub(super) const SNAPSHOTS: &str = "\
Examples:
  overnight snapshots
  overnight snapshots restore 2026-03-14 --into ~/as-it-was
  overnight snapshots restore 2026-03-14 --project fitness --into ~/fitness-as-it-was";

pub(super) const RESTORE: &str = "\
Nothing that exists is written over. Without --project the folder gets the database's copy and a folder for each project.";
