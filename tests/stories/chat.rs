//! The terminal chat: what a person types and sees, over in-memory pipes.

use overnight::chat::terminal::{Terminal, TerminalOptions};
use overnight::chat::{Chat, Incoming, Outgoing, SendError, What};
use overnight::clock::{Clock, ManualClock};
use overnight::domain::message::{Button, Item, Message};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, DuplexStream};

/// A person at a terminal.
struct Person {
    chat: Arc<Terminal>,
    keyboard: DuplexStream,
    screen: BufReader<DuplexStream>,
    clock: Arc<ManualClock>,
}

fn options(clock: Arc<ManualClock>) -> TerminalOptions {
    TerminalOptions { width: TerminalOptions::PHONE, color: false, clock, key_prefix: "t1".into() }
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new("2026-03-14T21:58:00Z".parse().unwrap()))
}

impl Person {
    fn sits_down() -> Self {
        let clock = clock();
        let (keyboard, input) = tokio::io::duplex(64);
        let (output, screen) = tokio::io::duplex(64 * 1024);
        let chat = Arc::new(Terminal::new(BufReader::new(input), output, options(Arc::clone(&clock))));
        Self { chat, keyboard, screen: BufReader::new(screen), clock }
    }

    async fn types(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).await.unwrap();
    }

    async fn heard(&self) -> Incoming {
        self.chat.receive().await.expect("the terminal is open")
    }

    /// Reads as many lines as `text` has and compares.
    async fn sees(&mut self, text: &str) {
        for wanted in text.lines() {
            let mut line = String::new();
            self.screen.read_line(&mut line).await.unwrap();
            assert_eq!(line.trim_end_matches('\n'), wanted);
        }
    }
}

fn outgoing(message: Message) -> Outgoing {
    Outgoing { key: "k".into(), chat: "terminal".into(), tap: None, message, silent: true }
}

fn card(nonce: &str) -> Message {
    let approve = Button { label: "✅ Approve".into(), id: nonce.into(), typed: "/approve 1".into() };
    Message::line("🔒 #1 waits for you").section("", vec![Item::new("•", "Build workout dashboard").button(approve)])
}

#[tokio::test]
async fn a_line_is_a_message_and_a_code_is_a_tap() {
    let mut person = Person::sits_down();
    person.types("/queue add Build workout dashboard | 5h\n\n").await;
    let first = person.heard().await;
    assert_eq!(first.what, What::Text("/queue add Build workout dashboard | 5h".into()));
    assert_eq!((first.sender.as_str(), first.key.as_str()), ("terminal:owner", "t1:1"));
    assert_eq!(first.at, person.clock.now());
    person.chat.confirm(&first.key).await;

    person.chat.send(&outgoing(card("0123456789abcdef"))).await.unwrap();
    person
        .sees("🔒 #1 waits for you\n\n  • Build workout dashboard\n     [a1] ✅ Approve\n     (type the code, or /approve 1)\n\n")
        .await;

    person.types(" A1 \nb7\n").await;
    let tapped = person.heard().await;
    assert_eq!(tapped.what, What::Tap { button: "0123456789abcdef".into(), tap: None });
    assert_eq!(person.heard().await.what, What::Text("b7".into()), "an unknown code is text");
}

#[tokio::test]
async fn an_edit_is_shown_only_when_something_changed() {
    let mut person = Person::sits_down();
    let sent = person.chat.send(&outgoing(card("n1"))).await.unwrap();
    person.chat.edit(&sent, &outgoing(card("n1"))).await.unwrap();
    person.chat.edit(&sent, &outgoing(Message::line("✅ #1 approved 22:01"))).await.unwrap();
    person.chat.edit(&sent, &outgoing(Message::line("✅ #1 approved 22:01"))).await.unwrap();
    person.chat.send(&outgoing(Message::line("next"))).await.unwrap();
    person
        .sees("🔒 #1 waits for you\n\n  • Build workout dashboard\n     [a1] ✅ Approve\n     (type the code, or /approve 1)\n\n")
        .await;
    person.sees("↻ ✅ #1 approved 22:01\n\nnext\n\n").await;
}

#[tokio::test]
async fn new_buttons_under_the_same_words_are_a_change() {
    let mut person = Person::sits_down();
    let sent = person.chat.send(&outgoing(card("old"))).await.unwrap();
    person.chat.edit(&sent, &outgoing(card("new"))).await.unwrap();
    person.types("a1\na2\n").await;
    assert!(matches!(person.heard().await.what, What::Tap { button, .. } if button == "old"));
    assert!(matches!(person.heard().await.what, What::Tap { button, .. } if button == "new"));
}

#[tokio::test]
async fn many_messages_at_once_never_mix() {
    let mut person = Person::sits_down();
    let sending: Vec<_> = (0..20)
        .map(|n| {
            let chat = Arc::clone(&person.chat);
            tokio::spawn(async move {
                let letter = char::from(b'a' + u8::try_from(n).unwrap()).to_string();
                let word = letter.repeat(40);
                let message = Message::line(&word).intro(format!("{word} {word}")).closing(&word);
                chat.send(&outgoing(message)).await.map(|_| ())
            })
        })
        .collect();
    for sent in sending {
        sent.await.unwrap().unwrap();
    }
    for _ in 0..20 {
        let mut first = String::new();
        person.screen.read_line(&mut first).await.unwrap();
        person.sees(&format!("\n{first}{first}\n{first}\n")).await;
    }
}

#[tokio::test]
async fn the_end_of_input_closes_the_chat_after_its_last_line() {
    let Person { chat, mut keyboard, .. } = Person::sits_down();
    keyboard.write_all(b"/status").await.unwrap();
    drop(keyboard);
    assert_eq!(chat.receive().await.map(|incoming| incoming.what), Some(What::Text("/status".into())));
    assert_eq!(chat.receive().await, None);
    assert_eq!(chat.receive().await, None, "and stays closed");
}

#[tokio::test]
async fn a_closed_screen_is_permanent_and_a_full_disk_is_not() {
    let (output, screen) = tokio::io::duplex(64);
    let chat = Terminal::new(BufReader::new(tokio::io::empty()), output, options(clock()));
    drop(screen);
    assert!(matches!(chat.send(&outgoing(Message::line("x"))).await, Err(SendError::Permanent(_))));

    let chat = Terminal::new(BufReader::new(tokio::io::empty()), FullDisk, options(clock()));
    let refused = chat.send(&outgoing(Message::line("x"))).await;
    assert!(matches!(refused, Err(SendError::Retry { after_secs: None, .. })), "{refused:?}");
}

struct FullDisk;

impl AsyncWrite for FullDisk {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::Error::from(io::ErrorKind::StorageFull)))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn an_escape_sequence_in_a_task_never_reaches_the_screen() {
    let person = Person::sits_down();
    let evil = Message::line("\u{1b}[2J\u{1b}]0;pwned\u{7}#1 \u{202e}gnp.exe");
    person.chat.send(&outgoing(evil)).await.unwrap();
    let Person { chat, mut screen, .. } = person;
    drop(chat);
    let mut shown = String::new();
    screen.read_to_string(&mut shown).await.unwrap();
    assert_eq!(shown, "␛[2J␛]0;pwned␇#1 <U+202E>gnp.exe\n\n");
}
