//! The owner's side of a night: what they type, tap and read.

use super::{Overnight, PATIENCE, Shown};
use overnight::chat::{Incoming, What};
use overnight::engine::inbound;

/// Real time in which a server on this machine hands over what it has.
const QUIET: std::time::Duration = std::time::Duration::from_millis(500);

impl Overnight {
    /// The owner writes, and the bot has answered.
    pub(crate) async fn says(&mut self, text: &str) {
        self.front.types(text, self.now()).await;
        self.hears().await;
        self.settle().await;
    }

    /// The owner writes; the answer is the unread message with these words.
    pub(crate) async fn asks(&mut self, text: &str, answer: &str) -> Shown {
        self.says(text).await;
        self.expect(answer).await
    }

    /// The owner taps a button of what they saw.
    pub(crate) async fn taps(&mut self, card: &Shown, label: &str) {
        self.front.presses(card.button(label), self.now()).await;
        self.hears().await;
        self.settle().await;
    }

    /// Taps something that was never on a card.
    pub(crate) async fn taps_unknown(&mut self, button: &str) {
        let what = What::Tap { button: button.into(), tap: None };
        self.gets(self.front.sender(), what).await;
    }

    /// Somebody else writes to the bot.
    pub(crate) async fn stranger_says(&mut self, text: &str) {
        self.gets("phone:666", What::Text(text.into())).await;
    }

    async fn gets(&mut self, sender: &str, what: What) {
        self.foreign += 1;
        let key = format!("other-{}", self.foreign);
        let mut incoming = Incoming::new(key, sender, what, self.now());
        incoming.chat = Some(self.front.home());
        inbound::store(self.engine(), self.front.name(), &incoming).await.unwrap();
        self.settle().await;
    }

    /// The bot takes what the chat has for it next.
    pub(crate) async fn hears(&self) {
        let incoming = tokio::time::timeout(PATIENCE, self.front.receive()).await;
        let incoming = incoming.expect("the chat hands over what was typed").expect("the chat is open");
        self.keeps(&incoming).await;
    }

    /// The bot takes all the chat has for it, and nothing more comes for a while.
    pub(crate) async fn hears_all(&mut self) {
        while let Ok(Some(incoming)) = tokio::time::timeout(QUIET, self.front.receive()).await {
            self.keeps(&incoming).await;
        }
        self.settle().await;
    }

    /// Keeps an update as the bot's receiving task does.
    pub(crate) async fn keeps(&self, incoming: &Incoming) {
        inbound::store(self.engine(), self.front.name(), incoming).await.unwrap();
        self.front.confirm(&incoming.key).await;
    }

    /// The unread message with these words.
    pub(crate) async fn expect(&mut self, words: &str) -> Shown {
        let found = self.front.screen().read(words);
        match found {
            Some(shown) => shown,
            None => panic!("no unread message with {words:?}\n{}", self.tail().await),
        }
    }

    /// The message as it looks now.
    pub(crate) fn again(&self, shown: &Shown) -> Shown {
        let screen = self.front.screen();
        screen.messages.iter().find(|message| message.reference == shown.reference).unwrap().clone()
    }

    /// Every message so far that the story has not looked at, looked at now.
    pub(crate) fn reads_all(&mut self) -> Vec<Shown> {
        let mut screen = self.front.screen();
        let unread = screen.messages.iter_mut().filter(|message| !message.read);
        let read = |message: &mut Shown| {
            message.read = true;
            message.clone()
        };
        unread.map(read).collect()
    }

    /// All messages ever, in order.
    pub(crate) fn messages(&self) -> Vec<Shown> {
        self.front.screen().messages.clone()
    }
}
