//! What a hostile command does to files that are not its own.

use super::stage::{each, guarded};
use overnight::runner::End;
use std::fs;

#[test]
fn it_can_work_in_its_own_folders() {
    each(|mode, stage| {
        let end = stage.run(
            "set -e; echo a > file; mkdir dir; mv file dir/; ln -s dir/file link; ln dir/file hard; cat link
             echo t > $TMPDIR/t; cat $TMPDIR/t; echo h > $HOME/h; cat $HOME/h; head -c1 /dev/urandom > /dev/null
             echo x | cat /dev/stdin; python3 -c 'import ssl, json, socket; print(1)'; git init -q g",
        );
        assert_eq!((end.end, end.code), (End::Exited, Some(0)), "{mode:?}: {end:?} {}", stage.log());
        assert_eq!(stage.log(), "a\nt\nh\nx\n1\n");
        if mode.bwrap {
            let end = stage.run("echo t2 > /tmp/t2 && cat $TMPDIR/t2 && echo t3 > /var/tmp/t3; touch /x; touch /usr/x");
            assert_eq!(stage.log().lines().next(), Some("t2"), "{end:?}");
            assert!(stage.root().join("build/tmp/t3").exists());
        }
    });
}

#[test]
fn it_writes_nowhere_else() {
    each(|mode, stage| {
        let script = if guarded(mode) {
            "echo bad > $OWNER/app/README; echo bad > $OWNER/app/new; rm -f $DATA/vault/refs/heads/main
             rm -rf $DATA/vault; echo bad > $DATA/other/clone/file; mv $DATA/other $DATA/gone; truncate -s 0 $DATA/.env
             mkdir -p $OWNER/.ssh; chmod 777 $DATA/overnight.sqlite; touch $OWNER/../run1/stop.json; echo done"
        } else {
            "echo done"
        };
        let end = stage.run(script);
        assert_eq!(end.end, End::Exited, "{end:?}");
        assert!(stage.log().ends_with("done\n"), "{}", stage.log());
        stage.all_is_as_it_was();
    });
}

#[test]
fn it_reads_no_secret() {
    each(|mode, stage| {
        if !guarded(mode) {
            let held = stage.run("true").held.unwrap();
            assert!(!held.sandboxed() && held.gaps[0] == "files are open", "{held:?}");
            return;
        }
        let end = stage.run(
            "cat $DATA/.env $DATA/overnight.sqlite $OWNER/id_ed25519 $OWNER/app/README $DATA/other/clone/file
             ls $DATA $OWNER /root /home; cat /etc/shadow; cat $OWNER/../run1/spec.json; cp $DATA/.env stolen
             cat /proc/1/root$DATA/.env /proc/$PPID/cwd/data/.env; find / -name '*.sqlite' -path '*data*' 2>/dev/null
             echo done",
        );
        assert_eq!(end.end, End::Exited, "{end:?}");
        let log = stage.log();
        assert!(log.ends_with("done\n"), "{log}");
        for secret in ["canary", "the owner's\n", "another build's", "argv", "root:"] {
            assert!(!log.contains(secret), "{secret}: {log}");
        }
        assert!(!stage.clone().join("stolen").exists());
    });
}

#[test]
fn links_lead_nowhere() {
    each(|mode, stage| {
        let attempts = if guarded(mode) {
            "ln -s $OWNER/app/README link; echo bad > link; cat link; ln -s $DATA dir; echo bad > dir/.env; cat dir/.env
             ln $OWNER/id_ed25519 hard; cat hard; ln $DATA/.env $TMPDIR/hard; cat $TMPDIR/hard
             mv .git old; ln -s $DATA/vault .git; echo bad > .git/refs/heads/main; rm -f .git/refs/heads/main
             ln -s /proc/self/root$DATA root; cat root/.env"
        } else {
            "true"
        };
        let end = stage.run(&format!("{attempts}; echo done"));
        assert_eq!(end.end, End::Exited, "{end:?}");
        let log = stage.log();
        assert!(log.ends_with("done\n") && !log.contains("canary") && !log.contains("owner's\n"), "{log}");
        stage.all_is_as_it_was();
        for name in ["build/clone/hard", "build/tmp/hard"] {
            assert!(fs::metadata(stage.root().join(name)).is_err(), "{name}");
        }
        // The next run of the build does not follow what this one left.
        if guarded(mode) {
            stage.run("cat .git/refs/heads/main dir/.env");
            assert!(!stage.log().contains("canary") && !stage.log().contains("0123"), "{}", stage.log());
        }
    });
}

#[test]
fn a_readable_folder_can_be_read_and_not_changed() {
    each(|mode, stage| {
        stage.leash.readable = vec![stage.root().join("data/vault")];
        let end = stage.run("cat $DATA/vault/refs/heads/main && cat $DATA/.env; echo done");
        assert_eq!(end.end, End::Exited, "{end:?}");
        assert!(stage.log().starts_with("0123\n") && stage.log().ends_with("done\n"), "{}", stage.log());
        assert_eq!(stage.log().contains("canary"), !guarded(mode));
        if guarded(mode) {
            stage.run("echo bad > $DATA/vault/refs/heads/main; rm -rf $DATA/vault/refs");
            stage.all_is_as_it_was();
        }
    });
}
