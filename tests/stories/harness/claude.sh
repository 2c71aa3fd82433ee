#!/bin/sh
# Claude Code as far as the bot sees it: the events it prints, and its exit status. Words in the task say what happens.
# $STAGE is where it leaves notes for the story, and where `reset` says when the limit ends (seconds since 1970).
set -eu
session="" resumed=""
while [ $# -gt 0 ]; do
    case "$1" in
        --session-id) session=$2 ;;
        --resume) session=$2 resumed=yes ;;
    esac
    shift
done
prompt=$(cat)
task=$OVERNIGHT_TASK
rounds=$(($(cat "$STAGE/rounds-$task" 2> /dev/null || echo 0) + 1))
echo "$rounds" > "$STAGE/rounds-$task"
echo "round $task $session ${resumed:-new}" >> "$STAGE/journal"
printf '%s' "$prompt" > "$STAGE/told-$task-$rounds"
# What the whole task says is known to every round of it, as it is to a conversation that goes on.
[ -n "$resumed" ] || printf '%s' "$prompt" > "$HOME/whole"
whole=$(cat "$HOME/whole")
is() { case "$whole" in *"$1"*) return 0 ;; *) return 1 ;; esac; }
say() { printf '%s\n' "$1"; }
used() {
    say "{\"type\":\"assistant\",\"session_id\":\"$session\",\"message\":{\"id\":\"m$rounds$1\",\"content\":[{\"type\":\"text\",\"text\":\"working\"}],\"usage\":{\"input_tokens\":$2,\"output_tokens\":10}}}"
}
window() {
    say "{\"type\":\"rate_limit_event\",\"rate_limit_info\":{\"status\":\"$1\",$2\"unifiedWindows\":{\"five_hour\":{\"utilization\":$3,\"resetsAt\":$(cat "$STAGE/reset"),\"status\":\"$1\"}}}}"
}
# The result of an error: its text, and what else it states.
fail() {
    say "{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":true,\"session_id\":\"$session\",$2\"result\":\"$1\",\"total_cost_usd\":0.$rounds,\"num_turns\":2}"
    exit 1
}
finish() {
    say "{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":false,\"session_id\":\"$session\",\"result\":\"$1\",\"permission_denials\":[${2:-}],\"total_cost_usd\":0.$rounds,\"num_turns\":2}"
    exit 0
}
if is claude_slow; then
    : > "$STAGE/held/$task"
    until [ -e "$STAGE/released/$task" ] || [ ! -d "$STAGE/held" ]; do sleep 0.05; done
    rm -f "$STAGE/released/$task"
fi
say "{\"type\":\"system\",\"subtype\":\"init\",\"session_id\":\"$session\"}"
used a 1000
if is claude_signed_out && [ ! -e "$STAGE/signed-in" ]; then
    fail "Not logged in · Please run /login" '"api_error_status":401,'
fi
if is claude_limited && [ "$rounds" -le 1 ]; then
    echo "half" > "half-$task.txt"
    window rejected "\"resetsAt\":$(cat "$STAGE/reset")," 1
    fail "You've hit your 5-hour limit" '"api_error":"usage_limit_reached","api_error_status":429,'
fi
if is claude_unclear && [ ! -e "$STAGE/free" ]; then
    fail "You've hit your limit" '"api_error":"usage_limit_reached","api_error_status":429,'
fi
if is claude_asks && [ "$rounds" -le 1 ]; then
    echo "half" > "half-$task.txt"
    finish "I looked around.\nQUESTION: Keep version 1 of the API?"
fi
if is claude_spends; then
    used b 2000
    used c 400000
    : > "$STAGE/held/$task"
    until [ -e "$STAGE/released/$task" ] || [ ! -d "$STAGE/held" ]; do sleep 0.05; done
fi
if is claude_lists; then
    say "{\"type\":\"assistant\",\"session_id\":\"$session\",\"message\":{\"id\":\"m$rounds-todo\",\"content\":[{\"type\":\"tool_use\",\"id\":\"t2\",\"name\":\"TodoWrite\",\"input\":{\"todos\":[{\"content\":\"Read\",\"status\":\"completed\"},{\"content\":\"Measure\",\"status\":\"completed\"},{\"content\":\"Write\",\"status\":\"in_progress\",\"activeForm\":\"Writing the cache\"},{\"content\":\"Test\",\"status\":\"pending\"}]}}],\"usage\":{\"input_tokens\":500,\"output_tokens\":10}}}"
    : > "$STAGE/held/$task"
    until [ -e "$STAGE/released/$task" ] || [ ! -d "$STAGE/held" ]; do sleep 0.05; done
fi
if is claude_nearly; then window allowed "" 0.99; fi
echo "work of $task" > "work-$task.txt"
if is claude_denied; then
    finish "Done, pushed it." '{"tool_name":"Bash","tool_use_id":"t1","tool_input":{"command":"git push origin main"}}'
fi
finish "Done. All tests pass."
