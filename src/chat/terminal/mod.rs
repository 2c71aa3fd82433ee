//! The terminal front-end: one line is one message, a short code such as `a1` is a tap.
//!
//! Left out on purpose: line editing and history (the terminal, `rlwrap` or the shell have them), and any memory across
//! restarts: after one, old codes are plain text, and the engine answers typed commands all the same.

mod input;
pub mod render;

use super::{Chat, Incoming, MessageRef, Outgoing, SendError};
use crate::clock::Clock;
use crate::domain::message::{Button, Message};
use render::RenderOptions;
pub(crate) use render::plain_text;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Buttons whose codes still work, and messages whose text is remembered for an edit.
const REMEMBERED: usize = 500;
/// Lines read ahead of the engine; a paste of more waits in the pipe.
const READ_AHEAD: usize = 16;
/// A terminal that takes nothing for this long (a paused screen) must not hold up the other chats.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// How the terminal behaves.
#[derive(Clone)]
pub struct TerminalOptions {
    /// Columns of a line; [`TerminalOptions::PHONE`] is what a phone shows.
    pub width: usize,
    /// Whether to use bold and dim.
    pub color: bool,
    /// Tells when a line came in.
    pub clock: Arc<dyn Clock>,
    /// Unique for each start of the process: keys of incoming lines begin with it, so that a restart repeats none.
    pub key_prefix: String,
}

impl TerminalOptions {
    /// Columns of a phone held upright.
    pub const PHONE: usize = 46;
}

/// A chat over a reader and a writer. Needs a running tokio runtime.
pub struct Terminal {
    lines: tokio::sync::Mutex<mpsc::Receiver<Incoming>>,
    writer: tokio::sync::Mutex<Box<dyn AsyncWrite + Send + Unpin>>,
    memory: Arc<Mutex<Memory>>,
    options: RenderOptions,
    key_prefix: String,
    sent: AtomicU64,
    reading: JoinHandle<()>,
}

impl Terminal {
    /// Starts reading `reader` in a task of its own, which ends with the input, or when the terminal is dropped.
    pub fn new(
        reader: impl AsyncBufRead + Send + Unpin + 'static,
        writer: impl AsyncWrite + Send + Unpin + 'static,
        options: TerminalOptions,
    ) -> Self {
        let (sender, lines) = mpsc::channel(READ_AHEAD);
        let memory = Arc::new(Mutex::new(Memory::default()));
        let TerminalOptions { width, color, clock, key_prefix } = options;
        let reading = tokio::spawn(input::forward(reader, sender, Arc::clone(&memory), clock, key_prefix.clone()));
        Self {
            lines: tokio::sync::Mutex::new(lines),
            writer: tokio::sync::Mutex::new(Box::new(writer)),
            memory,
            options: RenderOptions { width, color },
            key_prefix,
            sent: AtomicU64::new(0),
            reading,
        }
    }

    /// The process's own standard input and output. A read of standard input can't be cancelled: end the runtime with
    /// `shutdown_background`, or it waits for one more line.
    pub fn stdio(options: TerminalOptions) -> Self {
        Self::new(BufReader::new(tokio::io::stdin()), tokio::io::stdout(), options)
    }

    /// Writes one whole message; two never mix.
    async fn write(&self, text: &str) -> Result<(), SendError> {
        let written = tokio::time::timeout(WRITE_LIMIT, async {
            let mut writer = self.writer.lock().await;
            writer.write_all(text.as_bytes()).await?;
            writer.flush().await
        });
        match written.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(e)) if gone(&e) => Err(SendError::Permanent(format!("the terminal is closed ({e})"))),
            Ok(Err(e)) => Err(SendError::Retry { what: format!("writing to the terminal: {e}"), after_secs: None }),
            Err(_) => Err(SendError::MaybeSent(format!(
                "the terminal took nothing for {} s; is its screen paused?",
                WRITE_LIMIT.as_secs()
            ))),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

fn gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::NotConnected
    )
}

/// Its name, which is its only address.
pub const TERMINAL: &str = "terminal";

#[async_trait::async_trait]
impl Chat for Terminal {
    fn name(&self) -> &'static str {
        TERMINAL
    }

    async fn receive(&self) -> Option<Incoming> {
        self.lines.lock().await.recv().await
    }

    /// A pipe keeps nothing that it could forget.
    async fn confirm(&self, _key: &str) {}

    async fn send(&self, outgoing: &Outgoing) -> Result<MessageRef, SendError> {
        let text = self.memory().rendered(&outgoing.message, &self.options);
        self.write(&format!("{text}\n")).await?;
        let n = self.sent.fetch_add(1, Ordering::Relaxed) + 1;
        let message = MessageRef(format!("{}:m{n}", self.key_prefix));
        self.memory().keep_text(&message, text);
        Ok(message)
    }

    async fn edit(&self, message: &MessageRef, outgoing: &Outgoing) -> Result<MessageRef, SendError> {
        let text = {
            let mut memory = self.memory();
            let text = memory.rendered(&outgoing.message, &self.options);
            if memory.texts.iter().any(|(known, old)| known == message && *old == text) {
                return Ok(message.clone());
            }
            text
        };
        let mut marked = outgoing.message.clone();
        marked.verdict.insert_str(0, "↻ ");
        let shown = self.memory().rendered(&marked, &self.options);
        self.write(&format!("{shown}\n")).await?;
        self.memory().keep_text(message, text);
        Ok(message.clone())
    }
}

/// What the screen shows: codes of buttons and texts of messages.
#[derive(Default)]
struct Memory {
    /// Code and nonce, oldest first.
    buttons: VecDeque<(String, String)>,
    given: usize,
    texts: VecDeque<(MessageRef, String)>,
}

impl Memory {
    /// The nonce behind a typed code.
    fn nonce(&self, typed: &str) -> Option<&str> {
        let known = self.buttons.iter().find(|(code, _)| code.eq_ignore_ascii_case(typed));
        known.map(|(_, nonce)| nonce.as_str())
    }

    fn rendered(&mut self, message: &Message, options: &RenderOptions) -> String {
        let codes: BTreeMap<String, String> =
            message.all_buttons().take(REMEMBERED).map(|button| (button.id.clone(), self.code(button))).collect();
        render::render(message, options, &codes)
    }

    /// A button keeps its code for as long as it is remembered.
    fn code(&mut self, button: &Button) -> String {
        if let Some((code, _)) = self.buttons.iter().find(|(_, nonce)| *nonce == button.id) {
            return code.clone();
        }
        let code = code_at(self.given);
        self.given += 1;
        self.buttons.push_back((code.clone(), button.id.clone()));
        if self.buttons.len() > REMEMBERED {
            self.buttons.pop_front();
        }
        code
    }

    fn keep_text(&mut self, message: &MessageRef, text: String) {
        self.texts.retain(|(known, _)| known != message);
        self.texts.push_back((message.clone(), text));
        if self.texts.len() > REMEMBERED {
            self.texts.pop_front();
        }
    }
}

/// `a1` … `a9`, `b1` … `z9`, then `a10` … and round again after 2,574, far more than are remembered.
fn code_at(n: usize) -> String {
    const LETTERS: usize = 26;
    let n = n % (LETTERS * 99);
    let (round, place) = (n / (LETTERS * 9), n % (LETTERS * 9));
    let letter = char::from(b'a' + u8::try_from(place / 9).unwrap_or(0));
    format!("{letter}{}", round * 9 + place % 9 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_differ_among_all_that_are_remembered() {
        let codes: Vec<String> = (0..26 * 99).map(code_at).collect();
        let distinct: std::collections::HashSet<&String> = codes.iter().collect();
        assert_eq!(distinct.len(), codes.len());
        assert_eq!((&codes[0][..], &codes[9][..], &codes[234][..]), ("a1", "b1", "a10"));
        assert_eq!(code_at(26 * 99), "a1");
    }

    #[test]
    fn a_button_keeps_its_code_and_the_oldest_are_forgotten() {
        let mut memory = Memory::default();
        let button = |n: usize| Button { label: "x".into(), id: format!("n{n}"), typed: String::new() };
        assert_eq!(memory.code(&button(0)), "a1");
        assert_eq!(memory.code(&button(0)), "a1");
        for n in 1..=REMEMBERED {
            memory.code(&button(n));
        }
        assert_eq!(memory.nonce("a1"), None);
        assert_eq!(memory.nonce("A2"), Some("n1"));
        assert_eq!(memory.buttons.len(), REMEMBERED);
    }
}
