//! The real Telegram front-end against the fake Bot API: what the person sees is what the fake's phone shows.

use super::Front;
use super::screen::{Screen, Shown, words};
use crate::fake_telegram::FakeTelegram;
use crate::fake_telegram::seen::Seen;
use chrono::{DateTime, TimeDelta, Utc};
use overnight::chat::telegram::{Telegram, TelegramOptions};
use overnight::chat::{Chat, Incoming, MessageRef, Outgoing, SendError};
use overnight::clock::{Clock, SystemClock};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// The owner's number, which is their private chat's as well.
pub(crate) const OWNER: i64 = 1001;

/// The front-end, the platform and the person.
pub(crate) struct OnTelegram {
    pub(crate) fake: FakeTelegram,
    telegram: Telegram,
    screen: Arc<Mutex<Screen>>,
}

impl OnTelegram {
    pub(crate) const SENDER: &str = "telegram:1001";

    pub(crate) async fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with(clock, |_| {}).await
    }

    pub(crate) async fn with(clock: Arc<dyn Clock>, change: impl FnOnce(&mut TelegramOptions)) -> Self {
        let fake = FakeTelegram::start().await;
        fake.person(OWNER, "Ross");
        Self::on(fake, clock, change)
    }

    /// Another process of the bot on the same platform.
    pub(crate) fn on(fake: FakeTelegram, clock: Arc<dyn Clock>, change: impl FnOnce(&mut TelegramOptions)) -> Self {
        let mut options = TelegramOptions {
            token: fake.token().to_owned(),
            api_url: Some(fake.url()),
            chats: vec![],
            people: vec![(OWNER, true)],
            last_alive: None,
            // A story's clock leaps over hours between two polls.
            taps_live: TimeDelta::days(10_000),
            poll: Duration::from_secs(5),
            slack: Duration::from_secs(20),
            request: Duration::from_secs(20),
            unit: Duration::from_millis(5),
            rests: Arc::new(SystemClock),
            in_trouble: false,
            pace: Duration::ZERO,
            clock,
        };
        change(&mut options);
        Self { telegram: Telegram::new(options).unwrap(), fake, screen: Arc::default() }
    }

    /// The same with the same person, who has everything before their eyes that this one sent.
    pub(crate) fn followed(&self, clock: Arc<dyn Clock>, change: impl FnOnce(&mut TelegramOptions)) -> Self {
        Self { screen: Arc::clone(&self.screen), ..Self::on(self.fake.clone(), clock, change) }
    }

    /// The bot's messages in the owner's chat, as read now, those deleted left out.
    pub(crate) fn read(&self) -> Vec<String> {
        let messages = self.fake.bot_messages(OWNER);
        messages.iter().filter(|message| !message.deleted).map(|message| words(&message.text)).collect()
    }

    /// The messages a reference names, as the phone shows them now.
    fn shown(&self, outgoing: &Outgoing, reference: &MessageRef) -> Shown {
        let chat: i64 = outgoing.chat.split([':', '/']).nth(1).unwrap().parse().unwrap();
        let ids: Vec<i64> =
            reference.0.split(',').filter_map(|part| part.trim_start_matches('f').parse().ok()).collect();
        let seen: Vec<Seen> =
            self.fake.bot_messages(chat).into_iter().filter(|m| ids.contains(&m.id) && !m.deleted).collect();
        let toast = self.fake.toasts().pop().map(|toast| toast.text).unwrap_or_default();
        let mut parts: Vec<String> = seen.iter().map(|message| message.text.clone()).collect();
        parts.extend(seen.iter().flat_map(|m| &m.files).map(|file| format!("📎 {}", file.name)));
        let text = if ids.is_empty() { toast } else { parts.join(" ") };
        let buttons = seen.iter().flat_map(|message| message.buttons.iter().flatten());
        Shown {
            reference: reference.0.clone(),
            key: outgoing.key.clone(),
            text: words(&text),
            buttons: buttons.map(|button| (button.label.clone(), button.data.clone().unwrap())).collect(),
            silent: seen.first().is_none_or(|message| message.silent),
            edits: 0,
            read: false,
        }
    }
}

#[async_trait::async_trait]
impl Chat for OnTelegram {
    fn name(&self) -> &str {
        self.telegram.name()
    }

    async fn receive(&self) -> Option<Incoming> {
        self.telegram.receive().await
    }

    async fn confirm(&self, key: &str) {
        self.telegram.confirm(key).await;
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<MessageRef, SendError> {
        let reference = self.telegram.send(outgoing).await?;
        let shown = self.shown(outgoing, &reference);
        self.screen().add(shown);
        Ok(reference)
    }

    async fn edit(&self, message: &MessageRef, outgoing: &Outgoing) -> Result<MessageRef, SendError> {
        let reference = self.telegram.edit(message, outgoing).await?;
        let shown = self.shown(outgoing, &reference);
        let mut screen = self.screen();
        screen.change(&message.0, shown.text, shown.buttons);
        screen.rename(&message.0, &reference.0);
        Ok(reference)
    }

    fn send_limit(&self) -> Duration {
        self.telegram.send_limit()
    }
}

#[async_trait::async_trait]
impl Front for OnTelegram {
    fn sender(&self) -> &'static str {
        Self::SENDER
    }

    fn home(&self) -> String {
        Self::SENDER.into()
    }

    async fn types(&self, text: &str, _at: DateTime<Utc>) {
        self.fake.says(OWNER, OWNER, text);
    }

    async fn presses(&self, button: &str, _at: DateTime<Utc>) {
        let messages = self.fake.bot_messages(OWNER);
        let has = |message: &&Seen| message.buttons.iter().flatten().any(|b| b.data.as_deref() == Some(button));
        match messages.iter().rfind(has) {
            Some(message) => self.fake.taps(OWNER, OWNER, message.id, button),
            // A phone that has not drawn the edit yet still shows it.
            None => self.fake.taps_stale(OWNER, OWNER, messages.last().expect("a message to tap").id, button),
        };
    }

    fn screen(&self) -> MutexGuard<'_, Screen> {
        self.screen.lock().unwrap()
    }

    fn broken_rules(&self) -> Vec<String> {
        self.fake.violations()
    }
}
