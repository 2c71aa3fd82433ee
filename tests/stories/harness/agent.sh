#!/bin/sh
# The stories' agent. What it does is said by words in the task: agent_fails, agent_transient_once, agent_waits …
# $STAGE is where it leaves notes for the story.
set -eu
prompt=$(cat)
task=$OVERNIGHT_TASK
echo "start $task" >> "$STAGE/journal"
tries=$(($(cat "$STAGE/tries-$task" 2> /dev/null || echo 0) + 1))
echo "$tries" > "$STAGE/tries-$task"
is() { case "$prompt" in *"$1"*) return 0 ;; *) return 1 ;; esac; }
echo "PROGRESS 40 half of it works"
if is agent_waits; then
    : > "$STAGE/held/$task"
    until [ -e "$STAGE/released/$task" ] || [ ! -d "$STAGE/held" ]; do sleep 0.05; done
    rm -f "$STAGE/released/$task"
fi
end() { echo "end $task" >> "$STAGE/journal"; exit "$1"; }
if is agent_transient_always; then echo "overloaded"; end 75; fi
if is agent_transient_once && [ "$tries" -eq 1 ]; then echo "overloaded"; end 75; fi
if is agent_fails; then echo half > "half-$task.txt"; end 3; fi
if is agent_no_change; then echo "All done, shipped it!"; end 0; fi
if is agent_pries; then
    stage=${STAGE%/notes}
    try() { if sh -c "$2" > /dev/null 2>&1; then echo "$1: yes"; else echo "$1: no"; fi; }
    {
        try "reads the checkout" "cat '$stage/src/app/README.md'"
        try "writes into the checkout" "echo owned > '$stage/src/app/owned'"
        try "reads the database" "cat '$stage/home/overnight.sqlite'"
        try "lists the vaults" "ls '$stage/home/vaults/'*"
        try "reads the configuration" "cat '$stage/overnight.toml'"
        try "sees the bot's variables" "cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep -q canary-4711"
        try "has a secret in its own" "env | grep -q canary"
    } > "$STAGE/pried"
fi
if is agent_connects; then
    python3 -c 'import socket, sys; socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5)' "$(cat "$STAGE/port")" \
        2> /dev/null && : > "$STAGE/connected-$task"
fi
if is agent_breaks; then : > broken; fi
if is agent_unreads; then : > unread; fi
if is agent_mends; then rm -f broken; fi
if is agent_flaky; then : > flaky; fi
if is agent_odd_name; then : > "$(printf 'odd\377name')"; fi
if is agent_documents; then echo "More words." >> README.md; fi
if is agent_builds_on; then cat "work-1.txt" > "after-$task.txt"; fi
if is agent_counts_env; then env | cut -d= -f1 | sort > "$STAGE/env-$task"; fi
if [ -n "${OVERNIGHT_ARTIFACTS:-}" ]; then
    echo "the figures" > "$OVERNIGHT_ARTIFACTS/figures.txt"
else
    echo "work of $task" > "work-$task.txt"
fi
echo "PROGRESS 100 everything works, all tests pass"
end 0
