//! A branch of the owner's, held while its files are changed: git's own lock on the ref (and on HEAD, where that is on
//! it), so that a commit or a checkout of the owner's in that moment fails instead of being lost.
//!
//! Held by `git update-ref --stdin`, which lets go when we die: its input ends.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};

use super::run::Invocation;
use super::{Fault, GitError, Result, Sha};

/// A branch at a known commit, which nobody can move until this is committed or dropped.
pub(super) struct HeldRef {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    failed: GitError,
}

impl HeldRef {
    /// Takes hold of `name` if it is at `old`, to set it to `new`. `command` is a git command on the repository without
    /// arguments. Errs with [`Fault::RefMoved`] or [`Fault::Locked`].
    pub(super) async fn take(command: Invocation<'_>, name: &str, old: &Sha, new: &Sha, note: &str) -> Result<Self> {
        let command =
            command.args(["-c", "core.logAllRefUpdates=true", "update-ref", "--no-deref", "-m", note, "--stdin"]);
        let failed = command.error(Fault::Other);
        // Killed, it would leave its lock behind.
        let mut child = command.start(false)?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (to, from) = pipes.ok_or_else(|| failed.clone())?;
        let mut held = Self { child, to, from: BufReader::new(from), failed };
        held.say(&format!("start\nupdate {name} {new} {old}\nprepare\n")).await?;
        for wanted in ["start: ok", "prepare: ok"] {
            held.hear(wanted).await?;
        }
        Ok(held)
    }

    /// Sets the branch and lets go.
    pub(super) async fn commit(self) -> Result<()> {
        self.end("commit").await
    }

    /// Lets go; the branch stays where it is.
    pub(super) async fn release(self) -> Result<()> {
        self.end("abort").await
    }

    async fn end(mut self, word: &str) -> Result<()> {
        self.say(&format!("{word}\n")).await?;
        self.hear(&format!("{word}: ok")).await?;
        drop(self.to);
        let _ = self.child.wait().await;
        Ok(())
    }

    async fn say(&mut self, text: &str) -> Result<()> {
        match self.to.write_all(text.as_bytes()).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.why().await),
        }
    }

    async fn hear(&mut self, wanted: &str) -> Result<()> {
        let mut line = String::new();
        match self.from.read_line(&mut line).await {
            Ok(_) if line.trim() == wanted => Ok(()),
            _ => Err(self.why().await),
        }
    }

    /// What git said of it.
    async fn why(&mut self) -> GitError {
        let mut words = Vec::new();
        if let Some(pipe) = self.child.stderr.take() {
            let _ = pipe.take(4096).read_to_end(&mut words).await;
        }
        GitError::from_words(self.failed.action, &self.failed.place, &String::from_utf8_lossy(&words))
    }
}
