//! The real terminal chat with a person in front of it: lines are typed, codes are taps, and what is on the screen is read
//! after every write.

use super::Front;
use super::screen::{Screen, Shown, words};
use chrono::{DateTime, Utc};
use overnight::chat::terminal::{Terminal, TerminalOptions};
use overnight::chat::{Chat, Incoming, MessageRef, Outgoing, SendError};
use overnight::clock::Clock;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use tokio::io::{AsyncRead, AsyncWriteExt, BufReader, DuplexStream, ReadBuf};

/// A screen never full in a story.
const SCREEN_BYTES: usize = 16 * 1024 * 1024;

/// A terminal and its person.
pub(crate) struct Keyboard {
    terminal: Terminal,
    keys: tokio::sync::Mutex<DuplexStream>,
    glass: tokio::sync::Mutex<DuplexStream>,
    screen: Mutex<Screen>,
}

impl Keyboard {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let (keys, input) = tokio::io::duplex(64 * 1024);
        let (output, glass) = tokio::io::duplex(SCREEN_BYTES);
        let options =
            TerminalOptions { width: TerminalOptions::PHONE, color: false, clock, key_prefix: "story".into() };
        Self {
            terminal: Terminal::new(BufReader::new(input), output, options),
            keys: tokio::sync::Mutex::new(keys),
            glass: tokio::sync::Mutex::new(glass),
            screen: Mutex::default(),
        }
    }

    /// Everything written since the last look, without waiting for more.
    async fn look(&self) -> String {
        let mut glass = self.glass.lock().await;
        let mut seen = Vec::new();
        loop {
            let mut chunk = vec![0; 64 * 1024];
            let mut buffer = ReadBuf::new(&mut chunk);
            let read = poll_fn(|cx| Poll::Ready(Pin::new(&mut *glass).poll_read(cx, &mut buffer)));
            // Tokio's budget must not make a full pipe look empty.
            let ready = tokio::task::unconstrained(read).await;
            if !matches!(ready, Poll::Ready(Ok(()))) || buffer.filled().is_empty() {
                return String::from_utf8(seen).expect("the terminal writes UTF-8");
            }
            seen.extend_from_slice(buffer.filled());
        }
    }
}

/// `[a1] ✅ Approve  [a2] ✖️ Reject` as labels with their codes.
fn buttons(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for line in text.lines() {
        for piece in line.split('[').skip(1) {
            let Some((code, label)) = piece.split_once(']') else { continue };
            let mut chars = code.chars();
            let letter = chars.next().is_some_and(|c| c.is_ascii_lowercase());
            if letter && code.len() > 1 && chars.all(|c| c.is_ascii_digit()) {
                found.push((label.trim().to_owned(), code.to_owned()));
            }
        }
    }
    found
}

#[async_trait::async_trait]
impl Chat for Keyboard {
    fn name(&self) -> &str {
        self.terminal.name()
    }

    async fn receive(&self) -> Option<Incoming> {
        self.terminal.receive().await
    }

    async fn confirm(&self, key: &str) {
        self.terminal.confirm(key).await;
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<MessageRef, SendError> {
        let reference = self.terminal.send(outgoing).await?;
        let text = self.look().await;
        self.screen().add(Shown {
            reference: reference.0.clone(),
            key: outgoing.key.clone(),
            buttons: buttons(&text),
            text: words(&text),
            silent: outgoing.silent,
            edits: 0,
            read: false,
        });
        Ok(reference)
    }

    async fn edit(&self, message: &MessageRef, outgoing: &Outgoing) -> Result<MessageRef, SendError> {
        let reference = self.terminal.edit(message, outgoing).await?;
        let text = self.look().await;
        // The same text again is not printed again.
        if !text.is_empty() {
            self.screen().change(&message.0, words(&text), buttons(&text));
        }
        Ok(reference)
    }
}

#[async_trait::async_trait]
impl Front for Keyboard {
    fn sender(&self) -> &'static str {
        "terminal:owner"
    }

    async fn types(&self, text: &str, _at: DateTime<Utc>) {
        let line = format!("{}\n", text.replace('\n', "\\\n"));
        self.keys.lock().await.write_all(line.as_bytes()).await.unwrap();
    }

    async fn presses(&self, code: &str, _at: DateTime<Utc>) {
        self.keys.lock().await.write_all(format!("{code}\n").as_bytes()).await.unwrap();
    }

    fn screen(&self) -> MutexGuard<'_, Screen> {
        self.screen.lock().unwrap()
    }
}
