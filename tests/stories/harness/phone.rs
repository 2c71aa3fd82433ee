//! A fake phone: a chat platform that keeps messages, edits them in place, refuses what a real one would, and can be
//! told to fail.

use super::Front;
use super::screen::{Screen, Shown, words};
use chrono::{DateTime, Utc};
use overnight::chat::{Chat, Incoming, MessageRef, Outgoing, SendError, What};
use overnight::domain::message::Message;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Most bytes of a button's id, as on Telegram.
const BUTTON_BYTES: usize = 64;

/// What goes wrong with the next send or edit.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// It does not arrive, and the platform says so.
    Fails(SendError),
    /// It arrives; the answer is lost.
    AnswerLost,
    /// It arrives; no answer ever comes.
    Hangs,
}

/// The phone.
pub(crate) struct FakePhone {
    screen: Mutex<Screen>,
    typed: UnboundedSender<Incoming>,
    updates: tokio::sync::Mutex<UnboundedReceiver<Incoming>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    faults: VecDeque<Fault>,
    sent: u64,
    updates: u64,
    unconfirmed: Vec<String>,
    send_attempts: Vec<String>,
}

impl FakePhone {
    pub(crate) const SENDER: &str = "phone:1";

    pub(crate) fn new() -> Self {
        let (typed, updates) = unbounded_channel();
        let updates = tokio::sync::Mutex::new(updates);
        Self { screen: Mutex::default(), typed, updates, state: Mutex::default() }
    }

    /// The next sends and edits meet these, one each.
    pub(crate) fn meets(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state().faults.extend(faults);
    }

    /// Whatever was still to go wrong does not.
    pub(crate) fn heals(&self) {
        self.state().faults.clear();
    }

    /// Keys in the order they were tried, repeats included.
    pub(crate) fn tried(&self) -> Vec<String> {
        self.state().send_attempts.clone()
    }

    /// Updates that were handed over and never confirmed.
    pub(crate) fn unconfirmed(&self) -> Vec<String> {
        self.state().unconfirmed.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn update(&self, what: What, at: DateTime<Utc>) {
        let key = {
            let mut state = self.state();
            state.updates += 1;
            let key = format!("update-{}", state.updates);
            state.unconfirmed.push(key.clone());
            key
        };
        self.typed.send(Incoming::new(key, Self::SENDER, what, at)).unwrap();
    }

    /// What a platform refuses for good.
    fn refused(&self, message: &Message) -> Result<(), SendError> {
        let too_long = message.all_buttons().find(|button| button.id.len() > BUTTON_BYTES);
        let why = match too_long {
            Some(button) => format!("the id of button {:?} is too long", button.label),
            None if message.verdict.trim().is_empty() => "the message is empty".to_owned(),
            None => return Ok(()),
        };
        self.screen().refused.push(format!("{why}: {message:?}"));
        Err(SendError::Permanent(why))
    }

    /// Meets the next fault, after `arrives` where the message arrives all the same.
    async fn meet(&self, arrives: impl FnOnce()) -> Result<(), SendError> {
        let fault = self.state().faults.pop_front();
        match fault {
            None => arrives(),
            Some(Fault::Fails(error)) => return Err(error),
            Some(Fault::AnswerLost) => {
                arrives();
                return Err(SendError::MaybeSent("the connection was cut".into()));
            }
            Some(Fault::Hangs) => {
                arrives();
                std::future::pending::<()>().await;
            }
        }
        Ok(())
    }
}

/// A message as plain words.
fn rendered(message: &Message) -> String {
    let mut parts = vec![message.verdict.clone(), message.intro.clone()];
    for section in &message.sections {
        parts.push(section.title.clone());
        for item in &section.items {
            parts.push(format!("{} {}", item.icon, item.text));
            parts.extend(item.evidence.iter().map(|line| format!("- {line}")));
            parts.extend((!item.quote.is_empty()).then(|| format!("agent says: “{}”", item.quote)));
        }
    }
    parts.push(message.closing.clone());
    parts.extend(message.attachments.iter().map(|file| format!("📎 {}: {}", file.name, file.path)));
    words(&parts.join(" "))
}

fn buttons(message: &Message) -> Vec<(String, String)> {
    message.all_buttons().map(|button| (button.label.clone(), button.id.clone())).collect()
}

#[async_trait::async_trait]
impl Chat for FakePhone {
    fn name(&self) -> &'static str {
        "phone"
    }

    async fn receive(&self) -> Option<Incoming> {
        self.updates.lock().await.recv().await
    }

    async fn confirm(&self, key: &str) {
        self.state().unconfirmed.retain(|unconfirmed| unconfirmed != key);
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<MessageRef, SendError> {
        let reference = {
            let mut state = self.state();
            state.sent += 1;
            state.send_attempts.push(outgoing.key.clone());
            format!("m{}", state.sent)
        };
        self.refused(&outgoing.message)?;
        let shown = Shown {
            reference: reference.clone(),
            key: outgoing.key.clone(),
            text: rendered(&outgoing.message),
            buttons: buttons(&outgoing.message),
            silent: outgoing.silent,
            edits: 0,
            read: false,
        };
        self.meet(|| self.screen().add(shown)).await?;
        Ok(MessageRef(reference))
    }

    async fn edit(&self, message: &MessageRef, outgoing: &Outgoing) -> Result<MessageRef, SendError> {
        self.state().send_attempts.push(outgoing.key.clone());
        self.refused(&outgoing.message)?;
        let (text, buttons) = (rendered(&outgoing.message), buttons(&outgoing.message));
        self.meet(|| self.screen().change(&message.0, text, buttons)).await?;
        Ok(message.clone())
    }

    /// Nobody waits a minute in a story.
    fn send_limit(&self) -> Duration {
        Duration::from_millis(200)
    }
}

#[async_trait::async_trait]
impl Front for FakePhone {
    fn sender(&self) -> &'static str {
        Self::SENDER
    }

    async fn types(&self, text: &str, at: DateTime<Utc>) {
        self.update(What::Text(text.into()), at);
    }

    async fn presses(&self, button: &str, at: DateTime<Utc>) {
        self.update(What::Tap { button: button.into(), tap: None }, at);
    }

    fn screen(&self) -> MutexGuard<'_, Screen> {
        self.screen.lock().unwrap()
    }
}
