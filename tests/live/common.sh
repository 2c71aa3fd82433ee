# Shared by the live scripts: a temporary folder, checks that count, waiting without guessing, and an end that leaves
# nothing running. Sourced with the path of the program as first argument of the script.

[ $# -eq 1 ] && [ -x "$1" ] || { echo "usage: $0 PATH-OF-OVERNIGHT"; exit 2; }
program=$(realpath "$1")
work=$(mktemp -d)
work=$(realpath "$work")
home=$work/home
checks=0
bot=
mounted=
# A caller's own settings must not leak into what is tested.
unset OVERNIGHT_HOME OVERNIGHT_CONFIG OVERNIGHT_LOG

# Processes that carry the mark of runs of this data folder.
mark() { printf 'OVERNIGHT_RUN=%s-' "$(printf %s "$home" | sha256sum | cut -c1-16)"; }
marked() { grep -lzaF "$(mark)" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3; }

clean_up() {
    local pid
    for pid in $bot $(marked); do kill -KILL "$pid" 2>/dev/null || true; done
    exec 9>&- || true
    [ -z "$mounted" ] || umount -l "$mounted" || true
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

# Says what was seen to hold, or ends with what was not.
holds() { # WHAT COMMAND…
    local what=$1
    shift
    if ! "$@" >"$work/why" 2>&1; then
        echo "NOT TRUE: $what"
        echo "  $*" | head -c 600
        head -40 "$work/why" | sed 's/^/  | /'
        evidence
        exit 1
    fi
    checks=$((checks + 1))
    echo "  holds: $what"
}

# What helps to find out why, at a failure.
evidence() {
    local file
    for file in "$work"/out "$work"/err "$home"/logs/*.log "$home"/reports/*.json; do
        [ -f "$file" ] && [ ! -L "$file" ] || continue
        echo "--- ${file#"$work"/}"
        tail -n 40 "$file" | cut -c1-300
    done
}

# Waits for a condition, checked ten times a second; the limit only ends a hang.
wait_for() { # SECONDS WHAT COMMAND…
    local seconds=$1 what=$2 end
    shift 2
    end=$((SECONDS + seconds))
    until "$@" >/dev/null 2>&1; do
        if [ "$SECONDS" -ge "$end" ] || { [ -n "$bot" ] && ! kill -0 "$bot" 2>/dev/null; }; then
            echo "NOT TRUE within $seconds s: $what"
            evidence
            exit 1
        fi
        sleep 0.1
    done
}

# Starts the bot with an open terminal: what it says goes to $work/out, and what is written to descriptor 9 is typed.
start_bot() { # ARGUMENTS OF run…
    [ -p "$work/typed" ] || mkfifo "$work/typed"
    exec 9<>"$work/typed"
    (cd "$work" && exec "$program" --home "$home" run "$@") <"$work/typed" >>"$work/out" 2>>"$work/err" 9>&- &
    bot=$!
}

# Ends the bot as systemd would and returns its exit status.
stop_bot() {
    local status=0
    kill -TERM "$bot"
    wait "$bot" || status=$?
    bot=
    return "$status"
}

overnight() { (cd "$work" && "$program" --home "$home" "$@"); }

git_as_owner() {
    GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null git -c user.name=Owner -c user.email=owner@localhost "$@"
}

# Every file, folder and link below a folder: kind, mode, owner, size, time of change, target, content.
listing() { # FOLDER
    (cd "$1" && find . -printf '%y %m %U:%G %s %T@ %p %l\n' | sort -k6 &&
        find . -type f -print0 | sort -z | xargs -0 sha256sum)
}
