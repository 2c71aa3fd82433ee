//! Every wrong value and key, and what its one error names.

use super::error;

/// Each row: a file, and what its error must name: key, value, what is allowed.
const BAD: &[(&str, [&str; 3])] = &[
    ("[schedule]\nstart = \"25:00\"", ["line 2: schedule.start", "\"25:00\"", "HH:MM"]),
    ("[schedule]\nstart = \"7:00\"", ["schedule.start", "\"7:00\"", "HH:MM"]),
    ("[schedule]\nbrief = 7", ["schedule.brief", "= 7 ", "HH:MM"]),
    ("[schedule]\nzone = \"Europe/Berln\"", ["schedule.zone", "\"Europe/Berln\"", "\"Europe/Berlin\""]),
    ("[schedule]\nprogress_every = \"soon\"", ["schedule.progress_every", "\"soon\"", "\"30s\""]),
    ("[schedule]\nprogress_every = \"1s\"", ["schedule.progress_every", "\"1s\"", "from 1m to 12h"]),
    ("[schedule]\nreport = \"23:05\"", ["line 1: schedule: ", "report (23:05)", "start <= patterns <= spawn < report"]),
    ("[schedule]\nlate_start_needs = \"9h\"", ["schedule: ", "late_start_needs", "no night could start"]),
    ("schedule = 5", ["line 1: schedule", "= 5 ", "[schedule]"]),
    ("[limits]\nmax_builds = 0", ["limits.max_builds", "= 0 ", "from 1 to 64"]),
    ("[limits]\nmax_builds = -3", ["limits.max_builds", "= -3 ", "from 1 to 64"]),
    ("[limits]\nmax_builds = \"3\"", ["limits.max_builds", "\"3\"", "a whole number"]),
    ("[limits]\ndisk_used_percent = 180", ["limits.disk_used_percent", "180", "from 10 to 99"]),
    ("[limits]\ndisk_used_percent = nan", ["limits.disk_used_percent", "nan", "from 10 to 99"]),
    ("[limits]\nsample_every = \"1h\"", ["limits.sample_every", "\"1h\"", "from 1s to 10m"]),
    ("[build]\ntimeout = \"8\"", ["build.timeout", "\"8\"", "\"1h30m\""]),
    ("[build]\nretry_backoff = [\"1m\", 5]", ["build.retry_backoff[1]", "= 5 ", "duration"]),
    ("[build]\nlog_head_bytes = \"8 Mb\"", ["build.log_head_bytes", "\"8 Mb\"", "\"8 MiB\""]),
    ("[build]\nlog_tail_bytes = 1", ["build.log_tail_bytes", "= 1 ", "from 4096"]),
    ("[categories]\nnew_feature = true", ["categories.new_feature", "true", "\"locked\""]),
    ("[health]\nlog_roots = [\"logs\"]", ["health.log_roots[0]", "\"logs\"", "absolute path"]),
    ("[health]\nlog_roots = [\"/srv/../etc\"]", ["health.log_roots[0]", "\"/srv/../etc\"", "without .."]),
    ("[health]\nlog_roots = [\"/\"]", ["health.log_roots[0]", "\"/\"", "folder of logs"]),
    ("[health]\nlog_roots = [\"~/\"]", ["health.log_roots[0]", "\"~/\"", "folder of logs"]),
    ("[health]\ndatabases = \"/x.db\"", ["health.databases", "\"/x.db\"", "a list"]),
    ("[patterns]\nauto = \"yes\"", ["patterns.auto", "\"yes\"", "true or false"]),
    ("[patterns]\nconfidence = 85", ["patterns.confidence", "= 85 ", "from 0.5 to 1"]),
    ("[isolation]\nsandbox = \"docker\"", ["isolation.sandbox", "\"docker\"", "\"landlock\""]),
    ("[isolation]\nmemory_gb = 0", ["isolation.memory_gb", "= 0 ", "from 0.1"]),
    ("[isolation]\nprocesses = 1", ["isolation.processes", "= 1 ", "from 16"]),
    ("[isolation]\nreadable = [\"tools\"]", ["isolation.readable[0]", "\"tools\"", "absolute path"]),
    ("[isolation]\nnetwork = \"some\"", ["isolation.network", "\"some\"", "\"closed\""]),
    (
        "[isolation]\ncategory_hosts = { feature = [] }",
        ["isolation.category_hosts.feature", "no known key", "new_feature"],
    ),
    (
        "[isolation]\ncategory_hosts = { bug_fix = [\"a b\"] }",
        ["isolation.category_hosts.bug_fix[0]", "\"a b\"", "*.example.com"],
    ),
    ("[isolation]\nhosts = [\"https://a.example\"]", ["isolation.hosts[0]", "\"https://a.example\"", "*.example.com"]),
    ("[owner]\nsenders = [\"@ross\"]", ["owner.senders[0]", "\"@ross\"", "platform:id"]),
    ("[telegram]\napprovers = [\"@kim\"]", ["telegram.approvers[0]", "\"@kim\"", "never an @name"]),
    ("[telegram]\nchats = [12]", ["telegram.chats[0]", "= 12 ", "below zero"]),
    ("[telegram]\nhome = \"here\"", ["telegram.home", "\"here\"", "chat/topic"]),
    ("[[agents]]\nname = \"a\"", ["agents[0].command", "missing", "what to run"]),
    ("[[agents]]\nname = \"a\"\nkind = \"cursor\"", ["agents[0].kind", "\"cursor\"", "\"claude\""]),
    ("[[agents]]\nname = \"a\"\nkind = \"claude\"\ncommand = \"a\"", ["agents[0].command", "no known key", "program"]),
    ("[[agents]]\nname = \"a\"\ncommand = \"a\"\nmodel = \"m\"", ["agents[0].model", "no known key", "command"]),
    ("[[agents]]\nname = \"a\"\nkind = \"codex\"\nmodel = \"-c\"", ["agents[0].model", "\"-c\"", "model's name"]),
    (
        "[[agents]]\nname = \"a\"\nkind = \"codex\"\nprogram = \"bin/codex\"",
        ["agents[0].program", "bin/codex", "absolute"],
    ),
    ("[[agents]]\nname = \"a\"\nkind = \"codex\"\nargs = [1]", ["agents[0].args[0]", "= 1 ", "an argument"]),
    ("[[agents]]\nname = \"a\"\nkind = \"codex\"\nargs = [\"a\\u0000\"]", ["agents[0]", "args", "NUL"]),
    ("[[agents]]\nname = \"a\"\ncommand = []", ["agents[0].command", "[]", "at least a program"]),
    ("[[agents]]\nname = \"A\"\ncommand = \"a\"", ["agents[0].name", "\"A\"", "a-z 0-9"]),
    (
        "[[agents]]\nname = \"a\"\ncommand = \"a\"\nenv_pass = [\"TELEGRAM_BOT_TOKEN\"]",
        ["agents[0].env_pass[0]", "\"TELEGRAM_BOT_TOKEN\"", "stay with it"],
    ),
    ("agents = [1]", ["agents[0]", "= 1 ", "a table"]),
    ("[agents]\nname = \"a\"", ["agents", "line 1", "[[agents]]"]),
    ("[[projects]]\npath = \"/a\"", ["line 1: projects[0].name", "missing", "a name"]),
    ("[[projects]]\nname = \"a\"", ["projects[0].path", "missing", "folder"]),
    ("[[projects]]\nname = \"a\"\npath = \"a\"", ["projects[0].path", "= \"a\"", "absolute"]),
    ("[[projects]]\nname = \"-a\"\npath = \"/a\"", ["projects[0].name", "\"-a\"", "the first a letter"]),
    ("[[projects]]\nname = \"a..b\"\npath = \"/a\"", ["projects[0].name", "\"a..b\"", "no \"..\""]),
    ("[[projects]]\nname = \"docs\"\npath = \"/a\"", ["projects[0].name", "\"docs\"", "no category"]),
    ("[[projects]]\nname = \"high\"\npath = \"/a\"", ["projects[0].name", "\"high\"", "no category, priority"]),
    ("[[projects]]\nname = \"action\"\npath = \"/a\"", ["projects[0].name", "\"action\"", "or kind"]),
    (
        "[[projects]]\nname = \"a\"\npath = \"/a\"\n[[projects]]\nname = \"a\"\npath = \"/b\"",
        ["line 5: projects[1].name", "\"a\"", "no other project"],
    ),
    ("[[projects]]\nname = \"a\"\npath = \"/a\"\nbase = \"-x\"", ["projects[0].base", "\"-x\"", "branch"]),
    (
        "[[projects]]\nname = \"a\"\npath = \"/a\"\nverify = \"make && make test\"",
        ["projects[0].verify", "\"make && make test\"", "[\"sh\", \"-c\", \"…\"]"],
    ),
    (
        "[[projects]]\nname = \"a\"\npath = \"/a\"\nverify = \"x | y\"",
        ["projects[0].verify", "| needs", "[\"sh\", \"-c\""],
    ),
    (
        "[[projects]]\nname = \"a\"\npath = \"/a\"\nverify = [\"a\", 1]",
        ["projects[0].verify[1]", "= 1 ", "list of words"],
    ),
    (
        "[[projects]]\nname = \"a\"\npath = \"/a\"\nmeasure = { command = \"b\", better = \"faster\" }",
        ["projects[0].measure.better", "\"faster\"", "\"higher\""],
    ),
    ("[[projects]]\nname = \"a\"\npath = \"/a\"\ncopy = [\"../x\"]", ["projects[0].copy[0]", "\"../x\"", "relative"]),
    (
        "[[projects]]\nname = \"a\"\npath = \"/a\"\ncopy = [\".git/hooks\"]",
        ["projects[0].copy[0]", ".git/hooks", "not under .git"],
    ),
    ("[[projects]]\nname = \"a\"\npath = \"/a\"\nagent = \"b\"", ["projects[0].agent", "\"b\"", "[[agents]]"]),
    (
        "[[agents]]\nname = \"claude\"\ncommand = \"c\"\n[[projects]]\nname = \"a\"\npath = \"/a\"\nagent = \"clade\"",
        ["projects[0].agent", "\"clade\"", "did you mean claude?"],
    ),
    ("[[projects]]\nname = \"a\"\npath = \"/a\"\nport_base = 80", ["projects[0].port_base", "= 80 ", "from 1024"]),
    (
        "[[projects]]\nname = \"a\"\npath = \"/a\"\nport_base = 65510",
        ["projects[0].port_base", "65510", "end by 65535"],
    ),
    (
        "[[projects]]\nname = \"a\"\npath = \"/a\"\nport_base = 4000\n[[projects]]\nname = \"b\"\npath = \"/b\"\nport_base = 4020",
        ["line 5: projects[1]", "overlap", "those of a"],
    ),
    (
        "[[projects]]\nname = \"a\"\npath = \"/a\"\nenv_pass = [\"A-B\"]",
        ["projects[0].env_pass[0]", "\"A-B\"", "letters, digits"],
    ),
    ("[[projects]]\nname = \"a\"\npath = \"/a\"\nmax_builds = 0", ["projects[0].max_builds", "= 0 ", "from 1 to 64"]),
];

#[test]
fn each_bad_value_is_one_error_with_key_value_and_what_is_allowed() {
    for (toml, named) in BAD {
        let error = error(toml);
        assert!(error.contains("here/overnight.toml, line "), "{toml}\n-> {error}");
        assert!(!error.contains('\n'), "{toml}\n-> {error}");
        for word in named {
            assert!(error.contains(word), "{toml}\n-> {error}\nshould name {word}");
        }
    }
}

#[test]
fn unknown_keys_are_errors_that_guess_what_was_meant() {
    for (toml, named) in [
        ("[schedule]\nstrat = \"23:00\"", ["line 2: schedule.strat", "did you mean start?", "zone, start, patterns"]),
        ("[shedule]\nstart = \"23:00\"", ["line 1: shedule", "did you mean schedule?", "limits"]),
        ("[categories]\nnew_features = \"auto\"", ["categories.new_features", "did you mean new_feature?", "bug_fix"]),
        (
            "[[projects]]\nname = \"a\"\npath = \"/a\"\nverfy = \"x\"",
            ["projects[0].verfy", "did you mean verify?", "setup"],
        ),
        ("[limits]\nqqq = 1", ["line 2: limits.qqq is no known key; known here", "max_builds", "sample_every"]),
    ] {
        let error = error(toml);
        for word in named {
            assert!(error.contains(word), "{error}\nshould name {word}");
        }
    }
    let error = error("[schedule]\nstart = ");
    assert!(error.contains("overnight.toml, line 2: this is not TOML"), "{error}");
}
